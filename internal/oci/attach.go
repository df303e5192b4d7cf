package oci

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	gcr "github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// Bundle is a signed bundle that is to be attached.
type Bundle struct {
	Data      []byte
	Predicate string    // predicate type of its statement
	Created   time.Time // written into the annotations
	Message   bool      // signs the bytes themselves, not a statement
}

// newManifest is a manifest with the blobs that it names.
type newManifest struct {
	raw   []byte
	desc  Descriptor
	blobs []newBlob
}

type newBlob struct {
	mediaType string
	data      []byte
}

// manifestDocument is what is written, as cosign writes it: an artefact without config (image-spec, "Guidelines for
// Artifact Usage") whose subject is the image.
type manifestDocument struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	ArtifactType  string            `json:"artifactType"`
	Config        Descriptor        `json:"config"`
	Layers        []Descriptor      `json:"layers"`
	Subject       Descriptor        `json:"subject"`
	Annotations   map[string]string `json:"annotations"`
}

// Attach attaches a bundle to what digest names and returns the descriptor of the new referrer. Registries without the
// referrers API get the fallback tag. In the end the place must list what was attached.
func (p *Place) Attach(ctx context.Context, digest string, b Bundle) (Descriptor, error) {
	if len(b.Data) > MaxPayload {
		return Descriptor{}, fault.Usagef(p.object(digest), "the bundle exceeds %d bytes", MaxPayload)
	}
	subject, err := p.Manifest(ctx, Descriptor{Digest: digest})
	if err != nil {
		return Descriptor{}, err
	}
	m, err := referTo(subject, b)
	if err != nil {
		return Descriptor{}, err
	}
	for range attachAttempts {
		if err := p.back.attach(ctx, m); err != nil {
			return Descriptor{}, err
		}
		list, err := p.Referrers(ctx, digest)
		if err != nil {
			return Descriptor{}, err
		}
		for _, d := range list {
			if d.Digest == m.desc.Digest {
				return m.desc, nil
			}
		}
	}
	return Descriptor{}, fault.Inconclusivef(p.object(digest), "the bundle was stored and is not listed as a referrer")
}

func referTo(subject *Manifest, b Bundle) (newManifest, error) {
	config := newBlob{typeEmpty, []byte("{}")}
	layer := newBlob{TypeBundle, b.Data}
	annotations := map[string]string{annotationCreated: b.Created.UTC().Format(time.RFC3339), AnnotationContent: "dsse-envelope", AnnotationPredicate: b.Predicate}
	if b.Message {
		annotations[AnnotationContent] = "message-signature"
		delete(annotations, AnnotationPredicate)
	}
	raw, err := json.Marshal(manifestDocument{SchemaVersion: 2, MediaType: TypeManifest, ArtifactType: TypeBundle, Config: config.descriptor(),
		Layers: []Descriptor{layer.descriptor()}, Subject: Descriptor{MediaType: subject.MediaType, Digest: subject.Digest, Size: int64(len(subject.Raw))}, Annotations: annotations})
	if err != nil {
		return newManifest{}, fault.Failf("manifest", "cannot be written: %w", err)
	}
	return newManifest{raw: raw, blobs: []newBlob{config, layer},
		desc: Descriptor{MediaType: TypeManifest, Digest: digestOf(raw), Size: int64(len(raw)), ArtifactType: TypeBundle, Annotations: annotations}}, nil
}

func (b newBlob) descriptor() Descriptor {
	return Descriptor{MediaType: b.mediaType, Digest: digestOf(b.data), Size: int64(len(b.data))}
}

// attach pushes blobs, manifest and, where the registry needs it, the fallback tag.
func (r *registry) attach(ctx context.Context, m newManifest) error {
	auth, err := r.credentials(ctx)
	if err != nil {
		return err
	}
	opts := []gcr.Option{gcr.WithContext(ctx), gcr.WithAuth(auth), gcr.WithTransport(r.guard)}
	for _, b := range m.blobs {
		if err := gcr.WriteLayer(r.repo, static.NewLayer(b.data, types.MediaType(b.mediaType)), opts...); err != nil {
			return r.failed(ctx, r.repo.Name(), err)
		}
	}
	target, err := name.NewDigest(r.repo.Name()+"@"+m.desc.Digest, name.StrictValidation)
	if err != nil {
		return fault.Failf(fault.Quote(r.ref.String()), "unusable address")
	}
	if err := gcr.Put(target, taggable(m), opts...); err != nil {
		return r.failed(ctx, r.repo.Name(), err)
	}
	return nil
}

// taggable is a manifest as go-containerregistry wants it.
type taggable newManifest

// RawManifest implements gcr.Taggable.
func (t taggable) RawManifest() ([]byte, error) { return t.raw, nil }

// MediaType tells gcr.Put the media type.
func (t taggable) MediaType() (types.MediaType, error) {
	return types.MediaType(t.desc.MediaType), nil
}

func (d Descriptor) v1() (v1.Descriptor, error) {
	h, err := v1.NewHash(d.Digest)
	return v1.Descriptor{MediaType: types.MediaType(d.MediaType), Digest: h, Size: d.Size, ArtifactType: d.ArtifactType, Annotations: d.Annotations}, err
}
