package verify

import (
	"io"
	"time"

	"github.com/glassbuild/glassbuild/internal/signature"
	"github.com/glassbuild/glassbuild/internal/source"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// judgeSignature holds one signature of the repository against the policy's principals. The claimed time is the object's own.
func (r *run) judgeSignature(payload, sig []byte, claimed int64) verdict.Signature {
	res := signature.Verify(payload, sig, signature.Options{Keys: r.policy.Trust, Namespace: "git", SignedAt: time.Unix(claimed, 0), Now: r.now, Cache: r.cache()})
	return verdict.Signature{Status: string(res.Status), Kind: string(res.Kind), Signer: res.Signer, Platform: res.Platform, Key: res.Key, Detail: res.Detail}
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
