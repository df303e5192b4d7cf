package trust_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/trust"
)

// signer returns a new key and its authorised-key line.
func signer(t testing.TB) (ssh.Signer, string) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return s, string(ssh.MarshalAuthorizedKey(s.PublicKey()))
}

func certify(t testing.TB, ca, key ssh.Signer, serial uint64, id string) *ssh.Certificate {
	t.Helper()
	c := &ssh.Certificate{
		Key: key.PublicKey(), Serial: serial, CertType: ssh.UserCert, KeyId: id,
		ValidPrincipals: []string{"a@x.example"}, ValidBefore: ssh.CertTimeInfinity,
	}
	if err := c.SignCert(rand.Reader, ca); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestKRLFromSSHKeygen holds the reader against lists that ssh-keygen writes, and its answers against ssh-keygen -Q.
func TestKRLFromSSHKeygen(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		t.Skip("ssh-keygen is not installed: key revocation lists are not compared with OpenSSH")
	}
	dir := t.TempDir()
	write := func(name, data string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	ca, caLine := signer(t)
	byKey, byKeyLine := signer(t)
	bySHA1, bySHA1Line := signer(t)
	bySHA256, bySHA256Line := signer(t)
	free, _ := signer(t)
	caFile := write("ca.pub", caLine)
	spec := "serial: 5\nserial: 10-20\nserial: 1000-1003\nserial: 1005\nserial: 1007\nid: stolen laptop\n" +
		"key: " + byKeyLine + "sha1: " + bySHA1Line + "sha256: " + bySHA256Line
	krl := filepath.Join(dir, "krl")
	if out, err := exec.Command("ssh-keygen", "-kf", krl, "-s", caFile, write("spec", spec)).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen -k: %v: %s", err, out)
	}
	data, err := os.ReadFile(krl)
	if err != nil {
		t.Fatal(err)
	}
	revoked, err := trust.ParseRevokedSSHKeys("krl", data)
	if err != nil {
		t.Fatal(err)
	}
	tr, err := trust.New(nil, nil, revoked)
	if err != nil {
		t.Fatal(err)
	}
	other, _ := signer(t)
	found := 0
	for name, key := range map[string]ssh.PublicKey{
		"by key": byKey.PublicKey(), "by SHA-1": bySHA1.PublicKey(), "by SHA-256": bySHA256.PublicKey(), "free": free.PublicKey(),
		"serial 5": certify(t, ca, free, 5, "x"), "serial 6": certify(t, ca, free, 6, "x"), "serial 9": certify(t, ca, free, 9, "x"),
		"serial 10": certify(t, ca, free, 10, "x"), "serial 20": certify(t, ca, free, 20, "x"), "serial 21": certify(t, ca, free, 21, "x"),
		"serial 1003": certify(t, ca, free, 1003, "x"), "serial 1004": certify(t, ca, free, 1004, "x"), "serial 1005": certify(t, ca, free, 1005, "x"),
		"serial 1006": certify(t, ca, free, 1006, "x"), "serial 1007": certify(t, ca, free, 1007, "x"), "serial 0": certify(t, ca, free, 0, "x"),
		"other authority": certify(t, other, free, 5, "x"), "key id": certify(t, ca, free, 77, "stolen laptop"), "revoked key in it": certify(t, ca, byKey, 78, "x"),
	} {
		out, queryErr := exec.Command("ssh-keygen", "-Qf", krl, write("query.pub", string(ssh.MarshalAuthorizedKey(key)))).CombinedOutput()
		want := queryErr != nil
		var got bool
		if c, ok := key.(*ssh.Certificate); ok {
			_, got = tr.RevokedSSHCertificate(c)
		} else {
			_, got = tr.RevokedSSH(key)
		}
		if got != want {
			t.Errorf("%s: revoked %v, ssh-keygen says %s", name, got, out)
		}
		if got {
			found++
		}
	}
	if found < 8 {
		t.Errorf("only %d revocations found", found)
	}
	for i := range data { // every shortened list is refused or, cut between sections, revokes less; none panics
		_, _ = trust.ParseRevokedSSHKeys("krl", data[:i])
	}
}

func TestRevokedKeysList(t *testing.T) {
	t.Parallel()
	a, line := signer(t)
	b, _ := signer(t)
	r, err := trust.ParseRevokedSSHKeys("revoked", []byte("# lost\n"+line))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Add(ssh.FingerprintSHA256(b.PublicKey())); err != nil {
		t.Fatal(err)
	}
	tr, err := trust.New(nil, nil, nil, r)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []ssh.Signer{a, b} {
		if _, ok := tr.RevokedSSH(key.PublicKey()); !ok {
			t.Error("not revoked")
		}
	}
	c, _ := signer(t)
	if _, ok := tr.RevokedSSH(c.PublicKey()); ok {
		t.Error("revoked for nothing")
	}
	if _, ok := tr.RevokedSSHCertificate(certify(t, a, c, 1, "x")); !ok {
		t.Error("certificate by a revoked authority is not revoked")
	}
	for _, bad := range []string{"junk", "a@x " + line, line + "\nserial: 5", "SSHKRL\n\x00", "SSHKRL\n\x00\x00\x00\x00\x02"} {
		if _, err := trust.ParseRevokedSSHKeys("revoked", []byte(bad)); err == nil || fault.ClassOf(err) != fault.Usage {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzKRL(f *testing.F) {
	head := "SSHKRL\n\x00\x00\x00\x00\x01" + string(make([]byte, 24)) + string(make([]byte, 8))
	key, line := signer(f)
	blob := key.PublicKey().Marshal()
	f.Add([]byte(head))
	f.Add(append([]byte(head+"\x02\x00\x00\x00\x37\x00\x00\x00\x33"), blob...))
	f.Add([]byte(head + "\x01\x00\x00\x00\x1a\x00\x00\x00\x00\x00\x00\x00\x00\x22\x00\x00\x00\x0d\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00\x01\xff"))
	f.Add([]byte(line))
	cert := certify(f, key, key, 7, "id")
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := trust.ParseRevokedSSHKeys("f", data)
		if err != nil {
			return
		}
		tr, err := trust.New(nil, nil, r)
		if err != nil {
			t.Fatal(err)
		}
		_, direct := tr.RevokedSSH(cert.Key)
		if _, whole := tr.RevokedSSHCertificate(cert); direct && !whole {
			t.Fatal("the key is revoked and a certificate for it is not")
		}
	})
}
