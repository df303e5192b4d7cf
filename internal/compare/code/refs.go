package code

import "encoding/binary"

// A ref is one reference in the code of a function: where it lies, how it is written, and the address that it reaches.
type ref struct {
	at   uint32
	kind refKind
	to   uint64
}

// refKind says how a reference is written: which bits of the code are the reference.
type refKind uint8

const (
	refRel      refKind = iota // 4 bytes, relative to somewhere behind them
	refAbs32                   // 4 bytes, an address
	refAbs64                   // 8 bytes, an address
	refGot                     // 4 bytes, relative to the global offset table, if it is an address at all
	refBranch                  // arm64 branch: 26 bits
	refPage                    // arm64 ADRP: 21 bits
	refAdr                     // arm64 ADR: 21 bits
	refLow                     // arm64 ADD or load with the low 12 bits
	refLit                     // arm64 load of a literal: 19 bits
	refCall24                  // arm branch: 24 bits
	refMovw                    // arm MOVW: the low half of an address
	refMovt                    // arm MOVT: the high half
	refThumb                   // T32 branch: 25 bits in two halfwords
	refThumbMov                // T32 MOVW or MOVT: 16 bits in two halfwords
)

// masks are the bits of the 4-byte word at a reference that belong to it; refAbs64 has all bits of eight bytes.
var masks = [...]uint32{
	refRel: 0xffffffff, refAbs32: 0xffffffff, refAbs64: 0xffffffff, refGot: 0xffffffff, refBranch: 0x03ffffff, refPage: 0x60ffffe0, refAdr: 0x60ffffe0,
	refLow: 0x003ffc00, refLit: 0x00ffffe0, refCall24: 0x00ffffff, refMovw: 0x000f0fff, refMovt: 0x000f0fff,
	refThumb: 0x2fff07ff, refThumbMov: 0x70ff040f,
}

// width returns how many bytes the word of a reference has.
func (k refKind) width() int {
	if k == refAbs64 {
		return 8
	}
	return 4
}

// scan appends the references of a function to refs and marks the data that they reach. References of a function
// to itself that are relative move with it: their bytes are the same.
func (o *objects) scan(f *function, body []byte, refs []ref) []ref {
	switch o.m.arch {
	case archAMD64:
		if !o.m.fixed {
			return o.scanAMD64(f, body, refs)
		}
		return o.scanX86(f, body, refs, true)
	case arch386:
		return o.scanX86(f, body, refs, false)
	case archARM64:
		return o.scanARM64(f, body, refs)
	case archARM:
		if f.thumb {
			return o.scanThumb(f, body, refs)
		}
		return o.scanARM(f, body, refs)
	}
	return refs
}

// scanX86 reads code that may also have addresses as numbers: everything that could be one and lies in the program is
// taken for one.
func (o *objects) scanX86(f *function, b []byte, refs []ref, long bool) []ref {
	add := func(at int, kind refKind, to uint64) {
		if to < o.lo || to >= o.hi {
			return
		}
		o.mark(to)
		refs = append(refs, ref{at: uint32(at), kind: kind, to: to})
	}
	base := o.gotBase
	for at := 0; at < len(b); {
		in := decode(b[at:], long)
		if in.size == 0 {
			at++
			continue
		}
		if in.ref > 0 {
			to := f.entry + uint64(at+in.size) + uint64(int64(int32(binary.LittleEndian.Uint32(b[at+in.ref:]))))
			if !long {
				to &= 0xffffffff
			}
			if to-f.entry >= f.end-f.entry {
				if !in.jump {
					o.mark(to)
				}
				refs = append(refs, ref{at: uint32(at + in.ref), kind: refRel, to: to})
			}
		}
		if in.disp > 0 {
			v := binary.LittleEndian.Uint32(b[at+in.disp:])
			if base != 0 { // position-independent: relative to the global offset table
				add(at+in.disp, refGot, (base+uint64(v))&0xffffffff)
			} else {
				add(at+in.disp, refAbs32, uint64(v))
			}
		}
		if in.imm > 0 {
			if in.immSize == 8 {
				add(at+in.imm, refAbs64, binary.LittleEndian.Uint64(b[at+in.imm:]))
			} else if base == 0 {
				add(at+in.imm, refAbs32, uint64(binary.LittleEndian.Uint32(b[at+in.imm:])))
			} else {
				to := (f.entry + uint64(at) + uint64(binary.LittleEndian.Uint32(b[at+in.imm:]))) & 0xffffffff
				if to == base { // the add that finds the table
					refs = append(refs, ref{at: uint32(at + in.imm), kind: refGot, to: base})
				}
			}
		}
		at += in.size
	}
	return refs
}
