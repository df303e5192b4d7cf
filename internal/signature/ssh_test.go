package signature_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"math/big"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/glassbuild/glassbuild/internal/signature"
	"github.com/glassbuild/glassbuild/internal/trust"
)

// TestSSHKeygen takes keys and signatures from ssh-keygen, in every kind that needs no hardware.
func TestSSHKeygen(t *testing.T) {
	t.Parallel()
	tool(t, "ssh-keygen")
	for _, kind := range []string{"ed25519", "ecdsa-256", "ecdsa-384", "ecdsa-521", "rsa-2048", "rsa-3072"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			key := filepath.Join(dir, "key")
			args := []string{"-q", "-N", "", "-C", "comment", "-f", key, "-t"}
			name, bits, ok := strings.Cut(kind, "-")
			if args = append(args, name); ok {
				args = append(args, "-b", bits)
			}
			must(t, dir, nil, "ssh-keygen", args...)
			for _, hash := range []string{"sha512", "sha256"} {
				file := write(t, dir, "message-"+hash, payload)
				must(t, dir, nil, "ssh-keygen", "-Y", "sign", "-q", "-n", "git", "-O", "hashalg="+hash, "-f", key, file)
				sig := read(t, file+".sig")
				tr := trusted(t, trust.Principal{Name: "alice", SSH: []trust.SSHKey{{Line: string(read(t, key+".pub"))}}})
				opt := signature.Options{Keys: tr, Namespace: "git", Now: now}
				r := signature.Verify(payload, sig, opt)
				expect(t, kind, r, signature.StatusGood, "")
				if r.Signer != "alice" || r.Hash != hash || !strings.HasPrefix(r.Algorithm, name) || !strings.HasPrefix(r.Key, "SHA256:") {
					t.Errorf("result %+v", r)
				}
				if hash == "sha512" {
					flips(t, payload, sig, "SSH SIGNATURE", opt, map[bool]int{true: 1, false: 29}[kind == "ed25519"], 97)
				}
			}
		})
	}
}

// opensshSays asks ssh-keygen -Y verify.
func opensshSays(t *testing.T, allowed, krl, sig []byte, at time.Time) (bool, string) {
	t.Helper()
	dir := t.TempDir()
	args := []string{"-Y", "verify", "-n", "git", "-I", "alice@example.org", "-f", write(t, dir, "allowed", allowed),
		"-s", write(t, dir, "sig", sig), "-O", "verify-time=" + at.UTC().Format("20060102150405Z")}
	if krl != nil {
		args = append(args, "-r", write(t, dir, "krl", krl))
	}
	out, err := run(t, dir, payload, "ssh-keygen", args...)
	return err == nil, string(out)
}

