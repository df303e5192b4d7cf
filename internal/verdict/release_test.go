package verdict_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/glassbuild/glassbuild/internal/policy"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// goodRelease is a release of one file that is an output.
func goodRelease() verdict.Facts {
	f := good()
	f.Scope = verdict.ScopeRelease
	m := f.Comparison.Members[0]
	m.Path, m.State = "tool", verdict.Identical
	f.Comparison = &verdict.Comparison{Whole: verdict.Identical, Members: []verdict.MemberResult{m}, Counts: map[string]int{verdict.Identical: 1}}
	f.Release = &verdict.Release{Files: []verdict.ReleaseFile{{Name: "tool", SHA256: m.SHA256, State: verdict.Identical}}}
	return f
}

func TestReleasePassNeedsEveryLink(t *testing.T) {
	t.Parallel()
	v := verdict.Decide(goodRelease(), policy.Default())
	if v.ExitCode() != 0 || v.Match != verdict.MatchIdentical {
		t.Fatalf("%s %s: %s", v.Result, v.Match, v.Summary)
	}
	for _, part := range []string{"Source", "Recipe", "Builder", "Inputs", "Rebuild", "Comparison", "Release"} {
		f := goodRelease()
		reflect.ValueOf(&f).Elem().FieldByName(part).SetZero()
		if v := verdict.Decide(f, policy.Default()); v.ExitCode() == 0 {
			t.Errorf("passed without %s", part)
		}
	}
	partial, err := policy.Parse("p", []byte("format = 1\n[rebuild]\nmatch = \"partial\"\n"), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	add := func(state, runs string) func(*verdict.Facts) {
		return func(f *verdict.Facts) {
			f.Comparison.Whole = verdict.NotRebuilt
			f.Comparison.Members = append(f.Comparison.Members, verdict.MemberResult{Path: "x", State: state, Runs: runs, SHA256: "aa", Size: 1})
		}
	}
	for name, c := range map[string]struct {
		change func(*verdict.Facts)
		want   verdict.Result
		check  string
	}{
		"uncovered":       {add(verdict.Uncovered, "script"), verdict.Failed, verdict.CheckAccounted},
		"different":       {add(verdict.Different, ""), verdict.Failed, verdict.CheckAccounted},
		"an unknown word": {add("fine", ""), verdict.Failed, verdict.CheckAccounted},
		"no word":         {add("", ""), verdict.Failed, verdict.CheckAccounted},
		"from nowhere":    {add(verdict.Nowhere, ""), verdict.Inconclusive, verdict.CheckAccounted},
		"only signed":     {add(verdict.Covered, ""), verdict.Inconclusive, verdict.CheckAccounted},
		"equivalent":      {add(verdict.Equivalent, ""), verdict.Failed, verdict.CheckAccounted},
		"set-uid":         {func(f *verdict.Facts) { f.Comparison.Members[0].Flags = []string{"set-uid"} }, verdict.Failed, verdict.CheckAccounted},
		"missing":         {func(f *verdict.Facts) { f.Release.Lists = []verdict.DigestList{{Entries: 2, Missing: []string{"y"}}} }, verdict.Failed, verdict.CheckListed},
		"stray": {func(f *verdict.Facts) {
			f.Release.Lists, f.Release.Stray = []verdict.DigestList{{Entries: 1}}, []string{"y"}
		}, verdict.Failed, verdict.CheckListed},
		"other digest": {func(f *verdict.Facts) {
			f.Release.Lists = []verdict.DigestList{{Entries: 1, Differs: []string{"tool"}}}
		}, verdict.Failed, verdict.CheckListed},
		"a refused list":  {func(f *verdict.Facts) { f.Release.Lists = []verdict.DigestList{{Refused: "x"}} }, verdict.Failed, verdict.CheckListed},
		"unshipped":       {func(f *verdict.Facts) { f.Release.Unshipped = []verdict.Unshipped{{Name: "y", Why: "rebuilt"}} }, verdict.Failed, verdict.CheckUnshipped},
		"nothing rebuilt": {func(f *verdict.Facts) { f.Comparison.Members = nil; add(verdict.InTree, "")(f) }, verdict.Inconclusive, verdict.CheckAccounted},
		"another build": {func(f *verdict.Facts) {
			b := verdict.BuildFacts{Source: f.Source, Recipe: f.Recipe, Builder: f.Builder, Inputs: f.Inputs}
			f.Release.Builds = []verdict.BuildFacts{b}
		}, verdict.Inconclusive, verdict.CheckSteps},
		"an unvouched build": {func(f *verdict.Facts) {
			b := verdict.BuildFacts{Source: f.Source, Recipe: f.Recipe, Builder: &verdict.Builder{Layers: []verdict.Layer{{Name: "host"}}}, Inputs: f.Inputs, Rebuild: f.Rebuild}
			f.Release.Builds = []verdict.BuildFacts{b}
		}, verdict.Inconclusive, verdict.CheckVouched},
	} {
		f := goodRelease()
		c.change(&f)
		v := verdict.Decide(f, partial)
		if v.Result != c.want || v.Check(c.check).Status == verdict.StatusPassed {
			t.Errorf("%s: %s, %s %q", name, v.Result, v.Check(c.check).Status, v.Check(c.check).Text)
		}
	}
}
