package archive

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// readSquash reads a squashfs 4.0 file system (Documentation/filesystems/squashfs.rst of Linux) whose blocks are stored as they
// are, or compressed with zlib, xz, lz4 or zstd; lzma and lzo are inconclusive. Directories form a tree: one that is named twice is
// refused. A file with several names has its bytes once, under the first one. What lies between blocks and is not zero is
// bytes of no file.
func readSquash(d *Disk) error {
	b, err := d.read(0, squashSuper)
	if err != nil {
		return err
	}
	le := binary.LittleEndian
	q := &squash{d: d, block: int64(le.Uint32(b[12:])), method: le.Uint16(b[20:]), inodes: int64(le.Uint64(b[64:])), dirs: int64(le.Uint64(b[72:])), end: int64(le.Uint64(b[40:])),
		files: map[int64]string{}, seen: map[int64]bool{}, kept: map[int64]metaBlock{}, last: -1}
	q.log = le.Uint16(b[22:])
	switch {
	case le.Uint16(b[28:]) != 4 || le.Uint16(b[30:]) != 0:
		return inconclusive(d.m, "squashfs version %d.%d is not supported", le.Uint16(b[28:]), le.Uint16(b[30:]))
	case q.log > 20 || q.block != 1<<q.log || q.block < 4096 || q.end < squashSuper || q.end > d.size || q.inodes < squashSuper || q.dirs < q.inodes || q.dirs > q.end:
		return d.m.fail("malformed squashfs: superblock")
	case q.method == 2 || q.method == 3 || q.method == 0 || q.method > 6:
		return inconclusive(d.m, "squashfs with compression method %d is not supported", q.method)
	}
	if q.method == 6 {
		if q.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxSquashBlock)); err != nil {
			return d.m.broken("squashfs", err)
		}
	}
	q.used = []extent{{q.inodes, q.end - q.inodes}}
	if err := q.tables(b); err != nil {
		return err
	}
	if err := q.inode(int64(le.Uint64(b[32:])), "", 0); err != nil {
		return err
	}
	from := int64(squashSuper)
	if le.Uint16(b[24:])&0x0400 != 0 { // options of the compressor, one block of metadata
		_, next, err := q.metaAt(from)
		if err != nil {
			return err
		}
		from = next
	}
	if err := d.gaps(q.used, from, q.end, 1, "bytes of no file"); err != nil {
		return err
	}
	return d.gaps(nil, q.end, d.size, 1, "bytes behind the file system")
}

const (
	squashSuper = 96
	squashMeta  = 8192 // bytes of a block of metadata
	squashNone  = 0xffffffff
)

type squash struct {
	d            *Disk
	block        int64
	log          uint16
	method       uint16
	inodes, dirs int64
	end          int64
	ids          []uint32
	fragments    []squashFragment
	xattrs       []byte // of 16 bytes each
	xattrAt      int64
	files        map[int64]string // inode to name
	seen         map[int64]bool   // directories
	kept         map[int64]metaBlock
	expanded     int64
	used         []extent
	zstd         *zstd.Decoder
	last         int64 // the fragment that was expanded last
	tail         []byte
}

type squashFragment struct {
	at   int64
	size uint32
}

type metaBlock struct {
	data []byte
	next int64
}

// metaAt reads the block of metadata at an offset of the image, and tells where the next one begins.
func (q *squash) metaAt(at int64) ([]byte, int64, error) {
	if m, ok := q.kept[at]; ok {
		return m.data, m.next, nil
	}
	b, err := q.d.read(at, 2)
	if err != nil {
		return nil, 0, err
	}
	head := binary.LittleEndian.Uint16(b)
	size := int64(head & 0x7fff)
	if size == 0 || size > squashMeta {
		return nil, 0, q.d.m.fail("malformed squashfs: block of metadata of %d bytes", size)
	}
	data, err := q.d.read(at+2, size)
	if err != nil {
		return nil, 0, err
	}
	if head&0x8000 == 0 {
		if data, err = q.expand(data, squashMeta); err != nil {
			return nil, 0, err
		}
	}
	if q.expanded += int64(len(data)); q.expanded > maxSquashMeta {
		return nil, 0, q.d.m.fail("exceeds limit: more than %d bytes of metadata", maxSquashMeta)
	}
	if len(q.kept) >= maxSquashKept {
		clear(q.kept)
	}
	q.kept[at] = metaBlock{data, at + 2 + size}
	return data, at + 2 + size, nil
}

