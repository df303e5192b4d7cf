// Package evidencetest is a whole Sigstore instance in the process, for tests: certificate authority, transparency log
// of either version, certificate transparency log and timestamp authority, and bundles made with them. Every part of a
// bundle can be exchanged before it is written, so that a test can make evidence with exactly one fault.
//
// It shares no code with the verifier: what it signs it encodes itself.
package evidencetest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net/url"
	"testing"
	"time"
)

// At is the time at which everything is signed, unless a test says otherwise.
var At = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// Who signs, unless a test says otherwise.
const (
	Identity = "https://forge.example/acme/tool/.github/workflows/release.yml@refs/tags/v1.2.3"
	Issuer   = "https://token.forge.example"
)

// Instance is one Sigstore instance. Its fields may be changed before they are used.
type Instance struct {
	tb testing.TB

	Root, Intermediate       *x509.Certificate
	rootKey, intermediateKey *ecdsa.PrivateKey
	CTLog                    *ecdsa.PrivateKey
	Rekor1                   *ecdsa.PrivateKey
	Rekor2                   ed25519.PrivateKey
	TSARoot, TSA             *x509.Certificate
	tsaKey                   *ecdsa.PrivateKey
	serial                   int64
}

// New returns an instance whose keys follow from seed.
func New(tb testing.TB, seed string) *Instance {
	tb.Helper()
	i := &Instance{tb: tb, rootKey: Key(seed + " root"), intermediateKey: Key(seed + " intermediate"), CTLog: Key(seed + " ct"),
		Rekor1: Key(seed + " rekor 1"), Rekor2: ed25519.NewKeyFromSeed(sum([]byte(seed + " rekor 2"))), tsaKey: Key(seed + " tsa")}
	i.Root = i.authority(seed+" root", i.rootKey, nil, nil, x509.ExtKeyUsageAny, At.AddDate(-2, 0, 0), At.AddDate(8, 0, 0))
	i.Intermediate = i.authority(seed+" intermediate", i.intermediateKey, i.Root, i.rootKey, x509.ExtKeyUsageCodeSigning, At.AddDate(-2, 0, 0), At.AddDate(8, 0, 0))
	tsaRootKey := Key(seed + " tsa root")
	i.TSARoot = i.authority(seed+" tsa root", tsaRootKey, nil, nil, x509.ExtKeyUsageTimeStamping, At.AddDate(-2, 0, 0), At.AddDate(20, 0, 0))
	i.TSA = i.stamper(seed, tsaRootKey)
	return i
}

// With returns the instance for another test or run of a fuzz target.
func (i *Instance) With(tb testing.TB) *Instance {
	other := *i
	other.tb = tb
	return &other
}

// Key returns the P-256 key that follows from seed.
func Key(seed string) *ecdsa.PrivateKey {
	for n := byte(0); ; n++ {
		if k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), sum(append([]byte(seed), n))); err == nil {
			return k
		}
	}
}

func sum(b []byte) []byte {
	s := sha256.Sum256(b)
	return s[:]
}

// steady signs without randomness (RFC 6979), so that the same input gives the same certificate.
type steady struct{ *ecdsa.PrivateKey }

func (s steady) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return s.PrivateKey.Sign(nil, digest, opts)
}

func (i *Instance) must(err error) {
	i.tb.Helper()
	if err != nil {
		i.tb.Fatal(err)
	}
}

func (i *Instance) authority(name string, key *ecdsa.PrivateKey, parent *x509.Certificate, parentKey *ecdsa.PrivateKey, usage x509.ExtKeyUsage, from, to time.Time) *x509.Certificate {
	i.serial++
	template := &x509.Certificate{SerialNumber: big.NewInt(i.serial), Subject: pkix.Name{CommonName: name, Organization: []string{"test"}},
		NotBefore: from, NotAfter: to, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, BasicConstraintsValid: true, IsCA: true}
	if parent == nil {
		parent, parentKey = template, key
	} else {
		template.ExtKeyUsage = []x509.ExtKeyUsage{usage}
		template.MaxPathLenZero = true
	}
	der, err := x509.CreateCertificate(nil, template, parent, key.Public(), steady{parentKey})
	i.must(err)
	c, err := x509.ParseCertificate(der)
	i.must(err)
	return c
}

// Reissue makes the intermediate anew with another window, by the same key.
func (i *Instance) Reissue(from, to time.Time) {
	i.Intermediate = i.authority(i.Intermediate.Subject.CommonName, i.intermediateKey, i.Root, i.rootKey, x509.ExtKeyUsageCodeSigning, from, to)
}

