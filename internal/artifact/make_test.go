package artifact_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/glassbuild/glassbuild/internal/archive"
	"github.com/glassbuild/glassbuild/internal/artifact"
)

type file struct {
	name, body string
	flag       byte // 0 for a regular file
	mode       int64
}

func tarball(t testing.TB, files ...file) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		h := &tar.Header{Name: f.name, Mode: 0o644, Typeflag: tar.TypeReg, Size: int64(len(f.body))}
		if f.mode != 0 {
			h.Mode = f.mode
		}
		if f.flag != 0 {
			h.Typeflag, h.Linkname, h.Size = f.flag, f.body, 0
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			io.WriteString(w, f.body)
		}
	}
	w.Close()
	return b.Bytes()
}

func gz(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(data)
	w.Close()
	return b.Bytes()
}

func zipped(t testing.TB, method uint16, files ...file) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range files {
		fw, err := w.CreateHeader(&zip.FileHeader{Name: f.name, Method: method})
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(fw, f.body)
	}
	w.Close()
	return b.Bytes()
}

func write(t testing.TB, data []byte) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), "shipped")
	if err := os.WriteFile(p, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return p
}

func open(t testing.TB, data []byte) *artifact.Artifact {
	t.Helper()
	return openPath(t, write(t, data))
}

func openPath(t testing.TB, path string) *artifact.Artifact {
	t.Helper()
	a, err := artifact.Open(context.Background(), path, artifact.Options{Dir: t.TempDir(), Limits: archive.Limits{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

func paths(a *artifact.Artifact) []string {
	var p []string
	a.Walk(func(m *artifact.Member) error { p = append(p, m.Path); return nil })
	return p
}

// content reads a member and demands that every chunk is also readable at random.
func content(t testing.TB, a *artifact.Artifact, path string) string {
	t.Helper()
	m, err := a.Find(path)
	if err != nil {
		t.Fatal(err)
	}
	c, err := a.Content(m)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	b := make([]byte, c.Size())
	for i := range slices.Backward(b) {
		if _, err := c.ReadAt(b[i:i+1], int64(i)); err != nil {
			t.Fatal(err)
		}
	}
	return string(b)
}
