package recipe_test

import (
	"context"
	"errors"
	"io/fs"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/recipe"
)

const minimal = `format = 1
[builder]
go = "1.26.5"
[[step]]
run = ["go", "build", "-o", "/out/tool", "."]
[[artifact]]
output = "tool"
`

func TestParse(t *testing.T) {
	t.Parallel()
	r, err := recipe.Parse("glassbuild.toml", []byte(`format = 1
[builder]
go = "1.26.5"
without = ["bin/gofmt", "pkg/tool/linux_amd64/*"]
host = true
[source]
attributes = "archive"
[vcs]
dirty = true
tags = "at-commit"
[env]
CGO_ENABLED = "0"
GOFLAGS = "-mod=vendor -trimpath"
[[fetch]]
run = ["go", "mod", "download"]
dir = "tools"
[[step]]
script = """
set -e
make all
"""
[[step]]
run = ["go", "build", "-ldflags=-X 'main.v=a b'", "-o", "/out/tool", "."]
[step.env]
GOROOT = "/src"
[[artifact]]
output = "tool"
member = "package/bin/tool"
`))
	if err != nil {
		t.Fatal(err)
	}
	want := &recipe.Recipe{
		Builder: recipe.Builder{Go: "1.26.5", Host: true, Without: []string{"bin/gofmt", "pkg/tool/linux_amd64/*"}},
		Source:  recipe.Source{Attributes: recipe.Archive},
		VCS:     recipe.VCS{Stamp: true, Dirty: true, Tags: recipe.TagsAtCommit},
		Env:     map[string]string{"CGO_ENABLED": "0", "GOFLAGS": "-mod=vendor -trimpath"},
		Fetch:   []recipe.Step{{Run: recipe.Argv{"go", "mod", "download"}, Dir: "tools"}},
		Steps: []recipe.Step{
			{Script: "set -e\nmake all\n", Dir: "."},
			{Run: recipe.Argv{"go", "build", "-ldflags=-X 'main.v=a b'", "-o", "/out/tool", "."}, Dir: ".", Env: map[string]string{"GOROOT": "/src"}},
		},
		Artifacts: []recipe.Artifact{{Output: "tool", Member: "package/bin/tool"}},
		Digest:    r.Digest,
	}
	if !reflect.DeepEqual(r, want) {
		t.Errorf("got  %+v\nwant %+v", r, want)
	}
	roundTrip(t, r)
}

// roundTrip asserts that the canonical form says the same, and that it is a fixed point.
func roundTrip(t *testing.T, r *recipe.Recipe) {
	t.Helper()
	again, err := recipe.Parse("canonical", r.TOML())
	if err != nil {
		t.Fatalf("canonical form does not parse: %v\n%s", err, r.TOML())
	}
	if again.Digest != r.Digest || string(again.TOML()) != string(r.TOML()) {
		t.Fatalf("canonical form is no fixed point:\n%s\n%s", r.TOML(), again.TOML())
	}
}

