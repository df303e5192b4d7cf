package artifact_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"context"
	"io"
	"testing"

	"github.com/glassbuild/glassbuild/internal/archive"
	"github.com/glassbuild/glassbuild/internal/artifact"
)

// FuzzInspect: whatever the bytes are, the artefact stays usable as a file, and every member that is listed has the
// digest of the content that is handed out for it.
func FuzzInspect(f *testing.F) {
	tb := tarball(f, file{name: "a", body: "hello"}, file{name: "l", body: "a", flag: tar.TypeLink}, file{name: "s", body: "a", flag: tar.TypeSymlink})
	f.Add(tb)
	f.Add(gz(f, tb))
	f.Add(zipped(f, zip.Deflate, file{name: "a", body: "hello hello hello"}, file{name: "t", body: string(gz(f, tb))}))
	f.Add(append([]byte("#!/bin/sh\nexit\n"), relocated(zipped(f, zip.Store, file{name: "p/a", body: "x"}), 15)...))
	f.Add([]byte("\xca\xfe\xba\xbe\x00\x00\x00\x02"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, b []byte) {
		lim := archive.Limits{Entries: 200, Expanded: 4 << 20, Depth: 3}
		a, err := artifact.Inspect(context.Background(), bytes.NewReader(b), int64(len(b)), artifact.Options{Dir: dir, Name: "x", Limits: lim})
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		if a.SHA256 != digest(string(b)) {
			t.Fatal("digest of the whole")
		}
		err = a.Walk(func(m *artifact.Member) error {
			if m.Type != artifact.File && m.Type != artifact.Hardlink {
				return nil
			}
			c, err := a.Content(m)
			if err != nil {
				return err
			}
			all, err := io.ReadAll(io.NewSectionReader(c, 0, c.Size()))
			if err == nil && digest(string(all)) != m.SHA256 {
				t.Fatalf("%q: content has another digest", m.Path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := artifact.Classify(bytes.NewReader(b), int64(len(b))); err != nil {
			t.Fatal(err)
		}
	})
}
