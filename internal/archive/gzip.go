package archive

import (
	"bufio"
	"encoding/binary"
	"hash"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/flate"
)

// GzipHeader is the header of one gzip member, every field of RFC 1952 section 2.3.
type GzipHeader struct {
	Flags   byte
	ModTime int64 // seconds since 1970, 0 for none
	XFL     byte  // 2: best compression, 4: fastest
	OS      byte  // 3: Unix, 19: Darwin as zlib writes it, 255: unknown
	Extra   []byte
	Name    string
	Comment string
	Size    int64 // bytes of the header itself
}

// Gzip reads one gzip member strictly: reserved flags, a wrong header or data checksum, a wrong length and
// anything after the trailer are refused.
type Gzip struct {
	Header GzipHeader

	in    *bufio.Reader
	m     *Meter
	flate io.ReadCloser
	sum   hash.Hash32
	size  uint32
	multi bool
	err   error
}

// NewGzip reads the header of the gzip member at the start of r.
func NewGzip(r *bufio.Reader, m *Meter) (*Gzip, error) {
	z := &Gzip{in: r, m: m, sum: crc32.NewIEEE()}
	if err := z.header(); err != nil {
		return nil, m.broken("gzip header", err)
	}
	z.flate = flate.NewReader(r) // reads byte-wise from a ByteReader, so never beyond the member
	return z, nil
}

// AllowMore lets something follow the member: r then stands directly behind the trailer when Read returns io.EOF.
// Alpine packages are several members by their format.
func (z *Gzip) AllowMore() { z.multi = true }

const (
	gzipText = 1 << iota
	gzipHeaderSum
	gzipExtra
	gzipName
	gzipComment
)

func (z *Gzip) header() error {
	h := &z.Header
	sum := crc32.NewIEEE()
	in := &offsetReader{r: io.TeeReader(z.in, sum)}
	var b [10]byte
	if err := in.full(b[:]); err != nil {
		return asTruncated(err)
	}
	if b[0] != 0x1f || b[1] != 0x8b || b[2] != 8 || b[3]&0xe0 != 0 {
		return z.m.fail("malformed gzip header")
	}
	h.Flags, h.XFL, h.OS = b[3], b[8], b[9]
	h.ModTime = int64(binary.LittleEndian.Uint32(b[4:8]))
	if h.Flags&gzipExtra != 0 {
		if err := in.full(b[:2]); err != nil {
			return asTruncated(err)
		}
		h.Extra = make([]byte, binary.LittleEndian.Uint16(b[:2]))
		if err := in.full(h.Extra); err != nil {
			return asTruncated(err)
		}
	}
	for _, f := range []struct {
		flag byte
		to   *string
	}{{gzipName, &h.Name}, {gzipComment, &h.Comment}} {
		if h.Flags&f.flag == 0 {
			continue
		}
		s, err := z.field(in)
		if err != nil {
			return err
		}
		*f.to = s
	}
	if h.Flags&gzipHeaderSum != 0 {
		want := uint16(sum.Sum32())
		if err := in.full(b[:2]); err != nil {
			return asTruncated(err)
		}
		if binary.LittleEndian.Uint16(b[:2]) != want {
			return z.m.fail("malformed gzip header: checksum does not hold")
		}
	}
	h.Size = in.off
	return nil
}

// field reads one zero-terminated string.
func (z *Gzip) field(in *offsetReader) (string, error) {
	var s []byte
	var c [1]byte
	for {
		if err := in.full(c[:]); err != nil {
			return "", asTruncated(err)
		}
		if c[0] == 0 {
			return string(s), nil
		}
		if len(s) >= MaxGzipField {
			return "", z.m.fail("exceeds limit: gzip header field longer than %d bytes", MaxGzipField)
		}
		s = append(s, c[0])
	}
}

// Read returns the expanded content; io.EOF comes after trailer and end were checked.
func (z *Gzip) Read(p []byte) (int, error) {
	if z.err != nil {
		return 0, z.err
	}
	n, err := z.flate.Read(p)
	z.sum.Write(p[:n])
	z.size += uint32(n)
	if xerr := z.m.Expand(int64(n)); xerr != nil {
		n, err = 0, xerr
	}
	if err == io.EOF {
		err = z.trailer()
	}
	if err != nil && err != io.EOF {
		err = z.m.broken("gzip", err)
	}
	z.err = err
	return n, err
}

func (z *Gzip) trailer() error {
	var b [8]byte
	if _, err := io.ReadFull(z.in, b[:]); err != nil {
		return asTruncated(err)
	}
	if binary.LittleEndian.Uint32(b[:4]) != z.sum.Sum32() || binary.LittleEndian.Uint32(b[4:]) != z.size {
		return z.m.fail("malformed gzip: checksum does not hold")
	}
	if z.multi {
		return io.EOF
	}
	if _, err := z.in.ReadByte(); err != io.EOF {
		if err != nil {
			return err
		}
		return z.m.fail("trailing data after the gzip member")
	}
	return io.EOF
}

// Close releases the decoder.
func (z *Gzip) Close() error { return z.flate.Close() }
