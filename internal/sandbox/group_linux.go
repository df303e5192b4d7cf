package sandbox

import (
	"fmt"
	"os"
	"sync"

	"github.com/glassbuild/glassbuild/internal/sandbox/cgroup"
	"github.com/glassbuild/glassbuild/internal/sandbox/wire"
)

// group is the control group of a session, or the reason why there is none.
type group struct {
	mu     sync.Mutex // a session may be closed while the end of a step is being told
	cg     *cgroup.Group
	why    string // there is none
	before usage
}

// usage is what a control group counted.
type usage struct{ peak, oomKills, refusedForks int64 }

// ownThreads is how many of the threads in a group are the first process's own.
const ownThreads = 32

var sweeping struct {
	once sync.Once
	wait sync.WaitGroup
}

// newGroup makes a control group where that is possible. What is written counts as memory there, since it lies on a
// tmpfs: so the group's limit is the sum of both, and RLIMIT_DATA holds each process to the memory alone.
func newGroup(l Limits) *group {
	g := &group{}
	cg, err := cgroup.New(l.Memory+l.Output, l.Processes+ownThreads)
	if err != nil {
		g.why = err.Error()
		return g
	}
	g.cg = cg
	sweeping.once.Do(func() { sweeping.wait.Go(func() { cgroup.Sweep() }) })
	return g
}

// watch says what the first process has to look after itself.
func (g *group) watch(l Limits) wire.Watch {
	w := wire.Watch{CPU: int64(l.CPU), Memory: l.Memory, Processes: int(l.Processes)}
	if g.cg != nil && g.cg.Processes {
		w.Processes = 0
	}
	return w
}

func (g *group) join(pid int) error {
	if g.cg == nil {
		return nil
	}
	return g.cg.Join(pid)
}

func (g *group) count() usage {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.cg == nil {
		return usage{}
	}
	return usage{g.cg.Peak(), g.cg.OOMKills(), g.cg.RefusedForks()}
}

// begin and end surround a step. What was counted before the first one counts as nothing: a sandbox that met a limit
// while it was made has not come about.
func (g *group) begin() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.cg != nil {
		g.cg.ResetPeak()
	}
}

func (g *group) end() usage {
	now, before := g.count(), g.before
	g.before = now
	return usage{now.peak, now.oomKills - before.oomKills, now.refusedForks - before.refusedForks}
}

func (g *group) remove() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.cg == nil {
		return nil
	}
	err := g.cg.Remove()
	sweeping.wait.Wait()
	g.cg, g.why = nil, "removed"
	return err
}

// enforced says which mechanism holds which limit.
func (g *group) enforced(l Limits) []Enforced {
	memory := Enforced{LimitMemory, "rlimit", fmt.Sprintf("RLIMIT_DATA: %d bytes for each process, and the watch for their sum: no control group: %s", l.Memory, g.why)}
	processes := Enforced{LimitProcesses, "rlimit", fmt.Sprintf("RLIMIT_NPROC: %d, and the watch: no control group: %s", l.Processes, g.why)}
	if os.Geteuid() == 0 { // the kernel exempts user 0 of the machine, whatever it may do (fork(2))
		processes.By, processes.Detail = "watch", fmt.Sprintf("%d, ten times a second: no control group: %s", l.Processes, g.why)
	}
	peak := Enforced{"peak memory", "rlimit", "told by getrusage(2): of the largest process"}
	if g.cg != nil {
		by := fmt.Sprintf("cgroup v%d", g.cg.Version)
		if g.cg.Memory {
			memory = Enforced{LimitMemory, by, fmt.Sprintf("%d bytes with what is written; RLIMIT_DATA and the watch hold processes to %d", l.Memory+l.Output, l.Memory)}
			peak = Enforced{"peak memory", by, "of all processes together, with what they wrote"}
		}
		if g.cg.Processes {
			processes = Enforced{LimitProcesses, by, fmt.Sprintf("%d", l.Processes)}
		}
	}
	return []Enforced{
		{LimitCPU, "watch", fmt.Sprintf("%v of all processes together; RLIMIT_CPU for each", l.CPU)},
		{LimitFiles, "rlimit", fmt.Sprintf("RLIMIT_NOFILE: %d for each process", l.Files)},
		{LimitLog, "host", fmt.Sprintf("%d bytes kept; the step is ended after %d times as many", l.Log, logFlood)},
		memory,
		{LimitOutput, "tmpfs size", fmt.Sprintf("%d bytes", l.Output)},
		peak,
		processes,
		{LimitWall, "host", fmt.Sprintf("%v, then SIGTERM, then SIGKILL after %v", l.Wall, l.Grace)},
	}
}
