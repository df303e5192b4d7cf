package gitobj

import "math/bits"

// A decoding table maps the next bits of the stream, first bit lowest, to an entry. Codes longer than the table's
// index lead to a second table behind the first one in the same array.
//
// An entry, from the lowest bit:
//
//	0-7    bits to consume: the code, and for a length or distance its extra bits too
//	8-11   bits of the code alone; for a link, the index bits of the second table
//	12     end of block
//	13     link: the value is where the second table begins
//	14     no such code
//	15     any of the three above
//	16-30  the literal byte, or the base of a length or distance
//	31     literal
const (
	entryEnd         = 1 << 12
	entryLink        = 1 << 13
	entryBad         = 1 << 14
	entryExceptional = 1 << 15
	entryLiteral     = 1 << 31

	noCode = entryBad | entryExceptional
)

const (
	literalBits  = 10
	distanceBits = 7
	codeBits     = 7
	maxCodeBits  = 15

	// What the second tables can need at most: for 288 symbols and 32, with codes of 15 bits
	// (a second table of 2^k entries hangs below an incomplete first-level code that is shared by at least two symbols).
	literalTable  = 1<<literalBits + 288*1<<(maxCodeBits-literalBits)/2
	distanceTable = 1<<distanceBits + 32*1<<(maxCodeBits-distanceBits)/2

	maxLiteralCodes  = 286
	maxDistanceCodes = 30
)

var (
	lengthBase  = [29]uint16{3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258}
	lengthExtra = [29]uint8{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}
	distBase    = [30]uint16{1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577}
	distExtra   = [30]uint8{0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13}
	codeOrder   = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}
)

// The entries of each alphabet's symbols, without the length of their code. Symbols that may be given a code but never
// stand in a stream (RFC 1951, 3.2.6) are no codes.
var (
	literalSymbols  = literalEntries()
	distanceSymbols = distanceEntries()
	codeSymbols     = codeEntries()
)

func literalEntries() (e [288]uint32) {
	for s := range e {
		switch {
		case s < 256:
			e[s] = uint32(s)<<16 | entryLiteral
		case s == 256:
			e[s] = entryEnd | entryExceptional
		case s < 286:
			e[s] = uint32(lengthBase[s-257])<<16 | uint32(lengthExtra[s-257])
		default:
			e[s] = noCode
		}
	}
	return e
}

func distanceEntries() (e [32]uint32) {
	for s := range e {
		if e[s] = noCode; s < 30 {
			e[s] = uint32(distBase[s])<<16 | uint32(distExtra[s])
		}
	}
	return e
}

func codeEntries() (e [19]uint32) {
	for s := range e {
		e[s] = uint32(s) << 16
	}
	return e
}

// buildTable fills table for a canonical code with those lengths. It refuses a code that is over-subscribed or
// incomplete; one single code of one bit, and no code at all, are allowed, as every deflate decoder does.
func buildTable(table []uint32, indexBits uint, lengths []uint8, symbols []uint32) bool {
	var count [maxCodeBits + 1]uint16
	for _, l := range lengths {
		count[l&15]++
	}
	longest := uint(maxCodeBits)
	for longest > 0 && count[longest] == 0 {
		longest--
	}
	var next [maxCodeBits + 1]uint16
	left, code := 1, uint16(0)
	count[0] = 0
	for l := uint(1); l <= longest; l++ {
		code = (code + count[l-1]) << 1
		next[l] = code
		if left = left<<1 - int(count[l]); left < 0 {
			return false
		}
	}
	if complete := left == 0; !complete {
		if longest > 1 || (longest == 1 && count[1] != 1) {
			return false
		}
		fillBad(table[:1<<indexBits])
	}
	free := 1 << indexBits
	linkBits := uint(0)
	if longest > indexBits {
		linkBits = longest - indexBits
		// links are told from entries of an earlier code
		clear(table[:1<<indexBits])
	}
	for s, l8 := range lengths {
		l := uint(l8)
		if l == 0 {
			continue
		}
		reversed := uint(bits.Reverse16(next[l]) >> (16 - l))
		next[l]++
		if l <= indexBits {
			e := symbols[s] + uint32(l) | uint32(l)<<8
			for i := reversed; i < 1<<indexBits; i += 1 << l {
				table[i] = e
			}
			continue
		}
		head := reversed & (1<<indexBits - 1)
		if table[head]&entryLink == 0 {
			if free+1<<linkBits > len(table) {
				return false
			}
			table[head] = uint32(free)<<16 | entryLink | entryExceptional | uint32(linkBits)<<8 | uint32(indexBits)
			free += 1 << linkBits
		}
		at := uint(table[head]>>16) & 0x7fff
		e := symbols[s] + uint32(l-indexBits) | uint32(l-indexBits)<<8
		for i := reversed >> indexBits; i < 1<<linkBits; i += 1 << (l - indexBits) {
			table[at+i] = e
		}
	}
	return true
}

func fillBad(t []uint32) {
	for i := range t {
		t[i] = noCode
	}
}
