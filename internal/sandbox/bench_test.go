//go:build linux

package sandbox_test

import (
	"context"
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
	var walls []time.Duration
	before := processorTime()
	for b.Loop() {
		begun := time.Now()
		s, err := sandbox.Embedded().Start(context.Background(), spec)
		if err != nil {
			b.Skip(err)
		}
		r, err := s.Run(context.Background(), sandbox.Step{Argv: []string{"/usr/bin/true"}})
		if err != nil || r.ExitCode != 0 {
			b.Fatal(r, err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
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
