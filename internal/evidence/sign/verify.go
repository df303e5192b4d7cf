package sign

import (
	bundlepb "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/options"
	"time"

	"github.com/glassbuild/glassbuild/internal/evidence"
	"github.com/glassbuild/glassbuild/internal/fault"
)

// verify reads back what was made, as every reader will, and holds it against the trusted root: a service that answers
// with something else than the trusted root promises must be noticed here, not by the customer.
func (s *Signer) verify(data []byte, b *bundlepb.Bundle) error {
	if _, err := evidence.Parse("new bundle", data); err != nil {
		return err
	}
	if s.trusted == nil {
		return nil
	}
	material := root.TrustedMaterialCollection{s.trusted}
	var config []verify.VerifierOption
	if s.opt.Key != nil {
		material = append(material, s.ownKey(b.GetMessageSignature() != nil))
	}
	if len(s.logs) > 0 {
		config = append(config, verify.WithTransparencyLog(len(s.logs)))
	}
	switch {
	case len(s.stamps) > 0:
		config = append(config, verify.WithSignedTimestamps(len(s.stamps)))
	case s.opt.Key != nil:
		config = append(config, verify.WithNoObserverTimestamps())
	default:
		config = append(config, verify.WithIntegratedTimestamps(1))
	}
	verifier, err := verify.NewVerifier(material, config...)
	if err != nil {
		return fault.Failf("new bundle", "cannot be verified: %w", err)
	}
	read, err := bundle.NewBundle(b)
	if err != nil {
		return fault.Failf("new bundle", "does not verify: %w", err)
	}
	artefact := verify.WithoutArtifactUnsafe()
	if m := b.GetMessageSignature(); m != nil {
		artefact = verify.WithArtifactDigest("sha256", m.GetMessageDigest().GetDigest())
	}
	if _, err := verifier.Verify(read, verify.NewPolicy(artefact, verify.WithoutIdentitiesUnsafe())); err != nil {
		return fault.Failf("new bundle", "does not verify: %s", fault.Quote(shorten(err.Error()))).
			WithHint("signing config and trusted root belong to different instances, or a service is not what it says")
	}
	return nil
}

func (s *Signer) ownKey(message bool) root.TrustedMaterial {
	return root.NewTrustedPublicKeyMaterial(func(string) (root.TimeConstrainedVerifier, error) {
		var load []signature.LoadOption
		if message {
			load = append(load, options.WithED25519ph())
		}
		v, err := signature.LoadDefaultVerifier(s.opt.Key.public, load...)
		if err != nil {
			return nil, err
		}
		return root.NewExpiringKey(v, time.Time{}, time.Time{}), nil
	})
}
