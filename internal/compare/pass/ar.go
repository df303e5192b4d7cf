package pass

import (
	"io"

	"github.com/glassbuild/glassbuild/internal/allow"
	"github.com/glassbuild/glassbuild/internal/archive"
)

const (
	arMagic  = 8
	arHeader = 60
)

// arFile is an ar archive. The order of its members is never forgiven: linkers look at it.
type arFile struct {
	*plain
	c    Content
	list []unit
	size []int64
	deb  bool
}

func arShape(c Content, m *archive.Meter) (shape, error) {
	f := &arFile{plain: &plain{name: archive.FormatAr}, c: c}
	r := archive.NewAr(io.NewSectionReader(c, 0, c.Size()), freshMeter(m, c.Size()))
	at := int64(arMagic)
	f.list = append(f.list, unit{name: "\x00start", spans: [2]span{{0, arMagic}}, index: -1})
	for {
		e, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		f.deb = f.deb || len(f.size) == 0 && e.Name == "debian-binary"
		f.list = append(f.list, unit{name: e.Name, spans: [2]span{{at, e.Offset + e.Size - at}}, index: len(f.size)})
		f.size = append(f.size, e.Size)
		at = e.Offset + e.Size
	}
	f.list = append(f.list, unit{name: "\x00end", spans: [2]span{{at, c.Size() - at}}, index: -2})
	if f.deb && len(f.size) > maxDebFields {
		return nil, nil
	}
	return f, nil
}

func (f *arFile) units() []unit { return f.list }

func (f *arFile) pieces(u unit) ([]piece, error) {
	at, end := u.spans[0].at, u.spans[0].at+u.spans[0].size
	switch u.index {
	case -1:
		return []piece{{what: "magic", at: at, size: end - at}}, nil
	case -2:
		b, err := read(f.c, at, end-at)
		if err != nil {
			return nil, err
		}
		return []piece{padByte(b, at)}, nil
	}
	start := end - f.size[u.index] // of the content
	var list []piece
	for at < start {
		if at%2 != 0 {
			b, err := read(f.c, at, 1)
			if err != nil {
				return nil, err
			}
			list = append(list, padByte(b, at))
			at++
		} else {
			list = append(list, piece{what: "padding", at: at, rule: derived})
		}
		if at+arHeader > start {
			return nil, differ("", "ar header")
		}
		b, err := read(f.c, at, arHeader)
		if err != nil {
			return nil, err
		}
		list = append(list, f.header(b, at)...)
		at += arHeader
		n := start - at // a name in BSD's way
		if string(b[:2]) == "//" {
			n = decimal(b[48:58])
		}
		if n < 0 || n > start-at {
			return nil, differ("", "ar header")
		}
		list = append(list, piece{what: "name", at: at, size: n})
		at += n
	}
	return append(list, piece{what: "content", at: start, size: end - start, rule: content, member: u.name}), nil
}

// padByte is the byte that brings the next header to an even offset; it may be missing where content has another size.
func padByte(b []byte, at int64) piece {
	p := piece{what: "padding", at: at, size: int64(len(b)), rule: derived}
	if len(b) > 1 || len(b) == 1 && b[0] != '\n' {
		p.rule = exact
	}
	return p
}

func (f *arFile) header(b []byte, at int64) []piece {
	mtime := piece{what: "mtime", at: at + 16, size: 12, rule: field, pass: allow.ArMtime, valid: decimalTime(b[16:28])}
	if f.deb {
		mtime.pass = allow.DebMtime
	}
	size := piece{what: "size", at: at + 48, size: 10}
	if canonicalDecimal(b[48:58]) {
		size.rule = derived
	}
	return []piece{
		{what: "ar header", at: at, size: 16}, mtime, {what: "ar header", at: at + 28, size: 20}, size, {what: "ar header", at: at + 58, size: 2},
	}
}
