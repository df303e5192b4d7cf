package verify

import (
	"context"
	"os"
	"time"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/gomod"
	"github.com/glassbuild/glassbuild/internal/kit"
	"github.com/glassbuild/glassbuild/internal/oci"
	"github.com/glassbuild/glassbuild/internal/store"
)

// PushKit stores a kit in a registry, its signatures with it. What is there already is not sent again.
func PushKit(ctx context.Context, req KitRequest, ref string) (digest string, err error) {
	to, err := parseTag(ref)
	if err != nil {
		return "", err
	}
	k, m, blobs, done, err := loadKit(ctx, req.Kit, req.CacheDir, false)
	if err != nil {
		return "", err
	}
	defer done()
	s, err := k.Resealed(m, blobs)
	if err != nil {
		return "", err
	}
	client, err := gomod.NewRemote(false)
	if err != nil {
		return "", err
	}
	place, err := oci.Open(to, oci.Options{Remote: client})
	if err != nil {
		return "", err
	}
	defer place.Close()
	d, err := s.Push(ctx, place)
	if err != nil {
		return "", err
	}
	for _, b := range k.Bundles {
		if _, err := place.Attach(ctx, d.Digest, oci.Bundle{Data: b, Message: true, Created: time.Unix(0, 0)}); err != nil {
			return "", err
		}
	}
	return d.Digest, nil
}

func parseTag(text string) (oci.Reference, error) {
	ref, err := oci.Parse(text)
	if err == nil && !ref.Remote() {
		err = fault.Usagef(fault.Quote(text), "is no tag in a registry").WithHint("REGISTRY/NAME:TAG")
	}
	return ref, err
}

// PullKit brings a kit from a registry, or from anywhere else, into one file. What an interrupted pull brought is not fetched again.
func PullKit(ctx context.Context, req KitRequest, out string) (*PackResult, error) {
	if _, err := os.Lstat(out); err == nil {
		return nil, fault.Usagef(fault.Quote(out), "is there already").WithHint("name a file that does not exist yet")
	}
	client, err := gomod.NewRemote(false)
	if err != nil {
		return nil, err
	}
	place, err := kit.At(req.Kit, oci.Options{Remote: client})
	if err != nil {
		return nil, err
	}
	defer place.Close()
	dir := out + partial
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fault.Usagef(fault.Quote(dir), "cannot be written: %w", bare(err))
	}
	blobs, err := store.Open(dir)
	if err != nil {
		return nil, err
	}
	k, err := kit.Open(ctx, place, blobs)
	if err != nil {
		return nil, err
	}
	_, m, err := kit.Read(ctx, place)
	if err != nil {
		return nil, err
	}
	s, err := k.Resealed(m, blobs)
	if err != nil {
		return nil, err
	}
	for _, b := range k.Bundles {
		if err := s.Attach(b); err != nil {
			return nil, err
		}
	}
	if err := writeKit(ctx, s, dir+"/kit", out); err != nil {
		return nil, err
	}
	return &PackResult{Digest: s.Digest, Size: s.Size, Document: k.Document}, store.RemoveAll(dir)
}
