package rebuild

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/builder"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/recipe"
	"github.com/glassbuild/glassbuild/internal/sandbox"
)

// TestRunsAreUnlike holds down that nothing which can be varied is the same in two runs: a factor that both share could be
// in the bytes unseen.
func TestRunsAreUnlike(t *testing.T) {
	t.Parallel()
	all, err := ParseVary("all")
	if err != nil {
		t.Fatal(err)
	}
	o, req := &Outcome{}, Request{Vary: all, Recipe: &recipe.Recipe{Steps: []recipe.Step{{Run: []string{"make"}}}}}
	a, b := o.variation(req, 0), o.variation(req, 1)
	for name, same := range map[string]bool{
		"hostname": a.Hostname == b.Hostname, "domain": a.Domain == b.Domain, "user": a.User == b.User, "uid": a.UID == b.UID, "gid": a.GID == b.GID,
		"home": a.Home == b.Home, "umask": a.Umask == b.Umask, "time zone": a.TimeZone == b.TimeZone, "locale": a.Locale == b.Locale,
		"file order": a.Files == b.Files, "boot clock": a.Boot == b.Boot,
		"language": a.Language == b.Language, "path": a.Source == b.Source, "length of the path": len(a.Source) == len(b.Source), "noise": a.Noise == b.Noise,
		"addresses": a.Addresses == b.Addresses, "jobs": a.Jobs == b.Jobs, "shell": a.LoginShell == b.LoginShell,
	} {
		if same {
			t.Errorf("%s is not varied", name)
		}
	}
	if b.CPUs < 1 || b.CPUs > a.CPUs {
		t.Errorf("%d processors against %d", b.CPUs, a.CPUs)
	}
	if !strings.HasPrefix(a.Clock, "not varied") {
		t.Error("the record claims that the wall clock was varied")
	}
}

// TestVary reads what can be varied, and leaves alone what is not named.
func TestVary(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"all": len(factors), "usual": 11, "": 11, "none": 0, "umask": 1, "umask,time-zone,umask": 2, "path,jobs": 2, "clock": 1, "moon": -1, "umask,": -1, "all,umask": -1} {
		list, err := ParseVary(text)
		if want < 0 {
			if fault.ClassOf(err) != fault.Usage || fault.HintOf(err) == "" {
				t.Errorf("%q: %v", text, err)
			}
			continue
		}
		if err != nil || len(list) != want {
			t.Errorf("%q: %q, %v", text, list, err)
		}
	}
	o := &Outcome{}
	r := &recipe.Recipe{Steps: []recipe.Step{{Script: "make -C /src/lib"}}}
	base := o.variation(Request{}, 0)
	for _, f := range factors {
		v := o.variation(Request{Vary: []string{f.name}, Recipe: r}, 1)
		v.Factors = base.Factors
		if same := reflect.DeepEqual(v, base); same != (f.name == "path" || f.name == "cpus" && base.CPUs == 1) {
			t.Errorf("%s: %+v", f.name, v)
		}
	}
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	v := (&Outcome{}).variation(Request{}, 0)
	env := v.env(1700000000, map[string]string{"PATH": "/usr/local/go/bin", "LANG": "x"}, map[string]string{"LANG": "y"})
	if !slices.IsSorted(env) {
		t.Errorf("not sorted: %q", env)
	}
	for _, want := range []string{"SOURCE_DATE_EPOCH=1700000000", "LANG=y", "HOME=" + v.Home} {
		if !slices.Contains(env, want) {
			t.Errorf("%q lacks %s", env, want)
		}
	}
	i := slices.IndexFunc(env, func(e string) bool { return strings.HasPrefix(e, "PATH=") })
	if i < 0 || !strings.HasPrefix(env[i], "PATH=/usr/local/go/bin:/") || !strings.Contains(env[i], filepath.Dir(gitPath)) {
		t.Errorf("the stand-in for git cannot be found: %q", env)
	}
}

func TestDisagreement(t *testing.T) {
	t.Parallel()
	run := func(content ...string) *Result {
		r := &Result{Dir: t.TempDir()}
		for i, c := range content {
			name := []string{"a", "b"}[i]
			if err := os.WriteFile(filepath.Join(r.Dir, name), []byte(c), 0o600); err != nil {
				t.Fatal(err)
			}
			r.Outputs = append(r.Outputs, sandbox.Output{Path: name, Size: int64(len(c)), SHA256: c})
		}
		return r
	}
	rec := &recipe.Recipe{Artifacts: []recipe.Artifact{{Output: "a"}, {Output: "b"}}}
	if d, err := disagreement([]*Result{run("x", "y"), run("x", "y")}, rec); d != nil || err != nil {
		t.Fatal(d, err)
	}
	for _, tc := range []struct {
		one, two      *Result
		output        string
		offset, count int64
	}{
		{run("x", "hello"), run("x", "hallo"), "b", 1, 1},
		{run("x", "hello"), run("x", "help"), "b", 3, 2},
		{run("q", "y"), run("x", "z"), "a", 0, 1},
		{run("", "y"), run("xyz", "y"), "a", 0, 3},
	} {
		d, err := disagreement([]*Result{tc.one, tc.two}, rec)
		if err != nil || d == nil || d.Output != tc.output || d.Offset != tc.offset || d.Count != tc.count {
			t.Errorf("%+v, %v", d, err)
		}
	}
	// one run shows nothing, and an outcome without runs never agrees
	if _, err := disagreement([]*Result{run("x", "y")}, rec); fault.ClassOf(err) != fault.Inconclusive {
		t.Error(err)
	}
	if (&Outcome{}).Agree() || (&Outcome{Runs: []*Result{nil}}).Agree() {
		t.Error("less than two runs agree")
	}
	// a disagreement in the third of three runs counts
	if d, _ := disagreement([]*Result{run("x", "y"), run("x", "y"), run("x", "z")}, rec); d == nil || d.Runs != [2]int{1, 3} {
		t.Errorf("%+v", d)
	}
}

func TestStepFaults(t *testing.T) {
	t.Parallel()
	for text, r := range map[string]sandbox.Result{
		"exit code 2":              {ExitCode: 2},
		"limit reached: memory":    {ExitCode: 137, Signal: "SIGKILL", Limit: "memory"},
		"killed by signal SIGSEGV": {ExitCode: 139, Signal: "SIGSEGV"},
		"network denied":           {ExitCode: 1, Refused: []sandbox.Attempt{{Process: "npm\x1b[2J", Target: "192.0.2.1:443"}}},
	} {
		err := stepFault("step 1", r)
		if err == nil || !strings.Contains(err.Error(), text) || fault.ClassOf(err) != fault.Inconclusive || fault.CheckOf(err) != checkSteps || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%s: %v", text, err)
		}
	}
	if err := stepFault("step 1", sandbox.Result{}); err != nil {
		t.Error(err)
	}
}

func TestPinned(t *testing.T) {
	t.Parallel()
	root := &builder.Root{Layers: []builder.Layer{{Name: "go", Version: "1.26.5", Digest: "h1:a"}}}
	lock := func(digest string) *recipe.Lock {
		return &recipe.Lock{Builder: []recipe.Part{{Name: "go", Version: "1.26.5", Digest: digest}}}
	}
	if err := pinned(nil, root); err != nil {
		t.Error(err)
	}
	if err := pinned(lock("h1:a"), root); err != nil {
		t.Error(err)
	}
	if err := pinned(lock("h1:b"), root); fault.ClassOf(err) != fault.Inconclusive || !strings.Contains(err.Error(), "pins go") {
		t.Error(err)
	}
}
