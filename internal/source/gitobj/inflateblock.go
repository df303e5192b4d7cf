package gitobj

import "encoding/binary"

// block decodes one compressed block with the tables that are built. The first loop runs while a whole round fits into
// what is left of input and output, and needs no check for either but the ones that the language makes; the second one
// does the rest.
func (z *inflater) block(s *stream) error {
	src, dst := s.src, s.dst
	sp, dp, size := s.sp, s.dp, s.size
	hold, n := s.bits, s.n
	literals, distances := &z.literals, &z.distances
	var err error
	var ended bool
	// A round writes three literals, or up to two and a match. Of the 56 bits of the first refill it takes at most
	// 10 + 10 for two literals and 15 + 5 for what follows; the distance takes 15 + 13 of the second refill.
	for sp+16 <= len(src) && dp < size {
		hold |= binary.LittleEndian.Uint64(src[sp:]) << (n & 63)
		sp += int((63 - n) >> 3)
		n |= 56
		e := literals[hold&(1<<literalBits-1)]
		if e&entryLiteral != 0 {
			hold >>= e & 63
			n -= uint(e & 63)
			dst[dp] = byte(e >> 16)
			dp++
			e = literals[hold&(1<<literalBits-1)]
			if e&entryLiteral != 0 {
				hold >>= e & 63
				n -= uint(e & 63)
				dst[dp] = byte(e >> 16)
				dp++
				e = literals[hold&(1<<literalBits-1)]
				if e&entryLiteral != 0 {
					hold >>= e & 63
					n -= uint(e & 63)
					dst[dp] = byte(e >> 16)
					dp++
					continue
				}
			}
		}
		if e&entryExceptional != 0 {
			if e&entryLink != 0 {
				hold >>= literalBits
				n -= literalBits
				e = literals[(e>>16&0x7fff)+uint32(hold)&(1<<(e>>8&15)-1)]
			}
			if e&entryLiteral != 0 {
				hold >>= e & 63
				n -= uint(e & 63)
				dst[dp] = byte(e >> 16)
				dp++
				continue
			}
			if e&entryExceptional != 0 {
				if e&entryEnd == 0 {
					err = errDeflate
					break
				}
				hold >>= e & 63
				n -= uint(e & 63)
				ended = true
				break
			}
		}
		length := int(e>>16) + int(hold&(1<<(e&63)-1)>>(e>>8&15))
		hold >>= e & 63
		n -= uint(e & 63)

		hold |= binary.LittleEndian.Uint64(src[sp:]) << (n & 63)
		sp += int((63 - n) >> 3)
		n |= 56
		e = distances[hold&(1<<distanceBits-1)]
		if e&entryExceptional != 0 {
			if e&entryLink != 0 {
				hold >>= distanceBits
				n -= distanceBits
				e = distances[(e>>16&0x7fff)+uint32(hold)&(1<<(e>>8&15)-1)]
			}
			if e&entryExceptional != 0 {
				err = errDeflate
				break
			}
		}
		distance := int(e>>16) + int(hold&(1<<(e&63)-1)>>(e>>8&15))
		hold >>= e & 63
		n -= uint(e & 63)
		if distance > dp {
			err = errDeflate
			break
		}
		if distance >= 16 {
			// each step reaches back at least 16 bytes, so that it reads only what is written
			for from, k := dp-distance, 0; k < length; k += 16 {
				*(*[16]byte)(dst[dp+k:]) = *(*[16]byte)(dst[from+k:])
			}
		} else {
			copyOverlap(dst, dp, distance, length)
		}
		dp += length
	}
	s.sp, s.dp, s.bits, s.n = sp, dp, hold, n
	if err != nil {
		return err
	}
	if !ended {
		return z.blockTail(s)
	}
	return s.outputFits()
}

// copyOverlap copies length bytes from distance before dp, where the match may overlap itself.
func copyOverlap(dst []byte, dp, distance, length int) {
	from := dp - distance
	if distance >= length {
		copy(dst[dp:dp+length], dst[from:from+length])
		return
	}
	if distance == 1 {
		b := dst[from]
		run := dst[dp : dp+length]
		for i := range run {
			run[i] = b
		}
		return
	}
	// what is copied doubles each time
	for k := 0; k < length; {
		k += copy(dst[dp+k:dp+length], dst[from:dp+k])
	}
}

// outputFits checks the output after a block: one that holds more than was announced is refused.
func (s *stream) outputFits() error {
	if s.dp < s.size || (s.dp == s.size && !s.some) {
		return nil
	}
	if s.some {
		s.full = true
		return nil
	}
	return errOutputFull
}

// blockTail decodes symbol by symbol, with every check.
func (z *inflater) blockTail(s *stream) error {
	for {
		if s.dp > s.size || (s.some && s.dp >= s.size) {
			return s.outputFits()
		}
		s.refill()
		e, ok := s.symbol(z.literals[:], literalBits)
		if !ok {
			return errInputEnds
		}
		if e&entryLiteral != 0 {
			s.drop(uint(e & 63))
			if s.dp == s.size {
				return errOutputFull
			}
			s.dst[s.dp] = byte(e >> 16)
			s.dp++
			continue
		}
		if e&entryExceptional != 0 {
			if e&entryEnd == 0 {
				return errDeflate
			}
			s.drop(uint(e & 63))
			return nil
		}
		length := s.value(e)
		s.refill()
		if e, ok = s.symbol(z.distances[:], distanceBits); !ok {
			return errInputEnds
		}
		if e&entryExceptional != 0 {
			return errDeflate
		}
		distance := s.value(e)
		if distance > s.dp {
			return errDeflate
		}
		if length > s.size-s.dp && !s.some {
			return errOutputFull
		}
		copyOverlap(s.dst, s.dp, distance, length)
		s.dp += length
	}
}

// symbol returns the entry of the next code and drops the first-level bits of a link. It fails when the entry would
// need more bits than the input has.
func (s *stream) symbol(table []uint32, indexBits uint) (uint32, bool) {
	e := table[s.bits&(1<<indexBits-1)]
	if e&entryLink != 0 && e&entryLiteral == 0 && e&entryExceptional != 0 {
		if s.n < indexBits {
			return 0, false
		}
		s.drop(indexBits)
		e = table[uint64(e>>16&0x7fff)+s.bits&(1<<(e>>8&15)-1)]
	}
	return e, uint(e&63) <= s.n
}

// value returns base plus extra bits of a length or distance, and drops code and bits.
func (s *stream) value(e uint32) int {
	v := int(e>>16) + int(s.bits&(1<<(e&63)-1)>>(e>>8&15))
	s.drop(uint(e & 63))
	return v
}
