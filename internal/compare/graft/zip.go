package graft

import (
	"bytes"
	"encoding/binary"
	"io"
	"strings"

	"github.com/glassbuild/glassbuild/internal/archive"
	"github.com/glassbuild/glassbuild/internal/compare/deflate"
	"github.com/glassbuild/glassbuild/internal/fault"
)

// zipFile is a zip and where everything lies in it.
type zipFile struct {
	c Content
	z *archive.Zip
	archive.ZipLayout
}

// openZip returns nil for what is no zip at all, or one that its strict reader refuses: such a file holds no signature
// that could be accepted.
func openZip(c Content) (*zipFile, error) {
	var magic [4]byte
	if _, err := c.ReadAt(magic[:], 0); err != nil || string(magic[:]) != "PK\x03\x04" {
		return nil, nil
	}
	z, err := archive.NewZip(c, c.Size(), archive.NewMeter("signed archive", c.Size(), archive.Limits{}))
	if err != nil {
		if fault.ClassOf(err) == fault.Failed {
			return nil, nil
		}
		return nil, err
	}
	return &zipFile{c, z, z.Layout()}, nil
}

// content returns a member's content.
func (f *zipFile) content(m archive.ZipMember, limit int64) ([]byte, error) {
	if m.Size > limit {
		return nil, fault.Failf(fault.Quote(m.Name), "exceeds limit: %d bytes", m.Size)
	}
	r, err := f.z.Content(m)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// plain demands that a member that a signer added says nothing but its content, its name and its time: the account of every
// other byte of its headers is that there is none to choose (F9).
func (f *zipFile) plain(m archive.ZipMember) error {
	bad := refuse(m.Name, "a signature's member with more than its content")
	head, err := read(f.c, m.Local, m.Data-m.Local)
	if err != nil {
		return err
	}
	rec, err := read(f.c, m.Directory, m.Record)
	if err != nil {
		return err
	}
	extra := head[30+len(m.Name):]
	flags := binary.LittleEndian.Uint16(head[6:])
	if m.Zip64 || !jarMark(extra) || flags&^(1<<3|1<<11) != 0 || m.Method != 0 && m.Method != 8 || head[4] > 20 || head[5] != 0 {
		return bad
	}
	if len(rec) != 46+len(m.Name)+int(binary.LittleEndian.Uint16(rec[30:])) || !jarMark(rec[46+len(m.Name):]) || rec[4] > 20 || rec[5] != 0 && rec[5] != 3 ||
		!bytes.Equal(rec[6:8], head[4:6]) || len(bytes.Trim(rec[32:38], "\x00")) > 0 || !plainMode(binary.LittleEndian.Uint32(rec[38:])) || !dosTime(head[10:14]) {
		return bad
	}
	if m.Method == 8 {
		if err := deflate.Check(io.NewSectionReader(f.c, m.Data, m.Packed)); err != nil {
			return refuse(m.Name, "compressed stream: %v", err)
		}
	}
	return nil
}

// jarMark accepts no extra fields, or the empty one with which the jar command marks the first member.
func jarMark(extra []byte) bool { return len(extra) == 0 || string(extra) == "\xfe\xca\x00\x00" }

func plainMode(external uint32) bool {
	return external == 0 || external>>16 == 0o100644 && external&0xffff == 0
}

// dosTime accepts an MS-DOS time and date in their ranges.
func dosTime(b []byte) bool {
	t, d := binary.LittleEndian.Uint16(b), binary.LittleEndian.Uint16(b[2:])
	return t>>11 < 24 && t>>5&63 < 60 && t&31 < 30 && d>>5&15 <= 12
}

// addTo puts the signature's members, which added tells, and a block before the directory onto our build: members of ours
// keep their bytes and their order, places in the directory follow. It returns nil where the archives are not made of the
// same members in the same order.
func addTo(shipped, rebuilt *zipFile, added func(name string) bool, block Range) (*assembled, []Range) {
	var ours []archive.ZipMember
	for _, m := range rebuilt.Members {
		if !added(m.Name) {
			ours = append(ours, m)
		}
	}
	var parts []part
	taken := []Range{}
	offsets := make(map[string]int64, len(shipped.Members))
	at, i := int64(0), 0
	local := make(map[string]archive.ZipMember, len(ours))
	for _, m := range shipped.Members {
		p := part{shipped.c, m.Local, m.End - m.Local}
		if !added(m.Name) {
			if i == len(ours) || ours[i].Name != m.Name || m.Zip64 || ours[i].Zip64 {
				return nil, nil
			}
			p = part{rebuilt.c, ours[i].Local, ours[i].End - ours[i].Local}
			local[m.Name] = ours[i]
			i++
		} else {
			taken = append(taken, Range{m.Local, m.End - m.Local}, Range{m.Directory, m.Record})
		}
		offsets[m.Name] = at
		parts, at = append(parts, p), at+p.size
	}
	if i != len(ours) {
		return nil, nil
	}
	if block.Size > 0 {
		parts, at = append(parts, part{shipped.c, block.Offset, block.Size}), at+block.Size
		taken = append(taken, block)
	}
	directory, count := at, 0
	for _, m := range shipped.Members {
		from, c := m, shipped.c
		if o, ok := local[m.Name]; ok {
			from, c = o, rebuilt.c
		}
		offset := binary.LittleEndian.AppendUint32(nil, uint32(offsets[m.Name]))
		parts = append(parts, part{c, from.Directory, 42}, part{bytes.NewReader(offset), 0, 4}, part{c, from.Directory + 46, from.Record - 46})
		at += from.Record
		count++
	}
	end := make([]byte, 0, 16)
	for range 2 {
		end = binary.LittleEndian.AppendUint16(end, uint16(count))
	}
	end = binary.LittleEndian.AppendUint32(end, uint32(at-directory))
	end = binary.LittleEndian.AppendUint32(end, uint32(directory))
	tail := rebuilt.c.Size() - rebuilt.End
	return assemble(append(parts, part{rebuilt.c, rebuilt.End, 8}, part{bytes.NewReader(end), 0, 12}, part{rebuilt.c, rebuilt.End + 20, tail - 20})...), taken
}

// isSignatureFile tells whether a name is one that jar signatures have (JAR File Specification, "Signed JAR File").
func isSignatureFile(name string) bool {
	dir, base, ok := strings.Cut(name, "/")
	if !ok || !strings.EqualFold(dir, "META-INF") || strings.Contains(base, "/") {
		return false
	}
	up := strings.ToUpper(base)
	for _, suffix := range []string{".SF", ".RSA", ".DSA", ".EC"} {
		if strings.HasSuffix(up, suffix) {
			return true
		}
	}
	return strings.HasPrefix(up, "SIG-")
}
