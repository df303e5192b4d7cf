package gitobj

import (
	"bytes"
	"errors"
	"io/fs"
	"strconv"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// Reader reads and verifies objects. It is used by one goroutine, and keeps its buffers from one object to the next.
type Reader struct {
	s     *Store
	z     *inflater
	hash  *hasher
	near  window // where the caller reads
	far   window // where the bases of deltas lie
	out   []byte // the object that was read last
	arena []byte // deltas of the chain that is being resolved
	chain []link
}

// link is one delta of a chain: its place in the pack and its bytes in the arena.
type link struct{ offset, from, to int64 }

// window is a piece of a pack in memory.
type window struct {
	pack   *pack
	offset int64
	data   []byte
	buf    []byte
}

const firstRead = 4 << 10

// NewReader returns a reader of the store.
func (s *Store) NewReader() *Reader {
	return &Reader{s: s, z: new(inflater), hash: newHasher(s.format)}
}

// at returns the pack's bytes from offset on: at least n of them, unless the objects end before.
func (w *window) at(p *pack, offset, n int64) ([]byte, error) {
	if offset < packHeader || offset >= p.end {
		return nil, p.malformed("entry out of range")
	}
	n = min(n, p.end-offset)
	if skip := offset - w.offset; w.pack == p && skip >= 0 && skip+n <= int64(len(w.data)) {
		return w.data[skip:], nil
	}
	if int64(cap(w.buf)) < n {
		w.buf = make([]byte, n+n/4)
	}
	w.pack, w.offset, w.data = p, offset, w.buf[:n]
	if err := readFull(p.file, w.data, offset); err != nil {
		w.pack = nil
		return nil, p.malformed("changed or truncated while it was read")
	}
	return w.data, nil
}

// Read returns the object of that id, verified; it must be of that type. The bytes are valid until the next call.
func (r *Reader) Read(id ID, want Type) ([]byte, error) {
	at, err := r.s.Locate(id)
	if err != nil {
		return nil, err
	}
	return r.ReadAt(id, at, want, 0)
}

// ReadAny is Read for an object of any type.
func (r *Reader) ReadAny(id ID) (Type, []byte, error) {
	at, err := r.s.Locate(id)
	if err != nil {
		return 0, nil, err
	}
	return r.readAt(id, at, 0)
}

// ReadAt is Read for an object whose location is known. The caller that will read more objects behind this one says
// with ahead how many bytes from its location on it is going to want.
func (r *Reader) ReadAt(id ID, at Location, want Type, ahead int64) ([]byte, error) {
	t, data, err := r.readAt(id, at, ahead)
	if err == nil && t != want {
		return nil, fault.Failf(objectName(id), "is a %s, want a %s", t, want).WithCheck(CheckObjects)
	}
	return data, err
}

func (r *Reader) readAt(id ID, at Location, ahead int64) (t Type, data []byte, err error) {
	if at.pack == nil {
		t, data, err = r.readLoose(id)
		if errors.Is(err, fs.ErrNotExist) {
			// it was packed since it was found
			if at, err = r.s.Locate(id); err == nil && at.pack == nil {
				t, data, err = r.readLoose(id)
			}
		}
	}
	if at.pack != nil {
		t, data, err = r.packed(at.pack, at.offset, ahead)
	}
	if err != nil {
		return 0, nil, named(id, err)
	}
	if err := r.hash.check(id, t, data); err != nil {
		return 0, nil, err
	}
	if r.s.watch != nil {
		r.s.watch(id, t, data)
	}
	return t, data, nil
}

// named turns a decoder's error into a fault about the object.
func named(id ID, err error) error {
	var classified *fault.Error
	if errors.As(err, &classified) {
		return err
	}
	return fault.Failf(objectName(id), "%w", err).WithCheck(CheckObjects)
}

var errTooLarge = errors.New("exceeds limit")

// packed expands the entry at offset.
func (r *Reader) packed(p *pack, offset, ahead int64) (Type, []byte, error) {
	r.chain, r.arena = r.chain[:0], r.arena[:0]
	w, work := &r.near, int64(0)
	var kind Type
	var data []byte
	at := offset
	for {
		if t, cached, ok := r.s.bases.get(baseKey{p, at}); ok {
			kind, data = t, cached
			break
		}
		if len(r.chain) > 0 {
			w, ahead = &r.far, 0
		}
		e, stream, err := r.entry(w, p, at, ahead)
		if err != nil {
			return 0, nil, err
		}
		if work += e.size; e.size > maxObjectSize || work > maxChainBytes || len(r.chain) == maxChainDepth {
			return 0, nil, errTooLarge
		}
		if e.kind != offsetDelta && e.kind != refDelta {
			kind = e.kind
			data, err = r.expandBase(stream, e.size, len(r.chain) > 0)
			if err != nil {
				return 0, nil, err
			}
			if len(r.chain) > 0 {
				r.s.bases.put(baseKey{p, at}, kind, data)
			}
			break
		}
		from := int64(len(r.arena))
		if r.arena, err = r.expandTo(r.arena, stream, e.size); err != nil {
			return 0, nil, err
		}
		r.chain = append(r.chain, link{at, from, int64(len(r.arena))})
		at = e.base
	}
	data, err := r.applyChain(p, kind, data, work)
	return kind, data, err
}

// entry parses the header at offset and returns the bytes that follow it: as many as its stream can take.
func (r *Reader) entry(w *window, p *pack, offset, ahead int64) (entry, []byte, error) {
	b, err := w.at(p, offset, max(firstRead, ahead))
	if err != nil {
		return entry{}, nil, err
	}
	e, err := p.parseEntry(b[:min(len(b), maxEntryHeader)], offset)
	if err != nil {
		return entry{}, nil, err
	}
	if e.size > maxObjectSize {
		return entry{}, nil, errTooLarge
	}
	if e.data >= p.end {
		return entry{}, nil, p.malformed("truncated")
	}
	if e.size > (p.end-e.data)*maxExpansion {
		return entry{}, nil, errOutputFull
	}
	// no writer's stream is longer than a quarter more than what it holds
	need := e.size + e.size/4 + maxStreamExcess
	b, err = w.at(p, e.data, need)
	if err != nil {
		return entry{}, nil, err
	}
	return e, b, nil
}

// expandBase expands a stream into the reader's buffer, or into memory of its own if it is to be kept.
func (r *Reader) expandBase(stream []byte, size int64, keep bool) ([]byte, error) {
	if keep {
		data := make([]byte, size+outputSlack)
		_, err := r.z.zlib(data, stream, int(size))
		return data[:size], err
	}
	data, err := r.expandTo(r.out[:0], stream, size)
	r.out = data[:0]
	return data, err
}

// expandTo appends an expanded stream to dst.
func (r *Reader) expandTo(dst, stream []byte, size int64) ([]byte, error) {
	n := int64(len(dst))
	dst = grow(dst, n+size+outputSlack)
	_, err := r.z.zlib(dst[n:n+size+outputSlack], stream, int(size))
	return dst[:n+size], err
}

// grow returns b with room for size bytes, its content kept.
func grow(b []byte, size int64) []byte {
	if int64(cap(b)) >= size {
		return b[:cap(b)]
	}
	larger := make([]byte, size+size/4)
	copy(larger, b)
	return larger
}

// applyChain applies the deltas of the chain, the innermost last; what lies on the way is kept for others.
func (r *Reader) applyChain(p *pack, kind Type, data []byte, work int64) ([]byte, error) {
	for i := len(r.chain) - 1; i >= 0; i-- {
		l := r.chain[i]
		baseSize, size, ins, err := deltaSizes(r.arena[l.from:l.to])
		if err != nil {
			return nil, err
		}
		if baseSize != int64(len(data)) {
			return nil, errBaseSize
		}
		if work += size; size > maxObjectSize || work > maxChainBytes {
			return nil, errTooLarge
		}
		var out []byte
		if i > 0 {
			out = make([]byte, size)
		} else {
			r.out = grow(r.out[:0], size)
			out = r.out[:size]
		}
		if err := applyDelta(out, data, ins); err != nil {
			return nil, err
		}
		if i > 0 {
			r.s.bases.put(baseKey{p, l.offset}, kind, out)
		}
		data = out
	}
	return data, nil
}

// readLoose expands a loose object.
func (r *Reader) readLoose(id ID) (Type, []byte, error) {
	f, size, err := openRegular(r.s.root, looseName(id))
	if err != nil {
		return 0, nil, unreadable("objects/"+looseName(id), err)
	}
	defer f.Close()
	if size > maxLooseFile {
		return 0, nil, errTooLarge
	}
	r.near.pack = nil
	r.near.buf = grow(r.near.buf[:0], size)
	raw := r.near.buf[:size]
	if err := readFull(f, raw, 0); err != nil {
		return 0, nil, errors.New("changed or truncated while it was read")
	}
	var head [maxLooseHeader + outputSlack]byte
	n, err := r.z.prefix(head[:], raw, maxLooseHeader)
	if err != nil {
		return 0, nil, err
	}
	kind, headerSize, length, err := looseHeader(head[:n])
	if err != nil {
		return 0, nil, err
	}
	total := int64(headerSize) + length
	if total > size*maxExpansion {
		return 0, nil, errOutputFull
	}
	r.out = grow(r.out[:0], total+outputSlack)
	used, err := r.z.zlib(r.out[:total+outputSlack], raw, int(total))
	if err != nil {
		return 0, nil, err
	}
	if used != len(raw) {
		return 0, nil, errors.New("trailing data")
	}
	return kind, r.out[headerSize:total], nil
}

// looseHeader reads "type size NUL".
func looseHeader(b []byte) (t Type, header int, size int64, err error) {
	bad := errors.New("malformed object header")
	nul := bytes.IndexByte(b, 0)
	space := bytes.IndexByte(b, ' ')
	if nul < 0 || space < 0 || space > nul {
		return 0, 0, 0, bad
	}
	digits := b[space+1 : nul]
	t = typeOf(b[:space])
	if t == 0 || len(digits) == 0 || (digits[0] == '0' && len(digits) > 1) {
		return 0, 0, 0, bad
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, 0, 0, bad
		}
	}
	size, err = strconv.ParseInt(string(digits), 10, 64)
	if err != nil || size > maxObjectSize {
		return 0, 0, 0, errTooLarge
	}
	return t, nul + 1, size, nil
}
