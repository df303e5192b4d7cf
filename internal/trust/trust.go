// Package trust says who counts as whom: which key, certificate or identity stands for which principal of a policy,
// in which time, and whether the principals who signed satisfy a group. It reads and dials nothing; everything is
// handed in as values, so that a policy's digest covers all that can influence an answer.
//
// It promises that one signature never counts under two names: a key under two names, and two identity patterns that
// some certificate would both fit, are refused when the policy is loaded, across all formats (an SSH line and a PEM
// file of the same key are the same key). It promises that thresholds count distinct principals, see Satisfied, and
// that identities are exact strings or whole-string globs, see Glob. The zero Trust knows nobody.
//
// Formats: authorised-key lines and allowed_signers as ssh-keygen(1) describes them, key revocation lists after
// OpenSSH's PROTOCOL.krl, OpenPGP certificates after RFC 9580, certificates after RFC 5280.
package trust

import (
	"crypto/sha256"
	"crypto/x509"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// Trust is a checked set of principals and groups. It never changes once New has returned and may be used from
// several goroutines.
type Trust struct {
	principals  []*member
	nodes       map[string]*node
	ssh         map[string][]*SSHEntry   // by fingerprint
	authorities map[string][]*SSHEntry   // by fingerprint
	openpgp     map[string]*OpenPGPKey   // by fingerprint in upper-case hex
	openpgpIDs  map[uint64][]*OpenPGPKey // by key id
	public      map[[32]byte]*PublicKey  // by SHA-256 of SubjectPublicKeyInfo
	pinned      map[[32]byte]string      // principal by SHA-256 of the certificate
	owners      map[[32]byte]owner       // every key of every principal, whatever its format
	revoked     []*Revocations
	sshBlobs    map[string]*SSHEntry // by wire format

	pinnedCertificates []*x509.Certificate
	companions         map[string][]*x509.Certificate // by principal
}

// owner is who holds a key, and whether as authority.
type owner struct {
	name      string
	authority bool
}

// New checks principals and groups against each other and indexes them. Lists of revoked keys hold for all principals.
// Every error is of class usage.
func New(principals []Principal, groups []Group, revoked ...*Revocations) (*Trust, error) {
	if len(principals) > MaxPrincipals {
		return nil, fault.Usagef("principal", "exceeds %d principals", MaxPrincipals)
	}
	t := &Trust{
		nodes: map[string]*node{}, ssh: map[string][]*SSHEntry{}, sshBlobs: map[string]*SSHEntry{}, authorities: map[string][]*SSHEntry{},
		openpgp: map[string]*OpenPGPKey{}, openpgpIDs: map[uint64][]*OpenPGPKey{},
		public: map[[32]byte]*PublicKey{}, pinned: map[[32]byte]string{}, owners: map[[32]byte]owner{},
		companions: map[string][]*x509.Certificate{},
	}
	own := &Revocations{}
	for i := range principals {
		if err := t.add(&principals[i], own); err != nil {
			return nil, err
		}
	}
	for i, a := range t.principals {
		for _, b := range t.principals[:i] {
			if a.overlaps(b) {
				return nil, fault.Usagef(principalObject(a.name), "duplicate principal: %s could be the same identity", fault.Quote(b.name))
			}
		}
	}
	t.revoked = append(t.revoked, own)
	for _, r := range revoked {
		if r != nil {
			t.revoked = append(t.revoked, r)
		}
	}
	if err := buildGroups(groups, t.nodes); err != nil {
		return nil, err
	}
	return t, nil
}

func (t *Trust) add(p *Principal, own *Revocations) error {
	m, err := newMember(p)
	if err != nil {
		return err
	}
	if t.nodes[m.name] != nil {
		return fault.Usagef(principalObject(m.name), "duplicate principal")
	}
	t.nodes[m.name] = &node{name: m.name, principal: true, platform: m.platform, index: len(t.principals)}
	t.principals = append(t.principals, m)
	for _, key := range p.SSH {
		if err := t.addSSH(m, key); err != nil {
			return within(principalObject(m.name), err)
		}
	}
	for _, file := range p.OpenPGP {
		if err := t.addOpenPGP(m, file); err != nil {
			return within(principalObject(m.name), err)
		}
	}
	for _, pem := range p.PublicKeys {
		if err := t.addPublicKeys(m, pem); err != nil {
			return within(principalObject(m.name), err)
		}
	}
	if len(p.X509) > 0 {
		if err := t.addX509(m, p.X509); err != nil {
			return within(principalObject(m.name), err)
		}
	}
	for _, key := range p.Revoked {
		if err := own.Add(key); err != nil {
			return within(principalObject(m.name), err)
		}
	}
	return nil
}

// claim records that name holds the key with this SubjectPublicKeyInfo digest. An authority may certify for several
// principals, as long as their patterns keep them apart; anything else under two names is refused.
func (t *Trust) claim(m *member, id [32]byte, authority bool) error {
	o, taken := t.owners[id]
	if taken && (o.name != m.name && !(authority && o.authority)) {
		return fault.Usagef("key", "duplicate principal: %s holds the same key", fault.Quote(o.name))
	}
	t.owners[id] = owner{m.name, authority}
	return nil
}

// keyID is the digest under which one key is known in every format: SHA-256 over its SubjectPublicKeyInfo, or over
// fallback where it has none.
func keyID(public any, fallback []byte) [32]byte {
	if der, err := x509.MarshalPKIXPublicKey(public); err == nil {
		return sha256.Sum256(der)
	}
	return sha256.Sum256(fallback)
}
