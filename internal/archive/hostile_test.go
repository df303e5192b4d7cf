package archive_test

import (
	"archive/tar"
	"bytes"
	"compress/flate"
	"io"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/archive"
	"github.com/glassbuild/glassbuild/internal/fault"
)

// refused demands a Failed error with exactly this text.
func refused(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil {
		t.Fatalf("accepted, want %q", want)
	}
	if err.Error() != want {
		t.Errorf("text %q, want %q", err, want)
	}
	if c := fault.ClassOf(err); c != fault.Failed {
		t.Errorf("class %v, want failed", c)
	}
}

func TestHostileTar(t *testing.T) {
	t.Parallel()
	link := func(name, to string) tar.Header {
		return tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: to}
	}
	hard := func(name, to string) tar.Header {
		return tar.Header{Typeflag: tar.TypeLink, Name: name, Linkname: to}
	}
	special := func(flag byte) []byte { return join(block(flag, "x", "", 0, nil), endOfTar()) }
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"60 parent":            {tarOf(t, reg("a/../../b", "x")), "a/../../b: unsafe path"},
		"60 absolute":          {tarOf(t, reg("/etc/passwd", "x")), "/etc/passwd: unsafe path"},
		"60 drive letter":      {tarOf(t, reg("C:/x", "x")), "C:/x: unsafe path"},
		"60 backslash parent":  {tarOf(t, reg(`a\..\..\b`, "x")), `a\..\..\b: unsafe path`},
		"60 empty":             {join(block('0', "", "", 0, nil), endOfTar()), `"": unsafe path`},
		"60 escape sequence":   {tarOf(t, reg("../\x1b[2J", "x")), `"../\x1b[2J": unsafe path`},
		"61 through symlink":   {tarOf(t, link("d", "/etc"), reg("d/passwd", "x")), "d/passwd: path through symlink"},
		"61 link over parent":  {tarOf(t, reg("d/x", "x"), link("d", "/etc")), "d: path through symlink"},
		"61 through file":      {tarOf(t, reg("d", "x"), reg("d/x", "x")), "d/x: path through a file"},
		"62 hard link outside": {tarOf(t, hard("a", "../b")), "a: link escapes: hard link to ../b"},
		"62 hard link nowhere": {tarOf(t, hard("a", "b")), "a: link escapes: hard link to b, which is no earlier file of the archive"},
		"62 hard link through": {tarOf(t, link("d", "/"), hard("a", "d/x")), "a: link escapes: hard link to d/x goes through a symlink"},
		"63 character device":  {special('3'), "x: unsupported type: character device"},
		"63 block device":      {special('4'), "x: unsupported type: block device"},
		"63 FIFO":              {special('6'), "x: unsupported type: FIFO"},
		"63 unknown flag":      {special('M'), `x: unsupported type: tar flag 'M'`},
		"64 duplicate":         {tarOf(t, reg("a", "1"), reg("a", "2")), "a: duplicate entry"},
		"64 alias":             {tarOf(t, reg("a", "1"), reg("./a", "2")), "a: duplicate entry"},
		"64 alias slashes":     {tarOf(t, reg("b/a", "1"), reg("b//./a", "2")), "b/a: duplicate entry"},
		"65 after end":         {join(tarOf(t, reg("a", "1")), []byte("payload")), "a.tar: trailing data after the end of the tar"},
		"65 second tar":        {join(tarOf(t, reg("a", "1")), tarOf(t, reg("b", "1"))), "a.tar: trailing data after the end of the tar"},
		"65 lone zero block":   {join(make([]byte, 512), tarOf(t, reg("b", "1"))), "a.tar: trailing data after a zero block"},
		"67 sparse map": {
			join(paxBlock('x', "GNU.sparse.major=1", "GNU.sparse.minor=0", "GNU.sparse.realsize=9"), block('0', "s", "", 512, pad("99999999\n"))),
			`a.tar: exceeds limit: "99999999" sparse regions`,
		},
		"67 sparse lines": {
			join(paxBlock('x', "GNU.sparse.major=1", "GNU.sparse.minor=0", "GNU.sparse.realsize=9"),
				block('0', "s", "", 4<<20, bytes.Repeat([]byte("1"), 4<<20))),
			"a.tar: exceeds limit: sparse map",
		},
		"67 sparse hole": {
			join(paxBlock('x', "GNU.sparse.major=1", "GNU.sparse.minor=0", "GNU.sparse.realsize=999999999999"), block('0', "s", "", 512, pad("0\n"))),
			"a.tar: exceeds limit: expands to more than 34359738368 bytes",
		},
		"67 sparse overlap": {
			join(paxBlock('x', "GNU.sparse.map=0,4,2,4", "GNU.sparse.size=8"), block('0', "s", "", 8, []byte("12345678"))),
			"s: malformed sparse map",
		},
		"67 pax header":       {join(block('x', "p", "", 2<<20, nil)), "a.tar: exceeds limit: extended header of 2097152 bytes"},
		"pax key twice":       {join(paxBlock('x', "path=a", "path=b"), block('0', "c", "", 0, nil), endOfTar()), `a.tar: malformed tar: pax key "path" given twice`},
		"global path":         {join(paxBlock('g', "path=a"), block('0', "c", "", 0, nil), endOfTar()), `a.tar: malformed tar: global pax header sets "path"`},
		"checksum":            {flip(tarOf(t, reg("a", "1")), 1), `a.tar: malformed tar: header checksum of "a\x01" does not hold`},
		"truncated content":   {tarOf(t, reg("a", strings.Repeat("x", 2000)))[:1024], "a.tar: truncated tar"},
		"truncated header":    {tarOf(t, reg("a", "1"))[:100], "a.tar: truncated tar"},
		"dangling pax":        {paxBlock('x', "path=a"), "a.tar: truncated tar"},
		"symlink with size":   {join(block('2', "l", "t", 512, make([]byte, 512)), endOfTar()), "l: symlink with content"},
		"name too long":       {tarOf(t, reg(strings.Repeat("a", 5000), "x")), strings.Repeat("a", 64) + "...: exceeds limit: name of 5000 bytes"},
		"negative size":       {join(negative(), endOfTar()), `a.tar: malformed tar: negative size of "n"`},
		"hard link with size": {join(block('0', "t", "", 0, nil), block('1', "l", "t", 5, pad("12345")), endOfTar()), "l: hardlink with content"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := entries(archive.NewTar(bytes.NewReader(c.data), archive.NewMeter("a.tar", int64(len(c.data)), archive.Limits{})))
			refused(t, err, c.want)
		})
	}
}

