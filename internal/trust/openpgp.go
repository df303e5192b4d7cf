package trust

import (
	"bytes"
	"crypto"
	"crypto/dsa" //lint:ignore SA1019 only to refuse keys of that kind by name
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	pgpecdsa "github.com/ProtonMail/go-crypto/openpgp/ecdsa"
	pgped25519 "github.com/ProtonMail/go-crypto/openpgp/ed25519"
	"github.com/ProtonMail/go-crypto/openpgp/eddsa"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// OpenPGPKey is one key of a certificate, primary key or subkey, with what the certificate's self-signatures say of
// it. They are judged as GnuPG does: the newest one counts, so an extended expiry holds for older signatures too, and
// a key exported without its history is not worse off. Self-signatures may use SHA-1 (most keys of the last decade
// do): who holds the key could have made any other, so there is nobody to deceive with a collision.
type OpenPGPKey struct {
	Principal   string
	Platform    bool
	Fingerprint string // upper-case hex
	Primary     string // fingerprint of the primary key
	Public      *packet.PublicKey
	Algorithm   string   // "ed25519", "rsa4096"
	SHA256      [32]byte // over the public key packet
	Created     time.Time
	Expires     time.Time // the earlier of its own and the primary key's; zero: never
	Unusable    string    // why it may not sign at all, e.g. "key is not for signing"; "" when it may
	Revocations []OpenPGPRevocation
}

// OpenPGPRevocation is one verified revocation of a key or of its primary key.
type OpenPGPRevocation struct {
	At     time.Time
	Hard   bool // compromised, or no reason given: nothing it ever signed counts
	Reason string
}

// OpenPGP returns the key with the fingerprint, or, where no fingerprint is known, all keys with the 64-bit id.
// The ids of two keys can be made to collide; the caller tries each.
func (t *Trust) OpenPGP(fingerprint string, id uint64) []*OpenPGPKey {
	if t == nil {
		return nil
	}
	if fingerprint != "" {
		if k := t.openpgp[fingerprint]; k != nil {
			return []*OpenPGPKey{k}
		}
		return nil
	}
	return t.openpgpIDs[id]
}

func (t *Trust) addOpenPGP(m *member, data []byte) error {
	entities, err := readOpenPGP(data)
	if err != nil {
		return err
	}
	for _, e := range entities {
		keys, err := certificateKeys(e)
		if err != nil {
			return err
		}
		for _, k := range keys {
			k.Principal, k.Platform = m.name, m.platform
			if o := t.openpgp[k.Fingerprint]; o != nil {
				return fault.Usagef("key "+k.Fingerprint, "duplicate principal: %s holds the same key", fault.Quote(o.Principal))
			}
			if public := openpgpCryptoKey(k.Public); public != nil {
				if err := t.claim(m, keyID(public, nil), false); err != nil {
					return err
				}
			}
			t.openpgp[k.Fingerprint] = k
			t.openpgpIDs[k.Public.KeyId] = append(t.openpgpIDs[k.Public.KeyId], k)
		}
	}
	return nil
}

// readOpenPGP reads one file: binary certificates, or armoured blocks with nothing but white space between them.
func readOpenPGP(data []byte) (openpgp.EntityList, error) {
	if len(data) > MaxOpenPGP {
		return nil, fault.Usagef("OpenPGP key", "exceeds %d bytes", MaxOpenPGP)
	}
	var out openpgp.EntityList
	var err error
	if !bytes.Contains(data, []byte("-----BEGIN")) {
		out, err = readCertificates(data, out)
	}
	for rest := data; err == nil && bytes.Contains(rest, []byte("-----BEGIN")); {
		var body []byte
		if body, rest, err = cutKeyBlock(rest); err == nil {
			out, err = readCertificates(body, out)
		}
	}
	if err != nil {
		return nil, err
	}
	if len(out) == 0 {
		return nil, fault.Usagef("OpenPGP key", "holds no certificate")
	}
	return out, nil
}

// cutKeyBlock takes the first armoured block.
func cutKeyBlock(data []byte) (body, rest []byte, err error) {
	const begin, end = "-----BEGIN PGP PUBLIC KEY BLOCK-----", "-----END PGP PUBLIC KEY BLOCK-----"
	data = bytes.TrimSpace(data)
	if !bytes.HasPrefix(data, []byte(begin)) {
		return nil, nil, fault.Usagef("OpenPGP key", "want armoured blocks of type %q and nothing else", openpgp.PublicKeyType)
	}
	at := bytes.Index(data, []byte(end))
	if at < 0 {
		return nil, nil, fault.Usagef("OpenPGP key", "malformed armour")
	}
	at += len(end)
	block, err := armor.Decode(bytes.NewReader(data[:at]))
	if err != nil || block.Type != openpgp.PublicKeyType {
		return nil, nil, fault.Usagef("OpenPGP key", "malformed armour")
	}
	if body, err = io.ReadAll(block.Body); err != nil {
		return nil, nil, fault.Usagef("OpenPGP key", "malformed armour")
	}
	if rest = bytes.TrimSpace(data[at:]); len(rest) > 0 && !bytes.HasPrefix(rest, []byte("-----BEGIN")) {
		return nil, nil, fault.Usagef("OpenPGP key", "text after the armour's end")
	}
	return body, rest, nil
}

func readCertificates(data []byte, out openpgp.EntityList) (openpgp.EntityList, error) {
	for packets := packet.NewReader(bytes.NewReader(data)); ; {
		e, err := openpgp.ReadEntity(packets)
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, fault.Usagef("OpenPGP key", "malformed or unsupported: %w", err)
		}
		if e.PrivateKey != nil {
			return nil, fault.Usagef("OpenPGP key", "is a private key")
		}
		if out = append(out, e); len(out) > MaxOpenPGPCertificates {
			return nil, fault.Usagef("OpenPGP key", "exceeds %d certificates", MaxOpenPGPCertificates)
		}
	}
}

