// Package oci reads images, and what is attached to them, from registries, OCI image layouts and docker archives, and
// attaches signed evidence.
//
//	ref, err := oci.Parse("registry.example/team/tool:v1")     // or oci:DIR, docker-archive:FILE
//	place, err := oci.Open(ref, oci.Options{Remote: client})   // opens no connection yet
//	d, err := place.Resolve(ctx)                               // from here on everything is named by digest
//	m, err := place.Manifest(ctx, d)                           // index or manifest, checked against d
//	r, err := place.Blob(ctx, m.Layers[0])                     // ends with an error, not with EOF, if the bytes are others
//	list, err := place.Attached(ctx, d.Digest)                 // evidence; nothing of it is verified
//
// What it promises:
//
//   - Everything is content-addressed: a manifest is handed out only after its bytes were hashed, a blob ends with an
//     error unless size and digest hold. A tag is resolved once, by hashing what the registry answers; the digest that a
//     registry claims in a header counts for nothing.
//   - A document has one reading: duplicate keys, an index that is also a manifest, a media type that contradicts the
//     descriptor, layers that lie at other addresses are refused.
//   - Connections are opened by internal/remote alone: https, or http to this machine's own loopback; bounded answers;
//     redirects and token realms never lead from https to http. Credentials are docker's (its config file and the
//     programs that it names), and go to the registry that they are for.
//   - Every other claim of a registry (which digests refer to which, artifact types, annotations) is a hint where to look:
//     it is signed by nobody, and a referrer counts only if its own manifest names the subject.
//
// Formats: OCI image specification 1.1, OCI distribution specification 1.1 (referrers, and the tag schema of registries
// without them), docker manifest schema 2, the archives of docker save; sigstore/cosign specs/BUNDLE_SPEC.md for
// attached bundles.
package oci

import (
	"context"
	"errors"
	"io"
	"io/fs"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/remote"
)

// Media types that callers compare with.
const (
	TypeIndex          = "application/vnd.oci.image.index.v1+json"
	TypeManifest       = "application/vnd.oci.image.manifest.v1+json"
	TypeDockerList     = "application/vnd.docker.distribution.manifest.list.v2+json"
	TypeDockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	TypeBundle         = "application/vnd.dev.sigstore.bundle.v0.3+json"
	TypeEnvelope       = "application/vnd.dsse.envelope.v1+json"            // a layer of cosign's .att image
	TypeSimpleSigning  = "application/vnd.dev.cosign.simplesigning.v1+json" // a layer of cosign's .sig image
	typeEmpty          = "application/vnd.oci.empty.v1+json"                // image-spec, "Guidance for an empty descriptor"
	typeConfig         = "application/vnd.oci.image.config.v1+json"
	typeDockerConfig   = "application/vnd.docker.container.image.v1+json"
	typeDockerTar      = "application/vnd.docker.image.rootfs.diff.tar"
)

// Annotations of an attached bundle, as cosign writes them. They are hints: nobody signed them.
const (
	AnnotationContent   = "dev.sigstore.bundle.content"
	AnnotationPredicate = "dev.sigstore.bundle.predicateType"
	annotationCreated   = "org.opencontainers.image.created"
	annotationRefName   = "org.opencontainers.image.ref.name"
)

// Descriptor names content by digest. Only Digest is always set; a Size of 0 or less is not known.
type Descriptor struct {
	MediaType    string            `json:"mediaType"`
	Digest       string            `json:"digest"` // sha256: and 64 lower-case hex digits
	Size         int64             `json:"size"`
	ArtifactType string            `json:"artifactType,omitempty"`
	Annotations  map[string]string `json:"annotations,omitempty"`
	Platform     *Platform         `json:"platform,omitempty"`
}

// Platform is for what an image in an index was made.
type Platform struct {
	OS           string `json:"os"`
	Architecture string `json:"architecture"`
	Variant      string `json:"variant,omitempty"`
}

// String returns os/architecture, with the variant where there is one.
func (p *Platform) String() string {
	s := p.OS + "/" + p.Architecture
	if p.Variant != "" {
		s += "/" + p.Variant
	}
	return s
}

// Options say how a place is reached.
type Options struct {
	// Remote opens connections; required for a registry.
	Remote *remote.Client
	// Anonymous leaves docker's credentials alone.
	Anonymous bool
}

// Place is where an image lies. It is safe for concurrent use, but for Attach.
type Place struct {
	ref  Reference
	back backend
}

// backend is one kind of place. What it hands out is not verified: Place does that.
type backend interface {
	// resolve reads the manifest that the reference names.
	resolve(ctx context.Context) (raw []byte, d Descriptor, err error)
	// manifest reads the manifest of a digest, at most MaxManifest bytes.
	manifest(ctx context.Context, digest string) (raw []byte, mediaType string, err error)
	// blob opens the content of a digest.
	blob(ctx context.Context, digest string) (io.ReadCloser, error)
	// referrers lists what claims to refer to a digest.
	referrers(ctx context.Context, digest string) ([]Descriptor, error)
	// attach stores blobs and a manifest that refers to another one.
	attach(ctx context.Context, m newManifest) error
	close() error
}

