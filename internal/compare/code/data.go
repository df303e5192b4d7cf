package code

import (
	"bytes"
	"encoding/binary"
)

// same compares what lies at two places by content. What these contents point to is compared later, and differences are
// reported where they are: an object that points to a changed string is not changed itself.
func (c *comparison) same(p pair) bool {
	if x, y := c.a.imports[p.a], c.b.imports[p.b]; x != y {
		return false
	} else if x != "" {
		return true // the loader puts the same thing there
	}
	if c.outside(p) {
		return true
	}
	pa, pb := c.da.part(p.a), c.db.part(p.b)
	if pa == nil || pb == nil {
		if pa != nil || pb != nil {
			return false
		}
		sa, sb := c.a.in(p.a), c.b.in(p.b)
		if sa == nil && sb == nil { // the end of a section is no longer in it
			sa, sb = c.a.in(p.a-1), c.b.in(p.b-1)
		}
		if sa == nil && sb == nil { // headers, which are in no section
			return p.a == p.b || p.a-c.da.lo == p.b-c.db.lo
		}
		return sa != nil && sb != nil && sa.name == sb.name
	}
	offA, offB := p.a-pa.s.addr, p.b-pb.s.addr
	i, j := pa.find(offA), pb.find(offB)
	if int(offA) != int(pa.start[i]) || int(offB) != int(pb.start[j]) {
		return c.inside(p, pa, pb, i, j)
	}
	return c.objects(objectPair{pa, pb, i, j})
}

// outside tells whether both places belong to what is compared by itself.
func (c *comparison) outside(p pair) bool {
	if c.a.table == nil || c.b.table == nil {
		return false
	}
	ma, mb := &c.a.module, &c.b.module
	if d := p.a - ma.at; d < ma.size && d == p.b-mb.at {
		return true
	}
	n := uint64(2 * c.a.word)
	return ma.modinfo != 0 && mb.modinfo != 0 && p.a-ma.modinfo < n && p.a-ma.modinfo == p.b-mb.modinfo
}

// inside compares places that nothing known refers to, within objects.
func (c *comparison) inside(p pair, pa, pb *dataPart, i, j int) bool {
	offA, offB := int(p.a-pa.addr(i)), int(p.b-pb.addr(j))
	if pa.zero || pb.zero {
		if pa.zero == pb.zero && offA == offB && pa.match[i] == 0 {
			pa.match[i] = pb.number(j)
		}
		return pa.zero == pb.zero && offA == offB && pa.match[i] == pb.number(j)
	}
	x, y := pa.object(i, offA), pb.object(j, offB)
	n := min(len(x), len(y))
	return n > 0 && c.loose(p, x[:n], y[:n])
}

// objects compares two objects and remembers the answer.
func (c *comparison) objects(o objectPair) bool {
	switch o.pa.match[o.i] {
	case o.pb.number(o.j):
		if o.pa.done[o.i] > 0 || o.pa.zero && o.pb.zero {
			return c.settled(o)
		}
	case 0:
		if o.pa.covered(o.i) > 0 { // with something else, which stays true
			return c.again(o)
		}
		o.pa.match[o.i] = o.pb.number(o.j)
	default:
		if o.pa.s.write || o.pb.s.write {
			return false // another variable
		}
		return c.again(o)
	}
	if o.pa.via[o.i] == 0 {
		o.pa.via[o.i] = c.via
	}
	n, ok := c.content(o)
	if !ok {
		o.pa.done[o.i] = differs
		return false
	}
	o.pa.done[o.i], o.pb.done[o.j] = uint32(n), max(o.pb.done[o.j], uint32(n))
	c.extend(o, n)
	return true
}

// differs is what done says of an object that is not the same.
const differs = 1 << 31

func (c *comparison) settled(o objectPair) bool { return o.pa.done[o.i] != differs }

// again compares an object with another one than the first that it was paired with: constants may be merged on one
// side.
func (c *comparison) again(o objectPair) bool {
	p := pair{o.pa.addr(o.i), o.pb.addr(o.j)}
	same, ok := c.extra[p]
	if !ok {
		c.extra[p] = true // for objects that refer to themselves
		n, eq := c.content(o)
		same = eq
		c.extra[p] = same
		if same {
			o.pb.done[o.j] = max(o.pb.done[o.j], uint32(n))
			if o.pa.done[o.i] == differs || o.pa.match[o.i] == 0 {
				o.pa.match[o.i], o.pa.done[o.i] = o.pb.number(o.j), uint32(max(n, o.pa.covered(o.i)))
			}
		}
	}
	return same
}

