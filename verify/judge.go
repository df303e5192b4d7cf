package verify

import (
	"crypto/x509"
	"io"
	"time"

	"github.com/glassbuild/glassbuild/internal/evidence"
	"github.com/glassbuild/glassbuild/internal/signature"
	"github.com/glassbuild/glassbuild/internal/source"
	"github.com/glassbuild/glassbuild/internal/trust"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// judgeSignature holds one signature of the repository against the policy's principals. The claimed time is the object's own.
func (r *run) judgeSignature(payload, sig []byte, claimed int64) verdict.Signature {
	opt := signature.Options{Keys: r.policy.Trust, Namespace: "git", SignedAt: time.Unix(claimed, 0), Now: r.now, Cache: r.cache(), Authorities: r.authorities}
	if r.roots != nil {
		opt.TrustedTime = r.witnessed
	}
	res := signature.Verify(payload, sig, opt)
	if res.Kind == signature.KindX509 && res.Status == signature.StatusGoodUntrusted && r.roots == nil && r.policy.Trust.NeedsRoots() {
		res.Detail += "; no trusted root is at hand: glassbuild trust update stores one, --trusted-root names one"
	}
	return verdict.Signature{Status: string(res.Status), Kind: string(res.Kind), Signer: res.Signer, Platform: res.Platform, Key: res.Key, Detail: res.Detail}
}

// witnessed is the time at which a log or a timestamp authority of the trusted roots saw a signature.
func (r *run) witnessed(e signature.Evidence) (time.Time, error) {
	return r.roots.TimeOf(evidence.Detached{Signed: e.Signed, Signature: e.Signature, Leaf: e.Leaf, Entries: e.LogEntries, Timestamps: e.Timestamps})
}

// trustedRoots reads whose certificates, logs and timestamps count where the policy names identities without authorities of
// their own: the same as for signed statements. Without such a principal nothing is read.
func (r *run) trustedRoots() error {
	if !r.policy.Trust.NeedsRoots() {
		return nil
	}
	c := &checker{policy: r.policy, req: CheckRequest{TrustedRoot: r.req.TrustedRoot, DataDir: r.req.DataDir}}
	if err := c.trustedRoots(); err != nil {
		return err
	}
	if r.roots = c.roots; r.roots != nil {
		r.rootsRef = &verdict.RootsRef{Name: c.rootsFile, SHA256: c.roots.SHA256()}
	}
	for _, a := range c.roots.Authorities() {
		r.authorities = append(r.authorities, signature.Authority{Roots: []*x509.Certificate{a.Root}, Intermediates: a.Intermediates, Valid: trust.Window{From: a.From, To: a.To}})
	}
	return nil
}

func (r *run) tagFact(t source.Tag) verdict.Tag {
	f := verdict.Tag{Name: t.Name, Object: t.Object, Annotated: t.Annotated}
	if t.Problem != "" {
		f.Signature = verdict.Signature{Status: string(signature.StatusBad), Detail: t.Problem}
		return f
	}
	f.Signature = r.judgeSignature(t.SignedPayload, t.Signature, t.Tagger.When)
	return f
}

func readAtMost(r io.Reader, n int64) ([]byte, error) { return io.ReadAll(io.LimitReader(r, n)) }
