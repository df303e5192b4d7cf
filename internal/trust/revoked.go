package trust

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// Revocations is a list of keys and certificates that no longer count, whenever they signed. The zero value revokes
// nothing.
type Revocations struct {
	openpgp map[string]bool   // fingerprints in upper-case hex
	digests map[[32]byte]bool // SHA-256 of a certificate or of a SubjectPublicKeyInfo, in DER
	ssh     map[string]bool   // fingerprints SHA256:…
	krl     *krl
}

// Add revokes one key: an SSH key line or fingerprint (SHA256:…), an OpenPGP fingerprint (40 or 64 hex digits, blanks
// between groups allowed), or "sha256:" and the hex digest of a certificate or of a SubjectPublicKeyInfo in DER.
// A revoked primary key revokes its subkeys.
func (r *Revocations) Add(key string) error {
	if len(key) > MaxLine {
		return fault.Usagef("revoked key", "exceeds %d bytes", MaxLine)
	}
	key = strings.TrimSpace(key)
	if digits, ok := strings.CutPrefix(key, "sha256:"); ok {
		raw, err := hex.DecodeString(digits)
		if err != nil || len(raw) != sha256.Size {
			return fault.Usagef("revoked key", "%q is not a SHA-256 digest", key)
		}
		put(&r.digests, [32]byte(raw))
		return nil
	}
	if digits, ok := strings.CutPrefix(key, "SHA256:"); ok {
		if !sshDigest(digits) {
			return fault.Usagef("revoked key", "%q is not an SSH fingerprint", key)
		}
		put(&r.ssh, key)
		return nil
	}
	if digits := strings.ReplaceAll(key, " ", ""); len(digits) == 40 || len(digits) == 64 {
		if _, err := hex.DecodeString(digits); err == nil {
			put(&r.openpgp, strings.ToUpper(digits))
			return nil
		}
	}
	k, err := parseSSHKey(key)
	if err != nil {
		return fault.Usagef("revoked key", "want an SSH key or fingerprint, an OpenPGP fingerprint or sha256:…, got %q", key)
	}
	put(&r.ssh, ssh.FingerprintSHA256(k))
	return nil
}

func put[K comparable](m *map[K]bool, k K) {
	if *m == nil {
		*m = map[K]bool{}
	}
	(*m)[k] = true
}

// ParseRevokedSSHKeys reads what OpenSSH's RevokedKeys and git's gpg.ssh.revocationFile name: a key revocation list in
// binary, or text with one public key to a line. Lines that are neither key nor comment are refused, not skipped.
func ParseRevokedSSHKeys(name string, data []byte) (*Revocations, error) {
	if bytes.HasPrefix(data, []byte(krlMagic)) {
		k, err := parseKRL(data)
		if err != nil {
			return nil, fault.Usagef(fault.Quote(name), "%w", err)
		}
		return &Revocations{krl: k}, nil
	}
	r := &Revocations{}
	err := lines(name, data, func(line string) error {
		k, err := parseSSHKey(line)
		if err == nil {
			put(&r.ssh, ssh.FingerprintSHA256(k))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// RevokedSSH tells whether an SSH key is revoked, and where that is written.
func (t *Trust) RevokedSSH(key ssh.PublicKey) (string, bool) {
	var blob []byte
	for _, r := range t.lists() {
		if len(r.ssh) == 0 && len(r.digests) == 0 && r.krl == nil {
			continue
		}
		if blob == nil {
			blob = key.Marshal()
		}
		if r.ssh[ssh.FingerprintSHA256(key)] || r.digests[keyID(cryptoKey(key), blob)] {
			return "key is on the list of revoked keys", true
		}
		if r.krl != nil && r.krl.key(blob) {
			return "key is on the key revocation list", true
		}
	}
	return "", false
}

// RevokedSSHCertificate tells whether an SSH certificate, the key in it, or the authority behind it is revoked.
func (t *Trust) RevokedSSHCertificate(c *ssh.Certificate) (string, bool) {
	if why, ok := t.RevokedSSH(c.Key); ok {
		return why, true
	}
	if why, ok := t.RevokedSSH(c.SignatureKey); ok {
		return "authority's " + why, true
	}
	for _, r := range t.lists() {
		if r.krl != nil && (r.krl.key(c.Marshal()) || r.krl.certificate(c)) {
			return "certificate is on the key revocation list", true
		}
	}
	return "", false
}

// RevokedOpenPGP tells whether the policy revokes a key or its primary key; what the certificate itself says of
// revocation stands in OpenPGPKey.
func (t *Trust) RevokedOpenPGP(k *OpenPGPKey) (string, bool) {
	for _, r := range t.lists() {
		if r.openpgp[k.Fingerprint] || r.openpgp[k.Primary] {
			return "key is on the list of revoked keys", true
		}
		if len(r.digests) == 0 {
			continue
		}
		if public := openpgpCryptoKey(k.Public); public != nil && r.digests[keyID(public, nil)] {
			return "key is on the list of revoked keys", true
		}
	}
	return "", false
}

// RevokedDER tells whether one of these certificates or SubjectPublicKeyInfos, in DER, is revoked.
func (t *Trust) RevokedDER(ders ...[]byte) (string, bool) {
	for _, r := range t.lists() {
		for _, der := range ders {
			if r.digests[sha256.Sum256(der)] {
				return "its digest is on the list of revoked keys", true
			}
		}
	}
	return "", false
}

func (t *Trust) lists() []*Revocations {
	if t == nil {
		return nil
	}
	return t.revoked
}

// lines calls each for every line of a key list that is neither empty nor a comment.
func lines(name string, data []byte, each func(line string) error) error {
	if len(data) > MaxAllowedSigners {
		return fault.Usagef(fault.Quote(name), "exceeds %d bytes", MaxAllowedSigners)
	}
	if bytes.IndexByte(data, 0) >= 0 {
		return fault.Usagef(fault.Quote(name), "holds a zero byte")
	}
	for number, rest := 1, string(data); rest != ""; number++ {
		var line string
		line, rest, _ = strings.Cut(rest, "\n")
		if len(line) > MaxLine {
			return fault.Usagef(fault.Quote(name), "line %d: exceeds %d bytes", number, MaxLine)
		}
		line = strings.Trim(line, " \t\r")
		if line == "" || line[0] == '#' {
			continue
		}
		if err := each(line); err != nil {
			return fault.Usagef(fault.Quote(name), "line %d: %w", number, err)
		}
	}
	return nil
}
