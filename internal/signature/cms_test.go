package signature_test

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/glassbuild/glassbuild/internal/signature"
	"github.com/glassbuild/glassbuild/internal/trust"
)

const (
	ciSubject = "https://forge.example/acme/tool/.github/workflows/release.yml@refs/tags/v1"
	ciIssuer  = "https://issuer.example"
)

// TestKeyless signs as gitsign does and changes one thing at a time.
func TestKeyless(t *testing.T) {
	t.Parallel()
	p, other := newPKI(t), newPKI(t)
	key := ecKey(t)
	at := now.AddDate(0, -1, 0)
	leaf := p.fulcio(&key.PublicKey, ciSubject, ciIssuer, at, nil)
	custom := func(change func(*x509.Certificate)) *x509.Certificate {
		return p.fulcio(&key.PublicKey, ciSubject, ciIssuer, at, change)
	}
	extension := func(last int, value []byte) func(*x509.Certificate) {
		return func(c *x509.Certificate) {
			c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, last}, Value: value})
		}
	}
	entry := attribute{oidLog, [][]byte{asn(t, []byte("log entry"))}}
	vouched := func(when time.Time) func(signature.Evidence) (time.Time, error) {
		return func(signature.Evidence) (time.Time, error) { return when, nil }
	}
	within := at.Add(time.Minute)
	for name, c := range map[string]struct {
		f       cmsFields
		judge   func(signature.Evidence) (time.Time, error)
		message []byte
		want    signature.Status
		detail  string
	}{
		"vouched time":           {f: cmsFields{unsigned: []attribute{entry}}, judge: vouched(within), want: signature.StatusGood},
		"no trusted time":        {want: signature.StatusGoodExpiredKey, detail: "nothing vouches for the signing time"},
		"entry that nobody read": {f: cmsFields{unsigned: []attribute{entry}}, want: signature.StatusGoodExpiredKey, detail: "nothing vouches"},
		"entry without a time":   {f: cmsFields{unsigned: []attribute{entry}}, judge: vouched(time.Time{}), want: signature.StatusGoodExpiredKey, detail: "nothing vouches"},
		"entry that fails": {f: cmsFields{unsigned: []attribute{entry}}, judge: func(signature.Evidence) (time.Time, error) {
			return within, errors.New("log entry does not match")
		}, want: signature.StatusBad, detail: "log entry does not match"},
		"vouched too late":        {f: cmsFields{unsigned: []attribute{entry}}, judge: vouched(at.Add(time.Hour)), want: signature.StatusBad, detail: "certificate not valid at"},
		"vouched too early":       {f: cmsFields{unsigned: []attribute{entry}}, judge: vouched(at.Add(-time.Second)), want: signature.StatusBad, detail: "certificate not valid at"},
		"vouched in the future":   {f: cmsFields{unsigned: []attribute{entry}}, judge: vouched(now.Add(time.Hour)), want: signature.StatusBad, detail: "in the future"},
		"claimed too late":        {f: cmsFields{at: at.Add(11 * time.Minute)}, want: signature.StatusBad, detail: "certificate not valid at"},
		"claimed in the future":   {f: cmsFields{at: now.Add(time.Hour)}, want: signature.StatusBad, detail: "in the future"},
		"other object":            {message: append([]byte("x"), payload...), want: signature.StatusBad, detail: "message digest differs"},
		"wrong digest":            {f: cmsFields{digest: make([]byte, 32)}, want: signature.StatusBad, detail: "message digest differs"},
		"other key":               {f: cmsFields{key: ecKey(t)}, want: signature.StatusBad, detail: "does not fit"},
		"no certificate":          {f: cmsFields{noBag: true}, want: signature.StatusUnknownKey, detail: "no certificate"},
		"empty certificates":      {f: cmsFields{certificates: []*x509.Certificate{}}, want: signature.StatusUnknownKey, detail: "no certificate"},
		"decoy certificate only":  {f: cmsFields{certificates: []*x509.Certificate{p.between}}, want: signature.StatusBad, detail: "not among"},
		"decoy certificate first": {f: cmsFields{certificates: []*x509.Certificate{other.root, leaf, p.between}}, want: signature.StatusBad, detail: "not part of the chain"},
		"certificate twice":       {f: cmsFields{certificates: []*x509.Certificate{leaf, p.between, leaf}}, want: signature.StatusBad, detail: "given twice"},
		"leaf alone":              {f: cmsFields{certificates: []*x509.Certificate{leaf}}, want: signature.StatusGoodExpiredKey},
		"root as well":            {f: cmsFields{certificates: []*x509.Certificate{leaf, p.between, p.root}}, want: signature.StatusGoodExpiredKey},
		"two signers":             {f: cmsFields{signers: 2}, want: signature.StatusBad, detail: "ambiguous"},
		"content of its own":      {f: cmsFields{content: payload}, want: signature.StatusBad, detail: "content of its own"},
		"no signed attributes":    {f: cmsFields{noAttributes: true}, want: signature.StatusUnsupported, detail: "without signed attributes"},
		"SHA-1":                   {f: cmsFields{digestOID: oidSHA1}, want: signature.StatusUnsupported, detail: "SHA-1"},
		"two signing times":       {f: cmsFields{extra: []attribute{{oidTime, [][]byte{asn(t, at.UTC())}}}}, want: signature.StatusBad, detail: "given twice"},
		"unknown signed remark":   {f: cmsFields{extra: []attribute{{asn1.ObjectIdentifier{1, 2, 3}, [][]byte{asn(t, 5)}}}}, want: signature.StatusGoodExpiredKey},
		"unknown unsigned value":  {f: cmsFields{unsigned: []attribute{{asn1.ObjectIdentifier{1, 2, 3}, [][]byte{asn(t, 5)}}}}, want: signature.StatusUnsupported, detail: "outside the signed part"},
		"entry of another type":   {f: cmsFields{unsigned: []attribute{{oidLog, [][]byte{asn(t, 5)}}}}, want: signature.StatusBad, detail: "malformed"},
		"other authority":         {f: cmsFields{leaf: other.fulcio(&key.PublicKey, ciSubject, ciIssuer, at, nil)}, want: signature.StatusGoodUntrusted, detail: "does not chain to a known authority"},
		"other issuer":            {f: cmsFields{leaf: p.fulcio(&key.PublicKey, ciSubject, ciIssuer+".evil", at, nil)}, want: signature.StatusGoodUntrusted, detail: "signer is not in the policy"},
		"other subject":           {f: cmsFields{leaf: p.fulcio(&key.PublicKey, strings.Replace(ciSubject, "acme/tool", "acme/tool-evil", 1), ciIssuer, at, nil)}, want: signature.StatusGoodUntrusted, detail: "signer is not in the policy"},
		"issuers that differ":     {f: cmsFields{leaf: custom(func(c *x509.Certificate) { c.ExtraExtensions[0].Value = []byte("https://evil.example") })}, want: signature.StatusBad, detail: "two issuers"},
		"damaged extension":       {f: cmsFields{leaf: custom(extension(13, []byte("not DER")))}, want: signature.StatusBad, detail: "source-repository-digest"},
		"for servers": {f: cmsFields{leaf: custom(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })},
			want: signature.StatusGoodUntrusted, detail: "does not chain"},
		"for key agreement": {f: cmsFields{leaf: custom(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyAgreement })}, want: signature.StatusBad, detail: "not for signing"},
		"unknown critical extension": {f: cmsFields{leaf: custom(func(c *x509.Certificate) {
			c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3}, Critical: true, Value: []byte{5, 0}})
		})}, want: signature.StatusGoodUntrusted, detail: "does not chain"},
		"an authority signs": {f: cmsFields{leaf: p.between, key: p.key, certificates: []*x509.Certificate{p.between}}, want: signature.StatusBad, detail: "authority's certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.f.leaf == nil {
				c.f.leaf = leaf
			}
			if c.f.key == nil {
				c.f.key = key
			}
			if c.f.certificates == nil {
				between := p.between
				if c.f.leaf.CheckSignatureFrom(p.between) != nil {
					between = other.between
				}
				c.f.certificates = []*x509.Certificate{c.f.leaf, between}
			}
			if c.f.at.IsZero() {
				c.f.at = within
			}
			message := payload
			if c.message != nil {
				message = c.message
			}
			tr := trusted(t, trust.Principal{Name: "ci", Identity: "https://forge.example/acme/tool/.github/workflows/release.yml@refs/tags/*", Issuer: ciIssuer})
			r := signature.Verify(message, armour("SIGNED MESSAGE", cmsSign(t, payload, c.f)), signature.Options{
				Keys: tr, Now: now, TrustedTime: c.judge,
				Authorities: []signature.Authority{{Name: "test", Roots: []*x509.Certificate{p.root}, Intermediates: []*x509.Certificate{p.between}}},
			})
			expect(t, name, r, c.want, c.detail)
			if c.want == signature.StatusGood && (!r.TimeTrusted || r.Certificate.Issuer != ciIssuer || r.Certificate.Subjects[0] != ciSubject) {
				t.Errorf("result %+v %+v", r, r.Certificate)
			}
			if strings.HasPrefix(string(c.want), "good") && len(c.f.unsigned) > 0 && string(r.Evidence.LogEntries[0]) != "log entry" {
				t.Error("the log entry is lost")
			}
		})
	}
}

