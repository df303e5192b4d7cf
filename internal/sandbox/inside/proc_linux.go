package inside

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/glassbuild/glassbuild/internal/sandbox/wire"
)

// /proc has two halves. The processes' own folders are real, and hide every process that the reader may not trace, which
// includes process 1. Of the rest only what is named below is shown, with fixed contents: the machine's own command
// line, memory, load, keys and settings tell where a build runs and change from one machine to the next. Everything else
// is an empty file or folder.

// shownLinks are links of /proc that lead into the reader's own folder.
var shownLinks = []string{"mounts", "net", "self", "thread-self"}

// made returns the files of /proc that have contents here, and the folder sys.
func made(s *wire.Setup) (files, sys map[string]string) {
	var u unix.Utsname
	_ = unix.Uname(&u)
	release := unix.ByteSliceToString(u.Release[:])
	kib := s.Memory >> 10
	files = map[string]string{
		"cpuinfo":     cpuinfo(s.Identity.CPUs),
		"stat":        stat(s.Identity.CPUs),
		"meminfo":     fmt.Sprintf("MemTotal:       %8d kB\nMemFree:        %8d kB\nMemAvailable:   %8d kB\nBuffers:               0 kB\nCached:                0 kB\nSwapCached:            0 kB\nSwapTotal:             0 kB\nSwapFree:              0 kB\n", kib, kib, kib),
		"loadavg":     "0.00 0.00 0.00 1/1 1\n",
		"uptime":      "1.00 1.00\n",
		"version":     "Linux version " + release + "\n",
		"filesystems": "nodev\tproc\nnodev\ttmpfs\nnodev\toverlay\n",
		"swaps":       "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n",
	}
	sys = map[string]string{
		"fs/file-max":                  "1048576\n",
		"fs/nr_open":                   "1048576\n",
		"fs/pipe-max-size":             "1048576\n",
		"kernel/cap_last_cap":          "40\n",
		"kernel/domainname":            s.Identity.Domain + "\n",
		"kernel/hostname":              s.Identity.Hostname + "\n",
		"kernel/ngroups_max":           "65536\n",
		"kernel/osrelease":             release + "\n",
		"kernel/ostype":                "Linux\n",
		"kernel/pid_max":               "32768\n",
		"kernel/randomize_va_space":    "2\n",
		"kernel/threads-max":           "32768\n",
		"net/core/somaxconn":           "4096\n",
		"vm/max_map_count":             "65530\n",
		"vm/overcommit_memory":         "0\n",
		"vm/overcommit_ratio":          "50\n",
		"vm/mmap_min_addr":             "65536\n",
		"net/ipv4/ip_local_port_range": "32768\t60999\n",
	}
	return files, sys
}

func cpuinfo(cpus int) string {
	var b bytes.Buffer
	for i := range cpus {
		if machine() == "aarch64" {
			fmt.Fprintf(&b, "processor\t: %d\nBogoMIPS\t: 100.00\nFeatures\t: fp asimd\nCPU architecture: 8\n\n", i)
			continue
		}
		fmt.Fprintf(&b, "processor\t: %d\nvendor_id\t: glassbuild\ncpu family\t: 6\nmodel\t\t: 0\nmodel name\t: x86-64\ncpu MHz\t\t: 1000.000\ncache size\t: 1024 KB\nphysical id\t: 0\nsiblings\t: %d\ncore id\t\t: %d\ncpu cores\t: %d\nflags\t\t: fpu tsc cx8 cmov mmx fxsr sse sse2 syscall lm\n\n", i, cpus, i, cpus)
	}
	return b.String()
}

func stat(cpus int) string {
	var b bytes.Buffer
	b.WriteString("cpu  0 0 0 0 0 0 0 0 0 0\n")
	for i := range cpus {
		fmt.Fprintf(&b, "cpu%d 0 0 0 0 0 0 0 0 0 0\n", i)
	}
	b.WriteString("intr 0\nctxt 0\nbtime 0\nprocesses 1\nprocs_running 1\nprocs_blocked 0\n")
	return b.String()
}

