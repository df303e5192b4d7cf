package trust

import (
	"time"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// Principal is one party that a policy knows by name. It is recognised either by keys (SSH, OpenPGP, bare public
// keys, pinned certificates) or by a certified identity, never by both.
type Principal struct {
	Name string

	SSH        []SSHKey // keys that sign, and authorities that certify them
	OpenPGP    [][]byte // certificates ("public keys"), armoured or binary, each file with one or more
	PublicKeys [][]byte // PEM of SubjectPublicKeyInfo, as in cosign.pub
	X509       []byte   // PEM: with Identity the authorities to chain to, without it the signer's own certificates

	Identity string // subject of the certificate: an exact string or a whole-string glob, see ParseIdentity
	Issuer   string // OIDC issuer of the certificate, see ParseIssuer; required unless X509 names the authorities

	Valid      Window            // when its signatures count
	Attributes map[string]string // organisation, kernel and the like, for rules on diversity
	Platform   bool              // a forge's own key: it proves the forge, not the author
	Revoked    []string          // keys of its own that no longer count, see Revocations.Add
}

// SSHKey is one public key line of a principal.
type SSHKey struct {
	Line       string   // key type, base64 and an optional comment, as in a .pub file
	Namespaces []string // OpenSSH patterns that the signature's namespace must fit; empty: every namespace
	Valid      Window   // when signatures by this key count
	// Authority marks a key that signs certificates and nothing else; Principals is then the OpenSSH pattern list
	// that one of the certificate's principals must fit.
	Authority  bool
	Principals string
}

// member is a principal that was checked and indexed.
type member struct {
	name       string
	valid      Window
	attributes map[string]string
	platform   bool
	identity   Glob
	issuer     Glob
	roots      *bundle // nil: the certificate chains to the caller's own trusted roots
}

// Identity is how a principal that signs with certificates is recognised, as its policy writes it.
type Identity struct{ Principal, Subject, Issuer string }

// Identities lists the principals that are recognised by a certified identity, in the order of the policy.
func (t *Trust) Identities() []Identity {
	var list []Identity
	for _, m := range t.principals {
		if !m.identity.IsZero() {
			list = append(list, Identity{Principal: m.name, Subject: m.identity.String(), Issuer: m.issuer.String()})
		}
	}
	return list
}

func newMember(p *Principal) (*member, error) {
	object := principalObject(p.Name)
	if err := checkName("principal", p.Name); err != nil {
		return nil, err
	}
	if p.Valid.empty() {
		return nil, fault.Usagef(object, "valid %s ends before it begins", p.Valid)
	}
	keys := len(p.SSH) + len(p.OpenPGP) + len(p.PublicKeys)
	switch {
	case len(p.SSH) > MaxKeysPerPrincipal, len(p.OpenPGP) > MaxKeysPerPrincipal, len(p.PublicKeys) > MaxKeysPerPrincipal:
		return nil, fault.Usagef(object, "exceeds %d keys", MaxKeysPerPrincipal)
	case p.Identity != "" && keys > 0:
		return nil, fault.Usagef(object, "key and certificate identity: choose one")
	case p.Identity == "" && p.Issuer != "":
		return nil, fault.Usagef(object, "identity required: an issuer alone is anybody")
	case p.Identity != "" && p.Issuer == "" && len(p.X509) == 0:
		return nil, fault.Usagef(object, "issuer required").WithHint("an identity means something only together with who vouches for it")
	case keys == 0 && p.Identity == "" && len(p.X509) == 0:
		return nil, fault.Usagef(object, "has neither key nor identity")
	}
	m := &member{name: p.Name, valid: p.Valid, attributes: map[string]string{}, platform: p.Platform}
	for k, v := range p.Attributes {
		m.attributes[k] = v
	}
	var err error
	if p.Identity != "" {
		if m.identity, err = ParseIdentity(p.Identity); err != nil {
			return nil, within(object, err)
		}
	}
	if p.Issuer != "" {
		if m.issuer, err = ParseIssuer(p.Issuer); err != nil {
			return nil, within(object, err)
		}
	}
	return m, nil
}

// overlaps tells whether one certificate could stand for both. Authorities are not compared: two principals with the
// same subject would be one party under two names even if different authorities said so.
func (m *member) overlaps(o *member) bool {
	if m.identity.IsZero() || o.identity.IsZero() || !m.identity.Overlaps(o.identity) {
		return false
	}
	if m.issuer.IsZero() || o.issuer.IsZero() {
		return m.issuer.IsZero() && o.issuer.IsZero()
	}
	return m.issuer.Overlaps(o.issuer)
}

// Signer is what the policy says of one principal.
type Signer struct {
	Name       string
	Valid      Window
	Attributes map[string]string
	Platform   bool
}

// Principal returns what the policy says of name.
func (t *Trust) Principal(name string) (Signer, bool) {
	if t == nil || t.nodes[name] == nil || !t.nodes[name].principal {
		return Signer{}, false
	}
	m := t.principals[t.nodes[name].index]
	attributes := make(map[string]string, len(m.attributes))
	for k, v := range m.attributes {
		attributes[k] = v
	}
	return Signer{Name: m.name, Valid: m.valid, Attributes: attributes, Platform: m.platform}, true
}

// ValidAt tells whether the policy counts what name signed at that time.
func (t *Trust) ValidAt(name string, at time.Time) bool {
	if t == nil || t.nodes[name] == nil || !t.nodes[name].principal {
		return false
	}
	return t.principals[t.nodes[name].index].valid.Contains(at)
}

func principalObject(name string) string { return "principal " + fault.Quote(name) }

func checkName(kind, name string) error {
	switch {
	case name == "":
		return fault.Usagef(kind, "name required")
	case len(name) > MaxName:
		return fault.Usagef(kind, "name exceeds %d bytes", MaxName)
	case !fault.Plain(name):
		return fault.Usagef(kind, "name %s holds unprintable characters", fault.Quote(name))
	}
	return nil
}

// within puts the principal in front of what one of its fields said.
func within(object string, err error) error {
	return fault.Usagef(object, "%w", err)
}
