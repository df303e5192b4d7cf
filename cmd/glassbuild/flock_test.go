package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/builder/debian"
	"github.com/glassbuild/glassbuild/internal/verdict"
	"github.com/glassbuild/glassbuild/testdata/vendors"
)

// hostFlock are the releases that the quick tests try: one that is honest, one that is not what was built, one for each
// check that looks at the source or at the runs.
var hostFlock = []string{"merlin-c", "merlin-one-line", "merlin-prebuilt-policy", "merlin-clock", "harrier-image", "harrier-postinst"}

// variedFlock are the honest releases that are verified once more with every factor varied.
var variedFlock = []string{"merlin-c", "harrier-deb", "wren", "heron", "ibis"}

// TestFlockOnHost verifies sample vendors that build with C compiler and packager of this machine.
func TestFlockOnHost(t *testing.T) {
	t.Parallel()
	if runtime.GOARCH != "amd64" || !sandboxed(t) {
		t.Skip("this machine cannot rebuild, or is not the one that the releases are for")
	}
	for _, tool := range []string{"gcc", "make", "dpkg-deb"} {
		if _, err := os.Stat(filepath.Join("/usr/bin", tool)); err != nil {
			t.Skipf("this machine has no %s below /usr/bin", tool)
		}
	}
	verifyFlock(t, vendors.FlockOptions{Host: true, Only: hostFlock}, t.TempDir())
}

// TestE2EFlock verifies every release of the vendors that build with a Debian system, each with its builder locked, against
// the answer that it must give.
func TestE2EFlock(t *testing.T) {
	if os.Getenv("GLASSBUILD_E2E") == "" {
		t.Skip("fetches packages of a Debian suite: make e2e runs it")
	}
	if runtime.GOARCH != "amd64" || !sandboxed(t) {
		t.Skip("this machine cannot rebuild, or is not the one that the releases are for")
	}
	if system, err := debian.LoadSystem("/"); err != nil || len(system.Mirrors("bookworm", "main")) == 0 {
		t.Skip("this system's apt names no mirror for bookworm")
	}
	verifyFlock(t, vendors.FlockOptions{}, debianCache(t))
}

// debianCache is a cache that stays: packages are fetched, and roots laid, once on each machine.
func debianCache(t *testing.T) string {
	t.Helper()
	dir, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "glassbuild-e2e", "debian")
}

