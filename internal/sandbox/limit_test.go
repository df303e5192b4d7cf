//go:build linux

package sandbox_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/glassbuild/glassbuild/internal/sandbox"
)

// limited starts a session with some limits of its own.
func limited(t *testing.T, change func(*sandbox.Limits)) *box {
	t.Helper()
	s := spec()
	change(&s.Limits)
	return start(t, s)
}

func TestMemoryLimit(t *testing.T) {
	t.Parallel()
	b := limited(t, func(l *sandbox.Limits) { l.Memory = 256 << 20; l.Output = 16 << 20 })
	r, err := b.Run(t.Context(), sandbox.Step{Argv: []string{attacker, "tool-memory"}})
	if err != nil || r.ExitCode == 0 || r.Limit != sandbox.LimitMemory {
		t.Errorf("%+v, %v\n%.300s", r, err, b.take())
	}
	if r.PeakMemory < 128<<20 || r.PeakMemory > 512<<20 {
		t.Errorf("peak %d", r.PeakMemory)
	}
	b.run(0, "tool-exit", "0")
}

func TestProcessLimit(t *testing.T) {
	t.Parallel()
	b := limited(t, func(l *sandbox.Limits) { l.Processes = 48; l.Wall = time.Minute })
	r, err := b.Run(t.Context(), sandbox.Step{Argv: []string{attacker, "tool-forks"}})
	if err != nil || r.ExitCode == 0 {
		t.Errorf("%+v, %v", r, err)
	}
	for _, l := range b.Isolation().Limits {
		if l.Limit == sandbox.LimitProcesses && l.By != "rlimit" && r.Limit != sandbox.LimitProcesses {
			t.Errorf("%+v, %+v", r, l)
		}
	}
	b.run(0, "see-processes")
}

func TestWallLimit(t *testing.T) {
	t.Parallel()
	b := limited(t, func(l *sandbox.Limits) { l.Wall = 300 * time.Millisecond })
	for _, tool := range []string{"tool-sleep", "tool-stubborn", "tool-daemon child"} {
		r, err := b.Run(t.Context(), sandbox.Step{Argv: append([]string{attacker}, strings.Fields(tool)...)})
		if err != nil || r.Limit != sandbox.LimitWall || r.ExitCode == 0 {
			t.Errorf("%s: %+v, %v", tool, r, err)
		}
		if wantSignal := tool != "tool-sleep"; wantSignal && r.Signal != "SIGKILL" {
			t.Errorf("%s: %+v", tool, r)
		}
	}
	b.run(0, "see-processes")
}

func TestCPULimit(t *testing.T) {
	t.Parallel()
	b := limited(t, func(l *sandbox.Limits) { l.CPU = 200 * time.Millisecond })
	r, err := b.Run(t.Context(), sandbox.Step{Argv: []string{attacker, "tool-spin"}})
	if err != nil || r.Limit != sandbox.LimitCPU || r.CPU < 200*time.Millisecond {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestLogLimit(t *testing.T) {
	t.Parallel()
	b := limited(t, func(l *sandbox.Limits) { l.Log = 1000 })
	r := b.run(0, "tool-print", strings.Repeat("x", 1500))
	want := strings.Repeat("x", 1000) + "\n" + fmt.Sprintf(sandbox.TruncationMark, 1000) + "\n"
	if got := b.take(); got != want || !r.LogTruncated || r.LogBytes != 1500 || r.Limit != "" {
		t.Errorf("%q, %+v", got, r)
	}
	r = b.run(0, "tool-print", strings.Repeat("y", 1000))
	if got := b.take(); len(got) != 1000 || r.LogTruncated {
		t.Errorf("%q, %+v", got, r)
	}
	// Ten gigabytes would be thrown away too; the step that prints without end is ended long before.
	r, err := b.Run(t.Context(), sandbox.Step{Argv: []string{attacker, "tool-log"}})
	if err != nil || r.Limit != sandbox.LimitLog || !r.LogTruncated || r.ExitCode == 0 {
		t.Errorf("%+v, %v", r, err)
	}
	if got := b.take(); len(got) > 1100 {
		t.Errorf("kept %d bytes", len(got))
	}
}

func TestOutputLimit(t *testing.T) {
	t.Parallel()
	s := spec(sandbox.Mount{Kind: sandbox.Scratch, Target: "/small", Size: 1 << 20}, sandbox.Mount{Kind: sandbox.Overlay, Source: os.Getenv(attackerVariable), Target: "/over"})
	s.Limits.Output = 8 << 20
	for _, file := range []string{"/out/fill", "/tmp/fill", "/small/fill", "/over/fill", "/home/builder/fill"} {
		b := start(t, s)
		r, err := b.Run(t.Context(), sandbox.Step{Argv: []string{attacker, "tool-disk", file}})
		if log := b.take(); err != nil || r.Limit != sandbox.LimitOutput || !strings.Contains(log, "no space left") {
			t.Errorf("%s: %+v, %v, %q", file, r, err, log)
		}
		b.Close()
	}
	b := start(t, s)
	r, err := b.Run(t.Context(), sandbox.Step{Argv: []string{attacker, "tool-disk", "/dev/shm/fill"}})
	if err != nil || r.ExitCode == 0 {
		t.Errorf("/dev/shm: %+v, %v", r, err)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	b := start(t, spec())
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	r, err := b.Run(ctx, sandbox.Step{Argv: []string{attacker, "tool-stubborn"}})
	if !errors.Is(err, context.Canceled) || r.Signal != "SIGKILL" {
		t.Errorf("%+v, %v", r, err)
	}
	b.run(0, "see-processes") // the session lives on
	b.Close()
	if _, err := b.Run(t.Context(), sandbox.Step{Argv: []string{attacker}}); err == nil {
		t.Error("a closed session runs")
	}
}
