package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/sandbox/wire"
)

// CheckID is the check that an error of this package decides.
const CheckID = "sandbox.isolation"

// Embedded returns the runtime that needs nothing but this program.
func Embedded() Runtime { return embeddedRuntime{findCarrier} }

type embeddedRuntime struct {
	carrier func() (carrier, error)
}

func (embeddedRuntime) Name() string { return "embedded" }

// namespaces that the first process is born into. It enters the cgroup and time namespaces itself.
const cloneFlags = unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS

func (r embeddedRuntime) Start(ctx context.Context, spec Spec) (Session, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	setup, err := plan(&spec)
	if err != nil {
		return nil, err
	}
	program, err := r.carrier()
	if err != nil {
		return nil, fault.Inconclusivef("sandbox", "cannot isolate: first process: %w", err).WithCheck(CheckID)
	}
	if spec.GitStandIn != "" && !program.fits {
		return nil, fault.Inconclusivef("sandbox", "cannot stand in for git: this program needs shared libraries and holds no static one").
			WithCheck(CheckID).WithHint("build it with `make build`, or with CGO_ENABLED=0")
	}
	s := &session{spec: spec, carrier: program, frames: make(chan frame), spare: make(chan []byte, 2), passed: make(chan passedFD, maxWaitingFDs)}
	if err := s.launch(ctx, setup); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// launch starts the first process and has it build the root.
func (s *session) launch(ctx context.Context, setup *wire.Setup) error {
	grouped := make(chan *group, 1)
	go func() { grouped <- newGroup(s.spec.Limits) }() // while the first process starts
	err := s.spawn(setup.Identity)
	s.group = <-grouped
	if err != nil {
		return explainStart(err)
	}
	setup.Watch = s.group.watch(s.spec.Limits)
	if err := s.group.join(s.process.Process.Pid); err != nil {
		return fault.Inconclusivef("sandbox", "cannot isolate: control group: %w", err).WithCheck(CheckID)
	}
	s.stopWatching = context.AfterFunc(ctx, func() { s.kill() })
	sent := make(chan error, 1)
	go func() { sent <- wire.Send(s.control, wire.KindSetup, setup) }()
	f, err := s.next(ctx, startTimeout)
	if err != nil {
		return explainStart(err)
	}
	if err := <-sent; err != nil {
		return explainStart(err)
	}
	var ready wire.Ready
	if err := f.decode(wire.KindReady, &ready); err != nil {
		return explainStart(err)
	}
	if err := s.takeListeners(ready.Listeners); err != nil {
		return err
	}
	return s.describe(ready)
}

// spawn starts the first process on a thread that stays: the kernel sends the death signal when the thread that
// started a process ends, not when the program does (PR_SET_PDEATHSIG).
func (s *session) spawn(id wire.Identity) error {
	control, inside, err := socketPair(unix.SOCK_STREAM)
	if err != nil {
		return err
	}
	defer inside.Close()
	pass, passInside, err := socketPair(unix.SOCK_SEQPACKET)
	if err != nil {
		control.Close()
		return err
	}
	defer passInside.Close()
	s.control = control
	s.pass = pass
	s.process = s.command(inside, passInside)
	s.gone = make(chan struct{})
	started := make(chan error)
	go s.keep(started)
	if err := <-started; err != nil {
		s.process = nil
		return err
	}
	go s.readFrames()
	go s.receive()
	return mapIDs(s.process.Process.Pid, id)
}

// socketPair returns this side, which the runtime polls, and the other, which blocks.
func socketPair(kind int) (ours, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	if err := unix.SetNonblock(fds[0], true); err != nil {
		return nil, nil, err
	}
	return os.NewFile(uintptr(fds[0]), "sandbox"), os.NewFile(uintptr(fds[1]), "sandbox"), nil
}

// attributes of the first process. The capabilities that the new user namespace gives are made ambient, so that they survive
// the execution of the first process whatever user id it has.
//
// The child borrows this process's memory until it executes, as in vfork(2): copying and dropping the page tables of a large
// process takes longer than all that the child does. The Go runtime does so by itself, but not for a child with ids to be
// mapped, which would wait for them while this thread waits for it: so it is given none, and mapIDs maps them afterwards.
func attributes() *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Cloneflags: cloneFlags | unix.CLONE_VM | unix.CLONE_VFORK, Pdeathsig: syscall.SIGKILL, Setsid: true}
	for c := range lastCapability() + 1 {
		a.AmbientCaps = append(a.AmbientCaps, uintptr(c))
	}
	return a
}

// mapIDs gives the first process its ids, before it is told anything. One of each kind is mapped, to this process's own:
// nothing inside can own more than this process owns. Further groups were left behind by whoever may do that (leaveGroups);
// from here on nobody can.
func mapIDs(pid int, id wire.Identity) error {
	dir := "/proc/" + strconv.Itoa(pid) + "/"
	for _, one := range []struct{ name, text string }{
		{"setgroups", "deny"},
		{"gid_map", fmt.Sprintf("%d %d 1\n", id.GID, os.Getegid())},
		{"uid_map", fmt.Sprintf("%d %d 1\n", id.UID, os.Geteuid())},
	} {
		fd, err := unix.Open(dir+one.name, unix.O_WRONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			_, err = unix.Write(fd, []byte(one.text))
			unix.Close(fd)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", one.name, err)
		}
	}
	return nil
}

// leaveGroups gives up the further groups of this thread, and so of what it starts. Who may not do that keeps them
// (setgroups(2)): in a user namespace whose groups nobody may change, as unshare(1) and some rootless containers make them,
// nobody may.
func leaveGroups() {
	if n, err := syscall.Getgroups(); err == nil && len(n) > 0 {
		_, _, _ = syscall.RawSyscall(unix.SYS_SETGROUPS, 0, 0, 0)
	}
}

// has tells whether this process holds a capability.
func has(capability int) bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if unix.Capget(&header, &data[0]) != nil {
		return false
	}
	return data[capability/32].Effective&(1<<(capability%32)) != 0
}

// lastCapability returns the number of the kernel's last capability; CAP_CHECKPOINT_RESTORE, 40, where /proc hides it.
func lastCapability() int {
	text, err := os.ReadFile("/proc/sys/kernel/cap_last_cap")
	if n, bad := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && bad == nil && n > 0 && n < 64 {
		return n
	}
	return unix.CAP_CHECKPOINT_RESTORE
}

// errBroken says that the first process went away.
var errBroken = errors.New("the sandbox's first process ended")

// next waits for the first process's next frame.
func (s *session) next(ctx context.Context, within time.Duration) (frame, error) {
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case f, ok := <-s.frames:
		if !ok {
			return frame{}, s.lost()
		}
		return f, nil
	case <-ctx.Done():
		return frame{}, ctx.Err()
	case <-timer.C:
		return frame{}, errors.New("the sandbox's first process does not answer")
	}
}
