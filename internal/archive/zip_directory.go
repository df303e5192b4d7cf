package archive

import (
	"bufio"
	"encoding/binary"
	"io"
	"sort"
)

const (
	zipEndSize     = 22
	zipEnd64Size   = 56
	zipLocatorSize = 20
	zipCentralSize = 46
	zipLocalSize   = 30
	max32          = 1<<32 - 1
	max16          = 1<<16 - 1
)

// zipRecord is one record of the central directory.
type zipRecord struct {
	name     string
	made     uint16
	flags    uint16
	method   uint16
	time     uint16
	date     uint16
	crc      uint32
	packed   int64
	size     int64
	external uint32
	local    int64 // offset of the local header
	data     int64 // offset of the content, known after the local header was read
	end      int64 // where the member ends, its data descriptor included
	entry0   int64 // offset of the directory record
	entryLen int64
	extra    []byte
	zip64    bool
}

// zipEnd is what the end records say.
type zipEnd struct {
	records int64
	size    int64
	offset  int64
	at      int64 // where the first end record begins
	comment int64
}

func (z *Zip) readDirectory(size int64) error {
	end, err := z.findEnd(size)
	if err != nil {
		return err
	}
	if end.records > z.m.total.lim.Entries {
		return z.m.fail("exceeds limit: %d entries", end.records)
	}
	if end.offset < 0 || end.size < 0 || end.offset > end.at || end.size != end.at-end.offset {
		return z.m.fail("inconsistent zip: directory of %d bytes at offset %d does not end at %d", end.size, end.offset, end.at)
	}
	in := bufio.NewReaderSize(io.NewSectionReader(z.ra, end.offset, end.size), 64<<10)
	at := end.offset
	for range end.records {
		if err := z.m.Entry(); err != nil {
			return err
		}
		rec, err := z.central(in)
		if err != nil {
			return asTruncated(err)
		}
		rec.entry0 = at
		at += rec.entryLen
		z.records = append(z.records, *rec)
	}
	if _, err := in.ReadByte(); err != io.EOF {
		return z.m.fail("inconsistent zip: directory holds more than %d entries", end.records)
	}
	sort.SliceStable(z.records, func(i, j int) bool { return z.records[i].local < z.records[j].local })
	if err := z.layout(end); err != nil {
		return err
	}
	if end.comment > 0 {
		z.regions = append(z.regions, Region{size - end.comment, end.comment, "archive comment"})
	}
	z.place = place(z.records, end)
	return nil
}

// findEnd finds the end record from the back. The comment's length must reach the end of the file exactly; a second
// candidate that also would is refused, because readers choose differently.
func (z *Zip) findEnd(size int64) (*zipEnd, error) {
	n := min(size, maxCentralScan)
	buf := make([]byte, n)
	if _, err := z.ra.ReadAt(buf, size-n); err != nil && err != io.EOF {
		return nil, err
	}
	found := -1
	var unfitting bool
	for i := len(buf) - zipEndSize; i >= 0; i-- {
		if string(buf[i:i+4]) != "PK\x05\x06" {
			continue
		}
		if i+zipEndSize+int(le16(buf[i+20:])) != len(buf) {
			unfitting = true
			continue
		}
		if found >= 0 {
			return nil, z.m.fail("inconsistent zip: two end records")
		}
		found = i
	}
	if found < 0 {
		if unfitting {
			return nil, z.m.fail("trailing data after the end of the zip")
		}
		return nil, z.m.fail("truncated zip: no end record")
	}
	b := buf[found:]
	end := &zipEnd{
		records: int64(le16(b[10:])), size: int64(le32(b[12:])), offset: int64(le32(b[16:])),
		at: size - n + int64(found), comment: int64(le16(b[20:])),
	}
	if le16(b[4:]) == max16 || le16(b[8:]) == max16 || end.records == max16 || end.size == max32 || end.offset == max32 {
		return z.findEnd64(end)
	}
	if le16(b[4:]) != 0 || le16(b[6:]) != 0 || le16(b[8:]) != le16(b[10:]) {
		return nil, z.m.fail("inconsistent zip: several disks")
	}
	return end, nil
}

