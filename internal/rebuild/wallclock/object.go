package wallclock

import (
	"bytes"
	"encoding/binary"
)

// Addresses are offsets in the file for what is read and executed, and a page further for what is written: one page of the
// largest size that arm64 has, so that the two never share one.
const page = 0x10000

const (
	headerSize   = 64
	segmentSize  = 56
	segments     = 4
	symbolSize   = 24
	relaSize     = 24
	dynamicCount = 9
)

// object is the file while it is laid out.
type object struct {
	shift   Shift
	machine uint16

	names   []byte         // .dynstr
	at      map[string]int // where a name stands in it
	symbols []string       // .dynsym without its first, empty one: wanted, then defined
	places  map[string]uint64
	text    []byte
	hash    uint64 // addresses of the tables
	dynsym  uint64
	dynstr  uint64
	rela    uint64
	code    uint64
	data    uint64 // in the file
	end     uint64
}

// assembler writes the code; places tells it where everything else is, and takes up where the functions are.
type assembler func(o *object) []byte

func (o *object) waits() []wait {
	if o.shift.Waits {
		return waits
	}
	return nil
}

// layOut gives everything its place. The length of the code does not depend on where things are.
func (o *object) layOut(write assembler) {
	o.names, o.at, o.places = []byte{0}, map[string]int{}, map[string]uint64{}
	o.symbols = append(o.symbols, wanted...)
	o.symbols = append(o.symbols, asked...)
	for _, w := range o.waits() {
		o.symbols = append(o.symbols, w.name)
	}
	for _, s := range o.symbols {
		o.at[s] = len(o.names)
		o.names = append(append(o.names, s...), 0)
	}
	n := uint64(len(o.symbols) + 1)
	o.hash = headerSize + segments*segmentSize
	o.dynsym = align(o.hash+4*(2+1+n), 8)
	o.rela = o.dynsym + symbolSize*n
	o.dynstr = o.rela + relaSize*uint64(len(wanted))
	o.code = align(o.dynstr+uint64(len(o.names)), 16)
	o.data = align(o.code+uint64(len(write(o))), 16)
	at := o.data + page + 16*dynamicCount
	for _, name := range wanted {
		o.places["got "+name] = at
		at += 8
	}
	for _, w := range o.waits() {
		o.places["slot "+w.name], o.places["name "+w.name] = at, o.dynstr+uint64(o.at[w.name])
		at += 8
	}
	o.end = at - page
	o.text = write(o)
}

func align(n, to uint64) uint64 { return (n + to - 1) / to * to }

// bytes writes the file.
func (o *object) bytes() []byte {
	var b bytes.Buffer
	put := func(values ...any) {
		for _, v := range values {
			_ = binary.Write(&b, binary.LittleEndian, v) // into memory
		}
	}
	fill := func(to uint64) { b.Write(make([]byte, to-uint64(b.Len()))) }

	b.WriteString("\x7fELF\x02\x01\x01") // 64 bits, little-endian
	fill(16)
	put(uint16(3), o.machine, uint32(1), uint64(0), uint64(headerSize), uint64(0), uint32(0)) // ET_DYN, no entry, no sections
	put(uint16(headerSize), uint16(segmentSize), uint16(segments), uint16(64), uint16(0), uint16(0))

	segment := func(kind, flags uint32, offset, address, size, alignment uint64) {
		put(kind, flags, offset, address, address, size, size, alignment)
	}
	segment(1, 5, 0, 0, o.code+uint64(len(o.text)), page) // PT_LOAD, read and execute
	segment(1, 6, o.data, o.data+page, o.end-o.data, page)
	segment(2, 6, o.data, o.data+page, 16*dynamicCount, 8) // PT_DYNAMIC
	segment(0x6474e551, 6, 0, 0, 0, 16)                    // PT_GNU_STACK: without it stacks could be executed

	fill(o.hash) // one bucket: a chain of all defined symbols
	n := uint32(len(o.symbols) + 1)
	first := uint32(len(wanted) + 1)
	put(uint32(1), n, first)
	for i := range n {
		next := i + 1
		if i < first || next == n {
			next = 0
		}
		put(next)
	}
	fill(o.dynsym)
	put(make([]byte, symbolSize))
	for _, s := range o.symbols {
		if at, ok := o.places[s]; ok {
			put(uint32(o.at[s]), uint8(1<<4|2), uint8(0), uint16(1), at, uint64(16)) // STB_GLOBAL, STT_FUNC
		} else {
			put(uint32(o.at[s]), uint8(2<<4), uint8(0), uint16(0), uint64(0), uint64(0)) // STB_WEAK, undefined
		}
	}
	kind := uint64(6) // R_X86_64_GLOB_DAT
	if o.machine == 183 {
		kind = 1025 // R_AARCH64_GLOB_DAT
	}
	for i, s := range wanted {
		put(o.places["got "+s], uint64(i+1)<<32|kind, uint64(0))
	}
	b.Write(o.names)
	fill(o.code)
	b.Write(o.text)
	fill(o.data)
	put(uint64(4), o.hash, uint64(5), o.dynstr, uint64(6), o.dynsym, uint64(7), o.rela) // DT_HASH, DT_STRTAB, DT_SYMTAB, DT_RELA
	put(uint64(8), uint64(relaSize*len(wanted)), uint64(9), uint64(relaSize))           // DT_RELASZ, DT_RELAENT
	put(uint64(10), uint64(len(o.names)), uint64(11), uint64(symbolSize), uint64(0), uint64(0))
	fill(o.end)
	return b.Bytes()
}
