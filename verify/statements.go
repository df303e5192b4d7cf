package verify

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/evidence"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/policy"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// evidence verifies what speaks of a subject, for each table of the policy, and writes it down as facts.
func (c *checker) evidence(ctx context.Context, s *subject, f *verdict.Facts) {
	libraries := []*library{c.named, c.votes}
	unsearched := slices.Clone(c.votes.unsearched)
	for _, l := range libraries[:2] {
		own, err := c.ask(ctx, l, s.sum)
		switch {
		case err != nil && l == c.votes:
			unsearched = append(unsearched, err.Error())
		case err != nil:
			f.Problems = append(f.Problems, verdict.ProblemOf(err, verdict.CheckFound))
			return
		case own != l:
			libraries = append(libraries, own)
		}
	}
	if s.beside != nil {
		libraries = append(libraries, s.beside)
	}
	registers, given, silent := c.askLogs(ctx, s.sum)
	unsearched = append(unsearched, silent...)
	libraries = append(libraries, given)
	found, err := gather(ctx, s.evidence(), libraries)
	if err != nil {
		f.Problems = append(f.Problems, verdict.ProblemOf(err, verdict.CheckFound))
		return
	}
	for _, t := range c.tables {
		e, held, verified := c.judge(found, t, s)
		c.bind(s, held, f)
		if t.name == "quorum" {
			missing, err := c.missing(registers, verified, t, s, libraries)
			if err != nil {
				f.Problems = append(f.Problems, verdict.ProblemOf(err, verdict.CheckFound))
				return
			}
			e.Searched, e.Unsearched = c.votes.searched, append(unsearched, missing...)
			f.Votes = e
			continue
		}
		e.Contradictions = append(e.Contradictions, evidence.Contradictions(held)...)
		e.Contradictions = append(e.Contradictions, s.contradictions(ctx, held)...)
		f.Provenance = e
	}
}

// judge verifies by one table. Each piece is verified on its own: a bad one takes nothing from a good one and adds
// nothing to it.
func (c *checker) judge(found *found, t *table, s *subject) (*verdict.Evidence, []*evidence.Verified, *known) {
	e := &verdict.Evidence{Pieces: len(found.about) + len(found.broken), Elsewhere: found.elsewhere}
	if c.roots != nil {
		e.TrustedRoots = c.roots.SHA256()
	}
	opt := evidence.Options{Trust: c.policy.Trust, Roots: c.roots, Require: t.require, Subject: s.evidence(), Expect: t.expect, Now: c.now}
	var held []*evidence.Verified
	var withdrawals []*evidence.Verified
	var unwanted []verdict.Refused
	verified := &known{}
	for _, b := range found.about {
		v, err := evidence.Verify(b, opt)
		if err == nil && len(c.logs) > 0 {
			verified.add(b, v)
		}
		switch {
		case err != nil && !t.wants(b.Hint().Predicate):
			unwanted = append(unwanted, verdict.Refused{Name: b.Name(), SHA256: b.SHA256(), Reason: err.Error(), Hint: fault.HintOf(err)})
		case err != nil:
			e.Refused = append(e.Refused, verdict.Refused{Name: b.Name(), SHA256: b.SHA256(), Reason: err.Error(), Hint: fault.HintOf(err)})
		case v.Statement() != nil && v.Statement().PredicateType == evidence.PredicateWithdrawal:
			withdrawals = append(withdrawals, v)
		default:
			held = append(held, v)
		}
	}
	e.Refused = append(append(e.Refused, found.broken...), unwanted...) // what was meant comes first
	var standing []*evidence.Verified
	for _, v := range held {
		st := c.statement(v, t, found)
		if st.Withdrawn = takenBack(v, withdrawals); st.Withdrawn == "" {
			standing = append(standing, v)
		}
		e.Statements = append(e.Statements, st)
	}
	return e, standing, verified
}

// wants tells whether the table demands something of statements of a type; of what does not say its type, "".
func (t *table) wants(predicate string) bool {
	return predicate == "" || slices.Contains(t.expect.Predicates, predicate) || predicate == evidence.PredicateWithdrawal
}

// takenBack tells why a statement no longer stands: one of those who signed it said so of these very bytes.
func takenBack(v *evidence.Verified, withdrawals []*evidence.Verified) string {
	if v.Statement() == nil {
		return ""
	}
	for _, w := range withdrawals {
		said, err := w.Statement().Withdrawal()
		if err != nil || said.Statement != v.Statement().PayloadSHA256() {
			continue
		}
		if slices.ContainsFunc(w.Principals(), func(p string) bool { return slices.Contains(v.Principals(), p) }) {
			if said.Superseded != "" {
				return said.Reason + " (superseded by sha256:" + said.Superseded + ")"
			}
			return said.Reason
		}
	}
	return ""
}

