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
//
// Codes are given out from the shortest to the longest. The table is at first as long as the shortest code needs, and is
// doubled, by copying it behind itself, each time the codes get longer: an entry then stands wherever its code is followed by
// any bits.
func buildTable(table []uint32, indexBits uint, lengths []uint8, symbols []uint32) bool {
	var count, place [maxCodeBits + 1]uint16
	for _, l := range lengths {
		count[l&15]++
	}
	longest := uint(maxCodeBits)
	for longest > 0 && count[longest] == 0 {
		longest--
	}
	count[0] = 0
	left := 1
	for l := uint(1); l <= longest; l++ {
		place[l] = place[l-1] + count[l-1]
		if left = left<<1 - int(count[l]); left < 0 {
			return false
		}
	}
	if left != 0 {
		if longest > 1 || (longest == 1 && count[1] != 1) {
			return false
		}
		return singleCode(table, indexBits, lengths, symbols)
	}
	var sorted [maxLiteralCodes + 2]uint16
	for s, l := range lengths {
		if l != 0 {
			sorted[place[l&15]] = uint16(s)
			place[l&15]++
		}
	}
	var links linkTables
	code, filled := uint(0), uint(1) // the code as it stands in the stream, first bit lowest; how much of table is filled
	next := 0
	for l := uint(1); l <= longest; l++ {
		if l <= indexBits {
			copy(table[filled:2*filled], table[:filled])
			filled *= 2
		}
		for range count[l] {
			s := sorted[next]
			next++
			if l <= indexBits {
				table[code] = symbols[s] + uint32(l) | uint32(l)<<8
			} else if !links.put(table, indexBits, longest, code, l, symbols[s]) {
				return false
			}
			code = nextCode(code, l)
		}
	}
	for ; filled < 1<<indexBits; filled *= 2 {
		copy(table[filled:2*filled], table[:filled])
	}
	return true
}

// nextCode adds one to a code of l bits whose first bit is the lowest: the ones at its end become zeros, and the zero before
// them a one.
func nextCode(code, l uint) uint {
	ones := uint(bits.Len(^code & (1<<l - 1)))
	if ones == 0 {
		return 0
	}
	top := uint(1) << (ones - 1)
	return code&(top-1) | top
}

// linkTables are the second tables behind the first one.
type linkTables struct {
	head uint // the first bits that lead to the newest one
	at   uint // where that begins; 0 is none yet
	free uint // where the next one can begin
}

// put places a code that is longer than the index. Codes that share their first bits follow each other.
func (t *linkTables) put(table []uint32, indexBits, longest, code, l uint, symbol uint32) bool {
	linkBits := longest - indexBits
	head := code & (1<<indexBits - 1)
	if t.at == 0 || head != t.head {
		if t.free == 0 {
			t.free = 1 << indexBits
		}
		if t.free+1<<linkBits > uint(len(table)) {
			return false
		}
		t.head, t.at = head, t.free
		table[head] = uint32(t.free)<<16 | entryLink | entryExceptional | uint32(linkBits)<<8 | uint32(indexBits)
		t.free += 1 << linkBits
	}
	e := symbol + uint32(l-indexBits) | uint32(l-indexBits)<<8
	for i := code >> indexBits; i < 1<<linkBits; i += 1 << (l - indexBits) {
		table[t.at+i] = e
	}
	return true
}

// singleCode fills table for a code of one bit, or for none.
func singleCode(table []uint32, indexBits uint, lengths []uint8, symbols []uint32) bool {
	fillBad(table[:1<<indexBits])
	for s, l := range lengths {
		if l != 0 {
			for i := 0; i < 1<<indexBits; i += 2 {
				table[i] = symbols[s] + 1 | 1<<8
			}
		}
	}
	return true
}

func fillBad(t []uint32) {
	for i := range t {
		t[i] = noCode
	}
}
