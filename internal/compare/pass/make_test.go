package pass_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"github.com/glassbuild/glassbuild/internal/allow"
	"github.com/glassbuild/glassbuild/internal/compare/pass"
)

var (
	dayOne = time.Date(2024, 5, 1, 10, 20, 30, 0, time.UTC)
	dayTwo = time.Date(2025, 6, 2, 11, 22, 34, 0, time.UTC)
)

// judge compares two files with every pass, or with those that are named.
func judge(t testing.TB, a, b []byte, names ...string) pass.Outcome {
	t.Helper()
	if len(names) == 0 {
		for _, d := range allow.All() {
			names = append(names, d.Name)
		}
	}
	out, err := pass.Judge(context.Background(), bytes.NewReader(a), bytes.NewReader(b), names, pass.Options{Dir: os.TempDir(), Name: "pair"})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// file is one member.
type file struct {
	name, body string
	at         time.Time
	mode       int64
	pax        map[string]string
}

func tarOf(t testing.TB, files ...file) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: f.name, Size: int64(len(f.body)), Mode: 0o644, ModTime: f.at, PAXRecords: f.pax}
		if f.mode != 0 {
			h.Mode = f.mode
		}
		if f.at.Nanosecond() != 0 {
			h.Format = tar.FormatPAX
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, f.body)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gz(t testing.TB, level int, h gzip.Header, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, level)
	if err != nil {
		t.Fatal(err)
	}
	w.Header = h
	w.Write(data)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zipOf(t testing.TB, level int, files ...file) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	w.RegisterCompressor(zip.Deflate, func(out io.Writer) (io.WriteCloser, error) { return flate.NewWriter(out, level) })
	for _, f := range files {
		method := zip.Deflate
		if level == 0 {
			method = zip.Store
		}
		m, err := w.CreateHeader(&zip.FileHeader{Name: f.name, Method: method, Modified: f.at})
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(m, f.body)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func arOf(files ...file) []byte {
	b := []byte("!<arch>\n")
	for _, f := range files {
		b = append(b, fmt.Sprintf("%-16s%-12d%-6d%-6d%-8s%-10d`\n", f.name, f.at.Unix(), 0, 0, "100644", len(f.body))...)
		b = append(b, f.body...)
		if len(f.body)%2 != 0 {
			b = append(b, '\n')
		}
	}
	return b
}

func cpioOf(files ...file) []byte {
	var b []byte
	for _, f := range append(files, file{name: "TRAILER!!!"}) {
		var at int64
		if !f.at.IsZero() {
			at = f.at.Unix()
		}
		b = append(b, fmt.Sprintf("070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00",
			1, 0o100644, 0, 0, 1, at, len(f.body), 0, 0, 0, 0, len(f.name)+1, 0, f.name)...)
		b = append(b, make([]byte, -len(b)&3)...)
		b = append(b, f.body...)
		b = append(b, make([]byte, -len(b)&3)...)
	}
	return b
}

func pyc(at time.Time, code string) []byte {
	b := []byte{0xcb, 0x0d, '\r', '\n', 0, 0, 0, 0}
	b = binary.LittleEndian.AppendUint32(b, uint32(at.Unix()))
	b = binary.LittleEndian.AppendUint32(b, 77)
	return append(b, code...)
}

// text is compressible and long enough for blocks with codes of their own.
func text(n int) string {
	var b bytes.Buffer
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "line %d of a file that says %x\n", i, i*i*7919)
	}
	return b.String()[:n]
}

// patched returns b with other bytes at an offset.
func patched(b []byte, at int, s string) []byte {
	c := bytes.Clone(b)
	copy(c[at:], s)
	return c
}

// retar repairs the checksums of all tar headers.
func retar(b []byte) []byte {
	for at := 0; at+512 <= len(b); at += 512 {
		h := b[at : at+512]
		if string(h[257:262]) != "ustar" {
			continue
		}
		copy(h[148:], "        ")
		sum := 0
		for _, c := range h {
			sum += int(c)
		}
		copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
	}
	return b
}
