package signature_test

import (
	"bytes"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/glassbuild/glassbuild/internal/signature"
	"github.com/glassbuild/glassbuild/internal/trust"
)

// gpgHome is a key ring of GnuPG that lives in the past or in the future at will.
type gpgHome struct {
	t   testing.TB
	dir string
}

func newGPG(t testing.TB) *gpgHome {
	t.Helper()
	tool(t, "gpg")
	g := &gpgHome{t, shortDir(t)}
	write(t, g.dir, "gpg.conf", []byte("batch\nno-tty\nquiet\nyes\npinentry-mode loopback\nno-auto-check-trustdb\ntrust-model always\n"))
	t.Cleanup(func() {
		if _, err := exec.LookPath("gpgconf"); err == nil {
			_, _ = run(t, g.dir, nil, "gpgconf", "--kill", "all")
		}
	})
	return g
}

// at runs gpg with its clock set.
func (g *gpgHome) at(when time.Time, stdin []byte, args ...string) []byte {
	g.t.Helper()
	args = append([]string{"--passphrase", "", "--faked-system-time", when.UTC().Format("20060102T150405!")}, args...)
	return must(g.t, g.dir, stdin, "gpg", args...)
}

func (g *gpgHome) key(when time.Time, name, algo, usage, expire string) {
	g.t.Helper()
	g.at(when, nil, "--quick-generate-key", name, algo, usage, expire)
}

func (g *gpgHome) sign(when time.Time, message []byte, args ...string) []byte {
	g.t.Helper()
	return g.at(when, message, append(args, "--armor", "--detach-sign", "-o", "-")...)
}

func (g *gpgHome) export(name string) []byte {
	g.t.Helper()
	return g.at(now, nil, "--export", name)
}

func (g *gpgHome) trust(names ...string) *trust.Trust {
	g.t.Helper()
	var principals []trust.Principal
	for _, n := range names {
		principals = append(principals, trust.Principal{Name: n, OpenPGP: [][]byte{g.export(n)}})
	}
	return trusted(g.t, principals...)
}

// says returns what gpg reports for a signature as of now: GOODSIG, EXPKEYSIG, REVKEYSIG, BADSIG, ERRSIG, EXPSIG or "".
func (g *gpgHome) says(message, sig []byte) string {
	g.t.Helper()
	file, data := write(g.t, g.dir, "check.sig", sig), write(g.t, g.dir, "check.data", message)
	out, _ := run(g.t, g.dir, nil, "gpg", "--faked-system-time", now.Format("20060102T150405!"), "--status-fd", "1", "--verify", file, data)
	for _, word := range []string{"GOODSIG", "EXPKEYSIG", "REVKEYSIG", "BADSIG", "EXPSIG", "ERRSIG"} {
		if bytes.Contains(out, []byte("[GNUPG:] "+word+" ")) {
			return word
		}
	}
	return ""
}

// TestGPGAlgorithms takes keys and signatures from gpg, in every algorithm that this machine's gpg makes.
func TestGPGAlgorithms(t *testing.T) {
	t.Parallel()
	g := newGPG(t)
	made := now.AddDate(-1, 0, 0)
	for _, algo := range []string{"ed25519", "rsa2048", "nistp256", "nistp384", "brainpoolP256r1"} {
		g.key(made, algo, algo, "sign", "never")
		for _, digest := range []string{"SHA256", "SHA512"} {
			if algo == "nistp384" && digest == "SHA256" {
				continue // gpg asks for a hash as long as the key
			}
			sig := g.sign(made.AddDate(0, 0, 1), payload, "-u", algo, "--digest-algo", digest)
			opt := signature.Options{Keys: g.trust(algo), Now: now}
			r := signature.Verify(payload, sig, opt)
			expect(t, algo, r, signature.StatusGood, "")
			if r.Signer != algo || r.Hash != strings.ToLower(digest) || !r.SignedAt.Equal(made.AddDate(0, 0, 1)) || len(r.Key) != 40 {
				t.Errorf("%s: %+v", algo, r)
			}
			if g.says(payload, sig) != "GOODSIG" {
				t.Errorf("%s: gpg says %q", algo, g.says(payload, sig))
			}
			if digest == "SHA512" {
				flips(t, payload, sig, "PGP SIGNATURE", opt, map[bool]int{true: 1, false: 13}[algo == "ed25519"], 97)
			}
		}
	}
}

