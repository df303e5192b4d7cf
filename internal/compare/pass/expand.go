package pass

import (
	"bytes"
	"errors"
	"io"
	"os"

	"github.com/glassbuild/glassbuild/internal/compare/deflate"
	"github.com/glassbuild/glassbuild/internal/fault"
)

// packed judges two compressed streams: their content, then the streams themselves.
func (w *pairing) packed(x, y piece) error {
	path := below(w.path, x.member)
	same, err := w.sameContent(x, y)
	if err != nil {
		return err
	}
	if !same {
		a, err := w.j.spool(w.a.shape, x)
		if err != nil {
			return err
		}
		defer a.Close()
		b, err := w.j.spool(w.b.shape, y)
		if err != nil {
			return err
		}
		defer b.Close()
		if err := w.inner(x, a, b); err != nil {
			return err
		}
	}
	if x.size > y.size+y.size/4+streamSlack || y.size > x.size+x.size/4+streamSlack {
		return differ(path, "compressed stream of %d bytes shipped, %d rebuilt: more than %s may be", x.size, y.size, x.pass)
	}
	for _, s := range []struct {
		c Content
		p piece
	}{{w.a.c, x}, {w.b.c, y}} {
		if err := deflate.Check(io.NewSectionReader(s.c, s.p.at, s.p.size)); err != nil {
			return differ(path, "compressed stream: %v", err)
		}
	}
	return w.j.use(x.pass, w.path, Range{x.at, x.size, y.at, y.size})
}

func (w *pairing) sameContent(x, y piece) (bool, error) {
	a, err := w.a.shape.open(x)
	if err != nil {
		return false, err
	}
	defer a.Close()
	b, err := w.b.shape.open(y)
	if err != nil {
		return false, err
	}
	defer b.Close()
	return w.j.equal(a, b)
}

// spooled is expanded content, in memory or in a file that goes with it.
type spooled struct {
	*io.SectionReader
	f *os.File
}

func (s spooled) Close() error {
	if s.f == nil {
		return nil
	}
	return errors.Join(s.f.Close(), os.Remove(s.f.Name()))
}

func (j *judge) spool(s shape, p piece) (spooled, error) {
	r, err := s.open(p)
	if err != nil {
		return spooled{}, err
	}
	defer r.Close()
	var head bytes.Buffer
	n, err := io.Copy(&head, io.LimitReader(r, inMemory))
	if err != nil {
		return spooled{}, err
	}
	if n < inMemory {
		return spooled{SectionReader: io.NewSectionReader(bytes.NewReader(head.Bytes()), 0, n)}, nil
	}
	f, err := os.CreateTemp(j.opt.Dir, "expanded-*")
	if err != nil {
		return spooled{}, noSpace{fault.Inconclusivef(fault.Quote(j.opt.Dir), "no space writing: %w", err)}
	}
	out := spooled{f: f}
	n, err = io.CopyBuffer(spoolWriter{f}, io.MultiReader(&head, r), make([]byte, chunk))
	if err != nil {
		out.Close()
		return spooled{}, err
	}
	out.SectionReader = io.NewSectionReader(f, 0, n)
	return out, nil
}

// spoolWriter tells trouble with writing from trouble with what is read.
type spoolWriter struct{ f *os.File }

func (w spoolWriter) Write(p []byte) (int, error) {
	n, err := w.f.Write(p)
	if err != nil {
		err = noSpace{fault.Inconclusivef(fault.Quote(w.f.Name()), "no space writing: %w", err)}
	}
	return n, err
}
