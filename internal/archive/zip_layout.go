package archive

import "io"

// ZipMember says where the parts of one member lie.
type ZipMember struct {
	Name      string // as it is stored
	Method    uint16
	Size      int64
	CRC32     uint32
	Local     int64 // offset of the local header
	Data      int64 // of the content
	Packed    int64 // bytes of the content as stored
	End       int64 // offset behind the content and its data descriptor
	Directory int64 // offset of the directory record
	Record    int64 // bytes of the directory record
	Zip64     bool  // sizes or offsets lie in a zip64 field
}

// ZipLayout says where everything in a zip lies. Members come in the order in which they lie in the file.
type ZipLayout struct {
	Members   []ZipMember
	Directory int64 // offset of the directory
	End       int64 // offset of the first end record
}

// Layout returns where everything lies, as NewZip has checked it.
func (z *Zip) Layout() ZipLayout { return z.place }

func place(records []zipRecord, end *zipEnd) ZipLayout {
	l := ZipLayout{Directory: end.offset, End: end.at, Members: make([]ZipMember, len(records))}
	for i, r := range records {
		l.Members[i] = ZipMember{
			Name: r.name, Method: r.method, Size: r.size, CRC32: r.crc, Local: r.local, Data: r.data, Packed: r.packed, End: r.end,
			Directory: r.entry0, Record: r.entryLen, Zip64: r.zip64,
		}
	}
	return l
}

// Content opens the content of a member, held to its size and checksum.
func (z *Zip) Content(m ZipMember) (io.ReadCloser, error) {
	p := Packed{Method: m.Method, Offset: m.Data, Size: m.Packed, CRC32: m.CRC32}
	return openPacked(z.ra, &p, m.Size, z.m.Layer(m.Name, m.Packed))
}
