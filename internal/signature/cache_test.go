package signature_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/glassbuild/glassbuild/internal/signature"
	"github.com/glassbuild/glassbuild/internal/trust"
)

// TestCacheRemembersMathOnly sees that revocation, expiry and trust are judged anew when the arithmetic is remembered,
// and that nothing bad is ever remembered.
func TestCacheRemembersMathOnly(t *testing.T) {
	t.Parallel()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := signerOf(t, key, "")
	own := trust.SSHKey{Line: line(t, s.public)}
	sig := armour("SSH SIGNATURE", sshsig(s, payload, fields{}))
	cache := &memory{}
	verify := func(message []byte, p trust.Principal) signature.Status {
		return signature.Verify(message, sig, signature.Options{
			Keys: trusted(t, p), Namespace: "git", SignedAt: now.AddDate(0, 0, -10), Now: now, Cache: cache,
		}).Status
	}
	alice := trust.Principal{Name: "alice", SSH: []trust.SSHKey{own}}
	for range 2 {
		if got := verify(payload, alice); got != signature.StatusGood {
			t.Fatalf("got %s", got)
		}
	}
	if cache.hits != 1 || len(cache.known) != 1 {
		t.Fatalf("%d hits, %d known", cache.hits, len(cache.known))
	}
	revoked, expired, stranger := alice, alice, trust.Principal{Name: "bob", SSH: []trust.SSHKey{{Line: line(t, skSigner(t, true, 1).public)}}}
	revoked.Revoked = []string{own.Line}
	if expired.Valid, err = trust.ParseWindow("..2026-05-30"); err != nil {
		t.Fatal(err)
	}
	for want, p := range map[signature.Status]trust.Principal{
		signature.StatusRevoked: revoked, signature.StatusGoodExpiredKey: expired, signature.StatusGoodUntrusted: stranger,
	} {
		if got := verify(payload, p); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if cache.hits != 4 {
		t.Errorf("%d hits: the cache was not asked", cache.hits)
	}
	for range 2 {
		if got := verify(append([]byte("x"), payload...), alice); got != signature.StatusBad {
			t.Errorf("tampered: %s", got)
		}
	}
	if len(cache.known) != 1 {
		t.Error("something bad is remembered")
	}
}

// TestCacheKeepsKindsApart sees that every kind of arithmetic is remembered, the authority's signature as well.
func TestCacheKeepsKindsApart(t *testing.T) {
	t.Parallel()
	cache := &memory{}
	p := newPKI(t)
	key := ecKey(t)
	leaf := p.fulcio(&key.PublicKey, ciSubject, ciIssuer, now, nil)
	cms := armour("SIGNED MESSAGE", cmsSign(t, payload, cmsFields{leaf: leaf, key: key, at: now, certificates: []*x509.Certificate{leaf, p.between}}))
	_, caKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	user := signerOf(t, caKey, "")
	cert := &ssh.Certificate{CertType: ssh.UserCert, ValidPrincipals: []string{"a"}, ValidBefore: ssh.CertTimeInfinity}
	if cert.Key, err = ssh.ParsePublicKey(user.public); err != nil {
		t.Fatal(err)
	}
	certify(t, cert, caKey, ssh.KeyAlgoED25519)
	tr := trusted(t, trust.Principal{Name: "ci", Identity: ciSubject, Issuer: ciIssuer},
		trust.Principal{Name: "a", SSH: []trust.SSHKey{{Line: line(t, user.public), Authority: true, Principals: "a"}}})
	for range 2 {
		for _, sig := range [][]byte{cms, armour("SSH SIGNATURE", sshsig(rawSigner{cert.Marshal(), user.sign}, payload, fields{}))} {
			r := signature.Verify(payload, sig, signature.Options{Keys: tr, Namespace: "git", Now: now, Cache: cache,
				Authorities: []signature.Authority{{Roots: []*x509.Certificate{p.root}}}})
			expect(t, "cached", r, signature.StatusGood, "")
		}
	}
	if cache.hits != 3 || len(cache.known) != 3 { // CMS, SSHSIG, SSH certificate
		t.Errorf("%d hits, %d known", cache.hits, len(cache.known))
	}
}
