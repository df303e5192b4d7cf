package verify

import (
	"context"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/glassbuild/glassbuild/internal/artifact"
	"github.com/glassbuild/glassbuild/internal/evidence"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/provenance"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// Signer signs a statement and returns the bundle; package attest opens one.
type Signer = provenance.Signer

// Sign says how the verdict is signed. The zero value signs nothing.
type Sign struct {
	Signer   Signer
	Bundles  string    // folder, or a file NAME.jsonl; "" is the current folder
	Verifier string    // who verifies, as a URI; "" is this program
	Expires  time.Time // when the signer stops standing behind the verdict; the zero time is never
}

// Signed is what came of signing.
type Signed struct {
	Bundles  []provenance.Bundle
	Unsigned []string // files with statements that could not be signed yet; attest.Resume signs them
}

// checkSign refuses what can never be signed before anything is done.
func (r *run) checkSign() error {
	s := r.req.Sign
	switch {
	case s.Signer == nil:
		return nil
	case r.req.Commit == "":
		return fault.Usagef("--sign", "the commit has to be named: a verdict on a commit that the artefact chose is never signed").WithHint("name it with --commit")
	case !s.Expires.IsZero() && !s.Expires.After(r.now):
		return fault.Usagef("--expires", "lies in the past")
	}
	r.req.NoCache = true // a verdict on a cached rebuild is never signed
	return provenance.CheckPlace(s.Bundles)
}

// sign signs the verdict, PASSED and FAILED alike, and the auditor's own provenance of the rebuild. An inconclusive
// verdict, one that rests on a cached rebuild and one on a commit that the artefact chose are never signed.
func (r *run) sign(ctx context.Context, v Verdict) (*Signed, error) {
	if r.req.Sign.Signer == nil {
		return nil, nil
	}
	if err := r.signable(v); err != nil {
		return nil, err
	}
	subject := evidence.Resource{Name: v.Subject.Name, Digest: map[string]string{"sha256": v.Subject.SHA256}}
	if v.Subject.Member != "" {
		subject.Name = path.Base(v.Subject.Member)
	}
	payload, err := r.summary(v).Marshal(subject)
	if err != nil {
		return nil, err
	}
	stem := provenance.Stem(subject.Name)
	list := []provenance.Statement{{Stem: stem + ".vsa", Artefact: subject, Predicate: evidence.PredicateSummary, Payload: payload}}
	own, err := r.ownProvenance(stem, subject)
	if err != nil {
		return nil, err
	}
	w := &provenance.Writer{Signer: r.req.Sign.Signer, Store: r.store, To: r.req.Sign.Bundles, Fresh: true, Step: r.req.Progress}
	err = w.All(ctx, append(list, own...))
	return &Signed{w.Bundles, w.Unsigned}, err
}

func (r *run) signable(v Verdict) error {
	no := func(why string) error {
		return fault.Inconclusivef("verdict", "not signed: %s", why)
	}
	switch {
	case len(v.Unsignable) > 0:
		return no(strings.Join(v.Unsignable, "; "))
	case v.Result != verdict.Passed && v.Result != verdict.Failed:
		return no("the result is " + fault.Quote(string(v.Result)))
	case v.Subject.SHA256 == "" || v.Policy.SHA256 == "":
		return no("what was shipped could not be read")
	case r.subject != nil && r.subject.Type == artifact.Directory:
		return no("a folder has no digest that others could look up; verify the archive that is shipped, or each file of it")
	}
	return nil
}

// summary is the verdict as a verification summary. Without a rebuild that others can compare with their own, it is no vote.
func (r *run) summary(v Verdict) *evidence.Summary {
	s := &evidence.Summary{Verifier: evidence.Verifier{ID: r.req.Sign.Verifier, Version: map[string]string{"glassbuild": r.req.ToolVersion}}, Time: r.now,
		Resource: "pkg:generic/" + url.PathEscape(v.Subject.Name) + "?checksum=sha256:" + v.Subject.SHA256,
		Policy:   evidence.PolicyReference{URI: v.Policy.Name, Digest: map[string]string{"sha256": v.Policy.SHA256}},
		Result:   evidence.SummaryFailed, Levels: []string{evidence.LevelUnevaluated}, Version: evidence.SLSAVersion}
	if s.Verifier.ID == "" {
		s.Verifier.ID = evidence.VerifierID
	}
	for _, e := range []*verdict.Evidence{v.Provenance, v.Votes} {
		if e == nil {
			continue
		}
		for _, st := range e.Statements {
			s.Inputs = append(s.Inputs, evidence.InputStatement{URI: st.Name, Digest: map[string]string{"sha256": st.SHA256}})
		}
	}
	if c := v.Commitments; c != nil {
		s.Verdict = &evidence.Sealed{Root: c.Root}
	}
	reproduced := v.Match == verdict.MatchIdentical || v.Match == verdict.MatchEquivalent
	if v.Result == verdict.Passed {
		s.Result = evidence.SummaryPassed
		if reproduced && v.Rebuild != nil && !v.Rebuild.Packed {
			s.Levels = append(s.Levels, evidence.LevelReproduced)
		}
	}
	if b := v.Rebuild; b != nil && !b.Cached && !b.Packed && b.Runs >= 2 && v.Match != verdict.MatchNotRebuilt && v.Builder != nil && v.Builder.SHA256 != "" {
		s.Rebuild = &evidence.Rebuild{Match: string(v.Match), Repository: r.address(), Commit: v.Source.Commit, Tree: v.Source.TreeSHA256, Recipe: v.Recipe.SHA256,
			Builder: v.Builder.SHA256, Runs: int64(b.Runs), Expires: r.req.Sign.Expires}
	}
	return s
}

// address is where others find the source, as far as that is known.
func (r *run) address() string {
	if r.kit == nil && r.commit != nil && !strings.Contains(r.where, "://") { // the origin in a kit is a claim of whoever packed it
		if origin, err := r.commit.Origin(); err == nil && origin != "" {
			return origin
		}
	}
	return r.displayed(r.where)
}

// ownProvenance is the provenance of the rebuild itself, so that anyone can count rebuilders. There is none of a build that
// did not reproduce, or with a builder that nobody can pin.
func (r *run) ownProvenance(stem string, shipped evidence.Resource) ([]provenance.Statement, error) {
	o := r.outcome
	if o == nil || !o.Agree() || o.Cached || o.Builder.Digest == "" || r.facts.Rebuild == nil || !r.facts.Rebuild.CopyCheck {
		return nil, nil
	}
	b := &provenance.Build{Outcome: o, Commit: r.commit.Facts(), Recipe: r.recipe, Repository: r.address(), Builder: r.req.Sign.Verifier, Tool: r.req.ToolVersion}
	subjects, err := b.Subjects()
	if err != nil {
		return nil, err
	}
	for i, s := range subjects {
		if s.Digest["sha256"] == shipped.Digest["sha256"] {
			subjects[i].Name = shipped.Name
		}
	}
	payload, err := b.Provenance(subjects...)
	if err != nil {
		return nil, err
	}
	return []provenance.Statement{{Stem: stem + ".rebuild", Artefact: subjects[0], Predicate: evidence.PredicateProvenanceV1, Payload: payload}}, nil
}
