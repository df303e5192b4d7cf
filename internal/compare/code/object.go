package code

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
)

// relocatable lays out an object file or kernel module, whose sections have no addresses yet, one section behind the
// other, and writes the references that its relocation tables describe.
type relocatable struct {
	m       *image
	f       *elf.File
	symbols []elf.Symbol
	at      []uint64 // the address of each section
	values  []uint64 // the address of each symbol
}

// objectBase is where the first section is laid: high enough that small numbers are no addresses.
const objectBase = 0x40000000

func loadObject(m *image, f *elf.File, data []byte) (*image, bool) {
	o := &relocatable{m: m, f: f, at: make([]uint64, len(f.Sections))}
	next := uint64(objectBase)
	for i, s := range f.Sections {
		if len(f.Sections) > maxObjectSections || s.Flags&elf.SHF_ALLOC == 0 || s.Size == 0 {
			continue
		}
		c := section{name: s.Name, addr: next, size: s.Size, offset: int64(s.Offset), code: s.Flags&elf.SHF_EXECINSTR != 0, write: s.Flags&elf.SHF_WRITE != 0}
		if s.Type != elf.SHT_NOBITS {
			if s.Offset > uint64(len(data)) || s.FileSize > uint64(len(data))-s.Offset || s.Size > uint64(len(data)) {
				return nil, false
			}
			c.data, c.stored = data[s.Offset:s.Offset+s.FileSize], int64(s.FileSize)
		} else if s.Size > maxImage {
			return nil, false
		}
		o.at[i] = next
		next = (next + s.Size + 0x1fff) &^ 0xfff // a hole between sections: the end of one is not the start of the next
		m.sections = append(m.sections, c)
	}
	var err error
	if o.symbols, err = f.Symbols(); err != nil || len(o.symbols) > maxFunctions || len(m.sections) == 0 {
		return nil, false
	}
	o.place(next)
	m.sections = append(m.sections, section{name: "undefined symbols", addr: next, size: uint64(len(o.symbols)+1) * 16})
	if !m.sortObject() {
		return nil, false
	}
	o.relocate()
	m.facts = elfFacts(f)
	if d := elfUnits(f); d != nil {
		m.facts.units(d)
	}
	for _, s := range o.symbols {
		if s.Section == elf.SHN_UNDEF && s.Name != "" {
			m.facts.imports = append(m.facts.imports, s.Name)
		}
	}
	m.lines = dwarfLines(f.DWARF)
	m.fillFunctions()
	return m, true
}

// sortObject is settle for object files, which may have a section for each function.
func (m *image) sortObject() bool {
	for i := range m.sections {
		if s := &m.sections[i]; s.addr+s.size < s.addr || i > 0 && s.addr < m.sections[i-1].addr+m.sections[i-1].size {
			return false
		}
	}
	return true
}

// place gives every symbol an address: where it is defined, or a place of its own.
func (o *relocatable) place(undefined uint64) {
	o.values = make([]uint64, len(o.symbols)+1)
	for i, s := range o.symbols {
		switch {
		case s.Section == elf.SHN_UNDEF || s.Section >= elf.SHN_LORESERVE:
			o.values[i+1] = undefined + uint64(i)*16
			o.m.imports[o.values[i+1]] = s.Name
			continue
		case int(s.Section) >= len(o.at) || o.at[s.Section] == 0:
			continue
		}
		addr := o.at[s.Section] + s.Value
		o.values[i+1] = addr
		sec := o.f.Sections[s.Section]
		switch {
		case s.Value >= sec.Size || s.Name == "":
		case elf.ST_TYPE(s.Info) == elf.STT_FUNC && s.Size > 0 && sec.Flags&elf.SHF_EXECINSTR != 0:
			o.m.functions = append(o.m.functions, function{name: s.Name, entry: addr, end: addr + min(s.Size, sec.Size-s.Value)})
		case elf.ST_TYPE(s.Info) == elf.STT_OBJECT:
			o.m.objects = append(o.m.objects, symbol{s.Name, addr, s.Size})
		}
	}
}

func (o *relocatable) relocate() {
	for _, s := range o.f.Sections {
		if s.Type != elf.SHT_RELA && s.Type != elf.SHT_REL || int(s.Info) >= len(o.at) || o.at[s.Info] == 0 {
			continue
		}
		table, err := s.Data()
		if err != nil {
			continue
		}
		base := o.at[s.Info]
		sec := o.m.in(base)
		if sec == nil || sec.data == nil {
			continue
		}
		if !sec.cloned {
			sec.data, sec.cloned = bytes.Clone(sec.data), true
		}
		o.m.eachRelocation(table, s.Type == elf.SHT_RELA, func(at uint64, kind, sym uint32, addend uint64, has bool) {
			if int(sym) >= len(o.values) || o.values[sym] == 0 || at > uint64(len(sec.data)) || uint64(len(sec.data))-at < 4 {
				return
			}
			b := sec.data[at:]
			if !has {
				addend = uint64(int64(int32(binary.LittleEndian.Uint32(b))))
			}
			o.write(b, kind, o.values[sym]+addend, base+at)
		})
	}
}

// write applies one relocation (the processor supplements of the System V ABI).
func (o *relocatable) write(b []byte, kind uint32, value, place uint64) {
	le := binary.LittleEndian
	word := le.Uint32(b)
	switch o.m.arch {
	case archAMD64:
		switch kind {
		case 1: // R_X86_64_64
			if len(b) >= 8 {
				le.PutUint64(b, value)
			}
		case 2, 4, 9, 41, 42: // PC32, PLT32 and the forms that go through the global offset table
			le.PutUint32(b, uint32(value-place))
		case 10, 11: // 32, 32S
			le.PutUint32(b, uint32(value))
		}
	case arch386:
		switch kind {
		case 1:
			le.PutUint32(b, uint32(value))
		case 2, 4:
			le.PutUint32(b, uint32(value-place))
		}
	case archARM64:
		switch kind {
		case 257:
			if len(b) >= 8 {
				le.PutUint64(b, value)
			}
		case 258:
			le.PutUint32(b, uint32(value))
		case 261:
			le.PutUint32(b, uint32(value-place))
		case 282, 283: // JUMP26, CALL26
			le.PutUint32(b, word&^masks[refBranch]|uint32((value-place)>>2)&masks[refBranch])
		case 275: // ADR_PREL_PG_HI21
			d := uint32(int64(value&^0xfff-place&^0xfff) >> 12)
			le.PutUint32(b, word&^masks[refPage]|d&3<<29|d>>2&0x7ffff<<5)
		case 277, 278: // ADD and loads of bytes
			le.PutUint32(b, word&^masks[refLow]|uint32(value)&0xfff<<10)
		case 284, 285, 286, 299: // loads of 2, 4, 8 and 16 bytes
			shift := map[uint32]uint32{284: 1, 285: 2, 286: 3, 299: 4}[kind]
			le.PutUint32(b, word&^masks[refLow]|uint32(value)&0xfff>>shift<<10)
		}
	}
}
