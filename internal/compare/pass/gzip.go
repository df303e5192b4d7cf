package pass

import (
	"bufio"
	"bytes"
	"io"

	"github.com/glassbuild/glassbuild/internal/allow"
	"github.com/glassbuild/glassbuild/internal/archive"
)

// gzipFile is one gzip member and nothing behind it.
type gzipFile struct {
	*plain
	c Content
	m *archive.Meter
}

// gzipShape cuts header, stream and trailer. Only the fixed fields of the header may differ: a name or a comment has any
// length (F10).
func gzipShape(c Content, m *archive.Meter) (shape, error) {
	z, err := archive.NewGzip(bufio.NewReader(io.NewSectionReader(c, 0, c.Size())), freshMeter(m, c.Size()))
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(io.Discard, z) // checksum and length are no fields: they must be right even where the streams are the same
	z.Close()
	if err != nil {
		return nil, err
	}
	head, end := z.Header.Size, c.Size()-8
	if end < head {
		return nil, nil
	}
	b, err := read(c, 0, 10)
	if err != nil {
		return nil, err
	}
	hdr := func(what string, at, size int64, ok bool) piece {
		return piece{what: what, at: at, size: size, rule: field, pass: allow.GzipHeader, valid: ok}
	}
	sum := int64(0)
	if z.Header.Flags&2 != 0 { // a checksum over the header, which archive.Gzip verified
		sum = 2
	}
	list := []piece{
		{what: "gzip header", at: 0, size: 4},
		hdr("gzip time", 4, 4, shortTime(b[4:8])),
		hdr("gzip level byte", 8, 1, bytes.IndexByte([]byte{0, 2, 4}, b[8]) >= 0),
		hdr("gzip system byte", 9, 1, bytes.IndexByte([]byte{0, 3, 7, 10, 11, 19, 255}, b[9]) >= 0),
		{what: "gzip name, comment or extra field", at: 10, size: head - 10 - sum},
		{what: "gzip header checksum", at: head - sum, size: sum, rule: derived},
		{what: "gzip stream", at: head, size: end - head, rule: packed, pass: allow.GzipStream, member: "content"},
		{what: "gzip trailer", at: end, size: 8, rule: derived},
	}
	return &gzipFile{&plain{archive.FormatGzip, c.Size(), list}, c, m}, nil
}

// open expands the whole file again, so that trailer and end are verified with the stream.
func (g *gzipFile) open(piece) (io.ReadCloser, error) {
	return archive.Decompress(archive.FormatGzip, io.NewSectionReader(g.c, 0, g.c.Size()), freshMeter(g.m, g.c.Size()))
}
