package evidence

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"hash"
)

// hashes are the digest algorithms that bind, by their in-toto names.
var hashes = map[string]crypto.Hash{"sha256": crypto.SHA256, "sha384": crypto.SHA384, "sha512": crypto.SHA512}

func hexSum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func sumOf(h crypto.Hash, b []byte) []byte {
	var w hash.Hash = h.New()
	w.Write(b)
	return w.Sum(nil)
}

// text is what was signed, hashed once however many keys are tried on it.
type text struct {
	bytes []byte
	sums  map[crypto.Hash][]byte
}

func (t *text) sum(h crypto.Hash) []byte {
	if t.sums == nil {
		t.sums = map[crypto.Hash][]byte{}
	}
	if t.sums[h] == nil {
		t.sums[h] = sumOf(h, t.bytes)
	}
	return t.sums[h]
}

// verify checks a signature over bytes that are at hand. The algorithms are those of Sigstore's registry: ECDSA with
// the hash of its curve's size or SHA-256 as old clients used it, RSA PKCS #1 v1.5 with SHA-256, pure Ed25519.
func (t *text) verify(public any, sig []byte) bool {
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		for _, h := range curveHashes(k) {
			if ecdsa.VerifyASN1(k, t.sum(h), sig) {
				return true
			}
		}
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(k, crypto.SHA256, t.sum(crypto.SHA256), sig) == nil
	case ed25519.PublicKey:
		return ed25519.Verify(k, t.bytes, sig)
	}
	return false
}

// verifyDigest checks a signature over an artefact whose digest is at hand.
func verifyDigest(public any, h crypto.Hash, digest, sig []byte) bool {
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		for _, allowed := range curveHashes(k) {
			if h == allowed {
				return ecdsa.VerifyASN1(k, digest, sig)
			}
		}
	case *rsa.PublicKey:
		return h == crypto.SHA256 && rsa.VerifyPKCS1v15(k, h, digest, sig) == nil
	case ed25519.PublicKey: // Ed25519ph
		return h == crypto.SHA512 && ed25519.VerifyWithOptions(k, digest, sig, &ed25519.Options{Hash: crypto.SHA512}) == nil
	}
	return false
}

func curveHashes(k *ecdsa.PublicKey) []crypto.Hash {
	switch k.Curve {
	case elliptic.P256():
		return []crypto.Hash{crypto.SHA256}
	case elliptic.P384():
		return []crypto.Hash{crypto.SHA384, crypto.SHA256}
	case elliptic.P521():
		return []crypto.Hash{crypto.SHA512, crypto.SHA256}
	}
	return nil
}

// strong tells whether a key may stand for anybody. Certificates are held to what trust demands of bare keys.
func strong(public any) bool {
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		return len(curveHashes(k)) > 0
	case *rsa.PublicKey:
		n := k.N.BitLen()
		return n >= 2047 && n <= 16384 && k.E >= 3 && k.E&1 == 1
	case ed25519.PublicKey:
		return true
	}
	return false
}
