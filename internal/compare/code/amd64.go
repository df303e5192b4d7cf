package code

import "encoding/binary"

// scanAMD64 reads 64-bit code that has relative references only. It is where most of the time of a comparison goes, so
// the common instructions are decoded in place: optional prefix, REX, an opcode of the one-byte or the 0F map, ModRM. All
// others go through decode.
func (o *objects) scanAMD64(f *function, b []byte, refs []ref) []ref {
	size := f.end - f.entry
	at, end := 0, len(b)-longestInstruction
	for at < end {
		i := at
		c := b[i]
		if c == 0xf3 || c == 0xf2 || c == 0xf0 || c == 0x64 || c == 0x66 && (b[i+1] == 0x0f || b[i+1]&0xf0 == 0x40 && b[i+2] == 0x0f) {
			i++
			c = b[i]
		}
		wide := false
		if c&0xf0 == 0x40 {
			wide = c&8 != 0
			i++
			c = b[i]
		}
		i++
		p := plain[c]
		if c == 0x0f {
			p = plain0F[b[i]]
			i++
		}
		switch p.kind {
		case kindNone:
			at = i + int(p.size)
		case kindModRM:
			m := b[i]
			i++
			if m&0xc7 == 0x05 {
				next := i + 4 + int(p.size)
				to := f.entry + uint64(next) + uint64(int64(int32(binary.LittleEndian.Uint32(b[i:]))))
				if to-f.entry >= size {
					o.mark(to)
					refs = append(refs, ref{at: uint32(i), kind: refRel, to: to})
				}
				at = next
				continue
			}
			if m&0xc7 == 0x04 && b[i]&7 == 5 {
				i += 4
			}
			at = i + int(modRMSize[m]) + int(p.size)
		case kindJump:
			next := i + 4
			to := f.entry + uint64(next) + uint64(int64(int32(binary.LittleEndian.Uint32(b[i:]))))
			if to-f.entry >= size {
				refs = append(refs, ref{at: uint32(i), kind: refRel, to: to})
			}
			at = next
		case kindImmV:
			if at = i + 4; wide {
				at += 4
			}
		case kindGroup3:
			m := b[i]
			i++
			if m&0xc7 == 0x05 { // a reference: rare
				at, refs = o.slowAMD64(f, b, at, refs)
				continue
			}
			if m&0xc7 == 0x04 && b[i]&7 == 5 {
				i += 4
			}
			at = i + int(modRMSize[m])
			if m&0x30 == 0 {
				at += int(p.size)
			}
		default:
			at, refs = o.slowAMD64(f, b, at, refs)
		}
	}
	for at < len(b) {
		at, refs = o.slowAMD64(f, b, at, refs)
	}
	return refs
}

// slowAMD64 reads one instruction and returns where the next one is.
func (o *objects) slowAMD64(f *function, b []byte, at int, refs []ref) (int, []ref) {
	in := decode(b[at:], true)
	if in.size == 0 {
		return at + 1, refs
	}
	if in.ref > 0 {
		to := f.entry + uint64(at+in.size) + uint64(int64(int32(binary.LittleEndian.Uint32(b[at+in.ref:]))))
		if to-f.entry >= f.end-f.entry {
			if !in.jump {
				o.mark(to)
			}
			refs = append(refs, ref{at: uint32(at + in.ref), kind: refRel, to: to})
		}
	}
	return at + in.size, refs
}

// longestInstruction is the architecture's limit, and what plain decoding may look at beyond where an instruction
// begins.
const longestInstruction = 16

// opcodeShape is what follows an opcode that needs no further look.
type opcodeShape struct {
	kind uint8 // kindSlow, kindNone, kindModRM or kindJump
	size uint8 // bytes of immediates
}

var plain, plain0F = opcodeShapes()

func opcodeShapes() (one, two [256]opcodeShape) {
	shape := func(follow uint16) opcodeShape {
		var d decoder
		switch {
		case follow&(opBad|opOffset) != 0:
			return opcodeShape{}
		case follow&opImmV != 0:
			return opcodeShape{kind: kindImmV}
		case follow&opGroup3 != 0:
			return opcodeShape{kindGroup3, uint8(d.immediates(follow))}
		}
		s := opcodeShape{kindNone, uint8(d.immediates(follow))}
		switch {
		case follow&opRel32 != 0:
			s.kind = kindJump
		case follow&opModRM != 0:
			s.kind = kindModRM
		}
		return s
	}
	for op := range 256 {
		prefix := op == 0x0f || op == 0x66 || op == 0x67 || op == 0xf0 || op == 0xf2 || op == 0xf3 || op == 0x2e || op == 0x36 ||
			op == 0x3e || op == 0x26 || op == 0x64 || op == 0x65 || op == 0xc4 || op == 0xc5 || op == 0x62 || op >= 0x40 && op <= 0x4f
		if !prefix {
			one[op] = shape(oneByte[op])
		}
		if op != 0x38 && op != 0x3a {
			two[op] = shape(twoByte[op])
		}
	}
	return one, two
}

// modRMSize are the bytes behind a ModRM byte, without those that depend on a SIB byte.
var modRMSize = func() (sizes [256]uint8) {
	for m := range 256 {
		mod, rm := m>>6, m&7
		n := [4]uint8{0, 1, 4, 0}[mod]
		if mod == 0 && rm == 5 {
			n = 4
		}
		if mod != 3 && rm == 4 {
			n++
		}
		sizes[m] = n
	}
	return sizes
}()
