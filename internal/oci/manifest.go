package oci

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/glassbuild/glassbuild/internal/evidence/strictjson"
	"github.com/glassbuild/glassbuild/internal/fault"
)

// Manifest is an image manifest, an artifact's manifest or an index, whose bytes have the digest that was asked for.
type Manifest struct {
	Raw          []byte
	Digest       string
	MediaType    string
	Index        bool
	ArtifactType string // of a manifest: its own, or else the config's media type
	Config       Descriptor
	Layers       []Descriptor
	Manifests    []Descriptor // of an index
	Subject      *Descriptor
	Annotations  map[string]string
	// Made tells that the manifest was made from the parts of a docker archive that holds none. No registry knows its
	// digest.
	Made bool
}

// parseManifest reads a document of d's digest strictly (GHSA-5j5w-g665-5m35: an index that is also a manifest).
func parseManifest(object string, raw []byte, d Descriptor) (*Manifest, error) {
	m, err := readManifest(raw, d.MediaType)
	if err != nil {
		return nil, fault.Failf(object, "malformed manifest: %w", err)
	}
	m.Digest = d.Digest
	return m, nil
}

func readManifest(raw []byte, mediaType string) (*Manifest, error) {
	v, err := strictjson.Parse(raw, manifestLimits)
	if err != nil {
		return nil, err
	}
	o, err := v.Open("schemaVersion", "mediaType", "artifactType", "config", "layers", "manifests", "subject", "annotations")
	if err != nil {
		return nil, err
	}
	m := &Manifest{Raw: raw}
	if version, err := o.Get("schemaVersion").Int64(); err != nil || version != 2 {
		return nil, errors.New("schemaVersion is not 2")
	}
	if m.MediaType, err = text(o, "mediaType"); err != nil {
		return nil, err
	}
	indexed, layered := !o.Get("manifests").Missing(), !o.Get("layers").Missing() || !o.Get("config").Missing()
	if indexed == layered {
		return nil, errors.New("ambiguous manifest: want either manifests, or config and layers")
	}
	if m.MediaType, err = oneType(mediaType, m.MediaType, indexed); err != nil {
		return nil, err
	}
	m.Index = indexed
	if m.ArtifactType, err = text(o, "artifactType"); err != nil {
		return nil, err
	}
	if m.Annotations, err = annotations(o.Get("annotations")); err != nil {
		return nil, err
	}
	if s := o.Get("subject"); !s.Absent() {
		d, err := readDescriptor(s)
		if err != nil {
			return nil, fmt.Errorf("subject: %w", err)
		}
		m.Subject = &d
	}
	if indexed {
		m.Manifests, err = descriptors(o.Get("manifests"))
		return m, err
	}
	if m.Config, err = readDescriptor(o.Get("config")); err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	if m.ArtifactType == "" {
		m.ArtifactType = m.Config.MediaType
	}
	m.Layers, err = descriptors(o.Get("layers"))
	return m, err
}

// oneType returns the media type that descriptor, document and shape agree on.
func oneType(outer, inner string, indexed bool) (string, error) {
	if outer != "" && inner != "" && outer != inner {
		return "", fmt.Errorf("wrong media type: %s where %s was named", fault.Quote(inner), fault.Quote(outer))
	}
	t := inner
	if t == "" {
		t = outer
	}
	switch {
	case t == "" && indexed:
		return TypeIndex, nil
	case t == "":
		return TypeManifest, nil
	case indexed && (t == TypeIndex || t == TypeDockerList), !indexed && (t == TypeManifest || t == TypeDockerManifest):
		return t, nil
	}
	return "", fmt.Errorf("wrong media type: %s", fault.Quote(t))
}

