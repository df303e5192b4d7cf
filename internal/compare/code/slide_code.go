package code

import (
	"bytes"
	"encoding/binary"
)

// code compares all code. Where nothing moved the same bytes mean the same.
func (s *slide) code() bool {
	if s.calm && len(s.odd) == 0 {
		for i := range s.a.sections {
			if x := &s.a.sections[i]; x.code && !bytes.Equal(x.data, s.b.sections[s.to[i]].data) {
				return false
			}
		}
		return true
	}
	lo, hi, still := s.region()
	o := &objects{m: s.a, silent: true}
	var refs []ref
	at := -1
	for i := range s.a.functions {
		f := &s.a.functions[i]
		if at < 0 || f.entry-s.a.sections[at].addr >= s.a.sections[at].size {
			at = s.section(f.entry)
		}
		if f.stub {
			continue
		}
		x, y := s.a.body(f), s.b.body(&s.b.functions[i])
		if still && bytes.Equal(x, y) && !reaches(x, f.entry, lo, hi) {
			continue
		}
		refs = o.scan(f, x, refs[:0])
		if !s.function(x, y, refs, f.entry, at) {
			return false
		}
	}
	return true
}

// region returns between which addresses everything lies that moved or is odd. It reports false where code moved.
func (s *slide) region() (lo, hi uint64, still bool) {
	lo = ^uint64(0)
	add := func(from, to uint64) { lo, hi = min(lo, from), max(hi, to) }
	for i := range s.a.sections {
		if x := &s.a.sections[i]; s.to[i] < 0 || s.shift[i] != 0 {
			if add(x.addr, x.addr+x.size+1); x.code {
				return 0, 0, false
			}
		}
	}
	for _, r := range s.odd {
		add(s.a.sections[r.sect].addr+uint64(r.from), s.a.sections[r.sect].addr+uint64(r.to))
	}
	return lo, hi, lo < hi
}

// reaches tells whether code may refer to data between two addresses: whether somewhere in it, an instruction or not, the bytes of such a
// reference stand. Where it does not, equal bytes mean the same, and nothing has to be decoded.
func reaches(x []byte, entry, lo, hi uint64) bool {
	const longestImmediate = 4 // behind the distance, which counts from the end of the instruction
	lo -= longestImmediate
	for k := 0; k+5 <= len(x); k++ {
		if x[k]&0xc7 != 0x05 { // ModRM of an operand relative to the next instruction
			continue
		}
		to := entry + uint64(k) + 5 + uint64(int64(int32(binary.LittleEndian.Uint32(x[k+1:]))))
		if to-lo < hi-lo {
			return true
		}
	}
	return false
}

// function compares the code of one function in section sect: all of it but the distances of references, and those by where they lead.
func (s *slide) function(x, y []byte, refs []ref, entry uint64, sect int) bool {
	if len(x) != len(y) {
		return false
	}
	own := &s.a.sections[sect]
	at := 0
	for i := range refs {
		r := &refs[i]
		k := sect
		if r.to-own.addr >= own.size {
			if k = s.section(r.to); k < 0 || s.to[k] < 0 {
				return false
			}
		}
		delta := uint32(s.shift[k] - s.shift[sect])
		u, v := binary.LittleEndian.Uint32(x[r.at:]), binary.LittleEndian.Uint32(y[r.at:])
		if delta == 0 && u == v && len(s.odd) == 0 {
			continue
		}
		if v-u != delta || k != sect && s.in(r.to) != nil {
			if s.a.sections[k].code || !s.reached(pair{r.to, r.to + s.shift[k] + uint64(int64(int32(v-u-delta)))}) {
				return false
			}
		}
		if u == v {
			continue
		}
		if int(r.at) < at || !bytes.Equal(x[at:r.at], y[at:r.at]) {
			return false
		}
		at = int(r.at) + 4
	}
	return bytes.Equal(x[at:], y[at:])
}
