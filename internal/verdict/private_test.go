package verdict_test

import (
	"testing"

	"github.com/glassbuild/glassbuild/internal/policy"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// TestEnvironmentAloneChangesNothing: who is not asked, and who is asked instead, counts only where the policy says it too.
func TestEnvironmentAloneChangesNothing(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		status, database string
		allow            func(*policy.Policy)
		sound            bool
	}{
		"private":        {"private", "", func(*policy.Policy) {}, false},
		"private, named": {"private", "", func(p *policy.Policy) { p.Rebuild.Private = []string{"git.example.org/team"} }, true},
		"private, another named": {"private", "", func(p *policy.Policy) {
			p.Rebuild.Private = []string{"git.example.org/tea", "git.example.org/team/tool/sub"}
		}, false},
		"database":                  {"verified", "sums.example.org", func(*policy.Policy) {}, false},
		"database, named":           {"verified", "sums.example.org", func(p *policy.Policy) { p.Rebuild.Database = "sums.example.org" }, true},
		"database, another named":   {"verified", "sums.example.org", func(p *policy.Policy) { p.Rebuild.Database = "example.org" }, false},
		"Go's own, another allowed": {"verified", "", func(p *policy.Policy) { p.Rebuild.Database = "sums.example.org" }, true},
	} {
		f := builtFacts()
		f.Inputs.Files, f.Inputs.Database = 1, row.database
		f.Inputs.Modules = []verdict.Module{{Path: "git.example.org/team/tool", Version: "v1.0.0", Status: row.status}}
		p := policy.Default()
		row.allow(p)
		if v := verdict.DecideBuild(f, p); v.Sound != row.sound {
			t.Errorf("%s: sound %v: %v", name, v.Sound, v.Refusal())
		}
	}
}
