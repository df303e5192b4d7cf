//go:build linux

package sandbox_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/glassbuild/glassbuild/internal/sandbox"
	"github.com/glassbuild/glassbuild/internal/sandbox/cgroup"
	"github.com/glassbuild/glassbuild/internal/store"
)

// TestDaemon leaves a process behind that ignores signals and has no parent: the next step must not see it.
func TestDaemon(t *testing.T) {
	t.Parallel()
	b := start(t, spec())
	b.run(0, "tool-daemon")
	b.run(0, "see-processes")
	b.take()
	b.run(0, "tool-read", "/tmp/alive")
	first := b.take()
	time.Sleep(20 * time.Millisecond)
	b.run(0, "tool-read", "/tmp/alive")
	if second := b.take(); first != second {
		t.Errorf("it counts on: %q, %q", first, second)
	}
}

// TestClose wants nothing left: no process, mount, control group or file.
func TestClose(t *testing.T) {
	t.Parallel()
	marker := fmt.Sprintf("close-%d-%d", os.Getpid(), time.Now().UnixNano())
	mounts := read(t, "/proc/self/mountinfo")
	b := start(t, spec())
	done := make(chan error, 1)
	go func() {
		_, err := b.Run(context.Background(), sandbox.Step{Argv: []string{attacker, "tool-stubborn", marker}})
		done <- err
	}()
	waitFor(t, "the step", func() bool { return len(processes(marker)) > 0 })
	if groups() == 0 && hasGroup(b) {
		t.Error("no control group while it runs")
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if left := processes(marker); len(left) != 0 {
		t.Errorf("processes %v", left)
	}
	if err := <-done; err == nil {
		t.Error("the step that was closed ended well")
	}
	if now := read(t, "/proc/self/mountinfo"); now != mounts {
		t.Error("mounts differ")
	}
	if err := b.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
}

// TestKilled kills the program that owns a sandbox, in every way.
func TestKilled(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			marker := fmt.Sprintf("killed-%d-%d", signal, time.Now().UnixNano())
			own, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			temp := t.TempDir()
			c := exec.Command(own, marker)
			c.Env = append(os.Environ(), holdVariable+"="+os.Getenv(attackerVariable), "TMPDIR="+temp)
			out, err := c.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			line, _ := bufio.NewReader(out).ReadString('\n')
			if line != "ready\n" {
				_ = c.Process.Kill()
				_ = c.Wait()
				skipWhereForbidden(t, fmt.Errorf("%s", line))
				t.Fatalf("%q", line)
			}
			if len(processes(marker)) < 2 { // the owner, and the step
				t.Fatal("no step")
			}
			if err := c.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			_ = c.Wait()
			waitFor(t, "the end of the step", func() bool { return len(processes(marker)) == 0 })
			sweepBundles(t, temp)
			if left, err := os.ReadDir(temp); err != nil || len(left) != 0 {
				t.Errorf("files %v, %v", left, err)
			}
			waitFor(t, "the sweep of its control group", func() bool {
				cgroup.Sweep()
				return !slices.ContainsFunc(groupNames(), func(n string) bool {
					return strings.Contains(n, "glassbuild-"+strconv.Itoa(c.Process.Pid)+"-")
				})
			})
		})
	}
}

// sweepBundles starts the next run, after which no bundle of a killed one is left. The runtime itself ended before it, and
// forgot its container.
func sweepBundles(t *testing.T, temp string) {
	t.Helper()
	dirs, _ := filepath.Glob(filepath.Join(temp, cachePrefix+"*"))
	if len(dirs) == 0 {
		return // the embedded runtime makes none
	}
	dir := dirs[0]
	states, _ := filepath.Glob(filepath.Join(dir, "runs", "*", "*", "state"))
	if len(states) != 1 {
		t.Errorf("states %q", states)
	}
	for _, state := range states {
		waitFor(t, "the end of the runtime", func() bool { left, err := os.ReadDir(state); return err == nil && len(left) == 0 })
	}
	s, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.NewRun()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	if left, err := os.ReadDir(filepath.Join(dir, "runs")); err != nil || len(left) != 0 {
		t.Errorf("bundles %v, %v", left, err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Error(err)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come", what)
		}
	}
}

// processes returns the processes with marker among their arguments.
func processes(marker string) (out []string) {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range files {
		if text, err := os.ReadFile(f); err == nil && strings.Contains(string(text), marker) {
			out = append(out, f)
		}
	}
	return out
}

func groupNames() (out []string) {
	_ = filepath.WalkDir("/sys/fs/cgroup", func(path string, e os.DirEntry, err error) error {
		if err == nil && e.IsDir() && strings.HasPrefix(e.Name(), "glassbuild-") {
			out = append(out, path)
		}
		return nil
	})
	return out
}

func groups() int { return len(groupNames()) }

func hasGroup(b *box) bool {
	return slices.ContainsFunc(b.Isolation().Limits, func(l sandbox.Enforced) bool { return strings.HasPrefix(l.By, "cgroup") })
}

// TestNoFurtherGroups holds that the groups of whoever starts a sandbox stay outside, where they can be left at all.
func TestNoFurtherGroups(t *testing.T) {
	t.Parallel()
	fixed, err := os.ReadFile("/proc/self/setgroups")
	if err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() != 0 || strings.TrimSpace(string(fixed)) == "deny" {
		t.Skip("who is not root, or in a user namespace whose groups are fixed, cannot leave a group")
	}
	for _, c := range start(t, spec()).Isolation().Checks {
		if c.Name == "identity" {
			if !strings.Contains(c.Detail, `further groups ""`) {
				t.Errorf("identity: %s", c.Detail)
			}
			return
		}
	}
	t.Error("nobody looked at the identity")
}
