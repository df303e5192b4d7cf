package sandbox

import (
	"errors"
	"io"
	"os"
	"os/signal"
	"sync"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// relay connects a pseudo terminal inside with the one that this program runs in. The step never holds a descriptor of
// the outer one, so it can neither read from it nor push input into it.
type relay struct {
	master  *os.File
	restore func()
	done    chan struct{}
	once    sync.Once
	sizes   chan os.Signal
}

// windowSize returns the outer terminal's size.
func windowSize(step Step) (rows, columns uint16) {
	if !step.Terminal {
		return 0, 0
	}
	if f := outer(step); f != nil {
		if w, h, err := term.GetSize(int(f.Fd())); err == nil {
			return uint16(h), uint16(w)
		}
	}
	return 24, 80
}

// outer returns the terminal that the step's input comes from, nil when it comes from something else.
func outer(step Step) *os.File {
	f, ok := step.In.(*os.File)
	if step.In == nil {
		f, ok = os.Stdin, true
	}
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	return f
}

func startRelay(master *os.File, step Step) *relay {
	r := &relay{master: master, done: make(chan struct{}), restore: func() {}}
	in, out := step.In, step.Out
	if in == nil {
		in = os.Stdin
	}
	if out == nil {
		out = os.Stdout
	}
	if f := outer(step); f != nil {
		if state, err := term.MakeRaw(int(f.Fd())); err == nil { // Ctrl-C becomes a byte that goes inside
			r.restore = func() { _ = term.Restore(int(f.Fd()), state) }
		}
		r.follow(f)
	}
	go r.typed(in)
	go func() {
		defer close(r.done)
		_, _ = io.Copy(out, eioIsEnd{master})
	}()
	return r
}

// eioIsEnd reads from a terminal's master, which says EIO when nobody holds the other side any more.
type eioIsEnd struct{ f *os.File }

func (e eioIsEnd) Read(p []byte) (int, error) {
	n, err := e.f.Read(p)
	if errors.Is(err, unix.EIO) {
		err = io.EOF
	}
	return n, err
}

// typed sends what is typed. It ends with the master; a read from an outer terminal that nobody types at stays blocked
// until the next key, which is then lost to the step that is gone.
func (r *relay) typed(in io.Reader) {
	buffer := make([]byte, 4<<10)
	for {
		n, err := in.Read(buffer)
		if n > 0 {
			if _, err := r.master.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// follow passes changes of the outer terminal's size on.
func (r *relay) follow(f *os.File) {
	r.sizes = make(chan os.Signal, 1)
	signal.Notify(r.sizes, unix.SIGWINCH)
	go func() {
		for range r.sizes {
			if w, h, err := term.GetSize(int(f.Fd())); err == nil {
				_ = setSize(r.master, uint16(h), uint16(w))
			}
		}
	}()
}

func setSize(master *os.File, rows, columns uint16) error {
	raw, err := master.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: columns})
	})
	return errors.Join(err, failed)
}

// close waits until everything shown has been relayed, and gives the outer terminal back as it was.
func (r *relay) close() {
	r.once.Do(func() {
		<-r.done
		r.master.Close()
		if r.sizes != nil {
			signal.Stop(r.sizes)
			close(r.sizes)
		}
		r.restore()
	})
}
