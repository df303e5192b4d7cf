package artifact

import (
	"io"

	"github.com/glassbuild/glassbuild/internal/archive"
	"github.com/glassbuild/glassbuild/internal/fault"
)

// Content is the content of one member, readable at random until the artefact is closed.
type Content interface {
	io.ReaderAt
	io.Closer
	Size() int64
}

type section struct{ *io.SectionReader }

func (section) Close() error { return nil }

// Content returns the content of a file or hard link. A compressed zip member is expanded into the spool the first time.
func (a *Artifact) Content(m *Member) (Content, error) {
	if m.Type != File && m.Type != Hardlink || m.at.file == nil {
		return nil, fault.Failf(fault.Quote(m.Path), "%s has no content", m.Type)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.unpackOnce(m); err != nil {
		return nil, err
	}
	return section{io.NewSectionReader(m.at.file, m.at.offset, m.Size)}, nil
}

// Head returns the first n bytes of a file's content, fewer if it has fewer, without expanding the rest of it.
func (a *Artifact) Head(m *Member, n int64) ([]byte, error) {
	head := make([]byte, min(n, m.Size))
	a.mu.Lock()
	defer a.mu.Unlock()
	if m.at.packed == nil {
		c := io.NewSectionReader(m.at.file, m.at.offset, m.Size)
		_, err := io.ReadFull(c, head)
		return head, err
	}
	r, err := a.openPacked(m)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	_, err = io.ReadFull(r, head)
	return head, err
}

// openPacked opens a compressed zip member. The directory listing metered and checked this content already; it is held to
// its sizes once more.
func (a *Artifact) openPacked(m *Member) (io.ReadCloser, error) {
	e := m.at.packed
	return archive.OpenPacked(m.at.file, e, archive.NewMeter(m.Path, max(e.Packed.Size, 1), archive.Limits{}))
}

// unpackOnce expands a compressed zip member into the spool.
func (a *Artifact) unpackOnce(m *Member) error {
	if m.at.packed == nil {
		return nil
	}
	r, err := a.openPacked(m)
	if err != nil {
		return err
	}
	defer r.Close()
	start := a.spool.end
	if a.buffer == nil {
		a.buffer = make([]byte, copyBuffer)
	}
	if _, err := io.CopyBuffer(struct{ io.Writer }{a.spool}, r, a.buffer); err != nil {
		if a.spool.err != nil {
			return a.spool.err
		}
		return err
	}
	m.at = location{file: a.spool, offset: start}
	return nil
}
