package artifact

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"strings"

	"github.com/glassbuild/glassbuild/internal/archive"
)

// ContentName is what the content of a compressed file is called that is no archive.
const ContentName = "content"

// stream expands a compressed member into the spool. A tar or cpio in it is listed while it passes by and makes one
// container "tar+gzip"; anything else becomes one member called ContentName.
func (x *expander) stream(m *Member, kind string, sec *io.SectionReader, meter *archive.Meter) error {
	if kind == archive.FormatGzip {
		if done, err := x.segments(m, sec, meter); done || err != nil {
			return err
		}
	}
	d, err := archive.Decompress(kind, x.reader(sec), meter.Layer(meter.Label, sec.Size()))
	if err != nil {
		return err
	}
	defer d.Close()
	st := Stream{Format: kind, Packed: sec.Size()}
	if z, ok := d.(*archive.Gzip); ok {
		st.Gzip = &z.Header
	}
	start := x.a.spool.end
	r := bufio.NewReaderSize(io.TeeReader(d, x.a.spool), copyBuffer)
	head, err := r.Peek(archive.DetectBytes)
	if err != nil && err != io.EOF {
		return err
	}
	inner := archive.Detect(head)
	if inner != archive.FormatTar && inner != archive.FormatCpio {
		return x.plainStream(m, st, inner, format(head), r, start, meter)
	}
	m.Format = inner + "+" + kind
	err = x.list(m, streamed(m, inner, r, meter), x.a.spool, start, meter)
	st.Size, st.at = x.a.spool.end-start, location{file: x.a.spool, offset: start}
	m.Streams = append(m.Streams, st)
	return err
}

// Sum returns the SHA-256 of the expanded bytes. Of an archive, whose members have digests of their own, it is computed
// when it is asked for.
func (s Stream) Sum() (string, error) {
	if s.sum != "" {
		return s.sum, nil
	}
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(s.at.file, s.at.offset, s.Size)); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// plainStream makes the one member of a compressed file that is no archive.
func (x *expander) plainStream(m *Member, st Stream, inner, kind string, r io.Reader, start int64, meter *archive.Meter) error {
	c := newMember(m, &archive.Entry{Name: ContentName, Type: File, Mode: m.Mode})
	c.at = location{file: x.a.spool, offset: start}
	c.Format = kind
	sum := sha256.New()
	n, err := io.CopyBuffer(sum, struct{ io.Reader }{r}, x.buf)
	if err != nil {
		return err
	}
	c.Size, c.SHA256 = n, hex.EncodeToString(sum.Sum(nil))
	if err := meter.Entry(); err != nil {
		return err
	}
	st.Size, st.sum = n, c.SHA256
	m.Streams, m.Members = append(m.Streams, st), append(m.Members, c)
	if inner == "" {
		x.refine(c)
		return nil
	}
	return x.expandInner([]nested{{c, inner}}, meter)
}

// segments lists an Alpine package: gzip members for signature, control data and content, one after the other. It
// reports false when the file is one gzip member, which is all that any other format allows.
func (x *expander) segments(m *Member, sec *io.SectionReader, meter *archive.Meter) (bool, error) {
	alpine, signed := x.startsLikeAlpine(sec, meter)
	if !alpine {
		return false, nil
	}
	in := &countingReader{r: x.reader(io.NewSectionReader(sec, 0, sec.Size()))}
	br := bufio.NewReaderSize(in, copyBuffer)
	var inner []nested
	names := alpineSegments
	if !signed {
		names = names[1:]
	}
	for at := int64(0); at < sec.Size(); {
		layer := meter.Layer(meter.Label, sec.Size())
		z, err := archive.NewGzip(br, layer)
		if err != nil {
			return true, err
		}
		z.AllowMore()
		if _, err := io.CopyBuffer(io.Discard, struct{ io.Reader }{z}, x.buf); err != nil {
			return true, err
		}
		end := in.n - int64(br.Buffered())
		if at == 0 && end == sec.Size() {
			return false, nil
		}
		if len(inner) == len(names) {
			return true, meter.Trailing("another gzip member")
		}
		c := newMember(m, &archive.Entry{Name: names[len(inner)], Type: File, Size: end - at})
		if err := meter.Entry(); err != nil {
			return true, err
		}
		c.at = location{file: m.at.file, offset: m.at.offset + at}
		if c.SHA256, err = x.hash(io.NewSectionReader(sec, at, end-at)); err != nil {
			return true, err
		}
		inner = append(inner, nested{c, archive.FormatGzip})
		m.Members = append(m.Members, c)
		at = end
	}
	m.Format = "alpine"
	return true, x.expandInner(inner, meter)
}

var alpineSegments = []string{"signature", "control", "data"}

// startsLikeAlpine tells whether the first tar header inside names a signature, as signed Alpine packages begin, or the
// description with which one without a signature does.
func (x *expander) startsLikeAlpine(sec *io.SectionReader, meter *archive.Meter) (alpine, signed bool) {
	br := bufio.NewReader(io.NewSectionReader(sec, 0, sec.Size()))
	z, err := archive.NewGzip(br, meter.Layer(meter.Label, sec.Size()))
	if err != nil {
		return false, false
	}
	z.AllowMore()
	defer z.Close()
	head := make([]byte, archive.DetectBytes)
	n, _ := io.ReadFull(z, head)
	if archive.Detect(head[:n]) != archive.FormatTar {
		return false, false
	}
	signed = strings.HasPrefix(string(head[:n]), ".SIGN.")
	return signed || strings.HasPrefix(string(head[:n]), ".PKGINFO\x00"), signed
}

func (x *expander) hash(r io.Reader) (string, error) {
	sum := sha256.New()
	_, err := io.CopyBuffer(sum, struct{ io.Reader }{r}, x.buf)
	return hex.EncodeToString(sum.Sum(nil)), err
}

type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}
