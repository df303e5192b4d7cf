package kit

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"time"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/oci"
	"github.com/glassbuild/glassbuild/internal/progress"
	"github.com/glassbuild/glassbuild/internal/store"
)

// Sealed is a kit that is ready to be written: its manifest, its document, and where its content lies.
type Sealed struct {
	Digest   string // of the manifest
	Size     int64  // of the content
	manifest []byte
	document []byte
	layers   []oci.Descriptor
	blobs    *store.Store
	signed   []signature
}

// signature is a bundle that refers to the manifest.
type signature struct {
	manifest []byte
	desc     oci.Descriptor
	bundle   []byte
}

const (
	titleAnnotation = "org.opencontainers.image.title"
	emptyConfig     = "{}"
	typeEmpty       = "application/vnd.oci.empty.v1+json"
)

// Seal makes the manifest of a document whose content is in blobs.
func Seal(ctx context.Context, d *Document, blobs *store.Store) (*Sealed, error) {
	raw, err := d.Marshal()
	if err != nil {
		return nil, err
	}
	if _, err := Parse(raw); err != nil { // what is written must be readable
		return nil, err
	}
	s := &Sealed{document: raw, blobs: blobs}
	var small []blob
	for _, b := range sorted(d.content()) {
		if b.bundled() {
			small = append(small, b)
			continue
		}
		l := oci.Descriptor{MediaType: b.media, Digest: "sha256:" + b.sum, Size: b.size}
		if b.title != "" {
			l.Annotations = map[string]string{titleAnnotation: b.title}
		}
		s.layers = append(s.layers, l)
	}
	if len(small) > 0 {
		l, err := bundle(ctx, small, blobs)
		if err != nil {
			return nil, err
		}
		s.layers = append([]oci.Descriptor{l}, s.layers...)
	}
	return s, s.seal()
}

// Resealed is a kit that was opened, to be written again: its manifest stays what it is.
func (k *Kit) Resealed(m *oci.Manifest, blobs *store.Store) (*Sealed, error) {
	raw, err := k.Document.Marshal()
	if err != nil {
		return nil, err
	}
	return &Sealed{Digest: k.Digest, Size: k.Size, manifest: k.Manifest, document: raw, layers: m.Layers, blobs: blobs}, nil
}

func (s *Sealed) seal() error {
	doc := struct {
		SchemaVersion int              `json:"schemaVersion"`
		MediaType     string           `json:"mediaType"`
		ArtifactType  string           `json:"artifactType"`
		Config        oci.Descriptor   `json:"config"`
		Layers        []oci.Descriptor `json:"layers"`
	}{2, oci.TypeManifest, Type, described(TypeDocument, s.document), s.layers}
	var err error
	if s.manifest, err = json.Marshal(doc); err != nil {
		return fault.Inconclusivef("kit", "the manifest cannot be written: %w", err)
	}
	if len(s.manifest) > oci.MaxManifest || len(s.layers) > oci.MaxDescriptors {
		return fault.Inconclusivef("kit", "exceeds limit: a manifest of %d bytes for %d files, at most %d for %d", len(s.manifest), len(s.layers), oci.MaxManifest, oci.MaxDescriptors)
	}
	s.Digest = described("", s.manifest).Digest
	for _, l := range s.layers {
		s.Size += l.Size
	}
	return nil
}

func described(media string, data []byte) oci.Descriptor {
	sum := sha256.Sum256(data)
	return oci.Descriptor{MediaType: media, Digest: "sha256:" + hex.EncodeToString(sum[:]), Size: int64(len(data))}
}

// bundle puts small files into an archive, each under its digest.
func bundle(ctx context.Context, small []blob, blobs *store.Store) (oci.Descriptor, error) {
	r, w := io.Pipe()
	go func() {
		t := tar.NewWriter(w)
		for _, b := range small {
			if err := copyBlob(ctx, t, b.sum, b.sum, b.size, blobs); err != nil {
				w.CloseWithError(err)
				return
			}
		}
		w.CloseWithError(t.Close())
	}()
	b, err := blobs.Put(ctx, r, maxBundle)
	r.CloseWithError(io.ErrClosedPipe)
	if err != nil {
		return oci.Descriptor{}, err
	}
	return oci.Descriptor{MediaType: TypeBundle, Digest: "sha256:" + b.SHA256, Size: b.Size, Annotations: map[string]string{titleAnnotation: "small files"}}, nil
}

