//go:build linux

package rebuild

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/glassbuild/glassbuild/internal/builder"
	"github.com/glassbuild/glassbuild/internal/gomod"
	"github.com/glassbuild/glassbuild/internal/recipe"
	"github.com/glassbuild/glassbuild/internal/sandbox"
	"github.com/glassbuild/glassbuild/internal/source"
	"github.com/glassbuild/glassbuild/internal/store"
)

// TestBenchTrace prints what the account of inputs costs, on the sample vendors' C project with its own builder and on a small Go program with what
// it needs of the standard library: the same
// build untraced, traced, and shown only what the trace named, in turn, since a machine that does something else
// beside costs every one of them more. CPU of the whole process tree of a run, from laying the root to its end.
// `make bench-build` runs it.
func TestBenchTrace(t *testing.T) {
	if os.Getenv("GLASSBUILD_BENCH") == "" {
		t.Skip("a benchmark: make bench-build runs it")
	}
	for _, vendor := range []struct {
		name   string
		rounds int
	}{{"merlin", 9}, {"go", 4}} {
		t.Run(vendor.name, func(t *testing.T) {
			o, req := benchOutcome(t, vendor.name)
			var opened []string
			cpu := map[string][]float64{}
			for round := range vendor.rounds {
				for _, mode := range []string{"untraced", "traced", "shown only those"} {
					seen := view{trace: mode == "traced", restrict: mode == "shown only those", opened: opened}
					if seen.restrict && opened == nil {
						continue
					}
					before := benchTime(t)
					r, err := o.runOnce(t.Context(), req, 0, seen)
					if err != nil {
						t.Fatal(mode, err, r.tail)
					}
					if spent := benchTime(t) - before; round > 0 { // the first round warms the machine up
						cpu[mode] = append(cpu[mode], spent.Seconds())
					}
					if seen.trace {
						if a := o.account(r.Record.Steps, nil); a.Why != "" {
							t.Fatal(a.Why)
						}
						opened = openedBy(r.Record.Steps, recipe.SourceDir)
					}
				}
			}
			base := cpu["untraced"]
			for _, mode := range []string{"untraced", "traced", "shown only those"} {
				slices.Sort(cpu[mode])
				least, median := cpu[mode][0], cpu[mode][len(cpu[mode])/2]
				fmt.Printf("%-10s %-18s CPU least %7.3f s (%+.1f %%), median %7.3f s (%+.1f %%), %d files opened\n", vendor.name, mode,
					least, 100*(least/base[0]-1), median, 100*(median/base[len(base)/2]-1), len(opened))
			}
		})
	}
}

// benchTime is the processor time of this process and of all that it started and that ended.
func benchTime(t *testing.T) time.Duration {
	sum := time.Duration(0)
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if err := syscall.Getrusage(who, &u); err != nil {
			t.Fatal(err)
		}
		sum += time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	return sum
}

// benchOutcome prepares a sample vendor's project for its runs.
func benchOutcome(t *testing.T, name string) (*Outcome, Request) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	repo := filepath.Join(t.TempDir(), "repo")
	if name == "go" {
		must(os.Mkdir(repo, 0o755))
		for file, text := range map[string]string{"go.mod": "module example.test/hello\n", "main.go": "package main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println(\"hello\") }\n",
			"glassbuild.toml": "format = 1\n[builder]\ngo = \"1.26.5\"\n[[step]]\nrun = [\"go\", \"build\", \"-o\", \"/out/hello\", \".\"]\n[[artifact]]\noutput = \"hello\"\n"} {
			must(os.WriteFile(filepath.Join(repo, file), []byte(text), 0o644))
		}
	} else {
		must(os.CopyFS(repo, os.DirFS(filepath.Join("../../testdata/vendors", name))))
	}
	git := func(args ...string) string {
		c := exec.Command("git", append([]string{"-c", "user.name=a", "-c", "user.email=a@example.org"}, args...)...)
		c.Dir, c.Env = repo, append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1")
		out, err := c.Output()
		must(err)
		return strings.TrimSpace(string(out))
	}
	git("init", "-q", "-b", "main", ".")
	git("add", "-A")
	git("commit", "-qm", "As it is")
	cache, err := os.UserCacheDir()
	must(err)
	s, err := store.Open(filepath.Join(cache, "glassbuild-e2e", "debian", "glassbuild"))
	must(err)
	run, err := s.NewRun()
	must(err)
	t.Cleanup(func() { run.Close() })
	net, err := gomod.NewRemote(false, builder.PlainHTTP()...)
	must(err)
	commit, err := source.Open(t.Context(), repo, git("rev-parse", "HEAD"), source.Options{Remote: net, CacheDir: t.TempDir()})
	must(err)
	t.Cleanup(func() { commit.Close() })
	data, err := os.ReadFile(filepath.Join(repo, "glassbuild.toml"))
	must(err)
	r, err := recipe.Parse("glassbuild.toml", data)
	must(err)
	req := Request{Commit: commit, Recipe: r, Runs: 2, Runtime: sandbox.Embedded(), Store: s, Run: run, Remote: net, Step: func(string, ...any) {}}
	if r.Builder.Debian != nil {
		req.Lock, err = MakeLock(t.Context(), req)
		must(err)
	}
	o, err := Gather(t.Context(), req)
	must(err)
	return o, req
}
