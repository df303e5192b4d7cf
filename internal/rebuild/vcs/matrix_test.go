package vcs

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/gomod/modtest"
)

// matrixVersions are one Go version for each set of questions that the go command has asked (questions.go).
var matrixVersions = []string{"1.18.10", "1.21.13", "1.23.5", "1.24.9", "1.26.5"}

// scenario is one repository, the clone of it that a release was built from, and the build.
type scenario struct {
	name    string
	visible Visibility
	depth   string // of the clone; "" is all of it
	make    func(*repo)
	change  func(*repo) // after the clone
	dir     string      // where the build runs
}

const mainGo = "package main\n\nfunc main() { println(\"hello\") }\n"

func module(dir, name string) func(*repo) {
	return func(r *repo) {
		r.write(filepath.Join(dir, "go.mod"), "module "+name+"\n\ngo 1.18\n")
		r.write(filepath.Join(dir, "main.go"), mainGo)
		r.commit()
	}
}

func steps(list ...func(*repo)) func(*repo) {
	return func(r *repo) {
		for _, step := range list {
			step(r)
		}
	}
}

func tag(name string) func(*repo) { return func(r *repo) { r.git("tag", name) } }
func annotated(name string) func(*repo) {
	return func(r *repo) { r.git("tag", "-a", "-m", "release", name) }
}
func another(r *repo) { r.write("README", r.git("rev-parse", "HEAD")); r.commit() }

func withSubmodule(r *repo) {
	lib := newRepo(r.t, filepath.Join(filepath.Dir(r.dir), "lib"))
	lib.write("lib.txt", "data\n")
	lib.write(".gitignore", "*.o\n")
	module("tool", "example.com/lib/tool")(lib)
	tag("v0.9.0")(lib)
	r.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", lib.dir, "third_party/lib")
	r.commit()
}

var scenarios = []scenario{
	{name: "exact tag", visible: AllTags, make: steps(module("", "example.com/m"), another, annotated("v1.2.3"))},
	{name: "exact tag, detached", visible: AllTags, make: steps(module("", "example.com/m"), tag("v1.2.3")),
		change: func(r *repo) { r.git("checkout", "-q", "--detach") }},
	{name: "several tags at the commit", visible: AllTags,
		make: steps(module("", "example.com/m"), tag("v1.2.3"), annotated("v1.10.0"), tag("release-7"), tag("v1.10.1-rc.1"), tag("v2.0.0"))},
	{name: "tag not canonical", visible: AllTags, make: steps(module("", "example.com/m"), tag("v1.2.3+meta"), another, tag("v1.2"))},
	{name: "ancestor tag", visible: AllTags, make: steps(module("", "example.com/m"), annotated("v1.2.3"), another, another)},
	{name: "ancestor tag, shallow clone", visible: NoTags, depth: "1", make: steps(module("", "example.com/m"), tag("v1.2.3"), another)},
	{name: "exact tag, shallow clone", visible: CommitTags, depth: "1",
		make: steps(module("", "example.com/m"), tag("v1.2.3"), another, tag("v1.2.4"))},
	{name: "no tag", visible: AllTags, make: steps(module("", "example.com/m"), another)},
	{name: "later tag on another branch", visible: AllTags, make: steps(module("", "example.com/m"), tag("v1.0.0"), another,
		func(r *repo) { r.git("checkout", "-q", "-b", "next") }, another, tag("v1.1.0"), func(r *repo) { r.git("checkout", "-q", "main") })},
	{name: "major version suffix", visible: AllTags, make: steps(module("", "example.com/m/v2"), tag("v1.9.0"), tag("v2.3.4"), another)},
	{name: "major version as a directory", visible: AllTags, dir: "v2",
		make: steps(module("", "example.com/m"), module("v2", "example.com/m/v2"), tag("v1.9.0"), tag("v2.3.4"), another)},
	{name: "retracted", visible: AllTags, make: steps(module("", "example.com/m"), func(r *repo) {
		r.write("go.mod", "module example.com/m\n\ngo 1.18\n\nretract v1.5.0\n")
		r.commit()
	}, tag("v1.4.0"), tag("v1.5.0"), another)},
	{name: "submodule", visible: AllTags, make: steps(module("", "example.com/m"), withSubmodule, tag("v1.2.3"), another)},
	{name: "inside a submodule", visible: AllTags, make: steps(module("", "example.com/m"), withSubmodule, tag("v1.2.3")), dir: "third_party/lib/tool"},
	{name: "module in a subdirectory", visible: AllTags, dir: "sub",
		make: steps(module("", "example.com/m"), tag("v1.2.3"), module("sub", "example.com/m/sub"), tag("sub/v0.1.0"))},
	{name: "module in a subdirectory, ancestor tag", visible: AllTags, dir: "sub",
		make: steps(module("", "example.com/m"), module("sub", "example.com/m/sub"), tag("sub/v0.1.0"), annotated("v1.2.3"), another)},
	{name: "module in a subdirectory, none at the root", visible: AllTags, dir: "sub",
		make: steps(module("sub", "example.com/m/sub"), tag("sub/v0.1.0"), another)},
	{name: "untracked file", visible: AllTags, make: steps(module("", "example.com/m"), tag("v1.2.3")),
		change: func(r *repo) { r.write("notes", "x") }},
	{name: "modified file", visible: AllTags, make: steps(module("", "example.com/m"), tag("v1.2.3"), another),
		change: func(r *repo) { r.write("main.go", mainGo+"// changed\n") }},
	{name: "ignored file", visible: AllTags, make: steps(module("", "example.com/m"),
		func(r *repo) { r.write(".gitignore", "/out/*\n!/out/keep\n"); r.commit() }, tag("v1.2.3")),
		change: func(r *repo) { r.write("out/tool", "x") }},
}

