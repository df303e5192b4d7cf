package inside

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/glassbuild/glassbuild/internal/sandbox/wire"
)

// selfCheck seals the child that the first step will use, and looks at it and at what it sees. Any check that does not
// hold ends the sandbox before anything foreign ran.
func (p *process) selfCheck() (checks []wire.Check, err error) {
	own, err := readStatus(1)
	if err != nil {
		return nil, err
	}
	p.filters, _ = strconv.Atoi(own.value("Seccomp_filters"))
	p.notify = true
	if p.first, err = p.sealedChild(); err != nil {
		// Only one listener can stand in a chain of filters: inside a container that has one, nothing is reported.
		p.notify = false
		if p.first, err = p.sealedChild(); err != nil {
			return nil, err
		}
	}
	child, err := look(p.first.pid)
	if err != nil {
		return nil, err
	}
	checks = p.inspect(child, false)
	for _, look := range []func(sealed) wire.Check{
		checkProcesses, checkInterfaces, checkRoutes, p.checkMounts, checkDevices, checkEnvironment, p.checkIdentity,
	} {
		checks = append(checks, look(child))
	}
	return checks, firstBroken(checks)
}

func (p *process) sealedChild() (*child, error) {
	k, err := p.openLog()
	if err != nil {
		return nil, err
	}
	k.notify = p.notify
	return k, p.launch(k)
}

// firstBroken returns an error for the first check that does not hold. No checks at all do not hold either.
func firstBroken(checks []wire.Check) error {
	if len(checks) == 0 {
		return errors.New("nothing was checked")
	}
	for _, c := range checks {
		if !c.OK {
			return &trouble{what: "check " + c.Name, err: errors.New(c.Detail)}
		}
	}
	return nil
}

func check(name string, ok bool, format string, args ...any) wire.Check {
	return wire.Check{Name: name, OK: ok, Detail: fmt.Sprintf(format, args...)}
}

// sealed is a sealed process as process 1 sees it.
type sealed struct {
	pid    int
	dir    string // its folder in /proc, with a slash at the end
	status status
}

func look(pid int) (sealed, error) {
	text, err := readStatus(pid)
	return sealed{pid, "/proc/" + strconv.Itoa(pid) + "/", text}, err
}

// inspect looks at a sealed process from process 1.
func (p *process) inspect(s sealed, terminal bool) []wire.Check {
	var powers []string
	for _, set := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"} {
		if v := s.status.value(set); v == "" || strings.Trim(v, "0") != "" {
			powers = append(powers, set+" "+v)
		}
	}
	privileges, mode, filters := s.status.value("NoNewPrivs"), s.status.value("Seccomp"), s.status.value("Seccomp_filters")
	return []wire.Check{
		check("capabilities", len(powers) == 0, "%s", orElse(strings.Join(powers, ", "), "none in any set")),
		check("no-new-privileges", privileges == "1", "%s", privileges),
		check("seccomp", p.filtered(mode, filters), "mode %s, filters %s", mode, filters),
		checkDescriptors(s.dir, terminal),
		checkSession(s, terminal),
	}
}

// filtered tells whether a process has more filters than process 1, in filter mode. The count is known since Linux 5.9.
func (p *process) filtered(mode, filters string) bool {
	have, err := strconv.Atoi(filters)
	return mode == "2" && err == nil && have > p.filters
}

// status is the text of /proc/PID/status.
type status string

func readStatus(pid int) (status, error) {
	text, err := readProc("/proc/" + strconv.Itoa(pid) + "/status")
	return status(text), failed("read the status of a process", err)
}

// value returns what stands behind a name, "" when the kernel has no such line. No value holds a line's end: names of
// programs, the only foreign ones, are escaped (proc_pid_status(5)).
func (s status) value(name string) string {
	for line := range strings.Lines(string(s)) {
		if rest, ok := strings.CutPrefix(line, name); ok && strings.HasPrefix(rest, ":") {
			return strings.TrimSpace(rest[1:])
		}
	}
	return ""
}

func readProc(name string) (string, error) {
	text, err := readPath(name, maxProcFile)
	return string(text), err
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// checkDescriptors wants 0 to 2, and beyond them only the two that close themselves.
func checkDescriptors(dir string, terminal bool) wire.Check {
	names, err := listPath(dir + "fd")
	if err != nil {
		return check("descriptors", false, "%v", err)
	}
	if !slices.Equal(names, []string{"0", "1", "2", "3", "4"}) {
		return check("descriptors", false, "open: %s", strings.Join(names, " "))
	}
	var kinds []string
	for _, name := range names {
		target, err := os.Readlink(dir + "fd/" + name)
		if err != nil {
			return check("descriptors", false, "%v", err)
		}
		kind, _, _ := strings.Cut(target, ":")
		fits := kind == "/dev/null" || kind == "pipe" || terminal && strings.HasPrefix(target, "/dev/pts/")
		if name > "2" {
			info, err := readProc(dir + "fdinfo/" + name)
			fits = err == nil && kind == "pipe" && closesItself(info)
		} else {
			kinds = append(kinds, kind)
		}
		if !fits {
			return check("descriptors", false, "%s is %q", name, target)
		}
	}
	return check("descriptors", true, "%s", strings.Join(kinds, ", "))
}

// closesItself tells whether the flags in a fdinfo file (octal) hold O_CLOEXEC.
func closesItself(info string) bool {
	for line := range strings.Lines(info) {
		if value, ok := strings.CutPrefix(line, "flags:"); ok {
			flags, err := strconv.ParseUint(strings.TrimSpace(value), 8, 64)
			return err == nil && flags&unix.O_CLOEXEC != 0
		}
	}
	return false
}

// checkSession wants the process to lead a session of its own, without a terminal unless it asked for one.
func checkSession(s sealed, terminal bool) wire.Check {
	text, err := readProc(s.dir + "stat")
	if err != nil {
		return check("session", false, "%v", err)
	}
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(fields) < 5 {
		return check("session", false, "%q", text)
	}
	session, tty := fields[3], fields[4] // fields 6 and 7 of proc_pid_stat(5)
	own := session == strconv.Itoa(s.pid)
	return check("session", own && (tty != "0") == terminal, "its own: %t, controlling terminal: %t", own, tty != "0")
}