func TestCanonicalFormIgnoresSpelling(t *testing.T) {
	t.Parallel()
	a, err := recipe.Parse("a", []byte(minimal))
	if err != nil {
		t.Fatal(err)
	}
	b, err := recipe.Parse("b", []byte("format=1\nvcs={stamp=true,tags='all'}\nsource.attributes='raw'\nbuilder = {go='1.26.5'}\nstep=[{dir='.',run=['go','build','-o','/out/tool','.']}]\nartifact=[{output=\"\\u0074ool\"}]"))
	if err != nil {
		t.Fatal(err)
	}
	if a.Digest != b.Digest || len(a.Digest) != 64 {
		t.Errorf("digests %s and %s", a.Digest, b.Digest)
	}
	c, err := recipe.Parse("c", []byte(strings.Replace(minimal, `"/out/tool"`, `"/out/tool2"`, 1)))
	if err != nil || c.Digest == a.Digest {
		t.Errorf("another step has the same digest (%v)", err)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	step := func(s string) string {
		return strings.Replace(minimal, `run = ["go", "build", "-o", "/out/tool", "."]`, s, 1)
	}
	build := func(s string) string { return strings.Replace(minimal, `go = "1.26.5"`, s, 1) }
	for _, c := range []struct{ name, text, want string }{
		{"01 duplicate key", minimal + "output = \"b\"", "r:8:1: duplicate key output"},
		{"02 misspelt key", minimal + "alow = []", "r:8:1: unknown key alow"},
		{"03 letter case", minimal + "Member = \"b\"", "r:8:1: unknown key Member"},
		{"11 shell string", step(`run = "go build && cp x y"`), "r:5:1: steps are argv lists"},
		{"11 template", step(`run = ["go", "build", "-o", "/out/${NAME}"]`), `r:5:29: steps are argv lists: "${" is not expanded`},
		{"11 substitution", step(`run = ["go", "build", "$(id)"]`), `r:5:23: steps are argv lists: "$(" is not expanded`},
		{"11 melange template", step(`run = ["go", "{{package.name}}"]`), `r:5:14: steps are argv lists: "{{" is not expanded`},
		{"12 working directory", step("run = [\"true\"]\ndir = \"../x\""), "r:6:1: ../x: path escapes"},
		{"12 deep working directory", step("run = [\"true\"]\ndir = \"a/../../x\""), "r:6:1: a/../../x: path escapes"},
		{"12 absolute working directory", step("run = [\"true\"]\ndir = \"/etc\""), "r:6:1: /etc: path escapes"},
		{"12 empty working directory", step("run = [\"true\"]\ndir = \"\""), `r:6:1: "": path is empty`},
		{"12 output", strings.Replace(minimal, `"tool"`+"\n", `"../tool"`+"\n", 1), "r:7:1: ../tool: path escapes"},
		{"12 absolute output", strings.Replace(minimal, `"tool"`+"\n", `"/out/tool"`+"\n", 1), "r:7:1: /out/tool: path escapes"},
		{"12 drive letter", strings.Replace(minimal, `"tool"`+"\n", `"C:tool"`+"\n", 1), "r:7:1: C:tool: path escapes"},
		{"12 backslash", strings.Replace(minimal, `"tool"`+"\n", `'..\tool'`+"\n", 1), `r:7:1: ..\tool: path escapes`},
		{"12 output is the folder", strings.Replace(minimal, `"tool"`+"\n", `"."`+"\n", 1), "r:7:1: .: is no file"},
		{"12 not the shortest form", strings.Replace(minimal, `"tool"`+"\n", `"a//b"`+"\n", 1), `r:7:1: a//b: path is not in its shortest form "a/b"`},
		{"12 member", minimal + `member = "../x"`, "r:8:1: ../x: path escapes"},
		{"12 hostile member", minimal + `member = "a\u001b[2J"`, `r:8:1: "a\x1b[2J": unprintable characters in path`},
		{"13 image by tag", build(`image = "example.org/debian:12"`), "r:3:1: example.org/debian:12: pin by digest"},
		{"13 image with short digest", build(`image = "example.org/debian@sha256:abc"`), "r:3:1: example.org/debian@sha256:abc: pin by digest"},
		{"13 toolchain by word", build(`go = "latest"`), "r:3:1: latest is not an exact version: pin by digest or exact version"},
		{"13 toolchain with prefix", build(`go = "go1.26.5"`), "r:3:1: go1.26.5 is not an exact version: pin by digest or exact version"},
		{"13 node by range", build(`node = "^16"`), "r:3:1: ^16 is not an exact version"},
		{"14 preloading", minimal + "[env]\nLD_PRELOAD = \"/src/evil.so\"", "r:9:1: environment name LD_PRELOAD not allowed"},
		{"14 library path", minimal + "[env]\nLD_LIBRARY_PATH = \"/src\"", "r:9:1: environment name LD_LIBRARY_PATH not allowed"},
		{"14 search path", minimal + "[env]\nPATH = \"/src/bin\"", "r:9:1: environment name PATH not allowed"},
		{"14 checksum database", minimal + "[env]\nGOSUMDB = \"off\"", "r:9:1: environment name GOSUMDB not allowed"},
		{"14 checksum exceptions", minimal + "[env]\nGONOSUMDB = \"*\"", "r:9:1: environment name GONOSUMDB not allowed"},
		{"14 module proxy", minimal + "[env]\nGOPROXY = \"https://evil.example\"", "r:9:1: environment name GOPROXY not allowed"},
		{"14 toolchain switch", minimal + "[env]\nGOTOOLCHAIN = \"go1.2\"", "r:9:1: environment name GOTOOLCHAIN not allowed"},
		{"14 git", minimal + "[env]\nGIT_DIR = \"/src/other\"", "r:9:1: environment name GIT_DIR not allowed"},
		{"14 node options", minimal + "[env]\nNODE_OPTIONS = \"--require=/src/x.js\"", "r:9:1: environment name NODE_OPTIONS not allowed"},
		{"14 letter case", minimal + "[env]\ncgo_enabled = \"0\"", "r:9:1: environment name cgo_enabled not allowed"},
		{"14 hostile name", minimal + "[env]\n\"A\\u202e\" = \"0\"", `r:9:1: environment name "A\u202e" not allowed`},
		{"14 name with a dot", minimal + "[env]\n\"A.B\" = \"0\"", `r:8:1: environment name A.B not allowed`},
		{"14 in a step", step("run = [\"true\"]\nenv = { LD_AUDIT = \"x\" }"), "r:6:9: environment name LD_AUDIT not allowed"},
		{"14 flag that runs a program", minimal + "[env]\nGOFLAGS = \"-toolexec=/src/evil\"", "r:9:1: GOFLAGS: flag -toolexec=/src/evil not allowed"},
		{"14 flag that rewrites sums", minimal + "[env]\nGOFLAGS = \"-mod=mod\"", "r:9:1: GOFLAGS: flag -mod=mod not allowed"},
		{"14 overlay", minimal + "[env]\nGOFLAGS = \"-trimpath --overlay=x.json\"", "r:9:1: GOFLAGS: flag --overlay=x.json not allowed"},
		{"14 compiler by path", minimal + "[env]\nCC = \"/src/evil-gcc\"", "r:9:1: CC: /src/evil-gcc not allowed, want the name of a program"},
		{"14 toolchain elsewhere", minimal + "[env]\nGOROOT = \"/src/../out\"", "r:9:1: GOROOT: /src/../out not allowed, want a path below /src"},
		{"14 value", minimal + "[env]\nCGO_ENABLED = \"yes\"", "r:9:1: CGO_ENABLED: yes not allowed, want one of 0, 1"},
		{"14 line end in value", minimal + "[env]\nCFLAGS = \"-O2\\n-g\"", `r:9:1: CFLAGS: "-O2\n-g" not allowed`},
		{"15 nested array", "format = 1\nstep = " + strings.Repeat("[", 4<<20), "r: document exceeds 64 KiB"},
		{"no builder", strings.Replace(minimal, "go = \"1.26.5\"\n", "", 1), "r:2:1: no builder named"},
		{"two bases", build("host = true\ndebian = { suite = \"bookworm\" }"), "r:2:1: more than one base: choose one of image, debian and host"},
		{"npm alone", build("go = \"1.26.5\"\nnpm = \"9.8.1\""), "r:4:1: npm needs node"},
		{"mirror without TLS", build(`debian = { suite = "bookworm", mirror = "http://mirror.example" }`), "r:3:1: http://mirror.example is not the address of a mirror"},
		{"mirror with a password", build(`debian = { suite = "bookworm", mirror = "https://a:b@mirror.example" }`), "r:3:1: https://a:b@mirror.example is not the address of a mirror"},
		{"mirror on this disk", build(`debian = { suite = "bookworm", mirror = "file:///etc" }`), "r:3:1: file:///etc is not the address of a mirror"},
		{"mirror that climbs", build(`debian = { suite = "bookworm", mirror = "https://mirror.example/a/../b" }`), "r:3:1: https://mirror.example/a/../b is not the address of a mirror"},
		{"suite that climbs", build(`debian = { suite = "../x" }`), "r:3:1: ../x is not a suite"},
		{"hostile package", build(`debian = { suite = "bookworm", packages = ["-x"] }`), "r:3:1: -x is not a package"},
		{"left out of nothing", build("host = true\nwithout = [\"bin/x\"]"), "r:4:1: leaves out files of a Go toolchain, but no go version is named"},
		{"left out above", build("go = \"1.26.5\"\nwithout = [\"../x\"]"), "r:4:12: ../x: bad pattern"},
		{"run and script", step("run = [\"true\"]\nscript = \"true\""), "r:4:1: run and script: choose one"},
		{"neither", step(`run = []`), "r:4:1: neither run nor script"},
		{"empty program", step(`run = [""]`), `r:5:8: "" is not a program`},
		{"flag as program", step(`run = ["-x"]`), "r:5:8: -x is not a program"},
		{"zero byte", step(`run = ["a", "b\u0000"]`), "r:5:13: zero byte"},
		{"zero byte in script", step(`script = "a\u0000"`), "r:5:1: zero byte"},
		{"number in argv", step(`run = ["sleep", 1]`), "r:5:17: want string, got integer"},
		{"no step", "format = 1\n[builder]\ngo=\"1.26.5\"\n[[artifact]]\noutput=\"a\"", "r:1:1: missing key step"},
		{"no artifact", strings.Split(minimal, "[[artifact]]")[0], "r:1:1: missing key artifact"},
		{"empty artifacts", strings.Replace(strings.Split(minimal, "[[artifact]]")[0], "[builder]", "artifact = []\n[builder]", 1), "r:2:1: no artifact"},
		{"same member twice", minimal + "member = \"a\"\n[[artifact]]\noutput = \"b\"\nmember = \"a\"", "r:9:1: duplicate artifact ab"},
		{"difference by sentence", minimal + `allow = ["All of it"]`, "r:8:10: unknown difference All of it"},
		{"unknown export", strings.Replace(minimal, "[[step]]", "[source]\nattributes = \"zip\"\n[[step]]", 1), "r:5:1: zip is not one of raw, checkout, archive"},
		{"unknown tags", strings.Replace(minimal, "[[step]]", "[vcs]\ntags = \"\"\n[[step]]", 1), `r:5:1: "" is not one of none, at-commit, all`},
		{"dirty without stamp", strings.Replace(minimal, "[[step]]", "[vcs]\nstamp = false\ndirty = true\n[[step]]", 1), "r:6:1: nothing is stamped: stamp is false"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := recipe.Parse("r", []byte(c.text))
			if err == nil {
				t.Fatal("accepted")
			}
			if err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
			if fault.ClassOf(err) != fault.Usage {
				t.Errorf("class %v", fault.ClassOf(err))
			}
		})
	}
}

