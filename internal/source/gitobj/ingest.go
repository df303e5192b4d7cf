package gitobj

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash"
	"hash/crc32"
	"io"
	"os"
	"slices"

	"crypto/sha1"
	"crypto/sha256"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// Ingest stores a pack that a server sent in an objects directory and writes its index, as git-index-pack(1) does. The
// pack must be complete in itself. Its bytes are as hostile as any other: nothing of what they announce is believed.
// Nothing is left behind when it fails, and the index, which makes the pack visible, comes last.
func Ingest(ctx context.Context, root *os.Root, format Format, r io.Reader, limit int64) error {
	if err := root.MkdirAll("pack", 0o700); err != nil {
		return unwritable(err)
	}
	const incoming = "pack/incoming.tmp" // the caller holds the lock of the store
	if err := root.Remove(incoming); err != nil && !os.IsNotExist(err) {
		return unwritable(err)
	}
	f, err := root.OpenFile(incoming, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return unwritable(err)
	}
	defer root.Remove(incoming)
	defer f.Close()
	in := &ingest{ctx: ctx, format: format, hash: newHasher(format), where: make(map[ID]int64)}
	if err := in.receive(f, r, limit); err != nil {
		return err
	}
	if in.count == 0 {
		return nil
	}
	if err := in.scan(); err != nil {
		return err
	}
	if err := in.resolve(); err != nil {
		return err
	}
	return in.publish(root, incoming)
}

func unwritable(err error) error {
	return fault.Inconclusivef("objects", "cannot be written: %w", err).WithCheck(CheckObjects)
}

// ingest is one pack on its way into the store.
type ingest struct {
	ctx     context.Context
	format  Format
	hash    *hasher
	pack    *pack
	count   uint32
	trailer []byte
	entries []packed
	where   map[ID]int64
	later   []int // deltas upon an id that was not known yet
}

// packed is one object of the pack.
type packed struct {
	id     ID
	offset int64
	crc    uint32
}

func packHash(f Format) hash.Hash {
	if f == SHA256 {
		return sha256.New()
	}
	return sha1.New() // a checksum of the transfer only: objects are named with collision detection
}

// receive writes the stream to f and checks its trailer.
func (in *ingest) receive(f *os.File, r io.Reader, limit int64) error {
	const name = "received pack"
	size, err := io.Copy(f, io.LimitReader(&cancelled{in.ctx, r}, limit+1))
	if err != nil {
		return fault.Inconclusivef(name, "transfer broke off: %w", err).WithCheck(CheckObjects)
	}
	if size > limit {
		return fault.Failf(name, "exceeds limit: more than %d bytes", limit).WithCheck(CheckObjects)
	}
	n := int64(in.format.Size())
	in.pack = &pack{name: name, file: f, end: size - n, ids: int(n)}
	in.pack.find = func(id ID) (int64, bool, error) {
		at, ok := in.where[id]
		return at, ok, nil
	}
	if in.count, err = in.pack.header(); err != nil {
		return err
	}
	if in.count > maxPackObjects || int64(in.count) > size {
		return fault.Failf(name, "%d objects: exceeds limit", in.count).WithCheck(CheckObjects)
	}
	h := packHash(in.format)
	if _, err := io.Copy(h, io.NewSectionReader(f, 0, in.pack.end)); err != nil {
		return unwritable(err)
	}
	in.trailer = make([]byte, n)
	if err := readFull(f, in.trailer, in.pack.end); err != nil {
		return unwritable(err)
	}
	if !bytes.Equal(in.trailer, h.Sum(nil)) {
		return in.pack.malformed("checksum differs")
	}
	return nil
}

// cancelled ends a reader with its context.
type cancelled struct {
	ctx context.Context
	r   io.Reader
}

func (c *cancelled) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// scan walks from entry to entry, and names the objects that are no deltas.
func (in *ingest) scan() error {
	r := &Reader{s: &Store{format: in.format, bases: newBaseCache()}, z: new(inflater), hash: in.hash}
	at := int64(packHeader)
	for i := uint32(0); i < in.count; i++ {
		if i&0xff == 0 && in.ctx.Err() != nil {
			return in.ctx.Err()
		}
		e, used, err := r.scanEntry(in.pack, at)
		if err != nil {
			return err
		}
		p := packed{offset: at}
		if e.kind != offsetDelta && e.kind != refDelta {
			var collision bool
			if p.id, collision = in.hash.id(e.kind, r.out[:e.size]); collision {
				return fault.Failf(objectName(p.id), "collision attack detected").WithCheck(CheckObjects)
			}
			if err := in.name(p); err != nil {
				return err
			}
		} else {
			in.later = append(in.later, len(in.entries))
		}
		raw, err := r.near.at(in.pack, at, used)
		if err != nil {
			return err
		}
		p.crc = crc32.ChecksumIEEE(raw[:used])
		in.entries = append(in.entries, p)
		at += used
	}
	if at != in.pack.end {
		return in.pack.malformed("trailing data")
	}
	return nil
}

