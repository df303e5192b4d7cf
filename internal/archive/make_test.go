package archive_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"testing"

	"github.com/glassbuild/glassbuild/internal/archive"
)

// tarOf writes headers with archive/tar; a header's content is its Linkname when it is a file.
func tarOf(t testing.TB, hs ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range hs {
		var body string
		if h.Typeflag == tar.TypeReg {
			body, h.Linkname = h.Linkname, ""
			h.Size = int64(len(body))
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, body)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func reg(name, body string) tar.Header {
	return tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Linkname: body}
}

// block writes one raw ustar header with a right checksum, followed by data and padding.
func block(flag byte, name, link string, size int64, data []byte) []byte {
	b := make([]byte, 512)
	copy(b, name)
	copy(b[100:], fmt.Sprintf("%07o\x00%07o\x00%07o\x00%011o\x00%011o\x00        ", 0o644, 0, 0, size, 0))
	b[156] = flag
	copy(b[157:], link)
	copy(b[257:], "ustar\x0000")
	sum := 0
	for _, c := range b {
		sum += int(c)
	}
	copy(b[148:], fmt.Sprintf("%06o\x00 ", sum))
	b = append(b, data...)
	return append(b, make([]byte, -len(data)&511)...)
}

func paxBlock(flag byte, records ...string) []byte {
	var data []byte
	for _, r := range records {
		n := len(r) + 3
		for len(fmt.Sprint(n))+2+len(r) != n {
			n++
		}
		data = fmt.Appendf(data, "%d %s\n", n, r)
	}
	return block(flag, "pax", "", int64(len(data)), data)
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func endOfTar() []byte { return make([]byte, 1024) }

func gz(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(data)
	w.Close()
	return b.Bytes()
}

// entries drains a reader and returns "name=content" for files and "name" for others.
func entries(r archive.Reader) ([]string, error) {
	var got []string
	for {
		e, err := r.Next()
		if err == io.EOF {
			return got, nil
		}
		if err != nil {
			return got, err
		}
		s := e.Name
		switch e.Type {
		case archive.File:
			body, err := io.ReadAll(r)
			if err != nil {
				return got, err
			}
			s += "=" + string(body)
		case archive.Symlink, archive.Hardlink:
			s += "->" + e.Link
		case archive.Directory:
			s += "/"
		}
		got = append(got, s)
	}
}

// zipPart is one member of a hand-made zip; the zero values of the local fields mean "as in the directory".
type zipPart struct {
	name, local string
	data        string
	flags       uint16
	method      uint16
	localCRC    uint32
	mode        uint32
	descriptor  bool
	before      string // bytes in front of the local header
	offset      int    // added to the offset in the directory
	localSize   int    // added to the size in the local header
	packed      []byte
	size        int // added to the expanded size in both
}

func crc(s string) uint32 { return crc32.ChecksumIEEE([]byte(s)) }

// zipOf writes a zip by hand, so that every field can be wrong.
func zipOf(parts []zipPart, comment string) []byte {
	var out, dir bytes.Buffer
	le := binary.LittleEndian
	for _, p := range parts {
		out.WriteString(p.before)
		at := out.Len() + p.offset
		local := p.local
		if local == "" {
			local = p.name
		}
		stored := p.packed
		if stored == nil {
			stored = []byte(p.data)
		}
		sum, flags := crc(p.data), p.flags
		lsum, lpacked, lsize := sum, len(stored), len(p.data)+p.size
		if p.localCRC != 0 {
			lsum = p.localCRC
		}
		if p.descriptor {
			flags |= 8
			lsum, lpacked, lsize = 0, 0, 0
		}
		var h [30]byte
		copy(h[:], "PK\x03\x04")
		le.PutUint16(h[4:], 20)
		le.PutUint16(h[6:], flags)
		le.PutUint16(h[8:], p.method)
		le.PutUint32(h[14:], lsum)
		le.PutUint32(h[18:], uint32(lpacked))
		le.PutUint32(h[22:], uint32(lsize+p.localSize))
		le.PutUint16(h[26:], uint16(len(local)))
		out.Write(h[:])
		out.WriteString(local)
		out.Write(stored)
		if p.descriptor {
			var d [16]byte
			copy(d[:], "PK\x07\x08")
			le.PutUint32(d[4:], sum)
			le.PutUint32(d[8:], uint32(len(stored)))
			le.PutUint32(d[12:], uint32(len(p.data)))
			out.Write(d[:])
		}
		var c [46]byte
		copy(c[:], "PK\x01\x02")
		le.PutUint16(c[4:], 3<<8|20)
		le.PutUint16(c[8:], flags)
		le.PutUint16(c[10:], p.method)
		le.PutUint32(c[16:], sum)
		le.PutUint32(c[20:], uint32(len(stored)))
		le.PutUint32(c[24:], uint32(len(p.data)+p.size))
		le.PutUint16(c[28:], uint16(len(p.name)))
		le.PutUint32(c[38:], p.mode<<16)
		le.PutUint32(c[42:], uint32(at))
		dir.Write(c[:])
		dir.WriteString(p.name)
	}
	var e [22]byte
	copy(e[:], "PK\x05\x06")
	le.PutUint16(e[8:], uint16(len(parts)))
	le.PutUint16(e[10:], uint16(len(parts)))
	le.PutUint32(e[12:], uint32(dir.Len()))
	le.PutUint32(e[16:], uint32(out.Len()))
	le.PutUint16(e[20:], uint16(len(comment)))
	out.Write(dir.Bytes())
	out.Write(e[:])
	out.WriteString(comment)
	return out.Bytes()
}

func openZip(data []byte, lim archive.Limits) (*archive.Zip, error) {
	return archive.NewZip(bytes.NewReader(data), int64(len(data)), archive.NewMeter("a.zip", int64(len(data)), lim))
}

func zipEntries(data []byte, lim archive.Limits) ([]string, error) {
	z, err := openZip(data, lim)
	if err != nil {
		return nil, err
	}
	return entries(z)
}