// statement writes a verified statement down.
func (c *checker) statement(v *evidence.Verified, t *table, found *found) verdict.Statement {
	st := verdict.Statement{Name: v.Name(), SHA256: v.SHA256(), Format: v.Format(), Type: policy.TypeMessage, Logs: v.Logs(),
		Exceptions: v.Exceptions(), Notes: v.Notes()}
	if at := v.SignedAt(); !at.IsZero() {
		st.Time = at.Unix()
	}
	for _, at := range v.Times() {
		if at.Kind == "timestamp" {
			st.Timestamps = append(st.Timestamps, at.By)
		}
	}
	for _, g := range v.Signers() {
		signer := verdict.Signer{Principal: g.Principal, Platform: g.Platform, Key: g.Key}
		if g.Certificate != nil {
			signer.Identity, signer.Issuer = g.Certificate.Identity, g.Certificate.Issuer
		} else {
			signer.PublicKey = base64.StdEncoding.EncodeToString(g.PublicKey)
		}
		st.Signers = append(st.Signers, signer)
	}
	if v.Subject() != nil {
		st.Subject = v.Subject().Name
	}
	said, err := v.Said()
	if err == nil { // what was read when it was verified can be read again
		st.Says, st.Conflicts = said.Values, said.Conflicts
	}
	if p := c.policy.Provenance; t.name == "provenance" && p != nil {
		for address := range p.Fields {
			if got, ok := v.Field(address); ok {
				if st.Fields == nil {
					st.Fields = map[string]string{}
				}
				st.Fields[address] = got
			}
		}
	}
	if s := v.Statement(); s != nil {
		st.Type, st.Payload = s.PredicateType, s.PayloadSHA256()
		if t.name == "quorum" {
			st.Vote = vote(v, found)
		}
	}
	return st
}

// vote reads what a statement says of a rebuild by whoever signed it.
func vote(v *evidence.Verified, found *found) *verdict.Vote {
	s := v.Statement()
	if s.PredicateType != evidence.PredicateSummary {
		return rebuildersVote(v)
	}
	sum, err := s.Summary()
	if err != nil {
		return nil
	}
	out := &verdict.Vote{Result: sum.Result, Time: sum.Time.Unix(), Policy: sum.Policy.Digest["sha256"]}
	if r := sum.Rebuild; r != nil {
		out.Match, out.Commit, out.Tree, out.Recipe, out.Builder = r.Match, r.Commit, r.Tree, r.Recipe, r.Builder
		if !r.Expires.IsZero() {
			out.Expires = r.Expires.Unix()
		}
	}
	out.Rests = rests(sum, found)
	return out
}

// rests tells why a verdict does not stand on its own rebuild alone: it names another verdict among what it was given, or
// something that is not at hand and could be one (F8). Keeping the other verdict back must not make a vote of this one.
func rests(s *evidence.Summary, found *found) string {
	for _, in := range s.Inputs {
		sum := in.Digest["sha256"]
		kind, known := found.kinds[sum]
		switch {
		case !known:
			return fmt.Sprintf("it rests on evidence that is not at hand: sha256:%s", sum)
		case kind == evidence.PredicateSummary:
			return fmt.Sprintf("it rests on another verdict: sha256:%s", sum)
		}
	}
	return ""
}

// rebuildersVote reads the provenance of a rebuilder that writes no verdicts.
func rebuildersVote(v *evidence.Verified) *verdict.Vote {
	p, err := v.Statement().Provenance()
	if err != nil || p.Commit == "" {
		return nil
	}
	out := &verdict.Vote{Result: "PASSED", Match: string(verdict.MatchIdentical), Commit: p.Commit}
	at := v.SignedAt()
	if at.IsZero() {
		at = p.Finished
	}
	if !at.IsZero() {
		out.Time = at.Unix()
	}
	return out
}

// contradictions holds what was signed against what the artefact says of itself.
func (s *subject) contradictions(ctx context.Context, held []*evidence.Verified) []string {
	var out []string
	var info *goInfo
	for _, v := range held {
		if v.Statement() == nil || !strings.HasPrefix(v.Statement().PredicateType, "https://slsa.dev/provenance/") {
			continue
		}
		p, err := v.Statement().Provenance()
		if err != nil {
			continue // said already, by evidence.Contradictions
		}
		if info == nil {
			if info, err = s.goInfo(ctx); err != nil {
				return append(out, err.Error())
			}
		}
		out = append(out, info.against(v.Name(), p)...)
	}
	return out
}