// TestX509Principals recognises signers by a company's authority, by a pinned certificate, and by Fulcio's other name.
func TestX509Principals(t *testing.T) {
	t.Parallel()
	p, other := newPKI(t), newPKI(t)
	key := ecKey(t)
	at := now.Add(-time.Hour)
	long := func(c *x509.Certificate) {
		c.ExtraExtensions, c.NotAfter = nil, now.AddDate(1, 0, 0)
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection}
	}
	leaf := p.fulcio(&key.PublicKey, "alice@example.org", "", at, long)
	f := cmsFields{leaf: leaf, key: key, at: at, certificates: []*x509.Certificate{leaf, p.between}}
	sig := armour("SIGNED MESSAGE", cmsSign(t, payload, f))
	opt := func(principals ...trust.Principal) signature.Options {
		return signature.Options{Keys: trusted(t, principals...), Now: now}
	}
	company := trust.Principal{Name: "alice", X509: pemOf(p.root), Identity: "alice@example.org"}
	expect(t, "company", signature.Verify(payload, sig, opt(company)), signature.StatusGood, "")
	flips(t, payload, sig, "SIGNED MESSAGE", opt(company), 7, 97)

	company.X509 = pemOf(other.root)
	expect(t, "other company", signature.Verify(payload, sig, opt(company)), signature.StatusGoodUntrusted, "does not chain")
	company.X509 = pemOf(other.root, p.root)
	expect(t, "both companies", signature.Verify(payload, sig, opt(company)), signature.StatusGood, "")
	company.Issuer = ciIssuer
	expect(t, "issuer demanded, none named", signature.Verify(payload, sig, opt(company)), signature.StatusGoodUntrusted, "not in the policy")

	f.certificates = []*x509.Certificate{leaf}
	alone := armour("SIGNED MESSAGE", cmsSign(t, payload, f))
	pinned := trust.Principal{Name: "alice", X509: pemOf(leaf)}
	expect(t, "pinned", signature.Verify(payload, alone, opt(pinned)), signature.StatusGood, "")
	expect(t, "pinned with company", signature.Verify(payload, sig, opt(pinned)), signature.StatusBad, "nobody asked for")
	f.noBag = true
	expect(t, "pinned, not sent", signature.Verify(payload, armour("SIGNED MESSAGE", cmsSign(t, payload, f)), opt(pinned)), signature.StatusGood, "")
	pinned.Revoked = []string{fmt.Sprintf("sha256:%x", sha256.Sum256(leaf.Raw))}
	expect(t, "revoked", signature.Verify(payload, alone, opt(pinned)), signature.StatusRevoked, "digest")
	company.Issuer, company.Revoked = "", []string{fmt.Sprintf("sha256:%x", sha256.Sum256(p.between.Raw))}
	expect(t, "revoked intermediate", signature.Verify(payload, sig, opt(company)), signature.StatusRevoked, "intermediate")

	fulcio := p.fulcio(&key.PublicKey, "alice@example.org", ciIssuer, at, func(c *x509.Certificate) { c.NotAfter = now.AddDate(1, 0, 0) })
	f = cmsFields{leaf: fulcio, key: key, at: at, certificates: []*x509.Certificate{fulcio, p.between}}
	company.Revoked = nil
	expect(t, "authority vouches for an issuer that nobody named", signature.Verify(payload, armour("SIGNED MESSAGE", cmsSign(t, payload, f)), opt(company)),
		signature.StatusGoodUntrusted, "not in the policy")

	name := asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: append(asn(t, asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 7}),
		asn(t, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: asn(t, asn1.RawValue{Tag: asn1.TagUTF8String, Bytes: []byte("alice!example.org")})})...)}
	named := p.fulcio(&key.PublicKey, "x@example.org", ciIssuer, at, func(c *x509.Certificate) {
		c.EmailAddresses, c.NotAfter = nil, now.AddDate(1, 0, 0)
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Critical: true, Value: asn(t, []asn1.RawValue{name})})
	})
	f = cmsFields{leaf: named, key: key, at: at, certificates: []*x509.Certificate{named, p.between}}
	expect(t, "other name", signature.Verify(payload, armour("SIGNED MESSAGE", cmsSign(t, payload, f)),
		opt(trust.Principal{Name: "alice", X509: pemOf(p.root), Identity: "alice!example.org", Issuer: ciIssuer})), signature.StatusGood, "")
}

