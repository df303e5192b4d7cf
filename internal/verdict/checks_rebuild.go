package verdict

import (
	"fmt"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/policy"
)

func sandboxIsolation(f Facts, p *policy.Policy) Check {
	if f.Rebuild == nil {
		return notReached("isolation")
	}
	if c, ok := sandboxDemands(f.Rebuild.Sandbox, p.Rebuild); !ok {
		return c
	}
	if list := f.Rebuild.Refused; len(list) > 0 {
		return passed("no network, no view of this machine, inputs read-only; checked from inside before the first step; %s", refusedText(list))
	}
	return passed("no network, no view of this machine, inputs read-only; checked from inside before the first step")
}

// sandboxDemands holds the sandboxes against what the policy demands of them.
func sandboxDemands(s *Sandbox, p policy.Rebuild) (Check, bool) {
	if !p.DemandsSandbox() {
		return Check{}, true
	}
	if s == nil || len(s.Runtimes) == 0 {
		return inconclusive("nobody knows what the build ran in, and the policy demands something of it"), false
	}
	for _, name := range s.Runtimes {
		if len(p.Sandbox) > 0 && !slices.Contains(p.Sandbox, name) {
			return inconclusive("the sandboxes were made by %s, the policy takes those of %s", fault.Quote(name), strings.Join(p.Sandbox, ", ")).
				hint("--sandbox chooses: embedded, or the path of an OCI runtime"), false
		}
	}
	for _, name := range p.Isolation {
		if !slices.Contains(s.Held, name) {
			return inconclusive("the policy demands %s, which not every sandbox of this build had", name).
				hint("glassbuild doctor says what this machine offers, and what to do where it does not"), false
		}
	}
	return Check{}, true
}

func rebuildSteps(f Facts, _ *policy.Policy) Check {
	r := f.Rebuild
	switch {
	case r == nil:
		return notReached("build")
	case len(r.Outputs) == 0:
		return inconclusive("the build gave no outputs")
	}
	c := passed("%s", count(len(r.Outputs), "output"))
	if len(r.Outputs) == 1 {
		c = passed("%s, %s", fault.Quote(r.Outputs[0].Name), size(r.Outputs[0].Size))
	}
	for _, o := range r.Outputs {
		c = c.with("sha256", o.SHA256)
	}
	return c
}

func rebuildReproducible(f Facts, p *policy.Policy) Check {
	r := f.Rebuild
	switch {
	case r == nil || r.Runs == 0:
		return notReached("second run")
	case int64(r.Runs) < p.Rebuild.Runs:
		return inconclusive("%d runs, the policy demands %d", r.Runs, p.Rebuild.Runs)
	case !r.Agree && r.Disagree != nil:
		d := r.Disagree
		return inconclusive("not reproducible: %s differs from run to run, first at offset %d%s", fault.Quote(d.Output), d.Offset, comma(d.Detail)).
			hint("ask the vendor for a build that gives the same bytes every time; glassbuild build --keep DIR leaves both outputs to compare")
	case !r.Agree:
		return inconclusive("not reproducible")
	}
	return passed("%d runs gave the same bytes", r.Runs)
}

func comma(s string) string {
	if s == "" {
		return ""
	}
	return ", " + s
}

// rebuildCopied closes F6.
func rebuildCopied(f Facts, p *policy.Policy) Check {
	r := f.Rebuild
	if r == nil || len(r.Outputs) == 0 {
		return notReached("where the outputs come from")
	}
	if !r.CopyCheck {
		return inconclusive("the outputs were not held against the inputs")
	}
	for _, c := range r.Copies {
		if slices.ContainsFunc(p.Rebuild.Copies, func(k policy.Copied) bool { return k.SHA256 == c.SHA256 }) {
			continue
		}
		name := c.Output
		if c.Member != "" {
			name += "/" + c.Member
		}
		return failed("the build copied it: %s is %s (%s, %s)", fault.Quote(name), fault.Quote(c.Input), c.Origin, c.How).
			hint("a binary that lies finished in the inputs says nothing about the source; ask where it was built")
	}
	return passed("no output is a copy of an input")
}

// rebuildGit reports what F14 logs: a build that asks git for more than a stamp needs.
func rebuildGit(f Facts, _ *policy.Policy) Check {
	r := f.Rebuild
	switch {
	case r == nil:
		return notReached("questions to git")
	case len(r.Git) > 0:
		return reported("%s to git refused, the first: git %s", count(len(r.Git), "question"), fault.Quote(r.Git[0]))
	case len(r.TagsUsed) > 0:
		var names []string
		for _, t := range r.TagsUsed {
			names = append(names, fault.Quote(t.Name))
		}
		return reported("the stamp rests on %s %s", plural(len(names), "tag"), strings.Join(names, ", "))
	}
	return passed("no question to git was refused")
}

