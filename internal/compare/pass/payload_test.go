package pass_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/allow"
)

// TestPayloads holds down, for every pass, that its field carries nothing but what its grammar says (F10), and that what
// matters is never forgiven although all passes are allowed.
func TestPayloads(t *testing.T) {
	t.Parallel()
	long := []byte(text(100_000))
	plain := gz(t, 6, gzip.Header{OS: 3}, long)
	one := file{name: "a", body: text(5000), at: dayOne}
	tarball := tarOf(t, one, file{name: "b", body: "b", at: dayOne})
	zipped := zipOf(t, 6, one, file{name: "b", body: text(300), at: dayOne})
	jar := func(keys string) []byte {
		return zipOf(t, 0, file{name: "META-INF/MANIFEST.MF", body: "Manifest-Version: 1.0\n" + keys + "\n", at: dayOne})
	}
	lib := arOf(file{name: "a.o/", body: "code", at: dayOne})
	deb := arOf(file{name: "debian-binary", body: "2.0\n", at: dayOne})
	elf := elfOf(t, "12345678901234567890", false)
	png := pngOf([]byte{0x07, 0xe8, 5, 1, 10, 20, 30})
	pe := peOf(1, false)
	macho := machoOf("012345\x30\x8012345678")
	for name, c := range map[string]struct {
		pass             string
		shipped, rebuilt []byte
	}{
		"gzip-header: a time of any bits":            {allow.GzipHeader, patched(plain, 4, "\xde\xad\xbe\xef"), plain},
		"gzip-header: a system that is none":         {allow.GzipHeader, patched(plain, 9, "\x41"), plain},
		"gzip-header: a level that is none":          {allow.GzipHeader, patched(plain, 8, "\x41"), plain},
		"gzip-header: a file name":                   {allow.GzipHeader, gz(t, 6, gzip.Header{OS: 3, Name: "payload"}, long), plain},
		"gzip-header: a comment":                     {allow.GzipHeader, gz(t, 6, gzip.Header{OS: 3, Comment: "payload"}, long), plain},
		"gzip-header: an extra field":                {allow.GzipHeader, gz(t, 6, gzip.Header{OS: 3, Extra: []byte("payload")}, long), plain},
		"gzip-header: another name":                  {allow.GzipHeader, gz(t, 6, gzip.Header{OS: 3, Name: "a"}, long), gz(t, 6, gzip.Header{OS: 3, Name: "b"}, long)},
		"gzip-stream: empty blocks":                  {allow.GzipStream, withEmptyBlocks(t, long, 9), plain},
		"gzip-stream: padding":                       {allow.GzipStream, withPadding(t, long), plain},
		"gzip-stream: stored":                        {allow.GzipStream, gz(t, 0, gzip.Header{OS: 3}, long), plain},
		"gzip-stream: bytes behind":                  {allow.GzipStream, append(bytes.Clone(plain), "payload"...), plain},
		"gzip-stream: a second member":               {allow.GzipStream, append(bytes.Clone(plain), plain...), plain},
		"gzip-stream: other content":                 {allow.GzipStream, gz(t, 6, gzip.Header{OS: 3}, append([]byte("x"), long...)), plain},
		"tar-mtime: base-256":                        {allow.TarMtime, retar(patched(tarball, 136, "\x80payload1234")), tarball},
		"tar-mtime: a year that is none":             {allow.TarMtime, retar(patched(tarball, 136, "77777777777\x00")), tarball},
		"tar-mtime: another terminator":              {allow.TarMtime, retar(patched(tarball, 147, "0")), tarball},
		"tar-mtime: padding after content":           {allow.TarMtime, patched(tarball, 512+5001, "payload"), tarball},
		"tar-mtime: unused bytes of a header":        {allow.TarMtime, retar(patched(tarball, 500, "payload")), tarball},
		"tar-mtime: a pax record of another key":     {allow.TarMtime, tarOf(t, file{name: "a", at: dayOne, pax: map[string]string{"GLASS.x": "payload"}}), tarOf(t, file{name: "a", at: dayOne, pax: map[string]string{"GLASS.x": "another"}})},
		"tar: set-uid":                               {allow.TarMtime, tarOf(t, file{name: "a", at: dayOne, mode: 0o4755}), tarOf(t, file{name: "a", at: dayTwo, mode: 0o755})},
		"tar: owner":                                 {allow.TarMtime, retar(patched(tarball, 108, "0001750")), tarball},
		"tar: capability":                            {allow.TarMtime, tarOf(t, file{name: "a", at: dayOne, pax: map[string]string{"SCHILY.xattr.security.capability": "\x01payload"}}), tarOf(t, file{name: "a", at: dayOne})},
		"tar-order: names that differ in case":       {allow.TarOrder, tarOf(t, file{name: "A", body: "1", at: dayOne}, file{name: "a", body: "2", at: dayOne}), tarOf(t, file{name: "a", body: "2", at: dayOne}, file{name: "A", body: "1", at: dayOne})},
		"tar-order: a duplicate":                     {allow.TarOrder, tarOf(t, one, one, file{name: "b", at: dayOne}), tarOf(t, one, file{name: "b", at: dayOne}, one)},
		"tar-order: swapped content":                 {allow.TarOrder, tarOf(t, file{name: "a", body: "1", at: dayOne}, file{name: "b", body: "2", at: dayOne}), tarOf(t, file{name: "b", body: "1", at: dayOne}, file{name: "a", body: "2", at: dayOne})},
		"tar-order: one member more":                 {allow.TarOrder, tarOf(t, one, file{name: "b", at: dayOne}), tarOf(t, one)},
		"zip-mtime: a date that is none":             {allow.ZipMtime, bothTimes(zipped, "\xff\xff\xff\xff"), zipped},
		"zip-mtime: timestamps that disagree":        {allow.ZipMtime, lastTimestamp(zipped), zipped},
		"zip-mtime: a comment":                       {allow.ZipMtime, append(patched(zipped, len(zipped)-2, "\x07\x00"), "payload"...), zipped},
		"zip: mode":                                  {allow.ZipMtime, externalMode(zipped), zipped},
		"zip-order: names that differ in case":       {allow.ZipOrder, zipOf(t, 6, file{name: "A", body: "1"}, file{name: "a", body: "2"}), zipOf(t, 6, file{name: "a", body: "2"}, file{name: "A", body: "1"})},
		"zip-order: a duplicate":                     {allow.ZipOrder, zipOf(t, 6, one, one, file{name: "b"}), zipOf(t, 6, one, file{name: "b"}, one)},
		"zip-stream: stored blocks":                  {allow.ZipStream, zipOf(t, -2, one), zipOf(t, 9, file{name: "a", body: strings.Repeat("a", 5000), at: dayOne})},
		"zip-stream: other content":                  {allow.ZipStream, zipOf(t, 1, one), zipOf(t, 9, file{name: "a", body: "x" + one.body[1:], at: dayOne})},
		"jar-manifest-build-keys: a long value":      {allow.JarBuildKeys, jar("Built-By: " + strings.Repeat("p", 80) + "\n"), jar("Built-By: me\n")},
		"jar-manifest-build-keys: a continued value": {allow.JarBuildKeys, jar("Built-By: me\n payload\n"), jar("Built-By: me\n")},
		"jar-manifest-build-keys: twice":             {allow.JarBuildKeys, jar("Built-By: me\nBuilt-By: you\n"), jar("Built-By: me\nBuilt-By: him\n")},
		"jar-manifest-build-keys: twice, otherwise":  {allow.JarBuildKeys, jar("built-by: me\nBuilt-By: you\n"), jar("built-by: me\nBuilt-By: him\n")},
		"jar-manifest-build-keys: control letters":   {allow.JarBuildKeys, jar("Built-By: \x1b[1m\n"), jar("Built-By: me\n")},
		"jar-manifest-build-keys: another key":       {allow.JarBuildKeys, jar("Main-Class: evil\n"), jar("Main-Class: good\n")},
		"jar-manifest-build-keys: below":             {allow.JarBuildKeys, jar("\nName: x\nBuilt-By: payload\n"), jar("\nName: x\nBuilt-By: another\n")},
		"pyc-mtime: a time of any bits":              {allow.PycMtime, patched(pyc(dayOne, "code"), 8, "\xde\xad\xbe\xef"), pyc(dayOne, "code")},
		"pyc-mtime: a hash":                          {allow.PycMtime, patched(pyc(dayOne, "code"), 4, "\x01\x00\x00\x00aaaa"), patched(pyc(dayOne, "code"), 4, "\x01\x00\x00\x00bbbb")},
		"pyc-mtime: code":                            {allow.PycMtime, pyc(dayOne, "evil"), pyc(dayTwo, "code")},
		"ar-mtime: letters":                          {allow.ArMtime, patched(lib, 24, "payload     "), lib},
		"ar-mtime: leading zeros":                    {allow.ArMtime, patched(lib, 24, "001714558830"), lib},
		"ar-mtime: mode":                             {allow.ArMtime, patched(lib, 48, "104755  "), lib},
		"deb-mtime: letters":                         {allow.DebMtime, patched(deb, 24, "payload     "), deb},
		"cpio-mtime: a time of any bits":             {allow.CpioMtime, patched(cpioOf(one), 46, "deadbeef"), cpioOf(one)},
		"cpio-mtime: after the trailer":              {allow.CpioMtime, append(cpioOf(one), "payload"...), cpioOf(one)},
		"elf-build-id: a longer one":                 {allow.ELFBuildID, elfOf(t, strings.Repeat("payload!", 8), false), elf},
		"elf-build-id: of another length":            {allow.ELFBuildID, elfOf(t, "1234567890123456", false), elf},
		"elf-build-id: in code":                      {allow.ELFBuildID, elfOf(t, "payloadpayloadpayloa", true), elfOf(t, "12345678901234567890", true)},
		"pe-timestamp: in code":                      {allow.PETimestamp, peOf(2, true), peOf(3, true)},
		"pe-timestamp: code":                         {allow.PETimestamp, patched(pe, len(pe)-1, "\xcc"), pe},
		"elf-build-id: in a table of segments":       {allow.ELFBuildID, withTable(elf), withTable(elfOf(t, "abcdefghijabcdefghij", false))},
		"pe-timestamp: in a section":                 {allow.PETimestamp, headerMapped(pe), headerMapped(peOf(7, false))},
		"pe-timestamp: in another directory":         {allow.PETimestamp, imported(pe), imported(peOf(7, false))},
		"macho-uuid: the entry point":                {allow.MachOUUID, entered(macho), entered(machoOf("abcdef\x30\x80abcdefgh"))},
		"macho-uuid: of no version":                  {allow.MachOUUID, machoOf("payloadpayload12"), macho},
		"png-time: no time":                          {allow.PNGTime, pngOf([]byte("payload")), png},
		"png-time: two":                              {allow.PNGTime, patchedPNG(png, 1), patchedPNG(png, 2)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if bytes.Equal(c.shipped, c.rebuilt) {
				t.Fatal("the vector changes nothing")
			}
			for _, p := range [][2][]byte{{c.shipped, c.rebuilt}, {c.rebuilt, c.shipped}} {
				if out := judge(t, p[0], p[1]); out.Equivalent || out.Reason == "" {
					t.Errorf("forgiven: %+v", out.Forgiven)
				}
			}
		})
	}
	covers(t)
}

