package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"
	"time"
	"unicode/utf16"
)

// readFAT reads a FAT12, FAT16 or FAT32 file system (ECMA-107; Microsoft's FAT specification of 2000) with long names. Both
// allocation tables must be the same, no cluster may be in two files, and no two names of a directory may differ in case alone:
// what two readers could see differently is refused. FAT knows no modes and no links.
func readFAT(d *Disk) error {
	boot, err := d.read(0, 512)
	if err != nil {
		return err
	}
	r := &fatReader{d: d}
	if !r.geometry(boot) {
		return d.m.fail("malformed fat: geometry")
	}
	if err := r.tables(); err != nil {
		return err
	}
	r.used = []extent{{0, r.data}}
	code := boot[62:510]
	if r.width == 32 {
		code = boot[90:510]
	}
	if sum := sha256.Sum256(code); !allZero(code) && !slices.Contains(harmlessBoot, hex.EncodeToString(sum[:])) {
		d.regions = append(d.regions, Region{0, 512, "boot code of the file system"})
	}
	if r.width == 32 {
		err = r.chained(r.root, "", 0)
	} else {
		var b []byte
		if b, err = d.read(r.fixed.offset, r.fixed.size); err == nil {
			err = r.directory(b, "", 0)
		}
	}
	if err != nil {
		return err
	}
	return d.gaps(r.used, r.data, d.size, r.cluster, "bytes of no file")
}

// harmlessBoot are the digests of the boot code that mkfs.fat writes: it prints that the disk is not bootable.
var harmlessBoot = []string{
	"077944d0488ccce0f25a5449d0d903d7c24c6e5452d2a3103dc3ab02a419937a",
	"c0e43d7b254da6d399f18d63cf109ffd01a4251154952b479df6fac2c6849948",
}

type fatReader struct {
	d       *Disk
	sector  int64
	cluster int64 // bytes
	fat     int64 // offset of the first table
	fatSize int64
	fats    int64
	data    int64 // offset of cluster 2
	count   int64 // clusters
	width   int   // bits of an entry of the table
	root    uint32
	fixed   extent // the root directory of FAT12 and FAT16
	table   []byte
	taken   []bool
	used    []extent
}

// geometry reads the parameters of the first sector and tells whether they hold together.
func (r *fatReader) geometry(b []byte) bool {
	le := binary.LittleEndian
	r.sector = int64(le.Uint16(b[11:]))
	each, reserved, roots := int64(b[13]), int64(le.Uint16(b[14:])), int64(le.Uint16(b[17:]))
	r.fats = int64(b[16])
	total, size := int64(le.Uint16(b[19:])), int64(le.Uint16(b[22:]))
	if total == 0 {
		total = int64(le.Uint32(b[32:]))
	}
	long := size == 0
	if long {
		size = int64(le.Uint32(b[36:]))
	}
	switch {
	case !slices.Contains([]int64{512, 1024, 2048, 4096}, r.sector), each == 0 || each&(each-1) != 0, reserved == 0, r.fats < 1 || r.fats > 2, size == 0, total*r.sector > r.d.size:
		return false
	}
	r.cluster, r.fat, r.fatSize = each*r.sector, reserved*r.sector, size*r.sector
	rootSectors := (roots*32 + r.sector - 1) / r.sector
	first := reserved + r.fats*size + rootSectors
	if first >= total {
		return false
	}
	r.fixed = extent{(reserved + r.fats*size) * r.sector, roots * 32}
	r.data, r.count = first*r.sector, (total-first)/each
	switch {
	case r.count < 4085:
		r.width = 12
	case r.count < 65525:
		r.width = 16
	default:
		r.width = 32
	}
	r.root = le.Uint32(b[44:])
	return long == (r.width == 32) && (roots == 0) == long && (r.count+2)*int64(r.width) <= r.fatSize*8
}

// tables reads the allocation table, and holds the second one against it.
func (r *fatReader) tables() error {
	var err error
	if r.table, err = r.d.read(r.fat, r.fatSize); err != nil {
		return err
	}
	if r.fats == 2 {
		second, err := r.d.read(r.fat+r.fatSize, r.fatSize)
		if err != nil {
			return err
		}
		if !bytes.Equal(r.table, second) {
			return r.d.m.fail("malformed fat: the two allocation tables differ")
		}
	}
	r.taken = make([]bool, r.count+2)
	return nil
}

// next is what the table says of a cluster: the one that follows, 0 for the last one.
func (r *fatReader) next(c uint32) (uint32, bool) {
	le := binary.LittleEndian
	var v, last uint32
	switch r.width {
	case 12:
		v = uint32(le.Uint16(r.table[c+c/2:])) >> (4 * (c & 1)) & 0xfff
		last = 0xff8
	case 16:
		v, last = uint32(le.Uint16(r.table[2*c:])), 0xfff8
	default:
		v, last = le.Uint32(r.table[4*c:])&0x0fffffff, 0x0ffffff8
	}
	if v >= last {
		return 0, true
	}
	return v, v >= 2 && int64(v) < r.count+2
}

// chain lists the runs of the clusters of a file; each cluster belongs to one file alone, which also ends loops.
func (r *fatReader) chain(name string, c uint32) ([]extent, error) {
	var list []extent
	for c != 0 {
		if c < 2 || int64(c) >= r.count+2 || r.taken[c] {
			return nil, r.d.m.failEntry(orRoot(name), "malformed fat: a cluster of it is in two files, or outside")
		}
		r.taken[c] = true
		at := r.data + int64(c-2)*r.cluster
		if n := len(list); n > 0 && list[n-1].offset+list[n-1].size == at {
			list[n-1].size += r.cluster
		} else {
			list = append(list, extent{at, r.cluster})
		}
		var ok bool
		if c, ok = r.next(c); !ok {
			return nil, r.d.m.failEntry(orRoot(name), "malformed fat: its clusters lead nowhere")
		}
	}
	r.used = append(r.used, list...)
	return list, nil
}

