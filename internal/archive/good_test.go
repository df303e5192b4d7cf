package archive_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"

	"github.com/glassbuild/glassbuild/internal/archive"
	"github.com/glassbuild/glassbuild/internal/fault"
)

func tarReader(data []byte) *archive.Tar {
	return archive.NewTar(bytes.NewReader(data), archive.NewMeter("a.tar", int64(len(data)), archive.Limits{}))
}

func TestTarDialects(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("d/", 120) + "f"
	dir := tar.Header{Typeflag: tar.TypeDir, Name: "d/", Mode: 0o755}
	sym := tar.Header{Typeflag: tar.TypeSymlink, Name: "s", Linkname: "../outside"}
	hard := tar.Header{Typeflag: tar.TypeLink, Name: "h", Linkname: "./f"}
	gnu := reg(long, "gnu")
	gnu.Format = tar.FormatGNU
	pax := reg(long, "pax")
	pax.Format = tar.FormatPAX
	for name, c := range map[string]struct {
		data []byte
		want []string
	}{
		"ustar":     {tarOf(t, dir, reg("f", "1"), sym, hard), []string{"d/", "f=1", "s->../outside", "h->f"}},
		"gnu":       {tarOf(t, gnu), []string{long + "=gnu"}},
		"pax":       {tarOf(t, pax), []string{long + "=pax"}},
		"root":      {tarOf(t, tar.Header{Typeflag: tar.TypeDir, Name: "./", Mode: 0o755}, reg("./a", "1")), []string{"./", "a=1"}},
		"git":       {join(paxBlock('g', "comment=0123"), tarOf(t, reg("a", "1"))), []string{"a=1"}},
		"no marker": {bytes.TrimRight(tarOf(t, reg("a", strings.Repeat("x", 512))), "\x00"), []string{"a=" + strings.Repeat("x", 512)}},
		"systemd":   {tarOf(t, reg(`system-a\x2db.slice`, "1")), []string{`system-a\x2db.slice=1`}},
		"sparse 1.0": {
			join(paxBlock('x', "GNU.sparse.major=1", "GNU.sparse.minor=0", "GNU.sparse.name=s", "GNU.sparse.realsize=8"),
				block('0', "GNUSparse.0/s", "", 514, append(pad("2\n1\n1\n5\n1\n"), "AB"...)), endOfTar()),
			[]string{"s=\x00A\x00\x00\x00B\x00\x00"},
		},
		"sparse 0.1": {
			join(paxBlock('x', "GNU.sparse.map=2,2", "GNU.sparse.size=6", "GNU.sparse.numblocks=1"), block('0', "s", "", 2, []byte("AB")), endOfTar()),
			[]string{"s=\x00\x00AB\x00\x00"},
		},
		"sparse 0.0": {
			join(paxBlock('x', "GNU.sparse.size=3", "GNU.sparse.numblocks=1", "GNU.sparse.offset=1", "GNU.sparse.numbytes=1"), block('0', "s", "", 1, []byte("A")), endOfTar()),
			[]string{"s=\x00A\x00"},
		},
	} {
		got, err := entries(tarReader(c.data))
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, %v, want %q", name, got, err, c.want)
		}
	}
}

func TestTarKeepsMetadata(t *testing.T) {
	t.Parallel()
	h := reg("f", "content")
	h.Mode, h.Uid, h.Gid, h.Uname, h.Gname, h.ModTime = 0o4755, 7, 8, "u", "g", time.Unix(1700000000, 0)
	h.PAXRecords = map[string]string{"SCHILY.xattr.security.capability": "\x01\x02"}
	data := tarOf(t, h)
	e, err := tarReader(data).Next()
	if err != nil {
		t.Fatal(err)
	}
	if e.Mode != 0o4755 || e.UID != 7 || e.GID != 8 || e.User != "u" || e.Group != "g" || e.ModTime != 1700000000 ||
		e.Xattrs["security.capability"] != "\x01\x02" {
		t.Fatalf("%+v", e)
	}
	if got := string(data[e.Offset : e.Offset+e.Size]); got != "content" {
		t.Fatalf("at its offset lies %q", got)
	}
}

