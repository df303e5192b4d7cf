package rootfs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/glassbuild/glassbuild/internal/archive"
)

// Verify demands below dir exactly what the manifest lists, and hashes every file, on all processors. A folder is the unit
// of work: it is opened once, and its files from it by their bare names.
func (m *Manifest) Verify(ctx context.Context, dir string) error {
	folders := map[string][]*item{}
	var order []*item
	byName := map[string]*item{}
	for i := range m.items {
		it := &m.items[i]
		byName[it.name] = it
		if it.kind == 'd' {
			order = append(order, it)
		}
		if it.name != "." {
			folders[path.Dir(it.name)] = append(folders[path.Dir(it.name)], it)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	c := &checking{root: root, byName: byName}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0) + 1)
	for _, d := range order {
		group.Go(func() error { return c.folder(ctx, d, folders[d.name]) })
	}
	return group.Wait()
}

type checking struct {
	root   *os.Root
	byName map[string]*item
}

func (c *checking) folder(ctx context.Context, d *item, children []*item) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	dir, err := c.root.OpenRoot(d.name)
	if err != nil {
		return err
	}
	defer dir.Close()
	st, err := dir.Stat(".")
	if err != nil {
		return err
	}
	if want := diskMode(archive.Directory, d.mode) | fs.ModeDir; st.Mode() != want && runtime.GOOS != "windows" {
		return damaged(d.name, "has mode %v, want %v", st.Mode(), want)
	}
	if err := complete(dir, d, children); err != nil {
		return err
	}
	h := sha256.New()
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	for _, it := range children {
		if err := c.item(dir, it, h, *buf); err != nil {
			return err
		}
	}
	return nil
}

// complete counts the names of a folder: those that the manifest lists are looked at one by one.
func complete(dir *os.Root, d *item, children []*item) error {
	f, err := dir.Open(".")
	if err != nil {
		return err
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return err
	}
	if len(names) != len(children) {
		return damaged(d.name, "holds %d names, want %d", len(names), len(children))
	}
	return nil
}

func (c *checking) item(dir *os.Root, it *item, h hash.Hash, buf []byte) error {
	base := path.Base(it.name)
	if it.kind == 'f' {
		return c.file(dir, it, h, buf)
	}
	st, err := dir.Lstat(base)
	if err != nil {
		return err
	}
	switch it.kind {
	case 'd':
		if !st.IsDir() {
			return damaged(it.name, "is no folder")
		}
	case 'l':
		if st.Mode().Type() != fs.ModeSymlink {
			return damaged(it.name, "is no link")
		}
		if text, err := dir.Readlink(base); err != nil || text != it.link {
			return damaged(it.name, "leads elsewhere")
		}
	case 'h':
		first, err := c.root.Lstat(it.link)
		if err != nil {
			return err
		}
		if f := c.byName[it.link]; f == nil || f.kind != 'f' || !os.SameFile(st, first) {
			return damaged(it.name, "is another file than %q", it.link)
		}
	default:
		return fmt.Errorf("unknown kind %q", it.kind)
	}
	return nil
}

func (c *checking) file(dir *os.Root, it *item, h hash.Hash, buf []byte) error {
	st, err := dir.Lstat(path.Base(it.name))
	if err != nil {
		return err
	}
	if !st.Mode().IsRegular() { // never opened: a FIFO would wait
		return damaged(it.name, "is no plain file")
	}
	f, err := dir.Open(path.Base(it.name))
	if err != nil {
		return err
	}
	defer f.Close()
	if st, err = f.Stat(); err != nil {
		return err
	}
	switch want := diskMode(archive.File, it.mode); {
	case st.Mode() != want && runtime.GOOS != "windows":
		return damaged(it.name, "has mode %v, want %v", st.Mode(), want)
	case st.Size() != it.size:
		return damaged(it.name, "has %d bytes, want %d", st.Size(), it.size)
	case st.ModTime().Unix() != it.mtime:
		return damaged(it.name, "was written to")
	}
	h.Reset()
	if _, err := io.CopyBuffer(h, struct{ io.Reader }{f}, buf); err != nil {
		return err
	}
	var sum [sha256.Size]byte
	if got := hex.EncodeToString(h.Sum(sum[:0])); got != it.sum {
		return damaged(it.name, "has the hash %s, want %s", got, it.sum)
	}
	return nil
}
