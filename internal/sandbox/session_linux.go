package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/sandbox/wire"
)

// session is one running sandbox.
type session struct {
	spec  Spec
	maker maker
	group *group

	process *exec.Cmd // the first process itself, or the runtime that started it
	first   int       // the first process's number here
	stderr  tail
	gone    chan struct{} // closed when the first process is reaped

	control *os.File
	frames  chan frame
	spare   chan []byte // payloads of data frames that nobody needs any more
	pass    *os.File
	passed  chan passedFD

	listeners    []net.Listener
	isolation    Isolation
	stopWatching func() bool
	closing      sync.Once
	mu           sync.Mutex // guards broken: Close may come from anywhere
	broken       error
}

// frame is one message from inside.
type frame struct {
	kind    wire.Kind
	payload []byte
}

// decode decodes a frame that has to be of a kind. A fault from inside becomes an error.
func (f frame) decode(want wire.Kind, into any) error {
	if f.kind == wire.KindFault && want != wire.KindFault {
		trouble := new(wire.Fault)
		if err := f.decode(wire.KindFault, trouble); err != nil {
			return err
		}
		return trouble
	}
	if f.kind != want {
		return fmt.Errorf("unexpected answer %q from the sandbox's first process", f.kind)
	}
	return wire.Unmarshal(f.payload, into)
}

// passedFD is a descriptor that the first process or a step's own process passed.
type passedFD struct {
	what, serial byte
	fd           int
}

// keep starts the first process and stays on its thread until it is reaped. The thread, which left its groups, is never
// unlocked: it ends with this.
func (s *session) keep(process *exec.Cmd, started chan<- error) {
	runtime.LockOSThread()
	leaveGroups()
	err := process.Start()
	if err != nil {
		close(s.gone)
		started <- err
		return
	}
	started <- nil
	runtime.Gosched()  // hands this thread's processor to whoever waits for that word: in Wait it would be missed for a while
	_ = process.Wait() // how it ended is of no interest: what it said before is
	close(s.gone)
}

func (s *session) readFrames() {
	defer close(s.frames)
	for {
		var buffer []byte
		select {
		case buffer = <-s.spare:
		default:
		}
		kind, payload, err := wire.ReadInto(buffer, s.control, wire.MaxToHost)
		if err != nil {
			return
		}
		select {
		case s.frames <- frame{kind, payload}:
		case <-s.gone:
			// nobody may be reading any more; what was read before the end is still wanted, for a moment
			select {
			case s.frames <- frame{kind, payload}:
			case <-time.After(drainTimeout):
				return
			}
		}
	}
}

// receive takes descriptors in as they come. Past the bound they are closed: the first process passes a handful.
func (s *session) receive() {
	raw, err := s.pass.SyscallConn()
	if err != nil {
		return
	}
	for {
		p, err := receiveOne(func(f func(fd uintptr) bool) error { return raw.Read(f) })
		if err != nil {
			return
		}
		select {
		case s.passed <- p:
		default:
			unix.Close(p.fd)
		}
	}
}

func receiveOne(read func(func(uintptr) bool) error) (p passedFD, err error) {
	word, rights := make([]byte, 2), make([]byte, unix.CmsgSpace(4))
	var n, oob int
	var failed error
	err = read(func(fd uintptr) bool {
		n, oob, _, _, failed = unix.Recvmsg(int(fd), word, rights, unix.MSG_CMSG_CLOEXEC)
		return !errors.Is(failed, unix.EAGAIN) && !errors.Is(failed, unix.EINTR)
	})
	if err = errors.Join(err, failed); err != nil {
		return p, err
	}
	if n == 0 {
		return p, os.ErrClosed
	}
	messages, err := unix.ParseSocketControlMessage(rights[:oob])
	if err != nil || len(messages) != 1 {
		return p, errors.Join(err, errors.New("no descriptor"))
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return p, errors.Join(err, errors.New("no descriptor"))
	}
	return passedFD{word[0], word[1], fds[0]}, nil
}

// take waits for a descriptor of a kind and of a step's process. What comes before it belongs to a process that was
// given up.
func (s *session) take(what, serial byte) (int, error) {
	timer := time.NewTimer(endTimeout)
	defer timer.Stop()
	for {
		select {
		case p := <-s.passed:
			if p.what == what && p.serial == serial {
				return p.fd, nil
			}
			unix.Close(p.fd)
		case <-s.gone:
			return -1, s.lost()
		case <-timer.C:
			return -1, errors.New("the sandbox's first process passed no descriptor")
		}
	}
}

func (s *session) discardPassed() {
	for {
		select {
		case p := <-s.passed:
			unix.Close(p.fd)
		default:
			return
		}
	}
}

func (s *session) takeListeners(count int) error {
	for range count {
		fd, err := s.take(wire.PassListener, 0)
		if err != nil {
			return s.maker.explain(err)
		}
		f := os.NewFile(uintptr(fd), "listener")
		l, err := net.FileListener(f)
		f.Close()
		if err != nil {
			return fault.Inconclusivef("sandbox", "cannot listen inside: %w", err).WithCheck(CheckID)
		}
		s.listeners = append(s.listeners, l)
	}
	return nil
}

func (s *session) Listeners() []net.Listener { return s.listeners }
func (s *session) Isolation() Isolation      { return s.isolation }

// lost explains why the first process does not answer any more.
func (s *session) lost() error {
	select {
	case <-s.gone:
	case <-time.After(endTimeout):
	}
	if words := strings.TrimSpace(s.stderr.String()); words != "" {
		return fmt.Errorf("%w: %s", errBroken, fault.Quote(words))
	}
	if s.process != nil && s.process.ProcessState != nil {
		return fmt.Errorf("%w: %s", errBroken, s.process.ProcessState)
	}
	return errBroken
}

// kill ends every process inside.
func (s *session) kill() {
	if s.process != nil {
		s.maker.kill(s)
	}
}

// Close ends everything and waits until it is gone.
func (s *session) Close() error {
	var err error
	s.closing.Do(func() {
		if s.stopWatching != nil {
			s.stopWatching()
		}
		for _, l := range s.listeners {
			l.Close()
		}
		s.kill()
		if s.process != nil {
			err = s.maker.clear(s)
			<-s.gone
		}
		for _, f := range []*os.File{s.control, s.pass} {
			if f != nil {
				f.Close()
			}
		}
		s.discardPassed()
		s.fail(os.ErrClosed)
		err = errors.Join(err, s.group.remove())
	})
	return err
}

// fail records why the session cannot be used any more; the first reason stays.
func (s *session) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken == nil {
		s.broken = err
	}
}

func (s *session) failed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.broken
}

// tail keeps the beginning of what the first process complains about.
type tail struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b.Write(p[:min(len(p), maxStderr-t.b.Len())])
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}
