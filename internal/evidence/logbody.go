package evidence

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/glassbuild/glassbuild/internal/evidence/strictjson"
)

// signed is what one signature is about: what a log entry must say, word for word.
type signed struct {
	sig     []byte
	public  crypto.PublicKey
	spki    []byte            // SubjectPublicKeyInfo of public
	leaf    *x509.Certificate // nil when a bare key signed
	message *message
	env     *envelope
}

// matches holds the entry's canonical body against the signature. Nothing in it is believed: every field must have the
// value that follows from artefact, signature and key (cosign CVE-2022-36056, CVE-2026-22703), and there may be no
// field beside those. The one value that cannot follow, the digest of the envelope as its client once wrote it, must be
// a digest and is used for nothing.
func (e *logEntry) matches(s *signed) error {
	v, err := strictjson.Parse(e.body, bodyLimits)
	if err != nil {
		return err
	}
	o, err := v.Object("apiVersion", "kind", "spec")
	if err != nil {
		return err
	}
	if err := equalText(o.Get("apiVersion"), e.version); err != nil {
		return in("apiVersion", err)
	}
	if err := equalText(o.Get("kind"), e.kind); err != nil {
		return in("kind", err)
	}
	spec := o.Get("spec")
	switch {
	case e.rekor2():
		return matchV2(spec, s)
	case e.kind == "hashedrekord" && s.message != nil:
		return matchHashedRekord(spec, s)
	case e.kind == "dsse" && s.env != nil:
		return matchDSSE(spec, s)
	case e.kind == "intoto" && s.env != nil:
		return matchIntoto(spec, s)
	}
	return fmt.Errorf("it is of kind %s", e.kind)
}

func matchHashedRekord(spec strictjson.Value, s *signed) error {
	o, err := spec.Object("data", "signature")
	if err != nil {
		return err
	}
	data, err := o.Get("data").Object("hash")
	if err != nil {
		return err
	}
	if err := equalHash(data.Get("hash"), s.message.algorithm, s.message.digest); err != nil {
		return in("artefact", err)
	}
	sig, err := o.Get("signature").Object("content", "publicKey")
	if err != nil {
		return err
	}
	if err := equalBytes(sig.Get("content"), s.sig); err != nil {
		return in("signature", err)
	}
	key, err := sig.Get("publicKey").Object("content")
	if err != nil {
		return err
	}
	return in("key", s.equalPEM(key.Get("content")))
}

func matchDSSE(spec strictjson.Value, s *signed) error {
	o, err := spec.Object("envelopeHash", "payloadHash", "signatures")
	if err != nil {
		return err
	}
	if err := anyHash(o.Get("envelopeHash")); err != nil {
		return in("envelopeHash", err)
	}
	sum := sha256.Sum256(s.env.payload)
	if err := equalHash(o.Get("payloadHash"), "sha256", sum[:]); err != nil {
		return in("payload", err)
	}
	one, err := only(o.Get("signatures"))
	if err != nil {
		return err
	}
	sig, err := one.Object("signature", "verifier")
	if err != nil {
		return err
	}
	if err := equalBytes(sig.Get("signature"), s.sig); err != nil {
		return in("signature", err)
	}
	return in("key", s.equalPEM(sig.Get("verifier")))
}

// matchIntoto reads kind intoto 0.0.2, in which signature, and payload where it is kept, stand in base64 twice over.
func matchIntoto(spec strictjson.Value, s *signed) error {
	o, err := spec.Object("content")
	if err != nil {
		return err
	}
	c, err := o.Get("content").Object("envelope", "hash", "payloadHash")
	if err != nil {
		return err
	}
	if err := anyHash(c.Get("hash")); err != nil {
		return in("hash", err)
	}
	sum := sha256.Sum256(s.env.payload)
	if err := equalHash(c.Get("payloadHash"), "sha256", sum[:]); err != nil {
		return in("payload", err)
	}
	env, err := c.Get("envelope").Object("payload", "payloadType", "signatures")
	if err != nil {
		return err
	}
	if err := equalText(env.Get("payloadType"), s.env.payloadType); err != nil {
		return in("payloadType", err)
	}
	if p := env.Get("payload"); !p.Missing() {
		if err := equalBytes(p, []byte(base64.StdEncoding.EncodeToString(s.env.payload))); err != nil {
			return in("payload", err)
		}
	}
	one, err := only(env.Get("signatures"))
	if err != nil {
		return err
	}
	sig, err := one.Object("keyid", "publicKey", "sig")
	if err != nil {
		return err
	}
	if k := sig.Get("keyid"); !k.Missing() {
		if _, err := k.Text(); err != nil {
			return in("keyid", err)
		}
	}
	if err := equalBytes(sig.Get("sig"), []byte(base64.StdEncoding.EncodeToString(s.sig))); err != nil {
		return in("signature", err)
	}
	return in("key", s.equalPEM(sig.Get("publicKey")))
}

