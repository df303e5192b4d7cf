package pass

import (
	"debug/elf"
	"encoding/binary"
	"io"

	"github.com/glassbuild/glassbuild/internal/allow"
	"github.com/glassbuild/glassbuild/internal/compare/graft"
)

// elfShape finds the one build id of an ELF file: a note section of that name with exactly one note in it, which no other
// section shares and no segment makes executable.
func elfShape(c Content) (shape, error) {
	f, err := elf.NewFile(c)
	if err != nil {
		return nil, nil
	}
	var id *elf.Section
	for _, s := range f.Sections {
		if s.Name == ".note.gnu.build-id" {
			if id != nil {
				return nil, nil
			}
			id = s
		}
	}
	if id == nil || id.Type != elf.SHT_NOTE || id.Flags&(elf.SHF_EXECINSTR|elf.SHF_WRITE|elf.SHF_COMPRESSED) != 0 || id.FileSize > 36 || int64(id.Offset) < elfHeaders {
		return nil, nil
	}
	note, err := read(c, int64(id.Offset), int64(id.FileSize))
	if err != nil {
		return nil, nil
	}
	if !buildIDNote(note, f.ByteOrder) || !alone(c, f, id) {
		return nil, nil
	}
	size := int64(len(note)) - 16
	return around("elf", c.Size(), []piece{{
		what: "build id of " + string(rune('0'+size/4)) + " words", at: int64(id.Offset) + 16, size: size, rule: field, pass: allow.ELFBuildID, valid: true,
	}}), nil
}

const elfHeaders = 64 // the file header, in its longer form

// buildIDNote accepts one NT_GNU_BUILD_ID note of the lengths that linkers write: xxhash or fast, md5 and uuid, sha1.
func buildIDNote(b []byte, order binary.ByteOrder) bool {
	if len(b) < 16 || order.Uint32(b) != 4 || order.Uint32(b[8:]) != 3 || string(b[12:16]) != "GNU\x00" {
		return false
	}
	n := int(order.Uint32(b[4:]))
	return (n == 8 || n == 16 || n == 20) && len(b) == 16+n
}

// alone tells whether nothing else of the file lies where the section lies: no other section, no header or table, no
// segment but those that map or name the note, and nothing that the loader is pointed at.
func alone(c Content, f *elf.File, id *elf.Section) bool {
	overlaps := func(at, size uint64) bool { return at < id.Offset+id.FileSize && id.Offset < at+size && size > 0 }
	for _, s := range f.Sections {
		if s != id && s.Type != elf.SHT_NULL && s.Type != elf.SHT_NOBITS && overlaps(s.Offset, s.FileSize) {
			return false
		}
	}
	for _, t := range elfTables(c, f) {
		if overlaps(t[0], t[1]) {
			return false
		}
	}
	for _, p := range f.Progs {
		switch {
		case !overlaps(p.Off, p.Filesz), p.Type == elf.PT_NOTE:
		case p.Type != elf.PT_LOAD || p.Flags&(elf.PF_X|elf.PF_W) != 0:
			return false
		}
		if p.Type == elf.PT_DYNAMIC && pointsInto(p, f, id.Addr, id.Addr+id.FileSize) {
			return false
		}
	}
	return true
}

// elfTables returns where the tables of segments and sections lie.
func elfTables(c Content, f *elf.File) [][2]uint64 {
	b, err := read(c, 0, min(elfHeaders, c.Size()))
	if err != nil || len(b) < elfHeaders {
		return [][2]uint64{{0, uint64(c.Size())}} // nothing is alone in such a file
	}
	o := f.ByteOrder
	if f.Class == elf.ELFCLASS32 {
		return [][2]uint64{{uint64(o.Uint32(b[28:])), uint64(o.Uint16(b[42:])) * uint64(o.Uint16(b[44:]))},
			{uint64(o.Uint32(b[32:])), uint64(o.Uint16(b[46:])) * uint64(o.Uint16(b[48:]))}}
	}
	return [][2]uint64{{o.Uint64(b[32:]), uint64(o.Uint16(b[54:])) * uint64(o.Uint16(b[56:]))},
		{o.Uint64(b[40:]), uint64(o.Uint16(b[58:])) * uint64(o.Uint16(b[60:]))}}
}

// pointsInto tells whether an entry of the dynamic segment holds an address from one to another: the loader would take what
// lies there for a table of its own.
func pointsInto(p *elf.Prog, f *elf.File, from, to uint64) bool {
	b := make([]byte, min(p.Filesz, maxDynamic))
	if _, err := p.ReadAt(b, 0); err != nil && err != io.EOF || p.Filesz > maxDynamic {
		return true
	}
	word := 8
	if f.Class == elf.ELFCLASS32 {
		word = 4
	}
	for ; len(b) >= 2*word; b = b[2*word:] {
		v := uint64(f.ByteOrder.Uint32(b[word:]))
		if word == 8 {
			v = f.ByteOrder.Uint64(b[word:])
		}
		if v >= from && v < to && to > from && from > 0 {
			return true
		}
	}
	return false
}

