package code

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"sort"
)

// objects divides the data of a program at every place that code or other data refers to. An object is known by its
// content, pointers in it by what they point to: by function and offset, or by the content there. So a constant
// is the same wherever it was moved, and is not the same when one byte of it was changed.
type objects struct {
	m     *image
	parts []dataPart
	lo    uint64
	hi    uint64
	refs  []reference // of all functions, in their order
	first []uint32    // for each function its first reference
}

// dataPart is one section of data.
type dataPart struct {
	s      *section
	marks  []uint64 // a bit for every byte that something refers to
	starts []uint32
	own    []uint64 // hash of each object, pointers to data counting as equal
	sum    []uint64 // hash with the own hashes of what pointers point to
}

var seed = maphash.MakeSeed()

// derived sections follow from code and types: what changes in them has its cause elsewhere. Build information is
// compared by itself.
func derived(name string) bool {
	switch name {
	case ".gopclntab", ".data.rel.ro.gopclntab", ".typelink", ".itablink", ".data.rel.ro.typelink", ".data.rel.ro.itablink", ".gosymtab",
		".go.buildinfo", ".go.fipsinfo", ".go.module", ".note.go.buildid", ".note.gnu.build-id", ".rela", ".rela.dyn", ".rela.plt",
		".gnu.version", ".gnu.version_r", ".hash", ".gnu.hash", ".dynsym", ".dynstr", ".interp", ".got", ".got.plt", ".dynamic", ".eh_frame", ".eh_frame_hdr":
		return true
	}
	return false
}

// divide finds the objects of a program.
func divide(m *image) *objects {
	o := &objects{m: m, lo: m.sections[0].addr}
	last := &m.sections[len(m.sections)-1]
	o.hi = last.addr + last.size
	for i := range m.sections {
		s := &m.sections[i]
		if s.code || s.data == nil || derived(s.name) {
			continue
		}
		o.parts = append(o.parts, dataPart{s: s, marks: make([]uint64, len(s.data)/64+1)})
		o.mark(s.addr)
	}
	o.markCode()
	o.markData()
	o.mark(m.module.at)
	o.mark(m.module.at + m.module.size)
	for i := range o.parts {
		o.parts[i].split()
		o.parts[i].own = o.hash(&o.parts[i], false)
	}
	for i := range o.parts {
		o.parts[i].sum = o.hash(&o.parts[i], true)
	}
	return o
}

func (o *objects) part(addr uint64) *dataPart {
	for i := range o.parts {
		if s := o.parts[i].s; addr-s.addr < s.size {
			return &o.parts[i]
		}
	}
	return nil
}

func (o *objects) mark(addr uint64) {
	if p := o.part(addr); p != nil {
		off := addr - p.s.addr
		p.marks[off/64] |= 1 << (off % 64)
	}
}

// markCode marks what instructions refer to, and notes where in the code the references are.
func (o *objects) markCode() {
	functions := o.m.table.functions
	o.refs = make([]reference, 0, o.m.text.size/refsPerByte)
	o.first = make([]uint32, len(functions)+1)
	for i := range functions {
		f := &functions[i]
		b := o.m.body(f)
		for at := 0; at < len(b); {
			in := decode(b[at:])
			if in.size == 0 {
				at++
				continue
			}
			if in.ref > 0 {
				to := target(f.entry, b, at, in)
				if !in.jump {
					o.mark(to)
				}
				// References within a function move with it: their bytes are the same.
				if to-f.entry >= f.end-f.entry {
					o.refs = append(o.refs, reference{at: uint32(at + in.ref), size: uint8(in.size - in.ref)})
				}
			}
			at += in.size
		}
		o.first[i+1] = uint32(len(o.refs))
	}
}

// reference is one in the code of a function: where its four bytes are, and how far it is from there to the end of the
// instruction, which they are relative to.
type reference struct {
	at   uint32
	size uint8
}

// to returns what a reference refers to.
func (r reference) to(f *function, body []byte) uint64 {
	rel := int32(binary.LittleEndian.Uint32(body[r.at:]))
	return f.entry + uint64(r.at) + uint64(r.size) + uint64(int64(rel))
}

// of returns the references of function i.
func (o *objects) of(i int) []reference { return o.refs[o.first[i]:o.first[i+1]] }

// target returns what the reference of an instruction at offset at of a function refers to.
func target(entry uint64, b []byte, at int, in instruction) uint64 {
	rel := int32(binary.LittleEndian.Uint32(b[at+in.ref:]))
	return entry + uint64(at) + uint64(in.size) + uint64(int64(rel))
}

// markData marks what aligned words that look like addresses refer to.
func (o *objects) markData() {
	for i := range o.parts {
		p := &o.parts[i]
		for off := int(-p.s.addr & 7); off+8 <= len(p.s.data); off += 8 {
			if v := binary.LittleEndian.Uint64(p.s.data[off:]); v >= o.lo && v < o.hi {
				o.mark(v)
			}
		}
	}
}

func (p *dataPart) split() {
	n := 0
	for _, w := range p.marks {
		n += bits.OnesCount64(w)
	}
	p.starts = make([]uint32, 0, n)
	for i, w := range p.marks {
		for ; w != 0; w &= w - 1 {
			if off := i*64 + bits.TrailingZeros64(w); off < len(p.s.data) {
				p.starts = append(p.starts, uint32(off))
			}
		}
	}
	p.marks = nil
}

// object returns the bytes of object i.
func (p *dataPart) object(i int) []byte {
	end := len(p.s.data)
	if i+1 < len(p.starts) {
		end = int(p.starts[i+1])
	}
	return p.s.data[p.starts[i]:end]
}

func (p *dataPart) addr(i int) uint64 { return p.s.addr + uint64(p.starts[i]) }

// find returns the object that holds addr.
func (p *dataPart) find(addr uint64) int {
	off := uint32(addr - p.s.addr)
	return sort.Search(len(p.starts), func(i int) bool { return p.starts[i] > off }) - 1
}

// hash returns the hash of every object of a part.
func (o *objects) hash(p *dataPart, deep bool) []uint64 {
	sums := make([]uint64, len(p.starts))
	var buf []byte
	for i := range sums {
		b := p.object(i)
		buf = append(buf[:0], b...)
		for off := int(-p.addr(i) & 7); off+8 <= len(b); off += 8 {
			if v := binary.LittleEndian.Uint64(b[off:]); v >= o.lo && v < o.hi {
				binary.LittleEndian.PutUint64(buf[off:], o.meaning(v, deep))
			}
		}
		sums[i] = maphash.Bytes(seed, buf)
	}
	return sums
}

// meaning returns what stands for an address, the same for the same thing at another place.
func (o *objects) meaning(v uint64, deep bool) uint64 {
	if f := o.m.table.at(v); f != nil {
		return maphash.String(seed, f.name) + v - f.entry
	}
	p := o.part(v)
	if p == nil {
		if s := o.m.in(v); s != nil {
			return maphash.String(seed, s.name)
		}
		return v
	}
	if !deep {
		return 1
	}
	return p.own[p.find(v)]
}
