package rootfs

import (
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/glassbuild/glassbuild/internal/archive"
)

// Write lays the tree in the folder dir, which must not exist, and returns its manifest. The stage gives up its files.
func (t *Tree) Write(ctx context.Context, dir string) (*Manifest, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, writeFault(err)
	}
	w := &writer{dir: dir, manifest: &Manifest{}, first: map[*content]string{}}
	w.manifest.add(t.root, "")
	folders := []*node{t.root}
	err := t.each(func(n *node) error {
		if n.Type == archive.Directory {
			folders = append(folders, n)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		return w.node(n)
	})
	if err != nil {
		return nil, err
	}
	slices.Reverse(folders) // what is inside changes the time of a folder
	for _, n := range folders {
		if err := settle(filepath.Join(dir, filepath.FromSlash(n.Name)), n); err != nil {
			return nil, err
		}
	}
	return w.manifest, nil
}

type writer struct {
	dir      string
	manifest *Manifest
	first    map[*content]string // where content was laid first: the other names are links to it
}

func (w *writer) node(n *node) error {
	to := filepath.Join(w.dir, filepath.FromSlash(n.Name))
	switch n.Type {
	case archive.Directory:
		w.manifest.add(n, "")
		if err := os.Mkdir(to, 0o700); err != nil {
			return writeFault(err)
		}
		return nil
	case archive.Symlink:
		w.manifest.add(n, "")
		if err := os.Symlink(n.Link, to); err != nil {
			return writeFault(err)
		}
		if err := setLinkTime(to, stamp(n.ModTime)); err != nil {
			return writeFault(err)
		}
		return nil
	}
	first, again := w.first[n.content]
	if again {
		w.manifest.add(n, first)
		if err := os.Link(filepath.Join(w.dir, filepath.FromSlash(first)), to); err != nil {
			return writeFault(err)
		}
		return nil
	}
	w.first[n.content] = n.Name
	w.manifest.add(n, "")
	if err := os.Rename(n.content.staged, to); err != nil {
		return writeFault(err)
	}
	return settle(to, n)
}

// settle gives a file or folder its mode and time.
func settle(to string, n *node) error {
	if err := os.Chmod(to, diskMode(n.Type, n.Mode)); err != nil {
		return writeFault(err)
	}
	at := stamp(n.ModTime)
	if err := os.Chtimes(to, at, at); err != nil {
		return writeFault(err)
	}
	return nil
}

// diskMode keeps permissions and drops what would give rights; the owner can always read.
func diskMode(t archive.Type, mode uint32) fs.FileMode {
	m := fs.FileMode(mode & 0o777)
	if t == archive.Directory {
		return m | 0o700
	}
	return m | 0o400
}

// stamp bounds times to what every file system can hold.
func stamp(seconds int64) time.Time {
	return time.Unix(min(max(seconds, 0), 1<<32), 0)
}

// WriteText writes a manifest beside the tree that it describes.
func (m *Manifest) WriteText(path string) error {
	if err := os.WriteFile(path, m.Text(), 0o444); err != nil {
		return writeFault(err)
	}
	return nil
}

// ReadText reads a manifest back. What it says counts only when its digest is the expected one.
func ReadText(path string) (*Manifest, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxManifest+1))
	if err != nil {
		return nil, err
	}
	return ParseManifest(data)
}