// TestMatrix builds each scenario with real git and with the stand-in: the binaries must be the same to the byte.
func TestMatrix(t *testing.T) {
	t.Parallel()
	runMatrix(t, "go")
}

// TestE2EMatrix does so with every Go version whose questions differ.
func TestE2EMatrix(t *testing.T) {
	t.Parallel()
	if os.Getenv("GLASSBUILD_E2E") != "1" {
		t.Skipf("SKIPPED: GLASSBUILD_E2E=1 downloads Go %s and runs the matrix with each", strings.Join(matrixVersions, ", "))
	}
	for _, v := range matrixVersions {
		t.Run("go"+v, func(t *testing.T) {
			t.Parallel()
			runMatrix(t, modtest.Toolchain(t, v))
		})
	}
}

func runMatrix(t *testing.T, goCommand string) {
	if runtime.GOOS != "linux" {
		t.Skip("SKIPPED: the stand-in runs on Linux")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	realGit, err := exec.LookPath("git")
	if err != nil {
		t.Skip("SKIPPED: needs git to compare with")
	}
	for _, sc := range scenarios {
		t.Run(sc.name, func(t *testing.T) {
			t.Parallel()
			tmp := t.TempDir()
			b := build{t: t, goCommand: goCommand, tmp: tmp, sc: sc}
			clone := b.clone()
			facts := clone.facts(sc.visible)
			if sc.change != nil {
				sc.change(clone)
				facts.Branch = clone.repository(sc.visible).Branch
			}
			asked := filepath.Join(tmp, "asked")
			bin := filepath.Join(tmp, "bin")
			if os.Mkdir(bin, 0o755) != nil || os.Symlink(self, filepath.Join(bin, "git")) != nil {
				t.Fatal("cannot lay down the stand-in")
			}
			want := b.run("real", bin, "TEST_RECORD="+asked, "TEST_GIT="+realGit)
			b.hideGit(clone.dir)
			data, err := facts.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(tmp, "vcs.json"), data, 0o600); err != nil {
				t.Fatal(err)
			}
			log := filepath.Join(tmp, "git.log")
			got := b.run("stand-in", bin, "TEST_FACTS="+filepath.Join(tmp, "vcs.json"), "TEST_LOG="+log)
			b.compare(want, got, asked, log)
		})
	}
}

type build struct {
	t         *testing.T
	goCommand string
	tmp       string
	sc        scenario
}

