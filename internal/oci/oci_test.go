package oci_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	gcrregistry "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	gcrlayout "github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	gcr "github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/oci"
	"github.com/glassbuild/glassbuild/internal/remote"
)

// serve starts a registry and returns its host.
func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

func inProcess(opts ...gcrregistry.Option) http.Handler {
	return gcrregistry.New(append(opts, gcrregistry.Logger(log.New(io.Discard, "", 0)))...)
}

// open opens a reference in a registry without anybody's credentials.
func open(t *testing.T, ref string) *oci.Place {
	t.Helper()
	c, err := remote.New(remote.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := oci.Parse(ref)
	if err != nil {
		t.Fatal(err)
	}
	p, err := oci.Open(r, oci.Options{Remote: c, Anonymous: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// push puts an image under host/team/tool:v1.
func push(t *testing.T, host string) v1.Image {
	t.Helper()
	img, err := random.Image(1000, 2)
	if err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag(host + "/team/tool:v1")
	if err != nil {
		t.Fatal(err)
	}
	if err := gcr.Write(tag, img); err != nil {
		t.Fatal(err)
	}
	return img
}

func digest(t *testing.T, img interface{ Digest() (v1.Hash, error) }) string {
	t.Helper()
	h, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return h.String()
}

var at = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// attachTwice attaches two bundles and reads them back.
func attachTwice(t *testing.T, p *oci.Place, digest string) {
	t.Helper()
	for _, text := range []string{"one", "two"} {
		if _, err := p.Attach(t.Context(), digest, oci.Bundle{Data: []byte(text), Predicate: "https://slsa.dev/provenance/v1", Created: at}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.Attach(t.Context(), digest, oci.Bundle{Data: []byte("two"), Predicate: "https://slsa.dev/provenance/v1", Created: at}); err != nil {
		t.Fatalf("attached again: %v", err)
	}
	list, err := p.Attached(t.Context(), digest)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range list {
		if a.MediaType != oci.TypeBundle || a.From.ArtifactType != oci.TypeBundle {
			t.Errorf("%+v", a)
		}
		got = append(got, string(a.Data))
	}
	slices.Sort(got)
	if !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("attached %q", got)
	}
	m, err := p.Manifest(t.Context(), list[0].From)
	if err != nil {
		t.Fatal(err)
	}
	if m.Subject == nil || m.Subject.Digest != digest || m.Annotations[oci.AnnotationPredicate] != "https://slsa.dev/provenance/v1" ||
		m.Annotations[oci.AnnotationContent] != "dsse-envelope" || m.Annotations["org.opencontainers.image.created"] != "2026-03-04T05:06:07Z" || string(m.Config.MediaType) != "application/vnd.oci.empty.v1+json" {
		t.Errorf("referrer %s", m.Raw)
	}
}

func TestRegistry(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]http.Handler{"referrers": inProcess(gcrregistry.WithReferrersSupport(true)), "fallback tag": inProcess(gcrregistry.WithReferrersSupport(false))} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			host := serve(t, h)
			img := push(t, host)
			p := open(t, host+"/team/tool:v1")
			d, err := p.Resolve(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if d.Digest != digest(t, img) || d.Size == 0 {
				t.Errorf("resolved %+v", d)
			}
			m, err := p.Manifest(t.Context(), d)
			if err != nil {
				t.Fatal(err)
			}
			if m.Index || len(m.Layers) != 2 || m.Made {
				t.Errorf("manifest %s", m.Raw)
			}
			for _, l := range append(m.Layers, m.Config) {
				data, err := p.ReadBlob(t.Context(), l, 1<<20)
				if err != nil || int64(len(data)) != l.Size {
					t.Errorf("%d bytes, %v", len(data), err)
				}
			}
			if list, err := p.Attached(t.Context(), d.Digest); err != nil || len(list) != 0 {
				t.Errorf("%d attached, %v", len(list), err)
			}
			attachTwice(t, p, d.Digest)
			if _, err := open(t, host+"/team/tool:v2").Resolve(t.Context()); fault.ClassOf(err) != fault.Inconclusive || !strings.Contains(err.Error(), "is not there") {
				t.Errorf("a tag that is not there: %v", err)
			}
		})
	}
}

// TestOldAttachments reads what cosign attaches under tags made from the digest.
func TestOldAttachments(t *testing.T) {
	t.Parallel()
	host := serve(t, inProcess())
	img := push(t, host)
	d := digest(t, img)
	att, err := random.Image(1, 0)
	if err != nil {
		t.Fatal(err)
	}
	if att, err = mutate.Append(att, mutate.Addendum{Layer: layerOf("{}", oci.TypeEnvelope), Annotations: map[string]string{"dev.sigstore.cosign/bundle": "x"}}); err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag(host + "/team/tool:" + strings.Replace(d, ":", "-", 1) + ".att")
	if err != nil {
		t.Fatal(err)
	}
	if err := gcr.Write(tag, att); err != nil {
		t.Fatal(err)
	}
	list, err := open(t, host+"/team/tool:v1").Attached(t.Context(), d)
	if err != nil || len(list) != 1 || string(list[0].Data) != "{}" || list[0].MediaType != oci.TypeEnvelope || list[0].Annotations["dev.sigstore.cosign/bundle"] != "x" {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestLayoutAndIndex(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "layout")
	img, err := random.Image(100, 1)
	if err != nil {
		t.Fatal(err)
	}
	inner := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "arm64", Variant: "v8"}}})
	outer := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: inner})
	lp, err := gcrlayout.Write(dir, empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	if err := lp.AppendIndex(outer, gcrlayout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": "v1"})); err != nil {
		t.Fatal(err)
	}
	p := open(t, "oci:"+dir+":v1")
	d, err := p.Resolve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	images, err := p.Images(t.Context(), d)
	if err != nil || len(images) != 1 || images[0].Digest != digest(t, img) || images[0].Platform.String() != "linux/arm64/v8" {
		t.Errorf("images %+v, %v", images, err)
	}
	attachTwice(t, p, images[0].Digest)
	if again, err := open(t, "oci:"+dir).Resolve(t.Context()); err != nil || again.Digest != d.Digest {
		t.Errorf("with evidence in it: %+v, %v", again, err)
	}
	blob := filepath.Join(dir, "blobs", "sha256", strings.TrimPrefix(d.Digest, "sha256:"))
	if err := os.Rename(blob, blob+"x"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(blob+"x", blob); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Manifest(t.Context(), d); err == nil || !strings.Contains(err.Error(), "not a plain file") {
		t.Errorf("a link for a blob: %v", err)
	}
}

func TestDockerArchive(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "image.tar")
	img, err := random.Image(100, 2)
	if err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag("example.org/team/tool:v1")
	if err != nil {
		t.Fatal(err)
	}
	if err := tarball.WriteToFile(file, tag, img); err != nil {
		t.Fatal(err)
	}
	for _, ref := range []string{"docker-archive:" + file, "docker-archive:" + file + ":example.org/team/tool:v1"} {
		p := open(t, ref)
		d, err := p.Resolve(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		m, err := p.Manifest(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		config, err := img.ConfigName()
		if err != nil {
			t.Fatal(err)
		}
		if !m.Made || m.Config.Digest != config.String() || len(m.Layers) != 2 {
			t.Errorf("%s", m.Raw)
		}
		for _, l := range m.Layers {
			if _, err := p.ReadBlob(t.Context(), l, 1<<20); err != nil {
				t.Error(err)
			}
		}
		if _, err := p.Attach(t.Context(), d.Digest, oci.Bundle{}); fault.ClassOf(err) != fault.Usage {
			t.Errorf("attached to an archive: %v", err)
		}
	}
	other, err := oci.Parse("docker-archive:" + file + ":other")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := oci.Open(other, oci.Options{}); err == nil || !strings.Contains(err.Error(), "holds 0 images") {
		t.Errorf("another name: %v", err)
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	sum := "sha256:" + strings.Repeat("a", 64)
	for _, text := range []string{"example.org/a/b:v1", "example.org/a@" + sum, "localhost/a:1", "localhost:5000/a/b@" + sum, "example.org/a:1@" + sum, "oci:dir", "oci:/a/b:v1", "oci:dir@" + sum, "docker-archive:f.tar", "docker-archive:f.tar:a/b:v1"} {
		r, err := oci.Parse(text)
		if err != nil || r.String() != text {
			t.Errorf("%s: %s, %v", text, r, err)
		}
	}
	for _, text := range []string{"", "tool", "tool:v1", "team/tool:v1", "./tool.tar", "a/b.c", "example.org/a", "example.org/A:v1", "example.org/a:" + strings.Repeat("v", 200), "example.org/a@sha256:AA", "example.org/a@md5:00",
		"example.org/a@sha512:" + strings.Repeat("a", 128), "oci:", "docker-archive:", "https://example.org/a:v1", "example.org/../a:v1", "user@example.org/a:v1", strings.Repeat("a", 2000)} {
		if r, err := oci.Parse(text); fault.ClassOf(err) != fault.Usage || err == nil || oci.IsReference(text) {
			t.Errorf("%.40q is read as %s, %v", text, r, err)
		}
	}
}

func sum(data []byte) string {
	s := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(s[:])
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// writeTar makes a docker archive from members.
func writeTar(t *testing.T, members ...*tar.Header) string {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range members {
		body := h.PAXRecords["x.body"]
		h.PAXRecords, h.Size, h.Mode = nil, int64(len(body)), 0o644
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, body)
	}
	w.Close()
	file := filepath.Join(t.TempDir(), "a.tar")
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
