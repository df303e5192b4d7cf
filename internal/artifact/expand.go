package artifact

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"sync"

	"github.com/glassbuild/glassbuild/internal/archive"
	"github.com/glassbuild/glassbuild/internal/fault"
)

// maxProblems bounds Artifact.Hostile; every member keeps its own problem beyond it.
const maxProblems = 1000

// expander lists containers. Each is read through once, hashing its members, before one of its members is expanded.
type expander struct {
	a    *Artifact
	ctx  context.Context
	buf  []byte
	head []byte
	sum  hash.Hash
}

// newExpander returns an expander whose buffers release gives back: a build's inputs are many small files.
func newExpander(ctx context.Context, a *Artifact) *expander {
	x := expanders.Get().(*expander)
	x.ctx, x.a = ctx, a
	return x
}

var expanders = sync.Pool{New: func() any {
	return &expander{buf: make([]byte, copyBuffer), head: make([]byte, headBytes), sum: sha256.New()}
}}

func (x *expander) release() {
	x.ctx, x.a = nil, nil
	expanders.Put(x)
}

// root tells the format of the artefact itself, or of a file in a directory, and expands it.
func (x *expander) root(m *Member, meter *archive.Meter) error {
	sec := io.NewSectionReader(m.at.file, m.at.offset, m.Size)
	n, err := sec.ReadAt(x.head, 0)
	if err != nil && err != io.EOF {
		return err
	}
	m.Format = format(x.head[:n])
	container := archive.Detect(x.head[:n])
	if container == "" && endsAsZip(sec, m.Size) {
		container = archive.FormatZip
	}
	if container == "" && m.Format == formatFat {
		container = formatFat
	}
	return x.expand(m, container, meter)
}

// expand lists m when it is a container. A refusal becomes m's problem; an error is returned only when nothing can go
// on: no space, or a context that is done.
func (x *expander) expand(m *Member, container string, meter *archive.Meter) error {
	x.refine(m)
	if container == "" {
		return nil
	}
	if m.Format == "" {
		m.Format = container
	}
	var err error
	sec := io.NewSectionReader(m.at.file, m.at.offset, m.Size)
	switch {
	case archive.Compressed(container):
		err = x.stream(m, container, sec, meter)
	case container == formatFat:
		err = x.fat(m, sec, meter)
	case container == archive.FormatZip:
		err = x.zip(m, sec, meter)
	case archive.DiskImage(container):
		err = x.disk(m, container, sec, meter)
	case container == archive.FormatRPM:
		err = x.list(m, archive.NewRPM(x.reader(sec), meter), m.at.file, m.at.offset, meter)
	default: // every other container can be read from front to back
		err = x.list(m, streamed(m, container, x.reader(sec), meter), m.at.file, m.at.offset, meter)
	}
	return x.settle(m, err)
}

func streamed(m *Member, container string, r io.Reader, meter *archive.Meter) archive.Reader {
	switch container {
	case archive.FormatCpio:
		c := archive.NewCpio(r, meter)
		c.Rooted = m.rooted
		return c
	case archive.FormatAr:
		return archive.NewAr(r, meter)
	}
	return archive.NewTar(r, meter)
}

// settle turns a refusal into the member's problem.
func (x *expander) settle(m *Member, err error) error {
	if cerr := x.ctx.Err(); cerr != nil {
		return cerr
	}
	if x.a.spool.err != nil {
		return x.a.spool.err
	}
	if err == nil {
		return nil
	}
	var f *fault.Error
	if !errors.As(err, &f) {
		return err
	}
	m.Problem = &Problem{Path: m.Path, Err: err}
	if len(x.a.Hostile) < maxProblems {
		x.a.Hostile = append(x.a.Hostile, *m.Problem)
	}
	return nil
}

func (x *expander) zip(m *Member, sec *io.SectionReader, meter *archive.Meter) error {
	z, err := archive.NewZip(sec, sec.Size(), meter)
	if err != nil {
		return err
	}
	m.Regions = z.Regions()
	return x.list(m, z, m.at.file, m.at.offset, meter)
}

func (x *expander) disk(m *Member, format string, sec *io.SectionReader, meter *archive.Meter) error {
	d, err := archive.OpenDisk(format, sec, sec.Size(), meter)
	if err != nil {
		return err
	}
	m.Regions = d.Regions()
	return x.list(m, d, m.at.file, m.at.offset, meter)
}

// nested is a member that is a container itself.
type nested struct {
	m         *Member
	container string
}