// TestGPGKeyLife judges keys at the signing time, and compares with what gpg says today.
func TestGPGKeyLife(t *testing.T) {
	t.Parallel()
	g := newGPG(t)
	made := now.AddDate(-2, 0, 0)
	year := made.AddDate(1, 0, 0)
	g.key(made, "expires", "ed25519", "sign", year.Format("20060102T150405"))
	before := g.sign(year.AddDate(0, 0, -1), payload, "-u", "expires")
	g.key(made, "extended", "ed25519", "sign", year.Format("20060102T150405"))
	early := g.sign(made.AddDate(0, 1, 0), payload, "-u", "extended")
	g.at(year.AddDate(0, -1, 0), nil, "--quick-set-expire", g.fingerprint("extended"), "10y")

	check := func(name, signer string, message, sig []byte, want signature.Status, detail, gpg string) {
		t.Helper()
		expect(t, name, signature.Verify(message, sig, signature.Options{Keys: g.trust(signer), Now: now}), want, detail)
		if got := g.says(message, sig); got != gpg {
			t.Errorf("%s: gpg says %q, expected %q", name, got, gpg)
		}
	}
	check("expired since", "expires", payload, before, signature.StatusGoodExpiredKey, "key expired at", "EXPKEYSIG")
	check("extended later", "extended", payload, early, signature.StatusGood, "", "GOODSIG")
	check("other bytes", "extended", append([]byte("x"), payload...), early, signature.StatusBad, "does not fit", "BADSIG")

	// While nobody has said so, a key lives on: the certificate without its expiry signs after it would have ended.
	g.key(made, "shortened", "ed25519", "sign", "never")
	late := g.sign(now.AddDate(0, 0, -1), payload, "-u", "shortened")
	g.at(made.AddDate(0, 0, 1), nil, "--quick-set-expire", g.fingerprint("shortened"), year.Format("20060102T150405"))
	check("expired then", "shortened", payload, late, signature.StatusBad, "it expired at", "EXPKEYSIG")

	// gpg-agent's clock is not faked, only gpg's: a signature may be older than its key.
	g.key(now.AddDate(0, 0, -1), "young", "ed25519", "sign", "never")
	sig := g.sign(made, payload, "-u", "young", "--ignore-time-conflict", "--ignore-valid-from")
	check("older than its key", "young", payload, sig, signature.StatusBad, "it was made at", "ERRSIG")

	sig = g.sign(now.AddDate(0, 0, 1), payload, "-u", "extended")
	expect(t, "from the future", signature.Verify(payload, sig, signature.Options{Keys: g.trust("extended"), Now: now}), signature.StatusBad, "in the future")

	sig = g.sign(made.AddDate(0, 2, 0), payload, "-u", "extended", "--default-sig-expire", "30d")
	check("the signature itself expired", "extended", payload, sig, signature.StatusBad, "the signature itself expired", "EXPSIG")

	sig = g.sign(made.AddDate(0, 2, 0), payload, "-u", "extended", "--digest-algo", "SHA1")
	check("SHA-1", "extended", payload, sig, signature.StatusUnsupported, "weak hash SHA-1", "GOODSIG")

	g.at(made, nil, "--cert-digest-algo", "SHA1", "--quick-generate-key", "old", "ed25519", "sign", "never")
	check("key with SHA-1 self-signatures", "old", payload, g.sign(made, payload, "-u", "old"), signature.StatusGood, "", "GOODSIG")

	expect(t, "somebody else's key", signature.Verify(payload, early, signature.Options{Keys: g.trust("young"), Now: now}), signature.StatusUnknownKey, g.fingerprint("extended"))
	expect(t, "no keys", signature.Verify(payload, early, signature.Options{Now: now}), signature.StatusUnknownKey, "")

	text := []byte("one\ntwo\n")
	sig = g.sign(made.AddDate(0, 2, 0), text, "-u", "extended", "--textmode")
	check("text signature", "extended", text, sig, signature.StatusGood, "", "GOODSIG")
	open := []byte("one\r\ntwo\n")
	if g.says(open, sig) != "GOODSIG" {
		t.Error("gpg no longer takes a text signature for other bytes: the strictness could go")
	}
	expect(t, "text signature over other line ends", signature.Verify(open, sig, signature.Options{Keys: g.trust("extended"), Now: now}), signature.StatusUnsupported, "line ends")
}

