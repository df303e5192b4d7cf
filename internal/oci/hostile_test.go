package oci_test

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/oci"
)

func layerOf(text, mediaType string) v1.Layer {
	return static.NewLayer([]byte(text), types.MediaType(mediaType))
}

type object = map[string]any

// liar is a registry that answers what a test wants, by path.
type liar map[string]http.HandlerFunc

// ServeHTTP implements http.Handler.
func (l liar) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h, ok := l[strings.TrimPrefix(r.URL.Path, "/v2/a/")]; ok {
		h(w, r)
		return
	}
	if r.URL.Path != "/v2/" {
		http.NotFound(w, r)
	}
}

func answer(mediaType string, data []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", mediaType)
		w.Write(data)
	}
}

func endless(mediaType string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", mediaType)
		for range 64 {
			if _, err := w.Write(bytes.Repeat([]byte(" "), 1<<20)); err != nil {
				return
			}
		}
	}
}

func descriptor(data []byte, mediaType string) object {
	return object{"mediaType": mediaType, "digest": sum(data), "size": len(data)}
}

func image(t *testing.T, change func(object)) []byte {
	m := object{"schemaVersion": 2, "mediaType": oci.TypeManifest, "config": descriptor([]byte("{}"), "application/vnd.oci.image.config.v1+json"), "layers": []any{}}
	if change != nil {
		change(m)
	}
	return mustJSON(t, m)
}

// TestHostileManifests reads manifests with one fault each.
func TestHostileManifests(t *testing.T) {
	t.Parallel()
	good := image(t, nil)
	many := make([]any, oci.MaxDescriptors+1)
	for i := range many {
		many[i] = descriptor(nil, "x")
	}
	for name, tc := range map[string]struct {
		h    http.HandlerFunc
		want string
	}{
		"other bytes":          {answer(oci.TypeManifest, image(t, func(m object) { m["x"] = 1 })), "digest mismatch"},
		"endless":              {endless(oci.TypeManifest), "exceeds limit"},
		"other type in header": {answer("text/html", good), "wrong media type"},
		"no json":              {answer(oci.TypeManifest, []byte("<html>")), "malformed manifest"},
		"duplicate key":        {answer(oci.TypeManifest, []byte(`{"schemaVersion":2,"schemaVersion":2}`)), "duplicate key"},
		"index and manifest":   {answer(oci.TypeManifest, image(t, func(m object) { m["manifests"] = []any{} })), "ambiguous manifest"},
		"neither":              {answer(oci.TypeManifest, []byte(`{"schemaVersion":2}`)), "ambiguous manifest"},
		"schema 1":             {answer(oci.TypeManifest, image(t, func(m object) { m["schemaVersion"] = 1 })), "schemaVersion"},
		"type contradicts":     {answer(oci.TypeManifest, image(t, func(m object) { m["mediaType"] = oci.TypeIndex })), "wrong media type"},
		"layer elsewhere": {answer(oci.TypeManifest, image(t, func(m object) {
			m["layers"] = []any{object{"mediaType": "x", "digest": sum(nil), "size": 0, "urls": []string{"https://example.org"}}}
		})), "external layer"},
		"layer of another hash": {answer(oci.TypeManifest, image(t, func(m object) { m["layers"] = []any{object{"mediaType": "x", "digest": "md5:00", "size": 0}} })), "unsupported digest"},
		"negative size":         {answer(oci.TypeManifest, image(t, func(m object) { m["layers"] = []any{object{"mediaType": "x", "digest": sum(nil), "size": -1}} })), "without size"},
		"too many layers":       {answer(oci.TypeManifest, image(t, func(m object) { m["layers"] = many })), "exceeds limit"},
		"denied":                {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }, "access denied"},
		"control characters": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusConflict)
			io.WriteString(w, `{"errors":[{"code":"X","message":"`+"\x1b[2J"+`"}]}`)
		}, "answered 409"},
		"to the loopback": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://192.0.2.1/x", http.StatusFound)
		}, "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			host := serve(t, liar{"manifests/v1": tc.h, "manifests/" + sum(good): tc.h})
			for _, ref := range []string{host + "/a:v1", host + "/a@" + sum(good)} {
				p := open(t, ref)
				d, err := p.Resolve(t.Context())
				if err == nil {
					if name == "other bytes" && strings.HasSuffix(ref, ":v1") {
						continue // a tag may name any bytes
					}
					t.Fatalf("%s: resolved as %+v", ref, d)
				}
				if want := tc.want; !strings.Contains(err.Error(), want) && !strings.Contains(err.Error(), "digest mismatch") {
					t.Errorf("%s: %v, want %q", ref, err, want)
				}
				if !fault.Plain(err.Error()) {
					t.Errorf("unquoted: %q", err)
				}
			}
		})
	}
}

