package gitobj

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"slices"
	"sync"

	"github.com/klauspost/compress/zlib"
)

// PackWriter collects objects and writes them as a pack (gitformat-pack(5)): whole objects, no deltas, in an order that follows
// from the objects alone, so that the same objects give the same bytes. It is safe for use by several goroutines.
type PackWriter struct {
	mu      sync.Mutex
	spool   *os.File
	format  Format
	at      int64
	entries map[ID]spooled
	err     error
	buf     bytes.Buffer
	z       *zlib.Writer
}

// spooled is one entry on its way into the pack: where in the spool it lies.
type spooled struct {
	kind         Type
	offset, size int64
}

// NewPackWriter returns a writer that keeps what it collects in spool, a new file that is the writer's alone.
func NewPackWriter(spool *os.File, format Format) *PackWriter {
	w := &PackWriter{spool: spool, format: format, entries: make(map[ID]spooled)}
	w.z, w.err = zlib.NewWriterLevel(&w.buf, zlib.BestSpeed)
	return w
}

// Add takes an object in. Its id must be the object's: whoever reads the pack computes it anew. What goes wrong is said by WriteTo.
func (w *PackWriter) Add(id ID, t Type, data []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, known := w.entries[id]; known || w.err != nil {
		return
	}
	w.buf.Reset()
	w.buf.Write(headerOf(t, int64(len(data))))
	w.z.Reset(&w.buf)
	_, err := w.z.Write(data)
	if err = errors.Join(err, w.z.Close()); err == nil {
		_, err = w.spool.WriteAt(w.buf.Bytes(), w.at)
	}
	if err != nil {
		w.err = unwritable(err)
		return
	}
	w.entries[id] = spooled{t, w.at, int64(w.buf.Len())}
	w.at += int64(w.buf.Len())
}

// headerOf is type and size of an entry: four bits of the size, then seven in each byte that follows.
func headerOf(t Type, size int64) []byte {
	b := byte(t)<<4 | byte(size&15)
	var out []byte
	for size >>= 4; size > 0; size >>= 7 {
		out = append(out, b|0x80)
		b = byte(size & 0x7f)
	}
	return append(out, b)
}

// Count returns how many objects were taken in.
func (w *PackWriter) Count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.entries)
}

// WriteTo writes the pack: commits, tags, trees, blobs, each sorted by id.
func (w *PackWriter) WriteTo(out io.Writer) (int64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return 0, w.err
	}
	ids := make([]ID, 0, len(w.entries))
	for id := range w.entries {
		ids = append(ids, id)
	}
	rank := map[Type]int{Commit: 0, Tag: 1, Tree: 2, Blob: 3}
	slices.SortFunc(ids, func(a, b ID) int {
		return cmp.Or(cmp.Compare(rank[w.entries[a].kind], rank[w.entries[b].kind]), a.Compare(b))
	})
	h := packHash(w.format)
	to := io.MultiWriter(out, h)
	head := binary.BigEndian.AppendUint32([]byte("PACK\x00\x00\x00\x02"), uint32(len(ids)))
	n, err := to.Write(head)
	written := int64(n)
	for _, id := range ids {
		if err != nil {
			break
		}
		var m int64
		e := w.entries[id]
		m, err = io.Copy(to, io.NewSectionReader(w.spool, e.offset, e.size))
		written += m
	}
	if err == nil {
		n, err = out.Write(h.Sum(nil))
		written += int64(n)
	}
	if err != nil {
		return written, unwritable(err)
	}
	return written, nil
}

// Watch lets f see every object that is read from now on, after it was verified. The bytes are valid during the call. It is set
// before the store is used.
func (s *Store) Watch(f func(id ID, t Type, data []byte)) { s.watch = f }