func TestAllowedEnvIsClosed(t *testing.T) {
	t.Parallel()
	names := recipe.AllowedEnv()
	if !slices.IsSorted(names) {
		t.Error("not sorted")
	}
	for _, bad := range []string{"LD_PRELOAD", "PATH", "HOME", "GOSUMDB", "GONOSUMDB", "GONOSUMCHECK", "GOPROXY", "GOPRIVATE", "GOINSECURE",
		"GOAUTH", "GOTOOLCHAIN", "GOENV", "GOCACHE", "GOCACHEPROG", "GOPATH", "GOMODCACHE", "GOBIN", "GOTOOLDIR", "GIT_DIR", "GIT_EXEC_PATH", "GIT_SSH_COMMAND",
		"NODE_OPTIONS", "NODE_PATH", "npm_config_registry", "PYTHONPATH", "PERL5OPT", "RUBYOPT", "BASH_ENV", "ENV", "IFS", "SHELL", "TMPDIR", "GCC_EXEC_PREFIX",
		"COMPILER_PATH", "CPATH", "LIBRARY_PATH", "JAVA_TOOL_OPTIONS", "RUSTC_WRAPPER", "HTTP_PROXY", "HTTPS_PROXY"} {
		if slices.Contains(names, bad) {
			t.Errorf("%s is allowed", bad)
		}
	}
}

