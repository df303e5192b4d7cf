package pass

import (
	"io"
	"strconv"

	"github.com/glassbuild/glassbuild/internal/allow"
	"github.com/glassbuild/glassbuild/internal/archive"
)

const cpioHeader = 110

// cpioFile is a cpio archive in the "new" form, which is what packages and initial file systems hold.
type cpioFile struct {
	*plain
	c    Content
	list []unit
	head []int64 // bytes before the content of each member; -1 for the trailer
}

func cpioShape(c Content, head []byte, m *archive.Meter) (shape, error) {
	if string(head[:6]) != "070701" {
		return nil, nil
	}
	r := archive.NewCpio(io.NewSectionReader(c, 0, c.Size()), freshMeter(m, c.Size()))
	for { // it refuses what is malformed or hostile, and its checked end is the end of the file
		if _, err := r.Next(); err == io.EOF {
			break
		} else if err != nil {
			return nil, err
		}
	}
	f := &cpioFile{plain: &plain{name: archive.FormatCpio}, c: c}
	for at := int64(0); ; {
		b, err := read(c, at, cpioHeader)
		if err != nil {
			return nil, err
		}
		name, ok := hexField(b[94:102])
		size, ok2 := hexField(b[54:62])
		if !ok || !ok2 || name < 1 {
			return nil, nil
		}
		start := at + cpioHeader + name
		start += -start & 3
		raw, err := read(c, at+cpioHeader, name-1)
		if err != nil {
			return nil, err
		}
		if string(raw) == "TRAILER!!!" {
			f.list = append(f.list, unit{name: "\x00end", spans: [2]span{{at, c.Size() - at}}, index: len(f.head)})
			f.head = append(f.head, -1)
			return f, nil
		}
		end := start + size
		end += -end & 3
		f.list = append(f.list, unit{name: string(raw), spans: [2]span{{at, end - at}}, index: len(f.head)})
		f.head = append(f.head, start-at)
		at = end
	}
}

func hexField(b []byte) (int64, bool) {
	v, err := strconv.ParseUint(string(b), 16, 33)
	return int64(v), err == nil
}

func (f *cpioFile) units() []unit { return f.list }

func (f *cpioFile) pieces(u unit) ([]piece, error) {
	at, n := u.spans[0].at, u.spans[0].size
	head := f.head[u.index]
	if head < 0 {
		return []piece{{what: "trailer", at: at, size: n}}, nil
	}
	b, err := read(f.c, at, cpioHeader)
	if err != nil {
		return nil, err
	}
	size, _ := hexField(b[54:62])
	pad, err := read(f.c, at+head+size, n-head-size)
	if err != nil {
		return nil, err
	}
	return []piece{
		{what: "cpio header", at: at, size: 46},
		{what: "mtime", at: at + 46, size: 8, rule: field, pass: allow.CpioMtime, valid: hexTime(b[46:54])},
		{what: "size", at: at + 54, size: 8, rule: derived},
		{what: "cpio header", at: at + 62, size: head - 62},
		{what: "content", at: at + head, size: size, rule: content, member: u.name},
		zeros("padding", pad, at+head+size),
	}, nil
}
