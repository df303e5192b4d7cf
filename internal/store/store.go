// Package store keeps files by their content, and gives every run a private folder that leaves nothing behind.
//
// What it promises:
//
//   - A blob is written once, under its SHA-256, by a rename within the store; it is hashed while it is written and again
//     when it is first opened in a process. A blob whose bytes changed is never handed out.
//   - A tree is filled in a temporary folder and renamed into place: nobody sees a half-written one.
//   - A result entry is authenticated with a key that only this user can read (HMAC-SHA-256 over kind, key and value), so
//     that neither a build nor another user can plant one. An entry that does not authenticate does not exist.
//   - The folder of a run is private (0700), locked while its process lives, and removed when the run ends. What a killed
//     run left is swept by the next run.
//
// No build writes a path below the store: builds work in memory file systems of their sandbox.
package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// Blob names one stored file.
type Blob struct {
	SHA256 string // hex, lower case
	Size   int64  // bytes
}

// Store is a folder of content-addressed files, trees and authenticated results. It is safe for concurrent use,
// also by several processes.
type Store struct {
	dir string

	mu       sync.Mutex
	verified map[string]stamp // blobs that this process has hashed
	key      []byte
}

// stamp is what must not have changed since a blob was hashed.
type stamp struct {
	size, mtime int64
	inode       uint64
}

// DefaultDir returns $XDG_CACHE_HOME/glassbuild, or its equivalent of the platform.
func DefaultDir() (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fault.Inconclusivef("cache", "no cache folder: %w", err).WithHint("set HOME or XDG_CACHE_HOME")
	}
	return filepath.Join(base, "glassbuild"), nil
}

// DataDir returns the folder for what nobody may lose: $XDG_DATA_HOME/glassbuild, else ~/.local/share/glassbuild.
func DataDir() (string, error) {
	base := os.Getenv("XDG_DATA_HOME")
	if !filepath.IsAbs(base) {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fault.Usagef("data folder", "no home folder: %w", err).WithHint("set HOME or XDG_DATA_HOME")
		}
		base = filepath.Join(home, ".local", "share")
	}
	return filepath.Join(base, "glassbuild"), nil
}

// Open opens the store in dir and creates it, private to the user, if it is missing.
func Open(dir string) (*Store, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fault.Inconclusivef("cache", "%w", err)
	}
	for _, sub := range []string{"", "blobs", "trees", "results", "runs", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return nil, writeFault(filepath.Join(dir, sub), err)
		}
	}
	if err := private(dir); err != nil {
		return nil, err
	}
	return &Store{dir: dir, verified: map[string]stamp{}}, nil
}

// Dir returns the absolute path of the store.
func (s *Store) Dir() string { return s.dir }

