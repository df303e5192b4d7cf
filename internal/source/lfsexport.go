package source

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"slices"

	"github.com/glassbuild/glassbuild/internal/fault"
	"golang.org/x/sync/errgroup"
)

// largeStep is how a Transformed names the replacement of a pointer by its content.
const largeStep = "lfs"

// errLater puts off a file until it is known which ones are missing: they are asked for together.
var errLater = errors.New("content is asked for later")

// largeFile is a file of a part whose content is not on this machine.
type largeFile struct {
	file    file
	entry   Entry
	pointer pointer
	text    []byte // the pointer as it is in git
}

// writeMissing brings and writes the large files of a part that are not on this machine.
func (x *export) writeMissing(ctx context.Context, job *partJob) error {
	missing := x.missing
	x.missing = nil
	if len(missing) == 0 {
		return nil
	}
	slices.SortFunc(missing, func(a, b largeFile) int { return cmp.Compare(a.file.path, b.file.path) })
	server, err := newLargeServer(ctx, job.part, x.commit.opt)
	if err != nil {
		return err
	}
	defer server.close()
	for batch := range slices.Chunk(missing, maxLargeBatch) {
		if err := x.writeLarge(ctx, server, batch); err != nil {
			return err
		}
	}
	return nil
}

// writeLarge asks for some files, and writes them as they come. What it complains of is the first that something is wrong
// with, not the one that was noticed first.
func (x *export) writeLarge(ctx context.Context, s *largeServer, batch []largeFile) error {
	if err := s.ask(ctx, batch); err != nil {
		return err
	}
	failed := make([]error, len(batch))
	var group errgroup.Group
	group.SetLimit(maxLargeAtOnce)
	for i, l := range batch {
		group.Go(func() error {
			failed[i] = x.writeOne(ctx, s, l)
			return nil
		})
	}
	group.Wait()
	return cmp.Or(failed...)
}

func (x *export) writeOne(ctx context.Context, s *largeServer, l largeFile) error {
	content, err := s.content(ctx, l)
	why, absent := errors.AsType[*absentError](err)
	switch {
	case absent && x.commit.opt.RequireContent:
		return fault.Inconclusivef(fault.Quote(l.file.path), "content not in git: large file %s of %d bytes%s", l.pointer.oid, l.pointer.size, why.after()).
			WithCheck(CheckTree).WithHint("git -C %s lfs fetch origin %s", fault.Quote(s.where), x.commit.facts.ID)
	case absent:
		x.find(Finding{PointerFile, l.file.path, "large file " + l.pointer.oid + why.after()})
		content = l.text
	case err != nil:
		return err
	default:
		x.commit.repo.keepLarge(l.pointer.oid, content)
		x.transformed(&l.entry, largeStep, content)
	}
	if err := x.writeFile(&l.file, content); err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.tree.Files = append(x.tree.Files, l.entry)
	return nil
}

// absentError says why a large file could not be had, as far as more is known than that it is not here.
type absentError struct{ why error }

func (e *absentError) Error() string   { return "content is not here" + e.after() }
func (e *absentError) Unwrap() []error { return []error{fs.ErrNotExist, e.why} }

func (e *absentError) after() string {
	if e.why == nil {
		return ""
	}
	return " (" + e.why.Error() + ")"
}
