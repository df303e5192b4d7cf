package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// Item is one thing that is kept and can be removed by itself: whoever needs it again fetches or makes it anew.
type Item struct {
	Kind string // "file", "tree KIND", "result KIND", "clone", "large file", "checksum database"
	Path string // below the store
	Size int64
	Used time.Time // last written or, where the file system says so, read
}

// shelves are the folders of the store, what lies in them and how deep, and whether the folder between names the kind.
var shelves = []struct {
	dir, kind string
	depth     int
	named     bool
}{
	{"blobs", "file", 2, false},
	{"trees", "tree", 2, true},
	{"results", "result", 2, true},
	{"git", "clone", 1, false},
	{"lfs", "large file", 3, false},
	{"sumdb", "checksum database", 1, false},
}

// Items lists what is kept, the longest unused first.
func (s *Store) Items() ([]Item, error) {
	var out []Item
	for _, shelf := range shelves {
		if st, err := os.Lstat(filepath.Join(s.dir, shelf.dir)); err != nil || !st.IsDir() {
			continue
		}
		paths := []string{shelf.dir}
		for range shelf.depth {
			var below []string
			for _, p := range paths {
				if st, err := os.Lstat(filepath.Join(s.dir, p)); err != nil || !st.IsDir() {
					continue // what lies behind a link is not the store's
				}
				entries, err := os.ReadDir(filepath.Join(s.dir, p))
				if err != nil && !errors.Is(err, fs.ErrNotExist) {
					continue // a plain file, or gone meanwhile
				}
				for _, e := range entries {
					below = append(below, filepath.Join(p, e.Name()))
				}
			}
			paths = below
		}
		for _, p := range paths {
			item := Item{Kind: shelf.kind, Path: p}
			if shelf.named {
				item.Kind += " " + filepath.Base(filepath.Dir(p))
			}
			if err := item.measure(s.dir); err != nil {
				return nil, err
			}
			out = append(out, item)
		}
	}
	slices.SortStableFunc(out, func(a, b Item) int { return a.Used.Compare(b.Used) })
	return out, nil
}

// measure adds up what lies below an item.
func (i *Item) measure(dir string) error {
	err := filepath.WalkDir(filepath.Join(dir, i.Path), func(_ string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return nil // gone meanwhile
		}
		if d.Type().IsRegular() {
			i.Size += info.Size()
		}
		if t := lastUse(info); t.After(i.Used) && (d.Type().IsRegular() || i.Used.IsZero()) {
			i.Used = t
		}
		return nil
	})
	if err != nil {
		return fault.Inconclusivef(filepath.Join(dir, i.Path), "%w", err)
	}
	return nil
}

// Busy tells whether a run is under way that may use what is kept.
func (s *Store) Busy() bool {
	s.Sweep()
	entries, _ := os.ReadDir(filepath.Join(s.dir, "runs"))
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		lock, err := tryLock(filepath.Join(s.dir, "runs", e.Name()) + ".lock")
		if err != nil {
			return true
		}
		lock.Close()
	}
	return false
}

// Drop removes an item.
func (s *Store) Drop(i Item) error {
	folder := filepath.Dir(filepath.Join(s.dir, i.Path))
	if at, err := filepath.EvalSymlinks(s.dir); err == nil {
		if real, err := filepath.EvalSymlinks(folder); err == nil && real != filepath.Join(at, filepath.Dir(i.Path)) {
			return fault.Inconclusivef(filepath.Join(s.dir, i.Path), "lies behind a link: not removed")
		}
	}
	if err := RemoveAll(filepath.Join(s.dir, i.Path)); err != nil {
		return fault.Inconclusivef(filepath.Join(s.dir, i.Path), "cannot be removed: %w", err)
	}
	return nil
}

// Wipe removes everything, the key of this user's results too.
func (s *Store) Wipe() error {
	if err := RemoveAll(s.dir); err != nil {
		return fault.Inconclusivef(s.dir, "cannot be removed: %w", err)
	}
	return nil
}

// Verify hashes every file that is kept. One that does not hold is removed, as it would be when it is used, and returned. Results, trees and
// clones are proved each time that they are used, from what only their users know; they are not looked at.
func (s *Store) Verify(ctx context.Context) (checked int, damaged []string, err error) {
	all, err := s.Blobs()
	if err != nil {
		return 0, nil, err
	}
	for _, sum := range all {
		if ctx.Err() != nil {
			return checked, damaged, ctx.Err()
		}
		f, err := s.OpenBlob(sum)
		switch {
		case err == nil:
			f.Close()
		case errors.Is(err, fs.ErrNotExist):
			continue // gone meanwhile
		case s.Has(sum):
			return checked, damaged, err // it cannot be read, which says nothing of it
		default:
			damaged = append(damaged, sum)
		}
		checked++
	}
	return checked, damaged, nil
}
