package compare

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"syscall"

	"github.com/glassbuild/glassbuild/internal/artifact"
	"github.com/glassbuild/glassbuild/internal/compare/tree"
	"github.com/glassbuild/glassbuild/internal/fault"
)

// Paths says why two files or directories differ. Files are read where they lie; directories are copied first.
func Paths(ctx context.Context, shipped, rebuilt string, opt Options) (n *tree.Node, err error) {
	var dirs [2]bool
	for i, p := range []string{shipped, rebuilt} {
		st, err := os.Stat(p)
		if err != nil {
			return nil, fault.Inconclusivef(fault.Quote(p), "cannot read: %w", bare(err))
		}
		if dirs[i] = st.IsDir(); !dirs[i] && !st.Mode().IsRegular() {
			return nil, fault.Inconclusivef(fault.Quote(p), "neither a file nor a folder")
		}
	}
	switch {
	case dirs[0] && dirs[1]:
		return directories(ctx, shipped, rebuilt, opt)
	case dirs[0] != dirs[1]:
		return nil, fault.Inconclusivef(fault.Quote(shipped), "a file can only be compared with a file, a folder with a folder")
	}
	faultsPanic()
	defer debug.SetPanicOnFault(false)
	defer recoverTruncation(&err)
	a, err := openDisk(shipped)
	if err != nil {
		return nil, err
	}
	defer a.Close()
	b, err := openDisk(rebuilt)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	return Explain(ctx, a, b, opt)
}

func directories(ctx context.Context, shipped, rebuilt string, opt Options) (*tree.Node, error) {
	var open [2]*artifact.Artifact
	for i, p := range []string{shipped, rebuilt} {
		a, err := artifact.Open(ctx, p, artifact.Options{Dir: opt.Dir, Name: sides[i]})
		if err != nil {
			return nil, err
		}
		defer a.Close()
		open[i] = a
	}
	return Artifacts(ctx, open[0], open[1], opt)
}

// diskFile is a file on disk, mapped into memory when it is small or may be explained as a program.
type diskFile struct {
	*os.File
	size int64
	data []byte
}

func openDisk(path string) (*diskFile, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fault.Inconclusivef(fault.Quote(path), "cannot read: %w", bare(err))
	}
	st, err := f.Stat()
	if err != nil || !st.Mode().IsRegular() {
		f.Close()
		return nil, fault.Inconclusivef(fault.Quote(path), "changed while it was opened")
	}
	d := &diskFile{File: f, size: st.Size()}
	if d.size <= maxMapped || d.size <= maxProgram && looksExecutable(f) {
		d.data = mapFile(f, d.size)
	}
	return d, nil
}

// looksExecutable tells whether a file begins as programs do. Large archives are read and not mapped: what is mapped counts
// as memory.
func looksExecutable(f *os.File) bool {
	var head [4]byte
	if n, err := f.ReadAt(head[:], 0); n < len(head) || err != nil {
		return false
	}
	switch string(head[:]) {
	case "\x7fELF", "\x00asm", "\xca\xfe\xba\xbe", "\xfe\xed\xfa\xce", "\xce\xfa\xed\xfe", "\xfe\xed\xfa\xcf", "\xcf\xfa\xed\xfe":
		return true
	}
	return string(head[:2]) == "MZ"
}

// Size returns the size that the file had when it was opened.
func (d *diskFile) Size() int64 { return d.size }

// Bytes returns the whole content, nil when it is not in memory.
func (d *diskFile) Bytes() []byte { return d.data }

// Close also takes the mapping away.
func (d *diskFile) Close() error {
	err := unmapFile(d.data)
	d.data = nil
	return errors.Join(err, d.File.Close())
}

// recoverTruncation turns the fault of reading a mapped file that somebody has shortened into an error. Every other
// panic goes on.
func recoverTruncation(err *error) {
	switch r := recover().(type) {
	case nil:
	case interface{ Addr() uintptr }:
		*err = fault.Inconclusivef("comparison", "a file changed while it was read")
	default:
		panic(fmt.Sprint(r))
	}
}

// faultsPanic lets a fault in a mapped file be a panic in this goroutine. Every goroutine that reads one calls it.
func faultsPanic() { debug.SetPanicOnFault(true) }

func bare(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
