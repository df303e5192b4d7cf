package vcs

import (
	"crypto/sha1" // git names its objects by it; the host has already checked them for collisions
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// The two letters that git-status(1) prints for a tracked path: none of them is ever staged here.
const (
	modified    = " M"
	typeChanged = " T"
)

func (w *walk) compareSubmodule(name string, want *Entry, e fs.DirEntry) (string, error) {
	if !e.IsDir() {
		return typeChanged, nil
	}
	full := path.Join(w.prefix, name)
	i := slices.IndexFunc(w.facts.Submodules, func(s Submodule) bool { return s.Path == full })
	if i < 0 { // not checked out: git does not look inside
		return "", nil
	}
	repo := &w.facts.Submodules[i].Repository
	if repo.Commit != want.Blob {
		return modified, nil
	}
	inner := &walk{session: &session{facts: w.facts, repo: repo, prefix: full, tree: w.tree}, lines: map[string]string{}, entries: w.entries}
	out, err := inner.run()
	w.entries = inner.entries
	if len(out) > 0 {
		return modified, err
	}
	return "", err
}

func (w *walk) compareLink(name string, want *Entry, e fs.DirEntry) (string, error) {
	if e.Type() != fs.ModeSymlink {
		return typeChanged, nil
	}
	target, err := w.tree.Files.ReadLink(w.name(name))
	if err != nil {
		return "", err
	}
	if blobID([]byte(target), len(want.Blob)) != want.Blob {
		return modified, nil
	}
	return "", nil
}

func (w *walk) compareFile(name string, want *Entry, e fs.DirEntry) (string, error) {
	if !e.Type().IsRegular() {
		return typeChanged, nil
	}
	info, err := e.Info()
	if err != nil {
		return "", err
	}
	executable := info.Mode()&0o100 != 0
	if info.Size() != want.Size || executable != (want.Mode == modeExecutable) {
		return modified, nil
	}
	if w.untouched(info) {
		return "", nil
	}
	same, err := w.sameBytes(name, want)
	if err != nil || same {
		return "", err
	}
	return modified, nil
}

// untouched tells whether a file of the right size is still as the export left it, without opening it: what a build
// reads is traced, and `status` must not make every file look read. The modification time alone can be set back by
// anybody; the time of the last inode change cannot.
func (w *walk) untouched(info fs.FileInfo) bool {
	changed, ok := changeTime(info)
	return ok && !w.tree.Since.IsZero() && changed.Before(w.tree.Since) && info.ModTime().Equal(time.Unix(w.repo.Time, 0))
}

func (w *walk) sameBytes(name string, want *Entry) (bool, error) {
	f, err := w.tree.Files.Open(w.name(name))
	if err != nil {
		return false, err
	}
	defer f.Close()
	h := newBlobHash(want.Size, len(want.Blob))
	n, err := io.Copy(h, io.LimitReader(f, want.Size+1))
	return n == want.Size && hex.EncodeToString(h.Sum(nil)) == want.Blob, err
}

func newBlobHash(size int64, digits int) hash.Hash {
	h := sha1.New()
	if digits == 64 {
		h = sha256.New()
	}
	fmt.Fprintf(h, "blob %d\x00", size)
	return h
}

func blobID(data []byte, digits int) string {
	h := newBlobHash(int64(len(data)), digits)
	h.Write(data)
	return hex.EncodeToString(h.Sum(nil))
}

var errTooLarge = errors.New("too large")

// read reads one regular file of the repository, whole or not at all.
func (s *session) read(name string, limit int64) ([]byte, error) {
	f, err := s.tree.Files.Open(path.Join(s.prefix, name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%q: not a regular file", name)
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%q: %w, over %d bytes", name, errTooLarge, limit)
	}
	return data, err
}

// blob returns the committed bytes of e: those that the facts hold, else those in the work tree if they still are the
// committed ones.
func (s *session) blob(e *Entry) ([]byte, error) {
	if e.Data != nil {
		return e.Data, nil
	}
	var data []byte
	var err error
	if e.Mode == modeLink {
		var target string
		target, err = s.tree.Files.ReadLink(path.Join(s.prefix, e.Path))
		data = []byte(target)
	} else {
		var info fs.FileInfo // a name that is no longer a regular file is not opened: it could be a pipe
		if info, err = s.tree.Files.Lstat(path.Join(s.prefix, e.Path)); err == nil && !info.Mode().IsRegular() {
			return nil, errors.New("no longer a regular file")
		}
		if err == nil {
			data, err = s.read(e.Path, maxBlob)
		}
	}
	if err != nil {
		return nil, err
	}
	if blobID(data, len(e.Blob)) != e.Blob {
		return nil, errors.New("changed since the commit, whose bytes are not at hand")
	}
	return data, nil
}

// quotePath quotes as git does with core.quotePath set and, in the porcelain format, for names with a space in them.
func quotePath(p string) string {
	plain := !strings.ContainsFunc(p, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '"' || r == '\\' })
	if plain {
		return p
	}
	const named = "\a\b\t\n\v\f\r\"\\"
	var out strings.Builder
	out.WriteByte('"')
	for i := 0; i < len(p); i++ {
		switch c := p[i]; {
		case strings.IndexByte(named, c) >= 0:
			out.WriteByte('\\')
			out.WriteByte(`abtnvfr"\`[strings.IndexByte(named, c)])
		case c < ' ' || c >= 0x7f:
			fmt.Fprintf(&out, `\%03o`, c)
		default:
			out.WriteByte(c)
		}
	}
	out.WriteByte('"')
	return out.String()
}
