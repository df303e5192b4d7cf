package signature_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	der "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/digitorus/timestamp"

	"github.com/glassbuild/glassbuild/internal/signature"
	"github.com/glassbuild/glassbuild/internal/trust"
)

// counterSign makes a countersignature (RFC 5652, section 11.4), without the code under test.
func counterSign(t testing.TB, over []byte, leaf *x509.Certificate, key *ecdsa.PrivateKey, at time.Time) attribute {
	t.Helper()
	sum := sha256.Sum256(over)
	signed := attributes(t, []attribute{{oidDigest, [][]byte{asn(t, sum[:])}}, {oidTime, [][]byte{asn(t, at.UTC())}}})
	var set cryptobyte.Builder
	set.AddASN1(der.SET, func(b *cryptobyte.Builder) { b.AddBytes(signed) })
	digest := sha256.Sum256(set.BytesOrPanic())
	sig, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	var b cryptobyte.Builder
	b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1)
		b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddBytes(leaf.RawIssuer)
			b.AddASN1BigInt(leaf.SerialNumber)
		})
		b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oidSHA256) })
		b.AddASN1(der.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddBytes(signed) })
		b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oidECDSA) })
		b.AddASN1OctetString(sig)
	})
	return attribute{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 6}, [][]byte{b.BytesOrPanic()}}
}

// TestCountersignature reads the older kind of timestamp: the signer's certificate has expired, and who vouches for the time decides.
func TestCountersignature(t *testing.T) {
	t.Parallel()
	p := newPKI(t)
	key, clockKey := ecKey(t), ecKey(t)
	at := now.AddDate(0, -2, 0)
	leaf := p.fulcio(&key.PublicKey, "vendor@example.org", "", at.Add(-time.Minute), func(c *x509.Certificate) { c.ExtraExtensions = nil })
	usage := asn(t, []asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}})
	clock := p.fulcio(&clockKey.PublicKey, "clock@example.org", "", at.AddDate(0, -1, 0), func(c *x509.Certificate) {
		c.ExtKeyUsage, c.NotAfter = nil, now.AddDate(1, 0, 0)
		c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: usage}}
	})
	vendor := trust.Principal{Name: "vendor", X509: pemOf(leaf)}
	known := trust.Principal{Name: "clock", X509: pemOf(clock)}
	for name, c := range map[string]struct {
		over   func([]byte) []byte
		by     *x509.Certificate
		key    *ecdsa.PrivateKey
		at     time.Time
		trust  []trust.Principal
		want   signature.Status
		detail string
	}{
		"by a principal":         {trust: []trust.Principal{vendor, known}, want: signature.StatusGood},
		"by a stranger":          {trust: []trust.Principal{vendor}, want: signature.StatusGoodExpiredKey, detail: "nothing vouches"},
		"after the end":          {at: now, trust: []trust.Principal{vendor, known}, want: signature.StatusBad, detail: "certificate not valid at"},
		"in the future":          {at: now.Add(time.Hour), trust: []trust.Principal{vendor, known}, want: signature.StatusBad, detail: "in the future"},
		"over another signature": {over: func(b []byte) []byte { return append(bytes.Clone(b), 0) }, trust: []trust.Principal{vendor, known}, want: signature.StatusBad, detail: "another signature"},
		"by another key":         {key: key, trust: []trust.Principal{vendor, known}, want: signature.StatusBad, detail: "does not fit"},
		"by the signer":          {by: leaf, key: key, trust: []trust.Principal{vendor, known}, want: signature.StatusBad, detail: "signer's own"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.by == nil {
				c.by = clock
			}
			if c.key == nil {
				c.key = clockKey
			}
			if c.at.IsZero() {
				c.at = at
			}
			f := cmsFields{leaf: leaf, key: key, at: at, certificates: []*x509.Certificate{leaf, clock}, counter: func(sig []byte) attribute {
				if c.over != nil {
					sig = c.over(sig)
				}
				return counterSign(t, sig, c.by, c.key, c.at)
			}}
			cms := cmsSign(t, payload, f)
			_, r := signature.VerifyEmbedded(payload, cms, signature.Embedded{}, signature.Options{Keys: trusted(t, c.trust...), Now: now})
			expect(t, name, r, c.want, c.detail)
			if r.Status == signature.StatusGood && (r.Stamp == nil || r.Stamp.Principal != "clock" || !r.Stamp.At.Equal(at) || !r.TimeTrusted) {
				t.Errorf("%+v", r.Stamp)
			}
			if git := signature.Verify(payload, armour("SIGNED MESSAGE", cms), signature.Options{Keys: trusted(t, c.trust...), Now: now}); git.Status != signature.StatusUnsupported {
				t.Errorf("in a commit: %s", git.Status)
			}
		})
	}
}