const lockText = `format = 1
recipe = "1111111111111111111111111111111111111111111111111111111111111111"

[[builder]]
name = "go"
version = "1.26.5"
digest = "h1:/yCM7qVQu6sYYUewQ39rtTtRMYMHdbP9oNjgp+lEV9w="

[[fetched]]
from = "go"
path = "/rsc.io/quote/@v/v1.5.2.zip"
sha256 = "2222222222222222222222222222222222222222222222222222222222222222"
size = 10
`

func TestLock(t *testing.T) {
	t.Parallel()
	l, err := recipe.ParseLock("glassbuild.lock", []byte(lockText))
	if err != nil {
		t.Fatal(err)
	}
	if string(l.TOML()) != lockText || len(l.Digest()) != 64 {
		t.Errorf("canonical form\n%s", l.TOML())
	}
	for _, c := range []struct{ name, from, to, want string }{
		{"recipe", `"1111`, `"X111`, "l:2:1: X111111111111111111111111111111111111111111111111111111111111111 is not a SHA-256 in lower-case hex"},
		{"name", `name = "go"`, `name = "../go"`, "l:5:1: ../go is not the name of a part"},
		{"version", `"1.26.5"`, `"1 26"`, "l:6:1: 1 26 is not a version"},
		{"digest", `"h1:/`, `"md5:`, "l:7:1: malformed digest md5:yCM7qVQu6sYYUewQ39rtTtRMYMHdbP9oNjgp+lEV9w="},
		{"from", `from = "go"`, `from = "Go"`, "l:10:1: Go is not the name of a registry"},
		{"host", `"/rsc.io`, `"//evil.example/rsc.io`, "l:11:1: //evil.example/rsc.io/quote/@v/v1.5.2.zip: want a path that begins with one /"},
		{"URL", `"/rsc.io`, `"https://evil.example/rsc.io`, "l:11:1: https://evil.example/rsc.io/quote/@v/v1.5.2.zip: want a path that begins with one /"},
		{"escape", `/@v/`, `/../../`, "l:11:1: /rsc.io/quote/../../v1.5.2.zip: path escapes"},
		{"sha256", `2222"`, `222"`, "l:12:1: malformed digest 222222222222222222222222222222222222222222222222222222222222222"},
		{"size", `size = 10`, `size = -1`, "l:13:1: -1 is out of range"},
		{"no size", `size = 10`, ``, "l:9:1: missing key size"},
		{"twice", "size = 10\n", "size = 10\n" + lockText[strings.Index(lockText, "[[fetched"):], "l:16:1: duplicate entry /rsc.io/quote/@v/v1.5.2.zip"},
		{"large", "size = 10\n", strings.Repeat("#", recipe.MaxLockBytes), "l: document exceeds 8192 KiB"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := recipe.ParseLock("l", []byte(strings.Replace(lockText, c.from, c.to, 1)))
			if err == nil || err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestResolveOrder(t *testing.T) {
	t.Parallel()
	files := map[string]string{"glassbuild.toml": minimal, "glassbuild.lock": lockText}
	read := func(path string, _ int64) ([]byte, error) {
		if s, ok := files[path]; ok {
			return []byte(s), nil
		}
		return nil, fs.ErrNotExist
	}
	own := strings.Replace(minimal, "1.26.5", "1.25.1", 1)
	got, err := recipe.Resolve(context.Background(), recipe.Request{Name: "mine.toml", Data: []byte(own), ReadFile: read})
	if err != nil || got.ChosenBy != recipe.Auditor || got.Recipe.Builder.Go != "1.25.1" || got.Lock != nil {
		t.Errorf("%+v %v", got, err)
	}
	got, err = recipe.Resolve(context.Background(), recipe.Request{ReadFile: read})
	if err != nil || got.ChosenBy != recipe.Commit || got.Recipe.Builder.Go != "1.26.5" || got.Lock == nil {
		t.Fatalf("%+v %v", got, err)
	}
	for _, l := range got.Lines {
		if strings.Contains(l.Text, "=") && l.ChosenBy != recipe.Commit {
			t.Errorf("line %q chosen by %q", l.Text, l.ChosenBy)
		}
	}
	files["glassbuild.toml"] = "format = 2"
	if _, err = recipe.Resolve(context.Background(), recipe.Request{ReadFile: read}); err == nil || err.Error() != "glassbuild.toml:1:1: format 2 is not supported, want 1" {
		t.Error(err)
	}
	delete(files, "glassbuild.toml")
	if _, err = recipe.Resolve(context.Background(), recipe.Request{ReadFile: read}); fault.ClassOf(err) != fault.Usage || fault.HintOf(err) == "" {
		t.Error(err)
	}
	broken := errors.New("disk gone")
	if _, err = recipe.Resolve(context.Background(), recipe.Request{ReadFile: func(string, int64) ([]byte, error) { return nil, broken }}); !errors.Is(err, broken) {
		t.Error("an unreadable recipe counts as a missing one:", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(minimal))
	f.Add([]byte("format = 1\n[builder]\nhost = true\n[env]\nGOFLAGS = \"-mod=vendor\"\n[[step]]\nscript = \"a\\nb\"\n[[artifact]]\noutput = \"a\"\nallow = [\"x-y\"]"))
	f.Add([]byte("format = 1\n[builder]\ndebian = { suite = \"bookworm\", packages = [\"gcc=1:2\"] }\n[[step]]\nrun = [\"a\"]\nenv = { TZ = \"UTC\" }\n[[step]]\nrun=['b']\n[[artifact]]\noutput = \"a\""))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := recipe.Parse("f", data)
		if err != nil {
			if fault.ClassOf(err) != fault.Usage {
				t.Fatalf("class of %v", err)
			}
			return
		}
		roundTrip(t, r)
		for _, s := range append(slices.Clone(r.Fetch), r.Steps...) {
			if (len(s.Run) == 0) == (s.Script == "") || !fs.ValidPath(s.Dir) {
				t.Fatalf("step %+v", s)
			}
			for name := range s.Env {
				if !slices.Contains(recipe.AllowedEnv(), name) {
					t.Fatalf("environment %q", name)
				}
			}
		}
		for _, a := range r.Artifacts {
			if !fs.ValidPath(a.Output) || a.Member != "" && !fs.ValidPath(a.Member) {
				t.Fatalf("artifact %+v", a)
			}
		}
	})
}

func FuzzParseLock(f *testing.F) {
	f.Add([]byte(lockText))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := recipe.ParseLock("f", data)
		if err != nil {
			return
		}
		again, err := recipe.ParseLock("canonical", l.TOML())
		if err != nil || string(again.TOML()) != string(l.TOML()) {
			t.Fatalf("canonical form is no fixed point (%v)\n%s", err, l.TOML())
		}
		for _, e := range l.Fetched {
			if !strings.HasPrefix(e.Path, "/") || strings.HasPrefix(e.Path, "//") || strings.Contains(e.Path, "/../") || e.Size < 0 {
				t.Fatalf("entry %+v", e)
			}
		}
	})
}

