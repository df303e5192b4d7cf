package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// readHost gets paths that exist on the host and must not exist here.
func readHost(paths []string) {
	for _, p := range append(paths, "/etc/shadow", "/sys/kernel", "/run", "/var", "/boot", "/.dockerenv") {
		if _, err := os.Lstat(p); !errors.Is(err, fs.ErrNotExist) {
			won("saw %s: %v", p, err)
		}
	}
	for _, up := range []string{"/../../../..", "/proc/self/root/..", "/proc/self/cwd/../../.."} {
		for _, p := range paths {
			if _, err := os.Lstat(up + p); err == nil {
				won("saw %s through %s", p, up)
			}
		}
	}
	text, _ := os.ReadFile("/proc/self/mountinfo")
	for _, p := range paths {
		if strings.Contains(string(text), filepath.Dir(p)) {
			won("mountinfo tells of %s", p)
		}
	}
}

func seeProcesses([]string) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		won("cannot list /proc: %v", err)
	}
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil && pid != os.Getpid() {
			won("saw process %d", pid)
		}
	}
	for _, file := range []string{"environ", "mem", "maps", "cmdline", "exe", "cwd", "root", "fd", "fd/3", "fd/4", "status", "mountinfo", "ns/mnt"} {
		name := "/proc/1/" + file
		if _, err := os.Readlink(name); err == nil {
			won("followed %s", name)
		}
		if text, err := os.ReadFile(name); err == nil {
			won("read %d bytes of %s", len(text), name)
		}
		if _, err := os.ReadDir(name); err == nil {
			won("listed %s", name)
		}
		if f, err := os.OpenFile(name, os.O_WRONLY, 0); err == nil {
			f.Close()
			won("opened %s for writing", name)
		}
	}
}

func writeInputs(args []string) {
	dir := args[0]
	file := filepath.Join(dir, "file")
	attempt := func(what string, err error) {
		if err == nil {
			won("%s", what)
		}
	}
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err == nil {
		f.Close()
	}
	attempt("opened for writing", err)
	attempt("truncated", os.Truncate(file, 0))
	attempt("made a file", os.WriteFile(filepath.Join(dir, "new"), nil, 0o644))
	attempt("removed", os.Remove(file))
	attempt("renamed inside", os.Rename(file, filepath.Join(dir, "other")))
	attempt("renamed out", os.Rename(file, "/tmp/file"))
	attempt("linked out", os.Link(file, "/tmp/link"))
	attempt("linked out by descriptor", linkByDescriptor(file))
	attempt("changed its mode", os.Chmod(file, 0o777))
	attempt("changed its owner", os.Chown(file, os.Getuid(), os.Getgid()))
	attempt("changed its time", unix.Utimes(file, []unix.Timeval{{}, {}}))
	attempt("set an attribute", unix.Setxattr(file, "user.x", []byte("1"), 0))
	attempt("remounted", unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_BIND, ""))
	attempt("mapped for writing", mapForWriting(file))
	if text, err := os.ReadFile(file); err != nil || string(text) != "input" {
		won("changed it to %q, %v", text, err)
	}
}

func linkByDescriptor(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.Linkat(unix.AT_FDCWD, "/proc/self/fd/"+strconv.Itoa(int(f.Fd())), unix.AT_FDCWD, "/tmp/link2", unix.AT_SYMLINK_FOLLOW)
}

func mapForWriting(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = unix.Mmap(int(f.Fd()), 0, 1, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	return err
}

// procFiles writes to and reads from what of /proc is the machine's.
func procFiles([]string) {
	for _, name := range []string{"sysrq-trigger", "sys/kernel/core_pattern", "sys/kernel/hostname", "sys/vm/drop_caches", "irq/0", "bus/pci", "kcore", "kmsg", "keys", "timer_list", "sched_debug", "cmdline", "config.gz", "modules", "version", "cpuinfo"} {
		if f, err := os.OpenFile("/proc/"+name, os.O_WRONLY, 0); err == nil {
			f.Close()
			won("opened %s for writing", name)
		}
		if err := os.Chmod("/proc/"+name, 0o777); err == nil {
			won("changed the mode of %s", name)
		}
	}
	for _, name := range []string{"cmdline", "kcore", "kmsg", "keys", "timer_list", "kallsyms", "modules", "config.gz", "interrupts", "iomem", "partitions", "diskstats", "vmallocinfo"} {
		if text, err := os.ReadFile("/proc/" + name); err == nil && len(text) > 0 {
			won("read %d bytes of %s", len(text), name)
		}
	}
	for _, name := range []string{"acpi", "bus", "driver", "fs", "irq", "scsi", "tty", "asound", "dynamic_debug", "pressure"} {
		if list, err := os.ReadDir("/proc/" + name); err == nil && len(list) > 0 {
			won("listed %s", name)
		}
	}
	if text, _ := os.ReadFile("/proc/self/cgroup"); strings.Contains(string(text), "glassbuild") {
		won("saw the control group: %s", text)
	}
}

func descriptors([]string) {
	for fd := 3; fd < 1024; fd++ {
		var st unix.Stat_t
		if unix.Fstat(fd, &st) != nil {
			continue
		}
		target, _ := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
		if target == "anon_inode:[eventpoll]" || target == "anon_inode:[eventfd]" { // the Go runtime's own
			continue
		}
		won("descriptor %d is open: %s", fd, target)
	}
	if in, err := os.Readlink("/proc/self/fd/0"); err != nil || in != "/dev/null" {
		won("standard input is %s, %v", in, err)
	}
	if _, err := os.OpenFile("/dev/tty", os.O_RDWR, 0); err == nil {
		won("has a controlling terminal")
	}
}

func deviceNodes([]string) {
	for name, number := range map[string]uint64{"/tmp/mem": unix.Mkdev(1, 1), "/tmp/disk": unix.Mkdev(254, 0), "/dev/x": unix.Mkdev(1, 1)} {
		if err := unix.Mknod(name, unix.S_IFBLK|0o666, int(number)); err == nil {
			won("made a device %s", name)
		}
		if err := unix.Mknod(name, unix.S_IFCHR|0o666, int(number)); err == nil {
			won("made a device %s", name)
		}
	}
	for _, name := range []string{"/dev/null", "/dev/zero"} {
		if os.Chmod(name, 0o600) == nil || os.Remove(name) == nil || os.Chown(name, os.Getuid(), -1) == nil {
			won("changed %s", name)
		}
	}
	if err := os.WriteFile("/dev/null", []byte("x"), 0); err != nil {
		won("/dev/null does not work: %v", err)
	}
	entries, _ := os.ReadDir("/dev")
	for _, e := range entries {
		info, err := os.Lstat("/dev/" + e.Name())
		if err != nil {
			continue
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok && info.Mode()&os.ModeDevice != 0 && unix.Major(st.Rdev) != 1 {
			won("has device %s", e.Name())
		}
	}
}
