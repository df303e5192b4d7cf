package code

import (
	"bytes"
	"encoding/binary"
	"unicode"
	"unicode/utf8"
)

// typeName returns the name of the type whose descriptor (internal/abi.Type) lies at addr. It reports false for
// everything that is none: sizes, alignment, kind and name must hold together.
func (m *image) typeName(addr uint64) (string, bool) {
	if m.table == nil || addr-m.module.types >= m.module.etypes-m.module.types {
		return "", false
	}
	b := m.bytes(addr)
	w := m.word
	if len(b) < 4*w+16 {
		return "", false
	}
	size, pointers := m.read(b), m.read(b[w:])
	flags, align, fieldAlign, kind := b[2*w+4], b[2*w+5], b[2*w+6], b[2*w+7]&31
	if pointers > size || size > maxImage || flags > 127 || align == 0 || align > 16 || align&(align-1) != 0 || fieldAlign == 0 || fieldAlign > 16 || kind == 0 || kind > 26 {
		return "", false
	}
	return m.goName(uint64(binary.LittleEndian.Uint32(b[4*w+8:])))
}

// goName returns the name at an offset of the types: a byte of flags, a length and the text.
func (m *image) goName(off uint64) (string, bool) {
	if off == 0 || off >= m.module.etypes-m.module.types {
		return "", false
	}
	name, _, ok := nameEntry(m.bytes(m.module.types + off))
	return name, ok
}

func nameEntry(b []byte) (name string, size int, ok bool) {
	if len(b) < 3 || b[0] > 15 {
		return "", 0, false
	}
	n, used := binary.Uvarint(b[1:])
	if used <= 0 || n == 0 || n > maxString || 1+used+int(n) > len(b) {
		return "", 0, false
	}
	text := b[1+used : 1+used+int(n)]
	if !utf8.Valid(text) || bytes.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return "", 0, false
	}
	size = 1 + used + int(n)
	if b[0]&2 != 0 { // a tag follows
		t, u := binary.Uvarint(b[size:])
		if u <= 0 || t > maxString || size+u+int(t) > len(b) {
			return "", 0, false
		}
		size += u + int(t)
	}
	if b[0]&4 != 0 { // the offset of a package path follows
		size += 4
	}
	return string(text), size, size <= len(b)
}

// nameEntries tells whether data are nothing but names of types, fields and methods, and returns the first one.
func nameEntries(b []byte) (string, bool) {
	first := ""
	for len(b) > 0 {
		if trimmed(b) == 0 {
			break
		}
		name, n, ok := nameEntry(b)
		if !ok {
			return "", false
		}
		if first == "" {
			first = name
		}
		b = b[n:]
	}
	return first, first != ""
}

// sameTypeKept tells whether both places describe the same type: everything up to its hash and its name. What then
// differs is which of its methods were kept.
func (c *comparison) sameTypeKept(p pair) (string, bool) {
	x, okX := c.a.typeName(p.a)
	y, okY := c.b.typeName(p.b)
	if !okX || !okY || x != y {
		return "", false
	}
	head := 2*c.a.word + 8
	return x, bytes.Equal(c.a.bytes(p.a)[:head], c.b.bytes(p.b)[:head])
}

// typeData tells whether an object that only one side has is type information, and names it.
func (m *image) typeData(o object) (string, bool) {
	if name, ok := m.typeName(o.addr); ok {
		return "type " + name, true
	}
	if m.table == nil || o.addr-m.module.types >= m.module.etypes-m.module.types {
		return "", false
	}
	name, ok := nameEntries(o.data)
	return "name " + name, ok
}

// runtimeTables counts the bytes in which the tables differ that Go's runtime keeps about functions: stack maps, and the
// index from code to functions. They hold no addresses: where the code is the same they are.
func (c *comparison) runtimeTables() int64 {
	if c.a.table == nil || c.b.table == nil {
		return 0
	}
	tables := func(m *image) []byte {
		b := m.bytes(m.module.gofunc)
		return b[:min(uint64(len(b)), m.table.funcdataEnd(m.module.gofunc)-m.module.gofunc)]
	}
	n := differing(tables(c.a), tables(c.b))
	ma, mb := &c.a.module, &c.b.module
	if size := ma.etext - ma.text; size == mb.etext-mb.text && c.order() == 0 {
		const bucket, entry = 4096, 20 // runtime.findfuncbucket
		index := func(m *image) []byte {
			b := m.bytes(m.module.findfunc)
			return b[:min(uint64(len(b)), (size+bucket-1)/bucket*entry)]
		}
		n += differing(index(c.a), index(c.b))
	}
	return n
}
