package source

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// pointer is what git holds in place of a large file (the git-lfs pointer specification, version 1).
type pointer struct {
	oid  string // SHA-256 of the content
	size int64
}

const pointerStart = "version https://git-lfs.github.com/spec/v1\n"

// parsePointer tells whether a file's content is a pointer.
func parsePointer(data []byte) (pointer, bool) {
	var p pointer
	if len(data) > maxPointerSize || !bytes.HasPrefix(data, []byte(pointerStart)) {
		return p, false
	}
	text := string(data[len(pointerStart):])
	p.size = -1
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch key {
		case "oid":
			p.oid, _ = strings.CutPrefix(value, "sha256:")
		case "size":
			n, err := strconv.ParseInt(value, 10, 64)
			if err != nil {
				return p, false
			}
			p.size = n
		}
	}
	raw, err := hex.DecodeString(p.oid)
	return p, err == nil && len(raw) == sha256.Size && p.oid == strings.ToLower(p.oid) && p.size >= 0
}

func (p pointer) path() string { return p.oid[:2] + "/" + p.oid[2:4] + "/" + p.oid }

// kept reads a large file from the store that a local clone keeps.
func (r *repository) kept(p pointer, path string) ([]byte, error) {
	data, err := readLarge(r.root, "lfs/objects/"+p.path(), p, path)
	var classified *fault.Error
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.As(err, &classified) {
		return nil, r.inconclusive("%s: %v", fault.Quote(path), err)
	}
	return data, err
}

// readLarge reads a large file from a store on this machine, or fs.ErrNotExist. Its name is its digest, which is computed again.
func readLarge(root *os.Root, name string, p pointer, path string) ([]byte, error) {
	if p.size > maxLargeFile {
		return nil, tooMuch(path, "large file", maxLargeFile)
	}
	f, err := root.OpenFile(name, os.O_RDONLY|nonBlocking, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fs.ErrNotExist
	}
	if err != nil {
		return nil, fmt.Errorf("%s cannot be opened: %w", name, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", name)
	}
	if info.Size() != p.size {
		return nil, p.differs(path)
	}
	data := make([]byte, p.size)
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, p.differs(path)
	}
	return data, p.check(data, path)
}

// check demands that data is what the pointer names.
func (p pointer) check(data []byte, path string) error {
	if int64(len(data)) != p.size || hexSum(data) != p.oid {
		return p.differs(path)
	}
	return nil
}

func (p pointer) differs(path string) error {
	return fault.Failf("large file "+p.oid, "content hash differs (%s)", fault.Quote(path)).WithCheck(CheckObjects)
}
