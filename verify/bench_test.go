//go:build linux

package verify_test

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/glassbuild/glassbuild/internal/builder"
	"github.com/glassbuild/glassbuild/internal/gomod"
	"github.com/glassbuild/glassbuild/internal/rebuild"
	"github.com/glassbuild/glassbuild/internal/store"
)

const benchRuns = 5

// TestBenchMain prints what a verification costs beside the build itself. It asserts nothing about time: machines differ,
// and a figure belongs beside its ratio. `make bench-main` runs it.
func TestBenchMain(t *testing.T) {
	bin := benchProgram(t)
	vendor := filepath.Join(t.TempDir(), "vendor")
	run(t, "go", "run", "../testdata/vendors/makevendor", "-out", vendor, "-only", "honest-binary")
	args := expectedArgs(t, vendor, "honest-binary")
	fmt.Printf("\n%d processors, medians of %d, CPU of the whole process tree\n", runtime.NumCPU(), benchRuns)

	var total, steps, around, share, toolchain, rest []float64
	for range benchRuns {
		keep := filepath.Join(t.TempDir(), "keep")
		ps := tree(t, vendor, bin, append(args, "--no-cache", "--keep", keep)...)
		s := stepSeconds(t, keep)
		total, steps = append(total, ps.cpu), append(steps, s)
		around = append(around, ps.cpu-s)
		share = append(share, (ps.cpu-s)/(0.01*s+0.1))
		checked := toolchainSeconds(t, vendor)
		toolchain = append(toolchain, checked)
		rest = append(rest, (ps.cpu-s-checked)/(0.01*s+0.1))
	}
	fmt.Printf("%-58s %8.2f s\n", "a verification of the sample vendor, two cold runs", median(total))
	fmt.Printf("%-58s %8.2f s\n", "  its fetch and build steps alone", median(steps))
	fmt.Printf("%-58s %8.2f s   %.2f × (1 %% of the steps + 100 ms)\n", "  everything around them", median(around), median(share))
	fmt.Printf("%-58s %8.2f s\n", "    hashing the toolchain before it is used, measured apart", median(toolchain))
	fmt.Printf("%-58s %8.2f s   %.2f × (1 %% of the steps + 100 ms)\n", "    snapshot, export, sandboxes, comparison, verdict", median(around)-median(toolchain), median(rest))

	var warm, wall, hash []float64
	for range benchRuns {
		ps := tree(t, vendor, bin, args...)
		warm, wall = append(warm, ps.cpu), append(wall, ps.wall)
		hash = append(hash, toolchainSeconds(t, vendor)+hashSeconds(t, filepath.Join(vendor, args[1])))
	}
	fmt.Printf("%-58s %8.2f s   %.2f s wall, %.2f × (1 s + hashing toolchain and artefact, %.2f s)\n", "the same again, rebuild from the cache",
		median(warm), median(wall), median(wall)/(1+median(hash)), median(hash))
	benchMemory(t, vendor, bin, args)
}

// TestBenchMainRelease prints what a whole release and a search in a product cost.
func TestBenchMainRelease(t *testing.T) {
	bin := benchProgram(t)
	t.Run("verify", func(t *testing.T) { benchRelease(t, bin) })
	t.Run("find", func(t *testing.T) { benchFind(t, bin) })
}

// benchProgram is the program that make build made.
func benchProgram(t *testing.T) string {
	t.Helper()
	if os.Getenv("GLASSBUILD_BENCH") == "" {
		t.Skip("a benchmark: make bench-main runs it")
	}
	bin, err := filepath.Abs(filepath.Join("..", "bin", "glassbuild"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(bin); err != nil {
		t.Fatal("no program: make build makes it")
	}
	return bin
}

// benchMemory verifies a sparse file of 2 GB against the rebuild that is in the cache by now.
func benchMemory(t *testing.T, vendor, bin string, args []string) {
	big := filepath.Join(t.TempDir(), "kestrel")
	f, err := os.Create(big)
	if err == nil {
		err = f.Truncate(2_000_000_000)
	}
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	args = slices.Clone(args)
	args[1] = big
	var rss []float64
	for range benchRuns {
		rss = append(rss, tree(t, vendor, bin, args...).rss)
	}
	fmt.Printf("%-58s %8.0f MiB\n", "memory of glassbuild on a file of 2 GB that differs", median(rss))
}

// toolchainSeconds is the processor time of making the kept toolchain ready: every file of it is hashed.
func toolchainSeconds(t *testing.T, vendor string) float64 {
	t.Helper()
	var expected struct{ Toolchain string }
	data, err := os.ReadFile(filepath.Join(vendor, "expected.json"))
	if err == nil {
		err = json.Unmarshal(data, &expected)
	}
	dir, err2 := store.DefaultDir()
	env, err3 := gomod.LoadEnv()
	client, err4 := gomod.NewRemote(true)
	if err := errors.Join(err, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	spent := func() float64 {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			t.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
	}
	before := spent()
	if _, err := builder.Prepare(t.Context(), builder.Request{Go: strings.TrimPrefix(expected.Toolchain, "go")}, builder.Options{Store: s, Remote: client, Offline: true, GoEnv: env}); err != nil {
		t.Fatal(err)
	}
	return spent() - before
}

// hashSeconds is the time of hashing a file.
func hashSeconds(t *testing.T, name string) float64 {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	start := time.Now()
	if _, err := io.Copy(sha256.New(), f); err != nil {
		t.Fatal(err)
	}
	return time.Since(start).Seconds()
}

type usage struct{ cpu, wall, rss float64 } // seconds, seconds, MiB

func tree(t *testing.T, dir, bin string, args ...string) usage {
	t.Helper()
	cmd := exec.Command(bin, args...)
	cmd.Dir = dir
	start := time.Now()
	out, err := cmd.Output()
	if e, ok := err.(*exec.ExitError); err != nil && (!ok || e.ExitCode() != 1) {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	ru := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	return usage{cpu: cmd.ProcessState.UserTime().Seconds() + cmd.ProcessState.SystemTime().Seconds(), wall: time.Since(start).Seconds(), rss: float64(ru.Maxrss) / 1024}
}

func stepSeconds(t *testing.T, keep string) float64 {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(keep, "record.json"))
	if err != nil {
		t.Fatal(err)
	}
	var rec rebuild.Record
	if err := json.Unmarshal(data, &rec); err != nil {
		t.Fatal(err)
	}
	s := 0.0
	runs := rec.Runs
	if rec.Fetch != nil {
		runs = append(runs, *rec.Fetch)
	}
	for _, r := range runs {
		for _, st := range r.Steps {
			s += st.CPUSeconds
		}
	}
	if s == 0 {
		t.Fatal("the record holds no step")
	}
	return s
}

// expectedArgs returns the verify arguments of a release of the sample vendor.
func expectedArgs(t *testing.T, vendor, name string) []string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(vendor, "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var expected struct {
		Releases []struct {
			Name string
			Args []string
		}
	}
	if err := json.Unmarshal(data, &expected); err != nil {
		t.Fatal(err)
	}
	for _, r := range expected.Releases {
		if r.Name == name {
			return append([]string{"verify"}, r.Args...)
		}
	}
	t.Fatal("no release", name)
	return nil
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return s[len(s)/2]
}
