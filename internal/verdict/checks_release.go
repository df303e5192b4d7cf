package verdict

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/policy"
)

// Checks of a release.
const (
	CheckListed     = "release.listed"
	CheckListSigned = "release.signed"
	CheckAccounted  = "release.accounted"
	CheckUnshipped  = "release.unshipped"
	CheckAttested   = "release.attested"
)

// releaseCatalogue is every check of a release: those of each build, then those of the files as a whole.
var releaseCatalogue = buildRelease()

func buildRelease() []entry {
	var list []entry
	for _, e := range rebuilt {
		switch e.id {
		case CheckPublished, CheckMatch: // they are about one artefact; accounted judges every file
		case CheckForgiven, CheckEmbedded: // they look at every member already
			list = append(list, e)
		case CheckArtefact:
			list = append(list, entry{e.id, e.title, releaseRead})
		default:
			list = append(list, entry{e.id, e.title, everyBuild(e.check)})
		}
	}
	return append(list,
		entry{CheckListed, "the lists of digests name what was shipped, and nothing else", releaseListed},
		entry{CheckListSigned, "the lists of digests are signed by whom the policy names", releaseSigned},
		entry{CheckAccounted, "whatever would run was rebuilt, and everything else comes from the source", releaseAccounted},
		entry{CheckAttested, "there is signed evidence about every file", releaseAttested},
		entry{CheckUnshipped, "whatever was rebuilt or attested was shipped", releaseUnshipped},
		entry{checkComplete, "the run came to its end", runComplete},
	)
}

// everyBuild judges each build of a release. The worst answer counts.
func everyBuild(check func(Facts, *policy.Policy) Check) func(Facts, *policy.Policy) Check {
	return func(f Facts, p *policy.Policy) Check {
		var top Check
		list := f.all()
		for i, g := range list {
			c := check(g, p)
			if len(list) > 1 && rank(c.Status) > 0 {
				c.Text = fmt.Sprintf("build %d of %d: %s", i+1, len(list), c.Text)
			}
			if i == 0 || rank(c.Status) > rank(top.Status) {
				top = c
			}
		}
		return top
	}
}

func releaseRead(f Facts, _ *policy.Policy) Check {
	r := f.Release
	if r == nil || len(r.Files) == 0 {
		return notReached("release")
	}
	return passed("%s", count(len(r.Files), "file")).with("sha256", f.Subject.SHA256)
}

// releaseListed holds the files against the lists beside them, in both directions.
func releaseListed(f Facts, p *policy.Policy) Check {
	r := f.Release
	if r == nil {
		return notReached("lists of digests")
	}
	if len(r.Lists) == 0 {
		return reported("the release has no list of digests")
	}
	var bad, told []string
	note := func(rule, text string) {
		if rule == "report" {
			told = append(told, text)
		} else {
			bad = append(bad, text)
		}
	}
	for _, l := range r.Lists {
		switch {
		case l.Refused != "":
			bad = append(bad, fmt.Sprintf("%s is no list of digests: %s", fault.Quote(l.Name), l.Refused))
		case l.Entries == 0:
			bad = append(bad, fmt.Sprintf("%s is empty", fault.Quote(l.Name)))
		}
		for _, n := range l.Differs {
			bad = append(bad, fmt.Sprintf("%s is not what %s says", fault.Quote(n), fault.Quote(l.Name)))
		}
	}
	for _, l := range r.Lists {
		if len(l.Missing) > 0 {
			note(p.Release.Missing, fmt.Sprintf("missing: %s, named by %s%s", fault.Quote(l.Missing[0]), fault.Quote(l.Name), more(len(l.Missing))))
		}
	}
	if len(r.Stray) > 0 {
		note(p.Release.Stray, fmt.Sprintf("stray: %s, named by no list%s", fault.Quote(r.Stray[0]), more(len(r.Stray))))
	}
	switch {
	case len(bad) > 0:
		return failed("%s", strings.Join(append(bad, told...), "; ")).hint("ask the vendor for the whole release; [release] stray and missing in a policy say what is only reported")
	case len(told) > 0:
		return reported("%s; the policy only reports it", strings.Join(told, "; "))
	}
	return passed("%s, every file is named and as it says", fault.Quote(r.Lists[0].Name))
}