// peFile is what of a PE file is needed to find its times.
type peFile struct {
	c        Content
	coff     int64 // offset of the file header
	optional int64
	wide     bool
	sections []peSection
	dirs     [16][2]uint32
}

type peSection struct {
	address, size uint32
	offset, raw   int64
	exec          bool
}

// peShape finds the times of a PE file and its checksum (PE/COFF specification, "COFF File Header", "The .edata Section",
// "The .debug Section").
func peShape(c Content) (shape, error) {
	p, ok := readPE(c)
	if !ok {
		return nil, nil
	}
	stamp := func(what string, at int64) piece {
		return piece{what: what, at: at, size: 4, rule: field, pass: allow.PETimestamp, valid: true}
	}
	if !p.free(p.coff+4, 4) || !p.free(p.optional+64, 4) { // a section maps the header
		return nil, nil
	}
	list := []piece{stamp("time of the file header", p.coff+4)}
	sum, err := read(c, p.optional+64, 4)
	if err != nil {
		return nil, nil
	}
	want, err := graft.PEChecksum(c, p.optional+64)
	if err != nil {
		return nil, err
	}
	if binary.LittleEndian.Uint32(sum) == want {
		list = append(list, piece{what: "checksum", at: p.optional + 64, size: 4, rule: derived})
	}
	if at, ok := p.place(0, 40); ok {
		list = append(list, stamp("time of the export directory", at+4))
	}
	if n := int64(p.dirs[6][1]); n >= 28 && n%28 == 0 && n/28 <= maxDebug {
		if at, ok := p.place(6, n); ok {
			for i := range n / 28 {
				list = append(list, stamp("time of a debug entry", at+i*28+4))
			}
		}
	}
	return around("pe", c.Size(), list), nil
}

func readPE(c Content) (*peFile, bool) {
	dos, err := read(c, 0, 64)
	if err != nil {
		return nil, false
	}
	at := int64(binary.LittleEndian.Uint32(dos[60:]))
	head, err := read(c, at, 24)
	if err != nil || string(head[:4]) != "PE\x00\x00" {
		return nil, false
	}
	p := &peFile{c: c, coff: at + 4, optional: at + 24}
	n, size := int64(binary.LittleEndian.Uint16(head[6:])), int64(binary.LittleEndian.Uint16(head[20:]))
	opt, err := read(c, p.optional, size)
	if err != nil || size < 96 || n > maxSections {
		return nil, false
	}
	from := 96
	switch binary.LittleEndian.Uint16(opt) {
	case 0x10b:
	case 0x20b:
		p.wide, from = true, 112
	default:
		return nil, false
	}
	if len(opt) < from {
		return nil, false
	}
	count := int(min(binary.LittleEndian.Uint32(opt[from-4:]), 16))
	for i := 0; i < count && from+8*i+8 <= len(opt); i++ {
		p.dirs[i] = [2]uint32{binary.LittleEndian.Uint32(opt[from+8*i:]), binary.LittleEndian.Uint32(opt[from+8*i+4:])}
	}
	table, err := read(c, p.optional+size, n*40)
	if err != nil {
		return nil, false
	}
	for ; len(table) > 0; table = table[40:] {
		flags := binary.LittleEndian.Uint32(table[36:])
		p.sections = append(p.sections, peSection{
			size: binary.LittleEndian.Uint32(table[8:]), address: binary.LittleEndian.Uint32(table[12:]),
			raw: int64(binary.LittleEndian.Uint32(table[16:])), offset: int64(binary.LittleEndian.Uint32(table[20:])),
			exec: flags&0x20000020 != 0, // code, or may be executed
		})
	}
	return p, true
}

// free tells whether no section shares a run of bytes.
func (p *peFile) free(at, size int64) bool {
	for _, s := range p.sections {
		if at < s.offset+s.raw && s.offset < at+size {
			return false
		}
	}
	return true
}

// place gives the offset of size bytes at the address of a directory, when exactly one section holds them, which cannot be
// executed, and neither another section nor another directory shares them.
func (p *peFile) place(which int, size int64) (int64, bool) {
	dir := p.dirs[which]
	if dir[0] == 0 || int64(dir[1]) < size {
		return 0, false
	}
	for i, o := range p.dirs {
		// the one of certificates (4) is an offset in the file
		if i != which && i != 4 && o[1] > 0 && int64(o[0]) < int64(dir[0])+size && int64(dir[0]) < int64(o[0])+int64(o[1]) {
			return 0, false
		}
	}
	found := int64(-1)
	for _, s := range p.sections {
		off := int64(dir[0]) - int64(s.address)
		if off < 0 || off+size > s.raw || off+size > int64(s.size) {
			continue
		}
		if found >= 0 || s.exec {
			return 0, false
		}
		found = s.offset + off
	}
	if found < p.optional {
		return 0, false
	}
	holders := 0
	for _, s := range p.sections {
		if found < s.offset+s.raw && s.offset < found+size {
			holders++
		}
	}
	return found, holders == 1
}
