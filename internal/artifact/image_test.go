package artifact_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/artifact"
)

// layoutOf is an image layout as files by name.
type layoutOf map[string]string

func (l layoutOf) blob(data string) (digest string) {
	sum := sha256.Sum256([]byte(data))
	digest = hex.EncodeToString(sum[:])
	l["blobs/sha256/"+digest] = data
	return digest
}

func descriptor(kind, digest, data, more string) string {
	return fmt.Sprintf(`{"mediaType":%q,"digest":"sha256:%s","size":%d%s}`, kind, digest, len(data), more)
}

// manifest adds a manifest of layers and returns its descriptor.
func (l layoutOf) manifest(more string, layers ...string) string {
	config := `{"architecture":"amd64","os":"linux"}`
	var list []string
	for _, data := range layers {
		list = append(list, descriptor("application/vnd.oci.image.layer.v1.tar+gzip", l.blob(data), data, ""))
	}
	m := fmt.Sprintf(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":%s,"layers":[%s]}`,
		descriptor("application/vnd.oci.image.config.v1+json", l.blob(config), config, ""), strings.Join(list, ","))
	return descriptor("application/vnd.oci.image.manifest.v1+json", l.blob(m), m, more)
}

func (l layoutOf) index(images ...string) layoutOf {
	l["oci-layout"] = `{"imageLayoutVersion":"1.0.0"}`
	l["index.json"] = `{"schemaVersion":2,"manifests":[` + strings.Join(images, ",") + `]}`
	return l
}

func (l layoutOf) tar(t testing.TB) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	var names []string
	for n := range l {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: n, Mode: 0o644, Size: int64(len(l[n]))}); err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, l[n])
	}
	w.Close()
	return b.Bytes()
}

// layer makes a compressed layer of "name=body", "name/" and "name>target".
func layer(t testing.TB, files ...string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, f := range files {
		h := &tar.Header{Typeflag: tar.TypeReg, Mode: 0o644}
		name, body, _ := strings.Cut(f, "=")
		if n, target, ok := strings.Cut(name, ">"); ok {
			name, h.Typeflag, h.Linkname = n, tar.TypeSymlink, target
		}
		if strings.HasSuffix(name, "/") {
			h.Typeflag = tar.TypeDir
		}
		h.Name, h.Size = name, int64(len(body))
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, body)
	}
	w.Close()
	z.Close()
	return b.String()
}

