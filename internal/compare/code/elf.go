package code

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"sort"
)

// loadELF reads an executable or shared object. It reports false for what is none, for sections that do not lie where
// the program headers load them from, and for byte orders and processors that nobody compares by function.
func loadELF(data []byte, like *pclntab) (*image, bool) {
	f, err := elf.NewFile(bytes.NewReader(data))
	if err != nil || f.Data != elf.ELFDATA2LSB {
		return nil, false
	}
	m := &image{format: "ELF", word: 8, fixed: f.Type == elf.ET_EXEC, imports: make(map[uint64]string), like: like}
	if f.Class == elf.ELFCLASS32 {
		m.word = 4
	}
	switch f.Machine {
	case elf.EM_X86_64:
		m.arch = archAMD64
	case elf.EM_386:
		m.arch = arch386
	case elf.EM_AARCH64:
		m.arch = archARM64
	case elf.EM_ARM:
		m.arch = archARM
	default:
		return nil, false
	}
	if f.Type == elf.ET_REL {
		return loadObject(m, f, data)
	}
	if f.Type != elf.ET_EXEC && f.Type != elf.ET_DYN || !m.elfSections(f, data) || !m.settle() {
		return nil, false
	}
	m.elfRelocations(f)
	m.facts = elfFacts(f)
	m.lines = dwarfLines(f.DWARF)
	if m.findGo() { // build information names compiler and flags
		return m, true
	}
	if d := elfUnits(f); d != nil {
		m.facts.units(d)
	}
	m.elfFunctions(f)
	return m, true
}

// elfSections reads the section table. Section headers are only a description: what runs is what the program headers
// load, so a section that lies elsewhere in the file than they say makes the description a lie.
func (m *image) elfSections(f *elf.File, data []byte) bool {
	if len(f.Sections) > maxSegments {
		return false
	}
	for _, s := range f.Sections {
		c := section{name: s.Name, addr: s.Addr, size: s.Size, offset: int64(s.Offset), code: s.Flags&elf.SHF_EXECINSTR != 0, write: s.Flags&elf.SHF_WRITE != 0}
		if s.Type == elf.SHT_NULL || s.Size == 0 {
			continue
		}
		if s.Type != elf.SHT_NOBITS {
			if s.Offset > uint64(len(data)) || s.FileSize > uint64(len(data))-s.Offset {
				return false
			}
			c.data = data[s.Offset : s.Offset+s.FileSize]
			c.stored = int64(s.FileSize)
		}
		if s.Flags&elf.SHF_ALLOC == 0 {
			m.other = append(m.other, c)
			continue
		}
		if s.Flags&elf.SHF_TLS != 0 && s.Type == elf.SHT_NOBITS {
			continue // takes no room
		}
		if s.Flags&elf.SHF_COMPRESSED != 0 || !loadedWhere(f, s) {
			return false
		}
		m.sections = append(m.sections, c)
	}
	return true
}

func loadedWhere(f *elf.File, s *elf.Section) bool {
	for _, p := range f.Progs {
		if p.Type != elf.PT_LOAD || s.Addr < p.Vaddr || s.Addr-p.Vaddr >= max(p.Memsz, 1) {
			continue
		}
		if s.Type == elf.SHT_NOBITS {
			return s.Addr-p.Vaddr >= p.Filesz || s.Size == 0
		}
		in := s.Addr - p.Vaddr
		return s.Offset-p.Off == in && in+s.FileSize <= p.Filesz
	}
	return false
}

// elfRelocations writes the addresses that the loader would write, and notes which symbols it looks up.
func (m *image) elfRelocations(f *elf.File) {
	symbols, _ := f.DynamicSymbols()
	name := func(i uint32) string {
		if i == 0 || int(i) > len(symbols) {
			return ""
		}
		return symbols[i-1].Name
	}
	// R_*_RELATIVE and R_*_IRELATIVE
	own := map[arch][2]uint32{archAMD64: {8, 37}, arch386: {8, 42}, archARM64: {1027, 1032}, archARM: {23, 160}}[m.arch]
	for _, s := range f.Sections {
		if s.Type != elf.SHT_RELA && s.Type != elf.SHT_REL || s.Flags&elf.SHF_ALLOC == 0 {
			continue
		}
		b := m.bytes(s.Addr)
		b = b[:min(uint64(len(b)), s.FileSize)]
		m.eachRelocation(b, s.Type == elf.SHT_RELA, func(at uint64, kind, sym uint32, addend uint64, has bool) {
			switch {
			case kind == own[0] || kind == own[1]:
				if has {
					m.patch(at, addend)
				}
			case sym != 0:
				if i := int(sym) - 1; i < len(symbols) && symbols[i].Section != elf.SHN_UNDEF && symbols[i].Value != 0 && has {
					m.patch(at, symbols[i].Value+addend)
					m.imports[at] = added(name(sym), int64(addend))
					return
				}
				if inPlace := m.arch == arch386 && kind == 1 || m.arch == archARM && kind == 2; inPlace && !has && len(m.bytes(at)) >= m.word {
					addend = uint64(int32(m.read(m.bytes(at)))) // R_386_32, R_ARM_ABS32
				}
				m.bind(at, added(name(sym), int64(addend)))
			}
		})
	}
}

