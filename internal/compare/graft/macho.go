package graft

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/glassbuild/glassbuild/internal/allow"
	"github.com/glassbuild/glassbuild/internal/signature"
)

// macho is what a code signature changes of a 64-bit Mach-O file (mach-o/loader.h).
type macho struct {
	c        Content
	count    uint32 // load commands
	commands int64  // their bytes
	linkedit int64  // offset of the __LINKEDIT segment command, 0 for none
	from     int64  // where that segment begins in the file
	length   int64
	memory   int64
	text     Range // the __TEXT segment in the file
	plist    Range // its section __info_plist, where programs without a bundle hold their Info.plist
	sign     int64 // offset of LC_CODE_SIGNATURE, 0 for none
	data     Range // what it points at
}

const (
	machoHeader = 32
	lcSegment64 = 0x19
	lcSignature = 0x1d
)

// readMacho returns nil for what is no 64-bit little-endian Mach-O file.
func readMacho(c Content) *macho {
	head, err := read(c, 0, min(machoHeader, c.Size()))
	if err != nil || len(head) < machoHeader || !bytes.HasPrefix(head, []byte{0xcf, 0xfa, 0xed, 0xfe}) {
		return nil
	}
	m := &macho{c: c, count: binary.LittleEndian.Uint32(head[16:]), commands: int64(binary.LittleEndian.Uint32(head[20:]))}
	b, err := read(c, machoHeader, m.commands)
	if err != nil || m.count > maxSections {
		return nil
	}
	at := int64(machoHeader)
	for range m.count {
		if len(b) < 8 {
			return nil
		}
		cmd, n := binary.LittleEndian.Uint32(b), int64(binary.LittleEndian.Uint32(b[4:]))
		if n < 8 || n > int64(len(b)) {
			return nil
		}
		switch {
		case cmd == lcSegment64 && n >= 72:
			m.segment(b[:n], at)
		case cmd == lcSignature && n == 16 && m.sign == 0:
			m.sign, m.data = at, Range{int64(binary.LittleEndian.Uint32(b[8:])), int64(binary.LittleEndian.Uint32(b[12:]))}
		case cmd == lcSignature:
			return nil
		}
		b, at = b[n:], at+n
	}
	if len(b) > 0 {
		return nil
	}
	return m
}

func (m *macho) segment(b []byte, at int64) {
	name := string(bytes.TrimRight(b[8:24], "\x00"))
	from, length := int64(binary.LittleEndian.Uint64(b[40:])), int64(binary.LittleEndian.Uint64(b[48:]))
	switch name {
	case "__LINKEDIT":
		m.linkedit, m.from, m.length, m.memory = at, from, length, int64(binary.LittleEndian.Uint64(b[32:]))
	case "__TEXT":
		m.text = Range{from, length}
		for n := binary.LittleEndian.Uint32(b[64:]); n > 0 && len(b) >= 72+80; n, b = n-1, b[80:] {
			if s := b[72:]; string(bytes.TrimRight(s[:16], "\x00")) == "__info_plist" {
				m.plist = Range{int64(binary.LittleEndian.Uint32(s[48:])), int64(binary.LittleEndian.Uint64(s[40:]))}
			}
		}
	}
}

// machoOnto takes the code signature of every slice, and the fields that say where it lies.
func machoOnto(r *request) (*Grafted, error) { return machoFile(r, allow.MachOSignature) }

// machoAdHocOnto does so for signatures that nobody made: they hold digests of the code and no more.
func machoAdHocOnto(r *request) (*Grafted, error) { return machoFile(r, allow.MachOAdHoc) }

func machoFile(r *request, name string) (*Grafted, error) {
	var magic [4]byte
	if _, err := r.shipped.ReadAt(magic[:], 0); err != nil {
		return nil, nil
	}
	if magic[0] == 0xca && magic[1] == 0xfe && magic[2] == 0xba && magic[3]&^1 == 0xbe {
		return fatOnto(r, name)
	}
	return thinOnto(r, name)
}

func thinOnto(r *request, name string) (*Grafted, error) {
	s := readMacho(r.shipped)
	if s == nil || s.sign == 0 {
		return nil, nil
	}
	b := readMacho(r.rebuilt)
	if b == nil {
		return nil, refuse(name, "what was rebuilt is no Mach-O file of 64 bits")
	}
	end := r.rebuilt.Size()
	if b.sign != 0 {
		end = b.data.Offset
	}
	if err := s.fits(name, b, end); err != nil {
		return nil, err
	}
	signer, adHoc, err := s.verify(name, b, r.opt)
	if err != nil {
		return nil, err
	}
	if adHoc != (name == allow.MachOAdHoc) {
		return nil, nil // a signature of the other kind
	}
	ranges := []Range{{s.linkedit + 32, 8}, {s.linkedit + 48, 8}, {s.sign, 16}}
	if b.sign == 0 {
		ranges = append(ranges, Range{16, 8})
	}
	ranges = append(ranges, Range{end, r.shipped.Size() - end})
	slices.SortFunc(ranges, func(x, y Range) int { return int(x.Offset - y.Offset) })
	g := &Grafted{Content: over(r.rebuilt, r.shipped, ranges), Ranges: ranges, Unsigned: adHoc}
	if !adHoc {
		g.Signers = []signature.Result{signer}
	}
	return g, nil
}

