package trust

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// Satisfied tells whether the principals in who meet the group (or the single principal) called name, and says why in
// one line. The caller passes only principals whose signatures it has verified and found good.
//
// What is counted is distinct principals, never signatures or keys: a name that stands twice in who counts once, a
// name that the policy does not know counts nothing.
//
// Nested groups: a member group that is satisfied counts as one member. Each principal can be spent once in the whole
// evaluation: the members of a group that are counted must be satisfied by sets of principals that have nobody in
// common. So with two = 2 of (release, security), alice in both and alice alone signing, one seat is filled and not
// two; alice and bob fill both if bob sits in either. Where groups overlap so much that this choice cannot be searched
// within a fixed bound, the group is not satisfied.
//
// A platform principal (a forge's own key) fills a seat only where a group names it as its direct member, or where
// name is the platform principal itself: nothing implies it, and New refuses groups that would count it among
// reviewers.
func (t *Trust) Satisfied(name string, who []string) (bool, string) {
	if t == nil {
		return false, "no principals are known"
	}
	n := t.nodes[name]
	if n == nil {
		return false, fmt.Sprintf("%s is neither a principal nor a group", fault.Quote(name))
	}
	present := newSet(len(t.principals))
	for _, w := range who {
		if m := t.nodes[w]; m != nil && m.principal {
			present.add(m.index)
		}
	}
	if n.principal {
		if present.has(n.index) {
			return true, "signed by " + fault.Quote(name)
		}
		return false, "not signed by " + fault.Quote(name)
	}
	if !filled(n, present) {
		return false, explain(n, present, false, false) // not even with everybody counted as often as they stand
	}
	if !overlapping(n, newSet(len(t.principals))) {
		return true, explain(n, present, true, false)
	}
	s := &search{steps: satisfySteps}
	ok := s.seats(n.members, n.need, present, func(set) bool { return true })
	return ok, explain(n, present, ok, s.steps <= 0)
}

// filled counts members without caring whether one principal fills several seats.
func filled(n *node, present set) bool {
	if n.principal {
		return present.has(n.index)
	}
	have := 0
	for _, m := range n.members {
		if filled(m, present) {
			have++
		}
	}
	return have >= n.need
}

// overlapping tells whether some principal stands at more than one place below n.
func overlapping(n *node, seen set) bool {
	if n.principal {
		if seen.has(n.index) {
			return true
		}
		seen.add(n.index)
		return false
	}
	for _, m := range n.members {
		if overlapping(m, seen) {
			return true
		}
	}
	return false
}

// search looks for disjoint sets of principals.
type search struct{ steps int }

// seats tries to fill need of the members from free; then is called with who is left, and may ask for another choice.
func (s *search) seats(members []*node, need int, free set, then func(left set) bool) bool {
	if need == 0 {
		return then(free)
	}
	if len(members) < need || free.count() < need {
		return false
	}
	s.steps--
	if s.steps <= 0 {
		return false
	}
	m, rest := members[0], members[1:]
	if m.principal {
		if !free.has(m.index) {
			return s.seats(rest, need, free, then)
		}
		if s.seats(rest, need-1, free.without(m.index), then) {
			return true
		}
		// Leaving a signer unspent here helps only when another member wants the same one.
		return s.seats(rest, need, free, then)
	}
	fill := func(left set) bool { return s.seats(rest, need-1, left, then) }
	return s.seats(m.members, m.need, free, fill) || s.seats(rest, need, free, then)
}

// explain names who counted and who is missing, as far as the group's own members go.
func explain(n *node, present set, ok, exhausted bool) string {
	var have, missing []string
	for _, m := range n.members {
		if filled(m, present) {
			have = append(have, fault.Quote(m.name))
		} else {
			missing = append(missing, fault.Quote(m.name))
		}
	}
	slices.Sort(have)
	slices.Sort(missing)
	text := fmt.Sprintf("%d of %d", min(len(have), n.need), n.need)
	switch {
	case ok:
		return text + ": " + strings.Join(have, ", ")
	case exhausted:
		return "the groups overlap too much to be decided"
	case len(have) >= n.need:
		return fmt.Sprintf("fewer than %d distinct principals fill %s: each may be counted once", n.need, strings.Join(have, ", "))
	case len(have) == 0:
		return text + ": nobody of " + strings.Join(missing, ", ")
	}
	return text + ": " + strings.Join(have, ", ") + "; not " + strings.Join(missing, ", ")
}

// set is a set of principals by index; values are never changed once shared.
type set []uint64

func newSet(n int) set { return make(set, (n+63)/64) }

func (s set) add(i int)      { s[i/64] |= 1 << (i % 64) }
func (s set) has(i int) bool { return s[i/64]&(1<<(i%64)) != 0 }

func (s set) without(i int) set {
	out := slices.Clone(s)
	out[i/64] &^= 1 << (i % 64)
	return out
}

func (s set) count() int {
	n := 0
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}
