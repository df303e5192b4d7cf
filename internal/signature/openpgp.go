package signature

import (
	"bytes"
	"crypto"
	_ "crypto/sha256" // hashes that signatures name
	_ "crypto/sha3"
	_ "crypto/sha512"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/glassbuild/glassbuild/internal/trust"
)

func (v *verification) openpgp(sig []byte) {
	data, err := dearmour(sig, "PGP SIGNATURE", true)
	if err != nil {
		v.end(StatusBad, "%v", err)
		return
	}
	v.packets(data)
}

// packets judges one signature packet.
func (v *verification) packets(data []byte) {
	s, err := parsePGP(data)
	if err != nil {
		v.malformed(err)
		return
	}
	v.SignedAt, v.Hash = s.created, hashName(s.hash)
	document, ok := s.document(v.payload)
	if !ok {
		v.end(StatusUnsupported, "text signature over an object with line ends that it leaves open")
		return
	}
	candidates := v.opt.Keys.OpenPGP(s.printed, s.issuer)
	if len(candidates) == 0 && s.printed == "" && s.issuer == 0 { // named outside the signed part only
		for _, l := range s.loose {
			if candidates = v.opt.Keys.OpenPGP(l.printed, l.id); len(candidates) > 0 {
				break
			}
		}
	}
	if len(candidates) == 0 {
		v.Key = issuerText(s)
		v.end(StatusUnknownKey, "the policy holds no OpenPGP key %s", v.Key)
		return
	}
	if len(candidates) > MaxCandidates {
		v.end(StatusBad, "%d keys share the key id", len(candidates))
		return
	}
	for _, k := range candidates {
		if v.openpgpMath(s, k, document) {
			v.Key, v.Algorithm = k.Fingerprint, k.Algorithm
			if k.Primary != k.Fingerprint {
				v.PrimaryKey = k.Primary
			}
			v.openpgpKey(s, k)
			return
		}
	}
	k := candidates[0]
	v.Key, v.Algorithm = k.Fingerprint, k.Algorithm
	v.end(StatusBad, "does not fit the object and key %s", k.Fingerprint)
}

// document is what was hashed. A text signature holds for every document that differs in line ends only, and
// implementations disagree on blanks before them; it is accepted where the object leaves no choice.
func (s *pgpSignature) document(payload []byte) ([]byte, bool) {
	if !s.text {
		return payload, true
	}
	for _, open := range []string{"\r", " \n", "\t\n"} {
		if bytes.Contains(payload, []byte(open)) {
			return nil, false
		}
	}
	return bytes.ReplaceAll(payload, []byte("\n"), []byte("\r\n")), true
}

// openpgpMath tells whether key k made the signature.
func (v *verification) openpgpMath(s *pgpSignature, k *trust.OpenPGPKey, document []byte) bool {
	if byte(k.Public.PubKeyAlgo) != s.algo && !(rsaAlgo(s.algo) && rsaAlgo(byte(k.Public.PubKeyAlgo))) {
		return false
	}
	if int(s.version) != k.Public.Version {
		return false
	}
	return v.math("openpgp", v.payload, s.packet, k.SHA256[:], func() bool {
		h := s.hash.New()
		h.Write(s.salt)
		h.Write(document)
		h.Write(s.suffix)
		// The first two octets of the digest stand in the packet, unsigned. A large forge wrote those of the document
		// instead for years; nothing else is let through, though the library would.
		if !bytes.Equal(h.Sum(nil)[:2], s.tag[:]) && !(s.version == 4 && bytes.HasPrefix(document, s.tag[:])) {
			return false
		}
		p, err := packet.Read(bytes.NewReader(s.packet))
		if err != nil {
			return false
		}
		parsed, ok := p.(*packet.Signature)
		if !ok || !bytes.Equal(parsed.HashSuffix, s.suffix) || parsed.Hash != s.hash {
			return false // two parsers disagree
		}
		if rsaAlgo(s.algo) {
			parsed.PubKeyAlgo = k.Public.PubKeyAlgo // 1 and 3 are the same arithmetic
		}
		signed, err := parsed.PrepareVerify()
		if err != nil {
			return false
		}
		signed.Write(document)
		return k.Public.VerifySignature(signed, parsed) == nil
	})
}

