package pass

import (
	"bytes"
	"encoding/binary"
	"io"

	"github.com/glassbuild/glassbuild/internal/allow"
	"github.com/glassbuild/glassbuild/internal/archive"
)

// zipFile is a zip, read by archive.Zip, which demands that directory and local headers agree.
type zipFile struct {
	*plain
	c      Content
	z      *archive.Zip
	layout archive.ZipLayout
	list   []unit
	at     map[int64]int // members by where their content lies
	ranked bool          // the directory has the order of the members
}

const kindManifest = "manifest"

func zipShape(c Content, m *archive.Meter) (shape, error) {
	z, err := archive.NewZip(c, c.Size(), freshMeter(m, c.Size()))
	if err != nil {
		return nil, err
	}
	f := &zipFile{plain: &plain{name: archive.FormatZip}, c: c, z: z, layout: z.Layout(), at: make(map[int64]int), ranked: true}
	at, dir := int64(0), f.layout.Directory
	members := f.layout.Members
	if len(members) > 0 {
		at = members[0].Local
	}
	f.list = append(f.list, unit{name: "\x00start", spans: [2]span{{0, at}}, index: -1})
	for i, e := range members {
		f.list = append(f.list, unit{name: e.Name, spans: [2]span{{e.Local, e.End - e.Local}, {e.Directory, e.Record}}, index: i})
		f.at[e.Data] = i
		f.ranked = f.ranked && e.Directory == dir
		at, dir = e.End, dir+e.Record
	}
	f.list = append(f.list, unit{name: "\x00end", spans: [2]span{{at, f.layout.Directory - at}, {f.layout.End, c.Size() - f.layout.End}}, index: -2})
	return f, check(z)
}

// check reads through the archive, which refuses duplicate and unsafe names, and through every member, which refuses content that is not as
// stated: a checksum that nobody verified would be a field of any content.
func check(z *archive.Zip) error {
	for {
		switch _, err := z.Next(); err {
		case io.EOF:
			return nil
		case nil:
		default:
			return err
		}
		if _, err := io.Copy(io.Discard, z); err != nil {
			return err
		}
	}
}

func (f *zipFile) units() []unit { return f.list }

func (f *zipFile) order() string {
	if !f.ranked {
		return ""
	}
	return allow.ZipOrder
}

func (f *zipFile) open(p piece) (io.ReadCloser, error) {
	i, ok := f.at[p.at]
	if !ok {
		return nil, io.ErrUnexpectedEOF
	}
	return f.z.Content(f.layout.Members[i])
}

func (f *zipFile) pieces(u unit) ([]piece, error) {
	switch u.index {
	case -1:
		return []piece{{what: "bytes before the first member", size: u.spans[0].size}}, nil
	case -2:
		return f.end(u)
	}
	e := f.layout.Members[u.index]
	head, err := read(f.c, e.Local, e.Data-e.Local)
	if err != nil {
		return nil, err
	}
	rec, err := read(f.c, e.Directory, e.Record)
	if err != nil {
		return nil, err
	}
	name := int64(binary.LittleEndian.Uint16(head[26:]))
	list := localPieces(head, e, name)
	p := piece{what: "content", at: e.Data, size: e.Packed, rule: content, member: e.Name}
	if e.Name == "META-INF/MANIFEST.MF" {
		p.kind = kindManifest
	}
	switch e.Method {
	case 0:
	case 8:
		p.rule, p.pass = packed, allow.ZipStream
	default:
		p.rule = exact
	}
	list = append(list, p)
	after := e.Data + e.Packed
	desc, err := read(f.c, after, e.End-after)
	if err != nil {
		return nil, err
	}
	d := piece{what: "data descriptor", at: after, size: int64(len(desc)), rule: derived}
	if bytes.HasPrefix(desc, []byte("PK\x07\x08")) {
		d.what += " with its signature"
	}
	return append(append(list, d), recordPieces(head, rec, e, name)...), nil
}

