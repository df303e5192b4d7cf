package code

import (
	"hash/maphash"
	"runtime/debug"
	"strings"

	"github.com/glassbuild/glassbuild/internal/compare/align"
)

var seed = maphash.MakeSeed()

// both runs two functions at once. A fault in mapped memory of either is a panic of the caller.
func both(f, g func()) {
	done := make(chan any, 1)
	go func() {
		debug.SetPanicOnFault(true)
		defer func() { done <- recover() }()
		g()
	}()
	f()
	if r := <-done; r != nil {
		panic(r)
	}
}

// matchNames finds which functions belong together: those of one name in their order. Those without a name, or with one
// that only one side has, are matched later by what they do and where they lie.
func matchNames(c *comparison) *matching {
	fa, fb := c.a.functions, c.b.functions
	m := &matching{c: c, mate: filled(len(fa)), back: filled(len(fb))}
	m.byName(func(f *function) string { return f.name })
	m.byName(func(f *function) string { return base(f.name) })
	return m
}

func filled(n int) []int32 {
	list := make([]int32, n)
	for i := range list {
		list[i] = -1
	}
	return list
}

type matching struct {
	c          *comparison
	mate, back []int32
}

func (m *matching) pair(i, j int32) { m.mate[i], m.back[j] = j, i }

// byName pairs functions of one name in their order, those that are still alone.
func (m *matching) byName(key func(*function) string) {
	fa, fb := m.c.a.functions, m.c.b.functions
	i, j := 0, 0 // as a rule both sides have one order
	for i < len(fa) && j < len(fb) && fa[i].name != "" && fa[i].name == fb[j].name {
		if m.mate[i] < 0 && m.back[j] < 0 {
			m.pair(int32(i), int32(j))
		}
		i, j = i+1, j+1
	}
	first := make(map[string]int32)
	next := make([]int32, len(fb))
	for k := len(fb) - 1; k >= 0; k-- {
		name := key(&fb[k])
		if m.back[k] >= 0 || name == "" {
			continue
		}
		next[k] = -1
		if later, ok := first[name]; ok {
			next[k] = later
		}
		first[name] = int32(k)
	}
	for k := range fa {
		name := key(&fa[k])
		if m.mate[k] >= 0 || name == "" {
			continue
		}
		if other, ok := first[name]; ok && other >= 0 {
			first[name] = next[other]
			m.pair(int32(k), other)
		}
	}
}

// base returns a name without what compilers append to the names of clones and of local functions.
func base(name string) string {
	if i := strings.IndexByte(name, '.'); i > 0 && !strings.ContainsAny(name, "/(*[") {
		return name[:i]
	}
	return ""
}

// byContent pairs what is left: first what does the same, in the order of the code, then what lies between the same
// neighbours.
func (m *matching) byContent() {
	var la, lb []int32
	var ka, kb []uint64
	for i, j := range m.mate {
		if j < 0 && !m.c.a.functions[i].stub {
			la, ka = append(la, int32(i)), append(ka, sketch(m.c.a, m.c.da, i))
		}
	}
	for j, i := range m.back {
		if i < 0 && !m.c.b.functions[j].stub {
			lb, kb = append(lb, int32(j)), append(kb, sketch(m.c.b, m.c.db, j))
		}
	}
	if len(la) == 0 || len(lb) == 0 {
		return
	}
	m.uniques(la, lb, ka, kb)
	m.byCalls()
	la, ka = m.alone(la, ka, m.mate)
	lb, kb = m.alone(lb, kb, m.back)
	for _, b := range align.Blocks(ka, kb, maxFunctionEdits) {
		n := 0
		if b.Same || b.A1-b.A0 == b.B1-b.B0 && b.A1-b.A0 <= maxNeighbours {
			n = b.A1 - b.A0
		}
		for k := range n {
			if i, j := la[b.A0+k], lb[b.B0+k]; m.mayPair(i, j, b.Same) {
				m.pair(i, j)
			}
		}
	}
}

// mayPair tells whether two functions may belong together although no name says so.
func (m *matching) mayPair(i, j int32, same bool) bool {
	f, g := &m.c.a.functions[i], &m.c.b.functions[j]
	return same || f.name == "" && g.name == ""
}

// byCalls pairs functions that are reached from the same places of functions that do the same.
func (m *matching) byCalls() {
	var queue []int32
	for i, j := range m.mate {
		if j >= 0 {
			queue = append(queue, int32(i))
		}
	}
	for len(queue) > 0 {
		i := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		j := m.mate[i]
		if m.c.a.functions[i].stub || !m.c.sameShape(int(i), int(j)) {
			continue
		}
		ra, rb := m.c.da.of(int(i)), m.c.db.of(int(j))
		for n := range ra {
			x, y := m.c.a.function(ra[n].to), m.c.b.function(rb[n].to)
			if x < 0 || y < 0 || m.mate[x] >= 0 || m.back[y] >= 0 || m.c.a.functions[x].entry != ra[n].to || m.c.b.functions[y].entry != rb[n].to {
				continue
			}
			if f, g := &m.c.a.functions[x], &m.c.b.functions[y]; f.stub || g.stub || f.name != "" && g.name != "" {
				continue
			}
			m.pair(int32(x), int32(y))
			queue = append(queue, int32(x))
		}
	}
}

func (m *matching) alone(list []int32, keys []uint64, mate []int32) ([]int32, []uint64) {
	var l []int32
	var k []uint64
	for n, i := range list {
		if mate[i] < 0 {
			l, k = append(l, i), append(k, keys[n])
		}
	}
	return l, k
}

// uniques pairs functions whose code occurs once on both sides.
func (m *matching) uniques(la, lb []int32, ka, kb []uint64) {
	type seen struct {
		at int32
		n  int
	}
	at := make(map[uint64]seen, len(kb))
	for n, k := range kb {
		at[k] = seen{lb[n], at[k].n + 1}
	}
	count := make(map[uint64]int, len(ka))
	for _, k := range ka {
		count[k]++
	}
	for n, k := range ka {
		if s, ok := at[k]; ok && s.n == 1 && count[k] == 1 {
			m.pair(la[n], s.at)
		}
	}
}

// sketch hashes the code of a function without its references.
func sketch(m *image, o *objects, i int) uint64 {
	b := m.body(&m.functions[i])
	var h maphash.Hash
	h.SetSeed(seed)
	at := 0
	for _, r := range o.of(i) {
		if int(r.at) < at || int(r.at) > len(b) {
			break
		}
		h.Write(b[at:r.at])
		h.WriteByte(byte(r.kind))
		at = min(int(r.at)+r.kind.width(), len(b))
	}
	h.Write(b[at:])
	return h.Sum64()
}
