package code

import (
	"bytes"
	"crypto/sha256"
	"debug/macho"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"sort"
	"strings"
)

// Load commands of mach-o/loader.h that debug/macho does not take apart.
const (
	lcUUID           = 0x1b
	lcCodeSignature  = 0x1d
	lcFunctionStarts = 0x26
	lcRpath          = 0x8000001c
	sectSymbolStubs  = 8
	sectLazyPointers = 7
	sectPointers     = 6
	undefinedSymbol  = 0x0e
	externalSymbol   = 0x01
)

// loadMachO reads a thin Mach-O file for x86-64 or arm64.
func loadMachO(data []byte) (*image, bool) {
	if len(data) < 32 {
		return nil, false
	}
	f, err := macho.NewFile(bytes.NewReader(data))
	if err != nil || f.ByteOrder != binary.LittleEndian || f.Magic != macho.Magic64 {
		return nil, false
	}
	m := &image{format: "Mach-O", word: 8, imports: make(map[uint64]string)}
	switch f.Cpu {
	case macho.CpuAmd64:
		m.arch = archAMD64
	case macho.CpuArm64:
		m.arch = archARM64
	default:
		return nil, false
	}
	if !m.machoSections(f, data) || !m.settle() {
		return nil, false
	}
	m.machoFacts(f, data)
	m.machoChains(f, data) // reads what lies in the file; the others write into it
	m.machoBinds(f, data)
	m.machoImports(f)
	m.lines = dwarfLines(f.DWARF)
	if m.findGo() {
		return m, true
	}
	m.machoFunctions(f, data)
	m.fillFunctions()
	return m, true
}

func (m *image) machoSections(f *macho.File, data []byte) bool {
	if len(f.Sections) > maxSegments {
		return false
	}
	const zeroFill, gbZeroFill, threadZeroFill = 1, 12, 18
	for _, s := range f.Sections {
		if s.Size == 0 || s.Seg == "__DWARF" {
			continue
		}
		c := section{name: s.Name, addr: s.Addr, size: s.Size, offset: int64(s.Offset), code: s.Flags&0x80000400 != 0, write: strings.HasPrefix(s.Seg, "__DATA") && s.Seg != "__DATA_CONST"}
		if t := s.Flags & 0xff; t != zeroFill && t != gbZeroFill && t != threadZeroFill {
			if uint64(s.Offset) > uint64(len(data)) || s.Size > uint64(len(data))-uint64(s.Offset) || !machoLoaded(f, s) {
				return false
			}
			c.data, c.stored = data[s.Offset:uint64(s.Offset)+s.Size], int64(s.Size)
		}
		if s.Flags&0xff == threadZeroFill {
			continue
		}
		m.sections = append(m.sections, c)
	}
	return true
}

// machoLoaded tells whether the segment loads the section from where the section says that it is.
func machoLoaded(f *macho.File, s *macho.Section) bool {
	for _, l := range f.Loads {
		if g, ok := l.(*macho.Segment); ok && g.Name == s.Seg {
			return s.Addr >= g.Addr && s.Addr-g.Addr == uint64(s.Offset)-g.Offset && s.Addr-g.Addr+s.Size <= g.Filesz
		}
	}
	return f.Type == macho.TypeObj
}

// machoImports names the pointers and stubs that the loader binds, by the indirect symbol table.
func (m *image) machoImports(f *macho.File) {
	if f.Dysymtab == nil || f.Symtab == nil {
		return
	}
	indirect := f.Dysymtab.IndirectSyms
	for _, s := range f.Sections {
		kind := s.Flags & 0xff
		size := uint64(8)
		if kind == sectSymbolStubs {
			size = uint64(sectionReserved2(s, m.arch))
		} else if kind != sectLazyPointers && kind != sectPointers {
			continue
		}
		first := uint64(sectionReserved1(f, s))
		for k := uint64(0); size > 0 && (k+1)*size <= s.Size && first+k < uint64(len(indirect)); k++ {
			sym := indirect[first+k]
			if int(sym) >= len(f.Symtab.Syms) {
				continue
			}
			name := f.Symtab.Syms[sym].Name
			if kind == sectSymbolStubs {
				m.functions = append(m.functions, function{name: name + "@stub", entry: s.Addr + k*size, end: s.Addr + (k+1)*size, stub: true})
			} else {
				m.bind(s.Addr+k*8, name)
			}
		}
	}
}

// sectionReserved1 returns the index into the indirect symbol table, which debug/macho leaves out: it is read from the
// load command again.
func sectionReserved1(f *macho.File, s *macho.Section) uint32 {
	const segment64, head, entry = 0x19, 72, 80
	for _, l := range f.Loads {
		g, ok := l.(*macho.Segment)
		if !ok || g.Name != s.Seg {
			continue
		}
		raw := g.Raw()
		for k := 0; head+(k+1)*entry <= len(raw); k++ {
			b := raw[head+k*entry:]
			if string(bytes.TrimRight(b[:16], "\x00")) == s.Name {
				return f.ByteOrder.Uint32(b[68:])
			}
		}
	}
	return ^uint32(0)
}

func sectionReserved2(_ *macho.Section, a arch) uint32 {
	if a == archARM64 {
		return 12
	}
	return 6
}

