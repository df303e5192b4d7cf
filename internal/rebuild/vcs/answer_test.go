package vcs

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// answerRepo has a history with tags before, at, beside and after the commit, and branches.
func answerRepo(t *testing.T) *repo {
	t.Helper()
	origin := newRepo(t, filepath.Join(t.TempDir(), "origin"))
	steps(module("", "example.com/m"), annotated("v1.0.0"), module("sub", "example.com/m/sub"), tag("sub/v0.1.0"), another,
		annotated("v1.1.0"), tag("release"), tag("v1.1.0+meta"), func(r *repo) { r.git("branch", "stable") },
		func(r *repo) { r.git("checkout", "-q", "-b", "next") }, another, tag("v2.0.0"), func(r *repo) { r.git("checkout", "-q", "main") })(origin)
	clone := filepath.Join(filepath.Dir(origin.dir), "clone")
	origin.git("clone", "-q", "file://"+origin.dir, clone)
	return &repo{t: t, dir: clone, now: origin.now}
}

func TestAnswersLikeGit(t *testing.T) {
	t.Parallel()
	r := answerRepo(t)
	for _, detached := range []bool{false, true} {
		if detached {
			r.git("checkout", "-q", "--detach")
		}
		f := r.facts(AllTags)
		c := f.Commit
		for _, argv := range [][]string{
			{"status", "--porcelain"},
			{"-c", noSignature, "show", "-s", "--format=%H:%ct"},
			{"-c", noSignature, "log", "-1", "--format=%H:%ct"},
			{"-c", noSignature, "log", "--no-decorate", "-n1", logFormat, c, "--"},
			{"-c", noSignature, "log", "--no-decorate", "-n1", logFormat, c[:12], "--"},
			{"-c", noSignature, "log", "--no-decorate", "-n1", logFormat, endOfOptions, c, "--"},
			{"-c", noSignature, "log", "--no-decorate", "-n1", logFormat, endOfOptions, "refs/tags/v1.0.0", "--"},
			{"-c", noSignature, "log", "--no-decorate", "-n1", logFormat, endOfOptions, "refs/tags/sub/v0.1.0", "--"},
			{"-c", noSignature, "log", "--no-decorate", "-n1", logFormat, endOfOptions, "refs/tags/v1.1.0", "--"},
			{"-c", noSignature, "log", "--no-decorate", "-n1", logFormat, endOfOptions, "refs/tags/none", "--"},
			{"cat-file", "blob", c + ":go.mod"},
			{"cat-file", endOfOptions, "blob", c + ":sub/go.mod"},
			{"cat-file", endOfOptions, "blob", c + ":v2/go.mod"},
			{"cat-file", endOfOptions, "blob", "refs/tags/v1.1.0:go.mod"},
			{"for-each-ref", "--format", "%(refname)", "refs/tags", "--merged", c},
			{"config", "extensions.objectformat"},
		} {
			want, code := r.ask(argv...)
			got := f.Answer(argv, treeOf(t, r.dir))
			if string(got.Stdout) != want || got.Code != code {
				t.Errorf("%q:\n%q, code %d (%s)\ngit: %q, code %d", argv, got.Stdout, got.Code, got.Stderr, want, code)
			}
		}
		// Real git shows the symbolic refs/remotes/origin/HEAD too, and tags that are not merged in `tag -l`.
		refs := f.Answer([]string{"for-each-ref", "--format=%(refname)", "--merged=" + c}, Tree{})
		if want := r.git("for-each-ref", "--format=%(refname)", "--merged="+c); string(refs.Stdout) != want {
			t.Errorf("for-each-ref: %q, git: %q", refs.Stdout, want)
		}
		tags := f.Answer([]string{"tag", "-l"}, Tree{})
		if want := strings.ReplaceAll(r.git("tag", "-l"), "v2.0.0\n", ""); string(tags.Stdout) != want {
			t.Errorf("tag -l: %q, git: %q", tags.Stdout, want)
		}
	}
}

func TestSHA256Repository(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if out, err := exec.Command("git", "init", "-q", "-b", "main", "--object-format=sha256", dir).CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: git cannot make such a repository: %s", out)
	}
	r := &repo{t: t, dir: dir, now: testTime}
	module("", "example.com/m")(r)
	f := r.facts(AllTags)
	sameStatus(t, r, f)
	if got := f.Answer([]string{"config", "extensions.objectformat"}, Tree{}); string(got.Stdout) != "sha256\n" || got.Code != 0 {
		t.Errorf("%+v", got)
	}
	r.write("main.go", mainGo+"\n")
	sameStatus(t, r, f)
}