// localPieces cuts a local header. Sizes and checksum are zero where a descriptor follows, and derived where not.
func localPieces(head []byte, e archive.ZipMember, name int64) []piece {
	at := e.Local
	sums := piece{what: "sizes", at: at + 14, size: 12, rule: derived}
	if len(bytes.Trim(head[14:26], "\x00")) == 0 {
		sums.what, sums.rule = "no sizes", exact
	}
	list := []piece{
		{what: "zip header", at: at, size: 10},
		{what: "time", at: at + 10, size: 4, rule: field, pass: allow.ZipMtime, valid: dosTime(head[10:14])},
		sums,
		{what: "zip header", at: at + 26, size: 4 + name},
	}
	return append(list, extraPieces(head[zipLocalLine+name:], at+zipLocalLine+name, nil)...)
}

// recordPieces cuts a directory record.
func recordPieces(head, rec []byte, e archive.ZipMember, name int64) []piece {
	at := e.Directory
	extra := int64(binary.LittleEndian.Uint16(rec[30:]))
	list := []piece{
		{what: "directory record", at: at, size: 12},
		{what: "time", at: at + 12, size: 4, rule: field, pass: allow.ZipMtime, valid: dosTime(rec[12:16])},
		{what: "sizes", at: at + 16, size: 12, rule: derived},
		{what: "directory record", at: at + 28, size: 14},
		{what: "offset", at: at + 42, size: 4, rule: derived},
		{what: "name", at: at + zipDirLine, size: name},
	}
	from := zipDirLine + name
	list = append(list, extraPieces(rec[from:from+extra], at+from, timestamp(head[zipLocalLine+name:]))...)
	return append(list, piece{what: "comment", at: at + from + extra, size: int64(len(rec)) - from - extra})
}

const extendedTimestamp = 0x5455

// extraPieces cuts extra fields. Of the extended timestamp only the times are fields; the one in the directory must be the
// one of the local header, which is given as local.
func extraPieces(extra []byte, at int64, local []byte) []piece {
	var list []piece
	for len(extra) >= 4 {
		n := int(binary.LittleEndian.Uint16(extra[2:]))
		if n > len(extra)-4 {
			break
		}
		data := extra[4 : 4+n]
		if binary.LittleEndian.Uint16(extra) != extendedTimestamp || n < 5 || (n-1)%4 != 0 || n > 13 {
			list = append(list, piece{what: "extra field", at: at, size: int64(4 + n)})
		} else {
			list = append(list, piece{what: "extended timestamp", at: at, size: 5})
			for i := 1; i < n; i += 4 {
				ok := shortTime(data[i:]) && (local == nil || bytes.Equal(local, data[i:i+4]))
				list = append(list, piece{what: "extended timestamp time", at: at + 4 + int64(i), size: 4, rule: field, pass: allow.ZipMtime, valid: ok})
			}
		}
		at, extra = at+int64(4+n), extra[4+n:]
	}
	return append(list, piece{what: "end of the extra fields", at: at, size: int64(len(extra))})
}

// timestamp returns the first time of the extended timestamp of a local header.
func timestamp(extra []byte) []byte {
	for len(extra) >= 4 {
		n := int(binary.LittleEndian.Uint16(extra[2:]))
		if n > len(extra)-4 {
			break
		}
		if binary.LittleEndian.Uint16(extra) == extendedTimestamp && n >= 5 {
			return extra[5:9]
		}
		extra = extra[4+n:]
	}
	return nil
}

// end cuts what lies before the directory, which is a signing block at most, and the end records. Those of zip64 are exact.
func (f *zipFile) end(u unit) ([]piece, error) {
	gap, tail := u.spans[0], u.spans[1]
	list := []piece{{what: "bytes before the directory", at: gap.at, size: gap.size}}
	b, err := read(f.c, tail.at, min(tail.size, 4))
	if err != nil {
		return nil, err
	}
	if string(b) != "PK\x05\x06" {
		return append(list, piece{what: "zip64 end records", at: tail.at, size: tail.size}), nil
	}
	return append(list,
		piece{what: "end record", at: tail.at, size: 12},
		piece{what: "place of the directory", at: tail.at + 12, size: 8, rule: derived},
		piece{what: "comment", at: tail.at + 20, size: tail.size - 20}), nil
}
