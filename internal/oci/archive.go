package oci

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"github.com/glassbuild/glassbuild/internal/archive"
	"github.com/glassbuild/glassbuild/internal/evidence/strictjson"
	"github.com/glassbuild/glassbuild/internal/fault"
)

// packed gives the plain files of a tar archive that was read through once. Links lead to other members and nowhere else.
type packed struct {
	f       *os.File
	members map[string]*archive.Entry
}

func openPacked(name string) (*packed, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fault.Usagef(fault.Quote(archivePrefix+name), "cannot be read: %w", bare(err))
	}
	p := &packed{f, map[string]*archive.Entry{}}
	if err := p.list(name); err != nil {
		f.Close()
		return nil, err
	}
	return p, nil
}

func (p *packed) list(name string) error {
	st, err := p.f.Stat()
	if err != nil || !st.Mode().IsRegular() {
		return fault.Usagef(fault.Quote(archivePrefix+name), "is no plain file")
	}
	t := archive.NewTar(io.NewSectionReader(p.f, 0, st.Size()), archive.NewMeter(fault.Quote(name), st.Size(), archive.Limits{}))
	for {
		e, err := t.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if len(p.members) >= MaxDescriptors {
			return fault.Failf(fault.Quote(name), "exceeds limit: more than %d members", MaxDescriptors)
		}
		p.members[e.Name] = e
	}
}

func (p *packed) open(name string) (io.ReadCloser, error) {
	e, err := p.find(name)
	if err != nil {
		return nil, err
	}
	return io.NopCloser(io.NewSectionReader(p.f, e.Offset, e.Size)), nil
}

func (p *packed) find(name string) (*archive.Entry, error) {
	for range maxLinks {
		e, ok := p.members[name]
		if !ok {
			return nil, fs.ErrNotExist
		}
		switch {
		case e.Type == archive.File && e.Offset >= 0:
			return e, nil
		case e.Type == archive.Hardlink:
			name = path.Clean(e.Link)
		case e.Type == archive.Symlink && !path.IsAbs(e.Link):
			name = path.Join(path.Dir(name), e.Link)
		default:
			return nil, errors.New("is not a plain file")
		}
	}
	return nil, errors.New("is a link to a link to a link")
}

func (p *packed) close() error { return p.f.Close() }

// openArchive opens what docker save wrote: from Docker 25 on an image layout, before that a list of files.
func openArchive(ref Reference) (backend, error) {
	p, err := openPacked(ref.place)
	if err != nil {
		return nil, err
	}
	l := &layout{ref, p}
	_, noLayout := p.find(layoutFile)
	_, noIndex := p.find(indexFile)
	if noLayout == nil && noIndex == nil {
		if l.ref, err = p.layoutTag(ref, l); err != nil {
			p.close()
			return nil, err
		}
		return l, nil
	}
	d := &dockerArchive{layout: l, blobs: map[string]string{}}
	if err := d.make(); err != nil {
		p.close()
		return nil, err
	}
	return d, nil
}

// layoutTag finds the digest of an image that is named as docker names it.
func (p *packed) layoutTag(ref Reference, l *layout) (Reference, error) {
	if ref.tag == "" || ref.digest != "" {
		return ref, nil
	}
	list, err := l.index()
	if err != nil {
		return ref, err
	}
	var found []string
	for _, d := range list {
		if d.Annotations["io.containerd.image.name"] == ref.tag || d.Annotations[annotationRefName] == ref.tag {
			found = append(found, d.Digest)
		}
	}
	if len(found) != 1 {
		return ref, fault.Usagef(fault.Quote(ref.String()), "holds %d images of that name", len(found))
	}
	return ref.WithDigest(found[0]), nil
}

// dockerArchive is the older form. It holds no manifest, so that one is made of config and layers as they lie in it.
type dockerArchive struct {
	*layout
	blobs map[string]string // digest → member
	raw   []byte
}

