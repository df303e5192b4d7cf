package trust_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/trust"
)

// named returns principals with a key each; names with a "+" are platforms.
func named(t *testing.T, names ...string) []trust.Principal {
	t.Helper()
	var out []trust.Principal
	for _, n := range names {
		n, platform := strings.CutSuffix(n, "+")
		out = append(out, trust.Principal{Name: n, Platform: platform, SSH: []trust.SSHKey{{Line: sshLine(t)}}})
	}
	return out
}

func TestSatisfied(t *testing.T) {
	t.Parallel()
	tr, err := trust.New(named(t, "alice", "bob", "carol", "dave", "web-flow+"), []trust.Group{
		{Name: "anyone", Members: []string{"alice", "bob"}, Threshold: trust.Any()},
		{Name: "both", Members: []string{"alice", "bob"}, Threshold: trust.All()},
		{Name: "two", Members: []string{"alice", "bob", "carol"}, Threshold: trust.AtLeast(2)},
		{Name: "release", Members: []string{"alice", "bob"}, Threshold: trust.Any()},
		{Name: "security", Members: []string{"alice", "carol"}, Threshold: trust.Any()},
		{Name: "four-eyes", Members: []string{"release", "security"}, Threshold: trust.All()},
		{Name: "alice-or-release", Members: []string{"alice", "release"}, Threshold: trust.AtLeast(2)},
		{Name: "pair-a", Members: []string{"alice", "bob"}, Threshold: trust.All()},
		{Name: "pair-b", Members: []string{"bob", "carol"}, Threshold: trust.All()},
		{Name: "pairs", Members: []string{"pair-a", "pair-b"}, Threshold: trust.AtLeast(2)},
		{Name: "either-pair", Members: []string{"pair-a", "pair-b"}, Threshold: trust.Any()},
		{Name: "author-and-forge", Members: []string{"anyone", "web-flow"}, Threshold: trust.All()},
		{Name: "merges", Members: []string{"alice", "web-flow"}, Threshold: trust.Any()},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		who  string
		want bool
		text string
	}{
		{"anyone", "bob", true, "1 of 1: bob"},
		{"anyone", "", false, "0 of 1: nobody of alice, bob"},
		{"anyone", "carol dave mallory", false, "nobody of"},
		{"both", "alice", false, "1 of 2: alice; not bob"},
		{"both", "alice alice alice", false, "1 of 2"},
		{"both", "bob alice", true, "2 of 2: alice, bob"},
		{"two", "alice carol", true, "2 of 2"},
		{"two", "alice alice", false, "1 of 2"},
		{"four-eyes", "alice", false, "fewer than 2 distinct principals"},
		{"four-eyes", "alice bob", true, ""},
		{"four-eyes", "alice carol", true, ""},
		{"four-eyes", "bob carol", true, ""},
		{"four-eyes", "bob", false, ""},
		{"alice-or-release", "alice", false, "fewer than 2"},
		{"alice-or-release", "alice bob", true, ""},
		{"pairs", "alice bob carol", false, "fewer than 2"},
		{"either-pair", "bob carol", true, ""},
		{"either-pair", "alice carol", false, ""},
		{"author-and-forge", "alice", false, ""},
		{"author-and-forge", "web-flow", false, ""},
		{"author-and-forge", "bob web-flow", true, ""},
		{"merges", "web-flow", true, ""},
		{"anyone", "web-flow", false, ""},
		{"alice", "alice", true, "signed by alice"},
		{"alice", "bob", false, "not signed by alice"},
		{"nobody", "alice", false, "neither a principal nor a group"},
	} {
		ok, text := tr.Satisfied(c.name, strings.Fields(c.who))
		if ok != c.want || !strings.Contains(text, c.text) {
			t.Errorf("%s by %q: %v %q, want %v %q", c.name, c.who, ok, text, c.want, c.text)
		}
	}
}

// TestSatisfiedNeedsDistinctSigners compares the search with the definition: a group is satisfied when principals can
// be dealt out so that no one is used twice. It tries every way to deal them out.
func TestSatisfiedNeedsDistinctSigners(t *testing.T) {
	t.Parallel()
	names := []string{"a", "b", "c", "d", "e"}
	principals := named(t, names...)
	rng := rand.New(rand.NewPCG(1, 2))
	satisfied := 0
	for round := range 300 {
		var groups []trust.Group
		seats := map[string][]string{}
		for i := range 3 {
			var members []string
			for _, n := range names {
				if rng.IntN(2) == 0 {
					members = append(members, n)
				}
			}
			if len(members) == 0 {
				members = []string{"a"}
			}
			g := fmt.Sprintf("g%d", i)
			need := 1 + rng.IntN(len(members))
			groups = append(groups, trust.Group{Name: g, Members: members, Threshold: trust.AtLeast(int64(need))})
			seats[g] = append([]string{fmt.Sprint(need)}, members...)
		}
		need := 1 + rng.IntN(3)
		groups = append(groups, trust.Group{Name: "top", Members: []string{"g0", "g1", "g2"}, Threshold: trust.AtLeast(int64(need))})
		tr, err := trust.New(principals, groups)
		if err != nil {
			t.Fatal(err)
		}
		for mask := range 1 << len(names) {
			var who []string
			for i, n := range names {
				if mask>>i&1 == 1 {
					who = append(who, n)
				}
			}
			want := dealt(who, seats, need, map[string]int{})
			if ok, why := tr.Satisfied("top", who); ok != want {
				t.Fatalf("round %d, %v of %v, need %d: got %v (%s), want %v", round, who, seats, need, ok, why, want)
			}
			if want {
				satisfied++
			}
		}
	}
	if satisfied == 0 {
		t.Fatal("nothing was ever satisfied: the comparison shows nothing")
	}
}

// dealt gives each signer to one group or to none, in all ways.
func dealt(who []string, seats map[string][]string, need int, filled map[string]int) bool {
	full := 0
	for g, s := range seats {
		if fmt.Sprint(filled[g]) >= s[0] {
			full++
		}
	}
	if full >= need {
		return true
	}
	if len(who) == 0 {
		return false
	}
	for g, s := range seats {
		if slices.Contains(s[1:], who[0]) {
			filled[g]++
			ok := dealt(who[1:], seats, need, filled)
			filled[g]--
			if ok {
				return true
			}
		}
	}
	return dealt(who[1:], seats, need, filled)
}

// TestSatisfiedIsBounded sees that no arrangement of groups makes the answer take for ever, and that giving up is a no.
func TestSatisfiedIsBounded(t *testing.T) {
	t.Parallel()
	var names []string
	for i := range 40 {
		names = append(names, fmt.Sprintf("p%02d", i))
	}
	var groups []trust.Group
	var tops []string
	for i := range 14 {
		g := fmt.Sprintf("g%02d", i)
		groups = append(groups, trust.Group{Name: g, Members: names, Threshold: trust.AtLeast(3)})
		tops = append(tops, g)
	}
	groups = append(groups, trust.Group{Name: "top", Members: tops, Threshold: trust.All()})
	tr, err := trust.New(named(t, names...), groups)
	if err != nil {
		t.Fatal(err)
	}
	if ok, why := tr.Satisfied("top", names); ok { // 14 × 3 needs 42 people
		t.Fatalf("satisfied: %s", why)
	}
}
