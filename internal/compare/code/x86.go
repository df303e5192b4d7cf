package code

// An instruction as far as comparing needs it: how long it is, and where in it a reference lies.
type instruction struct {
	size    int
	ref     int  // offset of a 4-byte displacement that is relative to the instruction's end, 0 for none
	jump    bool // the reference is a branch or call rather than a memory operand
	disp    int  // offset of a 4-byte displacement that may be an address, 0 for none
	imm     int  // offset of an immediate that may be one, immSize bytes, 0 for none
	immSize int
	vector  bool // has a VEX or EVEX prefix
}

// What follows an opcode byte.
const (
	opModRM  = 1 << iota
	opImm8   //
	opImm16  //
	opImmZ   // 4 bytes, 2 with the operand size prefix
	opImmV   // like opImmZ, 8 with REX.W
	opRel8   //
	opRel32  //
	opOffset // 8 byte address
	opGroup3 // an immediate only for /0 and /1
	opBad
)

var oneByte, twoByte = opcodeMaps()

// opcodeMaps returns what follows the opcodes of the one-byte and the 0F map in 64-bit mode (Intel SDM volume 2,
// appendix A).
func opcodeMaps() (one, two [256]uint16) {
	for op := range 0x40 {
		one[op] = [8]uint16{opModRM, opModRM, opModRM, opModRM, opImm8, opImmZ, opBad, opBad}[op&7]
	}
	set := func(m *[256]uint16, what uint16, ops ...int) {
		for i := 0; i+1 < len(ops); i += 2 {
			for op := ops[i]; op <= ops[i+1]; op++ {
				m[op] = what
			}
		}
	}
	set(&one, opBad, 0x60, 0x62, 0x9a, 0x9a, 0xce, 0xce, 0xd4, 0xd6, 0xea, 0xea, 0x82, 0x82)
	set(&one, opModRM, 0x63, 0x63, 0x84, 0x8f, 0xd0, 0xd3, 0xd8, 0xdf, 0xfe, 0xff)
	set(&one, opModRM|opImm8, 0x6b, 0x6b, 0x80, 0x80, 0x83, 0x83, 0xc0, 0xc1, 0xc6, 0xc6)
	set(&one, opModRM|opImmZ, 0x69, 0x69, 0x81, 0x81, 0xc7, 0xc7)
	set(&one, opImm8, 0x6a, 0x6a, 0xa8, 0xa8, 0xb0, 0xb7, 0xcd, 0xcd, 0xe4, 0xe7)
	set(&one, opImmZ, 0x68, 0x68, 0xa9, 0xa9)
	set(&one, opImmV, 0xb8, 0xbf)
	set(&one, opOffset, 0xa0, 0xa3)
	set(&one, opImm16, 0xc2, 0xc2, 0xca, 0xca)
	set(&one, opImm16|opImm8, 0xc8, 0xc8)
	set(&one, opRel8, 0x70, 0x7f, 0xe0, 0xe3, 0xeb, 0xeb)
	set(&one, opRel32, 0xe8, 0xe9)
	set(&one, opModRM|opImm8|opGroup3, 0xf6, 0xf6)
	set(&one, opModRM|opImmZ|opGroup3, 0xf7, 0xf7)
	set(&two, opModRM, 0x00, 0xff)
	set(&two, 0, 0x05, 0x09, 0x0b, 0x0b, 0x0e, 0x0e, 0x30, 0x37, 0x77, 0x77, 0xa0, 0xa2, 0xa8, 0xaa, 0xc8, 0xcf)
	set(&two, opBad, 0x04, 0x04, 0x0a, 0x0a, 0x0c, 0x0c, 0x24, 0x27, 0x36, 0x36, 0x39, 0x39, 0x3b, 0x3f, 0xa6, 0xa7)
	set(&two, opModRM|opImm8, 0x0f, 0x0f, 0x70, 0x73, 0xa4, 0xa4, 0xac, 0xac, 0xba, 0xba, 0xc2, 0xc2, 0xc4, 0xc6)
	set(&two, opRel32, 0x80, 0x8f)
	return one, two
}

const (
	kindSlow   = iota // needs the decoder: prefixes, escapes, groups, what is no instruction
	kindNone          // no ModRM
	kindModRM         //
	kindJump          // a 4-byte displacement
	kindImmV          // an immediate of four bytes, or eight with REX.W
	kindGroup3        // ModRM, and an immediate for /0 and /1
)

// decode decodes any instruction, of 64-bit mode when long is set and of 32-bit mode otherwise.
func decode(b []byte, long bool) instruction {
	d := decoder{b: b, legacy: !long}
	follow, ok := d.opcode()
	if !ok || follow&opBad != 0 {
		return instruction{}
	}
	in := instruction{vector: d.vex}
	if follow&opModRM != 0 {
		reg, rip, ok := d.modRM()
		if !ok {
			return instruction{}
		}
		if rip && long {
			in.ref = d.at - 4
		} else if d.disp {
			in.disp = d.at - 4
		}
		if follow&opGroup3 != 0 && reg > 1 {
			follow &^= opImm8 | opImmZ
		}
	}
	n := d.immediates(follow)
	if n == 4 && follow&(opImmZ|opImmV|opOffset) != 0 || n == 8 {
		in.imm, in.immSize = d.at, n
	}
	d.at += n
	if follow&opRel32 != 0 {
		in.ref, in.jump = d.at-4, true
	}
	if d.at > len(b) {
		return instruction{}
	}
	in.size = d.at
	return in
}