func TestVisibility(t *testing.T) {
	t.Parallel()
	r := answerRepo(t)
	for visible, want := range map[Visibility]string{NoTags: "", CommitTags: "release\nv1.1.0\nv1.1.0+meta\n", AllTags: "release\nsub/v0.1.0\nv1.0.0\nv1.1.0\nv1.1.0+meta\n"} {
		f := r.facts(visible)
		got := f.Answer([]string{"tag", "-l"}, Tree{})
		if string(got.Stdout) != want || strings.Join(got.Tags, "\n") != strings.TrimSpace(want) {
			t.Errorf("%s: %q, recorded %q", visible, got.Stdout, got.Tags)
		}
		head := f.Answer([]string{"-c", noSignature, "log", "--no-decorate", "-n1", logFormat, f.Commit, "--"}, Tree{})
		if shows := strings.Contains(string(head.Stdout), "tag: v1.1.0"); shows != (visible != NoTags) {
			t.Errorf("%s: %s", visible, head.Stdout)
		}
		old := f.Answer([]string{"-c", noSignature, "log", "--no-decorate", "-n1", logFormat, "refs/tags/v1.0.0", "--"}, Tree{})
		if ok := old.Code == 0; ok != (visible == AllTags) {
			t.Errorf("%s: ancestor tag: %+v", visible, old)
		}
	}
}

func TestEverythingElseIsRefused(t *testing.T) {
	t.Parallel()
	r := answerRepo(t)
	f := r.facts(AllTags)
	c := f.Commit
	for _, argv := range [][]string{
		nil, {""}, {"--version"}, {"version"}, {"rev-parse", "HEAD"}, {"describe", "--tags"}, {"log"}, {"status"}, {"status", "--porcelain", "."},
		{"status", "--porcelain=v2"}, {"-C", "/", "status", "--porcelain"}, {"-c", "core.pager=id", "log", "-1", "--format=%H:%ct"},
		{"cat-file", "-p", c}, {"cat-file", "blob"}, {"cat-file", "blob", ""}, {"cat-file", "blob", "HEAD:go.mod"}, {"cat-file", "blob", c + ":../go.mod"},
		{"cat-file", "blob", "refs/tags/v1.0.0:go.mod"}, {"cat-file", "blob", "refs/tags/v2.0.0:go.mod"}, {"cat-file", "blob", c},
		{"config", "--get", "extensions.objectformat"}, {"config", "user.name"}, {"tag", "-l", "v*"}, {"tag"}, {"fetch", "-f"},
		{"ls-remote", "-q", "origin"}, {"for-each-ref", "--format=%(objectname)", "--merged=" + c}, {"for-each-ref", "--format=%(refname)", "--merged=HEAD"},
		{"for-each-ref", "--format=%(refname)", "--merged="}, {"-c", noSignature, "log", "--no-decorate", "-n1", logFormat, "HEAD", "--"},
		{"-c", noSignature, "log", "--no-decorate", "-n1", logFormat, c[:11], "--"}, {"-c", noSignature, "log", "--no-decorate", "-n1", logFormat, "main", "--"},
		{"-c", noSignature, "log", "--no-decorate", "-n1", logFormat, "refs/tags/v2.0.0", "--"},
	} {
		got := f.Answer(argv, treeOf(t, r.dir))
		missing := slices.Contains(argv, c+":../go.mod") // answered as git does: no such path
		if got.Code != fatal || len(got.Stdout) > 0 || len(got.Stderr) == 0 || got.Refused == missing {
			t.Errorf("%q: %+v", argv, got)
		}
	}
}

func TestZeroFactsAnswerNothing(t *testing.T) {
	t.Parallel()
	for _, q := range questions {
		argv := strings.Split(strings.ReplaceAll(strings.Join(q.argv, "\n"), arg, "x"), "\n")
		if got := new(Facts).Answer(argv, Tree{}); got.Code != fatal || len(got.Stdout) > 0 {
			t.Errorf("%q: %+v", argv, got)
		}
	}
}

// TestCatFileAnswersTheCommit: a build that edits go.mod still gets the committed one, or none.
func TestCatFileAnswersTheCommit(t *testing.T) {
	t.Parallel()
	r := answerRepo(t)
	f := r.facts(AllTags)
	argv := []string{"cat-file", "blob", f.Commit + ":go.mod"}
	want := r.git(argv...)
	r.write("go.mod", "module evil\n")
	if got := f.Answer(argv, treeOf(t, r.dir)); got.Code != fatal || !got.Refused {
		t.Errorf("%+v", got)
	}
	i := slices.IndexFunc(f.Tree, func(e Entry) bool { return e.Path == "go.mod" })
	f.Tree[i].Data = []byte(want)
	if got := f.Answer(argv, treeOf(t, r.dir)); got.Code != 0 || string(got.Stdout) != want {
		t.Errorf("%+v", got)
	}
}

