package sandbox

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"time"

	"golang.org/x/sys/unix"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/sandbox/wire"
)

// maker brings a sandbox's first process about: its namespaces, and what it stands on until it has built the root. All
// else is the same for every runtime.
type maker interface {
	// command describes the program that becomes the first process or starts it, with control and pass as its
	// descriptors 3 and 4. It may change where the sources of mounts lie for the first process.
	command(s *session, setup *wire.Setup, control, pass *os.File) (*exec.Cmd, error)
	// meet waits for the first process, makes sure of it, and returns its number here. It has done nothing until then.
	meet(ctx context.Context, s *session) (int, error)
	// kill ends the first process, or what would have started it.
	kill(s *session)
	// explain turns why there is no sandbox into an error.
	explain(err error) error
	// describe says in the record who made the sandbox.
	describe(iso *Isolation)
	// clear waits for the end, and takes away what is left behind it.
	clear(s *session) error
}

// begin makes a session.
func begin(ctx context.Context, spec Spec, find func() (carrier, error), by func(carrier) maker) (Session, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	setup, err := plan(&spec)
	if err != nil {
		return nil, err
	}
	program, err := find()
	if err != nil {
		return nil, fault.Inconclusivef("sandbox", "cannot isolate: first process: %w", err).WithCheck(CheckID)
	}
	if spec.GitStandIn != "" && !program.fits {
		return nil, fault.Inconclusivef("sandbox", "cannot stand in for git: this program needs shared libraries and holds no static one").
			WithCheck(CheckID).WithHint("build it with `make build`, or with CGO_ENABLED=0")
	}
	s := &session{spec: spec, maker: by(program), frames: make(chan frame), spare: make(chan []byte, 2), passed: make(chan passedFD, maxWaitingFDs)}
	if err := s.launch(ctx, setup); err != nil {
		if closing := s.Close(); closing != nil {
			return nil, errors.Join(err, closing)
		}
		return nil, err
	}
	return s, nil
}

// launch starts the first process and has it build the root.
func (s *session) launch(ctx context.Context, setup *wire.Setup) error {
	grouped := make(chan *group, 1)
	go func() { grouped <- newGroup(s.spec.Limits) }() // while the first process starts
	err := s.spawn(ctx, setup)
	s.group = <-grouped
	if err != nil {
		return s.maker.explain(err)
	}
	setup.Watch = s.group.watch(s.spec.Limits)
	if err := s.group.join(s.first); err != nil {
		return fault.Inconclusivef("sandbox", "cannot isolate: control group: %w", err).WithCheck(CheckID)
	}
	sent := make(chan error, 1)
	go func() { sent <- wire.Send(s.control, wire.KindSetup, setup) }()
	f, err := s.next(ctx, startTimeout)
	if err != nil {
		return s.maker.explain(err)
	}
	if err := <-sent; err != nil {
		return s.maker.explain(err)
	}
	var ready wire.Ready
	if err := f.decode(wire.KindReady, &ready); err != nil {
		return s.maker.explain(err)
	}
	if err := s.takeListeners(ready.Listeners); err != nil {
		return err
	}
	return s.describe(ready)
}

// spawn starts the first process on a thread that stays: the kernel sends the death signal when the thread that
// started a process ends, not when the program does (PR_SET_PDEATHSIG).
func (s *session) spawn(ctx context.Context, setup *wire.Setup) error {
	control, inside, err := socketPair(unix.SOCK_STREAM)
	if err != nil {
		return err
	}
	defer inside.Close()
	s.control = control
	pass, passInside, err := socketPair(unix.SOCK_SEQPACKET)
	if err != nil {
		return err
	}
	defer passInside.Close()
	s.pass = pass
	process, err := s.maker.command(s, setup, inside, passInside)
	if err != nil {
		return err
	}
	process.Stderr = &s.stderr
	s.gone = make(chan struct{})
	started := make(chan error)
	go s.keep(process, started)
	if err := <-started; err != nil {
		return err
	}
	s.process = process
	inside.Close() // so that its end is seen here
	passInside.Close()
	s.stopWatching = context.AfterFunc(ctx, func() { s.kill() })
	if s.first, err = s.maker.meet(ctx, s); err != nil {
		return err
	}
	go s.readFrames()
	go s.receive()
	return nil
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
