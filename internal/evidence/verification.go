package evidence

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/trust"
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
		case len(v.opt.Expect.Predicates) == 0:
			return v.fail("unexpected type: a statement, want a signature over the artefact")
		case v.envelope.payloadType != PayloadType:
			return v.fail("unexpected type: payloadType %q, want %q", cut(v.envelope.payloadType), PayloadType)
		}
		v.text.bytes = pae(v.envelope.payloadType, v.envelope.payload)
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

// witnesses gathers logs and times, each once, and holds them against what is demanded.
func (v *verification) witnesses() error {
	if err := v.inLogs(); err != nil {
		return err
	}
	if err := v.stamped(); err != nil {
		return err
	}
	for _, t := range v.out.times {
		if t.At.After(v.opt.Now.Add(ClockSkew)) {
			return v.fail("timestamp in future: %s, now is %s", stamp(t.At), stamp(v.opt.Now))
		}
	}
	return nil
}

func (v *verification) inLogs() error {
	var logs map[string]*trustedLog
	if v.opt.Roots != nil {
		logs = v.opt.Roots.logs
	}
	distinct := map[[32]byte]bool{}
	var used []*trustedLog
	for i := range v.entries {
		e := &v.entries[i]
		for j := range v.entries[:i] {
			if o := &v.entries[j]; string(o.logID) == string(e.logID) && o.index == e.index {
				return v.fail("malformed bundle: one log entry stands twice")
			}
		}
		log, at, err := e.verify(v.works[0], logs)
		if err != nil {
			return v.fail("%w", err)
		}
		if log == nil {
			v.note("an entry of a log that the trusted root does not name was not counted")
			continue
		}
		if !distinct[log.id] {
			distinct[log.id] = true
			used = append(used, log)
			v.out.logs = append(v.out.logs, log.BaseURL)
		}
		if !at.IsZero() {
			v.out.times = append(v.out.times, Time{at, "log", log.BaseURL})
		}
	}
	need := max(v.opt.Require.Logs, 1)
	if v.opt.Require.NoLog {
		need = 0
		if len(distinct) == 0 {
			v.out.exceptions = append(v.out.exceptions, "no log entry is demanded")
		}
	}
	if len(distinct) < need {
		return v.fail("%s, need %d", count(len(distinct), "distinct log"), need)
	}
	v.used = used
	return nil
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func (v *verification) note(text string) {
	if !slices.Contains(v.out.notes, text) {
		v.out.notes = append(v.out.notes, text)
	}
}

// stamped counts RFC 3161 timestamps by distinct authorities. Where a certificate needs a time, every timestamp must be
// a trusted one; beside a bare key, which needs none, others are not counted, and noted.
func (v *verification) stamped() error {
	distinct := map[[32]byte]bool{}
	untrusted := 0
	for _, raw := range v.stamps {
		t, id, ok := v.stampedBy(raw)
		switch {
		case !ok:
			untrusted++
		case !distinct[id]:
			distinct[id] = true
			v.out.times = append(v.out.times, t)
		}
	}
	need := v.opt.Require.Timestamps
	switch {
	case untrusted > 0 && (v.leaf != nil || len(distinct) < need):
		return v.fail("timestamp untrusted: %d of %s made by no trusted authority", untrusted, count(len(v.stamps), "timestamp"))
	case untrusted > 0:
		v.note(count(untrusted, "timestamp") + " by no trusted authority, not counted")
	case len(distinct) < need:
		return v.fail("%s, need %d", count(len(distinct), "distinct timestamp"), need)
	}
	return nil
}

func (v *verification) stampedBy(raw []byte) (Time, [32]byte, bool) {
	if v.opt.Roots == nil {
		return Time{}, [32]byte{}, false
	}
	for _, a := range v.opt.Roots.stampers {
		t, err := a.Verify(raw, v.works[0].sig)
		if err != nil {
			continue
		}
		var id [32]byte
		if s, ok := a.(*root.SigstoreTimestampingAuthority); ok && s.Leaf != nil {
			id = sha256.Sum256(s.Leaf.RawSubjectPublicKeyInfo)
		} else if ok {
			id = sha256.Sum256(s.Root.RawSubjectPublicKeyInfo)
		}
		return Time{t.Time.UTC(), "timestamp", t.URI}, id, true
	}
	return Time{}, [32]byte{}, false
}

// signer decides who signed, and whether all who vouch for that did so in their time.
func (v *verification) signer() error {
	for _, s := range v.works {
		var signer Signer
		var err error
		if s.leaf != nil {
			signer, err = v.certified(s.leaf)
		} else {
			signer, err = v.known(s)
		}
		if err != nil {
			return err
		}
		if err := v.counts(signer.Principal); err != nil {
			return err
		}
		v.out.signers = append(v.out.signers, signer)
	}
	for _, l := range v.used { // a log's key must have counted when the signature was made, by every clock
		for _, t := range v.out.times {
			if !l.at(t.At) {
				return v.fail("log's key not valid at %s", stamp(t.At))
			}
		}
	}
	return nil
}

// known names the principal of a bare key.
func (v *verification) known(s *signed) (Signer, error) {
	k, ok := v.opt.Trust.PublicKey(s.spki)
	if !ok {
		return Signer{}, v.fail("signature invalid: key unknown")
	}
	if why, revoked := v.opt.Trust.RevokedDER(s.spki); revoked {
		return Signer{}, v.fail("key revoked: %s", why)
	}
	return Signer{Principal: k.Principal, Platform: k.Platform, Key: "sha256:" + hexSum(s.spki)}, nil
}

// counts holds the principal's span in the policy against every proved time, or now where none is.
func (v *verification) counts(principal string) error {
	times := v.instants()
	if len(times) == 0 {
		times = []time.Time{v.opt.Now}
	}
	for _, t := range times {
		if !v.opt.Trust.ValidAt(principal, t) {
			p, _ := v.opt.Trust.Principal(principal)
			return v.fail("key not valid at %s: the policy counts %s %s", stamp(t), fault.Quote(principal), p.Valid)
		}
	}
	return nil
}

func (v *verification) instants() []time.Time {
	var out []time.Time
	for _, t := range v.out.times {
		out = append(out, t.At)
	}
	return out
}

// certified names the principal of a certificate, and checks who issued it and when.
func (v *verification) certified(leaf *x509.Certificate) (Signer, error) {
	c, err := describe(leaf)
	if err != nil {
		return Signer{}, v.fail("certificate: %w", err)
	}
	signer := Signer{Key: "sha256:" + hexSum(leaf.RawSubjectPublicKeyInfo), Certificate: c}
	if why, revoked := v.opt.Trust.RevokedDER(leaf.Raw, leaf.RawSubjectPublicKeyInfo); revoked {
		return Signer{}, v.fail("key revoked: %s", why)
	}
	if name, ok := v.opt.Trust.Pinned(leaf.Raw); ok {
		p, _ := v.opt.Trust.Principal(name)
		signer.Principal, signer.Platform = p.Name, p.Platform
		times, err := v.certificateTimes(true)
		if err != nil {
			return Signer{}, err
		}
		for _, t := range times {
			if t.Before(leaf.NotBefore) || t.After(leaf.NotAfter) {
				return Signer{}, v.fail("certificate not valid at %s", stamp(t))
			}
		}
		return signer, nil
	}
	who, err := v.identified(c)
	if err != nil {
		return Signer{}, err
	}
	signer.Principal, signer.Platform = who.Principal, who.Platform
	return signer, v.chained(leaf, who)
}

// identified finds the one principal whose identity and issuer fit.
func (v *verification) identified(c *Certificate) (trust.Authorities, error) {
	who := v.opt.Trust.Identity([]string{c.Identity}, c.Issuer)
	switch len(who) {
	case 1:
		return who[0], nil
	case 0:
		if near := v.opt.Trust.IssuersOf([]string{c.Identity}); len(near) > 0 {
			return trust.Authorities{}, v.fail("issuer differs: %q vouches for %q, want %q", cut(c.Issuer), cut(c.Identity), strings.Join(near, ", "))
		}
		return trust.Authorities{}, v.fail("identity differs: %q, issued by %q, is nobody of the policy", cut(c.Identity), cut(c.Issuer))
	}
	return trust.Authorities{}, v.fail("certificate names several principals")
}

// chained checks the certificate's chain at every proved time, and its SCT. Authorities that the policy itself names
// for a principal are no Sigstore instance: they publish no SCT.
func (v *verification) chained(leaf *x509.Certificate, who trust.Authorities) error {
	times, err := v.certificateTimes(who.Own)
	if err != nil {
		return err
	}
	var authorities []*authority
	if who.Own {
		for _, r := range who.Roots {
			authorities = append(authorities, newAuthority(r, who.Intermediates, time.Time{}, time.Time{}))
		}
	} else if v.opt.Roots != nil {
		authorities = v.opt.Roots.authorities
	}
	chain, err := issued(usable(leaf), authorities, times)
	if err != nil {
		return v.fail("%w", err)
	}
	var ders [][]byte
	for _, c := range chain {
		ders = append(ders, c.Raw, c.RawSubjectPublicKeyInfo)
	}
	if why, revoked := v.opt.Trust.RevokedDER(ders...); revoked {
		return v.fail("issuer's key revoked: %s", why)
	}
	switch {
	case who.Own:
		return nil
	case v.opt.Require.NoSCT:
		v.out.exceptions = append(v.out.exceptions, "no SCT is demanded")
		return nil
	}
	if err := verifySCT(leaf, chain[0], v.opt.Roots.ctLogs); err != nil {
		return v.fail("%w", err)
	}
	return nil
}

// certificateTimes returns the times at which a certificate must have been valid. Without a proved time there is no
// saying that a signature is as old as it claims; only where the policy itself names the authority and gives up logs
// may the certificate be valid now instead (cosign issue 2194: an expired certificate accepted offline).
func (v *verification) certificateTimes(own bool) ([]time.Time, error) {
	if times := v.instants(); len(times) > 0 {
		return times, nil
	}
	if own && v.opt.Require.NoLog {
		return []time.Time{v.opt.Now}, nil
	}
	return nil, v.fail("no trusted time: neither a log nor a timestamp authority says when it was signed")
}

// bind reads what was signed, now that it is known who signed it, and holds it against artefact and expectation.
func (v *verification) bind() error {
	if v.msg != nil {
		return nil
	}
	s, err := parseStatement(v.envelope.payload)
	if err != nil {
		return v.fail("%w", err)
	}
	if !slices.Contains(v.opt.Expect.Predicates, s.PredicateType) {
		return v.fail("predicate is %q, want %q", cut(s.PredicateType), strings.Join(v.opt.Expect.Predicates, "\", \""))
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