func (d *dockerArchive) make() error {
	object := fault.Quote(d.ref.Name() + "/manifest.json")
	raw, err := d.read("manifest.json", MaxManifest)
	if err != nil {
		if notThere(err) {
			return fault.Usagef(fault.Quote(d.ref.Name()), "is no archive of an image: it has neither %s nor manifest.json", indexFile)
		}
		return err
	}
	config, layers, err := oneImage(raw, d.ref.tag)
	if err != nil {
		return fault.Failf(object, "malformed manifest: %w", err)
	}
	doc := struct {
		SchemaVersion int          `json:"schemaVersion"`
		MediaType     string       `json:"mediaType"`
		Config        Descriptor   `json:"config"`
		Layers        []Descriptor `json:"layers"`
	}{SchemaVersion: 2, MediaType: TypeDockerManifest, Layers: []Descriptor{}}
	if doc.Config, err = d.describe(config, typeDockerConfig); err != nil {
		return err
	}
	for _, name := range layers {
		l, err := d.describe(name, typeDockerTar)
		if err != nil {
			return err
		}
		doc.Layers = append(doc.Layers, l)
	}
	d.raw, err = json.Marshal(doc)
	return err
}

// oneImage reads manifest.json and returns config and layers of the image that is named; a single one needs no name.
func oneImage(raw []byte, tag string) (config string, layers []string, err error) {
	v, err := strictjson.Parse(raw, manifestLimits)
	if err != nil {
		return "", nil, err
	}
	list, err := v.Elements()
	if err != nil {
		return "", nil, err
	}
	found := 0
	for _, e := range list {
		o, err := e.Open("Config", "RepoTags", "Layers")
		if err != nil {
			return "", nil, err
		}
		names, err := texts(o.Get("RepoTags"))
		if err != nil {
			return "", nil, err
		}
		if tag != "" && !has(names, tag) {
			continue
		}
		found++
		if config, err = text(o, "Config"); err != nil {
			return "", nil, err
		}
		if layers, err = texts(o.Get("Layers")); err != nil {
			return "", nil, err
		}
	}
	if found != 1 || config == "" {
		return "", nil, fmt.Errorf("holds %d images of that name", found)
	}
	return config, layers, nil
}

func texts(v strictjson.Value) ([]string, error) {
	if v.Absent() {
		return nil, nil
	}
	list, err := v.Elements()
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range list {
		s, err := e.Text()
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

func has(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

// describe hashes a member of the archive.
func (d *dockerArchive) describe(name, mediaType string) (Descriptor, error) {
	object := fault.Quote(d.ref.Name() + "/" + name)
	clean, err := archive.Clean(name, false)
	if err != nil {
		return Descriptor{}, err
	}
	r, err := d.files.open(clean)
	if err != nil {
		return Descriptor{}, fault.Failf(object, "cannot be read: %w", err)
	}
	defer r.Close()
	sum, size, err := hashed(r)
	if err != nil {
		return Descriptor{}, fault.Inconclusivef(object, "cannot be read: %w", err)
	}
	d.blobs[sum] = clean
	return Descriptor{MediaType: mediaType, Digest: sum, Size: size}, nil
}

func (d *dockerArchive) resolve(context.Context) ([]byte, Descriptor, error) {
	return d.raw, Descriptor{MediaType: TypeDockerManifest}, nil
}

func (d *dockerArchive) manifest(_ context.Context, digest string) ([]byte, string, error) {
	if digest != digestOf(d.raw) {
		return nil, "", fault.Inconclusivef(fault.Quote(d.ref.Name()+"@"+digest), "is not there: %w", fs.ErrNotExist)
	}
	return d.raw, TypeDockerManifest, nil
}

func (d *dockerArchive) blob(_ context.Context, digest string) (io.ReadCloser, error) {
	name, ok := d.blobs[digest]
	if !ok {
		return nil, fault.Inconclusivef(fault.Quote(d.ref.Name()+"@"+digest), "is not there: %w", fs.ErrNotExist)
	}
	return d.files.open(name)
}

func (d *dockerArchive) referrers(context.Context, string) ([]Descriptor, error) { return nil, nil }

// DockerImage reads the manifest.json of an archive of docker save and returns the members that are config and layers of its
// one image.
func DockerImage(object string, raw []byte) (config string, layers []string, err error) {
	if config, layers, err = oneImage(raw, ""); err != nil {
		return "", nil, fault.Failf(object, "malformed manifest: %w", err)
	}
	return config, layers, nil
}
