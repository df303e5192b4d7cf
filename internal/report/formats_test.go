package report_test

import (
	"encoding/json"
	"encoding/xml"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/policy"
	"github.com/glassbuild/glassbuild/internal/recipe"
	"github.com/glassbuild/glassbuild/internal/report"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// evil stands wherever a foreign word can stand.
const evil = "x<script>alert(1)</script>\"'`|\x1b[2J\u202e](javascript:alert(1))\n## PASSED"

// hostile is a verdict whose every foreign word is evil.
func hostile() verdict.Verdict {
	f := facts()
	f.Subject.Name = evil
	f.Source.Repository, f.Source.Refs = evil, []string{evil}
	f.Source.Signature = verdict.Signature{Status: "unknown-key", Key: evil, Detail: "key " + evil}
	f.Source.Tags = []verdict.Tag{{Name: evil, Signature: verdict.Signature{Status: "unsigned"}}}
	f.Source.Findings = []verdict.Finding{{Kind: "name", Path: evil, Text: evil}}
	f.Source.Opaque = []verdict.Opaque{{Path: evil, Kind: "data", Size: 1, SHA256: sum("9")}}
	f.Recipe.Text = "format = 1\n# " + evil + "\n"
	f.Recipe.Unknown = []string{evil}
	f.Builder.Layers[0].Name = evil
	f.Inputs.Modules[0].Path = evil
	f.Comparison.Members = []verdict.MemberResult{{Path: evil, State: verdict.Different, SHA256: sum("f"), Size: 1000, Output: evil,
		Difference: &verdict.Difference{Rebuilt: verdict.Digest{Name: evil, SHA256: sum("a"), Size: 1000}, Bytes: 9, First: 1, Last: 900, Stable: true, Cause: "code",
			Explain: []string{"function " + evil}, Regions: []verdict.Region{{Name: evil, Kind: "function", Status: "different", Cause: "code", Text: evil,
				Place: evil + ":7", Ranges: []verdict.ByteRange{{Offset: 1, Size: 8}}}}}}}
	f.Comparison.Whole = verdict.Different
	return verdict.Decide(f, policy.Default())
}

var allowedTags = regexp.MustCompile(`(?i)<(script|iframe|object|embed|link|img|base|form|a)\b`)

func TestHTMLHoldsForeignNamesAsText(t *testing.T) {
	t.Parallel()
	page, err := report.HTML(hostile())
	if err != nil {
		t.Fatal(err)
	}
	text := string(page)
	if m := allowedTags.FindString(text); m != "" {
		t.Errorf("the page holds %q", m)
	}
	for _, bad := range []string{"\x1b", "\u202e", "http:", "https:", "url(", "@import", " on"} {
		if bad == " on" {
			if regexp.MustCompile(`<[^>]* on[a-z]+=`).MatchString(text) {
				t.Error("an event handler")
			}
			continue
		}
		if strings.Contains(text, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
	if !strings.Contains(text, "default-src &#39;none&#39;") && !strings.Contains(text, "default-src 'none'") {
		t.Error("no content security policy")
	}
	if !strings.Contains(text, "FAILED (different)") || !strings.Contains(text, "&lt;script&gt;") {
		t.Error("verdict or name missing")
	}
}

// TestEveryReportSaysTheVerdict holds each format against the one thing that it must not get wrong.
func TestEveryReportSaysTheVerdict(t *testing.T) {
	t.Parallel()
	all := cases()
	all["hostile"] = hostile()
	for name, v := range all {
		for _, format := range report.Formats {
			data, err := report.Render(v, format, report.Style{})
			if err != nil {
				t.Fatal(name, format, err)
			}
			again, _ := report.Render(v, format, report.Style{})
			if string(again) != string(data) {
				t.Errorf("%s as %s is not the same twice", name, format)
			}
			word := strings.ToUpper(string(v.Result)) + " (" + string(v.Match) + ")"
			switch format {
			case "json", "sarif":
				word = `"` + string(v.Result) + `"`
			}
			if !strings.Contains(string(data), word) {
				t.Errorf("%s as %s does not say %q", name, format, word)
			}
			if v.Result != verdict.Passed && format == "markdown" && regexp.MustCompile(`(?m)^## .*PASSED`).Match(data) {
				t.Errorf("%s as %s has a line that says PASSED", name, format)
			}
		}
	}
	if _, err := report.Render(all["early"], "pdf", report.Style{}); err == nil {
		t.Error("an unknown format is rendered")
	}
}

func TestSARIFAndJUnitCount(t *testing.T) {
	t.Parallel()
	for name, v := range cases() {
		bad, unsure := 0, 0
		for _, c := range v.Checks {
			switch c.Status {
			case verdict.StatusFailed:
				bad++
			case verdict.StatusInconclusive:
				unsure++
			}
		}
		data, err := report.SARIF(v)
		if err != nil {
			t.Fatal(err)
		}
		var log struct {
			Runs []struct {
				Tool struct {
					Driver struct{ Rules []struct{ ID string } }
				}
				Results []struct{ RuleID, Level, Kind string }
			}
		}
		if err := json.Unmarshal(data, &log); err != nil {
			t.Fatal(err)
		}
		if len(log.Runs[0].Tool.Driver.Rules) != len(v.Checks) || len(log.Runs[0].Results) != bad+unsure {
			t.Errorf("%s: %d rules, %d results; want %d and %d", name, len(log.Runs[0].Tool.Driver.Rules), len(log.Runs[0].Results), len(v.Checks), bad+unsure)
		}
		data, err = report.JUnit(v)
		if err != nil {
			t.Fatal(err)
		}
		var suite struct {
			Tests    int `xml:"tests,attr"`
			Failures int `xml:"failures,attr"`
			Errors   int `xml:"errors,attr"`
		}
		if err := xml.Unmarshal(data, &suite); err != nil {
			t.Fatal(err)
		}
		last := map[verdict.Result][2]int{verdict.Failed: {1, 0}, verdict.Inconclusive: {0, 1}}[v.Result]
		if suite.Tests != len(v.Checks)+1 || suite.Failures != bad+last[0] || suite.Errors != unsure+last[1] {
			t.Errorf("%s: %+v", name, suite)
		}
	}
}

func TestSARIFNamesFileAndLine(t *testing.T) {
	t.Parallel()
	v := cases()["different"]
	v.Comparison.Members[0].Difference.Regions = []verdict.Region{{Name: "main.exfiltrate", Kind: "function", Status: "only-in-shipped", Cause: "code", Text: "added", Place: "cmd/kestrel/send.go:12"}}
	data, err := report.SARIF(v)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"uri": "cmd/kestrel/send.go"`, `"startLine": 12`, "main.exfiltrate: added"} {
		if !strings.Contains(string(data), want) {
			t.Errorf("no %s in\n%s", want, data)
		}
	}
}

// TestSARIFPlacesModules: code scanning knows the files of the repository, and compilers call them by the path of the module.
func TestSARIFPlacesModules(t *testing.T) {
	t.Parallel()
	for place, want := range map[string]string{
		"example.com/team/tool/engine/scan.go":      "engine/scan.go",
		"example.com/team/tool/main.go":             "main.go",
		"example.com/dep/parse.go":                  "vendor/example.com/dep/parse.go",
		"example.com/dep@v1.0.0/engine/scan.go":     "example.com/dep%40v1.0.0/engine/scan.go",
		"runtime/engine/scan.go":                    "runtime/engine/scan.go",
		"example.com/team/tool/engine/elsewhere.go": "example.com/team/tool/engine/elsewhere.go",
		"engine/scan.go":                            "engine/scan.go",
	} {
		v := cases()["different"]
		v.Rebuild.Origins = []verdict.Origin{{Source: []verdict.Digest{{Name: "engine/scan.go"}, {Name: "main.go"}}, Package: []verdict.Digest{{Name: "vendor/example.com/dep/parse.go"}}}}
		v.Comparison.Members[0].Difference.Regions = []verdict.Region{{Name: "f", Kind: "function", Status: "different", Cause: "code", Place: place + ":7"}}
		data, err := report.SARIF(v)
		if err != nil || !strings.Contains(string(data), `"uri": "`+want+`"`) {
			t.Errorf("%s: want %s (%v)", place, want, err)
		}
	}
}

// TestChainHoldsEveryCheck: no check of a verdict is missing from the picture, and none stands twice.
func TestChainHoldsEveryCheck(t *testing.T) {
	t.Parallel()
	for name, v := range cases() {
		var ids []string
		for _, h := range report.Chain(v) {
			worst := verdict.StatusPassed
			for _, c := range h.Checks {
				ids = append(ids, c.ID)
				if c.Status == verdict.StatusFailed || c.Status == verdict.StatusInconclusive && worst != verdict.StatusFailed {
					worst = c.Status
				}
			}
			if worst != verdict.StatusPassed && h.Status != worst {
				t.Errorf("%s: link %q is %s, one of its checks is %s", name, h.Name, h.Status, worst)
			}
		}
		var want []string
		for _, c := range v.Checks {
			want = append(want, c.ID)
		}
		slices.Sort(ids)
		slices.Sort(want)
		if !slices.Equal(ids, want) {
			t.Errorf("%s: %v, want %v", name, ids, want)
		}
	}
}

func TestLoadTakesOnlyWhatJSONWrites(t *testing.T) {
	t.Parallel()
	v := cases()["different"]
	data, err := report.JSON(v)
	if err != nil {
		t.Fatal(err)
	}
	got, err := report.Load("v.json", data)
	if err != nil {
		t.Fatal(err)
	}
	if a, _ := report.HTML(v); string(a) == "" {
		t.Fatal("no page")
	} else if b, _ := report.HTML(got); string(a) != string(b) {
		t.Error("a loaded verdict gives another page")
	}
	text := string(data)
	for what, bad := range map[string]string{
		"empty": "", "an unknown key": strings.Replace(text, `"format": 1,`, `"format": 1, "extra": 1,`, 1),
		"a key twice":          strings.Replace(text, `"result": "failed",`, "\"result\": \"failed\",\n  \"result\": \"failed\",", 1),
		"other letters":        strings.Replace(text, `"result"`, `"Result"`, 1),
		"something behind":     text + "{}",
		"another format":       strings.Replace(text, `"format": 1`, `"format": 2`, 1),
		"a list":               "[]",
		"spaces left out":      strings.ReplaceAll(text, "  ", " "),
		"a number for a word":  strings.Replace(text, `"failed"`, `1`, 1),
		"cut off":              text[:len(text)/2],
		"a line feed too much": text + "\n",
	} {
		if _, err := report.Load("v.json", []byte(bad)); err == nil {
			t.Errorf("%s: accepted", what)
		}
	}
}

func TestByHand(t *testing.T) {
	t.Parallel()
	f := facts()
	r, err := recipe.Parse("glassbuild.toml", []byte("format = 1\n[builder]\ngo = \"1.26.5\"\n[vcs]\nstamp = true\n[env]\nCGO_ENABLED = \"0\"\n[[step]]\nrun = [\"go\", \"build\", \"-o\", \"/out/kestrel\", \"./it's here\"]\n[[artifact]]\noutput = \"kestrel\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	f.Recipe.Text = string(r.TOML())
	script, ok := report.ByHand(verdict.Decide(f, policy.Default()))
	if !ok {
		t.Fatal("no script")
	}
	for _, want := range []string{"export GOTOOLCHAIN=go1.26.5", "checkout --quiet --detach " + strings.Repeat("1", 40), `'./it'\''s here'`, sum("a") + "  /out/kestrel"} {
		if !strings.Contains(script, want) {
			t.Errorf("no %s in\n%s", want, script)
		}
	}
	if sh, err := exec.LookPath("sh"); err == nil {
		cmd := exec.Command(sh, "-n")
		cmd.Stdin = strings.NewReader(script)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v: %s\n%s", err, out, script)
		}
	}
	f.Subject.Name = "tool\nrm -rf ~"
	if script, ok := report.ByHand(verdict.Decide(f, policy.Default())); ok {
		t.Errorf("a name with a line feed stands in\n%s", script)
	}
	if _, ok := report.ByHand(cases()["early"]); ok {
		t.Error("a script for a run that built nothing")
	}
}
