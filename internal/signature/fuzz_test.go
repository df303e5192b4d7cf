package signature_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/x509"
	"testing"
	"time"

	pgped25519 "github.com/ProtonMail/go-crypto/openpgp/ed25519"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/glassbuild/glassbuild/internal/signature"
	"github.com/glassbuild/glassbuild/internal/trust"
)

// The processes of one fuzz run each make their own copy of what follows: keys come from fixed seeds, so that each
// understands what the others found.

// honest is one honest signature of each kind, and a policy that knows its signer.
type honest struct {
	opt   signature.Options
	label string
	body  []byte
}

func honestSSH(t testing.TB) honest {
	t.Helper()
	s := signerOf(t, ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize)), "")
	tr := trusted(t, trust.Principal{Name: "a", SSH: []trust.SSHKey{{Line: line(t, s.public)}}})
	return honest{signature.Options{Keys: tr, Namespace: "git", Now: now}, "SSH SIGNATURE", sshsig(s, payload, fields{})}
}

func honestCMS(t testing.TB) honest {
	t.Helper()
	p := newPKI(t)
	p.rootKey, p.key = fixedKey(t, 1), fixedKey(t, 2)
	p.renew()
	key := fixedKey(t, 3)
	leaf := p.fulcio(&key.PublicKey, ciSubject, ciIssuer, now, nil)
	body := cmsSign(t, payload, cmsFields{leaf: leaf, key: key, at: now, certificates: []*x509.Certificate{leaf, p.between}})
	tr := trusted(t, trust.Principal{Name: "ci", Identity: ciSubject, Issuer: ciIssuer, X509: pemOf(p.root)})
	return honest{signature.Options{Keys: tr, Now: now}, "SIGNED MESSAGE", body}
}

