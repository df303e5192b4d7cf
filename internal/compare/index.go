package compare

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"
)

// An index of a toolchain has twelve thousand places and is read at every rebuild, so that it has a form of its own: a count,
// then for each key its text, a count of places, and their three texts. Every text has its length before it.

var errIndex = errors.New("malformed index")

// MarshalBinary writes the index; equal ones are equal bytes.
func (x *Index) MarshalBinary() ([]byte, error) {
	b := binary.AppendUvarint(nil, uint64(len(x.Places)))
	text := func(s string) { b = append(binary.AppendUvarint(b, uint64(len(s))), s...) }
	for _, key := range slices.Sorted(maps.Keys(x.Places)) {
		text(key)
		b = binary.AppendUvarint(b, uint64(len(x.Places[key])))
		for _, p := range x.Places[key] {
			text(string(p.Origin))
			text(p.Input)
			text(p.Member)
		}
	}
	return b, nil
}

// UnmarshalBinary reads what MarshalBinary wrote. Counts are held against what is left, of which everything takes at least
// a byte.
func (x *Index) UnmarshalBinary(data []byte) error {
	r := indexReader{rest: string(data)} // one text, of which every other is a part
	n := r.count()
	places := make(map[string][]Place, n)
	all := make([]Place, 0, n)
	for range n {
		key, count := r.text(), r.count()
		first := len(all)
		for range count {
			all = append(all, Place{Origin(r.text()), r.text(), r.text()})
		}
		places[key] = all[first:len(all):len(all)]
	}
	if r.failed || r.rest != "" {
		return errIndex
	}
	x.Places = places
	return nil
}

type indexReader struct {
	rest   string
	failed bool
}

func (r *indexReader) count() int {
	var n uint64
	for shift := 0; shift < 35; shift += 7 {
		if r.rest == "" {
			break
		}
		c := r.rest[0]
		r.rest = r.rest[1:]
		n |= uint64(c&0x7f) << shift
		if c < 0x80 {
			if n > uint64(len(r.rest)) {
				break
			}
			return int(n)
		}
	}
	r.rest, r.failed = "", true
	return 0
}

func (r *indexReader) text() string {
	n := r.count()
	s := r.rest[:n]
	r.rest = r.rest[n:]
	return s
}