// rebuildMatch says how what was shipped and what was rebuilt relate, and whether the policy is content with it.
func rebuildMatch(f Facts, p *policy.Policy) Check {
	c := f.Comparison
	if c == nil || f.Rebuild == nil {
		return notReached("comparison")
	}
	if text, ok := privileged(c); ok {
		return failed("%s", text).hint("set-uid and set-gid bits and capabilities are never forgiven: nothing in git can ask for them")
	}
	m := matchOf(f, p)
	switch m {
	case MatchIdentical:
		return passed("identical, bit for bit").with("sha256", f.Subject.SHA256)
	case MatchDifferent:
		if text, ok := leftOut(f, p); ok {
			return inconclusive("different, but the recipe leaves out %s, which only the artefact asks for: the difference may be just that", fault.Quote(text)).
				hint("ask the vendor for a recipe at the commit, or accept the setting word for word with [[rebuild.setting]] in the policy")
		}
		return different(c, p)
	case MatchEquivalent:
		return equivalent(c, p)
	case MatchPartial:
		return partial(c, p)
	}
	if !f.Rebuild.Agree {
		return inconclusive("the runs differ among themselves, and nowhere else from what was shipped")
	}
	return inconclusive("nothing of what was shipped was rebuilt").
		hint("the recipe's [[artifact]] member must name a member of what was shipped")
}

// privileged names a member that would run with more rights than whoever starts it. Its bytes may be right; the right to
// run them so is not in the source. A container that was itself rebuilt bit for bit has no lines for its members.
func privileged(c *Comparison) (string, bool) {
	for _, m := range c.Members {
		for _, flag := range m.Flags {
			if flag != "" {
				return fmt.Sprintf("%s: metadata differs: it was shipped with %s", fault.Quote(m.Path), fault.Quote(flag)), true
			}
		}
	}
	return "", false
}

// leftOut returns a setting that the artefact asks for and that was not taken over: with it the rebuild would be another.
func leftOut(f Facts, p *policy.Policy) (string, bool) {
	if f.Recipe == nil || f.Recipe.ChosenBy != ByArtefact {
		return "", false
	}
	for _, text := range f.Recipe.Refused {
		if !slices.ContainsFunc(p.Rebuild.Settings, func(s policy.Setting) bool { return s.Text == text }) {
			return text, true
		}
	}
	return "", false
}

// equivalent passes where the policy asks for no more, and says what was forgiven.
func equivalent(c *Comparison, p *policy.Policy) Check {
	if p.Rebuild.Match != "equivalent" && p.Rebuild.Match != "partial" {
		return failed("equivalent only: the differences have names, the policy demands identical bytes")
	}
	for _, m := range c.Members {
		if m.State == Equivalent {
			return passed("equivalent: all but %s is the same", budget(m)).with("sha256", m.SHA256, m.Difference.Rebuilt.SHA256)
		}
	}
	return failed("equivalent only, and nothing says why")
}

func different(c *Comparison, p *policy.Policy) Check {
	unstable := 0
	for _, m := range c.Members {
		if text, ok := unbacked(m, p); m.State == Equivalent && !ok {
			return failed("%s: %s", fault.Quote(m.Path), text)
		}
		if m.State != Different || m.Difference == nil {
			continue
		}
		d := m.Difference
		if !d.Stable {
			unstable++
			continue
		}
		text := fmt.Sprintf("%s was not built from this source: %d bytes differ, from offset %d to %d", fault.Quote(m.Path), d.Bytes, d.First, d.Last)
		if len(d.Explain) > 0 {
			text = fmt.Sprintf("%s was not built from this source: %s", fault.Quote(m.Path), d.Explain[0])
		}
		return failed("%s", text).with("sha256", m.SHA256, d.Rebuilt.SHA256).hint("%s", undeclared(m, p))
	}
	if unstable > 0 {
		return inconclusive("%d members differ, but only where the runs differ among themselves", unstable)
	}
	return failed("what was shipped was not built from this source")
}

