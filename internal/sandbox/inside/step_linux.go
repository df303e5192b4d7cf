package inside

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/glassbuild/glassbuild/internal/sandbox/wire"
)

// run runs one step and reports how it ended.
func (p *process) run(step wire.Step) error {
	exited, err := p.step(step)
	if err != nil {
		return wire.Send(p.control, wire.KindFault, asFault("step", err))
	}
	if t := p.root.trace; t != nil {
		if exited.Trace, err = t.report(p.control); err != nil {
			return err
		}
	}
	return wire.Send(p.control, wire.KindExited, exited)
}

func (p *process) step(step wire.Step) (*wire.Exited, error) {
	if len(step.Argv) == 0 {
		return nil, errors.New("no program")
	}
	if step.Dir == "" {
		step.Dir = "/"
	}
	k, err := p.child(step)
	if err != nil {
		return nil, err
	}
	if err := p.release(k, &step); err != nil {
		k.abandon()
		return nil, err
	}
	started := k.run(&step)
	k.close()
	exited := p.attend(k.pid)
	if started != nil {
		return nil, started
	}
	return exited, nil
}

// child returns a sealed child that was looked at: the one that was made with the root, or a new one.
func (p *process) child(step wire.Step) (*child, error) {
	k := p.first
	p.first = nil
	if k != nil && !step.Terminal {
		return k, nil
	}
	if k != nil {
		k.abandon()
	}
	open := p.openLog
	if step.Terminal {
		open = func() (*child, error) { return p.openTerminal(step) }
	}
	k, err := open()
	if err != nil {
		return nil, err
	}
	k.notify = p.notify
	if err := p.launch(k); err != nil {
		return nil, err
	}
	child, err := look(k.pid)
	if err == nil {
		err = firstBroken(p.inspect(child, k.terminal))
	}
	if err != nil {
		k.abandon()
		return nil, err
	}
	return k, nil
}

// release writes down what a child is to execute and tells the host that it is about to.
func (p *process) release(k *child, step *wire.Step) error {
	if err := k.block.fill(find(step.Argv[0], step.Env), step.Dir, step.Argv, step.Env); err != nil {
		return err
	}
	sacrifice(k.pid)
	what := byte(wire.PassLog)
	if k.terminal {
		what = wire.PassTerminal
	}
	if err := pass(what, k.serial, int(k.host)); err != nil {
		return failed("pass the log", err)
	}
	return wire.Send(p.control, wire.KindStarted, wire.Started{Serial: k.serial})
}

// find returns the path of a program, as execvp(3) looks for it: the first one in PATH that may be executed. What is
// not found is returned as a path that does not exist, so that execve says ENOENT.
func find(name string, env []string) string {
	if strings.Contains(name, "/") {
		return name
	}
	for i := len(env) - 1; i >= 0; i-- {
		value, ok := strings.CutPrefix(env[i], "PATH=")
		if !ok {
			continue
		}
		for dir := range strings.SplitSeq(value, ":") {
			if path.IsAbs(dir) && executable(path.Join(dir, name)) {
				return path.Join(dir, name)
			}
		}
		break
	}
	return "/proc/" + name + ": not found"
}

func executable(file string) bool {
	var st unix.Stat_t
	return unix.Stat(file, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFREG && st.Mode&0o111 != 0
}

// openLog opens what a step without a terminal reads and writes.
func (p *process) openLog() (*child, error) {
	null, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, failed("open /dev/null", err)
	}
	if null, err = raised(null); err != nil {
		return nil, err
	}
	r, w, err := pipe()
	if err != nil {
		unix.Close(null)
		return nil, err
	}
	return &child{in: file(null), out: w, host: r}, nil
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
