package code

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// modInfoStart begins the module information, which runtime/debug keeps in the data and which is compared by itself.
var modInfoStart = []byte("\x30\x77\xaf\x0c\x92\x74\x08\x02\x41\xe1\xc1\x07\xe6\xd6\x18\xe6")

// findGo finds the line table of a Go program and, by its address, the module data. The functions of the image are
// then those of the table.
func (m *image) findGo() bool {
	for i := range m.sections {
		s := &m.sections[i]
		if s.code || s.data == nil {
			continue
		}
		switch s.name {
		case ".gopclntab", ".data.rel.ro.gopclntab", "__gopclntab":
			if m.goTable(s.addr, s.data) {
				return true
			}
		case ".rdata", ".rodata", ".data.rel.ro": // Windows, and programs linked by another linker
			if m.searchTable(s) {
				return true
			}
		}
	}
	return false
}

// searchTable looks for a line table that has no section of its own.
func (m *image) searchTable(s *section) bool {
	for _, magic := range []uint32{magic120, magic118} {
		var want [6]byte
		binary.LittleEndian.PutUint32(want[:], magic)
		for off, tries := 0, 0; tries < maxTries; tries++ {
			j := bytes.Index(s.data[off:], want[:])
			if j < 0 {
				break
			}
			off += j
			if b := s.data[off:]; off&7 == 0 && len(b) >= 72 && int(b[7]) == m.word && m.goTable(s.addr+uint64(off), b) {
				return true
			}
			off++
		}
	}
	return false
}

func (m *image) goTable(addr uint64, data []byte) bool {
	if len(data) < 72 || int(data[7]) != m.word {
		return false
	}
	if !m.findModule(addr, binary.LittleEndian.Uint32(data) == magic118) {
		return false
	}
	table, ok := m.like.again(data, m.module.text, m.module.etext)
	if !ok {
		table, ok = parsePclntab(data, m.module.text, m.module.etext)
	}
	if !ok {
		return false
	}
	m.table, m.functions, m.fixed = table, table.functions, false
	if m.arch == arch386 || m.arch == archARM {
		m.fixed = true
	}
	m.findModInfo()
	m.addForeign()
	m.buildIDInText()
	return true
}

// addForeign adds what lies in code sections outside of Go's own code: C code that was linked in, stubs.
func (m *image) addForeign() {
	for i := range m.sections {
		s := &m.sections[i]
		if s.code && s != m.text && s.data != nil {
			m.functions = append(m.functions, function{name: s.name, entry: s.addr, end: s.addr + uint64(len(s.data)), gap: true})
		}
	}
	t := m.text
	m.functions = m.gap(m.functions, t, t.addr, m.module.text)
	m.functions = m.gap(m.functions, t, m.module.etext, t.addr+uint64(len(t.data)))
	m.fillFunctions()
}

// findModule looks for runtime.moduledata; its form is that of the Go releases since 1.18.
func (m *image) findModule(table uint64, old bool) bool {
	want := make([]byte, m.word)
	if m.word == 8 {
		binary.LittleEndian.PutUint64(want, table)
	} else {
		binary.LittleEndian.PutUint32(want, uint32(table))
	}
	order := make([]*section, 0, len(m.sections))
	for i := range m.sections {
		if s := &m.sections[i]; !s.code && s.data != nil {
			order = append(order, s)
		}
	}
	slices.SortStableFunc(order, func(x, y *section) int { return likely(x) - likely(y) })
	for _, s := range order {
		for off := 0; off < len(s.data); off += m.word {
			j := bytes.Index(s.data[off:], want)
			if j < 0 {
				break
			}
			off += j
			if off%m.word == 0 && m.parseModule(s, off, old) {
				return true
			}
			off -= off % m.word
		}
	}
	return false
}

// likely orders sections by how soon module data are found in them: since Go 1.26 in a section of its own, before among
// writable data.
func likely(s *section) int {
	switch {
	case s.name == ".go.module", s.name == "__go_module":
		return 0
	case s.write:
		return 1
	}
	return 2
}

func (m *image) parseModule(s *section, off int, old bool) bool {
	const words = 46
	if len(s.data)-off < words*m.word {
		return false
	}
	w := func(i int) uint64 { return m.read(s.data[off+m.word*i:]) }
	shift := 0
	if old {
		shift = -2 // covctrs and ecovctrs came with Go 1.20
	}
	d := module{
		at: s.addr + uint64(off), size: uint64(words * m.word), text: w(22), etext: w(23), findfunc: w(19),
		gcdata: w(35 + shift), gcbss: w(36 + shift), types: w(37 + shift), etypes: w(38 + shift), gofunc: w(40 + shift),
		table: w(0), tableEnd: w(13) + w(14), sectMap: w(41 + shift),
	}
	if w(42+shift) != w(43+shift) { // its count and capacity; Go 1.26 put another word before it
		d.sectMap = w(42 + shift)
	}
	t := m.in(d.text)
	if t == nil || !t.code || t.data == nil || d.etext < d.text || d.etext-t.addr > uint64(len(t.data)) || w(20) != d.text {
		return false
	}
	m.module, m.text = d, t
	return true
}

// findModInfo finds the string that refers to the module information.
func (m *image) findModInfo() {
	for i := range m.sections {
		s := &m.sections[i]
		if s.code || derived(s.name) {
			continue
		}
		j := bytes.Index(s.data, modInfoStart)
		if j < 0 {
			continue
		}
		want := make([]byte, 8)
		binary.LittleEndian.PutUint64(want, s.addr+uint64(j))
		want = want[:m.word]
		for k := range m.sections {
			d := &m.sections[k]
			if d.code || derived(d.name) {
				continue
			}
			if at := bytes.Index(d.data, want); at >= 0 && (d.addr+uint64(at))%uint64(m.word) == 0 {
				m.module.modinfo = d.addr + uint64(at)
				return
			}
		}
	}
}

// follows tells whether data at addr only says where code and types lie, or is compared elsewhere.
func (m *image) follows(addr uint64, b []byte, funcdata uint64) bool {
	if m.table == nil {
		return false
	}
	d := &m.module
	switch {
	case addr >= d.gofunc && addr < funcdata, addr-d.at < d.size, addr >= d.table && addr < d.tableEnd, addr-d.sectMap < uint64(3*m.word), d.modinfo != 0 && addr-d.modinfo < uint64(2*m.word):
		return true
	}
	for _, at := range []uint64{d.findfunc, d.gcdata, d.gcbss} {
		if addr <= at && at-addr < uint64(len(b)) {
			return true
		}
	}
	return bytes.Contains(b, modInfoStart)
}

// buildIDInText takes the build id out of the code, where the linker puts it on systems without notes.
func (m *image) buildIDInText() {
	for i := range m.functions {
		if f := &m.functions[i]; f.name == "go:buildid" {
			f.stub = true
			m.facts.buildID = m.body(f)
			return
		}
	}
}