// findEnd64 reads the zip64 records, which must lie directly before the end record. Values that the end record does
// give must be the same (APPNOTE 4.4.1.4).
func (z *Zip) findEnd64(end *zipEnd) (*zipEnd, error) {
	bad := z.m.fail("inconsistent zip: zip64 end records")
	var b [zipEnd64Size + zipLocatorSize]byte
	if end.at < int64(len(b)) {
		return end, nil // exactly 65,535 entries without zip64 are possible; the layout check decides
	}
	at := end.at - int64(len(b))
	if _, err := z.ra.ReadAt(b[:], at); err != nil {
		return nil, err
	}
	loc := b[zipEnd64Size:]
	if string(loc[:4]) != "PK\x06\x07" {
		return end, nil
	}
	if string(b[:4]) != "PK\x06\x06" || le64(b[4:]) != zipEnd64Size-12 || le64(loc[8:]) != at || le32(loc[4:]) != 0 || le32(loc[16:]) > 1 ||
		le32(b[16:]) != 0 || le32(b[20:]) != 0 || le64(b[24:]) != le64(b[32:]) {
		return nil, bad
	}
	e64 := &zipEnd{records: le64(b[32:]), size: le64(b[40:]), offset: le64(b[48:]), at: at, comment: end.comment}
	if end.records != max16 && end.records != e64.records || end.size != max32 && end.size != e64.size ||
		end.offset != max32 && end.offset != e64.offset || e64.records < 0 {
		return nil, bad
	}
	return e64, nil
}

func le16(b []byte) uint16 { return binary.LittleEndian.Uint16(b) }

func le64(b []byte) int64 { return int64(binary.LittleEndian.Uint64(b)) }

// central reads one record of the central directory.
func (z *Zip) central(in io.Reader) (*zipRecord, error) {
	var b [zipCentralSize]byte
	if _, err := io.ReadFull(in, b[:]); err != nil {
		return nil, err
	}
	if string(b[:4]) != "PK\x01\x02" {
		return nil, z.m.fail("inconsistent zip: no directory record where one should be")
	}
	rec := &zipRecord{
		made: le16(b[4:]), flags: le16(b[8:]), method: le16(b[10:]), time: le16(b[12:]), date: le16(b[14:]), crc: le32(b[16:]),
		packed: int64(le32(b[20:])), size: int64(le32(b[24:])), external: le32(b[38:]), local: int64(le32(b[42:])),
	}
	name := make([]byte, le16(b[28:]))
	rec.extra = make([]byte, le16(b[30:]))
	comment := make([]byte, le16(b[32:]))
	for _, p := range [][]byte{name, rec.extra, comment} {
		if _, err := io.ReadFull(in, p); err != nil {
			return nil, err
		}
	}
	rec.name = string(name)
	rec.entryLen = int64(zipCentralSize + len(name) + len(rec.extra) + len(comment))
	if disk := le16(b[34:]); disk != 0 && disk != max16 {
		return nil, z.m.failEntry(rec.name, "inconsistent zip: on another disk")
	}
	return rec, z.wide(rec)
}

// wide takes the 64-bit values of the zip64 extra field, which holds exactly those that do not fit, in order.
func (z *Zip) wide(rec *zipRecord) error {
	return z.extras(rec.name, rec.extra, func(id uint16, data []byte) error {
		if id != 1 {
			return nil
		}
		if rec.zip64 {
			return z.m.failEntry(rec.name, "inconsistent zip: two zip64 fields")
		}
		rec.zip64 = true
		for _, p := range []*int64{&rec.size, &rec.packed, &rec.local} {
			if *p != max32 {
				continue
			}
			if len(data) < 8 || le64(data) < 0 {
				return z.m.failEntry(rec.name, "inconsistent zip: zip64 field")
			}
			*p, data = le64(data), data[8:]
		}
		return nil
	})
}

// extras calls each for every extra field. Some writers pad with up to three zero bytes for alignment.
func (z *Zip) extras(name string, extra []byte, each func(id uint16, data []byte) error) error {
	for len(extra) >= 4 {
		n := int(le16(extra[2:]))
		if n > len(extra)-4 {
			return z.m.failEntry(name, "inconsistent zip: extra field runs over its end")
		}
		if err := each(le16(extra), extra[4:4+n]); err != nil {
			return err
		}
		extra = extra[4+n:]
	}
	if !allZero(extra) {
		return z.m.failEntry(name, "inconsistent zip: extra field runs over its end")
	}
	return nil
}
