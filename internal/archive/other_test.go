package archive_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
	"testing"

	"github.com/glassbuild/glassbuild/internal/archive"
)

// bigDictionary changes the dictionary size of the first block header to 1 GiB and repairs its checksum.
func bigDictionary(data []byte) []byte {
	b := bytes.Clone(data)
	h := b[12 : 12+(int(b[12])+1)*4]
	at := bytes.Index(h, []byte{0x21, 0x01})
	h[at+2] = 36
	binary.LittleEndian.PutUint32(h[len(h)-4:], crc32.ChecksumIEEE(h[:len(h)-4]))
	return b
}

func arMember(name, body string) []byte {
	b := fmt.Appendf(nil, "%-16s%-12d%-6d%-6d%-8o%-10d`\n%s", name, 1700000000, 1, 2, 0o100644, len(body), body)
	if len(body)%2 == 1 {
		b = append(b, '\n')
	}
	return b
}

func arOf(members ...[]byte) []byte { return append([]byte("!<arch>\n"), join(members...)...) }

func TestAr(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		data      []byte
		want      []string
		complaint string
	}{
		"gnu":        {arOf(arMember("//", "a-long-name-of-a-file.o/\n"), arMember("/0", "123"), arMember("b.o/", "4")), []string{"a-long-name-of-a-file.o=123", "b.o=4"}, ""},
		"bsd":        {arOf(arMember("#1/4", "nameDATA")), []string{"name=DATA"}, ""},
		"same names": {arOf(arMember("a.o/", "1"), arMember("a.o/", "2")), []string{"a.o=1", "a.o#2=2"}, ""},
		"deb":        {arOf(arMember("debian-binary", "2.0\n"), arMember("x", "1"), arMember("x", "2")), []string{"debian-binary=2.0\n", "x=1"}, "x: duplicate entry"},
		"unsafe":     {arOf(arMember("../a", "1")), nil, "../a: unsafe path"},
		"trailing":   {append(arOf(arMember("a", "12")), bytes.Repeat([]byte{'x'}, 60)...), []string{"a=12"}, "a.a: trailing data: no ar header where one should be"},
		"truncated":  {arOf(arMember("a", "1234"))[:70], nil, "a.a: truncated ar"},
		"table":      {arOf(arMember("/9", "1")), nil, `a.a: malformed ar: name "/9"`},
	} {
		got, err := entries(archive.NewAr(bytes.NewReader(c.data), archive.NewMeter("a.a", 1, archive.Limits{})))
		check(t, name, got, err, c.want, c.complaint)
	}
}

func check(t *testing.T, name string, got []string, err error, want []string, complaint string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", name, got, want)
	}
	switch {
	case complaint == "" && err != nil:
		t.Errorf("%s: %v", name, err)
	case complaint != "":
		refused(t, err, complaint)
	}
}

func newc(name string, mode int, body string) []byte {
	b := fmt.Appendf(nil, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", 1, mode, 3, 4, 1, 5, len(body), 0, 0, 0, 0, len(name)+1, 0)
	b = append(b, name...)
	b = append(b, 0)
	b = append(b, make([]byte, -len(b)&3)...)
	b = append(b, body...)
	return append(b, make([]byte, -len(b)&3)...)
}

func TestCpio(t *testing.T) {
	t.Parallel()
	end := newc("TRAILER!!!", 0, "")
	odc := fmt.Appendf(nil, "070707%06o%06o%06o%06o%06o%06o%06o%011o%06o%011o%s\x00%s", 0, 1, 0o100644, 0, 0, 1, 0, 5, 2, 3, "a", "123")
	odc = fmt.Appendf(odc, "070707%06o%06o%06o%06o%06o%06o%06o%011o%06o%011o%s\x00", 0, 0, 0, 0, 0, 1, 0, 0, 11, 0, "TRAILER!!!")
	for name, c := range map[string]struct {
		data      []byte
		want      []string
		complaint string
	}{
		"newc":      {join(newc("./d", 0o40755, ""), newc("./d/a", 0o100644, "12345"), newc("l", 0o120777, "d/a"), end, make([]byte, 400)), []string{"d/", "d/a=12345", "l->d/a"}, ""},
		"odc":       {odc, []string{"a=123"}, ""},
		"unsafe":    {join(newc("../a", 0o100644, "1"), end), nil, "../a: unsafe path"},
		"device":    {join(newc("a", 0o060644, ""), end), nil, "a: unsupported type: mode 60644"},
		"duplicate": {join(newc("a", 0o100644, ""), newc("./a", 0o100644, ""), end), []string{"a="}, "a: duplicate entry"},
		"trailing":  {join(newc("a", 0o100644, ""), end, newc("b", 0o100644, "")), []string{"a="}, "a.cpio: trailing data after the end of the cpio"},
		"no end":    {newc("a", 0o100644, ""), []string{"a="}, "a.cpio: truncated cpio"},
		"long name": {fmt.Appendf(nil, "070701%088x%08x%08x", 0, 1<<30, 0), nil, "a.cpio: exceeds limit: name of 1073741824 bytes"},
	} {
		got, err := entries(archive.NewCpio(bytes.NewReader(c.data), archive.NewMeter("a.cpio", 1, archive.Limits{})))
		check(t, name, got, err, c.want, c.complaint)
	}
}

func rpmHeader(entries, size uint32) []byte {
	b := []byte("\x8e\xad\xe8\x01\x00\x00\x00\x00")
	b = binary.BigEndian.AppendUint32(b, entries)
	b = binary.BigEndian.AppendUint32(b, size)
	return b
}

func TestRPM(t *testing.T) {
	t.Parallel()
	lead := append([]byte("\xed\xab\xee\xdb\x03\x00"), make([]byte, 90)...)
	good := join(lead, rpmHeader(1, 4), make([]byte, 20), make([]byte, 4), rpmHeader(0, 3), []byte("abc"), []byte("PAYLOAD"))
	read := func(data []byte) ([]string, error) {
		return entries(archive.NewRPM(bytes.NewReader(data), archive.NewMeter("a.rpm", 1, archive.Limits{})))
	}
	got, err := read(good)
	if err != nil || len(got) != 4 || got[3] != "payload=PAYLOAD" {
		t.Fatalf("%q, %v", got, err)
	}
	_, err = read(join(lead, rpmHeader(1<<31, 4)))
	refused(t, err, "a.rpm: exceeds limit: rpm header of 2147483648 entries and 4 bytes")
	_, err = read(join(lead, rpmHeader(1, 4), []byte("\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x00\x00\x00\x00"), make([]byte, 8)))
	refused(t, err, "a.rpm: malformed rpm: tag outside of its header")
	_, err = read(good[:100])
	refused(t, err, "a.rpm: truncated rpm")
}

// TestRootedCpio: the payload of an RPM package may name files by their full path; nothing else gets easier.
func TestRootedCpio(t *testing.T) {
	t.Parallel()
	end := newc("TRAILER!!!", 0, "")
	for name, want := range map[string]string{"/usr/bin/tool": "usr/bin/tool", "./usr/bin/tool": "usr/bin/tool", "//etc": "", "/../etc": "", "/": ""} {
		c := archive.NewCpio(bytes.NewReader(join(newc(name, 0o100755, "x"), end)), archive.NewMeter("c", 1, archive.Limits{}))
		c.Rooted = true
		e, err := c.Next()
		if want == "" && err == nil {
			t.Errorf("%s: is taken as %s", name, e.Name)
		} else if want != "" && (err != nil || e.Name != want) {
			t.Errorf("%s: %v %v", name, e, err)
		}
	}
}
