package oci

import "github.com/glassbuild/glassbuild/internal/evidence/strictjson"

// What is read, counted or followed at most, checked before anything is parsed or allocated.
const (
	// MaxManifest bounds a manifest, an index and an answer that lists referrers. The distribution specification advises
	// registries to take manifests of 4 MiB at least, and none takes more.
	MaxManifest = 4 << 20
	// MaxDescriptors bounds the layers of a manifest and the entries of an index.
	MaxDescriptors = 10_000
	// MaxAnnotations bounds the annotations of one manifest or descriptor.
	MaxAnnotations = 256
	// MaxReferrers bounds the referrers of one digest.
	MaxReferrers = 4096
	// MaxPages bounds the pages on which a registry lists them.
	MaxPages = 64
	// MaxAttached bounds what all attached evidence of one digest may weigh together.
	MaxAttached = 256 << 20
	// MaxPayload bounds one piece of it.
	MaxPayload = 32 << 20
	// MaxNesting bounds indexes within indexes. No digest can name itself, so that there are no cycles, only depth.
	MaxNesting = 3
	// MaxReference bounds a reference as it is written.
	MaxReference = 1024
	// maxAnswer bounds every other answer of a registry: tokens, errors, uploads.
	maxAnswer = 1 << 20
	// maxErrorText bounds what of a registry's error is repeated.
	maxErrorText = 300
	// maxLinks bounds links that are followed inside a docker archive, which writes equal layers as links.
	maxLinks = 4
	// attachAttempts is how often a referrer is pushed that the registry then does not list: two writers of a fallback
	// tag can overwrite each other.
	attachAttempts = 3
)

var manifestLimits = strictjson.Limits{Bytes: MaxManifest, Depth: 16, Elements: MaxDescriptors + 1, Values: 1 << 18}
