package gitobj

import (
	"encoding/binary"
	"errors"
)

var (
	errDeflate    = errors.New("malformed deflate stream")
	errInputEnds  = errors.New("deflate stream ends early")
	errOutputFull = errors.New("size mismatch")
)

// inflater decodes a whole deflate stream (RFC 1951) from one buffer into another one whose size is known beforehand,
// which is what git objects allow and what makes it fast. Its state is only its tables; it is reused by one goroutine.
type inflater struct {
	literals  [literalTable]uint32
	distances [distanceTable]uint32
	codes     [1 << codeBits]uint32
	lengths   [maxLiteralCodes + maxDistanceCodes + 4]uint8
	fixed     bool // the tables hold the fixed code
}

// outputSlack is how many bytes of room behind the expected output the decoder needs: a match is copied in words, and
// may reach beyond its end before the size is checked.
const outputSlack = 258 + 16

// stream is the position in input and output.
type stream struct {
	src  []byte
	sp   int    // next byte of src
	bits uint64 // bits taken from src and not yet used, next one lowest
	n    uint   // how many of them count
	dst  []byte // size + outputSlack bytes
	dp   int
	size int
	some bool // stop without an error when size bytes are there
	full bool // stopped so
}

// zlib decodes the RFC 1950 stream at the start of src into dst[:size]; dst must have outputSlack bytes behind that.
// The stream must hold exactly size bytes. It returns how many bytes of src the stream takes, checksum included; the
// checksum itself is not looked at, since every object is hashed.
func (z *inflater) zlib(dst, src []byte, size int) (int, error) {
	if err := zlibHeader(src); err != nil {
		return 0, err
	}
	s := stream{src: src, sp: 2, dst: dst, size: size}
	if err := z.run(&s); err != nil {
		return 0, err
	}
	if s.dp != size {
		return 0, errOutputFull
	}
	used := s.sp - int(s.n>>3)
	if len(src)-used < 4 {
		return 0, errInputEnds
	}
	return used + 4, nil
}

// prefix decodes at most size bytes of the stream at the start of src, and tells how many there were.
func (z *inflater) prefix(dst, src []byte, size int) (int, error) {
	if err := zlibHeader(src); err != nil {
		return 0, err
	}
	s := stream{src: src, sp: 2, dst: dst, size: size, some: true}
	if err := z.run(&s); err != nil {
		return 0, err
	}
	return min(s.dp, size), nil
}

// zlibHeader demands deflate, a window of at most 32 KiB, no preset dictionary and a right check value.
func zlibHeader(src []byte) error {
	if len(src) < 2 {
		return errInputEnds
	}
	if src[0]&0x0f != 8 || src[0]>>4 > 7 || src[1]&0x20 != 0 || (uint(src[0])<<8|uint(src[1]))%31 != 0 {
		return errDeflate
	}
	return nil
}

// run decodes block after block.
func (z *inflater) run(s *stream) error {
	for !s.full {
		s.refill()
		if s.n < 3 {
			return errInputEnds
		}
		final, kind := s.bits&1, s.bits>>1&3
		s.drop(3)
		var err error
		switch kind {
		case 0:
			err = s.stored()
		case 1:
			if !z.fixed && !z.fixedCode() {
				return errDeflate
			}
			err = z.block(s)
		case 2:
			if err = z.dynamicCode(s); err == nil {
				err = z.block(s)
			}
		default:
			err = errDeflate
		}
		if err != nil {
			return err
		}
		if final == 1 {
			return nil
		}
	}
	return nil
}

func (s *stream) drop(n uint) {
	s.bits >>= n
	s.n -= n
}

// refill brings at least 56 bits, as far as the input has them.
func (s *stream) refill() {
	if s.sp+8 <= len(s.src) {
		s.bits |= binary.LittleEndian.Uint64(s.src[s.sp:]) << (s.n & 63)
		s.sp += int((63 - s.n) >> 3)
		s.n |= 56
		return
	}
	// bits beyond s.n may be set already by the wide read above; they are the same bits again
	for s.n < 56 && s.sp < len(s.src) {
		s.bits |= uint64(s.src[s.sp]) << s.n
		s.sp++
		s.n += 8
	}
}

