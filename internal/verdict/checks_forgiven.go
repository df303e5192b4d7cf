package verdict

import (
	"fmt"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/allow"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/policy"
)

// rebuildForgiven holds every forgiven difference against the two that must both name it, and the sums against the sizes.
func rebuildForgiven(f Facts, p *policy.Policy) Check {
	c := f.Comparison
	if c == nil || f.Rebuild == nil {
		return notReached("what was forgiven")
	}
	var said []string
	for _, m := range c.Members {
		if m.State != Equivalent {
			continue
		}
		if text, ok := unbacked(m, p); !ok {
			return failed("%s: %s", fault.Quote(m.Path), text)
		}
		said = append(said, fault.Quote(m.Path)+": "+budget(m))
	}
	switch {
	case len(said) == 0:
		return passed("nothing was forgiven")
	case len(said) > 1:
		return passed("%d members, the first %s", len(said), said[0])
	}
	return passed("%s", said[0])
}

// unbacked says why a member that is called equivalent is not: something was forgiven that nobody allowed, or that does not
// add up to the whole difference. The zero member is not backed.
func unbacked(m MemberResult, p *policy.Policy) (string, bool) {
	if len(m.Forgiven) == 0 || len(m.Layers) == 0 || m.Difference == nil || m.Layers[0].Path != "" || m.Layers[0].Size != m.Size {
		return "called equivalent, and nothing says why", false
	}
	for _, g := range m.Forgiven {
		if _, ok := allow.Lookup(g.Name); !ok {
			return fmt.Sprintf("unknown difference %s", fault.Quote(g.Name)), false
		}
		if !slices.Contains(m.Declared, g.Name) {
			return g.Name + " was forgiven and is not declared by the recipe", false
		}
		if _, ok := p.Rebuild.Allows(g.Name); !ok {
			return g.Name + " was forgiven and is not allowed by the policy", false
		}
		if !slices.ContainsFunc(m.Layers, func(l Layered) bool { return l.Path == g.Layer }) {
			return g.Name + " was forgiven in a file that is not accounted for", false
		}
	}
	for _, l := range m.Layers {
		if l.Same < 0 || l.Forgiven < 0 || l.Derived < 0 || l.Inner < 0 || l.Same+l.Forgiven+l.Derived+l.Inner != l.Size {
			return "what was forgiven does not add up to the difference", false
		}
	}
	return "", true
}

// budget counts what was forgiven, by name.
func budget(m MemberResult) string {
	fields, bytes := map[string]int{}, map[string]int64{}
	var names []string
	for _, g := range m.Forgiven {
		if fields[g.Name] == 0 {
			names = append(names, g.Name)
		}
		fields[g.Name] += g.Fields
		bytes[g.Name] += g.Bytes
	}
	slices.Sort(names)
	for i, n := range names {
		switch {
		case bytes[n] == 0:
			names[i] = n
		default:
			names[i] = fmt.Sprintf("%s %s in %s", n, count(int(bytes[n]), "byte"), count(fields[n], "field"))
		}
	}
	return strings.Join(names, ", ")
}

// forgiven lists for the report what the policy forgave, with its reasons.
func forgiven(c *Comparison, p *policy.Policy) []string {
	var list []string
	for _, m := range c.Members {
		if _, ok := unbacked(m, p); m.State != Equivalent || !ok {
			continue
		}
		for _, rule := range p.Rebuild.Allow {
			one := m
			one.Forgiven = slices.DeleteFunc(slices.Clone(m.Forgiven), func(g Forgiven) bool { return g.Name != rule.Name })
			if len(one.Forgiven) > 0 {
				list = append(list, fmt.Sprintf("%s: %s forgiven: %s", fault.Quote(m.Path), budget(one), fault.Quote(rule.Reason)))
			}
		}
	}
	return list
}

// undeclared names what recipe or policy would still have to name for a member that differs.
func undeclared(m MemberResult, p *policy.Policy) string {
	for _, name := range m.Declared {
		if _, ok := p.Rebuild.Allows(name); !ok {
			return fmt.Sprintf("the recipe declares %s, which the policy does not allow; [[rebuild.allow]] can, with a reason", name)
		}
	}
	return ""
}