// partial closes F1: every member is named, and what comes from nowhere is never passed over.
func partial(c *Comparison, p *policy.Policy) Check {
	rebuilt, tree, covered, nowhere := 0, 0, 0, 0
	first := ""
	for _, m := range c.Members {
		switch m.State {
		case Identical, Equivalent:
			rebuilt++
		case InTree:
			tree++
		case NotRebuilt: // a container: its members speak for themselves, and that it is none of them is the word partial
		default:
			nowhere++
			if slices.ContainsFunc(p.Rebuild.Cover, func(k policy.Cover) bool { return k.Member == m.Path && k.SHA256 == m.SHA256 }) {
				covered++
			} else if first == "" {
				first = m.Path
			}
		}
	}
	counts := fmt.Sprintf("%s rebuilt, %d in the verified tree, %d from nowhere", count(rebuilt, "member"), tree, nowhere)
	switch {
	case first != "":
		return inconclusive("partial: %s; %s is not accounted for", counts, fault.Quote(first)).
			hint("--member PATH judges one member alone; the recipe can rebuild the container; a policy can cover single members by digest")
	case p.Rebuild.Match != "partial":
		return inconclusive("partial: %s; the container itself was not rebuilt", counts).
			hint("--member PATH judges one member alone; [rebuild] match = \"partial\" in a policy accepts this")
	}
	return passed("partial: %s, %d covered by the policy", counts, covered)
}

func runComplete(f Facts, _ *policy.Policy) Check {
	if f.Comparison == nil || f.Rebuild == nil || f.Source == nil {
		return notReached("end of the run")
	}
	return passed("every step was reached")
}

// checkedAll ends a check. What a check cannot judge, such as a policy that demands only a rebuild, is never passed over.
func checkedAll(f Facts, p *policy.Policy) Check {
	switch {
	case p.Provenance == nil && p.Quorum == nil:
		return failed("the policy demands nothing that can be judged without a rebuild")
	case f.Comparison != nil || f.Rebuild != nil:
		return failed("a check rebuilds nothing")
	case p.Provenance != nil && f.Provenance == nil || p.Quorum != nil && f.Votes == nil:
		return notReached("end of the check")
	}
	return reported("all that is demanded of signed evidence was judged; nothing was rebuilt")
}

// matchOf gives the second word of the verdict.
func matchOf(f Facts, p *policy.Policy) Match {
	if f.Scope == ScopeRelease {
		return releaseMatch(f)
	}
	c := f.Comparison
	if c == nil || f.Rebuild == nil {
		return MatchNotRebuilt
	}
	if !f.Rebuild.Agree {
		if slices.ContainsFunc(c.Members, stable) {
			return MatchDifferent
		}
		return MatchNotRebuilt
	}
	if c.Whole == Identical {
		return MatchIdentical
	}
	for _, m := range c.Members { // called equivalent is not enough
		if m.State == Equivalent {
			if p == nil {
				return MatchDifferent
			}
			if _, ok := unbacked(m, p); !ok {
				return MatchDifferent
			}
		}
	}
	if c.Whole == Equivalent {
		if len(c.Members) != 1 || c.Members[0].State != Equivalent {
			return MatchDifferent
		}
		return MatchEquivalent
	}
	rebuilt := 0
	for _, m := range c.Members {
		switch m.State {
		case Different:
			return MatchDifferent
		case Identical, Equivalent:
			rebuilt++
		}
	}
	switch {
	case c.Whole == Different:
		return MatchDifferent
	case rebuilt > 0:
		return MatchPartial
	}
	return MatchNotRebuilt
}

// stable tells of a difference that no nondeterminism explains (F16).
func stable(m MemberResult) bool {
	return m.State == Different && m.Difference != nil && m.Difference.Stable
}

