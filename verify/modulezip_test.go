package verify

import (
	"archive/zip"
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/module"
	modzip "golang.org/x/mod/zip"

	"github.com/glassbuild/glassbuild/internal/verdict"
)

// published packs a folder as the go command packs a module, with the library's own reader of folders.
func published(t *testing.T, path, version, dir string) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := modzip.CreateFromDir(&b, module.Version{Path: path, Version: version}, dir); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// rezip copies a zip; change may alter a file, leave it out ("", nil) or rename it. Extra files come last.
func rezip(t *testing.T, data []byte, method uint16, change func(name string, content []byte) (string, []byte), extra ...string) []byte {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	put := func(name string, content []byte) {
		f, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: method})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range r.File {
		rc, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(rc)
		if err != nil {
			t.Fatal(err)
		}
		name := f.Name
		if change != nil {
			name, content = change(name, content)
		}
		if name != "" {
			put(name, content)
		}
	}
	for i := 0; i < len(extra); i += 2 {
		put(extra[i], []byte(extra[i+1]))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestModuleZips holds zips with one fault each against the commit. The checksum database is not asked: offline.
func TestModuleZips(t *testing.T) {
	t.Parallel()
	const mod, sub = "example.com/acme/tool", "example.com/acme/tool/sub"
	r := newSignedRepo(t)
	old := r.commit("", "go.mod", "module "+mod+"\n\ngo 1.25\n", "a.go", "package tool\n", "LICENSE", "do as you like\n")
	r.tag("", "v1.0.0", old)
	id := r.commit("", "a.go", "package tool // new\n", "b/b.go", "package b\n", "sub/go.mod", "module "+sub+"\n\ngo 1.25\n", "sub/s.go", "package sub\n", "vendor/x/x.go", "package x\n", ".hidden", "h\n")
	r.tag("", "v1.1.0", id)
	r.tag("", "sub/v0.1.0", id)
	good := published(t, mod, "v1.1.0", r.dir)
	subZip := func() []byte { // the root's licence belongs to it, after everything else
		return modzipOf(t, module.Version{Path: sub, Version: "v0.1.0"}, map[string]string{"go.mod": "module " + sub + "\n\ngo 1.25\n", "s.go": "package sub\n", "LICENSE": "do as you like\n"},
			"go.mod", "s.go", "LICENSE")
	}
	edit := func(name string, content []byte) (string, []byte) {
		if strings.HasSuffix(name, "/a.go") {
			content = append(content, "func init() { evil() }\n"...)
		}
		return name, content
	}
	leave := func(name string, content []byte) (string, []byte) {
		if strings.HasSuffix(name, "/b.go") {
			return "", nil
		}
		return name, content
	}
	prefix := mod + "@v1.1.0/"
	for name, tc := range map[string]struct {
		data   []byte
		commit string
		result verdict.Result
		match  verdict.Match
		check  string // that is not passed or reported
		text   string
	}{
		"honest":                    {good, id, verdict.Passed, verdict.MatchIdentical, "", ""},
		"a module in a folder":      {subZip(), id, verdict.Passed, verdict.MatchIdentical, "", ""},
		"another container":         {rezip(t, good, zip.Store, nil), id, verdict.Inconclusive, verdict.MatchPartial, verdict.CheckMatch, "the container itself was not rebuilt"},
		"one file edited":           {rezip(t, good, zip.Deflate, edit), id, verdict.Failed, verdict.MatchDifferent, verdict.CheckMatch, "a.go was not built from this source"},
		"one file missing":          {rezip(t, good, zip.Deflate, leave), id, verdict.Failed, verdict.MatchDifferent, verdict.CheckMatch, "b.go was not built from this source: it is missing"},
		"one file more":             {rezip(t, good, zip.Deflate, nil, prefix+"init.go", "package tool\n"), id, verdict.Failed, verdict.MatchDifferent, verdict.CheckMatch, "init.go was not built"},
		"what the go command skips": {rezip(t, good, zip.Deflate, nil, prefix+"vendor/x/x.go", "package x\n"), id, verdict.Failed, verdict.MatchDifferent, verdict.CheckMatch, "vendor/x/x.go was not built"},
		"a file twice":              {rezip(t, good, zip.Deflate, nil, prefix+"a.go", "package tool\n"), id, verdict.Failed, "", "", ""},
		"bytes behind it":           {append(bytes.Clone(good), "payload"...), id, "", "", "", "recipe: there is none"}, // then it is no module zip, and nothing says what else
		"an older commit's files":   {published(t, mod, "v1.0.0", r.dir), id, verdict.Failed, verdict.MatchIdentical, verdict.CheckContradicts, "tag v1.0.0 points at"},
		"another commit":            {good, old, verdict.Failed, verdict.MatchDifferent, verdict.CheckMatch, "was not built"},
		"another module":            {published(t, "example.com/acme/other", "v1.1.0", r.dir), id, verdict.Failed, verdict.MatchNotRebuilt, verdict.CheckContradicts, "no go.mod of the commit"},
		"pseudo-version elsewhere":  {published(t, mod, "v1.1.1-0.20260101000000-"+old[:12], r.dir), id, verdict.Failed, verdict.MatchIdentical, verdict.CheckContradicts, "of another commit"},
		"pseudo-version":            {published(t, mod, "v1.1.1-0.20260101000000-"+id[:12], r.dir), id, verdict.Passed, verdict.MatchIdentical, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "m.zip")
			if err := os.WriteFile(file, tc.data, 0o600); err != nil {
				t.Fatal(err)
			}
			res, err := Run(context.Background(), Request{Artefact: file, Repository: r.dir, Commit: tc.commit, Offline: true, CacheDir: filepath.Join(t.TempDir(), "cache")})
			if tc.result == "" {
				if err == nil || !strings.Contains(err.Error(), tc.text) {
					t.Fatalf("%v, want %q", err, tc.text)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			v := res.Verdict
			if v.Result != tc.result || tc.match != "" && v.Match != tc.match {
				t.Fatalf("%s (%s): %s, want %s (%s)", v.Result, v.Match, v.Summary, tc.result, tc.match)
			}
			if tc.check == "" {
				return
			}
			c := v.Check(tc.check)
			if c.Status == verdict.StatusPassed || c.Status == verdict.StatusReported || !strings.Contains(c.Text, tc.text) {
				t.Fatalf("%s: %s %q, want %q", tc.check, c.Status, c.Text, tc.text)
			}
		})
	}
}

// modzipOf packs named contents in that order.
func modzipOf(t *testing.T, m module.Version, files map[string]string, order ...string) []byte {
	t.Helper()
	dir := t.TempDir()
	var list []modzip.File
	for _, name := range order {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(files[name]), 0o600); err != nil {
			t.Fatal(err)
		}
		list = append(list, diskFile{name, p})
	}
	var b bytes.Buffer
	if err := modzip.Create(&b, m, list); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

type diskFile struct{ name, path string }

func (f diskFile) Path() string                 { return f.name }
func (f diskFile) Lstat() (os.FileInfo, error)  { return os.Lstat(f.path) }
func (f diskFile) Open() (io.ReadCloser, error) { return os.Open(f.path) }