// chained reads a directory that lies in clusters.
func (r *fatReader) chained(c uint32, name string, depth int) error {
	list, err := r.chain(name, c)
	if err != nil {
		return err
	}
	var all []byte
	for _, x := range list {
		if int64(len(all))+x.size > maxFATDirectory {
			return r.d.m.failEntry(orRoot(name), "exceeds limit: directory of more than %d bytes", maxFATDirectory)
		}
		b, err := r.d.read(x.offset, x.size)
		if err != nil {
			return err
		}
		all = append(all, b...)
	}
	return r.directory(all, name, depth)
}

// directory reads the entries of a directory, and what lies below it.
func (r *fatReader) directory(b []byte, path string, depth int) error {
	if depth > maxExtDepth {
		return r.d.m.fail("exceeds limit: directories nested deeper than %d", maxExtDepth)
	}
	var long fatName
	seen := map[string]bool{}
	for ; len(b) >= 32 && b[0] != 0; b = b[32:] {
		attr := b[11]
		switch {
		case b[0] == 0xe5:
			long = fatName{}
			continue
		case attr&0x3f == 0x0f:
			long.part(b)
			continue
		case attr&0x08 != 0: // the name of the volume
			long = fatName{}
			continue
		}
		name := long.name(b)
		long = fatName{}
		if name == "." || name == ".." {
			continue
		}
		if seen[strings.ToLower(name)] {
			return r.d.m.failEntry(name, "malformed fat: two files of one name")
		}
		seen[strings.ToLower(name)] = true
		if err := r.entry(b, name, path, depth); err != nil {
			return err
		}
	}
	return nil
}

// entry takes a file or a directory.
func (r *fatReader) entry(b []byte, name, path string, depth int) error {
	clean, err := Clean(name, true)
	if err != nil || strings.Contains(name, "/") {
		return r.d.m.failEntry(name, "unsafe path")
	}
	if path != "" {
		clean = path + "/" + clean
	}
	le := binary.LittleEndian
	first := uint32(le.Uint16(b[26:]))
	if r.width == 32 {
		first |= uint32(le.Uint16(b[20:])) << 16
	}
	e := &Entry{Name: clean, Type: File, Mode: 0o644, Size: int64(le.Uint32(b[28:])), ModTime: fatTime(le.Uint16(b[24:]), le.Uint16(b[22:]))}
	if b[11]&0x10 != 0 {
		e.Type, e.Mode, e.Size = Directory, 0o755, 0
		if err := r.d.add(e, nil); err != nil {
			return err
		}
		if first == 0 {
			return r.d.m.failEntry(clean, "malformed fat: a directory without clusters")
		}
		return r.chained(first, clean, depth+1)
	}
	list, err := r.chain(clean, first)
	if err != nil {
		return err
	}
	return r.d.add(e, list)
}

// fatName collects the parts of a long name, which lie before the entry that they name, the last one first.
type fatName struct {
	units []uint16
	sum   byte
	left  int
}

func (n *fatName) part(b []byte) {
	if b[0]&0x40 != 0 {
		*n = fatName{left: int(b[0] & 0x1f), sum: b[13]}
	} else if n.left--; n.left <= 0 || int(b[0]&0x1f) != n.left || b[13] != n.sum {
		*n = fatName{}
		return
	}
	var units []uint16
	for _, at := range []int{1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30} {
		units = append(units, binary.LittleEndian.Uint16(b[at:]))
	}
	n.units = append(units, n.units...)
}

// name is the long name where all parts of it are there and belong to the entry, else the short one.
func (n *fatName) name(b []byte) string {
	var sum byte
	for _, c := range b[:11] {
		sum = sum>>1 | sum<<7
		sum += c
	}
	if len(n.units) > 0 && n.left == 1 && n.sum == sum {
		if i := slices.Index(n.units, 0); i >= 0 {
			n.units = n.units[:i]
		}
		return string(utf16.Decode(n.units))
	}
	base, ext := fatShort(b[:8], b[12]&0x08 != 0), fatShort(b[8:11], b[12]&0x10 != 0)
	if ext != "" {
		return base + "." + ext
	}
	return base
}

// fatShort is one half of a short name; bytes outside of ASCII are of an unknown code page and kept apart.
func fatShort(b []byte, lower bool) string {
	var s strings.Builder
	for i, c := range bytes.TrimRight(b, " ") {
		switch {
		case i == 0 && c == 0x05:
			c = 0xe5
		case lower && c >= 'A' && c <= 'Z':
			c += 'a' - 'A'
		}
		s.WriteRune(rune(c))
	}
	return s.String()
}

func fatTime(date, clock uint16) int64 {
	if date == 0 {
		return 0
	}
	return time.Date(1980+int(date>>9), time.Month(date>>5&15), int(date&31), int(clock>>11), int(clock>>5&63), int(clock&31)*2, 0, time.UTC).Unix()
}

// isFAT asks for a jump, parameters that hold together and the mark at the end of the first sector.
func isFAT(head []byte) bool {
	if len(head) < 512 || head[510] != 0x55 || head[511] != 0xaa || head[0] != 0xeb && head[0] != 0xe9 || head[21] < 0xf0 {
		return false
	}
	r := &fatReader{d: &Disk{size: 1 << 62}}
	return r.geometry(head[:512])
}
