package verify

import (
	"context"
	"errors"
	"io/fs"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/oci"
	"github.com/glassbuild/glassbuild/internal/remote"
)

// image judges what a reference names: the digest that it leads to. A tag is resolved once.
func (c *checker) image(ctx context.Context, text string, yield func(*subject) bool) error {
	ref, err := oci.Parse(text)
	if err != nil {
		return fault.Usagef(fault.Quote(text), "cannot be read: %w", fs.ErrNotExist).WithHint("a subject is a file, a folder, sha256:…, - or an image (REGISTRY/NAME:TAG, oci:DIR)")
	}
	s := &subject{name: ref.Name(), beside: newLibrary()}
	d, list, err := c.attached(ctx, text)
	switch {
	case err != nil && fault.ClassOf(err) == fault.Usage:
		return err
	case err != nil:
		s.err = err
	default:
		s.sum, s.size = strings.TrimPrefix(d.Digest, "sha256:"), max(d.Size, 0)
		for _, a := range list {
			s.beside.take(a.Name(), "", a.Data)
		}
	}
	yield(s)
	return ctx.Err()
}

// attached resolves a reference and reads what is attached to it.
func (c *checker) attached(ctx context.Context, text string) (oci.Descriptor, []oci.Attached, error) {
	ref, err := oci.Parse(text)
	if err != nil {
		return oci.Descriptor{}, nil, err
	}
	client, err := c.client(ref)
	if err != nil {
		return oci.Descriptor{}, nil, err
	}
	place, err := oci.Open(ref, oci.Options{Remote: client})
	if err != nil {
		return oci.Descriptor{}, nil, err
	}
	defer place.Close()
	d := oci.Descriptor{Digest: ref.Digest()}
	if d.Digest == "" {
		if d, err = place.Resolve(ctx); err != nil {
			return d, nil, err
		}
	}
	list, err := place.Attached(ctx, d.Digest)
	return d, readable(list), err
}

// client returns the dialer for a remote reference, none for a local one.
func (c *checker) client(ref oci.Reference) (*remote.Client, error) {
	if !ref.Remote() {
		return nil, nil
	}
	return c.dialer()
}

// readable leaves out the attachments of old cosign versions whose signatures stand in annotations: they are no bundles.
func readable(list []oci.Attached) []oci.Attached {
	var out []oci.Attached
	for _, a := range list {
		if a.MediaType != oci.TypeSimpleSigning {
			out = append(out, a)
		}
	}
	return out
}

// repository tells whether a place is a repository without tag and digest: it is asked for each artefact.
func repository(place string) bool {
	_, tagged := oci.Parse(place)
	_, err := oci.Parse(place + "@sha256:" + strings.Repeat("0", 64))
	return tagged != nil && err == nil && !strings.Contains(place, "@")
}

// ask reads what the repositories of a library hold about one artefact.
func (c *checker) ask(ctx context.Context, l *library, sum string) (*library, error) {
	if len(l.repos) == 0 {
		return l, nil
	}
	own := newLibrary()
	for _, repo := range l.repos {
		_, list, err := c.attached(ctx, repo+"@sha256:"+sum)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, a := range list {
			own.take(a.Name(), "", a.Data)
		}
	}
	return own, nil
}
