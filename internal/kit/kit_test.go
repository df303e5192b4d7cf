package kit_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/kit"
	"github.com/glassbuild/glassbuild/internal/oci"
	"github.com/glassbuild/glassbuild/internal/remote"
	"github.com/glassbuild/glassbuild/internal/store"
)

func newStore(t testing.TB) *store.Store {
	t.Helper()
	s, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// file puts content into a store and describes it.
func file(t testing.TB, s *store.Store, kind, name, content string) kit.File {
	t.Helper()
	b, err := s.Put(t.Context(), strings.NewReader(content), kit.MaxBlob)
	if err != nil {
		t.Fatal(err)
	}
	if kind == kit.Large {
		name = b.SHA256
	}
	return kit.File{Kind: kind, Name: name, SHA256: b.SHA256, Size: b.Size}
}

var big = strings.Repeat("0123456789abcdef", 8<<10) // travels as a blob of its own

// sample is a small kit of every kind of file.
func sample(t testing.TB) (*kit.Document, *store.Store) {
	t.Helper()
	s := newStore(t)
	pack := file(t, s, kit.Part, "", "PACK"+big)
	d := &kit.Document{Tool: "test", Repository: "repo", Commit: strings.Repeat("a", 40), Absent: []string{"go/none/@v/list"},
		Sources: []kit.Source{{Format: "sha1", Objects: 3, SHA256: pack.SHA256, Size: pack.Size, Refs: []kit.Ref{{Name: "refs/heads/main", ID: strings.Repeat("a", 40)}}}},
		Files: []kit.File{file(t, s, kit.Fetched, "go/example.com/m/@v/v1.0.0.zip", "zip"+big), file(t, s, kit.Fetched, "go/example.com/m/@v/v1.0.0.mod", "module"),
			file(t, s, kit.Part, "debian a 1", "deb"+big), file(t, s, kit.Large, "", "large"), file(t, s, kit.Artefact, "tool", "tool"+big), file(t, s, kit.Evidence, "tool.sigstore.json", "{}")}}
	return d, s
}

func sealed(t testing.TB, d *kit.Document, s *store.Store) []byte {
	t.Helper()
	k, err := kit.Seal(t.Context(), d, s)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := k.WriteTo(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func opened(t testing.TB, data []byte) (*kit.Kit, *store.Store, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "release.kit")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	place, err := kit.At(path, oci.Options{})
	if err != nil {
		return nil, nil, err
	}
	defer place.Close()
	s := newStore(t)
	k, err := kit.Open(t.Context(), place, s)
	return k, s, err
}

// TestRoundTrip: what is packed comes out, and the same content gives the same bytes.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	d, s := sample(t)
	data := sealed(t, d, s)
	k, got, err := opened(t, data)
	if err != nil {
		t.Fatal(err)
	}
	if len(k.Document.Files) != len(d.Files) || len(k.Ignored) != 0 || len(k.Bundles) != 0 {
		t.Errorf("%+v", k)
	}
	for _, f := range d.Files {
		if !got.Has(f.SHA256) {
			t.Errorf("%s %s is not there", f.Kind, f.Name)
		}
	}
	shelf := k.Document.Shelf(got)
	r, err := shelf.Open("go/example.com/m/@v/v1.0.0.mod")
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(r)
	r.Close()
	if string(text) != "module" || !shelf.Sealed() {
		t.Errorf("%q", text)
	}
	if _, err := shelf.Open("go/none/@v/list"); !errors.Is(err, remote.ErrAbsent) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
	if _, err := shelf.Open("go/other/@v/list"); errors.Is(err, remote.ErrAbsent) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("unknown: %v", err)
	}
	again, s2 := sample(t)
	for i, j := 0, len(again.Files)-1; i < j; i, j = i+1, j-1 {
		again.Files[i], again.Files[j] = again.Files[j], again.Files[i]
	}
	if !bytes.Equal(data, sealed(t, again, s2)) {
		t.Error("the same content gives another kit")
	}
}

// members are the files of a kit.
func members(t testing.TB, data []byte) (names []string, content map[string][]byte) {
	t.Helper()
	content = map[string][]byte{}
	r := tar.NewReader(bytes.NewReader(data))
	for {
		h, err := r.Next()
		if err == io.EOF {
			return names, content
		}
		if err != nil {
			t.Fatal(err)
		}
		if content[h.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
	}
}

func packed(t testing.TB, names []string, content map[string][]byte, more ...*tar.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, name := range names {
		if err := w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(content[name]))}); err != nil {
			t.Fatal(err)
		}
		w.Write(content[name])
	}
	for _, h := range more {
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	return out.Bytes()
}

