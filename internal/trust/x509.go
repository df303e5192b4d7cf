package trust

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"slices"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// PublicKey is a bare public key that stands for a principal.
type PublicKey struct {
	Principal string
	Platform  bool
	Key       any // *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey
	SHA256    [32]byte
}

// bundle is the set of authorities that one principal names.
type bundle struct{ roots, intermediates []*x509.Certificate }

// PublicKey returns the principal whose key has this SubjectPublicKeyInfo in DER.
func (t *Trust) PublicKey(spki []byte) (*PublicKey, bool) {
	if t == nil {
		return nil, false
	}
	k, ok := t.public[sha256.Sum256(spki)]
	return k, ok
}

// PublicKeys returns all bare public keys of a principal, or of everybody when name is "".
func (t *Trust) PublicKeys(name string) []*PublicKey {
	var out []*PublicKey
	if t == nil {
		return nil
	}
	for _, k := range t.public {
		if name == "" || k.Principal == name {
			out = append(out, k)
		}
	}
	slices.SortFunc(out, func(a, b *PublicKey) int { return bytes.Compare(a.SHA256[:], b.SHA256[:]) })
	return out
}

// Pinned returns the principal whose policy entry holds exactly this certificate, in DER.
func (t *Trust) Pinned(certificate []byte) (name string, ok bool) {
	if t == nil {
		return "", false
	}
	name, ok = t.pinned[sha256.Sum256(certificate)]
	return name, ok
}

// PinnedCertificates returns the certificates that principals hold themselves.
func (t *Trust) PinnedCertificates() []*x509.Certificate {
	if t == nil {
		return nil
	}
	return t.pinnedCertificates
}

// Companions returns the authorities' certificates that a principal's entry holds beside its own: signatures may bring them along.
// They vouch for nobody.
func (t *Trust) Companions(name string) []*x509.Certificate {
	if t == nil {
		return nil
	}
	return t.companions[name]
}

// Authorities is where certificates must chain to for one principal. Own is false when the policy names none: then
// the caller's trusted roots (the public good instance's, or a private one's) are meant.
type Authorities struct {
	Principal     string
	Platform      bool
	Own           bool
	Roots         []*x509.Certificate
	Intermediates []*x509.Certificate
}

// Identity returns the principals that a certificate with one of these subjects and this issuer ("" when the
// certificate names none) could stand for; the caller then holds its chain against their authorities. A principal
// without an issuer never fits a certificate that names one: its authority vouches for many issuers. There is at most
// one principal for each subject, so several answers mean that the certificate itself names several parties.
func (t *Trust) Identity(subjects []string, issuer string) []Authorities {
	if t == nil {
		return nil
	}
	var out []Authorities
	for _, m := range t.principals {
		if m.identity.IsZero() || m.issuer.IsZero() != (issuer == "") || issuer != "" && !m.issuer.Match(issuer) {
			continue
		}
		for _, s := range subjects {
			if !m.identity.Match(s) {
				continue
			}
			a := Authorities{Principal: m.name, Platform: m.platform, Own: m.roots != nil}
			if m.roots != nil {
				a.Roots, a.Intermediates = m.roots.roots, m.roots.intermediates
			}
			out = append(out, a)
			break
		}
	}
	return out
}

// NeedsRoots tells whether a principal is certified by authorities that the policy does not name: the caller's trusted roots.
func (t *Trust) NeedsRoots() bool {
	return t != nil && slices.ContainsFunc(t.principals, func(m *member) bool { return !m.identity.IsZero() && m.roots == nil })
}

// AllAuthorities returns the distinct authorities that principals name, for telling an unknown signer under a known
// authority from one that nobody vouches for.
func (t *Trust) AllAuthorities() []Authorities {
	if t == nil {
		return nil
	}
	var out []Authorities
	for _, m := range t.principals {
		if m.roots != nil {
			out = append(out, Authorities{Principal: m.name, Platform: m.platform, Own: true, Roots: m.roots.roots, Intermediates: m.roots.intermediates})
		}
	}
	return out
}