func (i *Instance) stamper(seed string, rootKey *ecdsa.PrivateKey) *x509.Certificate {
	usage, err := asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}})
	i.must(err)
	i.serial++
	template := &x509.Certificate{SerialNumber: big.NewInt(i.serial), Subject: pkix.Name{CommonName: seed + " tsa"}, NotBefore: At.AddDate(-1, 0, 0),
		NotAfter: At.AddDate(19, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: usage}}}
	der, err := x509.CreateCertificate(nil, template, i.TSARoot, i.tsaKey.Public(), steady{rootKey})
	i.must(err)
	c, err := x509.ParseCertificate(der)
	i.must(err)
	return c
}

// Leaf is what goes into a signer's certificate.
type Leaf struct {
	Identity   string // "" is Identity
	Issuer     string // "" is Issuer
	Extensions map[int]string
	Key        *ecdsa.PrivateKey // nil is a key of its own
	Public     crypto.PublicKey  // of a signer elsewhere; Key is then not used
	From       time.Time         // zero is a minute before At
	NoSCT      bool
	CTKey      *ecdsa.PrivateKey // nil is the instance's
}

// Certificate issues a signer's certificate that is valid for ten minutes.
func (i *Instance) Certificate(l Leaf) (*x509.Certificate, *ecdsa.PrivateKey) {
	i.tb.Helper()
	if l.Identity == "" {
		l.Identity = Identity
	}
	if l.Issuer == "" {
		l.Issuer = Issuer
	}
	if l.Key == nil {
		l.Key = Key("leaf " + l.Identity)
	}
	if l.Public == nil {
		l.Public = l.Key.Public()
	}
	if l.From.IsZero() {
		l.From = At.Add(-time.Minute)
	}
	i.serial++
	template := &x509.Certificate{SerialNumber: big.NewInt(i.serial), NotBefore: l.From, NotAfter: l.From.Add(10 * time.Minute),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}}
	if u, err := url.Parse(l.Identity); err == nil && u.Scheme != "" {
		template.URIs = []*url.URL{u}
	} else {
		template.EmailAddresses = []string{l.Identity}
	}
	template.ExtraExtensions = i.fulcio(l)
	der, err := x509.CreateCertificate(nil, template, i.Intermediate, l.Public, steady{i.intermediateKey})
	i.must(err)
	c, err := x509.ParseCertificate(der)
	i.must(err)
	if l.NoSCT {
		return c, l.Key
	}
	template.ExtraExtensions = append(template.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2}, Value: i.sct(l, c.RawTBSCertificate)})
	der, err = x509.CreateCertificate(nil, template, i.Intermediate, l.Public, steady{i.intermediateKey})
	i.must(err)
	c, err = x509.ParseCertificate(der)
	i.must(err)
	return c, l.Key
}

func (i *Instance) fulcio(l Leaf) []pkix.Extension {
	arc := asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1}
	out := []pkix.Extension{{Id: append(arc[:len(arc):len(arc)], 1), Value: []byte(l.Issuer)}}
	values := map[int]string{8: l.Issuer}
	for n, v := range l.Extensions {
		values[n] = v
	}
	for n := 8; n <= 22; n++ {
		if v, ok := values[n]; ok {
			der, err := asn1.MarshalWithParams(v, "utf8")
			i.must(err)
			out = append(out, pkix.Extension{Id: append(arc[:len(arc):len(arc)], n), Value: der})
		}
	}
	return out
}

// sct is the extension's value: one promise over the certificate that it will stand in.
func (i *Instance) sct(l Leaf, tbs []byte) []byte {
	key := l.CTKey
	if key == nil {
		key = i.CTLog
	}
	issuer := sum(i.Intermediate.RawSubjectPublicKeyInfo)
	millis := binary.BigEndian.AppendUint64(nil, uint64(l.From.UnixMilli()))
	signed := append([]byte{0, 0}, millis...)
	signed = append(signed, 0, 1)
	signed = append(signed, issuer...)
	signed = append(signed, byte(len(tbs)>>16), byte(len(tbs)>>8), byte(len(tbs)))
	signed = append(signed, tbs...)
	signed = append(signed, 0, 0)
	sig, err := steady{key}.Sign(nil, sum(signed), crypto.SHA256)
	i.must(err)
	one := append([]byte{0}, sum(spki(i.tb, key.Public()))...)
	one = append(one, millis...)
	one = append(one, 0, 0, 4, 3)
	one = binary.BigEndian.AppendUint16(one, uint16(len(sig)))
	one = append(one, sig...)
	list := binary.BigEndian.AppendUint16(nil, uint16(len(one)+2))
	list = binary.BigEndian.AppendUint16(list, uint16(len(one)))
	value, err := asn1.Marshal(append(list, one...))
	i.must(err)
	return value
}

