package archive

import (
	"encoding/binary"
	"io"
)

// squashInode is what inodes of all types begin with, and what those of files and directories tell.
type squashInode struct {
	kind, mode uint16
	when       uint32
	uid, gid   int
	xattr      uint32
	// of a directory
	block, offset, size int64
	// of a file
	fragment uint32
}

// inode reads what a reference leads to and takes it under a name; "" is the root.
func (q *squash) inode(ref int64, name string, depth int) error {
	c, err := q.cursor(q.inodes, ref>>16, ref&0xffff)
	if err != nil {
		return err
	}
	b, err := c.take(16)
	if err != nil {
		return err
	}
	le := binary.LittleEndian
	i := &squashInode{kind: le.Uint16(b), mode: le.Uint16(b[2:]), when: le.Uint32(b[8:]), xattr: squashNone}
	for k, to := range []*int{&i.uid, &i.gid} {
		n := int(le.Uint16(b[4+2*k:]))
		if n >= len(q.ids) {
			return q.d.m.failEntry(orRoot(name), "malformed squashfs: owner")
		}
		*to = int(q.ids[n])
	}
	e := &Entry{Name: orRoot(name), Mode: uint32(i.mode & 0o7777), UID: i.uid, GID: i.gid, ModTime: int64(i.when)}
	switch i.kind {
	case 1, 8:
		return q.directory(c, i, e, ref, name, depth)
	case 2, 9:
		return q.file(c, i, e, ref)
	case 3, 10:
		return q.symlink(c, i, e)
	}
	return q.d.m.failEntry(orRoot(name), "unsupported type: %d in a squashfs", i.kind)
}

func orDot(name string) string {
	if name == "" {
		return "."
	}
	return name
}

// directory takes a directory and what is in it.
func (q *squash) directory(c *cursor, i *squashInode, e *Entry, ref int64, name string, depth int) error {
	le := binary.LittleEndian
	n := 16
	if i.kind == 8 {
		n = 24
	}
	b, err := c.take(n)
	if err != nil {
		return err
	}
	if i.kind == 1 {
		i.block, i.size, i.offset = int64(le.Uint32(b)), int64(le.Uint16(b[8:])), int64(le.Uint16(b[10:]))
	} else {
		i.size, i.block, i.offset, i.xattr = int64(le.Uint32(b[4:])), int64(le.Uint32(b[8:])), int64(le.Uint16(b[18:])), le.Uint32(b[20:])
	}
	switch {
	case q.seen[ref]:
		return q.d.m.failEntry(orRoot(name), "directory loop")
	case depth > maxExtDepth:
		return q.d.m.fail("exceeds limit: directories nested deeper than %d", maxExtDepth)
	}
	q.seen[ref] = true
	e.Name, e.Type = orDot(name), Directory
	if e.Xattrs, err = q.attributes(i, e.Name); err != nil {
		return err
	}
	if err := q.d.add(e, nil); err != nil {
		return err
	}
	if i.size <= 3 { // "." and ".." are counted and not stored
		return nil
	}
	list, err := q.cursor(q.dirs, i.block, i.offset)
	if err != nil {
		return err
	}
	return q.listing(list, i.size-3, name, depth)
}