func TestDeclaredDirty(t *testing.T) {
	t.Parallel()
	r := answerRepo(t)
	f := r.facts(AllTags)
	f.Dirty = true
	if got := f.Answer([]string{"status", "--porcelain"}, treeOf(t, r.dir)); string(got.Stdout) != declaredDirty {
		t.Errorf("%+v", got)
	}
	r.write("new", "")
	if got := f.Answer([]string{"status", "--porcelain"}, treeOf(t, r.dir)); string(got.Stdout) != "?? new\n" {
		t.Errorf("%+v", got)
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	r := answerRepo(t)
	for name, spoil := range map[string]func(*Facts){
		"format":          func(f *Facts) { f.Format = 2 },
		"root":            func(f *Facts) { f.Root = "src" },
		"root climbing":   func(f *Facts) { f.Root = "/src/.." },
		"object format":   func(f *Facts) { f.ObjectFormat = "" },
		"short id":        func(f *Facts) { f.Commit = f.Commit[:12] },
		"upper-case id":   func(f *Facts) { f.Commit = strings.ToUpper(f.Commit) },
		"visibility":      func(f *Facts) { f.Visible = "" },
		"tag with a line": func(f *Facts) { f.Tags[0].Name = "v1.0.0\nv9.9.9" },
		"tag as option":   func(f *Facts) { f.Tags[0].Name = "-x" },
		"ref of a tag":    func(f *Facts) { f.Refs[0].Name = "refs/tags/v9.9.9" },
		"climbing path":   func(f *Facts) { f.Tree[0].Path = "../x" },
		"path in .git":    func(f *Facts) { f.Tree[0].Path = ".git/config" },
		"odd mode":        func(f *Facts) { f.Tree[0].Mode = 0o100664 },
		"repeated path":   func(f *Facts) { f.Tree[1].Path = f.Tree[0].Path },
		"submodule path":  func(f *Facts) { f.Submodules = []Submodule{{Path: "/x", Repository: f.Repository}} },
	} {
		f := r.facts(AllTags)
		spoil(f)
		if err := f.Validate(); err == nil {
			t.Errorf("%s: accepted", name)
		}
		if _, err := f.Marshal(); err == nil {
			t.Errorf("%s: marshalled", name)
		}
	}
	data, err := r.facts(AllTags).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{string(data) + "{}", strings.Replace(string(data), `"format":1`, `"format":1,"extra":1`, 1), "", "null"} {
		if _, err := Parse(strings.NewReader(bad)); err == nil {
			t.Errorf("parsed %.60q", bad)
		}
	}
}

// standIn runs the test binary as git.
func standIn(t *testing.T, r *repo, dir, factsFile, logFile string, args ...string) (string, int) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(t.TempDir(), "git")
	if err := os.Symlink(self, bin); err != nil {
		t.Skipf("SKIPPED: %v", err)
	}
	cmd := exec.Command(bin, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "TEST_FACTS="+factsFile, "TEST_LOG="+logFile, "TEST_RECORD=")
	out, err := cmd.Output()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

func TestProgram(t *testing.T) {
	t.Parallel()
	r := answerRepo(t)
	tmp := t.TempDir()
	factsFile, logFile := filepath.Join(tmp, "vcs.json"), filepath.Join(tmp, "git.log")
	data, err := r.facts(AllTags).Marshal()
	if err == nil {
		err = os.WriteFile(factsFile, data, 0o400)
	}
	if err != nil {
		t.Fatal(err)
	}
	ask := func(dir string, args ...string) (string, int) { return standIn(t, r, dir, factsFile, logFile, args...) }
	if out, code := ask(filepath.Join(r.dir, "sub"), "status", "--porcelain"); out != "" || code != 0 {
		t.Errorf("%q, code %d", out, code)
	}
	if out, code := ask(r.dir, "tag", "-l"); !strings.Contains(out, "v1.0.0\n") || code != 0 {
		t.Errorf("%q, code %d", out, code)
	}
	if out, code := ask(tmp, "status", "--porcelain"); out != "" || code != fatal {
		t.Errorf("outside the work tree: %q, code %d", out, code)
	}
	if _, code := ask(r.dir, "push", strings.Repeat("x", 10_000)); code != fatal {
		t.Errorf("code %d", code)
	}
	file, err := os.Open(logFile)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	log, err := ParseLog(file)
	if err != nil || log.Malformed > 0 || len(log.Questions) != 4 {
		t.Fatalf("%+v, %v", log, err)
	}
	if q := log.Questions[0]; q.Dir != "sub" || q.Code != 0 || q.Refused {
		t.Errorf("%+v", q)
	}
	if q := log.Questions[1]; len(q.Tags) != 5 {
		t.Errorf("%+v", q)
	}
	if q := log.Questions[3]; q.Code != fatal || !q.Refused || !q.Cut || len(q.Argv[1]) != maxArgument {
		t.Errorf("%+v", q)
	}
}

// TestNothingIsAnsweredUnlogged: a full or unwritable log ends the answers.
func TestNothingIsAnsweredUnlogged(t *testing.T) {
	t.Parallel()
	r := answerRepo(t)
	tmp := t.TempDir()
	factsFile := filepath.Join(tmp, "vcs.json")
	data, err := json.Marshal(r.facts(AllTags))
	if err == nil {
		err = os.WriteFile(factsFile, data, 0o400)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(tmp, "full"), make([]byte, maxLog), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, log := range []string{filepath.Join(tmp, "full"), filepath.Join(tmp, "none", "git.log"), tmp} {
		if out, code := standIn(t, r, r.dir, factsFile, log, "tag", "-l"); out != "" || code != fatal {
			t.Errorf("%s: %q, code %d", log, out, code)
		}
	}
}
