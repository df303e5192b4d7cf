package graft_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"hash/crc32"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/glassbuild/glassbuild/internal/compare/pass"
	"github.com/glassbuild/glassbuild/internal/signature"
	"github.com/glassbuild/glassbuild/internal/trust"
)

// signer is a key with a certificate of its own, in files for the real tools.
type signer struct {
	dir, key, cert string
	private        crypto.Signer
	certificate    *x509.Certificate
	keys           *trust.Trust
}

func newSigner(t testing.TB, ec bool) *signer {
	t.Helper()
	s := &signer{dir: t.TempDir()}
	var err error
	if ec {
		s.private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	} else {
		s.private, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	check(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "Vendor"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}, SubjectKeyId: []byte{1, 2, 3, 4},
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, s.private.Public(), s.private)
	check(t, err)
	s.certificate, err = x509.ParseCertificate(raw)
	check(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(s.private)
	check(t, err)
	s.key, s.cert = filepath.Join(s.dir, "key.pem"), filepath.Join(s.dir, "cert.pem")
	check(t, os.WriteFile(s.key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600))
	check(t, os.WriteFile(s.cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}), 0o600))
	s.keys, err = trust.New([]trust.Principal{{Name: "vendor", X509: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})}}, nil)
	check(t, err)
	return s
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// run runs a tool of this machine, and skips aloud where it is not there.
func run(t testing.TB, dir string, argv ...string) {
	t.Helper()
	if _, err := exec.LookPath(argv[0]); err != nil {
		t.Skipf("%s is not on this machine: nothing was tested with it", argv[0])
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(argv, " "), err, out)
	}
}

func load(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	check(t, err)
	return b
}

// judge compares a shipped file with a build under a policy that knows keys.
func judge(t testing.TB, shipped, rebuilt []byte, keys *trust.Trust, names ...string) pass.Outcome {
	t.Helper()
	out, err := pass.Judge(context.Background(), bytes.NewReader(shipped), bytes.NewReader(rebuilt), names,
		pass.Options{Dir: os.TempDir(), Name: "pair", Keys: signature.Options{Keys: keys, Now: time.Now()}})
	check(t, err)
	return out
}

// accepted demands that the pair is equivalent by one signature of the vendor's, and that every byte is accounted for.
func accepted(t testing.TB, out pass.Outcome) {
	t.Helper()
	if !out.Equivalent || len(out.Signed) == 0 || len(out.Signed[0].Signers) == 0 {
		t.Fatalf("%v %q %+v", out.Equivalent, out.Reason, out.Signed)
	}
	for _, s := range out.Signed {
		for _, r := range s.Signers {
			if r.Status != signature.StatusGood || r.Signer != "vendor" {
				t.Fatalf("%s %q: %s", r.Status, r.Signer, r.Detail)
			}
		}
	}
	for _, l := range out.Layers {
		if l.Same+l.Forgiven+l.Derived+l.Inner+l.Signed != l.Size || l.Same < 0 {
			t.Fatalf("%+v", l)
		}
	}
}

// everyByte flips single bytes of the shipped file, and lets fix repair checksums: none may be accepted as the vendor's.
func everyByte(t testing.TB, shipped, rebuilt []byte, keys *trust.Trust, from, to, step int, fix func([]byte) []byte, names ...string) {
	t.Helper()
	for at := from; at < to; at += step {
		b := bytes.Clone(shipped)
		b[at] ^= 0x21
		if fix != nil {
			b = fix(b)
		}
		if bytes.Equal(b, shipped) {
			continue
		}
		if out := judge(t, b, rebuilt, keys, names...); good(out) {
			t.Errorf("a flipped byte at %d of %d was accepted", at, len(shipped))
		}
	}
}

// good tells whether the pair is equivalent and everybody who signed is known.
func good(out pass.Outcome) bool {
	for _, s := range out.Signed {
		for _, r := range s.Signers {
			if r.Status != signature.StatusGood {
				return false
			}
		}
	}
	return out.Equivalent
}

func crcOf(b []byte) uint32 { return crc32.ChecksumIEEE(b) }
