package oci

import (
	"bytes"
	"io"
	"maps"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	gcrlayout "github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// NewImage is an image of one layer that is to be written.
type NewImage struct {
	Platform   Platform
	Layer      []byte // a tar, compressed with gzip
	Entrypoint []string
	User       string
	Labels     map[string]string
	Time       time.Time
}

// WriteLayout writes the images as one index into a new image layout in dir (image-spec, image-layout.md). The same images
// give the same bytes.
func WriteLayout(dir string, images []NewImage) error {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, n := range images {
		img, err := n.image()
		if err != nil {
			return err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{
			Platform: &v1.Platform{OS: n.Platform.OS, Architecture: n.Platform.Architecture, Variant: n.Platform.Variant}}})
	}
	place, err := gcrlayout.Write(dir, empty.Index)
	if err != nil {
		return err
	}
	return place.AppendIndex(index)
}

func (n NewImage) image() (v1.Image, error) {
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	when := v1.Time{Time: n.Time.UTC()}
	layer, err := partial.CompressedToLayer(gzipLayer{n.Layer})
	if err != nil {
		return nil, err
	}
	img, err = mutate.Append(img, mutate.Addendum{Layer: layer, History: v1.History{Created: when}})
	if err != nil {
		return nil, err
	}
	c, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	c = c.DeepCopy()
	c.OS, c.Architecture, c.Variant, c.Created = n.Platform.OS, n.Platform.Architecture, n.Platform.Variant, when
	c.Config.Entrypoint, c.Config.User, c.Config.Labels = n.Entrypoint, n.User, maps.Clone(n.Labels)
	return mutate.ConfigFile(img, c)
}

// gzipLayer is a layer whose compressed bytes are at hand and stay what they are.
type gzipLayer struct{ data []byte }

func (l gzipLayer) Digest() (v1.Hash, error) {
	h, _, err := v1.SHA256(bytes.NewReader(l.data))
	return h, err
}

func (l gzipLayer) Compressed() (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(l.data)), nil
}
func (l gzipLayer) Size() (int64, error)                { return int64(len(l.data)), nil }
func (l gzipLayer) MediaType() (types.MediaType, error) { return types.OCILayer, nil }
