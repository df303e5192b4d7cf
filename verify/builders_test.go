package verify_test

import (
	"archive/tar"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/builder/archivetest"
	"github.com/glassbuild/glassbuild/internal/verdict"
	"github.com/glassbuild/glassbuild/verify"
)

// compiler is what the builders of these tests hold beside nothing: static, so that no C library is needed.
const compiler = `package main

import "os"

func main() {
	text, err := os.ReadFile(os.Args[1])
	if err == nil {
		err = os.WriteFile(os.Args[2], append([]byte("compiled: "), text...), 0o755)
	}
	if err != nil {
		panic(err)
	}
}
`

// plant is a vendor whose builder is a package archive or an image.
type plant struct {
	dir, repo       string
	honest, altered string // commits; in the second one a source line is another
	release         string
	compiler        string // the compiler's bytes
}

func newPlant(t *testing.T) *plant {
	t.Helper()
	if _, ok := verify.Doctor(t.Context()); !ok {
		t.Skip("this machine cannot rebuild: glassbuild doctor says why")
	}
	p := &plant{dir: t.TempDir()}
	p.repo, p.release = filepath.Join(p.dir, "repo"), filepath.Join(p.dir, "tool")
	source := filepath.Join(p.dir, "cc.go")
	p.write(t, source, compiler)
	program := filepath.Join(p.dir, "cc")
	c := exec.Command("go", "build", "-o", program, source)
	c.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GO111MODULE=off")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	data, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	p.compiler = string(data)
	p.git(t, "init", "-q", "-b", "main", p.repo)
	p.honest = p.commit(t, "int answer = 42;\n")
	p.altered = p.commit(t, "int answer = 41;\n")
	p.write(t, p.release, "compiled: int answer = 42;\n")
	return p
}

func (p *plant) write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (p *plant) git(t *testing.T, args ...string) string {
	t.Helper()
	c := exec.Command("git", args...)
	c.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.org")
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("git %q: %s", args, out)
	}
	return strings.TrimSpace(string(out))
}

func (p *plant) commit(t *testing.T, text string) string {
	t.Helper()
	p.write(t, filepath.Join(p.repo, "main.c"), text)
	p.git(t, "-C", p.repo, "add", ".")
	p.git(t, "-C", p.repo, "commit", "-qm", "change")
	return p.git(t, "-C", p.repo, "rev-parse", "HEAD")
}

// recipe writes an auditor's own recipe.
func (p *plant) recipe(t *testing.T, builder string) string {
	t.Helper()
	file := filepath.Join(p.dir, "own.toml")
	p.write(t, file, "format = 1\n[builder]\n"+builder+"\n[[step]]\nrun = [\"cc\", \"main.c\", \"/out/tool\"]\n[[artifact]]\noutput = \"tool\"\n")
	return file
}

func (p *plant) verify(t *testing.T, recipe, policy, commit string) verify.Verdict {
	t.Helper()
	res, err := verify.Run(context.Background(), verify.Request{Artefact: p.release, Repository: p.repo, Commit: commit, RecipeFile: recipe, PolicyFile: policy, CacheDir: filepath.Join(p.dir, "cache")})
	if err != nil {
		t.Fatal(err)
	}
	return res.Verdict
}

// expect holds a verdict against a result, a match and, where it did not pass, the check that decided.
func expect(t *testing.T, what string, v verify.Verdict, result, match, decided string) {
	t.Helper()
	if string(v.Result) != result || match != "" && string(v.Match) != match {
		t.Errorf("%s: %s (%s): %s", what, v.Result, v.Match, v.Summary)
	}
	if decided == "" {
		return
	}
	for _, c := range v.Checks {
		if c.ID == decided && c.Status != verdict.StatusPassed {
			return
		}
	}
	t.Errorf("%s: not decided by %s: %+v", what, decided, v.Checks)
}

