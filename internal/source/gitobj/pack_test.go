package gitobj

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"encoding/binary"
	"slices"
)

// packWriter makes packs and their indexes, right or wrong.
type packWriter struct {
	body    bytes.Buffer
	entries []packed
}

func newPackWriter() *packWriter {
	w := &packWriter{}
	w.body.WriteString("PACK\x00\x00\x00\x02\x00\x00\x00\x00")
	return w
}

func deflated(data []byte) []byte {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	z.Write(data)
	z.Close()
	return b.Bytes()
}

func entryHeader(kind int, size int) []byte {
	b := []byte{byte(kind<<4 | size&15)}
	for size >>= 4; size > 0; size >>= 7 {
		b[len(b)-1] |= 0x80
		b = append(b, byte(size&0x7f))
	}
	return b
}

// raw adds an entry as it is, under an id, and returns its offset.
func (w *packWriter) raw(id ID, parts ...[]byte) int64 {
	at := int64(w.body.Len())
	for _, p := range parts {
		w.body.Write(p)
	}
	w.entries = append(w.entries, packed{id: id, offset: at})
	return at
}

func (w *packWriter) object(t Type, data string) (ID, int64) {
	id, _ := HashObject(SHA1, t, []byte(data))
	return id, w.raw(id, entryHeader(int(t), len(data)), deflated([]byte(data)))
}

func offsetBytes(back int64) []byte {
	b := []byte{byte(back & 0x7f)}
	for back >>= 7; back > 0; back >>= 7 {
		back--
		b = append([]byte{byte(back&0x7f | 0x80)}, b...)
	}
	return b
}

// onOffset adds a delta upon the entry at base, for the blob that results.
func (w *packWriter) onOffset(base int64, delta []byte, result string) ID {
	id, _ := HashObject(SHA1, Blob, []byte(result))
	w.raw(id, entryHeader(offsetDelta, len(delta)), offsetBytes(int64(w.body.Len())-base), deflated(delta))
	return id
}

func (w *packWriter) onID(base ID, delta []byte, result string) ID {
	id, _ := HashObject(SHA1, Blob, []byte(result))
	w.raw(id, entryHeader(refDelta, len(delta)), base.raw[:base.n], deflated(delta))
	return id
}

func varint(n int) []byte {
	var b []byte
	for ; n >= 0x80; n >>= 7 {
		b = append(b, byte(n|0x80))
	}
	return append(b, byte(n))
}

// delta makes a delta with literal instructions only.
func delta(base int, result string) []byte {
	out := append(varint(base), varint(len(result))...)
	for len(result) > 0 {
		n := min(len(result), 127)
		out = append(append(out, byte(n)), result[:n]...)
		result = result[n:]
	}
	return out
}

// finish returns the pack and its index.
func (w *packWriter) finish() (pack, index []byte) {
	pack = bytes.Clone(w.body.Bytes())
	binary.BigEndian.PutUint32(pack[8:], uint32(len(w.entries)))
	sum := sha1.Sum(pack)
	pack = append(pack, sum[:]...)
	in := &ingest{format: SHA1, entries: slices.Clone(w.entries), trailer: sum[:]}
	return pack, in.index()
}

func (w *packWriter) deltaOn(id ID, base int64, d []byte) {
	w.raw(id, entryHeader(offsetDelta, len(d)), offsetBytes(int64(w.body.Len())-base), deflated(d))
}
