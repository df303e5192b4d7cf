package archive

import (
	"bufio"
	"hash"
	"hash/crc32"
	"io"
	"sync"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zstd"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// Packed tells where the compressed bytes of a zip member lie.
type Packed struct {
	Method uint16
	Offset int64
	Size   int64
	CRC32  uint32
	Flags  uint16
}

// Methods of APPNOTE 4.4.5 that can be read.
const (
	zipStore   = 0
	zipDeflate = 8
	zipZstd    = 93
)

// Zip reads a zip archive. Its members come in the order in which they lie in the file.
//
// The central directory and the local headers must say the same of every member (CVE-2024-24789), members may not
// overlap, and every byte of the file belongs to a member, a data descriptor, the directory, or a Region that Regions
// lists: a prefix before the first member (self-extracting programs), an APK signing block, an archive comment.
// Other bytes between members, or after the end, are refused. Encrypted and multi-disk archives are inconclusive.
type Zip struct {
	ra      io.ReaderAt
	m       *Meter
	names   names
	records []zipRecord
	regions []Region
	place   ZipLayout

	cur  io.Reader
	body io.Closer
	err  error
}

// NewZip reads and checks the directory and every local header of the zip archive in the size bytes of ra.
func NewZip(ra io.ReaderAt, size int64, m *Meter) (*Zip, error) {
	z := &Zip{ra: ra, m: m}
	if err := z.readDirectory(size); err != nil {
		return nil, m.broken("zip", err)
	}
	return z, nil
}

// Regions lists the bytes that belong to no member.
func (z *Zip) Regions() []Region { return z.regions }

// Next advances to the next member.
func (z *Zip) Next() (*Entry, error) {
	if z.err != nil {
		return nil, z.err
	}
	z.release()
	if len(z.records) == 0 {
		return nil, io.EOF
	}
	rec := &z.records[0]
	z.records = z.records[1:]
	e, err := z.entry(rec)
	if err == nil {
		err = z.names.add(e)
	}
	if err != nil {
		z.err = z.m.broken("zip", err)
		return nil, z.err
	}
	return e, nil
}

func (z *Zip) release() {
	if z.body != nil {
		z.body.Close()
	}
	z.cur, z.body = nil, nil
}

// entry makes the entry of a record and opens its content; the target of a symlink is its content.
func (z *Zip) entry(rec *zipRecord) (*Entry, error) {
	e, err := rec.entry(z.m)
	if err != nil {
		return nil, err
	}
	p := Packed{Method: rec.method, Offset: rec.data, Size: rec.packed, CRC32: rec.crc, Flags: rec.flags}
	body, err := openPacked(z.ra, &p, rec.size, z.m.Layer(rec.name, rec.packed))
	if err != nil {
		return nil, err
	}
	z.cur, z.body = body, body
	e.Offset = rec.data
	if rec.method != zipStore {
		e.Offset, e.Packed = -1, &p
	}
	if e.Type == Symlink {
		if rec.size > MaxName {
			return nil, z.m.failEntry(rec.name, "exceeds limit: link target of %d bytes", rec.size)
		}
		target, err := io.ReadAll(body)
		if err != nil {
			return nil, err
		}
		e.Link, e.Size = string(target), 0
		z.release()
	}
	return e, nil
}

// Read reads the content of the current member and checks its size and CRC-32 at the end.
func (z *Zip) Read(p []byte) (int, error) {
	if z.err != nil {
		return 0, z.err
	}
	if z.cur == nil {
		return 0, io.EOF
	}
	n, err := z.cur.Read(p)
	if err != nil && err != io.EOF {
		z.err = z.m.broken("zip", err)
		return n, z.err
	}
	return n, err
}

// OpenPacked opens the content of a compressed member again.
func OpenPacked(ra io.ReaderAt, e *Entry, m *Meter) (io.ReadCloser, error) {
	return openPacked(ra, e.Packed, e.Size, m.Layer(e.Name, e.Packed.Size))
}

func openPacked(ra io.ReaderAt, p *Packed, size int64, m *Meter) (io.ReadCloser, error) {
	in := &offsetReader{r: io.NewSectionReader(ra, p.Offset, p.Size)}
	b := &packedReader{m: m, want: size, crc: p.CRC32, sum: crc32.NewIEEE()}
	switch p.Method {
	case zipStore:
		b.r = in
	case zipDeflate:
		b.in = bufio.NewReaderSize(in, int(min(p.Size+16, 64<<10)))
		f := inflaters.Get().(io.ReadCloser)
		if err := f.(flate.Resetter).Reset(b.in, nil); err != nil {
			return nil, m.broken("zip", err)
		}
		b.r, b.close = f, func() error { inflaters.Put(f); return nil }
	case zipZstd:
		d, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(MaxWindow))
		if err != nil {
			return nil, m.broken("zip", err)
		}
		b.r, b.close = d, func() error { d.Close(); return nil }
	default:
		return nil, fault.Inconclusivef(fault.Quote(m.Label), "unsupported zip compression method %d", p.Method)
	}
	return b, nil
}

// inflaters are used again: a module of thousands of small files would need as many windows of 32 KiB and tables.
var inflaters = sync.Pool{New: func() any { return flate.NewReader(nil) }}

// packedReader expands one member and holds it to its directory record.
type packedReader struct {
	m     *Meter
	r     io.Reader
	in    *bufio.Reader // non-nil: must be used up at the end
	close func() error
	want  int64
	got   int64
	crc   uint32
	sum   hash.Hash32
}

func (b *packedReader) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.got += int64(n)
	b.sum.Write(p[:n])
	if b.got > b.want {
		return 0, b.m.fail("inconsistent zip: content is longer than its size %d", b.want)
	}
	if xerr := b.m.Expand(int64(n)); xerr != nil {
		return 0, xerr
	}
	if err != io.EOF {
		if err != nil {
			err = b.m.broken("zip", err)
		}
		return n, err
	}
	if b.got != b.want || b.sum.Sum32() != b.crc {
		return n, b.m.fail("inconsistent zip: content does not have the size and checksum of its header")
	}
	if b.in != nil {
		if _, err := b.in.ReadByte(); err != io.EOF {
			return n, b.m.fail("trailing data after the compressed content")
		}
	}
	return n, io.EOF
}

func (b *packedReader) Close() error {
	if b.close == nil {
		return nil
	}
	return b.close()
}