func pad(s string) []byte { return append([]byte(s), make([]byte, -len(s)&511)...) }

func flip(b []byte, at int) []byte {
	b[at] ^= 1
	return b
}

// negative is a header whose size is -1 in GNU's base-256 form.
func negative() []byte {
	b := block('0', "n", "", 0, nil)
	for i := 124; i < 136; i++ {
		b[i] = 0xff
	}
	copy(b[148:], "        ")
	sum := 0
	for _, c := range b[:512] {
		sum += int(c)
	}
	copy(b[148:], []byte{'0' + byte(sum>>12&7), '0' + byte(sum>>9&7), '0' + byte(sum>>6&7), '0' + byte(sum>>3&7), '0' + byte(sum&7), 0, ' '})
	return b
}

func TestHostileZip(t *testing.T) {
	t.Parallel()
	one := zipPart{name: "a", data: "hello"}
	inflated := func(p zipPart, data string) []zipPart {
		var b bytes.Buffer
		w, _ := flate.NewWriter(&b, 9)
		io.WriteString(w, data)
		w.Close()
		p.packed, p.data, p.method = b.Bytes(), data, 8
		return []zipPart{p}
	}
	with := func(f func(*zipPart)) []byte {
		p := one
		f(&p)
		return zipOf([]zipPart{p}, "")
	}
	two := func(f func(*zipPart)) []byte {
		p := zipPart{name: "b", data: "world"}
		f(&p)
		return zipOf([]zipPart{one, p}, "")
	}
	differs := "a: inconsistent zip: %s differs between local header and directory"
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"60 parent":           {with(func(p *zipPart) { p.name = "../a" }), "../a: unsafe path"},
		"60 backslash":        {with(func(p *zipPart) { p.name = `d\a` }), `d\a: unsafe path`},
		"60 drive":            {with(func(p *zipPart) { p.name = "c:a" }), "c:a: unsafe path"},
		"61 symlink":          {zipOf([]zipPart{{name: "d", data: "/etc", mode: 0o120777}, {name: "d/x", data: "x"}}, ""), "d/x: path through symlink"},
		"63 FIFO":             {with(func(p *zipPart) { p.mode = 0o010644 }), "a: unsupported type: mode 10644"},
		"64 duplicate":        {zipOf([]zipPart{one, one}, ""), "a: duplicate entry"},
		"64 alias":            {zipOf([]zipPart{one, {name: "./a", data: "x"}}, ""), "a: duplicate entry"},
		"65 after end":        {append(zipOf([]zipPart{one}, ""), 'x'), "a.zip: trailing data after the end of the zip"},
		"65 after deflate":    {zipOf(after(inflated(one, "hello hello hello")), ""), "a: trailing data after the compressed content"},
		"66 bomb":             {zipOf(inflated(one, strings.Repeat("\x00", 20<<20)), ""), "a: expansion exceeds 200×"},
		"73 name":             {with(func(p *zipPart) { p.local = "b" }), strings.Replace(differs, "%s", "name", 1)},
		"73 checksum":         {with(func(p *zipPart) { p.localCRC = 7 }), strings.Replace(differs, "%s", "size or checksum", 1)},
		"73 size":             {with(func(p *zipPart) { p.localSize = 1 }), strings.Replace(differs, "%s", "size or checksum", 1)},
		"73 content longer":   {zipOf(longer(inflated(one, "hello hello hello"), -3), ""), "a: inconsistent zip: content is longer than its size 14"},
		"73 content shorter":  {zipOf(longer(inflated(one, "hello hello hello"), 3), ""), "a: inconsistent zip: content does not have the size and checksum of its header"},
		"73 gap":              {two(func(p *zipPart) { p.before = "payload" }), "b: inconsistent zip: 7 bytes before it belong to no member"},
		"73 overlap":          {two(func(p *zipPart) { p.offset = -36 }), "b: inconsistent zip: overlaps the member before it"},
		"73 no local header":  {two(func(p *zipPart) { p.offset = 3 }), "b: inconsistent zip: 3 bytes before it belong to no member"},
		"73 outside":          {with(func(p *zipPart) { p.offset = 60 }), "a: inconsistent zip: local header outside of the archive"},
		"two end records":     {zipOf([]zipPart{one}, string(zipOf(nil, ""))), "a.zip: inconsistent zip: two end records"},
		"no end":              {zipOf([]zipPart{one}, "")[:40], "a.zip: truncated zip: no end record"},
		"directory with data": {with(func(p *zipPart) { p.name = "d/" }), "d/: directory with content"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := zipEntries(c.data, archive.Limits{})
			refused(t, err, c.want)
		})
	}
}