func (t *Trust) addPublicKeys(m *member, data []byte) error {
	blocks, err := pemBlocks(data, "PUBLIC KEY")
	if err != nil {
		return err
	}
	for _, der := range blocks {
		key, err := x509.ParsePKIXPublicKey(der)
		if err != nil {
			return fault.Usagef("public key", "malformed")
		}
		if err := checkStrength(key); err != nil {
			return fault.Usagef("public key", "%w", err)
		}
		id := keyID(key, der)
		if err := t.claim(m, id, false); err != nil {
			return err
		}
		t.public[id] = &PublicKey{Principal: m.name, Platform: m.platform, Key: key, SHA256: id}
	}
	return nil
}

// addX509 takes a bundle of authorities for a principal with an identity, else the principal's own certificates.
func (t *Trust) addX509(m *member, data []byte) error {
	blocks, err := pemBlocks(data, "CERTIFICATE")
	if err != nil {
		return err
	}
	if !m.identity.IsZero() {
		m.roots = &bundle{}
	}
	own := 0
	for _, der := range blocks {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return fault.Usagef("certificate", "malformed")
		}
		if err := checkStrength(c.PublicKey); err != nil {
			return fault.Usagef("certificate", "%w", err)
		}
		switch {
		case m.roots == nil && c.IsCA && own == 0:
			return fault.Usagef("certificate", "identity required: %s is an authority, which certifies many", fault.Quote(c.Subject.String())).
				WithHint("authorities that come along with a principal's own certificate stand behind it")
		case m.roots == nil && c.IsCA:
			t.companions[m.name] = append(t.companions[m.name], c)
		case m.roots == nil:
			if err := t.claim(m, keyID(c.PublicKey, c.RawSubjectPublicKeyInfo), false); err != nil {
				return err
			}
			own++
			t.pinned[sha256.Sum256(c.Raw)] = m.name
			t.pinnedCertificates = append(t.pinnedCertificates, c)
		case !c.IsCA || !c.BasicConstraintsValid:
			return fault.Usagef("certificate", "%s is not an authority", fault.Quote(c.Subject.String())).
				WithHint("to name one certificate and no other, leave out identity")
		case bytes.Equal(c.RawSubject, c.RawIssuer):
			m.roots.roots = append(m.roots.roots, c)
		default:
			m.roots.intermediates = append(m.roots.intermediates, c)
		}
	}
	if m.roots != nil && len(m.roots.roots) == 0 {
		return fault.Usagef("certificate", "no self-issued root among %d authorities", len(blocks))
	}
	return nil
}

// pemBlocks returns the contents of a file that holds blocks of one kind and nothing else but comments between them.
func pemBlocks(data []byte, kind string) ([][]byte, error) {
	if len(data) > MaxPEM {
		return nil, fault.Usagef("PEM", "exceeds %d bytes", MaxPEM)
	}
	var out [][]byte
	for rest := data; ; {
		var block *pem.Block
		before := rest
		if block, rest = pem.Decode(rest); block == nil {
			// pem.Decode skips what it cannot read: a damaged block must not look like a shorter file
			if bytes.Contains(before, []byte("-----BEGIN")) {
				return nil, fault.Usagef("PEM", "damaged block")
			}
			break
		}
		if n := bytes.Count(before[:len(before)-len(rest)], []byte("-----BEGIN")); n != 1 {
			return nil, fault.Usagef("PEM", "damaged block")
		}
		if block.Type != kind {
			return nil, fault.Usagef("PEM", "want %q, got %q", kind, block.Type)
		}
		if len(block.Headers) > 0 {
			return nil, fault.Usagef("PEM", "block with headers")
		}
		if out = append(out, block.Bytes); len(out) > MaxPEMBlocks {
			return nil, fault.Usagef("PEM", "exceeds %d blocks", MaxPEMBlocks)
		}
	}
	if len(out) == 0 {
		return nil, fault.Usagef("PEM", "holds no %q", kind)
	}
	return out, nil
}
