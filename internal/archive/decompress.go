package archive

import (
	"bufio"
	"compress/bzip2"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// Decompress returns what the compressed stream r of the given format expands to, metered by m. Close releases what the
// decoder holds. Streams that may be concatenated by their format (bzip2, zstd, lz4: every reader decodes all of them)
// are read through; a second gzip member or xz stream, which readers treat differently, is "trailing data".
func Decompress(format string, r io.Reader, m *Meter) (io.ReadCloser, error) {
	br := bufio.NewReaderSize(r, 64<<10)
	switch format {
	case FormatGzip:
		z, err := NewGzip(br, m)
		if err != nil {
			return nil, err
		}
		return z, nil
	case FormatBzip2:
		return &stream{m: m, what: format, r: bzip2.NewReader(br)}, nil
	case FormatXZ:
		z, err := newXZ(br, m)
		if err != nil {
			return nil, err
		}
		return &stream{m: m, what: format, r: z}, nil
	case FormatZstd:
		d, err := zstd.NewReader(br, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(MaxWindow), zstd.WithDecoderMaxMemory(MaxExpanded))
		if err != nil {
			return nil, m.broken(format, err)
		}
		return &stream{m: m, what: format, r: d, close: d.Close}, nil
	case FormatLZ4:
		return &stream{m: m, what: format, r: lz4.NewReader(br)}, nil
	}
	return nil, fault.Inconclusivef(fault.Quote(m.Label), "unsupported compression %q", format)
}

// stream meters a decoder and gives its errors their class.
type stream struct {
	m     *Meter
	what  string
	r     io.Reader
	close func()
	err   error
}

func (s *stream) Read(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.r.Read(p)
	if xerr := s.m.Expand(int64(n)); xerr != nil {
		n, err = 0, xerr
	}
	switch {
	case err == zstd.ErrWindowSizeExceeded, err == zstd.ErrDecoderSizeExceeded:
		err = s.m.fail("exceeds limit: %s window larger than %d bytes", s.what, MaxWindow)
	case err == io.EOF:
	case err != nil:
		err = s.m.broken(s.what, err)
	}
	s.err = err
	return n, err
}

func (s *stream) Close() error {
	if s.close != nil {
		s.close()
	}
	return nil
}