// skSigner signs as a security key does (PROTOCOL.u2f), with a key in software.
func skSigner(t *testing.T, ed bool, flags byte) rawSigner {
	t.Helper()
	const application = "ssh:"
	app := sha256.Sum256([]byte(application))
	message := func(data []byte) []byte {
		sum := sha256.Sum256(data)
		return append(append(append([]byte{}, app[:]...), flags, 0, 0, 0, 9), sum[:]...)
	}
	rest := []byte{flags, 0, 0, 0, 9}
	if ed {
		public, private, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return rawSigner{str([]byte(ssh.KeyAlgoSKED25519), public, []byte(application)), func(data []byte) *ssh.Signature {
			return &ssh.Signature{Format: ssh.KeyAlgoSKED25519, Blob: ed25519.Sign(private, message(data)), Rest: rest}
		}}
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := private.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return rawSigner{str([]byte(ssh.KeyAlgoSKECDSA256), []byte("nistp256"), point, []byte(application)), func(data []byte) *ssh.Signature {
		digest := sha256.Sum256(message(data))
		r, s, err := ecdsa.Sign(rand.Reader, private, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		return &ssh.Signature{Format: ssh.KeyAlgoSKECDSA256, Blob: ssh.Marshal(struct{ R, S *big.Int }{r, s}), Rest: rest}
	}}
}

// TestSSHOneFault changes one thing at a time. Where OpenSSH can be asked, openssh says whether it accepts: we are never
// more lenient, and stricter only where the table says so.
func TestSSHOneFault(t *testing.T) {
	t.Parallel()
	_, keygenMissing := exec.LookPath("ssh-keygen")
	if keygenMissing != nil {
		t.Log("ssh-keygen is not installed: the table is not compared with OpenSSH")
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ed, sha1 := signerOf(t, edKey, ""), signerOf(t, rsaKey, ssh.KeyAlgoRSA)
	other := skSigner(t, true, 1) // a key that fits nothing
	sk, skTwo, noTouch := skSigner(t, true, 5), skSigner(t, false, 1), skSigner(t, true, 0)
	edLine := line(t, ed.public)
	plain := "alice@example.org " + edLine + "\n"
	good := sshsig(ed, payload, fields{})
	mixed := sshsig(rawSigner{other.public, ed.sign}, payload, fields{})
	at := now.Add(-time.Hour)
	for _, c := range []struct {
		name    string
		blob    []byte
		allowed string
		revoked string
		want    signature.Status
		detail  string
		openssh bool
	}{
		{"good", good, plain, "", signature.StatusGood, "", true},
		{"sha256", sshsig(ed, payload, fields{hash: "sha256"}), plain, "", signature.StatusGood, "", true},
		{"rsa-sha2-256", sshsig(signerOf(t, rsaKey, ssh.KeyAlgoRSASHA256), payload, fields{}), "alice@example.org " + line(t, sha1.public) + "\n", "", signature.StatusGood, "", true},
		{"sk-ed25519", sshsig(sk, payload, fields{}), "alice@example.org " + line(t, sk.public) + "\n", "", signature.StatusGood, "", true},
		{"sk-ecdsa", sshsig(skTwo, payload, fields{}), "alice@example.org " + line(t, skTwo.public) + "\n", "", signature.StatusGood, "", true},
		{"sk without presence", sshsig(noTouch, payload, fields{}), "alice@example.org " + line(t, noTouch.public) + "\n", "", signature.StatusUnsupported, "without anybody touching", true},
		{"other namespace", sshsig(ed, payload, fields{namespace: "file"}), plain, "", signature.StatusBad, `made for namespace "file", not "git"`, false},
		{"RSA SHA-1", sshsig(sha1, payload, fields{}), "alice@example.org " + line(t, sha1.public) + "\n", "", signature.StatusUnsupported, "weak hash SHA-1", false},
		{"key of somebody else", mixed, plain, "", signature.StatusBad, "by a key of type", false},
		{"other payload", sshsig(ed, append([]byte("x"), payload...), fields{}), plain, "", signature.StatusBad, "does not fit", false},
		{"signer not allowed", good, "alice@example.org " + line(t, other.public) + "\n", "", signature.StatusGoodUntrusted, "not in the policy", false},
		{"namespace not allowed", good, "alice@example.org namespaces=\"file,mail\" " + edLine + "\n", "", signature.StatusGoodUntrusted, "does not allow the key", false},
		{"namespace pattern", good, "alice@example.org namespaces=\"g*\" " + edLine + "\n", "", signature.StatusGood, "", true},
		{"namespace negated", good, "alice@example.org namespaces=\"*,!git\" " + edLine + "\n", "", signature.StatusGoodUntrusted, "does not allow", false},
		{"not yet valid", good, "alice@example.org valid-after=\"20260601235959Z\" " + edLine + "\n", "", signature.StatusGoodUntrusted, "key not valid at", false},
		{"expired then", good, "alice@example.org valid-before=\"20260101Z\" " + edLine + "\n", "", signature.StatusGoodUntrusted, "key not valid at", false},
		{"expired since", good, "alice@example.org valid-before=\"20260601113000Z\" " + edLine + "\n", "", signature.StatusGoodExpiredKey, "own claim", true},
		{"revoked", good, plain, edLine + "\n", signature.StatusRevoked, "revoked keys", false},
		{"authority key signs itself", good, "alice@example.org cert-authority " + edLine + "\n", "", signature.StatusGoodUntrusted, "not in the policy", false},
		{"reserved field", sshsig(ed, payload, fields{reserved: []byte("x")}), plain, "", signature.StatusUnsupported, "reserved", false},
		{"version 2", sshsig(ed, payload, fields{version: 2}), plain, "", signature.StatusUnsupported, "version 2", false},
		{"hash sha1", sshsig(ed, payload, fields{hash: "sha1"}), plain, "", signature.StatusUnsupported, `hash "sha1"`, false},
		{"magic", sshsig(ed, payload, fields{magic: "SSHSIH"}), plain, "", signature.StatusBad, "malformed", false},
		{"trailing byte", sshsig(ed, payload, fields{trailing: []byte{0}}), plain, "", signature.StatusBad, "malformed", false},
		{"truncated", good[:len(good)-1], plain, "", signature.StatusBad, "malformed", false},
		{"empty", nil, plain, "", signature.StatusBad, "malformed armour", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			principals, err := trust.ParseAllowedSigners("allowed", []byte(c.allowed))
			if err != nil {
				t.Fatal(err)
			}
			revoked, err := trust.ParseRevokedSSHKeys("revoked", []byte(c.revoked))
			if err != nil {
				t.Fatal(err)
			}
			tr, err := trust.New(principals, nil, revoked)
			if err != nil {
				t.Fatal(err)
			}
			sig := armour("SSH SIGNATURE", c.blob)
			expect(t, c.name, signature.Verify(payload, sig, signature.Options{Keys: tr, Namespace: "git", SignedAt: at, Now: now}), c.want, c.detail)
			if keygenMissing == nil {
				var krl []byte
				if c.revoked != "" {
					krl = []byte(c.revoked)
				}
				if ok, out := opensshSays(t, []byte(c.allowed), krl, sig, at); ok != c.openssh {
					t.Errorf("ssh-keygen accepts: %v, expected %v: %s", ok, c.openssh, out)
				}
			}
		})
	}
}

// TestSSHCertificates changes one thing at a time in a certificate.
func TestSSHCertificates(t *testing.T) {
	t.Parallel()
	_, keygenMissing := exec.LookPath("ssh-keygen")
	_, caKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaCA, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca, caRSA, user := signerOf(t, caKey, ""), signerOf(t, rsaCA, ""), signerOf(t, key, "")
	caLine := line(t, ca.public)
	at := now.Add(-time.Hour)
	unix := func(t time.Time) uint64 { return uint64(t.Unix()) }
	for _, c := range []struct {
		name    string
		change  func(*ssh.Certificate)
		signer  any
		algo    string
		after   func(*ssh.Certificate)
		allowed string
		revoke  string
		want    signature.Status
		detail  string
		openssh bool
	}{
		{name: "good", want: signature.StatusGood, detail: "certificate laptop for alice@example.org", openssh: true},
		{name: "pattern", allowed: "*@example.org cert-authority " + caLine, want: signature.StatusGood, openssh: true},
		{name: "RSA authority", signer: rsaCA, algo: ssh.KeyAlgoRSASHA512, allowed: "alice@example.org cert-authority " + line(t, caRSA.public), want: signature.StatusGood, openssh: true},
		{name: "RSA authority with SHA-1", signer: rsaCA, algo: ssh.KeyAlgoRSA, allowed: "alice@example.org cert-authority " + line(t, caRSA.public), want: signature.StatusUnsupported, detail: "SHA-1", openssh: true},
		{name: "wrong principal", change: func(c *ssh.Certificate) { c.ValidPrincipals = []string{"bob@example.org"} }, want: signature.StatusGoodUntrusted, detail: "no authority"},
		{name: "negated principal", allowed: "*@example.org,!alice@example.org cert-authority " + caLine, want: signature.StatusGoodUntrusted, detail: "no authority"},
		{name: "no principal", change: func(c *ssh.Certificate) { c.ValidPrincipals = nil }, want: signature.StatusBad, detail: "names no principal"},
		{name: "two principals", change: func(c *ssh.Certificate) { c.ValidPrincipals = append(c.ValidPrincipals, "bob@example.org") },
			allowed: "alice@example.org cert-authority " + caLine + "\nbob@example.org cert-authority " + caLine, want: signature.StatusGoodUntrusted, detail: "nobody can say", openssh: true},
		{name: "host certificate", change: func(c *ssh.Certificate) { c.CertType = ssh.HostCert }, want: signature.StatusBad, detail: "not for a user"},
		{name: "not yet valid", change: func(c *ssh.Certificate) { c.ValidAfter = unix(at.Add(time.Minute)) }, want: signature.StatusBad, detail: "it begins at"},
		{name: "expired then", change: func(c *ssh.Certificate) { c.ValidBefore = unix(at) }, want: signature.StatusBad, detail: "it expired at"},
		{name: "expired since", change: func(c *ssh.Certificate) { c.ValidBefore = unix(at.Add(time.Minute)) }, want: signature.StatusGoodExpiredKey, detail: "own claim", openssh: true},
		{name: "critical option", change: func(c *ssh.Certificate) { c.CriticalOptions = map[string]string{"force-command": "true"} }, want: signature.StatusUnsupported, detail: "force-command", openssh: true},
		{name: "unknown authority", allowed: "alice@example.org cert-authority " + line(t, caRSA.public), want: signature.StatusGoodUntrusted, detail: "no authority"},
		{name: "authority without the mark", allowed: "alice@example.org " + caLine, want: signature.StatusGoodUntrusted, detail: "no authority"},
		{name: "its own key allowed", allowed: "alice@example.org " + line(t, user.public), want: signature.StatusGoodUntrusted, detail: "no authority"},
		{name: "changed after signing", after: func(c *ssh.Certificate) { c.Serial++ }, want: signature.StatusBad, detail: "does not fit its authority"},
		{name: "namespace", allowed: "alice@example.org cert-authority,namespaces=\"file\" " + caLine, want: signature.StatusGoodUntrusted, detail: "does not allow"},
		{name: "revoked key", revoke: line(t, user.public), want: signature.StatusRevoked, detail: "revoked"},
		{name: "revoked authority", revoke: caLine, want: signature.StatusRevoked, detail: "authority's key"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cert := &ssh.Certificate{
				CertType: ssh.UserCert, KeyId: "laptop", Serial: 7, ValidPrincipals: []string{"alice@example.org"},
				ValidAfter: unix(at.Add(-time.Hour)), ValidBefore: ssh.CertTimeInfinity,
			}
			key, err := ssh.ParsePublicKey(user.public)
			if err != nil {
				t.Fatal(err)
			}
			cert.Key = key
			if c.change != nil {
				c.change(cert)
			}
			by, algo := any(caKey), ssh.KeyAlgoED25519
			if c.signer != nil {
				by, algo = c.signer, c.algo
			}
			certify(t, cert, by, algo)
			if c.after != nil {
				c.after(cert)
			}
			if c.allowed == "" {
				c.allowed = "alice@example.org cert-authority " + caLine
			}
			principals, err := trust.ParseAllowedSigners("allowed", []byte(c.allowed))
			if err != nil {
				t.Fatal(err)
			}
			revoked, err := trust.ParseRevokedSSHKeys("revoked", []byte(c.revoke))
			if err != nil {
				t.Fatal(err)
			}
			tr, err := trust.New(principals, nil, revoked)
			if err != nil {
				t.Fatal(err)
			}
			sig := armour("SSH SIGNATURE", sshsig(rawSigner{cert.Marshal(), user.sign}, payload, fields{}))
			r := signature.Verify(payload, sig, signature.Options{Keys: tr, Namespace: "git", SignedAt: at, Now: now})
			expect(t, c.name, r, c.want, c.detail)
			if keygenMissing == nil {
				var krl []byte
				if c.revoke != "" {
					krl = []byte(c.revoke + "\n")
				}
				if ok, out := opensshSays(t, []byte(c.allowed+"\n"), krl, sig, at); ok != c.openssh {
					t.Errorf("ssh-keygen accepts: %v, expected %v: %s", ok, c.openssh, out)
				}
			}
		})
	}
}

func certify(t *testing.T, c *ssh.Certificate, by any, algo string) {
	t.Helper()
	s, err := ssh.NewSignerFromKey(by)
	if err != nil {
		t.Fatal(err)
	}
	as, ok := s.(ssh.AlgorithmSigner)
	if !ok {
		t.Fatal("signer cannot choose")
	}
	c.SignatureKey, c.Nonce, c.Signature = s.PublicKey(), []byte("nonce"), nil
	unsigned := c.Marshal()
	if c.Signature, err = as.SignWithAlgorithm(rand.Reader, unsigned[:len(unsigned)-4], algo); err != nil {
		t.Fatal(err)
	}
}

func TestSSHWeakKeys(t *testing.T) {
	t.Parallel()
	weak := rawSigner{ssh.Marshal(struct {
		Name string
		E, N []byte
	}{"ssh-rsa", []byte{1, 0, 1}, append([]byte{0, 0x80}, make([]byte, 127)...)}), func([]byte) *ssh.Signature {
		return &ssh.Signature{Format: ssh.KeyAlgoRSASHA512, Blob: make([]byte, 128)}
	}}
	r := signature.Verify(payload, armour("SSH SIGNATURE", sshsig(weak, payload, fields{})), signature.Options{Namespace: "git", Now: now})
	expect(t, "RSA-1024", r, signature.StatusUnsupported, "RSA with 1024 bits")
	r = signature.Verify(payload, armour("SSH SIGNATURE", sshsig(weak, payload, fields{})), signature.Options{Now: now})
	expect(t, "no namespace demanded", r, signature.StatusUnsupported, "no namespace")
}

func TestArmourIsStrict(t *testing.T) {
	t.Parallel()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := signerOf(t, key, "")
	sig := armour("SSH SIGNATURE", sshsig(s, payload, fields{}))
	opt := signature.Options{Keys: trusted(t, trust.Principal{Name: "a", SSH: []trust.SSHKey{{Line: line(t, s.public)}}}), Namespace: "git", Now: now}
	for name, c := range map[string]struct {
		sig  []byte
		want signature.Status
	}{
		"as it is":             {sig, signature.StatusGood},
		"white space behind":   {append(bytes.Clone(sig), " \n\n"...), signature.StatusGood},
		"carriage returns":     {bytes.ReplaceAll(sig, []byte("\n"), []byte("\r\n")), signature.StatusGood},
		"text behind":          {append(bytes.Clone(sig), "x"...), signature.StatusBad},
		"two signatures":       {append(bytes.Clone(sig), sig...), signature.StatusBad},
		"text before":          {append([]byte("x\n"), sig...), signature.StatusUnsupported},
		"headers":              {bytes.Replace(sig, []byte("\n"), []byte("\nComment: x\n\n"), 1), signature.StatusBad},
		"no end":               {bytes.TrimSuffix(sig, []byte("-----END SSH SIGNATURE-----\n")), signature.StatusBad},
		"other label":          {bytes.ReplaceAll(sig, []byte("SSH SIGNATURE"), []byte("PGP SIGNATURE")), signature.StatusBad},
		"empty line in it":     {bytes.Replace(sig, []byte("\n"), []byte("\n\n"), 1), signature.StatusBad},
		"unknown label":        {bytes.ReplaceAll(sig, []byte("SSH SIGNATURE"), []byte("PGP MESSAGE")), signature.StatusUnsupported},
		"nothing":              {nil, signature.StatusUnsigned},
		"too large":            {append(bytes.Clone(sig), bytes.Repeat([]byte("\n"), signature.MaxArmour)...), signature.StatusBad},
		"carriage return only": {bytes.Replace(sig, []byte("\n"), []byte("\n\r"), 2), signature.StatusBad},
	} {
		if r := signature.Verify(payload, c.sig, opt); r.Status != c.want {
			t.Errorf("%s: %s %q, want %s", name, r.Status, r.Detail, c.want)
		}
	}
	if r := signature.Verify(payload, sig, signature.Options{Keys: opt.Keys, Namespace: "git"}); r.Status != "" || r.Status.Good() {
		t.Errorf("without a reference time: %s", r.Status)
	}
	future := opt
	future.SignedAt = now.Add(signature.ClockSkew + time.Second)
	expect(t, "future", signature.Verify(payload, sig, future), signature.StatusBad, "in the future")
	future.SignedAt = now.Add(signature.ClockSkew)
	expect(t, "skew", signature.Verify(payload, sig, future), signature.StatusGood, "")
}

func TestPrincipalWindow(t *testing.T) {
	t.Parallel()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := signerOf(t, key, "")
	sig := armour("SSH SIGNATURE", sshsig(s, payload, fields{}))
	for window, want := range map[string]signature.Status{
		"2026-01-01..2026-12-31": signature.StatusGood, "2026-01-01..2026-05-31": signature.StatusGoodExpiredKey,
		"2027-01-01..": signature.StatusGoodUntrusted, "..2025-01-01": signature.StatusGoodUntrusted,
	} {
		w, err := trust.ParseWindow(window)
		if err != nil {
			t.Fatal(err)
		}
		tr := trusted(t, trust.Principal{Name: "a", Platform: true, Valid: w, SSH: []trust.SSHKey{{Line: line(t, s.public)}}})
		r := signature.Verify(payload, sig, signature.Options{Keys: tr, Namespace: "git", SignedAt: now.AddDate(0, 0, -10), Now: now})
		expect(t, fmt.Sprint(window), r, want, "")
		if !r.Platform {
			t.Error("platform is lost")
		}
	}
}
