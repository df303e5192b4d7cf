package signature

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
)

// Embedded says how a signature inside a file is made: CMS in DER, over content that it may carry itself.
type Embedded struct {
	ContentType asn1.ObjectIdentifier // nil: data
	Attached    bool                  // the content lies in the signature; else it is given
	Bare        bool                  // there may be no signed attributes, as kernel modules have none
}

// oidMicrosoftTimestamp holds an RFC 3161 token in Authenticode.
var oidMicrosoftTimestamp = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 3, 3, 1}

// VerifyEmbedded judges a signature that a file carries. It is held to the same rules as any other, and to some more: it must
// be DER to the last byte, and whatever lies outside its signed part must be judged, or it is bad: nothing in it may be
// free (CVE-2013-3900). One timestamp may be there, see Stamp. Where it carries its content, that is returned; it is worth what the result says.
func VerifyEmbedded(payload, der []byte, as Embedded, opt Options) ([]byte, Result) {
	switch {
	case len(der) == 0:
		return nil, Result{Status: StatusUnsigned}
	case opt.Now.IsZero():
		return nil, Result{Detail: "no reference time was given"}
	case len(der) > MaxArmour:
		return nil, Result{Status: StatusBad, Detail: fmt.Sprintf("signature exceeds %d bytes", MaxArmour)}
	}
	if opt.SignedAt.IsZero() {
		opt.SignedAt = opt.Now
	}
	v := &verification{payload: payload, opt: opt}
	v.Kind = KindX509
	if canonical, err := toDER(der); err != nil || !bytes.Equal(canonical, der) {
		v.end(StatusBad, "not in DER, or something lies behind it")
		return nil, v.Result
	}
	s := v.signedData(der, profile{content: as.ContentType, attached: as.Attached, bare: as.Bare, timeless: true, stampable: true})
	if v.Status == "" {
		v.end(StatusBad, "undecided")
	}
	if s == nil {
		return nil, v.Result
	}
	return s.content, v.Result
}

// VerifyPackets judges an OpenPGP signature that a file carries without armour.
func VerifyPackets(payload, packet []byte, opt Options) Result {
	switch {
	case len(packet) == 0:
		return Result{Status: StatusUnsigned}
	case opt.Now.IsZero():
		return Result{Detail: "no reference time was given"}
	case len(payload) > MaxPayload:
		return Result{Status: StatusUnsupported, Detail: fmt.Sprintf("signed content exceeds %d bytes", MaxPayload)}
	case len(packet) > MaxArmour:
		return Result{Status: StatusBad, Detail: fmt.Sprintf("signature exceeds %d bytes", MaxArmour)}
	}
	v := &verification{payload: payload, opt: opt}
	v.Kind = KindOpenPGP
	v.packets(packet)
	if v.Status == "" {
		v.end(StatusBad, "undecided")
	}
	return v.Result
}

// VerifyRaw judges bare arithmetic: a signature over payload by the key of a certificate, as Android packages hold it. The
// certificate is judged as any other; pss tells that RSA pads as RSASSA-PSS with a salt as long as the digest.
func VerifyRaw(payload, sig, certificate []byte, hash crypto.Hash, pss bool, opt Options) Result {
	v := &verification{payload: payload, opt: opt}
	v.Kind = KindX509
	c, err := x509.ParseCertificate(certificate)
	switch {
	case opt.Now.IsZero():
		return Result{Detail: "no reference time was given"}
	case err != nil:
		v.end(StatusBad, "malformed certificate")
		return v.Result
	}
	if opt.SignedAt.IsZero() {
		opt.SignedAt = opt.Now
	}
	sum := sha256.Sum256(c.Raw)
	v.Key, v.Algorithm, v.Hash, v.SignedAt = fmt.Sprintf("sha256:%x", sum), x509Algorithm(c.PublicKey), hashName(hash), opt.SignedAt
	if v.Certificate, err = describeCertificate(c); err != nil {
		v.end(StatusBad, "certificate: %v", err)
		return v.Result
	}
	if err := checkX509Key(c.PublicKey); err != nil {
		v.malformed(err)
		return v.Result
	}
	s := &cmsSignature{certificates: []*x509.Certificate{c}, leaf: c, hash: hash, signed: payload, signature: sig, scheme: schemeECDSA}
	ok := false
	switch key := c.PublicKey.(type) {
	case *rsa.PublicKey:
		s.scheme = schemeRSA
		if pss {
			ok = rsa.VerifyPSS(key, hash, sumOf(hash, payload), sig, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
			break
		}
		ok = s.verify()
	default:
		ok = !pss && s.verify()
	}
	if !ok {
		v.end(StatusBad, "does not fit the content and the certificate")
		return v.Result
	}
	v.cmsSigner(s)
	if v.Status == "" {
		v.end(StatusBad, "undecided")
	}
	return v.Result
}
