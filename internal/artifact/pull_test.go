package artifact_test

import (
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gcrname "github.com/google/go-containerregistry/pkg/name"
	gcrregistry "github.com/google/go-containerregistry/pkg/registry"
	gcrlayout "github.com/google/go-containerregistry/pkg/v1/layout"
	gcr "github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/glassbuild/glassbuild/internal/artifact"
	"github.com/glassbuild/glassbuild/internal/oci"
	"github.com/glassbuild/glassbuild/internal/remote"
)

// TestPull brings an image by digest from a registry, and the same one from a layout: both have the same view.
func TestPull(t *testing.T) {
	t.Parallel()
	l := layoutOf{}
	l.index(l.manifest("", layer(t, "etc/a=1"), layer(t, "etc/b=2")))
	from := t.TempDir()
	for n, data := range l {
		if err := os.MkdirAll(filepath.Join(from, filepath.Dir(n)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(from, n), []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s := httptest.NewServer(gcrregistry.New(gcrregistry.Logger(log.New(io.Discard, "", 0))))
	defer s.Close()
	index, err := gcrlayout.ImageIndexFromPath(from)
	if err != nil {
		t.Fatal(err)
	}
	m, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	img, err := index.Image(m.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	to, err := gcrname.ParseReference(strings.TrimPrefix(s.URL, "http://") + "/team/tool:v1")
	if err != nil {
		t.Fatal(err)
	}
	if err := gcr.Write(to, img); err != nil {
		t.Fatal(err)
	}
	registry := strings.TrimPrefix(s.URL, "http://") + "/team/tool@" + m.Manifests[0].Digest.String()
	var want []string
	for _, text := range []string{"oci:" + from, registry} {
		ref, err := oci.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		c, err := remote.New(remote.Options{})
		if err != nil {
			t.Fatal(err)
		}
		place, err := oci.Open(ref, oci.Options{Remote: c, Anonymous: true})
		if err != nil {
			t.Fatal(err)
		}
		defer place.Close()
		dir := t.TempDir()
		if err := artifact.Pull(t.Context(), place, dir); err != nil {
			t.Fatal(err)
		}
		a, err := artifact.Open(t.Context(), dir, artifact.Options{Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		got := list(a.Root.View)
		if want == nil {
			want = got
		}
		if len(got) < 9 || !slices.Equal(got, want) || len(a.Hostile) > 0 {
			t.Errorf("%s: %q %v", text, got, a.Hostile)
		}
	}
}
