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
	if len(m.Forgiven)+len(m.Signed) == 0 || len(m.Layers) == 0 || m.Difference == nil || m.Layers[0].Path != "" || m.Layers[0].Size != m.Size {
		return "called equivalent, and nothing says why", false
	}
	for _, g := range m.Forgiven {
		if text, ok := named(g.Name, g.Layer, false, m, p); !ok {
			return text, false
		}
	}
	for _, g := range m.Signed {
		if text, ok := named(g.Name, g.Layer, true, m, p); !ok {
			return text, false
		}
		if len(g.Signers) == 0 {
			return g.Name + " was taken over, and nobody signed", false
		}
	}
	for _, l := range m.Layers {
		if l.Same < 0 || l.Forgiven < 0 || l.Derived < 0 || l.Inner < 0 || l.Signed < 0 || l.Same+l.Forgiven+l.Derived+l.Inner+l.Signed != l.Size {
			return "what was forgiven does not add up to the difference", false
		}
	}
	return "", true
}

// named says why a difference that was forgiven in a layer should not have been.
func named(name, layer string, signature bool, m MemberResult, p *policy.Policy) (string, bool) {
	if d, ok := allow.Lookup(name); !ok || d.Signature != signature {
		return fmt.Sprintf("unknown difference %s", fault.Quote(name)), false
	}
	if !slices.Contains(m.Declared, name) {
		return name + " was forgiven and is not declared by the recipe", false
	}
	if _, ok := p.Rebuild.Allows(name); !ok {
		return name + " was forgiven and is not allowed by the policy", false
	}
	if !slices.ContainsFunc(m.Layers, func(l Layered) bool { return l.Path == layer }) {
		return name + " was forgiven in a file that is not accounted for", false
	}
	return "", true
}

// artefactSignature holds whoever signed what was shipped against the policy. A signature that somebody else made is no
// difference that the policy named.
func artefactSignature(f Facts, p *policy.Policy) Check {
	c := f.Comparison
	if c == nil || f.Rebuild == nil {
		return notReached("signatures inside what was shipped")
	}
	var said []string
	for _, m := range c.Members {
		for _, g := range m.Signed {
			where := fault.Quote(join(m.Path, g.Layer))
			rule, ok := p.Rebuild.Allows(g.Name)
			if !ok || rule.SignedBy == "" || len(g.Signers) == 0 {
				return failed("%s: %s was taken over, and nobody says whose counts", where, fault.Quote(g.Name))
			}
			var who []string
			for _, s := range g.Signers {
				if s.Status != signedGood {
					return failed("%s: %s: %s", where, g.Name, describeSignature(s))
				}
				who = append(who, s.Signer)
			}
			if ok, why := p.Trust.Satisfied(rule.SignedBy, who); !ok {
				return failed("%s: %s: %s", where, g.Name, why)
			}
			said = append(said, fmt.Sprintf("%s: %s %s", where, g.Name, describeSignature(g.Signers[0])))
		}
	}
	switch {
	case len(said) == 0:
		return reported("no signature inside what was shipped had to be told from what was built")
	case len(said) > 1:
		return passed("%d signatures, the first %s", len(said), said[0])
	}
	return passed("%s", said[0])
}

func join(a, b string) string {
	if b == "" {
		return a
	}
	return a + "/" + b
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
	for _, g := range m.Signed {
		if fields[g.Name] == 0 {
			names = append(names, g.Name)
		}
		fields[g.Name]++
		bytes[g.Name] += g.Bytes
	}
	slices.Sort(names)
	for i, n := range names {
		d, _ := allow.Lookup(n)
		switch {
		case bytes[n] == 0:
			names[i] = n
		case d.Signature:
			names[i] = fmt.Sprintf("%s %s", n, count(int(bytes[n]), "byte"))
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
			one.Signed = slices.DeleteFunc(slices.Clone(m.Signed), func(g Embedded) bool { return g.Name != rule.Name })
			if len(one.Forgiven)+len(one.Signed) > 0 {
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