// covers demands a payload for every name of the closed list.
func covers(t *testing.T) {
	source, err := os.ReadFile("payload_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range allow.All() {
		if d.Name == allow.MachOAdHoc { // an embedded signature that nobody made: the tests of graft have it
			continue
		}
		if !d.Signature && !strings.Contains(string(source), `"`+d.Name+": ") {
			t.Errorf("no payload for %s", d.Name)
		}
	}
}

// TestFields shows for the formats that pairs does not make that an honest difference is forgiven.
func TestFields(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]pair{
		"build id":     {elfOf(t, "12345678901234567890", false), elfOf(t, "abcdefghijabcdefghij", false), []string{allow.ELFBuildID}},
		"pe timestamp": {peOf(1, false), peOf(1700000000, false), []string{allow.PETimestamp}},
		"uuid":         {machoOf("012345\x30\x8012345678"), machoOf("abcdef\x30\x80abcdefgh"), []string{allow.MachOUUID}},
		"png time":     {pngOf([]byte{0x07, 0xe8, 5, 1, 10, 20, 30}), pngOf([]byte{0x07, 0xe9, 6, 2, 11, 21, 31}), []string{allow.PNGTime}},
		"fat":          {fatOf(machoOf("012345\x30\x8012345678")), fatOf(machoOf("abcdef\x30\x80abcdefgh")), []string{allow.MachOUUID}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := judge(t, p.shipped, p.rebuilt)
			if !out.Equivalent || strings.Join(out.Needs(), " ") != strings.Join(p.needs, " ") {
				t.Fatalf("%v %q", out.Equivalent, out.Reason)
			}
			sums(t, out)
		})
	}
}

