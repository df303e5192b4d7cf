package builder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/glassbuild/glassbuild/internal/builder/rootfs"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/oci"
)

// imageKind is the kind of the store's trees and results; imageLayout changes when the same layers are laid otherwise.
const (
	imageKind   = "image-root"
	imageLayout = "1"
)

// image is one image on its way to a root (OCI image specification 1.1).
type image struct {
	ref      oci.Reference
	platform string
	opts     Options
	place    *oci.Place // nil until something is not in the store
}

// imageLayer returns an image as one layer, the whole root, and the environment that it asks for. Its digest is the one that
// the recipe names: everything below hangs from it.
func imageLayer(ctx context.Context, text, platform string, opts Options) (*Layer, map[string]string, error) {
	ref, err := oci.Parse(text)
	if err != nil {
		return nil, nil, err
	}
	if ref.Digest() == "" {
		return nil, nil, fault.Usagef("builder image", "%s: pin by digest", fault.Quote(text))
	}
	i := &image{ref: ref, platform: platform, opts: opts}
	defer i.close()
	m, err := i.choose(ctx)
	if err != nil {
		return nil, nil, i.named(err)
	}
	config, err := i.config(ctx, m)
	if err != nil {
		return nil, nil, i.named(err)
	}
	dir, err := i.laid(ctx, m, config)
	if err != nil {
		return nil, nil, i.named(err)
	}
	hex := strings.TrimPrefix(ref.Digest(), "sha256:")
	layer := &Layer{Name: "image", Version: hex[:12], Dir: dir, Target: "/", Digest: ref.Digest(), Packages: imagePackages(dir)}
	return layer, config.env, nil
}

func (i *image) object() string { return "image " + fault.Quote(i.ref.String()) }

// named gives an error without a class one: what could not be had decides nothing.
func (i *image) named(err error) error {
	var f *fault.Error
	if err == nil || errors.As(err, &f) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return named(err)
	}
	return fault.Inconclusivef(i.object(), "%w", err).WithCheck(CheckAvailable)
}

func (i *image) close() {
	if i.place != nil {
		i.place.Close()
	}
}

// open opens the place that the image lies in, when something has to be read from it.
func (i *image) open() (*oci.Place, error) {
	if i.place == nil {
		if i.ref.Remote() && (i.opts.Offline || i.opts.Remote == nil) {
			return nil, fault.Inconclusivef(i.object(), "is not kept, and the run is offline").WithHint("run once without --offline")
		}
		var err error
		if i.place, err = oci.Open(i.ref, oci.Options{Remote: i.opts.Remote}); err != nil {
			return nil, err
		}
	}
	return i.place, nil
}

// document returns a small document by its descriptor, from the store or from the place.
func (i *image) document(ctx context.Context, d oci.Descriptor, limit int64, read func(*oci.Place) ([]byte, error)) ([]byte, error) {
	sum := strings.TrimPrefix(d.Digest, "sha256:")
	if !i.opts.Store.Has(sum) {
		place, err := i.open()
		if err != nil {
			return nil, err
		}
		raw, err := read(place)
		if err != nil {
			return nil, err
		}
		if b, err := i.opts.Store.Put(ctx, bytes.NewReader(raw), limit); err != nil || b.SHA256 != sum {
			return nil, errors.Join(err, fault.Failf(i.object(), "digest mismatch: %s has the digest sha256:%s", d.Digest, b.SHA256))
		}
		return raw, nil
	}
	f, err := i.opts.Store.OpenBlob(sum)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fault.Failf(i.object(), "exceeds limit: %s has more than %d bytes", d.Digest, limit)
	}
	return data, err
}

func (i *image) manifest(ctx context.Context, d oci.Descriptor) (*oci.Manifest, error) {
	raw, err := i.document(ctx, d, oci.MaxManifest, func(p *oci.Place) ([]byte, error) {
		m, err := p.Manifest(ctx, d)
		if err != nil {
			return nil, err
		}
		return m.Raw, nil
	})
	if err != nil {
		return nil, err
	}
	return oci.ParseManifest(i.object(), raw, d)
}

// choose returns the manifest of the one image that is for the platform.
func (i *image) choose(ctx context.Context) (*oci.Manifest, error) {
	d := oci.Descriptor{Digest: i.ref.Digest()}
	for range oci.MaxNesting + 1 {
		m, err := i.manifest(ctx, d)
		if err != nil || !m.Index {
			return m, err
		}
		var found []oci.Descriptor
		var others []string
		for _, e := range m.Manifests {
			if p := e.Platform; p != nil && p.OS+"/"+p.Architecture == i.platform {
				found = append(found, e)
			} else if p != nil {
				others = append(others, fault.Quote(p.String()))
			}
		}
		if len(found) != 1 {
			return nil, fault.Usagef(i.object(), "choose platform: %d images for %s in the index, beside %s", len(found), i.platform, strings.Join(others, ", ")).
				WithHint("name the digest of the image itself in the recipe")
		}
		d = found[0]
	}
	return nil, fault.Failf(i.object(), "exceeds limit: indexes nested deeper than %d", oci.MaxNesting)
}

// laid returns the folder of the root, checked in full: the kept one, or one that is laid anew.
func (i *image) laid(ctx context.Context, m *oci.Manifest, config *imageConfig) (string, error) {
	key := imageLayout + " " + m.Digest
	if dir, _, err := openRoot(ctx, i.opts.Store, imageKind, key); err == nil || ctx.Err() != nil {
		return dir, err
	}
	if err := i.opts.Store.DropTree(imageKind, key); err != nil {
		return "", fmt.Errorf("the kept root was changed on disk and cannot be removed: %w", err)
	}
	for _, d := range m.Layers {
		if err := i.fetch(ctx, d); err != nil {
			return "", err
		}
	}
	_, err := publishRoot(i.opts.Store, imageKind, key, func(stage *rootfs.Stage) (*rootfs.Tree, error) {
		layers, err := i.unpack(ctx, m, config, stage)
		if err != nil {
			return nil, err
		}
		tree := rootfs.NewTree()
		for _, entries := range layers {
			if err := layOver(tree, entries); err != nil {
				return nil, err
			}
		}
		return tree, nil
	})
	if err != nil {
		return "", err
	}
	dir, _, err := openRoot(ctx, i.opts.Store, imageKind, key)
	if err != nil {
		return "", fmt.Errorf("the root was changed while it was prepared: %w", err)
	}
	return dir, nil
}

// fetch brings a layer into the store.
func (i *image) fetch(ctx context.Context, d oci.Descriptor) error {
	sum := strings.TrimPrefix(d.Digest, "sha256:")
	if i.opts.Store.Has(sum) {
		return nil
	}
	place, err := i.open()
	if err != nil {
		return err
	}
	r, err := place.Blob(ctx, d, maxImageLayer)
	if err != nil {
		return err
	}
	defer r.Close()
	b, err := i.opts.Store.Put(ctx, r, maxImageLayer)
	if err == nil && b.SHA256 != sum {
		err = fault.Failf(i.object(), "digest mismatch: layer %s has the digest sha256:%s", d.Digest, b.SHA256)
	}
	return err
}

// imagePackages lists what dpkg's own list in a root names: nothing where there is none, or where it cannot be read. It says what the
// image says of itself and decides nothing.
func imagePackages(dir string) []Package {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil
	}
	defer root.Close()
	f, err := root.Open("var/lib/dpkg/status")
	if err != nil {
		return nil
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		return nil
	}
	list, err := installed(f)
	if err != nil {
		return nil
	}
	return list
}
