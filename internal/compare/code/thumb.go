package code

import (
	"encoding/binary"
	"fmt"
	"sort"
)

// scanThumb reads T32 code (Arm Architecture Reference Manual for A-profile, chapter F3): halfwords, two for those that
// begin with 0b11101, 0b11110 or 0b11111.
func (o *objects) scanThumb(f *function, b []byte, refs []ref) []ref {
	start := len(refs)
	s := armScan{o: o, f: f, b: b, refs: refs, pools: make(map[int]uint64)}
	for at := 0; at+2 <= len(b); {
		if _, data := s.pools[at]; data {
			at += 4
			continue
		}
		h := binary.LittleEndian.Uint16(b[at:])
		if h < 0xe800 || at+4 > len(b) {
			s.short(at, h)
			at += 2
			continue
		}
		s.long(at, h, binary.LittleEndian.Uint16(b[at+2:]))
		at += 4
	}
	size := f.end - f.entry
	for pool, to := range s.pools {
		if to >= o.lo && to < o.hi && to-f.entry >= size {
			o.mark(to)
			s.refs = append(s.refs, ref{uint32(pool), refAbs32, to})
		}
	}
	own := s.refs[start:]
	sort.Slice(own, func(i, j int) bool { return own[i].at < own[j].at })
	return s.refs
}

// literal notes a load of a word behind the code.
func (s *armScan) literal(at, offset int, rd uint32) {
	base := int((s.f.entry+uint64(at)+4)&^3 - s.f.entry)
	if pool := base + offset; pool > at && pool+4 <= len(s.b) {
		s.pools[pool] = uint64(binary.LittleEndian.Uint32(s.b[pool:]))
		s.pool[rd] = pool
	}
}

func (s *armScan) short(at int, h uint16) {
	switch {
	case h&0xf800 == 0x4800: // LDR rd, [PC, #imm]
		s.literal(at, int(h&0xff)*4, uint32(h>>8&7))
	case h&0xff78 == 0x4478: // ADD rd, PC
		rd := h&7 | h>>4&8
		if pool := s.pool[rd]; pool != 0 {
			s.pools[pool] = uint64(uint32(s.f.entry) + uint32(at) + 4 + binary.LittleEndian.Uint32(s.b[pool:]))
			s.pool[rd] = 0
		}
	}
}

func (s *armScan) long(at int, h, l uint16) {
	pc := s.f.entry + uint64(at) + 4
	rd := uint32(l >> 8 & 15)
	switch {
	case h&0xf800 == 0xf000 && (l&0xd000 == 0xd000 || l&0xd000 == 0x9000 || l&0xd001 == 0xc000): // BL, B.W, BLX
		sign := uint32(h >> 10 & 1)
		i1, i2 := ^(uint32(l>>13)^sign)&1, ^(uint32(l>>11)^sign)&1
		imm := int32(sign<<31|i1<<30|i2<<29|uint32(h&0x3ff)<<19|uint32(l&0x7ff)<<8) >> 7
		if l&0xd001 == 0xc000 {
			pc &^= 3
		}
		if to := uint64(uint32(int64(pc) + int64(imm))); to-s.f.entry >= s.f.end-s.f.entry {
			s.refs = append(s.refs, ref{uint32(at), refThumb, to})
		}
	case h == 0xf8df: // LDR.W rd, [PC, #imm]
		s.literal(at, int(l&0xfff), uint32(l>>12))
	case h&0xfbf0 == 0xf240: // MOVW
		s.low[rd].at, s.low[rd].v, s.low[rd].set = at, thumbImmediate(h, l), true
	case h&0xfbf0 == 0xf2c0 && s.low[rd].set: // MOVT
		to := uint64(thumbImmediate(h, l)<<16 | s.low[rd].v)
		s.low[rd].set = false
		if to >= s.o.lo && to < s.o.hi {
			s.o.mark(to)
			s.refs = append(s.refs, ref{uint32(s.low[rd].at), refThumbMov, to}, ref{uint32(at), refThumbMov, to})
		}
	}
}

func thumbImmediate(h, l uint16) uint32 {
	return uint32(h&15)<<12 | uint32(h>>10&1)<<11 | uint32(l>>12&7)<<8 | uint32(l&0xff)
}

// thumbText shows an instruction by its bytes.
func thumbText(b []byte) (n int, text string, jump bool) {
	n = min(2, len(b))
	if n == 2 && binary.LittleEndian.Uint16(b) >= 0xe800 && len(b) >= 4 {
		n = 4
	}
	return n, fmt.Sprintf("(bytes) %x", b[:n]), false
}