func after(p []zipPart) []zipPart {
	p[0].packed = append(p[0].packed, "payload"...)
	return p
}

func longer(p []zipPart, n int) []zipPart {
	p[0].size = n
	return p
}

func TestZipThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]zipPart{
		"encrypted": {name: "a", data: "x", flags: 1},
		"method":    {name: "a", data: "x", method: 99},
	} {
		_, err := zipEntries(zipOf([]zipPart{p}, ""), archive.Limits{})
		if err == nil || fault.ClassOf(err) != fault.Inconclusive {
			t.Errorf("%s: %v, want inconclusive", name, err)
		}
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	data := tarOf(t, reg("a", "1"), reg("b", "2"), reg("c", "3"))
	_, err := entries(archive.NewTar(bytes.NewReader(data), archive.NewMeter("a.tar", 1, archive.Limits{Entries: 2})))
	refused(t, err, "a.tar: exceeds limit: more than 2 entries")
	_, err = zipEntries(zipOf([]zipPart{{name: "a"}, {name: "b"}, {name: "c"}}, ""), archive.Limits{Entries: 2})
	refused(t, err, "a.zip: exceeds limit: 3 entries")
	m := archive.NewMeter("a", 1, archive.Limits{Depth: 1})
	if m, err = m.Nested("b", 1); err != nil {
		t.Fatal(err)
	}
	_, err = m.Nested("c", 1)
	refused(t, err, "c: exceeds limit: archives nested deeper than 1")
}
