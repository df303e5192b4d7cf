package archive

import (
	"io"
	"time"

	"github.com/glassbuild/glassbuild/internal/fault"
)

const (
	zipEncrypted  = 1 << 0
	zipDescriptor = 1 << 3
	zipStrong     = 1 << 6
	zipMasked     = 1 << 13
)

// layout reads every local header and demands that members, descriptors and directory follow each other without
// overlap and without unexplained bytes.
func (z *Zip) layout(end *zipEnd) error {
	var at int64
	for i := range z.records {
		rec := &z.records[i]
		switch {
		case rec.local < at:
			return z.m.failEntry(rec.name, "inconsistent zip: overlaps the member before it")
		case i == 0 && rec.local > 0:
			z.regions = append(z.regions, Region{0, rec.local, "bytes before the first member"})
		case rec.local > at:
			return z.m.failEntry(rec.name, "inconsistent zip: %d bytes before it belong to no member", rec.local-at)
		}
		next, err := z.local(rec, end.offset)
		if err != nil {
			return err
		}
		at, rec.end = next, next
	}
	return z.beforeDirectory(at, end.offset)
}

// beforeDirectory accepts an APK signing block between the last member and the directory, which zeros may align to 4096
// bytes, and nothing else.
func (z *Zip) beforeDirectory(at, directory int64) error {
	gap := directory - at
	if gap == 0 {
		return nil
	}
	if len(z.records) == 0 && gap > 0 {
		z.regions = append(z.regions, Region{0, gap, "bytes before the first member"})
		return nil
	}
	var b [24]byte
	if gap >= 32 {
		if _, err := z.ra.ReadAt(b[:], directory-24); err != nil {
			return err
		}
		block := le64(b[:]) + 8
		if string(b[8:]) == "APK Sig Block 42" && block >= 32 && block <= gap && gap-block < maxZipAlign {
			zero := make([]byte, gap-block)
			if _, err := z.ra.ReadAt(zero, at); err != nil {
				return err
			}
			if allZero(zero) {
				z.regions = append(z.regions, Region{at, gap, "APK signing block"})
				return nil
			}
		}
	}
	return z.m.fail("inconsistent zip: %d bytes before the directory belong to no member", gap)
}

// local reads the local header of rec, demands that it agrees, and returns where the member ends.
func (z *Zip) local(rec *zipRecord, limit int64) (int64, error) {
	bad := func(what string) error {
		return z.m.failEntry(rec.name, "inconsistent zip: %s differs between local header and directory", what)
	}
	var b [zipLocalSize]byte
	if rec.local > limit-zipLocalSize {
		return 0, z.m.failEntry(rec.name, "inconsistent zip: local header outside of the archive")
	}
	if _, err := z.ra.ReadAt(b[:], rec.local); err != nil {
		return 0, asTruncated(err)
	}
	if string(b[:4]) != "PK\x03\x04" {
		return 0, z.m.failEntry(rec.name, "inconsistent zip: no local header where the directory says")
	}
	if rec.flags&(zipEncrypted|zipStrong|zipMasked) != 0 || le16(b[6:])&(zipEncrypted|zipStrong|zipMasked) != 0 {
		return 0, fault.Inconclusivef(fault.Quote(rec.name), "encrypted zip member")
	}
	tail := make([]byte, int(le16(b[26:]))+int(le16(b[28:])))
	if _, err := z.ra.ReadAt(tail, rec.local+zipLocalSize); err != nil {
		return 0, asTruncated(err)
	}
	name, extra := tail[:le16(b[26:])], tail[le16(b[26:]):]
	loc := &zipRecord{name: rec.name, packed: int64(le32(b[18:])), size: int64(le32(b[22:])), extra: extra}
	if err := z.wide(loc); err != nil {
		return 0, err
	}
	switch {
	case string(name) != rec.name:
		return 0, bad("name")
	case le16(b[6:]) != rec.flags:
		return 0, bad("flags")
	case le16(b[8:]) != rec.method:
		return 0, bad("method")
	case le16(b[10:]) != rec.time || le16(b[12:]) != rec.date:
		return 0, bad("time")
	}
	rec.data = rec.local + zipLocalSize + int64(len(tail))
	if rec.packed < 0 || rec.size < 0 || rec.packed > limit-rec.data {
		return 0, z.m.failEntry(rec.name, "inconsistent zip: content reaches beyond the directory")
	}
	at := rec.data + rec.packed
	if rec.flags&zipDescriptor == 0 {
		if loc.packed != rec.packed || loc.size != rec.size || le32(b[14:]) != rec.crc {
			return 0, bad("size or checksum")
		}
		return at, nil
	}
	if le32(b[14:]) != 0 && le32(b[14:]) != rec.crc || loc.packed != 0 && loc.packed != rec.packed || loc.size != 0 && loc.size != rec.size {
		return 0, bad("size or checksum")
	}
	n, err := z.descriptor(rec, loc.zip64, at, limit)
	return at + n, err
}

