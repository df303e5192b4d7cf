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
	data, err := os.ReadFile(compile(t, p.dir))
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

// compilerVariable names the compiler where another process has compiled it already.
const compilerVariable = "GLASSBUILD_TEST_COMPILER"

// compile compiles the compiler into a folder.
func compile(t *testing.T, dir string) string {
	t.Helper()
	if done := os.Getenv(compilerVariable); done != "" {
		return done
	}
	source, program := filepath.Join(dir, "cc.go"), filepath.Join(dir, "cc")
	if err := os.WriteFile(source, []byte(compiler), 0o644); err != nil {
		t.Fatal(err)
	}
	c := exec.Command("go", "build", "-o", program, source)
	c.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GO111MODULE=off")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return program
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

// TestBadImages: a builder that is not what its digest or its manifest says ends the run with a failure of its own check, and
// nothing is built with it, though the policy vouches for its digest.
func TestBadImages(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	good := archivetest.Tar(t, []tar.Header{{Name: "bin/cc", Mode: 0o755}}, map[string]string{"bin/cc": p.compiler})
	for _, c := range []struct {
		name, says string
		make       func(f *archivetest.Layout) archivetest.Descriptor
	}{
		{"wrong diff-id", "wrong diff-id", func(f *archivetest.Layout) archivetest.Descriptor {
			return f.Image(func(c, _ map[string]any) {
				c["rootfs"] = map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + strings.Repeat("0", 64)}}
			}, good)
		}},
		{"layer order", "wrong diff-id", func(f *archivetest.Layout) archivetest.Descriptor {
			return f.Image(func(_, m map[string]any) {
				l := m["layers"].([]archivetest.Descriptor)
				l[0], l[1] = l[1], l[0]
			}, good, archivetest.Tar(t, []tar.Header{{Name: "etc/x"}}, nil))
		}},
		{"foreign layer", "external layer", func(f *archivetest.Layout) archivetest.Descriptor {
			return f.Image(func(_, m map[string]any) {
				m["layers"].([]archivetest.Descriptor)[0]["urls"] = []string{"https://elsewhere.example/layer"}
			}, good)
		}},
		{"escaping link", "link escapes", func(f *archivetest.Layout) archivetest.Descriptor {
			return f.Image(nil, good, archivetest.Tar(t, []tar.Header{{Name: "usr", Typeflag: tar.TypeSymlink, Linkname: "../../.."}}, nil), archivetest.Tar(t, []tar.Header{{Name: "usr/x"}}, nil))
		}},
		{"device", "unsupported type", func(f *archivetest.Layout) archivetest.Descriptor {
			return f.Image(nil, good, archivetest.Tar(t, []tar.Header{{Name: "dev/mem", Typeflag: tar.TypeChar}}, nil))
		}},
		{"another layer", "digest mismatch", func(f *archivetest.Layout) archivetest.Descriptor {
			d := f.Image(nil, good)
			for digest, data := range f.Blobs {
				if strings.HasPrefix(string(data), "\x1f\x8b") {
					f.Write("blobs/sha256/"+strings.TrimPrefix(digest, "sha256:"), []byte(strings.Repeat("x", len(data))))
				}
			}
			return d
		}},
	} {
		f := archivetest.NewLayout(t)
		image := c.make(f)
		recipe, policy := p.recipe(t, fmt.Sprintf("image = %q", f.Ref(image))), filepath.Join(p.dir, "policy.toml")
		p.write(t, policy, fmt.Sprintf("format = 1\n[[rebuild.builder]]\ndigest = %q\nreason = \"looked at\"\n", image["digest"]))
		p.refused(t, c.name, c.says, recipe, policy)
	}
}

// refused verifies with an empty cache and demands that the builder's own check fails and says so.
func (p *plant) refused(t *testing.T, name, says, recipe, policy string) {
	t.Helper()
	res, err := verify.Run(context.Background(), verify.Request{Artefact: p.release, Repository: p.repo, Commit: p.honest, RecipeFile: recipe, PolicyFile: policy, CacheDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, name, res.Verdict, "failed", "not-rebuilt", verdict.CheckBuilder)
	if text := res.Verdict.Check(verdict.CheckBuilder).Text; !strings.Contains(text, says) {
		t.Errorf("%s: %s", name, text)
	}
}

// TestBadMirrors: a mirror that serves another package or a Release file of somebody else's is found out, whatever the lock
// says; one that expired chooses nothing.
func TestBadMirrors(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	pkg := archivetest.Package{Name: "tiny-cc", Version: "1.0-1", Members: []tar.Header{{Name: "./usr/bin/cc", Mode: 0o755}}, Text: map[string]string{"./usr/bin/cc": p.compiler}}
	const pool, release = "pool/main/tiny-cc_1.0-1_amd64.deb", "dists/test/InRelease"
	for _, c := range []struct {
		name, says string
		change     func(a, other *archivetest.Archive)
	}{
		{"another package", "serves another file", func(a, _ *archivetest.Archive) { a.Set(pool, []byte(strings.Repeat("x", len(a.Files[pool])))) }},
		{"signed by a stranger", "not signed by a key that counts", func(a, other *archivetest.Archive) { a.Set(release, other.Files[release]) }},
		{"signature altered", "not signed by a key that counts", func(a, _ *archivetest.Archive) {
			a.Set(release, []byte(strings.Replace(string(a.Files[release]), "Codename: test", "Codename:  test", 1)))
		}},
	} {
		a, other := archivetest.NewArchive(t, pkg), archivetest.NewArchive(t, pkg)
		recipe := p.recipe(t, fmt.Sprintf("debian = { suite = \"test\", packages = [\"tiny-cc\"], mirror = %q }", a.URL))
		policy := filepath.Join(p.dir, "policy.toml")
		p.write(t, filepath.Join(p.dir, "archive.gpg"), string(a.PublicKey()))
		p.write(t, policy, "format = 1\n[rebuild]\narchive-keys = [\"archive.gpg\"]\n")
		lock, err := verify.Lock(context.Background(), verify.Request{Repository: p.repo, Commit: p.honest, RecipeFile: recipe, PolicyFile: policy, CacheDir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		p.write(t, filepath.Join(p.dir, "own.lock"), string(lock))
		c.change(a, other)
		p.refused(t, c.name, c.says, recipe, policy)
	}
}
