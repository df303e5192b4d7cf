package verify

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/glassbuild/glassbuild/internal/evidence"
	"github.com/glassbuild/glassbuild/internal/fault"
)

// subject is one artefact that is judged.
type subject struct {
	name   string
	sum    string
	size   int64
	beside *library
	open   func() (content, int64, error) // nil where only a digest is at hand
	err    error                          // why it could not be read

	once sync.Once
	said *evidence.Subject
}

// evidence returns the subject as evidence must speak about it.
func (s *subject) evidence() *evidence.Subject {
	s.once.Do(func() {
		s.said = &evidence.Subject{Digests: map[string]string{"sha256": s.sum}}
		if s.open != nil {
			s.said.Content = func() (io.ReadCloser, error) { r, _, err := s.open(); return r, err }
		}
	})
	return s.said
}

// all judges every subject. One subject has one verdict; verdicts come in the order of the subjects.
func (c *checker) all(ctx context.Context, each func(Verdict) error) (Tally, error) {
	var t Tally
	work := make(chan job, runtime.GOMAXPROCS(0))
	order := make(chan chan Verdict, 4*runtime.GOMAXPROCS(0))
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var listed error
	go func() {
		defer close(work)
		defer close(order)
		listed = c.subjects(ctx, func(s *subject) bool {
			answer := make(chan Verdict, 1)
			select {
			case order <- answer:
			case <-ctx.Done():
				return false
			}
			select {
			case work <- job{s, answer}:
				return true
			case <-ctx.Done():
				close(answer)
				return false
			}
		})
	}()
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for j := range work {
				j.answer <- c.verdictOf(ctx, j.subject)
			}
		})
	}
	var failed error
	for answer := range order {
		v, ok := <-answer
		if !ok || failed != nil {
			continue
		}
		t.Add(v)
		if failed = each(v); failed != nil {
			stop()
		}
	}
	wg.Wait()
	switch {
	case failed != nil:
		return Tally{}, failed
	case listed != nil:
		return Tally{}, listed
	case ctx.Err() != nil:
		return Tally{}, ctx.Err()
	}
	return t, nil
}

type job struct {
	subject *subject
	answer  chan Verdict
}

// subjects finds out what each argument names and hands it on until yield says no.
func (c *checker) subjects(ctx context.Context, yield func(*subject) bool) error {
	folders := map[string]*library{}
	for _, arg := range c.req.Subjects {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var err error
		switch st, serr := os.Stat(arg); {
		case arg == "-":
			err = c.list(ctx, yield)
		case isImage(arg):
			var ref string
			if ref, err = imageOf(arg); err == nil {
				err = c.image(ctx, ref, yield)
			}
		case IsPackage(arg):
			var file string
			if file, err = c.fetchPackage(ctx, arg); err == nil {
				yield(c.file(file, filepath.Base(file), newLibrary()))
			}
		case strings.HasPrefix(arg, "sha256:"):
			var s *subject
			if s, err = byDigest(arg); err == nil {
				yield(s)
			}
		case serr == nil && st.IsDir():
			err = c.release(ctx, arg, yield)
		case serr == nil && !st.Mode().IsRegular():
			err = fault.Usagef(fault.Quote(arg), "is not a file")
		case serr == nil:
			var l *library
			if l, err = c.folder(ctx, folders, filepath.Dir(arg), nil); err == nil {
				yield(c.file(arg, filepath.Base(arg), l))
			}
		case !errors.Is(serr, fs.ErrNotExist):
			err = fault.Usagef(fault.Quote(arg), "cannot be read: %w", bare(serr))
		default:
			err = c.image(ctx, arg, yield)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func byDigest(text string) (*subject, error) {
	sum := strings.TrimPrefix(text, "sha256:")
	if len(sum) != sha256.Size*2 || strings.Trim(sum, "0123456789abcdef") != "" {
		return nil, fault.Usagef(fault.Quote(text), "malformed digest: want sha256: and 64 lower-case hex digits")
	}
	return &subject{name: "sha256:" + sum, sum: sum}, nil
}

// folder reads the evidence of a folder, once.
func (c *checker) folder(ctx context.Context, known map[string]*library, dir string, entries []fs.DirEntry) (*library, error) {
	if l := known[dir]; l != nil {
		return l, nil
	}
	files, err := evidenceFiles(dir, entries)
	if err != nil {
		return nil, err
	}
	l := newLibrary()
	known[dir] = l
	return l, l.files(ctx, files)
}

// file hashes one file. It must not change until everything is read of it.
func (c *checker) file(path, name string, beside *library) *subject {
	s := &subject{name: name, beside: beside}
	s.sum, s.size, s.err = hashFile(path)
	s.open = func() (content, int64, error) {
		f, err := os.Open(path)
		if err != nil {
			return nil, 0, fault.Inconclusivef(fault.Quote(path), "cannot be read: %w", bare(err))
		}
		st, err := f.Stat()
		if err != nil || st.Size() != s.size {
			f.Close()
			return nil, 0, fault.Failf(fault.Quote(path), "changed while it was read")
		}
		return f, s.size, nil
	}
	return s
}

func hashFile(path string) (string, int64, error) { return hashInto(path, nil) }

// release judges every file of a folder that is no evidence itself: what was shipped beside what was signed is no better
// than what was shipped alone.
func (c *checker) release(ctx context.Context, dir string, yield func(*subject) bool) error {
	known := map[string]*library{}
	n := 0
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fault.Usagef(fault.Quote(path), "cannot be read: %w", bare(err))
		case e.IsDir():
			return nil
		}
		rel, _ := filepath.Rel(dir, path)
		if e.Type() != 0 {
			yield(&subject{name: rel, err: fault.Failf(fault.Quote(path), "unsupported type: %s in a release", e.Type())})
			n++
			return nil
		}
		l, err := c.folder(ctx, known, filepath.Dir(path), nil)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(l.names, func(name string) bool { return name == e.Name() }) {
			return nil
		}
		if n++; n > maxReleaseFiles {
			return fault.Failf(fault.Quote(dir), "more than %d files", maxReleaseFiles)
		}
		if !yield(c.file(path, filepath.ToSlash(rel), l)) {
			return filepath.SkipAll
		}
		return ctx.Err()
	})
	if err == nil && n == 0 {
		err = fault.Usagef(fault.Quote(dir), "holds nothing that could be judged")
	}
	return err
}

// list reads digests, one on a line.
func (c *checker) list(ctx context.Context, yield func(*subject) bool) error {
	if c.req.List == nil {
		return fault.Usagef("-", "no list of digests is at hand")
	}
	in := bufio.NewScanner(c.req.List)
	in.Buffer(nil, maxLine)
	n := 0
	for number := 1; in.Scan(); number++ {
		line := strings.TrimSpace(in.Text())
		if line == "" {
			continue
		}
		digest, name, named := strings.Cut(line, " ")
		if !strings.HasPrefix(digest, "sha256:") {
			digest = "sha256:" + digest
		}
		s, err := byDigest(digest)
		if err != nil { // judged as what it is: results of other lines stand already
			s = &subject{name: fmt.Sprintf("line %d", number), err: fault.Failf("-", "line %d: %w", number, err)}
		}
		if name = strings.TrimLeft(name, " *"); named && name != "" && err == nil { // as sha256sum writes it
			s.name = filepath.Base(name)
		}
		n++
		if !yield(s) {
			return ctx.Err()
		}
	}
	if err := in.Err(); err != nil {
		return fault.Usagef("-", "cannot be read: %w", err)
	}
	if n == 0 {
		return fault.Usagef("-", "the list is empty")
	}
	return nil
}