// releaseSigned says who signed the lists, and holds every file against those that the policy's signers signed. A list is no
// trust by itself, and neither is a signature by somebody whom the policy does not name.
func releaseSigned(f Facts, p *policy.Policy) Check {
	r := f.Release
	if r == nil {
		return notReached("signatures of lists")
	}
	want := p.Release.ListsBy
	counts := map[string]bool{}
	why := "the release has no list of digests"
	var said []string
	for _, l := range r.Lists {
		var who []string
		text := fault.Quote(l.Name) + " is not signed"
		for i, s := range l.Signatures {
			if i == 0 || s.Status == signedGood {
				text = fmt.Sprintf("%s %s", fault.Quote(l.Name), describeSignature(s.Signature))
			}
			if s.Status == signedGood {
				who = append(who, s.Signer)
			}
		}
		said = append(said, text)
		switch {
		case want == "":
			continue
		case l.Refused != "":
			why = fault.Quote(l.Name) + " is no list of digests"
			continue
		}
		ok, missing := p.Trust.Satisfied(want, who)
		if counts[l.Name] = ok && len(who) > 0; !counts[l.Name] {
			why = text + "; " + missing
		}
	}
	if want == "" {
		if len(said) == 0 {
			return reported("the release has no list of digests")
		}
		return reported("%s (not demanded by the policy)", strings.Join(said, "; "))
	}
	for _, file := range r.Files {
		if file.State == Listed || slices.ContainsFunc(file.Lists, func(name string) bool { return counts[name] }) {
			continue
		}
		if slices.Contains(mapped(counts), true) {
			why = "no list that they signed names it"
		}
		return failed("%s: the policy demands a list signed by %s, and %s", fault.Quote(file.Name), fault.Quote(want), why).
			hint("ask the vendor for the list and its signature; the policy decides who counts: [[principal]] names keys and identities")
	}
	if len(r.Files) == 0 || !slices.Contains(mapped(counts), true) {
		return failed("the policy demands a list signed by %s, and %s", fault.Quote(want), why)
	}
	return passed("%s", strings.Join(said, "; "))
}

func mapped(counts map[string]bool) []bool { return slices.Collect(maps.Values(counts)) }

func more(n int) string {
	if n <= 1 {
		return ""
	}
	return fmt.Sprintf(" and %d more", n-1)
}

// releaseAccounted closes F1 for releases: whatever would run is rebuilt, covered or named; data is in a verified tree or
// named.
func releaseAccounted(f Facts, p *policy.Policy) Check {
	c := f.Comparison
	if c == nil || f.Rebuild == nil || f.Release == nil {
		return notReached("account of the files")
	}
	if text, ok := privileged(c); ok {
		return failed("%s", text).hint("set-uid and set-gid bits and capabilities are never forgiven: nothing in git can ask for them")
	}
	a := account(c, p)
	switch {
	case a.rebuilt == 0 && a.total > 0 && a.different == "":
		return inconclusive("nothing of what was shipped was rebuilt: %s", a).hint("the recipe's outputs must be what is shipped, or lie in it")
	case a.different != "":
		for _, m := range c.Members {
			if stable(m) {
				return failed("%s: %s", a, differentText(m)).hint("glassbuild verify judges a file alone and shows all that differs")
			}
		}
		if !unsettled(f) {
			return failed("%s: %s was not built from this source", a, fault.Quote(a.different))
		}
		return inconclusive("%s: %s differs, but only where the runs differ among themselves", a, fault.Quote(a.different))
	case a.uncovered != "":
		return failed("%s: %s would run (%s) and nothing accounts for it", a, fault.Quote(a.uncovered), a.why).
			hint("let the recipe build it; or accept it by digest with [[rebuild.cover]] in a policy")
	case a.evidence != "" && p.Release.Evidence == "":
		return inconclusive("%s: %s was not rebuilt, only signed evidence is about it", a, fault.Quote(a.evidence)).
			hint("[release] evidence in a policy says why that is enough")
	case a.nowhere != "" && p.Release.Data == "":
		return inconclusive("%s: %s is neither rebuilt nor in the source", a, fault.Quote(a.nowhere)).
			hint("let the recipe build the package; [[rebuild.cover]] accepts single files by digest, [release] data all that does not run")
	case c.Whole != Identical && p.Rebuild.Match != "partial":
		return inconclusive("%s: some containers were not rebuilt as a whole", a).
			hint("[rebuild] match = \"partial\" in a policy accepts packages whose members are all accounted for")
	}
	return passed("%s", a)
}

func unsettled(f Facts) bool {
	return slices.ContainsFunc(f.all(), func(g Facts) bool { return g.Rebuild != nil && !g.Rebuild.Agree })
}

func differentText(m MemberResult) string {
	d := m.Difference
	if len(d.Explain) > 0 {
		return fmt.Sprintf("%s was not built from this source: %s", fault.Quote(m.Path), d.Explain[0])
	}
	return fmt.Sprintf("%s was not built from this source: %d bytes differ, from offset %d to %d", fault.Quote(m.Path), d.Bytes, d.First, d.Last)
}

// tallied is what the members of a release come to, and the first of each kind that keeps it from a pass.
type tallied struct {
	total, rebuilt, tree, covered, data, opened, listed, bare int
	different, uncovered, why, evidence, nowhere              string
}

// String says it in one line; containers and lists of digests are not counted.
func (a tallied) String() string {
	s := fmt.Sprintf("%d rebuilt, %d in the source, %d covered, %d uncovered", a.rebuilt, a.tree, a.covered, a.bare)
	if a.data > 0 {
		s += fmt.Sprintf(", %d from nowhere", a.data)
	}
	return s
}

