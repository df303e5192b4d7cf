package signature_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"net/url"
	"slices"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	der "golang.org/x/crypto/cryptobyte/asn1"
)

// pki is an authority with an intermediate, and signers below it.
type pki struct {
	t             testing.TB
	root, between *x509.Certificate
	rootKey, key  *ecdsa.PrivateKey
}

func ecKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func issue(t testing.TB, template, parent *x509.Certificate, public crypto.PublicKey, by crypto.Signer) *x509.Certificate {
	t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = serial
	raw, err := x509.CreateCertificate(rand.Reader, template, parent, public, by)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newPKI(t testing.TB) *pki {
	t.Helper()
	p := &pki{t: t, rootKey: ecKey(t), key: ecKey(t)}
	p.renew()
	return p
}

// renew issues the authorities' certificates for the keys at hand.
func (p *pki) renew() {
	t := p.t
	t.Helper()
	authority := func(name string) *x509.Certificate {
		return &x509.Certificate{
			Subject: pkix.Name{CommonName: name}, NotBefore: now.AddDate(-2, 0, 0), NotAfter: now.AddDate(2, 0, 0),
			IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		}
	}
	root := authority("root")
	p.root = issue(t, root, root, &p.rootKey.PublicKey, p.rootKey)
	p.between = issue(t, authority("intermediate"), p.root, &p.key.PublicKey, p.rootKey)
}

func pemOf(certificates ...*x509.Certificate) []byte {
	var b bytes.Buffer
	for _, c := range certificates {
		_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}) // writes to memory
	}
	return b.Bytes()
}

// fulcio issues a certificate as Fulcio does: ten minutes, a critical URI or address, the issuer in both extensions.
func (p *pki) fulcio(public crypto.PublicKey, subject, issuer string, from time.Time, change func(*x509.Certificate)) *x509.Certificate {
	p.t.Helper()
	v2, err := asn1.MarshalWithParams(issuer, "utf8")
	if err != nil {
		p.t.Fatal(err)
	}
	template := &x509.Certificate{
		NotBefore: from, NotAfter: from.Add(10 * time.Minute), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
		ExtraExtensions: []pkix.Extension{
			{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 1}, Value: []byte(issuer)},
			{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 8}, Value: v2},
		},
	}
	if u, err := url.Parse(subject); err == nil && u.Scheme != "" {
		template.URIs = []*url.URL{u}
	} else {
		template.EmailAddresses = []string{subject}
	}
	if change != nil {
		change(template)
	}
	return issue(p.t, template, p.between, public, p.key)
}

// cmsFields are what a CMS signature is built from; zero values mean the usual ones.
type cmsFields struct {
	certificates []*x509.Certificate // nil: the leaf and the intermediate
	noBag        bool
	leaf         *x509.Certificate
	key          *ecdsa.PrivateKey
	at           time.Time
	unsigned     []attribute
	extra        []attribute // signed
	digest       []byte
	content      []byte
	noAttributes bool
	signers      int
	digestOID    asn1.ObjectIdentifier
	counter      func(sig []byte) attribute // a countersignature over the value
}

type attribute struct {
	oid    asn1.ObjectIdentifier
	values [][]byte
}

var (
	oidSHA256    = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
	oidSHA1      = asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}
	oidECDSA     = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}
	oidContent   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
	oidDigest    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
	oidTime      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 5}
	oidPlainData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidSigned    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidLog       = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 3, 1}
)

func asn(t testing.TB, v any) []byte {
	t.Helper()
	out, err := asn1.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// attributes encodes a SET OF without its tag, in the order of DER.
func attributes(t testing.TB, list []attribute) []byte {
	t.Helper()
	var encoded [][]byte
	for _, a := range list {
		var b cryptobyte.Builder
		b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(a.oid)
			b.AddASN1(der.SET, func(b *cryptobyte.Builder) { b.AddBytes(bytes.Join(a.values, nil)) })
		})
		encoded = append(encoded, b.BytesOrPanic())
	}
	slices.SortFunc(encoded, bytes.Compare)
	return bytes.Join(encoded, nil)
}

// cmsSign builds SignedData after RFC 5652, without the code under test.
func cmsSign(t testing.TB, message []byte, f cmsFields) []byte {
	t.Helper()
	if f.digestOID == nil {
		f.digestOID = oidSHA256
	}
	if f.digest == nil {
		sum := sha256.Sum256(message)
		f.digest = sum[:]
	}
	if f.signers == 0 {
		f.signers = 1
	}
	signed := attributes(t, append([]attribute{
		{oidContent, [][]byte{asn(t, oidPlainData)}}, {oidDigest, [][]byte{asn(t, f.digest)}}, {oidTime, [][]byte{asn(t, f.at.UTC())}},
	}, f.extra...))
	var set cryptobyte.Builder
	set.AddASN1(der.SET, func(b *cryptobyte.Builder) { b.AddBytes(signed) })
	digest := sha256.Sum256(set.BytesOrPanic())
	if f.noAttributes {
		digest = sha256.Sum256(message)
	}
	sig, err := ecdsa.SignASN1(rand.Reader, f.key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	algorithm := func(b *cryptobyte.Builder, oid asn1.ObjectIdentifier) {
		b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oid) })
	}
	context := func(n uint8) der.Tag { return der.Tag(n).ContextSpecific().Constructed() }
	signer := func(b *cryptobyte.Builder) {
		b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1Int64(1)
			b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddBytes(f.leaf.RawIssuer)
				b.AddASN1BigInt(f.leaf.SerialNumber)
			})
			algorithm(b, f.digestOID)
			if !f.noAttributes {
				b.AddASN1(context(0), func(b *cryptobyte.Builder) { b.AddBytes(signed) })
			}
			algorithm(b, oidECDSA)
			b.AddASN1OctetString(sig)
			if f.counter != nil {
				f.unsigned = []attribute{f.counter(sig)}
			}
			if f.unsigned != nil {
				b.AddASN1(context(1), func(b *cryptobyte.Builder) { b.AddBytes(attributes(t, f.unsigned)) })
			}
		})
	}
	var out cryptobyte.Builder
	out.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oidSigned)
		b.AddASN1(context(0), func(b *cryptobyte.Builder) {
			b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1Int64(1)
				b.AddASN1(der.SET, func(b *cryptobyte.Builder) { algorithm(b, f.digestOID) })
				b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(oidPlainData)
					if f.content != nil {
						b.AddASN1(context(0), func(b *cryptobyte.Builder) { b.AddASN1OctetString(f.content) })
					}
				})
				if !f.noBag {
					b.AddASN1(context(0), func(b *cryptobyte.Builder) {
						for _, c := range f.certificates {
							b.AddBytes(c.Raw)
						}
					})
				}
				b.AddASN1(der.SET, func(b *cryptobyte.Builder) {
					for range f.signers {
						signer(b)
					}
				})
			})
		})
	})
	return out.BytesOrPanic()
}
