package archive

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
	"sync"

	"github.com/ulikunitz/xz/lzma"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// xz reads one .xz stream. Only the LZMA2 data of a block is left to the decoder: headers, checks, index and footer
// are read here, because the dictionary that a block header demands must be bounded before it is allocated.
type xz struct {
	in     *offsetReader
	m      *Meter
	flags  [2]byte
	block  io.Reader
	start  int64 // where the block's data begin, after its header
	header int64
	out    int64
	claim  [2]int64 // compressed and expanded size from the block header, -1 for none
	check  hash.Hash
	blocks int64
	record hash.Hash // over the sizes of the blocks, to compare with the index without keeping them
	done   bool
}

var xzCheckSize = [16]int{0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64}

// crc64ECMA is made when it is first used: its tables are of 16 KiB.
var crc64ECMA = sync.OnceValue(func() *crc64.Table { return crc64.MakeTable(crc64.ECMA) })

func newXZ(r *bufio.Reader, m *Meter) (*xz, error) {
	z := &xz{in: &offsetReader{r: r}, m: m, record: sha256.New()}
	var b [12]byte
	if err := z.in.full(b[:]); err != nil {
		return nil, m.broken("xz", asTruncated(err))
	}
	if string(b[:6]) != "\xfd7zXZ\x00" || b[6] != 0 || b[7]&0xf0 != 0 || crc32.ChecksumIEEE(b[6:8]) != le32(b[8:]) {
		return nil, m.fail("malformed xz header")
	}
	z.flags = [2]byte{b[6], b[7]}
	return z, nil
}

func le32(b []byte) uint32 { return binary.LittleEndian.Uint32(b) }

func (z *xz) newCheck() hash.Hash {
	switch z.flags[1] {
	case 1:
		return crc32.NewIEEE()
	case 4:
		return crc64.New(crc64ECMA())
	case 10:
		return sha256.New()
	}
	return nil
}

