package code

import (
	"bytes"
	"encoding/binary"
	"slices"
	"sort"
	"strings"
)

// pclntab is the runtime's line table of Go 1.18 and later, which stays in stripped programs (the runtime needs it for
// tracebacks). Its form is that of runtime.pcHeader; every offset is checked when it is used.
type pclntab struct {
	data                               []byte
	text, etext                        uint64
	names, units, files, tables, funcs uint64 // offsets
	count                              uint64
	startLine                          bool // records have a start line, Go 1.20 and later
	functions                          []function
	nameText                           string // the names, of which those of functions are parts
	quantum                            uint64 // bytes that pc deltas count in
	order                              binary.ByteOrder
}

const (
	magic118 = 0xfffffff0
	magic120 = 0xfffffff1
)

// pclntabHeader reads where the parts of the table lie.
func pclntabHeader(data []byte) (*pclntab, bool) {
	if len(data) < 72 || data[4] != 0 || data[5] != 0 || data[7] != 8 && data[7] != 4 {
		return nil, false
	}
	le := binary.LittleEndian
	magic := le.Uint32(data)
	if magic != magic118 && magic != magic120 {
		return nil, false
	}
	word := func(i int) uint64 {
		if data[7] == 4 {
			return uint64(le.Uint32(data[8+4*i:]))
		}
		return le.Uint64(data[8+8*i:])
	}
	p := &pclntab{
		data: data, count: word(0), quantum: uint64(max(data[6], 1)), names: word(3), units: word(4), files: word(5), tables: word(6), funcs: word(7),
		startLine: magic == magic120, order: le,
	}
	size := uint64(len(data))
	for _, off := range []uint64{p.names, p.units, p.files, p.tables, p.funcs} {
		if off > size {
			return nil, false
		}
	}
	return p, p.count <= maxFunctions && p.count > 0 && p.count <= (size-p.funcs)/8
}

// parsePclntab reads the function table; text is where the program's Go code begins when the table does not say (since
// Go 1.26 it does not).
func parsePclntab(data []byte, text, etext uint64) (*pclntab, bool) {
	p, ok := pclntabHeader(data)
	if !ok {
		return nil, false
	}
	p.text, p.etext = text, etext
	le, size := binary.LittleEndian, uint64(len(data))
	p.functions = make([]function, 0, p.count)
	p.nameText = string(data[p.names:min(max(p.names, p.units), size)])
	table := data[p.funcs:]
	for i := range p.count {
		f := function{entry: text + uint64(le.Uint32(table[8*i:])), info: le.Uint32(table[8*i+4:]), end: etext}
		if 8*i+12 <= uint64(len(table)) {
			f.end = text + uint64(le.Uint32(table[8*i+8:]))
		}
		if f.end < f.entry || f.end > etext || i > 0 && f.entry < p.functions[i-1].entry {
			return nil, false
		}
		name, ok := p.field(f.info, 1)
		if !ok {
			return nil, false
		}
		f.name = p.name(uint64(name))
		p.functions = append(p.functions, f)
	}
	return p, true
}

// again returns the table of another program that has the same bytes, and its code elsewhere at most.
func (p *pclntab) again(data []byte, text, etext uint64) (*pclntab, bool) {
	if p == nil || len(p.functions) == 0 || etext-text != p.etext-p.text || !bytes.Equal(p.data, data) {
		return nil, false
	}
	o := *p
	o.data, o.text, o.etext, o.functions = data, text, etext, slices.Clone(p.functions)
	for i := range o.functions {
		o.functions[i].entry += text - p.text
		o.functions[i].end += text - p.text
	}
	return &o, true
}

// field returns the 4-byte field i of a function's record; field 0 is its entry.
func (p *pclntab) field(info uint32, i int) (uint32, bool) {
	off := p.funcs + uint64(info) + 4*uint64(i)
	if off+4 > uint64(len(p.data)) {
		return 0, false
	}
	return p.order.Uint32(p.data[off:]), true
}

func (p *pclntab) str(off uint64) string {
	if off >= uint64(len(p.data)) {
		return ""
	}
	b := p.data[off:min(uint64(len(p.data)), off+maxSymbol)]
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}

// name returns the name at an offset of the names.
func (p *pclntab) name(off uint64) string {
	if off >= uint64(len(p.nameText)) {
		return p.str(p.names + off)
	}
	s := p.nameText[off:min(uint64(len(p.nameText)), off+maxSymbol)]
	if i := strings.IndexByte(s, 0); i >= 0 {
		s = s[:i]
	}
	return s
}

// at returns the function that holds pc.
func (p *pclntab) at(pc uint64) *function {
	i := sort.Search(len(p.functions), func(i int) bool { return p.functions[i].entry > pc })
	if i == 0 || pc >= p.functions[i-1].end {
		return nil
	}
	return &p.functions[i-1]
}

// line returns the file and line of pc in f, "" and 0 when the table does not tell.
func (p *pclntab) line(f *function, pc uint64) (string, int) {
	pcfile, ok1 := p.field(f.info, 5)
	pcln, ok2 := p.field(f.info, 6)
	unit, ok3 := p.field(f.info, 8)
	if !ok1 || !ok2 || !ok3 {
		return "", 0
	}
	file, ok1 := p.value(pcfile, f, pc)
	line, ok2 := p.value(pcln, f, pc)
	if !ok1 || !ok2 || file < 0 || line < 0 {
		return "", 0
	}
	off := p.units + 4*(uint64(unit)+uint64(file))
	if off+4 > uint64(len(p.data)) {
		return "", 0
	}
	return p.str(p.files + uint64(p.order.Uint32(p.data[off:]))), int(line)
}

// value decodes a pc-value table: pairs of a zigzag value delta and a pc delta, both variable-length, until a zero.
func (p *pclntab) value(table uint32, f *function, pc uint64) (int32, bool) {
	off := p.tables + uint64(table)
	if table == 0 || off >= uint64(len(p.data)) {
		return 0, false
	}
	b := p.data[off:]
	at, val := f.entry, int32(-1)
	for first := true; ; first = false {
		dv, n := binary.Uvarint(b)
		if n <= 0 || dv == 0 && !first {
			return 0, false
		}
		b = b[n:]
		dp, n := binary.Uvarint(b)
		if n <= 0 {
			return 0, false
		}
		b = b[n:]
		val += int32(uint32(dv)>>1) ^ -int32(uint32(dv)&1)
		at += dp * p.quantum
		if pc < at {
			return val, true
		}
		if at > f.end {
			return 0, false
		}
	}
}

// funcdataEnd returns where the stack maps and other tables of functions end that begin at start.
func (p *pclntab) funcdataEnd(start uint64) uint64 {
	fixed := 10
	if p.startLine {
		fixed = 11
	}
	end := start
	for i := range p.functions {
		info := p.functions[i].info
		pcdata, ok1 := p.field(info, 7)
		counts, ok2 := p.field(info, fixed-1)
		if !ok1 || !ok2 || pcdata > 64 {
			continue
		}
		for k := range int(counts >> 24) {
			if off, ok := p.field(info, fixed+int(pcdata)+k); ok && off != ^uint32(0) {
				end = max(end, start+uint64(off)+1)
			}
		}
	}
	return end
}
