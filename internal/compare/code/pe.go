package code

import (
	"bytes"
	"crypto/sha256"
	"debug/pe"
	"encoding/binary"
	"fmt"
	"sort"
	"strings"
	"time"
)

// loadPE reads an executable or library for Windows (PE/COFF specification).
func loadPE(data []byte) (*image, bool) {
	f, err := pe.NewFile(bytes.NewReader(data))
	if err != nil {
		return nil, false
	}
	m := &image{format: "PE", word: 8, imports: make(map[uint64]string)}
	switch f.Machine {
	case pe.IMAGE_FILE_MACHINE_AMD64:
		m.arch = archAMD64
	case pe.IMAGE_FILE_MACHINE_I386:
		m.arch, m.word, m.fixed = arch386, 4, true
	case pe.IMAGE_FILE_MACHINE_ARM64:
		m.arch = archARM64
	default:
		return nil, false
	}
	h := peHeader(f)
	if h == nil || !m.peSections(f, h, data) || !m.settle() {
		return nil, false
	}
	m.peImports(h)
	m.peFacts(f, h, data)
	m.lines = dwarfLines(f.DWARF)
	if m.findGo() {
		return m, true
	}
	m.peFunctions(f, h)
	m.fillFunctions()
	return m, true
}

// optional is what both forms of the optional header say.
type optional struct {
	base                  uint64
	subsystem, characters uint16
	checksum              uint32
	dirs                  []pe.DataDirectory
}

func peHeader(f *pe.File) *optional {
	switch h := f.OptionalHeader.(type) {
	case *pe.OptionalHeader64:
		return &optional{h.ImageBase, h.Subsystem, h.DllCharacteristics, h.CheckSum, h.DataDirectory[:min(h.NumberOfRvaAndSizes, 16)]}
	case *pe.OptionalHeader32:
		return &optional{uint64(h.ImageBase), h.Subsystem, h.DllCharacteristics, h.CheckSum, h.DataDirectory[:min(h.NumberOfRvaAndSizes, 16)]}
	}
	return nil
}

// Indexes of data directories.
const (
	dirExport    = 0
	dirImport    = 1
	dirResource  = 2
	dirException = 3
	dirSecurity  = 4
	dirDebug     = 6
)

// dir returns a directory's content in memory.
func (h *optional) dir(m *image, i int) []byte {
	if i >= len(h.dirs) || h.dirs[i].VirtualAddress == 0 {
		return nil
	}
	b := m.bytes(h.base + uint64(h.dirs[i].VirtualAddress))
	return b[:min(uint64(len(b)), uint64(h.dirs[i].Size))]
}

func (m *image) peSections(f *pe.File, h *optional, data []byte) bool {
	const code, write, discardable = 0x20, 0x80000000, 0x02000000
	for _, s := range f.Sections {
		size := uint64(max(s.VirtualSize, 1))
		c := section{name: s.Name, addr: h.base + uint64(s.VirtualAddress), size: size, offset: int64(s.Offset), code: s.Characteristics&code != 0 && s.Characteristics&0x20000000 != 0, write: s.Characteristics&write != 0}
		if s.Size > 0 {
			if uint64(s.Offset) > uint64(len(data)) || uint64(s.Size) > uint64(len(data))-uint64(s.Offset) {
				return false
			}
			c.data = data[s.Offset : uint64(s.Offset)+min(uint64(s.Size), size)]
			c.stored = int64(s.Size)
		}
		if s.Characteristics&discardable != 0 && s.Name != ".reloc" || s.VirtualSize == 0 {
			m.other = append(m.other, c)
			continue
		}
		m.sections = append(m.sections, c)
	}
	return true
}

// peImports names the pointers of the import address tables.
func (m *image) peImports(h *optional) {
	le := binary.LittleEndian
	b := h.dir(m, dirImport)
	top := uint64(1) << (8*m.word - 1)
	for ; len(b) >= 20 && len(m.facts.imports) < maxImports; b = b[20:] {
		names, lib, slots := le.Uint32(b), le.Uint32(b[12:]), le.Uint32(b[16:])
		if lib == 0 {
			break
		}
		library := strings.ToLower(cString(m.bytes(h.base + uint64(lib))))
		m.facts.needed = append(m.facts.needed, library)
		if names == 0 {
			names = slots
		}
		for k := range uint64(maxImports) {
			t := m.bytes(h.base + uint64(names) + k*uint64(m.word))
			if len(t) < m.word {
				break
			}
			v := m.read(t)
			if v == 0 {
				break
			}
			name := fmt.Sprintf("%s!#%d", library, v&0xffff)
			if v&top == 0 {
				if n := m.bytes(h.base + v); len(n) > 2 {
					name = library + "!" + cString(n[2:])
				}
			}
			m.imports[h.base+uint64(slots)+k*uint64(m.word)] = name
			m.facts.imports = append(m.facts.imports, name)
		}
	}
	sort.Strings(m.facts.imports)
}

func cString(b []byte) string {
	b = b[:min(len(b), maxString)]
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}