// exceptions lists what the policy forgave and why; a report always shows them.
func exceptions(f Facts, p *policy.Policy) []string {
	var list []string
	add := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	if p.Source.Unreachable != "" && f.Source != nil && len(f.Source.Refs) == 0 {
		add("unreachable commit accepted: %s", fault.Quote(p.Source.Unreachable))
	}
	if f.Recipe != nil {
		for _, s := range p.Rebuild.Settings {
			if slices.Contains(f.Recipe.Refused, s.Text) {
				add("setting %s accepted: %s", fault.Quote(s.Text), fault.Quote(s.Reason))
			}
		}
		if f.Recipe.Dirty {
			add("a stamp that says the tree was modified accepted: %s", fault.Quote(orElse(p.Rebuild.Dirty, "asked for by the auditor's own recipe")))
		}
	}
	if f.Builder != nil {
		for _, b := range p.Rebuild.Builders {
			if slices.ContainsFunc(f.Builder.Layers, func(l Layer) bool { return l.Digest == b.Digest }) {
				add("builder %s vouched for: %s", fault.Quote(b.Digest), fault.Quote(b.Reason))
			}
		}
	}
	if f.Inputs != nil && f.Inputs.Database != "" && f.Inputs.Database == p.Rebuild.Database {
		add("modules vouched for by the checksum database %s", fault.Quote(f.Inputs.Database))
	}
	if f.Inputs != nil && slices.ContainsFunc(f.Inputs.Modules, func(m Module) bool { return m.Status == "private" && m.Ecosystem == "" && privateAllowed(p, m.Path) }) {
		add("private modules accepted by the commit's go.sum alone")
	}
	if p.Rebuild.Vendored != "" && f.Inputs != nil && slices.ContainsFunc(f.Inputs.Vendored, func(m Module) bool { return m.Status != "verified" }) {
		add("altered vendored modules accepted: %s", fault.Quote(p.Rebuild.Vendored))
	}
	if f.Scope == ScopeRelease {
		list = append(list, releaseExceptions(f, p)...)
	} else if f.Comparison != nil && f.Comparison.Whole != Identical {
		for _, k := range p.Rebuild.Cover {
			if slices.ContainsFunc(f.Comparison.Members, func(m MemberResult) bool {
				return m.State == Nowhere && m.Path == k.Member && m.SHA256 == k.SHA256
			}) {
				add("member %s covered: %s", fault.Quote(k.Member), fault.Quote(k.Reason))
			}
		}
	}
	list = append(list, evidenceExceptions(f, p)...)
	if f.Comparison != nil {
		list = append(list, forgiven(f.Comparison, p)...)
	}
	if f.Rebuild != nil {
		for _, k := range p.Rebuild.Copies {
			if slices.ContainsFunc(f.Rebuild.Copies, func(c Copy) bool { return c.SHA256 == k.SHA256 }) {
				add("copied output %s accepted: %s", short(k.SHA256), fault.Quote(k.Reason))
			}
		}
	}
	return list
}

// evidenceExceptions lists what was given up of signed evidence.
func evidenceExceptions(f Facts, p *policy.Policy) []string {
	var list []string
	add := func(format string, args ...any) {
		if text := fmt.Sprintf(format, args...); !slices.Contains(list, text) {
			list = append(list, text)
		}
	}
	waived := func(w policy.Witness, what string) {
		if w.NoLog != "" {
			add("no log demanded for %s: %s", what, fault.Quote(w.NoLog))
		}
		if w.NoSCT != "" {
			add("no certificate log demanded for %s: %s", what, fault.Quote(w.NoSCT))
		}
	}
	if p.Provenance != nil {
		waived(p.Provenance.Witness, "provenance")
	}
	if p.Quorum == nil {
		return list
	}
	waived(p.Quorum.Witness, "votes")
	if f.Votes == nil {
		return list
	}
	t, _ := decideVotes(f, p)
	for _, o := range p.Quorum.Others {
		if slices.Contains(t.weaker, o.Principal) {
			add("provenance of %s counts as its vote: %s", fault.Quote(o.Principal), fault.Quote(o.Reason))
		}
	}
	if len(t.dissent) > 0 && p.Quorum.Dissent == "report" {
		add("%s", dissentText(t))
	}
	return list
}

// summary is the last line of every report.
func summary(v Verdict) string {
	switch {
	case v.Result == Passed && v.Scope == ScopeCheck:
		return fmt.Sprintf("%s satisfies the policy by what was signed; nothing was rebuilt", subject(v.Facts))
	case v.Result == Passed && v.Scope == ScopeRelease:
		return fmt.Sprintf("every file of %s is what commit %s gives under this policy", subject(v.Facts), commit(v.Facts))
	case v.Result == Passed && v.Match == MatchIdentical:
		return fmt.Sprintf("%s is bit for bit what commit %s gives", subject(v.Facts), commit(v.Facts))
	case v.Result == Passed && v.Match == MatchEquivalent:
		return fmt.Sprintf("%s is what commit %s gives, but for what the policy forgives by name", subject(v.Facts), commit(v.Facts))
	case v.Result == Passed:
		return fmt.Sprintf("%s satisfies the policy; it is not bit for bit what commit %s gives", subject(v.Facts), commit(v.Facts))
	}
	for _, want := range []Status{StatusFailed, StatusInconclusive, StatusNotReached} {
		if string(want) != string(v.Result) && want != StatusNotReached {
			continue
		}
		// the comparison speaks first: it is what was asked
		for _, id := range append([]string{CheckReproducible, CheckMatch, CheckAccounted}, IDs()...) {
			if c := v.Check(id); c.ID != "" && c.Status == want {
				return strings.TrimPrefix(c.Text, string(v.Match)+": ")
			}
		}
	}
	return "nothing was verified"
}

func subject(f Facts) string {
	if f.Subject.Member != "" {
		return fault.Quote(f.Subject.Member) + " in " + fault.Quote(f.Subject.Name)
	}
	return fault.Quote(f.Subject.Name)
}

func commit(f Facts) string {
	if f.Source == nil {
		return "?"
	}
	return short(f.Source.Commit)
}
