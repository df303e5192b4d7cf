package code

import (
	"bytes"
	"encoding/binary"
	"slices"
	"sort"
)

// slide compares two Go programs of which one is as a rule the other with its sections elsewhere, as where build information is
// longer, a section is missing, or nothing but a stamp differs. What it costs is one look at both and decoding one of them. It
// answers only where all functions are the same; for everything else, and whatever it is not sure of, programs are
// compared the long way.
type slide struct {
	a, b  *image
	to    []int32  // for each section of a the one of b, -1 for none
	shift []uint64 // and how far that lies from it
	odd   []run    // of each section: runs that differ, by offset
	calm  bool     // nothing moved at all
	wide  int      // bytes of odd runs
}

// A run is a piece of a section that is not the same on both sides, and what of it references account for.
type run struct {
	sect     int
	from, to int
	pairs    []pair // places that references reach in it
}

// slid reports false where the programs have to be compared function by function.
func slid(a, b *image) (*Result, bool) {
	s := &slide{a: a, b: b}
	if a.arch != archAMD64 || a.fixed || b.fixed || a.table == nil || b.table == nil || len(a.imports)+len(b.imports)+len(a.exception)+len(b.exception) > 0 ||
		!s.sections() || !s.functions() {
		return nil, false
	}
	var moved []pair
	for i := range a.sections {
		if sec := &a.sections[i]; s.to[i] >= 0 && !sec.code && !loose(sec.name) {
			if moved = s.data(i, moved); s.wide > maxOddBytes {
				return nil, false
			}
		}
	}
	s.join()
	for _, p := range moved { // addresses of what lies in odd runs; others are odd themselves
		if !s.reached(p) {
			return nil, false
		}
	}
	if !s.code() {
		return nil, false
	}
	return s.result()
}

// loose sections are not compared here: they are compared by themselves, or hold a digest of the rest.
func loose(name string) bool {
	switch name {
	case ".go.buildinfo", ".go.fipsinfo", ".note.go.buildid", ".note.gnu.build-id", ".interp", ".dynsym", ".dynstr":
		return true
	}
	return false
}

// sections pairs the sections by name. All but those of no consequence must be there and as large on both sides.
func (s *slide) sections() bool {
	s.to, s.shift = make([]int32, len(s.a.sections)), make([]uint64, len(s.a.sections))
	used, k := 0, 0
	s.calm = true
	for i := range s.a.sections {
		x := &s.a.sections[i]
		for k = 0; k < len(s.b.sections) && s.b.sections[k].name != x.name; k++ {
		}
		if k == len(s.b.sections) {
			if s.to[i] = -1; !loose(x.name) {
				return false
			}
			s.calm = false
			continue
		}
		y := &s.b.sections[k]
		if x.code != y.code || x.write != y.write || !loose(x.name) && (x.size != y.size || len(x.data) != len(y.data)) {
			return false
		}
		used++
		s.to[i], s.shift[i] = int32(k), y.addr-x.addr
		s.calm = s.calm && s.shift[i] == 0 && x.size == y.size
	}
	for i := range s.b.sections {
		if !loose(s.b.sections[i].name) {
			continue
		}
		if !slices.ContainsFunc(s.a.sections, func(x section) bool { return x.name == s.b.sections[i].name }) {
			s.calm = false
			used++
		}
	}
	return used == len(s.b.sections)
}

// functions demands the same functions in the same places of their sections.
func (s *slide) functions() bool {
	fa, fb := s.a.functions, s.b.functions
	if len(fa) != len(fb) {
		return false
	}
	at := -1
	for i := range fa {
		f, g := &fa[i], &fb[i]
		if at < 0 || f.entry-s.a.sections[at].addr >= s.a.sections[at].size {
			if at = s.section(f.entry); at < 0 || s.to[at] < 0 {
				return false
			}
		}
		if d := s.shift[at]; g.entry-f.entry != d || g.end-f.end != d || f.stub != g.stub || f.name != g.name {
			return false
		}
	}
	ma, mb := &s.a.module, &s.b.module
	return (ma.modinfo == 0) == (mb.modinfo == 0) && (ma.modinfo == 0 || s.moved(ma.modinfo) == mb.modinfo)
}

