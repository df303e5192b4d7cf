package recipe_test

import (
	"bytes"
	"context"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/recipe"
)

// workshop is a module in a folder, built with the go command that runs the tests.
type workshop struct {
	t     *testing.T
	goCmd string
	dir   string
}

func newWorkshop(t *testing.T, files map[string]string) *workshop {
	t.Helper()
	goCmd, err := exec.LookPath("go")
	if err != nil {
		t.Skip("needs the go command")
	}
	w := &workshop{t: t, goCmd: goCmd, dir: t.TempDir()}
	for name, text := range files {
		w.write(name, text)
	}
	return w
}

func (w *workshop) write(name, text string) {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

// run runs the go command as a step of a recipe would: with nothing but a fixed base and env.
func (w *workshop) run(dir string, env map[string]string, argv ...string) {
	w.t.Helper()
	cmd := exec.Command(w.goCmd, argv[1:]...)
	cmd.Dir = filepath.Join(w.dir, dir)
	home, _ := os.UserHomeDir()
	cache, err := exec.Command(w.goCmd, "env", "GOCACHE").Output()
	if err != nil {
		w.t.Fatal(err)
	}
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "GOCACHE=" + strings.TrimSpace(string(cache)),
		"GOMODCACHE=" + w.t.TempDir(), // the go command keeps versions that it derived from tags there
		"GOENV=off", "GOTOOLCHAIN=local", "GOPROXY=off", "GOFLAGS=", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1"}
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		w.t.Fatalf("%v: %v\n%s", argv, err, out)
	}
}

func (w *workshop) readFile(path string, _ int64) ([]byte, error) {
	return os.ReadFile(filepath.Join(w.dir, filepath.FromSlash(path)))
}

func (w *workshop) binary(path string) recipe.Binary {
	w.t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		w.t.Fatal(err)
	}
	return recipe.Binary{Name: "tool", Reader: bytes.NewReader(data), Size: int64(len(data))}
}

// rebuild runs the inferred step and returns what it made.
func (w *workshop) rebuild(r *recipe.Recipe) []byte {
	w.t.Helper()
	step := r.Steps[0]
	out := filepath.Join(w.t.TempDir(), "rebuilt")
	argv := slices.Clone(step.Run)
	argv[slices.Index(argv, "-o")+1] = out
	env := maps.Clone(r.Env)
	maps.Copy(env, step.Env)
	w.run(step.Dir, env, argv...)
	data, err := os.ReadFile(out)
	if err != nil {
		w.t.Fatal(err)
	}
	return data
}

var hello = map[string]string{
	"go.mod":            "module example.org/hello\n\ngo 1.21\n",
	"main.go":           "package main\n\nvar version = \"none\"\n\nfunc main() { println(\"hello\", version) }\n",
	"extra.go":          "//go:build extra\n\npackage main\n\nfunc init() { println(\"extra\") }\n",
	"cmd/sub/main.go":   "package main\n\nfunc main() { println(\"sub\") }\n",
	"nested/go.mod":     "module example.org/hello/nested/v2\n\ngo 1.21\n",
	"nested/main.go":    "package main\n\nfunc main() { println(\"nested\") }\n",
	"nested/cmd/x/x.go": "package main\n\nfunc main() { println(\"nested x\") }\n",
}

