package redact

import (
	"slices"
	"strings"
)

// Level says what is left out.
type Level string

// The levels, see docs/reports.md.
const (
	Paths Level = "paths" // names of files, and every line in which one may stand
	Code  Level = "code"  // what was taken out of files: explanations, functions, the recipe, and every line that may quote them
	All   Level = "all"   // everything that can be left out
)

// Levels are all levels.
var Levels = []Level{Paths, Code, All}

// class is what kind of entry stands at a place of the verdict.
type class int

const (
	unknown class = iota // no rule: only All hides it, and a test fails
	never                // can never be left out (F17)
	path
	code
	line // a line for people, in which names, paths and code may stand
	name // of people, hosts, projects, versions
)

func (c class) hidden(l Level) bool {
	switch l {
	case Paths:
		return c == path || c == line
	case Code:
		return c == code || c == line
	case All:
		return c != never
	}
	return false
}

// open are the places that can never be left out: what was found, how it was counted, what was forgiven, by which policy and recipe,
// and every digest; and all that other auditors said, so that nobody who found otherwise can be hidden (F17).
var open = []string{
	"result", "match", "unsignable/*", "checks/*/id", "checks/*/status", "checks/*/evidence/*", "exceptions/*", "policy/name", "policy/sha256", "scope", "tool/name", "tool/version",
	"problems/*/check", "problems/*/class", "comparison/whole", "source/attributes",
	"**/sha256", "**/tree-sha256", "**/lock-sha256", "**/trusted-roots", "**/checksum-database", "**/digest", "**/hash", "**/commit", "**/git-tree", "**/object", "**/payload", "**/key", "**/public-key",
	"**/status", "**/state", "**/kind", "**/format", "**/type", "**/class", "**/cause", "**/chosen-by", "**/origin", "**/how", "**/algorithm", "**/ecosystem", "**/flags/*", "**/declared/*", "**/sandbox/runtimes/*", "**/sandbox/held/*",
	"**/forgiven/*/name", "**/signed/*/name", "**/members/*/runs", "**/exceptions/*", "**/vote/*", "votes/**", "document/**", "**/stamp/at",
	"**/newest/*", "**/since", "**/origins/*/by/*", "**/transformed/*/before", "**/transformed/*/after", "**/moved/*/before", "**/moved/*/now", "**/moved/*/seen", "**/opaque/*/last-touched",
}

// rules are the places of everything else.
var rules = []struct {
	class  class
	places []string
}{
	{line, []string{"summary", "checks/*/text", "checks/*/hint", "problems/*/text", "problems/*/hint", "**/findings/*/text", "**/transformed/*/why", "**/signature/detail", "**/signatures/*/detail", "**/signers/*/detail",
		"**/recipe/unknown/*", "**/recipe/refused/*", "**/recipe/contradictions/*", "recipe/unknown/*", "recipe/refused/*", "recipe/contradictions/*", "**/disagreement/detail", "**/git-refused/*",
		"**/account/why", "**/origins/*/why", "**/network-refused/*", "**/explain/*", "**/regions/*/*", "**/modules/*/detail", "**/vendored/*/detail", "published/detail", "**/voucher/detail",
		"**/conflicts/*", "**/notes/*", "**/withdrawn", "**/refused/*/reason", "**/refused/*/hint", "provenance/contradictions/*", "provenance/unsearched/*", "**/lists/*/refused", "**/unshipped/*/why"}},
	{code, []string{"**/recipe/text", "**/recipe/lines/*/*", "recipe/text", "recipe/lines/*/*"}},
	{path, []string{"subject/member", "recipe/path", "**/recipe/path", "**/findings/*/path", "**/opaque/*/path", "**/transformed/*/path", "**/submodules/*/path", "**/by/*/paths/*", "**/touched/*/what", "**/paths/*/match",
		"**/members/*/path", "**/members/*/tree-path", "**/members/*/output", "**/rebuilt/name", "**/layer", "**/layers/*/path", "**/outputs/*/name", "**/disagreement/output", "**/account/source/*/name", "**/account/fetched/*/name", "**/origins/*/names/*", "**/origins/*/source/*/name", "**/origins/*/package/*/name",
		"**/origins/*/made/*/name", "**/origins/*/unread/*", "**/origins/*/unknown/*",
		"**/copies/*/output", "**/copies/*/member", "**/copies/*/input", "release/files/*/name", "release/lists/*/name", "release/lists/*/signatures/*/name", "release/files/*/lists/*", "release/lists/*/missing/*", "release/lists/*/differs/*", "release/stray/*",
		"release/unshipped/*/name", "release/files/*/evidence"}},
	{name, []string{"subject/name", "subject/within/name", "**/repository", "**/refs/*", "**/signer", "**/stamp/by", "**/stamp/principal", "**/trusted-roots/name", "**/tags/*/name", "**/tags-used/*/name",
		"**/moved/*/name", "**/signed-by", "**/submodules/*/url", "**/builder/layers/*/name", "**/builder/layers/*/version", "builder/layers/*/name", "builder/layers/*/version", "recipe/target", "**/recipe/target", "**/account/layers/*/name", "**/origins/*/parts/*/name", "**/voucher/by",
		"**/modules/*/path", "**/modules/*/version", "**/vendored/*/path", "**/vendored/*/version", "published/path", "published/version", "**/statements/*/name", "**/statements/*/subject",
		"**/principal", "**/identity", "**/issuer", "**/logs/*", "**/timestamps/*", "**/says/*", "**/fields/*", "**/refused/*/name", "provenance/searched/*"}},
}

// keyed are the members whose own members are named by what they hold.
var keyed = []string{"says", "conflicts", "fields", "counts"}

// classOf returns the class of a place, written as names joined by "/" in which * stands for a place in a list or a map.
func classOf(place string) class {
	place = strings.TrimPrefix(place, "release/builds/*/") // the facts of one build
	for _, p := range open {
		if fits(p, place) {
			return never
		}
	}
	for _, r := range rules {
		if slices.ContainsFunc(r.places, func(p string) bool { return fits(p, place) }) {
			return r.class
		}
	}
	return unknown
}

// fits holds a place against a pattern: ** at either end stands for any names, * for one.
func fits(pattern, place string) bool {
	want, got := strings.Split(pattern, "/"), strings.Split(place, "/")
	if want[0] == "**" {
		want = want[1:]
		if len(got) <= len(want) {
			return false
		}
		got = got[len(got)-len(want):]
	}
	if want[len(want)-1] == "**" {
		want = want[:len(want)-1]
		if len(got) <= len(want) {
			return false
		}
		got = got[:len(want)]
	}
	if len(want) != len(got) {
		return false
	}
	for i, w := range want {
		if w != "*" && w != got[i] {
			return false
		}
	}
	return true
}
