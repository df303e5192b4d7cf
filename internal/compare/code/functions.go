package code

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"sort"
)

// fillFunctions sorts functions, settles those that overlap, and makes up one for each run of code that no table names.
func (m *image) fillFunctions() {
	sort.SliceStable(m.functions, func(i, j int) bool {
		a, b := &m.functions[i], &m.functions[j]
		if a.entry != b.entry {
			return a.entry < b.entry
		}
		return a.name != "" && (b.name == "" || a.name < b.name) // a name before none
	})
	m.endFunctions()
	kept := m.functions[:0]
	for _, f := range m.functions {
		if k := len(kept) - 1; k >= 0 {
			last := &kept[k]
			if f.entry == last.entry { // another name of the same code, or the same from another table
				if last.open {
					last.end, last.open = f.end, f.open
				} else if !f.open {
					last.end = max(last.end, f.end)
				}
				continue
			}
			if f.entry < last.end {
				if f.name == "" {
					continue // a table of unwinding has parts of what a symbol covers
				}
				last.end = f.entry
			}
		}
		kept = append(kept, f)
	}
	m.functions = kept
	for i := range kept {
		if s := m.in(kept[i].entry); s != nil && isStubs(s.name) && kept[i].name == "" {
			kept[i].name, kept[i].stub = s.name, true // what the stubs have in common
		}
	}
	var gaps []function
	at := 0
	for i := range m.sections {
		s := &m.sections[i]
		if !s.code || s.data == nil {
			continue
		}
		end := s.addr + uint64(len(s.data))
		from := s.addr
		for ; at < len(m.functions) && m.functions[at].entry < end; at++ {
			f := &m.functions[at]
			gaps = m.gap(gaps, s, from, f.entry)
			from = max(from, f.end)
		}
		gaps = m.gap(gaps, s, from, end)
	}
	m.functions = append(m.functions, gaps...)
	sort.SliceStable(m.functions, func(i, j int) bool { return m.functions[i].entry < m.functions[j].entry })
}

// endFunctions lets functions whose size nobody says end where the next one or their section does.
func (m *image) endFunctions() {
	next := uint64(0) // start of the next function, from the back
	for i := len(m.functions) - 1; i >= 0; i-- {
		f := &m.functions[i]
		if i+1 < len(m.functions) && m.functions[i+1].entry > f.entry {
			next = m.functions[i+1].entry
		}
		if f.end != f.entry {
			continue
		}
		f.open = true
		s := m.in(f.entry)
		f.end = s.addr + s.size
		if next > f.entry {
			f.end = min(f.end, next)
		}
	}
}

// gap adds a function for code between functions unless it is padding. A whole section keeps its name.
func (m *image) gap(list []function, s *section, from, to uint64) []function {
	if from >= to || to-s.addr > uint64(len(s.data)) {
		return list
	}
	b := s.data[from-s.addr : to-s.addr]
	head := len(b) - len(bytes.TrimLeft(b, "\xcc\x90\x00"))
	if m.arch == archAMD64 || m.arch == arch386 {
		if nopsOnly(b) {
			return list
		}
	} else {
		head = armPadding(b, m.arch)
	}
	if head >= len(b) {
		return list
	}
	f := function{entry: from + uint64(head), end: to, gap: true, stub: isStubs(s.name)}
	if f.stub {
		f.name = s.name
	}
	if from == s.addr && to == s.addr+uint64(len(s.data)) {
		f.entry, f.name = from, s.name
	}
	return append(list, f)
}

// armPadding returns how many bytes at the start of code are zeros or do nothing.
func armPadding(b []byte, a arch) int {
	at := 0
	for ; at+4 <= len(b); at += 4 {
		switch w := binary.LittleEndian.Uint32(b[at:]); {
		case w == 0, a == archARM64 && w == 0xd503201f, a == archARM && (w == 0xe320f000 || w == 0xe1a00000 || w == 0xbf00bf00):
			continue
		}
		return at
	}
	if trimmed(b[at:]) == 0 || a == archARM && bytes.Equal(b[at:], []byte{0x00, 0xbf}) {
		return len(b)
	}
	return at
}

// nopsOnly tells whether x86 code does nothing: what compilers and linkers put between functions.
func nopsOnly(b []byte) bool {
	for len(b) > 0 {
		switch {
		case b[0] == 0x90 || b[0] == 0xcc || b[0] == 0:
			b = b[1:]
			continue
		case b[0] == 0x66 || b[0] == 0x2e: // prefixes of long nops
			b = b[1:]
			continue
		}
		if len(b) < 3 || b[0] != 0x0f || b[1] != 0x1f {
			return false
		}
		in := decode(b, true)
		if in.size == 0 {
			return false
		}
		b = b[in.size:]
	}
	return true
}

// stubs names the short pieces of code through which imported functions are called by what they jump to.
func (m *image) stubs() {
	if len(m.imports) == 0 {
		return
	}
	for i := range m.sections {
		s := &m.sections[i]
		if !s.code || s.data == nil || !isStubs(s.name) {
			continue
		}
		if m.arch == archARM {
			m.armStubs(s)
			continue
		}
		const size = 16
		for off := uint64(0); off+size <= uint64(len(s.data)); off += size {
			if name := m.stubTarget(s.data[off:off+size], s.addr+off); name != "" {
				m.functions = append(m.functions, function{name: name + "@" + s.name, entry: s.addr + off, end: s.addr + off + size, stub: true})
			}
		}
	}
}