// TestInferredRecipeRebuilds builds a program in many ways, infers a recipe from nothing but the file, and demands that
// its step makes the same bytes.
func TestInferredRecipeRebuilds(t *testing.T) {
	t.Parallel()
	native := runtime.GOOS == "linux" && runtime.GOARCH == "amd64"
	for _, c := range []struct {
		name, dir, pkg string
		flags          []string
		env            map[string]string
		want           []string // flags of the inferred step, in order
		cross          bool
	}{
		{name: "trimmed", flags: []string{"-trimpath"}, want: []string{"-trimpath", "-buildvcs=false"}},
		{name: "in its own place", want: []string{"-buildvcs=false"}},
		{name: "stripped", flags: []string{"-trimpath", "-ldflags=-s -w"}, want: []string{"-trimpath", "-buildvcs=false", "-ldflags=-s -w"}},
		{name: "without debugging information", flags: []string{"-trimpath", "-ldflags=-w"}, want: []string{"-trimpath", "-buildvcs=false", "-ldflags=-w"}},
		{name: "without build id", flags: []string{"-trimpath", "-ldflags=-s -w -buildid="}, want: []string{"-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid="}},
		{name: "stated linker flags", flags: []string{"-ldflags=-w  -X main.version=none -buildid="}, want: []string{"-buildvcs=false"}},
		{name: "tags", flags: []string{"-trimpath", "-tags=extra,other"}, want: []string{"-trimpath", "-tags=extra,other", "-buildvcs=false"}},
		{name: "compiler flags", flags: []string{"-trimpath", "-gcflags=all=-l -N"}, want: []string{"-trimpath", "-gcflags=all=-l -N", "-buildvcs=false"}},
		{name: "command", pkg: "./cmd/sub", flags: []string{"-trimpath"}, want: []string{"-trimpath", "-buildvcs=false"}},
		{name: "nested module", dir: "nested", flags: []string{"-trimpath"}, want: []string{"-trimpath", "-buildvcs=false"}},
		{name: "command of a nested module", dir: "nested", pkg: "./cmd/x", flags: []string{"-trimpath"}, want: []string{"-trimpath", "-buildvcs=false"}},
		{name: "level", flags: []string{"-trimpath"}, env: map[string]string{"GOOS": "linux", "GOARCH": "amd64", "GOAMD64": "v3"}, want: []string{"-trimpath", "-buildvcs=false"}, cross: !native},
		{name: "position-independent", flags: []string{"-trimpath", "-buildmode=pie", "-ldflags=-s -w"}, env: map[string]string{"GOOS": "linux", "GOARCH": "amd64"}, want: []string{"-trimpath", "-buildvcs=false", "-buildmode=pie", "-ldflags=-s -w"}, cross: !native},
		{name: "experiment", flags: []string{"-trimpath"}, env: map[string]string{"GOEXPERIMENT": "nodwarf5"}, want: []string{"-trimpath", "-buildvcs=false"}, cross: true},
		{name: "windows", flags: []string{"-trimpath", "-ldflags=-s -w"}, env: map[string]string{"GOOS": "windows", "GOARCH": "amd64"}, want: []string{"-trimpath", "-buildvcs=false", "-ldflags=-s -w"}, cross: true},
		{name: "windows with symbols", flags: []string{"-trimpath"}, env: map[string]string{"GOOS": "windows", "GOARCH": "amd64"}, want: []string{"-trimpath", "-buildvcs=false"}, cross: true},
		{name: "darwin", flags: []string{"-trimpath", "-ldflags=-s -w"}, env: map[string]string{"GOOS": "darwin", "GOARCH": "arm64"}, want: []string{"-trimpath", "-buildvcs=false", "-ldflags=-s -w"}, cross: true},
		{name: "darwin with symbols", flags: []string{"-trimpath", "-ldflags=-buildid="}, env: map[string]string{"GOOS": "darwin", "GOARCH": "arm64"}, want: []string{"-trimpath", "-buildvcs=false", "-ldflags=-buildid="}, cross: true},
		{name: "wasm", flags: []string{"-trimpath", "-ldflags=-s -w"}, env: map[string]string{"GOOS": "wasip1", "GOARCH": "wasm"}, want: []string{"-trimpath", "-buildvcs=false", "-ldflags=-s -w"}, cross: true},
		{name: "wasm with symbols", flags: []string{"-trimpath"}, env: map[string]string{"GOOS": "js", "GOARCH": "wasm"}, want: []string{"-trimpath", "-buildvcs=false"}, cross: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.cross && testing.Short() {
				t.Skip("compiles the runtime for another platform")
			}
			w := newWorkshop(t, hello)
			env := map[string]string{"CGO_ENABLED": "0"}
			maps.Copy(env, c.env)
			if c.pkg == "" {
				c.pkg = "."
			}
			shipped := filepath.Join(t.TempDir(), "shipped")
			w.run(c.dir, env, slices.Concat([]string{"go", "build"}, c.flags, []string{"-o", shipped, c.pkg})...)
			b := w.binary(shipped)
			in := recipe.Inference{Binaries: []recipe.Binary{b}, ReadFile: w.readFile}
			if c.name == "stated linker flags" {
				in.Commit, in.Tags = strings.Repeat("a", 40), []recipe.Tag{{Name: "none", AtCommit: true}}
				c.want = append(c.want, "-ldflags=-w  -X main.version=none -buildid=")
			}
			got, err := recipe.Infer(context.Background(), in)
			if err != nil {
				t.Fatal(err)
			}
			run := got.Recipe.Steps[0].Run
			if flags := run[2:slices.Index(run, "-o")]; !slices.Equal(flags, c.want) {
				t.Errorf("flags %q, want %q", flags, c.want)
			}
			if len(got.Refused)+len(got.Contradictions)+len(got.Recipe.Fetch) > 0 || got.Recipe.VCS.Stamp {
				t.Errorf("refused %q, contradictions %q, fetch %v, vcs %v", got.Refused, got.Contradictions, got.Recipe.Fetch, got.Recipe.VCS)
			}
			if rebuilt := w.rebuild(got.Recipe); !bytes.Equal(rebuilt, readAll(t, shipped)) {
				t.Errorf("the inferred step makes other bytes:\n%s", got.TOML())
			}
			commented, err := recipe.Parse("commented", got.TOML())
			if err != nil || commented.Digest != got.Recipe.Digest {
				t.Errorf("the commented form says something else (%v):\n%s", err, got.TOML())
			}
		})
	}
}

