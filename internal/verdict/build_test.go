package verdict_test

import (
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/policy"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// builtFacts are what is known of a build before anything is shipped.
func builtFacts() verdict.Facts {
	f := good()
	f.Subject, f.Comparison = verdict.Subject{}, nil
	return f
}

func TestDecideBuild(t *testing.T) {
	t.Parallel()
	v := verdict.DecideBuild(builtFacts(), policy.Default())
	if err := v.Refusal(); err != nil || !v.Sound {
		t.Fatalf("%v: %+v", err, v.Checks)
	}
	if err := (verdict.BuildVerdict{}).Refusal(); err == nil {
		t.Error("the zero value is sound")
	}
	if err := (verdict.BuildVerdict{Sound: true}).Refusal(); err == nil {
		t.Error("no check, and sound")
	}
	if err := verdict.DecideBuild(builtFacts(), nil).Refusal(); err == nil {
		t.Error("sound without a policy")
	}
	for name, tc := range map[string]struct {
		change func(*verdict.Facts)
		class  fault.Class
		want   string
	}{
		"no source":      {func(f *verdict.Facts) { f.Source = nil }, fault.Inconclusive, ""},
		"unreachable":    {func(f *verdict.Facts) { f.Source.Refs = nil }, fault.Failed, "no branch or tag"},
		"no tree":        {func(f *verdict.Facts) { f.Source.TreeSHA256 = "" }, fault.Inconclusive, ""},
		"no recipe":      {func(f *verdict.Facts) { f.Recipe = nil }, fault.Inconclusive, ""},
		"nobody vouches": {func(f *verdict.Facts) { f.Builder.Layers[0].Voucher = verdict.Voucher{} }, fault.Inconclusive, "nobody but the vendor"},
		"module differs": {func(f *verdict.Facts) { f.Inputs.Modules = []verdict.Module{{Path: "m", Status: "mismatch"}} }, fault.Failed, "m@"},
		"module unknown": {func(f *verdict.Facts) { f.Inputs.Modules = []verdict.Module{{Path: "m", Status: "unknown"}} }, fault.Inconclusive, "not verified"},
		"module private": {func(f *verdict.Facts) { f.Inputs.Modules = []verdict.Module{{Path: "m", Status: "private"}} }, fault.Inconclusive, "m@"},
		"other database": {func(f *verdict.Facts) {
			f.Inputs.Database, f.Inputs.Modules = "sums.example.org", []verdict.Module{{Path: "m", Status: "verified"}}
		}, fault.Inconclusive, "sums.example.org"},
		"vendored":        {func(f *verdict.Facts) { f.Inputs.Vendored = []verdict.Module{{Path: "m", Status: "mismatch"}} }, fault.Failed, ""},
		"no runs":         {func(f *verdict.Facts) { f.Rebuild = nil }, fault.Inconclusive, ""},
		"one run":         {func(f *verdict.Facts) { f.Rebuild.Runs = 1 }, fault.Inconclusive, "1 runs"},
		"runs differ":     {func(f *verdict.Facts) { f.Rebuild.Agree = false }, fault.Inconclusive, "not reproducible"},
		"a copy":          {func(f *verdict.Facts) { f.Rebuild.Copies = []verdict.Copy{{Output: "tool", Input: "blob"}} }, fault.Failed, "the build copied it"},
		"copies not seen": {func(f *verdict.Facts) { f.Rebuild.CopyCheck = false }, fault.Inconclusive, ""},
		"from the cache":  {func(f *verdict.Facts) { f.Rebuild.Cached = true }, fault.Inconclusive, "cache"},
		"nothing built":   {func(f *verdict.Facts) { f.Rebuild.Outputs = nil }, fault.Inconclusive, ""},
	} {
		f := builtFacts()
		tc.change(&f)
		v := verdict.DecideBuild(f, policy.Default())
		err := v.Refusal()
		if err == nil || v.Sound || fault.ClassOf(err) != tc.class || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v (%s)", name, err, fault.ClassOf(err))
		}
	}
}