// machoFunctions takes symbols and the list of function starts.
func (m *image) machoFunctions(f *macho.File, data []byte) {
	var starts []function
	if f.Symtab != nil && len(f.Symtab.Syms) <= maxFunctions {
		for _, s := range f.Symtab.Syms {
			const stab, typeMask, inSection = 0xe0, 0x0e, 0x0e
			if s.Type&stab != 0 || s.Type&typeMask != inSection || s.Name == "" {
				continue
			}
			if sec := m.in(s.Value); sec != nil && sec.code {
				starts = append(starts, function{name: s.Name, entry: s.Value})
			} else if sec != nil {
				m.objects = append(m.objects, symbol{s.Name, s.Value, 1})
			}
		}
	}
	sort.SliceStable(m.objects, func(i, j int) bool { return m.objects[i].addr < m.objects[j].addr })
	for _, l := range f.Loads {
		raw := l.Raw()
		if len(raw) >= 16 && f.ByteOrder.Uint32(raw) == lcFunctionStarts {
			starts = append(starts, m.functionStarts(part64(data, f.ByteOrder.Uint32(raw[8:]), f.ByteOrder.Uint32(raw[12:])), f)...)
		}
	}
	m.bound(starts)
}

// functionStarts reads the distances between functions, the first one from the start of __TEXT.
func (m *image) functionStarts(b []byte, f *macho.File) []function {
	text := f.Segment("__TEXT")
	if text == nil {
		return nil
	}
	var list []function
	for at := text.Addr; len(b) > 0 && len(list) < maxFunctions; {
		d, n := binary.Uvarint(b)
		if n <= 0 || d == 0 {
			break
		}
		b, at = b[n:], at+d
		if s := m.in(at); s != nil && s.code {
			list = append(list, function{entry: at})
		}
	}
	return list
}

// bound lets every function end where the next one or its section does.
func (m *image) bound(starts []function) {
	sort.SliceStable(starts, func(i, j int) bool { return starts[i].entry < starts[j].entry })
	for i := range starts {
		s := m.in(starts[i].entry)
		starts[i].end = s.addr + s.size
		for k := i + 1; k < len(starts); k++ {
			if starts[k].entry > starts[i].entry {
				starts[i].end = min(starts[i].end, starts[k].entry)
				break
			}
		}
	}
	m.functions = append(m.functions, starts...)
}

func part64(data []byte, off, size uint32) []byte {
	if uint64(off)+uint64(size) > uint64(len(data)) {
		return nil
	}
	return data[off : off+size]
}

func (m *image) machoFacts(f *macho.File, data []byte) {
	x := &m.facts
	x.secNames, x.header = make(map[string]uint64), make(map[string]string)
	x.needed, _ = f.ImportedLibraries()
	for i := range m.sections {
		x.secNames[m.sections[i].name] = m.sections[i].size
	}
	x.header["type"], x.header["flags"] = f.Type.String(), fmt.Sprintf("%#x", f.Flags)
	x.debug = "no symbols"
	if f.Symtab != nil {
		for _, s := range f.Symtab.Syms {
			switch {
			case s.Type&undefinedSymbol == 0 && s.Type&externalSymbol != 0:
				x.imports = append(x.imports, s.Name)
			case s.Type&externalSymbol != 0:
				x.exports = append(x.exports, s.Name)
			default:
				x.debug = "symbols"
			}
		}
		sort.Strings(x.imports)
		sort.Strings(x.exports)
	}
	if f.Segment("__DWARF") != nil {
		x.debug += " and debug data"
	}
	for _, l := range f.Loads {
		raw := l.Raw()
		if len(raw) < 16 {
			continue
		}
		switch f.ByteOrder.Uint32(raw) {
		case lcRpath:
			if at := f.ByteOrder.Uint32(raw[8:]); int(at) < len(raw) {
				x.paths = append(x.paths, "rpath "+strings.TrimRight(string(raw[at:]), "\x00"))
			}
		case lcUUID:
			x.id = hex.EncodeToString(raw[8:min(24, len(raw))])
		case lcCodeSignature:
			m.machoSignature(part64(data, f.ByteOrder.Uint32(raw[8:]), f.ByteOrder.Uint32(raw[12:])))
		}
	}
}

// machoSignature reads the blobs of a code signature: entitlements are part of the program's contract, the rest is a
// signature (cs_blobs.h).
func (m *image) machoSignature(b []byte) {
	const super, entitlements = 0xfade0cc0, 0xfade7171
	if len(b) < 12 || binary.BigEndian.Uint32(b) != super {
		return
	}
	sum := sha256.Sum256(b)
	m.facts.signature = fmt.Sprintf("%d bytes, SHA-256 %x", len(b), sum[:8])
	for k := uint32(0); k < min(binary.BigEndian.Uint32(b[8:]), maxSlices); k++ {
		if int(12+8*k+8) > len(b) {
			return
		}
		at := binary.BigEndian.Uint32(b[12+8*k+4:])
		if uint64(at)+8 > uint64(len(b)) || binary.BigEndian.Uint32(b[at:]) != entitlements {
			continue
		}
		n := binary.BigEndian.Uint32(b[at+4:])
		if n >= 8 && uint64(at)+uint64(n) <= uint64(len(b)) && n <= maxEntitlements {
			m.facts.entitlements = string(b[at+8 : at+n])
		}
	}
}
