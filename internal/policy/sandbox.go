package policy

import (
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/tomlfile"
)

// Isolations are the properties of a sandbox that a machine or a runtime may lack, and a policy can demand.
var Isolations = []string{"memory-group", "process-group", "refusals-listed", "time-namespace"}

// DemandsSandbox tells whether it matters which sandboxes a build ran in.
func (r Rebuild) DemandsSandbox() bool { return len(r.Sandbox)+len(r.Isolation) > 0 }

func (r Rebuild) checkSandbox(doc *tomlfile.Document) error {
	if doc.Has("rebuild.sandbox") && len(r.Sandbox) == 0 {
		return doc.Errorf("rebuild.sandbox", "takes no runtime at all")
	}
	for i, name := range r.Sandbox {
		if name == "" || strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c > '~' || c == '/' }) {
			return doc.Errorf("rebuild.sandbox", "%q is not the name of a runtime, such as embedded or runc", name)
		}
		if slices.Contains(r.Sandbox[:i], name) {
			return doc.Errorf("rebuild.sandbox", "%q stands twice", name)
		}
	}
	for i, name := range r.Isolation {
		if !slices.Contains(Isolations, name) {
			return doc.Errorf("rebuild.isolation", "%q is not one of %s", name, strings.Join(Isolations, ", "))
		}
		if slices.Contains(r.Isolation[:i], name) {
			return doc.Errorf("rebuild.isolation", "%q stands twice", name)
		}
	}
	return nil
}
