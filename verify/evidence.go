package verify

import (
	"context"
	"fmt"
	"io"
	"path/filepath"

	"github.com/glassbuild/glassbuild/internal/artifact"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// demandsEvidence reads what the policy's demands on signed evidence rest on, before anything of the vendor's is touched.
func (r *run) demandsEvidence(ctx context.Context) error {
	if r.policy.Provenance == nil && r.policy.Quorum == nil {
		if len(r.req.Evidence) > 0 || r.req.TrustedRoot != "" && !r.policy.Trust.NeedsRoots() {
			return fault.Usagef("--evidence", "the policy demands nothing of signed evidence").WithHint("[provenance] and [quorum] in a policy say what is demanded")
		}
		return nil
	}
	r.checker = &checker{policy: r.policy, now: r.now, offline: r.req.Offline, req: CheckRequest{Evidence: r.req.Evidence, TrustedRoot: r.req.TrustedRoot, DataDir: r.req.DataDir}}
	return r.checker.prepare(ctx)
}

// judgeEvidence judges what was signed about the subject while the rebuild runs. The function that it returns waits for
// the answer and writes it down.
func (r *run) judgeEvidence(ctx context.Context) func() {
	if r.checker == nil || r.subject == nil || r.facts.Subject.SHA256 == "" {
		return func() {}
	}
	s := &subject{name: r.facts.Subject.Name, sum: r.facts.Subject.SHA256, size: r.facts.Subject.Size}
	if m := r.subject; m.Type == artifact.File {
		s.open = func() (content, int64, error) {
			c, err := r.shipped.Content(m)
			if err != nil {
				return nil, 0, err
			}
			return memberContent{io.NewSectionReader(c, 0, m.Size), c}, m.Size, nil
		}
	}
	if r.facts.Subject.Member != "" {
		s.name = filepath.Base(r.facts.Subject.Member)
	}
	var f verdict.Facts
	done := make(chan struct{})
	go func() {
		defer close(done)
		l, err := r.checker.folder(ctx, map[string]*library{}, filepath.Dir(r.req.Artefact), nil)
		if err != nil {
			f.Problems = append(f.Problems, verdict.ProblemOf(err, verdict.CheckFound))
			return
		}
		s.beside = l
		r.checker.evidence(ctx, s, &f)
	}()
	return func() {
		<-done
		r.facts.Provenance, r.facts.Votes = f.Provenance, f.Votes
		r.facts.Problems = append(r.facts.Problems, f.Problems...)
		r.holdCommit()
	}
}

// holdCommit holds the commit that is rebuilt against the one that provenance names.
func (r *run) holdCommit() {
	e, source := r.facts.Provenance, r.facts.Source
	if e == nil || source == nil {
		return
	}
	for _, s := range e.Statements {
		if said := s.Says["commit"]; s.Withdrawn == "" && said != "" && said != source.Commit {
			e.Contradictions = append(e.Contradictions, fmt.Sprintf("bound to other commit: %s says %s, want %s", fault.Quote(s.Name), fault.Quote(said), source.Commit))
		}
	}
}

// memberContent is the content of a member as a stream and by offset.
type memberContent struct {
	*io.SectionReader
	io.Closer
}
