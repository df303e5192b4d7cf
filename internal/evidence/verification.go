package evidence

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// verification is one bundle on its way to a Verified.
type verification struct {
	*Bundle
	opt   Options
	out   *Verified
	works []*signed // each signature with the key that made it
	msg   *message
	text  text          // what signatures of an envelope cover
	used  []*trustedLog // logs that were counted
}

// content refuses what the caller has no use for, before any arithmetic.
func (v *verification) content() error {
	if v.envelope != nil {
		switch {
		case len(v.opt.Expect.Predicates) == 0 && !v.opt.Expect.Withdrawal:
			return v.fail("unexpected type: a statement, want a signature over the artefact")
		case v.envelope.payloadType != PayloadType:
			return v.fail("unexpected type: payloadType %q, want %q", cut(v.envelope.payloadType), PayloadType)
		}
		v.text.bytes = PAE(v.envelope.payloadType, v.envelope.payload)
		return nil
	}
	if !v.opt.Expect.Message {
		return v.fail("unexpected type: a signature over the artefact, want a statement")
	}
	m := *v.message
	if m.algorithm == "" { // cosign's older bundle leaves the digest to the reader
		m.algorithm, m.digest = "sha256", hexBytes(v.opt.Subject.Digests["sha256"])
	}
	own, err := v.opt.Subject.digest(m.algorithm)
	if err != nil {
		return v.fail("%s of the artefact is needed: %w", m.algorithm, err)
	}
	if own != hex.EncodeToString(m.digest) {
		return v.fail("bound to another artefact: %s:%s", m.algorithm, hex.EncodeToString(m.digest))
	}
	v.msg = &m
	return nil
}

// signatures checks every signature: one that is bad spoils those that are good.
func (v *verification) signatures() error {
	if v.leaf == nil && !v.keyed {
		return v.fail("no certificate and no key")
	}
	var sigs [][]byte
	if v.msg != nil {
		sigs = [][]byte{v.msg.signature}
	} else {
		for _, s := range v.envelope.signatures {
			sigs = append(sigs, s.sig)
		}
	}
	invalid := 0
	for _, sig := range sigs {
		if s := v.made(sig); s != nil {
			v.works = append(v.works, s)
		} else {
			invalid++
		}
	}
	switch {
	case len(sigs) == 1 && invalid == 1 && v.keyed:
		return v.fail("signature invalid: no key of the policy made it").WithHint("the policy must name the signer's public key")
	case len(sigs) == 1 && invalid == 1:
		return v.fail("signature invalid: not made by the key of its certificate")
	case invalid > 0:
		return v.fail("%d signatures, %d invalid", len(sigs), invalid)
	case len(v.works) == 0:
		return v.fail("no signatures")
	case len(sigs) > 1 && v.format != FormatEnvelope: // log entries and timestamps speak of one signature
		return v.fail("%d signatures, want 1: a Sigstore bundle witnesses one", len(sigs))
	}
	return nil
}

// made returns the signature together with the key that made it, or nil.
func (v *verification) made(sig []byte) *signed {
	if v.leaf != nil {
		s := &signed{sig: sig, public: v.leaf.PublicKey, spki: v.leaf.RawSubjectPublicKeyInfo, leaf: v.leaf, message: v.msg, env: v.envelope}
		if strong(s.public) && v.valid(s.public, sig) {
			return s
		}
		return nil
	}
	for _, k := range v.opt.Trust.PublicKeys("") {
		if !v.valid(k.Key, sig) {
			continue
		}
		spki, err := x509.MarshalPKIXPublicKey(k.Key)
		if err != nil {
			return nil
		}
		return &signed{sig: sig, public: k.Key, spki: spki, message: v.msg, env: v.envelope}
	}
	return nil
}

func (v *verification) valid(public any, sig []byte) bool {
	if v.envelope != nil {
		return v.text.verify(public, sig)
	}
	if verifyDigest(public, hashes[v.msg.algorithm], v.msg.digest, sig) {
		return true
	}
	if key, ok := public.(ed25519.PublicKey); ok {
		if data, err := v.opt.Subject.whole(); err == nil {
			return ed25519.Verify(key, data, sig)
		}
	}
	return false
}

// bind reads what was signed, now that it is known who signed it, and holds it against artefact and expectation.
func (v *verification) bind() error {
	if v.msg != nil {
		return nil
	}
	s, err := v.payload()
	if err != nil {
		return v.fail("%w", err)
	}
	if !slices.Contains(v.opt.Expect.Predicates, s.PredicateType) && !(v.opt.Expect.Withdrawal && s.PredicateType == PredicateWithdrawal) {
		return v.fail("predicate is %q, want \"%s\"", cut(s.PredicateType), strings.Join(v.opt.Expect.Predicates, "\" or \""))
	}
	if err := readable(s); err != nil {
		return v.fail("%w", err)
	}
	if v.out.subject, err = v.opt.Subject.match(s.Subject); err != nil {
		var classified *fault.Error
		if errors.As(err, &classified) {
			return err
		}
		return v.fail("%w", err)
	}
	v.out.statement = s
	return nil
}
