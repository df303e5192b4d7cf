package builder

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/builder/archivetest"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/oci"
	"github.com/glassbuild/glassbuild/internal/remote"
)

func prepareImage(t *testing.T, ref string, o Options) (*Root, error) {
	t.Helper()
	if o.Store == nil {
		o.Store = newStore(t)
	}
	return Prepare(context.Background(), Request{Image: ref, Platform: "linux/amd64"}, o)
}

func link(name, target string) tar.Header {
	return tar.Header{Name: name, Typeflag: tar.TypeSymlink, Linkname: target}
}

func TestImageRoot(t *testing.T) {
	t.Parallel()
	f := archivetest.NewLayout(t)
	base := archivetest.Tar(t, []tar.Header{dir("bin/"), exe("bin/sh"), {Name: "etc/a"}, {Name: "etc/b"}, {Name: "gone/x"}, {Name: "kept/y"}, link("lib", "usr/lib"), dir("usr/lib/")},
		map[string]string{"bin/sh": "shell", "etc/a": "1", "etc/b": "1"})
	upper := archivetest.Tar(t, []tar.Header{{Name: "etc/a"}, {Name: "etc/.wh.b"}, dir("gone/"), {Name: "gone/.wh..wh..opq"}, {Name: "gone/new"}, {Name: ".wh..wh.plnk"},
		{Name: "bin/su", Mode: 0o4755, PAXRecords: map[string]string{"SCHILY.xattr.security.capability": "\x01"}}, {Name: "bin/ln", Typeflag: tar.TypeLink, Linkname: "bin/su"}, {Name: "lib/z"}},
		map[string]string{"etc/a": "2"})
	img := f.Image(nil, base, upper)
	index := f.Index(archivetest.ForPlatform(f.Image(func(c, _ map[string]any) { c["architecture"] = "arm64" }, base), "arm64"), archivetest.ForPlatform(img, "amd64"))
	root, err := prepareImage(t, f.Ref(img), Options{})
	if err != nil {
		t.Fatal(err)
	}
	l := root.Layers[0]
	if l.Digest != img["digest"] || root.Digest == "" || root.Vouched || l.Target != "/" || root.Env["PATH"] != "/opt/bin:/bin" || root.Env["HOME"] != "" || root.Env["LANGUAGE"] != "x" {
		t.Errorf("%+v, env %v", root, root.Env)
	}
	for name, want := range map[string]string{"etc/a": "2", "bin/sh": "shell", "gone/new": "", "kept/y": "", "usr/lib/z": ""} {
		if data, err := os.ReadFile(filepath.Join(l.Dir, name)); err != nil || string(data) != want {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
	for _, name := range []string{"etc/b", "etc/.wh.b", "gone/x", "gone/.wh..wh..opq", ".wh..wh.plnk"} {
		if _, err := os.Lstat(filepath.Join(l.Dir, name)); err == nil {
			t.Errorf("%s is there", name)
		}
	}
	if st, err := os.Lstat(filepath.Join(l.Dir, "bin/su")); err != nil || st.Mode() != 0o755 {
		t.Errorf("%v, %v", st.Mode(), err)
	}
	manifest, err := os.ReadFile(filepath.Join(filepath.Dir(l.Dir), rootManifest))
	if err != nil || !strings.Contains(string(manifest), `"security.capability"=01`) || !strings.Contains(string(manifest), "f 4755") {
		t.Errorf("%s, %v", manifest, err)
	}
	// the index names the same root, but is another pin
	o := Options{Store: newStore(t)}
	other, err := prepareImage(t, f.Ref(index), o)
	if err != nil || other.Layers[0].Digest != index["digest"] {
		t.Fatalf("%+v, %v", other, err)
	}
	// a second use reads nothing of the layout
	if err := os.RemoveAll(filepath.Join(f.Dir, "blobs")); err != nil {
		t.Fatal(err)
	}
	again, err := prepareImage(t, f.Ref(index), o)
	if err != nil || again.Digest != other.Digest {
		t.Errorf("%v", err)
	}
	// and what was changed meanwhile is laid anew from the store
	sh := filepath.Join(again.Layers[0].Dir, "bin/sh")
	if err := os.WriteFile(sh, []byte("evil!"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := prepareImage(t, f.Ref(index), o); err != nil {
		t.Fatal(err)
	}
	if data, _ := os.ReadFile(sh); string(data) != "shell" {
		t.Errorf("%q", data)
	}
}

func TestImageFromRegistry(t *testing.T) {
	t.Parallel()
	f := archivetest.NewLayout(t)
	img := f.Image(nil, archivetest.Tar(t, []tar.Header{exe("bin/sh")}, nil))
	swapped := ""
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		digest := path.Base(r.URL.Path)
		data, ok := f.Blobs[digest]
		switch {
		case r.URL.Path == "/v2/":
		case !ok:
			http.NotFound(w, r)
		case digest == swapped:
			w.Write(bytes.Repeat([]byte("x"), len(data)))
		default:
			if strings.Contains(r.URL.Path, "/manifests/") {
				w.Header().Set("Content-Type", oci.TypeManifest)
			}
			w.Write(data)
		}
	}))
	t.Cleanup(srv.Close)
	client, err := remote.New(remote.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ref := strings.TrimPrefix(srv.URL, "http://") + "/team/builder@" + img["digest"].(string)
	if root, err := prepareImage(t, ref, Options{Remote: client}); err != nil || root.Layers[0].Digest != img["digest"] {
		t.Fatalf("%v", err)
	}
	for digest := range f.Blobs {
		swapped = digest
		if _, err := prepareImage(t, ref, Options{Remote: client}); err == nil || fault.ClassOf(err) != fault.Failed {
			t.Errorf("another %s: %v", digest, err)
		}
	}
	if _, err := prepareImage(t, ref, Options{Remote: client, Offline: true}); fault.ClassOf(err) != fault.Inconclusive || !strings.Contains(err.Error(), "offline") {
		t.Error(err)
	}
	if _, err := prepareImage(t, strings.TrimPrefix(srv.URL, "http://")+"/team/builder@sha256:"+strings.Repeat("0", 64), Options{Remote: client}); fault.ClassOf(err) != fault.Inconclusive || fault.CheckOf(err) != CheckAvailable {
		t.Error(err)
	}
}

func TestHostileImages(t *testing.T) {
	t.Parallel()
	outside := t.TempDir()
	fine := archivetest.Tar(t, []tar.Header{exe("bin/sh")}, nil)
	one := func(h ...tar.Header) []byte { return archivetest.Tar(t, h, nil) }
	for _, c := range []struct {
		name  string
		make  func(f *archivetest.Layout) archivetest.Descriptor
		want  string
		class fault.Class
	}{
		{"path that climbs", func(f *archivetest.Layout) archivetest.Descriptor {
			return f.Image(nil, one(tar.Header{Name: "../../x"}))
		}, "unsafe path", fault.Failed},
		{"through a link of its own layer", func(f *archivetest.Layout) archivetest.Descriptor {
			return f.Image(nil, one(link("l", outside), tar.Header{Name: "l/x"}))
		}, "path through symlink", fault.Failed},
		{"through a link of a lower layer", func(f *archivetest.Layout) archivetest.Descriptor {
			return f.Image(nil, one(link("l", "../.."+outside)), one(tar.Header{Name: "l/x"}))
		}, "link escapes", fault.Failed},
		{"whiteout through a link", func(f *archivetest.Layout) archivetest.Descriptor {
			return f.Image(nil, one(link("l", "../.."+outside)), one(tar.Header{Name: "l/.wh.x"}))
		}, "link escapes", fault.Failed},
		{"whiteout of what is above", func(f *archivetest.Layout) archivetest.Descriptor {
			return f.Image(nil, one(tar.Header{Name: "a/.wh..."}))
		}, "unsafe path", fault.Failed},
		{"hard link outside", func(f *archivetest.Layout) archivetest.Descriptor {
			return f.Image(nil, one(tar.Header{Name: "x", Typeflag: tar.TypeLink, Linkname: "/etc/passwd"}))
		}, "link escapes", fault.Failed},
		{"device", func(f *archivetest.Layout) archivetest.Descriptor {
			return f.Image(nil, one(tar.Header{Name: "dev/sda", Typeflag: tar.TypeBlock}))
		}, "unsupported type", fault.Failed},
		{"name twice", func(f *archivetest.Layout) archivetest.Descriptor {
			return f.Image(nil, one(exe("bin/sh"), exe("./bin/sh")))
		}, "duplicate entry", fault.Failed},
		{"wrong diff-id", func(f *archivetest.Layout) archivetest.Descriptor {
			return f.Image(func(c, _ map[string]any) {
				c["rootfs"] = map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + strings.Repeat("0", 64)}}
			}, fine)
		}, "wrong diff-id", fault.Failed},
		{"diff-ids missing", func(f *archivetest.Layout) archivetest.Descriptor {
			return f.Image(func(c, _ map[string]any) { c["rootfs"] = map[string]any{"type": "layers", "diff_ids": []string{}} }, fine)
		}, "wrong diff-id", fault.Failed},
		{"layers in another order", func(f *archivetest.Layout) archivetest.Descriptor {
			return f.Image(func(_, m map[string]any) {
				l := m["layers"].([]archivetest.Descriptor)
				l[0], l[1] = l[1], l[0]
			}, fine, one(exe("bin/cc")))
		}, "wrong diff-id", fault.Failed},
		{"link that another layer's file goes through", func(f *archivetest.Layout) archivetest.Descriptor {
			return f.Image(nil, one(link("etc", "../../../../.."+outside)), one(tar.Header{Name: "etc/passwd"}))
		}, "link escapes", fault.Failed},
		{"hard link through a link", func(f *archivetest.Layout) archivetest.Descriptor {
			return f.Image(nil, one(link("l", "../.."+outside), tar.Header{Name: "x", Typeflag: tar.TypeLink, Linkname: "l/secret"}))
		}, "link escapes", fault.Failed},
		{"named pipe", func(f *archivetest.Layout) archivetest.Descriptor {
			return f.Image(nil, one(tar.Header{Name: "run/pipe", Typeflag: tar.TypeFifo}))
		}, "unsupported type", fault.Failed},
		{"foreign layer", func(f *archivetest.Layout) archivetest.Descriptor {
			return f.Image(func(_, m map[string]any) {
				m["layers"].([]archivetest.Descriptor)[0]["urls"] = []string{"https://elsewhere.example/layer"}
			}, fine)
		}, "external layer", fault.Failed},
		{"foreign layer by its type", func(f *archivetest.Layout) archivetest.Descriptor {
			return f.Image(func(_, m map[string]any) {
				m["layers"].([]archivetest.Descriptor)[0]["mediaType"] = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
			}, fine)
		}, "external layer", fault.Failed},
		{"unknown layer", func(f *archivetest.Layout) archivetest.Descriptor {
			return f.Image(func(_, m map[string]any) { m["layers"].([]archivetest.Descriptor)[0]["mediaType"] = "application/x" }, fine)
		}, "unknown kind", fault.Inconclusive},
		{"other platform", func(f *archivetest.Layout) archivetest.Descriptor {
			return f.Image(func(c, _ map[string]any) { c["architecture"] = "s390x" }, fine)
		}, "choose platform", fault.Usage},
		{"platform absent", func(f *archivetest.Layout) archivetest.Descriptor {
			return f.Index(archivetest.ForPlatform(f.Image(nil, fine), "arm64"))
		}, "choose platform", fault.Usage},
		{"platform twice", func(f *archivetest.Layout) archivetest.Descriptor {
			return f.Index(archivetest.ForPlatform(f.Image(nil, fine), "amd64"), archivetest.ForPlatform(f.Image(nil, fine, fine), "amd64"))
		}, "choose platform", fault.Usage},
		{"configuration with two readings", func(f *archivetest.Layout) archivetest.Descriptor {
			return f.Image(func(_, m map[string]any) {
				m["config"] = f.Blob("application/vnd.oci.image.config.v1+json", []byte(`{"os":"linux","os":"plan9","architecture":"amd64","rootfs":{"type":"layers","diff_ids":[]}}`))
			})
		}, "malformed configuration", fault.Failed},
		{"bytes of a blob", func(f *archivetest.Layout) archivetest.Descriptor {
			d := f.Image(nil, fine)
			for digest, data := range f.Blobs {
				if bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
					f.Write("blobs/sha256/"+strings.TrimPrefix(digest, "sha256:"), bytes.Repeat([]byte("x"), len(data)))
				}
			}
			return d
		}, "digest mismatch", fault.Failed},
		{"trailing data", func(f *archivetest.Layout) archivetest.Descriptor {
			return f.Image(nil, append(bytes.Clone(fine), "more"...))
		}, "trailing data", fault.Failed},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := archivetest.NewLayout(t)
			_, err := prepareImage(t, f.Ref(c.make(f)), Options{})
			if err == nil || !strings.Contains(err.Error(), c.want) || fault.ClassOf(err) != c.class || fault.CheckOf(err) != CheckAvailable {
				t.Errorf("%v (%v, check %q)", err, fault.ClassOf(err), fault.CheckOf(err))
			}
		})
	}
	if names, _ := os.ReadDir(outside); len(names) > 0 {
		t.Error("written outside")
	}
	for _, ref := range []string{"registry.example/x:latest", "oci:/nowhere"} {
		if _, err := prepareImage(t, ref, Options{}); fault.ClassOf(err) != fault.Usage {
			t.Errorf("%s: %v", ref, err)
		}
	}
}

