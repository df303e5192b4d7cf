package inside

import (
	"strconv"
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

// sealed lays out everything that a child does between fork and the wait for the word to go.
func (p *process) sealed(k *child) *script {
	s := &script{report: reportFD}
	p.descriptors(s, k)
	p.identity(s)
	p.character(s)
	p.powerless(s)
	if k.notify {
		installFilter(s, p.asking, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER|waitKillable()).expectEqual(notifyFD)
		passNotify(s, k.serial)
		s.add("close the listener", unix.SYS_CLOSE, notifyFD)
	} else {
		installFilter(s, p.plain, 0)
	}
	s.add("close the socket", unix.SYS_CLOSE, passFD)
	word := s.bytes([]byte{'w'})
	s.add("report", unix.SYS_WRITE, reportFD, word, 1).expectEqual(1)
	s.add("wait for the word to go", unix.SYS_READ, goFD, word, 1).expectEqual(1)
	return s
}

func (c *call) expectEqual(value uintptr) { c.expect, c.want = mustEqual, value }

// descriptors gives the child its own session and exactly the descriptors named above.
func (p *process) descriptors(s *script, k *child) {
	reset := s.bytes(make([]byte, 32))
	for number := 1; number <= signals; number++ { // no handler of this program may run in the child
		s.add("reset a signal", unix.SYS_RT_SIGACTION, uintptr(number), reset, 0, 8).expect = mayFail
	}
	s.add("start a session", unix.SYS_SETSID)
	for number, fd := range []file{k.in, k.out, k.out} {
		s.add("place a descriptor", unix.SYS_DUP3, uintptr(fd), uintptr(number), 0)
	}
	s.add("place the socket", unix.SYS_DUP3, wire.PassFD, passFD, unix.O_CLOEXEC)
	s.add("place the gate", unix.SYS_DUP3, uintptr(k.gateIn), goFD, unix.O_CLOEXEC)
	s.add("place the report", unix.SYS_DUP3, uintptr(k.reportOut), reportFD, unix.O_CLOEXEC)
	s.add("close what is left", unix.SYS_CLOSE_RANGE, passFD+1, uintptr(^uint32(0)), 0)
	if k.terminal {
		s.add("take the terminal", unix.SYS_IOCTL, 0, unix.TIOCSCTTY, 0)
	}
}

// nested tells whether steps need a user namespace of their own to have the identity that was asked for.
func (p *process) nested() bool {
	return p.setup.Hosted && (p.setup.Identity.UID != 0 || p.setup.Identity.GID != 0)
}

// idMap is the line of a user namespace's map that shows user or group 0, the only one there is, as id.
func idMap(id int) string { return strconv.Itoa(id) + " 0 1" }

// identity gives the child a user namespace in which it is who was asked for. Nothing that was made before is owned by
// that namespace, so its capabilities, which it loses next, move nothing here.
func (p *process) identity(s *script) {
	if !p.nested() {
		return
	}
	const lowest = passFD + 1 // the lowest free number
	s.add("enter a user namespace", unix.SYS_UNSHARE, unix.CLONE_NEWUSER)
	for _, f := range [][2]string{
		{"setgroups", "deny"}, {"uid_map", idMap(p.setup.Identity.UID)}, {"gid_map", idMap(p.setup.Identity.GID)},
	} {
		name, text := []byte("/proc/self/"+f[0]+"\x00"), []byte(f[1])
		s.add("open "+f[0], unix.SYS_OPENAT, 0, s.bytes(name), unix.O_WRONLY, 0).expectEqual(lowest)
		s.add("write "+f[0], unix.SYS_WRITE, lowest, s.bytes(text), uintptr(len(text))).expectEqual(uintptr(len(text)))
		s.add("close "+f[0], unix.SYS_CLOSE, lowest)
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
func passNotify(s *script, serial byte) {
	rights := unix.UnixRights(notifyFD)
	vector := &unix.Iovec{Base: unsafe.SliceData([]byte{wire.PassNotify, serial})}
	vector.SetLen(2)
	s.keep = append(s.keep, vector)
	message := &unix.Msghdr{Iov: vector, Control: unsafe.SliceData(rights)}
	message.SetIovlen(1)
	message.SetControllen(len(rights))
	s.bytes(rights)
	s.add("pass the listener", unix.SYS_SENDMSG, passFD, pointer(s, message), 0).expectEqual(2)
}
