package policy

import (
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

func TestRefusals(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                 `p.toml:1:1: the first key must be "format = 1"`,
		"format = 2":                       "format 2 is not supported",
		"format = 1\nexpires = 2026-06-30": "p.toml:2:1: expired on 2026-06-30",
		"format = 1\n[rebuild]\nruns = 1":  "1 out of range 2–8",
		"format = 1\n[rebuild]\nruns = 2\nruns = 3":                                   "duplicate key runs",
		"format = 1\n[rebuild]\nmach = \"identical\"":                                 "unknown key mach",
		"format = 1\n[rebuild]\nMatch = \"identical\"":                                "unknown key Match",
		"format = 1\n[rebuild]\nmatch = \"different\"":                                `"different" is not one of identical, equivalent, partial`,
		"format = 1\n[rebuild]\nmatch = \"\"":                                         `"" is not one of`,
		"format = 1\n[rebuild]\ndirty = \" \"":                                        "reason required",
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
