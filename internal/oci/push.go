package oci

import (
	"context"
	"io"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	gcr "github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// Unverified opens the content of a config or layer as it comes, at most limit bytes: whoever stores it by its digest hashes it
// anyway, and refuses it there.
func (p *Place) Unverified(ctx context.Context, d Descriptor, limit int64) (io.ReadCloser, error) {
	if err := checkDigest(d.Digest); err != nil {
		return nil, fault.Failf(p.object(d.Digest), "%w", err)
	}
	if d.Size > limit {
		return nil, fault.Failf(p.object(d.Digest), "exceeds limit: %d bytes, at most %d", d.Size, limit)
	}
	return p.back.blob(ctx, d.Digest)
}

// Beside lists what an archive or folder holds beside the layout, at its top.
func (p *Place) Beside() []string {
	l, ok := p.back.(*layout)
	if !ok {
		return nil
	}
	var out []string
	for _, name := range l.files.top() {
		if name != layoutFile && name != indexFile && name != "blobs" && name != "." {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (f folder) top() []string {
	d, err := f.root.Open(".")
	if err != nil {
		return nil
	}
	defer d.Close()
	names, _ := d.Readdirnames(MaxDescriptors)
	return names
}

func (p *packed) top() []string {
	var out []string
	for name := range p.members {
		first, _, _ := strings.Cut(name, "/")
		out = append(out, first)
	}
	return out
}

// Push stores a manifest and what it names in a registry, under the tag of the reference. What is there already is not sent again:
// a push that broke off goes on when it is repeated. open gives the bytes of config and layers.
func (p *Place) Push(ctx context.Context, raw []byte, open func(Descriptor) (io.ReadCloser, error)) (Descriptor, error) {
	r, ok := p.back.(*registry)
	if !ok || p.ref.tag == "" {
		return Descriptor{}, fault.Usagef(fault.Quote(p.ref.String()), "is no tag in a registry").WithHint("REGISTRY/NAME:TAG")
	}
	d := Descriptor{Digest: digestOf(raw), Size: int64(len(raw))}
	m, err := parseManifest(p.object(d.Digest), raw, d)
	if err != nil {
		return Descriptor{}, err
	}
	d.MediaType, d.ArtifactType = m.MediaType, m.ArtifactType
	auth, err := r.credentials(ctx)
	if err != nil {
		return Descriptor{}, err
	}
	opts := []gcr.Option{gcr.WithContext(ctx), gcr.WithAuth(auth), gcr.WithTransport(r.guard)}
	for _, b := range append([]Descriptor{m.Config}, m.Layers...) {
		if err := gcr.WriteLayer(r.repo, stored{b, open}, opts...); err != nil {
			return Descriptor{}, r.failed(ctx, r.repo.Name(), err)
		}
	}
	target, err := name.NewTag(r.repo.Name()+":"+p.ref.tag, name.StrictValidation)
	if err != nil {
		return Descriptor{}, fault.Failf(fault.Quote(p.ref.String()), "unusable address")
	}
	if err := gcr.Put(target, taggable(newManifest{raw: raw, desc: d}), opts...); err != nil {
		return Descriptor{}, r.failed(ctx, r.repo.Name(), err)
	}
	return d, nil
}

// stored is a blob as go-containerregistry wants it.
type stored struct {
	d    Descriptor
	open func(Descriptor) (io.ReadCloser, error)
}

// Digest implements v1.Layer, as the others do.
func (s stored) Digest() (v1.Hash, error)             { return v1.NewHash(s.d.Digest) }
func (s stored) DiffID() (v1.Hash, error)             { return v1.NewHash(s.d.Digest) }
func (s stored) Compressed() (io.ReadCloser, error)   { return s.open(s.d) }
func (s stored) Uncompressed() (io.ReadCloser, error) { return s.open(s.d) }
func (s stored) Size() (int64, error)                 { return s.d.Size, nil }
func (s stored) MediaType() (types.MediaType, error)  { return types.MediaType(s.d.MediaType), nil }
