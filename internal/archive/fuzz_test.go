package archive_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/archive"
)

// fuzzLimits keep one input cheap; what exceeds them must be refused, not read.
var fuzzLimits = archive.Limits{Entries: 1000, Expanded: 8 << 20}

// drain reads everything and demands what every reader promises: names are local and unique, content has the size
// that the entry said, and no more is read than the limits allow.
func drain(t *testing.T, r archive.Reader, m *archive.Meter) {
	t.Helper()
	seen := make(map[string]bool)
	for {
		e, err := r.Next()
		if err != nil {
			if err != io.EOF && !strings.Contains(err.Error(), ": ") {
				t.Fatalf("error without object: %v", err)
			}
			return
		}
		if !filepath.IsLocal(e.Name) || seen[e.Name] || strings.Contains(e.Name, "//") {
			t.Fatalf("name %q", e.Name)
		}
		seen[e.Name] = true
		if e.Type < archive.File || e.Type > archive.Hardlink {
			t.Fatalf("type %v", e.Type)
		}
		n, err := io.Copy(io.Discard, r)
		if err == nil && e.Size >= 0 && n != e.Size {
			t.Fatalf("%q has %d bytes, said %d", e.Name, n, e.Size)
		}
		if m.Expanded() > fuzzLimits.Expanded {
			t.Fatalf("expanded to %d", m.Expanded())
		}
	}
}

func meter(b []byte) *archive.Meter { return archive.NewMeter("a", int64(len(b)), fuzzLimits) }

func FuzzTar(f *testing.F) {
	f.Add(tarOf(f, reg("a", "1"), reg("d/b", "2"), tar.Header{Typeflag: tar.TypeSymlink, Name: "s", Linkname: "a"}))
	f.Add(join(paxBlock('x', "GNU.sparse.major=1", "GNU.sparse.minor=0", "GNU.sparse.realsize=8"), block('0', "s", "", 514, append(pad("2\n1\n1\n5\n1\n"), "AB"...)), endOfTar()))
	f.Add(join(paxBlock('x', "path="+strings.Repeat("x/", 200)+"y", "mtime=1.5"), block('0', "s", "", 0, nil), endOfTar()))
	f.Add(join(block('L', "././@LongLink", "", 5, []byte("name\x00")), block('0', "n", "", 0, nil), endOfTar()))
	f.Fuzz(func(t *testing.T, b []byte) {
		b = bytes.Clone(b)
		repair(b)
		m := meter(b)
		drain(t, archive.NewTar(bytes.NewReader(b), m), m)
		sameAsStandardTar(t, b)
	})
}

// repair makes the checksum of every block that looks like a header right, so that mutations get past it.
func repair(b []byte) {
	for ; len(b) >= 512; b = b[512:] {
		if string(b[257:262]) != "ustar" {
			continue
		}
		copy(b[148:], "        ")
		sum := 0
		for _, c := range b[:512] {
			sum += int(c)
		}
		copy(b[148:], fmt.Sprintf("%06o\x00 ", sum))
	}
}

// sameAsStandardTar demands that whatever both readers accept as a whole means the same to both.
func sameAsStandardTar(t *testing.T, b []byte) {
	t.Helper()
	ours, err := entries(archive.NewTar(bytes.NewReader(b), meter(b)))
	if err != nil {
		return
	}
	var theirs []string
	r := tar.NewReader(bytes.NewReader(b))
	for {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		body, err := io.ReadAll(io.LimitReader(r, fuzzLimits.Expanded))
		if err != nil {
			return
		}
		theirs = append(theirs, "="+string(body))
	}
	var bodies []string
	for _, e := range ours {
		if _, body, ok := strings.Cut(e, "="); ok {
			bodies = append(bodies, "="+body)
		}
	}
	if strings.ContainsAny(strings.Join(theirs, ""), "=") && len(theirs) != len(bodies) {
		return // a name or link with "=" makes the lists incomparable
	}
	for i := range theirs {
		if i < len(bodies) && theirs[i] != bodies[i] && strings.Count(ours[i], "=") == 1 {
			t.Fatalf("content %d: %q here, %q there", i, bodies[i], theirs[i])
		}
	}
}

func FuzzZip(f *testing.F) {
	f.Add(zipOf([]zipPart{{name: "a", data: "hello"}, {name: "d/", mode: 0o40755}, {name: "b", data: "x", descriptor: true}}, "comment"))
	f.Add(zipOf([]zipPart{{name: "a", data: "hello", before: "#!"}}, ""))
	f.Fuzz(func(t *testing.T, b []byte) {
		m := meter(b)
		z, err := archive.NewZip(bytes.NewReader(b), int64(len(b)), m)
		if err != nil {
			return
		}
		drain(t, z, m)
		got, err := zipEntries(b, fuzzLimits)
		if err != nil {
			return
		}
		std, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
		if err != nil && err != zip.ErrInsecurePath {
			t.Fatalf("accepted here, refused by the standard library: %v", err)
		}
		if len(std.File) != len(got) {
			t.Fatalf("%d members here, %d there", len(got), len(std.File))
		}
	})
}

func FuzzStreams(f *testing.F) {
	f.Add(gz(f, []byte("hello")))
	f.Add([]byte("\xfd7zXZ\x00\x00\x04\xe6\xd6\xb4\x46\x00\x00\x00\x00\x1c\xdf\x44\x21\x1f\xb6\xf3\x7d\x01\x00\x00\x00\x00\x04YZ"))
	f.Add([]byte{0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x00, 0x09, 0x00, 0x00, 'a', 0x61, 0x40, 0x3e, 0xbd})
	f.Add([]byte("BZh91AY&SY\x17\x72\x45\x38\x50\x90"))
	f.Add([]byte{0x04, 0x22, 0x4d, 0x18, 0x64, 0x40, 0xa7, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		format := archive.Detect(b)
		if !archive.Compressed(format) {
			return
		}
		m := meter(b)
		d, err := archive.Decompress(format, bytes.NewReader(b), m)
		if err != nil {
			return
		}
		defer d.Close()
		n, _ := io.Copy(io.Discard, d)
		if n > fuzzLimits.Expanded {
			t.Fatalf("expanded to %d", n)
		}
	})
}

func FuzzAr(f *testing.F) {
	f.Add(arOf(arMember("//", "a-long-name-of-a-file.o/\n"), arMember("/0", "123"), arMember("b.o/", "4"), arMember("#1/4", "nameDATA")))
	f.Fuzz(func(t *testing.T, b []byte) {
		m := meter(b)
		drain(t, archive.NewAr(bytes.NewReader(b), m), m)
	})
}

func FuzzCpio(f *testing.F) {
	f.Add(join(newc("./d", 0o40755, ""), newc("./d/a", 0o100644, "12345"), newc("l", 0o120777, "d/a"), newc("TRAILER!!!", 0, "")))
	f.Fuzz(func(t *testing.T, b []byte) {
		m := meter(b)
		drain(t, archive.NewCpio(bytes.NewReader(b), m), m)
	})
}

func FuzzRPM(f *testing.F) {
	lead := append([]byte("\xed\xab\xee\xdb\x03\x00"), make([]byte, 90)...)
	f.Add(join(lead, rpmHeader(1, 4), make([]byte, 20), make([]byte, 4), rpmHeader(0, 3), []byte("abcPAYLOAD")))
	f.Fuzz(func(t *testing.T, b []byte) {
		m := meter(b)
		drain(t, archive.NewRPM(bytes.NewReader(b), m), m)
	})
}
