// Package rootfs lays a root file system out of archives, and proves later that it is still the same.
//
// What it promises:
//
//   - Content is first staged under names that this package chooses, then moved to where a tree in memory says. No path of an
//     archive is ever opened, so that no link, whoever made it, leads a write anywhere.
//   - Folders on the way are found in the tree: a link among them is followed there, as chroot(2) would, and refused where it
//     climbs above the root.
//   - The manifest says everything that the archives said: kind, mode, owner, time, extended attributes, content. On disk are
//     plain files, folders and links of whoever runs the program, without set-uid bits and attributes: an ordinary user lays
//     the same root as the superuser, with the same digest.
//   - The digest is the SHA-256 of the manifest, which depends on the archives alone.
//
// Devices, FIFOs and sockets, paths that climb, members that stand twice are refused by internal/archive, which reads.
package rootfs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/glassbuild/glassbuild/internal/archive"
	"github.com/glassbuild/glassbuild/internal/fault"
)

// Entry is one member of an archive whose content is staged.
type Entry struct {
	archive.Entry
	content *content
}

// content is what one or several names show.
type content struct {
	staged string // where it waits
	sum    string // SHA-256, hex
	size   int64
}

// Sum returns the SHA-256 of a file's content, hex; "" for everything else.
func (e *Entry) Sum() string {
	if e.content == nil {
		return ""
	}
	return e.content.sum
}

// Stage takes the content of files. It is safe for concurrent use.
type Stage struct {
	dir  string
	next atomic.Int64
}

// NewStage makes a stage in the folder dir, which must not exist.
func NewStage(dir string) (*Stage, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, fault.Inconclusivef("root file system", "%w", err)
	}
	return &Stage{dir: dir}, nil
}

// Close removes what was not used.
func (s *Stage) Close() error { return os.RemoveAll(s.dir) }

var buffers = sync.Pool{New: func() any { b := make([]byte, 128<<10); return &b }}

// Read stages every member of an archive, to its checked end.
func (s *Stage) Read(ctx context.Context, r archive.Reader) ([]Entry, error) {
	var list []Entry
	byName := map[string]Entry{}
	for {
		e, err := r.Next()
		if err == io.EOF {
			return list, nil
		}
		if err != nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		entry := Entry{Entry: *e}
		switch e.Type {
		case archive.File:
			if entry.content, err = s.file(r); err != nil {
				return nil, err
			}
			byName[e.Name] = entry
		case archive.Hardlink: // the reader demands an earlier file of the same archive; mode, owner and time are that file's
			first, ok := byName[e.Link]
			if !ok {
				return nil, fault.Failf(fault.Quote(e.Name), "link escapes: hard link to %s, which is no plain file", fault.Quote(e.Link))
			}
			entry = first
			entry.Name = e.Name
			byName[e.Name] = entry
		}
		if list = append(list, entry); len(list) > MaxEntries {
			return nil, fault.Failf("root file system", "exceeds limit: more than %d entries", MaxEntries)
		}
	}
}

// File stages a file that no archive holds.
func (s *Stage) File(name string, mode uint32, data []byte) (Entry, error) {
	c, err := s.file(bytes.NewReader(data))
	return Entry{Entry: archive.Entry{Name: name, Type: archive.File, Mode: mode}, content: c}, err
}

// Link is a symbolic link that no archive holds.
func Link(name, target string) Entry {
	return Entry{Entry: archive.Entry{Name: name, Type: archive.Symlink, Mode: 0o777, Link: target}}
}

// Folder is a folder that no archive holds.
func Folder(name string, mode uint32) Entry {
	return Entry{Entry: archive.Entry{Name: name, Type: archive.Directory, Mode: mode}}
}

// file stages content and hashes it on the way.
func (s *Stage) file(r io.Reader) (*content, error) {
	c := &content{staged: filepath.Join(s.dir, strconv.FormatInt(s.next.Add(1), 36))}
	f, err := os.OpenFile(c.staged, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, writeFault(err)
	}
	h := sha256.New()
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	for {
		n, rerr := r.Read(*buf)
		if n > 0 {
			h.Write((*buf)[:n])
			c.size += int64(n)
			if _, err := f.Write((*buf)[:n]); err != nil {
				f.Close()
				return nil, writeFault(err)
			}
		}
		if rerr == io.EOF {
			break
		}
		if rerr != nil {
			f.Close()
			return nil, rerr
		}
	}
	if err := f.Close(); err != nil {
		return nil, writeFault(err)
	}
	c.sum = hex.EncodeToString(h.Sum(nil))
	return c, nil
}

func writeFault(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return fault.Inconclusivef("root file system", "cannot be written: %w", err).WithHint("the cache folder needs room; XDG_CACHE_HOME moves it")
}

// damaged is an error about one path of a root on disk.
func damaged(name, format string, args ...any) error {
	return fmt.Errorf("%s %s", fault.Quote(name), fmt.Sprintf(format, args...))
}

// Copy stages the content of a staged file again, for another name.
func (s *Stage) Copy(e Entry, name string, mode uint32) (Entry, error) {
	f, err := os.Open(e.content.staged)
	if err != nil {
		return Entry{}, writeFault(err)
	}
	defer f.Close()
	c, err := s.file(f)
	return Entry{Entry: archive.Entry{Name: name, Type: archive.File, Mode: mode}, content: c}, err
}
