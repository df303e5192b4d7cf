// Package code compares executables by what they do rather than by how they are laid out.
package code

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"sort"
)

// What a Digest was taken over.
const (
	Loaded  = "loaded"  // everything that is loaded into memory
	Machine = "machine" // the machine code alone
)

// A Digest identifies an executable by part of its content.
type Digest struct {
	Kind   string
	SHA256 string
}

// Digests returns what identifies an executable however it was stripped: neither symbol tables, debug data and other
// parts that are not loaded, nor build ids, notes, headers and signatures count. Two files with one Loaded digest run
// the same; two with one Machine digest have the same code and possibly other data. Files that are no executables,
// or too malformed to read, have none. Formats: ELF, PE, Mach-O thin and fat, wasm.
func Digests(r io.ReaderAt, size int64) []Digest {
	var magic [8]byte
	if _, err := r.ReadAt(magic[:], 0); err != nil {
		return nil
	}
	switch {
	case string(magic[:4]) == "\x7fELF":
		return elfDigests(r, size)
	case string(magic[:2]) == "MZ":
		return peDigests(r, size)
	case string(magic[:4]) == "\x00asm":
		return wasmDigests(r, size)
	}
	switch binary.BigEndian.Uint32(magic[:]) {
	case macho.MagicFat:
		return fatDigests(r, size)
	case macho.Magic32, macho.Magic64, 0xcefaedfe, 0xcffaedfe:
		f, err := macho.NewFile(r)
		if err != nil {
			return nil
		}
		return machoDigests(f, size)
	}
	return nil
}

// part is one piece of an executable: a segment or a section.
type part struct {
	label   string // what of its header counts
	content io.ReaderAt
	size    int64
	machine bool
	masked  [][2]int64 // runs that count as zero: headers and notes
}

// digest hashes the parts. It returns nothing when they claim more than a file of this size could hold.
func digest(format string, parts []part, fileSize int64) []Digest {
	if len(parts) == 0 || len(parts) > maxSegments {
		return nil
	}
	var sum, machine int64
	for _, p := range parts {
		if p.size < 0 || p.size > fileSize {
			return nil
		}
		if sum += p.size; p.machine {
			machine += p.size
		}
	}
	if sum > maxHashed*fileSize {
		return nil
	}
	loaded, text := sha256.New(), sha256.New()
	fmt.Fprintln(loaded, format, Loaded)
	fmt.Fprintln(text, format, Machine)
	buf := make([]byte, hashBuffer)
	for _, p := range parts {
		to := []hash.Hash{loaded}
		if p.machine {
			to = append(to, text)
		}
		fmt.Fprintln(loaded, p.label)
		if err := p.hash(to, buf); err != nil {
			return nil
		}
		for _, h := range to {
			fmt.Fprintln(h, "end")
		}
	}
	d := []Digest{{Loaded, hex.EncodeToString(loaded.Sum(nil))}}
	if machine >= minText {
		d = append(d, Digest{Machine, hex.EncodeToString(text.Sum(nil))})
	}
	return d
}

// hash hashes a part without the zeros at its end: memory behind it is zero too, and strip shortens segments by them.
func (p *part) hash(to []hash.Hash, buf []byte) error {
	zeros := 0 // not yet hashed
	for off := int64(0); off < p.size; off += int64(len(buf)) {
		b := buf[:min(int64(len(buf)), p.size-off)]
		if n, err := p.content.ReadAt(b, off); n < len(b) {
			return err
		}
		for _, m := range p.masked {
			from, end := max(m[0]-off, 0), min(m[1]-off, int64(len(b)))
			if from < end {
				clear(b[from:end])
			}
		}
		kept := len(bytes.TrimRight(b, "\x00"))
		if kept == 0 {
			zeros += len(b)
			continue
		}
		for ; zeros > 0; zeros -= min(zeros, len(zeroBlock)) {
			writeAll(to, zeroBlock[:min(zeros, len(zeroBlock))])
		}
		writeAll(to, b[:kept])
		zeros = len(b) - kept
	}
	return nil
}

