package verdict_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/policy"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

const (
	sumA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	sumB = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

// good are facts that pass under the built-in policy.
func good() verdict.Facts {
	return verdict.Facts{
		Subject: verdict.Subject{Name: "tool", SHA256: sumA, Size: 10},
		Source: &verdict.Source{Repository: "repo", Commit: strings.Repeat("1", 40), ChosenBy: verdict.ByAuditor, GitTree: strings.Repeat("2", 40),
			TreeSHA256: sumB, Files: 3, Refs: []string{"refs/heads/main"}, Signature: verdict.Signature{Status: "unsigned"}, Attributes: "raw"},
		Recipe:     &verdict.Recipe{SHA256: sumB, ChosenBy: verdict.ByCommit},
		Builder:    &verdict.Builder{SHA256: sumB, Layers: []verdict.Layer{{Name: "go", Digest: "sha256:" + sumB, Voucher: verdict.Voucher{Kind: "checksum-database"}}}},
		Inputs:     &verdict.Inputs{},
		Rebuild:    &verdict.Rebuild{Runs: 2, Agree: true, Outputs: []verdict.Digest{{Name: "tool", SHA256: sumA, Size: 10}}, CopyCheck: true, Account: &verdict.Account{Proved: true, Of: 3, Source: []verdict.Digest{{Name: "main.go", SHA256: sumB, Size: 10}}, Layers: []verdict.LayerRead{{Name: "go", Digest: "sha256:" + sumB, Read: true}}}},
		Comparison: &verdict.Comparison{Whole: verdict.Identical, Members: []verdict.MemberResult{{Path: "tool", State: verdict.Identical, SHA256: sumA, Size: 10, Output: "tool"}}},
	}
}

func TestPassNeedsEveryLink(t *testing.T) {
	t.Parallel()
	v := verdict.Decide(good(), policy.Default())
	if v.Result != verdict.Passed || v.Match != verdict.MatchIdentical || v.ExitCode() != 0 {
		t.Fatalf("%s %s: %s", v.Result, v.Match, v.Summary)
	}
	if len(v.Checks) != len(verdict.IDs())-4 /* of releases alone */ {
		t.Fatal("not every check of the catalogue is in the verdict")
	}
	// without any one part of the facts there is no pass
	for _, part := range []string{"Source", "Recipe", "Builder", "Inputs", "Rebuild", "Comparison"} {
		f := good()
		reflect.ValueOf(&f).Elem().FieldByName(part).SetZero()
		if v := verdict.Decide(f, policy.Default()); v.ExitCode() == 0 {
			t.Errorf("passed without %s", part)
		}
	}
}

func TestZeroValuesNeverPass(t *testing.T) {
	t.Parallel()
	var zero verdict.Verdict
	if zero.ExitCode() != verdict.ExitFailed {
		t.Error("the zero verdict passes")
	}
	if v := verdict.Decide(verdict.Facts{}, policy.Default()); v.ExitCode() == 0 || v.Match != verdict.MatchNotRebuilt {
		t.Error("empty facts pass")
	}
	if v := verdict.Decide(good(), nil); v.ExitCode() != verdict.ExitFailed {
		t.Error("no policy passes")
	}
	if v := verdict.Decide(good(), &policy.Policy{}); v.ExitCode() == 0 {
		t.Error("an empty policy passes")
	}
	forged := verdict.Verdict{Result: verdict.Passed}
	if forged.ExitCode() == 0 {
		t.Error("a verdict without checks exits 0")
	}
}

// TestSandboxesThatThePolicyTakes meets every demand on sandboxes. A demand is no exception.
func TestSandboxesThatThePolicyTakes(t *testing.T) {
	t.Parallel()
	f, p := good(), policy.Default()
	f.Rebuild.Sandbox = &verdict.Sandbox{Runtimes: []string{"embedded", "runc"}, Held: []string{"memory-group"}}
	p.Rebuild.Sandbox, p.Rebuild.Isolation = []string{"runc", "embedded"}, []string{"memory-group"}
	if v := verdict.Decide(f, p); v.Result != verdict.Passed || len(v.Exceptions) > 0 {
		t.Errorf("%s, exceptions %v: %s", v.Result, v.Exceptions, v.Summary)
	}
}

func TestDecisions(t *testing.T) {
	t.Parallel()
	member := func(path, state string) verdict.MemberResult {
		return verdict.MemberResult{Path: path, State: state, SHA256: sumB}
	}
	differs := func(stable bool) verdict.MemberResult {
		m := member("tool", verdict.Different)
		m.Difference = &verdict.Difference{Bytes: 1, First: 7, Last: 7, Stable: stable, Rebuilt: verdict.Digest{SHA256: sumB}}
		return m
	}
	for name, tc := range map[string]struct {
		change func(*verdict.Facts)
		policy func(*policy.Policy)
		result verdict.Result
		match  verdict.Match
		check  string
	}{
		"one byte": {change: func(f *verdict.Facts) {
			f.Comparison.Whole = verdict.Different
			f.Comparison.Members[0] = differs(true)
		},
			result: verdict.Failed, match: verdict.MatchDifferent, check: verdict.CheckMatch},
		"F1 extra member": {change: func(f *verdict.Facts) {
			f.Comparison = &verdict.Comparison{Whole: verdict.NotRebuilt, Members: []verdict.MemberResult{member("bin/tool", verdict.Identical), member("postinstall.js", verdict.Nowhere)}}
		}, result: verdict.Inconclusive, match: verdict.MatchPartial, check: verdict.CheckMatch},
		"F1 extra member under a lax policy": {change: func(f *verdict.Facts) {
			f.Comparison = &verdict.Comparison{Whole: verdict.NotRebuilt, Members: []verdict.MemberResult{member("bin/tool", verdict.Identical), member("postinstall.js", verdict.Nowhere)}}
		}, policy: func(p *policy.Policy) { p.Rebuild.Match = "partial" }, result: verdict.Inconclusive, match: verdict.MatchPartial, check: verdict.CheckMatch},
		"F1 a container that the policy accepts in part": {change: func(f *verdict.Facts) {
			f.Comparison = &verdict.Comparison{Whole: verdict.NotRebuilt, Members: []verdict.MemberResult{member("a.tar.gz", verdict.NotRebuilt), member("bin/tool", verdict.Identical), member("README", verdict.InTree)}}
		}, policy: func(p *policy.Policy) { p.Rebuild.Match = "partial" }, result: verdict.Passed, match: verdict.MatchPartial, check: verdict.CheckMatch},
		"set-uid is never forgiven": {change: func(f *verdict.Facts) { f.Comparison.Members[0].Flags = []string{"set-uid"} },
			policy: func(p *policy.Policy) { p.Rebuild.Match = "partial" }, result: verdict.Failed, match: verdict.MatchIdentical, check: verdict.CheckMatch},
		"partial that the policy accepts": {change: func(f *verdict.Facts) {
			f.Comparison = &verdict.Comparison{Whole: verdict.NotRebuilt, Members: []verdict.MemberResult{member("bin/tool", verdict.Identical), member("README", verdict.InTree)}}
		}, policy: func(p *policy.Policy) { p.Rebuild.Match = "partial" }, result: verdict.Passed, match: verdict.MatchPartial, check: verdict.CheckMatch},
		"one sandbox of another runtime": {change: func(f *verdict.Facts) {
			f.Rebuild.Sandbox = &verdict.Sandbox{Runtimes: []string{"embedded", "runc"}, Held: []string{"memory-group"}}
		}, policy: func(p *policy.Policy) { p.Rebuild.Sandbox = []string{"runc"} }, result: verdict.Inconclusive, match: verdict.MatchIdentical, check: verdict.CheckIsolation},
		"no control group": {change: func(f *verdict.Facts) { f.Rebuild.Sandbox = &verdict.Sandbox{Runtimes: []string{"runc"}} },
			policy: func(p *policy.Policy) { p.Rebuild.Isolation = []string{"memory-group"} }, result: verdict.Inconclusive, match: verdict.MatchIdentical, check: verdict.CheckIsolation},
		"sandboxes that nobody knows": {change: func(f *verdict.Facts) {},
			policy: func(p *policy.Policy) { p.Rebuild.Sandbox = []string{"runc"} }, result: verdict.Inconclusive, match: verdict.MatchIdentical, check: verdict.CheckIsolation},
		"no sandbox at all": {change: func(f *verdict.Facts) { f.Rebuild.Sandbox = &verdict.Sandbox{} },
			policy: func(p *policy.Policy) { p.Rebuild.Sandbox = []string{"runc"} }, result: verdict.Inconclusive, match: verdict.MatchIdentical, check: verdict.CheckIsolation},
		"F2 payload": {change: func(f *verdict.Facts) { f.Recipe.Refused = []string{"-X main.payload=x"} },
			result: verdict.Inconclusive, match: verdict.MatchIdentical, check: verdict.CheckRecipe},
		"F2 listed word for word": {change: func(f *verdict.Facts) { f.Recipe.Refused = []string{"-X main.payload=x"} },
			policy: func(p *policy.Policy) {
				p.Rebuild.Settings = []policy.Setting{{Text: "-X main.payload=x", Reason: "read"}}
			},
			result: verdict.Passed, match: verdict.MatchIdentical, check: verdict.CheckRecipe},
		"F3 unvouched": {change: func(f *verdict.Facts) { f.Builder.Layers[0].Voucher = verdict.Voucher{} },
			result: verdict.Inconclusive, match: verdict.MatchIdentical, check: verdict.CheckVouched},
		"F3 no layers": {change: func(f *verdict.Facts) { f.Builder.Layers = nil },
			result: verdict.Inconclusive, match: verdict.MatchIdentical, check: verdict.CheckVouched},
		"F5 unreachable": {change: func(f *verdict.Facts) { f.Source.Refs = nil },
			result: verdict.Failed, match: verdict.MatchIdentical, check: verdict.CheckReachable},
		"F6 copied": {change: func(f *verdict.Facts) {
			f.Rebuild.Copies = []verdict.Copy{{Output: "tool", Input: "testdata/blob", Origin: "source", How: "the same bytes"}}
		}, result: verdict.Failed, match: verdict.MatchIdentical, check: verdict.CheckCopied},
		"F6 not looked": {change: func(f *verdict.Facts) { f.Rebuild.CopyCheck = false },
			result: verdict.Inconclusive, match: verdict.MatchIdentical, check: verdict.CheckCopied},
		"F12 archive attributes": {change: func(f *verdict.Facts) { f.Source.Attributes = "archive" },
			result: verdict.Failed, match: verdict.MatchIdentical, check: verdict.CheckTree},
		"not reproducible": {change: func(f *verdict.Facts) {
			f.Rebuild.Agree = false
			f.Rebuild.Disagree = &verdict.Disagree{Output: "tool", Offset: 3}
			f.Comparison.Whole = verdict.Different
			f.Comparison.Members[0] = differs(false)
		}, result: verdict.Inconclusive, match: verdict.MatchNotRebuilt, check: verdict.CheckReproducible},
		"F16 not reproducible and tampered": {change: func(f *verdict.Facts) {
			f.Rebuild.Agree = false
			f.Rebuild.Disagree = &verdict.Disagree{Output: "tool", Offset: 3}
			f.Comparison.Whole = verdict.Different
			f.Comparison.Members[0] = differs(true)
		}, result: verdict.Failed, match: verdict.MatchDifferent, check: verdict.CheckMatch},
		"F19 edited vendored module": {change: func(f *verdict.Facts) {
			f.Inputs.Vendored = []verdict.Module{{Path: "example.org/m", Version: "v1.0.0", Status: "mismatch", Detail: "m.go differs"}}
		}, result: verdict.Failed, match: verdict.MatchIdentical, check: verdict.CheckVendored},
		"module unlike the database": {change: func(f *verdict.Facts) {
			f.Inputs.Modules = []verdict.Module{{Path: "example.org/m", Version: "v1.0.0", Status: "mismatch", Detail: "h1 differs"}}
		}, result: verdict.Failed, match: verdict.MatchIdentical, check: verdict.CheckFetched},
		"module of no status": {change: func(f *verdict.Facts) { f.Inputs.Modules = []verdict.Module{{Path: "m", Version: "v1"}} },
			result: verdict.Inconclusive, match: verdict.MatchIdentical, check: verdict.CheckFetched},
		"dirty stamp asked for by the commit": {change: func(f *verdict.Facts) { f.Recipe.Dirty = true },
			result: verdict.Inconclusive, match: verdict.MatchIdentical, check: verdict.CheckRecipe},
		"contradiction": {change: func(f *verdict.Facts) { f.Recipe.Contradictions = []string{"built from another commit"} },
			result: verdict.Failed, match: verdict.MatchIdentical, check: verdict.CheckContradicts},
		"one run": {change: func(f *verdict.Facts) { f.Rebuild.Runs = 1 },
			result: verdict.Inconclusive, match: verdict.MatchIdentical, check: verdict.CheckReproducible},
		"problem of a known check": {change: func(f *verdict.Facts) {
			f.Problems = []verdict.Problem{{Check: verdict.CheckIsolation, Class: "inconclusive", Text: "sandbox: cannot isolate"}}
		}, result: verdict.Inconclusive, match: verdict.MatchIdentical, check: verdict.CheckIsolation},
		"problem of no check": {change: func(f *verdict.Facts) { f.Problems = []verdict.Problem{{Class: "failed", Text: "x: hostile"}} },
			result: verdict.Failed, match: verdict.MatchIdentical, check: "run.complete"},
		"problem of an unknown class": {change: func(f *verdict.Facts) { f.Problems = []verdict.Problem{{Class: "passed", Text: "x: odd"}} },
			result: verdict.Failed, match: verdict.MatchIdentical, check: "run.complete"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, p := good(), policy.Default()
			tc.change(&f)
			if tc.policy != nil {
				tc.policy(p)
			}
			v := verdict.Decide(f, p)
			if v.Result != tc.result || v.Match != tc.match {
				t.Fatalf("%s %s, want %s %s: %s", v.Result, v.Match, tc.result, tc.match, v.Summary)
			}
			st := v.Check(tc.check).Status
			if (tc.result == verdict.Passed) != (st == verdict.StatusPassed) {
				t.Fatalf("%s is %s", tc.check, st)
			}
			if tc.policy != nil && tc.result == verdict.Passed && tc.match == verdict.MatchIdentical && len(v.Exceptions) == 0 {
				t.Fatal("an exception was made and not listed")
			}
		})
	}
}

