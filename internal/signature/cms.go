package signature

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/glassbuild/glassbuild/internal/trust"
	"github.com/glassbuild/glassbuild/internal/trust/fulcio"
)

// Authority is one certificate authority of a trusted root, and when its certificates count.
type Authority struct {
	Name          string
	Roots         []*x509.Certificate
	Intermediates []*x509.Certificate
	Valid         trust.Window
}

// Evidence is what came with a CMS signature outside its signed part, and what it must speak of. Nothing in it was
// judged; whoever judges a log entry rebuilds its leaf from Signed, Signature and Leaf and compares (gitsign
// CVE-2024-51746 is what comes of believing the entry).
type Evidence struct {
	LogEntries [][]byte // serialised Rekor TransparencyLogEntry messages, without canonicalised body
	Timestamps [][]byte // RFC 3161 tokens over Signature, in DER
	Signed     []byte   // the signed attributes in DER: the bytes that were signed
	Hash       crypto.Hash
	Signature  []byte
	Leaf       *x509.Certificate
	Claimed    time.Time // the signer's own claim
}

func (v *verification) cms(sig []byte) {
	raw, err := dearmour(sig, "SIGNED MESSAGE", false)
	if err != nil {
		v.end(StatusBad, "%v", err)
		return
	}
	data, err := toDER(raw)
	if err != nil {
		v.malformed(err)
		return
	}
	v.signedData(data, profile{})
}

// signedData judges CMS in DER and returns what it holds, nil where it cannot be read.
func (v *verification) signedData(data []byte, as profile) *cmsSignature {
	s, err := parseCMS(data, v.opt.Keys.PinnedCertificates(), as)
	if errors.Is(err, errNoCertificate) {
		v.end(StatusUnknownKey, "%v", err)
		return nil
	}
	if err != nil {
		v.malformed(err)
		return nil
	}
	sum := sha256.Sum256(s.leaf.Raw)
	v.Key, v.Algorithm, v.Hash = fmt.Sprintf("sha256:%x", sum), x509Algorithm(s.leaf.PublicKey), hashName(s.hash)
	if v.SignedAt = s.signingTime; v.SignedAt.IsZero() {
		v.SignedAt = v.opt.SignedAt
	}
	if as.attached {
		v.payload = s.content
	}
	if v.Certificate, err = describeCertificate(s.leaf); err != nil {
		v.end(StatusBad, "certificate: %v", err)
		return s
	}
	if s.signed == nil { // RFC 5652, section 5.4: without attributes the content itself is signed
		s.signed = v.payload
	} else if !bytes.Equal(sumOf(s.hash, v.payload), s.digest) {
		v.end(StatusBad, "message digest differs")
		return s
	}
	if err := checkX509Key(s.leaf.PublicKey); err != nil {
		v.malformed(err)
		return s
	}
	if !v.math("cms", s.signed, s.signature, s.leaf.RawSubjectPublicKeyInfo, func() bool { return s.verify() }) {
		v.end(StatusBad, "does not fit the signed attributes and the certificate")
		return s
	}
	if v.inFuture() || !v.cmsTime(s) {
		return s
	}
	v.cmsSigner(s)
	return s
}

func sumOf(hash crypto.Hash, data []byte) []byte {
	h := hash.New()
	h.Write(data)
	return h.Sum(nil)
}

// verify is the arithmetic over the signed attributes.
func (s *cmsSignature) verify() bool {
	digest := sumOf(s.hash, s.signed)
	switch k := s.leaf.PublicKey.(type) {
	case *rsa.PublicKey:
		return s.scheme == schemeRSA && rsa.VerifyPKCS1v15(k, s.hash, digest, s.signature) == nil
	case *ecdsa.PublicKey:
		return s.scheme == schemeECDSA && ecdsa.VerifyASN1(k, digest, s.signature)
	case ed25519.PublicKey:
		return s.scheme == schemeEd25519 && ed25519.Verify(k, s.signed, s.signature)
	}
	return false
}

// cmsTime lets the caller judge what came with the signature.
func (v *verification) cmsTime(s *cmsSignature) bool {
	if len(s.logEntries)+len(s.timestamps)+len(s.counters) == 0 {
		return true
	}
	if s.as.stampable {
		return v.stamped(s)
	}
	e := Evidence{
		LogEntries: s.logEntries, Timestamps: s.timestamps, Signed: s.signed, Hash: s.hash,
		Signature: s.signature, Leaf: s.leaf, Claimed: s.signingTime,
	}
	v.Evidence = &e
	if v.opt.TrustedTime == nil {
		return true
	}
	at, err := v.opt.TrustedTime(e)
	if err != nil {
		v.end(StatusBad, "log entry or timestamp: %v", err)
		return false
	}
	if at.IsZero() { // nothing vouches for a time
		return true
	}
	v.SignedAt, v.TimeTrusted = at.UTC(), true
	return !v.inFuture()
}

