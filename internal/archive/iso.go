package archive

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"unicode/utf16"
)

// readISO reads an ISO 9660 image (ECMA-119) with Rock Ridge (IEEE P1282) or Joliet names. Where there are both trees the
// files are those of the primary one, and the other may name no file that the first does not have: Windows reads one and
// Unix the other. A UDF file system beside it would be a third one and is inconclusive. Bytes that belong to no file and are
// not zero are regions: the system area, in which boot code lies, and what hides between files.
func readISO(d *Disk) error {
	r := &isoReader{d: d, used: []extent{{0, isoSystem}}}
	var joliet *isoDescriptor
	var primary *isoDescriptor
	for sector := int64(16); ; sector++ {
		b, err := d.read(sector*isoSector, isoSector)
		if err != nil {
			return err
		}
		if string(b[1:6]) != "CD001" || sector > 16+maxISODescriptors {
			return d.m.fail("malformed iso: volume descriptors without end")
		}
		r.used = append(r.used, extent{sector * isoSector, isoSector})
		switch {
		case b[0] == 255:
			return r.trees(primary, joliet, sector+1)
		case b[0] == 1 && primary == nil:
			primary = isoVolume(b)
		case b[0] == 2 && joliet == nil && slices.Contains([]string{"%/@", "%/C", "%/E"}, string(b[88:91])):
			joliet = isoVolume(b)
			joliet.joliet = true
		case b[0] == 0:
			r.regions = append(r.regions, Region{sector * isoSector, isoSector, "boot record"})
		}
	}
}

const (
	isoSector = 2048
	isoSystem = 16 * isoSector
)

type isoDescriptor struct {
	root  []byte
	block int64
	table extent // path tables, little and big endian
	other extent

	joliet bool
}

func isoVolume(b []byte) *isoDescriptor {
	le, be := binary.LittleEndian, binary.BigEndian
	v := &isoDescriptor{root: b[156:190], block: int64(le.Uint16(b[128:]))}
	size := int64(le.Uint32(b[132:]))
	v.table = extent{int64(le.Uint32(b[140:])) * v.block, size}
	v.other = extent{int64(be.Uint32(b[148:])) * v.block, size}
	return v
}

type isoReader struct {
	d       *Disk
	block   int64
	joliet  bool
	rock    bool
	skip    int // bytes before system use entries, SUSP SP
	seen    map[int64]bool
	files   map[extent]bool // of the primary tree
	used    []extent
	regions []Region
	depth   int
}

// trees walks the primary tree, holds the other one against it, and looks at what is left.
func (r *isoReader) trees(primary, joliet *isoDescriptor, next int64) error {
	if primary == nil {
		return r.d.m.fail("malformed iso: no primary volume")
	}
	for sector := next; sector < next+3; sector++ { // ECMA-167, volume recognition
		if b, err := r.d.read(sector*isoSector, isoSector); err == nil && (string(b[1:5]) == "NSR0" || string(b[1:6]) == "BEA01") {
			return inconclusive(r.d.m, "a UDF file system beside ISO 9660 is not supported")
		}
	}
	r.files = map[extent]bool{}
	if err := r.tree(primary, false); err != nil {
		return err
	}
	if joliet != nil {
		if r.rock {
			if err := r.tree(joliet, true); err != nil {
				return err
			}
		} else if err := r.longNames(joliet); err != nil {
			return err
		}
	}
	return r.rest()
}

// longNames takes the files of the Joliet tree, whose names are the ones that people see: without Rock Ridge the other
// tree's are cut. Each tree must have the files of the other.
func (r *isoReader) longNames(joliet *isoDescriptor) error {
	if err := r.tree(joliet, true); err != nil {
		return err
	}
	first := r.files
	r.d.files, r.d.names, r.files = nil, names{}, map[extent]bool{}
	if err := r.tree(joliet, false); err != nil {
		return err
	}
	for x := range first {
		if !r.files[x] {
			return r.d.m.fail("one directory tree of the image has a file that the other has not")
		}
	}
	return nil
}

