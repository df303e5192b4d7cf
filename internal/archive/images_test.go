package archive_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/archive"
)

// tool finds a program that an ordinary user may not have on PATH, or skips.
func tool(t testing.TB, name string) string {
	t.Helper()
	for _, p := range []string{name, "/usr/sbin/" + name, "/sbin/" + name} {
		if path, err := exec.LookPath(p); err == nil {
			return path
		}
	}
	t.Skipf("%s is not to be had: images that it writes are not read", name)
	return ""
}

func command(t testing.TB, stdin, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(tool(t, name), args...)
	cmd.Stdin = strings.NewReader(stdin)
	cmd.Env = append(os.Environ(), "MTOOLS_SKIP_CHECK=1", "SOURCE_DATE_EPOCH=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

func load(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// makeSquash has mksquashfs write an image of a tree.
func makeSquash(t testing.TB, tree string, args ...string) []byte {
	t.Helper()
	img := filepath.Join(t.TempDir(), "x.squashfs")
	command(t, "", "mksquashfs", append([]string{tree, img, "-noappend", "-quiet", "-no-progress", "-all-root"}, args...)...)
	return load(t, img)
}

func holds(t *testing.T, what, got string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(got, w) {
			t.Errorf("%s: no %q in\n%s", what, w, got)
		}
	}
}

func TestRealSquash(t *testing.T) {
	t.Parallel()
	tree := realTree(t, t.TempDir())
	large := bytes.Repeat([]byte("0123456789abcdef"), 20_000) // more than two blocks
	if err := os.WriteFile(filepath.Join(tree, "large"), large, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(tree, "large"), 0o755|os.ModeSetuid); err != nil {
		t.Fatal(err)
	}
	for _, method := range []string{"gzip", "xz", "zstd", "lz4"} {
		img := makeSquash(t, tree, "-comp", method)
		if got := archive.Detect(img); got != archive.FormatSquash {
			t.Fatalf("detected %q", got)
		}
		got, err := listDisk(archive.FormatSquash, img)
		if err != nil {
			t.Fatalf("%s: %v", method, err)
		}
		holds(t, method, got, "file 755 bin/tool hello\n", "hardlink 755 bin/twin bin/tool\n", "symlink 777 link bin/tool\n", "i/file deep\n", "tail.txt 5000 bytes\n", "file 4755 large 320000 bytes\n")
	}
	// nothing but stored blocks, no fragments, no attributes
	img := makeSquash(t, tree, "-noI", "-noD", "-noF", "-no-fragments", "-no-xattrs")
	got, err := listDisk(archive.FormatSquash, img)
	if err != nil {
		t.Fatal(err)
	}
	holds(t, "stored", got, "file 755 bin/tool hello\n", "file 4755 large 320000 bytes\n")
	// a method that is not read, a root that leads outside, bytes behind the end
	for name, c := range map[string]struct {
		change func([]byte) []byte
		want   string
	}{
		"lzo":       {func(b []byte) []byte { b[20] = 3; return b }, "compression method 3"},
		"root":      {func(b []byte) []byte { b[36] = 0xff; return b }, "squashfs"},
		"truncated": {func(b []byte) []byte { return b[:len(b)/2] }, "superblock"},
	} {
		if _, err := listDisk(archive.FormatSquash, c.change(bytes.Clone(img))); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	behind := append(bytes.Clone(img), "hidden"...)
	d, err := archive.OpenDisk(archive.FormatSquash, bytes.NewReader(behind), int64(len(behind)), archive.NewMeter("img", int64(len(behind)), archive.Limits{}))
	if err != nil || len(d.Regions()) != 1 || d.Regions()[0].What != "bytes behind the file system" {
		t.Errorf("%v, %v", d, err)
	}
}

// makeVFAT has mkfs.vfat and mtools write an image of some files.
func makeVFAT(t testing.TB, width string, kilobytes string) []byte {
	t.Helper()
	dir := t.TempDir()
	img := filepath.Join(dir, "x.img")
	command(t, "", "mkfs.vfat", "-C", "-F", width, img, kilobytes)
	for name, text := range map[string]string{"tool": "hello", "long": strings.Repeat("x", 40_000)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	command(t, "", "mmd", "-i", img, "::/efi")
	command(t, "", "mcopy", "-i", img, filepath.Join(dir, "tool"), "::/efi/TOOL.EFI")
	command(t, "", "mcopy", "-i", img, filepath.Join(dir, "long"), "::/A long name, with blanks and \u00fc.txt")
	return load(t, img)
}

func TestRealFAT(t *testing.T) {
	t.Parallel()
	for width, size := range map[string]string{"12": "1440", "16": "20480", "32": "70000"} {
		img := makeVFAT(t, width, size)
		if got := archive.Detect(img[:archive.DetectBytes]); got != archive.FormatFAT {
			t.Fatalf("detected %q", got)
		}
		got, err := listDisk(archive.FormatFAT, img)
		if err != nil {
			t.Fatalf("FAT%s: %v", width, err)
		}
		holds(t, "FAT"+width, got, "directory 755 efi", "efi/TOOL.EFI hello\n", "A long name, with blanks and", ".txt 40000 bytes\n")
		d, err := archive.OpenDisk(archive.FormatFAT, bytes.NewReader(img), int64(len(img)), archive.NewMeter("img", int64(len(img)), archive.Limits{}))
		if err != nil || len(d.Regions()) != 0 {
			t.Errorf("FAT%s: %v, %v", width, d.Regions(), err)
		}
		for name, c := range map[string]struct {
			change func([]byte)
			want   string
		}{
			"second table": {func(b []byte) {
				at := int(binary.LittleEndian.Uint16(b[14:])) * int(binary.LittleEndian.Uint16(b[11:]))
				b[at+6] ^= 1
			}, "two allocation tables differ"},
		} {
			bad := bytes.Clone(img)
			c.change(bad)
			if _, err := listDisk(archive.FormatFAT, bad); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("FAT%s, %s: %v", width, name, err)
			}
		}
		boot := bytes.Clone(img)
		boot[100] ^= 1
		d, err = archive.OpenDisk(archive.FormatFAT, bytes.NewReader(boot), int64(len(boot)), archive.NewMeter("img", int64(len(boot)), archive.Limits{}))
		if err != nil || len(d.Regions()) != 1 || !strings.HasPrefix(d.Regions()[0].What, "boot code") {
			t.Errorf("FAT%s: %v, %v", width, d, err)
		}
		hidden := bytes.Clone(img)
		hidden[len(hidden)-2000] = 1
		d, err = archive.OpenDisk(archive.FormatFAT, bytes.NewReader(hidden), int64(len(hidden)), archive.NewMeter("img", int64(len(hidden)), archive.Limits{}))
		if err != nil || len(d.Regions()) != 1 || d.Regions()[0].What != "bytes of no file" {
			t.Errorf("FAT%s: %v, %v", width, d, err)
		}
	}
}

// makeTable has sfdisk write a partition table into an image, and puts content at offsets.
func makeTable(t testing.TB, script string, size int, content map[int][]byte) []byte {
	t.Helper()
	img := filepath.Join(t.TempDir(), "x.img")
	if err := os.WriteFile(img, make([]byte, size), 0o644); err != nil {
		t.Fatal(err)
	}
	command(t, script, "sfdisk", "-q", "--no-reread", "--no-tell-kernel", img)
	data := load(t, img)
	for at, b := range content {
		copy(data[at:], b)
	}
	return data
}

func TestRealPartitions(t *testing.T) {
	t.Parallel()
	const sector = 512
	for name, c := range map[string]struct {
		script string
		want   []string
	}{
		"GPT": {"label: gpt\nstart=2048, size=4096, name=one\nstart=8192, size=2048\n", []string{"partition1 2097152 bytes\n", "partition2 1048576 bytes\n"}},
		"MBR": {"label: dos\nstart=2048, size=4096, type=83\nstart=8192, size=8192, type=5\nstart=10240, size=2048, type=83\nstart=14336, size=1000, type=83\n",
			[]string{"partition1 2097152 bytes\n", "partition5 1048576 bytes\n", "partition6 512000 bytes\n"}},
	} {
		img := makeTable(t, c.script, 16<<20, map[int][]byte{2048 * sector: []byte("first")})
		if got := archive.Detect(img[:archive.DetectBytes]); got != archive.FormatParts {
			t.Fatalf("%s: detected %q", name, got)
		}
		got, err := listDisk(archive.FormatParts, img)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		holds(t, name, got, c.want...)
		regions := func(b []byte) []archive.Region {
			d, err := archive.OpenDisk(archive.FormatParts, bytes.NewReader(b), int64(len(b)), archive.NewMeter("img", int64(len(b)), archive.Limits{}))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			return d.Regions()
		}
		if r := regions(img); len(r) != 0 {
			t.Errorf("%s: %v", name, r)
		}
		for at, what := range map[int]string{0: "boot code of the partition table", 1000 * sector: "boot code or bytes of no partition"} {
			with := bytes.Clone(img)
			with[at] = 1
			if r := regions(with); len(r) != 1 || r[0].What != what {
				t.Errorf("%s: %v", name, r)
			}
		}
	}
	gpt := makeTable(t, "label: gpt\nstart=2048, size=4096\n", 8<<20, nil)
	for name, c := range map[string]struct {
		change func([]byte)
		want   string
	}{
		"checksum":  {func(b []byte) { b[1024+40]++ }, "checksum of the GPT"},
		"copy":      {func(b []byte) { b[len(b)-sector+60]++ }, "GPT"},
		"protected": {func(b []byte) { b[450] = 0x83 }, "beside another partition table"},
	} {
		bad := bytes.Clone(gpt)
		c.change(bad)
		if _, err := listDisk(archive.FormatParts, bad); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// mbr writes a table of a PC.
func mbr(entries ...[3]uint32) []byte {
	b := make([]byte, 1<<20)
	for i, e := range entries {
		b[450+16*i] = byte(e[0])
		binary.LittleEndian.PutUint32(b[454+16*i:], e[1])
		binary.LittleEndian.PutUint32(b[458+16*i:], e[2])
	}
	b[510], b[511] = 0x55, 0xaa
	return b
}

func TestHostilePartitions(t *testing.T) {
	t.Parallel()
	loop := mbr([3]uint32{5, 8, 100})
	copy(loop[8*512:], mbr([3]uint32{0x83, 1, 2}, [3]uint32{5, 0, 100})[:512])
	for name, c := range map[string]struct {
		img  []byte
		want string
	}{
		"overlap":         {mbr([3]uint32{0x83, 8, 100}, [3]uint32{0x83, 50, 100}), "partition 2 overlaps"},
		"over the table":  {mbr([3]uint32{0x83, 8, 100}, [3]uint32{0x83, 0, 4}), "overlaps"},
		"outside":         {mbr([3]uint32{0x83, 8, 1 << 30}), "lies outside of the image"},
		"a chain's loop":  {loop, "goes back"},
		"a chain of none": {mbr([3]uint32{5, 8, 100}), "has none"},
	} {
		if _, err := listDisk(archive.FormatParts, c.img); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// readAll reads an image as far as it goes: in bounds, with clean names.
func readAll(t *testing.T, format string, img []byte) {
	if len(img) > 1<<21 {
		return
	}
	d, err := archive.OpenDisk(format, bytes.NewReader(img), int64(len(img)), archive.NewMeter("img", int64(len(img)), archive.Limits{Entries: 1000, Floor: 1 << 20}))
	if err != nil {
		return
	}
	buf := make([]byte, 32<<10)
	for {
		e, err := d.Next()
		if err != nil {
			return
		}
		if e.Name != "." && !filepath.IsLocal(e.Name) {
			t.Fatalf("name %q", e.Name)
		}
		for got := int64(0); ; {
			n, err := d.Read(buf)
			if got += int64(n); got > e.Size {
				t.Fatalf("%q has more than the %d bytes that it says", e.Name, e.Size)
			}
			if err != nil {
				break
			}
		}
	}
}

func FuzzSquash(f *testing.F) {
	if path, err := exec.LookPath("mksquashfs"); err == nil {
		dir := f.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "tool"), []byte(strings.Repeat("hello", 2000)), 0o755); err != nil {
			f.Fatal(err)
		}
		for _, args := range [][]string{{"-comp", "gzip"}, {"-noI", "-noD", "-noF"}, {"-comp", "zstd"}} {
			img := filepath.Join(f.TempDir(), "x")
			if out, err := exec.Command(path, append([]string{dir, img, "-quiet", "-no-progress", "-nopad"}, args...)...).CombinedOutput(); err != nil {
				f.Fatalf("%v\n%s", err, out)
			}
			f.Add(load(f, img))
		}
	}
	f.Add([]byte("hsqs"))
	f.Fuzz(func(t *testing.T, img []byte) { readAll(t, archive.FormatSquash, img) })
}

func FuzzFAT(f *testing.F) {
	img := make([]byte, 8<<10)
	copy(img, "\xeb\x3c\x90mkfs.fat\x00\x02\x01\x01\x00\x02\x10\x00\x10\x00\xf8\x01\x00")
	img[510], img[511] = 0x55, 0xaa
	for _, at := range []int{512, 1024} { // both tables: cluster 2 is a directory, cluster 3 a file
		copy(img[at:], "\xf8\xff\xff\xff\xff\xff")
	}
	copy(img[1536:], "DIR        \x10")
	img[1536+26] = 2
	copy(img[2048:], "TOOL    EFI\x00")
	img[2048+26], img[2048+28] = 3, 5
	copy(img[2560:], "hello")
	if got, err := listDisk(archive.FormatFAT, img); err != nil || !strings.Contains(got, "DIR/TOOL.EFI hello") {
		f.Fatalf("%q, %v", got, err)
	}
	f.Add(img)
	f.Fuzz(func(t *testing.T, img []byte) { readAll(t, archive.FormatFAT, img) })
}

func FuzzPartitions(f *testing.F) {
	f.Add(mbr([3]uint32{0x83, 8, 20})[:16<<10])
	extended := mbr([3]uint32{5, 8, 20})[:16<<10]
	copy(extended[8*512:], mbr([3]uint32{0x83, 1, 2}, [3]uint32{5, 4, 100})[:512])
	copy(extended[12*512:], mbr([3]uint32{0x83, 1, 2})[:512])
	f.Add(extended)
	f.Fuzz(func(t *testing.T, img []byte) { readAll(t, archive.FormatParts, img) })
}
