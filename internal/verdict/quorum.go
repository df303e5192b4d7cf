package verdict

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/policy"
)

// skew is how far ahead of the clock a verdict may say it was given.
const skew = 5 * time.Minute

// reference is what votes must be about.
type reference struct{ commit, tree, recipe, builder string }

// tally is what the votes amount to for one reference.
type tally struct {
	ref      reference
	voters   []string          // counted
	weaker   []string          // of those, who count by a rule for other rebuilders
	passedBy map[string]string // everybody else of the group who said something, and why it is not counted
	dissent  []string          // of the group, newest word FAILED
	ok       bool
	why      string
}

// quorumVotes counts whose independent rebuilds agree (F8).
func quorumVotes(f Facts, p *policy.Policy) Check {
	switch {
	case p.Quorum == nil:
		return reported(NotDemanded)
	case f.Votes == nil:
		return notReached("votes")
	}
	t, reason := decideVotes(f, p)
	if reason != "" {
		return failed("%s", reason)
	}
	text := fmt.Sprintf("quorum %s", t.why)
	if t.ok {
		c := passed("%s, commit %s", text, short(t.ref.commit))
		for _, s := range f.Votes.Statements {
			if slices.ContainsFunc(s.principals(), func(n string) bool { return slices.Contains(t.voters, n) }) {
				c = c.with("sha256", s.Payload)
			}
		}
		return c
	}
	if why := t.reasons(); why != "" {
		text += "; " + why
	}
	if len(f.Votes.Statements) == 0 && len(f.Votes.Refused) > 0 {
		text += "; " + f.Votes.Refused[0].Reason
	}
	return failed("%s", text).hint("votes are read beside the artefact, from --evidence and from [quorum] votes")
}

// maxReasons is how many of those who were not counted a line names.
const maxReasons = 4

func (t *tally) reasons() string {
	var parts []string
	for who, why := range t.passedBy {
		parts = append(parts, fault.Quote(who)+" not counted: "+why)
	}
	slices.Sort(parts)
	if len(parts) > maxReasons {
		parts = append(parts[:maxReasons], fmt.Sprintf("%d more not counted", len(parts)-maxReasons))
	}
	return strings.Join(parts, "; ")
}

// quorumDissent says who of the group found otherwise, and whether anybody looked.
func quorumDissent(f Facts, p *policy.Policy) Check {
	q := p.Quorum
	switch {
	case q == nil:
		return reported(NotDemanded)
	case f.Votes == nil:
		return notReached("dissent")
	}
	t, _ := decideVotes(f, p)
	switch {
	case len(t.dissent) > 0 && q.Dissent == "report":
		return reported("%s; accepted by the policy", dissentText(t))
	case len(t.dissent) > 0:
		return failed("%s", dissentText(t)).hint("ask them what they found; [quorum] dissent = \"report\" accepts it")
	case len(f.Votes.Unsearched) > 0:
		return inconclusive("dissent not searched: %s", f.Votes.Unsearched[0])
	case len(f.Votes.Searched) == 0:
		return reported("dissent not searched: the policy names no place to look for votes").hint("[quorum] votes names folders and registries in which auditors leave their verdicts")
	}
	return passed("none in %s", fault.Quote(strings.Join(f.Votes.Searched, ", ")))
}

func dissentText(t *tally) string {
	var names []string
	for _, d := range t.dissent {
		names = append(names, fault.Quote(d))
	}
	return "dissent: " + strings.Join(names, ", ") + " found otherwise"
}

// decideVotes counts for every reference that the votes could be about; two that both hold contradict each other.
func decideVotes(f Facts, p *policy.Policy) (*tally, string) {
	var best *tally
	satisfied := 0
	for _, ref := range references(f, p) {
		t := countVotes(ref, f, p)
		if t.ok {
			satisfied++
		}
		if best == nil || t.ok && !best.ok || t.ok == best.ok && len(t.voters) > len(best.voters) {
			if best != nil {
				t.dissent = union(t.dissent, best.dissent)
			}
			best = t
		} else {
			best.dissent = union(best.dissent, t.dissent)
		}
	}
	if satisfied > 1 {
		return best, "the votes agree on several sources, and nothing says which one is meant: pin commit, tree, recipe or builder in [quorum]"
	}
	return best, ""
}

func union(a, b []string) []string {
	for _, s := range b {
		if !slices.Contains(a, s) {
			a = append(a, s)
		}
	}
	return a
}

// references is one's own rebuild where there is one; else what the policy pins, and for what it leaves open, whatever
// the votes say.
func references(f Facts, p *policy.Policy) []reference {
	if f.Scope != ScopeCheck {
		if f.Source == nil || f.Recipe == nil || f.Builder == nil {
			return []reference{{}}
		}
		return []reference{{f.Source.Commit, f.Source.TreeSHA256, f.Recipe.SHA256, f.Builder.SHA256}}
	}
	q := p.Quorum
	pinned := reference{q.Commit, q.Tree, q.Recipe, q.Builder}
	if pinned.commit == "" && p.Provenance != nil {
		pinned.commit = p.Provenance.Commit
	}
	var list []reference
	for _, s := range f.Votes.Statements {
		v := s.Vote
		if v == nil || v.Commit == "" || v.Result != "PASSED" || v.Tree == "" {
			continue
		}
		r := reference{v.Commit, v.Tree, v.Recipe, v.Builder}
		if pinned.allows(r) && !slices.Contains(list, r) {
			list = append(list, r)
		}
	}
	if len(list) == 0 {
		return []reference{pinned}
	}
	return list
}