// TestToolchainFromItself: a Go distribution's tools, built from a commit that holds its source tree, with GOROOT in the
// exported tree. The first step lays compiler, assembler and linker there; what it builds after that is left out of the builder.
func TestToolchainFromItself(t *testing.T) {
	t.Parallel()
	r, err := recipe.Parse("glassbuild.toml", []byte(`format = 1
[builder]
go = "1.26.5"
without = ["bin/gofmt", "pkg/tool/linux_amd64/cgo", "pkg/tool/linux_amd64/preprofile"]
[env]
CGO_ENABLED = "0"
[[step]]
run = ["go", "build", "-trimpath", "-ldflags=-s", "-o", "/src/pkg/tool/linux_amd64/", "cmd/compile", "cmd/asm", "cmd/link"]
dir = "src"
[[step]]
run = ["go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-w", "-gcflags=cmd/...=-dwarf=false", "-o", "/out/", "cmd/gofmt", "cmd/cgo", "cmd/preprofile"]
dir = "src"
env = { GOROOT = "/src" }
[[artifact]]
output = "gofmt"
member = "bin/gofmt"
[[artifact]]
output = "cgo"
member = "pkg/tool/linux_amd64/cgo"
`))
	if err != nil {
		t.Fatal(err)
	}
	roundTrip(t, r)
	if r.Steps[1].Env["GOROOT"] != recipe.SourceDir || len(r.Steps[0].Env) != 0 || len(r.Builder.Without) != 3 {
		t.Errorf("%+v", r)
	}
}
