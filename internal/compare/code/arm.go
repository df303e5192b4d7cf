package code

import (
	"encoding/binary"
	"sort"
)

// scanARM reads A32 code (Arm Architecture Reference Manual for A-profile, chapter F4): branches, pairs of MOVW and MOVT,
// and the words between the code of a function that its loads reach. Thumb code is compared byte by byte but for what
// reads the same in both.
func (o *objects) scanARM(f *function, b []byte, refs []ref) []ref {
	start := len(refs)
	s := armScan{o: o, f: f, b: b, refs: refs, pools: make(map[int]uint64)}
	for at := 0; at+4 <= len(b); at += 4 {
		if _, data := s.pools[at]; !data {
			s.instruction(at, binary.LittleEndian.Uint32(b[at:]))
		}
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

// armScan follows what registers hold in the order of the code.
type armScan struct {
	o     *objects
	f     *function
	b     []byte
	refs  []ref
	pools map[int]uint64 // words that are data, and the address that they mean
	low   [16]struct {
		at  int
		v   uint32
		set bool
	}
	pool [16]int // the word that a register was loaded from, 0 for none
}

func (s *armScan) instruction(at int, w uint32) {
	pc := uint64(uint32(s.f.entry)) + uint64(at) + 8
	rd := w >> 12 & 15
	switch {
	case w>>28 == 15:
	case w&0x0e000000 == 0x0a000000: // B, BL
		if to := uint64(uint32(int64(pc) + int64(int32(w<<8)>>6))); to-s.f.entry >= s.f.end-s.f.entry {
			s.refs = append(s.refs, ref{uint32(at), refCall24, to})
		}
	case w&0x0f7f0000 == 0x051f0000: // LDR from a word near the code
		offset := int(w & 0xfff)
		if w&(1<<23) == 0 {
			offset = -offset
		}
		if pool := at + 8 + offset; pool > at && pool+4 <= len(s.b) && pool&3 == 0 {
			s.pools[pool] = uint64(binary.LittleEndian.Uint32(s.b[pool:]))
			s.pool[rd] = pool
		}
	case w&0x0fff0ff0 == 0x008f0000, w&0x0fff0ff0 == 0x079f0000: // ADD rd, PC, rm; LDR rd, [PC, rm]
		if pool := s.pool[w&15]; pool != 0 {
			s.pools[pool] = uint64(uint32(pc) + binary.LittleEndian.Uint32(s.b[pool:]))
			s.pool[w&15] = 0
		}
	case w&0x0ff00000 == 0x03000000: // MOVW
		s.low[rd].at, s.low[rd].v, s.low[rd].set = at, w>>4&0xf000|w&0xfff, true
	case w&0x0ff00000 == 0x03400000 && s.low[rd].set: // MOVT
		to := uint64((w>>4&0xf000|w&0xfff)<<16 | s.low[rd].v)
		s.low[rd].set = false
		if to >= s.o.lo && to < s.o.hi {
			s.o.mark(to)
			s.refs = append(s.refs, ref{uint32(s.low[rd].at), refMovw, to}, ref{uint32(at), refMovt, to})
		}
	}
}