func (g *gpgHome) fingerprint(name string) string {
	g.t.Helper()
	for l := range strings.Lines(string(g.at(now, nil, "--with-colons", "--list-keys", name))) {
		if f := strings.Split(l, ":"); f[0] == "fpr" {
			return f[9]
		}
	}
	g.t.Fatalf("no fingerprint of %s", name)
	return ""
}

// revoke applies a revocation with a reason: 0 none, 1 compromised, 2 superseded, 3 no longer used.
func (g *gpgHome) revoke(when time.Time, name string, reason int) {
	g.t.Helper()
	answers := fmt.Sprintf("y\n%d\n\ny\n", reason)
	cert := must(g.t, g.dir, []byte(answers), "gpg", "--no-batch", "--command-fd", "0", "--passphrase", "",
		"--faked-system-time", when.UTC().Format("20060102T150405!"), "--output", "-", "--gen-revoke", name)
	at := bytes.Index(cert, []byte("-----BEGIN"))
	if at < 0 {
		g.t.Fatalf("no revocation: %s", cert)
	}
	g.at(now, cert[at:], "--import")
}

// TestGPGRevocation tells hard revocations, which hold for ever, from soft ones, which hold from their day on.
func TestGPGRevocation(t *testing.T) {
	t.Parallel()
	g := newGPG(t)
	made := now.AddDate(-1, 0, 0)
	revokedAt := made.AddDate(0, 6, 0)
	for i, c := range []struct {
		reason        int
		before, after signature.Status
		detail        string
	}{
		{0, signature.StatusRevoked, signature.StatusRevoked, "no reason given"},
		{1, signature.StatusRevoked, signature.StatusRevoked, "key compromised"},
		{2, signature.StatusGoodExpiredKey, signature.StatusRevoked, "key superseded"},
		{3, signature.StatusGoodExpiredKey, signature.StatusRevoked, "key retired"},
	} {
		name := fmt.Sprintf("key%d", i)
		g.key(made, name, "ed25519", "sign", "never")
		before := g.sign(revokedAt.AddDate(0, 0, -1), payload, "-u", name)
		after := g.sign(revokedAt.AddDate(0, 0, 1), payload, "-u", name)
		opt := signature.Options{Keys: g.trust(name), Now: now}
		expect(t, name+" while it lived", signature.Verify(payload, before, opt), signature.StatusGood, "")
		g.revoke(revokedAt, name, c.reason)
		opt.Keys = g.trust(name)
		expect(t, name+" before", signature.Verify(payload, before, opt), c.before, c.detail)
		expect(t, name+" after", signature.Verify(payload, after, opt), c.after, c.detail)
		if got := g.says(payload, after); got != "REVKEYSIG" {
			t.Errorf("%s: gpg says %q", name, got)
		}
	}
	g.key(made, "listed", "ed25519", "sign", "never")
	sig := g.sign(made, payload, "-u", "listed")
	tr := trusted(t, trust.Principal{Name: "listed", OpenPGP: [][]byte{g.export("listed")}, Revoked: []string{strings.ToLower(g.fingerprint("listed"))}})
	expect(t, "revoked by policy", signature.Verify(payload, sig, signature.Options{Keys: tr, Now: now}), signature.StatusRevoked, "list of revoked keys")
}

