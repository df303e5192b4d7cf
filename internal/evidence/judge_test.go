package evidence_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/glassbuild/glassbuild/internal/evidence"
)

// demand is what a vector wants a verified statement to say. Deciding that belongs to the policy; here it only shows that
// what is handed out is what was said.
type demand struct {
	Repository, Commit, Ref, Builder, BuildType, Workflow, Trigger string
	Fields                                                         map[string]string
}

// met holds what v says against the demand; the error names the first claim that is not as demanded.
func (d demand) met(v *evidence.Verified) error {
	said, err := v.Said()
	if err != nil {
		return err
	}
	for _, c := range []struct{ name, want string }{{"repository", d.Repository}, {"commit", d.Commit}, {"ref", d.Ref}, {"builder", d.Builder},
		{"build-type", d.BuildType}, {"workflow", d.Workflow}, {"trigger", d.Trigger}} {
		switch got := said.Values[c.name]; {
		case c.want != "" && said.Conflicts[c.name] != "":
			return errors.New(said.Conflicts[c.name])
		case c.want == "" || got == c.want:
		case got == "":
			return fmt.Errorf("%s: not in signed statement", c.name)
		default:
			return fmt.Errorf("bound to other %s: %s, want %s", c.name, got, c.want)
		}
	}
	for _, a := range slices.Sorted(maps.Keys(d.Fields)) {
		got, ok := v.Field(a)
		if !ok {
			return fmt.Errorf("%s: not in signed statement", a)
		}
		if got != d.Fields[a] {
			return fmt.Errorf("%s is %s, want %s", a, got, d.Fields[a])
		}
	}
	return nil
}

// verifyAll verifies each bundle on its own.
func verifyAll(bundles []*evidence.Bundle, opt evidence.Options) (held []*evidence.Verified, refused []error) {
	for _, b := range bundles {
		v, err := evidence.Verify(b, opt)
		if err != nil {
			refused = append(refused, err)
			continue
		}
		held = append(held, v)
	}
	return held, refused
}