// tree walks one tree. A second one only is held against the files of the first.
func (r *isoReader) tree(v *isoDescriptor, second bool) error {
	if v.block != 512 && v.block != 1024 && v.block != isoSector {
		return r.d.m.fail("malformed iso: blocks of %d bytes", v.block)
	}
	r.block, r.seen = v.block, map[int64]bool{}
	r.joliet = v.joliet
	r.used = append(r.used, v.table, v.other)
	rec, ok := parseISORecord(v.root)
	if !ok {
		return r.d.m.fail("malformed iso: root directory")
	}
	if !r.joliet {
		if err := r.findRockRidge(rec); err != nil {
			return err
		}
	}
	return r.directory(rec, "", second)
}

// isoRecord is a directory record (ECMA-119, 9.1).
type isoRecord struct {
	extent, size int64
	flags        byte
	name         string
	when         int64
	use          []byte
	attr         byte
	length       int
	interleaved  bool
}

func parseISORecord(b []byte) (isoRecord, bool) {
	if len(b) < 34 || int(b[0]) > len(b) || b[0] < 34 {
		return isoRecord{}, false
	}
	b = b[:b[0]]
	le, be := binary.LittleEndian, binary.BigEndian
	n := int(b[32])
	if 33+n > len(b) || le.Uint32(b[2:]) != be.Uint32(b[6:]) || le.Uint32(b[10:]) != be.Uint32(b[14:]) {
		return isoRecord{}, false
	}
	r := isoRecord{extent: int64(le.Uint32(b[2:])), size: int64(le.Uint32(b[10:])), flags: b[25], name: string(b[33 : 33+n]), attr: b[1], length: int(b[0]),
		interleaved: b[26] != 0 || b[27] != 0, when: isoTime(b[18:25])}
	if at := 33 + n + (n+1)&1; at < len(b) {
		r.use = b[at:]
	}
	return r, true
}

// directory reads the records of one directory and then those below it.
func (r *isoReader) directory(dir isoRecord, path string, second bool) error {
	at := (dir.extent + int64(dir.attr)) * r.block
	if r.seen[at] {
		return r.d.m.failEntry(orRoot(path), "directory loop")
	}
	r.seen[at] = true
	if r.depth++; r.depth > maxISODepth {
		return r.d.m.fail("exceeds limit: directories nested deeper than %d", maxISODepth)
	}
	defer func() { r.depth-- }()
	b, err := r.d.read(at, dir.size)
	if err != nil {
		return err
	}
	r.used = append(r.used, extent{at, dir.size})
	var below []isoRecord
	var paths []string
	for off := 0; off < len(b); {
		if b[off] == 0 { // records do not cross sectors
			off = (off/isoSector + 1) * isoSector
			continue
		}
		rec, ok := parseISORecord(b[off:])
		if !ok {
			return r.d.m.failEntry(orRoot(path), "malformed iso: directory record")
		}
		off += rec.length
		if rec.name == "\x00" || rec.name == "\x01" {
			if r.rock && !r.joliet { // says where its own entries go on
				if _, err := r.rockRidge(rec.use); err != nil {
					return err
				}
			}
			continue
		}
		extents := []extent{{(rec.extent + int64(rec.attr)) * r.block, rec.size}}
		for rec.flags&0x80 != 0 { // more extents of the same file follow
			next, ok := isoRecord{}, false
			if off < len(b) {
				next, ok = parseISORecord(b[off:])
			}
			if !ok || next.name != rec.name || len(extents) > maxISOExtents {
				return r.d.m.failEntry(orRoot(path), "malformed iso: extents of a file do not follow each other")
			}
			off += next.length
			extents = append(extents, extent{(next.extent + int64(next.attr)) * r.block, next.size})
			rec.size += next.size
			rec.flags = next.flags
		}
		inner, name, err := r.entry(rec, extents, path, second)
		if err != nil {
			return err
		}
		if inner != nil {
			below, paths = append(below, *inner), append(paths, name)
		}
	}
	for i := range below {
		if err := r.directory(below[i], paths[i], second); err != nil {
			return err
		}
	}
	return nil
}

func orRoot(p string) string {
	if p == "" {
		return "/"
	}
	return p
}