// TestGPGSubkeys signs with subkeys: a signing one, one that is revoked, one that has expired, and with a primary key
// that is not for signing.
func TestGPGSubkeys(t *testing.T) {
	t.Parallel()
	g := newGPG(t)
	made := now.AddDate(-1, 0, 0)
	g.key(made, "owner", "ed25519", "cert", "never")
	fpr := g.fingerprint("owner")
	g.at(made, nil, "--quick-add-key", fpr, "ed25519", "sign", "never")
	sig := g.sign(made.AddDate(0, 0, 1), payload, "-u", "owner")
	r := signature.Verify(payload, sig, signature.Options{Keys: g.trust("owner"), Now: now})
	expect(t, "subkey", r, signature.StatusGood, "")
	if r.PrimaryKey != fpr || r.Key == fpr || r.Key == "" {
		t.Errorf("keys %q of %q", r.Key, r.PrimaryKey)
	}
	whole := g.export("owner")
	stripped := g.at(now, nil, "--export-options", "export-minimal", "--export-filter", "drop-subkey=usage=~s", "--export", "owner")
	tr := trusted(t, trust.Principal{Name: "owner", OpenPGP: [][]byte{stripped}})
	expect(t, "without the subkey", signature.Verify(payload, sig, signature.Options{Keys: tr, Now: now}), signature.StatusUnknownKey, "")

	foreign := rebind(t, whole, g)
	expect(t, "subkey bound by another", signature.Verify(payload, sig, signature.Options{Keys: foreign, Now: now}), signature.StatusBad, "no valid binding")

	g.at(made.AddDate(0, 0, 2), nil, "--quick-set-expire", fpr, made.AddDate(0, 1, 0).Format("20060102T150405"), "*")
	expect(t, "expired subkey", signature.Verify(payload, sig, signature.Options{Keys: g.trust("owner"), Now: now}), signature.StatusGoodExpiredKey, "key expired at")

	g.key(made, "dead", "ed25519", "cert", "never")
	g.at(made, nil, "--quick-add-key", g.fingerprint("dead"), "ed25519", "sign", "never")
	sig = g.sign(made.AddDate(0, 0, 1), payload, "-u", "dead")
	g.revoke(made.AddDate(0, 1, 0), "dead", 1)
	expect(t, "revoked primary key", signature.Verify(payload, sig, signature.Options{Keys: g.trust("dead"), Now: now}), signature.StatusRevoked, "compromised")
}

// rebind puts owner's subkey, with owner's binding, behind another primary key: the binding must not hold there.
func rebind(t *testing.T, whole []byte, g *gpgHome) *trust.Trust {
	t.Helper()
	g.key(now.AddDate(-1, 0, 0), "thief", "ed25519", "sign", "never")
	packets := splitPackets(t, whole)
	thief := g.export("thief")
	for i, p := range packets {
		if p[0]&0x3f>>2 == 14 || p[0] == 0xce { // subkey and what follows
			return trusted(t, trust.Principal{Name: "thief", OpenPGP: [][]byte{append(bytes.Clone(thief), bytes.Join(packets[i:], nil)...)}})
		}
	}
	t.Fatal("no subkey")
	return nil
}

// splitPackets cuts binary OpenPGP data; gpg writes legacy headers with one or two octets of length.
func splitPackets(t *testing.T, data []byte) [][]byte {
	t.Helper()
	var out [][]byte
	for len(data) > 0 {
		n := 0
		switch {
		case data[0]&0xc3 == 0x80:
			n = 2 + int(data[1])
		case data[0]&0xc3 == 0x81:
			n = 3 + int(data[1])<<8 + int(data[2])
		default:
			t.Fatalf("packet header %#x", data[0])
		}
		out, data = append(out, data[:n]), data[n:]
	}
	return out
}

