package code

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// compareWasm matches functions by name, then those without by what they do.
func compareWasm(a, b *wasmModule) *Result {
	r := &Result{Functions: len(a.bodies)}
	sumA, sumB := a.sums(), b.sums()
	byName, bySum := make(map[string][]int), make(map[[32]byte][]int)
	for k := range b.bodies {
		if name := b.functions[b.imported+k]; name != "" {
			byName[name] = append(byName[name], k)
		} else {
			bySum[sumB[k]] = append(bySum[sumB[k]], k)
		}
	}
	gone := make([]bool, len(b.bodies))
	take := func(list []int) (int, []int) {
		for len(list) > 0 {
			k := list[0]
			list = list[1:]
			if !gone[k] {
				gone[k] = true
				return k, list
			}
		}
		return -1, nil
	}
	for i := range a.bodies {
		name := a.functions[a.imported+i]
		k := -1
		if name != "" {
			k, byName[name] = take(byName[name])
		} else {
			k, bySum[sumA[i]] = take(bySum[sumA[i]])
		}
		switch {
		case k < 0:
			r.Added = append(r.Added, Function{Name: a.label(i), Shipped: len(a.bodies[i])})
		case sumA[i] == sumB[k]:
			r.Same++
		default:
			r.Changed = append(r.Changed, Function{Name: a.label(i), Shipped: len(a.bodies[i]), Rebuilt: len(b.bodies[k])})
		}
	}
	for k := range b.bodies {
		if !gone[k] {
			r.Removed = append(r.Removed, Function{Name: b.label(k), Rebuilt: len(b.bodies[k])})
		}
	}
	return r
}

func (m *wasmModule) label(i int) string {
	if name := m.functions[m.imported+i]; name != "" {
		return name
	}
	return fmt.Sprintf("function %d", m.imported+i)
}

// sums returns a digest of every body, functions that it calls standing for their names.
func (m *wasmModule) sums() [][32]byte {
	out := make([][32]byte, len(m.bodies))
	var buf []byte
	for i, b := range m.bodies {
		buf = m.normal(b, buf[:0])
		out[i] = sha256.Sum256(buf)
	}
	return out
}

// normal rewrites the calls of a body. What is no valid code is taken as it is from there on.
func (m *wasmModule) normal(b, out []byte) []byte {
	l := &leb{b: b}
	for n := l.u32(); n > 0 && !l.bad; n-- { // locals
		l.u32()
		l.take(1)
	}
	if l.bad {
		return append(out, b...)
	}
	out = append(out, b[:len(b)-len(l.b)]...)
	for len(l.b) > 0 {
		start := l.b
		op := l.take(1)[0]
		if op == 0x10 || op == 0x12 || op == 0xd2 { // call, return_call, ref.func
			f := l.u32()
			if !l.bad && int(f) < len(m.functions) && m.functions[f] != "" {
				out = append(append(append(out, op), m.functions[f]...), 0)
				continue
			}
		} else if !l.operands(op) {
			return append(out, start...)
		}
		if l.bad {
			return append(out, start...)
		}
		out = append(out, start[:len(start)-len(l.b)]...)
	}
	return out
}

// operands skips what follows an opcode (5.4 of the specification).
func (l *leb) operands(op byte) bool {
	switch {
	case op >= 0x02 && op <= 0x04, op == 0x41, op == 0x42, op == 0xd0:
		l.skip()
	case op == 0x0c, op == 0x0d, op >= 0x20 && op <= 0x26, op == 0x3f, op == 0x40, op == 0x08, op == 0x09:
		l.skip()
	case op == 0x0e:
		n := l.u32()
		for ; !l.bad && n > 0; n-- {
			l.skip()
		}
		l.skip()
	case op == 0x11, op == 0x13, op >= 0x28 && op <= 0x3e:
		l.skip()
		l.skip()
	case op == 0x1c:
		l.take(l.u32())
	case op == 0x43:
		l.take(4)
	case op == 0x44:
		l.take(8)
	case op == 0xfc:
		for range map[uint32]int{8: 2, 9: 1, 10: 2, 11: 1, 12: 2, 13: 1, 14: 2, 15: 1, 16: 1, 17: 1}[l.u32()] {
			l.skip()
		}
	case op == 0xfd:
		l.vector(l.u32())
	case op == 0xfe:
		if l.u32() == 3 {
			l.take(1)
		} else {
			l.skip()
			l.skip()
		}
	case op <= 0x01, op == 0x05, op == 0x0b, op == 0x0f, op == 0x1a, op == 0x1b, op >= 0x45 && op <= 0xc4, op == 0xd1:
	default:
		return false
	}
	return true
}

func (l *leb) vector(op uint32) {
	switch {
	case op <= 11, op == 92, op == 93:
		l.skip()
		l.skip()
	case op == 12, op == 13:
		l.take(16)
	case op >= 21 && op <= 34:
		l.take(1)
	case op >= 84 && op <= 91:
		l.skip()
		l.skip()
		l.take(1)
	}
}

// skip passes over one number, signed or not.
func (l *leb) skip() {
	_, n := binary.Uvarint(l.b)
	if n == 0 {
		l.b, l.bad = nil, true
		return
	}
	if n < 0 {
		n = -n
	}
	l.b = l.b[n:]
}