// expand returns what a block was compressed from, at most limit bytes.
func (q *squash) expand(b []byte, limit int64) ([]byte, error) {
	bad := func(err error) ([]byte, error) { return nil, q.d.m.broken("squashfs", err) }
	var r io.Reader
	switch q.method {
	case 1:
		z, err := zlib.NewReader(bytes.NewReader(b))
		if err != nil {
			return bad(err)
		}
		r = z
	case 4:
		z, err := newXZ(bufio.NewReader(bytes.NewReader(b)), NewMeter(q.d.m.Label, int64(len(b)), Limits{}))
		if err != nil {
			return bad(err)
		}
		r = z
	case 5:
		out := make([]byte, limit)
		n, err := lz4.UncompressBlock(b, out)
		if err != nil {
			return bad(err)
		}
		return out[:n], nil
	default:
		out, err := q.zstd.DecodeAll(b, nil)
		if err == nil && int64(len(out)) > limit {
			err = q.d.m.fail("malformed squashfs: a block expands to more than %d bytes", limit)
		}
		if err != nil {
			return bad(err)
		}
		return out, nil
	}
	out, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(out)) > limit {
		err = q.d.m.fail("malformed squashfs: a block expands to more than %d bytes", limit)
	}
	if err != nil {
		return bad(err)
	}
	return out, nil
}

// cursor reads metadata from a place on, over the ends of blocks.
type cursor struct {
	q    *squash
	data []byte
	next int64
}

// cursor starts at a reference: the offset of a block behind start, and one inside of what it expands to.
func (q *squash) cursor(start, block, offset int64) (*cursor, error) {
	at := start + block
	if block < 0 || offset < 0 || at < squashSuper || at >= q.end {
		return nil, q.d.m.fail("malformed squashfs: a reference leads outside of it")
	}
	data, next, err := q.metaAt(at)
	if err != nil {
		return nil, err
	}
	if offset > int64(len(data)) {
		return nil, q.d.m.fail("malformed squashfs: a reference leads outside of its block")
	}
	return &cursor{q, data[offset:], next}, nil
}

// take reads n bytes. What it allocates was there.
func (c *cursor) take(n int) ([]byte, error) {
	if n <= len(c.data) {
		b := c.data[:n]
		c.data = c.data[n:]
		return b, nil
	}
	var out []byte
	for len(out) < n {
		if len(c.data) == 0 {
			if c.next >= c.q.end {
				return nil, c.q.d.m.fail("truncated squashfs")
			}
			var err error
			if c.data, c.next, err = c.q.metaAt(c.next); err != nil {
				return nil, err
			}
			continue
		}
		k := min(n-len(out), len(c.data))
		out, c.data = append(out, c.data[:k]...), c.data[k:]
	}
	return out, nil
}

// pointed reads a table whose blocks are found by a list of pointers.
func (q *squash) pointed(at, entries, size int64) ([]byte, error) {
	blocks := (entries*size + squashMeta - 1) / squashMeta
	b, err := q.d.read(at, 8*blocks)
	if err != nil {
		return nil, err
	}
	var out []byte
	for i := range blocks {
		block := int64(binary.LittleEndian.Uint64(b[8*i:]))
		if block < squashSuper || block >= q.end {
			return nil, q.d.m.fail("malformed squashfs: a table leads outside of it")
		}
		data, _, err := q.metaAt(block)
		if err != nil {
			return nil, err
		}
		out = append(out, data...)
	}
	if int64(len(out)) < entries*size {
		return nil, q.d.m.fail("truncated squashfs: a table")
	}
	return out[:entries*size], nil
}

// tables reads owners, fragments and the index of extended attributes.
func (q *squash) tables(b []byte) error {
	le := binary.LittleEndian
	ids, err := q.pointed(int64(le.Uint64(b[48:])), int64(le.Uint16(b[26:])), 4)
	if err != nil {
		return err
	}
	for ; len(ids) >= 4; ids = ids[4:] {
		q.ids = append(q.ids, le.Uint32(ids))
	}
	if n := int64(le.Uint32(b[16:])); n > 0 {
		if n > q.end/16 {
			return q.d.m.fail("malformed squashfs: %d fragments", n)
		}
		list, err := q.pointed(int64(le.Uint64(b[80:])), n, 16)
		if err != nil {
			return err
		}
		for ; len(list) >= 16; list = list[16:] {
			f := squashFragment{int64(le.Uint64(list)), le.Uint32(list[8:])}
			q.fragments = append(q.fragments, f)
			q.used = append(q.used, extent{f.at, int64(f.size & 0xffffff)})
		}
	}
	if at := int64(le.Uint64(b[56:])); at != -1 {
		head, err := q.d.read(at, 16)
		if err != nil {
			return err
		}
		q.xattrAt = int64(le.Uint64(head))
		n := int64(le.Uint32(head[8:]))
		if n > q.end {
			return q.d.m.fail("malformed squashfs: %d sets of attributes", n)
		}
		q.xattrs, err = q.pointed(at+16, n, 16)
		return err
	}
	return nil
}
