package artifact

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"path"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/oci"
)

// Names of the parts of an image in Member.View.
const (
	viewIndex    = "index"
	viewManifest = "manifest"
	viewConfig   = "config"
	viewMerged   = "file system"
)

// image gives m a View when its members are an OCI image layout, or what docker save writes: for each image its manifest,
// its configuration, each layer, and the file system that they make together. The names say what a part is, where the
// layout's own names are digests, which nothing that differs has in common.
//
// Every blob must have the digest that names it, an index may not be a manifest too, and layers may not lie elsewhere.
func (x *expander) image(m *Member) error {
	if !slices.ContainsFunc(m.Members, func(c *Member) bool { return c.Name == "index.json" || c.Name == "manifest.json" }) {
		return nil
	}
	i := &imageView{a: x.a, m: m, byName: make(map[string]*Member, len(m.Members))}
	for _, c := range m.Members {
		i.byName[c.Name] = c
	}
	var err error
	switch {
	case i.byName["oci-layout"] != nil && i.byName["index.json"] != nil:
		m.Format, err = joinFormat("oci-layout", m), i.layout()
	case i.byName["manifest.json"] != nil && i.byName["index.json"] == nil:
		err = i.docker()
	default:
		return nil
	}
	if err == nil {
		m.View = i.view
	}
	return err
}

// joinFormat keeps how the layout was packed: "oci-layout", "oci-layout+tar", "oci-layout+tar+gzip".
func joinFormat(kind string, m *Member) string {
	if m.Format == "" || m.Format == "directory" {
		return kind
	}
	return kind + "+" + m.Format
}

type imageView struct {
	a      *Artifact
	m      *Member
	byName map[string]*Member
	view   []*Member
}

func (i *imageView) read(c *Member) ([]byte, error) {
	if c.Type != File && c.Type != Hardlink || c.Size > oci.MaxManifest {
		return nil, fault.Failf(fault.Quote(c.Path), "is no manifest")
	}
	r, err := i.a.Content(c)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b := make([]byte, c.Size)
	if n, err := r.ReadAt(b, 0); int64(n) < c.Size {
		return nil, fmt.Errorf("%s: %w", c.Path, err)
	}
	return b, nil
}

// blob returns the member of a digest, nil when the layout does not hold it.
func (i *imageView) blob(d oci.Descriptor) (*Member, error) {
	sum := strings.TrimPrefix(d.Digest, "sha256:")
	c := i.byName["blobs/sha256/"+sum]
	if c == nil {
		return nil, nil
	}
	if c.SHA256 != sum {
		return nil, fault.Failf(fault.Quote(c.Path), "digest mismatch: the bytes have sha256:%s", c.SHA256)
	}
	if d.Size != c.Size {
		return nil, fault.Failf(fault.Quote(c.Path), "size mismatch: %d bytes, want %d", c.Size, d.Size)
	}
	return c, nil
}

func (i *imageView) layout() error {
	c := i.byName["index.json"]
	raw, err := i.read(c)
	if err != nil {
		return err
	}
	index, err := oci.ParseManifest(fault.Quote(c.Path), raw, oci.Descriptor{MediaType: oci.TypeIndex})
	if err != nil {
		return err
	}
	if err := i.document(viewIndex, raw); err != nil {
		return err
	}
	return i.index(index, "", 0)
}

// index adds the images of an index, each under its platform where there are several.
func (i *imageView) index(index *oci.Manifest, prefix string, depth int) error {
	if depth > oci.MaxNesting {
		return fault.Failf(fault.Quote(i.m.Path), "exceeds limit: indexes nested deeper than %d", oci.MaxNesting)
	}
	seen := make(map[string]int)
	for k, d := range index.Manifests {
		c, err := i.blob(d)
		if err != nil {
			return err
		}
		if c == nil { // a layout may hold only some of what an index names
			continue
		}
		raw, err := i.read(c)
		if err != nil {
			return err
		}
		m, err := oci.ParseManifest(fault.Quote(c.Path), raw, d)
		if err != nil {
			return err
		}
		under := prefix
		if len(index.Manifests) > 1 {
			name := fmt.Sprintf("image %d", k+1)
			if d.Platform != nil {
				name = d.Platform.String()
			}
			if seen[name]++; seen[name] > 1 {
				name = fmt.Sprintf("%s#%d", name, seen[name])
			}
			under = path.Join(prefix, name)
		}
		if m.Index {
			if err := i.document(path.Join(under, viewIndex), raw); err != nil {
				return err
			}
			if err := i.index(m, under, depth+1); err != nil {
				return err
			}
			continue
		}
		if err := i.manifest(m, raw, under); err != nil {
			return err
		}
	}
	return nil
}

func (i *imageView) manifest(m *oci.Manifest, raw []byte, under string) error {
	if err := i.document(path.Join(under, viewManifest), raw); err != nil {
		return err
	}
	config, err := i.blob(m.Config)
	if err != nil {
		return err
	}
	if config != nil {
		i.add(path.Join(under, viewConfig), config)
	}
	var layers []*Member
	for _, d := range m.Layers {
		l, err := i.blob(d)
		if err != nil {
			return err
		}
		if l == nil {
			return fault.Failf(fault.Quote(i.m.Path), "incomplete image: no layer %s", d.Digest)
		}
		layers = append(layers, l)
	}
	i.layers(layers, under)
	return nil
}

