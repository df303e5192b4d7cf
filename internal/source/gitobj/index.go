package gitobj

import (
	"bytes"
	"encoding/binary"
	"os"
	"sort"
	"sync/atomic"

	"github.com/glassbuild/glassbuild/internal/fault"
)

const (
	indexHeader = 8
	fanoutSize  = 256 * 4
)

// index is the index of one pack, version 2 of gitformat-pack(5). Only its fan-out table is held; of the sorted names,
// the ids that share a first byte are read when one of them is asked for.
type index struct {
	name     string
	file     *os.File
	count    uint32
	idSize   int
	size     int64
	fanout   [256]uint32
	buckets  [256]atomic.Pointer[bucket]
	held     *atomic.Int64 // bytes held by all indexes of the store
	packHash []byte
}

// bucket holds the names that share their first byte, and their offsets.
type bucket struct{ names, offsets []byte }

func (b *bucket) size() int64 { return int64(len(b.names) + len(b.offsets)) }

func openIndex(name string, f *os.File, size int64, format Format, held *atomic.Int64) (*index, error) {
	x := &index{name: name, file: f, size: size, idSize: format.Size(), held: held}
	var head [indexHeader + fanoutSize]byte
	if err := readFull(f, head[:], 0); err != nil {
		return nil, x.malformed("truncated")
	}
	if !bytes.Equal(head[:4], []byte("\xfftOc")) {
		return nil, fault.Inconclusivef(name, "pack index version 1 unsupported").WithHint("write it anew: git index-pack")
	}
	if v := binary.BigEndian.Uint32(head[4:]); v != 2 {
		return nil, fault.Inconclusivef(name, "pack index version %d unsupported", v)
	}
	previous := uint32(0)
	for i := range x.fanout {
		x.fanout[i] = binary.BigEndian.Uint32(head[indexHeader+4*i:])
		if x.fanout[i] < previous {
			return nil, x.malformed("fan-out table decreases")
		}
		previous = x.fanout[i]
	}
	x.count = previous
	if x.count > maxPackObjects {
		return nil, fault.Failf(name, "%d objects: exceeds limit %d", x.count, maxPackObjects).WithCheck(CheckObjects)
	}
	if size < x.largeTable()+2*int64(x.idSize) {
		return nil, x.malformed("truncated")
	}
	x.packHash = make([]byte, x.idSize)
	if err := readFull(f, x.packHash, size-2*int64(x.idSize)); err != nil {
		return nil, x.malformed("truncated")
	}
	return x, nil
}

func (x *index) malformed(why string) error {
	return fault.Failf(x.name, "malformed pack index: %s", why).WithCheck(CheckObjects)
}

// The tables follow each other: names, checksums, offsets, large offsets.
func (x *index) nameTable() int64   { return indexHeader + fanoutSize }
func (x *index) offsetTable() int64 { return x.nameTable() + int64(x.count)*int64(x.idSize+4) }
func (x *index) largeTable() int64  { return x.offsetTable() + int64(x.count)*4 }

// find returns the offset of an object in the pack, and whether the index names it.
func (x *index) find(id ID) (int64, bool, error) {
	b, err := x.bucket(id.raw[0])
	if err != nil || b == nil {
		return 0, false, err
	}
	n := x.idSize
	want := id.raw[:n]
	count := len(b.names) / n
	i := sort.Search(count, func(i int) bool { return bytes.Compare(b.names[i*n:i*n+n], want) >= 0 })
	if i == count || !bytes.Equal(b.names[i*n:i*n+n], want) {
		return 0, false, nil
	}
	off := binary.BigEndian.Uint32(b.offsets[4*i:])
	if off&(1<<31) == 0 {
		return int64(off), true, nil
	}
	return x.largeOffset(off &^ (1 << 31))
}

func (x *index) largeOffset(i uint32) (int64, bool, error) {
	at := x.largeTable() + 8*int64(i)
	if at+8 > x.size-2*int64(x.idSize) {
		return 0, false, x.malformed("large offset out of range")
	}
	var b [8]byte
	if err := readFull(x.file, b[:], at); err != nil {
		return 0, false, x.malformed("truncated")
	}
	off := binary.BigEndian.Uint64(b[:])
	if off > 1<<62 {
		return 0, false, x.malformed("large offset out of range")
	}
	return int64(off), true, nil
}

// bucket returns the names with that first byte; nil when there are none.
func (x *index) bucket(first byte) (*bucket, error) {
	if b := x.buckets[first].Load(); b != nil {
		return b, nil
	}
	lo := uint32(0)
	if first > 0 {
		lo = x.fanout[first-1]
	}
	count := int64(x.fanout[first] - lo)
	if count == 0 {
		return nil, nil
	}
	n := int64(x.idSize)
	b := &bucket{names: make([]byte, count*n), offsets: make([]byte, count*4)}
	if err := readFull(x.file, b.names, x.nameTable()+int64(lo)*n); err != nil {
		return nil, x.malformed("truncated")
	}
	if err := readFull(x.file, b.offsets, x.offsetTable()+int64(lo)*4); err != nil {
		return nil, x.malformed("truncated")
	}
	if err := x.checkBucket(b, first); err != nil {
		return nil, err
	}
	if x.held.Load()+b.size() > maxIndexMemory {
		x.drop()
	}
	if x.buckets[first].CompareAndSwap(nil, b) {
		x.held.Add(b.size())
	}
	return b, nil
}

// checkBucket demands what the search relies on: names in strictly increasing order and below the fan-out's byte.
func (x *index) checkBucket(b *bucket, first byte) error {
	n := x.idSize
	for i := 0; i < len(b.names); i += n {
		if b.names[i] != first {
			return x.malformed("name outside its fan-out")
		}
		if i > 0 && bytes.Compare(b.names[i-n:i], b.names[i:i+n]) >= 0 {
			return x.malformed("names out of order")
		}
	}
	return nil
}

// drop forgets the buckets that are held; readers that still use one keep it alive until they are done.
func (x *index) drop() {
	for i := range x.buckets {
		if b := x.buckets[i].Swap(nil); b != nil {
			x.held.Add(-b.size())
		}
	}
}