// Open opens the place that a reference names, and no connection yet.
func Open(ref Reference, opt Options) (*Place, error) {
	var back backend
	var err error
	switch ref.kind {
	case inRegistry:
		back, err = openRegistry(ref, opt)
	case inLayout:
		back, err = openLayout(ref)
	case inArchive:
		back, err = openArchive(ref)
	default:
		return nil, fault.Usagef("image", "no reference was given")
	}
	if err != nil {
		return nil, err
	}
	return &Place{ref, back}, nil
}

// Close releases what the place holds.
func (p *Place) Close() error { return p.back.close() }

// Reference returns what was opened.
func (p *Place) Reference() Reference { return p.ref }

// Resolve returns the descriptor of what the reference names. Its digest is that of the bytes that were read.
func (p *Place) Resolve(ctx context.Context) (Descriptor, error) {
	raw, d, err := p.back.resolve(ctx)
	if err != nil {
		return Descriptor{}, err
	}
	if want := p.ref.digest; want != "" && digestOf(raw) != want {
		return Descriptor{}, fault.Failf(p.object(want), "digest mismatch: the bytes have %s", digestOf(raw))
	}
	d.Digest, d.Size = digestOf(raw), int64(len(raw))
	m, err := parseManifest(p.object(d.Digest), raw, d)
	if err != nil {
		return Descriptor{}, err
	}
	d.MediaType, d.ArtifactType = m.MediaType, m.ArtifactType
	return d, nil
}

// Manifest returns the index or manifest that d names. The digest must hold; size and media type must where d says them.
func (p *Place) Manifest(ctx context.Context, d Descriptor) (*Manifest, error) {
	if err := checkDigest(d.Digest); err != nil {
		return nil, fault.Failf(p.object(d.Digest), "%w", err)
	}
	raw, mediaType, err := p.back.manifest(ctx, d.Digest)
	if err != nil {
		return nil, err
	}
	if sum := digestOf(raw); sum != d.Digest {
		return nil, fault.Failf(p.object(d.Digest), "digest mismatch: the bytes have %s", sum)
	}
	if d.Size > 0 && d.Size != int64(len(raw)) {
		return nil, fault.Failf(p.object(d.Digest), "size mismatch: %d bytes, want %d", len(raw), d.Size)
	}
	if d.MediaType == "" {
		d.MediaType = mediaType
	}
	m, err := parseManifest(p.object(d.Digest), raw, d)
	if _, made := p.back.(*dockerArchive); made && err == nil {
		m.Made = true
	}
	return m, err
}

// Blob opens the content of a config or layer. The reader gives an error instead of io.EOF when size or digest is
// another, and never more bytes than d says, or limit where d does not say.
func (p *Place) Blob(ctx context.Context, d Descriptor, limit int64) (io.ReadCloser, error) {
	if err := checkDigest(d.Digest); err != nil {
		return nil, fault.Failf(p.object(d.Digest), "%w", err)
	}
	if d.Size > limit {
		return nil, fault.Failf(p.object(d.Digest), "exceeds limit: %d bytes, at most %d", d.Size, limit)
	}
	r, err := p.back.blob(ctx, d.Digest)
	if err != nil {
		return nil, err
	}
	return verified(r, p.object(d.Digest), d, limit), nil
}

// ReadBlob returns the content of a config or layer, at most limit bytes, see Blob.
func (p *Place) ReadBlob(ctx context.Context, d Descriptor, limit int64) ([]byte, error) {
	r, err := p.Blob(ctx, d, limit)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// Images lists the images that d stands for: itself, or those of an index, in their order. What BuildKit puts beside
// them (platform unknown/unknown) is left out.
func (p *Place) Images(ctx context.Context, d Descriptor) ([]Descriptor, error) {
	return p.images(ctx, d, 0)
}

func (p *Place) images(ctx context.Context, d Descriptor, depth int) ([]Descriptor, error) {
	m, err := p.Manifest(ctx, d)
	if err != nil {
		return nil, err
	}
	if !m.Index {
		d.MediaType = m.MediaType
		return []Descriptor{d}, nil
	}
	if depth >= MaxNesting {
		return nil, fault.Failf(p.object(d.Digest), "exceeds limit: indexes nested deeper than %d", MaxNesting)
	}
	var out []Descriptor
	for _, e := range m.Manifests {
		if e.Platform != nil && e.Platform.OS == "unknown" {
			continue
		}
		if e.MediaType != TypeIndex && e.MediaType != TypeDockerList {
			out = append(out, e)
			continue
		}
		inner, err := p.images(ctx, e, depth+1)
		if err != nil {
			return nil, err
		}
		if out = append(out, inner...); len(out) > MaxDescriptors {
			return nil, fault.Failf(p.object(d.Digest), "exceeds limit: more than %d images", MaxDescriptors)
		}
	}
	return out, nil
}

// object is how errors call content of this place.
func (p *Place) object(digest string) string { return fault.Quote(p.ref.Name() + "@" + digest) }

// notThere tells whether an error says that something is not there.
func notThere(err error) bool { return errors.Is(err, fs.ErrNotExist) }
