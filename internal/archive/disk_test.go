package archive_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/archive"
)

// isoFile is a record of the root directory of a small image.
type isoFile struct {
	name   string
	data   string
	flags  byte
	extent uint32 // instead of where data lies
	size   uint32 // instead of its length
}

// makeISO writes an ISO 9660 image with one directory and no Rock Ridge.
func makeISO(files ...isoFile) []byte {
	const sector = 2048
	both := func(b []byte, v uint32) { binary.LittleEndian.PutUint32(b, v); binary.BigEndian.PutUint32(b[4:], v) }
	record := func(name string, extent, size uint32, flags byte) []byte {
		b := make([]byte, (33+len(name)+1)&^1)
		b[0] = byte(len(b))
		both(b[2:], extent)
		both(b[10:], size)
		b[18], b[19], b[20] = 126, 3, 2
		b[25], b[32] = flags, byte(len(name))
		copy(b[33:], name)
		return b
	}
	img := make([]byte, 19*sector)
	pvd := img[16*sector:]
	pvd[0] = 1
	copy(pvd[1:], "CD001\x01")
	binary.LittleEndian.PutUint16(pvd[128:], sector)
	copy(pvd[156:], record("\x00", 18, sector, 2))
	end := img[17*sector:]
	end[0] = 255
	copy(end[1:], "CD001\x01")
	dir := append(record("\x00", 18, sector, 2), record("\x01", 18, sector, 2)...)
	for _, f := range files {
		extent, size := uint32(len(img)/sector), uint32(len(f.data))
		if f.extent != 0 {
			extent = f.extent
		}
		if f.size != 0 {
			size = f.size
		}
		dir = append(dir, record(f.name, extent, size, f.flags)...)
		data := make([]byte, (len(f.data)+sector-1)/sector*sector)
		copy(data, f.data)
		img = append(img, data...)
	}
	copy(img[18*sector:], dir)
	return img
}

// listDisk returns a line for each file, and the refusal.
func listDisk(format string, img []byte) (string, error) {
	d, err := archive.OpenDisk(format, bytes.NewReader(img), int64(len(img)), archive.NewMeter("img", int64(len(img)), archive.Limits{}))
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for {
		e, err := d.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return "", err
		}
		data, err := io.ReadAll(d)
		if err != nil {
			return "", err
		}
		if len(data) > 24 {
			data = fmt.Appendf(nil, "%d bytes", len(data))
		}
		fmt.Fprintf(&b, "%s %o %s %s%s\n", e.Type, e.Mode, e.Name, data, e.Link)
	}
	for _, r := range d.Regions() {
		fmt.Fprintf(&b, "region %s\n", r.What)
	}
	return b.String(), nil
}