var zeroBlock [4096]byte

func writeAll(to []hash.Hash, b []byte) {
	for _, h := range to {
		h.Write(b)
	}
}

// elfDigests hashes what PT_LOAD maps, or the allocated sections of an object file, which has no segments.
func elfDigests(r io.ReaderAt, size int64) []Digest {
	f, err := elf.NewFile(withoutSections{r})
	if err != nil {
		return nil
	}
	if f.Type == elf.ET_REL {
		if f, err = elf.NewFile(r); err != nil {
			return nil
		}
	}
	format := fmt.Sprint("elf ", f.Machine, f.Class, f.Data)
	var parts []part
	var masks [][2]int64 // in file offsets
	masks = append(masks, elfHeaders(r, f)...)
	for _, p := range f.Progs {
		if p.Type == elf.PT_NOTE {
			masks = append(masks, [2]int64{int64(p.Off), int64(p.Off + p.Filesz)})
		}
	}
	for _, p := range f.Progs {
		if p.Type != elf.PT_LOAD || p.Filesz == 0 {
			continue
		}
		q := part{
			label:   fmt.Sprintf("%x %x %x", p.Vaddr, p.Memsz, uint32(p.Flags)),
			content: p.ReaderAt, size: int64(p.Filesz), machine: p.Flags&elf.PF_X != 0,
		}
		if p.Off == 0 && p.Filesz >= 2*headerPage {
			// A section table may be left behind where Go's linker puts it, with nothing in the ELF header that says so.
			q.masked = append(q.masked, [2]int64{0, headerPage})
		}
		for _, m := range masks {
			q.masked = append(q.masked, [2]int64{m[0] - int64(p.Off), m[1] - int64(p.Off)})
		}
		parts = append(parts, q)
	}
	if f.Type == elf.ET_REL {
		for _, s := range f.Sections {
			if s.Flags&elf.SHF_ALLOC != 0 && s.Type != elf.SHT_NOBITS && s.Type != elf.SHT_NOTE && s.Flags&elf.SHF_COMPRESSED == 0 {
				parts = append(parts, part{label: s.Name, content: s.ReaderAt, size: int64(s.Size), machine: s.Flags&elf.SHF_EXECINSTR != 0})
			}
		}
	}
	return digest(format, parts, size)
}

// withoutSections hides the section table of an ELF file. A program runs by its segments alone, so a broken section
// table must not keep it from being recognised.
type withoutSections struct{ r io.ReaderAt }

func (w withoutSections) ReadAt(p []byte, off int64) (int, error) {
	n, err := w.r.ReadAt(p, off)
	var class [1]byte
	if _, cerr := w.r.ReadAt(class[:], 4); cerr != nil {
		return n, err
	}
	fields := [][2]int64{{32, 36}, {48, 52}} // e_shoff; e_shnum and e_shstrndx
	if class[0] == byte(elf.ELFCLASS64) {
		fields = [][2]int64{{40, 48}, {60, 64}}
	}
	for _, f := range fields {
		from, end := max(f[0]-off, 0), min(f[1]-off, int64(n))
		if from < end {
			clear(p[from:end])
		}
	}
	return n, err
}