func TestAddingAProblemNeverHelps(t *testing.T) {
	t.Parallel()
	bad := good()
	bad.Comparison.Whole = verdict.Different
	for _, id := range append(verdict.IDs(), "", "no.such") {
		for _, class := range []string{"failed", "inconclusive", "usage", ""} {
			f := bad
			f.Problems = []verdict.Problem{{Check: id, Class: class, Text: "t"}}
			if v := verdict.Decide(f, policy.Default()); v.Result != verdict.Failed {
				t.Errorf("problem %q/%q turns failed into %s", id, class, v.Result)
			}
			f = good()
			f.Problems = []verdict.Problem{{Check: id, Class: class, Text: "t"}}
			if v := verdict.Decide(f, policy.Default()); v.Result == verdict.Passed {
				t.Errorf("passed with problem %q/%q", id, class)
			}
		}
	}
}

func TestUnsignable(t *testing.T) {
	t.Parallel()
	f := good()
	if v := verdict.Decide(f, policy.Default()); len(v.Unsignable) != 0 {
		t.Fatal(v.Unsignable)
	}
	f.Source.ChosenBy = verdict.ByArtefact
	f.Rebuild.Cached = true
	if v := verdict.Decide(f, policy.Default()); len(v.Unsignable) != 2 {
		t.Fatal(v.Unsignable)
	}
}

func TestSameFactsSameBytes(t *testing.T) {
	t.Parallel()
	a, _ := json.Marshal(verdict.Decide(good(), policy.Default()))
	b, _ := json.Marshal(verdict.Decide(good(), policy.Default()))
	if string(a) != string(b) {
		t.Fatal("verdicts differ")
	}
}
