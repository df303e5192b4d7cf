package evidence

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"
	der "golang.org/x/crypto/cryptobyte/asn1"

	rekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"google.golang.org/protobuf/proto"
)

// Detached is a signature that keeps its own witnesses, as gitsign writes it into commits and tags, and what they must speak of.
type Detached struct {
	Signed     []byte // the bytes that were signed
	Signature  []byte
	Leaf       *x509.Certificate
	Entries    [][]byte // TransparencyLogEntry messages (protobuf-specs, rekor/v1) without the entry's body
	Timestamps [][]byte // RFC 3161 tokens over Signature
}

// TimeOf verifies the witnesses of a detached signature, and returns a time at which one of them saw it; the zero time where none
// is of a log or authority that is known here, or where the certificate's own publication is not promised. A witness of one that
// is known must hold, and must be of exactly this signature: the entry's body is not taken from anywhere but made from signature,
// certificate and signed bytes (gitsign CVE-2024-51746).
func (r *TrustedRoots) TimeOf(d Detached) (time.Time, error) {
	if r == nil || d.Leaf == nil {
		return time.Time{}, nil
	}
	if len(d.Entries)+len(d.Timestamps) > maxWitnesses {
		return time.Time{}, fmt.Errorf("more than %d log entries and timestamps", maxWitnesses)
	}
	var times []time.Time
	for _, raw := range d.Entries {
		at, err := r.logged(d, raw)
		if err != nil {
			return time.Time{}, err
		}
		times = append(times, at)
	}
	for _, raw := range d.Timestamps {
		at, err := r.stamped(d, raw)
		if err != nil {
			return time.Time{}, err
		}
		times = append(times, at)
	}
	var seen time.Time
	for _, t := range times {
		if !t.IsZero() && (seen.IsZero() || t.Before(seen)) {
			seen = t
		}
	}
	if seen.IsZero() {
		return seen, nil
	}
	return r.published(d.Leaf, seen)
}

// published gives a time only for certificates that a known log promised to publish, where one of the trusted authorities issued them:
// what stands in no log can be issued unseen. Other authorities, whom the policy names itself, promise nothing of the kind.
func (r *TrustedRoots) published(leaf *x509.Certificate, at time.Time) (time.Time, error) {
	chain, err := issued(leaf, r.authorities, []time.Time{at})
	if errors.Is(err, errNoChain) {
		return at, nil
	}
	if err != nil {
		return time.Time{}, err
	}
	if verifySCT(leaf, chain[0], r.ctLogs) != nil {
		return time.Time{}, nil
	}
	return at, nil
}

// logged verifies one log entry.
func (r *TrustedRoots) logged(d Detached, raw []byte) (time.Time, error) {
	if len(raw) > maxDetachedEntry {
		return time.Time{}, fmt.Errorf("log entry exceeds %d bytes", maxDetachedEntry)
	}
	e, err := readDetachedEntry(raw)
	if err != nil {
		return time.Time{}, err
	}
	digest := sha256.Sum256(d.Signed)
	e.body = fmt.Appendf(nil, `{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{"data":{"hash":{"algorithm":"sha256","value":"%x"}},`+
		`"signature":{"content":"%s","publicKey":{"content":"%s"}}}}`, digest, base64.StdEncoding.EncodeToString(d.Signature),
		base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: d.Leaf.Raw})))
	_, at, err := e.verify(&signed{sig: d.Signature, public: d.Leaf.PublicKey, spki: d.Leaf.RawSubjectPublicKeyInfo, leaf: d.Leaf,
		message: &message{algorithm: "sha256", digest: digest[:], signature: d.Signature}}, r.logs)
	return at, err
}

// readDetachedEntry reads an entry whose body was left out.
func readDetachedEntry(raw []byte) (e logEntry, err error) {
	var m rekor.TransparencyLogEntry
	if err := proto.Unmarshal(raw, &m); err != nil || len(m.ProtoReflect().GetUnknown()) > 0 {
		return e, errors.New("malformed log entry")
	}
	e = logEntry{kind: m.GetKindVersion().GetKind(), version: m.GetKindVersion().GetVersion(), index: m.GetLogIndex(), logID: m.GetLogId().GetKeyId(),
		integrated: m.GetIntegratedTime(), promise: m.GetInclusionPromise().GetSignedEntryTimestamp()}
	if e.kind != "hashedrekord" || e.version != "0.0.1" {
		return e, fmt.Errorf("unsupported log entry %q", cut(e.kind+" "+e.version))
	}
	if len(m.GetCanonicalizedBody()) > 0 || e.index < 0 || e.integrated < 0 || len(e.logID) != sha256.Size || len(e.promise) > MaxSignature {
		return e, errors.New("malformed log entry")
	}
	p := m.GetInclusionProof()
	if p == nil {
		return e, nil
	}
	e.proof = &inclusionProof{index: p.GetLogIndex(), size: p.GetTreeSize(), root: p.GetRootHash(), hashes: p.GetHashes(), checkpoint: p.GetCheckpoint().GetEnvelope()}
	if e.proof.index < 0 || e.proof.size <= e.proof.index || len(e.proof.root) != sha256.Size || len(e.proof.hashes) > MaxProof || len(e.proof.checkpoint) > MaxCheckpoint {
		return e, errors.New("malformed log entry: inclusion proof")
	}
	if e.proof.checkpoint == "" {
		if len(e.promise) == 0 {
			return e, errors.New("inclusion not proven: neither checkpoint nor promise")
		}
		e.proof = nil // older entries have a proof that leads to a root that nobody signed: it proves nothing
	}
	for _, h := range e.proofHashes() {
		if len(h) != sha256.Size {
			return e, errors.New("malformed log entry: inclusion proof")
		}
	}
	return e, nil
}

func (e *logEntry) proofHashes() [][]byte {
	if e.proof == nil {
		return nil
	}
	return e.proof.hashes
}

// stamped verifies one timestamp. Of an authority that is not known nothing can be said.
func (r *TrustedRoots) stamped(d Detached, token []byte) (time.Time, error) {
	if len(token) > maxDetachedEntry {
		return time.Time{}, fmt.Errorf("timestamp exceeds %d bytes", maxDetachedEntry)
	}
	// the library reads whole responses (RFC 3161, section 2.4.2): a status, 0 is granted, and the token
	var b cryptobyte.Builder
	b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1Int64(0) })
		b.AddBytes(token)
	})
	response, err := b.Bytes()
	if err != nil {
		return time.Time{}, err
	}
	for _, a := range r.stampers {
		if t, err := a.Verify(response, d.Signature); err == nil {
			return t.Time.UTC(), nil
		}
	}
	return time.Time{}, nil
}

// CertificateAuthority is one authority of the trusted roots, and when it counts; zero is open.
type CertificateAuthority struct {
	Root          *x509.Certificate
	Intermediates []*x509.Certificate
	From, To      time.Time
}

// Authorities returns the certificate authorities.
func (r *TrustedRoots) Authorities() []CertificateAuthority {
	if r == nil {
		return nil
	}
	var out []CertificateAuthority
	for _, a := range r.authorities {
		if len(a.issuers) == 0 {
			continue
		}
		c := CertificateAuthority{From: a.from, To: a.to}
		for _, i := range a.issuers {
			c.Root = i.chain[len(i.chain)-1]
			c.Intermediates = append(c.Intermediates, i.chain[:len(i.chain)-1]...)
		}
		out = append(out, c)
	}
	return out
}
