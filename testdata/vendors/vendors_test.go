package vendors_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"debug/elf"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/glassbuild/glassbuild/internal/policy"
	"github.com/glassbuild/glassbuild/internal/recipe"
	"github.com/glassbuild/glassbuild/testdata/vendors"
)

var update = flag.Bool("update", false, "write ids.golden anew")

// all makes everything once for all tests of this package.
var all = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "vendors-")
	if err != nil {
		return "", err
	}
	madeIn = dir
	_, err = vendors.Make(context.Background(), dir, vendors.Options{})
	return dir, err
})

// madeIn is the folder that is to be removed at the end, where a test asked for it.
var madeIn string

func TestMain(m *testing.M) {
	code := m.Run()
	if madeIn != "" {
		os.RemoveAll(madeIn)
	}
	os.Exit(code)
}

func made(t *testing.T) (string, *vendors.Expected) {
	t.Helper()
	dir, err := all()
	if err != nil {
		t.Fatal(err)
	}
	expected, err := vendors.ReadExpected(filepath.Join(dir, "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	return dir, expected
}

// golden is what must never change by itself: the ids of every repository, and the digest of every release whose bytes
// rest on nothing but the pinned toolchain.
type golden struct {
	Repos    map[string]vendors.Repo `json:"repos"`
	Releases map[string]string       `json:"releases"`
}

// moving are the plain programs that hold a time, a folder's name, or the machine's own Go version.
var moving = []string{"unreproducible", "unreproducible-tampered", "unreproducible-container", "linker-payload", "host-builder"}

func TestIDsAndBytesAreFixed(t *testing.T) {
	dir, expected := made(t)
	got := golden{Repos: expected.Repos, Releases: map[string]string{}}
	for _, r := range expected.Releases {
		pinned := filepath.Base(r.Artefact) == "kestrel" || strings.HasSuffix(r.Artefact, "/kestrel_linux_amd64.tar.gz")
		if pinned && !slices.Contains(moving, r.Name) {
			got.Releases[r.Name] = digest(t, filepath.Join(dir, r.Artefact))
		}
	}
	data, err := json.MarshalIndent(got, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	data = append(data, '\n')
	if *update {
		if err := os.WriteFile("ids.golden", data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("ids.golden")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(data, want) {
		t.Errorf("ids or bytes changed; if that is meant, run the test with -update\ngot %s", data)
	}
}

func TestArchivesAreTheSameEveryTime(t *testing.T) {
	dir, expected := made(t)
	names := []string{"honest-archive", "honest-zip-member", "postinstall", "control-names", "honest-container"}
	again := t.TempDir()
	second, err := vendors.Make(t.Context(), again, vendors.Options{Only: names})
	if err != nil {
		t.Fatal(err)
	}
	if len(second.Releases) != len(names) {
		t.Fatalf("%d releases made, want %d", len(second.Releases), len(names))
	}
	for _, r := range second.Releases {
		if digest(t, filepath.Join(again, r.Artefact)) != digest(t, filepath.Join(dir, r.Artefact)) {
			t.Errorf("%s: other bytes the second time", r.Name)
		}
		i := slices.IndexFunc(expected.Releases, func(o vendors.Release) bool { return o.Name == r.Name })
		if !slices.Equal(r.Args, expected.Releases[i].Args) {
			t.Errorf("%s: other arguments the second time", r.Name)
		}
	}
}

func TestEveryReleaseIsThereWithARow(t *testing.T) {
	dir, expected := made(t)
	var names []string
	rows := map[string]bool{}
	for _, r := range expected.Releases {
		names = append(names, r.Name)
		rows[r.Row] = true
		if info, err := os.Stat(filepath.Join(dir, r.Artefact)); err != nil || !r.Whole && info.Size() < 1<<20 {
			t.Errorf("%s: artefact missing or too small (%v)", r.Name, err)
		}
		if exit := map[string]int{"passed": 0, "failed": 1, "inconclusive": 3}[r.Result]; exit != r.Exit {
			t.Errorf("%s: %s with exit code %d", r.Name, r.Result, r.Exit)
		}
		if (r.Result == "passed") != (r.Check == "") {
			t.Errorf("%s: %s by check %q", r.Name, r.Result, r.Check)
		}
	}
	if !slices.Equal(names, vendors.Names()) || len(slices.Compact(slices.Sorted(slices.Values(names)))) != len(names) {
		t.Errorf("got %v, want %v, each once", names, vendors.Names())
	}
	for _, row := range []string{"F1", "F2", "F3", "F5", "F6", "F12", "F13", "F14", "F16", "F19"} {
		if !rows[row] {
			t.Errorf("no release for %s", row)
		}
	}
}

// TestHostileReleasesAreWhatTheySay looks at the programs themselves: a release that is not hostile proves nothing.
func TestHostileReleasesAreWhatTheySay(t *testing.T) {
	dir, expected := made(t)
	file := func(name string) string { return filepath.Join(dir, "releases", name, "kestrel") }
	commits := expected.Repos["repo"].Commits
	for _, c := range []struct{ name, revision, version string }{
		{"honest-binary", commits["v1.3.0"], "v1.3.0"},
		{"tampered", commits["v1.3.0"], "v1.3.0"},
		{"one-line", commits["v1.3.0"], "v1.3.0"},
		{"doctored-toolchain", commits["v1.3.0"], "v1.3.0"},
		{"linker-payload-hidden", commits["v1.3.0"], "v1.3.0"},
		{"phantom-tag", commits["v1.3.0"], "v1.9.9"},
		{"other-commit", commits["v1.2.0"], "v1.2.0"},
		{"dirty", commits["v1.2.0"], "v1.2.0+dirty"},
		{"linker-payload", commits["v1.2.0"], "v1.2.0"},
		{"unreachable", commits["unreachable"], "v1.3.1-0.20260311100000-" + commits["unreachable"][:12]},
		{"renamed-tag", commits["v1.2.0"], "v1.9.0"},
		{"side-branch", commits["side"], "v1.3.1-0.20260310100000-" + commits["side"][:12]},
		{"copied", "", "(devel)"},
		{"vendored-edited", expected.Repos["repo-vendored-edited"].Commits["v1.3.1"], "v1.3.1"},
	} {
		info, err := buildinfo.ReadFile(file(c.name))
		if err != nil {
			t.Fatal(err)
		}
		revision := ""
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = s.Value
			}
		}
		if info.Main.Version != c.version || revision != c.revision {
			t.Errorf("%s: stamped %s %s, want %s %s", c.name, info.Main.Version, revision, c.version, c.revision)
		}
	}
	for _, c := range []struct {
		name, text string
		want       bool
	}{
		{"honest-binary", "collector.invalid", false},
		{"tampered", "collector.invalid", true},
		{"unreproducible", "collector.invalid", false},
		{"unreproducible-tampered", "collector.invalid", true},
		{"copied", "collector.invalid", true},
		{"unreachable", "collector.invalid", true},
		{"doctored-toolchain", "flag given but not defined", true},
		{"honest-binary", "flag given but not defined", false},
		{"export-subst", "/opt/collector", true},
		{"linker-payload-hidden", "/opt/collector,/etc/cron.d", true},
		{"vendored-edited", "/etc/ld.so.preloads", true},
		{"honest-vendored", "/etc/ld.so.preloads", false},
	} {
		data, err := os.ReadFile(file(c.name))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(data, []byte(c.text)) != c.want {
			t.Errorf("%s: %q in it: %v, want %v", c.name, c.text, !c.want, c.want)
		}
	}
	program, err := elf.Open(file("dependency-strips"))
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	if len(program.Sections) != 0 {
		t.Errorf("dependency-strips: %d sections left", len(program.Sections))
	}
	sums := map[string]string{}
	for _, name := range []string{"honest-binary", "tampered", "one-line", "one-bit", "appended", "phantom-tag", "doctored-toolchain", "linker-payload-hidden"} {
		sum := digest(t, file(name))
		if other, ok := sums[sum]; ok {
			t.Errorf("%s is the same file as %s", name, other)
		}
		sums[sum] = name
	}
}

// TestSignaturesVerifyWithGit asks git itself, with the allowed_signers file that is handed out.
func TestSignaturesVerifyWithGit(t *testing.T) {
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		t.Skip("ssh-keygen is not installed; git needs it to verify SSH signatures")
	}
	dir, expected := made(t)
	for name, r := range expected.Repos {
		if out, err := git(dir, name, "fsck", "--full", "--strict"); err != nil {
			t.Errorf("%s: fsck: %v\n%s", name, err, out)
		}
		for tag, commit := range r.Tags {
			if out, err := git(dir, name, "verify-tag", tag); err != nil {
				t.Errorf("%s: tag %s: %v\n%s", name, tag, err, out)
			}
			if out, err := git(dir, name, "verify-commit", commit); err != nil {
				t.Errorf("%s: %s: %v\n%s", name, tag, err, out)
			}
		}
		for _, not := range []string{"side", "unreachable"} {
			if out, err := git(dir, name, "verify-commit", r.Commits[not]); err == nil {
				t.Errorf("%s: commit %s verifies\n%s", name, not, out)
			}
		}
		out, err := git(dir, name, "for-each-ref", "--contains", r.Commits["unreachable"])
		if err != nil || len(out) != 0 {
			t.Errorf("%s: the unreachable commit is reached: %s (%v)", name, out, err)
		}
	}
}

func git(dir, repo string, args ...string) ([]byte, error) {
	cmd := exec.Command("git", append([]string{"-c", "gpg.ssh.allowedSignersFile=" + filepath.Join(dir, "keys", "allowed_signers")}, args...)...)
	cmd.Dir = filepath.Join(dir, repo)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1")
	return cmd.CombinedOutput()
}

// TestKestrelPassesItsOwnTests builds and tests the vendor's module as a user of it would.
func TestKestrelPassesItsOwnTests(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("go", "test", "./...")
	cmd.Dir = "kestrel"
	cmd.Env = append(os.Environ(), "GOTOOLCHAIN="+vendors.Toolchain, "GOFLAGS=", "GOWORK=off", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestRecipesAndPoliciesAreValid reads every recipe and policy that is handed out or lies at a commit: a release must be
// refused for what it is, not for a spelling mistake.
func TestRecipesAndPoliciesAreValid(t *testing.T) {
	dir, expected := made(t)
	files, err := filepath.Glob(filepath.Join(dir, "policies", "*.toml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no policies: %v", err)
	}
	for _, file := range files {
		if _, err := policy.Load(file, time.Now()); err != nil {
			t.Error(err)
		}
	}
	recipes := map[string][]byte{}
	if files, err = filepath.Glob(filepath.Join(dir, "recipes", "*.toml")); err != nil || len(files) == 0 {
		t.Fatalf("no recipes: %v", err)
	}
	for _, file := range files {
		if recipes[filepath.Base(file)], err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
	}
	for name := range expected.Repos {
		if recipes[name], err = git(dir, name, "cat-file", "blob", "main:"+recipe.FileName); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, data := range recipes {
		if _, err := recipe.Parse(name, data); err != nil {
			t.Error(err)
		}
	}
}

func TestUnknownNamesAndFullFoldersAreRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := vendors.Make(t.Context(), filepath.Join(dir, "a"), vendors.Options{Only: []string{"no-such"}}); err == nil || !strings.Contains(err.Error(), "no such release") {
		t.Errorf("got %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "mine"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := vendors.Make(t.Context(), dir, vendors.Options{}); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("got %v", err)
	}
}

func digest(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
