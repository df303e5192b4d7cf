package kit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/glassbuild/glassbuild/internal/archive"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/oci"
	"github.com/glassbuild/glassbuild/internal/progress"
	"github.com/glassbuild/glassbuild/internal/store"
)

// Kit is a kit whose bytes are in a store.
type Kit struct {
	Document *Document
	Manifest []byte
	Digest   string   // of the manifest: names everything in the kit
	Size     int64    // of the content
	Ignored  []string // what is in it and was not read, because a kit supplies no trust
	Bundles  [][]byte // signatures of the manifest that came with it; none was judged
	name     string
}

// At opens the place that a kit is at: a file, a folder with an image layout, or a reference as package oci reads it.
func At(where string, opt oci.Options) (*oci.Place, error) {
	ref := oci.Archive(where)
	switch st, err := os.Stat(where); {
	case err == nil && st.IsDir():
		ref = oci.Layout(where)
	case err != nil && oci.IsReference(where):
		if ref, err = oci.Parse(where); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, fault.Usagef(fault.Quote(where), "cannot be read: %w", bare(err)).WithHint("a kit is a file, or REGISTRY/NAME:TAG")
	}
	p, err := oci.Open(ref, opt)
	return p, damaged(where, err)
}

// bundleType is what media types of Sigstore bundles begin with.
const bundleType = "application/vnd.dev.sigstore.bundle"

// damaged makes of an archive that ends too early, or whose own structure does not hold, what it is: bytes that are missing or
// changed, which decides nothing.
func damaged(where string, err error) error {
	var f *fault.Error
	if !errors.As(err, &f) || f.Class != fault.Failed {
		return err
	}
	why := ""
	switch text := f.Error(); {
	case strings.Contains(text, "truncated"):
		why = "bytes are missing"
	case strings.Contains(text, "malformed tar"):
		why = "bytes were changed"
	default:
		return err
	}
	return fault.Inconclusivef(fault.Quote(where), "is damaged: %s: %w", why, err).WithHint("copy it anew; sha256sum tells whether both copies are the same")
}

// Read reads what a kit says of itself, and nothing of its content.
func Read(ctx context.Context, place *oci.Place) (*Kit, *oci.Manifest, error) {
	object := fault.Quote(nameOf(place))
	d, err := place.Resolve(ctx)
	if err != nil {
		return nil, nil, unreadable(object, err)
	}
	m, err := place.Manifest(ctx, d)
	if err != nil {
		return nil, nil, unreadable(object, err)
	}
	if m.Index || m.ArtifactType != Type || m.Config.MediaType != TypeDocument {
		return nil, nil, fault.Usagef(object, "is no kit but %s", fault.Quote(m.ArtifactType)).WithHint("glassbuild kit pack makes one")
	}
	raw, err := place.ReadBlob(ctx, m.Config, MaxDocument)
	if err != nil {
		return nil, nil, unreadable(object+": its document", err)
	}
	k := &Kit{Manifest: m.Raw, Digest: d.Digest, name: object}
	if k.Document, err = Parse(raw); err != nil {
		return nil, nil, err
	}
	for _, l := range m.Layers {
		if k.Size += l.Size; l.Size > MaxBlob || k.Size > MaxKit {
			return nil, nil, fault.Failf(object, "exceeds limit: content of more than %d bytes", int64(MaxKit))
		}
	}
	list, err := place.Attached(ctx, d.Digest)
	if err != nil {
		return nil, nil, unreadable(object+": its signatures", err)
	}
	for _, a := range list {
		if strings.HasPrefix(a.MediaType, bundleType) {
			k.Bundles = append(k.Bundles, a.Data)
		}
	}
	k.ignore(place, m)
	return k, m, nil
}

// nameOf is what a person calls the place: the file, or the image without tag.
func nameOf(place *oci.Place) string {
	if path := place.Reference().Local(); path != "" {
		return filepath.Base(path)
	}
	return place.Reference().Name()
}

// unreadable is inconclusive: what cannot be read, or has other bytes than its name says, decides nothing.
func unreadable(object string, err error) error {
	var f *fault.Error
	if errors.As(err, &f) && f.Class == fault.Failed && strings.Contains(f.Error(), "mismatch") || errors.Is(err, fs.ErrNotExist) {
		return fault.Inconclusivef(object, "is damaged: %w", err)
	}
	return err
}

