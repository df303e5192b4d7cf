package trust

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// SSHEntry is an SSH key that stands for a principal, or certifies for it.
type SSHEntry struct {
	Principal   string
	Platform    bool
	Key         ssh.PublicKey
	Fingerprint string // SHA256:…
	Valid       Window // when signatures by this key count; the principal's own window stands apart
	Authority   bool

	namespaces patternList
	principals patternList
}

// AllowsNamespace tells whether the key may sign for a namespace.
func (e *SSHEntry) AllowsNamespace(namespace string) bool {
	return len(e.namespaces) == 0 || e.namespaces.match(namespace)
}

// SSHKey returns the entries of a key that signs by itself, all of one principal; its fingerprint is the usual SHA256:….
func (t *Trust) SSHKey(fingerprint string) []*SSHEntry {
	if t == nil {
		return nil
	}
	return t.ssh[fingerprint]
}

// ParsedSSHKey returns a key of the policy by its wire format, so that a range of commits by the same few signers does
// not parse their keys again for each.
func (t *Trust) ParsedSSHKey(blob []byte) (key ssh.PublicKey, fingerprint string, ok bool) {
	if t == nil {
		return nil, "", false
	}
	e, ok := t.sshBlobs[string(blob)]
	if !ok {
		return nil, "", false
	}
	return e.Key, e.Fingerprint, true
}

// SSHAuthority returns the entries of the authority with this fingerprint that certify one of the names. When they
// belong to several principals nobody can say who signed: ambiguous is then set and nothing returned.
func (t *Trust) SSHAuthority(fingerprint string, names []string) (entries []*SSHEntry, ambiguous bool) {
	if t == nil {
		return nil, false
	}
	for _, e := range t.authorities[fingerprint] {
		if !slices.ContainsFunc(names, e.principals.match) {
			continue
		}
		if len(entries) > 0 && entries[0].Principal != e.Principal {
			return nil, true
		}
		entries = append(entries, e)
	}
	return entries, false
}

// addSSH indexes one key line.
func (t *Trust) addSSH(m *member, k SSHKey) error {
	key, err := parseSSHKey(k.Line)
	if err != nil {
		return err
	}
	e := &SSHEntry{Principal: m.name, Platform: m.platform, Key: key, Fingerprint: ssh.FingerprintSHA256(key), Valid: k.Valid, Authority: k.Authority}
	if k.Valid.empty() {
		return fault.Usagef(e.Fingerprint, "valid %s ends before it begins", k.Valid)
	}
	if len(k.Namespaces) > 0 {
		var ok bool
		if e.namespaces, ok = parsePatternList(strings.Join(k.Namespaces, ",")); !ok {
			return fault.Usagef(e.Fingerprint, "namespaces fit nothing")
		}
	}
	id := keyID(cryptoKey(key), key.Marshal())
	if err := t.claim(m, id, k.Authority); err != nil {
		return err
	}
	if k.Authority {
		return t.addSSHAuthority(e, k.Principals)
	}
	if k.Principals != "" {
		return fault.Usagef(e.Fingerprint, "a pattern list of certificate principals needs an authority")
	}
	t.ssh[e.Fingerprint] = append(t.ssh[e.Fingerprint], e)
	t.sshBlobs[string(key.Marshal())] = e
	return nil
}

func (t *Trust) addSSHAuthority(e *SSHEntry, principals string) error {
	var ok bool
	if len(principals) > MaxPattern {
		return fault.Usagef(e.Fingerprint, "principals exceed %d bytes", MaxPattern)
	}
	if e.principals, ok = parsePatternList(principals); !ok {
		return fault.Usagef(e.Fingerprint, "an authority needs the pattern list of principals that it may certify")
	}
	for _, o := range t.authorities[e.Fingerprint] {
		if o.Principal != e.Principal && o.principals.overlaps(e.principals) {
			return fault.Usagef(e.Fingerprint, "duplicate principal: it certifies the same names for %s", fault.Quote(o.Principal))
		}
	}
	t.authorities[e.Fingerprint] = append(t.authorities[e.Fingerprint], e)
	return nil
}

// cryptoKey returns the key's arithmetic, for comparing keys across formats.
func cryptoKey(key ssh.PublicKey) any {
	if c, ok := key.(ssh.CryptoPublicKey); ok {
		return c.CryptoPublicKey()
	}
	return nil
}

// parseSSHKey reads "type base64 [comment]": no options, one line, exactly the bytes that the type asks for.
func parseSSHKey(line string) (ssh.PublicKey, error) {
	if len(line) > MaxLine {
		return nil, fault.Usagef("ssh key", "exceeds %d bytes", MaxLine)
	}
	line = strings.TrimRight(line, "\r\n")
	if strings.ContainsAny(line, "\r\n\x00") {
		return nil, fault.Usagef("ssh key", "more than one line")
	}
	var kind, encoded string
	if fields := strings.Fields(line); len(fields) >= 2 {
		kind, encoded = fields[0], fields[1]
	}
	blob, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil || len(blob) == 0 {
		return nil, fault.Usagef("ssh key", "want a key type and base64, as in a .pub file").
			WithHint("options such as namespaces belong into an allowed_signers file")
	}
	key, err := ParseSSHBlob(blob)
	if err != nil {
		return nil, fault.Usagef("ssh key", "%w", err)
	}
	if key.Type() != kind {
		return nil, fault.Usagef("ssh key", "is a %q, not a %q", key.Type(), kind)
	}
	return key, nil
}

// ParseSSHBlob reads a public key in wire format. Only key types that may sign, of a size that means something, with
// nothing behind, are keys here; certificates are not.
func ParseSSHBlob(blob []byte) (ssh.PublicKey, error) {
	key, err := ssh.ParsePublicKey(blob)
	if err != nil {
		return nil, fault.Failf("ssh key", "malformed")
	}
	if !bytes.Equal(key.Marshal(), blob) {
		return nil, fault.Failf("ssh key", "malformed: not in its one encoding")
	}
	c, ok := key.(ssh.CryptoPublicKey)
	if !ok {
		return nil, fault.Failf("ssh key", "unsupported key type %q", key.Type())
	}
	switch key.Type() {
	case ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521, ssh.KeyAlgoSKED25519, ssh.KeyAlgoSKECDSA256, ssh.KeyAlgoRSA:
	default:
		return nil, fault.Failf("ssh key", "unsupported key type %q", key.Type())
	}
	if err := checkStrength(c.CryptoPublicKey()); err != nil {
		return nil, err
	}
	return key, nil
}

// checkStrength refuses keys that anybody could forge with, or that only serve to burn time.
func checkStrength(public any) error {
	switch k := public.(type) {
	case *rsa.PublicKey:
		if n := k.N.BitLen(); n < MinRSABits || n > MaxRSABits {
			return fault.Failf("key", "unsupported: RSA with %d bits", n)
		}
		if k.E < 3 || k.E&1 == 0 {
			return fault.Failf("key", "unsupported: RSA exponent %d", k.E)
		}
		return nil
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256(), elliptic.P384(), elliptic.P521():
			return nil
		}
		return fault.Failf("key", "unsupported elliptic curve")
	case ed25519.PublicKey:
		return nil
	}
	return fault.Failf("key", "unsupported key type")
}
