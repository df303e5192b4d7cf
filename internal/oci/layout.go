package oci

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	gcrlayout "github.com/google/go-containerregistry/pkg/v1/layout"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// Files of an image layout (image-spec, image-layout.md).
const (
	layoutFile = "oci-layout"
	indexFile  = "index.json"
)

// layout is an image layout in a folder or in an archive.
type layout struct {
	ref   Reference
	files files
}

// files gives plain files by their clean relative name. What is not there is fs.ErrNotExist.
type files interface {
	open(name string) (io.ReadCloser, error)
	top() []string // names at the top
	close() error
}

// folder reads below one folder, whatever links say.
type folder struct{ root *os.Root }

func (f folder) open(name string) (io.ReadCloser, error) {
	st, err := f.root.Lstat(name)
	if err != nil {
		return nil, bare(err)
	}
	if !st.Mode().IsRegular() {
		return nil, errors.New("is not a plain file")
	}
	r, err := f.root.Open(name)
	if err != nil {
		return nil, bare(err)
	}
	return r, nil
}

func (f folder) close() error { return f.root.Close() }

func bare(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

func openLayout(ref Reference) (*layout, error) {
	root, err := os.OpenRoot(ref.place)
	if err != nil {
		return nil, fault.Usagef(fault.Quote(ref.Name()), "cannot be read: %w", bare(err))
	}
	l := &layout{ref, folder{root}}
	for _, name := range []string{layoutFile, indexFile} {
		r, err := l.files.open(name)
		if err != nil {
			root.Close()
			return nil, fault.Usagef(fault.Quote(ref.Name()), "is no OCI image layout: %s: %w", name, err)
		}
		r.Close()
	}
	return l, nil
}

func (l *layout) close() error { return l.files.close() }

func (l *layout) read(name string, limit int64) ([]byte, error) {
	object := fault.Quote(l.ref.Name() + "/" + name)
	r, err := l.files.open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Inconclusivef(object, "is not there: %w", fs.ErrNotExist)
	}
	if err != nil {
		return nil, fault.Failf(object, "cannot be read: %w", err)
	}
	defer r.Close()
	return readAll(r, object, limit)
}

func (l *layout) index() ([]Descriptor, error) {
	raw, err := l.read(indexFile, MaxManifest)
	if err != nil {
		return nil, err
	}
	m, err := parseManifest(fault.Quote(l.ref.Name()+"/"+indexFile), raw, Descriptor{MediaType: TypeIndex})
	if err != nil {
		return nil, err
	}
	return m.Manifests, nil
}

func blobName(digest string) string {
	return path.Join("blobs", "sha256", strings.TrimPrefix(digest, "sha256:"))
}

// image tells whether a descriptor of an index is one of an image. Some writers give the media type of an image's config as the type of
// artefact.
func (d Descriptor) image() bool {
	switch d.ArtifactType {
	case "", typeConfig, typeDockerConfig:
		return true
	}
	return false
}

// resolve finds the one image that is meant. What is attached to images stands in the same index and is none.
func (l *layout) resolve(context.Context) ([]byte, Descriptor, error) {
	if l.ref.digest != "" {
		raw, err := l.read(blobName(l.ref.digest), MaxManifest)
		return raw, Descriptor{}, err
	}
	list, err := l.index()
	if err != nil {
		return nil, Descriptor{}, err
	}
	var found []Descriptor
	for _, d := range list {
		if l.ref.tag != "" && d.Annotations[annotationRefName] == l.ref.tag || l.ref.tag == "" && d.image() {
			found = append(found, d)
		}
	}
	if len(found) != 1 {
		return nil, Descriptor{}, fault.Usagef(fault.Quote(l.ref.String()), "holds %d images of that name", len(found)).WithHint("name one by its digest: %s@sha256:…", l.ref.Name())
	}
	raw, err := l.read(blobName(found[0].Digest), MaxManifest)
	if err == nil && digestOf(raw) != found[0].Digest {
		err = fault.Failf(fault.Quote(l.ref.Name()+"@"+found[0].Digest), "digest mismatch: the bytes have %s", digestOf(raw))
	}
	return raw, Descriptor{MediaType: found[0].MediaType}, err
}

func (l *layout) manifest(_ context.Context, digest string) ([]byte, string, error) {
	raw, err := l.read(blobName(digest), MaxManifest)
	return raw, "", err
}

func (l *layout) blob(_ context.Context, digest string) (io.ReadCloser, error) {
	r, err := l.files.open(blobName(digest))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Inconclusivef(fault.Quote(l.ref.Name()+"@"+digest), "is not there: %w", fs.ErrNotExist)
	}
	if err != nil {
		return nil, fault.Failf(fault.Quote(l.ref.Name()+"@"+digest), "cannot be read: %w", err)
	}
	return r, nil
}

// referrers looks through the index of the layout: there is no API, and what refers stands in it.
func (l *layout) referrers(_ context.Context, digest string) ([]Descriptor, error) {
	list, err := l.index()
	if err != nil {
		return nil, err
	}
	var out []Descriptor
	for _, d := range list {
		if d.MediaType != TypeManifest || d.Digest == digest {
			continue
		}
		raw, err := l.read(blobName(d.Digest), MaxManifest)
		if err != nil {
			return nil, err
		}
		m, err := parseManifest(fault.Quote(l.ref.Name()+"@"+d.Digest), raw, d)
		if err != nil {
			return nil, err
		}
		if m.Subject != nil && m.Subject.Digest == digest {
			out = append(out, d)
		}
		if len(out) > MaxReferrers {
			return nil, fault.Failf(fault.Quote(l.ref.Name()), "exceeds limit: more than %d referrers", MaxReferrers)
		}
	}
	return out, nil
}

// attach writes blobs and manifest, then the index.
func (l *layout) attach(_ context.Context, m newManifest) error {
	if _, ok := l.files.(folder); !ok {
		return fault.Usagef(fault.Quote(l.ref.Name()), "nothing can be attached to an archive").WithHint("push the image to a registry, or copy it to a layout, and attach there")
	}
	lp := gcrlayout.Path(l.ref.place)
	for _, b := range append(m.blobs, newBlob{m.desc.MediaType, m.raw}) {
		h, err := v1.NewHash(digestOf(b.data))
		if err == nil {
			err = lp.WriteBlob(h, io.NopCloser(bytes.NewReader(b.data)))
		}
		if err != nil {
			return fault.Inconclusivef(fault.Quote(l.ref.Name()), "cannot be written: %w", bare(err))
		}
	}
	list, err := l.index()
	if err != nil {
		return err
	}
	for _, d := range list {
		if d.Digest == m.desc.Digest {
			return nil
		}
	}
	d, err := m.desc.v1()
	if err == nil {
		err = lp.AppendDescriptor(d)
	}
	if err != nil {
		return fault.Inconclusivef(fault.Quote(l.ref.Name()), "cannot be written: %w", bare(err))
	}
	return nil
}
