package code

import "encoding/binary"

// Encodings are those of the Arm Architecture Reference Manual for A-profile, chapter C4.

// adrpPage returns the page that an ADRP at pc addresses.
func adrpPage(w uint32, pc uint64) uint64 {
	imm := int64(int32(w<<8)>>11)&^3 | int64(w>>29&3)
	return uint64(int64(pc&^0xfff) + imm<<12)
}

// scanARM64 reads fixed instructions of four bytes. An address is a page in one register and its low bits in
// another instruction; the page that a register holds is followed from its ADRP on in the order of the code.
func (o *objects) scanARM64(f *function, b []byte, refs []ref) []ref {
	var page [32]uint64
	var known [32]bool
	size := f.end - f.entry
	for at := 0; at+4 <= len(b); at += 4 {
		w := binary.LittleEndian.Uint32(b[at:])
		pc := f.entry + uint64(at)
		rd, rn := w&31, w>>5&31
		switch {
		case w&0x7c000000 == 0x14000000: // B, BL
			if to := pc + uint64(int64(int32(w<<6)>>4)); to-f.entry >= size {
				refs = append(refs, ref{uint32(at), refBranch, to})
			}
			if w>>31 == 1 { // a call may change every register that its caller does not expect to keep
				for r := range 19 {
					known[r] = false
				}
			}
		case w&0x9f000000 == 0x90000000: // ADRP
			page[rd], known[rd] = adrpPage(w, pc), true
			refs = append(refs, ref{uint32(at), refPage, page[rd]})
		case w&0x9f000000 == 0x10000000: // ADR
			known[rd] = false
			to := pc + uint64(int64(int32(w<<8)>>11)&^3|int64(w>>29&3))
			if to-f.entry >= size {
				o.mark(to)
				refs = append(refs, ref{uint32(at), refAdr, to})
			}
		case w&0x3b000000 == 0x18000000: // LDR of a literal
			to := pc + uint64(int64(int32(w<<8)>>13)&^3)
			if to-f.entry >= size {
				o.mark(to)
				refs = append(refs, ref{uint32(at), refLit, to})
			}
		case w&0xffc00000 == 0x91000000 && known[rn]: // ADD, 64 bit, no shift
			to := page[rn] + uint64(w>>10&0xfff)
			o.mark(to)
			refs = append(refs, ref{uint32(at), refLow, to})
			if rd != rn {
				known[rd] = false
			} else {
				known[rn] = false
			}
		case w&0x3b000000 == 0x39000000: // loads and stores with an unsigned offset
			if known[rn] {
				scale := w >> 30
				if w&0x04800000 == 0x04800000 { // 128-bit vectors
					scale = 4
				}
				to := page[rn] + uint64(w>>10&0xfff)<<scale
				o.mark(to)
				refs = append(refs, ref{uint32(at), refLow, to})
			}
			if w&0x04c00000 != 0 && w&0x04000000 == 0 { // a load into a general register
				known[rd] = false
			}
		default:
			if writesRegister(w) {
				known[rd] = false
			}
		}
	}
	return refs
}

// writesRegister tells whether an instruction of data processing writes its register rd.
func writesRegister(w uint32) bool {
	switch w >> 25 & 0xf {
	case 0x8, 0x9, 0x5, 0xd:
		return true
	}
	return w>>25&0x5 == 0x4 // loads and stores
}