// FuzzEmbedded changes the file and a signature with a timestamp: whatever is not exactly what was signed is never good, and a time counts only
// where the timestamp is a principal's.
func FuzzEmbedded(f *testing.F) {
	p := newPKI(f)
	key, clockKey := ecKey(f), ecKey(f)
	at := now.AddDate(0, -2, 0)
	leaf := p.fulcio(&key.PublicKey, "vendor@example.org", "", at.Add(-time.Minute), func(c *x509.Certificate) { c.ExtraExtensions = nil })
	clock := p.fulcio(&clockKey.PublicKey, "clock@example.org", "", at.AddDate(0, -1, 0), func(c *x509.Certificate) {
		c.ExtKeyUsage, c.NotAfter = nil, now.AddDate(1, 0, 0)
		c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: asn(f, []asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}})}}
	})
	bag := []*x509.Certificate{leaf, clock}
	counter := cmsSign(f, payload, cmsFields{leaf: leaf, key: key, at: at, certificates: bag, counter: func(sig []byte) attribute { return counterSign(f, sig, clock, clockKey, at) }})
	token := cmsSign(f, payload, cmsFields{leaf: leaf, key: key, at: at, certificates: bag[:1], counter: func(sig []byte) attribute {
		sum := sha256.Sum256(sig)
		stamp := timestamp.Timestamp{HashAlgorithm: crypto.SHA256, HashedMessage: sum[:], Time: at, Policy: asn1.ObjectIdentifier{1, 2, 3}, AddTSACertificate: true}
		answer, err := stamp.CreateResponseWithOpts(clock, clockKey, crypto.SHA256)
		if err != nil {
			f.Fatal(err)
		}
		read, err := timestamp.ParseResponse(answer)
		if err != nil {
			f.Fatal(err)
		}
		return attribute{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 14}, [][]byte{read.RawToken}}
	}})
	opt := signature.Options{Keys: trusted(f, trust.Principal{Name: "vendor", X509: pemOf(leaf)}, trust.Principal{Name: "clock", X509: pemOf(clock)}), Now: now}
	for _, cms := range [][]byte{counter, token} {
		if _, r := signature.VerifyEmbedded(payload, cms, signature.Embedded{}, opt); r.Status != signature.StatusGood || r.Stamp == nil {
			f.Fatalf("not good: %s %q", r.Status, r.Detail)
		}
		f.Add(payload, cms, uint16(len(cms)/2), byte(0))
		f.Add(payload, cms, uint16(len(cms)-5), byte(1))
	}
	f.Fuzz(func(t *testing.T, message, cms []byte, place uint16, flip byte) {
		if len(cms) > 0 {
			cms = bytes.Clone(cms)
			cms[int(place)%len(cms)] ^= flip
		}
		_, r := signature.VerifyEmbedded(message, cms, signature.Embedded{}, opt)
		if r.Status.Good() && (!bytes.Equal(message, payload) || r.Stamp == nil || r.Stamp.Principal != "clock" || !r.SignedAt.Equal(at)) {
			t.Fatalf("good for another object or time: %+v", r)
		}
		if r.TimeTrusted && r.Stamp == nil {
			t.Fatal("a time that nobody vouched for")
		}
	})
}
