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

// function compares two functions instruction by instruction. It returns where the first difference in code is, and
// the first data that differs.
func (c *comparison) function(fa, fb *function) (outcome, int, pair) {
	x, y := c.a.body(fa), c.b.body(fb)
	var data pair
	out := sameCode
	at := 0
	for at < len(x) && at < len(y) {
		in, other := decode(x[at:]), decode(y[at:])
		if in.size == 0 || in != other {
			if in.size == 0 && other.size == 0 && x[at] == y[at] {
				at++
				continue
			}
			return changedCode, at, data
		}
		if !equalBut(x[at:at+in.size], y[at:at+in.size], in.ref) {
			return changedCode, at, data
		}
		if in.ref > 0 {
			p := pair{target(fa.entry, x, at, in), target(fb.entry, y, at, in)}
			switch c.reference(fa, fb, p) {
			case changedCode:
				return changedCode, at, data
			case changedData:
				if out == sameCode {
					out, data = changedData, p
				}
			}
		}
		at += in.size
	}
	if !padding(x[at:]) || !padding(y[at:]) {
		return changedCode, min(at, max(len(y)-1, 0)), data
	}
	return out, at, data
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

// equalBut compares two instructions except for the four bytes of a reference.
func equalBut(x, y []byte, ref int) bool {
	if ref == 0 {
		return bytes.Equal(x, y)
	}
	return bytes.Equal(x[:ref], y[:ref]) && bytes.Equal(x[ref+4:], y[ref+4:])
}

// reference compares what two instructions refer to.
func (c *comparison) reference(fa, fb *function, p pair) outcome {
	inA, inB := p.a-fa.entry < fa.end-fa.entry, p.b-fb.entry < fb.end-fb.entry
	if inA || inB {
		if inA == inB && p.a-fa.entry == p.b-fb.entry {
			return sameCode
		}
		return changedCode
	}
	ga, gb := c.a.table.at(p.a), c.b.table.at(p.b)
	if ga != nil || gb != nil {
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
