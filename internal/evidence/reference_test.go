package evidence_test

import (
	"bytes"
	"crypto"
	"encoding/hex"
	"encoding/pem"
	"testing"
	"time"

	"crypto/x509"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"

	"github.com/glassbuild/glassbuild/internal/evidence"
)

// reference holds an acceptance against the reference client: what this package accepts, sigstore-go must accept too.
// The other way round it does not hold, and is not meant to.
func reference(t *testing.T, rootJSON []byte, v *vector, got *evidence.Verified) {
	t.Helper()
	if got.Format() != evidence.FormatBundle01 && got.Format() != evidence.FormatBundle02 && got.Format() != evidence.FormatBundle03 {
		return
	}
	for line := range bytes.SplitSeq(append(bytes.Clone(v.Evidence), "\n"...), []byte("\n")) {
		if b, err := evidence.Parse("", line); err == nil && b.SHA256() == got.SHA256() {
			if err := accepts(rootJSON, line, v.Options, got.Signers()[0]); err != nil {
				t.Errorf("sigstore-go refuses what was accepted here: %v", err)
			}
			return
		}
	}
	if err := accepts(rootJSON, v.Evidence, v.Options, got.Signers()[0]); err != nil {
		t.Errorf("sigstore-go refuses what was accepted here: %v", err)
	}
}

// accepts asks sigstore-go, for the signer that was found.
func accepts(rootJSON, data []byte, o options, signer evidence.Signer) error {
	tr, err := root.NewTrustedRootFromJSON(rootJSON)
	if err != nil {
		return err
	}
	var b bundle.Bundle
	if err := b.UnmarshalJSON(data); err != nil {
		return err
	}
	digest, err := hex.DecodeString(o.Digests["sha256"])
	if err != nil {
		return err
	}
	config := []verify.VerifierOption{verify.WithTransparencyLog(max(o.Require.Logs, 1)), verify.WithObserverTimestamps(max(o.Require.Timestamps, 1))}
	if o.Require.NoLog {
		config = config[1:]
	}
	material := root.TrustedMaterialCollection{tr}
	policy := []verify.PolicyOption{verify.WithKey()}
	if b.VerificationMaterial.GetPublicKey() == nil {
		id, err := verify.NewShortCertificateIdentity(signer.Certificate.Issuer, "", signer.Certificate.Identity, "")
		if err != nil {
			return err
		}
		policy = []verify.PolicyOption{verify.WithCertificateIdentity(id)}
		if !o.Require.NoSCT {
			config = append(config, verify.WithSignedCertificateTimestamps(1))
		}
	} else {
		material = append(material, keys(o, signer.Principal))
	}
	verifier, err := verify.NewVerifier(material, config...)
	if err != nil {
		return err
	}
	_, err = verifier.Verify(&b, verify.NewPolicy(verify.WithArtifactDigest("sha256", digest), policy...))
	return err
}

// keys gives sigstore-go the principal's key, whatever the hint.
func keys(o options, name string) root.TrustedMaterial {
	return root.NewTrustedPublicKeyMaterial(func(string) (root.TimeConstrainedVerifier, error) {
		var err error
		for _, p := range o.Principals {
			block, _ := pem.Decode([]byte(p.Key))
			if block == nil || p.Name != name {
				continue
			}
			var public crypto.PublicKey
			if public, err = x509.ParsePKIXPublicKey(block.Bytes); err != nil {
				continue
			}
			v, err := signature.LoadDefaultVerifier(public)
			if err != nil {
				return nil, err
			}
			return root.NewExpiringKey(v, time.Time{}, time.Time{}), nil
		}
		return nil, err
	})
}
