package archive

import (
	"io"
	"strconv"
	"strings"
)

// Cpio reads the ASCII forms of cpio: newc, newc with checksums (crc) and the portable odc of POSIX. Members of a hard
// link group but the last are empty in a newc archive and are returned so.
type Cpio struct {
	// Rooted allows names that begin with one slash, which is left away: some packers name what an RPM package installs by its
	// full path, where rpmbuild writes "./".
	Rooted bool

	in    *offsetReader
	meter *Meter
	names names
	left  int64
	pad   int64
	sum   uint32
	want  uint32
	check bool
	err   error
}

// NewCpio returns a reader of the cpio archive r.
func NewCpio(r io.Reader, m *Meter) *Cpio { return &Cpio{in: &offsetReader{r: r}, meter: m} }

// Next advances to the next member.
func (c *Cpio) Next() (*Entry, error) {
	if c.err != nil {
		return nil, c.err
	}
	e, err := c.next()
	if err != nil {
		if err != io.EOF {
			err = c.meter.broken("cpio", err)
		}
		c.err = err
		return nil, err
	}
	return e, nil
}

const cpioTrailer = "TRAILER!!!"

// cpioHeader is what both forms say.
type cpioHeader struct {
	mode, uid, gid, mtime, size, name uint64
	align                             int64
	check                             bool
	sum                               uint64
}

func (c *Cpio) next() (*Entry, error) {
	if err := c.in.skip(c.left + c.pad); err != nil {
		return nil, err
	}
	c.left, c.pad = 0, 0
	h, err := c.header()
	if err != nil {
		return nil, asTruncated(err)
	}
	if h.name < 2 || h.name > MaxName+1 {
		return nil, c.meter.fail("exceeds limit: name of %d bytes", h.name)
	}
	name := make([]byte, h.name)
	if err := c.in.full(name); err != nil {
		return nil, asTruncated(err)
	}
	if err := c.in.skip(-c.in.off & (h.align - 1)); err != nil {
		return nil, err
	}
	if name[len(name)-1] != 0 {
		return nil, c.meter.fail("malformed cpio: name without end")
	}
	raw := string(name[:len(name)-1])
	if raw == cpioTrailer {
		return nil, c.end(h)
	}
	return c.entry(h, raw)
}

func (c *Cpio) end(h *cpioHeader) error {
	if h.size != 0 {
		return c.meter.fail("malformed cpio: trailer with content")
	}
	zero, err := c.in.drainZero()
	if err != nil {
		return err
	}
	if !zero {
		return c.meter.fail("trailing data after the end of the cpio")
	}
	return io.EOF
}

func (c *Cpio) header() (*cpioHeader, error) {
	var magic [6]byte
	if err := c.in.full(magic[:]); err != nil {
		return nil, err
	}
	var f [13]uint64
	switch string(magic[:]) {
	case "070701", "070702":
		if err := c.fields(f[:], []int{8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8}, 16); err != nil {
			return nil, err
		}
		return &cpioHeader{
			mode: f[1], uid: f[2], gid: f[3], mtime: f[5], size: f[6], name: f[11], align: 4, check: magic[5] == '2', sum: f[12],
		}, nil
	case "070707":
		if err := c.fields(f[:10], []int{6, 6, 6, 6, 6, 6, 6, 11, 6, 11}, 8); err != nil {
			return nil, err
		}
		return &cpioHeader{mode: f[2], uid: f[3], gid: f[4], mtime: f[7], name: f[8], size: f[9], align: 1}, nil
	}
	return nil, c.meter.fail("malformed cpio: magic %q", magic[:])
}

func (c *Cpio) fields(to []uint64, widths []int, base int) error {
	var b [11]byte
	for i, w := range widths {
		if err := c.in.full(b[:w]); err != nil {
			return asTruncated(err)
		}
		v, err := strconv.ParseUint(string(b[:w]), base, 64)
		if err != nil {
			return c.meter.fail("malformed cpio: number %q", b[:w])
		}
		to[i] = v
	}
	return nil
}

func (c *Cpio) entry(h *cpioHeader, raw string) (*Entry, error) {
	if err := c.meter.Entry(); err != nil {
		return nil, err
	}
	if c.Rooted {
		raw = strings.TrimPrefix(raw, "/")
	}
	name, err := Clean(raw, false)
	if err != nil {
		return nil, err
	}
	e := &Entry{
		Name: name, Mode: uint32(h.mode) & 0o7777, UID: int(h.uid), GID: int(h.gid), ModTime: int64(h.mtime), Size: int64(h.size),
		Offset: c.in.off,
	}
	c.left, c.pad = e.Size, -(c.in.off+e.Size)&(h.align-1)
	c.check, c.sum, c.want = h.check, 0, uint32(h.sum)
	switch h.mode & 0o170000 {
	case 0o100000, 0:
		e.Type = File
	case 0o040000:
		e.Type = Directory
		if e.Size != 0 {
			return nil, c.meter.failEntry(raw, "directory with content")
		}
	case 0o120000:
		e.Type = Symlink
		if e.Link, err = c.target(raw); err != nil {
			return nil, err
		}
		e.Size = 0
	default:
		return nil, c.meter.failEntry(raw, "unsupported type: mode %o", h.mode)
	}
	return e, c.names.add(e)
}

// target reads the content of a symlink, which is where it points.
func (c *Cpio) target(raw string) (string, error) {
	if c.left == 0 || c.left > MaxName {
		return "", c.meter.failEntry(raw, "malformed link")
	}
	b := make([]byte, c.left)
	if err := c.in.full(b); err != nil {
		return "", asTruncated(err)
	}
	c.left, c.check = 0, false
	return cString(b), nil
}

// Read reads the content of the current member.
func (c *Cpio) Read(p []byte) (int, error) {
	n, err := readMember(c.in, p, &c.left, &c.err, c.meter, "cpio")
	if !c.check {
		return n, err
	}
	for _, b := range p[:n] {
		c.sum += uint32(b)
	}
	if err == io.EOF && c.sum != c.want {
		c.err = c.meter.fail("malformed cpio: checksum does not hold")
		return n, c.err
	}
	return n, err
}