func (b *build) clone() *repo {
	origin := newRepo(b.t, filepath.Join(b.tmp, "origin"))
	b.sc.make(origin)
	dir := filepath.Join(b.tmp, "src")
	args := []string{"-c", "protocol.file.allow=always", "clone", "-q", "--recurse-submodules"}
	if b.sc.depth != "" {
		args = append(args, "--depth", b.sc.depth)
	}
	if b.sc.visible == CommitTags {
		args = append(args, "--branch", strings.TrimSpace(origin.git("describe", "--tags", "--exact-match")))
	}
	origin.git(append(args, "file://"+origin.dir, dir)...)
	return &repo{t: b.t, dir: dir, now: origin.now}
}

// hideGit leaves what the export leaves: an empty .git directory, and an empty .git file in a submodule.
func (b *build) hideGit(dir string) {
	if err := os.RemoveAll(filepath.Join(dir, ".git")); err != nil {
		b.t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, ".git"), 0o755); err != nil {
		b.t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "third_party/lib/.git")); err == nil {
		if err := os.WriteFile(filepath.Join(dir, "third_party/lib/.git"), nil, 0o644); err != nil {
			b.t.Fatal(err)
		}
	}
}

func (b *build) run(name, bin string, env ...string) string {
	b.t.Helper()
	out := filepath.Join(b.tmp, name)
	cmd := exec.Command(b.goCommand, "build", "-buildvcs=true", "-trimpath", "-o", out, ".")
	cmd.Dir = filepath.Join(b.tmp, "src", b.sc.dir)
	cmd.Env = append(append(gitEnv(0), env...), "HOME="+b.tmp)
	goRoot := ""
	if strings.Contains(b.goCommand, "/") { // a "go" further down PATH must not be found by it
		goRoot = filepath.Dir(b.goCommand) + ":"
	}
	cmd.Env = append(cmd.Env, "PATH="+bin+":"+goRoot+os.Getenv("PATH"), "GOFLAGS=", "GOENV=off", "GOWORK=off", "GO111MODULE=on",
		"GOTOOLCHAIN=local", "GOPROXY=off", "GOTELEMETRY=off", "CGO_ENABLED=0", "GOROOT=", "GOCACHE="+goCache(b.t),
		"GOMODCACHE="+filepath.Join(b.tmp, "mod-"+name)) // of its own: the go command keeps git's answers there
	if msg, err := cmd.CombinedOutput(); err != nil {
		b.t.Fatalf("%s: %v\n%s", name, err, msg)
	}
	return out
}

func goCache(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func (b *build) compare(want, got, asked, log string) {
	b.t.Helper()
	wantInfo, err := buildinfo.ReadFile(want)
	if err != nil {
		b.t.Fatal(err)
	}
	gotInfo, err := buildinfo.ReadFile(got)
	if err != nil {
		b.t.Fatal(err)
	}
	if wantInfo.String() != gotInfo.String() {
		b.t.Errorf("build info differs\nreal git:\n%s\nstand-in:\n%s", wantInfo, gotInfo)
	}
	if !strings.Contains(gotInfo.String(), "vcs.revision") {
		b.t.Errorf("nothing was stamped:\n%s", gotInfo)
	}
	w, errW := os.ReadFile(want)
	g, errG := os.ReadFile(got)
	if errW != nil || errG != nil || sha256.Sum256(w) != sha256.Sum256(g) {
		b.t.Errorf("the binaries differ (%v, %v)", errW, errG)
	}
	questionsAsked, _ := os.ReadFile(asked)
	file, err := os.Open(log)
	if err != nil {
		b.t.Fatal(err)
	}
	defer file.Close()
	parsed, err := ParseLog(bufio.NewReader(file))
	if err != nil || parsed.Malformed > 0 || len(parsed.Questions) != bytes.Count(questionsAsked, []byte("\n")) {
		b.t.Errorf("the log has %d lines (%d malformed, %v), real git was asked:\n%s", len(parsed.Questions), parsed.Malformed, err, questionsAsked)
	}
	for _, q := range parsed.Questions {
		if q.Refused {
			b.t.Errorf("refused: %q", q.Argv)
		}
	}
	b.t.Logf("%s, asked:\n%s", gotInfo.Main.Version, questionsAsked)
}