// TestDamaged: whatever byte is missing or changed, the answer is inconclusive, and names what it is about.
func TestDamaged(t *testing.T) {
	t.Parallel()
	d, s := sample(t)
	data := sealed(t, d, s)
	names, content := members(t, data)
	for _, name := range names {
		var left []string
		for _, n := range names {
			if n != name {
				left = append(left, n)
			}
		}
		_, _, err := opened(t, packed(t, left, content))
		if err == nil || fault.ClassOf(err) == fault.Failed {
			t.Errorf("without %s: %v", name, err)
		}
		if strings.HasPrefix(name, "blobs/") && fault.ClassOf(err) != fault.Inconclusive {
			t.Errorf("without %s: %v", name, err)
		}
		for _, change := range []func([]byte) []byte{
			func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
			func(b []byte) []byte { return b[:len(b)-1] },
			func(b []byte) []byte { return append(b, 0) },
		} {
			if !strings.HasPrefix(name, "blobs/") {
				continue
			}
			changed := map[string][]byte{}
			for n, c := range content {
				changed[n] = c
			}
			changed[name] = change(bytes.Clone(content[name]))
			if _, _, err := opened(t, packed(t, names, changed)); err == nil || fault.ClassOf(err) != fault.Inconclusive {
				t.Errorf("%s changed: %v", name, err)
			}
		}
	}
	missing := "go/example.com/m/@v/v1.0.0.zip"
	for _, f := range d.Files {
		if f.Name == missing {
			delete(content, "blobs/sha256/"+f.SHA256)
		}
	}
	var left []string
	for _, n := range names {
		if _, ok := content[n]; ok {
			left = append(left, n)
		}
	}
	if _, _, err := opened(t, packed(t, left, content)); err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("it is not named: %v", err)
	}
	for _, n := range []int{len(data) / 3, len(data) / 2, len(data) - 2048} {
		if _, _, err := opened(t, data[:n]); err == nil || fault.ClassOf(err) != fault.Inconclusive {
			t.Errorf("cut at %d of %d: %v", n, len(data), err)
		}
	}
}

// TestHostileArchives: what would lead elsewhere is refused, what has no place in a kit is named and not read.
func TestHostileArchives(t *testing.T) {
	t.Parallel()
	d, s := sample(t)
	names, content := members(t, sealed(t, d, s))
	for name, h := range map[string]*tar.Header{
		"climbs":    {Name: "../x", Typeflag: tar.TypeReg},
		"absolute":  {Name: "/etc/x", Typeflag: tar.TypeReg},
		"twice":     {Name: names[2], Typeflag: tar.TypeReg},
		"hard link": {Name: "blobs/sha256/x", Typeflag: tar.TypeLink, Linkname: "../../x"},
		"device":    {Name: "blobs/sha256/x", Typeflag: tar.TypeChar},
	} {
		if _, _, err := opened(t, packed(t, names, content, h)); err == nil || fault.ClassOf(err) != fault.Failed {
			t.Errorf("%s: %v", name, err)
		}
	}
	// a link in the place of content leads nowhere
	last := names[len(names)-1]
	link := &tar.Header{Name: last, Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}
	if _, _, err := opened(t, packed(t, names[:len(names)-1], content, link)); err == nil || fault.ClassOf(err) != fault.Inconclusive || !strings.Contains(err.Error(), "plain file") {
		t.Errorf("link: %v", err)
	}
	content["policy.toml"] = []byte("format = 1\n")
	content["trusted_root.json"] = []byte("{}")
	k, _, err := opened(t, packed(t, append(names, "policy.toml", "trusted_root.json"), content))
	if err != nil || strings.Join(k.Ignored, " ") != "policy.toml trusted_root.json" {
		t.Errorf("%v, ignored %v", err, k)
	}
}