// listing reads the names in a directory: runs of them, each with a header of its own.
func (q *squash) listing(c *cursor, left int64, path string, depth int) error {
	le := binary.LittleEndian
	for left > 0 {
		head, err := c.take(12)
		if err != nil {
			return err
		}
		left -= 12
		count, block := int64(le.Uint32(head))+1, int64(le.Uint32(head[4:]))
		if count > 256 {
			return q.d.m.failEntry(orRoot(path), "malformed squashfs: a run of %d names", count)
		}
		for ; count > 0; count-- {
			b, err := c.take(8)
			if err != nil {
				return err
			}
			offset := int64(le.Uint16(b))
			raw, err := c.take(int(le.Uint16(b[6:])) + 1)
			if err != nil {
				return err
			}
			if left -= 8 + int64(len(raw)); left < 0 {
				return q.d.m.failEntry(orRoot(path), "malformed squashfs: names behind the end of a directory")
			}
			name, err := inDirectory(q.d.m, path, string(raw))
			if err != nil {
				return err
			}
			if err := q.inode(block<<16|offset, name, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// inDirectory joins a name that must be one.
func inDirectory(m *Meter, path, raw string) (string, error) {
	name, err := Clean(raw, false)
	if err != nil || name == "." || name != raw {
		return "", m.failEntry(raw, "unsafe path")
	}
	if path != "" {
		name = path + "/" + name
	}
	return name, nil
}

func (q *squash) symlink(c *cursor, i *squashInode, e *Entry) error {
	b, err := c.take(8)
	if err != nil {
		return err
	}
	size := binary.LittleEndian.Uint32(b[4:])
	if size > MaxName {
		return q.d.m.failEntry(e.Name, "exceeds limit: link of %d bytes", size)
	}
	link, err := c.take(int(size))
	if err != nil {
		return err
	}
	e.Type, e.Link = Symlink, string(link)
	if i.kind == 10 {
		if b, err = c.take(4); err != nil {
			return err
		}
		i.xattr = binary.LittleEndian.Uint32(b)
	}
	if e.Xattrs, err = q.attributes(i, e.Name); err != nil {
		return err
	}
	return q.d.add(e, nil)
}

// file takes a file: its blocks lie one after the other, and its end may lie in a fragment.
func (q *squash) file(c *cursor, i *squashInode, e *Entry, ref int64) error {
	if first, ok := q.files[ref]; ok {
		e.Type, e.Link = Hardlink, first
		return q.d.add(e, nil)
	}
	q.files[ref] = e.Name
	le := binary.LittleEndian
	n := 16
	if i.kind == 9 {
		n = 40
	}
	b, err := c.take(n)
	if err != nil {
		return err
	}
	f := &squashFile{q: q}
	if i.kind == 2 {
		f.at, i.fragment, f.offset, e.Size = int64(le.Uint32(b)), le.Uint32(b[4:]), int64(le.Uint32(b[8:])), int64(le.Uint32(b[12:]))
	} else {
		f.at, e.Size, i.fragment, f.offset, i.xattr = int64(le.Uint64(b)), int64(le.Uint64(b[8:])), le.Uint32(b[28:]), int64(le.Uint32(b[32:])), le.Uint32(b[36:])
	}
	e.Type = File
	f.left, f.fragment = e.Size, -1
	blocks := (e.Size + q.block - 1) / q.block
	if i.fragment != squashNone {
		blocks, f.fragment = e.Size/q.block, int(i.fragment)
		if f.fragment >= len(q.fragments) || f.offset > q.block {
			return q.d.m.failEntry(e.Name, "malformed squashfs: fragment")
		}
	}
	if e.Xattrs, err = q.attributes(i, e.Name); err != nil {
		return err
	}
	if err := q.d.addPacked(e, func() io.Reader { one := *f; return &one }); err != nil { // counts what it expands to
		return err
	}
	at := f.at
	for ; blocks > 0; blocks-- {
		b, err := c.take(4)
		if err != nil {
			return err
		}
		size := le.Uint32(b)
		stored := int64(size & 0xffffff)
		if size>>25 != 0 || stored > q.block || at < squashSuper || at > q.inodes || stored > q.inodes-at {
			return q.d.m.failEntry(e.Name, "malformed squashfs: a block lies outside")
		}
		f.sizes = append(f.sizes, size)
		if stored > 0 {
			q.used = append(q.used, extent{at, stored})
		}
		at += stored
	}
	return nil
}

// squashFile reads a file block by block.
type squashFile struct {
	q        *squash
	at       int64
	sizes    []uint32
	fragment int // -1 for none
	offset   int64
	left     int64
	data     []byte
}

func (f *squashFile) Read(p []byte) (int, error) {
	for len(f.data) == 0 {
		if f.left == 0 {
			return 0, io.EOF
		}
		if err := f.fill(); err != nil {
			return 0, err
		}
		if int64(len(f.data)) > f.left {
			return 0, f.q.d.m.fail("malformed squashfs: a file is longer than it says")
		}
	}
	n := copy(p, f.data)
	f.data, f.left = f.data[n:], f.left-int64(n)
	return n, nil
}

// fill expands the next block, or the fragment behind the last one.
func (f *squashFile) fill() error {
	q := f.q
	want := min(q.block, f.left)
	if len(f.sizes) == 0 {
		if f.fragment < 0 {
			return q.d.m.fail("truncated squashfs: a file is shorter than it says")
		}
		b, err := q.fragmentOf(f.fragment)
		if err != nil {
			return err
		}
		if f.offset > int64(len(b)) || want > int64(len(b))-f.offset {
			return q.d.m.fail("truncated squashfs: fragment")
		}
		f.data = b[f.offset : f.offset+want]
		return nil
	}
	size := f.sizes[0]
	f.sizes = f.sizes[1:]
	if size&0xffffff == 0 {
		f.data = make([]byte, want)
		return nil
	}
	b, err := q.stored(f.at, size)
	if err != nil {
		return err
	}
	if f.at += int64(size & 0xffffff); int64(len(b)) != want {
		return q.d.m.fail("malformed squashfs: a block of %d bytes, want %d", len(b), want)
	}
	f.data = b
	return nil
}

// stored reads a block of data.
func (q *squash) stored(at int64, size uint32) ([]byte, error) {
	b, err := q.d.read(at, int64(size&0xffffff))
	if err != nil || size&(1<<24) != 0 {
		return b, err
	}
	return q.expand(b, q.block)
}

func (q *squash) fragmentOf(n int) ([]byte, error) {
	if q.last == int64(n) {
		return q.tail, nil
	}
	f := q.fragments[n]
	if f.at < squashSuper || f.size>>25 != 0 || int64(f.size&0xffffff) > q.block {
		return nil, q.d.m.fail("malformed squashfs: fragment")
	}
	b, err := q.stored(f.at, f.size)
	if err == nil {
		q.last, q.tail = int64(n), b
	}
	return b, err
}

var squashPrefixes = []string{"user.", "trusted.", "security."}

// attributes reads the extended attributes of an inode: capabilities are among them.
func (q *squash) attributes(i *squashInode, name string) (map[string]string, error) {
	if i.xattr == squashNone {
		return nil, nil
	}
	bad := func() (map[string]string, error) {
		return nil, q.d.m.failEntry(name, "malformed squashfs: extended attributes")
	}
	at := int64(i.xattr) * 16
	if at+16 > int64(len(q.xattrs)) {
		return bad()
	}
	le := binary.LittleEndian
	ref, count := int64(le.Uint64(q.xattrs[at:])), le.Uint32(q.xattrs[at+8:])
	if count > maxSquashXattrs {
		return bad()
	}
	c, err := q.cursor(q.xattrAt, ref>>16, ref&0xffff)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for range count {
		b, err := c.take(4)
		if err != nil {
			return nil, err
		}
		kind := le.Uint16(b)
		key, err := c.take(int(le.Uint16(b[2:])))
		if err != nil {
			return nil, err
		}
		if int(kind&0xff) >= len(squashPrefixes) {
			return bad()
		}
		full := squashPrefixes[kind&0xff] + string(key)
		value, err := q.value(c, kind&0x100 != 0)
		if err != nil {
			return nil, err
		}
		out[full] = string(value)
	}
	return out, nil
}

// value reads the value of an attribute, which may lie elsewhere.
func (q *squash) value(c *cursor, elsewhere bool) ([]byte, error) {
	le := binary.LittleEndian
	b, err := c.take(4)
	if err != nil {
		return nil, err
	}
	if elsewhere {
		if b, err = c.take(8); err != nil {
			return nil, err
		}
		ref := int64(le.Uint64(b))
		if c, err = q.cursor(q.xattrAt, ref>>16, ref&0xffff); err != nil {
			return nil, err
		}
		if b, err = c.take(4); err != nil {
			return nil, err
		}
	}
	n := le.Uint32(b)
	if n > MaxMetadata {
		return nil, q.d.m.fail("exceeds limit: attribute of %d bytes", n)
	}
	return c.take(int(n))
}