func account(c *Comparison, p *policy.Policy) tallied {
	var a tallied
	first := func(s *string, v string) {
		if *s == "" {
			*s = v
		}
	}
	for _, m := range c.Members {
		a.total++
		if coveredByPolicy(m, c, p) {
			a.covered++
			continue
		}
		switch m.State {
		case Identical:
			a.rebuilt++
		case Equivalent:
			if _, ok := unbacked(m, p); !ok || p.Rebuild.Match == "identical" {
				a.bare++
				first(&a.different, m.Path)
				continue
			}
			a.rebuilt++
		case InTree:
			a.tree++
		case Covered:
			a.covered++
			first(&a.evidence, m.Path)
		case NotRebuilt: // a container: its members speak for themselves
			a.opened++
		case Listed:
			a.listed++
		case Nowhere:
			a.data++
			first(&a.nowhere, m.Path)
		case Different:
			a.bare++
			first(&a.different, m.Path)
		default:
			a.bare++
			if a.uncovered == "" {
				a.uncovered, a.why = m.Path, orElse(m.Runs, "unknown")
			}
		}
	}
	return a
}

// Listed is the state of a list of digests, and of a detached signature: both speak about other files and are judged by
// what they say.
const Listed = "listed"

// coveredByPolicy tells whether the policy accepts these bytes at this place, or a container around them whose digest it
// names.
func coveredByPolicy(m MemberResult, c *Comparison, p *policy.Policy) bool {
	if m.State == Identical || m.State == InTree {
		return false
	}
	for _, k := range p.Rebuild.Cover {
		if k.Member == m.Path && k.SHA256 == m.SHA256 {
			return true
		}
		if strings.HasPrefix(m.Path, k.Member+"/") && slices.ContainsFunc(c.Members, func(o MemberResult) bool { return o.Path == k.Member && o.SHA256 == k.SHA256 && o.SHA256 != "" }) {
			return true
		}
	}
	return false
}

// releaseAttested demands evidence about every file, where the policy demands any.
func releaseAttested(f Facts, p *policy.Policy) Check {
	switch {
	case p.Provenance == nil && p.Quorum == nil:
		return reported("%s", NotDemanded)
	case f.Release == nil || len(f.Release.Files) == 0:
		return notReached("signed evidence")
	}
	n := 0
	for _, r := range f.Release.Files {
		switch {
		case r.State == Listed:
		case !r.Signed:
			return failed("shipped, not attested: %s: %s", fault.Quote(r.Name), orElse(r.Evidence, "no evidence was judged")).hint("ask the vendor for signed evidence about every file")
		default:
			n++
		}
	}
	if n == 0 {
		return failed("no file was attested")
	}
	return passed("%s, each with the evidence that the policy demands", count(n, "file"))
}

func releaseUnshipped(f Facts, p *policy.Policy) Check {
	r := f.Release
	if r == nil || f.Comparison == nil {
		return notReached("what was not shipped")
	}
	if len(r.Unshipped) == 0 {
		return passed("nothing is missing")
	}
	u := r.Unshipped[0]
	text := fmt.Sprintf("%s (%s) lies in no file of the release%s", fault.Quote(u.Name), u.Why, more(len(r.Unshipped)))
	if p.Release.Unshipped == "report" {
		return reported("%s; the policy only reports it", text)
	}
	return failed("%s", text).hint("ask the vendor for the whole release; [release] unshipped in a policy says what is only reported")
}

// releaseExceptions lists what the policy gave up of a release.
func releaseExceptions(f Facts, p *policy.Policy) []string {
	if f.Release == nil || f.Comparison == nil {
		return nil
	}
	var list []string
	a := account(f.Comparison, p)
	if p.Release.Data != "" && a.data > 0 {
		list = append(list, fmt.Sprintf("%s from nowhere accepted: %s", count(a.data, "file"), fault.Quote(p.Release.Data)))
	}
	if p.Release.Evidence != "" && a.evidence != "" {
		list = append(list, fmt.Sprintf("signed evidence accepted for what was not rebuilt: %s", fault.Quote(p.Release.Evidence)))
	}
	for _, m := range f.Comparison.Members {
		if m.State == Identical || m.State == InTree || m.State == NotRebuilt || m.State == Listed {
			continue
		}
		for _, k := range p.Rebuild.Cover {
			if k.SHA256 == m.SHA256 && k.Member == m.Path {
				list = append(list, fmt.Sprintf("member %s covered: %s", fault.Quote(k.Member), fault.Quote(k.Reason)))
			}
		}
	}
	return list
}

// releaseMatch gives the second word for a release.
func releaseMatch(f Facts) Match {
	c := f.Comparison
	if c == nil || f.Rebuild == nil {
		return MatchNotRebuilt
	}
	rebuilt := 0
	for _, m := range c.Members {
		switch {
		case m.State == Different && (!unsettled(f) || stable(m)):
			return MatchDifferent
		case m.State == Identical, m.State == Equivalent:
			rebuilt++
		}
	}
	switch {
	case unsettled(f) || rebuilt == 0:
		return MatchNotRebuilt
	case c.Whole == Identical:
		return MatchIdentical
	}
	return MatchPartial
}
