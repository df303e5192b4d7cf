package kit

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/remote"
	"github.com/glassbuild/glassbuild/internal/store"
)

// entry is what a shelf knows of a name.
type entry struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256,omitempty"`
	Size   int64  `json:"size,omitempty"`
	Absent bool   `json:"absent,omitempty"`
}

// Shelf returns the fetched files of a kit, to stand in the place of the network. Their bytes are in blobs.
func (d *Document) Shelf(blobs *store.Store) remote.Shelf {
	s := &sealed{blobs: blobs, names: make(map[string]entry)}
	for _, f := range d.Of(Fetched) {
		s.names[f.Name] = entry{Name: f.Name, SHA256: f.SHA256, Size: f.Size}
	}
	for _, name := range d.Absent {
		s.names[name] = entry{Name: name, Absent: true}
	}
	return s
}

type sealed struct {
	blobs *store.Store
	names map[string]entry
}

func (s *sealed) Open(name string) (io.ReadCloser, error) { return openEntry(s.blobs, s.names, name) }

func (s *sealed) Keep(_ string, body io.ReadCloser) io.ReadCloser { return body }
func (s *sealed) KeepAbsent(string) error                         { return nil }
func (s *sealed) Sealed() bool                                    { return true }

func openEntry(blobs *store.Store, names map[string]entry, name string) (io.ReadCloser, error) {
	e, ok := names[name]
	switch {
	case !ok:
		return nil, fs.ErrNotExist
	case e.Absent:
		return nil, remote.ErrAbsent
	}
	f, err := blobs.OpenBlob(e.SHA256)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Inconclusivef(fault.Quote(name), "its bytes are not in the kit")
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Filler is a shelf that is being filled: what servers send is put into a store, and its names are written down as they come, so
// that a packing that was interrupted goes on where it was. It is safe for concurrent use.
type Filler struct {
	ctx     context.Context
	blobs   *store.Store
	journal *os.File

	mu    sync.Mutex
	names map[string]entry
}

// NewFiller returns a shelf that keeps bytes in blobs and names in the file at path, which it reads first.
func NewFiller(ctx context.Context, blobs *store.Store, path string) (*Filler, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fault.Inconclusivef(fault.Quote(path), "cannot be written: %w", bare(err))
	}
	s := &Filler{ctx: ctx, blobs: blobs, journal: f, names: make(map[string]entry)}
	lines := bufio.NewScanner(io.LimitReader(f, maxJournal))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e entry
		// the last line may be half written
		if json.Unmarshal(lines.Bytes(), &e) == nil && (e.Absent || blobs.Has(e.SHA256)) {
			s.names[e.Name] = e
		}
	}
	if _, err := f.WriteString("\n"); err != nil {
		f.Close()
		return nil, fault.Inconclusivef(fault.Quote(path), "cannot be written: %w", bare(err))
	}
	return s, nil
}

// Close closes the journal.
func (s *Filler) Close() error { return s.journal.Close() }

// Open implements remote.Shelf.
func (s *Filler) Open(name string) (io.ReadCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return openEntry(s.blobs, s.names, name)
}

// Sealed implements remote.Shelf.
func (s *Filler) Sealed() bool { return false }

// KeepAbsent implements remote.Shelf.
func (s *Filler) KeepAbsent(name string) error { return s.note(entry{Name: name, Absent: true}) }

// Keep implements remote.Shelf.
func (s *Filler) Keep(name string, body io.ReadCloser) io.ReadCloser {
	r, w := io.Pipe()
	k := &keeping{body: body, name: name, shelf: s, pipe: w, done: make(chan struct{})}
	go func() {
		defer close(k.done)
		k.blob, k.err = s.blobs.Put(s.ctx, r, MaxBlob)
		r.CloseWithError(fmt.Errorf("%s is not kept", fault.Quote(name)))
	}()
	return k
}

// keeping copies a body into the store while it is read.
type keeping struct {
	body  io.ReadCloser
	name  string
	shelf *Filler
	pipe  *io.PipeWriter
	done  chan struct{}
	blob  store.Blob
	err   error
	ended bool
}

// Read implements io.Reader.
func (k *keeping) Read(p []byte) (int, error) {
	n, err := k.body.Read(p)
	if _, werr := k.pipe.Write(p[:n]); werr != nil && n > 0 && !k.ended {
		return n, errors.Join(k.finish(werr), werr)
	}
	if err == io.EOF && !k.ended {
		if kerr := k.finish(nil); kerr != nil {
			return n, kerr
		}
	}
	return n, err
}

// finish ends the copy, and writes the name down where everything was read.
func (k *keeping) finish(err error) error {
	k.ended = true
	k.pipe.CloseWithError(err)
	<-k.done
	if err != nil || k.err != nil {
		return k.err
	}
	return k.shelf.note(entry{Name: k.name, SHA256: k.blob.SHA256, Size: k.blob.Size})
}

// Close implements io.Closer.
func (k *keeping) Close() error {
	if !k.ended {
		k.finish(errors.New("not read to its end"))
	}
	return k.body.Close()
}

func (s *Filler) note(e entry) error {
	line, err := json.Marshal(e)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		_, err = s.journal.Write(append(line, '\n'))
	}
	if err != nil {
		return fault.Inconclusivef("kit", "what was fetched cannot be written down: %w", bare(err))
	}
	s.names[e.Name] = e
	return nil
}

// Fill writes down in d what was fetched.
func (s *Filler) Fill(d *Document) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.names {
		if e.Absent {
			d.Absent = append(d.Absent, e.Name)
			continue
		}
		d.Files = append(d.Files, File{Kind: Fetched, Name: e.Name, SHA256: e.SHA256, Size: e.Size})
	}
	slices.Sort(d.Absent)
}

func bare(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
