package code

import (
	"bytes"
	"hash/maphash"
	"strings"
	"unicode"
	"unicode/utf8"
)

// object is a run of data that has no equal in the other program.
type object struct {
	part *dataPart
	addr uint64
	data []byte
	via  int32 // the function that reaches it, plus one
}

// leftovers names the data that only one of the programs has: what no reference paired is matched by its content
// wherever it lies, then, among what has one length, with what merely moved in it resolved.
func (c *comparison) leftovers() (onlyA, onlyB []object) {
	c.neighbours()
	onlyA, onlyB = c.rest(c.a, c.da, true), c.rest(c.b, c.db, false)
	onlyA, onlyB = c.inOrder(onlyA, onlyB)
	onlyA, onlyB = byHash(onlyA, onlyB)
	onlyA, onlyB = c.pairUp(onlyA, onlyB, whole)
	onlyA, onlyB = c.pairUp(onlyA, onlyB, trimmed)
	return c.pairUp(runs(onlyA), runs(onlyB), whole)
}

// rest returns what nothing has paired yet; what only follows from code is left out.
func (c *comparison) rest(m *image, o *objects, shipped bool) []object {
	var funcdata uint64
	if m.table != nil {
		funcdata = m.table.funcdataEnd(m.module.gofunc)
	}
	var list []object
	for p := range o.parts {
		part := &o.parts[p]
		if part.zero {
			continue
		}
		for i := range part.start {
			done := part.done[i]
			if shipped && done == differs {
				done = 0
			}
			b := part.object(i, 0)
			if int(done) >= len(b) || m.follows(part.addr(i), b, funcdata) {
				continue
			}
			if done > 0 && len(b)-int(done) <= maxAlignment && trimmed(b[done:]) == 0 {
				continue // fills up to the next object
			}
			list = append(list, object{part, part.addr(i) + uint64(done), b[done:], part.via[i]})
		}
	}
	return list
}

// inOrder drops what is the same on both sides one after the other: where nothing but addresses changed, that is all.
func (c *comparison) inOrder(a, b []object) (restA, restB []object) {
	j := 0
	for i := range a {
		k := j
		for ; k < len(b) && k < j+maxTries; k++ {
			if len(a[i].data) == len(b[k].data) && a[i].part.s.name == b[k].part.s.name && c.loose(pair{a[i].addr, b[k].addr}, a[i].data, b[k].data) {
				break
			}
		}
		if k == len(b) || k == j+maxTries {
			restA = append(restA, a[i])
			continue
		}
		restB = append(restB, b[j:k]...)
		j = k + 1
	}
	return restA, append(restB, b[min(j, len(b)):]...)
}

// byHash drops what both sides have with the same bytes.
func byHash(a, b []object) (restA, restB []object) {
	count := make(map[uint64]int, len(b))
	for _, o := range b {
		count[maphash.Bytes(seed, o.data)]++
	}
	both := make(map[uint64]int)
	for _, o := range a {
		h := maphash.Bytes(seed, o.data)
		if count[h] > both[h] {
			both[h]++
			continue
		}
		restA = append(restA, o)
	}
	for _, o := range b {
		if h := maphash.Bytes(seed, o.data); both[h] > 0 {
			both[h]--
			continue
		}
		restB = append(restB, o)
	}
	return restA, restB
}

// pairUp drops the objects of both sides that have one size and are the same but for what moved.
func (c *comparison) pairUp(a, b []object, size func([]byte) int) (restA, restB []object) {
	bySize := make(map[int][]int)
	for i, o := range b {
		n := size(o.data)
		bySize[n] = append(bySize[n], i)
	}
	gone := make([]bool, len(b))
	for _, o := range a {
		found := false
		n := size(o.data)
		candidates := bySize[n]
		for _, i := range candidates[:min(len(candidates), maxTries)] {
			if !gone[i] && c.loose(pair{o.addr, b[i].addr}, o.data[:n], b[i].data[:n]) {
				gone[i], found = true, true
				break
			}
		}
		for len(candidates) > 0 && gone[candidates[0]] {
			candidates = candidates[1:]
		}
		bySize[n] = candidates
		if !found {
			restA = append(restA, o)
		}
	}
	for i, o := range b {
		if !gone[i] {
			restB = append(restB, o)
		}
	}
	return restA, restB
}

func whole(b []byte) int { return len(b) }

// trimmed does not count the zeros at the end, which may only fill the space up to the next object.
func trimmed(b []byte) int { return len(bytes.TrimRight(b, "\x00")) }

// runs joins objects that lie side by side and are no text: numbers that only look like addresses divide what belongs
// together at different places.
func runs(list []object) []object {
	var joined []object
	for _, o := range list {
		if k := len(joined) - 1; k >= 0 {
			last := &joined[k]
			_, text1 := text(last.data)
			_, text2 := text(o.data)
			if last.addr+uint64(len(last.data)) == o.addr && cap(last.data)-len(last.data) >= len(o.data) && !(text1 && text2) {
				last.data = last.data[:len(last.data)+len(o.data)]
				continue
			}
		}
		joined = append(joined, o)
	}
	return joined
}

// text returns an object as a string when it is one to a reader.
func text(b []byte) (string, bool) {
	b = bytes.TrimRight(b, "\x00")
	if len(b) < minString || len(b) > maxString || !utf8.Valid(b) {
		return "", false
	}
	s := string(b)
	if strings.ContainsFunc(s, func(r rune) bool { return r != 0 && !unicode.IsPrint(r) && !unicode.IsSpace(r) }) {
		return "", false
	}
	return s, true
}