func (r reference) allows(o reference) bool {
	fits := func(pin, value string) bool { return pin == "" || pin == value }
	return fits(r.commit, o.commit) && fits(r.tree, o.tree) && fits(r.recipe, o.recipe) && fits(r.builder, o.builder)
}

// countVotes hears the newest word of every principal of the group on one reference.
func countVotes(ref reference, f Facts, p *policy.Policy) *tally {
	t := &tally{ref: ref, passedBy: map[string]string{}}
	for _, who := range p.Trust.Members(p.Quorum.Of) {
		s := newest(who, ref, f, p)
		if s == nil {
			if why := unheard(who, f); why != "" {
				t.passedBy[who] = why
			}
			continue
		}
		why, dissents := judgeVote(who, s, ref, f, p)
		switch {
		case dissents:
			t.dissent = append(t.dissent, who)
			t.passedBy[who] = "it found otherwise"
		case why != "":
			t.passedBy[who] = why
		default:
			t.voters = append(t.voters, who)
			if s.Type != policy.TypeSummary {
				t.weaker = append(t.weaker, who)
			}
		}
	}
	t.ok, t.why = p.Trust.SatisfiedDiverse(p.Quorum.Of, t.voters, p.Quorum.DifferIn)
	if ref.commit == "" {
		t.ok = false
	}
	return t
}

// newest returns the last word of a principal that is about the reference's commit, or about the artefact whatever its
// source. Of two of one second the one that failed is the last.
func newest(who string, ref reference, f Facts, p *policy.Policy) *Statement {
	var last *Statement
	for i := range f.Votes.Statements {
		s := &f.Votes.Statements[i]
		v := s.Vote
		if v == nil || s.Withdrawn != "" || !slices.Contains(s.principals(), who) || expired(v, f) {
			continue
		}
		if s.Type != policy.TypeSummary && rebuilderRule(who, s, p) == nil {
			continue
		}
		if v.Commit != ref.commit && !(v.Commit == "" && v.Result == "FAILED") {
			continue
		}
		if last == nil || v.Time > last.Vote.Time || v.Time == last.Vote.Time && v.Result == "FAILED" {
			last = s
		}
	}
	return last
}

func expired(v *Vote, f Facts) bool { return v.Expires != 0 && f.Now.Unix() >= v.Expires }

// unheard says why a principal who signed something has no say.
func unheard(who string, f Facts) string {
	why := ""
	for _, s := range f.Votes.Statements {
		if !slices.Contains(s.principals(), who) {
			continue
		}
		switch {
		case s.Withdrawn != "":
			why = "withdrawn: " + fault.Quote(s.Withdrawn)
		case s.Vote == nil:
			why = "what it signed is no vote"
		case expired(s.Vote, f):
			why = "expired on " + day(s.Vote.Expires)
		case s.Vote.Commit == "":
			why = "a verdict without a rebuild of its own"
		default:
			why = "about another commit"
		}
	}
	return why
}

func day(t int64) string { return time.Unix(t, 0).UTC().Format(time.DateOnly) }

// judgeVote holds one vote against the reference. Dissent needs less than a vote does: what a listed rebuild would have
// to prove in order to count for, it need not prove in order to warn.
func judgeVote(who string, s *Statement, ref reference, f Facts, p *policy.Policy) (why string, dissents bool) {
	v, q := s.Vote, p.Quorum
	rule := rebuilderRule(who, s, p)
	at := time.Unix(v.Time, 0)
	switch {
	case v.Result != "PASSED" && (v.Match == string(MatchDifferent) || v.Commit == ""):
		return "", true
	case v.Result != "PASSED":
		return "its verdict failed, though it rebuilt the same", false
	case v.Rests != "":
		return v.Rests, false
	case at.After(f.Now.Add(skew)):
		return "dated in the future", false
	case s.Time != 0 && v.Time > s.Time+int64(skew/time.Second):
		return "dated after it was signed", false
	case f.Now.Sub(at) > q.MaxAge.Duration:
		return "older than max-age: " + day(v.Time), false
	case v.Commit == "":
		return "a verdict without a rebuild of its own", false
	case rule != nil:
		return "", false
	case v.Tree != ref.tree:
		return "about another tree", false
	case v.Recipe != ref.recipe:
		return "about another recipe", false
	case v.Builder != ref.builder:
		return "about another builder", false
	case !slices.Contains(q.Policies, v.Policy):
		return "under a policy that is not listed", false
	case !matchCounts(v, f, p):
		return "its match is " + fault.Quote(v.Match), false
	}
	return "", false
}

// matchCounts: the match must be one's own, or without a rebuild of one's own, the weakest that the policy accepts.
func matchCounts(v *Vote, f Facts, p *policy.Policy) bool {
	if f.Scope != ScopeCheck {
		return v.Match == string(matchOf(f, p))
	}
	order := []string{string(MatchPartial), string(MatchEquivalent), string(MatchIdentical)}
	return slices.Contains(order, v.Match) && slices.Index(order, v.Match) >= slices.Index(order, p.Rebuild.Match)
}

// rebuilderRule finds the rule by which a provenance counts as a vote.
func rebuilderRule(who string, s *Statement, p *policy.Policy) *policy.Rebuilder {
	for i := range p.Quorum.Others {
		o := &p.Quorum.Others[i]
		if o.Principal == who && s.Type != policy.TypeSummary && s.Says["build-type"] == o.BuildType {
			return o
		}
	}
	return nil
}