// withEmptyBlocks hides n empty stored blocks before a stream.
func withEmptyBlocks(t *testing.T, data []byte, n int) []byte {
	b := gz(t, 6, gzip.Header{OS: 3}, data)
	return append(append(bytes.Clone(b[:10]), bytes.Repeat([]byte{0, 0, 0, 0xff, 0xff}, n)...), b[10:]...)
}

// withPadding hides bits between the header and the length of a stored block, of which there must be one.
func withPadding(t *testing.T, data []byte) []byte {
	b := gz(t, 6, gzip.Header{OS: 3}, data)
	return append(append(bytes.Clone(b[:10]), 0xa8, 0, 0, 0xff, 0xff), b[10:]...)
}

// bothTimes writes a time into the local header and the directory record of the first member.
func bothTimes(b []byte, s string) []byte {
	return patched(patched(b, 10, s), bytes.Index(b, []byte("PK\x01\x02"))+12, s)
}

// lastTimestamp changes the extended timestamp of the last directory record only.
func lastTimestamp(b []byte) []byte {
	return patched(b, bytes.LastIndex(b, []byte("UT\x05\x00"))+5, "\x01\x02\x03\x60")
}

func externalMode(b []byte) []byte {
	return patched(b, bytes.Index(b, []byte("PK\x01\x02"))+40, "\xed\x89")
}

