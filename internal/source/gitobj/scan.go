package gitobj

import (
	"cmp"
	"errors"
	"io/fs"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// scan lists the objects directory. A pack that is gone by the time it is opened was replaced by another one (git-repack(1)): the
// list is then made anew.
func (s *Store) scan() error {
	for attempt := 0; ; attempt++ {
		err := s.list()
		if !errors.Is(err, fs.ErrNotExist) || attempt == maxScanAttempts {
			return err
		}
	}
}

// rescan lists the objects directory again, unless somebody has done so since seen. It returns seen where nothing has changed, or
// where it was done too often.
func (s *Store) rescan(seen *view) (*view, error) {
	s.scanning.Lock()
	defer s.scanning.Unlock()
	if now := s.seen.Load(); now != seen {
		return now, nil
	}
	if s.rescans == maxRescans {
		return seen, nil
	}
	s.rescans++
	if err := s.scan(); err != nil {
		return nil, err
	}
	return s.seen.Load(), nil
}

// list reads which packs and fan-out directories are there now. Packs that are open already are kept. The view is replaced only
// if there is something in it that was not there before.
func (s *Store) list() error {
	old := s.seen.Load()
	next := &view{packs: slices.Clone(old.packs), loose: old.loose, lazy: old.lazy}
	names, err := readNames(s.root, ".", 1<<16)
	if err != nil {
		return fault.Inconclusivef("objects", "cannot be listed: %v", err)
	}
	changed := false
	for _, name := range names {
		if len(name) != 2 {
			continue
		}
		if b, ok := hexByte(name); ok && !next.loose[b] {
			next.loose[b], changed = true, true
		}
	}
	opened, err := s.openPacks(next)
	if err != nil {
		for _, p := range opened {
			p.file.Close()
			p.index.file.Close()
		}
		return err
	}
	if !changed && len(opened) == 0 && next.lazy == old.lazy {
		return nil
	}
	next.packs = append(next.packs, opened...)
	// most objects are in the largest pack
	slices.SortStableFunc(next.packs, func(a, b *pack) int { return cmp.Compare(b.index.count, a.index.count) })
	s.seen.Store(next)
	return nil
}

// openPacks opens the packs that are not in a view yet.
func (s *Store) openPacks(next *view) (opened []*pack, err error) {
	names, err := readNames(s.root, "pack", 8*maxPacks)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fault.Inconclusivef("objects/pack", "cannot be listed: %v", err)
	}
	slices.Sort(names)
	for _, name := range names {
		stem, ok := strings.CutSuffix(name, ".idx")
		if strings.HasSuffix(name, ".promisor") {
			next.lazy = true
		}
		_, there := slices.BinarySearch(names, stem+".pack")
		if !ok || !there || slices.ContainsFunc(next.packs, func(p *pack) bool { return p.stem == "pack/"+stem }) {
			continue
		}
		if len(next.packs)+len(opened) == maxPacks {
			return opened, fault.Failf("objects/pack", "more than %d packs: exceeds limit", maxPacks)
		}
		p, err := s.openPack("pack/" + stem)
		if err != nil {
			return opened, err
		}
		opened = append(opened, p)
	}
	return opened, nil
}
