package graft_test

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
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/digitorus/timestamp"

	"github.com/glassbuild/glassbuild/internal/allow"
	"github.com/glassbuild/glassbuild/internal/signature"
	"github.com/glassbuild/glassbuild/internal/trust"
)

// clock is a timestamping authority in this process (RFC 3161 over HTTP), with a root above it.
type clock struct {
	url        string
	leaf, root *x509.Certificate
}

func newClock(t testing.TB, change func(leaf *x509.Certificate)) *clock {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	above, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	usage, err := asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}})
	check(t, err)
	issue := func(c, by *x509.Certificate, public crypto.PublicKey) *x509.Certificate {
		c.SerialNumber, c.NotBefore, c.NotAfter = big.NewInt(time.Now().UnixNano()), time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
		raw, err := x509.CreateCertificate(rand.Reader, c, by, public, above)
		check(t, err)
		c, err = x509.ParseCertificate(raw)
		check(t, err)
		return c
	}
	root := &x509.Certificate{Subject: pkix.Name{CommonName: "Clock Root"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	c := &clock{root: issue(root, root, &above.PublicKey)}
	leaf := &x509.Certificate{Subject: pkix.Name{CommonName: "Clock"}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: usage}}}
	if change != nil {
		change(leaf)
	}
	c.leaf = issue(leaf, c.root, &key.PublicKey)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, _ := io.ReadAll(io.LimitReader(r.Body, 1<<16))
		q, err := timestamp.ParseRequest(data)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		s := timestamp.Timestamp{HashAlgorithm: q.HashAlgorithm, HashedMessage: q.HashedMessage, Time: time.Now(), Nonce: q.Nonce,
			Policy: asn1.ObjectIdentifier{1, 2, 3, 4}, AddTSACertificate: true, Certificates: []*x509.Certificate{c.root}}
		answer, err := s.CreateResponseWithOpts(c.leaf, key, crypto.SHA256)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/timestamp-reply")
		_, _ = w.Write(answer) // the tool finds out
	}))
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

func pemOf(list ...*x509.Certificate) []byte {
	var b bytes.Buffer
	for _, c := range list {
		_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}) // writes to memory
	}
	return b.Bytes()
}

// stampedExe signs a program with osslsigncode and a timestamp.
func stampedExe(t *testing.T, s *signer, c *clock) (shipped, rebuilt []byte) {
	t.Helper()
	exe := program(t, s.dir, plainC)
	out := filepath.Join(s.dir, "signed.exe")
	run(t, s.dir, "osslsigncode", "sign", "-certs", s.cert, "-key", s.key, "-h", "sha256", "-ts", c.url, "-in", exe, "-out", out)
	return load(t, out), load(t, exe)
}

// TestAuthenticodeTimestamp reads what nearly every real Authenticode signature carries.
func TestAuthenticodeTimestamp(t *testing.T) {
	t.Parallel()
	s, c := newSigner(t, false), newClock(t, nil)
	shipped, rebuilt := stampedExe(t, s, c)
	out := judge(t, shipped, rebuilt, s.keys, allow.PESignature)
	accepted(t, out)
	r := out.Signed[0].Signers[0]
	if r.Stamp == nil || r.Stamp.By != "CN=Clock" || r.Stamp.Principal != "" || r.TimeTrusted || time.Since(r.Stamp.At) > time.Hour {
		t.Errorf("a stranger's timestamp: %+v %v", r.Stamp, r.TimeTrusted)
	}
	table := len(rebuilt)
	// Nobody can hold a stranger's uppermost certificate against anything; where the policy holds it, every byte counts.
	top := bytes.Index(shipped, c.root.Raw)
	everyByte(t, shipped, rebuilt, s.keys, table+8, top, 5, fixSum, allow.PESignature)
	everyByte(t, shipped, rebuilt, s.keys, top+len(c.root.Raw), len(shipped), 5, fixSum, allow.PESignature)

	known, err := trust.New([]trust.Principal{{Name: "vendor", X509: pemOf(s.certificate)}, {Name: "clock", X509: pemOf(c.leaf, c.root)}}, nil)
	check(t, err)
	out = judge(t, shipped, rebuilt, known, allow.PESignature)
	accepted(t, out)
	if r := out.Signed[0].Signers[0]; r.Stamp.Principal != "clock" || !r.TimeTrusted || !r.SignedAt.Equal(r.Stamp.At) {
		t.Errorf("a known authority's timestamp: %+v %v", r.Stamp, r.TimeTrusted)
	}
	everyByte(t, shipped, rebuilt, known, table+8, len(shipped), 5, fixSum, allow.PESignature)
	other, err := trust.New([]trust.Principal{{Name: "vendor", X509: pemOf(s.certificate)}, {Name: "clock", X509: pemOf(c.leaf)}}, nil)
	check(t, err)
	if out := judge(t, shipped, rebuilt, other, allow.PESignature); out.Equivalent || !strings.Contains(out.Reason, "beside the pinned one") {
		t.Errorf("a certificate that the policy does not hold: %v %q", out.Equivalent, out.Reason)
	}
	revoked, err := trust.New([]trust.Principal{{Name: "vendor", X509: pemOf(s.certificate)}, {Name: "clock", X509: pemOf(c.leaf, c.root), Revoked: []string{fmt.Sprintf("sha256:%x", sha256.Sum256(c.leaf.Raw))}}}, nil)
	check(t, err)
	if out := judge(t, shipped, rebuilt, revoked, allow.PESignature); out.Equivalent || !strings.Contains(out.Reason, "revoked") {
		t.Errorf("a revoked authority: %v %q", out.Equivalent, out.Reason)
	}
}

