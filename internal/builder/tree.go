package builder

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// manifest lists the files of a module with their SHA-256: the text over which the module hash h1 is computed
// (https://go.dev/ref/mod#go-sum-files), so that a manifest is authenticated by the hash in the checksum database.
type manifest struct {
	prefix string            // "path@version/", before every name in the text
	files  map[string]string // name below the prefix → SHA-256 in hex
}

// text returns the lines, sorted by name.
func (m *manifest) text() []byte {
	names := slices.Sorted(maps.Keys(m.files)) // before all stands the same prefix
	size := 0
	for _, name := range names {
		size += hex.EncodedLen(sha256.Size) + len("  \n") + len(m.prefix) + len(name)
	}
	out := make([]byte, 0, size)
	for _, name := range names {
		out = append(append(out, m.files[name]...), "  "...)
		out = append(append(append(out, m.prefix...), name...), '\n')
	}
	return out
}

func (m *manifest) h1() string {
	sum := sha256.Sum256(m.text())
	return "h1:" + base64.StdEncoding.EncodeToString(sum[:])
}

// parseManifest reads text back; whoever calls it compares h1 with a proven hash.
func parseManifest(text []byte, prefix string) (*manifest, error) {
	m := &manifest{prefix: prefix, files: map[string]string{}}
	for line := range strings.Lines(string(text)) {
		sum, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		name, below := strings.CutPrefix(name, prefix)
		if !ok || !below || len(sum) != hex.EncodedLen(sha256.Size) || !filepath.IsLocal(name) {
			return nil, fmt.Errorf("malformed line %q", line)
		}
		m.files[name] = sum
	}
	return m, nil
}

// without returns the names that none of the patterns match, and those that one does.
func (m *manifest) without(patterns []string) (kept *manifest, left []string) {
	kept = &manifest{prefix: m.prefix, files: map[string]string{}}
	for name, sum := range m.files {
		if matchesAny(patterns, name) {
			left = append(left, name)
		} else {
			kept.files[name] = sum
		}
	}
	slices.Sort(left)
	return kept, left
}

func matchesAny(patterns []string, name string) bool {
	for _, p := range patterns {
		if ok, err := path.Match(p, name); ok && err == nil {
			return true
		}
	}
	return false
}

// verify hashes every file below dir on all processors. It demands exactly the files of the manifest, all of them regular
// and of exactly the mode that they were given (so no set-uid bit), in folders that are not writable.
func (m *manifest) verify(ctx context.Context, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0) + 1)
	c := &checking{manifest: m, dir: dir, group: group}
	err = c.folder(ctx, root, ".")
	if e := group.Wait(); e != nil {
		return e
	}
	if err != nil {
		return err
	}
	if found := int(c.found.Load()); found != len(m.files) {
		return fmt.Errorf("%d files are missing", len(m.files)-found)
	}
	return nil
}

// checking is one verification under way. A folder is the unit of work: each is opened once, from its parent, and its
// files from it by their bare names, so that no path is walked twice and none leads elsewhere in between.
type checking struct {
	manifest *manifest
	dir      string
	group    *errgroup.Group
	found    atomic.Int64
}

// folder looks at one folder and everything below it. It closes root when its files are done.
func (c *checking) folder(ctx context.Context, root *os.Root, name string) error {
	files, err := c.below(ctx, root, name)
	if err != nil {
		root.Close()
		return err
	}
	c.group.Go(func() error {
		defer root.Close()
		return c.files(ctx, root, name, files)
	})
	return nil
}

// below returns the names of a folder's files after the folders in it were looked at.
func (c *checking) below(ctx context.Context, root *os.Root, name string) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	st, err := root.Stat(".")
	if err != nil {
		return nil, err
	}
	if st.Mode() != fs.ModeDir|0o555 && runtime.GOOS != "windows" {
		return nil, fmt.Errorf("folder %q has mode %v", name, st.Mode())
	}
	entries, err := os.ReadDir(filepath.Join(c.dir, name)) // not through root: that looks at every entry once more
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		if e.Type().IsRegular() {
			files = append(files, e.Name())
			continue
		}
		if !e.IsDir() { // never opened: a FIFO would wait, a device might act
			return nil, fmt.Errorf("%q does not belong there", path.Join(name, e.Name()))
		}
		child, err := root.OpenRoot(e.Name())
		if err != nil {
			return nil, err
		}
		if err := c.folder(ctx, child, path.Join(name, e.Name())); err != nil {
			return nil, err
		}
	}
	return files, nil
}

func (c *checking) files(ctx context.Context, root *os.Root, folder string, names []string) error {
	h := sha256.New()
	buffer := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(buffer)
	for _, base := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		name := path.Join(folder, base)
		want, ok := c.manifest.files[name]
		if !ok {
			return fmt.Errorf("%q does not belong there", name)
		}
		h.Reset()
		if err := verifyFile(root, base, name, h, *buffer, want); err != nil {
			return err
		}
		c.found.Add(1)
	}
	return nil
}

var copyBuffers = sync.Pool{New: func() any { b := make([]byte, 128<<10); return &b }}

func verifyFile(root *os.Root, base, name string, h hash.Hash, buffer []byte, want string) error {
	f, err := root.Open(base)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if st.Mode() != modeOf(name) && runtime.GOOS != "windows" {
		return fmt.Errorf("%q has mode %v, want %v", name, st.Mode(), modeOf(name))
	}
	if _, err := io.CopyBuffer(h, struct{ io.Reader }{f}, buffer); err != nil {
		return err
	}
	var sum [sha256.Size]byte
	if got := hex.EncodeToString(h.Sum(sum[:0])); got != want {
		return fmt.Errorf("%q has the hash %s, want %s", name, got, want)
	}
	return nil
}

// modeOf returns the mode of a toolchain's file. The module form of a toolchain carries no modes; like the go command, this
// makes the programs executable.
func modeOf(name string) fs.FileMode {
	parts := strings.Split(name, "/")
	if len(parts) == 2 && parts[0] == "bin" || len(parts) == 4 && parts[0] == "pkg" && parts[1] == "tool" {
		return 0o555
	}
	return 0o444
}