// stored copies a block that is not compressed.
func (s *stream) stored() error {
	s.drop(s.n & 7)
	s.sp -= int(s.n >> 3)
	s.bits, s.n = 0, 0
	if len(s.src)-s.sp < 4 {
		return errInputEnds
	}
	n := int(binary.LittleEndian.Uint16(s.src[s.sp:]))
	if binary.LittleEndian.Uint16(s.src[s.sp+2:]) != ^uint16(n) {
		return errDeflate
	}
	s.sp += 4
	if n > s.size-s.dp {
		if !s.some {
			return errOutputFull
		}
		n, s.full = s.size-s.dp, true
	}
	if n > len(s.src)-s.sp {
		return errInputEnds
	}
	copy(s.dst[s.dp:], s.src[s.sp:s.sp+n])
	s.sp += n
	s.dp += n
	return nil
}

// fixedCode builds the tables of RFC 1951, 3.2.6.
func (z *inflater) fixedCode() bool {
	var l [288]uint8
	for i := range l {
		switch {
		case i < 144:
			l[i] = 8
		case i < 256:
			l[i] = 9
		case i < 280:
			l[i] = 7
		default:
			l[i] = 8
		}
	}
	var d [32]uint8
	for i := range d {
		d[i] = 5
	}
	z.fixed = buildTable(z.literals[:], literalBits, l[:], literalSymbols[:]) &&
		buildTable(z.distances[:], distanceBits, d[:], distanceSymbols[:])
	return z.fixed
}

// dynamicCode reads the code lengths of a block (RFC 1951, 3.2.7) and builds its tables.
func (z *inflater) dynamicCode(s *stream) error {
	z.fixed = false
	s.refill()
	if s.n < 14 {
		return errInputEnds
	}
	nl, nd, nc := int(s.bits&31)+257, int(s.bits>>5&31)+1, int(s.bits>>10&15)+4
	s.drop(14)
	if nl > maxLiteralCodes || nd > maxDistanceCodes {
		return errDeflate
	}
	var lengths [19]uint8
	for _, at := range codeOrder[:nc] {
		if s.n < 3 {
			if s.refill(); s.n < 3 {
				return errInputEnds
			}
		}
		lengths[at] = uint8(s.bits & 7)
		s.drop(3)
	}
	if !buildTable(z.codes[:], codeBits, lengths[:], codeSymbols[:]) {
		return errDeflate
	}
	if err := z.readLengths(s, nl+nd); err != nil {
		return err
	}
	if !buildTable(z.literals[:], literalBits, z.lengths[:nl], literalSymbols[:]) ||
		!buildTable(z.distances[:], distanceBits, z.lengths[nl:nl+nd], distanceSymbols[:]) {
		return errDeflate
	}
	return nil
}

// readLengths decodes the run-length coded lengths of both codes into z.lengths.
func (z *inflater) readLengths(s *stream, want int) error {
	for i := 0; i < want; {
		s.refill()
		e := z.codes[s.bits&(1<<codeBits-1)]
		if e&entryExceptional != 0 || e&0xff == 0 {
			return errDeflate
		}
		symbol, extra, repeat := e>>16, uint(0), 0
		switch symbol {
		case 16:
			extra, repeat = 2, 3
		case 17:
			extra, repeat = 3, 3
		case 18:
			extra, repeat = 7, 11
		}
		if uint(e&0xff)+extra > s.n {
			return errInputEnds
		}
		s.drop(uint(e & 0xff))
		if symbol < 16 {
			z.lengths[i] = uint8(symbol)
			i++
			continue
		}
		repeat += int(s.bits & (1<<extra - 1))
		s.drop(extra)
		if repeat > want-i || (symbol == 16 && i == 0) {
			return errDeflate
		}
		value := uint8(0)
		if symbol == 16 {
			value = z.lengths[i-1]
		}
		for ; repeat > 0; repeat-- {
			z.lengths[i] = value
			i++
		}
	}
	return nil
}