// armStubs finds the stubs of 32-bit Arm: two ADDs to the program counter and a load of it.
func (m *image) armStubs(s *section) {
	rotated := func(w uint32) uint32 { return bits.RotateLeft32(w&0xff, -2*int(w>>8&15)) }
	for off := 0; off+12 <= len(s.data); off += 4 {
		w0, w1, w2 := binary.LittleEndian.Uint32(s.data[off:]), binary.LittleEndian.Uint32(s.data[off+4:]), binary.LittleEndian.Uint32(s.data[off+8:])
		if w0>>12 != 0xe28fc || w1>>12 != 0xe28cc || w2>>12 != 0xe5bcf {
			continue
		}
		addr := s.addr + uint64(off)
		slot := uint64(uint32(addr) + 8 + rotated(w0) + rotated(w1) + w2&0xfff)
		if name := m.imports[slot]; name != "" {
			m.functions = append(m.functions, function{name: name + "@" + s.name, entry: addr, end: addr + 12, stub: true})
		}
	}
}

// isStubs tells whether a section of an ELF file holds nothing but stubs.
func isStubs(name string) bool {
	return name == ".plt" || name == ".plt.sec" || name == ".plt.got" || name == ".iplt"
}

// gotBase returns what position-independent x86 code counts from.
func (m *image) gotBase() uint64 {
	base := uint64(0)
	for i := range m.sections {
		if s := &m.sections[i]; s.name == ".got.plt" || s.name == ".got" && base == 0 {
			base = s.addr
		}
	}
	return base
}

// stubTarget returns the import that a stub jumps to.
func (m *image) stubTarget(b []byte, addr uint64) string {
	switch m.arch {
	case archAMD64, arch386:
		if i := bytes.Index(b, []byte{0xff, 0xa3}); m.arch == arch386 && i >= 0 && i+6 <= len(b) { // relative to the global offset table
			return m.imports[(m.gotBase()+uint64(binary.LittleEndian.Uint32(b[i+2:])))&0xffffffff]
		}
		i := bytes.Index(b, []byte{0xff, 0x25})
		if i < 0 || i+6 > len(b) {
			return ""
		}
		slot := uint64(binary.LittleEndian.Uint32(b[i+2:]))
		if m.arch == archAMD64 {
			slot = addr + uint64(i) + 6 + uint64(int64(int32(slot)))
		}
		return m.imports[slot]
	case archARM64:
		w0, w1 := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
		if w0&0x9f000000 != 0x90000000 || w1&0xffc00000 != 0xf9400000 {
			return ""
		}
		return m.imports[adrpPage(w0, addr)+uint64(w1>>10&0xfff)*8]
	}
	return ""
}

// unwindFunctions reads the ranges of code that .eh_frame describes (Linux Standard Base, core 5.0, 10.6): the start and
// size of every function of a compiler that unwinds, also in stripped programs, and where its exception table is.
func (m *image) unwindFunctions(b []byte, base, size uint64) {
	b = b[:min(uint64(len(b)), size)]
	le := binary.LittleEndian
	type common struct{ pointer, lsda byte }
	heads := make(map[uint64]common)
	for off := uint64(0); off+8 <= uint64(len(b)); {
		length := uint64(le.Uint32(b[off:]))
		if length == 0 || length >= 0xffffff00 || length < 4 || length > uint64(len(b))-off-4 {
			return
		}
		entry := b[off+4 : off+4+length]
		id := uint64(le.Uint32(entry))
		switch h, ok := heads[off+4-id]; {
		case id == 0:
			p, l := cieEncodings(entry[4:])
			heads[off] = common{p, l}
		case ok && h.pointer&0x0f == 0x0b && h.pointer&0x70 == 0x10 && len(entry) >= 12: // sdata4, relative to itself
			at := base + off + 8
			start := at + uint64(int64(int32(le.Uint32(entry[4:]))))
			n := uint64(le.Uint32(entry[8:]))
			if s := m.in(start); s != nil && s.code && n > 0 && n <= s.addr+s.size-start && len(m.functions) < maxFunctions {
				m.functions = append(m.functions, function{entry: start, end: start + n})
				m.addHandler(start, entry[12:], at+8, h.lsda)
			}
		}
		off += 4 + length
	}
}

func (m *image) addHandler(entry uint64, rest []byte, at uint64, encoding byte) {
	n, used := binary.Uvarint(rest)
	if used <= 0 || n < 4 || encoding&0x7f != 0x1b || len(rest) < used+4 {
		return
	}
	rel := binary.LittleEndian.Uint32(rest[used:])
	if rel != 0 {
		m.exception = append(m.exception, handler{entry, at + uint64(used) + uint64(int64(int32(rel)))})
	}
}

// cieEncodings returns how the functions of a common information entry write their start and their exception table.
func cieEncodings(b []byte) (pointer, lsda byte) {
	lsda = 0xff
	if len(b) < 2 {
		return 0, lsda
	}
	end := bytes.IndexByte(b[1:], 0)
	if end < 0 || end == 0 || b[1] != 'z' {
		return 0, lsda
	}
	augmentation := b[2 : 1+end]
	rest := b[2+end:]
	for range 4 { // code alignment, data alignment, return register, length of the augmentation
		_, n := binary.Uvarint(rest)
		if n <= 0 {
			return 0, lsda
		}
		rest = rest[n:]
	}
	for _, c := range augmentation {
		if len(rest) == 0 {
			return pointer, lsda
		}
		switch c {
		case 'R':
			pointer, rest = rest[0], rest[1:]
		case 'L':
			lsda, rest = rest[0], rest[1:]
		case 'P':
			n := map[byte]int{0x0b: 4, 0x03: 4, 0x0c: 8, 0x04: 8, 0x00: 8}[rest[0]&0x0f]
			if n == 0 || len(rest) < 1+n {
				return pointer, lsda
			}
			rest = rest[1+n:]
		}
	}
	return pointer, lsda
}