// cmsSigner finds who the certificate stands for, and judges its chain at the signing time.
func (v *verification) cmsSigner(s *cmsSignature) {
	c := s.leaf
	if c.IsCA {
		v.end(StatusBad, "signed by an authority's certificate")
		return
	}
	if v.SignedAt.Before(c.NotBefore) || v.SignedAt.After(c.NotAfter) {
		v.end(StatusBad, "certificate not valid at %s: it is from %s to %s", stamp(v.SignedAt), stamp(c.NotBefore), stamp(c.NotAfter))
		return
	}
	if err := checkUsage(c); err != nil {
		v.end(StatusBad, "%v", err)
		return
	}
	if why, revoked := v.opt.Keys.RevokedDER(c.Raw, c.RawSubjectPublicKeyInfo); revoked {
		v.end(StatusRevoked, "%s", why)
		return
	}
	if name, ok := v.opt.Keys.Pinned(c.Raw); ok {
		if !s.accompanied(v.opt.Keys.Companions(name)) {
			v.end(StatusBad, "certificates that nobody asked for beside the pinned one")
			return
		}
		v.byCertificate(name, []*x509.Certificate{c})
		return
	}
	candidates := v.opt.Keys.Identity(v.Certificate.Subjects, v.Certificate.Issuer)
	switch {
	case len(candidates) > 1:
		v.end(StatusGoodUntrusted, "certificate names several principals of the policy: nobody can say which one signed")
	case len(candidates) == 1:
		chain, err := s.chain(v.authorities(candidates[0]), v.SignedAt)
		switch {
		case errors.Is(err, errStray):
			v.end(StatusBad, "%v", err)
		case err != nil:
			v.end(StatusGoodUntrusted, "claims to be %s, but %v", strings.Join(v.Certificate.Subjects, ", "), err)
		default:
			v.byCertificate(candidates[0].Principal, chain)
		}
	default:
		v.unknownCertificate(s)
	}
}

// unknownCertificate says whether at least the authority is known.
func (v *verification) unknownCertificate(s *cmsSignature) {
	known := v.authorities(trust.Authorities{})
	for _, a := range v.opt.Keys.AllAuthorities() {
		known = append(known, v.authorities(a)...)
	}
	if _, err := s.chain(known, v.SignedAt); err != nil {
		v.end(StatusGoodUntrusted, "signer is not in the policy, and %v", err)
		return
	}
	v.end(StatusGoodUntrusted, "signer is not in the policy")
}

// authorities are those of the principal, or the caller's trusted roots that count at the signing time.
func (v *verification) authorities(a trust.Authorities) []Authority {
	if a.Own {
		return []Authority{{Roots: a.Roots, Intermediates: a.Intermediates}}
	}
	return slices.DeleteFunc(slices.Clone(v.opt.Authorities), func(a Authority) bool { return !a.Valid.Contains(v.SignedAt) })
}

func (v *verification) byCertificate(principal string, chain []*x509.Certificate) {
	ended := false
	for _, c := range chain {
		if why, revoked := v.opt.Keys.RevokedDER(c.Raw, c.RawSubjectPublicKeyInfo); revoked {
			v.end(StatusRevoked, "%s: %s", c.Subject, why)
			return
		}
		ended = ended || v.opt.Now.After(c.NotAfter)
	}
	detail := ""
	if ended && !v.TimeTrusted {
		detail = fmt.Sprintf("certificate expired at %s and nothing vouches for the signing time", stamp(chain[0].NotAfter))
	}
	v.byPrincipal(principal, ended, detail)
}

var errStray = errors.New("a certificate that is not part of the chain")

// chain builds the leaf's chain to one of the authorities as of a time; every certificate in it must be valid then,
// and every certificate that came with the signature must be in it.
func (s *cmsSignature) chain(authorities []Authority, at time.Time) ([]*x509.Certificate, error) {
	err := errors.New("no authority is known")
	for _, a := range authorities {
		roots, between := x509.NewCertPool(), x509.NewCertPool()
		for _, c := range a.Roots {
			roots.AddCert(c)
		}
		for _, c := range slices.Concat(a.Intermediates, s.certificates) {
			between.AddCert(c)
		}
		leaf := *s.leaf
		leaf.UnhandledCriticalExtensions = fulcio.Unhandled(s.leaf)
		chains, failed := leaf.Verify(x509.VerifyOptions{
			Roots: roots, Intermediates: between, CurrentTime: at,
			KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning, x509.ExtKeyUsageEmailProtection},
		})
		if failed != nil {
			err = fmt.Errorf("its certificate does not chain to a known authority at %s", stamp(at))
			continue
		}
		for _, chain := range chains {
			if s.covers(chain) {
				return chain, nil
			}
		}
		err = errStray
	}
	return nil, err
}

func (s *cmsSignature) covers(chain []*x509.Certificate) bool {
	return !slices.ContainsFunc(s.certificates, func(c *x509.Certificate) bool {
		return !slices.ContainsFunc(chain, c.Equal)
	})
}

func checkUsage(c *x509.Certificate) error {
	if c.KeyUsage != 0 && c.KeyUsage&(x509.KeyUsageDigitalSignature|x509.KeyUsageContentCommitment) == 0 {
		return errors.New("certificate is not for signing")
	}
	return nil
}

func checkX509Key(key any) error {
	switch k := key.(type) {
	case *rsa.PublicKey:
		if n := k.N.BitLen(); n < trust.MinRSABits || n > trust.MaxRSABits {
			return unsupportedError(fmt.Sprintf("RSA with %d bits", n))
		}
		return nil
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256(), elliptic.P384(), elliptic.P521():
			return nil
		}
	case ed25519.PublicKey:
		return nil
	}
	return unsupportedError("certificate's key type")
}

func x509Algorithm(key any) string {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("rsa%d", k.N.BitLen())
	case *ecdsa.PublicKey:
		return "ecdsa-" + strings.ToLower(strings.ReplaceAll(k.Curve.Params().Name, "-", ""))
	case ed25519.PublicKey:
		return "ed25519"
	}
	return "unknown"
}