// descriptor checks the data descriptor after a member; its signature is optional and its sizes have 4 or 8 bytes
// (APPNOTE 4.3.9). Which form it is follows from which one says what the directory says.
func (z *Zip) descriptor(rec *zipRecord, zip64 bool, at, limit int64) (int64, error) {
	var b [24]byte
	n := min(int64(len(b)), limit-at)
	if _, err := z.ra.ReadAt(b[:max(n, 0)], at); err != nil && err != io.EOF {
		return 0, err
	}
	forms := []struct{ sig, wide bool }{{true, zip64}, {true, !zip64}, {false, zip64}, {false, !zip64}}
	for _, f := range forms {
		d, size := b[:n], int64(12)
		if f.sig {
			if n < 4 || string(d[:4]) != "PK\x07\x08" {
				continue
			}
			d, size = d[4:], 16
		}
		if f.wide {
			size += 8
		}
		if size > n || le32(d) != rec.crc {
			continue
		}
		packed, full := int64(le32(d[4:])), int64(le32(d[8:]))
		if f.wide {
			packed, full = le64(d[4:]), le64(d[12:])
		}
		if packed == rec.packed && full == rec.size {
			return size, nil
		}
	}
	return 0, z.m.failEntry(rec.name, "inconsistent zip: data descriptor differs from the directory")
}

// entry makes the member's entry: names are slash separated, Unix modes come from the upper half of the external
// attributes when a Unix (3) or macOS (19) writer made them.
func (r *zipRecord) entry(m *Meter) (*Entry, error) {
	name, err := Clean(r.name, true)
	if err != nil {
		return nil, err
	}
	e := &Entry{Name: name, Type: File, Size: r.size, ModTime: r.modTime()}
	if host := r.made >> 8; host == 3 || host == 19 {
		unix := r.external >> 16
		e.Mode = unix & 0o7777
		switch unix & 0o170000 {
		case 0, 0o100000:
		case 0o040000:
			e.Type = Directory
		case 0o120000:
			e.Type = Symlink
		default:
			return nil, m.failEntry(r.name, "unsupported type: mode %o", unix)
		}
	}
	if isDir := r.name[len(r.name)-1] == '/'; isDir != (e.Type == Directory) {
		if e.Type == Symlink || !isDir {
			return nil, m.failEntry(r.name, "inconsistent zip: type of the member")
		}
		e.Type = Directory
	}
	if e.Type == Directory && r.size != 0 {
		return nil, m.failEntry(r.name, "directory with content")
	}
	return e, nil
}

// modTime is the MS-DOS time, which has no zone and is read as UTC; 0 when it is not set.
func (r *zipRecord) modTime() int64 {
	if r.date == 0 && r.time == 0 {
		return 0
	}
	return time.Date(int(r.date>>9)+1980, time.Month(r.date>>5&15), int(r.date&31),
		int(r.time>>11), int(r.time>>5&63), int(r.time&31)*2, 0, time.UTC).Unix()
}
