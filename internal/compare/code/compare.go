package code

import (
	"bytes"
	"encoding/binary"
)

// outcome of comparing one function of both programs.
type outcome uint8

const (
	changedCode outcome = iota // the zero value is the worst
	changedData                // the same instructions refer to data with another content
	sameCode                   // the same, wherever it and what it refers to was moved
)

// pair is a place in data of the shipped and of the rebuilt program.
type pair struct{ a, b uint64 }

// objectPair is two objects that are to be compared.
type objectPair struct {
	pa, pb *dataPart
	i, j   int
}

// comparison of two programs.
type comparison struct {
	a, b   *image
	da, db *objects
	mate   []int32 // for each function of a the one of b, -1 for none
	back   []int32 // the reverse
	shape  []bool  // the instructions of a function are the same but for references
	queue  []objectPair
	extra  map[pair]bool // pairs of objects beyond the first one
	via    int32         // the function that is being compared, plus one
}

// newComparison divides both programs and matches their functions.
func newComparison(a, b *image) *comparison {
	c := &comparison{a: a, b: b, extra: make(map[pair]bool)}
	c.da, c.db = divide(a), divide(b)
	m := matchNames(c)
	c.mate, c.back = m.mate, m.back
	c.shape = make([]bool, len(a.functions))
	c.da.markCode(nil)
	c.db.markCode(c.like)
	both(c.da.finish, c.db.finish)
	m.byContent()
	for i, k := range c.mate {
		c.shape[i] = c.shape[i] || k >= 0 && c.sameShape(i, int(k))
	}
	return c
}

// like gives the references of function k of b when its mate has the same bytes around the same references: then they
// decode alike.
func (c *comparison) like(k int, refs []ref) ([]ref, bool) {
	i := c.back[k]
	if i < 0 || c.a.arch != archAMD64 || c.a.fixed || c.b.fixed || c.a.functions[i].stub {
		return refs, false
	}
	g := &c.b.functions[k]
	x, y := c.a.body(&c.a.functions[i]), c.b.body(g)
	if len(x) != len(y) {
		return refs, false
	}
	at, start := 0, len(refs)
	for _, r := range c.da.of(int(i)) {
		if !bytes.Equal(x[at:r.at], y[at:r.at]) {
			return refs[:start], false
		}
		at = int(r.at) + 4
		next := int(r.to - uint64(int64(int32(binary.LittleEndian.Uint32(x[r.at:])))) - c.a.functions[i].entry) // end of the instruction
		to := g.entry + uint64(next) + uint64(int64(int32(binary.LittleEndian.Uint32(y[r.at:]))))
		c.db.mark(to)
		refs = append(refs, ref{at: r.at, kind: r.kind, to: to})
	}
	if !bytes.Equal(x[at:], y[at:]) {
		return refs[:start], false
	}
	c.shape[i] = true
	return refs, true
}

// run compares every function that has a mate, then everything that is reached from there.
func (c *comparison) run() []outcome {
	out := make([]outcome, len(c.mate))
	c.vote()
	for i, k := range c.mate {
		if c.shape[i] {
			out[i] = c.function(i, int(k))
		}
	}
	for _, h := range c.a.exception {
		c.handlers(h)
	}
	c.drain()
	return out
}

// sameShape tells whether two functions have the same instructions, references left out.
func (c *comparison) sameShape(ia, ib int) bool {
	x, y := c.a.body(&c.a.functions[ia]), c.b.body(&c.b.functions[ib])
	ra, rb := c.da.of(ia), c.db.of(ib)
	if c.a.functions[ia].stub {
		return c.b.functions[ib].stub
	}
	if len(ra) != len(rb) {
		return false
	}
	at := 0
	for i, r := range ra {
		if r.at != rb[i].at || r.kind != rb[i].kind || int(r.at) < at || int(r.at)+r.kind.width() > min(len(x), len(y)) {
			return false
		}
		if !bytes.Equal(x[at:r.at], y[at:r.at]) {
			return false
		}
		if m := masks[r.kind]; m != 0xffffffff && r.kind != refAbs64 {
			if (binary.LittleEndian.Uint32(x[r.at:])^binary.LittleEndian.Uint32(y[r.at:]))&^m != 0 {
				return false
			}
		}
		at = int(r.at) + r.kind.width()
	}
	n := min(len(x), len(y))
	return at <= n && bytes.Equal(x[at:n], y[at:n]) && c.padding(x[n:]) && c.padding(y[n:])
}

// padding tells whether b is nothing but what linkers put between functions.
func (c *comparison) padding(b []byte) bool {
	if len(b) == 0 {
		return true
	}
	return len(b) < maxPadding && c.a.onlyPadding(b)
}

