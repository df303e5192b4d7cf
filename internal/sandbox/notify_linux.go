package sandbox

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// supervisor answers the filter's questions about connections (seccomp_unotify(2)). It decides nothing that isolation
// rests on: the network namespace leads nowhere. Its use is the list of what a build tried to reach. A process that
// changes its address between the question and the call can hide an attempt, and gains nothing.
type supervisor struct {
	fd   int
	stop int // an eventfd
	done chan struct{}
	seen map[Attempt]int
	more int
}

// question is struct seccomp_notif, answer struct seccomp_notif_resp.
type question struct {
	id      uint64
	pid     uint32
	flags   uint32
	number  int32
	arch    uint32
	pointer uint64
	args    [6]uint64
}

type answer struct {
	id    uint64
	value int64
	errno int32
	flags uint32
}

const continueCall = 1 // SECCOMP_USER_NOTIF_FLAG_CONTINUE

func startSupervisor(fd int) *supervisor {
	s := &supervisor{fd: fd, stop: -1, done: make(chan struct{}), seen: map[Attempt]int{}}
	stop, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil { // without it the listener is closed at once: connections then answer ENOSYS, nothing hangs
		unix.Close(fd)
		close(s.done)
		return s
	}
	s.stop = stop
	go s.serve()
	return s
}

// serve answers until every process under the filter is gone, or close is called.
func (s *supervisor) serve() {
	defer close(s.done)
	defer unix.Close(s.fd)
	for {
		ready := []unix.PollFd{{Fd: int32(s.fd), Events: unix.POLLIN}, {Fd: int32(s.stop), Events: unix.POLLIN}}
		_, err := unix.Poll(ready, -1)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || ready[1].Revents != 0 || ready[0].Revents&unix.POLLIN == 0 {
			return
		}
		s.one()
	}
}

func (s *supervisor) one() {
	var q question
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(s.fd), unix.SECCOMP_IOCTL_NOTIF_RECV, uintptr(unsafe.Pointer(&q))); errno != 0 {
		return // the caller died before its question was read
	}
	a := answer{id: q.id, flags: continueCall}
	if at, ok := s.outside(&q); ok {
		s.count(at)
		a.flags, a.errno = 0, -int32(unix.ENETUNREACH)
	}
	_, _, _ = unix.Syscall(unix.SYS_IOCTL, uintptr(s.fd), unix.SECCOMP_IOCTL_NOTIF_SEND, uintptr(unsafe.Pointer(&a)))
}

// outside returns what a call wanted to reach when that lies outside the sandbox.
func (s *supervisor) outside(q *question) (Attempt, bool) {
	at := Attempt{Call: "connect"}
	pointer, length := q.args[1], q.args[2]
	if int(q.number) == unix.SYS_SENDTO {
		at.Call, pointer, length = "sendto", q.args[4], q.args[5]
	}
	address := make([]byte, min(uint32(length), unix.SizeofSockaddrAny))
	if len(address) < 2 || !read(int(q.pid), pointer, address) {
		return at, false // the kernel will refuse it
	}
	// The answer is only worth something when the process asked about is still the one that asked.
	name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", q.pid))
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(s.fd), unix.SECCOMP_IOCTL_NOTIF_ID_VALID, uintptr(unsafe.Pointer(&q.id))); errno != 0 {
		return at, false
	}
	at.Process = strings.TrimSuffix(string(name), "\n")
	target, ok := reaches(address)
	at.Target = target
	return at, ok
}

func read(pid int, pointer uint64, into []byte) bool {
	local := []unix.Iovec{{Base: unsafe.SliceData(into), Len: uint64(len(into))}}
	n, err := unix.ProcessVMReadv(pid, local, []unix.RemoteIovec{{Base: uintptr(pointer), Len: len(into)}}, 0)
	return err == nil && n == len(into)
}

// reaches names the target of a socket address that leads outside. Unix sockets, the kernel itself, "disconnect" and
// every form of this machine's own address do not.
func reaches(address []byte) (string, bool) {
	family := binary.NativeEndian.Uint16(address)
	var ip netip.Addr
	switch {
	case family == unix.AF_UNIX || family == unix.AF_UNSPEC || family == unix.AF_NETLINK:
		return "", false
	case family == unix.AF_INET && len(address) >= unix.SizeofSockaddrInet4:
		ip = netip.AddrFrom4([4]byte(address[4:8]))
	case family == unix.AF_INET6 && len(address) >= 24: // SIN6_LEN_RFC2133
		ip = netip.AddrFrom16([16]byte(address[8:24]))
	case family == unix.AF_INET || family == unix.AF_INET6:
		return "", false // too short: the kernel will refuse it
	default:
		return fmt.Sprintf("family %d", family), true
	}
	if plain := ip.Unmap(); plain.IsLoopback() || plain.IsUnspecified() {
		return "", false
	}
	return netip.AddrPortFrom(ip, binary.BigEndian.Uint16(address[2:])).String(), true
}

func (s *supervisor) count(at Attempt) {
	if _, known := s.seen[at]; !known && len(s.seen) >= maxAttempts {
		s.more++
		return
	}
	s.seen[at]++
}

// close ends the supervision and returns what was refused, sorted.
func (s *supervisor) close() []Attempt {
	if s.stop >= 0 {
		_, _ = unix.Write(s.stop, binary.NativeEndian.AppendUint64(nil, 1))
	}
	<-s.done
	if s.stop >= 0 {
		unix.Close(s.stop)
	}
	var out []Attempt
	for at, count := range s.seen {
		at.Count = count
		out = append(out, at)
	}
	slices.SortFunc(out, func(a, b Attempt) int {
		return cmp.Or(cmp.Compare(a.Process, b.Process), cmp.Compare(a.Target, b.Target), cmp.Compare(a.Call, b.Call))
	})
	if s.more > 0 {
		out = append(out, Attempt{Target: "others", Count: s.more})
	}
	return out
}
