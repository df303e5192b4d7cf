package archivetest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/glassbuild/glassbuild/internal/oci"
)

// Layout is an image layout that a test makes, bad ones included.
type Layout struct {
	t     *testing.T
	Dir   string
	Blobs map[string][]byte
}

// Descriptor is one as it stands in a manifest.
type Descriptor map[string]any

// NewLayout makes an empty layout.
func NewLayout(t *testing.T) *Layout {
	t.Helper()
	f := &Layout{t: t, Dir: t.TempDir(), Blobs: map[string][]byte{}}
	f.Write("oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`))
	f.Write("index.json", []byte(`{"schemaVersion":2,"manifests":[]}`))
	return f
}

// Write replaces a file of the layout.
func (f *Layout) Write(name string, data []byte) {
	f.t.Helper()
	to := filepath.Join(f.Dir, name)
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(to, data, 0o644); err != nil {
		f.t.Fatal(err)
	}
}

// Blob stores content and describes it.
func (f *Layout) Blob(mediaType string, data []byte) Descriptor {
	f.Write("blobs/sha256/"+SHA(data), data)
	f.Blobs["sha256:"+SHA(data)] = data
	return Descriptor{"mediaType": mediaType, "digest": "sha256:" + SHA(data), "size": len(data)}
}

// JSON stores a document.
func (f *Layout) JSON(mediaType string, v any) Descriptor {
	data, err := json.Marshal(v)
	if err != nil {
		f.t.Fatal(err)
	}
	return f.Blob(mediaType, data)
}

// GzipLayer is the media type of Image's layers.
const GzipLayer = "application/vnd.oci.image.layer.v1.tar+gzip"

// Image stores layers, gzipped, under a configuration; change can spoil both before they are stored.
func (f *Layout) Image(change func(config, manifest map[string]any), layers ...[]byte) Descriptor {
	var ids []string
	list := []Descriptor{}
	for _, l := range layers {
		ids = append(ids, "sha256:"+SHA(l))
		list = append(list, f.Blob(GzipLayer, Gzip(f.t, l)))
	}
	config := map[string]any{"os": "linux", "architecture": "amd64", "rootfs": map[string]any{"type": "layers", "diff_ids": ids},
		"config": map[string]any{"Env": []string{"PATH=/opt/bin:/bin", "HOME=/root", "LANGUAGE=x"}}}
	manifest := map[string]any{"schemaVersion": 2, "mediaType": oci.TypeManifest, "layers": list}
	if change != nil {
		change(config, manifest)
	}
	if manifest["config"] == nil {
		manifest["config"] = f.JSON("application/vnd.oci.image.config.v1+json", config)
	}
	return f.JSON(oci.TypeManifest, manifest)
}

// Index stores an index of images.
func (f *Layout) Index(entries ...Descriptor) Descriptor {
	return f.JSON(oci.TypeIndex, map[string]any{"schemaVersion": 2, "mediaType": oci.TypeIndex, "manifests": entries})
}

// ForPlatform says for which architecture an image is.
func ForPlatform(d Descriptor, arch string) Descriptor {
	d["platform"] = map[string]any{"os": "linux", "architecture": arch}
	return d
}

// Ref names an image of the layout.
func (f *Layout) Ref(d Descriptor) string { return "oci:" + f.Dir + "@" + d["digest"].(string) }
