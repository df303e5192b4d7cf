package inside

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/glassbuild/glassbuild/internal/sandbox/wire"
)

// Descriptors of a step before it executes. The first three stay; the others close themselves.
const (
	goFD     = 3 // one byte is read from here before execve
	reportFD = 4 // what failed is written here; its end says that execve succeeded
	passFD   = 5 // closed before the step is looked at
	notifyFD = 6 // the kernel gives the filter's listener this number, the lowest free one
)

// securebits locks the process out of every way in which user 0 or a changed user id gives capabilities back
// (capabilities(7)): NOROOT, NO_SETUID_FIXUP and NO_CAP_AMBIENT_RAISE are set and locked, KEEP_CAPS is locked unset.
const securebits = 0x01 | 0x02 | 0x04 | 0x08 | 0x20 | 0x40 | 0x80

// addrNoRandomize is ADDR_NO_RANDOMIZE of personality(2).
const addrNoRandomize = 0x0040000

// spawn is one child to be forked.
type spawn struct {
	in, out, err   int // descriptors in process 1, all at least lowestFD
	gate, report   int
	notify         bool
	terminal       bool
	argv, env      []string
	programs       []string // candidates for execve, most wanted first
	dir            string
	program, chdir int // index of the calls, for the explanation of a failure
}

// sealed lays out everything that a child does between fork and execve.
func (p *process) sealed(c *spawn) *script {
	s := &script{report: reportFD}
	p.descriptors(s, c)
	p.character(s)
	p.powerless(s)
	if c.notify {
		installFilter(s, p.notify, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER|waitKillable()).expectEqual(notifyFD)
		passNotify(s)
		s.add("close the listener", unix.SYS_CLOSE, notifyFD)
	}
	s.add("close the socket", unix.SYS_CLOSE, passFD)
	byteOf := s.bytes([]byte{'w'})
	s.add("report", unix.SYS_WRITE, reportFD, byteOf, 1).expectEqual(1)
	s.add("wait for the word to go", unix.SYS_READ, goFD, byteOf, 1).expectEqual(1)
	if len(c.programs) == 0 {
		s.add("leave", unix.SYS_EXIT_GROUP, 0)
		return s
	}
	c.chdir = len(s.calls)
	s.add("enter the working folder", unix.SYS_CHDIR, s.text(c.dir))
	s.add("unblock signals", unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, s.bytes(make([]byte, 8)), 0, 8)
	argv, env := s.texts(c.argv), s.texts(c.env)
	c.program = len(s.calls)
	for i, program := range c.programs {
		call := s.add("execute", unix.SYS_EXECVE, s.text(program), argv, env)
		if i < len(c.programs)-1 {
			call.expect = mayFail
		}
	}
	return s
}

func (c *call) expectEqual(value uintptr) { c.expect, c.want = mustEqual, value }

// descriptors gives the child its own session and exactly the descriptors named above.
func (p *process) descriptors(s *script, c *spawn) {
	for number := 1; number <= signals; number++ { // no handler of this program may run in the child
		s.add("reset a signal", unix.SYS_RT_SIGACTION, uintptr(number), s.bytes(make([]byte, 32)), 0, 8).expect = mayFail
	}
	s.add("start a session", unix.SYS_SETSID)
	for number, fd := range []int{c.in, c.out, c.err} {
		s.add("place a descriptor", unix.SYS_DUP3, uintptr(fd), uintptr(number), 0)
	}
	s.add("place the gate", unix.SYS_DUP3, uintptr(c.gate), goFD, unix.O_CLOEXEC)
	s.add("place the report", unix.SYS_DUP3, wire.PassFD, passFD, unix.O_CLOEXEC)
	s.add("place the socket", unix.SYS_DUP3, uintptr(c.report), reportFD, unix.O_CLOEXEC)
	s.add("close what is left", unix.SYS_CLOSE_RANGE, passFD+1, uintptr(^uint32(0)), 0)
	if c.terminal {
		s.add("take the terminal", unix.SYS_IOCTL, 0, unix.TIOCSCTTY, 0)
	}
}

// character gives the child what its identity and limits say.
func (p *process) character(s *script) {
	id := p.setup.Identity
	s.add("set the umask", unix.SYS_UMASK, uintptr(id.Umask))
	if mask := affinity(id.CPUs); mask != nil {
		s.add("set the processors", unix.SYS_SCHED_SETAFFINITY, 0, unsafe.Sizeof(*mask), pointer(s, mask))
	}
	if id.FixedAddresses {
		s.add("fix the addresses", unix.SYS_PERSONALITY, addrNoRandomize)
	}
	for _, limit := range p.setup.Rlimits {
		value := &unix.Rlimit{Cur: limit.Value, Max: limit.Value}
		s.add("set a limit", unix.SYS_PRLIMIT64, 0, uintptr(limit.Resource), pointer(s, value), 0)
	}
}

// affinity returns the first cpus of the processors that this process may use, nil when that is all of them or fewer.
func affinity(cpus int) *unix.CPUSet {
	var have unix.CPUSet
	if cpus <= 0 || unix.SchedGetaffinity(0, &have) != nil || have.Count() <= cpus {
		return nil
	}
	want := new(unix.CPUSet)
	for i := 0; want.Count() < cpus; i++ {
		if have.IsSet(i) {
			want.Set(i)
		}
	}
	return want
}

// powerless takes every capability from every set, and what could bring one back. After it nothing that the child
// executes can have more rights than the child.
func (p *process) powerless(s *script) {
	s.add("lock the securebits", unix.SYS_PRCTL, unix.PR_SET_SECUREBITS, securebits)
	s.add("clear the ambient capabilities", unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL)
	for c := 0; c <= p.caps; c++ {
		s.add("drop a capability", unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, uintptr(c))
	}
	header := &unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	s.add("drop all capabilities", unix.SYS_CAPSET, pointer(s, header), pointer(s, new([2]unix.CapUserData)))
	s.add("set no_new_privs", unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1)
	// Process 1 has to look at the child, which it cannot while the child shares process 1's own protection. Nobody
	// else is there yet.
	s.add("be visible", unix.SYS_PRCTL, unix.PR_SET_DUMPABLE, 1)
	installFilter(s, p.deny, 0)
}

const seccompSetModeFilter = 1

func installFilter(s *script, filter []unix.SockFilter, flags uintptr) *call {
	s.keep = append(s.keep, filter)
	program := &unix.SockFprog{Len: uint16(len(filter)), Filter: unsafe.SliceData(filter)}
	return s.add("install a filter", unix.SYS_SECCOMP, seccompSetModeFilter, flags, pointer(s, program))
}

// waitKillable returns the flag that keeps signals from interrupting a call that the host is being asked about, which
// Linux has since 5.19.
func waitKillable() uintptr {
	if major, minor := release(); major > 5 || major == 5 && minor >= 19 {
		return unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
	}
	return 0
}

// passNotify hands the filter's listener to the host.
func passNotify(s *script) {
	rights := unix.UnixRights(notifyFD)
	vector := &unix.Iovec{Base: unsafe.SliceData([]byte{wire.PassNotify})}
	vector.SetLen(1)
	s.keep = append(s.keep, vector)
	message := &unix.Msghdr{Iov: vector, Control: unsafe.SliceData(rights)}
	message.SetIovlen(1)
	message.SetControllen(len(rights))
	s.bytes(rights)
	s.add("pass the listener", unix.SYS_SENDMSG, passFD, pointer(s, message), 0).expectEqual(1)
}
