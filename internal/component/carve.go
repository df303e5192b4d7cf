package component

import (
	"bufio"
	"bytes"
	"compress/flate"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
	"strconv"

	"github.com/glassbuild/glassbuild/internal/archive"
	"github.com/glassbuild/glassbuild/internal/artifact"
)

// magics are what carving looks for. Each is rare enough to be worth a look at what follows.
var magics = []struct {
	magic []byte
	back  int64 // bytes before the magic at which the thing begins
	size  func(ra io.ReaderAt, at, end int64) int64
}{
	{[]byte("\x7fELF"), 0, elfSize},
	{[]byte("\x1f\x8b\x08"), 0, gzipSize},
	{[]byte("070701"), 0, cpioSize},
	{[]byte("070702"), 0, cpioSize},
	{[]byte("\xfd7zXZ\x00"), 0, xzSize},
	{[]byte("\x28\xb5\x2f\xfd"), 0, zstdSize},
	{[]byte("PK\x03\x04"), 0, zipSize},
	{[]byte("ustar"), 257, tarSize},
	{[]byte("\x01CD001\x01"), 32768, isoSize},
	{[]byte("\x53\xef"), 1080, extSize},
	{[]byte("hsqs"), 0, squashSize},
	{[]byte("FAT12   "), 54, fatSize},
	{[]byte("FAT16   "), 54, fatSize},
	{[]byte("FAT32   "), 82, fatSize},
}

// carve looks for known formats inside a blob that is none, or that could not be opened as what it claims to be, and looks
// into what it finds; it returns how many things that were. Things that overlap are taken in the order in which they begin.
func (s *searcher) carve(a *artifact.Artifact, m *artifact.Member, name string, depth int) (int, error) {
	if depth >= maxCarveDepth || m.Size > maxBlob {
		return 0, nil
	}
	c, err := a.Content(m)
	if err != nil {
		return 0, nil // what cannot be expanded is among the problems
	}
	defer c.Close()
	found, taken := 0, 0
	buf := make([]byte, carveWindow)
	next := int64(0) // what lies before was taken
	for base := int64(0); base < m.Size; base += carveWindow - overlap {
		if err := s.ctx.Err(); err != nil {
			return taken, err
		}
		b := buf[:min(carveWindow, m.Size-base)]
		if n, err := c.ReadAt(b, base); n < len(b) && err != nil && err != io.EOF {
			return taken, nil
		}
		for _, at := range candidates(b, base, next) {
			if at.offset < next || found >= maxCarved {
				continue
			}
			size := at.size(c, at.offset, m.Size)
			if size <= 0 || at.offset == 0 && size == m.Size && m.Problem != nil {
				continue
			}
			found++
			if ok, err := s.carved(c, at.offset, size, fmt.Sprintf("%s@%d", name, at.offset), depth); err != nil {
				return taken, err
			} else if ok {
				taken++
				next = at.offset + size
			}
		}
	}
	return taken, nil
}

// overlap is how much two windows have in common, so that no magic is cut.
const overlap = 64

type candidate struct {
	offset int64
	size   func(ra io.ReaderAt, at, end int64) int64
}

// candidates lists where something could begin in a window of a blob, in order.
func candidates(b []byte, base, from int64) []candidate {
	var list []candidate
	for _, k := range magics {
		for off := 0; len(list) < 64*maxCarved; {
			i := bytes.Index(b[off:], k.magic)
			if i < 0 {
				break
			}
			if at := base + int64(off+i) - k.back; at >= from {
				list = append(list, candidate{at, k.size})
			}
			off += i + 1
		}
	}
	sortCandidates(list)
	return list
}

func sortCandidates(list []candidate) {
	for i := 1; i < len(list); i++ { // few, and nearly in order
		for k := i; k > 0 && list[k].offset < list[k-1].offset; k-- {
			list[k], list[k-1] = list[k-1], list[k]
		}
	}
}

// carved looks into one thing and tells whether it was what it began as.
func (s *searcher) carved(c io.ReaderAt, at, size int64, name string, depth int) (bool, error) {
	a, err := artifact.Inspect(s.ctx, io.NewSectionReader(c, at, size), size, artifact.Options{Dir: s.dir, Name: name})
	if err != nil {
		return false, s.ctx.Err()
	}
	defer a.Close()
	if a.Root.Problem != nil || a.Root.Format == "" {
		return false, nil
	}
	s.mu.Lock()
	s.rep.Carved++
	s.mu.Unlock()
	return true, s.artefact(a, name, depth+1)
}