// over is the rebuilt file with ranges of the shipped one in their places, the last of which ends it.
func over(rebuilt, shipped Content, ranges []Range) *assembled {
	var parts []part
	at := int64(0)
	for _, x := range ranges {
		parts = append(parts, part{rebuilt, at, x.Offset - at}, part{shipped, x.Offset, x.Size})
		at = x.Offset + x.Size
	}
	return assemble(parts...)
}

// fits demands that the shipped file is laid out as our build with a signature behind it, whose command is the last one.
func (m *macho) fits(name string, b *macho, end int64) error {
	size := m.c.Size()
	pages := func(n int64) bool {
		return m.memory == n || m.memory == (n+0xfff)&^0xfff || m.memory == (n+0x3fff)&^0x3fff
	}
	switch {
	case m.sign+16 != machoHeader+m.commands || m.linkedit == 0 || m.linkedit != b.linkedit || m.from != b.from:
		return refuse(name, "the load commands are not those of the build and a signature")
	case m.data.Offset != (end+15)&^15 || m.data.Offset+m.data.Size != size || m.data.Size > maxTable:
		return refuse(name, "the signature does not begin where the build ends and end where the file ends")
	case m.from+m.length != size || !pages(m.length):
		return refuse(name, "the last segment does not end where the file ends")
	case b.sign != 0 && (b.sign != m.sign || b.count != m.count || b.data.Offset+b.data.Size != b.c.Size()):
		return refuse(name, "the signature that the build has lies elsewhere")
	case b.sign == 0 && (m.count != b.count+1 || m.commands != b.commands+16):
		return refuse(name, "the load commands are not those of the build and a signature")
	}
	pad, err := read(m.c, end, m.data.Offset-end)
	if err != nil {
		return err
	}
	free := []byte{}
	if b.sign == 0 {
		if free, err = read(b.c, m.sign, 16); err != nil {
			return err
		}
	}
	if len(bytes.Trim(pad, "\x00"))+len(bytes.Trim(free, "\x00")) > 0 {
		return refuse(name, "something lies where the signature's command or padding should be")
	}
	return nil
}

// fatOnto grafts slice by slice. Offsets and sizes in the header follow.
func fatOnto(r *request, name string) (*Grafted, error) {
	s, ok := readFat(r.shipped)
	if !ok {
		return nil, nil
	}
	b, ok := readFat(r.rebuilt)
	if !ok || len(s) != len(b) {
		return nil, refuse(name, "what was rebuilt does not have the same slices")
	}
	g := &Grafted{Unsigned: name == allow.MachOAdHoc}
	var parts []part
	at, signed := int64(8), false
	for i := range s {
		if s[i].cpu != b[i].cpu {
			return nil, refuse(name, "what was rebuilt does not have the same slices")
		}
		parts = append(parts, part{r.rebuilt, at, 8}, part{r.shipped, at + 8, 8}, part{r.rebuilt, at + 16, 4})
		g.Ranges = append(g.Ranges, Range{at + 8, 8})
		at += 20
	}
	parts = append([]part{{r.rebuilt, 0, 8}}, parts...)
	for i := range s {
		start := (at + s[i].align - 1) &^ (s[i].align - 1)
		if s[i].at != start || start-at > 1<<16 {
			return nil, refuse(name, "a slice does not begin where the one before it ends")
		}
		inner := &request{r.ctx, slice(r.shipped, s[i].Range()), slice(r.rebuilt, b[i].Range()), r.opt}
		one, err := thinOnto(inner, name)
		if err != nil {
			return nil, err
		}
		var from Content = inner.rebuilt
		if one != nil {
			signed, from = true, one.Content
			g.Signers = append(g.Signers, one.Signers...)
			for _, x := range one.Ranges {
				g.Ranges = append(g.Ranges, Range{start + x.Offset, x.Size})
			}
		}
		if from.Size() != s[i].size {
			return nil, refuse(name, "a slice has another size")
		}
		parts = append(parts, part{bytes.NewReader(make([]byte, start-at)), 0, start - at}, part{from, 0, from.Size()})
		at = start + from.Size()
	}
	if !signed {
		return nil, nil
	}
	g.Content = assemble(parts...)
	return g, nil
}

// fatSlice is one entry of a fat header (mach-o/fat.h).
type fatSlice struct {
	cpu             uint64 // type and subtype
	at, size, align int64
}

func (f fatSlice) Range() Range { return Range{f.at, f.size} }

func readFat(c Content) ([]fatSlice, bool) {
	head, err := read(c, 0, min(8, c.Size()))
	if err != nil || len(head) < 8 || string(head[:4]) != "\xca\xfe\xba\xbe" {
		return nil, false
	}
	n := int64(binary.BigEndian.Uint32(head[4:]))
	if n < 1 || n > maxSlices {
		return nil, false
	}
	table, err := read(c, 8, n*20)
	if err != nil {
		return nil, false
	}
	var list []fatSlice
	for ; len(table) > 0; table = table[20:] {
		shift := binary.BigEndian.Uint32(table[16:])
		f := fatSlice{cpu: binary.BigEndian.Uint64(table), at: int64(binary.BigEndian.Uint32(table[8:])), size: int64(binary.BigEndian.Uint32(table[12:]))}
		if shift > 15 || f.at > c.Size()-f.size {
			return nil, false
		}
		f.align = 1 << shift
		list = append(list, f)
	}
	return list, true
}