// scanEntry expands the stream of one entry into r.out, and returns how long the entry is.
func (r *Reader) scanEntry(p *pack, at int64) (entry, int64, error) {
	b, err := r.near.at(p, at, maxAheadOfScan)
	if err != nil {
		return entry{}, 0, err
	}
	e, err := p.parseEntry(b[:min(len(b), maxEntryHeader)], at)
	// a base that is named by its id may come later
	if err != nil && !errors.Is(err, errNoBase) {
		return e, 0, err
	}
	if e.size > maxObjectSize {
		return e, 0, fault.Failf(p.name, "object of %d bytes: exceeds limit %d", e.size, maxObjectSize).WithCheck(CheckObjects)
	}
	if e.size > (p.end-e.data)*maxExpansion {
		return e, 0, p.malformed(errOutputFull.Error())
	}
	need := e.data - at + e.size + e.size/4 + maxStreamExcess
	if b, err = r.near.at(p, at, need); err != nil {
		return e, 0, err
	}
	r.out = grow(r.out[:0], e.size+outputSlack)
	used, err := r.z.zlib(r.out[:e.size+outputSlack], b[min(int64(len(b)), e.data-at):], int(e.size))
	if err != nil {
		return e, 0, p.malformed(err.Error())
	}
	return e, e.data - at + int64(used), nil
}

// maxAheadOfScan is how much of a received pack is read at a time.
const maxAheadOfScan = 256 << 10

// name notes where an object lies.
func (in *ingest) name(p packed) error {
	if _, twice := in.where[p.id]; twice {
		return in.pack.malformed("object " + p.id.String() + " twice")
	}
	in.where[p.id] = p.offset
	return nil
}

// resolve builds the objects that are deltas, in the order in which they lie; those upon an id that is itself a delta
// further behind are tried again, as long as that helps.
func (in *ingest) resolve() error {
	r := &Reader{s: &Store{format: in.format, bases: newBaseCache()}, z: new(inflater), hash: in.hash}
	for round := 0; len(in.later) > 0; round++ {
		var again []int
		var last error
		for n, i := range in.later {
			if n&0xff == 0 && in.ctx.Err() != nil {
				return in.ctx.Err()
			}
			p := &in.entries[i]
			kind, data, err := r.packed(in.pack, p.offset, maxAheadOfScan)
			if errors.Is(err, errNoBase) {
				again, last = append(again, i), err
				continue
			}
			if err != nil {
				return in.pack.malformed(err.Error())
			}
			id, collision := in.hash.id(kind, data)
			if collision {
				return fault.Failf(objectName(id), "collision attack detected").WithCheck(CheckObjects)
			}
			p.id = id
			if err := in.name(*p); err != nil {
				return err
			}
		}
		if len(again) == len(in.later) || round == maxResolveRounds {
			return last
		}
		in.later = again
	}
	return nil
}

// publish writes the index and gives both files their names.
func (in *ingest) publish(root *os.Root, incoming string) error {
	index := in.index()
	stem := "pack/pack-" + hex.EncodeToString(in.trailer)
	const temporary = "pack/incoming-idx.tmp"
	defer root.Remove(temporary)
	if err := root.WriteFile(temporary, index, 0o400); err != nil {
		return unwritable(err)
	}
	if err := root.Rename(incoming, stem+".pack"); err != nil {
		return unwritable(err)
	}
	if err := root.Rename(temporary, stem+".idx"); err != nil {
		return unwritable(err)
	}
	return nil
}

// index returns the bytes of an index, version 2.
func (in *ingest) index() []byte {
	slices.SortFunc(in.entries, func(a, b packed) int { return a.id.Compare(b.id) })
	var out bytes.Buffer
	out.WriteString("\xfftOc\x00\x00\x00\x02")
	var word [8]byte
	put32 := func(v uint32) {
		binary.BigEndian.PutUint32(word[:4], v)
		out.Write(word[:4])
	}
	next := 0
	for first := range 256 {
		for next < len(in.entries) && int(in.entries[next].id.raw[0]) <= first {
			next++
		}
		put32(uint32(next))
	}
	for i := range in.entries {
		e := &in.entries[i]
		out.Write(e.id.raw[:e.id.n])
	}
	for _, e := range in.entries {
		put32(e.crc)
	}
	var large []int64
	for _, e := range in.entries {
		if e.offset < 1<<31 {
			put32(uint32(e.offset))
			continue
		}
		put32(1<<31 | uint32(len(large)))
		large = append(large, e.offset)
	}
	for _, off := range large {
		binary.BigEndian.PutUint64(word[:], uint64(off))
		out.Write(word[:])
	}
	out.Write(in.trailer)
	h := packHash(in.format)
	h.Write(out.Bytes())
	return h.Sum(out.Bytes())
}
