package verify_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/verdict"
	"github.com/glassbuild/glassbuild/verify"
)

// The Go project ships gofmt, asm, cgo and preprofile in its toolchain module, beside the source that they are built from. The
// source goes into a git repository of the test, and what was shipped must come out bit for bit: GOROOT is the exported
// tree, the toolchain only compiles.
const (
	goVersion   = "1.26.5"
	goToolchain = "golang.org/toolchain@v0.0.1-go" + goVersion + ".linux-amd64"
)

// shipped are the digests of the Go project's own files, by member.
var shipped = map[string]string{
	"bin/gofmt":                       "198a3d0a83314900388906b849ef9f6238cc8112fc8230fd4be466d90cc4e0e5",
	"pkg/tool/linux_amd64/asm":        "0c9a07447aba3ed1df7a0a3e85f6e003d9bf312d2936dfc4b79e3d81e8ca7636",
	"pkg/tool/linux_amd64/cgo":        "3e5f2a5d3d7a56bc18193485df4ae753cda125bae941166a24f9a8d77e584b12",
	"pkg/tool/linux_amd64/preprofile": "a3c3f71fc0d10fbcfdbdb6532d94697102884578f8b8313a265fb125a849035f",
}

const toolsRecipe = `format = 1

[builder]
go = "` + goVersion + `"
without = ["bin/gofmt", "pkg/tool/*/cgo", "pkg/tool/*/preprofile"]

[vcs]
stamp = false

[env]
CGO_ENABLED = "0"
GOROOT = "/src"

[[step]]
run = ["go", "build", "-trimpath", "-ldflags=-w", "-gcflags=cmd/...=-dwarf=false", "-o", "/out/", %s]
`

// toolsPolicy accepts that the rebuilt assembler is the one that the builder holds: nothing else can assemble it.
const toolsPolicy = `format = 1

[rebuild]
vendored = "the Go project vendors a commit of golang.org/x/build that was never published as a version"

[[rebuild.copy]]
sha256 = "0c9a07447aba3ed1df7a0a3e85f6e003d9bf312d2936dfc4b79e3d81e8ca7636"
reason = "the assembler assembles itself"
`

func TestGoToolsComeOutAsShipped(t *testing.T) {
	t.Parallel()
	w := newWorkshop(t)
	for member, sum := range shipped {
		v := w.verify(t, w.release, member, w.honest, w.recipe("cmd/gofmt", "cmd/asm", "cmd/cgo", "cmd/preprofile"))
		if v.Result != verdict.Passed || v.Match != verdict.MatchIdentical || v.ExitCode() != 0 {
			t.Fatalf("%s: %s (%s): %s", member, v.Result, v.Match, v.Summary)
		}
		if v.Subject.SHA256 != sum {
			t.Errorf("%s: the verdict speaks of %s", member, v.Subject.SHA256)
		}
		if member == "pkg/tool/linux_amd64/asm" && !slices.ContainsFunc(v.Exceptions, func(e string) bool { return strings.Contains(e, "assembles itself") }) {
			t.Errorf("asm equals the builder's own and the exception is not told: %q", v.Exceptions)
		}
	}

	// one flipped byte in what was shipped
	flipped := filepath.Join(t.TempDir(), "gofmt")
	data, err := os.ReadFile(filepath.Join(w.release, "bin", "gofmt"))
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if err := os.WriteFile(flipped, data, 0o755); err != nil {
		t.Fatal(err)
	}
	v := w.verify(t, flipped, "", w.honest, w.recipe("cmd/gofmt", "cmd/asm", "cmd/cgo", "cmd/preprofile"))
	if v.Result != verdict.Failed || v.Match != verdict.MatchDifferent || v.ExitCode() != 1 {
		t.Fatalf("flipped byte: %s (%s): %s", v.Result, v.Match, v.Summary)
	}
	d := v.Comparison.Members[0].Difference
	if d == nil || d.Bytes != 1 || d.First != int64(len(data)/2) || d.Last != d.First {
		t.Fatalf("flipped byte: %+v", d)
	}
}

// TestSourceIsWhatIsCompiled closes F13: were the toolchain's own standard library compiled instead of the commit's, one
// changed line of the commit would change nothing.
func TestSourceIsWhatIsCompiled(t *testing.T) {
	t.Parallel()
	w := newWorkshop(t)
	v := w.verify(t, filepath.Join(w.release, "bin", "gofmt"), "", w.altered, w.recipe("cmd/gofmt"))
	if v.Result != verdict.Failed || v.Match != verdict.MatchDifferent {
		t.Fatalf("%s (%s): %s", v.Result, v.Match, v.Summary)
	}
}

// workshop is a repository made from the source in the toolchain module, and what was shipped with it.
type workshop struct {
	dir, repo, release string
	honest, altered    string // commits
}

