package recipe_test

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/recipe"
)

// git runs git in the workshop with fixed people and times.
func (w *workshop) git(args ...string) string {
	w.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = w.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + w.t.TempDir(), "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_AUTHOR_DATE=1700000000 +0200",
		"GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.org", "GIT_COMMITTER_DATE=1700000000 +0200"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (w *workshop) commit(tags ...string) {
	w.git("add", "-A")
	w.git("commit", "-q", "--allow-empty", "-m", "x")
	for _, tag := range tags {
		w.git("tag", tag)
	}
}

// inference describes HEAD as it is: every tag that is merged into it.
func (w *workshop) inference(shipped string) recipe.Inference {
	in := recipe.Inference{Binaries: []recipe.Binary{w.binary(shipped)}, ReadFile: w.readFile, Commit: w.git("rev-parse", "HEAD"), Zone: "+0200"}
	in.When, _ = strconv.ParseInt(w.git("show", "-s", "--format=%ct"), 10, 64)
	at := strings.Fields(w.git("tag", "--points-at", "HEAD"))
	for _, tag := range strings.Fields(w.git("tag", "--merged", "HEAD")) {
		in.Tags = append(in.Tags, recipe.Tag{Name: tag, AtCommit: slices.Contains(at, tag)})
	}
	return in
}

func newRepository(t *testing.T) *workshop {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("needs git, to compare with")
	}
	w := newWorkshop(t, hello)
	w.git("init", "-q", "-b", "main")
	return w
}

// TestVisibleTags: what the go command stamps from a clone with some of the tags tells which ones it had.
func TestVisibleTags(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, dir string
		before    []string // tags of the parent
		at        []string // tags of the commit
		hide      []string // tags that the vendor's clone has not
		want      recipe.Tags
	}{
		{"no tags", "", nil, nil, nil, recipe.AllTags},
		{"tag at the commit", "", []string{"v1.0.0"}, []string{"v1.1.0"}, nil, recipe.AllTags},
		{"tag before the commit", "", []string{"v1.0.0", "v0.9.0", "v7.0.0", "release"}, nil, nil, recipe.AllTags},
		{"shallow clone", "", []string{"v1.0.0"}, nil, []string{"v1.0.0"}, recipe.TagsAtCommit},
		{"clone without tags", "", []string{"v1.0.0"}, []string{"v1.1.0"}, []string{"v1.0.0", "v1.1.0"}, recipe.NoTags},
		{"tag without version", "", []string{"v1.0.0"}, []string{"v1.1"}, nil, recipe.AllTags},
		{"pre-release at the commit", "", []string{"v1.0.0"}, []string{"v1.1.0-rc.1"}, nil, recipe.AllTags},
		{"metadata at the commit", "", []string{"v1.0.0"}, []string{"v1.1.0+build"}, nil, recipe.AllTags},
		{"metadata at the commit, shallow", "", []string{"v2.0.0", "v1.5.0"}, []string{"v1.1.0+build"}, []string{"v1.5.0", "v2.0.0"}, recipe.TagsAtCommit},
		{"nested module", "nested", []string{"nested/v2.0.0", "v9.0.0", "v1.0.0"}, nil, nil, recipe.AllTags},
		{"nested module, shallow", "nested", []string{"nested/v2.0.0"}, []string{"v1.0.0"}, []string{"nested/v2.0.0"}, recipe.TagsAtCommit},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newRepository(t)
			w.commit(c.before...)
			w.commit(c.at...)
			for _, tag := range c.hide {
				w.git("tag", "-d", tag)
			}
			shipped := filepath.Join(t.TempDir(), "shipped")
			w.run(c.dir, map[string]string{"CGO_ENABLED": "0"}, "go", "build", "-trimpath", "-buildvcs=true", "-o", shipped, ".")
			for _, tag := range c.hide { // the full repository has them
				at := "HEAD~1"
				if slices.Contains(c.at, tag) {
					at = "HEAD"
				}
				w.git("tag", tag, at)
			}
			got, err := recipe.Infer(context.Background(), w.inference(shipped))
			if err != nil {
				t.Fatal(err)
			}
			if v := got.Recipe.VCS; v.Tags != c.want || !v.Stamp || v.Dirty || len(got.Contradictions) > 0 {
				t.Errorf("vcs %+v, want tags %s of %s; unknown %q, contradictions %q", v, c.want, mainVersion(t, shipped), got.Unknown, got.Contradictions)
			}
			if c.hide == nil {
				if !bytes.Equal(w.rebuild(got.Recipe), readAll(t, shipped)) {
					t.Error("the inferred step makes other bytes")
				}
			}
		})
	}
}