// elfOf makes a relocatable ELF file with one note section, which may claim to be executable.
func elfOf(t *testing.T, id string, exec bool) []byte {
	le := binary.LittleEndian
	names := "\x00.shstrtab\x00.note.gnu.build-id\x00.text\x00"
	note := le.AppendUint32(nil, 4)
	note = le.AppendUint32(note, uint32(len(id)))
	note = le.AppendUint32(note, 3)
	note = append(append(note, "GNU\x00"...), id...)
	code := []byte("code")
	b := make([]byte, 64)
	noteAt := len(b)
	b = append(b, note...)
	codeAt := len(b)
	b = append(b, code...)
	namesAt := len(b)
	b = append(b, names...)
	table := len(b)
	section := func(name, kind uint32, flags uint64, at, size int) {
		b = le.AppendUint32(b, name)
		b = le.AppendUint32(b, kind)
		b = le.AppendUint64(b, flags)
		b = le.AppendUint64(b, 0)
		b = le.AppendUint64(b, uint64(at))
		b = le.AppendUint64(b, uint64(size))
		b = append(b, make([]byte, 24)...)
	}
	flags := uint64(2)
	if exec {
		flags |= 4
	}
	section(0, 0, 0, 0, 0)
	section(1, 3, 0, namesAt, len(names))
	section(11, 7, flags, noteAt, len(note))
	section(30, 1, 6, codeAt, len(code))
	copy(b, "\x7fELF\x02\x01\x01")
	le.PutUint16(b[16:], 1)
	le.PutUint16(b[18:], 62)
	le.PutUint32(b[20:], 1)
	le.PutUint64(b[40:], uint64(table))
	le.PutUint16(b[52:], 64)
	le.PutUint16(b[58:], 64)
	le.PutUint16(b[60:], 4)
	le.PutUint16(b[62:], 1)
	return b
}

// peOf makes a PE file whose export directory lies in a data section, or in the code.
func peOf(stamp uint32, inCode bool) []byte {
	le := binary.LittleEndian
	b := make([]byte, 0x600)
	copy(b, "MZ")
	le.PutUint32(b[60:], 0x40)
	copy(b[0x40:], "PE\x00\x00\x64\x86\x02\x00")
	if !inCode {
		le.PutUint32(b[0x48:], stamp)
	}
	le.PutUint16(b[0x54:], 240)
	opt := b[0x58:]
	le.PutUint16(opt, 0x20b)
	le.PutUint32(opt[108:], 16)
	address := uint32(0x2000)
	if inCode {
		address = 0x1000
	}
	le.PutUint32(opt[112:], address)
	le.PutUint32(opt[116:], 40)
	for i, s := range []struct {
		name  string
		at    uint32
		flags uint32
	}{{".text", 0x400, 0x60000020}, {".rdata", 0x500, 0x40000040}} {
		h := opt[240+40*i:]
		copy(h, s.name)
		le.PutUint32(h[8:], 0x100)
		le.PutUint32(h[12:], uint32(0x1000*(i+1)))
		le.PutUint32(h[16:], 0x100)
		le.PutUint32(h[20:], s.at)
		le.PutUint32(h[36:], s.flags)
	}
	at := 0x500
	if inCode {
		at = 0x400
	}
	le.PutUint32(b[at+4:], stamp)
	return b
}

