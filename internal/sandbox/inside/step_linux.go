package inside

import (
	"encoding/binary"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/glassbuild/glassbuild/internal/sandbox/wire"
)

// child is a forked process that waits for the word to go.
type child struct {
	pid    int
	gate   file     // a byte here lets it execute
	report file     // what it says before that
	names  []string // of its calls
	spawn  *spawn
}

// launch forks a sealed child and waits until it is ready to execute.
func (p *process) launch(c *spawn) (*child, error) {
	gateIn, gate, err := pipe()
	if err != nil {
		return nil, err
	}
	defer gateIn.close()
	report, reportOut, err := pipe()
	if err != nil {
		gate.close()
		return nil, err
	}
	c.gate, c.report = int(gateIn), int(reportOut)
	s := p.sealed(c)
	pid, err := s.fork()
	reportOut.close()
	k := &child{pid: pid, gate: gate, report: report, names: s.names, spawn: c}
	if err != nil {
		k.close()
		return nil, failed("fork", err)
	}
	if err := k.ready(); err != nil {
		k.abandon()
		return nil, err
	}
	return k, nil
}

func (k *child) close() {
	k.gate.close()
	k.report.close()
}

// abandon ends a child that must not execute.
func (k *child) abandon() {
	k.close()
	_ = unix.Kill(k.pid, unix.SIGKILL)
	_, _ = wait4(k.pid, nil, 0, nil)
}

// ready waits for the child's word that everything up to execve worked.
func (k *child) ready() error {
	var word [1]byte
	n, err := k.report.Read(word[:])
	if err != nil || n != 1 {
		return errors.New("the step's process ended before it was sealed")
	}
	if word[0] == 'w' {
		return nil
	}
	rest := make([]byte, 15)
	n, _ = k.report.Read(rest)
	return k.explain(append(word[:], rest[:n]...))
}

// run lets the child execute and returns once it has.
func (k *child) run() error {
	if _, err := k.gate.Write([]byte{1}); err != nil {
		return failed("start the step", err)
	}
	var report [16]byte
	if n, _ := k.report.Read(report[:]); n > 0 {
		return k.explain(report[:n])
	}
	return nil
}

// explain turns a failure report into an error.
func (k *child) explain(report []byte) error {
	if len(report) != 16 {
		return errors.New("the step's process sent half a report")
	}
	index := binary.NativeEndian.Uint64(report)
	errno := syscall.Errno(binary.NativeEndian.Uint64(report[8:]))
	if index >= uint64(len(k.names)) {
		return errors.New("the step's process sent a wrong report")
	}
	switch c := k.spawn; {
	case len(c.programs) > 0 && int(index) >= c.program:
		return &trouble{what: strconv.Quote(c.argv[0]), err: errno, blame: true, missing: errno == unix.ENOENT}
	case len(c.programs) > 0 && int(index) == c.chdir:
		return &trouble{what: strconv.Quote(c.dir), err: errno, blame: true, missing: errno == unix.ENOENT}
	}
	return failed(k.names[index], errno)
}

// pipe makes a pipe with descriptors that no step's own numbers collide with.
func pipe() (r, w file, err error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return -1, -1, failed("make a pipe", err)
	}
	for i := range fds {
		if fds[i], err = raised(fds[i]); err != nil {
			return -1, -1, err
		}
	}
	return file(fds[0]), file(fds[1]), nil
}

// raised moves a descriptor to a number of at least lowestFD.
func raised(fd int) (int, error) {
	defer unix.Close(fd)
	high, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, lowestFD)
	return high, failed("move a descriptor", err)
}

// run runs one step and reports how it ended.
func (p *process) run(step wire.Step) error {
	exited, err := p.step(step)
	if err != nil {
		return wire.WriteJSON(p.control, wire.KindFault, asFault("step", err))
	}
	return wire.WriteJSON(p.control, wire.KindExited, exited)
}

func (p *process) step(step wire.Step) (*wire.Exited, error) {
	if len(step.Argv) == 0 {
		return nil, errors.New("no program")
	}
	c := &spawn{argv: step.Argv, env: step.Env, dir: step.Dir, terminal: step.Terminal, notify: len(p.notify) > 0}
	if c.dir == "" {
		c.dir = "/"
	}
	c.programs = candidates(step.Argv[0], step.Env)
	closeStreams, err := p.streams(c, step)
	if err != nil {
		return nil, err
	}
	defer closeStreams()
	k, err := p.launch(c)
	if err != nil {
		return nil, err
	}
	checks, err := inspect(k.pid, c.terminal)
	if err == nil {
		err = firstBroken(checks)
	}
	if err != nil {
		k.abandon()
		return nil, err
	}
	sacrifice(k.pid)
	if err := wire.WriteJSON(p.control, wire.KindStarted, struct{}{}); err != nil {
		k.abandon()
		return nil, err
	}
	started := k.run()
	k.close()
	closeStreams()
	exited := p.attend(k.pid)
	if started != nil {
		return nil, started
	}
	return exited, nil
}

// candidates returns the paths under which a program may be found, as execvp(3) looks for them.
func candidates(name string, env []string) []string {
	if strings.Contains(name, "/") {
		return []string{name}
	}
	var out []string
	for i := len(env) - 1; i >= 0; i-- {
		value, ok := strings.CutPrefix(env[i], "PATH=")
		if !ok {
			continue
		}
		for dir := range strings.SplitSeq(value, ":") {
			file := path.Join(dir, name)
			if path.IsAbs(dir) && unix.Access(file, unix.X_OK) == nil && !slices.Contains(out, file) {
				out = append(out, file)
			}
		}
		break
	}
	if len(out) == 0 {
		return []string{"/" + name + ": not found"} // execve says ENOENT, and so the report does
	}
	return out
}

// streams opens what the step reads and writes, and hands the host the other end.
func (p *process) streams(c *spawn, step wire.Step) (func(), error) {
	if step.Terminal {
		return p.terminal(c, step)
	}
	null, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, failed("open /dev/null", err)
	}
	if null, err = raised(null); err != nil {
		return nil, err
	}
	r, w, err := pipe()
	if err != nil {
		return nil, err
	}
	defer r.close()
	if err := pass(wire.PassLog, int(r)); err != nil {
		return nil, failed("pass the log", err)
	}
	c.in, c.out, c.err = null, int(w), int(w)
	done := false
	return func() {
		if !done {
			done = true
			unix.Close(null)
			w.close()
		}
	}, nil
}

// sacrifice makes the kernel prefer a step to process 1 when memory runs out. It may not work, then nothing is lost.
func sacrifice(pid int) {
	_ = writePath(fmt.Sprintf("/proc/%d/oom_score_adj", pid), "1000")
}

// full tells whether something writable has no room left.
func (r *root) full() bool {
	for _, fd := range r.sizes {
		var st unix.Statfs_t
		if unix.Fstatfs(fd, &st) == nil && (int64(st.Bavail)*st.Bsize < fullBelow || st.Ffree == 0) {
			return true
		}
	}
	return false
}
