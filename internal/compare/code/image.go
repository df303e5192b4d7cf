package code

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"sort"
)

// arch is a processor whose code is compared instruction by instruction.
type arch uint8

const (
	archNone arch = iota // code is compared byte by byte
	archAMD64
	arch386
	archARM64
	archARM
)

func (a arch) String() string {
	return [...]string{"an unknown processor", "x86-64", "x86", "arm64", "arm"}[a]
}

// image is an executable as far as it is loaded into memory, whatever format it came in.
type image struct {
	format    string // "ELF", "PE", "Mach-O"
	arch      arch
	word      int       // bytes of an address, 4 or 8
	fixed     bool      // loaded at fixed addresses: numbers in code may be addresses
	sections  []section // loaded ones, by address; they do not overlap
	other     []section // what is not loaded: symbols, debug data
	functions []function
	objects   []symbol          // named data, by address
	imports   map[uint64]string // what the loader puts at an address
	exception []handler         // exception tables of functions
	table     *pclntab          // of Go programs
	like      *pclntab          // of a program that may have the same table
	module    module
	text      *section // of Go programs, where Go code lies
	lines     func(pc uint64) (file string, line int)
	facts     facts
}

// section is a run of memory with one purpose.
type section struct {
	name   string
	addr   uint64
	size   uint64
	offset int64  // in the file
	stored int64  // bytes in the file
	data   []byte // nil for what starts as zeros
	code   bool
	write  bool
	cloned bool // data is our own copy
}

// function is a run of code with one name, or with none where a program was stripped.
type function struct {
	name  string
	entry uint64
	end   uint64
	info  uint32 // of Go programs, offset of its record behind the table
	open  bool   // nobody says where it ends
	thumb bool   // of 32-bit Arm: T32 code
	gap   bool   // made up for code that no table names
	stub  bool   // jumps to an import, which is compared by itself
}

type symbol struct {
	name string
	addr uint64
	size uint64
}

// handler ties a function to its table of exception handlers.
type handler struct{ entry, table uint64 }

// module is what runtime.moduledata says about the layout of a Go program; it is found by its first word, which points
// to the line table.
type module struct {
	at, text, etext     uint64
	findfunc, gofunc    uint64
	types, etypes       uint64
	gcdata, gcbss, size uint64
	modinfo             uint64 // the string header of runtime.modinfo
	table, tableEnd     uint64 // the line table
	sectMap             uint64 // where the map of code sections is, which holds the size of the code
}

// settle sorts sections and reports whether they hold together.
func (m *image) settle() bool {
	sort.Slice(m.sections, func(i, j int) bool { return m.sections[i].addr < m.sections[j].addr })
	for i := range m.sections {
		s := &m.sections[i]
		if s.addr+s.size < s.addr || i > 0 && s.addr < m.sections[i-1].addr+m.sections[i-1].size {
			return false
		}
	}
	return len(m.sections) > 0 && len(m.sections) <= maxSegments
}

// in returns the section that holds addr.
func (m *image) in(addr uint64) *section {
	i := sort.Search(len(m.sections), func(i int) bool { return m.sections[i].addr > addr })
	if i == 0 {
		return nil
	}
	s := &m.sections[i-1]
	if addr-s.addr >= s.size {
		return nil
	}
	return s
}

// bytes returns what lies at addr up to the end of its section, nil for zeros and outside.
func (m *image) bytes(addr uint64) []byte {
	s := m.in(addr)
	if s == nil || addr-s.addr >= uint64(len(s.data)) {
		return nil
	}
	return s.data[addr-s.addr:]
}

// patch writes an address as a loader would, into our own copy of the section.
func (m *image) patch(addr, value uint64) {
	s := m.in(addr)
	if s == nil || s.data == nil || addr-s.addr+uint64(m.word) > uint64(len(s.data)) {
		return
	}
	if !s.cloned {
		s.data, s.cloned = bytes.Clone(s.data), true
	}
	if at := s.data[addr-s.addr:]; m.word == 8 {
		binary.LittleEndian.PutUint64(at, value)
	} else {
		binary.LittleEndian.PutUint32(at, uint32(value))
	}
}