// TestOpenPGPTricks puts packets together that no honest signer would.
func TestOpenPGPTricks(t *testing.T) {
	t.Parallel()
	g := newGPG(t)
	made := now.AddDate(-1, 0, 0)
	g.key(made, "alice", "ed25519", "sign", "never")
	g.key(made, "bob", "ed25519", "sign", "never")
	sig := g.sign(made, payload, "-u", "alice")
	one := body(t, sig)
	two := body(t, g.sign(made, payload, "-u", "alice", "-u", "bob"))
	bob := body(t, g.sign(made, payload, "-u", "bob"))
	certification := splitPackets(t, g.export("alice"))[2]
	key := splitPackets(t, g.export("alice"))[0]
	opt := signature.Options{Keys: g.trust("alice", "bob"), Now: now}
	wrap := func(b []byte) []byte {
		return bytes.Replace(armour("PGP SIGNATURE", b), []byte("\n"), []byte("\n\n"), 1)
	}
	join := func(parts ...[]byte) []byte { return wrap(bytes.Join(parts, nil)) }
	for name, c := range map[string]struct {
		sig    []byte
		want   signature.Status
		detail string
	}{
		"as it is":                {wrap(one), signature.StatusGood, ""},
		"with headers":            {bytes.Replace(wrap(one), []byte("\n"), []byte("\nVersion: GnuPG v1\nComment: x\n"), 1), signature.StatusGood, ""},
		"two signatures by gpg":   {wrap(two), signature.StatusBad, "ambiguous"},
		"the same twice":          {join(one, one), signature.StatusBad, "ambiguous"},
		"good, then another's":    {join(one, bob), signature.StatusBad, "ambiguous"},
		"signature, then a key":   {join(one, key), signature.StatusBad, "ambiguous"},
		"key, then signature":     {join(key, one), signature.StatusBad, "packet type 6"},
		"marker, then signature":  {join([]byte{0xca, 3, 'P', 'G', 'P'}, one), signature.StatusBad, "packet type 10"},
		"padding behind":          {join(one, []byte{0xd5, 1, 0}), signature.StatusBad, "ambiguous"},
		"a certification":         {wrap(certification), signature.StatusUnsupported, "type 0x13"},
		"truncated":               {wrap(one[:len(one)-1]), signature.StatusBad, "malformed"},
		"one byte behind":         {join(one, []byte{0}), signature.StatusBad, "ambiguous"},
		"wrong checksum":          {bytes.Replace(wrap(one), []byte("\n-----END"), []byte("\n=AAAA\n-----END"), 1), signature.StatusBad, "checksum"},
		"text behind the armour":  {append(bytes.Clone(sig), "more\n"...), signature.StatusBad, "text after"},
		"armour behind":           {append(bytes.Clone(sig), sig...), signature.StatusBad, "text after"},
		"no empty line":           {armour("PGP SIGNATURE", one), signature.StatusBad, "malformed armour"},
		"inline signed message":   {[]byte("-----BEGIN PGP SIGNED MESSAGE-----\n\nx\n"), signature.StatusUnsupported, "neither"},
		"version 3":               {wrap(append([]byte{0x88, byte(len(one) - 2), 3}, one[3:]...)), signature.StatusUnsupported, "version 3"},
		"extra unsigned notation": {wrap(withLoose(one, []byte{10, 20, 0, 0, 0, 0, 0, 1, 0, 0, 'x'})), signature.StatusBad, "outside the signed part"},
	} {
		expect(t, name, signature.Verify(payload, c.sig, opt), c.want, c.detail)
	}
}

// withLoose adds a subpacket to the unsigned area of a version 4 signature with a one-octet legacy length.
func withLoose(sig, subpacket []byte) []byte {
	content := sig[2:]
	hashed := int(content[4])<<8 | int(content[5])
	at := 6 + hashed
	loose := int(content[at])<<8 | int(content[at+1])
	out := append([]byte{sig[0], sig[1] + byte(len(subpacket))}, content[:at]...)
	out = append(out, byte((loose+len(subpacket))>>8), byte(loose+len(subpacket)))
	out = append(out, content[at+2:at+2+loose]...)
	out = append(out, subpacket...)
	return append(out, content[at+2+loose:]...)
}
