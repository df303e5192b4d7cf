package findings

import (
	"slices"
	"testing"

	"github.com/glassbuild/glassbuild/internal/policy"
	"github.com/glassbuild/glassbuild/internal/rebuild"
	"github.com/glassbuild/glassbuild/internal/sandbox"
)

// TestSandbox has every run count, and what one of them lacked be lacking.
func TestSandbox(t *testing.T) {
	t.Parallel()
	full := sandbox.Isolation{Runtime: "runc", Network: "refused, listed", Namespaces: []string{"time"},
		Limits: []sandbox.Enforced{{Limit: "memory", By: "cgroup v2"}, {Limit: "processes", By: "cgroup v2"}}}
	if !slices.Equal(full.Held(), policy.Isolations) {
		t.Errorf("a sandbox that has everything has %q, a policy can demand %q", full.Held(), policy.Isolations)
	}
	less := sandbox.Isolation{Runtime: "embedded", Network: "refused, listed", Limits: []sandbox.Enforced{{Limit: "memory", By: "rlimit"}}}
	o := &rebuild.Outcome{}
	o.Record.Runs = []rebuild.RunRecord{{Isolation: full}, {Isolation: full}}
	if s := Sandbox(o); !slices.Equal(s.Runtimes, []string{"runc"}) || !slices.Equal(s.Held, policy.Isolations) {
		t.Errorf("%+v", s)
	}
	for name, add := range map[string]func(){
		"fetch":      func() { o.Record.Fetch = &rebuild.RunRecord{Isolation: less} },
		"restricted": func() { o.Record.Restricted = &rebuild.RunRecord{Isolation: less} },
		"tools":      func() { o.Record.Tools = []rebuild.RunRecord{{Isolation: less}} },
	} {
		o.Record.Fetch, o.Record.Restricted, o.Record.Tools = nil, nil, nil
		add()
		if s := Sandbox(o); !slices.Equal(s.Runtimes, []string{"embedded", "runc"}) || !slices.Equal(s.Held, []string{"refusals-listed"}) {
			t.Errorf("%s: %+v", name, s)
		}
	}
	if s := Sandbox(&rebuild.Outcome{}); len(s.Runtimes)+len(s.Held) != 0 {
		t.Errorf("nothing ran, and yet %+v", s)
	}
}