// section returns the index of the section of a that holds addr, or that ends there, -1 for none.
func (s *slide) section(addr uint64) int {
	list := s.a.sections
	i := sort.Search(len(list), func(i int) bool { return list[i].addr > addr }) - 1
	if i < 0 || addr-list[i].addr > list[i].size {
		return -1
	}
	return i
}

// moved returns where an address of a lies in b, if everything that surrounds it is the same.
func (s *slide) moved(addr uint64) uint64 {
	if i := s.section(addr); i >= 0 && s.to[i] >= 0 {
		return addr + s.shift[i]
	}
	return ^uint64(0)
}

// data compares a section of data word by word and notes what differs in more than where things lie. Words that are addresses on both sides, of
// one section and of places that do not belong together, are returned.
func (s *slide) data(i int, moved []pair) []pair {
	x, y := s.a.sections[i].data, s.b.sections[s.to[i]].data
	base := s.a.sections[i].addr
	const block = 256
	for off := 0; off < len(x) && s.wide <= maxOddBytes; off += block {
		end := min(off+block, len(x))
		if bytes.Equal(x[off:end], y[off:end]) {
			continue
		}
		for at := off; at < end; at += 8 {
			if at+8 > len(x) {
				if !bytes.Equal(x[at:], y[at:]) {
					s.note(i, at, len(x))
				}
				break
			}
			va, vb := binary.LittleEndian.Uint64(x[at:]), binary.LittleEndian.Uint64(y[at:])
			if va == vb || s.told(i, at) {
				continue
			}
			k := s.section(va)
			switch {
			case (base+uint64(at))&7 != 0 || k < 0 || s.to[k] < 0:
				s.note(i, at, at+8)
			case va+s.shift[k] == vb:
			case vb-s.b.sections[s.to[k]].addr < s.b.sections[s.to[k]].size && !s.a.sections[k].code:
				moved = append(moved, pair{va, vb})
			default:
				s.note(i, at, at+8)
			}
		}
	}
	return moved
}

func (s *slide) note(i, from, to int) {
	s.wide += to - from
	if n := len(s.odd); n > 0 && s.odd[n-1].sect == i && s.odd[n-1].to == from {
		s.odd[n-1].to = to
		return
	}
	s.odd = append(s.odd, run{sect: i, from: from, to: to})
}

// told tells whether a word belongs to the module information, which is compared by itself: the string, and its header.
func (s *slide) told(i, at int) bool {
	ma, mb := &s.a.module, &s.b.module
	addr := s.a.sections[i].addr + uint64(at)
	if ma.modinfo == 0 {
		return false
	}
	if addr-ma.modinfo < 16 {
		return true
	}
	x, y := s.a.bytes(ma.modinfo), s.b.bytes(mb.modinfo)
	if len(x) < 16 || len(y) < 16 {
		return false
	}
	pa, na := binary.LittleEndian.Uint64(x), binary.LittleEndian.Uint64(x[8:])
	pb, nb := binary.LittleEndian.Uint64(y), binary.LittleEndian.Uint64(y[8:])
	if s.moved(pa) != pb || addr+8 <= pa || addr >= pa+max(na, nb) {
		return false
	}
	// What the string does not fill must be the same, and where it is shorter there must be nothing behind it.
	for k := range uint64(8) {
		p := addr + k
		u, v := s.a.sections[i].data[uint64(at)+k], s.b.sections[s.to[i]].data[uint64(at)+k]
		switch {
		case p < pa || p >= pa+max(na, nb):
			if u != v {
				return false
			}
		case p >= pa+na && u != 0, p >= pa+nb && v != 0:
			return false
		}
	}
	return true
}

