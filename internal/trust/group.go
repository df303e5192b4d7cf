package trust

import (
	"strconv"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// Group names principals and other groups, and how many of its members are needed.
type Group struct {
	Name      string
	Members   []string // names of principals or groups, each once
	Threshold Threshold
}

// Threshold is "any" (one member), "all", or a number of members. The zero value is none of them and is refused.
type Threshold struct {
	all bool
	n   int64
	set bool
}

// Any needs one member.
func Any() Threshold { return AtLeast(1) }

// All needs every member.
func All() Threshold { return Threshold{all: true, set: true} }

// AtLeast needs n members; whether n is in range is seen when the group is known.
func AtLeast(n int64) Threshold { return Threshold{n: n, set: true} }

// ParseThreshold takes what a policy file holds: "any", "all", or an integer.
func ParseThreshold(v any) (Threshold, error) {
	switch v := v.(type) {
	case string:
		switch v {
		case "any":
			return Any(), nil
		case "all":
			return All(), nil
		}
		return Threshold{}, fault.Usagef("threshold", "want \"any\", \"all\" or a number, got %q", v)
	case int64:
		return AtLeast(v), nil
	case int:
		return AtLeast(int64(v)), nil
	}
	return Threshold{}, fault.Usagef("threshold", "want \"any\", \"all\" or a number")
}

// String returns the threshold as a policy writes it.
func (t Threshold) String() string {
	switch {
	case !t.set:
		return "none"
	case t.all:
		return "all"
	case t.n == 1:
		return "any"
	}
	return strconv.FormatInt(t.n, 10)
}

// node is a group or a principal once names are resolved.
type node struct {
	name      string
	principal bool
	platform  bool
	index     int     // of a principal, its place in the list of principals
	members   []*node // of a group
	need      int     // of a group, between 1 and len(members)
}

// buildGroups resolves names, refuses cycles, thresholds out of range and forges among reviewers.
func buildGroups(groups []Group, nodes map[string]*node) error {
	if len(groups) > MaxGroups {
		return fault.Usagef("group", "exceeds %d groups", MaxGroups)
	}
	for i := range groups {
		if err := checkName("group", groups[i].Name); err != nil {
			return err
		}
		if nodes[groups[i].Name] != nil {
			return fault.Usagef("group "+fault.Quote(groups[i].Name), "duplicate name")
		}
		nodes[groups[i].Name] = &node{name: groups[i].Name}
	}
	for i := range groups {
		if err := linkGroup(&groups[i], nodes); err != nil {
			return err
		}
	}
	done := map[*node]int{}
	for i := range groups {
		if _, err := depth(nodes[groups[i].Name], done); err != nil {
			return err
		}
	}
	return nil
}

func linkGroup(g *Group, nodes map[string]*node) error {
	object := "group " + fault.Quote(g.Name)
	switch {
	case len(g.Members) == 0:
		return fault.Usagef(object, "has no members")
	case len(g.Members) > MaxMembers:
		return fault.Usagef(object, "exceeds %d members", MaxMembers)
	case !g.Threshold.set:
		return fault.Usagef(object, "threshold required: \"any\", \"all\" or a number")
	}
	n := nodes[g.Name]
	seen := map[string]bool{}
	platforms := 0
	for _, name := range g.Members {
		m := nodes[name]
		if m == nil {
			return fault.Usagef(object, "unknown member %q", name)
		}
		if seen[name] {
			return fault.Usagef(object, "duplicate member %q", name)
		}
		seen[name] = true
		if m.platform {
			platforms++
		}
		n.members = append(n.members, m)
	}
	n.need = len(n.members)
	if !g.Threshold.all {
		if g.Threshold.n < 1 || g.Threshold.n > int64(len(n.members)) {
			return fault.Usagef(object, "threshold %d out of range 1–%d", g.Threshold.n, len(n.members))
		}
		n.need = int(g.Threshold.n)
	}
	if platforms > 0 && platforms < len(n.members) && n.need > 1 && n.need < len(n.members) {
		return fault.Usagef(object, "counts a platform key among authors").
			WithHint("a forge signs for whoever it lets in: give platform principals a group of their own, and name that group")
	}
	return nil
}

// depth returns how deep n nests; a group met again on its own path is a cycle.
func depth(n *node, done map[*node]int) (int, error) {
	const onPath = -1
	if n.principal {
		return 0, nil
	}
	if d, ok := done[n]; ok {
		if d == onPath {
			return 0, fault.Usagef("group "+fault.Quote(n.name), "contains itself")
		}
		return d, nil
	}
	done[n] = onPath
	deepest := 0
	for _, m := range n.members {
		d, err := depth(m, done)
		if err != nil {
			return 0, err
		}
		deepest = max(deepest, d+1)
	}
	if deepest > MaxGroupDepth {
		return 0, fault.Usagef("group "+fault.Quote(n.name), "nests deeper than %d", MaxGroupDepth)
	}
	done[n] = deepest
	return deepest, nil
}