// content compares as much of two objects as both have. Where one is longer, something refers into the other or behind
// it.
func (c *comparison) content(o objectPair) (int, bool) {
	if o.pa.zero || o.pb.zero {
		if o.pa.zero && o.pb.zero {
			return 1, o.pa.s.name == o.pb.s.name
		}
		return 0, false
	}
	x, y := o.pa.object(o.i, 0), o.pb.object(o.j, 0)
	n := min(len(x), len(y))
	if n == 0 {
		return 0, len(x) == len(y)
	}
	return n, c.loose(pair{o.pa.addr(o.i), o.pb.addr(o.j)}, x[:n], y[:n])
}

// extend goes on behind two equal objects of which one is longer, on both sides in turn, as long as what follows is the same: numbers
// that only look like addresses divide two programs in other places.
func (c *comparison) extend(o objectPair, n int) {
	i, j := o.i, o.j
	atA, atB := n, n
	for {
		x, y := o.pa.object(i, atA), o.pb.object(j, atB)
		m := min(len(x), len(y))
		switch {
		case len(x) == 0 && len(y) == 0:
			return
		case len(x) == 0:
			if i++; i == len(o.pa.start) || o.pa.covered(i) != 0 {
				return
			}
			atA = 0
			continue
		case len(y) == 0:
			if j++; j == len(o.pb.start) {
				return
			}
			atB = 0
			continue
		case !c.loose(pair{o.pa.addr(i) + uint64(atA), o.pb.addr(j) + uint64(atB)}, x[:m], y[:m]):
			return
		}
		atA, atB = atA+m, atB+m
		if o.pa.done[i] == differs {
			o.pa.match[i] = 0 // from what it was paired with it still differs
		}
		o.pa.done[i], o.pb.done[j] = uint32(atA), max(o.pb.done[j], uint32(atB))
	}
}

// push remembers a pair for later.
func (c *comparison) push(pa, pb *dataPart, i, j int) {
	if pb != nil {
		c.queue = append(c.queue, objectPair{pa, pb, i, j})
	}
}

// drain compares what was remembered, and what that points to, to the end.
func (c *comparison) drain() {
	for len(c.queue) > 0 {
		o := c.queue[len(c.queue)-1]
		c.queue = c.queue[:len(c.queue)-1]
		c.via = o.pa.via[o.i]
		c.objects(o)
	}
}

// loose compares two runs of data word by word. Words that differ are the same when both are addresses of what belongs
// together, or, four bytes wide, offsets of it.
func (c *comparison) loose(p pair, x, y []byte) bool {
	waiting := len(c.queue)
	if c.words(p, x, y) {
		return true
	}
	c.queue = c.queue[:waiting] // what a wrong guess points to belongs to nothing
	return false
}

func (c *comparison) words(p pair, x, y []byte) bool {
	if bytes.Equal(x, y) && !c.holdsPointers(p, x) {
		return true
	}
	word := c.a.word
	aligned := (p.a-p.b)%uint64(word) == 0
	off := 0
	if aligned {
		off = int(-p.a & uint64(word-1))
		if off > len(x) {
			off = len(x)
		}
		if !c.narrow(p, x[:off], y[:off], p) {
			return false
		}
		for ; off+word <= len(x); off += word {
			va, vb := c.a.read(x[off:]), c.b.read(y[off:])
			if va == vb && va-c.da.lo >= c.da.hi-c.da.lo && !c.a.isBound(va) {
				continue
			}
			at := pair{p.a + uint64(off), p.b + uint64(off)}
			if c.samePointer(va, vb, at) {
				continue
			}
			if c.a.imports[at.a] != c.b.imports[at.b] {
				return false
			}
			if va == vb || c.inSectionMap(at.a, at.b) {
				continue // a number that looks like an address, or the size of the code
			}
			if !c.narrow(at, x[off:off+word], y[off:off+word], p) {
				return false
			}
		}
	}
	at := pair{p.a + uint64(off), p.b + uint64(off)}
	return c.narrow(at, x[off:], y[off:], p)
}

// inSectionMap tells whether both places lie in the runtime's map of code sections, which holds the size of all code.
func (c *comparison) inSectionMap(a, b uint64) bool {
	return c.a.table != nil && c.b.table != nil && a-c.a.module.sectMap < uint64(3*c.a.word) && a-c.a.module.sectMap == b-c.b.module.sectMap
}

// holdsPointers tells whether equal data may hold addresses, which then must be followed.
func (c *comparison) holdsPointers(p pair, x []byte) bool {
	word := c.a.word
	for off := int(-p.a & uint64(word-1)); off+word <= len(x); off += word {
		if v := c.a.read(x[off:]); v-c.da.lo < c.da.hi-c.da.lo || c.a.isBound(v) {
			return true
		}
	}
	return false
}

