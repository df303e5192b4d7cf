// Package deflate looks for what a deflate stream (RFC 1951) carries beside its content.
//
// It refuses what expands to nothing: empty blocks other than a flush between two blocks or at the end, codes of symbols
// that do not occur, code tables that are longer than needed or incomplete, padding that is not zero, and bytes behind
// the last block. What is left to whoever wrote the stream is the choice between encodings of the same bytes.
package deflate

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// Check accounts for every bit of a deflate stream. Whether the stream expands to the right content is somebody else's
// question.
func Check(r io.Reader) error {
	d := &reader{r: bufio.NewReaderSize(r, 64<<10)}
	empty := false
	for {
		last, n, err := d.block()
		switch {
		case err == io.EOF:
			return errors.New("truncated")
		case err != nil:
			return err
		case n == 0 && empty && !last:
			return errors.New("empty blocks")
		}
		empty = n == 0
		if last {
			return d.end()
		}
	}
}

var (
	errPadding = errors.New("padding is not zero")
	errCode    = errors.New("malformed code")
	errUnused  = errors.New("codes of symbols that do not occur")
	errLonger  = errors.New("a longer code table than needed")
	errBehind  = errors.New("bytes behind the last block")
	errSymbol  = errors.New("malformed symbol")
)

type reader struct {
	r    *bufio.Reader
	bits uint64
	n    uint
	out  int64 // bytes produced so far
}

// take returns n bits, at most 32.
func (d *reader) take(n uint) (uint32, error) {
	for d.n < n {
		c, err := d.r.ReadByte()
		if err != nil {
			return 0, err
		}
		d.bits |= uint64(c) << d.n
		d.n += 8
	}
	v := uint32(d.bits & (1<<n - 1))
	d.bits >>= n
	d.n -= n
	return v, nil
}

// end demands that the last byte is padded with zeros and nothing follows.
func (d *reader) end() error {
	if d.bits != 0 {
		return errPadding
	}
	if d.n >= 8 {
		return errBehind
	}
	if _, err := d.r.ReadByte(); err != io.EOF {
		return errBehind
	}
	return nil
}

// block reads one block and returns how many bytes it produced.
func (d *reader) block() (last bool, n int64, err error) {
	h, err := d.take(3)
	if err != nil {
		return false, 0, err
	}
	before := d.out
	switch h >> 1 {
	case 0:
		err = d.stored()
	case 1:
		err = d.fixed()
	case 2:
		err = d.dynamic()
	default:
		err = errCode
	}
	return h&1 == 1, d.out - before, err
}

// fixed reads a block in the codes of RFC 1951, 3.2.6.
func (d *reader) fixed() error {
	lit, err := newCode(fixedLens)
	if err != nil {
		return err
	}
	dist, err := newCode(bytes.Repeat([]byte{5}, 32))
	if err != nil {
		return err
	}
	return d.symbols(lit, dist)
}

func (d *reader) stored() error {
	pad, err := d.take(d.n & 7)
	if err != nil {
		return err
	}
	if pad != 0 {
		return errPadding
	}
	size, err := d.take(16)
	if err != nil {
		return err
	}
	inverse, err := d.take(16)
	if err != nil {
		return err
	}
	if size^inverse != 0xffff {
		return errCode
	}
	for size > 0 { // few bytes lie in the bit buffer; the rest is skipped
		if d.n == 0 {
			break
		}
		if _, err := d.take(8); err != nil {
			return err
		}
		size--
		d.out++
	}
	k, err := d.r.Discard(int(size))
	d.out += int64(k)
	return err
}

// order is the order of the lengths of the code length code (RFC 1951, 3.2.7).
var order = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

func (d *reader) dynamic() error {
	h, err := d.take(14)
	if err != nil {
		return err
	}
	literals, distances, count := int(h&31)+257, int(h>>5&31)+1, int(h>>10)+4
	if literals > 286 || distances > 30 {
		return errCode
	}
	var lens [19]uint8
	for i := range count {
		v, err := d.take(3)
		if err != nil {
			return err
		}
		lens[order[i]] = uint8(v)
	}
	if count > 4 && lens[order[count-1]] == 0 {
		return errLonger
	}
	meta, err := newCode(lens[:])
	if err != nil {
		return err
	}
	all := make([]uint8, literals+distances)
	if err := d.lengths(meta, all); err != nil {
		return err
	}
	if literals > 257 && all[literals-1] == 0 || distances > 1 && all[len(all)-1] == 0 {
		return errLonger
	}
	if meta.unused() > 1 { // zlib makes two codes where one would do
		return errUnused
	}
	lit, err := newCode(all[:literals])
	if err != nil {
		return err
	}
	dist, err := newCode(all[literals:])
	if err != nil {
		return err
	}
	if err := d.symbols(lit, dist); err != nil {
		return err
	}
	// zlib and others give two distances a code in any case, because old decoders need them
	if lit.unused() > 0 || dist.unused() > 2 {
		return errUnused
	}
	return nil
}

// lengths reads the run-length coded lengths of both codes.
func (d *reader) lengths(meta *code, all []uint8) error {
	for i := 0; i < len(all); {
		s, err := d.symbol(meta)
		if err != nil {
			return err
		}
		var v uint8
		n := 1
		switch {
		case s < 16:
			v = uint8(s)
		case s == 16:
			if i == 0 {
				return errCode
			}
			k, err := d.take(2)
			if err != nil {
				return err
			}
			v, n = all[i-1], int(k)+3
		default:
			bits, least := uint(3), 3
			if s == 18 {
				bits, least = 7, 11
			}
			k, err := d.take(bits)
			if err != nil {
				return err
			}
			n = int(k) + least
		}
		if i+n > len(all) {
			return errCode
		}
		for range n {
			all[i] = v
			i++
		}
	}
	return nil
}

// symbols reads a block up to its end.
func (d *reader) symbols(lit, dist *code) error {
	for {
		s, err := d.symbol(lit)
		switch {
		case err != nil:
			return err
		case s < 256:
			d.out++
			continue
		case s == 256:
			return nil
		case s > 285:
			return errSymbol
		}
		length := int64(lengthBase[s-257])
		extra, err := d.take(uint(lengthBits[s-257]))
		if err != nil {
			return err
		}
		length += int64(extra)
		if s == 284 && extra == 31 { // 258 has a symbol of its own
			return errSymbol
		}
		p, err := d.symbol(dist)
		if err != nil {
			return err
		}
		if p > 29 {
			return errSymbol
		}
		if extra, err = d.take(uint(distBits[p])); err != nil {
			return err
		}
		if int64(distBase[p])+int64(extra) > d.out {
			return errSymbol
		}
		d.out += length
	}
}

var (
	lengthBase = [29]uint16{3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258}
	lengthBits = [29]uint8{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}
	distBase   = [30]uint16{1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577}
	distBits   = [30]uint8{0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13}
)
