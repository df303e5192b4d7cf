package archive

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// readExt reads an ext2, ext3 or ext4 file system ("ext4 Data Structures and Algorithms" of the Linux documentation). What
// would have to be replayed from a journal, and features that move data elsewhere, are inconclusive. What lies in free
// blocks is not looked at.
func readExt(d *Disk) error {
	sb, err := d.read(1024, 1024)
	if err != nil {
		return err
	}
	le := binary.LittleEndian
	x := &extReader{d: d, seen: map[uint32]string{}, walked: map[uint32]bool{}}
	log := le.Uint32(sb[24:])
	x.inodes, x.perGroup = le.Uint32(sb), le.Uint32(sb[40:])
	x.inodeSize, x.descSize = 128, 32
	if log > 6 || x.perGroup == 0 || le.Uint32(sb[32:]) == 0 {
		return d.m.fail("malformed ext: superblock")
	}
	x.block = 1024 << log
	incompat := uint32(0)
	if le.Uint32(sb[76:]) > 0 {
		x.inodeSize, incompat = int64(le.Uint16(sb[88:])), le.Uint32(sb[96:])
	}
	if incompat&0x80 != 0 {
		x.descSize = int64(le.Uint16(sb[254:]))
	}
	switch {
	case incompat&0x4 != 0:
		return inconclusive(d.m, "the journal of the file system was not replayed")
	case incompat&^uint32(extFeatures) != 0:
		return inconclusive(d.m, "unsupported features of ext: %#x", incompat&^uint32(extFeatures))
	case x.inodeSize < 128 || x.inodeSize > x.block || x.descSize < 32 || x.descSize > x.block:
		return d.m.fail("malformed ext: superblock")
	}
	x.table = (int64(le.Uint32(sb[20:])) + 1) * x.block
	return x.directory(extRoot, "", 0)
}

const (
	extRoot     = 2
	extFeatures = 0x2 | 0x40 | 0x80 | 0x200 | 0x2000 | 0x4000 | 0x20000 // filetype, extents, 64bit, flex_bg, csum_seed, largedir, casefold
)

type extReader struct {
	d         *Disk
	block     int64
	table     int64 // of group descriptors
	inodes    uint32
	perGroup  uint32
	inodeSize int64
	descSize  int64
	seen      map[uint32]string // files by inode: a second name is a hard link
	walked    map[uint32]bool
}

// inode is one file as its inode describes it.
type inode struct {
	raw        []byte
	mode       uint32
	uid, gid   int
	size       int64
	when       int64
	flags      uint32
	attributes int64 // block of extended attributes
}

func (x *extReader) inode(n uint32) (*inode, error) {
	if n == 0 || n > x.inodes {
		return nil, x.d.m.fail("malformed ext: inode %d", n)
	}
	le := binary.LittleEndian
	group, index := int64((n-1)/x.perGroup), int64((n-1)%x.perGroup)
	desc, err := x.d.read(x.table+group*x.descSize, x.descSize)
	if err != nil {
		return nil, err
	}
	at := int64(le.Uint32(desc[8:]))
	if x.descSize >= 64 {
		at |= int64(le.Uint32(desc[40:])) << 32
	}
	if at > x.d.size/x.block {
		return nil, x.d.m.fail("malformed ext: inode table")
	}
	raw, err := x.d.read(at*x.block+index*x.inodeSize, x.inodeSize)
	if err != nil {
		return nil, err
	}
	i := &inode{
		raw: raw, mode: uint32(le.Uint16(raw)), uid: int(le.Uint16(raw[2:])) | int(le.Uint16(raw[120:]))<<16, gid: int(le.Uint16(raw[24:])) | int(le.Uint16(raw[122:]))<<16,
		size: int64(le.Uint32(raw[4:])), when: int64(int32(le.Uint32(raw[16:]))), flags: le.Uint32(raw[32:]),
		attributes: int64(le.Uint32(raw[104:])) | int64(le.Uint16(raw[118:]))<<32,
	}
	if i.mode&0o170000 == 0o100000 {
		i.size |= int64(le.Uint32(raw[108:])) << 32
	}
	if i.size < 0 || i.flags&0x10000800 != 0 { // inline data, encrypted
		return nil, inconclusive(x.d.m, "inode %d: unsupported kind of data", n)
	}
	return i, nil
}

