//go:build linux

package sandbox_test

import (
	"context"
	"os/exec"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/glassbuild/glassbuild/internal/sandbox"
)

// BenchmarkTrue measures a sandbox from nothing to nothing around a program that does nothing: wall time as median and
// least, and processor time of everything that was started and of this process, which a busy machine does not stretch.
func BenchmarkTrue(b *testing.B) {
	spec := sandbox.Spec{
		Mounts: []sandbox.Mount{
			{Kind: sandbox.ReadOnly, Source: "/usr", Target: "/usr"},
			{Kind: sandbox.ReadOnly, Source: "/lib", Target: "/lib"},
			{Kind: sandbox.ReadOnly, Source: "/lib64", Target: "/lib64"},
		},
	}
	measure(b, func() {
		s, err := chosen.Start(context.Background(), spec)
		if err != nil {
			b.Skip("no sandbox to be had:", err)
		}
		r, err := s.Run(context.Background(), sandbox.Step{Argv: []string{"/usr/bin/true"}})
		if err != nil || r.ExitCode != 0 {
			b.Fatal(r, err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	})
}

// BenchmarkTrueBubblewrap is the same program under bubblewrap, which filters no system call, masks nothing of /proc and
// looks at nothing from inside.
func BenchmarkTrueBubblewrap(b *testing.B) {
	bwrap, err := exec.LookPath("bwrap")
	if err != nil {
		b.Skip("bubblewrap is not installed: no figure to stand beside")
	}
	measure(b, func() {
		cmd := exec.Command(bwrap, "--unshare-all", "--die-with-parent", "--ro-bind", "/usr", "/usr", "--ro-bind", "/lib", "/lib",
			"--ro-bind", "/lib64", "/lib64", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "/usr/bin/true")
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Skipf("%v: %s", err, out)
		}
	})
}

// measure reports wall and processor time of every round: the mean says little on a machine with neighbours.
func measure(b *testing.B, round func()) {
	b.Helper()
	var walls []time.Duration
	before := processorTime()
	for b.Loop() {
		begun := time.Now()
		round()
		walls = append(walls, time.Since(begun))
	}
	slices.Sort(walls)
	b.ReportMetric(float64(walls[len(walls)/2].Microseconds()), "median-µs")
	b.ReportMetric(float64(walls[0].Microseconds()), "least-µs")
	b.ReportMetric(float64((processorTime()-before).Microseconds())/float64(len(walls)), "cpu-µs/op")
}

func processorTime() time.Duration {
	var total time.Duration
	for _, who := range []int{unix.RUSAGE_SELF, unix.RUSAGE_CHILDREN} {
		var u unix.Rusage
		_ = unix.Getrusage(who, &u)
		total += time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	return total
}
