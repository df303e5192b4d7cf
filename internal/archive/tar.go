package archive

import (
	"io"
)

const tarBlock = 512

// Tar reads a tar stream: POSIX.1-2001 pax, ustar, v7 and the GNU forms for long names and sparse members.
//
// Refused beside what the package comment lists: extended headers that set one key twice, global headers that would
// change other members (readers disagree about them), links and directories with content, multi-volume members, and
// anything but zero bytes after the end marker. A stream that ends without a marker at the border of a member is
// accepted: the inner segments of Alpine packages are made so.
type Tar struct {
	in    *offsetReader
	meter *Meter
	names names

	left   int64 // bytes of the current member's data still in the stream
	pad    int64 // bytes to the block border after them
	sparse *sparseReader
	ended  bool
	err    error
}

// NewTar returns a reader of the tar stream r. The meter is not charged for member content, except for the holes of
// sparse members: whoever expands the stream charges it.
func NewTar(r io.Reader, m *Meter) *Tar { return &Tar{in: &offsetReader{r: r}, meter: m} }

// Ended tells whether the end marker was seen.
func (t *Tar) Ended() bool { return t.ended }

// Next advances to the next member, skipping what is left of the current one.
func (t *Tar) Next() (*Entry, error) {
	if t.err != nil {
		return nil, t.err
	}
	e, err := t.next()
	if err != nil {
		if err != io.EOF {
			err = t.meter.broken("tar", err)
		}
		t.err = err
		return nil, err
	}
	return e, nil
}

func (t *Tar) next() (*Entry, error) {
	if err := t.in.skip(t.left + t.pad); err != nil {
		return nil, err
	}
	t.left, t.pad, t.sparse = 0, 0, nil
	var ext extended
	for {
		h, err := t.block()
		if err == io.EOF && !ext.empty() {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, err
		}
		switch h.flag {
		case 'x', 'g', 'L', 'K':
			if err := t.extend(&ext, h); err != nil {
				return nil, err
			}
		default:
			return t.member(h, &ext)
		}
	}
}

// block reads one header block. io.EOF means the checked end of the archive.
func (t *Tar) block() (*tarHeader, error) {
	var b [tarBlock]byte
	if err := t.in.full(b[:]); err != nil {
		return nil, err // io.EOF: no end marker
	}
	if !allZero(b[:]) {
		return parseTarHeader(&b, t.meter)
	}
	switch err := t.in.full(b[:]); {
	case err == io.EOF:
		t.ended = true
		return nil, io.EOF
	case err != nil:
		return nil, err
	case !allZero(b[:]):
		return nil, t.meter.fail("trailing data after a zero block")
	}
	zero, err := t.in.drainZero()
	if err != nil {
		return nil, err
	}
	if !zero {
		return nil, t.meter.fail("trailing data after the end of the tar")
	}
	t.ended = true
	return nil, io.EOF
}

// extend reads the data of an extended header into ext.
func (t *Tar) extend(ext *extended, h *tarHeader) error {
	if h.size > MaxMetadata {
		return t.meter.fail("exceeds limit: extended header of %d bytes", h.size)
	}
	data := make([]byte, h.size)
	if err := t.in.full(data); err != nil {
		return asTruncated(err)
	}
	if err := t.in.skip(padding(h.size)); err != nil {
		return err
	}
	switch h.flag {
	case 'x':
		return ext.pax(data, t.meter)
	case 'g':
		return globalPax(data, t.meter)
	case 'L':
		return ext.setGNU(&ext.longName, data, t.meter)
	}
	return ext.setGNU(&ext.longLink, data, t.meter)
}

// member makes the entry of a header and what extends it.
func (t *Tar) member(h *tarHeader, ext *extended) (*Entry, error) {
	if err := t.meter.Entry(); err != nil {
		return nil, err
	}
	raw, e, err := ext.apply(h, t.meter)
	if err != nil {
		return nil, err
	}
	if e.Type, err = tarType(h.flag, raw, t.meter); err != nil {
		return nil, err
	}
	if e.Name, err = Clean(raw, false); err != nil {
		return nil, err
	}
	if e.Type == Symlink && (e.Link == "" || len(e.Link) > MaxName) {
		return nil, t.meter.failEntry(raw, "malformed link")
	}
	if e.Type != File && e.Size != 0 {
		return nil, t.meter.failEntry(raw, "%s with content", e.Type)
	}
	if err := t.names.add(e); err != nil {
		return nil, err
	}
	t.left, t.pad = e.Size, padding(e.Size)
	e.Offset = t.in.off
	if h.flag == 'S' || ext.isSparse() {
		if err := t.startSparse(e, h, ext); err != nil {
			return nil, err
		}
	}
	return e, nil
}

func tarType(flag byte, raw string, m *Meter) (Type, error) {
	switch flag {
	case '0', 0, '7', 'S':
		if flag == 0 && raw != "" && raw[len(raw)-1] == '/' {
			return Directory, nil // v7 has no type for directories
		}
		return File, nil
	case '1':
		return Hardlink, nil
	case '2':
		return Symlink, nil
	case '5':
		return Directory, nil
	case '3', '4', '6':
		kind := map[byte]string{'3': "character device", '4': "block device", '6': "FIFO"}[flag]
		return 0, m.failEntry(raw, "unsupported type: %s", kind)
	}
	return 0, m.failEntry(raw, "unsupported type: tar flag %q", flag)
}

// Read reads the content of the current member.
func (t *Tar) Read(p []byte) (int, error) {
	if t.err != nil {
		return 0, t.err
	}
	if t.sparse != nil {
		return t.sparse.Read(p)
	}
	return t.readStored(p)
}

func (t *Tar) readStored(p []byte) (int, error) {
	if t.left == 0 {
		return 0, io.EOF
	}
	if int64(len(p)) > t.left {
		p = p[:t.left]
	}
	n, err := t.in.Read(p)
	t.left -= int64(n)
	if err == io.EOF && t.left > 0 {
		err = t.meter.fail("truncated tar")
	}
	if err != nil && err != io.EOF {
		t.err = t.meter.broken("tar", err)
		return n, t.err
	}
	return n, nil
}

func padding(size int64) int64 { return -size & (tarBlock - 1) }

func asTruncated(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
