package gitobj

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// CheckObjects is the check that every fault about an object's bytes decides.
const CheckObjects = "source.objects"

// Store is the object store of one repository. It is safe for use by several goroutines, each with its own Reader.
type Store struct {
	root   *os.Root // the objects directory
	format Format
	seen   atomic.Pointer[view]
	bases  *baseCache
	held   atomic.Int64 // index memory
	watch  func(ID, Type, []byte)

	scanning sync.Mutex
	rescans  int

	readers sync.Pool
}

// view is what an objects directory held when it was listed. A store that is repacked meanwhile is listed again; packs that were
// opened stay open until the store is closed, whether they still have a name or not.
type view struct {
	packs []*pack
	loose [256]bool // which fan-out directories are there
	lazy  bool      // a pack says that objects may be left out (partial clone)
}

// Open reads which packs and fan-out directories an objects directory holds. The store owns root from then on.
func Open(root *os.Root, format Format) (*Store, error) {
	if format.Size() == 0 {
		return nil, fault.Inconclusivef("repository", "object format unsupported")
	}
	s := &Store{root: root, format: format, bases: newBaseCache()}
	s.readers.New = func() any { return s.NewReader() }
	s.seen.Store(new(view))
	if err := s.scan(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Format returns the object format of the repository.
func (s *Store) Format() Format { return s.format }

// Partial tells whether the store is a partial clone, from which objects are missing by design.
func (s *Store) Partial() bool { return s.seen.Load().lazy }

// Close closes every file.
func (s *Store) Close() error {
	var errs []error
	for _, p := range s.seen.Load().packs {
		errs = append(errs, p.file.Close(), p.index.file.Close())
	}
	errs = append(errs, s.root.Close())
	return errors.Join(errs...)
}

func (s *Store) openPack(stem string) (*pack, error) {
	f, size, err := openRegular(s.root, stem+".pack")
	if err != nil {
		return nil, unreadable(stem+".pack", err)
	}
	xf, xsize, err := openRegular(s.root, stem+".idx")
	if err != nil {
		f.Close()
		return nil, unreadable(stem+".idx", err)
	}
	x, err := openIndex(fault.Quote(stem+".idx"), xf, xsize, s.format, &s.held)
	if err == nil {
		var p *pack
		if p, err = newPack(fault.Quote(stem+".pack"), f, size, x); err == nil {
			p.stem = stem
			return p, nil
		}
	}
	f.Close()
	xf.Close()
	return nil, err
}

func unreadable(name string, err error) error {
	return fault.Inconclusivef(fault.Quote(name), "cannot be opened: %w", err)
}

// openRegular opens a file that must be a regular one, without ever waiting for a FIFO.
func openRegular(root *os.Root, name string) (*os.File, int64, error) {
	f, err := root.OpenFile(name, os.O_RDONLY|nonBlocking, 0)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// readNames lists a directory of at most limit entries.
func readNames(root *os.Root, dir string, limit int) ([]string, error) {
	f, err := root.OpenFile(dir, os.O_RDONLY|nonBlocking, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.Readdirnames(limit)
	if err != nil && err != io.EOF {
		return nil, err
	}
	if len(names) == limit {
		return nil, errors.New("too many entries: exceeds limit")
	}
	return names, nil
}

func hexByte(s string) (byte, bool) {
	const digits = "0123456789abcdef"
	hi, lo := strings.IndexByte(digits, s[0]), strings.IndexByte(digits, s[1])
	return byte(hi<<4 | lo&15), hi >= 0 && lo >= 0
}

// readFull fills b from f at off; a file that ends before is an error.
func readFull(f *os.File, b []byte, off int64) error {
	if len(b) == 0 {
		return nil
	}
	n, err := f.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// Location says where an object lies. The zero Location is nowhere.
type Location struct {
	pack   *pack
	offset int64
	loose  bool
}

// Compare orders locations so that reading in that order is cheapest: by pack and offset, loose objects last.
func (l Location) Compare(other Location) int {
	if l.pack != other.pack {
		switch {
		case l.pack == nil:
			return 1
		case other.pack == nil:
			return -1
		}
		return cmp.Compare(l.pack.name, other.pack.name)
	}
	return cmp.Compare(l.offset, other.offset)
}

// Distance returns how far other lies behind l in the same pack, or -1.
func (l Location) Distance(other Location) int64 {
	if l.pack == nil || l.pack != other.pack || other.offset < l.offset {
		return -1
	}
	return other.offset - l.offset
}

// Packed tells whether the object lies in a pack.
func (l Location) Packed() bool { return l.pack != nil }

// Locate finds an object. Packs are asked first, as git does. An object that is not there gives an error for which
// errors.Is(err, fs.ErrNotExist) holds.
func (s *Store) Locate(id ID) (Location, error) {
	seen := s.seen.Load()
	for {
		at, err := s.locate(seen, id)
		if err != nil || at != (Location{}) {
			return at, err
		}
		// somebody may have repacked the store since it was listed
		again, err := s.rescan(seen)
		if err != nil {
			return at, err
		}
		if again == seen {
			return at, s.missing(id, seen)
		}
		seen = again
	}
}

// locate finds an object in what was listed; the zero Location is nowhere.
func (s *Store) locate(seen *view, id ID) (Location, error) {
	if id.Format() != s.format {
		return Location{}, nil
	}
	for _, p := range seen.packs {
		off, ok, err := p.index.find(id)
		if err != nil {
			return Location{}, err
		}
		if ok {
			return Location{pack: p, offset: off}, nil
		}
	}
	if seen.loose[id.raw[0]] {
		if _, err := s.root.Lstat(looseName(id)); err == nil {
			return Location{loose: true}, nil
		}
	}
	return Location{}, nil
}

func (s *Store) missing(id ID, seen *view) error {
	err := fault.Inconclusivef(objectName(id), "not found: %w", fs.ErrNotExist).WithCheck(CheckObjects)
	err.Reason = "not found in the repository"
	if seen.lazy {
		return err.WithHint("the repository is a partial clone; fetch the rest: git fetch --refetch --no-filter")
	}
	return err
}

func looseName(id ID) string {
	name := id.String()
	return name[:2] + "/" + name[2:]
}

// Read returns a verified object of that type in memory of the caller's own.
func (s *Store) Read(id ID, want Type) ([]byte, error) {
	r := s.readers.Get().(*Reader)
	defer s.readers.Put(r)
	data, err := r.Read(id, want)
	if err != nil {
		return nil, err
	}
	return slices.Clone(data), nil
}

// TypeOf returns the type of a verified object, and its bytes in memory of the caller's own.
func (s *Store) TypeOf(id ID) (Type, []byte, error) {
	r := s.readers.Get().(*Reader)
	defer s.readers.Put(r)
	t, data, err := r.ReadAny(id)
	if err != nil {
		return 0, nil, err
	}
	return t, slices.Clone(data), nil
}
