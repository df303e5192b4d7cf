package verdict_test

import (
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/policy"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// forgave are facts in which one field was forgiven, and the policy that allows it.
func forgave() (verdict.Facts, *policy.Policy) {
	f, p := good(), policy.Default()
	f.Comparison.Whole = verdict.Equivalent
	f.Comparison.Members[0] = verdict.MemberResult{
		Path: "tool", State: verdict.Equivalent, SHA256: sumA, Size: 10, Output: "tool",
		Difference: &verdict.Difference{Bytes: 4, First: 4, Last: 7, Rebuilt: verdict.Digest{SHA256: sumB}},
		Declared:   []string{"gzip-header"},
		Forgiven:   []verdict.Forgiven{{Name: "gzip-header", Fields: 1, Bytes: 4}},
		Layers:     []verdict.Layered{{Size: 10, Same: 6, Forgiven: 4}},
	}
	p.Rebuild.Match = "equivalent"
	p.Rebuild.Allow = []policy.Allowed{{Name: "gzip-header", Reason: "their packer"}}
	return f, p
}

// TestForgiven holds down that nothing is equivalent but what both sides named, what is in the list and what adds up.
func TestForgiven(t *testing.T) {
	t.Parallel()
	f, p := forgave()
	v := verdict.Decide(f, p)
	if v.Result != verdict.Passed || v.Match != verdict.MatchEquivalent || len(v.Exceptions) != 1 || !strings.Contains(v.Exceptions[0], "their packer") ||
		!strings.Contains(v.Summary, "forgives by name") {
		t.Fatalf("%s %s %q %q", v.Result, v.Match, v.Summary, v.Exceptions)
	}
	for name, change := range map[string]func(*verdict.Facts, *policy.Policy){
		"not declared":             func(f *verdict.Facts, _ *policy.Policy) { f.Comparison.Members[0].Declared = nil },
		"not allowed":              func(_ *verdict.Facts, p *policy.Policy) { p.Rebuild.Allow = nil },
		"another one allowed":      func(_ *verdict.Facts, p *policy.Policy) { p.Rebuild.Allow[0].Name = "gzip-stream" },
		"only identical asked for": func(_ *verdict.Facts, p *policy.Policy) { p.Rebuild.Match = "identical" },
		"sums that do not add up":  func(f *verdict.Facts, _ *policy.Policy) { f.Comparison.Members[0].Layers[0].Forgiven = 3 },
		"a negative sum": func(f *verdict.Facts, _ *policy.Policy) {
			f.Comparison.Members[0].Layers[0].Forgiven, f.Comparison.Members[0].Layers[0].Derived = 14, -10
		},
		"sums of another file": func(f *verdict.Facts, _ *policy.Policy) { f.Comparison.Members[0].Size = 11 },
		"no sums":              func(f *verdict.Facts, _ *policy.Policy) { f.Comparison.Members[0].Layers = nil },
		"nothing forgiven":     func(f *verdict.Facts, _ *policy.Policy) { f.Comparison.Members[0].Forgiven = nil },
		"a file without sums":  func(f *verdict.Facts, _ *policy.Policy) { f.Comparison.Members[0].Forgiven[0].Layer = "x" },
		"a name that is none":  func(f *verdict.Facts, p *policy.Policy) { everything(f, p) },
		"set-uid":              func(f *verdict.Facts, _ *policy.Policy) { f.Comparison.Members[0].Flags = []string{"set-uid"} },
		"only said so": func(f *verdict.Facts, _ *policy.Policy) {
			f.Comparison.Members[0] = verdict.MemberResult{State: verdict.Equivalent}
		},
		"another member differs": func(f *verdict.Facts, _ *policy.Policy) { other(f, verdict.Different) },
		"another from nowhere":   func(f *verdict.Facts, _ *policy.Policy) { other(f, verdict.Nowhere) },
		"the runs disagree":      func(f *verdict.Facts, _ *policy.Policy) { f.Rebuild.Agree = false },
	} {
		f, p := forgave()
		change(&f, p)
		if v := verdict.Decide(f, p); v.Result == verdict.Passed {
			t.Errorf("%s: passed, %s", name, v.Match)
		}
	}
}

func everything(f *verdict.Facts, p *policy.Policy) {
	f.Comparison.Members[0].Declared, f.Comparison.Members[0].Forgiven[0].Name = []string{"everything"}, "everything"
	p.Rebuild.Allow[0].Name = "everything"
}

func other(f *verdict.Facts, state string) {
	f.Comparison.Members = append(f.Comparison.Members, verdict.MemberResult{Path: "other", State: state, SHA256: sumB, Difference: &verdict.Difference{Stable: true}})
}
