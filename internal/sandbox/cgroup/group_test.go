//go:build linux

package cgroup

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestLocate(t *testing.T) {
	t.Parallel()
	const (
		v2    = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
		v1    = "31 23 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n32 23 0:28 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n33 23 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
		piece = "31 23 0:27 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
	)
	for _, c := range []struct {
		name, mounts, own, v2, v2Own, memory, pids string
	}{
		{"v2", v2, "0::/user.slice/session-1.scope\n", "/sys/fs/cgroup", "/user.slice/session-1.scope", "", ""},
		{"v2, own namespace", v2, "0::/\n", "/sys/fs/cgroup", "/", "", ""},
		{"v1", v1, "4:memory:/a/b\n8:pids:/c\n3:cpu,cpuacct:/d\n", "", "", "/sys/fs/cgroup/memory/a/b", "/sys/fs/cgroup/pids/c"},
		{"a part of v1", piece, "4:memory:/docker/abc/x\n", "", "", "/sys/fs/cgroup/memory/x", ""},
		{"another part of v1", piece, "4:memory:/elsewhere\n", "", "", "/sys/fs/cgroup/memory", ""},
		{"a part by its prefix only", piece, "4:memory:/docker/abcdef\n", "", "", "/sys/fs/cgroup/memory", ""},
		{"nothing", "", "", "", "", "", ""},
		{"nonsense", "x\n - \n1 2 3 4 5 - cgroup2\n", "a\n::\n", "", "", "", ""},
	} {
		p := locate(c.mounts, c.own)
		if p.v2 != c.v2 || p.v2Own != c.v2Own || p.v1["memory"] != c.memory || p.v1["pids"] != c.pids {
			t.Errorf("%s: %+v", c.name, p)
		}
	}
}

// fakeV2 builds something that looks like a version 2 hierarchy, as far as folders go: the kernel makes the files of a
// new group, here the test's own do.
func TestVersion2IsPreferredAndFallsBack(t *testing.T) {
	t.Parallel()
	v1 := t.TempDir()
	p := places{v2: t.TempDir(), v2Own: "/own", v1: map[string]string{"memory": v1, "pids": v1 + "/none"}}
	if err := os.Mkdir(filepath.Join(p.v2, "own"), 0o755); err != nil {
		t.Fatal(err)
	}
	g, err := p.make(1<<20, 10) // no controllers in the one, only memory in the other
	if err != nil {
		t.Fatal(err)
	}
	if g.Version != 1 || !g.Memory || g.Processes {
		t.Errorf("%+v", g)
	}
	limit := filepath.Join(g.dirs["memory"].path, "memory.limit_in_bytes")
	if err := os.Chmod(limit, 0o600); err != nil { // the kernel makes it with a mode; here it was made by being written
		t.Fatal(err)
	}
	if text, err := os.ReadFile(limit); err != nil || string(text) != "1048576" {
		t.Errorf("%q, %v", text, err)
	}
	if left, _ := filepath.Glob(filepath.Join(p.v2, "*", prefix+"*")); len(left) != 0 {
		t.Errorf("left in version 2: %v", left)
	}
	if _, err := (places{v1: map[string]string{}}).make(1, 1); err == nil {
		t.Error("a group out of nothing")
	}
}

func TestCounters(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{"low 0\noom_kill 3\n": 3, "oom_kill_disable 0\nunder_oom 0\noom_kill 7\n": 7, "": 0, "oom_kill\n": 0, "oom_kill x\n": 0} {
		if got := counter(text, "oom_kill"); got != want {
			t.Errorf("%q: %d", text, got)
		}
	}
}

// TestSweep leaves what is locked, what is young and what is not ours.
func TestSweep(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	for _, name := range []string{"a/" + prefix + "dead", prefix + "locked", "other"} {
		if err := os.MkdirAll(filepath.Join(top, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	held, err := makeDir(filepath.Join(top, prefix+"held"))
	if err != nil {
		t.Fatal(err)
	}
	defer held.lock.Close()
	if n := sweep(top, time.Now().Add(-time.Hour)); n != 0 {
		t.Errorf("%d young ones removed", n)
	}
	if n := sweep(top, time.Now().Add(time.Hour)); n != 2 {
		t.Errorf("%d removed, want 2", n)
	}
	left, err := os.ReadDir(top)
	if err != nil || len(left) != 3 {
		t.Errorf("%v, %v", left, err)
	}
}

// TestRealGroup makes a real one where this machine lets us.
func TestRealGroup(t *testing.T) {
	t.Parallel()
	g, err := New(64<<20, 7)
	if err != nil {
		t.Skipf("NO CONTROL GROUPS HERE: %v", err)
	}
	file := map[int]string{1: "pids.max", 2: "pids.max"}[g.Version]
	if g.Processes {
		if got := strings.TrimSpace(g.read("pids", file)); got != strconv.Itoa(7) {
			t.Errorf("%s is %q", file, got)
		}
	}
	if g.OOMKills() != 0 || g.RefusedForks() != 0 {
		t.Error("counters of a new group")
	}
	var dirs []string
	for _, d := range g.dirs {
		dirs = append(dirs, d.path)
	}
	if err := g.Remove(); err != nil {
		t.Fatal(err)
	}
	for _, d := range dirs {
		if _, err := os.Stat(d); !os.IsNotExist(err) {
			t.Errorf("%s is left", d)
		}
	}
}