// certificateKeys judges the self-signatures of one certificate.
func certificateKeys(e *openpgp.Entity) ([]*OpenPGPKey, error) {
	object := fmt.Sprintf("OpenPGP key %X", e.PrimaryKey.Fingerprint)
	if countSignatures(e) > MaxOpenPGPSignatures {
		return nil, fault.Usagef(object, "exceeds %d signatures", MaxOpenPGPSignatures)
	}
	self := newestSelfSignature(e)
	if self == nil {
		return nil, fault.Usagef(object, "has no valid self-signature")
	}
	primary := describe(e, e.PrimaryKey, self)
	if self.FlagsValid && !self.FlagSign {
		primary.Unusable = "key is not for signing"
	}
	for _, r := range e.Revocations {
		if verifies(r.Packet, e.PrimaryKey) && e.PrimaryKey.VerifyRevocationSignature(r.Packet) == nil {
			primary.Revocations = append(primary.Revocations, revocation(r.Packet))
		}
	}
	keys := []*OpenPGPKey{primary}
	for i := range e.Subkeys {
		keys = append(keys, subkey(e, &e.Subkeys[i], primary))
	}
	return keys, nil
}

func describe(e *openpgp.Entity, pk *packet.PublicKey, self *packet.Signature) *OpenPGPKey {
	k := &OpenPGPKey{
		Fingerprint: fmt.Sprintf("%X", pk.Fingerprint), Primary: fmt.Sprintf("%X", e.PrimaryKey.Fingerprint),
		Public: pk, Algorithm: algorithmName(pk), Created: pk.CreationTime.UTC(),
	}
	h := sha256.New()
	if err := pk.SerializeForHash(h); err != nil {
		k.Unusable = "unsupported: cannot be serialised"
	}
	h.Sum(k.SHA256[:0])
	if self != nil && self.KeyLifetimeSecs != nil && *self.KeyLifetimeSecs != 0 {
		k.Expires = k.Created.Add(time.Duration(*self.KeyLifetimeSecs) * time.Second)
	}
	if public := openpgpCryptoKey(pk); public != nil {
		if err := checkStrength(public); err != nil {
			k.Unusable = err.Error()
		}
	} else if _, old := pk.PublicKey.(*dsa.PublicKey); old {
		k.Unusable = "unsupported: DSA"
	}
	return k
}

// algorithmName names a key's algorithm with its size or curve.
func algorithmName(pk *packet.PublicKey) string {
	switch pk.PubKeyAlgo {
	case packet.PubKeyAlgoRSA, packet.PubKeyAlgoRSASignOnly:
		if n, err := pk.BitLength(); err == nil {
			return fmt.Sprintf("rsa%d", n)
		}
		return "rsa"
	case packet.PubKeyAlgoECDSA:
		if c, err := pk.Curve(); err == nil {
			return "ecdsa-" + strings.ToLower(string(c))
		}
		return "ecdsa"
	case packet.PubKeyAlgoEdDSA, packet.PubKeyAlgoEd25519:
		if c, err := pk.Curve(); err == nil && c != packet.Curve25519 {
			return strings.ToLower(string(c))
		}
		return "ed25519"
	case packet.PubKeyAlgoEd448:
		return "ed448"
	case packet.PubKeyAlgoDSA:
		return "dsa"
	}
	return fmt.Sprintf("openpgp-%d", pk.PubKeyAlgo)
}

