package inside

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/glassbuild/glassbuild/internal/sandbox/wire"
)

// prepare builds the root, seals it and looks at the result. It runs on the main thread.
func (p *process) prepare() (wire.Ready, error) {
	var ready wire.Ready
	s := &p.setup
	if s.Version != wire.Version {
		return ready, fmt.Errorf("host speaks version %d, first process %d: rebuild the program", s.Version, wire.Version)
	}
	var err error
	if p.asking, err = filters(s.Asking); err != nil {
		return ready, err
	}
	if p.plain, err = filters(s.Plain); err != nil {
		return ready, err
	}
	if ready.TimeNS, err = shiftClocks(s.Identity); err != nil {
		return ready, err
	}
	// The cgroup namespace is entered here, after the host has moved this process into its cgroup, so that
	// /proc/self/cgroup says "/".
	if err := unix.Unshare(unix.CLONE_NEWCGROUP); err != nil {
		return ready, failed("enter a cgroup namespace", err)
	}
	// Not dumpable: nobody else may trace this process, read its memory or follow its /proc links (ptrace(2)).
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return ready, failed("prctl PR_SET_DUMPABLE", err)
	}
	if err := nameMachine(s.Identity); err != nil {
		return ready, err
	}
	if err := p.buildRoot(); err != nil {
		return ready, err
	}
	ready.Notes = p.root.notes
	if err := raiseLoopback(); err != nil {
		return ready, err
	}
	if err := p.openListeners(); err != nil {
		return ready, err
	}
	ready.Listeners = len(s.Listen)
	if p.caps, err = findLastCapability(); err != nil {
		return ready, err
	}
	ready.Checks, err = p.selfCheck()
	ready.Notify = p.notify
	return ready, err
}

// filters decodes a seccomp program, eight bytes an instruction (struct sock_filter).
func filters(raw []byte) ([]unix.SockFilter, error) {
	const size = 8
	if len(raw)%size != 0 {
		return nil, fmt.Errorf("a seccomp program of %d bytes", len(raw))
	}
	out := make([]unix.SockFilter, len(raw)/size)
	for i := range out {
		b := raw[i*size:]
		out[i] = unix.SockFilter{
			Code: uint16(b[0]) | uint16(b[1])<<8, Jt: b[2], Jf: b[3],
			K: uint32(b[4]) | uint32(b[5])<<8 | uint32(b[6])<<16 | uint32(b[7])<<24,
		}
	}
	return out, nil
}

// shiftClocks makes a time namespace for the processes to come. Its offsets can only be written before the first of
// them exists, and only through the process's main thread (time_namespaces(7)). Before Linux 6.0 a vfork into another
// time namespace fails, and steps do that: there the clocks stay.
func shiftClocks(id wire.Identity) (bool, error) {
	wanted := id.BootOffset != 0 || id.MonotonicOffset != 0
	if major, _ := release(); major < 6 {
		if wanted {
			return false, failed("shift the clocks", unix.ENOSYS)
		}
		return false, nil
	}
	if err := unix.Unshare(unix.CLONE_NEWTIME); err != nil {
		if wanted {
			return false, failed("enter a time namespace", err)
		}
		return false, nil
	}
	if !wanted {
		return true, nil
	}
	text := fmt.Sprintf("monotonic %d 0\nboottime %d 0\n", id.MonotonicOffset, id.BootOffset)
	return true, failed("shift the clocks", writePath("/proc/self/timens_offsets", text))
}

// release returns the kernel's major and minor version.
func release() (major, minor int) {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return 0, 0
	}
	parts := strings.SplitN(unix.ByteSliceToString(u.Release[:]), ".", 3)
	if len(parts) < 2 {
		return 0, 0
	}
	major, _ = strconv.Atoi(parts[0])
	minor, _ = strconv.Atoi(parts[1])
	return major, minor
}

func nameMachine(id wire.Identity) error {
	if err := unix.Sethostname([]byte(id.Hostname)); err != nil {
		return failed("set the host name", err)
	}
	return failed("set the domain name", unix.Setdomainname([]byte(id.Domain)))
}

// findLastCapability asks for the kernel's last capability, as capabilities(7) says: by trying.
func findLastCapability() (int, error) {
	for c := 0; c <= lastCapability; c++ {
		if _, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(c), 0, 0, 0); err != nil {
			if c == 0 {
				return 0, failed("prctl PR_CAPBSET_READ", err)
			}
			return c - 1, nil
		}
	}
	return lastCapability, nil
}

// machine is the hardware name that uname(2) gives for the architecture that this program was built for.
func machine() string {
	if runtime.GOARCH == "arm64" {
		return "aarch64"
	}
	return "x86_64"
}