// elfSize is where the last section or segment ends, or the section headers.
func elfSize(ra io.ReaderAt, at, end int64) int64 {
	f, err := elf.NewFile(io.NewSectionReader(ra, at, end-at))
	if err != nil {
		return 0
	}
	size := int64(0)
	for _, p := range f.Progs {
		size = max(size, int64(p.Off+p.Filesz))
	}
	for _, x := range f.Sections {
		if x.Type != elf.SHT_NOBITS {
			size = max(size, int64(x.Offset+x.FileSize))
		}
	}
	var head [64]byte
	if n, _ := ra.ReadAt(head[:], at); n == len(head) {
		shoff, entry, count := int64(f.ByteOrder.Uint64(head[40:])), int64(f.ByteOrder.Uint16(head[58:])), int64(f.ByteOrder.Uint16(head[60:]))
		if f.Class == elf.ELFCLASS32 {
			shoff, entry, count = int64(f.ByteOrder.Uint32(head[32:])), int64(f.ByteOrder.Uint16(head[46:])), int64(f.ByteOrder.Uint16(head[48:]))
		}
		if shoff > 0 && shoff < end-at {
			size = max(size, shoff+entry*count)
		}
	}
	return fits(size, at, end)
}

// fits returns size where it lies within, else 0.
func fits(size, at, end int64) int64 {
	if size <= 0 || size > end-at {
		return 0
	}
	return size
}

// gzipSize decompresses one member, within the limits of any archive, to find where it ends.
func gzipSize(ra io.ReaderAt, at, end int64) int64 {
	in := &counted{r: bufio.NewReader(io.NewSectionReader(ra, at, end-at))}
	var head [10]byte
	if _, err := io.ReadFull(in, head[:]); err != nil || head[3]&0xe0 != 0 {
		return 0
	}
	if head[3]&4 != 0 {
		var n [2]byte
		io.ReadFull(in, n[:])
		io.CopyN(io.Discard, in, int64(binary.LittleEndian.Uint16(n[:])))
	}
	for _, bit := range []byte{8, 16} {
		for head[3]&bit != 0 {
			if c, err := in.ReadByte(); err != nil || in.n > 1<<16 {
				return 0
			} else if c == 0 {
				break
			}
		}
	}
	if head[3]&2 != 0 {
		io.CopyN(io.Discard, in, 2)
	}
	z := flate.NewReader(in)
	defer z.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(z, min(archive.MaxExpanded, max(archive.RatioFloor, (end-at)*archive.MaxRatio)))); err != nil {
		return 0
	}
	if n, err := z.Read(make([]byte, 1)); n > 0 || err != io.EOF {
		return 0
	}
	return fits(in.n+8, at, end)
}

