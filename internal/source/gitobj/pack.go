package gitobj

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"

	"github.com/glassbuild/glassbuild/internal/fault"
)

const packHeader = 12

var errNoBase = errors.New("delta base is not in the pack")

// pack is one pack file, version 2 or 3 of gitformat-pack(5), with its index.
type pack struct {
	name  string
	stem  string // its path in the objects directory, without extension
	file  *os.File
	end   int64 // where the trailer begins
	index *index
	find  func(ID) (int64, bool, error) // where an object lies in the pack
	ids   int                           // bytes in an id
}

// newPack checks that pack and index belong together: the same count, and the index names the pack's trailer. The
// trailer is not computed: it would cost a read of the whole pack, and says nothing that hashing the objects does not.
func newPack(name string, f *os.File, size int64, x *index) (*pack, error) {
	p := &pack{name: name, file: f, end: size - int64(x.idSize), index: x, find: x.find, ids: x.idSize}
	count, err := p.header()
	if err != nil {
		return nil, err
	}
	if count != x.count {
		return nil, p.malformed("object count differs from its index")
	}
	trailer := make([]byte, x.idSize)
	if readFull(f, trailer, p.end) != nil || !bytes.Equal(trailer, x.packHash) {
		return nil, p.malformed("trailer differs from its index")
	}
	return p, nil
}

// header reads the pack's header, and returns how many objects it announces.
func (p *pack) header() (uint32, error) {
	var head [packHeader]byte
	if p.end < packHeader || readFull(p.file, head[:], 0) != nil {
		return 0, p.malformed("truncated")
	}
	version := binary.BigEndian.Uint32(head[4:])
	if string(head[:4]) != "PACK" || (version != 2 && version != 3) {
		return 0, p.malformed("unknown header")
	}
	return binary.BigEndian.Uint32(head[8:]), nil
}

func (p *pack) malformed(why string) error {
	return fault.Failf(p.name, "malformed pack: %s", why).WithCheck(CheckObjects)
}

// entry is what stands before a packed object's stream.
type entry struct {
	kind Type  // or offsetDelta, refDelta
	size int64 // expanded size of the stream
	base int64 // offset of the base of a delta
	data int64 // offset of the stream
}

// parseEntry reads an entry's header; b begins at off and has all of it unless the pack ends.
func (p *pack) parseEntry(b []byte, off int64) (entry, error) {
	var e entry
	if len(b) == 0 {
		return e, p.malformed("entry out of range")
	}
	c := b[0]
	i := 1
	e.kind = Type(c >> 4 & 7)
	e.size = int64(c & 15)
	for shift := 4; c&0x80 != 0; shift += 7 {
		if i == len(b) || shift > 53 {
			return e, p.malformed("entry size out of range")
		}
		c = b[i]
		i++
		e.size |= int64(c&0x7f) << shift
	}
	switch e.kind {
	case Commit, Tree, Blob, Tag:
	case offsetDelta:
		back, n, ok := baseOffset(b[i:])
		if !ok || back <= 0 || back > off-packHeader {
			return e, p.malformed("delta base out of range")
		}
		i += n
		e.base = off - back
	case refDelta:
		n := p.ids
		if len(b)-i < n {
			return e, p.malformed("truncated")
		}
		id := ID{n: uint8(n)}
		copy(id.raw[:n], b[i:i+n])
		i += n
		base, ok, err := p.find(id)
		if err != nil {
			return e, err
		}
		if !ok {
			e.data = off + int64(i)
			return e, fault.Failf(p.name, "malformed pack: %w", errNoBase).WithCheck(CheckObjects)
		}
		e.base = base
	default:
		return e, p.malformed("unknown entry type")
	}
	e.data = off + int64(i)
	return e, nil
}

// baseOffset reads the offset encoding of an OFS_DELTA entry.
func baseOffset(b []byte) (back int64, n int, ok bool) {
	for n < len(b) && n < 8 {
		c := b[n]
		n++
		back |= int64(c & 0x7f)
		if c&0x80 == 0 {
			return back, n, true
		}
		back = (back + 1) << 7
	}
	return 0, 0, false
}
