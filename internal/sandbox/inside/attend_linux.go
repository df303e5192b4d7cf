package inside

import (
	"errors"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/glassbuild/glassbuild/internal/sandbox/wire"
)

// attendance is process 1's care for one running step.
type attendance struct {
	p     *process
	pid   int
	pidfd int
	watch *watch
	out   wire.Exited
	ended bool // the step's own process is gone
}

// attend waits until the step has ended and every process of it is gone, and obeys the host meanwhile.
func (p *process) attend(pid int) *wire.Exited {
	a := &attendance{p: p, pid: pid, watch: newWatch(p.setup.Watch)}
	var err error
	if a.pidfd, err = unix.PidfdOpen(pid, 0); err != nil { // it ended already, or there is no descriptor left: look often
		a.pidfd = -1
	}
	next := time.Now().Add(watchEvery)
	for !a.reap() {
		wait := time.Until(next)
		if a.ended {
			killAll(unix.SIGKILL)
			wait = killEvery
		}
		a.listen(wait)
		if !a.ended && !time.Now().Before(next) {
			wait := a.watch.look()
			next = time.Now().Add(wait)
		}
	}
	if a.pidfd >= 0 {
		unix.Close(a.pidfd)
	}
	a.watch.finish(&a.out)
	a.out.Full = p.root.full()
	return &a.out
}

// reap waits for every child that has ended, which includes every orphan of the namespace. It returns true when there
// is none left.
func (a *attendance) reap() bool {
	for {
		var usage unix.Rusage
		var status unix.WaitStatus
		got, err := wait4(-1, &status, unix.WNOHANG, &usage)
		if errors.Is(err, unix.ECHILD) {
			if !a.ended { // cannot be: nobody else waits
				a.ended, a.out.Code = true, ExitBroken
			}
			return true
		}
		if err != nil || got == 0 {
			return false
		}
		a.watch.add(&usage)
		if got == a.pid {
			a.ended = true
			a.out.Code, a.out.Signal = exitCode(status), signalOf(status)
			killAll(unix.SIGKILL)
		}
	}
}

// listen waits until something happens: an order of the host, the end of the step, or the end of wait.
func (a *attendance) listen(wait time.Duration) {
	events := []unix.PollFd{{Fd: int32(a.p.control), Events: unix.POLLIN}, {Fd: int32(a.pidfd), Events: unix.POLLIN}, {Fd: -1, Events: unix.POLLIN}}
	if a.ended || a.pidfd < 0 {
		events[1].Fd = -1
		wait = min(wait, killEvery)
	}
	t := a.p.root.trace
	if t != nil { // a descriptor of -1 is passed over
		if rest := time.Until(t.rest); rest > 0 {
			wait = min(wait, rest)
		} else {
			events[2].Fd = int32(t.fd)
		}
	}
	n, err := unix.Poll(events, int(max(wait, time.Millisecond).Milliseconds()))
	if events[2].Revents != 0 {
		t.drain()
		t.rest = time.Now().Add(traceRest)
	}
	if err != nil || n == 0 || events[0].Revents == 0 {
		return
	}
	o := a.p.next()
	var signal wire.Signal
	if o.kind == wire.KindSignal && wire.Unmarshal(o.payload, &signal) == nil {
		killAll(syscall.Signal(signal.Number))
	}
}

// killAll signals every process of this pid namespace but process 1 (kill(2) with -1).
func killAll(signal syscall.Signal) { _ = unix.Kill(-1, signal) }

func wait4(pid int, status *unix.WaitStatus, options int, usage *unix.Rusage) (int, error) {
	for {
		got, err := unix.Wait4(pid, status, options|unix.WALL, usage)
		if !errors.Is(err, unix.EINTR) {
			return got, err
		}
	}
}

func exitCode(s unix.WaitStatus) int {
	if s.Signaled() {
		return 128 + int(s.Signal())
	}
	return s.ExitStatus()
}

func signalOf(s unix.WaitStatus) int {
	if s.Signaled() {
		return int(s.Signal())
	}
	return 0
}