// copyBlob writes a stored file as a member of an archive.
func copyBlob(ctx context.Context, t *tar.Writer, name, sum string, size int64, blobs *store.Store) error {
	f, err := blobs.OpenBlob(sum)
	if err != nil {
		return err
	}
	defer f.Close()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := t.WriteHeader(header(name, size)); err != nil {
		return fault.Inconclusivef("kit", "cannot be written: %w", err)
	}
	if n, err := io.Copy(t, progress.Reader(ctx, f, size)); err != nil || n != size {
		return fault.Inconclusivef("kit", "cannot be written: %d bytes of %d of %s: %w", n, size, sum, err)
	}
	return nil
}

// header says of every member the same: nothing of who packed it, and when, is in a kit.
func header(name string, size int64) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: size, ModTime: time.Unix(0, 0)}
}

// Manifest is what a signature of the kit signs: everything in it follows from it.
func (s *Sealed) Manifest() []byte { return s.manifest }

// Attach adds a bundle that signs the manifest. It says who packed the kit, and gives nothing in it any trust.
func (s *Sealed) Attach(data []byte) error {
	empty := described(typeEmpty, []byte(emptyConfig))
	subject := described(oci.TypeManifest, s.manifest)
	doc := struct {
		SchemaVersion int               `json:"schemaVersion"`
		MediaType     string            `json:"mediaType"`
		ArtifactType  string            `json:"artifactType"`
		Config        oci.Descriptor    `json:"config"`
		Layers        []oci.Descriptor  `json:"layers"`
		Subject       oci.Descriptor    `json:"subject"`
		Annotations   map[string]string `json:"annotations"`
	}{2, oci.TypeManifest, oci.TypeBundle, empty, []oci.Descriptor{described(oci.TypeBundle, data)}, subject,
		map[string]string{oci.AnnotationContent: "message-signature"}}
	raw, err := json.Marshal(doc)
	if err != nil {
		return fault.Inconclusivef("kit", "the signature cannot be written: %w", err)
	}
	d := described(oci.TypeManifest, raw)
	d.ArtifactType = oci.TypeBundle
	s.signed = append(s.signed, signature{raw, d, data})
	return nil
}

// WriteTo writes the kit as one file. The same kit gives the same bytes.
func (s *Sealed) WriteTo(ctx context.Context, w io.Writer) error {
	t := tar.NewWriter(w)
	manifest := described(oci.TypeManifest, s.manifest)
	index := struct {
		SchemaVersion int              `json:"schemaVersion"`
		MediaType     string           `json:"mediaType"`
		Manifests     []oci.Descriptor `json:"manifests"`
	}{2, oci.TypeIndex, []oci.Descriptor{manifest}}
	small := [][]byte{s.manifest, s.document}
	if len(s.signed) > 0 {
		small = append(small, []byte(emptyConfig))
	}
	for _, g := range s.signed {
		index.Manifests = append(index.Manifests, g.desc)
		small = append(small, g.manifest, g.bundle)
	}
	list, err := json.Marshal(index)
	if err != nil {
		return fault.Inconclusivef("kit", "the index cannot be written: %w", err)
	}
	if err := member(t, "oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`)); err != nil {
		return err
	}
	if err := member(t, "index.json", list); err != nil {
		return err
	}
	for _, data := range small {
		if err := member(t, blobName(described("", data).Digest), data); err != nil {
			return err
		}
	}
	for _, l := range s.layers {
		if err := copyBlob(ctx, t, blobName(l.Digest), l.Digest[len("sha256:"):], l.Size, s.blobs); err != nil {
			return err
		}
	}
	if err := t.Close(); err != nil {
		return fault.Inconclusivef("kit", "cannot be written: %w", err)
	}
	return nil
}

func blobName(digest string) string { return "blobs/sha256/" + digest[len("sha256:"):] }

func member(t *tar.Writer, name string, data []byte) error {
	err := t.WriteHeader(header(name, int64(len(data))))
	if err == nil {
		_, err = t.Write(data)
	}
	if err != nil {
		return fault.Inconclusivef("kit", "cannot be written: %w", err)
	}
	return nil
}

// Push stores the kit in a registry, and its signatures beside it.
func (s *Sealed) Push(ctx context.Context, to *oci.Place) (oci.Descriptor, error) {
	config := described(TypeDocument, s.document).Digest
	return to.Push(ctx, s.manifest, func(d oci.Descriptor) (io.ReadCloser, error) {
		if d.Digest == config {
			return io.NopCloser(bytes.NewReader(s.document)), nil
		}
		return s.blobs.OpenBlob(d.Digest[len("sha256:"):])
	})
}
