package builder

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/sync/errgroup"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// fileTime is the modification time of every unpacked file: the earliest that a zip can say.
var fileTime = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// checkZip judges a module zip by its directory, before anything is unpacked: names below the prefix, no two that are the
// same on any file system, nothing but files, within the limits (https://go.dev/ref/mod#zip-files).
func checkZip(z *zip.Reader, prefix string) error {
	if len(z.File) > maxToolchainFiles {
		return fmt.Errorf("exceeds limit: %d files", len(z.File))
	}
	var total uint64
	seen := map[string]bool{}
	for _, f := range z.File {
		name, ok := strings.CutPrefix(f.Name, prefix)
		if !ok {
			return fmt.Errorf("unsafe path %s: not below %s", fault.Quote(f.Name), fault.Quote(prefix))
		}
		if err := module.CheckFilePath(name); err != nil {
			return fmt.Errorf("unsafe path %s", fault.Quote(f.Name))
		}
		if key := strings.ToLower(name); seen[key] {
			return fmt.Errorf("duplicate entry %s", fault.Quote(f.Name))
		} else {
			seen[key] = true
		}
		if !f.Mode().IsRegular() {
			return fmt.Errorf("%s is no regular file", fault.Quote(f.Name))
		}
		if f.UncompressedSize64 > maxToolchainFile {
			return fmt.Errorf("exceeds limit: %s has %d bytes", fault.Quote(f.Name), f.UncompressedSize64)
		}
		if total += f.UncompressedSize64; total > maxToolchainBytes {
			return fmt.Errorf("exceeds limit: more than %d bytes", maxToolchainBytes)
		}
	}
	return nil
}

// unpack writes the files of a module zip below dir, but for those that skip names, and returns the manifest of all of them.
// Nothing is executable until finishTree.
func unpack(ctx context.Context, z *zip.Reader, prefix, dir string, skip func(name string) bool) (*manifest, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	if err := makeFolders(root, z, prefix, skip); err != nil {
		return nil, err
	}
	m := &manifest{prefix: prefix, files: map[string]string{}}
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0) + 1)
	for _, f := range z.File {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			name := strings.TrimPrefix(f.Name, prefix)
			sum, err := unpackFile(root, f, name, skip(name))
			if err != nil {
				return fmt.Errorf("%s: %w", fault.Quote(f.Name), err)
			}
			mu.Lock()
			defer mu.Unlock()
			m.files[name] = sum
			return nil
		})
	}
	return m, group.Wait()
}

func makeFolders(root *os.Root, z *zip.Reader, prefix string, skip func(string) bool) error {
	made := map[string]bool{".": true}
	for _, f := range z.File {
		name := strings.TrimPrefix(f.Name, prefix)
		if dir := path.Dir(name); !made[dir] && !skip(name) {
			if err := root.MkdirAll(dir, 0o755); err != nil {
				return err
			}
			made[dir] = true
		}
	}
	return nil
}

// unpackFile hashes one file while it is written; a file that is left out is only hashed. The zip reader checks length
// and CRC at its end.
func unpackFile(root *os.Root, f *zip.File, name string, skip bool) (string, error) {
	r, err := f.Open()
	if err != nil {
		return "", err
	}
	defer r.Close()
	h := sha256.New()
	out := io.Writer(h)
	var file *os.File
	if !skip {
		if file, err = root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600); err != nil {
			return "", err
		}
		defer file.Close()
		out = io.MultiWriter(h, file)
	}
	buf := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(buf)
	n, err := io.CopyBuffer(out, struct{ io.Reader }{io.LimitReader(r, int64(f.UncompressedSize64)+1)}, *buf)
	if err != nil {
		return "", err
	}
	if uint64(n) != f.UncompressedSize64 {
		return "", fmt.Errorf("inconsistent zip: %d bytes, %d announced", n, f.UncompressedSize64)
	}
	if file != nil {
		if err := file.Close(); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// finishTree gives every file its mode and time, and makes every folder read-only, innermost first.
func finishTree(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	var folders []string
	err = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			folders = append(folders, name)
			return nil
		}
		if err := root.Chtimes(name, fileTime, fileTime); err != nil {
			return err
		}
		return root.Chmod(name, modeOf(name))
	})
	if err != nil {
		return err
	}
	slices.Reverse(folders)
	for _, name := range folders {
		if err := root.Chtimes(name, fileTime, fileTime); err != nil {
			return err
		}
		if err := root.Chmod(name, 0o555); err != nil {
			return err
		}
	}
	return nil
}