// list reads a container whose bytes begin at offset of file, then expands the containers in it.
func (x *expander) list(m *Member, r archive.Reader, file io.ReaderAt, offset int64, meter *archive.Meter) error {
	var inner []nested
	byName := make(map[string]*Member)
	for {
		e, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		c := newMember(m, e)
		if e.Type == Hardlink {
			if target := byName[e.Link]; target != nil {
				c.Size, c.SHA256, c.Format, c.at = target.Size, target.SHA256, target.Format, target.at
			}
		}
		c.rooted = m.Format == archive.FormatRPM && e.Name == "payload"
		if e.Type == File {
			c.at = location{file: file, offset: offset + e.Offset}
			if e.Packed != nil {
				p := *e
				packed := *e.Packed
				packed.Offset += offset
				p.Packed, c.Packed = &packed, &packed
				c.at = location{file: file, packed: &p}
			}
			container, err := x.content(r, e, c)
			if err != nil {
				return err
			}
			if container == archive.FormatRPM && m.Format == archive.FormatRPM {
				container, c.Format = "", "" // the lead of a package begins like a package
			}
			if container != "" {
				inner = append(inner, nested{c, container})
			}
		}
		byName[e.Name] = c
		m.Members = append(m.Members, c)
	}
	m.Format = kindOfArchive(m)
	if err := x.expandInner(inner, meter); err != nil {
		return err
	}
	return x.image(m)
}

func (x *expander) expandInner(inner []nested, meter *archive.Meter) error {
	for _, n := range inner {
		below, err := meter.Nested(n.m.Path, n.m.Size)
		if err != nil {
			if err := x.settle(n.m, err); err != nil {
				return err
			}
			continue
		}
		if err := x.expand(n.m, n.container, below); err != nil {
			return err
		}
	}
	return nil
}

func newMember(parent *Member, e *archive.Entry) *Member {
	path := e.Name
	if parent.Path != "" {
		path = parent.Path + "/" + e.Name
	}
	return &Member{
		Path: path, Name: e.Name, Type: e.Type, Mode: e.Mode, UID: e.UID, GID: e.GID, User: e.User, Group: e.Group,
		ModTime: e.ModTime, Size: e.Size, Link: e.Link, Xattrs: e.Xattrs,
	}
}

// content hashes the content of a member, tells its format and, where it will be read again at random, spools it. It
// returns which container the member is, or "".
func (x *expander) content(r io.Reader, e *archive.Entry, c *Member) (string, error) {
	n, err := io.ReadFull(r, x.head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return "", err
	}
	head := x.head[:n]
	container := archive.Detect(head)
	if c.Format = format(head); container == "" && c.Format == formatFat {
		container = formatFat
	}
	x.sum.Reset()
	out := io.Writer(x.sum)
	if e.Offset < 0 && (container != "" || e.Packed == nil || relocatable(head)) {
		c.at = location{file: x.a.spool, offset: x.a.spool.end}
		out = io.MultiWriter(x.sum, x.a.spool)
	}
	out.Write(head)
	var tail [zipEndSize]byte
	size := int64(n)
	keepTail(tail[:], head)
	for err == nil {
		n, err = r.Read(x.buf)
		if _, werr := out.Write(x.buf[:n]); werr != nil {
			return "", werr
		}
		keepTail(tail[:], x.buf[:n])
		size += int64(n)
	}
	if err != io.EOF && err != io.ErrUnexpectedEOF {
		return "", err
	}
	c.Size, c.SHA256 = size, hex.EncodeToString(x.sum.Sum(nil))
	if container == "" && isZipEnd(tail[:]) {
		if err := x.a.unpackOnce(c); err != nil {
			return "", err
		}
		container = archive.FormatZip
	}
	if container == "" {
		x.refine(c)
	}
	return container, nil
}

// keepTail keeps the last len(tail) bytes of everything that it was shown.
func keepTail(tail, p []byte) {
	if len(p) >= len(tail) {
		copy(tail, p[len(p)-len(tail):])
		return
	}
	copy(tail, tail[len(p):])
	copy(tail[len(tail)-len(p):], p)
}

const zipEndSize = 22

// isZipEnd recognises the end record of a zip without comment, which is how programs with an archive behind them end.
func isZipEnd(tail []byte) bool {
	return bytes.HasPrefix(tail, []byte("PK\x05\x06\x00\x00\x00\x00")) && tail[20] == 0 && tail[21] == 0 &&
		!bytes.Equal(tail[8:12], []byte{0, 0, 0, 0})
}

func endsAsZip(ra io.ReaderAt, size int64) bool {
	var tail [zipEndSize]byte
	if size < zipEndSize {
		return false
	}
	_, err := ra.ReadAt(tail[:], size-zipEndSize)
	return err == nil && isZipEnd(tail[:])
}

// reader returns r, failing when the context is done.
func (x *expander) reader(r io.Reader) io.Reader { return &contextReader{x.ctx, r} }

type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
