package verdict_test

import (
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/policy"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// TestAccount judges what a build read (F11, F19).
func TestAccount(t *testing.T) {
	t.Parallel()
	blob := verdict.Opaque{Path: "tests/files/good-large.xz", Kind: "compressed", Size: 512, SHA256: sumA}
	report := func(p *policy.Policy) { p.Rebuild.Account = "report" }
	for _, c := range []struct {
		name   string
		change func(*verdict.Facts)
		policy func(*policy.Policy)
		status verdict.Status
		text   string
	}{
		{"proved", nil, nil, verdict.StatusPassed, "1 of 3 files of the source were read, 0 of them opaque, 0 generated, 0 vendored; a run with nothing else gave the same bytes"},
		{"none", func(f *verdict.Facts) { f.Rebuild.Account = nil }, nil, verdict.StatusInconclusive, "not proved: nothing was written down"},
		{"zero", func(f *verdict.Facts) { f.Rebuild.Account = &verdict.Account{} }, nil, verdict.StatusInconclusive, "not proved: nobody says why"},
		{"refuted", func(f *verdict.Facts) { f.Rebuild.Account.Proved, f.Rebuild.Account.Why = false, "other bytes" }, nil, verdict.StatusInconclusive, "not proved: other bytes"},
		{"refuted, reported", func(f *verdict.Facts) { f.Rebuild.Account.Proved, f.Rebuild.Account.Why = false, "other bytes" }, report, verdict.StatusReported, "not proved: other bytes"},
		{"opaque", func(f *verdict.Facts) { f.Rebuild.Account.Opaque = []verdict.Opaque{blob} }, nil, verdict.StatusFailed, "the build read tests/files/good-large.xz: opaque (compressed), not listed in the policy"},
		{"opaque, not proved", func(f *verdict.Facts) {
			f.Rebuild.Account.Opaque, f.Rebuild.Account.Proved = []verdict.Opaque{blob}, false
		}, report, verdict.StatusFailed, "the build read tests/files/good-large.xz: opaque (compressed), not listed in the policy"},
		{"opaque, listed", func(f *verdict.Facts) { f.Rebuild.Account.Opaque = []verdict.Opaque{blob} }, func(p *policy.Policy) {
			p.Source.Opaque = []policy.Opaque{{Path: blob.Path, SHA256: blob.SHA256, Reason: "looked at"}}
		}, verdict.StatusPassed, "1 of them opaque"},
		{"opaque, listed with another content", func(f *verdict.Facts) { f.Rebuild.Account.Opaque = []verdict.Opaque{blob} }, func(p *policy.Policy) {
			p.Source.Opaque = []policy.Opaque{{Path: blob.Path, SHA256: sumB, Reason: "looked at"}}
		}, verdict.StatusFailed, "not listed"},
		{"opaque, reported", func(f *verdict.Facts) { f.Rebuild.Account.Opaque = []verdict.Opaque{blob} }, func(p *policy.Policy) { p.Source.ReadOpaque = "report" }, verdict.StatusPassed, "1 of them opaque"},
		{"from nowhere", func(f *verdict.Facts) { f.Rebuild.Account.Layers[0].Digest = "" }, nil, verdict.StatusInconclusive, "the build read files that nothing pins: go"},
		{"from nowhere, not read", func(f *verdict.Facts) {
			f.Rebuild.Account.Layers = append(f.Rebuild.Account.Layers, verdict.LayerRead{Name: "host"})
		}, nil, verdict.StatusPassed, ""},
		{"fetched", func(f *verdict.Facts) { f.Rebuild.Account.FetchedOf = 7 }, nil, verdict.StatusPassed, "; 0 of 7 fetched files;"},
		{"packed", func(f *verdict.Facts) { f.Rebuild.Account, f.Rebuild.Packed = nil, true }, nil, verdict.StatusReported, "module zip"},
	} {
		f, p := good(), policy.Default()
		if c.change != nil {
			c.change(&f)
		}
		if c.policy != nil {
			c.policy(p)
		}
		v := verdict.Decide(f, p)
		got := v.Check(verdict.CheckAccount)
		if got.Status != c.status || !strings.Contains(got.Text, c.text) {
			t.Errorf("%s: %s %q", c.name, got.Status, got.Text)
		}
		if passes := got.Status == verdict.StatusPassed || got.Status == verdict.StatusReported; passes != (v.Result == verdict.Passed) {
			t.Errorf("%s: %s", c.name, v.Result)
		}
	}
}
