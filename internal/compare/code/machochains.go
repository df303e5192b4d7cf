package code

import (
	"bytes"
	"crypto/sha256"
	"debug/macho"
	"encoding/binary"
	"fmt"
	"hash"
)

// chains are the pointers that the loader mends, each of which says how far away the next one is (LC_DYLD_CHAINED_FIXUPS, mach-o/fixup-chains.h). What it
// would write is put into our own copy of the data: addresses, and names for what comes from libraries.
type chains struct {
	m       *image
	base    uint64 // where the file is loaded
	names   []string
	signed  hash.Hash // how pointers are signed, in their order
	signeds int
	left    int // pointers that may still be mended: as many as the file has room for, so that chains that overlap end
}

// Formats of pointers. Those of kernels and of 32-bit programs are left as they are.
const (
	chainARM64e       = 1
	chain64           = 2
	chain64Offset     = 6
	chainARM64eUser   = 9
	chainARM64eUser24 = 12
)

const (
	lcChainedFixups = 0x80000034
	chainHeader     = 28
	noFixups        = 0xffff // of a page
	manyStarts      = 0x8000 // in a page, of 32-bit programs
)

func (m *image) machoChains(f *macho.File, data []byte) {
	text := f.Segment("__TEXT")
	for _, l := range f.Loads {
		raw := l.Raw()
		if text == nil || len(raw) < 16 || f.ByteOrder.Uint32(raw) != lcChainedFixups {
			continue
		}
		b := part64(data, f.ByteOrder.Uint32(raw[8:]), f.ByteOrder.Uint32(raw[12:]))
		if len(b) < chainHeader || binary.LittleEndian.Uint32(b) != 0 {
			return
		}
		c := &chains{m: m, base: text.Addr, signed: sha256.New()}
		for i := range m.sections {
			c.left += len(m.sections[i].data) / 4
		}
		if c.imports(b) {
			c.segments(b)
		}
		if c.signeds > 0 {
			m.facts.header["signed pointers"] = fmt.Sprintf("%d, SHA-256 of how %x", c.signeds, c.signed.Sum(nil)[:8])
		}
		return
	}
}

// imports reads the names that pointers are bound to, with what is added to their addresses.
func (c *chains) imports(b []byte) bool {
	le := binary.LittleEndian
	at, symbols, count, format := le.Uint32(b[8:]), le.Uint32(b[12:]), le.Uint32(b[16:]), le.Uint32(b[20:])
	size := map[uint32]uint32{1: 4, 2: 8, 3: 16}[format]
	if size == 0 || le.Uint32(b[24:]) != 0 || count > maxImports || uint64(at)+uint64(count)*uint64(size) > uint64(len(b)) || uint64(symbols) > uint64(len(b)) {
		return false
	}
	for k := range count {
		e := b[at+k*size:]
		name, add := uint64(le.Uint32(e)>>9), int64(0)
		switch format {
		case 2:
			add = int64(int32(le.Uint32(e[4:])))
		case 3:
			name, add = le.Uint64(e)>>32, int64(le.Uint64(e[8:]))
		}
		rest := b[symbols:]
		if name >= uint64(len(rest)) {
			return false
		}
		text, _, ok := bytes.Cut(rest[name:], []byte{0})
		if !ok || len(text) > maxSymbol {
			return false
		}
		c.names = append(c.names, added(string(text), add))
	}
	return true
}

// segments walks the chains of every page.
func (c *chains) segments(b []byte) {
	le := binary.LittleEndian
	starts := le.Uint32(b[4:])
	if uint64(starts)+4 > uint64(len(b)) {
		return
	}
	image := b[starts:]
	for k := range min(le.Uint32(image), maxSegments) {
		if uint64(8+4*k) > uint64(len(image)) {
			return
		}
		at := le.Uint32(image[4+4*k:])
		if at == 0 || uint64(at)+22 > uint64(len(image)) {
			continue
		}
		s := image[at:]
		page, format, offset, pages := uint64(le.Uint16(s[4:])), le.Uint16(s[6:]), le.Uint64(s[8:]), uint64(le.Uint16(s[20:]))
		for p := range pages {
			if c.left == 0 || 24+2*p > uint64(len(s)) {
				return
			}
			if first := uint64(le.Uint16(s[22+2*p:])); first != noFixups && first&manyStarts == 0 && first < page {
				begin := c.base + offset + p*page
				c.walk(begin+first, begin+page, format)
			}
		}
	}
}

// walk mends one chain, which ends where its page does.
func (c *chains) walk(at, end uint64, format uint16) {
	for ; at < end && c.left > 0; c.left-- {
		b := c.m.bytes(at)
		if len(b) < 8 {
			return
		}
		v := binary.LittleEndian.Uint64(b)
		var next uint64
		switch format {
		case chain64, chain64Offset:
			next = 4 * (v >> 51 & 0xfff)
			c.plain(at, v, format)
		case chainARM64e, chainARM64eUser, chainARM64eUser24:
			next = 8 * (v >> 51 & 0x7ff)
			c.arm64e(at, v, format)
		default:
			return
		}
		if next == 0 {
			return
		}
		at += next
	}
}

func (c *chains) plain(at, v uint64, format uint16) {
	if v>>63 != 0 {
		c.bind(at, v&0xffffff, int64(v>>24&0xff))
		return
	}
	target := v & (1<<36 - 1)
	if format == chain64Offset {
		target += c.base
	}
	c.m.patch(at, target|(v>>36&0xff)<<56)
}

func (c *chains) arm64e(at, v uint64, format uint16) {
	signed, bound := v>>63 != 0, v>>62&1 != 0
	if signed { // diversity, whether the address counts, key
		fmt.Fprintf(c.signed, "%x ", v>>32&0x7ffff)
		c.signeds++
	}
	if bound {
		ordinal := v & 0xffff
		if format == chainARM64eUser24 {
			ordinal = v & 0xffffff
		}
		add := int64(0)
		if !signed {
			add = int64(v<<13) >> 45 // 19 bits with a sign, from bit 32 on
		}
		c.bind(at, ordinal, add)
		return
	}
	if signed {
		c.m.patch(at, c.base+(v&0xffffffff))
		return
	}
	target := v & (1<<43 - 1)
	if format != chainARM64e {
		target += c.base
	}
	c.m.patch(at, target|(v>>43&0xff)<<56)
}

func (c *chains) bind(at, ordinal uint64, add int64) {
	if ordinal < uint64(len(c.names)) {
		c.m.bind(at, added(c.names[ordinal], add))
	}
}