// peFunctions takes symbols of the COFF table, exports and the ranges of .pdata.
func (m *image) peFunctions(f *pe.File, h *optional) {
	var starts []function
	for _, s := range f.Symbols {
		if s.SectionNumber <= 0 || int(s.SectionNumber) > len(f.Sections) || s.Name == "" || len(starts) > maxFunctions || strings.HasPrefix(s.Name, ".") {
			continue
		}
		addr := h.base + uint64(f.Sections[s.SectionNumber-1].VirtualAddress) + uint64(s.Value)
		sec := m.in(addr)
		const function_, external, static = 0x20, 2, 3
		switch {
		case sec == nil:
		case sec.code && (s.Type == function_ || s.StorageClass == external):
			starts = append(starts, function{name: s.Name, entry: addr})
		case !sec.code && (s.StorageClass == external || s.StorageClass == static):
			m.objects = append(m.objects, symbol{s.Name, addr, 1})
		}
	}
	sort.SliceStable(m.objects, func(i, j int) bool { return m.objects[i].addr < m.objects[j].addr })
	for _, e := range m.peExports(h) {
		if s := m.in(e.addr); s != nil && s.code {
			starts = append(starts, function{name: e.name, entry: e.addr})
		}
	}
	le := binary.LittleEndian
	entry := 12
	if m.arch == archARM64 {
		entry = 8
	}
	if m.arch != arch386 {
		for b := h.dir(m, dirException); len(b) >= entry && len(starts) < maxFunctions; b = b[entry:] {
			start := h.base + uint64(le.Uint32(b))
			if s := m.in(start); s != nil && s.code {
				starts = append(starts, function{entry: start})
			}
		}
	}
	m.bound(starts)
}

// peExports returns exported names with their addresses.
func (m *image) peExports(h *optional) []symbol {
	b := h.dir(m, dirExport)
	if len(b) < 40 {
		return nil
	}
	le := binary.LittleEndian
	functions, names, ordinals := h.base+uint64(le.Uint32(b[28:])), h.base+uint64(le.Uint32(b[32:])), h.base+uint64(le.Uint32(b[36:]))
	var list []symbol
	for k := range uint64(min(le.Uint32(b[24:]), maxImports)) {
		n, o := m.bytes(names+4*k), m.bytes(ordinals+2*k)
		if len(n) < 4 || len(o) < 2 {
			break
		}
		a := m.bytes(functions + 4*uint64(le.Uint16(o)))
		if len(a) < 4 {
			continue
		}
		list = append(list, symbol{name: cString(m.bytes(h.base + uint64(le.Uint32(n)))), addr: h.base + uint64(le.Uint32(a))})
	}
	return list
}

func (m *image) peFacts(f *pe.File, h *optional, data []byte) {
	x := &m.facts
	x.secNames, x.resources = make(map[string]uint64), make(map[string]string)
	x.header = map[string]string{
		"subsystem": fmt.Sprint(h.subsystem), "characteristics": fmt.Sprintf("%#x", h.characters), "image base": fmt.Sprintf("%#x", h.base),
	}
	for i := range m.sections {
		x.secNames[m.sections[i].name] = m.sections[i].size
	}
	if t := f.TimeDateStamp; t != 0 {
		x.stamp = time.Unix(int64(t), 0).UTC().Format(time.RFC3339)
	} else {
		x.stamp = "none"
	}
	x.debug = "no symbols"
	if len(f.Symbols) > 0 {
		x.debug = "symbols"
	}
	if f.Section(".debug_info") != nil {
		x.debug += " and debug data"
		if s := f.Section(".debug_info"); s.Size <= maxProducers {
			if d, err := f.DWARF(); err == nil {
				x.units(d)
			}
		}
	}
	for _, e := range m.peExports(h) {
		x.exports = append(x.exports, e.name)
	}
	sort.Strings(x.exports)
	m.peResources(h)
	m.peDebugID(h)
	if len(h.dirs) > dirSecurity && h.dirs[dirSecurity].Size > 0 { // the address of this directory is an offset in the file
		if b := part64(data, h.dirs[dirSecurity].VirtualAddress, h.dirs[dirSecurity].Size); b != nil {
			sum := sha256.Sum256(b)
			x.signature = fmt.Sprintf("%d bytes, SHA-256 %x", len(b), sum[:8])
		}
	}
}

// peDebugID reads the GUID that ties a program to its file of debug data.
func (m *image) peDebugID(h *optional) {
	le := binary.LittleEndian
	for b := h.dir(m, dirDebug); len(b) >= 28; b = b[28:] {
		const codeView = 2
		if le.Uint32(b[12:]) != codeView {
			continue
		}
		if d := m.bytes(h.base + uint64(le.Uint32(b[20:]))); len(d) >= 24 && string(d[:4]) == "RSDS" {
			m.facts.id = fmt.Sprintf("%x", d[4:20])
			m.facts.directories = []string{cString(d[24:])}
		}
	}
}
