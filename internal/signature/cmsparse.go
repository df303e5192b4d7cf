package signature

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	der "golang.org/x/crypto/cryptobyte/asn1"
)

var errCMS = errors.New("malformed CMS")

var (
	oidData          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidSignedData    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidContentType   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
	oidMessageDigest = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
	oidSigningTime   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 5}
	oidTimestamp     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 14}
	// oidLogEntry holds a serialised Rekor TransparencyLogEntry without its body.
	oidLogEntry = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 3, 1}
)

// cmsSignature is SignedData with one signer and detached content (RFC 5652, section 5).
type cmsSignature struct {
	certificates []*x509.Certificate
	leaf         *x509.Certificate // the one that the signer info names
	hash         crypto.Hash
	scheme       cmsScheme
	signed       []byte // signed attributes as SET OF, the bytes that were signed
	digest       []byte // messageDigest
	signingTime  time.Time
	signature    []byte
	logEntries   [][]byte
	timestamps   [][]byte
	counters     [][]byte // SignerInfo of countersignatures, embedded signatures only
	named        bool     // of a timestamp: its signed attributes name the certificate
	protected    []byte   // of a timestamp: the signature algorithm that its signed attributes name
	as           profile
	content      []byte // of an attached signature: the value that was signed
}

// profile says which CMS is read. The zero value, which git's signatures have, is the strictest: detached data, with signed
// attributes that hold the signing time.
type profile struct {
	content   asn1.ObjectIdentifier // nil: data
	attached  bool                  // the content lies inside
	bare      bool                  // there may be no signed attributes
	timeless  bool                  // there may be no signing time
	stampable bool                  // a timestamp is judged here, see stamped
	stamp     bool                  // this is one: it says nothing but the time
	counter   bool                  // and a countersignature
}

func (p profile) contentType() asn1.ObjectIdentifier {
	if p.content == nil {
		return oidData
	}
	return p.content
}

// cmsScheme is the arithmetic that signatureAlgorithm names.
type cmsScheme int

const (
	schemeRSA cmsScheme = iota + 1
	schemeECDSA
	schemeEd25519
)

// errNoCertificate says that nobody knows the key: neither signature nor policy brings the certificate.
var errNoCertificate = errors.New("no certificate of the signer is at hand")

// parseCMS reads ContentInfo. known are certificates of the policy, for signatures that bring none (gpgsm leaves out
// self-signed ones).
func parseCMS(data []byte, known []*x509.Certificate, as profile) (*cmsSignature, error) {
	input := cryptobyte.String(data)
	var info, wrapped, sd cryptobyte.String
	var oid asn1.ObjectIdentifier
	if !input.ReadASN1(&info, der.SEQUENCE) || !input.Empty() || !info.ReadASN1ObjectIdentifier(&oid) {
		return nil, errCMS
	}
	if !oid.Equal(oidSignedData) {
		return nil, unsupportedError("CMS content other than signed data")
	}
	if !info.ReadASN1(&wrapped, contextTag(0)) || !info.Empty() || !wrapped.ReadASN1(&sd, der.SEQUENCE) || !wrapped.Empty() {
		return nil, errCMS
	}
	return parseSignedData(sd, known, as)
}

func contextTag(n uint8) der.Tag { return der.Tag(n).ContextSpecific().Constructed() }

func parseSignedData(sd cryptobyte.String, known []*x509.Certificate, as profile) (*cmsSignature, error) {
	var version int
	var digests, content, certificates, signers, signer cryptobyte.String
	var hasCertificates bool
	var oid asn1.ObjectIdentifier
	if !sd.ReadASN1Integer(&version) || !sd.ReadASN1(&digests, der.SET) ||
		!sd.ReadASN1(&content, der.SEQUENCE) || !content.ReadASN1ObjectIdentifier(&oid) {
		return nil, errCMS
	}
	if !oid.Equal(as.contentType()) {
		return nil, unsupportedError("CMS over other content than data")
	}
	s := &cmsSignature{as: as}
	if err := s.readContent(content); err != nil {
		return nil, err
	}
	if !sd.ReadOptionalASN1(&certificates, &hasCertificates, contextTag(0)) {
		return nil, errCMS
	}
	if sd.PeekASN1Tag(contextTag(1)) {
		return nil, unsupportedError("CMS with revocation lists")
	}
	if !sd.ReadASN1(&signers, der.SET) || !sd.Empty() || !signers.ReadASN1(&signer, der.SEQUENCE) {
		return nil, errCMS
	}
	if !signers.Empty() {
		return nil, errors.New("more than one signer: ambiguous")
	}
	if err := s.readCertificates(certificates); err != nil {
		return nil, err
	}
	declared, err := readDigestAlgorithm(&digests)
	if err != nil {
		return nil, err
	}
	if !digests.Empty() {
		return nil, errors.New("more than one digest algorithm: ambiguous")
	}
	byKey, err := s.readSigner(signer, known)
	if err != nil {
		return nil, err
	}
	if declared != s.hash {
		return nil, errors.New("digest algorithms disagree")
	}
	// RFC 5652, section 5.1: version 1 with issuer and serial, 3 with a key identifier.
	// PKCS#7, which Authenticode still is, says 1 for any content; RFC 5652 says 3 for other content than data.
	if want := map[bool]int{false: 1, true: 3}[byKey]; version != want && !(as.content != nil && version == 3) {
		return nil, errCMS
	}
	return s, nil
}