func verifyFlock(t *testing.T, opt vendors.FlockOptions, cache string) {
	t.Helper()
	dir := t.TempDir()
	bin, err := exec.LookPath("glassbuild")
	if err != nil {
		t.Fatal(err)
	}
	opt.Program, opt.Env = bin, append(os.Environ(), "XDG_CACHE_HOME="+cache)
	expected, err := vendors.MakeFlock(t.Context(), dir, opt)
	if err != nil {
		t.Fatal(err)
	}
	if !opt.Host { // what is honest also is where everything is varied, the wall clock among it: in C, Node.js, Python and Java
		if err := os.WriteFile(filepath.Join(dir, "all.toml"), []byte("format = 1\n[rebuild]\nvary = \"all\"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		for _, r := range slices.Clone(expected.Releases) {
			if slices.Contains(variedFlock, r.Name) {
				r.Name, r.Args = r.Name+"-varied", append(slices.Clone(r.Args), "--policy", "all.toml")
				expected.Releases = append(expected.Releases, r)
			}
		}
	}
	verifyExpected(t, bin, dir, opt.Env, expected)
}

// TestE2EWholeRelease verifies whole releases of the sample vendor, two platforms in packages in packages, honest and not,
// against the answers that they must give.
func TestE2EWholeRelease(t *testing.T) {
	if os.Getenv("GLASSBUILD_E2E") == "" {
		t.Skip("builds for two platforms: make e2e runs it")
	}
	if !sandboxed(t) {
		t.Skip("this machine cannot rebuild")
	}
	bin, err := exec.LookPath("glassbuild")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	expected, err := vendors.Make(t.Context(), dir, vendors.Options{Only: vendors.WholeNames()})
	if err != nil {
		t.Fatal(err)
	}
	verifyExpected(t, bin, dir, append(os.Environ(), "XDG_CACHE_HOME="+t.TempDir()), expected)
}

// verifyExpected verifies every release and holds the verdict against what is expected.
func verifyExpected(t *testing.T, bin, dir string, env []string, expected *vendors.Expected) {
	t.Helper()
	for _, r := range expected.Releases {
		t.Run(r.Name, func(t *testing.T) {
			cmd := exec.Command(bin, append([]string{"verify", "--format", "json"}, r.Args...)...)
			cmd.Dir, cmd.Env = dir, env
			var stdout, stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			err := cmd.Run()
			var exit *exec.ExitError
			if err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			var v verdict.Verdict
			if err := json.Unmarshal(stdout.Bytes(), &v); err != nil {
				t.Fatalf("no verdict, exit code %d\n%s", cmd.ProcessState.ExitCode(), stderr.String())
			}
			wrong := flockDifferences(r, v)
			if want, ok := flockOrigins[strings.TrimSuffix(r.Name, "-varied")]; ok && v.Result == verdict.Passed {
				if problem := originProblem(v, want.output, want.by, want.source); problem != "" {
					wrong = append(wrong, problem)
				}
			}
			if got := cmd.ProcessState.ExitCode(); got != r.Exit || len(wrong) > 0 {
				t.Errorf("exit code %d, want %d; %s\n%s", got, r.Exit, strings.Join(wrong, "; "), stderr.String())
			}
		})
	}
}

// flockOrigins is what honest releases say of the source that is in them.
var flockOrigins = map[string]struct {
	output, by string
	source     []string
}{
	"merlin-c":    {"merlin-sum", "file-symbols", []string{"src/lookup.c", "src/merlin-sum.c", "src/sum.c"}},
	"merlin-cpp":  {"merlin", "depfiles,file-symbols", []string{"cli/main.cpp", "src/lookup.c", "src/merlin.h", "src/sum.c"}},
	"harrier-deb": {"harrier_1.4.0_amd64.deb/data.tar.gz/usr/bin/harrier", "file-symbols", []string{"src/harrier.c", "src/manifest.c"}},
	"wren":        {"wren-options-0.9.2.tgz", "same-bytes,source-maps", []string{"LICENSE", "README.md", "package.json", "src/index.ts", "src/parse.ts"}},
	"heron":       {"heron-2.1.0-py3-none-any.whl", "same-bytes", []string{"src/heron/__init__.py", "src/heron/__main__.py", "src/heron/scan.py"}},
	"ibis":        {"ibis-3.0.1.jar", "class-files", []string{"src/main/java/example/ibis/AccountNumber.java", "src/main/java/example/ibis/Main.java"}},
}

// flockDifferences says in which way an answer is not the expected one: result, match, the check that decided, and whether
// that check names the culprit.
func flockDifferences(r vendors.Release, v verdict.Verdict) []string {
	var wrong []string
	if string(v.Result) != r.Result || r.Match != "" && string(v.Match) != r.Match {
		wrong = append(wrong, fmt.Sprintf("%s (%s), want %s (%s)", v.Result, v.Match, r.Result, r.Match))
	}
	if c := v.Check(r.SaysIn); r.SaysIn != "" && !strings.Contains(c.Text, r.Says) {
		wrong = append(wrong, fmt.Sprintf("%s: %s; want it to name %q", r.SaysIn, c.Text, r.Says))
	}
	if r.Check == "" {
		return wrong
	}
	if c := v.Check(r.Check); string(c.Status) != r.Result || !strings.Contains(c.Text, r.Says) {
		wrong = append(wrong, fmt.Sprintf("%s is %s: %s; want it to name %q", r.Check, c.Status, c.Text, r.Says))
	}
	return wrong
}
