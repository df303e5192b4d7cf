package code

import (
	"encoding/binary"
	"math/bits"
)

// objects divides the data of a program at every place that code or other data refers to. So a constant is compared
// by its content wherever it was moved, and is not the same when one byte of it was changed.
type objects struct {
	m       *image
	parts   []dataPart
	bySect  []int32 // for each section its part, -1 for none
	lo, hi  uint64  // addresses of the program
	gotBase uint64  // what position-independent x86 code counts from
	refs    []ref   // of all functions, in their order
	first   []uint32
	last    int  // the section that was looked up last
	silent  bool // nothing is divided: references are only read
}

// dataPart is one section of data.
type dataPart struct {
	s     *section
	id    int      // which part of its program
	size  int      // bytes, also where nothing is stored
	zero  bool     // nothing is stored: only which place it is counts
	marks []uint64 // a bit for every byte that something refers to
	rank  []uint32 // marks before each word of them
	start []uint32 // of each object
	base  int32    // number of the first object among all of the program
	match []int32  // for each object the number of the one of the other program that it belongs to, plus one; 0 for none yet
	via   []int32  // the function through which it was reached first, plus one
	done  []uint32 // bytes of each object that have their equal in the other program
}

// divide prepares the division of a program's data.
func divide(m *image) *objects {
	o := &objects{m: m, lo: m.sections[0].addr, bySect: make([]int32, len(m.sections))}
	if m.arch == arch386 && !m.fixed {
		o.gotBase = m.gotBase()
	}
	last := &m.sections[len(m.sections)-1]
	o.hi = last.addr + last.size
	for i := range m.sections {
		s := &m.sections[i]
		o.bySect[i] = -1
		if s.code || derived(s.name) || s.size > maxImage {
			continue
		}
		o.bySect[i] = int32(len(o.parts))
		o.parts = append(o.parts, dataPart{s: s, id: len(o.parts), size: int(s.size), zero: s.data == nil, marks: make([]uint64, s.size/64+1)})
		o.mark(s.addr)
	}
	return o
}

// finish divides the data at everything that the code, which was marked before, and the data refer to.
func (o *objects) finish() {
	m := o.m
	o.markData()
	for _, h := range m.exception {
		o.mark(h.table)
	}
	if m.table != nil {
		o.mark(m.module.at)
		o.mark(m.module.at + m.module.size)
	}
	for i := range o.parts {
		p := &o.parts[i]
		if p.split(); i > 0 {
			p.base = o.parts[i-1].base + int32(len(o.parts[i-1].start))
		}
	}
}

// number returns what object i is called in match.
func (p *dataPart) number(i int) int32 { return p.base + int32(i) + 1 }

// own returns the object that a number in match stands for, when it is one of p.
func (p *dataPart) own(number int32) (int, bool) {
	i := int(number) - 1 - int(p.base)
	return i, number > 0 && i >= 0 && i < len(p.start)
}

func (o *objects) part(addr uint64) *dataPart {
	if s := &o.m.sections[o.last]; addr-s.addr < s.size {
		if k := o.bySect[o.last]; k >= 0 {
			return &o.parts[k]
		}
		return nil
	}
	lo, hi := 0, len(o.m.sections)
	for lo < hi {
		if h := (lo + hi) >> 1; o.m.sections[h].addr <= addr {
			lo = h + 1
		} else {
			hi = h
		}
	}
	if lo == 0 {
		return nil
	}
	if s := &o.m.sections[lo-1]; addr-s.addr >= s.size {
		return nil
	}
	if o.last = lo - 1; o.bySect[lo-1] < 0 {
		return nil
	}
	return &o.parts[o.bySect[lo-1]]
}

func (o *objects) mark(addr uint64) {
	if o.silent {
		return
	}
	if p := o.part(addr); p != nil {
		off := addr - p.s.addr
		p.marks[off/64] |= 1 << (off % 64)
	}
}

// markCode notes the references of every function and marks what they reach. like, where it is set, may give the
// references of function i without decoding it.
func (o *objects) markCode(like func(i int, refs []ref) ([]ref, bool)) {
	functions, size := o.m.functions, 0
	for i := range o.m.sections {
		if s := &o.m.sections[i]; s.code {
			size += len(s.data)
		}
	}
	o.refs = make([]ref, 0, size/refsPerByte)
	o.first = make([]uint32, len(functions)+1)
	for i := range functions {
		done := false
		if like != nil {
			o.refs, done = like(i, o.refs)
		}
		if !done {
			o.refs = o.scan(&functions[i], o.m.body(&functions[i]), o.refs)
		}
		o.first[i+1] = uint32(len(o.refs))
	}
}

// of returns the references of function i.
func (o *objects) of(i int) []ref { return o.refs[o.first[i]:o.first[i+1]] }

// markData marks what aligned words that look like addresses refer to.
func (o *objects) markData() {
	span := o.hi - o.lo
	for i := range o.parts {
		p := &o.parts[i]
		b := p.s.data
		if o.m.word == 8 {
			for off := int(-p.s.addr & 7); off+8 <= len(b); off += 8 {
				if v := binary.LittleEndian.Uint64(b[off:]); v-o.lo < span && !o.withinAddress(v) {
					o.mark(v)
				}
			}
			continue
		}
		for off := int(-p.s.addr & 3); off+4 <= len(b); off += 4 {
			if v := uint64(binary.LittleEndian.Uint32(b[off:])); v-o.lo < span && !o.withinAddress(v) {
				o.mark(v)
			}
		}
	}
}

// withinAddress tells whether v points into the middle of an address: then it is a number and not an address.
func (o *objects) withinAddress(v uint64) bool {
	word := uint64(o.m.word)
	if v&(word-1) == 0 || word == 4 {
		return false
	}
	b := o.m.bytes(v &^ (word - 1))
	if uint64(len(b)) < word {
		return false
	}
	w := o.m.read(b)
	return w-o.lo < o.hi-o.lo
}

func (p *dataPart) split() {
	n := 0
	p.rank = make([]uint32, len(p.marks))
	for i, w := range p.marks {
		p.rank[i] = uint32(n)
		n += bits.OnesCount64(w)
	}
	p.start = make([]uint32, 0, n)
	for i, w := range p.marks {
		for ; w != 0; w &= w - 1 {
			p.start = append(p.start, uint32(i*64+bits.TrailingZeros64(w)))
		}
	}
	p.match, p.via, p.done = make([]int32, n), make([]int32, n), make([]uint32, n)
}

// find returns the object that holds the byte at an offset. The first byte of a part begins an object.
func (p *dataPart) find(off uint64) int {
	return int(p.rank[off/64]) + bits.OnesCount64(p.marks[off/64]&(2<<(off%64)-1)) - 1
}

// bounds returns where object i begins and ends.
func (p *dataPart) bounds(i int) (from, to int) {
	to = p.size
	if i+1 < len(p.start) {
		to = int(p.start[i+1])
	}
	return int(p.start[i]), to
}

// object returns the stored bytes of object i from offset from in it on.
func (p *dataPart) object(i, from int) []byte {
	lo, hi := p.bounds(i)
	hi = min(hi, len(p.s.data))
	if lo+from >= hi {
		return nil
	}
	return p.s.data[lo+from : hi]
}

func (p *dataPart) addr(i int) uint64 { return p.s.addr + uint64(p.start[i]) }
