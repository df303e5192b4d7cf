package artifact

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/glassbuild/glassbuild/internal/archive"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/oci"
)

// Pull writes what the reference of a place names into dir, as an OCI image layout: an image, or every image of an index.
// Whatever is written has the digest that names it; all of it together is bounded as any artefact is.
func Pull(ctx context.Context, place *oci.Place, dir string) error {
	d, err := place.Resolve(ctx)
	if err != nil {
		return err
	}
	p := &puller{place: place, blobs: filepath.Join(dir, "blobs", "sha256"), left: archive.MaxExpanded}
	if err := os.MkdirAll(p.blobs, 0o755); err != nil {
		return fault.Inconclusivef(fault.Quote(dir), "no space writing: %w", reason(err))
	}
	if err := p.manifest(ctx, d, 0); err != nil {
		return err
	}
	index, err := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": oci.TypeIndex, "manifests": []oci.Descriptor{d}})
	if err != nil {
		return err
	}
	for name, data := range map[string][]byte{"oci-layout": []byte(`{"imageLayoutVersion":"1.0.0"}`), "index.json": index} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return fault.Inconclusivef(fault.Quote(dir), "no space writing: %w", reason(err))
		}
	}
	return nil
}

type puller struct {
	place *oci.Place
	blobs string
	left  int64
}

// manifest writes a manifest and what it names. What BuildKit puts beside images (platform unknown) is left out.
func (p *puller) manifest(ctx context.Context, d oci.Descriptor, depth int) error {
	m, err := p.place.Manifest(ctx, d)
	if err != nil {
		return err
	}
	if depth > oci.MaxNesting {
		return fault.Failf(fault.Quote(d.Digest), "exceeds limit: indexes nested deeper than %d", oci.MaxNesting)
	}
	if err := p.write(d.Digest, strings.NewReader(string(m.Raw))); err != nil {
		return err
	}
	for _, inner := range m.Manifests {
		if inner.Platform != nil && inner.Platform.OS == "unknown" {
			continue
		}
		if err := p.manifest(ctx, inner, depth+1); err != nil {
			return err
		}
	}
	if m.Index {
		return nil
	}
	for _, b := range append([]oci.Descriptor{m.Config}, m.Layers...) {
		if _, err := os.Stat(p.path(b.Digest)); err == nil {
			continue
		}
		r, err := p.place.Blob(ctx, b, p.left)
		if err != nil {
			return err
		}
		err = p.write(b.Digest, r)
		r.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *puller) path(digest string) string {
	return filepath.Join(p.blobs, strings.TrimPrefix(digest, "sha256:"))
}

// write stores a blob. The reader fails where size or digest is another.
func (p *puller) write(digest string, r io.Reader) error {
	f, err := os.OpenFile(p.path(digest), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return fault.Inconclusivef(fault.Quote(p.blobs), "no space writing: %w", reason(err))
	}
	n, err := io.CopyBuffer(struct{ io.Writer }{f}, r, make([]byte, copyBuffer))
	if p.left -= n; err == nil {
		err = f.Close()
	} else {
		f.Close()
	}
	return err
}