func (z *xz) Read(p []byte) (int, error) {
	for !z.done {
		if z.block == nil {
			if err := z.next(); err != nil {
				return 0, err
			}
			continue
		}
		n, err := z.block.Read(p)
		z.out += int64(n)
		if z.check != nil {
			z.check.Write(p[:n])
		}
		if err == io.EOF {
			err = z.endBlock()
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
	return 0, io.EOF
}

// next starts the next block, or reads index and footer.
func (z *xz) next() error {
	var size [1]byte
	if err := z.in.full(size[:]); err != nil {
		return asTruncated(err)
	}
	if size[0] == 0 {
		return z.end()
	}
	h := make([]byte, (int(size[0])+1)*4) // at most maxXZHeader
	h[0] = size[0]
	if err := z.in.full(h[1:]); err != nil {
		return asTruncated(err)
	}
	body := h[:len(h)-4]
	if crc32.ChecksumIEEE(body) != le32(h[len(h)-4:]) {
		return z.m.fail("malformed xz block header")
	}
	dict, err := z.blockHeader(body[1:])
	if err != nil {
		return err
	}
	z.header, z.start, z.out, z.check = int64(len(h)), z.in.off, 0, z.newCheck()
	z.block, err = lzma.Reader2Config{DictCap: dict}.NewReader2(z.in)
	return err
}

// blockHeader returns the dictionary size of the only filter chain that is supported, LZMA2 alone.
func (z *xz) blockHeader(b []byte) (int, error) {
	bad := z.m.fail("malformed xz block header")
	flags := b[0]
	r := bytes.NewReader(b[1:])
	if flags&0x3c != 0 {
		return 0, bad
	}
	z.claim = [2]int64{-1, -1}
	for i, bit := range []byte{0x40, 0x80} {
		if flags&bit == 0 {
			continue
		}
		v, err := xzNumber(r)
		if err != nil {
			return 0, bad
		}
		z.claim[i] = v
	}
	if flags&3 != 0 {
		return 0, fault.Inconclusivef(fault.Quote(z.m.Label), "unsupported xz filter chain")
	}
	id, err1 := xzNumber(r)
	n, err2 := xzNumber(r)
	if err1 != nil || err2 != nil {
		return 0, bad
	}
	if id != 0x21 {
		return 0, fault.Inconclusivef(fault.Quote(z.m.Label), "unsupported xz filter %#x", id)
	}
	code, err := r.ReadByte()
	if n != 1 || err != nil || code > 40 {
		return 0, bad
	}
	for r.Len() > 0 {
		if c, _ := r.ReadByte(); c != 0 {
			return 0, bad
		}
	}
	dict, err := lzma.DecodeDictCap(code)
	if err != nil {
		return 0, bad
	}
	if dict > MaxWindow {
		return 0, z.m.fail("exceeds limit: xz dictionary of %d bytes", dict)
	}
	return int(max(dict, lzma.MinDictCap)), nil
}

// endBlock checks sizes and checksum of a block and notes its index record.
func (z *xz) endBlock() error {
	packed := z.in.off - z.start
	if z.claim[0] >= 0 && z.claim[0] != packed || z.claim[1] >= 0 && z.claim[1] != z.out {
		return z.m.fail("malformed xz: block sizes differ from its header")
	}
	var pad [4]byte
	if err := z.in.full(pad[:-packed&3]); err != nil {
		return asTruncated(err)
	}
	want := make([]byte, xzCheckSize[z.flags[1]])
	if err := z.in.full(want); err != nil {
		return asTruncated(err)
	}
	if !allZero(pad[:]) || z.check != nil && !xzSumEqual(z.check, want) {
		return z.m.fail("malformed xz: checksum does not hold")
	}
	z.addRecord(z.header+packed+int64(len(want)), z.out)
	z.blocks++
	z.block = nil
	return nil
}

// xzSumEqual compares a sum with its stored form: CRCs are little-endian there.
func xzSumEqual(h hash.Hash, want []byte) bool {
	got := h.Sum(nil)
	if len(got) < 32 {
		for i, j := 0, len(got)-1; i < j; i, j = i+1, j-1 {
			got[i], got[j] = got[j], got[i]
		}
	}
	return bytes.Equal(got, want)
}

func (z *xz) addRecord(a, b int64) {
	var rec [16]byte
	binary.LittleEndian.PutUint64(rec[:8], uint64(a))
	binary.LittleEndian.PutUint64(rec[8:], uint64(b))
	z.record.Write(rec[:])
}

// end reads index and footer and demands that nothing follows.
func (z *xz) end() error {
	bad := z.m.fail("malformed xz index")
	want := z.record.Sum(nil)
	z.record.Reset()
	sum := crc32.NewIEEE()
	sum.Write([]byte{0})
	in := &offsetReader{r: io.TeeReader(z.in, sum), off: 1}
	n, err := xzNumber(in)
	if err != nil || n != z.blocks {
		return bad
	}
	for range n {
		a, err1 := xzNumber(in)
		b, err2 := xzNumber(in)
		if err1 != nil || err2 != nil {
			return bad
		}
		z.addRecord(a, b)
	}
	var b [12]byte
	if err := in.full(b[:-in.off&3]); err != nil || !allZero(b[:4]) {
		return bad
	}
	size, crc := in.off, sum.Sum32()
	if err := z.in.full(b[:4]); err != nil || le32(b[:]) != crc || !bytes.Equal(want, z.record.Sum(nil)) {
		return bad
	}
	if err := z.in.full(b[:12]); err != nil {
		return asTruncated(err)
	}
	if string(b[10:]) != "YZ" || crc32.ChecksumIEEE(b[4:10]) != le32(b[:]) || [2]byte(b[8:10]) != z.flags ||
		(int64(le32(b[4:]))+1)*4 != size+4 {
		return z.m.fail("malformed xz footer")
	}
	if err := z.in.full(b[:1]); err != io.EOF {
		return z.m.fail("trailing data after the xz stream")
	}
	z.done = true
	return nil
}

// xzNumber reads a multibyte integer of at most 63 bits.
func xzNumber(r io.Reader) (int64, error) {
	var v uint64
	var c [1]byte
	for i := range 9 {
		if _, err := io.ReadFull(r, c[:]); err != nil {
			return 0, asTruncated(err)
		}
		v |= uint64(c[0]&0x7f) << (7 * i)
		if c[0]&0x80 == 0 {
			if c[0] == 0 && i > 0 {
				return 0, io.ErrUnexpectedEOF
			}
			return int64(v), nil
		}
	}
	return 0, io.ErrUnexpectedEOF
}