// eachRelocation calls f for every entry of a relocation table.
func (m *image) eachRelocation(b []byte, rela bool, f func(at uint64, kind, sym uint32, addend uint64, has bool)) {
	le := binary.LittleEndian
	switch {
	case m.word == 8 && rela:
		for ; len(b) >= 24; b = b[24:] {
			info := le.Uint64(b[8:])
			f(le.Uint64(b), uint32(info), uint32(info>>32), le.Uint64(b[16:]), true)
		}
	case m.word == 4 && rela:
		for ; len(b) >= 12; b = b[12:] {
			info := le.Uint32(b[4:])
			f(uint64(le.Uint32(b)), info&0xff, info>>8, uint64(le.Uint32(b[8:])), true)
		}
	case m.word == 4:
		for ; len(b) >= 8; b = b[8:] {
			info := le.Uint32(b[4:])
			f(uint64(le.Uint32(b)), info&0xff, info>>8, 0, false)
		}
	}
}

// elfFunctions finds functions by symbols, then by unwind tables, then takes what is left of code sections as it lies.
func (m *image) elfFunctions(f *elf.File) {
	symbols, err := f.Symbols()
	if err != nil || len(symbols) > maxFunctions {
		symbols = nil
	}
	if dynamic, err := f.DynamicSymbols(); err == nil && len(dynamic) <= maxFunctions {
		symbols = append(symbols, dynamic...)
	}
	thumb := uint64(0)
	if m.arch == archARM {
		thumb = 1
	}
	for _, s := range symbols {
		if s.Section == elf.SHN_UNDEF || s.Section >= elf.SHN_LORESERVE || s.Name == "" {
			continue
		}
		switch elf.ST_TYPE(s.Info) {
		case elf.STT_FUNC, elf.STT_GNU_IFUNC:
			addr := s.Value &^ thumb
			if sec := m.in(addr); sec != nil && sec.code && s.Size <= sec.size {
				m.functions = append(m.functions, function{name: s.Name, entry: addr, end: min(addr+s.Size, sec.addr+sec.size), thumb: s.Value&thumb != 0})
			}
		case elf.STT_OBJECT:
			if s.Size > 0 && m.in(s.Value) != nil {
				m.objects = append(m.objects, symbol{s.Name, s.Value, s.Size})
			}
		}
	}
	sort.SliceStable(m.objects, func(i, j int) bool { return m.objects[i].addr < m.objects[j].addr })
	if s := f.Section(".eh_frame"); s != nil {
		m.unwindFunctions(m.bytes(s.Addr), s.Addr, s.FileSize)
	}
	m.stubs()
	m.nameStart(f.Entry)
	m.fillFunctions()
}

// nameStart names the function at the entry point and, on x86-64, the one whose address it hands to the C library in its
// first argument: main, which a stripped program has no other name for.
func (m *image) nameStart(entry uint64) {
	s := m.in(entry)
	if s == nil || !s.code || m.arch != archAMD64 {
		return
	}
	m.functions = append(m.functions, function{name: "_start", entry: entry, end: entry})
	b := m.bytes(entry)
	b = b[:min(len(b), maxStart)]
	main := uint64(0)
	if i := bytes.Index(b, []byte{0x48, 0x8d, 0x3d}); i >= 0 && i+7 <= len(b) { // lea rdi, [rip+…]
		main = entry + uint64(i) + 7 + uint64(int64(int32(binary.LittleEndian.Uint32(b[i+3:]))))
	} else if i := bytes.Index(b, []byte{0x48, 0xc7, 0xc7}); i >= 0 && i+7 <= len(b) { // mov rdi, …
		main = uint64(binary.LittleEndian.Uint32(b[i+3:]))
	}
	if s := m.in(main); s != nil && s.code {
		m.functions = append(m.functions, function{name: "main", entry: main, end: main})
	}
}