func spki(tb testing.TB, public crypto.PublicKey) []byte {
	tb.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		tb.Fatal(err)
	}
	return der
}

// PublicPEM returns a key as cosign.pub holds it.
func PublicPEM(tb testing.TB, public crypto.PublicKey) []byte {
	tb.Helper()
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki(tb, public)})
}

// Span is when something counts; nil for an open end.
type Span struct {
	Start time.Time  `json:"start"`
	End   *time.Time `json:"end,omitempty"`
}

// Spans are the windows in a trusted root. Zero ones are wide open.
type Spans struct{ CA, TSA, Rekor1, Rekor2, CT Span }

// TrustedRoot returns the instance's trusted root.
func (i *Instance) TrustedRoot(s Spans) []byte {
	i.tb.Helper()
	for _, p := range []*Span{&s.CA, &s.TSA, &s.Rekor1, &s.Rekor2, &s.CT} {
		if p.Start.IsZero() {
			p.Start = At.AddDate(-3, 0, 0)
		}
	}
	chain := func(cs ...*x509.Certificate) map[string]any {
		var list []map[string]string
		for _, c := range cs {
			list = append(list, map[string]string{"rawBytes": b64(c.Raw)})
		}
		return map[string]any{"certificates": list}
	}
	name := map[string]string{"organization": "test", "commonName": "test"}
	root, err := json.MarshalIndent(map[string]any{
		"mediaType":              "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
		"tlogs":                  []any{i.log("https://rekor1.example", i.Rekor1.Public(), s.Rekor1), i.log("https://rekor2.example", i.Rekor2.Public(), s.Rekor2)},
		"ctlogs":                 []any{i.log("https://ct.example", i.CTLog.Public(), s.CT)},
		"certificateAuthorities": []any{map[string]any{"subject": name, "uri": "https://fulcio.example", "certChain": chain(i.Intermediate, i.Root), "validFor": s.CA}},
		"timestampAuthorities":   []any{map[string]any{"subject": name, "uri": "https://tsa.example", "certChain": chain(i.TSA, i.TSARoot), "validFor": s.TSA}},
	}, "", " ")
	i.must(err)
	return root
}

func (i *Instance) log(url string, public crypto.PublicKey, s Span) map[string]any {
	details := "PKIX_ECDSA_P256_SHA_256"
	if _, ok := public.(ed25519.PublicKey); ok {
		details = "PKIX_ED25519"
	}
	return map[string]any{"baseUrl": url, "hashAlgorithm": "SHA2_256", "logId": map[string]string{"keyId": b64(i.LogID(public))},
		"publicKey": map[string]any{"rawBytes": b64(spki(i.tb, public)), "keyDetails": details, "validFor": s}}
}

// LogID is how an entry names its log.
func (i *Instance) LogID(public crypto.PublicKey) []byte {
	if k, ok := public.(ed25519.PublicKey); ok {
		return sum(append([]byte("rekor2.example\n\x01"), k...))
	}
	return sum(spki(i.tb, public))
}

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// Imposter replaces the keys of root and intermediate, and keeps their names.
func (i *Instance) Imposter(seed string) {
	i.rootKey, i.intermediateKey = Key(seed+" root"), Key(seed+" intermediate")
	i.Root = i.authority(i.Root.Subject.CommonName, i.rootKey, nil, nil, x509.ExtKeyUsageAny, i.Root.NotBefore, i.Root.NotAfter)
	i.Reissue(i.Intermediate.NotBefore, i.Intermediate.NotAfter)
}

// Large gives root and intermediate keys of P-384, as the public instance has.
func (i *Instance) Large(seed string) {
	key := func(name string) *ecdsa.PrivateKey {
		for n := byte(0); ; n++ {
			raw := append(sum([]byte(seed+name)), sum(append([]byte(seed+name), n))[:16]...)
			if k, err := ecdsa.ParseRawPrivateKey(elliptic.P384(), raw); err == nil {
				return k
			}
		}
	}
	i.rootKey, i.intermediateKey = key(" root"), key(" intermediate")
	i.Root = i.authority(i.Root.Subject.CommonName, i.rootKey, nil, nil, x509.ExtKeyUsageAny, i.Root.NotBefore, i.Root.NotAfter)
	i.Reissue(i.Intermediate.NotBefore, i.Intermediate.NotAfter)
}
