package evidence

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"time"

	"golang.org/x/crypto/cryptobyte"
	der "golang.org/x/crypto/cryptobyte/asn1"
)

var oidSCTList = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2}

var errNoSCT = errors.New("no SCT by a trusted log")

// verifySCT checks that a trusted certificate transparency log promised to publish leaf (RFC 6962, section 3.2): the
// promise is over the certificate without its list of promises, and over the key of its issuer.
func verifySCT(leaf, issuer *x509.Certificate, logs map[string]*trustedLog) error {
	var list []byte
	for _, e := range leaf.Extensions {
		if e.Id.Equal(oidSCTList) {
			list = e.Value
		}
	}
	scts, err := splitSCTs(list)
	if err != nil {
		return err
	}
	tbs, err := withoutSCTs(leaf.RawTBSCertificate)
	if err != nil {
		return err
	}
	issuerKey := sha256.Sum256(issuer.RawSubjectPublicKeyInfo)
	for _, sct := range scts {
		if sct.verify(tbs, issuerKey, logs) {
			return nil
		}
	}
	return errNoSCT
}

// splitSCTs reads a SignedCertificateTimestampList in its OCTET STRING.
func splitSCTs(value []byte) ([]sct, error) {
	if value == nil {
		return nil, errors.New("no SCT in the certificate")
	}
	input := cryptobyte.String(value)
	var octets, list cryptobyte.String
	if !input.ReadASN1(&octets, der.OCTET_STRING) || !input.Empty() ||
		!octets.ReadUint16LengthPrefixed(&list) || !octets.Empty() || list.Empty() {
		return nil, errors.New("no SCT: malformed list")
	}
	var out []sct
	for !list.Empty() {
		var one cryptobyte.String
		var s sct
		if !list.ReadUint16LengthPrefixed(&one) || !s.read(one) || len(out) >= MaxSCTs {
			return nil, errors.New("no SCT: malformed list")
		}
		out = append(out, s)
	}
	return out, nil
}

// sct is one SignedCertificateTimestamp of version 1.
type sct struct {
	logID            []byte
	millis           uint64
	extensions       cryptobyte.String
	hashAlg, sigAlg  uint8
	signature        cryptobyte.String
	supportedVersion bool
}

func (s *sct) read(in cryptobyte.String) bool {
	var version uint8
	return in.ReadUint8(&version) && in.ReadBytes(&s.logID, sha256.Size) && in.ReadUint64(&s.millis) &&
		in.ReadUint16LengthPrefixed(&s.extensions) && in.ReadUint8(&s.hashAlg) && in.ReadUint8(&s.sigAlg) &&
		in.ReadUint16LengthPrefixed(&s.signature) && in.Empty() && s.setVersion(version)
}

func (s *sct) setVersion(v uint8) bool {
	s.supportedVersion = v == 0
	return true
}

// TLS's numbers (RFC 5246, section 7.4.1.4.1) of what RFC 6962 allows.
const (
	tlsSHA256 = 4
	tlsRSA    = 1
	tlsECDSA  = 3
)

func (s *sct) verify(tbs []byte, issuerKey [32]byte, logs map[string]*trustedLog) bool {
	l := logs[hex.EncodeToString(s.logID)]
	if l == nil || !s.supportedVersion || s.hashAlg != tlsSHA256 || s.millis > 1<<52 || !l.at(time.UnixMilli(int64(s.millis))) {
		return false
	}
	var b cryptobyte.Builder
	b.AddUint8(0)            // version 1
	b.AddUint8(0)            // certificate_timestamp
	b.AddUint64(s.millis)    //
	b.AddUint16(1)           // precert_entry
	b.AddBytes(issuerKey[:]) //
	b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(tbs) })
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(s.extensions) })
	signed, err := b.Bytes()
	if err != nil {
		return false
	}
	sum := sha256.Sum256(signed)
	switch k := l.PublicKey.(type) {
	case *ecdsa.PublicKey:
		return s.sigAlg == tlsECDSA && ecdsa.VerifyASN1(k, sum[:], s.signature)
	case *rsa.PublicKey:
		return s.sigAlg == tlsRSA && rsa.VerifyPKCS1v15(k, crypto.SHA256, sum[:], s.signature) == nil
	}
	return false
}

// withoutSCTs returns the TBSCertificate with the SCT list left out, every other byte as it is.
func withoutSCTs(tbs []byte) ([]byte, error) {
	malformed := errors.New("no SCT: malformed certificate")
	input := cryptobyte.String(tbs)
	var body cryptobyte.String
	if !input.ReadASN1(&body, der.SEQUENCE) || !input.Empty() {
		return nil, malformed
	}
	var fields [][]byte
	for !body.Empty() {
		var field cryptobyte.String
		var tag der.Tag
		if !body.ReadAnyASN1Element(&field, &tag) {
			return nil, malformed
		}
		if tag != der.Tag(3).ContextSpecific().Constructed() {
			fields = append(fields, field)
			continue
		}
		kept, err := dropExtension(field)
		if err != nil {
			return nil, err
		}
		fields = append(fields, kept)
	}
	return sequence(fields)
}

func sequence(fields [][]byte) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(bytes.Join(fields, nil)) })
	return b.Bytes()
}

// dropExtension removes the SCT list from the extensions of a certificate.
func dropExtension(field cryptobyte.String) ([]byte, error) {
	malformed := errors.New("no SCT: malformed extensions")
	tag := der.Tag(3).ContextSpecific().Constructed()
	var outer, list cryptobyte.String
	if !field.ReadASN1(&outer, tag) || !outer.ReadASN1(&list, der.SEQUENCE) || !outer.Empty() {
		return nil, malformed
	}
	var kept [][]byte
	for !list.Empty() {
		var element cryptobyte.String
		if !list.ReadASN1Element(&element, der.SEQUENCE) {
			return nil, malformed
		}
		inner := element
		var content cryptobyte.String
		var id asn1.ObjectIdentifier
		if !inner.ReadASN1(&content, der.SEQUENCE) || !content.ReadASN1ObjectIdentifier(&id) {
			return nil, malformed
		}
		if !id.Equal(oidSCTList) {
			kept = append(kept, element)
		}
	}
	var b cryptobyte.Builder
	b.AddASN1(tag, func(b *cryptobyte.Builder) {
		b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(bytes.Join(kept, nil)) })
	})
	return b.Bytes()
}