// extents lists where the content of an inode lies.
func (x *extReader) extents(i *inode) ([]extent, error) {
	m := &blockMap{x: x, blocks: (i.size + x.block - 1) / x.block, budget: maxExtNodes}
	var err error
	if i.flags&0x80000 != 0 {
		err = m.tree(i.raw[40:100], 0)
	} else {
		err = m.classic(i.raw[40:100])
	}
	if err != nil {
		return nil, err
	}
	m.hole(m.blocks)
	if m.next > m.blocks && len(m.list) > 0 { // preallocated behind the end
		cut := (m.next - m.blocks) * x.block
		for cut > 0 && len(m.list) > 0 {
			last := &m.list[len(m.list)-1]
			n := min(cut, last.size)
			last.size -= n
			if cut -= n; last.size == 0 {
				m.list = m.list[:len(m.list)-1]
			}
		}
	}
	return m.list, nil
}

// directory lists one directory and then those below it.
func (x *extReader) directory(n uint32, path string, depth int) error {
	if x.walked[n] {
		return x.d.m.failEntry(orRoot(path), "directory loop")
	}
	x.walked[n] = true
	if depth > maxExtDepth {
		return x.d.m.fail("exceeds limit: directories nested deeper than %d", maxExtDepth)
	}
	i, err := x.inode(n)
	if err != nil {
		return err
	}
	if i.mode&0o170000 != 0o040000 || i.size > maxDiskRead {
		return x.d.m.failEntry(orRoot(path), "malformed ext: is no directory")
	}
	extents, err := x.extents(i)
	if err != nil {
		return err
	}
	type child struct {
		n    uint32
		path string
	}
	var below []child
	for _, e := range extents {
		b, err := x.d.read(e.offset, e.size)
		if err != nil {
			return err
		}
		for at := 0; at+8 <= len(b); {
			size, length := int(binary.LittleEndian.Uint16(b[at+4:])), int(b[at+6])
			if size < 8 || size > len(b)-at || 8+length > size {
				return x.d.m.failEntry(orRoot(path), "malformed ext: directory entry")
			}
			inner, name := binary.LittleEndian.Uint32(b[at:]), string(b[at+8:at+8+length])
			at += size
			if inner == 0 || name == "." || name == ".." || length == 0 {
				continue
			}
			if strings.ContainsAny(name, "/\x00") {
				return x.d.m.failEntry(name, "unsafe path")
			}
			if path != "" {
				name = path + "/" + name
			}
			dir, err := x.entry(inner, name)
			if err != nil {
				return err
			}
			if dir {
				below = append(below, child{inner, name})
			}
		}
	}
	for _, c := range below {
		if err := x.directory(c.n, c.path, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// entry takes one name and tells whether it is a directory.
func (x *extReader) entry(n uint32, name string) (bool, error) {
	i, err := x.inode(n)
	if err != nil {
		return false, err
	}
	clean, err := Clean(name, false)
	if err != nil {
		return false, err
	}
	e := &Entry{Name: clean, Mode: i.mode & 0o7777, UID: i.uid, GID: i.gid, ModTime: i.when, Size: i.size}
	if e.Xattrs, err = x.xattrs(i); err != nil {
		return false, err
	}
	switch i.mode & 0o170000 {
	case 0o040000:
		e.Type, e.Size = Directory, 0
		return true, x.d.add(e, nil)
	case 0o120000:
		e.Type, e.Size = Symlink, 0
		if e.Link, err = x.target(i); err != nil {
			return false, err
		}
		return false, x.d.add(e, nil)
	case 0o100000:
		if first, ok := x.seen[n]; ok {
			e.Type, e.Link, e.Size = Hardlink, first, 0
			return false, x.d.add(e, nil)
		}
		x.seen[n] = clean
		e.Type = File
		extents, err := x.extents(i)
		if err != nil {
			return false, err
		}
		return false, x.d.add(e, extents)
	}
	return false, x.d.m.failEntry(name, "unsupported type: mode %o", i.mode)
}

// target reads where a symlink points: in the inode itself when it is short.
func (x *extReader) target(i *inode) (string, error) {
	if i.size == 0 || i.size > MaxName {
		return "", x.d.m.fail("malformed ext: link of %d bytes", i.size)
	}
	if i.size < 60 && i.flags&0x80000 == 0 {
		return string(i.raw[40 : 40+i.size]), nil
	}
	list, err := x.extents(i)
	if err != nil || len(list) == 0 || list[0].offset < 0 {
		return "", x.d.m.broken("ext", fmt.Errorf("link without content"))
	}
	b, err := x.d.read(list[0].offset, i.size)
	return string(b), err
}