// TestTagsElsewhere: a version tag that is not merged into the commit has no part in its stamp.
func TestTagsElsewhere(t *testing.T) {
	t.Parallel()
	w := newRepository(t)
	w.commit()
	w.git("checkout", "-q", "-b", "other")
	w.commit("v1.0.0")
	w.git("checkout", "-q", "main")
	shipped := filepath.Join(t.TempDir(), "shipped")
	w.run("", map[string]string{"CGO_ENABLED": "0"}, "go", "build", "-trimpath", "-buildvcs=true", "-o", shipped, ".")
	in := w.inference(shipped)
	got, err := recipe.Infer(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	if len(in.Tags) > 0 || got.Recipe.VCS.Tags != recipe.AllTags || strings.Contains(strings.Join(got.Unknown, "\n"), "tags") {
		t.Errorf("module version %s, vcs %+v, unknown %q", mainVersion(t, shipped), got.Recipe.VCS, got.Unknown)
	}
}

// TestStampWithoutVersion: since Go 1.24 a stamp comes with a module version; where it does not, that is said.
func TestStampWithoutVersion(t *testing.T) {
	t.Parallel()
	text := "path\texample.org/hello\nmod\texample.org/hello\t(devel)\t\nbuild\t-trimpath=true\nbuild\tCGO_ENABLED=0\nbuild\tGOARCH=wasm\nbuild\tGOOS=js\n" +
		"build\tvcs=git\nbuild\tvcs.revision=" + strings.Repeat("a", 40) + "\nbuild\tvcs.time=1970-01-01T00:00:01Z\nbuild\tvcs.modified=false\n"
	for version, want := range map[string]bool{"go1.23.5": false, "go1.24": true, "go1.26.5": true} {
		in := recipe.Inference{Binaries: []recipe.Binary{wasmBinary(text, version)}, Commit: strings.Repeat("a", 40), When: 1,
			ReadFile: reader(map[string]string{"go.mod": "module example.org/hello\n"})}
		got, err := recipe.Infer(context.Background(), in)
		if err != nil || len(got.Contradictions) > 0 || strings.Contains(strings.Join(got.Unknown, "\n"), "which tags its clone had") != want {
			t.Errorf("%s: %v, unknown %q", version, err, got.Unknown)
		}
	}
}

func mainVersion(t *testing.T, path string) string {
	t.Helper()
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Main.Version
}

func TestContradictions(t *testing.T) {
	t.Parallel()
	w := newRepository(t)
	w.commit()
	shipped := filepath.Join(t.TempDir(), "shipped")
	w.run("", map[string]string{"CGO_ENABLED": "0"}, "go", "build", "-trimpath", "-buildvcs=true", "-o", shipped, ".")
	in := w.inference(shipped)
	first := in.Commit
	claimed, err := recipe.ClaimedCommit(context.Background(), in.Binaries)
	if claimed != first || err != nil {
		t.Errorf("claimed %q, %v", claimed, err)
	}
	in.Commit = strings.Repeat("b", 40)
	got, err := recipe.Infer(context.Background(), in)
	if err != nil || len(got.Contradictions) != 1 || !strings.Contains(got.Contradictions[0], "names commit "+first+", not bbbb") || got.Commit != first {
		t.Errorf("%v, %q", err, got.Contradictions)
	}
	in.Commit, in.When = first, in.When+1
	got, err = recipe.Infer(context.Background(), in)
	if err != nil || len(got.Contradictions) != 1 || !strings.Contains(got.Contradictions[0], `dates the commit 2023-11-14T22:13:20Z, but it is of 2023-11-14T22:13:21Z`) {
		t.Errorf("%v, %q", err, got.Contradictions)
	}
}

// TestDirtyStamp: that tracked files were changed is never believed because the binary says so.
func TestDirtyStamp(t *testing.T) {
	t.Parallel()
	w := newRepository(t)
	w.commit()
	w.write("untracked.txt", "x")
	shipped := filepath.Join(t.TempDir(), "shipped")
	w.run("", map[string]string{"CGO_ENABLED": "0"}, "go", "build", "-trimpath", "-buildvcs=true", "-o", shipped, ".")
	in := w.inference(shipped)
	got, err := recipe.Infer(context.Background(), in)
	if err != nil || got.Recipe.VCS.Dirty || !slices.Equal(got.Refused, []string{"vcs.modified=true"}) {
		t.Errorf("%v: %+v, refused %q", err, got.Recipe.VCS, got.Refused)
	}
	in.Allow = []string{"vcs.modified=true"}
	got, err = recipe.Infer(context.Background(), in)
	if err != nil || !got.Recipe.VCS.Dirty || len(got.Refused) > 0 {
		t.Errorf("%v: %+v, refused %q", err, got.Recipe.VCS, got.Refused)
	}
}

// TestStringsFromTheCommit: -X values are taken when they follow from the commit or a tag at it, and refused otherwise.
func TestStringsFromTheCommit(t *testing.T) {
	t.Parallel()
	w := newRepository(t)
	w.commit("v0.9.0")
	w.commit("v1.0.0")
	in := w.inference(os.DevNull)
	for _, c := range []struct{ flags, refused, kept string }{
		{"-s -w -X main.version=v1.0.0", "", "-ldflags=-s -w -X main.version=v1.0.0"},
		{"-X 'main.version=1.0.0'", "", "-ldflags=-X 'main.version=1.0.0'"},
		{"-X=main.version=" + in.Commit, "", "-ldflags=-X=main.version=" + in.Commit},
		{"-X main.version=" + in.Commit[:7] + " -buildid=", "", "-ldflags=-X main.version=" + in.Commit[:7] + " -buildid="},
		{"-X main.version=2023-11-14T22:13:20Z", "", "-ldflags=-X main.version=2023-11-14T22:13:20Z"},
		{"-X main.version=2023-11-15T00:13:20+02:00", "", "-ldflags=-X main.version=2023-11-15T00:13:20+02:00"},
		{"-X main.version=1700000000", "", "-ldflags=-X main.version=1700000000"},
		{"-s -X main.version=v0.9.0 -w", "-ldflags -X=main.version=v0.9.0", "-ldflags=-s -w"},
		{"-X main.version=curl|sh", "-ldflags -X=main.version=curl|sh", ""},
		{"-X 'main.version=a b' -w", "-ldflags -X=main.version=a b", "-ldflags=-w"},
		{"-buildid=payload -s", "-ldflags -buildid=payload", "-ldflags=-s"},
		{"-B 0x1234 -s", "-ldflags -B=0x1234", "-ldflags=-s"},
		{"-extld=/tmp/evil -s", "-ldflags -extld=/tmp/evil", "-ldflags=-s"},
		{"-r /tmp/libs -s", "-ldflags -r", "-ldflags=-s"},
	} {
		t.Run(c.flags, func(t *testing.T) {
			shipped := filepath.Join(t.TempDir(), "shipped")
			w.run("", map[string]string{"CGO_ENABLED": "0"}, "go", "build", "-buildvcs=true", "-ldflags="+c.flags, "-o", shipped, ".")
			in.Binaries = []recipe.Binary{w.binary(shipped)}
			in.Allow = nil
			got, err := recipe.Infer(context.Background(), in)
			if err != nil {
				t.Fatal(err)
			}
			if c.refused == "" && len(got.Refused) > 0 || c.refused != "" && !slices.Contains(got.Refused, c.refused) {
				t.Errorf("refused %q, want %q", got.Refused, c.refused)
			}
			run := got.Recipe.Steps[0].Run
			if kept := run[slices.Index(run, "-o")-1]; c.kept != "" && kept != c.kept || c.kept == "" && strings.HasPrefix(kept, "-ldflags") {
				t.Errorf("step %q, want %q", run, c.kept)
			}
			in.Allow = got.Refused
			got, err = recipe.Infer(context.Background(), in)
			if err != nil || len(got.Refused) > 0 || !slices.Contains(got.Recipe.Steps[0].Run, "-ldflags="+c.flags) {
				t.Errorf("a policy that lists all of it: %v, refused %q, step %q", err, got.Refused, got.Recipe.Steps[0].Run)
			}
		})
	}
}

// TestChecksumOfAnotherDependency: a dependency with another checksum than go.sum has is a contradiction.
func TestChecksumOfAnotherDependency(t *testing.T) {
	t.Parallel()
	const sum = "h1:w5fcysjrx7yqtD/aO+QwRjYZOKnaM9Uh2b40tElTs3Y="
	text := "path\texample.org/hello\nmod\texample.org/hello\t(devel)\t\ndep\trsc.io/quote\tv1.5.2\t" + sum +
		"\nbuild\t-trimpath=true\nbuild\tCGO_ENABLED=0\nbuild\tGOARCH=wasm\nbuild\tGOOS=js\n"
	files := map[string]string{"go.mod": "module example.org/hello\n", "go.sum": "rsc.io/quote v1.5.2 " + sum + "\n"}
	in := recipe.Inference{Binaries: []recipe.Binary{wasmBinary(text, "go1.26.5")}, ReadFile: reader(files)}
	got, err := recipe.Infer(context.Background(), in)
	if err != nil || len(got.Contradictions) > 0 || len(got.Recipe.Fetch) != 1 || !slices.Contains(got.Recipe.Steps[0].Run, "-mod=readonly") {
		t.Fatalf("%v: %q\n%s", err, got.Contradictions, got.TOML())
	}
	files["go.sum"] = strings.Replace(files["go.sum"], "w5fc", "AAAA", 1)
	got, err = recipe.Infer(context.Background(), in)
	if err != nil || len(got.Contradictions) != 1 || !strings.Contains(got.Contradictions[0], "rsc.io/quote v1.5.2") {
		t.Errorf("%v: %q", err, got.Contradictions)
	}
}

// TestHostileBuildInfo edits build infos. None of it may reach a step.
func TestHostileBuildInfo(t *testing.T) {
	t.Parallel()
	const honest = "path\texample.org/hello/cmd/x\nmod\texample.org/hello\t(devel)\t\nbuild\t-compiler=gc\nbuild\t-trimpath=true\nbuild\tCGO_ENABLED=0\nbuild\tGOARCH=wasm\nbuild\tGOOS=js\n"
	files := map[string]string{"go.mod": "module example.org/hello\n"}
	for _, c := range []struct{ name, from, to, version, refused, err string }{
		{name: "honest"},
		{name: "program", from: "build\t-trimpath", to: "build\t-toolexec=/bin/evil\nbuild\t-trimpath", refused: "-toolexec=/bin/evil"},
		{name: "overlay", from: "build\t-trimpath", to: "build\t-overlay=/src/x.json\nbuild\t-trimpath", refused: "-overlay=/src/x.json"},
		{name: "environment", from: "build\tCGO", to: "build\tLD_PRELOAD=/src/x.so\nbuild\tCGO", refused: "LD_PRELOAD=/src/x.so"},
		{name: "proxy", from: "build\tCGO", to: "build\tGOPROXY=https://evil.example\nbuild\tCGO", refused: "GOPROXY=https://evil.example"},
		{name: "tags", from: "build\t-trimpath", to: "build\t-tags=\"a -toolexec=x\"\nbuild\t-trimpath", refused: "-tags=a -toolexec=x"},
		{name: "profile", from: "build\t-trimpath", to: "build\t-pgo=/src/evil.pgo\nbuild\t-trimpath", refused: "-pgo=/src/evil.pgo"},
		{name: "compiler flags", from: "build\t-trimpath", to: "build\t-gcflags=-importcfg=/src/x\nbuild\t-trimpath", refused: "-gcflags=-importcfg=/src/x"},
		{name: "C flags", from: "CGO_ENABLED=0", to: "CGO_ENABLED=0\nbuild\tCGO_LDFLAGS=-fplugin=/src/x.so", refused: "CGO_LDFLAGS=-fplugin=/src/x.so"},
		{name: "level", from: "GOOS=js", to: "GOOS=js\nbuild\tGOWASM=../x", refused: "GOWASM=../x"},
		{name: "setting twice", from: "build\t-trimpath=true", to: "build\t-trimpath=true\nbuild\t-trimpath=false", err: "build info: ambiguous: setting -trimpath stands twice"},
		{name: "control characters", from: "-trimpath", to: "\"-trim\\x1b[2Jpath\"", err: `build info: unprintable characters in "-trim\x1b[2Jpath"`},
		{name: "package above", from: "hello/cmd/x", to: "hello/../../x", err: `tool: malformed import path example.org/hello/../../x in module example.org/hello`},
		{name: "package is a flag", from: "example.org/hello/cmd/x", to: "-toolexec=x", err: `tool: malformed import path -toolexec=x in module example.org/hello`},
		{name: "package of another module", from: "example.org/hello/cmd/x", to: "example.org/helloevil", err: "tool: its main package example.org/helloevil is not of its main module example.org/hello"},
		{name: "list of files", from: "example.org/hello/cmd/x", to: "command-line-arguments", err: "tool: was built from a list of files, which its build info does not name"},
		{name: "module of another repository", from: "mod\texample.org/hello", to: "mod\texample.org", err: "tool: its module example.org is not in the commit where its path says"},
		{name: "installed from a proxy", from: "(devel)\t", to: "v1.0.0\th1:w5fcysjrx7yqtD/aO+QwRjYZOKnaM9Uh2b40tElTs3Y=", err: "tool: was installed as example.org/hello@v1.0.0 from a module proxy, not built from a checkout"},
		{name: "other version control", from: "build\tCGO", to: "build\tvcs=hg\nbuild\tCGO", err: "tool: is stamped by hg, not by git"},
		{name: "short commit", from: "build\tCGO", to: "build\tvcs=git\nbuild\tvcs.revision=abc123\nbuild\tCGO", err: "tool: vcs.revision abc123 is not a full commit id"},
		{name: "gccgo", from: "compiler=gc", to: "compiler=gccgo", err: "tool: was compiled by gccgo, not by gc"},
		{name: "no platform", from: "build\tGOOS=js\n", to: "", err: "tool: its build info names no platform"},
		{name: "plugin", from: "build\t-trimpath", to: "build\t-buildmode=plugin\nbuild\t-trimpath", err: "tool: build mode plugin"},
		{name: "development version", version: "devel go1.27-abcdef", err: "tool: was built with devel go1.27-abcdef, which is no Go release"},
		{name: "patched version", version: "go1.22.5 (Red Hat 1.22.5-1.el9)", err: "tool: was built with go1.22.5 (Red Hat 1.22.5-1.el9), which is no Go release"},
		{name: "version as path", version: "go1.22/../../x", err: "tool: was built with go1.22/../../x, which is no Go release"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.version == "" {
				c.version = "go1.26.5"
			}
			in := recipe.Inference{Binaries: []recipe.Binary{wasmBinary(strings.Replace(honest, c.from, c.to, 1), c.version)}, ReadFile: reader(files)}
			got, err := recipe.Infer(context.Background(), in)
			if c.err != "" {
				if err == nil || err.Error() != c.err || fault.ClassOf(err) == fault.Usage {
					t.Errorf("got  %v\nwant %s", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := recipe.Argv{"go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=", "-o", "/out/tool", "./cmd/x"}
			if !slices.Equal(got.Recipe.Steps[0].Run, want) || len(got.Recipe.Steps) != 1 {
				t.Errorf("step %q, want %q", got.Recipe.Steps[0].Run, want)
			}
			if c.refused == "" && len(got.Refused) > 0 || c.refused != "" && !slices.Equal(got.Refused, []string{c.refused}) {
				t.Errorf("refused %q, want %q", got.Refused, c.refused)
			}
		})
	}
}
