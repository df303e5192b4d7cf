package source

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/source/gitobj"
)

// clone is the private store of what was fetched from one remote repository: a bare repository that only this package
// writes. Nothing in it is believed when it is read again; what is noted beside the objects only says what need not
// be asked for once more, and an object that is missing in spite of it is an error like any other.
type clone struct {
	dir    string
	root   *os.Root
	lock   io.Closer
	remove bool // it lives no longer than the Commit
}

// openClone makes or opens the store for a URL, and locks it. A server that renamed its objects has another store.
func openClone(ctx context.Context, cache, url string, format gitobj.Format) (*clone, error) {
	c := &clone{}
	if cache == "" {
		dir, err := os.MkdirTemp("", "glassbuild-clone-")
		if err != nil {
			return nil, cacheError(err)
		}
		c.dir, c.remove = dir, true
	} else {
		key := url
		if format != gitobj.SHA1 {
			key += "\x00" + format.String()
		}
		sum := sha256.Sum256([]byte(key))
		c.dir = filepath.Join(cache, "git", hex.EncodeToString(sum[:16]))
		if err := os.MkdirAll(c.dir, 0o700); err != nil {
			return nil, cacheError(err)
		}
	}
	root, err := os.OpenRoot(c.dir)
	if err != nil {
		c.Close()
		return nil, cacheError(err)
	}
	c.root = root
	if c.lock, err = lockClone(ctx, root); err != nil {
		c.Close()
		return nil, err
	}
	if err := c.layout(format); err != nil {
		c.Close()
		return nil, cacheError(err)
	}
	return c, nil
}

func cacheError(err error) error {
	if isNoSpace(err) {
		return fault.Inconclusivef("cache", "no space writing the clone: %w", err)
	}
	return fault.Inconclusivef("cache", "cannot be written: %w", err)
}

// layout makes what a git directory must have.
func (c *clone) layout(format gitobj.Format) error {
	for _, dir := range []string{"objects", "objects/pack", "refs", "refs/heads", "refs/tags"} {
		if err := c.root.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	if _, err := c.root.Lstat("HEAD"); err == nil {
		return nil
	}
	if format == gitobj.SHA256 {
		if err := c.write("config", "[core]\n\trepositoryformatversion = 1\n[extensions]\n\tobjectformat = sha256\n"); err != nil {
			return err
		}
	}
	return c.write("HEAD", "ref: refs/heads/main\n")
}

// unlock lets other processes fetch; what is here stays readable.
func (c *clone) unlock() {
	if c.lock != nil {
		c.lock.Close()
		c.lock = nil
	}
}

// Close releases the store, and removes one that is not to be kept.
func (c *clone) Close() error {
	c.unlock()
	var err error
	if c.root != nil {
		err = c.root.Close()
	}
	if c.remove {
		err = errors.Join(err, os.RemoveAll(c.dir))
	}
	return err
}

// write replaces a file atomically.
func (c *clone) write(name, text string) error {
	temporary := name + ".tmp"
	if err := c.root.WriteFile(temporary, []byte(text), 0o600); err != nil {
		return err
	}
	return c.root.Rename(temporary, name)
}

// noted reads a list of ids that an earlier fetch left.
func (c *clone) noted(name string) []gitobj.ID {
	f, err := c.root.Open(name)
	if err != nil {
		return nil
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxNoteSize))
	if err != nil {
		return nil
	}
	var ids []gitobj.ID
	for line := range strings.Lines(string(data)) {
		if id, ok := gitobj.ParseID(strings.TrimSuffix(line, "\n")); ok {
			ids = append(ids, id)
		}
	}
	return ids
}

// note writes such a list.
func (c *clone) note(name string, ids []gitobj.ID) error {
	var b strings.Builder
	for _, id := range ids {
		fmt.Fprintln(&b, id)
	}
	if err := c.write(name, b.String()); err != nil {
		return cacheError(err)
	}
	return nil
}

// ingest stores a pack.
func (c *clone) ingest(ctx context.Context, format gitobj.Format, pack io.Reader) error {
	objects, err := c.root.OpenRoot("objects")
	if err != nil {
		return cacheError(err)
	}
	defer objects.Close()
	return gitobj.Ingest(ctx, objects, format, pack, maxPackBytes)
}

// writeRefs records the server's branches and tags, and where the history ends.
func (c *clone) writeRefs(refs []ref, shallow []gitobj.ID) error {
	slices.SortFunc(refs, func(a, b ref) int { return strings.Compare(a.name, b.name) })
	var b strings.Builder
	for _, r := range refs {
		fmt.Fprintf(&b, "%s %s\n", r.id, r.name)
	}
	if err := c.write("packed-refs", b.String()); err != nil {
		return cacheError(err)
	}
	if len(shallow) == 0 {
		if err := c.root.Remove("shallow"); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return cacheError(err)
		}
		return nil
	}
	return c.note("shallow", shallow)
}