// TestOpenSSLCMS takes signatures from openssl cms and compares with what it says of them.
func TestOpenSSLCMS(t *testing.T) {
	t.Parallel()
	tool(t, "openssl")
	for _, kind := range []string{"rsa:2048", "ec"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			key := []string{"-newkey", kind}
			if kind == "ec" {
				key = append(key, "-pkeyopt", "ec_paramgen_curve:P-384")
			}
			must(t, dir, nil, "openssl", append([]string{"req", "-x509", "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-days", "30", "-subj", "/CN=Alice",
				"-addext", "keyUsage=critical,digitalSignature", "-addext", "basicConstraints=critical,CA:FALSE", "-addext", "subjectAltName=email:alice@example.org"}, key...)...)
			for _, md := range []string{"sha256", "sha512", "sha1"} {
				raw := must(t, dir, payload, "openssl", "cms", "-sign", "-binary", "-outform", "DER", "-md", md, "-signer", "cert.pem", "-inkey", "key.pem")
				opt := signature.Options{Keys: trusted(t, trust.Principal{Name: "alice", X509: read(t, dir+"/cert.pem")}), Now: time.Now()}
				sig := armour("SIGNED MESSAGE", raw)
				r := signature.Verify(payload, sig, opt)
				want := signature.StatusGood
				if md == "sha1" {
					want = signature.StatusUnsupported
				}
				expect(t, kind+" "+md, r, want, "")
				for name, message := range map[string][]byte{"same": payload, "tampered": append([]byte("x"), payload...)} {
					out, err := run(t, dir, raw, "openssl", "cms", "-verify", "-binary", "-inform", "DER", "-content", write(t, dir, name, message),
						"-CAfile", "cert.pem", "-purpose", "any", "-out", dir+"/out")
					ours := signature.Verify(message, sig, opt).Status
					if md != "sha1" && (err == nil) != ours.Good() {
						t.Errorf("%s %s: %s, openssl says %s", md, name, ours, out)
					}
				}
			}
			raw := must(t, dir, payload, "openssl", "cms", "-sign", "-binary", "-outform", "DER", "-keyid", "-signer", "cert.pem", "-inkey", "key.pem")
			opt := signature.Options{Keys: trusted(t, trust.Principal{Name: "alice", X509: read(t, dir+"/cert.pem")}), Now: time.Now()}
			expect(t, "named by key identifier", signature.Verify(payload, armour("SIGNED MESSAGE", raw), opt), signature.StatusGood, "")
		})
	}
}

