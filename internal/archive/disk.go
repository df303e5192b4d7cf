package archive

import (
	"io"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// Disk reads the files of a disk image, in the order in which a walk through its directories finds them. OpenDisk lists all
// of them before the first one is read: their names, and where they lie.
type Disk struct {
	ra      io.ReaderAt
	size    int64
	m       *Meter
	names   names
	files   []diskFile
	regions []Region
	at      int
	cur     io.Reader
	err     error
}

// diskFile is a file and the runs of bytes that it is made of.
type diskFile struct {
	e       *Entry
	extents []extent
	open    func() io.Reader // in place of extents, where the bytes are compressed
}

// extent is a run of bytes of the image, or of zeros where offset is negative.
type extent struct{ offset, size int64 }

// OpenDisk reads the directories of a disk image of the given format, which Detect told.
func OpenDisk(format string, ra io.ReaderAt, size int64, m *Meter) (*Disk, error) {
	d := &Disk{ra: ra, size: size, m: m}
	var err error
	switch format {
	case FormatISO:
		err = readISO(d)
	case FormatExt:
		err = readExt(d)
	case FormatFAT:
		err = readFAT(d)
	case FormatSquash:
		err = readSquash(d)
	case FormatParts:
		err = readPartitions(d)
	default:
		err = fault.Inconclusivef(fault.Quote(m.Label), "unsupported disk image %q", format)
	}
	if err != nil {
		return nil, m.broken(format, err)
	}
	return d, nil
}

// Regions lists bytes that belong to no file and are not needed to find one.
func (d *Disk) Regions() []Region { return d.regions }

// Next advances to the next file.
func (d *Disk) Next() (*Entry, error) {
	if d.err != nil {
		return nil, d.err
	}
	if d.at == len(d.files) {
		return nil, io.EOF
	}
	f := d.files[d.at]
	d.at++
	if f.open != nil {
		d.cur = f.open()
	} else {
		d.cur = &extentReader{d: d, list: f.extents, left: f.e.Size}
	}
	return f.e, nil
}

// Read reads the content of the current file.
func (d *Disk) Read(p []byte) (int, error) {
	if d.err != nil || d.cur == nil {
		return 0, io.EOF
	}
	n, err := d.cur.Read(p)
	if err != nil && err != io.EOF {
		d.err = err
	}
	return n, err
}

// add takes a file. The meter counts what it expands to: files of an image may share their bytes.
func (d *Disk) add(e *Entry, extents []extent) error {
	if err := d.m.Entry(); err != nil {
		return err
	}
	if err := d.names.add(e); err != nil {
		return err
	}
	if e.Type == File {
		var sum int64
		for _, x := range extents {
			if x.size < 0 || x.offset >= 0 && (x.offset > d.size || x.size > d.size-x.offset) {
				return d.m.failEntry(e.Name, "lies outside of the image")
			}
			sum += x.size
		}
		if sum < e.Size {
			return d.m.failEntry(e.Name, "has %d bytes and says %d", sum, e.Size)
		}
		if err := d.m.Expand(e.Size); err != nil {
			return err
		}
		e.Offset = -1
		if len(extents) == 1 && extents[0].offset >= 0 {
			e.Offset = extents[0].offset
		}
	}
	d.files = append(d.files, diskFile{e: e, extents: extents})
	return nil
}

// addPacked takes a file whose bytes open reads.
func (d *Disk) addPacked(e *Entry, open func() io.Reader) error {
	if err := d.m.Entry(); err != nil {
		return err
	}
	if err := d.names.add(e); err != nil {
		return err
	}
	if e.Size < 0 {
		return d.m.failEntry(e.Name, "has %d bytes", e.Size)
	}
	if err := d.m.Expand(e.Size); err != nil {
		return err
	}
	e.Offset = -1
	d.files = append(d.files, diskFile{e: e, open: open})
	return nil
}

// read reads n bytes at off, which must lie in the image.
func (d *Disk) read(off, n int64) ([]byte, error) {
	if off < 0 || n < 0 || off > d.size || n > d.size-off || n > maxDiskRead {
		return nil, d.m.fail("malformed disk image: %d bytes at %d are outside of it", n, off)
	}
	b := make([]byte, n)
	if _, err := d.ra.ReadAt(b, off); err != nil && err != io.EOF {
		return nil, err
	}
	return b, nil
}

type extentReader struct {
	d    *Disk
	list []extent
	done int64 // of the first extent
	left int64
}

func (r *extentReader) Read(p []byte) (int, error) {
	for len(r.list) > 0 && r.done >= r.list[0].size {
		r.list, r.done = r.list[1:], 0
	}
	if r.left == 0 || len(r.list) == 0 {
		return 0, io.EOF
	}
	x := r.list[0]
	n := int(min(int64(len(p)), x.size-r.done, r.left))
	if x.offset < 0 {
		clear(p[:n])
	} else if got, err := r.d.ra.ReadAt(p[:n], x.offset+r.done); got < n {
		return 0, r.d.m.broken("disk image", err)
	}
	r.done += int64(n)
	r.left -= int64(n)
	return n, nil
}