// TestHostileDocuments: a document has one reading, and its names lead nowhere.
func TestHostileDocuments(t *testing.T) {
	t.Parallel()
	d, _ := sample(t)
	good, err := d.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kit.Parse(good); err != nil {
		t.Fatal(err)
	}
	text := string(good)
	for name, doc := range map[string]string{
		"unknown key":       strings.Replace(text, `{"format"`, `{"trust":"me","format"`, 1),
		"key twice":         strings.Replace(text, `"tool":"test"`, `"tool":"a","tool":"test"`, 1),
		"other case":        strings.Replace(text, `"tool"`, `"Tool"`, 1),
		"spaces":            strings.Replace(text, `"tool":`, `"tool": `, 1),
		"trailing":          text + "{}",
		"climbing artefact": strings.Replace(text, `"name":"tool"`, `"name":"../tool"`, 1),
		"hidden artefact":   strings.Replace(text, `"name":"tool"`, `"name":".tool"`, 1),
		"stream":            strings.Replace(text, `"name":"tool"`, `"name":"a:b"`, 1),
		"terminal":          strings.Replace(text, `"name":"tool"`, `"name":"a\u001b[2J"`, 1),
		"twice":             strings.Replace(text, `{"kind":"artefact"`, `{"kind":"artefact","name":"tool","sha256":"`+strings.Repeat("0", 64)+`","size":1},{"kind":"artefact"`, 1),
		"no digest":         strings.Replace(text, `"kind":"part","name":"debian a 1","sha256":"`, `"kind":"part","name":"debian a 1","sha256":"../`, 1),
		"large size":        strings.Replace(text, `"size":`, `"size":9`+strings.Repeat("9", 17), 1),
		"negative":          strings.Replace(text, `"size":`, `"size":-`, 1),
		"format":            strings.Replace(text, `"format":1`, `"format":2`, 1),
		"not sorted":        strings.Replace(text, `"absent":["go/none/@v/list"]`, `"absent":["z","a"]`, 1),
		"there and absent":  strings.Replace(text, `go/none/@v/list`, `go/example.com/m/@v/v1.0.0.mod`, 1),
	} {
		if doc == text {
			t.Errorf("%s: nothing was changed", name)
		}
		if _, err := kit.Parse([]byte(doc)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestBundleOfLies: a small file that is not what it is called is refused.
func TestBundleOfLies(t *testing.T) {
	t.Parallel()
	d, s := sample(t)
	d.Files = append(d.Files, kit.File{Kind: "policy", Name: "policy.toml", SHA256: strings.Repeat("b", 64), Size: 3})
	data := sealed(t, d, s)
	k, _, err := opened(t, data)
	if err != nil || len(k.Ignored) != 1 || !strings.Contains(k.Ignored[0], "policy.toml") {
		t.Errorf("%v %+v", err, k)
	}
	names, content := members(t, data)
	var manifest struct {
		Layers []oci.Descriptor `json:"layers"`
	}
	if err := json.Unmarshal(content[names[2]], &manifest); err != nil {
		t.Fatal(err)
	}
	bundle := "blobs/sha256/" + strings.TrimPrefix(manifest.Layers[0].Digest, "sha256:")
	inside, files := members(t, content[bundle])
	files[inside[0]] = []byte("other")
	lie := packed(t, inside, files)
	b, err := s.Put(t.Context(), bytes.NewReader(lie), 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(content[names[2]]), strings.TrimPrefix(manifest.Layers[0].Digest, "sha256:"), b.SHA256, 1)
	m, err := s.Put(t.Context(), strings.NewReader(text), 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	content["blobs/sha256/"+b.SHA256], content["blobs/sha256/"+m.SHA256] = lie, []byte(text)
	content["index.json"] = bytes.Replace(content["index.json"], []byte(strings.TrimPrefix(names[2], "blobs/sha256/")), []byte(m.SHA256), 1)
	if _, _, err := opened(t, packed(t, append(names, "blobs/sha256/"+b.SHA256, "blobs/sha256/"+m.SHA256), content)); err == nil || fault.ClassOf(err) != fault.Inconclusive || !strings.Contains(err.Error(), "small file") {
		t.Errorf("%v", err)
	}
}

// TestRegistry: a kit goes into a registry and out of it, blob by blob, and stays the same.
func TestRegistry(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	client, err := remote.New(remote.Options{})
	if err != nil {
		t.Fatal(err)
	}
	d, s := sample(t)
	k, err := kit.Seal(t.Context(), d, s)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Attach([]byte("{}")); err != nil {
		t.Fatal(err)
	}
	name := strings.TrimPrefix(server.URL, "http://") + "/team/tool:v1-kit"
	place, err := kit.At(name, oci.Options{Remote: client, Anonymous: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Push(t.Context(), place); err != nil {
		t.Fatal(err)
	}
	sent := len(client.Requests())
	if _, err := k.Push(t.Context(), place); err != nil {
		t.Fatal(err)
	}
	for _, r := range client.Requests()[sent:] {
		if strings.Contains(r.URL, "/blobs/uploads/") {
			t.Errorf("sent again: %+v", r)
		}
	}
	got, err := kit.Open(t.Context(), place, newStore(t))
	if err != nil || got.Digest != k.Digest {
		t.Fatalf("%v, %+v", err, got)
	}
	if _, err := place.Attach(t.Context(), got.Digest, oci.Bundle{Data: []byte("{}"), Message: true}); err != nil {
		t.Fatal(err)
	}
	if got, _, err = kit.Read(t.Context(), place); err != nil || len(got.Bundles) != 1 {
		t.Errorf("%v, %d signatures", err, len(got.Bundles))
	}
}

func FuzzDocument(f *testing.F) {
	d, _ := sample(f)
	good, err := d.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"format":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := kit.Parse(data)
		if err != nil {
			return
		}
		again, err := d.Marshal()
		if err != nil || !bytes.Equal(again, data) {
			t.Fatalf("accepted %q, which is %q: %v", data, again, err)
		}
		for i, list := range [][]kit.File{d.Of(kit.Artefact), d.Of(kit.Evidence), d.Of(kit.Recipe), d.Of(kit.Lock)} {
			for _, file := range list {
				if !filepath.IsLocal(file.Name) || strings.Contains(file.Name, "\\") || strings.Contains("/"+file.Name, "/.") || i > 1 && strings.Contains(file.Name, "/") {
					t.Fatalf("accepted the name %q", file.Name)
				}
			}
		}
	})
}

// TestFillerGoesOn: of a packing that was killed in the middle, what had come whole is not fetched again, and nothing else counts.
func TestFillerGoesOn(t *testing.T) {
	t.Parallel()
	s, journal := newStore(t), filepath.Join(t.TempDir(), "journal")
	killed, err := kit.NewFiller(t.Context(), s, journal)
	if err != nil {
		t.Fatal(err)
	}
	whole := killed.Keep("go/whole", io.NopCloser(strings.NewReader(big)))
	if _, err := io.Copy(io.Discard, whole); err != nil {
		t.Fatal(err)
	}
	whole.Close()
	gone := killed.Keep("go/gone", io.NopCloser(strings.NewReader("removed from the store later")))
	if _, err := io.Copy(io.Discard, gone); err != nil {
		t.Fatal(err)
	}
	gone.Close()
	half := killed.Keep("go/half", io.NopCloser(strings.NewReader(big)))
	if _, err := half.Read(make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	if err := killed.KeepAbsent("go/none"); err != nil {
		t.Fatal(err)
	}
	// the process ends here: nothing is closed, and its last line was written half
	f, err := os.OpenFile(journal, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString(`{"name":"go/cut","sha`)
	f.Close()
	lost := file(t, s, kit.Fetched, "go/gone", "removed from the store later")
	if err := filepath.WalkDir(s.Dir(), func(path string, _ fs.DirEntry, err error) error {
		if err == nil && filepath.Base(path) == lost.SHA256 {
			return os.Remove(path)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}

	next, err := kit.NewFiller(t.Context(), s, journal)
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	r, err := next.Open("go/whole")
	if err != nil {
		t.Fatal(err)
	}
	if data, err := io.ReadAll(r); err != nil || string(data) != big {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	r.Close()
	for _, name := range []string{"go/half", "go/gone", "go/cut", "go/other"} {
		if _, err := next.Open(name); err == nil {
			t.Errorf("%s is offered", name)
		}
	}
	if err := next.KeepAbsent("go/after"); err != nil { // a line of its own, behind the half one
		t.Fatal(err)
	}
	var d kit.Document
	next.Fill(&d)
	if len(d.Files) != 1 || d.Files[0].Name != "go/whole" || strings.Join(d.Absent, " ") != "go/after go/none" {
		t.Errorf("%v and absent %q", d.Files, d.Absent)
	}
	half.Close()
	killed.Close()
}
