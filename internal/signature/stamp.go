package signature

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	der "golang.org/x/crypto/cryptobyte/asn1"
)

// Stamp is what a timestamp inside an embedded signature says, and on whose word.
type Stamp struct {
	At        time.Time `json:"at"`
	By        string    `json:"by"`                  // the subject of the certificate that made it
	Principal string    `json:"principal,omitempty"` // of the policy; "" is a stranger, whose word on the time is only shown
	Bytes     int       `json:"bytes"`               // how long it is: what a stranger had to choose from
}

var (
	oidTSTInfo          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 4}
	oidCountersignature = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 6}
	oidExtendedUsage    = asn1.ObjectIdentifier{2, 5, 29, 37}
)

// stamped judges the one timestamp of an embedded signature: an RFC 3161 token over the signature's value, or a countersignature
// (RFC 5652, section 11.4). It must hold, and be read to the last byte, whoever made it; the time counts for more than a
// claim only where the policy knows who made it.
func (v *verification) stamped(s *cmsSignature) bool {
	switch {
	case len(s.logEntries) > 0:
		v.end(StatusBad, "carries a log entry that nobody judges: it could be anything")
		return false
	case len(s.timestamps)+len(s.counters) > 1:
		v.end(StatusUnsupported, "more than one timestamp")
		return false
	}
	var t *Stamp
	var by *cmsSignature
	var err error
	for _, token := range s.timestamps {
		t, by, err = readToken(token, s.signature, v.opt.Keys.PinnedCertificates())
	}
	for _, counter := range s.counters {
		t, by, err = s.readCounter(counter)
	}
	if err == nil {
		err = v.stamper(t, by)
	}
	if err != nil {
		var unsupported unsupportedError
		if errors.As(err, &unsupported) {
			v.end(StatusUnsupported, "timestamp: %v", err)
		} else {
			v.end(StatusBad, "timestamp: %v", err)
		}
		return false
	}
	v.Stamp, v.SignedAt, v.TimeTrusted = t, t.At, t.Principal != ""
	return !v.inFuture()
}

// stamper holds whoever made a timestamp against what RFC 3161, section 2.3, demands, and against the policy.
func (v *verification) stamper(t *Stamp, by *cmsSignature) error {
	c := by.leaf
	t.By = c.Subject.String()
	if err := checkX509Key(c.PublicKey); err != nil {
		return err
	}
	if !by.verify() {
		return errors.New("does not fit the certificate")
	}
	if c.IsCA || !onlyTimestamps(c) {
		return errors.New("its certificate is not one for timestamps alone")
	}
	if t.At.Before(c.NotBefore) || t.At.After(c.NotAfter) {
		return errors.New("its certificate was not valid then")
	}
	for _, c := range by.certificates {
		if why, revoked := v.opt.Keys.RevokedDER(c.Raw, c.RawSubjectPublicKeyInfo); revoked {
			return errors.New("its certificate is revoked: " + why)
		}
	}
	name, ok := v.opt.Keys.Pinned(c.Raw)
	if !ok {
		return by.bounded()
	}
	if !by.accompanied(v.opt.Keys.Companions(name)) {
		return errors.New("brings certificates that the policy does not hold beside the pinned one")
	}
	if p, known := v.opt.Keys.Principal(name); known && p.Valid.Contains(t.At) {
		t.Principal = p.Name
	}
	return nil
}

// onlyTimestamps tells that a certificate's one extended usage is timestamping, marked critical.
func onlyTimestamps(c *x509.Certificate) bool {
	critical := slices.ContainsFunc(c.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(oidExtendedUsage) && e.Critical })
	return critical && len(c.UnknownExtKeyUsage) == 0 && len(c.ExtKeyUsage) == 1 && c.ExtKeyUsage[0] == x509.ExtKeyUsageTimeStamping
}

// usualExtensions are those that certificates of timestamping authorities hold.
var usualExtensions = []string{
	"2.5.29.14", "2.5.29.15", "2.5.29.16", "2.5.29.17", "2.5.29.18", "2.5.29.19", "2.5.29.30", "2.5.29.31", "2.5.29.32", "2.5.29.35", "2.5.29.36", "2.5.29.37", "2.5.29.54",
	"1.3.6.1.5.5.7.1.1", "1.3.6.1.5.5.7.1.3", "1.3.6.1.5.5.7.1.11",
}

// bounded narrows what a stranger can put into certificates: each must issue the one before it, be small, and hold
// usual extensions only. What is left, names, numbers and keys, nobody can judge without knowing the authority.
func (s *cmsSignature) bounded() error {
	left := slices.Clone(s.certificates)
	for c := s.leaf; ; {
		if len(c.Raw) > MaxStamperCertificate {
			return errors.New("one of its certificates is too large")
		}
		for _, e := range c.Extensions {
			if !slices.Contains(usualExtensions, e.Id.String()) {
				return unsupportedError("a certificate with extension " + e.Id.String())
			}
		}
		left = slices.DeleteFunc(left, c.Equal)
		i := slices.IndexFunc(left, func(o *x509.Certificate) bool {
			return o.IsCA && bytes.Equal(c.RawIssuer, o.RawSubject) && c.CheckSignatureFrom(o) == nil
		})
		if i >= 0 {
			c = left[i]
			continue
		}
		if bytes.Equal(c.RawSubject, c.RawIssuer) && c.CheckSignatureFrom(c) != nil {
			return errors.New("the signature of its root does not hold")
		}
		break
	}
	if len(left) > 0 {
		return errStray
	}
	return nil
}