func TestHostileBlobs(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		h    http.HandlerFunc
		size int64
		want string
	}{
		"other bytes": {answer("x", []byte("evil")), 4, "digest mismatch"},
		"shorter":     {answer("x", []byte("go")), 4, "size mismatch"},
		"longer":      {answer("x", []byte("goodgood")), 4, "size mismatch"},
		"endless":     {endless("x"), 0, "size mismatch"},
		"too large":   {answer("x", []byte("good")), 1 << 30, "exceeds limit"},
	} {
		p := open(t, serve(t, liar{"blobs/" + sum([]byte("good")): tc.h})+"/a:v1")
		data, err := p.ReadBlob(t.Context(), oci.Descriptor{Digest: sum([]byte("good")), Size: tc.size}, 1<<20)
		if err == nil || !strings.Contains(err.Error(), tc.want) || fault.ClassOf(err) != fault.Failed {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
}

func TestHostileReferrers(t *testing.T) {
	t.Parallel()
	img := image(t, nil)
	other := image(t, func(m object) { m["subject"] = descriptor([]byte("another"), oci.TypeManifest) })
	list := func(ds ...any) []byte {
		ds = append([]any{}, ds...)
		return mustJSON(t, object{"schemaVersion": 2, "mediaType": oci.TypeIndex, "manifests": ds})
	}
	many := make([]any, oci.MaxReferrers+1)
	for i := range many {
		many[i] = descriptor([]byte(fmt.Sprint(i)), oci.TypeManifest)
	}
	page := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", `<`+r.URL.Path+`?n=x>; rel="next"`)
		answer(oci.TypeIndex, list())(w, r)
	}
	for name, tc := range map[string]struct {
		routes liar
		want   string
	}{
		"of another image":  {liar{"referrers/" + sum(img): answer(oci.TypeIndex, list(descriptor(other, oci.TypeManifest))), "manifests/" + sum(other): answer(oci.TypeManifest, other)}, "does not refer to it"},
		"of none":           {liar{"referrers/" + sum(img): answer(oci.TypeIndex, list(descriptor(img, oci.TypeManifest))), "manifests/" + sum(img): answer(oci.TypeManifest, img)}, "does not refer to it"},
		"not there":         {liar{"referrers/" + sum(img): answer(oci.TypeIndex, list(descriptor(other, oci.TypeManifest)))}, "is not there"},
		"too many":          {liar{"referrers/" + sum(img): answer(oci.TypeIndex, list(many...))}, "exceeds limit"},
		"endless":           {liar{"referrers/" + sum(img): endless(oci.TypeIndex)}, "exceeds limit"},
		"pages without end": {liar{"referrers/" + sum(img): page}, "pages"},
		"pages elsewhere": {liar{"referrers/" + sum(img): func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", `<https://example.org/v2/>; rel="next"`)
			answer(oci.TypeIndex, list())(w, r)
		}}, "lies elsewhere"},
		"a fallback tag that is an image": {liar{"manifests/" + strings.Replace(sum(img), ":", "-", 1): answer(oci.TypeManifest, []byte("{}"))}, "schemaVersion"},
	} {
		p := open(t, serve(t, tc.routes)+"/a:v1")
		got, err := p.Attached(t.Context(), sum(img))
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %d attached, %v, want %q", name, len(got), err, tc.want)
		}
	}
}

// TestRegistryLeadsAway offers a token realm and a redirect on this machine to a client of a registry that is elsewhere.
func TestRegistryLeadsAway(t *testing.T) {
	t.Parallel()
	reached := false
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	defer inside.Close()
	away := oci.Leads(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v2/" {
			return
		}
		http.Redirect(w, r, inside.URL+"/secret", http.StatusFound)
	})
	if _, err := away.Resolve(t.Context()); err == nil || !strings.Contains(err.Error(), "refused") || reached {
		t.Errorf("%v, reached %t", err, reached)
	}
}

func TestHostileArchives(t *testing.T) {
	t.Parallel()
	member := func(name, body string) *tar.Header {
		return &tar.Header{Name: name, PAXRecords: map[string]string{"x.body": body}}
	}
	for name, tc := range map[string]struct {
		members []*tar.Header
		want    string
	}{
		"nothing":            {[]*tar.Header{member("x", "")}, "no archive of an image"},
		"config outside":     {[]*tar.Header{member("manifest.json", `[{"Config":"../x","Layers":[]}]`)}, "unsafe path"},
		"config missing":     {[]*tar.Header{member("manifest.json", `[{"Config":"x","Layers":[]}]`)}, "cannot be read"},
		"two manifests":      {[]*tar.Header{member("manifest.json", `[]`), member("manifest.json", `[]`)}, "duplicate"},
		"layer is a cycle":   {[]*tar.Header{member("manifest.json", `[{"Config":"c","Layers":["a"]}]`), member("c", "{}"), {Name: "a", Typeflag: tar.TypeSymlink, Linkname: "b"}, {Name: "b", Typeflag: tar.TypeSymlink, Linkname: "a"}}, "link"},
		"duplicate key":      {[]*tar.Header{member("manifest.json", `[{"Config":"c","Config":"c","Layers":[]}]`)}, "duplicate key"},
		"two images":         {[]*tar.Header{member("manifest.json", `[{"Config":"c"},{"Config":"c"}]`)}, "holds 2 images"},
		"a layout that lies": {[]*tar.Header{member("oci-layout", "{}"), member("index.json", `{"schemaVersion":2,"manifests":[{"mediaType":"`+oci.TypeManifest+`","digest":"`+sum([]byte("x"))+`","size":1}]}`), member("blobs/sha256/"+sum([]byte("x"))[7:], "y")}, "digest mismatch"},
	} {
		ref, err := oci.Parse("docker-archive:" + writeTar(t, tc.members...))
		if err != nil {
			t.Fatal(err)
		}
		p, err := oci.Open(ref, oci.Options{})
		if err == nil {
			_, err = p.Resolve(t.Context())
			p.Close()
		}
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
}
