package cgroup

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// prefix is how the folder of every group starts.
const prefix = "glassbuild-"

// Group is one control group, which may be several folders: one for each hierarchy of version 1.
type Group struct {
	Version   int
	Memory    bool // memory is limited
	Processes bool
	dirs      map[string]dir // by controller
}

type dir struct {
	path string
	lock *os.File
}

// New makes a group that limits memory (bytes) and processes (threads count too).
func New(memory, processes int64) (*Group, error) {
	places, err := find()
	if err != nil {
		return nil, err
	}
	return places.make(memory, processes)
}

func (p places) make(memory, processes int64) (*Group, error) {
	g, err2 := p.makeV2()
	var err1 error
	if err2 != nil {
		if g, err1 = p.makeV1(); err1 != nil {
			return nil, fmt.Errorf("version 2: %w; version 1: %w", err2, err1)
		}
	}
	if err := g.limit(memory, processes); err != nil {
		return nil, errors.Join(err, g.Remove())
	}
	return g, nil
}

// makeV2 looks for the nearest place from this process's group upwards that hands both controllers down.
func (p places) makeV2() (*Group, error) {
	if p.v2 == "" {
		return nil, errors.New("not mounted")
	}
	name, last := newName(), errors.New("no group that hands the memory and pids controllers down")
	for at := filepath.Join(p.v2, p.v2Own); strings.HasPrefix(at, p.v2); at = filepath.Dir(at) {
		d, err := makeDir(filepath.Join(at, name))
		if err != nil {
			if errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission) {
				last = err
				continue
			}
			return nil, err
		}
		if !d.offers("memory", "pids") {
			_ = overwrite(filepath.Join(at, "cgroup.subtree_control"), "+memory +pids")
		}
		if d.offers("memory", "pids") {
			return &Group{Version: 2, dirs: map[string]dir{"memory": d, "pids": d}}, nil
		}
		if err := d.remove(); err != nil {
			return nil, err
		}
	}
	return nil, last
}

func (p places) makeV1() (*Group, error) {
	g := &Group{Version: 1, dirs: map[string]dir{}}
	name, last := newName(), errors.New("not mounted")
	for controller, at := range p.v1 {
		d, err := makeDir(filepath.Join(at, name))
		if err != nil {
			last = err
			continue
		}
		g.dirs[controller] = d
	}
	if len(g.dirs) == 0 {
		return nil, last
	}
	return g, nil
}

func newName() string {
	return prefix + strconv.Itoa(os.Getpid()) + "-" + strings.ToLower(rand.Text()[:10])
}

func makeDir(path string) (dir, error) {
	if err := os.Mkdir(path, 0o755); err != nil {
		return dir{}, err
	}
	f, err := os.Open(path)
	if err == nil {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	if err != nil {
		return dir{}, errors.Join(err, os.Remove(path))
	}
	return dir{path, f}, nil
}

func (d dir) offers(controllers ...string) bool {
	have := strings.Fields(read(filepath.Join(d.path, "cgroup.controllers")))
	for _, c := range controllers {
		if !slices.Contains(have, c) {
			return false
		}
	}
	return true
}

func read(path string) string {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0) // package os would have the poller watch each of these files
	if err != nil {
		return ""
	}
	defer unix.Close(fd)
	buffer := make([]byte, maxFile)
	n, _ := unix.Read(fd, buffer)
	return string(buffer[:max(n, 0)])
}

func (g *Group) write(controller, file, value string) error {
	d, ok := g.dirs[controller]
	if !ok {
		return os.ErrNotExist
	}
	return overwrite(filepath.Join(d.path, file), value)
}

// overwrite writes a control file, at once.
func overwrite(path, value string) error {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	for {
		_, err := unix.Write(fd, []byte(value))
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return &os.PathError{Op: "write", Path: path, Err: err}
		}
		return nil
	}
}

// limit sets both limits. Swap counts as memory where the kernel counts swap.
func (g *Group) limit(memory, processes int64) error {
	files := map[string][3]string{"memory": {"memory.max", "memory.swap.max", "0"}, "pids": {"pids.max"}}
	if g.Version == 1 {
		files["memory"] = [3]string{"memory.limit_in_bytes", "memory.memsw.limit_in_bytes", strconv.FormatInt(memory, 10)}
	}
	for controller, value := range map[string]int64{"memory": memory, "pids": processes} {
		if _, ok := g.dirs[controller]; !ok {
			continue
		}
		f := files[controller]
		if err := g.write(controller, f[0], strconv.FormatInt(value, 10)); err != nil {
			return err
		}
		if f[1] != "" {
			_ = g.write(controller, f[1], f[2]) // missing where swap is not counted
		}
	}
	_, g.Memory = g.dirs["memory"]
	_, g.Processes = g.dirs["pids"]
	return nil
}

// Join moves a process into the group. Its children follow.
func (g *Group) Join(pid int) error {
	var last error
	for controller := range g.dirs {
		if err := g.write(controller, "cgroup.procs", strconv.Itoa(pid)); err != nil {
			last = err
		}
		if g.Version == 2 {
			break
		}
	}
	return last
}

// ResetPeak lets Peak start anew; without effect on kernels that cannot (version 2 before Linux 6.12).
func (g *Group) ResetPeak() {
	if g.Version == 1 {
		_ = g.write("memory", "memory.max_usage_in_bytes", "0")
	}
}

// Peak returns the most memory that was in use at once, in bytes; 0 when the kernel does not say.
func (g *Group) Peak() int64 {
	file := "memory.peak"
	if g.Version == 1 {
		file = "memory.max_usage_in_bytes"
	}
	n, _ := strconv.ParseInt(strings.TrimSpace(g.read("memory", file)), 10, 64)
	return n
}

func (g *Group) read(controller, file string) string {
	d, ok := g.dirs[controller]
	if !ok {
		return ""
	}
	return read(filepath.Join(d.path, file))
}

// OOMKills returns how many processes were killed for want of memory.
func (g *Group) OOMKills() int64 {
	if g.Version == 1 {
		return counter(g.read("memory", "memory.oom_control"), "oom_kill")
	}
	return counter(g.read("memory", "memory.events"), "oom_kill")
}

// RefusedForks returns how often a process could not be made.
func (g *Group) RefusedForks() int64 { return counter(g.read("pids", "pids.events"), "max") }

// counter returns the value of a line "name value".
func counter(text, name string) int64 {
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == name {
			n, _ := strconv.ParseInt(f[1], 10, 64)
			return n
		}
	}
	return 0
}

// Remove takes the group away. Every process of it has to be gone, or about to be.
func (g *Group) Remove() error {
	var all error
	done := map[string]bool{}
	for _, d := range g.dirs {
		if !done[d.path] {
			done[d.path] = true
			all = errors.Join(all, d.remove())
		}
	}
	return all
}

// remove waits for the kernel, which frees a group's last process a moment after it has been waited for.
func (d dir) remove() error {
	defer d.lock.Close()
	deadline := time.Now().Add(removeFor)
	for wait := 100 * time.Microsecond; ; wait = min(2*wait, 50*time.Millisecond) {
		err := unix.Rmdir(d.path)
		if err == nil || errors.Is(err, unix.ENOENT) {
			return nil
		}
		if !errors.Is(err, unix.EBUSY) || time.Now().After(deadline) {
			return fmt.Errorf("remove control group: %w", err)
		}
		time.Sleep(wait)
	}
}