// matchV2 reads Rekor v2's one kind: over a message its digest, over an envelope the digest of what was signed.
func matchV2(spec strictjson.Value, s *signed) error {
	o, err := spec.Object("hashedRekordV002")
	if err != nil {
		return err
	}
	h, err := o.Get("hashedRekordV002").Object("data", "signature")
	if err != nil {
		return err
	}
	details, algorithm := keyDetails(s.public)
	if details == "" {
		return errors.New("key of an unsupported kind")
	}
	digest := []byte(nil)
	if s.message != nil {
		if digest = s.message.digest; s.message.algorithm != algorithm {
			return fmt.Errorf("artefact: its digest is %s, the key's is %s", s.message.algorithm, algorithm)
		}
	} else {
		digest = sumOf(hashes[algorithm], PAE(s.env.payloadType, s.env.payload))
	}
	data, err := h.Get("data").Object("algorithm", "digest")
	if err != nil {
		return err
	}
	if err := equalText(data.Get("algorithm"), protoHash(algorithm)); err != nil {
		return in("algorithm", err)
	}
	if err := equalBytes(data.Get("digest"), digest); err != nil {
		return in("artefact", err)
	}
	sig, err := h.Get("signature").Object("content", "verifier")
	if err != nil {
		return err
	}
	if err := equalBytes(sig.Get("content"), s.sig); err != nil {
		return in("signature", err)
	}
	return in("key", s.equalVerifier(sig.Get("verifier"), details))
}

func (s *signed) equalVerifier(v strictjson.Value, details string) error {
	name, want := "publicKey", s.spki
	if s.leaf != nil {
		name, want = "x509Certificate", s.leaf.Raw
	}
	o, err := v.Object("keyDetails", name)
	if err != nil {
		return err
	}
	if err := equalText(o.Get("keyDetails"), details); err != nil {
		return err
	}
	k, err := o.Get(name).Object("rawBytes")
	if err != nil {
		return err
	}
	return equalBytes(k.Get("rawBytes"), want)
}

// keyDetails returns protobuf-specs' name for how a key of this kind signs in Rekor v2, and with which digest.
func keyDetails(public crypto.PublicKey) (details, algorithm string) {
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		switch k.Curve.Params().BitSize {
		case 256:
			return "PKIX_ECDSA_P256_SHA_256", "sha256"
		case 384:
			return "PKIX_ECDSA_P384_SHA_384", "sha384"
		case 521:
			return "PKIX_ECDSA_P521_SHA_512", "sha512"
		}
	case *rsa.PublicKey:
		switch k.N.BitLen() {
		case 2048, 3072, 4096:
			return fmt.Sprintf("PKIX_RSA_PKCS1V15_%d_SHA256", k.N.BitLen()), "sha256"
		}
	case ed25519.PublicKey:
		return "PKIX_ED25519_PH", "sha512"
	}
	return "", ""
}

func protoHash(algorithm string) string {
	for proto, name := range hashNames {
		if name == algorithm {
			return proto
		}
	}
	return ""
}

// equalPEM holds a certificate or key, PEM in base64, against the signer's.
func (s *signed) equalPEM(v strictjson.Value) error {
	text, err := sized(v, MaxPEM)
	if err != nil {
		return err
	}
	block, rest := pem.Decode(text)
	kind, want := "PUBLIC KEY", s.spki
	if s.leaf != nil {
		kind, want = "CERTIFICATE", s.leaf.Raw
	}
	if block == nil || block.Type != kind || len(block.Headers) > 0 || len(bytes.TrimSpace(rest)) > 0 || !bytes.Equal(block.Bytes, want) {
		return errDiffers
	}
	return nil
}

var errDiffers = errors.New("differs")

func only(v strictjson.Value) (strictjson.Value, error) {
	list, err := v.Elements()
	if err != nil {
		return strictjson.Value{}, err
	}
	if len(list) != 1 {
		return strictjson.Value{}, fmt.Errorf("holds %d signatures, want 1", len(list))
	}
	return list[0], nil
}

func equalText(v strictjson.Value, want string) error {
	got, err := v.Text()
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("is %q, want %q", cut(got), want)
	}
	return nil
}

func equalBytes(v strictjson.Value, want []byte) error {
	got, err := v.Base64()
	if err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return errDiffers
	}
	return nil
}

func equalHash(v strictjson.Value, algorithm string, want []byte) error {
	o, err := v.Object("algorithm", "value")
	if err != nil {
		return err
	}
	if err := equalText(o.Get("algorithm"), algorithm); err != nil {
		return err
	}
	return equalText(o.Get("value"), hex.EncodeToString(want))
}

// anyHash demands that v is a SHA-256 digest.
func anyHash(v strictjson.Value) error {
	o, err := v.Object("algorithm", "value")
	if err != nil {
		return err
	}
	if err := equalText(o.Get("algorithm"), "sha256"); err != nil {
		return err
	}
	text, err := o.Get("value").Text()
	if err != nil {
		return err
	}
	if raw, err := hex.DecodeString(text); err != nil || len(raw) != sha256.Size || hex.EncodeToString(raw) != text {
		return errors.New("malformed digest")
	}
	return nil
}
