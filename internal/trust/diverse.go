package trust

import (
	"fmt"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// Members returns the principals that a group names, directly or through other groups, each once and sorted; of a
// principal itself. A name that is not known has none.
func (t *Trust) Members(name string) []string {
	if t == nil || t.nodes[name] == nil {
		return nil
	}
	seen := map[*node]bool{}
	var out []string
	var walk func(n *node)
	walk = func(n *node) {
		if seen[n] {
			return
		}
		seen[n] = true
		if n.principal {
			out = append(out, n.name)
		}
		for _, m := range n.members {
			walk(m)
		}
	}
	walk(t.nodes[name])
	slices.Sort(out)
	return out
}

// SatisfiedDiverse is Satisfied, counting only principals who all differ from each other in every one of the attributes.
// A principal of whom the policy does not say the attribute is not counted: nobody can say whether it differs. Where the
// choice of those who are counted cannot be searched within a fixed bound, the group is not satisfied.
func (t *Trust) SatisfiedDiverse(name string, who []string, attributes []string) (bool, string) {
	ok, why := t.Satisfied(name, who)
	if !ok || len(attributes) == 0 {
		return ok, why
	}
	var able []Signer
	for _, w := range slices.Compact(slices.Sorted(slices.Values(who))) {
		p, known := t.Principal(w)
		if known && !slices.ContainsFunc(attributes, func(a string) bool { return p.Attributes[a] == "" }) {
			able = append(able, p)
		}
	}
	s := &diversity{trust: t, name: name, attributes: attributes, all: able, steps: diverseSteps}
	if ok, why := s.choose(0, nil); ok {
		return true, why
	}
	if s.steps <= 0 {
		return false, "too many to be chosen from"
	}
	return false, fmt.Sprintf("those who signed do not differ enough in %s", fault.Quote(strings.Join(attributes, ", ")))
}

// diversity looks for a set of signers that differ and satisfy.
type diversity struct {
	trust      *Trust
	name       string
	attributes []string
	all        []Signer
	steps      int
}

func (d *diversity) choose(from int, chosen []Signer) (bool, string) {
	d.steps--
	if d.steps <= 0 {
		return false, ""
	}
	if from == len(d.all) {
		var names []string
		for _, c := range chosen {
			names = append(names, c.Name)
		}
		return d.trust.Satisfied(d.name, names)
	}
	if !slices.ContainsFunc(chosen, func(c Signer) bool { return d.alike(c, d.all[from]) }) {
		if ok, why := d.choose(from+1, append(chosen, d.all[from])); ok {
			return true, why
		}
	}
	// leaving one out helps only where another is like it
	if !slices.ContainsFunc(d.all[from+1:], func(o Signer) bool { return d.alike(o, d.all[from]) }) {
		if !slices.ContainsFunc(chosen, func(c Signer) bool { return d.alike(c, d.all[from]) }) {
			return false, ""
		}
	}
	return d.choose(from+1, chosen)
}

func (d *diversity) alike(a, b Signer) bool {
	return slices.ContainsFunc(d.attributes, func(name string) bool { return strings.EqualFold(a.Attributes[name], b.Attributes[name]) })
}