func (r *root) makeProc(s *wire.Setup) error {
	proc, err := r.mountProc()
	if err != nil {
		return err
	}
	defer unix.Close(proc)
	if err := r.mountAt(proc, "/proc", true); err != nil {
		return err
	}
	files, sys := made(s)
	masks, err := r.makeMasks(files, sys)
	if err != nil {
		return err
	}
	list, err := unix.Openat(proc, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return failed("open /proc", err)
	}
	defer unix.Close(list)
	entries, err := readEntries(list)
	if err != nil {
		return failed("list /proc", err)
	}
	for _, e := range entries {
		if _, err := strconv.Atoi(e.name); err == nil || slices.Contains(shownLinks, e.name) {
			continue
		}
		if err := r.mask(proc, e, masks, files[e.name] != ""); err != nil {
			return err
		}
	}
	return nil
}

// mountProc makes a /proc of this pid namespace. hidepid=ptraceable needs Linux 5.8.
func (r *root) mountProc() (int, error) {
	fs, err := unix.Fsopen("proc", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, failed("open a proc file system", err)
	}
	defer unix.Close(fs)
	if err := unix.FsconfigSetString(fs, "hidepid", "ptraceable"); err != nil {
		r.note("/proc", "process 1 can be seen, though not read: %v", err)
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return -1, failed("mount /proc", err)
	}
	fd, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, mountSafe|unix.MOUNT_ATTR_NOEXEC)
	return fd, failed("mount /proc", err)
}

// makeMasks writes what covers /proc into a folder of the store: "f/NAME" for files, "d" for every folder, "sys". The
// folder is sealed as one mount over itself, and what is bound from there is born sealed.
func (r *root) makeMasks(files, sys map[string]string) (string, error) {
	base, err := r.fresh("m", 0o755)
	if err != nil {
		return "", err
	}
	for _, dir := range []string{"f", "d", "sys"} {
		if err := unix.Mkdirat(r.store, base+"/"+dir, 0o755); err != nil {
			return "", failed("make a folder", err)
		}
	}
	if err := r.writeStore(base+"/empty", nil); err != nil {
		return "", err
	}
	for name, text := range files {
		if err := r.writeStore(base+"/f/"+name, []byte(text)); err != nil {
			return "", err
		}
	}
	known := map[string]bool{}
	for name, text := range sys {
		for _, dir := range parents(name) {
			if known[dir] {
				continue
			}
			known[dir] = true
			if err := unix.Mkdirat(r.store, base+"/sys/"+dir, 0o755); err != nil {
				return "", failed("make a folder", err)
			}
		}
		if err := r.writeStore(base+"/sys/"+name, []byte(text)); err != nil {
			return "", err
		}
	}
	tree, err := r.bindStore(base, unix.MOUNT_ATTR_RDONLY|mountSafe|unix.MOUNT_ATTR_NOEXEC)
	if err != nil {
		return "", err
	}
	defer unix.Close(tree)
	return base, failed("seal the masks", unix.MoveMount(tree, "", r.store, base, unix.MOVE_MOUNT_F_EMPTY_PATH))
}

// parents returns the folders above a relative path, outermost first.
func parents(name string) []string {
	var out []string
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		out = append(out, dir)
	}
	slices.Reverse(out)
	return out
}

func (r *root) writeStore(name string, data []byte) error {
	fd, err := unix.Openat(r.store, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o444)
	if err != nil {
		return failed("make a file", err)
	}
	defer unix.Close(fd)
	return failed("write a file", writeAll(fd, data))
}

// mask covers one entry of /proc.
func (r *root) mask(proc int, e entry, masks string, made bool) error {
	cover := masks + "/empty"
	switch e.kind {
	case unix.DT_DIR:
		cover = masks + "/d"
		if e.name == "sys" {
			cover = masks + "/sys"
		}
	case unix.DT_LNK:
		return nil // a link has no contents of its own, and what it leads to is covered
	default:
		if made {
			cover = masks + "/f/" + e.name
		}
	}
	tree, err := unix.OpenTree(r.store, cover, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return failed("bind a mask", err)
	}
	defer unix.Close(tree)
	err = unix.MoveMount(tree, "", proc, e.name, unix.MOVE_MOUNT_F_EMPTY_PATH)
	return failed("cover /proc/"+e.name, err)
}