// TestDebianBuilder: vouched for only with the archive's key, and one changed source line is seen (F3, F13).
func TestDebianBuilder(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	a := archivetest.NewArchive(t, archivetest.Package{Name: "tiny-cc", Version: "1.0-1", Members: []tar.Header{{Name: "./usr/bin/cc", Mode: 0o755}}, Text: map[string]string{"./usr/bin/cc": p.compiler}})
	recipe := p.recipe(t, fmt.Sprintf("debian = { suite = \"test\", packages = [\"tiny-cc\"], mirror = %q }", a.URL))
	policy := filepath.Join(p.dir, "policy.toml")
	p.write(t, filepath.Join(p.dir, "archive.gpg"), string(a.PublicKey()))
	p.write(t, policy, "format = 1\n[rebuild]\narchive-keys = [\"archive.gpg\"]\n")

	expect(t, "without a lock", p.verify(t, recipe, policy, p.honest), "inconclusive", "", verdict.CheckBuilder)
	if _, err := verify.Lock(context.Background(), verify.Request{Repository: p.repo, Commit: p.honest, RecipeFile: recipe, CacheDir: filepath.Join(p.dir, "cache")}); err == nil || !strings.Contains(err.Error(), "not signed by a key that counts") {
		t.Errorf("versions chosen by an archive that nobody trusts: %v", err)
	}
	lock, err := verify.Lock(context.Background(), verify.Request{Repository: p.repo, Commit: p.honest, RecipeFile: recipe, PolicyFile: policy, CacheDir: filepath.Join(p.dir, "cache")})
	if err != nil {
		t.Fatal(err)
	}
	p.write(t, filepath.Join(p.dir, "own.lock"), string(lock))
	expect(t, "honest", p.verify(t, recipe, policy, p.honest), "passed", "identical", "")
	expect(t, "one changed line", p.verify(t, recipe, policy, p.altered), "failed", "different", verdict.CheckMatch)
	expect(t, "archive that nobody trusts", p.verify(t, recipe, "", p.honest), "failed", "", verdict.CheckBuilder)
	info := filepath.Join(p.dir, "tool.buildinfo")
	p.write(t, info, "Format: 1.0\nInstalled-Build-Depends:\n tiny-cc (= 1.0-1)\n")
	if again, err := verify.Lock(context.Background(), verify.Request{Repository: p.repo, Commit: p.honest, RecipeFile: recipe, PolicyFile: policy, Buildinfo: info, CacheDir: filepath.Join(p.dir, "cache")}); err != nil || string(again) != string(lock) {
		t.Errorf("from a .buildinfo file: %v\n%s", err, again)
	}
	p.write(t, info, "Format: 1.0\nInstalled-Build-Depends:\n tiny-cc (= 0.9-1)\n")
	if _, err := verify.Lock(context.Background(), verify.Request{Repository: p.repo, Commit: p.honest, RecipeFile: recipe, PolicyFile: policy, Buildinfo: info, CacheDir: filepath.Join(p.dir, "cache")}); err == nil || !strings.Contains(err.Error(), "tiny-cc=0.9-1") {
		t.Errorf("a version that is gone: %v", err)
	}
	for what, change := range map[string]func(string) string{
		"lock of another package": func(s string) string {
			return strings.Replace(s, archivetest.SHA(a.Files["pool/main/tiny-cc_1.0-1_amd64.deb"]), strings.Repeat("0", 64), -1)
		},
		"lock that pins a part elsewhere": func(s string) string {
			return strings.Replace(s, "digest = \"sha256:"+archivetest.SHA(a.Files["pool/main/tiny-cc_1.0-1_amd64.deb"]), "digest = \"sha256:"+strings.Repeat("0", 64), 1)
		},
		"lock of another recipe": func(s string) string {
			return strings.Replace(s, "recipe = \"", "recipe = \"0000000000000000000000000000000000000000000000000000000000000000\"\n#", 1)
		},
	} {
		changed := change(string(lock))
		if changed == string(lock) {
			t.Fatalf("%s: nothing changed", what)
		}
		p.write(t, filepath.Join(p.dir, "own.lock"), changed)
		if v := p.verify(t, recipe, policy, p.honest); v.Result == verdict.Passed {
			t.Errorf("%s: passed", what)
		}
	}
}

// TestImageBuilder: vouched for only by a policy that names the digest (F3, F13).
func TestImageBuilder(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	f := archivetest.NewLayout(t)
	image := f.Image(nil, archivetest.Tar(t, []tar.Header{{Name: "bin/cc", Mode: 0o755}}, map[string]string{"bin/cc": p.compiler}))
	recipe := p.recipe(t, fmt.Sprintf("image = %q", f.Ref(image)))
	policy := filepath.Join(p.dir, "policy.toml")
	p.write(t, policy, fmt.Sprintf("format = 1\n[[rebuild.builder]]\ndigest = %q\nreason = \"looked at\"\n", image["digest"]))
	expect(t, "nobody vouches", p.verify(t, recipe, "", p.honest), "inconclusive", "identical", verdict.CheckVouched)
	expect(t, "honest", p.verify(t, recipe, policy, p.honest), "passed", "identical", "")
	expect(t, "one changed line", p.verify(t, recipe, policy, p.altered), "failed", "different", verdict.CheckMatch)
}