func TestZipAsOthersWriteIt(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range []struct{ name, body string }{{"d/", ""}, {"d/a", strings.Repeat("hello ", 100)}, {"empty", ""}} {
		fw, err := w.Create(f.name) // deflate with data descriptors
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(fw, f.body)
	}
	h := &zip.FileHeader{Name: "ln", Method: zip.Store}
	h.SetMode(0o777 | 1<<27) // fs.ModeSymlink
	fw, _ := w.CreateHeader(h)
	io.WriteString(fw, "d/a")
	w.SetComment("note")
	w.Close()
	z, err := openZip(b.Bytes(), archive.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := entries(z)
	want := []string{"d/", "d/a=" + strings.Repeat("hello ", 100), "empty=", "ln->d/a"}
	if err != nil || !slices.Equal(got, want) {
		t.Fatalf("%q, %v", got, err)
	}
	if r := z.Regions(); len(r) != 1 || r[0].What != "archive comment" || r[0].Size != 4 {
		t.Fatalf("regions %+v", r)
	}
}

func TestZipRegions(t *testing.T) {
	t.Parallel()
	prefixed := zipOf([]zipPart{{name: "a", data: "x", before: "#!/bin/sh\n"}}, "")
	z, err := openZip(prefixed, archive.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if r := z.Regions(); len(r) != 1 || r[0] != (archive.Region{Offset: 0, Size: 10, What: "bytes before the first member"}) {
		t.Fatalf("regions %+v", r)
	}
}

func TestCompressedStreams(t *testing.T) {
	t.Parallel()
	want := strings.Repeat("glass", 50000)
	for format, data := range map[string][]byte{
		archive.FormatGzip: gz(t, []byte(want)),
		archive.FormatXZ:   packed(t, want, func(b io.Writer) (io.WriteCloser, error) { return xz.NewWriter(b) }),
		archive.FormatZstd: packed(t, want, func(b io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(b) }),
		archive.FormatLZ4:  packed(t, want, func(b io.Writer) (io.WriteCloser, error) { return lz4.NewWriter(b), nil }),
	} {
		if got := archive.Detect(data[:min(len(data), archive.DetectBytes)]); got != format {
			t.Errorf("detected %q, want %q", got, format)
		}
		if got, err := expand(format, data); err != nil || got != want {
			t.Errorf("%s: %d bytes, %v", format, len(got), err)
		}
		if _, err := expand(format, append(bytes.Clone(data), "payload"...)); err == nil || fault.ClassOf(err) != fault.Failed {
			t.Errorf("%s: trailing bytes: %v", format, err)
		}
		if _, err := expand(format, data[:len(data)-5]); err == nil || fault.ClassOf(err) != fault.Failed {
			t.Errorf("%s: truncated: %v", format, err)
		}
	}
}

func packed(t *testing.T, s string, open func(io.Writer) (io.WriteCloser, error)) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := open(&b)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, s)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func expand(format string, data []byte) (string, error) {
	d, err := archive.Decompress(format, bytes.NewReader(data), archive.NewMeter("a", int64(len(data)), archive.Limits{}))
	if err != nil {
		return "", err
	}
	defer d.Close()
	b, err := io.ReadAll(d)
	return string(b), err
}

func TestHostileStreams(t *testing.T) {
	t.Parallel()
	zeros := make([]byte, 20<<20)
	xzDict := packed(t, "x", func(b io.Writer) (io.WriteCloser, error) { return xz.WriterConfig{DictCap: 1 << 20}.NewWriter(b) })
	_, err := expand(archive.FormatGzip, join(gz(t, []byte("a")), gz(t, []byte("b"))))
	refused(t, err, "a: trailing data after the gzip member")
	_, err = expand(archive.FormatGzip, gz(t, zeros))
	refused(t, err, "a: expansion exceeds 200×")
	_, err = expand(archive.FormatXZ, append(bytes.Clone(xzDict), xzDict...))
	refused(t, err, "a: trailing data after the xz stream")
	_, err = expand(archive.FormatXZ, bigDictionary(xzDict))
	refused(t, err, "a: exceeds limit: xz dictionary of 1073741824 bytes")
	// A zstd frame header that asks for a window of 2 GiB: magic, descriptor, window descriptor, one empty last block.
	_, err = expand(archive.FormatZstd, []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3, 0x01, 0x00, 0x00})
	if err == nil || !strings.Contains(err.Error(), "exceeds limit") {
		t.Errorf("zstd window: %v", err)
	}
	bad := gz(t, []byte("hello"))
	bad[len(bad)-6] ^= 1
	_, err = expand(archive.FormatGzip, bad)
	refused(t, err, "a: malformed gzip: checksum does not hold")
}
