package inside

import (
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/glassbuild/glassbuild/internal/sandbox/wire"
)

// checkProcesses wants nobody here but process 1 and the process looked at.
func checkProcesses(s sealed) wire.Check {
	names, err := listPath("/proc")
	if err != nil {
		return check("processes", false, "%v", err)
	}
	var found []string
	for _, name := range names {
		if n, err := strconv.Atoi(name); err == nil && n != 1 && n != s.pid {
			found = append(found, name)
		}
	}
	return check("processes", len(found) == 0, "%s", orElse(strings.Join(found, " "), "none but its own"))
}

func checkInterfaces(s sealed) wire.Check {
	text, err := readProc(s.dir + "net/dev")
	if err != nil {
		return check("interfaces", false, "%v", err)
	}
	var names []string
	for line := range strings.Lines(text) {
		if name, _, ok := strings.Cut(line, ":"); ok {
			names = append(names, strings.TrimSpace(name))
		}
	}
	// Fallback tunnel devices (tunl0, sit0, ...) that some kernels put into every namespace are down and stay so: nobody
	// here can raise one.
	up := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !isUp(n) })
	return check("interfaces", slices.Equal(up, []string{"lo"}), "%s", strings.Join(names, ", "))
}

func isUp(name string) bool {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return true
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq(name)
	if err != nil || unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, request) != nil {
		return true
	}
	return request.Uint16()&unix.IFF_UP != 0
}

// checkRoutes wants no IPv4 route at all (those of lo stand in another table) and IPv6 ones only over lo.
func checkRoutes(s sealed) wire.Check {
	text, err := readProc(s.dir + "net/route")
	if err != nil {
		return check("routes", false, "%v", err)
	}
	found := strings.Count(text, "\n") - 1 // a heading
	six, err := readProc(s.dir + "net/ipv6_route")
	if err == nil { // missing on a kernel without IPv6
		for line := range strings.Lines(six) {
			if f := strings.Fields(line); len(f) > 0 && f[len(f)-1] != "lo" {
				found++
			}
		}
	}
	return check("routes", found <= 0, "%d that leave the machine", max(found, 0))
}

// checkMounts wants every mount without set-uid programs and without devices (but for the five), private, and
// read-only unless it is one of those that steps may write to.
func (p *process) checkMounts(s sealed) wire.Check {
	text, err := readProc(s.dir + "mountinfo")
	if err != nil {
		return check("mounts", false, "%v", err)
	}
	count := 0
	for line := range strings.Lines(text) {
		fields := strings.Fields(line) // proc_pid_mountinfo(5)
		if len(fields) < 7 {
			return check("mounts", false, "%q", line)
		}
		count++
		at, options := unescape(fields[4]), strings.Split(fields[5], ",")
		if why := p.complain(at, options, fields[6]); why != "" {
			return check("mounts", false, "%q %s", at, why)
		}
	}
	return check("mounts", count > 0, "%d, written: %s", count, strings.Join(p.root.writes, " "))
}

func (p *process) complain(at string, options []string, propagation string) string {
	isDevice := slices.ContainsFunc(devices, func(d device) bool { return at == "/dev/"+d.name })
	switch {
	case propagation != "-":
		return "is not private"
	case !slices.Contains(options, "nosuid"):
		return "allows set-uid programs"
	case !slices.Contains(options, "nodev") && !isDevice && at != "/dev":
		return "allows devices"
	case slices.Contains(options, "rw") && at != "/proc" && !slices.Contains(p.root.writes, at):
		return "can be written"
	}
	return ""
}

// unescape undoes the octal escapes of mountinfo.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func checkDevices(sealed) wire.Check {
	var found []string
	names, err := listPath("/dev")
	if err != nil {
		return check("devices", false, "%v", err)
	}
	for _, name := range names {
		var st unix.Stat_t
		kind := uint32(unix.S_IFCHR)
		if unix.Lstat("/dev/"+name, &st) == nil {
			kind = st.Mode & unix.S_IFMT
		}
		if kind == unix.S_IFCHR || kind == unix.S_IFBLK {
			found = append(found, name)
		}
	}
	want := make([]string, len(devices))
	for i, d := range devices {
		want[i] = d.name
	}
	slices.Sort(want)
	return check("devices", slices.Equal(found, want), "%s", strings.Join(found, ", "))
}

// checkEnvironment wants nothing of the host's environment here. A step gets its own with execve, and nothing else.
func checkEnvironment(sealed) wire.Check {
	foreign := slices.DeleteFunc(os.Environ(), func(v string) bool { return v == wire.OneProcessor || v == wire.NoHome })
	return check("environment", len(foreign) == 0, "%d variables of the host", len(foreign))
}

// checkIdentity wants the names and numbers that were asked for. Groups beside the own one cannot be given up by an
// ordinary user (user_namespaces(7)); they show as the overflow group.
func (p *process) checkIdentity(s sealed) wire.Check {
	id := p.setup.Identity
	host, _ := os.Hostname()
	user, uid := p.numbers(s, "Uid", "uid_map", id.UID)
	group, gid := p.numbers(s, "Gid", "gid_map", id.GID)
	return check("identity", uid && gid && host == id.Hostname, "host %q, user %s, group %s, further groups %q, processors %s",
		host, user, group, s.status.value("Groups"), s.status.value("Cpus_allowed_list"))
}

// numbers returns what a process sees as its user or group, and whether that is all want. What /proc says is said in the
// numbers of process 1: where a step has a user namespace of its own, its map has to give want for the only one there is.
func (p *process) numbers(s sealed, name, table string, want int) (string, bool) {
	four := s.status.value(name)
	ids, seen := strings.Fields(four), want
	if p.nested() {
		text, err := readProc(s.dir + table)
		seen = 0
		if err != nil || !slices.Equal(strings.Fields(text), strings.Fields(idMap(want))) {
			return strings.TrimSpace(text), false
		}
		four = strconv.Itoa(want) + " alone"
	}
	return four, len(ids) == 4 && !slices.ContainsFunc(ids, func(id string) bool { return id != strconv.Itoa(seen) })
}
