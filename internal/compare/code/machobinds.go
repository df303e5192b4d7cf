package code

import (
	"bytes"
	"debug/macho"
	"encoding/binary"
)

// Commands and opcodes of programs that are bound without chains (mach-o/loader.h, BIND_OPCODE_*).
const (
	lcDyldInfo       = 0x22
	lcDyldInfoOnly   = 0x80000022
	bindOrdinalULEB  = 0x20
	bindSymbol       = 0x40
	bindAddend       = 0x60
	bindSegment      = 0x70
	bindAddAddress   = 0x80
	bindDo           = 0x90
	bindDoAndAdd     = 0xa0
	bindDoAndScaled  = 0xb0
	bindDoManyTimes  = 0xc0
	bindThreaded     = 0xd0
	bindOpcode       = 0xf0
	bindImmediate    = 0x0f
	dyldInfoSize     = 48
	dyldInfoBind     = 16 // offset and size of each table in the command: bind, weak bind, lazy bind
	dyldInfoLastBind = 32
)

// machoBinds names the pointers that the loader binds by a program of opcodes.
func (m *image) machoBinds(f *macho.File, data []byte) {
	for _, l := range f.Loads {
		raw := l.Raw()
		if len(raw) < dyldInfoSize {
			continue
		}
		if cmd := f.ByteOrder.Uint32(raw); cmd != lcDyldInfo && cmd != lcDyldInfoOnly {
			continue
		}
		for at := dyldInfoBind; at <= dyldInfoLastBind; at += 8 {
			b := &binder{m: m, b: part64(data, f.ByteOrder.Uint32(raw[at:]), f.ByteOrder.Uint32(raw[at+4:]))}
			for _, l := range f.Loads {
				if g, ok := l.(*macho.Segment); ok {
					b.segments = append(b.segments, g.Addr)
				}
			}
			for b.step() {
			}
		}
	}
}

type binder struct {
	m        *image
	b        []byte
	segments []uint64
	name     string
	addend   int64
	addr     uint64
	bound    int
}

// step reads one opcode. Lazy tables end every entry, and go on.
func (b *binder) step() bool {
	if len(b.b) == 0 {
		return false
	}
	op, imm := b.b[0]&bindOpcode, uint64(b.b[0]&bindImmediate)
	b.b = b.b[1:]
	switch op {
	case bindOrdinalULEB:
		b.uleb()
	case bindSymbol:
		name, rest, ok := bytes.Cut(b.b, []byte{0})
		if !ok || len(name) > maxSymbol {
			return false
		}
		b.name, b.b = string(name), rest
	case bindAddend:
		b.addend = b.sleb()
	case bindSegment:
		if imm >= uint64(len(b.segments)) {
			return false
		}
		b.addr = b.segments[imm] + b.uleb()
	case bindAddAddress:
		b.addr += b.uleb()
	case bindDo:
		return b.bind(0)
	case bindDoAndAdd:
		return b.bind(b.uleb())
	case bindDoAndScaled:
		return b.bind(8 * imm)
	case bindDoManyTimes:
		count, skip := b.uleb(), b.uleb()
		for range min(count, maxImports) {
			if !b.bind(skip) {
				return false
			}
		}
	case bindThreaded:
		return false
	}
	return true
}

func (b *binder) bind(skip uint64) bool {
	b.m.bind(b.addr, added(b.name, b.addend))
	b.addr += 8 + skip
	b.bound++
	return b.bound < maxImports
}

func (b *binder) uleb() uint64 {
	v, n := binary.Uvarint(b.b)
	if n <= 0 {
		b.b = nil
		return 0
	}
	b.b = b.b[n:]
	return v
}

// sleb reads a number with a sign (DWARF 7.6).
func (b *binder) sleb() int64 {
	v, shift := int64(0), 0
	for i, c := range b.b {
		if shift < 64 {
			v |= int64(c&0x7f) << shift
		}
		if shift += 7; c < 0x80 {
			if shift < 64 && c&0x40 != 0 {
				v |= -1 << shift
			}
			b.b = b.b[i+1:]
			return v
		}
	}
	b.b = nil
	return 0
}