// join sorts the odd runs and joins those that lie close together.
func (s *slide) join() {
	sort.SliceStable(s.odd, func(i, j int) bool {
		x, y := &s.odd[i], &s.odd[j]
		return x.sect < y.sect || x.sect == y.sect && x.from < y.from
	})
	kept := s.odd[:0]
	for _, r := range s.odd {
		if n := len(kept); n > 0 && kept[n-1].sect == r.sect && r.from-kept[n-1].to < 8 {
			kept[n-1].to = r.to
			continue
		}
		kept = append(kept, r)
	}
	s.odd = kept
}

// in returns the odd run of a that holds addr.
func (s *slide) in(addr uint64) *run {
	for i := range s.odd {
		r := &s.odd[i]
		if off := addr - s.a.sections[r.sect].addr; off >= uint64(r.from) && off < uint64(r.to) {
			return r
		}
	}
	return nil
}

// reached notes that a reference reaches one place on one side and another on the other: both must lie in one odd run.
func (s *slide) reached(p pair) bool {
	r := s.in(p.a)
	if r == nil {
		return false
	}
	off := p.b - s.b.sections[s.to[r.sect]].addr
	if off < uint64(r.from) || off >= uint64(r.to) {
		return false
	}
	r.pairs = append(r.pairs, p)
	return true
}

// result says that all functions are the same, and which data only one side has.
func (s *slide) result() (*Result, bool) {
	n := len(s.a.functions)
	r := &Result{Functions: n, Same: n, c: &comparison{a: s.a, b: s.b}}
	var onlyA, onlyB []object
	for i := range s.odd {
		a, b, ok := s.settle(&s.odd[i])
		if !ok {
			return nil, false
		}
		onlyA, onlyB = append(onlyA, a...), append(onlyB, b...)
	}
	if len(onlyA) > 0 && len(onlyB) > 0 { // changed rather than added
		return nil, false
	}
	r.ShippedStrings, r.ShippedObjects, r.ShippedWhere = r.c.texts(s.a, onlyA)
	r.RebuiltStrings, r.RebuiltObjects, r.RebuiltWhere = r.c.texts(s.b, onlyB)
	return r, true
}

// settle compares what references reach in an odd run, and returns what of it nothing reaches.
func (s *slide) settle(r *run) (onlyA, onlyB []object, ok bool) {
	x, y := &s.a.sections[r.sect], &s.b.sections[s.to[r.sect]]
	slices.SortFunc(r.pairs, func(p, q pair) int { return int(int64(p.a - q.a)) })
	r.pairs = slices.Compact(r.pairs)
	fromA, fromB := r.from, r.from
	rest := func(side *section, from, to int, list []object) []object {
		if b := side.data[from:to]; trimmed(b) > 0 && !s.absent(b) {
			list = append(list, object{part: &dataPart{s: side}, addr: side.addr + uint64(from), data: b})
		}
		return list
	}
	for i, p := range r.pairs {
		a, b := int(p.a-x.addr), int(p.b-y.addr)
		endA, endB := r.to, r.to
		if i+1 < len(r.pairs) {
			endA, endB = int(r.pairs[i+1].a-x.addr), int(r.pairs[i+1].b-y.addr)
		}
		n := min(endA-a, endB-b)
		if a < fromA || b < fromB || n <= 0 || endA < a || endB < b || !bytes.Equal(x.data[a:a+n], y.data[b:b+n]) {
			return nil, nil, false
		}
		onlyA, onlyB = rest(x, fromA, a, onlyA), rest(y, fromB, b, onlyB)
		fromA, fromB = a+n, b+n
	}
	return rest(x, fromA, r.to, onlyA), rest(y, fromB, r.to, onlyB), true
}

// absent tells whether data are nothing but the address of a section that the other side does not have: that it is missing is said of
// the section.
func (s *slide) absent(b []byte) bool {
	if len(b) != s.a.word {
		return false
	}
	return lone(s.a, s.b, b) || lone(s.b, s.a, b)
}

// lone tells whether b holds the address of a section of m that other does not have.
func lone(m, other *image, b []byte) bool {
	v := m.read(b)
	for i := range m.sections {
		if x := &m.sections[i]; x.addr == v && loose(x.name) {
			return !slices.ContainsFunc(other.sections, func(y section) bool { return y.name == x.name })
		}
	}
	return false
}