// readContent reads the content of an attached signature: what was signed is its value without tag and length.
func (s *cmsSignature) readContent(content cryptobyte.String) error {
	if !s.as.attached {
		if !content.Empty() {
			return errors.New("CMS carries content of its own beside the object")
		}
		return nil
	}
	var wrapped, value cryptobyte.String
	var tag der.Tag
	if !content.ReadASN1(&wrapped, contextTag(0)) || !content.Empty() || !wrapped.ReadAnyASN1(&value, &tag) || !wrapped.Empty() ||
		tag != der.OCTET_STRING && tag != der.SEQUENCE || len(value) == 0 {
		return errCMS
	}
	s.content = value
	return nil
}

func (s *cmsSignature) readCertificates(set cryptobyte.String) error {
	for !set.Empty() {
		var raw cryptobyte.String
		if !set.ReadASN1Element(&raw, der.SEQUENCE) {
			return unsupportedError("CMS with other certificates than X.509")
		}
		c, err := x509.ParseCertificate(raw)
		if err != nil {
			return errors.New("malformed certificate")
		}
		for _, other := range s.certificates {
			if other.Equal(c) {
				return errors.New("certificate given twice")
			}
		}
		if s.certificates = append(s.certificates, c); len(s.certificates) > MaxCertificates {
			return fmt.Errorf("exceeds %d certificates", MaxCertificates)
		}
	}
	return nil
}

// readSigner reads SignerInfo; byKey tells that it names its certificate by key identifier.
func (s *cmsSignature) readSigner(si cryptobyte.String, known []*x509.Certificate) (byKey bool, err error) {
	var version int
	if !si.ReadASN1Integer(&version) {
		return false, errCMS
	}
	if byKey, err = s.readSignerName(&si, known); err != nil {
		return byKey, err
	}
	if want := map[bool]int{false: 1, true: 3}[byKey]; version != want {
		return byKey, errCMS
	}
	if s.hash, err = readDigestAlgorithm(&si); err != nil {
		return byKey, err
	}
	var attributes, signature cryptobyte.String
	switch has := si.PeekASN1Tag(contextTag(0)); {
	case !has && !s.as.bare:
		return byKey, unsupportedError("CMS without signed attributes")
	case has:
		var element cryptobyte.String
		if !si.ReadASN1Element(&element, contextTag(0)) {
			return byKey, errCMS
		}
		s.signed = append([]byte{byte(der.SET)}, element[1:]...) // signed under its universal tag, RFC 5652, section 5.4
		if !element.ReadASN1(&attributes, contextTag(0)) {
			return byKey, errCMS
		}
		if err := s.readSignedAttributes(attributes); err != nil {
			return byKey, err
		}
	}
	algorithm := si
	if s.scheme, err = readSignatureAlgorithm(&si, s.hash); err != nil {
		return byKey, err
	}
	if s.protected != nil && !bytes.Equal(s.protected, algorithm[:len(algorithm)-len(si)]) {
		return byKey, errors.New("the protected algorithms are others")
	}
	if !si.ReadASN1(&signature, der.OCTET_STRING) {
		return byKey, errCMS
	}
	s.signature = signature
	if si.Empty() {
		return byKey, nil
	}
	var unsigned cryptobyte.String
	if !si.ReadASN1(&unsigned, contextTag(1)) || !si.Empty() || unsigned.Empty() {
		return byKey, errCMS
	}
	return byKey, s.readUnsignedAttributes(unsigned)
}

// readSignerName finds the one certificate that the signer info names. Certificates that came along are all in one
// place: a signature that brings some but not its own is not looked up elsewhere.
func (s *cmsSignature) readSignerName(si *cryptobyte.String, known []*x509.Certificate) (byKey bool, err error) {
	var id cryptobyte.String
	var named func(*x509.Certificate) bool
	keyTag := der.Tag(0).ContextSpecific()
	if si.PeekASN1Tag(keyTag) {
		byKey = true
		if !si.ReadASN1(&id, keyTag) || len(id) == 0 {
			return byKey, errCMS
		}
		named = func(c *x509.Certificate) bool { return bytes.Equal(c.SubjectKeyId, id) }
	} else {
		var issuer cryptobyte.String
		serial := new(big.Int)
		if !si.ReadASN1(&id, der.SEQUENCE) || !id.ReadASN1Element(&issuer, der.SEQUENCE) || !id.ReadASN1Integer(serial) || !id.Empty() {
			return byKey, errCMS
		}
		named = func(c *x509.Certificate) bool {
			return bytes.Equal(c.RawIssuer, issuer) && c.SerialNumber.Cmp(serial) == 0
		}
	}
	candidates := s.certificates
	if len(candidates) == 0 {
		candidates = known
	}
	for _, c := range candidates {
		if !named(c) {
			continue
		}
		if s.leaf != nil {
			return byKey, errors.New("two certificates fit the signer: ambiguous")
		}
		s.leaf = c
	}
	if s.leaf == nil && len(s.certificates) == 0 {
		return byKey, errNoCertificate
	}
	if s.leaf == nil {
		return byKey, errors.New("signer's certificate is not among the certificates")
	}
	return byKey, nil
}
