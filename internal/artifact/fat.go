package artifact

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"github.com/glassbuild/glassbuild/internal/archive"
)

// formatFat is a fat Mach-O file: programs for several processors, one behind the other (mach-o/fat.h).
const formatFat = "macho-fat"

const maxSlices = 32

var processors = map[uint32]string{7: "i386", 0x01000007: "x86_64", 12: "arm", 0x0100000c: "arm64", 0x0200000c: "arm64_32", 18: "ppc", 0x01000012: "ppc64"}

// fat lists the slices of a fat file as its members, in the order in which they lie. One whose header does not hold stays
// a file without members: a class file begins in the same way.
func (x *expander) fat(m *Member, sec *io.SectionReader, meter *archive.Meter) error {
	list := fatSlices(sec)
	var end int64
	names := make(map[string]int)
	for _, s := range list {
		if err := meter.Entry(); err != nil {
			return err
		}
		if names[s.Name]++; names[s.Name] > 1 {
			s.Name = fmt.Sprintf("%s#%d", s.Name, names[s.Name])
		}
		c := newMember(m, &archive.Entry{Name: s.Name, Type: File, Mode: m.Mode, Size: s.Size})
		c.at = location{file: m.at.file, offset: m.at.offset + s.at.offset}
		part := io.NewSectionReader(sec, s.at.offset, s.Size)
		head := make([]byte, min(s.Size, headBytes))
		if _, err := io.ReadFull(part, head); err != nil {
			return err
		}
		c.Format = format(head)
		var err error
		if c.SHA256, err = x.hash(x.reader(io.NewSectionReader(sec, s.at.offset, s.Size))); err != nil {
			return err
		}
		m.Members = append(m.Members, c)
		m.Regions = append(m.Regions, unexplained(sec, end, s.at.offset)...)
		end = s.at.offset + s.Size
	}
	if len(list) > 0 {
		m.Regions = append(m.Regions, unexplained(sec, end, sec.Size())...)
	}
	return nil
}

// fatSlices returns name, place and size of each slice, nil when header and file do not fit.
func fatSlices(sec *io.SectionReader) []Member {
	var head [8]byte
	if _, err := sec.ReadAt(head[:], 0); err != nil {
		return nil
	}
	n, line := int64(binary.BigEndian.Uint32(head[4:])), int64(20)
	if head[3] == 0xbf {
		line = 32
	}
	if n < 1 || n > maxSlices || 8+n*line > sec.Size() {
		return nil
	}
	table := make([]byte, n*line)
	if _, err := sec.ReadAt(table, 8); err != nil {
		return nil
	}
	var list []Member
	for ; len(table) > 0; table = table[line:] {
		cpu := binary.BigEndian.Uint32(table)
		s := Member{Name: processors[cpu], Size: int64(binary.BigEndian.Uint32(table[12:]))}
		s.at.offset = int64(binary.BigEndian.Uint32(table[8:]))
		if line == 32 {
			s.at.offset, s.Size = int64(binary.BigEndian.Uint64(table[8:])), int64(binary.BigEndian.Uint64(table[16:]))
		}
		if s.Name == "" {
			s.Name = fmt.Sprintf("processor %#x", cpu)
		}
		list = append(list, s)
	}
	slices.SortStableFunc(list, func(a, b Member) int {
		if a.at.offset < b.at.offset {
			return -1
		}
		return 1
	})
	end := 8 + n*line
	for _, s := range list {
		if s.at.offset < end || s.Size < 1 || s.at.offset > sec.Size()-s.Size {
			return nil
		}
		end = s.at.offset + s.Size
	}
	return list
}

// unexplained returns the bytes from one place to another where they are not zeros that align: they belong to no slice.
// The header, at the start, is what finds the slices.
func unexplained(sec *io.SectionReader, from, to int64) []archive.Region {
	if from == 0 || to <= from {
		return nil
	}
	buf := make([]byte, 4096)
	for at := from; at < to; {
		n, err := sec.ReadAt(buf[:min(int64(len(buf)), to-at)], at)
		if slices.ContainsFunc(buf[:n], func(c byte) bool { return c != 0 }) {
			return []archive.Region{{Offset: from, Size: to - from, What: "bytes between slices"}}
		}
		if at += int64(n); err != nil {
			break
		}
	}
	return nil
}