func descriptors(v strictjson.Value) ([]Descriptor, error) {
	if v.Missing() {
		return nil, errors.New("layers are missing")
	}
	if n := v.Count(); n > MaxDescriptors {
		return nil, fmt.Errorf("exceeds limit: %d entries, at most %d", n, MaxDescriptors)
	}
	list, err := v.Elements()
	if err != nil {
		return nil, err
	}
	out := make([]Descriptor, 0, len(list))
	for _, e := range list {
		d, err := readDescriptor(e)
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

func readDescriptor(v strictjson.Value) (d Descriptor, err error) {
	o, err := v.Open("mediaType", "digest", "size", "urls", "data", "annotations", "artifactType", "platform")
	if err != nil {
		return d, err
	}
	for name, field := range map[string]*string{"mediaType": &d.MediaType, "digest": &d.Digest, "artifactType": &d.ArtifactType} {
		if *field, err = text(o, name); err != nil {
			return d, err
		}
	}
	if err := checkDigest(d.Digest); err != nil {
		return d, err
	}
	if d.MediaType == "" {
		return d, errors.New("descriptor without media type")
	}
	if d.Size, err = o.Get("size").Int64(); err != nil || d.Size < 0 {
		return d, errors.New("descriptor without size")
	}
	if o.Get("urls").Count() > 0 { // content at an address of the author's choice (bad-input list, row 72)
		return d, errors.New("external layer: its content lies at another address")
	}
	if d.Annotations, err = annotations(o.Get("annotations")); err != nil {
		return d, err
	}
	if p := o.Get("platform"); !p.Absent() {
		d.Platform, err = readPlatform(p)
	}
	return d, err
}

func readPlatform(v strictjson.Value) (*Platform, error) {
	o, err := v.Open("os", "architecture", "variant")
	if err != nil {
		return nil, err
	}
	p := &Platform{}
	for name, field := range map[string]*string{"os": &p.OS, "architecture": &p.Architecture, "variant": &p.Variant} {
		if *field, err = text(o, name); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func annotations(v strictjson.Value) (map[string]string, error) {
	if v.Absent() {
		return nil, nil
	}
	members, err := v.Members()
	if err != nil {
		return nil, fmt.Errorf("annotations: %w", err)
	}
	if len(members) > MaxAnnotations {
		return nil, fmt.Errorf("exceeds limit: %d annotations, at most %d", len(members), MaxAnnotations)
	}
	out := map[string]string{}
	for _, m := range members {
		if out[m.Name], err = m.Value.Text(); err != nil {
			return nil, fmt.Errorf("annotations: %w", err)
		}
	}
	return out, nil
}

func text(o strictjson.Object, name string) (string, error) {
	v := o.Get(name)
	if v.Absent() {
		return "", nil
	}
	s, err := v.Text()
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// hashed returns digest and size of what r yields.
func hashed(r io.Reader) (string, int64, error) {
	h := sha256.New()
	n, err := io.Copy(h, r)
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), n, err
}

// verified hashes content while it is read and lets it end only where it should.
func verified(r io.ReadCloser, object string, d Descriptor, limit int64) io.ReadCloser {
	left := limit
	if d.Size > 0 {
		left = d.Size
	}
	return &checked{ReadCloser: r, object: object, want: d, left: left, h: sha256.New()}
}

type checked struct {
	io.ReadCloser
	object string
	want   Descriptor
	left   int64
	h      hash.Hash
	n      int64
}

// Read implements io.Reader.
func (c *checked) Read(p []byte) (int, error) {
	if int64(len(p)) > c.left+1 {
		p = p[:c.left+1]
	}
	n, err := c.ReadCloser.Read(p)
	if int64(n) > c.left {
		return 0, fault.Failf(c.object, "size mismatch: more than %d bytes", c.n+c.left)
	}
	c.left -= int64(n)
	c.n += int64(n)
	c.h.Write(p[:n])
	switch {
	case err != io.EOF:
		return n, err
	case c.want.Size > 0 && c.n != c.want.Size:
		return n, fault.Failf(c.object, "size mismatch: %d bytes, want %d", c.n, c.want.Size)
	}
	if sum := "sha256:" + hex.EncodeToString(c.h.Sum(nil)); sum != c.want.Digest {
		return n, fault.Failf(c.object, "digest mismatch: the bytes have %s", sum)
	}
	return n, err
}

// ParseManifest reads an index or manifest whose digest the caller has verified; what d says of it must hold.
func ParseManifest(object string, raw []byte, d Descriptor) (*Manifest, error) {
	if len(raw) > MaxManifest {
		return nil, fault.Failf(object, "exceeds limit: a manifest of %d bytes", len(raw))
	}
	if d.Size > 0 && d.Size != int64(len(raw)) {
		return nil, fault.Failf(object, "size mismatch: %d bytes, want %d", len(raw), d.Size)
	}
	return parseManifest(object, raw, d)
}
