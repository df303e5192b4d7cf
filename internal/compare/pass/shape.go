package pass

import (
	"io"
	"sort"

	"github.com/glassbuild/glassbuild/internal/archive"
)

// rule says what may become of a run of bytes. The zero value forgives nothing.
type rule uint8

const (
	exact   rule = iota
	derived      // follows from the rest of the file; verified by whoever made the piece
	field        // forgiven by a pass when both values obey its grammar
	content      // a member
	packed       // a deflate stream
)

// A piece is one run of bytes.
type piece struct {
	what     string // must be the same on both sides: pieces are paired by it
	at, size int64
	rule     rule
	pass     string // of a field or a packed stream
	valid    bool   // of a field: its value obeys the grammar
	optional bool   // of a field: it may stand on one side only
	member   string // of content: its name below the layer
	kind     string // of content: what it is by its place, such as "manifest"
}

// A unit is one member with its headers, or what comes before or after all members. Its pieces cover its spans in order.
type unit struct {
	name  string
	spans [2]span // the second may be empty
	index int
}

type span struct{ at, size int64 }

// A shape is a file that was read by its format.
type shape interface {
	format() string
	units() []unit // together they cover the file
	pieces(u unit) ([]piece, error)
	open(p piece) (io.ReadCloser, error) // expands a packed piece
	order() string                       // the pass that forgives another order of members; "" for none
}

// plain is a shape of one unit whose pieces are known from the start, and which has nothing to expand.
type plain struct {
	name string
	size int64
	list []piece
}

func (p *plain) format() string                    { return p.name }
func (p *plain) units() []unit                     { return []unit{{spans: [2]span{{0, p.size}}}} }
func (p *plain) pieces(unit) ([]piece, error)      { return p.list, nil }
func (p *plain) open(piece) (io.ReadCloser, error) { return nil, io.ErrUnexpectedEOF }
func (p *plain) order() string                     { return "" }

// around makes a plain shape from the pieces that are not exact: what lies between them is. It returns nil when pieces
// overlap or leave the file.
func around(name string, size int64, special []piece) shape {
	sort.SliceStable(special, func(i, j int) bool { return special[i].at < special[j].at })
	var list []piece
	at := int64(0)
	for _, s := range special {
		if s.at < at || s.size < 0 || s.at > size-s.size {
			return nil
		}
		if s.at > at {
			list = append(list, piece{what: "bytes", at: at, size: s.at - at})
		}
		list = append(list, s)
		at = s.at + s.size
	}
	if at < size {
		list = append(list, piece{what: "bytes", at: at, size: size - at})
	}
	return &plain{name, size, list}
}

// shapeOf reads a file by its format, told from its bytes, or from its place where kind says so. A nil shape is a file
// that no pass knows.
func shapeOf(kind string, c Content, m *archive.Meter) (shape, error) {
	head := make([]byte, min(c.Size(), archive.DetectBytes))
	if _, err := io.ReadFull(io.NewSectionReader(c, 0, c.Size()), head); err != nil {
		return nil, err
	}
	if kind == kindManifest {
		return manifestShape(c)
	}
	switch archive.Detect(head) {
	case archive.FormatGzip:
		return gzipShape(c, m)
	case archive.FormatTar:
		return tarShape(c, m)
	case archive.FormatZip:
		return zipShape(c, m)
	case archive.FormatAr:
		return arShape(c, m)
	case archive.FormatCpio:
		return cpioShape(c, head, m)
	case "":
		return fileShape(c, head)
	}
	return nil, nil
}

// fileShape reads what is no archive.
func fileShape(c Content, head []byte) (shape, error) {
	has := func(magic string) bool { return len(head) >= len(magic) && string(head[:len(magic)]) == magic }
	switch {
	case has("\x7fELF"):
		return elfShape(c)
	case has("MZ"):
		return peShape(c)
	case has("\xcf\xfa\xed\xfe"), has("\xce\xfa\xed\xfe"):
		return machoShape(c)
	case has("\xca\xfe\xba\xbe"), has("\xca\xfe\xba\xbf"):
		return fatShape(c)
	case has("\x89PNG\r\n\x1a\n"):
		return pngShape(c)
	}
	return pycShape(c, head), nil
}

// read returns size bytes at an offset.
func read(c io.ReaderAt, at, size int64) ([]byte, error) {
	b := make([]byte, size)
	n, err := c.ReadAt(b, at)
	if int64(n) == size {
		return b, nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return nil, err
}