// openpgpKey judges a key that made the signature.
func (v *verification) openpgpKey(s *pgpSignature, k *trust.OpenPGPKey) {
	if len(s.loose) > 0 {
		l := s.loose[0]
		if l.printed != "" && l.printed != k.Fingerprint || l.id != 0 && l.id != k.Public.KeyId {
			v.end(StatusBad, "names another issuer outside the signed part")
			return
		}
	}
	switch {
	case s.issuer != 0 && s.issuer != k.Public.KeyId:
		v.end(StatusBad, "names two issuers")
	case strings.HasPrefix(k.Unusable, "key: unsupported"), strings.HasPrefix(k.Unusable, "unsupported"):
		v.end(StatusUnsupported, "%s", k.Unusable)
	case k.Unusable != "":
		v.end(StatusBad, "%s", k.Unusable)
	}
	if v.Status != "" || v.inFuture() {
		return
	}
	retired, revoked := v.openpgpRevoked(k)
	if revoked {
		return
	}
	switch at := s.created; {
	case at.Before(k.Created):
		v.end(StatusBad, "key not valid at %s: it was made at %s", stamp(at), stamp(k.Created))
		return
	case !k.Expires.IsZero() && !at.Before(k.Expires):
		v.end(StatusBad, "key not valid at %s: it expired at %s", stamp(at), stamp(k.Expires))
		return
	}
	if s.lifetime != 0 {
		if until := s.created.Add(time.Duration(s.lifetime) * time.Second); !v.opt.Now.Before(until) {
			v.end(StatusBad, "the signature itself expired at %s", stamp(until))
			return
		}
	}
	switch {
	case retired != "":
		v.byPrincipal(k.Principal, true, retired)
	case !k.Expires.IsZero() && !v.opt.Now.Before(k.Expires):
		v.byPrincipal(k.Principal, true, "key expired at "+stamp(k.Expires))
	default:
		v.byPrincipal(k.Principal, false, "")
	}
}

// openpgpRevoked ends with revoked for a hard revocation, for a soft one (key retired or superseded) that is not
// younger than the signature, and for what the policy revokes. A younger soft revocation is returned in words: the key
// was given up in good order, so it is treated as one that expired on that day.
func (v *verification) openpgpRevoked(k *trust.OpenPGPKey) (retired string, revoked bool) {
	if why, ok := v.opt.Keys.RevokedOpenPGP(k); ok {
		v.end(StatusRevoked, "%s", why)
		return "", true
	}
	for _, r := range k.Revocations {
		if r.Hard || !v.SignedAt.Before(r.At) {
			v.end(StatusRevoked, "%s, revoked at %s", r.Reason, stamp(r.At))
			return "", true
		}
		retired = fmt.Sprintf("%s at %s", r.Reason, stamp(r.At))
	}
	return retired, false
}

// malformed ends with what a parser said.
func (v *verification) malformed(err error) {
	var unsupported unsupportedError
	if errors.As(err, &unsupported) {
		v.end(StatusUnsupported, "%s", string(unsupported))
		return
	}
	v.end(StatusBad, "%v", err)
}

func issuerText(s *pgpSignature) string {
	if s.printed != "" {
		return s.printed
	}
	if s.issuer != 0 {
		return fmt.Sprintf("%016X", s.issuer)
	}
	if len(s.loose) == 0 {
		return "(not named)"
	}
	if s.loose[0].printed != "" {
		return s.loose[0].printed
	}
	return fmt.Sprintf("%016X", s.loose[0].id)
}

func rsaAlgo(a byte) bool { return a == 1 || a == 3 }

func hashName(h crypto.Hash) string {
	switch h {
	case crypto.SHA256:
		return "sha256"
	case crypto.SHA512:
		return "sha512"
	}
	return strings.ReplaceAll(strings.ToLower(h.String()), "-", "")
}