type counted struct {
	r *bufio.Reader
	n int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

func (c *counted) ReadByte() (byte, error) {
	b, err := c.r.ReadByte()
	if err == nil {
		c.n++
	}
	return b, err
}

// cpioSize walks the headers to the trailer.
func cpioSize(ra io.ReaderAt, at, end int64) int64 {
	var head [110]byte
	for off, n := at, 0; n < archive.MaxEntries; n++ {
		if _, err := ra.ReadAt(head[:], off); err != nil || string(head[:5]) != "07070" {
			return 0
		}
		size, err1 := strconv.ParseInt(string(head[54:62]), 16, 64)
		name, err2 := strconv.ParseInt(string(head[94:102]), 16, 64)
		if err1 != nil || err2 != nil || name > archive.MaxName || name < 1 {
			return 0
		}
		text := make([]byte, name)
		if _, err := ra.ReadAt(text, off+110); err != nil {
			return 0
		}
		up := func(v int64) int64 { return at + (v-at+3)&^3 }
		off = up(up(off+110+name) + size)
		if off > end+3 {
			return 0
		}
		if string(text) == "TRAILER!!!\x00" {
			return fits(min(off, end)-at, at, end)
		}
	}
	return 0
}

// xzSize tries the places at which a stream footer could end.
func xzSize(ra io.ReaderAt, at, end int64) int64 {
	return ending(ra, at, end, []byte("YZ"), 4, func(size int64) bool {
		d, err := archive.Decompress(archive.FormatXZ, io.NewSectionReader(ra, at, size), archive.NewMeter("carved", size, archive.Limits{}))
		if err != nil {
			return false
		}
		defer d.Close()
		_, err = io.Copy(io.Discard, d)
		return err == nil
	})
}

// ending looks for the end of something by its last bytes, which lie at a multiple of align, and asks whether it holds.
func ending(ra io.ReaderAt, at, end int64, mark []byte, align int64, holds func(size int64) bool) int64 {
	buf := make([]byte, carveWindow)
	tries := 0
	for off := at; off < end; off += int64(len(buf)) - int64(len(mark)) + 1 {
		n, err := ra.ReadAt(buf[:min(int64(len(buf)), end-off)], off)
		if err != nil && err != io.EOF {
			return 0
		}
		for from := 0; ; {
			i := bytes.Index(buf[from:n], mark)
			if i < 0 {
				break
			}
			from += i + 1
			size := off + int64(from-1+len(mark)) - at
			if size%align != 0 {
				continue
			}
			if tries++; tries > maxCarved {
				return 0
			}
			if holds(size) {
				return size
			}
		}
		if n < len(buf) {
			break
		}
	}
	return 0
}

// zstdSize walks the blocks of one frame (RFC 8878, 3.1.1).
func zstdSize(ra io.ReaderAt, at, end int64) int64 {
	var d [1]byte
	if _, err := ra.ReadAt(d[:], at+4); err != nil {
		return 0
	}
	off := at + 5 + []int64{0, 1, 2, 4}[d[0]&3] + []int64{0, 2, 4, 8}[d[0]>>6]
	if single := d[0]&0x20 != 0; !single {
		off++
	} else if d[0]>>6 == 0 {
		off++
	}
	for off < end {
		var b [3]byte
		if _, err := ra.ReadAt(b[:], off); err != nil {
			return 0
		}
		v := int64(b[0]) | int64(b[1])<<8 | int64(b[2])<<16
		size := v >> 3
		switch v >> 1 & 3 {
		case 1:
			size = 1
		case 3:
			return 0
		}
		off += 3 + size
		if v&1 != 0 {
			if d[0]&4 != 0 {
				off += 4
			}
			return fits(off-at, at, end)
		}
	}
	return 0
}

// zipSize finds the end record whose directory begins with what lies at at.
func zipSize(ra io.ReaderAt, at, end int64) int64 {
	size := ending(ra, at, end, []byte("PK\x05\x06"), 1, func(size int64) bool {
		var b [18]byte
		if _, err := ra.ReadAt(b[:], at+size); err != nil {
			return false
		}
		length, offset := int64(binary.LittleEndian.Uint32(b[8:])), int64(binary.LittleEndian.Uint32(b[12:]))
		return offset+length == size-4
	})
	if size == 0 {
		return 0
	}
	var n [2]byte
	ra.ReadAt(n[:], at+size+16)
	return fits(size+18+int64(binary.LittleEndian.Uint16(n[:])), at, end)
}

// tarSize walks the headers to two blocks of zeros.
func tarSize(ra io.ReaderAt, at, end int64) int64 {
	m := archive.NewMeter("carved", end-at, archive.Limits{})
	var b [1024]byte
	for off, n := at, 0; n < archive.MaxEntries; n++ {
		if _, err := ra.ReadAt(b[:], off); err != nil && err != io.EOF {
			return 0
		}
		if b == [1024]byte{} {
			return fits(off+1024-at, at, end)
		}
		if archive.Detect(b[:512]) != archive.FormatTar || m.Entry() != nil {
			return 0
		}
		size, err := strconv.ParseInt(string(bytes.Trim(b[124:136], " \x00")), 8, 64)
		if err != nil || size < 0 || size > end-off {
			return 0
		}
		off += 512 + (size+511)&^511
	}
	return 0
}

// isoSize is what the primary volume descriptor says.
func isoSize(ra io.ReaderAt, at, end int64) int64 {
	var b [132]byte
	if _, err := ra.ReadAt(b[:], at+32768); at < 0 || err != nil {
		return 0
	}
	return fits(int64(binary.LittleEndian.Uint32(b[80:]))*int64(binary.LittleEndian.Uint16(b[128:])), at, end)
}

// extSize is what the superblock says.
func extSize(ra io.ReaderAt, at, end int64) int64 {
	var b [2048]byte
	if at < 0 {
		return 0
	}
	if _, err := ra.ReadAt(b[:], at); err != nil || archive.Detect(b[:]) != archive.FormatExt {
		return 0
	}
	blocks, log := int64(binary.LittleEndian.Uint32(b[1028:])), binary.LittleEndian.Uint32(b[1048:])
	return fits(blocks*1024<<log, at, end)
}

// squashSize is what the superblock of a squashfs says (Documentation/filesystems/squashfs.rst of Linux).
func squashSize(ra io.ReaderAt, at, end int64) int64 {
	var b [48]byte
	if _, err := ra.ReadAt(b[:], at); err != nil || binary.LittleEndian.Uint16(b[28:]) != 4 {
		return 0
	}
	return fits(int64(min(binary.LittleEndian.Uint64(b[40:]), 1<<62)), at, end)
}

// fatSize is the number of sectors in the first one of a FAT file system.
func fatSize(ra io.ReaderAt, at, end int64) int64 {
	var b [512]byte
	if _, err := ra.ReadAt(b[:], at); err != nil || archive.Detect(b[:]) != archive.FormatFAT {
		return 0
	}
	le := binary.LittleEndian
	total := int64(le.Uint16(b[19:]))
	if total == 0 {
		total = int64(le.Uint32(b[32:]))
	}
	return fits(total*int64(le.Uint16(b[11:])), at, end)
}
