package artifact

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"os"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/progress"
)

// source is what copyStable needs of an open file.
type source interface {
	io.Reader
	Stat() (fs.FileInfo, error)
}

// copyStable appends src to dst while it hashes it. A file whose identity, size or modification time is not the same
// before and after, or that yields another number of bytes, "changed during snapshot". Whatever a writer may do to those
// fields, what is judged later is exactly what was hashed here.
func copyStable(ctx context.Context, dst io.Writer, src source, listed fs.FileInfo) (string, int64, error) {
	changed := fault.Failf("", "changed during snapshot")
	before, err := src.Stat()
	if err != nil {
		return "", 0, fault.Inconclusivef("", "cannot read: %w", reason(err))
	}
	if !before.Mode().IsRegular() || !sameFile(listed, before) {
		return "", 0, changed
	}
	h := sha256.New()
	n, err := copyContext(ctx, io.MultiWriter(dst, h), progress.Reader(ctx, src, before.Size()))
	if err != nil {
		return "", 0, err
	}
	after, err := src.Stat()
	if err != nil {
		return "", 0, fault.Inconclusivef("", "cannot read: %w", reason(err))
	}
	if n != before.Size() || !sameFile(before, after) {
		return "", 0, changed
	}
	return hex.EncodeToString(h.Sum(nil)), n, nil
}

func sameFile(a, b fs.FileInfo) bool {
	if a.Size() != b.Size() || !a.ModTime().Equal(b.ModTime()) || a.Mode() != b.Mode() {
		return false
	}
	return a.Sys() == nil || b.Sys() == nil || os.SameFile(a, b)
}

// copyContext copies until the end, or until ctx is done.
func copyContext(ctx context.Context, dst io.Writer, src io.Reader) (int64, error) {
	buf := make([]byte, copyBuffer)
	var total int64
	for {
		if err := ctx.Err(); err != nil {
			return total, err
		}
		n, err := src.Read(buf)
		if n > 0 {
			if _, werr := dst.Write(buf[:n]); werr != nil {
				return total, fault.Inconclusivef("", "no space for the snapshot: %w", reason(werr))
			}
			total += int64(n)
		}
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

// spool is the one file into which everything compressed is expanded, piece after piece. It is made when it is needed.
type spool struct {
	dir string
	f   *os.File
	end int64
	err error // the first write that failed; readers in between may have hidden it
}

// Write appends to the spool.
func (s *spool) Write(p []byte) (int, error) {
	if s.f == nil && s.err == nil {
		s.f, s.err = create(s.dir, "spool-*")
	}
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.f.WriteAt(p, s.end)
	s.end += int64(n)
	if err != nil {
		s.err = fault.Inconclusivef(fault.Quote(s.f.Name()), "no space writing: %w", reason(err))
	}
	return n, s.err
}

// ReadAt reads what was written before.
func (s *spool) ReadAt(p []byte, off int64) (int, error) {
	if s.f == nil {
		return 0, io.EOF
	}
	return s.f.ReadAt(p, off)
}

// create makes a private file in dir.
func create(dir, pattern string) (*os.File, error) {
	f, err := os.CreateTemp(dir, pattern)
	if err != nil {
		return nil, fault.Inconclusivef(fault.Quote(dir), "no space for the snapshot: %w", reason(err))
	}
	return f, nil
}

// unixMode returns permission bits with set-uid, set-gid and sticky as POSIX numbers them.
func unixMode(m fs.FileMode) uint32 {
	mode := uint32(m.Perm())
	for _, b := range []struct {
		bit fs.FileMode
		num uint32
	}{{fs.ModeSetuid, 0o4000}, {fs.ModeSetgid, 0o2000}, {fs.ModeSticky, 0o1000}} {
		if m&b.bit != 0 {
			mode |= b.num
		}
	}
	return mode
}

func kindOf(m fs.FileMode) string {
	switch {
	case m&fs.ModeNamedPipe != 0:
		return "FIFO"
	case m&fs.ModeSocket != 0:
		return "socket"
	case m&fs.ModeCharDevice != 0:
		return "character device"
	case m&fs.ModeDevice != 0:
		return "block device"
	}
	return "irregular file"
}