// view opens a file and lists its view: parts, and what is in layers and file systems.
func view(t *testing.T, data []byte) (*artifact.Artifact, []string) {
	t.Helper()
	a, err := artifact.Inspect(t.Context(), bytes.NewReader(data), int64(len(data)), artifact.Options{Dir: t.TempDir(), Name: "image.tar"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a, list(a.Root.View)
}

func list(view []*artifact.Member) []string {
	var all []string
	for _, v := range view {
		all = append(all, v.Path)
		for _, m := range v.Members {
			all = append(all, m.Path)
		}
	}
	return all
}

func TestImageView(t *testing.T) {
	t.Parallel()
	base := layer(t, "etc/", "etc/a=1", "etc/b=2", "opt/x/y=3", "old/1=1", "old/2=2", "bin/sh>busybox", "dir/in=1")
	top := layer(t, "etc/a=changed", "etc/.wh.b=", ".wh.opt=", "old/.wh..wh..opq=", "old/3=3", "dir=a file now")
	want := []string{"index", "manifest", "config", "layer 1", "layer 1/etc", "layer 1/etc/a", "layer 1/etc/b", "layer 1/opt/x/y", "layer 1/old/1", "layer 1/old/2",
		"layer 1/bin/sh", "layer 1/dir/in", "layer 2", "layer 2/etc/a", "layer 2/etc/.wh.b", "layer 2/.wh.opt", "layer 2/old/.wh..wh..opq", "layer 2/old/3", "layer 2/dir",
		"file system", "file system/bin/sh", "file system/dir", "file system/etc", "file system/etc/a", "file system/old/3"}
	l := layoutOf{}
	l.index(l.manifest("", base, top))
	a, got := view(t, l.tar(t))
	if !slices.Equal(got, want) {
		t.Fatalf("%q\nwant %q", got, want)
	}
	if a.Root.Format != "oci-layout+tar" || len(a.Hostile) > 0 {
		t.Error(a.Root.Format, a.Hostile)
	}
	m, err := a.Find("file system/etc/a")
	if err != nil {
		t.Fatal(err)
	}
	c, err := a.Content(m)
	if err != nil {
		t.Fatal(err)
	}
	body := make([]byte, c.Size())
	if c.ReadAt(body, 0); string(body) != "changed" {
		t.Errorf("content %q", body)
	}
	// the same as a folder
	dir := t.TempDir()
	for n, data := range l {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(n)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, n), []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f, err := artifact.Open(t.Context(), dir, artifact.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got := list(f.Root.View); !slices.Equal(got, want) || f.Root.Format != "oci-layout" {
		t.Errorf("as a folder: %q %q", f.Root.Format, got)
	}
}

func TestImageOfSeveralPlatforms(t *testing.T) {
	t.Parallel()
	l := layoutOf{}
	arm := l.manifest(`,"platform":{"os":"linux","architecture":"arm64","variant":"v8"}`, layer(t, "a=arm"))
	amd := l.manifest(`,"platform":{"os":"linux","architecture":"amd64"}`, layer(t, "a=amd"))
	_, got := view(t, l.index(arm, amd, amd).tar(t))
	want := []string{"index", "linux/arm64/v8/manifest", "linux/arm64/v8/config", "linux/arm64/v8/layer 1", "linux/arm64/v8/layer 1/a",
		"linux/amd64/manifest", "linux/amd64/config", "linux/amd64/layer 1", "linux/amd64/layer 1/a",
		"linux/amd64#2/manifest", "linux/amd64#2/config", "linux/amd64#2/layer 1", "linux/amd64#2/layer 1/a"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestDockerArchive(t *testing.T) {
	t.Parallel()
	var plain bytes.Buffer
	z, err := gzip.NewReader(strings.NewReader(layer(t, "etc/a=1")))
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(&plain, z)
	l := layoutOf{
		"manifest.json": `[{"Config":"abc.json","RepoTags":["x:1"],"Layers":["l1/layer.tar","l2/layer.tar"]}]`,
		"abc.json":      `{"os":"linux"}`, "l1/layer.tar": plain.String(), "l2/layer.tar": plain.String(),
	}
	a, got := view(t, l.tar(t))
	want := []string{"manifest", "config", "layer 1", "layer 1/etc/a", "layer 2", "layer 2/etc/a", "file system", "file system/etc/a"}
	if !slices.Equal(got, want) || a.Root.Format != "docker-archive+tar" {
		t.Errorf("%s %q", a.Root.Format, got)
	}
	l["manifest.json"] = `{"name":"some other program's"}`
	if a, got := view(t, l.tar(t)); len(got) > 0 || len(a.Hostile) > 0 {
		t.Errorf("taken for an image: %q %v", got, a.Hostile)
	}
}

// TestHostileImages are rows of the list of bad input: what is content-addressed must be what its name says.
func TestHostileImages(t *testing.T) {
	t.Parallel()
	good := layer(t, "a=1")
	for name, c := range map[string]struct {
		change func(layoutOf)
		want   string
	}{
		"69 layer":    {func(l layoutOf) { swap(l, good, layer(t, "a=2")) }, "digest mismatch"},
		"69 manifest": {func(l layoutOf) { swapPart(l, `"layers"`) }, "digest mismatch"},
		"70 ambiguous": {func(l layoutOf) {
			l["index.json"] = strings.Replace(l["index.json"], `"manifests"`, `"layers":[],"manifests"`, 1)
		}, "ambiguous manifest"},
		"70 duplicate key": {func(l layoutOf) {
			l["index.json"] = strings.Replace(l["index.json"], `"schemaVersion":2`, `"schemaVersion":2,"schemaVersion":2`, 1)
		}, "malformed manifest"},
		"72 external layer": {func(l layoutOf) {
			m := `{"schemaVersion":2,"config":` + descriptor("application/vnd.oci.image.config.v1+json", l.blob("{}"), "{}", "") + `,"layers":[` +
				descriptor("application/vnd.oci.image.layer.v1.tar+gzip", l.blob(good), good, `,"urls":["https://example.org/layer"]`) + `]}`
			l.index(descriptor("application/vnd.oci.image.manifest.v1+json", l.blob(m), m, ""))
		}, "external layer"},
		"missing layer": {func(l layoutOf) { sum := l.blob(good); delete(l, "blobs/sha256/"+sum) }, "incomplete image"},
		"a lying size":  {func(l layoutOf) { l["index.json"] = strings.Replace(l["index.json"], `"size":`, `"size":1`, 1) }, "size mismatch"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := layoutOf{}
			l.index(l.manifest("", good))
			c.change(l)
			a, got := view(t, l.tar(t))
			if len(got) > 0 || len(a.Hostile) != 1 || !strings.Contains(a.Hostile[0].Error(), c.want) {
				t.Errorf("%v %q, want %q", a.Hostile, got, c.want)
			}
		})
	}
}

func swap(l layoutOf, old, with string) {
	for n, data := range l {
		if data == old {
			l[n] = with
		}
	}
}

func swapPart(l layoutOf, part string) {
	for n, data := range l {
		if strings.HasPrefix(n, "blobs/") && strings.Contains(data, part) {
			l[n] = data + " "
		}
	}
}