func fixedKey(t testing.TB, seed byte) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), bytes.Repeat([]byte{seed}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// fixedEntity makes a version 4 key of Ed25519 from a seed.
func fixedEntity(t testing.TB, seed byte) *openpgp.Entity {
	t.Helper()
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
	key := packet.NewEd25519PrivateKey(now.AddDate(0, -1, 0), &pgped25519.PrivateKey{
		PublicKey: pgped25519.PublicKey{Point: private.Public().(ed25519.PublicKey)}, Key: private,
	})
	e := &openpgp.Entity{PrimaryKey: &key.PublicKey, PrivateKey: key, Identities: map[string]*openpgp.Identity{}}
	if err := e.AddUserId("a", "", "a@example.org", fixedConfig()); err != nil {
		t.Fatal(err)
	}
	return e
}

func fixedConfig() *packet.Config {
	no := false
	return &packet.Config{Algorithm: packet.PubKeyAlgoEd25519, NonDeterministicSignaturesViaNotation: &no, Time: func() time.Time { return now.AddDate(0, -1, 0) }}
}

func fixedPGP(t testing.TB) honest {
	t.Helper()
	e := fixedEntity(t, 1)
	tr := trusted(t, trust.Principal{Name: "a", OpenPGP: [][]byte{pgpPublic(t, e)}})
	return honest{signature.Options{Keys: tr, Now: now}, "PGP SIGNATURE", pgpSign(t, e, fixedConfig())}
}

// pgpEntity makes a key without gpg; v6 asks for the current version of the format.
func pgpEntity(t testing.TB, c *packet.Config) *openpgp.Entity {
	t.Helper()
	c.Time = func() time.Time { return now.AddDate(0, -1, 0) }
	e, err := openpgp.NewEntity("a", "", "a@example.org", c)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func pgpSign(t testing.TB, e *openpgp.Entity, c *packet.Config) []byte {
	t.Helper()
	var sig bytes.Buffer
	if err := openpgp.DetachSign(&sig, []*openpgp.Entity{e}, bytes.NewReader(payload), c); err != nil {
		t.Fatal(err)
	}
	return sig.Bytes()
}

func pgpPublic(t testing.TB, e *openpgp.Entity) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := e.Serialize(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func honestPGP(t testing.TB, c *packet.Config) honest {
	t.Helper()
	e := pgpEntity(t, c)
	tr := trusted(t, trust.Principal{Name: "a", OpenPGP: [][]byte{pgpPublic(t, e)}})
	return honest{signature.Options{Keys: tr, Now: now}, "PGP SIGNATURE", pgpSign(t, e, c)}
}

func (h honest) armour(body []byte) []byte {
	out := armour(h.label, body)
	if h.label == "PGP SIGNATURE" {
		out = bytes.Replace(out, []byte("\n"), []byte("\n\n"), 1)
	}
	return out
}

// TestOpenPGPVersions takes keys and signatures of both versions of the format from a second implementation.
func TestOpenPGPVersions(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]*packet.Config{
		"v4 EdDSA": {Algorithm: packet.PubKeyAlgoEdDSA}, "v6 Ed25519": {Algorithm: packet.PubKeyAlgoEd25519, V6Keys: true},
		"v6 Ed448": {Algorithm: packet.PubKeyAlgoEd448, V6Keys: true}, "v4 RSA": {Algorithm: packet.PubKeyAlgoRSA, RSABits: 2048},
	} {
		h := honestPGP(t, c)
		expect(t, name, signature.Verify(payload, h.armour(h.body), h.opt), signature.StatusGood, "")
		flips(t, payload, h.armour(h.body), h.label, h.opt, map[bool]int{true: 1, false: 31}[name == "v4 EdDSA" || name == "v6 Ed25519"], 97)
	}
}

// fuzz changes the object and the signature's bytes: whatever is not exactly what was signed is never good, and every
// result has a status that is known.
func fuzz(f *testing.F, h honest) {
	if r := signature.Verify(payload, h.armour(h.body), h.opt); r.Status != signature.StatusGood {
		f.Fatalf("not good: %s %q", r.Status, r.Detail)
	}
	f.Add(payload, h.body)
	f.Add([]byte{}, h.body[:len(h.body)/2])
	f.Add(payload, append(bytes.Clone(h.body), h.body...))
	f.Fuzz(func(t *testing.T, message, body []byte) {
		r := signature.Verify(message, h.armour(body), h.opt)
		if r.Status.Good() && !bytes.Equal(message, payload) {
			t.Fatal("good for another object")
		}
		switch r.Status {
		case signature.StatusGood, signature.StatusGoodUntrusted, signature.StatusGoodExpiredKey, signature.StatusRevoked,
			signature.StatusBad, signature.StatusUnknownKey, signature.StatusUnsupported:
		default:
			t.Fatalf("status %q", r.Status)
		}
	})
}

func FuzzSSHSIG(f *testing.F) { fuzz(f, honestSSH(f)) }

func FuzzCMS(f *testing.F) { fuzz(f, honestCMS(f)) }

func FuzzOpenPGP(f *testing.F) {
	fuzz(f, fixedPGP(f))
}

// FuzzArmour feeds text to all kinds at once.
func FuzzArmour(f *testing.F) {
	pgp, cms, ssh1 := fixedPGP(f), honestCMS(f), honestSSH(f)
	for _, h := range []honest{pgp, cms, ssh1} {
		f.Add(h.armour(h.body))
	}
	f.Add([]byte("-----BEGIN PGP SIGNATURE-----\nVersion: x\n\n=AAAA\n-----END PGP SIGNATURE-----\n"))
	f.Fuzz(func(t *testing.T, sig []byte) {
		for _, h := range []honest{pgp, cms, ssh1} {
			if r := signature.Verify([]byte("another object"), sig, h.opt); r.Status.Good() {
				t.Fatalf("good for another object: %q", sig)
			}
		}
	})
}

// FuzzOpenPGPKey reads keys as a policy does; a key that is accepted must judge without panic.
func FuzzOpenPGPKey(f *testing.F) {
	e := fixedEntity(f, 1)
	sig := pgpSign(f, e, fixedConfig())
	f.Add(pgpPublic(f, e))
	f.Add(pgpPublic(f, fixedEntity(f, 2)))
	h := honest{label: "PGP SIGNATURE"}
	f.Fuzz(func(t *testing.T, key []byte) {
		tr, err := trust.New([]trust.Principal{{Name: "a", OpenPGP: [][]byte{key}}}, nil)
		if err != nil {
			return
		}
		r := signature.Verify(append([]byte("x"), payload...), h.armour(sig), signature.Options{Keys: tr, Now: now})
		if r.Status.Good() {
			t.Fatal("good for another object")
		}
	})
}