// subkey judges one subkey. A signing subkey must certify its primary key in turn, or anybody could bind another's
// subkey to a certificate of their own (RFC 9580, section 5.2.1.9).
func subkey(e *openpgp.Entity, s *openpgp.Subkey, primary *OpenPGPKey) *OpenPGPKey {
	var binding *packet.Signature
	for _, b := range s.Bindings {
		sig := b.Packet
		if !verifies(sig, e.PrimaryKey) || e.PrimaryKey.VerifyKeySignature(s.PublicKey, sig) != nil {
			continue
		}
		if sig.FlagSign && !strongEnough(sig.EmbeddedSignature.Hash) {
			continue
		}
		if binding == nil || sig.CreationTime.After(binding.CreationTime) {
			binding = sig
		}
	}
	k := describe(e, s.PublicKey, binding)
	switch {
	case binding == nil:
		k.Unusable = "subkey has no valid binding to its primary key"
	case !binding.FlagSign:
		k.Unusable = "key is not for signing"
	case k.Created.Before(primary.Created):
		k.Unusable = "subkey is older than its primary key"
	}
	if !primary.Expires.IsZero() && (k.Expires.IsZero() || primary.Expires.Before(k.Expires)) {
		k.Expires = primary.Expires
	}
	k.Revocations = append(k.Revocations, primary.Revocations...)
	for _, r := range s.Revocations {
		if verifies(r.Packet, e.PrimaryKey) && e.PrimaryKey.VerifySubkeyRevocationSignature(r.Packet, s.PublicKey) == nil {
			k.Revocations = append(k.Revocations, revocation(r.Packet))
		}
	}
	return k
}

// newestSelfSignature returns the newest valid signature that says what the primary key is for: a direct-key one, or
// one on a user id that was not revoked afterwards.
func newestSelfSignature(e *openpgp.Entity) *packet.Signature {
	var best *packet.Signature
	take := func(sig *packet.Signature) {
		if best == nil || sig.CreationTime.After(best.CreationTime) {
			best = sig
		}
	}
	for _, d := range e.DirectSignatures {
		if verifies(d.Packet, e.PrimaryKey) && e.PrimaryKey.VerifyDirectKeySignature(d.Packet) == nil {
			take(d.Packet)
		}
	}
	for name, id := range e.Identities {
		var newest *packet.Signature
		for _, c := range id.SelfCertifications {
			if verifies(c.Packet, e.PrimaryKey) && e.PrimaryKey.VerifyUserIdSignature(name, e.PrimaryKey, c.Packet) == nil &&
				(newest == nil || c.Packet.CreationTime.After(newest.CreationTime)) {
				newest = c.Packet
			}
		}
		revoked := false
		for _, r := range id.Revocations {
			if newest != nil && !r.Packet.CreationTime.Before(newest.CreationTime) && verifies(r.Packet, e.PrimaryKey) &&
				e.PrimaryKey.VerifyUserIdSignature(name, e.PrimaryKey, r.Packet) == nil {
				revoked = true
			}
		}
		if newest != nil && !revoked {
			take(newest)
		}
	}
	return best
}

// verifies sorts out signatures by others and by hashes that anybody can collide at will.
func verifies(sig *packet.Signature, by *packet.PublicKey) bool {
	return sig != nil && strongEnough(sig.Hash) && sig.CheckKeyIdOrFingerprint(by)
}

func strongEnough(h crypto.Hash) bool {
	switch h {
	case crypto.SHA1, crypto.SHA224, crypto.SHA256, crypto.SHA384, crypto.SHA512, crypto.SHA3_256, crypto.SHA3_512:
		return true
	}
	return false
}

func revocation(sig *packet.Signature) OpenPGPRevocation {
	r := OpenPGPRevocation{At: sig.CreationTime.UTC(), Hard: true, Reason: "no reason given"}
	if sig.RevocationReason == nil {
		return r
	}
	switch *sig.RevocationReason {
	case packet.KeySuperseded:
		r.Hard, r.Reason = false, "key superseded"
	case packet.KeyRetired:
		r.Hard, r.Reason = false, "key retired"
	case packet.KeyCompromised:
		r.Reason = "key compromised"
	}
	return r
}

func countSignatures(e *openpgp.Entity) int {
	n := len(e.Revocations) + len(e.DirectSignatures)
	for _, id := range e.Identities {
		n += len(id.SelfCertifications) + len(id.Revocations)
	}
	for i := range e.Subkeys {
		n += len(e.Subkeys[i].Bindings) + len(e.Subkeys[i].Revocations)
	}
	return n
}

// openpgpCryptoKey returns the key's arithmetic in the standard library's types, nil where it has none.
func openpgpCryptoKey(pk *packet.PublicKey) any {
	switch k := pk.PublicKey.(type) {
	case *rsa.PublicKey:
		return k
	case *pgpecdsa.PublicKey:
		for _, c := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
			if strings.EqualFold(k.GetCurve().GetCurveName(), c.Params().Name) {
				size := (c.Params().BitSize + 7) / 8
				point := append([]byte{4}, append(k.X.FillBytes(make([]byte, size)), k.Y.FillBytes(make([]byte, size))...)...) // SEC 1, 2.3.3
				if pub, err := ecdsa.ParseUncompressedPublicKey(c, point); err == nil {
					return pub
				}
				return nil
			}
		}
	case *eddsa.PublicKey:
		if len(k.X) == ed25519.PublicKeySize {
			return ed25519.PublicKey(k.X)
		}
	case *pgped25519.PublicKey:
		return ed25519.PublicKey(k.Point)
	}
	return nil
}
