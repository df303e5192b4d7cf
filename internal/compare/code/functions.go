package code

import (
	"bytes"
	"encoding/binary"
)

// outcome of comparing one function of both programs.
type outcome uint8

const (
	changedCode outcome = iota // the zero value is the worst
	changedData                // the same instructions refer to data with another content
	sameCode                   // the same, wherever it and what it refers to was moved
)

// pair is a place in data of the shipped and of the rebuilt program that one instruction refers to.
type pair struct{ a, b uint64 }

// comparison of two programs.
type comparison struct {
	a, b   *image
	da, db *objects
	known  map[pair]bool
	depth  int
}

// function compares two functions: the bytes between references must be equal, and the references must mean the same.
// It returns where the first difference in code is, or where the first data that differ are used.
func (c *comparison) function(ia, ib int) (outcome, int, pair) {
	fa, fb := &c.a.table.functions[ia], &c.b.table.functions[ib]
	x, y := c.a.body(fa), c.b.body(fb)
	ra, rb := c.da.of(ia), c.db.of(ib)
	var data pair
	out, at, used := sameCode, 0, 0
	for i, r := range ra {
		if i >= len(rb) || r != rb[i] || int(r.at)+4 > len(y) || !bytes.Equal(x[at:r.at], y[at:r.at]) {
			return changedCode, firstDifference(x, y, at), data
		}
		p := pair{r.to(fa, x), r.to(fb, y)}
		switch c.reference(p) {
		case changedCode:
			return changedCode, int(r.at), data
		case changedData:
			if out == sameCode {
				out, data, used = changedData, p, int(r.at)
			}
		}
		at = int(r.at) + 4
	}
	n := min(len(x), len(y))
	if len(ra) != len(rb) || at > n || !bytes.Equal(x[at:n], y[at:n]) || !padding(x[n:]) || !padding(y[n:]) {
		return changedCode, firstDifference(x, y, at), data
	}
	return out, used, data
}

// firstDifference returns the first offset from at on at which two functions differ.
func firstDifference(x, y []byte, at int) int {
	for at < len(x) && at < len(y) && x[at] == y[at] {
		at++
	}
	return at
}

// padding tells whether b is nothing but what the linker puts between functions: breakpoints.
func padding(b []byte) bool {
	for _, c := range b {
		if c != 0xcc {
			return false
		}
	}
	return true
}

// reference compares what two references outside of their functions mean.
func (c *comparison) reference(p pair) outcome {
	inA, inB := c.a.inText(p.a), c.b.inText(p.b)
	if inA || inB {
		ga, gb := c.a.table.at(p.a), c.b.table.at(p.b)
		if ga != nil && gb != nil && ga.name == gb.name && p.a-ga.entry == p.b-gb.entry {
			return sameCode
		}
		return changedCode
	}
	if c.same(p) {
		return sameCode
	}
	return changedData
}

// same compares what lies at two places and remembers the answer. While a pair is being compared it counts as the same,
// so that data that refers to itself comes to an end.
func (c *comparison) same(p pair) bool {
	same, ok := c.known[p]
	if !ok {
		if c.depth >= maxChain {
			return false
		}
		c.known[p] = true
		c.depth++
		same = c.data(p)
		c.depth--
		c.known[p] = same
	}
	return same
}

// data compares the objects at both places. Where one object is longer, because something refers into the other or
// behind it, the part that both have is compared: the rest is an object of its own in one of them.
func (c *comparison) data(p pair) bool {
	if ma, mb := c.a.module.modinfo, c.b.module.modinfo; ma != 0 && mb != 0 && p.a-ma < stringHeader && p.a-ma == p.b-mb {
		return true // build information is compared field by field
	}
	if da := p.a - c.a.module.at; da < c.a.module.size && da == p.b-c.b.module.at {
		return true // the module data only say where things lie
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
		return sa != nil && sb != nil && sa.name == sb.name
	}
	i, j := pa.find(p.a), pb.find(p.b)
	if pa.sum[i] == pb.sum[j] {
		return p.a-pa.addr(i) == p.b-pb.addr(j)
	}
	x, y := pa.object(i)[p.a-pa.addr(i):], pb.object(j)[p.b-pb.addr(j):]
	n := min(len(x), len(y))
	if n == 0 || (len(x) == len(y)) && !c.loose(p, x, y) {
		return false
	}
	return c.loose(p, x[:n], y[:n])
}

// loose compares two runs of data word by word. Words that differ are the same when both are addresses of the same
// thing, or, four bytes wide, when both are offsets of the same function or type data (which is how type descriptors
// refer to methods, names and other types).
func (c *comparison) loose(p pair, x, y []byte) bool {
	for off := 0; off < len(x); {
		if x[off] == y[off] {
			off++
			continue
		}
		wide, narrow := off-int((p.a+uint64(off))&7), off-int((p.a+uint64(off))&3)
		switch {
		case (p.a-p.b)&7 == 0 && wide >= 0 && wide+8 <= len(x) && c.samePointer(x[wide:], y[wide:]):
			off = wide + 8
		case (p.a-p.b)&3 == 0 && narrow >= 0 && narrow+4 <= len(x) && c.sameOffset(x[narrow:], y[narrow:]):
			off = narrow + 4
		default:
			return false
		}
	}
	return true
}

func (c *comparison) samePointer(x, y []byte) bool {
	va, vb := binary.LittleEndian.Uint64(x), binary.LittleEndian.Uint64(y)
	if va < c.da.lo || va >= c.da.hi || vb < c.db.lo || vb >= c.db.hi {
		return false
	}
	fa, fb := c.a.table.at(va), c.b.table.at(vb)
	if fa != nil || fb != nil {
		return fa != nil && fb != nil && fa.name == fb.name && va-fa.entry == vb-fb.entry
	}
	return c.same(pair{va, vb})
}

// sameOffset compares 4-byte offsets from the start of the code, or of the types.
func (c *comparison) sameOffset(x, y []byte) bool {
	va, vb := uint64(binary.LittleEndian.Uint32(x)), uint64(binary.LittleEndian.Uint32(y))
	fa, fb := c.a.table.at(c.a.module.text+va), c.b.table.at(c.b.module.text+vb)
	if fa != nil && fb != nil && fa.name == fb.name && fa.entry == c.a.module.text+va && fb.entry == c.b.module.text+vb {
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
