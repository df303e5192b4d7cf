package builder

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

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
	names := make([]string, 0, len(m.files))
	for name := range m.files {
		names = append(names, m.prefix+name)
	}
	slices.Sort(names)
	var b bytes.Buffer
	for _, name := range names {
		fmt.Fprintf(&b, "%s  %s\n", m.files[strings.TrimPrefix(name, m.prefix)], name)
	}
	return b.Bytes()
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
	defer root.Close()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0) + 1)
	found := 0
	err = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		if d.IsDir() {
			return verifyFolder(d, name)
		}
		want, ok := m.files[name]
		if !ok || !d.Type().IsRegular() {
			return fmt.Errorf("%q does not belong there", name)
		}
		found++
		group.Go(func() error { return verifyFile(root, name, want) })
		return nil
	})
	if e := group.Wait(); e != nil {
		return e
	}
	if err != nil {
		return err
	}
	if found != len(m.files) {
		return fmt.Errorf("%d files are missing", len(m.files)-found)
	}
	return nil
}

func verifyFolder(d fs.DirEntry, name string) error {
	st, err := d.Info()
	if err != nil {
		return err
	}
	if st.Mode() != fs.ModeDir|0o555 && runtime.GOOS != "windows" {
		return fmt.Errorf("folder %q has mode %v", name, st.Mode())
	}
	return nil
}

var copyBuffers = sync.Pool{New: func() any { b := make([]byte, 128<<10); return &b }}

func verifyFile(root *os.Root, name, want string) error {
	f, err := root.Open(name)
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
	h := sha256.New()
	buf := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(buf)
	if _, err := io.CopyBuffer(h, struct{ io.Reader }{f}, *buf); err != nil {
		return err
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
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
