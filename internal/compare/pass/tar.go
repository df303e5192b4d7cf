package pass

import (
	"bytes"
	"fmt"
	"io"
	"strconv"

	"github.com/glassbuild/glassbuild/internal/allow"
	"github.com/glassbuild/glassbuild/internal/archive"
	"github.com/glassbuild/glassbuild/internal/pattern"
)

const tarBlock = 512

// tarFile is a tar, read by archive.Tar, which refuses what two readers could understand differently.
type tarFile struct {
	*plain
	c    Content
	list []unit
	size []int64 // of the content of each member; -1 for the end
}

func tarShape(c Content, m *archive.Meter) (shape, error) {
	t := &tarFile{plain: &plain{name: archive.FormatTar}, c: c}
	r := archive.NewTar(io.NewSectionReader(c, 0, c.Size()), freshMeter(m, c.Size()))
	at := int64(0)
	for {
		e, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		stored := e.Size
		if e.Type != archive.File {
			stored = 0
		}
		if e.Offset < at { // a sparse member: its content is not stored as it is
			return nil, nil
		}
		end := min(e.Offset+stored+(-stored&(tarBlock-1)), c.Size())
		t.list = append(t.list, unit{name: e.Name, spans: [2]span{{at, end - at}}, index: len(t.list)})
		t.size = append(t.size, stored)
		at = end
	}
	t.list = append(t.list, unit{name: "\x00end", spans: [2]span{{at, c.Size() - at}}, index: len(t.list)})
	t.size = append(t.size, -1)
	return t, nil
}

func freshMeter(m *archive.Meter, size int64) *archive.Meter {
	return archive.NewMeter(m.Label, size, archive.Limits{})
}

func (t *tarFile) units() []unit { return t.list }
func (t *tarFile) order() string { return allow.TarOrder }

// pieces cuts one member: its extended headers, its header, its content, its padding.
func (t *tarFile) pieces(u unit) ([]piece, error) {
	at, end := u.spans[0].at, u.spans[0].at+u.spans[0].size
	size := t.size[u.index]
	if size < 0 {
		return t.end(at, end), nil
	}
	head := end - size - (-size & (tarBlock - 1))
	var list []piece
	for at < head {
		b, err := read(t.c, at, tarBlock)
		if err != nil {
			return nil, err
		}
		list = append(list, tarHeader(b, at)...)
		at += tarBlock
		if flag := b[156]; flag != 'x' {
			if flag == 'g' || flag == 'L' || flag == 'K' { // their data is exact, whatever it says
				n := octal(b[124:136])
				n += -n & (tarBlock - 1)
				list = append(list, piece{what: "data of an extended header", at: at, size: n})
				at += n
			}
			continue
		}
		n := octal(b[124:136])
		if n < 0 || n > maxPaxHeader || at+n > head {
			return nil, differ("", "pax header")
		}
		data, err := read(t.c, at, n+(-n&(tarBlock-1)))
		if err != nil {
			return nil, err
		}
		list = append(list, paxRecords(data, n, at)...)
		at += int64(len(data))
	}
	list = append(list, piece{what: "content", at: head, size: size, rule: content, member: u.name})
	pad, err := read(t.c, head+size, end-head-size)
	if err != nil {
		return nil, err
	}
	return append(list, zeros("padding", pad, head+size)), nil
}

// end cuts the end marker: two blocks of zeros, or as many as fill records of 20 blocks.
func (t *tarFile) end(at, end int64) []piece {
	n := end - at
	switch {
	case n == 2*tarBlock:
		return []piece{{what: "end of the tar", at: at, size: n, rule: derived}}
	case n > 2*tarBlock && n < 22*tarBlock && end%(20*tarBlock) == 0:
		return []piece{{what: "end of the tar in records", at: at, size: n, rule: derived}}
	}
	return []piece{{what: "end of the tar of another length", at: at, size: n}}
}

func zeros(what string, b []byte, at int64) piece {
	p := piece{what: what, at: at, size: int64(len(b))}
	if len(bytes.Trim(b, "\x00")) == 0 {
		p.rule = derived
	}
	return p
}

func octal(b []byte) int64 {
	v, err := strconv.ParseInt(string(bytes.Trim(b, " \x00")), 8, 62)
	if err != nil {
		return -1
	}
	return v
}

// tarHeader cuts one header block. Size and checksum are derived where they are spelled as a writer spells them, and the
// spelling is part of what must be the same.
func tarHeader(b []byte, at int64) []piece {
	mtime := piece{what: "mtime", at: at + 136, size: 12, rule: field, pass: allow.TarMtime, valid: octalTime(b[136:148])}
	return []piece{
		{what: "tar header", at: at, size: 124},
		spelled("size", b[124:136], at+124, "%011o\x00", "%011o "),
		mtime,
		spelled("checksum", b[148:156], at+148, "%06o\x00 ", "%07o\x00"),
		{what: "tar header", at: at + 156, size: tarBlock - 156},
	}
}

// spelled makes a derived piece of a number in one of the spellings, else an exact one.
func spelled(what string, b []byte, at int64, forms ...string) piece {
	for _, f := range forms {
		if v := octal(b); v >= 0 && fmt.Sprintf(f, v) == string(b) {
			return piece{what: what + f, at: at, size: int64(len(b)), rule: derived}
		}
	}
	return piece{what: what, at: at, size: int64(len(b))}
}

var paxTime = pattern.New(`^[1-9][0-9]? (mtime|atime|ctime)=(0|[1-9][0-9]{0,10})(\.[0-9]{1,9})?\n$`)

// paxRecords cuts the n bytes of records at the start of data, and the padding.
func paxRecords(data []byte, n, at int64) []piece {
	var list []piece
	for pos := int64(0); pos < n; {
		sp := bytes.IndexByte(data[pos:n], ' ')
		size, err := strconv.ParseInt(string(data[pos:pos+int64(max(sp, 0))]), 10, 31)
		if sp < 1 || err != nil || size <= 0 || pos+size > n {
			return append(list, piece{what: "pax records", at: at + pos, size: int64(len(data)) - pos})
		}
		rec := data[pos : pos+size]
		p := piece{what: "pax record", at: at + pos, size: size}
		if m := paxTime.Regexp().FindSubmatch(rec); m != nil && size <= maxPaxTime {
			v, err := strconv.ParseInt(string(m[2]), 10, 62)
			p.what, p.rule, p.pass, p.optional = "pax "+string(m[1]), field, allow.TarMtime, true
			p.valid = err == nil && aTime(v)
		}
		list = append(list, p)
		pos += size
	}
	return append(list, zeros("padding", data[n:], at+n))
}
