package source

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
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
	text := string(data[:min(len(data), maxPointerSize+1)])
	text, ok := strings.CutPrefix(text, pointerStart)
	if !ok || len(data) > maxPointerSize {
		return p, false
	}
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

// content reads a large file from the store that a local clone keeps. Its name is its digest, which is computed again.
func (r *repository) content(p pointer, path string) ([]byte, error) {
	if p.size > maxLargeFile {
		return nil, tooMuch(path, "large file", maxLargeFile)
	}
	name := "lfs/objects/" + p.oid[:2] + "/" + p.oid[2:4] + "/" + p.oid
	f, err := r.root.OpenFile(name, os.O_RDONLY|nonBlocking, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fs.ErrNotExist
	}
	if err != nil {
		return nil, r.inconclusive("%s cannot be opened: %v", name, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil, r.inconclusive("%s is not a regular file", name)
	}
	bad := fault.Failf("large file "+p.oid, "content hash differs (%s)", fault.Quote(path)).WithCheck(CheckObjects)
	if info.Size() != p.size {
		return nil, bad
	}
	data := make([]byte, p.size)
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, bad
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != p.oid {
		return nil, bad
	}
	return data, nil
}
