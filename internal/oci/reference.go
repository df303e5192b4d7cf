package oci

import (
	"errors"
	"path"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/glassbuild/glassbuild/internal/fault"
)

type kind int

const (
	nowhere kind = iota
	inRegistry
	inLayout
	inArchive
)

// Prefixes of references that are no registry's, as skopeo and podman write them.
const (
	layoutPrefix  = "oci:"
	archivePrefix = "docker-archive:"
)

// Reference names an image. The zero Reference names none.
type Reference struct {
	kind   kind
	place  string // registry/repository, or a path
	tag    string
	digest string

	repository name.Repository
}

// Parse reads a reference. In a registry it has a host, and a tag or a digest: registry.example/team/tool:v1,
// localhost:5000/tool@sha256:…; what only docker would complete ("tool", "team/tool:v1") is refused, for it could be a
// file as well. A layout is oci:DIR, oci:DIR:TAG or oci:DIR@sha256:…, an archive of docker save docker-archive:FILE or
// docker-archive:FILE:NAME:TAG. With a digest, a tag means nothing.
func Parse(text string) (Reference, error) {
	if len(text) > MaxReference {
		return Reference{}, fault.Usagef("image", "the reference exceeds %d bytes", MaxReference)
	}
	bad := func(format string, args ...any) (Reference, error) {
		return Reference{}, fault.Usagef(fault.Quote(text), format, args...).WithHint("an image is named REGISTRY/NAME:TAG or REGISTRY/NAME@sha256:…, oci:DIR or docker-archive:FILE")
	}
	rest, digest, ok := strings.Cut(text, "@")
	if ok {
		if err := checkDigest(digest); err != nil {
			return bad("%w", err)
		}
	}
	ref := Reference{digest: digest}
	switch {
	case strings.HasPrefix(rest, layoutPrefix):
		ref.kind = inLayout
		ref.place, ref.tag = splitTag(strings.TrimPrefix(rest, layoutPrefix))
	case strings.HasPrefix(rest, archivePrefix):
		ref.kind = inArchive
		ref.place, ref.tag, _ = strings.Cut(strings.TrimPrefix(rest, archivePrefix), ":")
	default:
		return ref.inRegistry(rest, bad)
	}
	if ref.place == "" {
		return bad("names no path")
	}
	return ref, nil
}

// Archive names the one image in an archive, whatever characters the path holds.
func Archive(path string) Reference { return Reference{kind: inArchive, place: path} }

// Layout names the one image in a layout, whatever characters the path holds.
func Layout(dir string) Reference { return Reference{kind: inLayout, place: dir} }

// inRegistry completes a reference into a registry.
func (r Reference) inRegistry(rest string, bad func(string, ...any) (Reference, error)) (Reference, error) {
	host, repo, ok := strings.Cut(rest, "/")
	if !ok || !strings.ContainsAny(host, ".:") && host != "localhost" || strings.HasPrefix(host, ".") || strings.HasSuffix(host, ":") {
		return bad("names no registry")
	}
	repo, r.tag = splitTag(repo)
	if "/"+repo != path.Clean("/"+repo) {
		return bad("is no reference")
	}
	if r.tag == "" && r.digest == "" {
		return bad("has neither tag nor digest")
	}
	repository, err := name.NewRepository(host+"/"+repo, name.StrictValidation)
	if err == nil && r.tag != "" {
		_, err = name.NewTag(host+"/"+repo+":"+r.tag, name.StrictValidation)
	}
	if err != nil {
		return bad("is no reference")
	}
	r.kind, r.place, r.repository = inRegistry, repository.Name(), repository
	return r, nil
}

// splitTag cuts what stands behind the last colon, unless a path follows it.
func splitTag(s string) (rest, tag string) {
	if i := strings.LastIndexByte(s, ':'); i >= 0 && !strings.Contains(s[i:], "/") {
		return s[:i], s[i+1:]
	}
	return s, ""
}

// IsReference tells whether text is meant as a reference and not as the name of a file: it has one of the prefixes, or a
// host before the first slash and a tag or digest at the end.
func IsReference(text string) bool {
	_, err := Parse(text)
	return err == nil
}

// Name returns the place without tag and digest.
func (r Reference) Name() string {
	switch r.kind {
	case inLayout:
		return layoutPrefix + r.place
	case inArchive:
		return archivePrefix + r.place
	}
	return r.place
}

// Digest returns the digest that the reference names, "" when it names none.
func (r Reference) Digest() string { return r.digest }

// Remote tells whether reading needs a connection.
func (r Reference) Remote() bool { return r.kind == inRegistry }

// Local returns the path of a layout or archive, "" for a registry.
func (r Reference) Local() string {
	if r.kind == inRegistry {
		return ""
	}
	return r.place
}

// WithDigest returns the reference of another digest in the same place.
func (r Reference) WithDigest(digest string) Reference {
	r.tag, r.digest = "", digest
	return r
}

// String returns the reference as Parse reads it.
func (r Reference) String() string {
	s := r.Name()
	if r.tag != "" {
		s += ":" + r.tag
	}
	if r.digest != "" {
		s += "@" + r.digest
	}
	return s
}

func checkDigest(digest string) error {
	hex, ok := strings.CutPrefix(digest, "sha256:")
	if !ok {
		return errors.New("unsupported digest: want sha256:…")
	}
	if len(hex) != 64 || strings.Trim(hex, "0123456789abcdef") != "" {
		return errors.New("malformed digest")
	}
	return nil
}