// Put copies r, at most limit bytes, into the store.
func (s *Store) Put(ctx context.Context, r io.Reader, limit int64) (Blob, error) {
	f, err := os.CreateTemp(filepath.Join(s.dir, "tmp"), "blob-")
	if err != nil {
		return Blob{}, writeFault(s.dir, err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	sum, n, err := copyHashing(f, io.LimitReader(&ctxReader{ctx, r}, limit+1))
	if err != nil {
		return Blob{}, writeFault(s.dir, err)
	}
	if n > limit {
		return Blob{}, fault.Failf("input", "exceeds %d bytes", limit)
	}
	b := Blob{SHA256: sum, Size: n}
	if err := f.Chmod(0o400); err != nil {
		return Blob{}, writeFault(s.dir, err)
	}
	path, err := s.blobPath(b.SHA256)
	if err != nil {
		return Blob{}, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return Blob{}, writeFault(s.dir, err)
	}
	st, err := stampOf(f)
	if err != nil {
		return Blob{}, writeFault(s.dir, err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return Blob{}, writeFault(s.dir, err)
	}
	s.mu.Lock()
	s.verified[b.SHA256] = st // what was hashed on its way in is not hashed again
	s.mu.Unlock()
	return b, nil
}

// Adopt keeps a finished file of a run whose digest is known, without another copy of it where the file system has links.
// Nobody may write to the file any more. Like every blob it is hashed when it is opened.
func (s *Store) Adopt(ctx context.Context, file, sum string, limit int64) error {
	path, err := s.blobPath(sum)
	if err != nil {
		return err
	}
	tmp := filepath.Join(s.dir, "tmp", "blob-"+rand.Text())
	if err := os.Link(file, tmp); err != nil {
		return s.copyIn(ctx, file, sum, limit)
	}
	defer os.Remove(tmp)
	if err := os.Chmod(tmp, 0o400); err != nil {
		return writeFault(s.dir, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return writeFault(s.dir, err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return writeFault(s.dir, err)
	}
	return nil
}

func (s *Store) copyIn(ctx context.Context, file, sum string, limit int64) error {
	f, err := os.Open(file)
	if err != nil {
		return fault.Inconclusivef(sum, "%w", err)
	}
	defer f.Close()
	b, err := s.Put(ctx, f, limit)
	if err == nil && b.SHA256 != sum {
		err = fault.Inconclusivef(sum, "content was changed on disk (now %s)", b.SHA256)
	}
	return err
}

// OpenBlob opens a stored file for reading. Its content is hashed when this process opens it for the first time without having
// written it, or when its size, time or inode changed since. A missing blob is fs.ErrNotExist.
func (s *Store) OpenBlob(sum string) (*os.File, error) {
	path, err := s.blobPath(sum)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	st, err := stampOf(f)
	if err != nil {
		f.Close()
		return nil, fault.Inconclusivef(sum, "%w", err)
	}
	s.mu.Lock()
	known, ok := s.verified[sum]
	s.mu.Unlock()
	if ok && known == st {
		return f, nil
	}
	h := sha256.New()
	if _, err = io.Copy(h, f); err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, fault.Inconclusivef(sum, "%w", err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != sum {
		f.Close()
		os.Remove(path)
		return nil, fault.Inconclusivef("cache entry "+sum, "content was changed on disk (now %s); removed", got).
			WithHint("run again; the input is fetched anew")
	}
	s.mu.Lock()
	s.verified[sum] = st
	s.mu.Unlock()
	return f, nil
}

// BlobFile returns the path of a stored file whose content was checked, for whoever needs a file and not its bytes. It is read-only.
func (s *Store) BlobFile(sum string) (string, error) {
	f, err := s.OpenBlob(sum)
	if err != nil {
		return "", err
	}
	return f.Name(), f.Close()
}

// Blobs lists the names of all stored files.
func (s *Store) Blobs() ([]string, error) {
	var out []string
	err := filepath.WalkDir(filepath.Join(s.dir, "blobs"), func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && ValidDigest(d.Name()) {
			out = append(out, d.Name())
		}
		return err
	})
	if err != nil {
		return nil, fault.Inconclusivef(s.dir, "%w", err)
	}
	return out, nil
}

// Holds tells whether a blob of that name and size is stored; OpenBlob looks at its content.
func (s *Store) Holds(sum string, size int64) bool {
	path, err := s.blobPath(sum)
	if err != nil {
		return false
	}
	st, err := os.Lstat(path)
	return err == nil && st.Mode().IsRegular() && st.Size() == size
}

// Has tells whether a blob of that name is stored; it does not look at its content.
func (s *Store) Has(sum string) bool {
	path, err := s.blobPath(sum)
	if err != nil {
		return false
	}
	_, err = os.Lstat(path)
	return err == nil
}

// Tree returns the folder that was published as kind and key, if there is one. Its content is the caller's to verify.
func (s *Store) Tree(kind, key string) (string, bool) {
	dir := s.treePath(kind, key)
	st, err := os.Lstat(dir)
	return dir, err == nil && st.IsDir()
}

// PublishTree lets fill write a folder and renames it into place as kind and key. When another process published the
// same tree first, that one stays and is returned.
func (s *Store) PublishTree(kind, key string, fill func(dir string) error) (string, error) {
	dst := s.treePath(kind, key)
	if err := os.MkdirAll(filepath.Dir(dst), 0o700); err != nil {
		return "", writeFault(dst, err)
	}
	tmp, err := os.MkdirTemp(filepath.Join(s.dir, "tmp"), "tree-")
	if err != nil {
		return "", writeFault(s.dir, err)
	}
	lock, err := lockFile(tmp + ".lock")
	if err != nil {
		RemoveAll(tmp)
		return "", writeFault(tmp, err)
	}
	defer os.Remove(tmp + ".lock")
	defer lock.Close()
	defer RemoveAll(tmp)
	if err := fill(tmp); err != nil {
		return "", err
	}
	if err := os.Rename(tmp, dst); err != nil {
		if _, ok := s.Tree(kind, key); ok {
			return dst, nil
		}
		return "", writeFault(dst, err)
	}
	return dst, nil
}

// DropTree removes a published tree, for a caller that found it damaged.
func (s *Store) DropTree(kind, key string) error { return RemoveAll(s.treePath(kind, key)) }

func (s *Store) treePath(kind, key string) string {
	sum := sha256.Sum256([]byte(kind + "\x00" + key))
	return filepath.Join(s.dir, "trees", kind, hex.EncodeToString(sum[:]))
}

// blobPath refuses everything but 64 lower-case hex digits, so that no name from outside becomes a path.
func (s *Store) blobPath(sum string) (string, error) {
	if !ValidDigest(sum) {
		return "", fault.Failf(fault.Quote(sum), "malformed digest: want 64 lower-case hex digits")
	}
	return filepath.Join(s.dir, "blobs", sum[:2], sum), nil
}

// ValidDigest tells whether sum is a SHA-256 as 64 lower-case hex digits.
func ValidDigest(sum string) bool {
	if len(sum) != sha256.Size*2 {
		return false
	}
	for i := range len(sum) {
		if c := sum[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// RemoveAll removes a tree also where folders in it are read-only. Links are removed, never followed.
func RemoveAll(dir string) error {
	err := os.RemoveAll(dir)
	if err == nil || !errors.Is(err, fs.ErrPermission) {
		return err
	}
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() {
			os.Chmod(path, 0o700)
		}
		return nil
	})
	return os.RemoveAll(dir)
}

func writeFault(path string, err error) error {
	var e *fault.Error
	if errors.As(err, &e) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if noSpace(err) {
		return fault.Inconclusivef(path, "no space writing: %w", err).WithHint("free disk space, or set XDG_CACHE_HOME to another disk")
	}
	return fault.Inconclusivef(path, "%w", err).WithHint("the cache folder must be writable; XDG_CACHE_HOME moves it")
}

type ctxReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *ctxReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.r.Read(p)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("read: %w", err)
	}
	return n, err
}