// accompanied tells that every certificate beside the leaf is one that the policy holds, byte for byte.
func (s *cmsSignature) accompanied(known []*x509.Certificate) bool {
	return !slices.ContainsFunc(s.certificates, func(c *x509.Certificate) bool {
		return !c.Equal(s.leaf) && !slices.ContainsFunc(known, c.Equal)
	})
}

// readCounter reads a countersignature: SignerInfo over the signature's value, whose certificates lie beside the signer's own and
// are taken away from them.
func (s *cmsSignature) readCounter(signer []byte) (*Stamp, *cmsSignature, error) {
	by := &cmsSignature{certificates: s.certificates, as: profile{stamp: true, counter: true}}
	in := cryptobyte.String(signer)
	var info cryptobyte.String
	if len(signer) > MaxStamp || !in.ReadASN1(&info, der.SEQUENCE) || !in.Empty() {
		return nil, nil, errCMS
	}
	if _, err := by.readSigner(info, nil); err != nil {
		return nil, nil, err
	}
	if by.leaf.Equal(s.leaf) {
		return nil, nil, errors.New("made by the signer's own certificate")
	}
	if !bytes.Equal(sumOf(by.hash, s.signature), by.digest) {
		return nil, nil, errors.New("it is over another signature")
	}
	by.certificates = []*x509.Certificate{by.leaf}
	s.certificates = slices.DeleteFunc(slices.Clone(s.certificates), by.leaf.Equal)
	for c := by.leaf; ; {
		i := slices.IndexFunc(s.certificates, func(o *x509.Certificate) bool {
			return o.IsCA && bytes.Equal(c.RawIssuer, o.RawSubject) && c.CheckSignatureFrom(o) == nil
		})
		if i < 0 {
			break
		}
		c = s.certificates[i]
		if s.leaf.CheckSignatureFrom(c) == nil { // an authority of both
			break
		}
		by.certificates = append(by.certificates, c)
		s.certificates = slices.Delete(s.certificates, i, i+1)
	}
	return &Stamp{At: by.signingTime, Bytes: len(signer)}, by, nil
}

// stampAttribute reads the signed attributes of a timestamp that are neither type, digest nor time. Nobody asked for others.
func (s *cmsSignature) stampAttribute(oid asn1.ObjectIdentifier, values cryptobyte.String) error {
	switch oid.String() {
	case "1.2.840.113549.1.9.16.2.12": // SigningCertificate, RFC 2634: a name, not a proof
		return s.namesCertificate(values, crypto.SHA1, false)
	case "1.2.840.113549.1.9.16.2.47": // SigningCertificateV2, RFC 5035
		return s.namesCertificate(values, crypto.SHA256, true)
	case "1.2.840.113549.1.9.52": // CMSAlgorithmProtection, RFC 6211
		return s.protectsAlgorithms(values)
	}
	return unsupportedError("signed attribute " + oid.String())
}

// namesCertificate demands that the first certificate named is the signer's, and all others are at hand.
func (s *cmsSignature) namesCertificate(values cryptobyte.String, hash crypto.Hash, v2 bool) error {
	var all, list cryptobyte.String
	if !values.ReadASN1(&all, der.SEQUENCE) || !values.Empty() || !all.ReadASN1(&list, der.SEQUENCE) || list.Empty() {
		return errCMS
	}
	if !all.Empty() {
		return unsupportedError("a certificate named with policies")
	}
	for first := true; !list.Empty(); first = false {
		var id, sum, issuer cryptobyte.String
		h := hash
		if !list.ReadASN1(&id, der.SEQUENCE) {
			return errCMS
		}
		if v2 && id.PeekASN1Tag(der.SEQUENCE) {
			var err error
			if h, err = readDigestAlgorithm(&id); err != nil {
				return err
			}
		}
		if !id.ReadASN1(&sum, der.OCTET_STRING) || !id.Empty() && (!id.ReadASN1(&issuer, der.SEQUENCE) || !id.Empty()) {
			return errCMS
		}
		fits := func(c *x509.Certificate) bool {
			return bytes.Equal(sumOf(h, c.Raw), sum) && (len(issuer) == 0 || isIssuerSerial(issuer, c))
		}
		if first && !fits(s.leaf) || !first && !slices.ContainsFunc(s.certificates, fits) {
			return errors.New("it names another certificate than the signer's")
		}
	}
	s.named = true
	return nil
}

// isIssuerSerial tells that IssuerSerial (RFC 5035, section 5) is that of a certificate.
func isIssuerSerial(in cryptobyte.String, c *x509.Certificate) bool {
	var names, name cryptobyte.String
	serial := new(big.Int)
	return in.ReadASN1(&names, der.SEQUENCE) && in.ReadASN1Integer(serial) && in.Empty() &&
		names.ReadASN1(&name, contextTag(4)) && names.Empty() && bytes.Equal(name, c.RawIssuer) && serial.Cmp(c.SerialNumber) == 0
}

// protectsAlgorithms remembers what the attribute says of the algorithms; readSigner holds it against those that are used.
func (s *cmsSignature) protectsAlgorithms(values cryptobyte.String) error {
	var list, algorithm cryptobyte.String
	if !values.ReadASN1(&list, der.SEQUENCE) || !values.Empty() {
		return errCMS
	}
	hash, err := readDigestAlgorithm(&list)
	if err != nil {
		return err
	}
	if hash != s.hash || !list.ReadASN1(&algorithm, contextTag(1)) || !list.Empty() {
		return errors.New("the protected algorithms are others")
	}
	var b cryptobyte.Builder
	b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(algorithm) })
	raw, err := b.Bytes()
	if err != nil {
		return errCMS
	}
	s.protected = raw
	return nil
}