// docker adds the image of an archive of docker save in its older form, which names layers by their place in it.
func (i *imageView) docker() error {
	c := i.byName["manifest.json"]
	raw, err := i.read(c)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(strings.TrimLeft(string(raw[:min(len(raw), 64)]), " \t\r\n"), "[") {
		return nil // some other program's
	}
	config, names, err := oci.DockerImage(fault.Quote(c.Path), raw)
	if err != nil || i.byName[config] == nil {
		return nil // likewise: nothing says that this is an image
	}
	var layers []*Member
	for _, n := range names {
		l := i.byName[path.Clean(n)]
		for range 4 { // equal layers are links to one of them
			if l == nil || l.Type != Symlink {
				break
			}
			l = i.byName[path.Join(path.Dir(l.Name), l.Link)]
		}
		if l == nil {
			return fault.Failf(fault.Quote(i.m.Path), "incomplete image: no layer %s", fault.Quote(n))
		}
		layers = append(layers, l)
	}
	i.m.Format = joinFormat("docker-archive", i.m)
	i.add(viewManifest, c)
	i.add(viewConfig, i.byName[config])
	i.layers(layers, "")
	return nil
}

// document puts a manifest or index into the view without the digests and sizes of what it names: those parts are in the view
// themselves, and follow.
func (i *imageView) document(name string, raw []byte) error {
	var doc any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&doc); err != nil { // it was read strictly before
		return fault.Failf(fault.Quote(i.m.Path), "malformed manifest: %w", err)
	}
	nameless(doc)
	text, err := json.MarshalIndent(doc, "", " ")
	if err != nil {
		return err
	}
	sum := sha256.Sum256(text)
	m := &Member{Name: name, Path: path.Join(i.m.Path, name), Type: File, Mode: 0o644, Size: int64(len(text)), SHA256: hex.EncodeToString(sum[:])}
	m.at = location{file: i.a.spool, offset: i.a.spool.end}
	if _, err := i.a.spool.Write(text); err != nil {
		return err
	}
	i.view = append(i.view, m)
	return nil
}

// nameless takes digest and size out of every descriptor.
func nameless(v any) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			nameless(e)
		}
	case map[string]any:
		if _, is := v["mediaType"]; is && v["digest"] != nil {
			delete(v, "digest")
			delete(v, "size")
		}
		for _, e := range v {
			nameless(e)
		}
	}
}

// add puts a member and what is in it into the view, under another name.
func (i *imageView) add(name string, m *Member) *Member {
	v := renamed(m, name, path.Join(i.m.Path, name))
	i.view = append(i.view, v)
	return v
}

// renamed copies a member with all that is in it. Content is not copied.
func renamed(m *Member, name, at string) *Member {
	c := *m
	c.Name, c.Path = name, at
	c.Members = make([]*Member, len(m.Members))
	for k, inner := range m.Members {
		c.Members[k] = renamed(inner, inner.Name, at+"/"+inner.Name)
	}
	return &c
}

// layers adds each layer, and the file system that they make.
func (i *imageView) layers(list []*Member, under string) {
	files := make(map[string]*Member)
	for k, l := range list {
		i.add(path.Join(under, fmt.Sprintf("layer %d", k+1)), l)
		apply(files, l.Members)
	}
	if len(list) < 2 {
		return
	}
	name := path.Join(under, viewMerged)
	merged := &Member{Name: name, Path: path.Join(i.m.Path, name), Type: Directory, Format: "directory"}
	for p, f := range files {
		merged.Members = append(merged.Members, renamed(f, p, merged.Path+"/"+p))
	}
	slices.SortFunc(merged.Members, func(a, b *Member) int { return strings.Compare(a.Name, b.Name) })
	merged.SHA256, merged.Size = treeDigest(merged.Members)
	i.view = append(i.view, merged)
}

const (
	whiteout = ".wh."
	opaque   = ".wh..wh..opq"
)

// apply lays a layer over files (image-spec, layer.md, "Applying Changesets"): what a whiteout names goes first, whatever
// the order in the archive, then what the layer holds comes.
func apply(files map[string]*Member, layer []*Member) {
	gone := make(map[string]bool)    // and everything below
	cleared := make(map[string]bool) // only what is below
	for _, m := range layer {
		dir, base := path.Split(m.Name)
		dir = path.Clean(dir)
		switch {
		case base == opaque:
			cleared[dir] = true
		case strings.HasPrefix(base, whiteout):
			gone[path.Join(dir, strings.TrimPrefix(base, whiteout))] = true
		case m.Type != Directory && len(files) > 0:
			cleared[m.Name] = true // a file in the place of a directory takes away what was in it
		}
	}
	if len(gone)+len(cleared) > 0 {
		for p := range files {
			if covered(p, gone, cleared) {
				delete(files, p)
			}
		}
	}
	for _, m := range layer {
		if !strings.HasPrefix(path.Base(m.Name), whiteout) {
			files[m.Name] = m
		}
	}
}

func covered(p string, gone, cleared map[string]bool) bool {
	if gone[p] {
		return true
	}
	for dir := path.Dir(p); ; dir = path.Dir(dir) {
		if gone[dir] || cleared[dir] {
			return true
		}
		if dir == "." || dir == "/" {
			return false
		}
	}
}
