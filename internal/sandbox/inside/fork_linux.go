package inside

import (
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A step has to be forked by process 1 and then change itself in ways that os/exec does not offer: limits, capability
// sets, securebits, filters, an inspection before execve. Between fork and exec a child of a multi-threaded Go program
// may run no Go code that allocates, grows its stack or schedules. So everything that the child does is laid out
// beforehand as a list of system calls, and one function without a stack check plays it.

// call is one system call of the child.
type call struct {
	number uintptr
	args   [6]uintptr
	want   uintptr
	expect expectation
}

type expectation uint8

const (
	mustSucceed expectation = iota
	mayFail
	mustEqual // the result equals want
)

// script is what a child does, with everything that its pointers point to.
type script struct {
	calls  []call
	names  []string
	keep   []any
	report int        // descriptor, in the child, to which the failing call is written
	failed [2]uintptr // index and errno, in the child's copy of this memory
}

func (s *script) add(name string, number uintptr, args ...uintptr) *call {
	c := call{number: number}
	copy(c.args[:], args)
	s.calls = append(s.calls, c)
	s.names = append(s.names, name)
	return &s.calls[len(s.calls)-1]
}

func (s *script) bytes(b []byte) uintptr {
	s.keep = append(s.keep, b)
	return uintptr(unsafe.Pointer(unsafe.SliceData(b)))
}

// pointer keeps *v alive and returns its address. v has to point into the heap, which keep makes sure of.
func pointer[T any](s *script, v *T) uintptr {
	s.keep = append(s.keep, v)
	return uintptr(unsafe.Pointer(v))
}

// fork starts the child, which plays the script and then last, three calls in memory that it shares with process 1. The caller holds the main thread. Signals are blocked around the fork so that no handler of
// the Go runtime runs in the child; the script ends by unblocking them.
func (s *script) fork(last *[lastCalls]call) (pid int, err error) {
	var all, before unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^all.Val[i]
	}
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &all, &before); err != nil {
		return 0, err
	}
	r, errno := forkAndPlay(s.calls, last, &s.failed, uintptr(s.report))
	runtime.KeepAlive(s)
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil); err != nil {
		return int(r), err
	}
	if errno != 0 {
		return 0, errno
	}
	return int(r), nil
}

// forkAndPlay forks without sharing memory and plays calls in the child, which never returns from here.
//
//go:noinline
//go:nosplit
//go:norace
func forkAndPlay(calls []call, last *[lastCalls]call, failed *[2]uintptr, report uintptr) (uintptr, syscall.Errno) {
	pid, _, errno := syscall.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if pid != 0 || errno != 0 {
		return pid, errno
	}
	for i := 0; i < len(calls)+lastCalls; i++ {
		var c *call
		if i < len(calls) {
			c = &calls[i]
		} else {
			c = &last[i-len(calls)]
		}
		r, _, errno := syscall.RawSyscall6(c.number, c.args[0], c.args[1], c.args[2], c.args[3], c.args[4], c.args[5])
		if c.expect == mayFail || (errno == 0 && (c.expect == mustSucceed || r == c.want)) {
			continue
		}
		failed[0] = uintptr(i)
		failed[1] = uintptr(errno)
		syscall.RawSyscall6(unix.SYS_WRITE, report, uintptr(unsafe.Pointer(failed)), unsafe.Sizeof(*failed), 0, 0, 0)
		break
	}
	for {
		syscall.RawSyscall6(unix.SYS_EXIT_GROUP, ExitBroken, 0, 0, 0, 0, 0)
	}
}
