package deflate

import "math/bits"

const (
	fastBits = 10 // length of codes that one look-up decodes
	longest  = 15
)

// code is a canonical Huffman code that notes which of its symbols occur.
type code struct {
	fast    [1 << fastBits]uint16 // symbol<<4 | length
	first   [longest + 2]int32    // first code of a length, and where its symbols begin
	count   [longest + 1]int32
	at      [longest + 1]int32
	symbols []uint16
	seen    []bool
	lengths []uint8
}

// newCode refuses codes that are over-subscribed or incomplete; one symbol of length 1 and none at all are allowed for
// distances (RFC 1951, 3.2.7).
func newCode(lengths []uint8) (*code, error) {
	c := &code{lengths: lengths, seen: make([]bool, len(lengths))}
	used := 0
	for _, n := range lengths {
		if n > 0 {
			c.count[n]++
			used++
		}
	}
	left, next, at := int32(1), int32(0), int32(0)
	for n := 1; n <= longest; n++ {
		next <<= 1
		c.first[n], c.at[n] = next, at
		next += c.count[n]
		at += c.count[n]
		if left = left<<1 - c.count[n]; left < 0 {
			return nil, errCode
		}
	}
	if left > 0 && !(used == 0 || used == 1 && c.count[1] == 1) {
		return nil, errCode
	}
	c.symbols = make([]uint16, used)
	fill, value := c.at, c.first
	for s, n := range lengths {
		if n == 0 {
			continue
		}
		c.symbols[fill[n]] = uint16(s)
		fill[n]++
		if n <= fastBits {
			rev := bits.Reverse16(uint16(value[n])) >> (16 - n)
			for i := int(rev); i < 1<<fastBits; i += 1 << n {
				c.fast[i] = uint16(s)<<4 | uint16(n)
			}
		}
		value[n]++
	}
	return c, nil
}

// unused counts symbols that have a code and did not occur.
func (c *code) unused() int {
	n := 0
	for s, l := range c.lengths {
		if l > 0 && !c.seen[s] {
			n++
		}
	}
	return n
}

// symbol decodes one symbol.
func (d *reader) symbol(c *code) (int, error) {
	for d.n < longest {
		b, err := d.r.ReadByte()
		if err != nil {
			break // the last code may be shorter
		}
		d.bits |= uint64(b) << d.n
		d.n += 8
	}
	if e := c.fast[d.bits&(1<<fastBits-1)]; e != 0 {
		n := uint(e & 15)
		return c.found(d, int(e>>4), n)
	}
	v := int32(0)
	for n := uint(1); n <= longest; n++ {
		v = v<<1 | int32(d.bits>>(n-1)&1)
		if i := v - c.first[n]; i >= 0 && i < c.count[n] {
			return c.found(d, int(c.symbols[c.at[n]+i]), n)
		}
	}
	return 0, errCode
}

func (c *code) found(d *reader, s int, n uint) (int, error) {
	if d.n < n {
		return 0, errCode
	}
	d.bits >>= n
	d.n -= n
	c.seen[s] = true
	return s, nil
}

var fixedLens = func() []uint8 {
	all := make([]uint8, 288)
	for i := range all {
		switch {
		case i < 144:
			all[i] = 8
		case i < 256:
			all[i] = 9
		case i < 280:
			all[i] = 7
		default:
			all[i] = 8
		}
	}
	return all
}()