// bind notes that the loader puts the address of something in a library at addr. What lies there becomes a number that stands for the name, so that no
// other name is taken for it.
func (m *image) bind(addr uint64, name string) {
	m.imports[addr] = name
	h := fnv.New64a()
	h.Write([]byte(name))
	if v := h.Sum64(); m.word == 8 {
		m.patch(addr, boundMark<<48|v&(1<<48-1))
	} else {
		m.patch(addr, boundMark>>12<<28|v&(1<<28-1))
	}
}

const boundMark = 0xfb1d // no address begins like this

// isBound tells whether a word may stand for a name.
func (m *image) isBound(v uint64) bool {
	return m.word == 8 && v>>48 == boundMark || m.word == 4 && v>>28 == boundMark>>12
}

// added names a place behind a symbol.
func added(name string, n int64) string {
	if n == 0 {
		return name
	}
	return fmt.Sprintf("%s%+d", name, n)
}

// read returns the address that lies at the start of b.
func (m *image) read(b []byte) uint64 {
	if m.word == 8 {
		return binary.LittleEndian.Uint64(b)
	}
	return uint64(binary.LittleEndian.Uint32(b))
}

// inCode tells whether addr lies in code that is compared by function.
func (m *image) inCode(addr uint64) bool {
	if m.table != nil {
		return addr-m.module.text < m.module.etext-m.module.text
	}
	s := m.in(addr)
	return s != nil && s.code
}

// function returns the index of the function that holds pc, -1 for none.
func (m *image) function(pc uint64) int {
	i := sort.Search(len(m.functions), func(i int) bool { return m.functions[i].entry > pc }) - 1
	if i < 0 || pc >= m.functions[i].end {
		return -1
	}
	return i
}

// body returns the machine code of a function with the padding behind it, which cannot be told from an operand.
func (m *image) body(f *function) []byte {
	b := m.bytes(f.entry)
	return b[:min(uint64(len(b)), f.end-f.entry)]
}

// place returns the file and line of pc in a function; where inlined code of another file lies there, those of
// the function.
func (m *image) place(f *function, pc uint64) (string, int) {
	if m.table != nil {
		file, line := m.table.line(f, pc)
		if own, start := m.table.line(f, f.entry); own != file {
			return own, start
		}
		return file, line
	}
	if m.lines == nil {
		return "", 0
	}
	return m.lines(pc)
}

// named returns the named data that holds addr.
func (m *image) named(addr uint64) (*symbol, bool) {
	i := sort.Search(len(m.objects), func(i int) bool { return m.objects[i].addr > addr }) - 1
	if i < 0 || addr-m.objects[i].addr >= max(m.objects[i].size, 1) {
		return nil, false
	}
	return &m.objects[i], true
}

// derived sections follow from code, types and symbols: what changes in them has its cause elsewhere. Build information,
// imports and exports are compared by themselves.
func derived(name string) bool {
	switch name {
	case ".gopclntab", ".data.rel.ro.gopclntab", "__gopclntab", ".typelink", ".itablink", ".data.rel.ro.typelink", ".data.rel.ro.itablink",
		"__typelink", "__itablink", ".gosymtab", "__gosymtab", ".go.buildinfo", "__go_buildinfo", ".go.fipsinfo", "__go_fipsinfo", ".go.module",
		".note.go.buildid", ".note.gnu.build-id", ".note.ABI-tag", ".note.gnu.property", ".rela", ".rela.dyn", ".rela.plt", ".rel.dyn", ".rel.plt", ".relr.dyn",
		".gnu.version", ".gnu.version_r", ".gnu.version_d", ".hash", ".gnu.hash", ".dynsym", ".dynstr", ".interp", ".got", ".got.plt", ".dynamic",
		".eh_frame", ".eh_frame_hdr", ".gnu_debuglink", ".pdata", ".xdata", ".reloc", ".edata", ".idata", ".rsrc", ".ARM.exidx", ".ARM.extab",
		"__unwind_info", "__eh_frame", "__got", "__la_symbol_ptr", "__nl_symbol_ptr", "__stub_helper", ".symtab", ".debug_link", ".buildid":
		return true
	}
	return false
}