func machoOf(uuid string) []byte {
	le := binary.LittleEndian
	b := []byte{0xcf, 0xfa, 0xed, 0xfe}
	for _, v := range []uint32{0x01000007, 3, 2, 1, 24, 0, 0, 0x1b, 24} {
		b = le.AppendUint32(b, v)
	}
	return append(append(b, uuid...), "code and data"...)
}

func fatOf(slice []byte) []byte {
	b := []byte{0xca, 0xfe, 0xba, 0xbe}
	for _, v := range []uint32{1, 0x01000007, 3, 64, uint32(len(slice)), 6} {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return append(append(b, make([]byte, 64-len(b))...), slice...)
}

func pngOf(at []byte) []byte {
	b := []byte("\x89PNG\r\n\x1a\n")
	for _, c := range []struct{ name, data string }{{"IHDR", "0123456789012"}, {"tIME", string(at)}, {"IEND", ""}} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(c.data)))
		b = append(b, c.name+c.data...)
		b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE([]byte(c.name+c.data)))
	}
	return b
}

// withTable says that a table of segments lies where the build id is.
func withTable(b []byte) []byte {
	b = bytes.Clone(b)
	binary.LittleEndian.PutUint64(b[32:], 64+16)
	binary.LittleEndian.PutUint16(b[54:], 56)
	binary.LittleEndian.PutUint16(b[56:], 1)
	return b
}

// headerMapped lets the code section begin with the file.
func headerMapped(b []byte) []byte {
	b = bytes.Clone(b)
	binary.LittleEndian.PutUint32(b[0x58+240+20:], 0)
	return b
}

// imported lets the table of imports begin where the time of the exports is.
func imported(b []byte) []byte {
	b = bytes.Clone(b)
	binary.LittleEndian.PutUint32(b[0x58+112+8:], 0x2004)
	binary.LittleEndian.PutUint32(b[0x58+112+12:], 20)
	return b
}

// entered adds an entry point inside the identifier.
func entered(b []byte) []byte {
	le := binary.LittleEndian
	out := append(bytes.Clone(b[:56]), le.AppendUint32(le.AppendUint32(nil, 0x80000028), 24)...)
	out = le.AppendUint64(le.AppendUint64(out, 40), 0)
	le.PutUint32(out[16:], 2)
	le.PutUint32(out[20:], 48)
	return append(out, b[56:]...)
}

// patchedPNG puts a second time before the end of a PNG.
func patchedPNG(png []byte, day byte) []byte {
	chunk := pngOf([]byte{0x07, 0xe8, 5, day, 10, 20, 30})
	return append(append(bytes.Clone(png[:len(png)-12]), chunk[33:52]...), png[len(png)-12:]...)
}

// TestCompressors holds the account of deflate streams against the compressors of this machine: an honest stream must
// be accepted.
func TestCompressors(t *testing.T) {
	t.Parallel()
	data := text(400_000) + strings.Repeat("a", 70_000) + string(noise(90_000))
	ours := gz(t, 6, gzip.Header{OS: 3}, []byte(data))
	for _, argv := range [][]string{{"gzip", "-n1"}, {"gzip", "-n6"}, {"gzip", "-n9"}, {"pigz", "-n"}, {"libdeflate-gzip", "-n12"}} {
		t.Run(strings.Join(argv, " "), func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath(argv[0]); err != nil {
				t.Skip("not on this machine:", argv[0])
			}
			cmd := exec.Command(argv[0], argv[1:]...)
			cmd.Stdin = strings.NewReader(data)
			out, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			if got := judge(t, out, ours); !got.Equivalent {
				t.Error(got.Reason)
			}
		})
	}
	for level := -2; level <= 9; level++ {
		t.Run(fmt.Sprint("the library, level ", level), func(t *testing.T) {
			t.Parallel()
			small := data[:300_000]
			if got := judge(t, gz(t, level, gzip.Header{OS: 3}, []byte(small)), gz(t, 6, gzip.Header{OS: 3}, []byte(small))); !got.Equivalent && level > 0 && level != 6 {
				t.Error(got.Reason)
			}
		})
	}
}

// noise cannot be compressed.
func noise(n int) []byte {
	b := make([]byte, n)
	x := uint32(1)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}
