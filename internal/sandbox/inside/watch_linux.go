package inside

import (
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/glassbuild/glassbuild/internal/sandbox/wire"
)

// Limits that process 1 enforces itself, since no resource limit of the kernel counts them over several processes
// without a cgroup.
const (
	limitCPU       = "cpu"
	limitMemory    = "memory"
	limitProcesses = "processes"
)

// watch adds up what a step uses.
type watch struct {
	limits wire.Watch
	cpu    time.Duration // of processes that are gone
	maxRSS int64
	limit  string
	killAt time.Time
	page   int64
	tick   time.Duration
}

func newWatch(limits wire.Watch) *watch {
	return &watch{limits: limits, page: int64(os.Getpagesize()), tick: time.Second / userHZ}
}

// userHZ is the unit of times in /proc/PID/stat, 100 on every architecture that Linux has in use.
const userHZ = 100

// add counts a process that was reaped, with everything that it had waited for itself.
func (w *watch) add(u *unix.Rusage) {
	w.cpu += time.Duration(u.Utime.Nano() + u.Stime.Nano())
	w.maxRSS = max(w.maxRSS, u.Maxrss<<10)
}

// look adds up what is running, ends the step when that is too much, and says how long to wait before the next look.
func (w *watch) look() time.Duration {
	if w.limit != "" {
		if time.Now().After(w.killAt) {
			killAll(unix.SIGKILL)
		}
		return watchEvery
	}
	cpu, memory, processes := w.running()
	cpu += w.cpu
	switch l := w.limits; {
	case l.Processes > 0 && processes > l.Processes:
		w.limit = limitProcesses
		killAll(unix.SIGKILL)
	case l.Memory > 0 && memory > l.Memory:
		w.limit = limitMemory
		killAll(unix.SIGKILL)
	case l.CPU > 0 && int64(cpu) > l.CPU:
		w.limit = limitCPU
		w.killAt = time.Now().Add(cpuGrace)
		killAll(unix.SIGTERM)
	case l.Processes == 0 && far(4*memory, l.Memory) && far(4*int64(cpu), l.CPU):
		return watchIdle
	case far(int64(processes), int64(l.Processes)) && far(memory, l.Memory) && far(int64(cpu), l.CPU):
		return watchCalm
	}
	return watchEvery
}

// far tells whether less than half of a limit is used; 0 is no limit.
func far(used, limit int64) bool { return limit == 0 || used < limit/2 }

// running adds up processor time and anonymous memory of every process but process 1. What is resident is never less than
// what is anonymous: while that is far from the limit, nothing more exact is looked up.
func (w *watch) running() (cpu time.Duration, memory int64, processes int) {
	names, err := listPath("/proc")
	if err != nil {
		return 0, 0, 0
	}
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err != nil || pid == 1 {
			continue
		}
		stat, err := readPath("/proc/"+name+"/stat", maxProcFile)
		if err != nil {
			continue // it is gone
		}
		ticks, threads, resident := statFields(string(stat))
		cpu += time.Duration(ticks) * w.tick
		processes += threads
		memory += resident * w.page
	}
	if !far(memory, w.limits.Memory) {
		memory = w.anonymous(names)
	}
	return cpu, memory, processes
}

// anonymous adds up the memory of every process but process 1 that belongs to no file.
func (w *watch) anonymous(names []string) (memory int64) {
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err != nil || pid == 1 {
			continue
		}
		statm, _ := readPath("/proc/"+name+"/statm", maxProcFile)
		if f := strings.Fields(string(statm)); len(f) > 2 {
			resident, _ := strconv.ParseInt(f[1], 10, 64)
			shared, _ := strconv.ParseInt(f[2], 10, 64)
			memory += (resident - shared) * w.page
		}
	}
	return memory
}

// statFields returns user and system time, with those of children that were waited for, the number of threads, and the
// resident pages (proc_pid_stat(5): fields 14 to 17, 20 and 24). The name, field 2, may hold anything.
func statFields(stat string) (ticks int64, threads int, resident int64) {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	const first = 3 // number of the first field behind the name
	if len(fields) <= 24-first {
		return 0, 0, 0
	}
	for _, i := range []int{14, 15, 16, 17} {
		n, _ := strconv.ParseInt(fields[i-first], 10, 64)
		ticks += n
	}
	threads, _ = strconv.Atoi(fields[20-first])
	resident, _ = strconv.ParseInt(fields[24-first], 10, 64)
	return ticks, threads, resident
}

func (w *watch) finish(out *wire.Exited) {
	out.CPU, out.MaxRSS, out.Limit = int64(w.cpu), w.maxRSS, w.limit
	if out.Limit == "" && out.Signal == int(unix.SIGXCPU) {
		out.Limit = limitCPU
	}
}