func newWorkshop(t *testing.T) *workshop {
	t.Helper()
	tc := toolchainModule(t)
	w := &workshop{dir: t.TempDir()}
	w.repo, w.release = filepath.Join(w.dir, "go"), filepath.Join(w.dir, "shipped")
	for member := range shipped {
		copyInto(t, filepath.Join(tc, member), filepath.Join(w.release, member), 0o755)
	}
	for _, sub := range []string{"src", "lib", "pkg/include"} {
		copyTree(t, filepath.Join(tc, sub), filepath.Join(w.repo, sub))
	}
	for _, f := range []string{"VERSION", "go.env"} {
		copyInto(t, filepath.Join(tc, f), filepath.Join(w.repo, f), 0o644)
	}
	if err := os.Symlink("/usr/local/go/pkg/tool", filepath.Join(w.repo, "pkg", "tool")); err != nil {
		t.Fatal(err)
	}
	w.git(t, "init", "-q", "-b", "main")
	w.git(t, "add", "-A", "-f")
	w.git(t, "commit", "-q", "-m", "source of go"+goVersion)
	w.honest = w.git(t, "rev-parse", "HEAD")
	file := filepath.Join(w.repo, "src", "fmt", "print.go")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(text), `"%!"`, `"%?"`, 1)
	if changed == string(text) {
		t.Fatal("print.go has no line to change")
	}
	if err := os.WriteFile(file, []byte(changed), 0o644); err != nil {
		t.Fatal(err)
	}
	w.git(t, "commit", "-q", "-a", "-m", "one line")
	w.altered = w.git(t, "rev-parse", "HEAD")
	return w
}

func (w *workshop) git(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "core.autocrlf=false", "-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "commit.gpgsign=false"}, args...)...)
	cmd.Dir = w.repo
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_AUTHOR_DATE=1700000000 +0000", "GIT_COMMITTER_DATE=1700000000 +0000")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// recipe writes the auditor's recipe for some of the tools.
func (w *workshop) recipe(pkgs ...string) string {
	var quoted []string
	text := ""
	for _, p := range pkgs {
		quoted = append(quoted, fmt.Sprintf("%q", p))
		name := filepath.Base(p)
		text += fmt.Sprintf("\n[[artifact]]\noutput = %q\n", name)
		for member := range shipped {
			if filepath.Base(member) == name && len(pkgs) > 1 {
				text += fmt.Sprintf("member = %q\n", member)
			}
		}
	}
	return fmt.Sprintf(toolsRecipe, strings.Join(quoted, ", ")) + text
}

func (w *workshop) verify(t *testing.T, artefact, member, commit, recipeText string) verify.Verdict {
	t.Helper()
	dir := t.TempDir()
	if member == "" && strings.Contains(recipeText, "member =") {
		recipeText = w.recipeFor(recipeText, "gofmt")
	}
	for name, text := range map[string]string{"r.toml": recipeText, "p.toml": toolsPolicy} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	res, err := verify.Run(context.Background(), verify.Request{Artefact: artefact, Member: member, Repository: w.repo, Commit: commit,
		RecipeFile: filepath.Join(dir, "r.toml"), PolicyFile: filepath.Join(dir, "p.toml"), CacheDir: sharedCache(t)})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range res.LogTail {
		t.Log(l)
	}
	return res.Verdict
}

// recipeFor keeps one artifact of a recipe, as the shipped file itself.
func (w *workshop) recipeFor(text, output string) string {
	head, _, _ := strings.Cut(text, "\n[[artifact]]")
	return head + fmt.Sprintf("\n[[artifact]]\noutput = %q\n", output)
}

// sharedCache keeps toolchains between tests and runs.
func sharedCache(t *testing.T) string {
	t.Helper()
	base, err := os.UserCacheDir()
	if err != nil {
		base = os.TempDir()
	}
	return filepath.Join(base, "glassbuild-test")
}

// toolchainModule downloads the module that the go command itself downloads, through the user's own configuration.
func toolchainModule(t *testing.T) string {
	t.Helper()
	cmd := exec.Command("go", "mod", "download", "-json", goToolchain)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	out, err := cmd.Output()
	var m struct{ Dir, Error string }
	if jerr := json.Unmarshal(out, &m); err != nil || jerr != nil || m.Dir == "" {
		t.Fatalf("%s cannot be had: %v %s", goToolchain, err, m.Error)
	}
	return m.Dir
}

func copyTree(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, p)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if d.Name() == "testdata" {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(p, "_test.go") {
			copyInto(t, p, filepath.Join(to, rel), 0o644)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func copyInto(t *testing.T, from, to string, mode fs.FileMode) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(to), 0o755)
	}
	if err == nil {
		err = os.WriteFile(to, data, mode)
	}
	if err != nil {
		t.Fatal(err)
	}
}
