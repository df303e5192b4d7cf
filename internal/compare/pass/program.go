package pass

import (
	"debug/elf"
	"encoding/binary"

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
	if !buildIDNote(note, f.ByteOrder) || !alone(f, id) {
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

// alone tells whether nothing else of the file lies where the section lies.
func alone(f *elf.File, id *elf.Section) bool {
	overlaps := func(at, size uint64) bool { return at < id.Offset+id.FileSize && id.Offset < at+size && size > 0 }
	for _, s := range f.Sections {
		if s != id && s.Type != elf.SHT_NULL && s.Type != elf.SHT_NOBITS && overlaps(s.Offset, s.FileSize) {
			return false
		}
	}
	for _, p := range f.Progs {
		if p.Flags&elf.PF_X != 0 && overlaps(p.Off, p.Filesz) {
			return false
		}
	}
	return true
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
	if at, ok := p.place(p.dirs[0], 40); ok {
		list = append(list, stamp("time of the export directory", at+4))
	}
	if n := int64(p.dirs[6][1]); n >= 28 && n%28 == 0 && n/28 <= maxDebug {
		if at, ok := p.place(p.dirs[6], n); ok {
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

// place gives the offset of size bytes at the address of a directory, when exactly one section holds them, which cannot be
// executed, and no other section shares its bytes.
func (p *peFile) place(dir [2]uint32, size int64) (int64, bool) {
	if dir[0] == 0 || int64(dir[1]) < size {
		return 0, false
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
