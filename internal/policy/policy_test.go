package policy

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/glassbuild/glassbuild/internal/fault"
)

var day = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

func TestBuiltIn(t *testing.T) {
	t.Parallel()
	p := Default()
	if p.Name != "built-in" || len(p.SHA256) != 64 || p.Rebuild.Match != "identical" || p.Rebuild.Runs != 2 || p.Source.Attributes != "raw" {
		t.Fatalf("%+v", p)
	}
}

// source begins a policy that knows somebody called a, and ends in its [source] table.
const source = "format = 1\n[[principal]]\nname = \"a\"\nssh = \"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILEYN/qloKAPwl6016UVZ4VUobbNtR63cDDVP3ZHapcx\"\n[source]\n"

func rule(match, who string) string {
	return fmt.Sprintf("%s[[source.path]]\nmatch = %q\nsigned-by = %q", source, match, who)
}

func TestPathRules(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		match, path string
		want        bool
	}{
		{"glassbuild.*", "glassbuild.toml", true}, {"glassbuild.*", "glassbuild.lock", true}, {"glassbuild.*", "sub/glassbuild.toml", false},
		{"glassbuild.*", "glassbuild.d/x", false}, {"*/Makefile", "a/Makefile", true}, {"*/Makefile", "Makefile", false}, {"*/Makefile", "a/b/Makefile", false},
		{"ci/", "ci/run.sh", true}, {"ci/", "ci/deep/run.sh", true}, {"ci/", "ci", true}, {"ci/", "cicd/run.sh", false}, {"ci/", "x/ci/run.sh", false},
		{"*/ci/", "x/ci/a/b", true}, {"*/ci/", "ci/a", false}, {"a", "a", true}, {"a", "a/b", false}, {"*", "a", true}, {"*", "a/b", false},
	} {
		p, err := parse("p.toml", []byte(rule(tc.match, "a")), day)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Source.Paths[0].Fits(tc.path); got != tc.want {
			t.Errorf("%q fits %q: %t", tc.match, tc.path, got)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                 `p.toml:1:1: the first key must be "format = 1"`,
		"format = 2":                       "format 2 is not supported",
		"format = 1\nexpires = 2026-06-30": "p.toml:2:1: expired on 2026-06-30",
		"format = 1\n[rebuild]\nruns = 1":  "1 out of range 2–8",
		"format = 1\n[rebuild]\nruns = 2\nruns = 3":                               "duplicate key runs",
		"format = 1\n[rebuild]\nmach = \"identical\"":                             "unknown key mach",
		"format = 1\n[rebuild]\nMatch = \"identical\"":                            "unknown key Match",
		"format = 1\n[rebuild]\nmatch = \"different\"":                            `"different" is not one of identical, equivalent, partial`,
		"format = 1\n[rebuild]\nmatch = \"\"":                                     `"" is not one of`,
		"format = 1\n[rebuild]\ndirty = \" \"":                                    "reason required",
		source + "since = \"v1.0.0\"\nsigned-by = \"a\"":                          "need full commit id",
		source + "since = \"1234567\"\nsigned-by = \"a\"":                         "need full commit id",
		source + "since = \"" + strings.Repeat("A", 40) + "\"\nsigned-by = \"a\"": "need full commit id",
		source + "since = \"" + strings.Repeat("1", 40) + "\"":                    "demands nothing without signed-by",
		source + "since = \"\"":                                                   "need full commit id",
		rule("", "a"):                                                             "it is empty",
		rule("/", "a"):                                                            "it is empty",
		rule("/etc", "a"):                                                         "relative to the root",
		rule("a//b", "a"):                                                         "relative to the root",
		rule("a/../b", "a"):                                                       "relative to the root",
		rule("./a", "a"):                                                          "relative to the root",
		rule("a/**", "a"):                                                         "* never crosses /",
		rule("a[bc]", "a"):                                                        "only * is special",
		rule("a?", "a"):                                                           "only * is special",
		rule("a", "nobody"):                                                       "is neither a group nor a principal",
		rule("a", ""):                                                             "name a group or principal",
		source + "[[source.path]]\nmatch = \"a\"":                                 "signed-by",
		source + "[[source.path]]\nsigned-by = \"a\"":                             "match",
		rule("a", "a") + "\n[[source.path]]\nmatch = \"a\"\nsigned-by = \"a\"":        "the same rule stands above",
		rule("a", "a") + "\nMatch = \"b\"":                                            "unknown key Match",
		"format = 1\n[source]\nunreachable = \"\"":                                    "p.toml:3:1: reason required",
		"format = 1\n[[rebuild.builder]]\ndigest = \"AB\"\nreason = \"x\"":            "malformed digest",
		"format = 1\n[[rebuild.setting]]\ntext = \"-X a=b\"\nreason = \"\"":           "reason required",
		"format = 1\n[[rebuild.cover]]\nmember = \"a\"\nreason = \"x\"":               "sha256",
		"format = 1\nx = " + strings.Repeat("[", 70000):                               "exceeds 64 KiB",
		"format = 1\n[source]\nsigned-by = \"maintainers\"\nsigned-by = \"everyone\"": "key signed-by",
	} {
		_, err := parse("p.toml", []byte(text), day)
		if err == nil || !strings.Contains(err.Error(), want) || fault.ClassOf(err) != fault.Usage {
			t.Errorf("%.60q: %v, want %q", text, err, want)
		}
	}
}

func TestExpiryIsTheEndOfTheDay(t *testing.T) {
	t.Parallel()
	text := []byte("format = 1\nexpires = 2026-06-30")
	if _, err := parse("p", text, time.Date(2026, 6, 30, 23, 59, 59, 0, time.UTC)); err != nil {
		t.Fatal(err)
	}
	if _, err := parse("p", text, time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)); err == nil {
		t.Fatal("accepted after its last day")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(BuiltIn)
	f.Add("format = 1\n[[rebuild.cover]]\nmember = \"a\"\nsha256 = \"" + strings.Repeat("a", 64) + "\"\nreason = \"x\"")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parse("p", []byte(text), day)
		if err != nil {
			if fault.ClassOf(err) != fault.Usage {
				t.Fatalf("class %v: %v", fault.ClassOf(err), err)
			}
			return
		}
		// whatever is accepted still demands something
		if p.Rebuild.Runs < MinRuns || p.Rebuild.Match == "" || p.Source.Attributes == "" || p.SHA256 == "" {
			t.Fatalf("accepted a policy that demands nothing: %+v", p)
		}
	})
}