type decoder struct {
	b      []byte
	at     int
	short  bool // operand size prefix
	wide   bool // REX.W
	addr32 bool // address size prefix
	legacy bool // 32-bit mode
	disp   bool // the operand has a 4-byte displacement
	vex    bool
}

func (d *decoder) next() byte {
	d.at++
	if d.at > len(d.b) {
		return 0
	}
	return d.b[d.at-1]
}

// opcode reads prefixes and opcode and returns what follows.
func (d *decoder) opcode() (uint16, bool) {
	for d.at < 15 && d.at < len(d.b) {
		c := d.next()
		switch {
		case c == 0x66:
			d.short = true
			continue
		case c == 0x67:
			d.addr32 = true
			continue
		case c == 0xf0, c == 0xf2, c == 0xf3, c == 0x2e, c == 0x36, c == 0x3e, c == 0x26, c == 0x64, c == 0x65:
			continue
		case d.legacy && (c == 0xc4 || c == 0xc5 || c == 0x62) && d.at < len(d.b) && d.b[d.at] < 0xc0:
			return opModRM, true // LES, LDS and BOUND
		case c >= 0x40 && c <= 0x4f && !d.legacy:
			d.wide = c&8 != 0
			continue
		case c == 0xc5:
			d.next()
			return d.vector(1)
		case c == 0xc4:
			m := d.next() & 0x1f
			d.next()
			return d.vector(m)
		case c == 0x62:
			m := d.next() & 7
			d.next()
			d.next()
			return d.vector(m)
		case c != 0x0f && d.legacy:
			return legacyOpcode(c), true
		case c != 0x0f:
			return oneByte[c], true
		}
		switch c = d.next(); c {
		case 0x38:
			d.next()
			return opModRM, true
		case 0x3a:
			d.next()
			return opModRM | opImm8, true
		}
		return twoByte[c], true
	}
	return 0, false
}

// vector returns what follows a VEX or EVEX opcode of map m.
func (d *decoder) vector(m byte) (uint16, bool) {
	op := d.next()
	d.vex = true
	switch m {
	case 1:
		if op == 0x77 {
			return 0, true
		}
		return opModRM | twoByte[op]&opImm8, true
	case 2, 5, 6:
		return opModRM, true
	case 3:
		return opModRM | opImm8, true
	}
	return 0, false
}

// modRM reads the operand bytes; rip tells that they end in a displacement relative to the next instruction.
func (d *decoder) modRM() (reg byte, rip, ok bool) {
	m := d.next()
	mod, rm := m>>6, m&7
	reg = m >> 3 & 7
	if mod == 3 {
		return reg, false, d.at <= len(d.b)
	}
	if rm == 4 {
		if sib := d.next(); mod == 0 && sib&7 == 5 {
			d.at += 4
			d.disp = true
		}
	}
	switch {
	case mod == 1:
		d.at++
	case mod == 2:
		d.at += 4
		d.disp = true
	case rm == 5:
		d.at += 4
		rip, d.disp = true, true
	}
	return reg, rip, d.at <= len(d.b)
}

func (d *decoder) immediates(follow uint16) int {
	n, z := 0, 4
	if d.short {
		z = 2
	}
	if follow&(opImm8|opRel8) != 0 {
		n++
	}
	if follow&opImm16 != 0 {
		n += 2
	}
	if follow&opImmZ != 0 {
		n += z
	}
	if follow&opRel32 != 0 {
		n += 4
	}
	switch {
	case follow&opImmV != 0 && d.wide:
		n += 8
	case follow&opImmV != 0:
		n += z
	case follow&opOffset != 0 && (d.addr32 || d.legacy):
		n += 4
	case follow&opOffset != 0:
		n += 8
	}
	return n
}

// legacyOpcode returns what follows an opcode of the one-byte map in 32-bit mode, where that is another thing.
func legacyOpcode(c byte) uint16 {
	switch {
	case c >= 0x40 && c <= 0x4f, c == 0x60, c == 0x61, c == 0xce, c == 0x27, c == 0x2f, c == 0x37, c == 0x3f, c == 0xd6:
		return 0
	case c < 0x40 && c&7 >= 6:
		return 0 // pushes and pops of segment registers
	case c == 0x62, c == 0x63:
		return opModRM
	case c == 0x82:
		return opModRM | opImm8
	case c == 0xd4, c == 0xd5:
		return opImm8
	case c == 0x9a, c == 0xea:
		return opImm16 | opImmZ
	}
	return oneByte[c]
}
