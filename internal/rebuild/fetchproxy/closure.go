package fetchproxy

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/store"
)

// Entry is one file of a closure.
type Entry struct {
	Path   string `json:"path"` // in the ecosystem's protocol
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`
}

// Closure is everything that was fetched from one ecosystem, by digest. The bytes are in the content store.
type Closure struct {
	Ecosystem string  `json:"ecosystem"`
	Entries   []Entry `json:"entries"` // sorted by path
}

// Digest is the SHA-256 over the ecosystem's name and, in order, each entry's digest, size and path, one to a line.
func (c *Closure) Digest() string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n", c.Ecosystem)
	for _, e := range c.Entries {
		fmt.Fprintf(h, "%s %d %s\n", e.SHA256, e.Size, e.Path)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Marshal returns the closure for the lock or the cache, always the same bytes for the same closure.
func (c *Closure) Marshal() ([]byte, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	return json.Marshal(c)
}

// ParseClosure reads what Marshal wrote, strictly: whatever would not be written the same way is refused.
func ParseClosure(data []byte) (*Closure, error) {
	if len(data) > maxClosure {
		return nil, fault.Failf("closure", "exceeds %d bytes", maxClosure)
	}
	c := new(Closure)
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(c); err != nil {
		return nil, fault.Failf("closure", "malformed: %w", err)
	}
	if err := c.validate(); err != nil {
		return nil, err
	}
	again, err := json.Marshal(c)
	if err != nil || !bytes.Equal(again, data) {
		return nil, fault.Failf("closure", "not in canonical form")
	}
	return c, nil
}

func (c *Closure) validate() error {
	eco, ok := grammars[c.Ecosystem]
	if !ok {
		return fault.Failf("closure", "unknown ecosystem %q", c.Ecosystem)
	}
	if len(c.Entries) > maxEntries {
		return fault.Failf("closure", "exceeds %d entries", maxEntries)
	}
	for i, e := range c.Entries {
		if !store.ValidDigest(e.SHA256) || e.Size < 0 || len(e.Path) > maxPath {
			return fault.Failf("closure", "bad entry %q", e.Path)
		}
		if i > 0 && c.Entries[i-1].Path >= e.Path {
			return fault.Failf("closure", "entry %q out of order or repeated", e.Path)
		}
		if err := eco(e.Path); err != nil {
			return fault.Failf("closure", "%w", err)
		}
	}
	return nil
}

// grammars tell whether a path can stand in a closure of an ecosystem.
var grammars = map[string]func(string) error{
	"go":  goPath,
	"npm": npmPath,
}

// find returns the entry of a path.
func (c *Closure) find(p string) (Entry, bool) {
	i, ok := slices.BinarySearchFunc(c.Entries, p, func(e Entry, p string) int { return strings.Compare(e.Path, p) })
	if !ok {
		return Entry{}, false
	}
	return c.Entries[i], true
}

// Blobs is the part of the content store that is used here; *store.Store has it.
type Blobs interface {
	Put(ctx context.Context, r io.Reader, limit int64) (store.Blob, error)
	OpenBlob(sha256 string) (*os.File, error)
}

// LayOut writes the closure below dir as the ecosystem's own tools read a directory: for Go, a file proxy
// (GOPROXY=file://dir). Every byte is hashed while it is written. dir must be empty and the caller's alone.
func (c *Closure) LayOut(ctx context.Context, blobs Blobs, dir string) error {
	if err := c.validate(); err != nil {
		return err
	}
	if c.Ecosystem != "go" {
		return fault.Inconclusivef("closure", "%s has no directory form; it is replayed through the proxy", c.Ecosystem)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fault.Inconclusivef(dir, "%w", err)
	}
	defer root.Close()
	for _, e := range c.Entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := layEntry(root, blobs, e); err != nil {
			return err
		}
	}
	return nil
}

func layEntry(root *os.Root, blobs Blobs, e Entry) (err error) {
	src, err := blobs.OpenBlob(e.SHA256)
	if errors.Is(err, fs.ErrNotExist) {
		return fault.Inconclusivef(fault.Quote(e.Path), "its bytes are not in the store: %w", err).WithHint("fetch again without --offline")
	}
	if err != nil {
		return err
	}
	defer src.Close()
	name := filepath.FromSlash(e.Path)
	if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return fault.Inconclusivef(fault.Quote(e.Path), "%w", err)
	}
	dst, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return fault.Inconclusivef(fault.Quote(e.Path), "%w", err)
	}
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(dst, h), io.LimitReader(src, e.Size+1))
	if err = errors.Join(err, dst.Close()); err != nil {
		return fault.Inconclusivef(fault.Quote(e.Path), "%w", err)
	}
	if n != e.Size || hex.EncodeToString(h.Sum(nil)) != e.SHA256 {
		return fault.Failf(fault.Quote(e.Path), "the stored bytes are not those of the closure")
	}
	return nil
}