// importKey gives gpgsm a key. Its reader of PKCS#12 takes some files for others, by the salt that they happen to have:
// then the file is made anew.
func importKey(t *testing.T, dir string) {
	t.Helper()
	const tries = 8
	for i := 1; ; i++ {
		if out, err := run(t, dir, nil, "openssl", "pkcs12", "-export", "-legacy", "-inkey", "key.pem", "-in", "cert.pem", "-passout", "pass:x", "-out", "key.p12"); err != nil {
			t.Skipf("this openssl writes no file that gpgsm reads: %s", out)
		}
		out, err := run(t, dir, []byte("x\n"), "gpgsm", "--batch", "--disable-dirmngr", "--pinentry-mode", "loopback", "--passphrase-fd", "0", "--import", "key.p12")
		if err == nil {
			return
		}
		if i == tries {
			t.Fatalf("gpgsm takes no key, %d times: %v\n%s", i, err, out)
		}
	}
}

// TestGpgsm takes a signature from gpgsm, which writes indefinite lengths and leaves out self-signed certificates.
func TestGpgsm(t *testing.T) {
	t.Parallel()
	tool(t, "openssl")
	tool(t, "gpgsm")
	dir := shortDir(t)
	t.Cleanup(func() {
		if _, err := exec.LookPath("gpgconf"); err == nil {
			_, _ = run(t, dir, nil, "gpgconf", "--kill", "all")
		}
	})
	must(t, dir, nil, "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-days", "30", "-subj", "/CN=Alice",
		"-addext", "keyUsage=digitalSignature", "-addext", "basicConstraints=critical,CA:FALSE")
	block, _ := pem.Decode(read(t, dir+"/cert.pem"))
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	fingerprint := fmt.Sprintf("%X", sha1.Sum(cert.Raw)) // as gpgsm names certificates
	write(t, dir, "trustlist.txt", []byte(fingerprint+" S relax\n"))
	write(t, dir, "gpg-agent.conf", []byte("s2k-count 65536\n"))
	importKey(t, dir)
	sig := must(t, dir, []byte("x\n"), "gpgsm", "--batch", "--disable-dirmngr", "--pinentry-mode", "loopback", "--passphrase-fd", "0", "--disable-crl-checks",
		"-bsau", fingerprint, write(t, dir, "object", payload))
	opt := signature.Options{Keys: trusted(t, trust.Principal{Name: "alice", X509: pemOf(cert)}), Now: time.Now()}
	expect(t, "gpgsm", signature.Verify(payload, sig, opt), signature.StatusGood, "")
	expect(t, "not pinned", signature.Verify(payload, sig, signature.Options{Now: time.Now()}), signature.StatusUnknownKey, "no certificate")
	flips(t, payload, sig, "SIGNED MESSAGE", opt, 5, 97)
}