func readAll(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestSpellingsOfLinkerFlags: when only the spelling of -s and -w is unknown, one of the alternatives is it.
func TestSpellingsOfLinkerFlags(t *testing.T) {
	t.Parallel()
	w := newWorkshop(t, hello)
	shipped := filepath.Join(t.TempDir(), "shipped")
	w.run("", map[string]string{"CGO_ENABLED": "0"}, "go", "build", "-trimpath", "-ldflags=-s", "-o", shipped, ".")
	got, err := recipe.Infer(context.Background(), recipe.Inference{Binaries: []recipe.Binary{w.binary(shipped)}, ReadFile: w.readFile})
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(w.rebuild(got.Recipe), readAll(t, shipped)) {
		t.Fatal("this toolchain no longer hashes the spelling; alternatives are not needed")
	}
	for _, alt := range got.Alternatives {
		roundTrip(t, alt)
		if bytes.Equal(w.rebuild(alt), readAll(t, shipped)) {
			return
		}
	}
	t.Errorf("none of %d alternatives makes the shipped bytes", len(got.Alternatives))
}

func TestVendoredModules(t *testing.T) {
	t.Parallel()
	w := newWorkshop(t, map[string]string{
		"go.mod":                        "module example.org/hello\n\ngo 1.21\n\nrequire example.org/dep v1.2.3\n",
		"main.go":                       "package main\n\nimport \"example.org/dep\"\n\nfunc main() { dep.F() }\n",
		"vendor/modules.txt":            "# example.org/dep v1.2.3\n## explicit\nexample.org/dep\n",
		"vendor/example.org/dep/dep.go": "package dep\n\nfunc F() { println(\"dep\") }\n",
	})
	shipped := filepath.Join(t.TempDir(), "shipped")
	w.run("", map[string]string{"CGO_ENABLED": "0"}, "go", "build", "-trimpath", "-o", shipped, ".")
	in := recipe.Inference{Binaries: []recipe.Binary{w.binary(shipped)}, ReadFile: w.readFile}
	got, err := recipe.Infer(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(got.Recipe.Steps[0].Run, "-mod=vendor") || len(got.Recipe.Fetch) != 0 {
		t.Errorf("recipe\n%s", got.TOML())
	}
	if !bytes.Equal(w.rebuild(got.Recipe), readAll(t, shipped)) {
		t.Error("the inferred step makes other bytes")
	}
	in.ReadFile = func(path string, limit int64) ([]byte, error) {
		if strings.HasPrefix(path, "vendor/") {
			return nil, fs.ErrNotExist
		}
		return w.readFile(path, limit)
	}
	if got, err = recipe.Infer(context.Background(), in); err != nil || !strings.Contains(strings.Join(got.Unknown, "\n"), "what was vendored") {
		t.Errorf("missing vendor folder not said: %v %v", got, err)
	}
}

// TestSeveralBinaries makes one recipe of an archive with two commands for two platforms and a script.
func TestSeveralBinaries(t *testing.T) {
	t.Parallel()
	w := newWorkshop(t, hello)
	dir := t.TempDir()
	w.run("", map[string]string{"CGO_ENABLED": "0", "GOOS": "linux", "GOARCH": "amd64"}, "go", "build", "-trimpath", "-o", dir+"/a", ".")
	w.run("", map[string]string{"CGO_ENABLED": "0", "GOOS": "linux", "GOARCH": "amd64", "GOAMD64": "v2"}, "go", "build", "-trimpath", "-o", dir+"/b", "./cmd/sub")
	a, b := w.binary(dir+"/a"), w.binary(dir+"/b")
	a.Name, a.Member = "", "v1/bin/tool"
	b.Name, b.Member = "", "v2/bin/tool"
	script := recipe.Binary{Member: "install.sh", Reader: strings.NewReader("#!/bin/sh\n"), Size: 10}
	got, err := recipe.Infer(context.Background(), recipe.Inference{Binaries: []recipe.Binary{a, script, b}, ReadFile: w.readFile})
	if err != nil {
		t.Fatal(err)
	}
	r := got.Recipe
	want := []recipe.Artifact{{Output: "tool", Member: "v1/bin/tool"}, {Output: "2-tool", Member: "v2/bin/tool"}}
	if len(r.Steps) != 2 || r.Artifacts[0].Output != want[0].Output || r.Artifacts[1].Output != want[1].Output || r.Artifacts[1].Member != want[1].Member {
		t.Errorf("recipe\n%s", got.TOML())
	}
	if r.Env["GOOS"] != "linux" || r.Env["GOAMD64"] != "" || r.Steps[0].Env["GOAMD64"] != "v1" || r.Steps[1].Env["GOAMD64"] != "v2" {
		t.Errorf("environment %v, %v, %v", r.Env, r.Steps[0].Env, r.Steps[1].Env)
	}
	if !slices.Equal(got.Skipped, []string{"install.sh"}) {
		t.Errorf("skipped %q", got.Skipped)
	}
	roundTrip(t, r)
}

func TestNoGoBinary(t *testing.T) {
	t.Parallel()
	b := recipe.Binary{Name: "x", Reader: strings.NewReader("just text, no program"), Size: 21}
	_, err := recipe.Infer(context.Background(), recipe.Inference{Binaries: []recipe.Binary{b}})
	if fault.ClassOf(err) != fault.Inconclusive || fault.HintOf(err) == "" {
		t.Errorf("%v", err)
	}
	if commit, err := recipe.ClaimedCommit(context.Background(), []recipe.Binary{b}); commit != "" || err != nil {
		t.Errorf("%q %v", commit, err)
	}
}
