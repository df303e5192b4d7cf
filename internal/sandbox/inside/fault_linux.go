package inside

import (
	"errors"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/glassbuild/glassbuild/internal/sandbox/wire"
)

// trouble says what failed.
type trouble struct {
	what    string
	err     error
	missing bool
	limit   bool
	blame   bool
}

func (t *trouble) Error() string { return t.what + ": " + t.err.Error() }
func (t *trouble) Unwrap() error { return t.err }

// failed wraps err, nil stays nil. What is known of err already stays known.
func failed(what string, err error) error {
	if err == nil {
		return nil
	}
	var known *trouble
	if errors.As(err, &known) {
		return &trouble{what: what, err: known.err, missing: known.missing, limit: known.limit, blame: known.blame}
	}
	return &trouble{what: what, err: err}
}

// blame says that the thing named is malformed or hostile, not the machine.
func blame(what, why string) error {
	return &trouble{what: what, err: errors.New(why), blame: true}
}

// ofInput says of an error that it comes from what was handed in, not from what the machine forbids.
func ofInput(err error) error {
	var t *trouble
	if errors.As(err, &t) {
		t.blame = true
	}
	return err
}

// exceeded says that a bound was reached.
func exceeded(what, why string) error {
	return &trouble{what: what, err: errors.New(why), limit: true}
}

func asFault(stage string, err error) *wire.Fault {
	f := &wire.Fault{Stage: stage, Message: err.Error()}
	var t *trouble
	if errors.As(err, &t) {
		f.What, f.Message, f.Limit, f.Blame = t.what, t.err.Error(), t.limit, t.blame
		f.Missing = t.missing
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		f.Errno = int(errno)
		f.Missing = f.Missing || errno == unix.ENOENT || errno == unix.ENOTDIR
	}
	return f
}

// ignoreSignals makes process 1 deaf to what steps, being of the same user, could send it: the Go runtime has a handler
// for every signal, and so the kernel's protection of a namespace's first process does not hold. Signals that the
// runtime needs, or that mean an error of the program itself, stay; a step that forges one ends its own sandbox.
func ignoreSignals() {
	signal.Ignore(unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2, unix.SIGPIPE, unix.SIGALRM,
		unix.SIGVTALRM, unix.SIGXCPU, unix.SIGXFSZ, unix.SIGIO, unix.SIGPWR, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU)
}