// ignore names what is in a kit and counts for nothing.
func (k *Kit) ignore(place *oci.Place, m *oci.Manifest) {
	for _, f := range k.Document.Files {
		if !slices.Contains(kinds, f.Kind) {
			k.Ignored = append(k.Ignored, fault.Quote(f.Name)+" ("+fault.Quote(f.Kind)+")")
		}
	}
	for _, l := range m.Layers {
		if l.MediaType != TypePack && l.MediaType != TypeFile && l.MediaType != TypeBundle {
			k.Ignored = append(k.Ignored, fault.Quote(l.MediaType)+" "+l.Digest)
		}
	}
	for _, name := range place.Beside() {
		k.Ignored = append(k.Ignored, fault.Quote(name))
	}
	slices.Sort(k.Ignored)
}

// Open reads a kit whole and puts its content into a store. A piece that is there already is not read again. It is an error if
// anything is missing that the document names.
func Open(ctx context.Context, place *oci.Place, into *store.Store) (*Kit, error) {
	k, m, err := Read(ctx, place)
	if err != nil {
		return nil, err
	}
	names := k.Document.content()
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(copiers)
	for _, l := range m.Layers {
		if l.MediaType != TypePack && l.MediaType != TypeFile && l.MediaType != TypeBundle {
			continue
		}
		group.Go(func() error { return k.take(gctx, place, l, into, title(l, names)) })
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for _, b := range sorted(names) {
		if !into.Has(b.sum) {
			return nil, fault.Inconclusivef(k.name, "is incomplete: %s (sha256:%s, %d bytes) is not in it", fault.Quote(b.title), b.sum, b.size)
		}
	}
	return k, nil
}

// title is what a layer is called in errors.
func title(l oci.Descriptor, names map[string]blob) string {
	sum := strings.TrimPrefix(l.Digest, "sha256:")
	if b, ok := names[sum]; ok && b.title != "" {
		return fault.Quote(b.title)
	}
	if l.MediaType == TypeBundle {
		return "its small files"
	}
	return l.Digest
}

// take puts one layer into the store.
func (k *Kit) take(ctx context.Context, place *oci.Place, l oci.Descriptor, into *store.Store, what string) error {
	limit := int64(MaxBlob)
	if l.MediaType == TypeBundle {
		limit = maxBundle
	}
	sum := strings.TrimPrefix(l.Digest, "sha256:")
	if !into.Has(sum) {
		r, err := place.Unverified(ctx, l, limit)
		if err != nil {
			return k.missing(what, l, err)
		}
		b, err := into.Put(ctx, progress.Reader(ctx, r, l.Size), l.Size+1)
		r.Close()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return k.missing(what, l, err)
		case b.SHA256 != sum || b.Size != l.Size:
			return fault.Inconclusivef(k.name, "is damaged: %s has %d bytes with the digest sha256:%s, want %d with %s", what, b.Size, b.SHA256, l.Size, l.Digest).
				WithHint("copy the kit anew")
		}
	}
	if l.MediaType == TypeBundle {
		return k.unbundle(ctx, sum, into)
	}
	return nil
}

func (k *Kit) missing(what string, l oci.Descriptor, err error) error {
	var f *fault.Error
	if errors.Is(err, fs.ErrNotExist) || errors.As(err, &f) && f.Class == fault.Failed {
		return fault.Inconclusivef(k.name, "is damaged: %s (%s, %d bytes): %w", what, l.Digest, l.Size, err)
	}
	return err
}

// unbundle takes the small files out of their archive. Each is called by its digest.
func (k *Kit) unbundle(ctx context.Context, sum string, into *store.Store) error {
	f, err := into.OpenBlob(sum)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return fault.Inconclusivef(k.name, "%w", bare(err))
	}
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(copiers)
	defer group.Wait()
	t := archive.NewTar(f, archive.NewMeter("small files of a kit", st.Size(), archive.Limits{Expanded: maxBundle}))
	for n := 0; ; n++ {
		e, err := t.Next()
		if err == io.EOF {
			return group.Wait()
		}
		if err != nil {
			return err
		}
		if e.Type != archive.File || e.Size > smallFile || n > maxFiles {
			return fault.Failf(k.name, "exceeds limit: %s among its small files", fault.Quote(e.Name))
		}
		data, err := io.ReadAll(t)
		if err != nil {
			return err
		}
		group.Go(func() error {
			b, err := into.Put(gctx, bytes.NewReader(data), smallFile)
			if err == nil && b.SHA256 != e.Name {
				err = fault.Inconclusivef(k.name, "is damaged: a small file called %s has the digest sha256:%s", fault.Quote(e.Name), b.SHA256)
			}
			return err
		})
		if gctx.Err() != nil {
			return group.Wait()
		}
	}
}

func sorted(m map[string]blob) []blob {
	out := make([]blob, 0, len(m))
	for _, b := range m {
		out = append(out, b)
	}
	slices.SortFunc(out, func(a, b blob) int { return strings.Compare(a.sum, b.sum) })
	return out
}

// Bytes returns a size for people.
func Bytes(n int64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%d bytes", n)
}
