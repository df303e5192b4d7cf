// Package compare finds what differs between what was shipped and what was rebuilt, and accounts for every member.
//
// It takes values and returns values; it decides nothing. Identity is bit for bit; anything that is not has sizes,
// counts and ranges. No zero value of this package says that something is equal, rebuilt or covered.
package compare

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"io"
	"math/bits"
	"sync"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// Content is the content of one file. *io.SectionReader and artifact.Content are such.
type Content interface {
	io.ReaderAt
	Size() int64
}

// A Range is a run of bytes at the same offsets on both sides. Beyond the end of the shorter side every byte differs.
type Range struct {
	Offset int64 `json:"offset"`
	Size   int64 `json:"size"`
}

// A Difference is the outcome of comparing two files byte for byte. The zero value says that nothing is equal.
type Difference struct {
	Equal         bool    `json:"equal"`
	ShippedSHA256 string  `json:"shipped_sha256"`
	RebuiltSHA256 string  `json:"rebuilt_sha256"`
	ShippedSize   int64   `json:"shipped_size"`
	RebuiltSize   int64   `json:"rebuilt_size"`
	Bytes         int64   `json:"bytes"`            // how many offsets differ, those of the longer side's rest included
	First         int64   `json:"first"`            // first and last offset that differ; -1 when equal
	Last          int64   `json:"last"`             //
	Ranges        []Range `json:"ranges,omitempty"` // every differing byte lies in one; close neighbours share one
}

// Files compares two files in one pass over each. While they are equal only one is hashed.
func Files(ctx context.Context, shipped, rebuilt Content) (Difference, error) {
	return bytewise(ctx, shipped, rebuilt, sha256.New())
}

// bytewise compares two files and hashes them with ha, a new SHA-256, or not at all: then the difference has no digests.
func bytewise(ctx context.Context, shipped, rebuilt Content, ha hash.Hash) (Difference, error) {
	d := Difference{ShippedSize: shipped.Size(), RebuiltSize: rebuilt.Size(), First: -1, Last: -1}
	a, b := make([]byte, chunkSize), make([]byte, chunkSize)
	hb := ha
	for off := int64(0); off < max(d.ShippedSize, d.RebuiltSize); off += chunkSize {
		if err := ctx.Err(); err != nil {
			return Difference{}, err
		}
		x, err := chunk(shipped, a, off)
		if err != nil {
			return Difference{}, err
		}
		y, err := chunk(rebuilt, b, off)
		if err != nil {
			return Difference{}, err
		}
		equal := bytes.Equal(x, y)
		if !equal && ha != nil && ha == hb {
			if hb, err = clone(ha); err != nil {
				return Difference{}, err
			}
			if x, y := inMemory(shipped), inMemory(rebuilt); x != nil && y != nil {
				return d.rest(x, y, off, ha, hb), nil
			}
		}
		if ha != nil {
			ha.Write(x)
		}
		if ha != hb {
			hb.Write(y)
		}
		if !equal {
			d.scan(x, y, off)
		}
	}
	if ha != nil {
		d.ShippedSHA256, d.RebuiltSHA256 = hex.EncodeToString(ha.Sum(nil)), hex.EncodeToString(hb.Sum(nil))
	}
	d.Equal = d.Bytes == 0 && d.ShippedSize == d.RebuiltSize && d.ShippedSHA256 == d.RebuiltSHA256
	return d, nil
}

// rest hashes and compares what is in memory from off on, each in a goroutine of its own.
func (d Difference) rest(x, y []byte, off int64, ha, hb hash.Hash) Difference {
	var group sync.WaitGroup
	var failed [2]any // a fault in mapped memory, which is the caller's to judge
	for i, h := range []hash.Hash{ha, hb} {
		group.Go(func() {
			faultsPanic()
			defer func() { failed[i] = recover() }()
			data := [][]byte{x, y}[i]
			h.Write(data[min(off, int64(len(data))):])
		})
	}
	d.scan(x[min(off, int64(len(x))):], y[min(off, int64(len(y))):], off)
	group.Wait()
	for _, r := range failed {
		if r != nil {
			panic(r)
		}
	}
	d.ShippedSHA256, d.RebuiltSHA256 = hex.EncodeToString(ha.Sum(nil)), hex.EncodeToString(hb.Sum(nil))
	return d
}

// chunk reads what c has at off, at most len(buf) bytes. What is in memory is not copied.
func chunk(c Content, buf []byte, off int64) ([]byte, error) {
	n := min(int64(len(buf)), c.Size()-off)
	if n <= 0 {
		return nil, nil
	}
	if b := inMemory(c); int64(len(b)) >= off+n {
		return b[off : off+n], nil
	}
	got, err := c.ReadAt(buf[:n], off)
	if int64(got) == n {
		return buf[:n], nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return nil, fault.Inconclusivef("comparison", "cannot read: %w", err)
}

func clone(h hash.Hash) (hash.Hash, error) {
	state, err := h.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil {
		return nil, err
	}
	c := sha256.New()
	return c, c.(encoding.BinaryUnmarshaler).UnmarshalBinary(state)
}

// scan notes every differing offset of two chunks at off.
func (d *Difference) scan(x, y []byte, off int64) {
	common := min(len(x), len(y))
	i := 0
	for ; i+8 <= common; i += 8 {
		for i+stretch <= common && bytes.Equal(x[i:i+stretch], y[i:i+stretch]) {
			i += stretch
		}
		if i+8 > common {
			break
		}
		v := binary.LittleEndian.Uint64(x[i:]) ^ binary.LittleEndian.Uint64(y[i:])
		if v == 0 {
			continue
		}
		first, last := bits.TrailingZeros64(v)/8, 7-bits.LeadingZeros64(v)/8
		d.note(off+int64(i+first), int64(last-first)+1, int64(nonZeroBytes(v)))
	}
	for ; i < common; i++ {
		if x[i] != y[i] {
			d.note(off+int64(i), 1, 1)
		}
	}
	if n := int64(max(len(x), len(y)) - common); n > 0 {
		d.note(off+int64(common), n, n)
	}
}

// nonZeroBytes counts the bytes of v that are not zero: adding 0x7f carries into the high bit of every other byte.
func nonZeroBytes(v uint64) int {
	const low, high = 0x7f7f7f7f7f7f7f7f, 0x8080808080808080
	return bits.OnesCount64((v&low + low | v) & high)
}

// note adds a run of size bytes at off of which count differ.
func (d *Difference) note(off, size, count int64) {
	if d.First < 0 {
		d.First = off
	}
	d.Last = off + size - 1
	d.Bytes += count
	if k := len(d.Ranges); k > 0 {
		last := &d.Ranges[k-1]
		if off-(last.Offset+last.Size) <= rangeGap || k == maxRanges {
			last.Size = off + size - last.Offset
			return
		}
	}
	d.Ranges = append(d.Ranges, Range{off, size})
}
