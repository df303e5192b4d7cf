package inside

import (
	"encoding/binary"
	"errors"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/glassbuild/glassbuild/internal/sandbox/wire"
)

// child is a process that was forked and sealed, and waits to be told what to execute.
type child struct {
	serial            byte
	pid               int
	notify            bool // its filter asks the host
	terminal          bool
	in, out           file // what becomes its standard input, and output and error
	host              file // the host's end of out: the log, or the terminal's master
	gate, gateIn      file // a byte through here lets it execute
	report, reportOut file // what it says before that
	block             *block
	names             []string // of its calls
}

// launch forks a child, seals it, and waits until it is ready to execute. k holds its streams already; they are closed
// when it cannot be launched.
func (p *process) launch(k *child) (err error) {
	p.serial++
	k.serial = p.serial
	k.gate, k.gateIn, k.report, k.reportOut = -1, -1, -1, -1
	defer func() {
		if err != nil {
			k.abandon()
		}
	}()
	if k.gateIn, k.gate, err = pipe(); err != nil {
		return err
	}
	if k.report, k.reportOut, err = pipe(); err != nil {
		return err
	}
	if k.block, err = newBlock(); err != nil {
		return err
	}
	s := p.sealed(k)
	k.names = s.names
	if k.pid, err = s.fork(k.block.calls()); err != nil {
		return failed("fork", err)
	}
	closeAll(&k.gateIn, &k.reportOut)
	return k.ready()
}

func closeAll(files ...*file) {
	for _, f := range files {
		f.close()
		*f = -1
	}
}

// close gives up everything that process 1 holds of a child.
func (k *child) close() {
	closeAll(&k.in, &k.out, &k.host, &k.gate, &k.gateIn, &k.report, &k.reportOut)
	if k.block != nil {
		k.block.close()
		k.block = nil
	}
}

// abandon ends a child that must not execute.
func (k *child) abandon() {
	k.close()
	if k.pid > 0 {
		_ = unix.Kill(k.pid, unix.SIGKILL)
		_, _ = wait4(k.pid, nil, 0, nil)
		k.pid = 0
	}
}

// ready waits for the child's word that everything up to the wait worked.
func (k *child) ready() error {
	var word [1]byte
	if n, err := k.report.Read(word[:]); err != nil || n != 1 {
		return errors.New("the step's process ended before it was sealed")
	}
	if word[0] == 'w' {
		return nil
	}
	rest := make([]byte, reportSize-1)
	n, _ := k.report.Read(rest)
	return k.explain(append(word[:], rest[:n]...), nil)
}

// run lets the child execute and returns once it has.
func (k *child) run(step *wire.Step) error {
	if _, err := k.gate.Write([]byte{1}); err != nil {
		return failed("start the step", err)
	}
	var report [reportSize]byte
	if n, _ := k.report.Read(report[:]); n > 0 {
		return k.explain(report[:n], step)
	}
	return nil
}

// reportSize is the size of a failure report: the index of the call, and the error number.
const reportSize = 16

// explain turns a failure report into an error.
func (k *child) explain(report []byte, step *wire.Step) error {
	if len(report) != reportSize {
		return errors.New("the step's process sent half a report")
	}
	index := binary.NativeEndian.Uint64(report)
	errno := syscall.Errno(binary.NativeEndian.Uint64(report[8:]))
	if index < uint64(len(k.names)) {
		return failed(k.names[index], errno)
	}
	what := "unblock signals"
	if step != nil {
		switch index - uint64(len(k.names)) {
		case callExecute:
			what = strconv.Quote(step.Argv[0])
		case callFolder:
			what = strconv.Quote(step.Dir)
		}
	}
	return &trouble{what: what, err: errno, blame: true, missing: errno == unix.ENOENT}
}

// pipe makes a pipe with descriptors that no step's own numbers collide with.
func pipe() (r, w file, err error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return -1, -1, failed("make a pipe", err)
	}
	first, err := raised(fds[0])
	if err != nil {
		unix.Close(fds[1])
		return -1, -1, err
	}
	second, err := raised(fds[1])
	if err != nil {
		unix.Close(first)
		return -1, -1, err
	}
	return file(first), file(second), nil
}

// raised moves a descriptor to a number of at least lowestFD.
func raised(fd int) (int, error) {
	defer unix.Close(fd)
	high, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, lowestFD)
	if err != nil {
		return -1, failed("move a descriptor", err)
	}
	return high, nil
}