// TestAuthenticodeTimestampRefused makes tokens that hold and must not count.
func TestAuthenticodeTimestampRefused(t *testing.T) {
	t.Parallel()
	payload := pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3, 4, 5}, Value: append([]byte{4, 50}, strings.Repeat("payload ab", 5)...)}
	for name, c := range map[string]struct {
		change func(*x509.Certificate)
		want   string
	}{
		"not for timestamps": {func(c *x509.Certificate) {
			c.ExtraExtensions, c.ExtKeyUsage = nil, []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}
		}, "timestamps alone"},
		"not critical":       {func(c *x509.Certificate) { c.ExtraExtensions[0].Critical = false }, "timestamps alone"},
		"a payload":          {func(c *x509.Certificate) { c.ExtraExtensions = append(c.ExtraExtensions, payload) }, "extension 1.2.3.4.5"},
		"a payload in names": {func(c *x509.Certificate) { c.DNSNames = []string{strings.Repeat("a", 5000)} }, "too large"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSigner(t, false)
			shipped, rebuilt := stampedExe(t, s, newClock(t, c.change))
			if out := judge(t, shipped, rebuilt, s.keys, allow.PESignature); out.Equivalent || !strings.Contains(out.Reason, c.want) {
				t.Errorf("%v %q", out.Equivalent, out.Reason)
			}
		})
	}
}

// TestCompanions accepts what a vendor's signature brings along of its chain, if the policy holds the very same certificates.
func TestCompanions(t *testing.T) {
	t.Parallel()
	s, c := newSigner(t, false), newClock(t, nil)
	check(t, os.WriteFile(s.cert, pemOf(s.certificate, c.root), 0o600))
	exe := program(t, s.dir, plainC)
	out := filepath.Join(s.dir, "signed.exe")
	run(t, s.dir, "osslsigncode", "sign", "-certs", s.cert, "-key", s.key, "-h", "sha256", "-in", exe, "-out", out)
	if o := judge(t, load(t, out), load(t, exe), s.keys, allow.PESignature); o.Equivalent {
		t.Error("a certificate that the policy does not hold was accepted")
	}
	both, err := trust.New([]trust.Principal{{Name: "vendor", X509: pemOf(s.certificate, c.root)}}, nil)
	check(t, err)
	accepted(t, judge(t, load(t, out), load(t, exe), both, allow.PESignature))
}

// TestJarTimestamp is the same for what jarsigner writes.
func TestJarTimestamp(t *testing.T) {
	t.Parallel()
	s, c := newSigner(t, false), newClock(t, nil)
	check(t, os.WriteFile(filepath.Join(s.dir, "settings.txt"), []byte("x = 1\n"), 0o600))
	run(t, s.dir, "jar", "--create", "--file", "b.jar", "--date", "2024-01-02T03:04:06Z", "settings.txt")
	run(t, s.dir, "jarsigner", "-keystore", s.store(t), "-storepass", "secret", "-tsa", c.url, "-signedjar", "s.jar", "b.jar", "vendor")
	out := judge(t, load(t, filepath.Join(s.dir, "s.jar")), load(t, filepath.Join(s.dir, "b.jar")), s.keys, allow.JarSignature)
	accepted(t, out)
	if r := out.Signed[0].Signers[0]; r.Stamp == nil || r.Stamp.By != "CN=Clock" || r.Status != signature.StatusGood {
		t.Errorf("%+v", r)
	}
}
