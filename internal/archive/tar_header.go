package archive

import (
	"bytes"
	"strconv"
	"strings"
)

// tarHeader is one header block, its numbers checked and its strings as they are stored.
type tarHeader struct {
	block      *[tarBlock]byte
	name       string
	flag       byte
	mode       int64
	uid, gid   int64
	size       int64
	mtime      int64
	link       string
	user, grp  string
	gnu, posix bool
}

func parseTarHeader(b *[tarBlock]byte, m *Meter) (*tarHeader, error) {
	h := &tarHeader{block: b, name: cString(b[:100]), flag: b[156], link: cString(b[157:257])}
	if !tarSumHolds(b) {
		return nil, m.fail("malformed tar: header checksum of %q does not hold", h.name)
	}
	h.posix = string(b[257:263]) == "ustar\x00"
	h.gnu = string(b[257:265]) == "ustar  \x00"
	for _, f := range []struct {
		to    *int64
		field []byte
	}{{&h.mode, b[100:108]}, {&h.uid, b[108:116]}, {&h.gid, b[116:124]}, {&h.size, b[124:136]}, {&h.mtime, b[136:148]}} {
		v, ok := tarNumber(f.field)
		if !ok {
			return nil, m.fail("malformed tar: number %q in the header of %q", f.field, h.name)
		}
		*f.to = v
	}
	if h.size < 0 {
		return nil, m.fail("malformed tar: negative size of %q", h.name)
	}
	if h.posix || h.gnu {
		h.user, h.grp = cString(b[265:297]), cString(b[297:329])
	}
	if h.posix {
		if prefix := cString(b[345:500]); prefix != "" {
			h.name = prefix + "/" + h.name
		}
	}
	return h, nil
}

// tarSumHolds accepts the sum over unsigned bytes, which POSIX demands, and over signed ones, which old writers made.
func tarSumHolds(b *[tarBlock]byte) bool {
	want, ok := tarNumber(b[148:156])
	if !ok {
		return false
	}
	var unsigned, signed int64
	for i, c := range b {
		if i >= 148 && i < 156 {
			c = ' '
		}
		unsigned += int64(c)
		signed += int64(int8(c))
	}
	return want == unsigned || want == signed
}

// tarNumber reads an octal number, or GNU's base-256 form when the first bit is set.
func tarNumber(f []byte) (int64, bool) {
	if f[0]&0x80 != 0 {
		return base256(f)
	}
	s := strings.Trim(string(f), " \x00")
	if s == "" {
		return 0, true
	}
	v, err := strconv.ParseUint(s, 8, 63)
	return int64(v), err == nil
}

func base256(f []byte) (int64, bool) {
	negative := f[0]&0x40 != 0
	var v uint64
	for i, c := range f {
		if negative {
			c = ^c
		}
		if i == 0 {
			c &= 0x7f
		}
		if v>>55 != 0 {
			return 0, false
		}
		v = v<<8 | uint64(c)
	}
	if v>>63 != 0 {
		return 0, false
	}
	if negative {
		return ^int64(v), true
	}
	return int64(v), true
}

func cString(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}