func TestISO(t *testing.T) {
	t.Parallel()
	good := makeISO(isoFile{name: "TOOL.;1", data: "hello"}, isoFile{name: "EMPTY.TXT;1"})
	if got := archive.Detect(good[:archive.DetectBytes]); got != archive.FormatISO {
		t.Fatalf("detected %q", got)
	}
	got, err := listDisk(archive.FormatISO, good)
	if want := "file 444 TOOL hello\nfile 444 EMPTY.TXT \n"; err != nil || got != want {
		t.Errorf("%q, %v", got, err)
	}
	hidden := append(bytes.Clone(good), make([]byte, 4096)...)
	copy(hidden[len(hidden)-2048:], "#!/bin/sh")
	if got, err := listDisk(archive.FormatISO, hidden); err != nil || !strings.Contains(got, "region bytes of no file") {
		t.Errorf("%q, %v", got, err)
	}
	copy(hidden, "\xeb\x3c")
	if got, err := listDisk(archive.FormatISO, hidden); err != nil || !strings.Contains(got, "region boot code") {
		t.Errorf("%q, %v", got, err)
	}
	udf := append(bytes.Clone(good[:18*2048]), good[18*2048:]...)
	copy(udf[18*2048+1:], "NSR03")
	for name, img := range map[string][]byte{
		"directory loop":    makeISO(isoFile{name: "D", flags: 2, extent: 18, size: 2048}),
		"outside":           makeISO(isoFile{name: "A", data: "x", size: 1 << 30}),
		"are outside of it": makeISO(isoFile{name: "D", flags: 2, extent: 1 << 30, size: 2048}),
		"duplicate entry":   makeISO(isoFile{name: "A.;1", data: "x"}, isoFile{name: "A.;2", data: "y"}),
		"unsafe path":       makeISO(isoFile{name: "a/b", data: "x"}),
		"extents of a file": makeISO(isoFile{name: "A", data: "x", flags: 0x80}),
		"UDF":               udf,
		"without end":       bytes.Replace(good, []byte("\xffCD001"), []byte("\x07CD009"), 1),
		"directory record":  bytes.Replace(good, []byte("TOOL.;1"), []byte("TOOL.;1"), 1)[:18*2048+0],
		"no primary volume": bytes.Replace(good, []byte("\x01CD001"), []byte("\x07CD001"), 1),
	} {
		if name == "directory record" {
			img = bytes.Clone(good)
			img[18*2048+34*2] = 20 // shorter than a record can be
		}
		if _, err := listDisk(archive.FormatISO, img); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRealISO reads what xorriso writes, with all three kinds of names.
func TestRealISO(t *testing.T) {
	t.Parallel()
	tool, err := exec.LookPath("xorriso")
	if err != nil {
		t.Skip("xorriso is not to be had: images by a real writer are not read")
	}
	dir := t.TempDir()
	tree := realTree(t, dir)
	img := filepath.Join(dir, "x.iso")
	for _, args := range [][]string{{"-R", "-J"}, {"-R"}, {"-J"}, {}} {
		out, err := exec.Command(tool, append(append([]string{"-as", "mkisofs", "-o", img}, args...), tree)...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		data, err := os.ReadFile(img)
		if err != nil {
			t.Fatal(err)
		}
		os.Remove(img)
		got, err := listDisk(archive.FormatISO, data)
		if err != nil {
			t.Fatalf("%v: %v", args, err)
		}
		want := []string{"bin/tool hello", "long name with blanks and a long tail.txt 5000 bytes", "deep/a/b/c/d/e/f/g/h/i/file deep"}
		want = append(want, "file 755 bin/tool hello", "symlink 777 link bin/tool") // it writes Rock Ridge in any case
		if strings.Contains(got, "region") {
			t.Errorf("%v: %s", args, got)
		}
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Errorf("%v: no %q in\n%s", args, w, got)
			}
		}
	}
}

// TestISOTwoTrees: a file that only Windows would see is refused.
func TestISOTwoTrees(t *testing.T) {
	t.Parallel()
	tool, err := exec.LookPath("xorriso")
	if err != nil {
		t.Skip("xorriso is not to be had: images with two trees are not read")
	}
	dir := t.TempDir()
	tree := realTree(t, dir)
	img := filepath.Join(dir, "x.iso")
	if out, err := exec.Command(tool, "-as", "mkisofs", "-R", "-J", "-hide", "file", "-o", img, tree).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	data, err := os.ReadFile(img)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := listDisk(archive.FormatISO, data); err == nil || !strings.Contains(err.Error(), "one directory tree of the image has a file that the other has not") {
		t.Errorf("%v", err)
	}
}

func realTree(t *testing.T, dir string) string {
	t.Helper()
	tree := filepath.Join(dir, "tree")
	deep := filepath.Join(tree, "deep/a/b/c/d/e/f/g/h/i")
	for _, d := range []string{filepath.Join(tree, "bin"), deep} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, data := range map[string]string{"bin/tool": "hello", "long name with blanks and a long tail.txt": strings.Repeat("x", 5000), "deep/a/b/c/d/e/f/g/h/i/file": "deep"} {
		if err := os.WriteFile(filepath.Join(tree, name), []byte(data), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("bin/tool", filepath.Join(tree, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(filepath.Join(tree, "bin/tool"), filepath.Join(tree, "bin/twin")); err != nil {
		t.Fatal(err)
	}
	return tree
}

// makeExt has mke2fs write an image of a tree.
func makeExt(t *testing.T, tree, kind string) []byte {
	t.Helper()
	tool, err := exec.LookPath("mke2fs")
	if err != nil {
		if tool, err = exec.LookPath("/usr/sbin/mke2fs"); err != nil {
			t.Skip("mke2fs is not to be had: ext images are not read")
		}
	}
	img := filepath.Join(t.TempDir(), "x.img")
	out, err := exec.Command(tool, "-q", "-t", kind, "-d", tree, img, "8M").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	data, err := os.ReadFile(img)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestRealExt(t *testing.T) {
	t.Parallel()
	tree := realTree(t, t.TempDir())
	sparse, err := os.Create(filepath.Join(tree, "sparse"))
	if err != nil {
		t.Fatal(err)
	}
	sparse.WriteAt([]byte("end"), 300_000)
	sparse.Close()
	for _, kind := range []string{"ext2", "ext4"} {
		img := makeExt(t, tree, kind)
		if got := archive.Detect(img[:archive.DetectBytes]); got != archive.FormatExt {
			t.Fatalf("detected %q", got)
		}
		got, err := listDisk(archive.FormatExt, img)
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		for _, w := range []string{"file 755 bin/tool hello\n", "hardlink 755 bin/twin bin/tool\n", "symlink 777 link bin/tool\n", "sparse 300003 bytes\n", "i/file deep\n", "tail.txt 5000 bytes\n"} {
			if !strings.Contains(got, w) && !strings.Contains(strings.ReplaceAll(got, "hardlink 755 bin/tool bin/twin", "hardlink 755 bin/twin bin/tool"), w) && !strings.Contains(strings.ReplaceAll(got, "bin/twin hello", "bin/tool hello"), w) {
				t.Errorf("%s: no %q in\n%s", kind, w, got)
			}
		}
		bad := bytes.Clone(img)
		bad[1024+96] |= 4 // the journal has to be replayed
		if _, err := listDisk(archive.FormatExt, bad); err == nil || !strings.Contains(err.Error(), "journal") {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

// FuzzDisk: a damaged image is refused or read, in bounds; names are clean.
func FuzzDisk(f *testing.F) {
	f.Add(archive.FormatISO, makeISO(isoFile{name: "TOOL.;1", data: "hello"}, isoFile{name: "D", flags: 2, extent: 18, size: 2048}))
	small := make([]byte, 64<<10)
	copy(small[1024:], "\x10\x00\x00\x00\x40\x00\x00\x00")
	binary.LittleEndian.PutUint16(small[1024+56:], 0xef53)
	binary.LittleEndian.PutUint32(small[1024+32:], 8192)
	binary.LittleEndian.PutUint32(small[1024+40:], 16)
	binary.LittleEndian.PutUint32(small[1024+20:], 1)
	binary.LittleEndian.PutUint32(small[2048+8:], 5)
	binary.LittleEndian.PutUint16(small[5*1024+128:], 0o040755)
	f.Add(archive.FormatExt, small)
	f.Fuzz(func(t *testing.T, format string, img []byte) {
		if len(img) > 1<<20 {
			return
		}
		d, err := archive.OpenDisk(format, bytes.NewReader(img), int64(len(img)), archive.NewMeter("img", int64(len(img)), archive.Limits{Entries: 1000}))
		if err != nil {
			return
		}
		for {
			e, err := d.Next()
			if err != nil {
				return
			}
			if e.Name != "." && !filepath.IsLocal(e.Name) {
				t.Fatalf("name %q", e.Name)
			}
			n, err := io.Copy(io.Discard, d)
			if e.Type == archive.File && err == nil && n != e.Size {
				t.Fatalf("%q: %d bytes, said %d", e.Name, n, e.Size)
			}
		}
	})
}
