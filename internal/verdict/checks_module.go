package verdict

import (
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/policy"
)

// artefactPublished: a package that the world downloads by name is recorded for everybody; one that was shipped under that
// name must be the recorded one.
func artefactPublished(f Facts, _ *policy.Policy) Check {
	m := f.Published
	if m == nil {
		return reported("not a package that a public database records")
	}
	name := fault.Quote(m.Path + "@" + m.Version)
	switch m.Status {
	case "verified":
		return passed("%s is the one in the checksum database", name)
	case "mismatch":
		return failed("%s: %s", name, m.Detail).hint("the rest of the world is given another file under this name")
	case "private", "unknown":
		return reported("%s is not known to be published: %s", name, orElse(m.Detail, m.Status))
	}
	return inconclusive("%s was not looked up", name)
}

// unlessPacked replaces what a check says of a build where nothing was built: a module zip is packed by this program.
func unlessPacked(check func(Facts, *policy.Policy) Check, text string) func(Facts, *policy.Policy) Check {
	return func(f Facts, p *policy.Policy) Check {
		if f.Rebuild != nil && f.Rebuild.Packed {
			return reported("%s", text)
		}
		return check(f, p)
	}
}