// entry takes one record, and returns it when it is a directory that has to be read.
func (r *isoReader) entry(rec isoRecord, extents []extent, dir string, second bool) (*isoRecord, string, error) {
	e := &Entry{Type: File, Mode: 0o444, ModTime: rec.when, Size: rec.size}
	rock := rockRidge{}
	if r.rock && !r.joliet {
		var err error
		if rock, err = r.rockRidge(rec.use); err != nil {
			return nil, "", err
		}
	}
	if rock.relocated {
		return nil, "", nil // is listed where it belongs
	}
	name, err := r.name(rec.name, rock.name)
	if err != nil {
		return nil, "", err
	}
	if dir != "" {
		name = dir + "/" + name
	}
	if e.Name, err = Clean(name, false); err != nil {
		return nil, "", err
	}
	if rec.interleaved {
		return nil, "", inconclusive(r.d.m, "interleaved files are not supported")
	}
	if rock.child > 0 {
		b, err := r.d.read(rock.child*r.block, isoSector)
		if err != nil {
			return nil, "", err
		}
		self, ok := parseISORecord(b)
		if !ok {
			return nil, "", r.d.m.failEntry(e.Name, "malformed iso: relocated directory")
		}
		self.extent, rec.flags = rock.child, rec.flags|2
		rec.extent, rec.size, rec.attr = self.extent, self.size, self.attr
	}
	if rock.set {
		e.Mode, e.UID, e.GID = rock.mode&0o7777, rock.uid, rock.gid
	}
	if rec.flags&2 != 0 {
		e.Type, e.Size = Directory, 0
		if !rock.set {
			e.Mode = 0o555
		}
		if second {
			return &rec, e.Name, nil
		}
		return &rec, e.Name, r.d.add(e, nil)
	}
	return nil, "", r.file(e, rock, extents, second)
}

func (r *isoReader) file(e *Entry, rock rockRidge, extents []extent, second bool) error {
	if rock.set && rock.mode&0o170000 == 0o120000 {
		e.Type, e.Link, e.Size = Symlink, rock.link, 0
		if second {
			return nil
		}
		return r.d.add(e, nil)
	}
	if rock.set && rock.mode&0o170000 != 0o100000 {
		return r.d.m.failEntry(e.Name, "unsupported type: mode %o", rock.mode)
	}
	if e.Size == 0 {
		extents = nil
	}
	for _, x := range extents {
		if second && !r.files[x] {
			return r.d.m.failEntry(e.Name, "one directory tree of the image has a file that the other has not")
		}
		r.files[x] = true
	}
	if second {
		return nil
	}
	r.used = append(r.used, extents...)
	return r.d.add(e, extents)
}

// name is that of Rock Ridge, of Joliet, or the plain one without its version.
func (r *isoReader) name(raw, rock string) (string, error) {
	switch {
	case rock != "":
		raw = rock
	case r.joliet:
		if len(raw)%2 != 0 {
			return "", r.d.m.fail("malformed iso: name of %d bytes", len(raw))
		}
		units := make([]uint16, 0, len(raw)/2)
		for i := 0; i < len(raw); i += 2 {
			units = append(units, uint16(raw[i])<<8|uint16(raw[i+1]))
		}
		raw = string(utf16.Decode(units))
		fallthrough
	default:
		raw, _, _ = strings.Cut(raw, ";")
		raw = strings.TrimSuffix(raw, ".")
	}
	if raw == "" || raw == "." || raw == ".." || strings.ContainsRune(raw, '/') {
		return "", r.d.m.failEntry(raw, "unsafe path")
	}
	return raw, nil
}

// rest makes regions of what belongs to no file and is not zero.
func (r *isoReader) rest() error {
	b, err := r.d.read(0, isoSystem)
	if err != nil {
		return err
	}
	if !allZero(b) {
		r.regions = append(r.regions, Region{0, isoSystem, "boot code of the system area"})
	}
	r.d.regions = r.regions
	return r.d.gaps(r.used, isoSystem, r.d.size, isoSector, "bytes of no file")
}

// isTransparentPadding accepts nothing but the version string that mkisofs writes behind the descriptors.
func isTransparentPadding(b []byte) bool {
	return len(b) <= 16*isoSector && bytes.HasPrefix(b, []byte("MKI ")) && allZero(b[min(len(b), 256):])
}

func cmpInt64(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