// elfHeaders returns where ELF header, program headers and section headers lie, as far as they lie at the start of the
// file: stripping changes offsets and counts in them, and Go's linker puts the section headers into the first segment.
func elfHeaders(r io.ReaderAt, f *elf.File) [][2]int64 {
	wide := f.Class == elf.ELFCLASS64
	end, one := int64(52), int64(32)
	if wide {
		end, one = 64, 56
	}
	h := make([]byte, end)
	if n, err := r.ReadAt(h, 0); n < len(h) && err != nil {
		return nil
	}
	var phoff, shoff, shsize int64
	if wide {
		phoff, shoff, shsize = int64(f.ByteOrder.Uint64(h[32:])), int64(f.ByteOrder.Uint64(h[40:])), int64(f.ByteOrder.Uint16(h[58:]))
		shsize *= int64(f.ByteOrder.Uint16(h[60:]))
	} else {
		phoff, shoff, shsize = int64(f.ByteOrder.Uint32(h[28:])), int64(f.ByteOrder.Uint32(h[32:])), int64(f.ByteOrder.Uint16(h[46:]))
		shsize *= int64(f.ByteOrder.Uint16(h[48:]))
	}
	masks := [][2]int64{{0, end}}
	for _, t := range [][2]int64{{phoff, one * int64(len(f.Progs))}, {shoff, shsize}} {
		if t[0] >= end && t[0] < headerArea && t[0]+t[1] <= headerArea {
			masks = append(masks, [2]int64{t[0], t[0] + t[1]})
		}
	}
	return masks
}

// peDigests hashes the sections that stay in memory.
func peDigests(r io.ReaderAt, size int64) []Digest {
	f, err := pe.NewFile(r)
	if err != nil {
		return nil
	}
	const executable, discardable, code, data = 0x20000000, 0x02000000, 0x20, 0x40
	var parts []part
	for _, s := range f.Sections {
		if s.Characteristics&discardable != 0 || s.Characteristics&(code|data) == 0 {
			continue
		}
		parts = append(parts, part{
			label:   fmt.Sprintf("%x %x %x", s.VirtualAddress, s.VirtualSize, s.Characteristics),
			content: s.ReaderAt, size: int64(s.Size), machine: s.Characteristics&executable != 0,
		})
	}
	return digest(fmt.Sprint("pe ", f.Machine), parts, size)
}

// machoDigests hashes the sections of all segments but debug data; link-edit data, where symbols and the signature
// are, has no sections.
func machoDigests(f *macho.File, size int64) []Digest {
	var parts []part
	for _, s := range f.Sections {
		const typeMask, zerofill, gbZerofill, threadZerofill = 0xff, 0x1, 0xc, 0x12
		if t := s.Flags & typeMask; s.Seg == "__DWARF" || t == zerofill || t == gbZerofill || t == threadZerofill {
			continue
		}
		parts = append(parts, part{
			label:   fmt.Sprintf("%s %s %x", s.Seg, s.Name, s.Addr),
			content: s.ReaderAt, size: int64(s.Size), machine: s.Flags&0x80000000 != 0,
		})
	}
	return digest(fmt.Sprint("macho ", f.Cpu), parts, size)
}

func fatDigests(r io.ReaderAt, size int64) []Digest {
	f, err := macho.NewFatFile(r)
	if err != nil || len(f.Arches) > maxSlices {
		return nil
	}
	var all []Digest
	for _, a := range f.Arches {
		all = append(all, machoDigests(a.File, size)...)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Kind+all[i].SHA256 < all[j].Kind+all[j].SHA256 })
	return all
}

// wasmDigests hashes all sections but the custom ones (id 0), which hold names and debug data.
func wasmDigests(r io.ReaderAt, size int64) []Digest {
	var parts []part
	for off := int64(8); off < size; {
		var h [6]byte
		n, _ := r.ReadAt(h[:], off)
		if n < 2 || len(parts) > maxSegments {
			return nil
		}
		length, used := binary.Uvarint(h[1:n])
		if used <= 0 || length > uint64(size-off-1-int64(used)) {
			return nil
		}
		start := off + 1 + int64(used)
		if h[0] != 0 {
			const codeSection = 10
			parts = append(parts, part{
				label: fmt.Sprint(h[0]), content: io.NewSectionReader(r, start, int64(length)), size: int64(length), machine: h[0] == codeSection,
			})
		}
		off = start + int64(length)
	}
	return digest("wasm", parts, size)
}
