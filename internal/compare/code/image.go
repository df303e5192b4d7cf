package code

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"io"
	"sort"
)

// image is a Go program for Linux and its kin on x86-64, as far as it is loaded into memory.
type image struct {
	sections []section // allocated ones, by address
	text     *section
	table    *pclntab
	module   module
}

// section is a run of memory with one purpose.
type section struct {
	name string
	addr uint64
	size uint64
	data []byte // nil for what starts as zeros
	code bool
}

// module is what runtime.moduledata says about the layout; it is found by its first word, which points to the line table.
type module struct {
	at, text, etext     uint64
	findfunc, gofunc    uint64
	types, etypes       uint64
	gcdata, gcbss, size uint64
	modinfo             uint64 // the string header of runtime.modinfo
}

// modInfoStart begins the module information, which runtime/debug keeps in the data and which is compared by itself.
var modInfoStart = []byte("\x30\x77\xaf\x0c\x92\x74\x08\x02\x41\xe1\xc1\x07\xe6\xd6\x18\xe6")

const stringHeader = 16 // bytes of a pointer and a length

// findModInfo finds the string that refers to the module information.
func (m *image) findModInfo() {
	for i := range m.sections {
		s := &m.sections[i]
		j := bytes.Index(s.data, modInfoStart)
		if j < 0 || s.code || derived(s.name) {
			continue
		}
		var want [8]byte
		binary.LittleEndian.PutUint64(want[:], s.addr+uint64(j))
		for k := range m.sections {
			d := &m.sections[k]
			if at := bytes.Index(d.data, want[:]); at >= 0 && !d.code && !derived(d.name) && (d.addr+uint64(at))&7 == 0 {
				m.module.modinfo = d.addr + uint64(at)
				return
			}
		}
	}
}

// load reads a program. It reports false for anything that is no such program, or whose tables do not hold together.
func load(r io.ReaderAt) (*image, bool) {
	f, err := elf.NewFile(r)
	if err != nil || f.Machine != elf.EM_X86_64 || f.Class != elf.ELFCLASS64 || f.Data != elf.ELFDATA2LSB {
		return nil, false
	}
	m := new(image)
	var sum uint64
	for _, s := range f.Sections {
		if s.Flags&elf.SHF_ALLOC == 0 || s.Size == 0 || s.Flags&elf.SHF_TLS != 0 {
			continue
		}
		c := section{name: s.Name, addr: s.Addr, size: s.Size, code: s.Flags&elf.SHF_EXECINSTR != 0}
		if s.Type != elf.SHT_NOBITS {
			if sum += s.Size; s.Size > maxImage || sum > maxImage || len(m.sections) > maxSegments || s.Flags&elf.SHF_COMPRESSED != 0 {
				return nil, false
			}
			var last [1]byte
			if n, _ := s.ReadAt(last[:], int64(s.Size-1)); n != 1 {
				return nil, false // the file is shorter than it says: no memory for it
			}
			c.data = make([]byte, s.Size)
			if n, _ := s.ReadAt(c.data, 0); n != len(c.data) {
				return nil, false
			}
		}
		m.sections = append(m.sections, c)
	}
	sort.Slice(m.sections, func(i, j int) bool { return m.sections[i].addr < m.sections[j].addr })
	for i := range m.sections {
		s := &m.sections[i]
		if s.addr+s.size < s.addr || i > 0 && s.addr < m.sections[i-1].addr+m.sections[i-1].size {
			return nil, false
		}
	}
	m.relocate()
	if !m.findTable() {
		return nil, false
	}
	m.findModInfo()
	return m, true
}

// relocate writes the addresses that the loader of a position-independent program would write.
func (m *image) relocate() {
	for _, rela := range m.sections {
		if rela.name != ".rela.dyn" && rela.name != ".rela" {
			continue
		}
		const relative = 8 // R_X86_64_RELATIVE
		for b := rela.data; len(b) >= 24; b = b[24:] {
			if binary.LittleEndian.Uint64(b[8:])&0xffffffff != relative {
				continue
			}
			if to := m.bytes(binary.LittleEndian.Uint64(b)); len(to) >= 8 {
				copy(to[:8], b[16:24])
			}
		}
	}
}

// inText tells whether addr lies in Go code.
func (m *image) inText(addr uint64) bool { return addr-m.module.text < m.module.etext-m.module.text }

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
	if s == nil || s.data == nil {
		return nil
	}
	return s.data[addr-s.addr:]
}

// findTable finds the line table and, by its address, the module data.
func (m *image) findTable() bool {
	var table *section
	for i := range m.sections {
		switch s := &m.sections[i]; s.name {
		case ".gopclntab", ".data.rel.ro.gopclntab":
			table = s
		case ".text":
			m.text = s
		}
	}
	if table == nil || table.data == nil || m.text == nil || m.text.data == nil || len(table.data) < 72 {
		return false
	}
	if !m.findModule(table.addr, binary.LittleEndian.Uint32(table.data) == magic118) {
		return false
	}
	var ok bool
	m.table, ok = parsePclntab(table.data, m.module.text, m.module.etext)
	return ok
}

// findModule looks for runtime.moduledata; its form is that of the Go releases since 1.18.
func (m *image) findModule(table uint64, old bool) bool {
	var want [8]byte
	binary.LittleEndian.PutUint64(want[:], table)
	for i := range m.sections {
		s := &m.sections[i]
		if s.code || s.data == nil {
			continue
		}
		for off := 0; ; off += 8 {
			j := bytes.Index(s.data[off:], want[:])
			if j < 0 {
				break
			}
			off += j
			if off&7 == 0 && m.parseModule(s, off, old) {
				return true
			}
			off &^= 7
		}
	}
	return false
}

func (m *image) parseModule(s *section, off int, old bool) bool {
	const words = 42
	if len(s.data)-off < words*8 {
		return false
	}
	w := func(i int) uint64 { return binary.LittleEndian.Uint64(s.data[off+8*i:]) }
	shift := 0
	if old {
		shift = -2 // covctrs and ecovctrs came with Go 1.20
	}
	d := module{
		at: s.addr + uint64(off), size: words * 8, text: w(22), etext: w(23), findfunc: w(19),
		gcdata: w(35 + shift), gcbss: w(36 + shift), types: w(37 + shift), etypes: w(38 + shift), gofunc: w(40 + shift),
	}
	t := m.in(d.text)
	if t == nil || t != m.text || d.etext < d.text || d.etext-t.addr > t.size || w(20) != d.text {
		return false
	}
	m.module = d
	return true
}

// body returns the machine code of a function with the padding behind it, which cannot be told from an operand.
func (m *image) body(f *function) []byte {
	if f.entry < m.text.addr || f.end-m.text.addr > m.text.size {
		return nil
	}
	return m.text.data[f.entry-m.text.addr : f.end-m.text.addr]
}
