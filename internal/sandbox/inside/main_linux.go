package inside

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/glassbuild/glassbuild/internal/sandbox/wire"
)

// ExitBroken is process 1's exit code when it could not do its work.
const ExitBroken = 125

// Called tells whether this process is meant to be the first one of a sandbox: it carries the name, alone, it is
// process 1, and its descriptors 3 and 4 are sockets. Nothing but package sandbox brings that about. A runtime that was
// to make it process 1 and did not is told so by Main.
func Called() bool {
	if len(os.Args) != 1 || os.Args[0] != wire.InitPath && (os.Args[0] != wire.InitName || os.Getpid() != 1) {
		return false
	}
	return isSocket(wire.ControlFD) && isSocket(wire.PassFD)
}

// CalledAsGit tells whether this process stands in for git inside a sandbox: it carries the name, and the sandbox's
// marker is there, which a read-only root holds.
func CalledAsGit() bool {
	if len(os.Args) == 0 || filepath.Base(os.Args[0]) != "git" {
		return false
	}
	var st unix.Stat_t
	return unix.Lstat("/"+standInMarker, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFREG
}

func isSocket(fd int) bool {
	var st unix.Stat_t
	return unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFSOCK
}

// process is process 1. It has one goroutine, which stays on the main thread: everything else would cost a sandbox's
// start more than the sandbox itself does.
type process struct {
	control file
	root    root
	setup   wire.Setup
	asking  []unix.SockFilter
	plain   []unix.SockFilter
	notify  bool   // the host is asked about connections
	serial  byte   // of the last child
	first   *child // sealed and looked at while the root was built; the first step takes it
	caps    int    // the kernel's last capability
	filters int    // on process 1 itself: those of the machine around
	buffer  []byte // for contents on their way out
}

type order struct {
	kind    wire.Kind
	payload []byte
}

// Main serves the host until it goes away. It has to be called while packages are initialised: until then the Go
// runtime keeps the main goroutine on the main thread by itself.
func Main() {
	hosted := os.Args[0] == wire.InitPath
	if hosted {
		if unix.Sendmsg(wire.PassFD, []byte{wire.PassHello, 0}, nil, nil, 0) != nil {
			os.Exit(ExitBroken)
		}
	}
	if n := unix.Gettid(); n != 1 {
		if hosted {
			_, _, _ = wire.Read(file(wire.ControlFD), wire.MaxToInside) // the host looks at this process before it says anything
			why := fmt.Sprintf("the runtime started it as process %d, not as the first one of a pid namespace", n)
			_ = wire.Send(file(wire.ControlFD), wire.KindFault, &wire.Fault{Stage: "setup", Message: why})
		}
		os.Exit(ExitBroken)
	}
	if err := closeInherited(); err != nil {
		os.Exit(ExitBroken)
	}
	unix.CloseOnExec(wire.ControlFD)
	unix.CloseOnExec(wire.PassFD)
	ignoreSignals()
	p := &process{control: wire.ControlFD}
	if err := p.serve(); err != nil {
		_ = writeAll(2, []byte(err.Error()+"\n"))
		os.Exit(ExitBroken)
	}
}

// pollerSearch is how far above the sandbox's own descriptors those of the Go runtime's poller are looked for.
const pollerSearch = 16

// closeInherited closes everything above the sandbox's own descriptors but those of the runtime's poller: where the whole
// program takes the init's place, a package that is initialised earlier may have opened a file, and a runtime whose poller
// is closed crashes. They are anonymous inodes, the only ones that the runtime opens, and close when a program is started.
func closeInherited() error {
	from := uint(wire.PassFD + 1)
	for fd := from; fd < wire.PassFD+1+pollerSearch; fd++ {
		var st unix.Stat_t
		if unix.Fstat(int(fd), &st) != nil || st.Mode&unix.S_IFMT != 0 {
			continue
		}
		unix.CloseOnExec(int(fd))
		if fd > from {
			if err := unix.CloseRange(from, fd-1, 0); err != nil {
				return err
			}
		}
		from = fd + 1
	}
	return unix.CloseRange(from, ^uint(0), 0)
}

// next reads the host's next order. When the host is gone, so is everything here.
func (p *process) next() order {
	kind, payload, err := wire.Read(p.control, wire.MaxToInside)
	if errors.Is(err, io.EOF) {
		os.Exit(0)
	}
	if err != nil {
		os.Exit(ExitBroken)
	}
	return order{kind, payload}
}

func (p *process) serve() error {
	first := p.next()
	if first.kind != wire.KindSetup {
		return errors.New("no set-up")
	}
	if err := wire.Unmarshal(first.payload, &p.setup); err != nil {
		return err
	}
	ready, err := p.prepare()
	if err != nil {
		return wire.Send(p.control, wire.KindFault, asFault("setup", err))
	}
	if err := wire.Send(p.control, wire.KindReady, ready); err != nil {
		return err
	}
	holdThreads() // while the host looks at the answer; no step runs before the next order
	for {
		if err := p.obey(p.next()); err != nil {
			return err
		}
	}
}

// holdThreads has the Go runtime make every thread that it will ever want while there is room for one. A step that forks
// until it is refused takes what process 1 could have as well, and a runtime that cannot have a thread ends the program:
// the sandbox would break down where it has to say that a limit was reached. With one processor the garbage collector
// and the return from a long system call want one thread beside this one; threads that were used once are kept.
func holdThreads() {
	if runtime.GOMAXPROCS(0) != 1 { // changing it stops everything; see wire.OneProcessor
		runtime.GOMAXPROCS(1)
	}
	var up, down sync.WaitGroup
	up.Add(heldThreads)
	down.Add(1)
	for range heldThreads {
		go func() {
			runtime.LockOSThread() // until it is unlocked no other goroutine runs on this thread: the next one needs another
			defer runtime.UnlockOSThread()
			up.Done()
			down.Wait()
		}()
	}
	up.Wait()
	down.Done()
}

func (p *process) obey(o order) error {
	switch o.kind {
	case wire.KindRun:
		var step wire.Step
		if err := wire.Unmarshal(o.payload, &step); err != nil {
			return err
		}
		return p.run(step)
	case wire.KindCollect:
		var what wire.Collect
		if err := wire.Unmarshal(o.payload, &what); err != nil {
			return err
		}
		return p.answer("collect", p.collect(what))
	case wire.KindRead:
		var what wire.ReadFile
		if err := wire.Unmarshal(o.payload, &what); err != nil {
			return err
		}
		return p.answer("read", p.readFile(what))
	case wire.KindSignal:
		return nil // the step ended while the order was on its way
	}
	return errors.New("unknown order")
}

func (p *process) answer(stage string, err error) error {
	var end wire.End
	if err != nil {
		end.Fault = asFault(stage, err)
	}
	return wire.Send(p.control, wire.KindEnd, end)
}
