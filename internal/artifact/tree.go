package artifact

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"sort"
	"syscall"

	"github.com/glassbuild/glassbuild/internal/archive"
	"github.com/glassbuild/glassbuild/internal/fault"
)

// openTree snapshots a directory: every regular file is copied, links are recorded and never followed, devices, FIFOs
// and sockets are refused.
func (a *Artifact) openTree(ctx context.Context, dir string, lim archive.Limits) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fault.Inconclusivef(fault.Quote(dir), "cannot read: %w", reason(err))
	}
	defer root.Close()
	st, err := root.Stat(".")
	if err != nil {
		return fault.Inconclusivef(fault.Quote(dir), "cannot read: %w", reason(err))
	}
	a.Kind = "directory"
	a.Root = &Member{Type: Directory, Name: a.Name, Mode: unixMode(st.Mode()), ModTime: st.ModTime().Unix(), Format: "directory"}
	a.Root.UID, a.Root.GID = owner(st)
	w := &treeWalk{a: a, ctx: ctx, root: root, snap: &spool{f: a.snap}}
	if err := w.dir("."); err != nil {
		return err
	}
	sort.Slice(a.Root.Members, func(i, j int) bool { return a.Root.Members[i].Path < a.Root.Members[j].Path })
	a.SHA256, a.Size = treeDigest(a.Root.Members)
	a.Root.SHA256, a.Root.Size = a.SHA256, a.Size
	meter := archive.NewMeter(a.Name, a.Size, lim)
	x := newExpander(ctx, a)
	defer x.release()
	for _, m := range a.Root.Members {
		if m.Type != File {
			continue
		}
		if err := x.root(m, meter); err != nil {
			return err
		}
	}
	return x.settle(a.Root, x.image(a.Root))
}

type treeWalk struct {
	a    *Artifact
	ctx  context.Context
	root *os.Root
	snap *spool
}

// dir adds what lies in a directory, in the order of names.
func (w *treeWalk) dir(name string) error {
	d, err := w.root.Open(name)
	if err != nil {
		return fault.Inconclusivef(fault.Quote(name), "cannot read: %w", reason(err))
	}
	list, err := d.ReadDir(-1)
	d.Close()
	if err != nil {
		return fault.Inconclusivef(fault.Quote(name), "cannot read: %w", reason(err))
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Name() < list[j].Name() })
	for _, e := range list {
		if len(w.a.Root.Members) >= maxTreeFiles {
			return fault.Failf(fault.Quote(w.a.Name), "exceeds limit: more than %d files", maxTreeFiles)
		}
		if err := w.add(path.Join(name, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

func (w *treeWalk) add(name string) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	st, err := w.root.Lstat(name)
	if err != nil {
		return fault.Failf(fault.Quote(name), "changed during snapshot")
	}
	m := &Member{Path: name, Name: name, Mode: unixMode(st.Mode()), ModTime: st.ModTime().Unix()}
	m.UID, m.GID = owner(st)
	w.a.Root.Members = append(w.a.Root.Members, m)
	switch {
	case st.Mode().IsRegular():
		m.Type = File
		return w.file(m, st)
	case st.IsDir():
		m.Type = Directory
		return w.dir(name)
	case st.Mode()&fs.ModeSymlink != 0:
		m.Type = Symlink
		if m.Link, err = w.root.Readlink(name); err != nil {
			return fault.Failf(fault.Quote(name), "changed during snapshot")
		}
		return nil
	}
	return fault.Failf(fault.Quote(name), "unsupported type: %s", kindOf(st.Mode()))
}

func (w *treeWalk) file(m *Member, st fs.FileInfo) error {
	f, err := w.root.OpenFile(m.Name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return fault.Inconclusivef(fault.Quote(m.Name), "cannot read: %w", reason(err))
	}
	defer f.Close()
	m.at = location{file: w.a.snap, offset: w.snap.end}
	m.Xattrs = xattrs(f)
	m.SHA256, m.Size, err = copyStable(w.ctx, w.snap, f, st)
	return named(m.Name, err)
}

// treeDigest returns the digest that the package comment defines, and the sum of sizes.
func treeDigest(members []*Member) (string, int64) {
	h := sha256.New()
	io.WriteString(h, "glassbuild-tree-v1\n")
	var size int64
	for _, m := range members {
		sum := m.SHA256
		switch m.Type {
		case Symlink:
			link := sha256.Sum256([]byte(m.Link))
			sum = hex.EncodeToString(link[:])
		case Directory:
			sum = "-"
		}
		fmt.Fprintf(h, "%s %04o %d %s %s\x00", m.Type, m.Mode, m.Size, sum, m.Path)
		size += m.Size
	}
	return hex.EncodeToString(h.Sum(nil)), size
}