// vote settles which writable objects belong together: those that most references pair. A variable is known by its
// identity and not by its content, and one reference that was changed must not make all others look changed.
func (c *comparison) vote() {
	votes := make([][]int32, len(c.da.parts))
	for i, k := range c.mate {
		if !c.shape[i] || c.a.functions[i].stub {
			continue
		}
		ra, rb := c.da.of(i), c.db.of(int(k))
		for n := range ra {
			pa := c.da.part(ra[n].to)
			if pa == nil || !pa.s.write {
				continue
			}
			pb := c.db.part(rb[n].to)
			if pb == nil || pb.s.name != pa.s.name {
				continue
			}
			p := pa.id
			if votes[p] == nil {
				votes[p] = make([]int32, len(pa.start))
			}
			oa, ob := pa.find(ra[n].to-pa.s.addr), pb.find(rb[n].to-pb.s.addr)
			switch { // Boyer and Moore's majority vote
			case votes[p][oa] == 0:
				pa.match[oa], votes[p][oa] = pb.number(ob), 1
			case pa.match[oa] == pb.number(ob):
				votes[p][oa]++
			default:
				votes[p][oa]--
			}
		}
	}
	for p, v := range votes {
		pa := &c.da.parts[p]
		pb := c.otherPart(pa)
		if pb == nil {
			continue
		}
		for i := range v {
			if j, ok := pb.own(pa.match[i]); ok {
				c.push(pa, pb, i, j)
			}
		}
	}
}

// otherPart returns the part of the other program that has the same name.
func (c *comparison) otherPart(pa *dataPart) *dataPart {
	for i := range c.db.parts {
		if c.db.parts[i].s.name == pa.s.name {
			return &c.db.parts[i]
		}
	}
	return nil
}

// function compares what the references of two functions of one shape reach.
func (c *comparison) function(ia, ib int) outcome {
	out, _, _ := c.references(ia, ib)
	return out
}

// references returns the outcome, and the first place in the code and in data that differs.
func (c *comparison) references(ia, ib int) (outcome, int, pair) {
	ra, rb := c.da.of(ia), c.db.of(ib)
	if c.a.functions[ia].stub {
		return sameCode, 0, pair{}
	}
	c.via = int32(ia) + 1
	out, at, found := sameCode, 0, pair{}
	for i := range ra {
		p := pair{ra[i].to, rb[i].to}
		switch c.reference(p, ra[i], rb[i], ia, ib) {
		case changedCode:
			return changedCode, int(ra[i].at), p
		case changedData:
			if out == sameCode {
				out, at, found = changedData, int(ra[i].at), p
			}
		}
	}
	return out, at, found
}

// reference compares what two references mean.
func (c *comparison) reference(p pair, x, y ref, ia, ib int) outcome {
	if x.kind == refGot && c.word(ia, x) == c.wordB(ib, y) {
		return sameCode // the same distance, or no address at all
	}
	inA, inB := c.a.inCode(p.a), c.b.inCode(p.b)
	if inA || inB {
		if x.kind == refPage || c.sameFunction(p) {
			return sameCode
		}
		if (x.kind == refAbs32 || x.kind == refAbs64) && p.a == p.b {
			return sameCode // a number that only looks like an address
		}
		return changedCode
	}
	if x.kind == refPage {
		return sameCode // the page alone says little: what is added to it is a reference of its own
	}
	if c.same(p) {
		return sameCode
	}
	if x.kind == refAbs32 && p.a == p.b {
		if sa, sb := c.a.in(p.a), c.b.in(p.b); sa == nil || sb == nil || sa.addr != sb.addr {
			return sameCode // the same number, in sections that were moved: no address
		}
	}
	return changedData
}

func (c *comparison) word(i int, r ref) uint32 {
	return binary.LittleEndian.Uint32(c.a.body(&c.a.functions[i])[r.at:])
}

func (c *comparison) wordB(i int, r ref) uint32 {
	return binary.LittleEndian.Uint32(c.b.body(&c.b.functions[i])[r.at:])
}

// sameFunction tells whether two addresses in code mean the same place: the same distance into functions that belong
// together. Into a function that was changed the distance may be another: the change is named there.
func (c *comparison) sameFunction(p pair) bool {
	ga, gb := c.a.function(p.a), c.b.function(p.b)
	if ga < 0 || gb < 0 {
		if ga < 0 && gb < 0 { // the end of code, or padding: where the next function begins decides
			sa, sb := c.a.in(p.a), c.b.in(p.b)
			return sa != nil && sb != nil && sa.name == sb.name
		}
		return false
	}
	if c.mate[ga] != int32(gb) {
		return false
	}
	x, y := p.a-c.a.functions[ga].entry, p.b-c.b.functions[gb].entry
	return x == y || x != 0 && y != 0 && !c.shape[ga]
}

// handlers compares the exception tables of functions that belong together.
func (c *comparison) handlers(h handler) {
	ga := c.a.function(h.entry)
	if ga < 0 || c.mate[ga] < 0 || !c.shape[ga] {
		return
	}
	entry := c.b.functions[c.mate[ga]].entry
	if i, ok := c.b.handler(entry); ok {
		c.via = int32(ga) + 1
		c.same(pair{h.table, c.b.exception[i].table})
	}
}

// handler finds the exception table of a function.
func (m *image) handler(entry uint64) (int, bool) {
	lo, hi := 0, len(m.exception)
	for lo < hi { // in the order of the unwind table, which is that of the code as a rule
		if h := (lo + hi) / 2; m.exception[h].entry < entry {
			lo = h + 1
		} else {
			hi = h
		}
	}
	return lo, lo < len(m.exception) && m.exception[lo].entry == entry
}