// The same layers in another order, said so everywhere, are another image with another root: the upper one wins.
func TestImageLayerOrder(t *testing.T) {
	t.Parallel()
	f := archivetest.NewLayout(t)
	layers := [][]byte{}
	for _, text := range []string{"lower", "upper"} {
		layers = append(layers, archivetest.Tar(t, []tar.Header{exe("bin/sh")}, map[string]string{"bin/sh": text}))
	}
	for want, img := range map[string]archivetest.Descriptor{"upper": f.Image(nil, layers[0], layers[1]), "lower": f.Image(nil, layers[1], layers[0])} {
		root, err := prepareImage(t, f.Ref(img), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if data, err := os.ReadFile(filepath.Join(root.Layers[0].Dir, "bin/sh")); err != nil || string(data) != want {
			t.Errorf("%q, %v, want %q", data, err, want)
		}
	}
}

// Two gigabytes from two megabytes end early, and leave nothing behind.
func TestImageBomb(t *testing.T) {
	t.Parallel()
	f := archivetest.NewLayout(t)
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
	w := tar.NewWriter(z)
	const size = 2 << 30
	if err := w.WriteHeader(&tar.Header{Name: "zero", Size: size, Mode: 0o644}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(w, zeros{}, size/8); err != nil { // an eighth is far beyond the limit
		t.Fatal(err)
	}
	z.Close()
	d := f.Image(func(c, m map[string]any) {
		c["rootfs"] = map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + strings.Repeat("0", 64)}}
		m["layers"] = []archivetest.Descriptor{f.Blob(archivetest.GzipLayer, b.Bytes())}
	})
	o := Options{Store: newStore(t)}
	if _, err := prepareImage(t, f.Ref(d), o); err == nil || !strings.Contains(err.Error(), "expansion exceeds") || fault.ClassOf(err) != fault.Failed {
		t.Errorf("%v", err)
	}
	if left, _ := os.ReadDir(filepath.Join(o.Store.Dir(), "tmp")); len(left) > 0 {
		t.Errorf("%d things are left", len(left))
	}
}

type zeros struct{}

// Read implements io.Reader.
func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