// narrow compares bytes, and where they differ numbers of four bytes: offsets in Go's types, distances in jump tables
// and exception tables. base is where the object begins.
func (c *comparison) narrow(p pair, x, y []byte, base pair) bool {
	for off := 0; off < len(x); {
		if x[off] == y[off] {
			off++
			continue
		}
		at := off - int((p.a+uint64(off))&3)
		if at < 0 || at+4 > len(x) || !c.sameOffset(x[at:], y[at:], pair{p.a + uint64(at), p.b + uint64(at)}, base) {
			return false
		}
		off = at + 4
	}
	return true
}

// samePointer tells whether two words are addresses of what belongs together, and has their contents compared later.
func (c *comparison) samePointer(va, vb uint64, at pair) bool {
	if x, y := c.a.imports[at.a], c.b.imports[at.b]; x != "" || y != "" {
		return x == y
	}
	if va-c.da.lo >= c.da.hi-c.da.lo || vb-c.db.lo >= c.db.hi-c.db.lo {
		return false
	}
	p := pair{va, vb}
	if c.a.inCode(va) || c.b.inCode(vb) {
		return c.sameFunction(p)
	}
	pa, pb := c.da.part(va), c.db.part(vb)
	if pa == nil || pb == nil {
		return c.same(p)
	}
	i, j := pa.find(va-pa.s.addr), pb.find(vb-pb.s.addr)
	if m := pa.match[i]; m == 0 {
		if c.outside(p) {
			return true
		}
		if pa.via[i] == 0 {
			pa.via[i] = c.via
		}
		c.push(pa, pb, i, j)
		return true
	} else if m == pb.number(j) {
		return va-pa.addr(i) == vb-pb.addr(j)
	}
	return c.outside(p) || c.same(p)
}

// sameOffset compares 4-byte numbers: offsets from the start of Go's code or types, distances from where they lie
// or from where their table begins.
func (c *comparison) sameOffset(x, y []byte, at, base pair) bool {
	ua, ub := binary.LittleEndian.Uint32(x), binary.LittleEndian.Uint32(y)
	if c.a.table != nil && c.b.table != nil {
		ta, tb := at.a-c.a.module.types, at.b-c.b.module.types
		if ta >= c.a.module.etypes-c.a.module.types || tb >= c.b.module.etypes-c.b.module.types {
			return false // only types hold such offsets
		}
		return c.sameGoOffset(uint64(ua), uint64(ub))
	}
	da, db := uint64(int64(int32(ua))), uint64(int64(int32(ub)))
	for _, from := range []pair{base, at, {c.da.gotBase, c.db.gotBase}} {
		if from.a == 0 || from.b == 0 {
			continue
		}
		p := pair{from.a + da, from.b + db}
		if c.a.word == 4 {
			p.a, p.b = p.a&0xffffffff, p.b&0xffffffff
		}
		sa, sb := c.a.in(p.a), c.b.in(p.b)
		if sa == nil || sb == nil || sa.code != sb.code {
			continue
		}
		if sa.code && c.sameFunction(p) || !sa.code && c.same(p) {
			return true
		}
	}
	return false
}

func (c *comparison) sameGoOffset(va, vb uint64) bool {
	pa, pb := c.a.module.text+va, c.b.module.text+vb
	fa, fb := c.a.function(pa), c.b.function(pb)
	if fa >= 0 && fb >= 0 && c.mate[fa] == int32(fb) && c.a.functions[fa].entry == pa && c.b.functions[fb].entry == pb {
		return true
	}
	ma, mb := &c.a.module, &c.b.module
	if va >= ma.etypes-ma.types || vb >= mb.etypes-mb.types {
		return false
	}
	return sameType(c.a.bytes(ma.types+va), c.b.bytes(mb.types+vb))
}

// sameType compares the heads of two type descriptors, which hold a hash of the whole type, or two names: a byte of
// flags, a length and the text.
func sameType(x, y []byte) bool {
	const head = 24
	if len(x) < head || len(y) < head {
		return false
	}
	if bytes.Equal(x[:head], y[:head]) {
		return true
	}
	n, used := binary.Uvarint(x[1:])
	if used <= 0 || n > maxSymbol || 1+used+int(n) > min(len(x), len(y)) {
		return false
	}
	end := 1 + used + int(n)
	return n > 0 && x[0] < 16 && bytes.Equal(x[:end], y[:end])
}
