package code

import (
	"bytes"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/glassbuild/glassbuild/internal/compare/tree"
)

// A Function is one that was added, removed or changed.
type Function struct {
	Name    string
	Place   string // file:line of the start, or of the first difference; of the side that has it, or of the shipped
	Other   string // the same in the rebuilt program, where both have the function
	Shipped int    // bytes of machine code; 0 when it is only in the other program
	Rebuilt int
	Data    string // the instructions are the same, the data they refer to is not: both contents
	Note    string // what else there is to say
	View    []tree.Line
	cause   string // of what nothing but one number differs in, when that number looks like a time
	entries [2]uint64
	index   [2]int
}

// Result is what differs between two programs by function and data.
type Result struct {
	Functions int        // in the shipped program
	Same      int        // the same instructions and data, wherever they were moved
	Added     []Function // only shipped
	Removed   []Function // only rebuilt
	Changed   []Function // other instructions
	Data      []Function // the same instructions, other data
	Order     int        // functions that come in another order
	// Strings and other objects of data that only one of the programs has.
	ShippedStrings []string
	RebuiltStrings []string
	ShippedObjects int
	RebuiltObjects int
	ShippedWhere   []string // which of them, by name or place
	RebuiltWhere   []string
	Tables         int64    // bytes of the Go runtime's tables that differ although the code does not
	Types          int      // places in Go's type information that differ because other functions are linked
	typeNames      []string // the first of them
	vectors        [2]int   // instructions of vector extensions in changed functions
	c              *comparison
}

// Equal tells whether neither code nor data differs.
func (r *Result) Equal() bool {
	return r.Functions > 0 && r.Same == r.Functions && len(r.Added)+len(r.Removed)+len(r.Changed)+len(r.Data) == 0 &&
		len(r.ShippedStrings)+len(r.RebuiltStrings)+r.ShippedObjects+r.RebuiltObjects == 0 && r.Tables == 0
}

// Programs compares two executables function by function, also stripped ones as far as tables for tracebacks or
// unwinding name or bound their functions. References in code are resolved before they are compared; what they refer to
// is compared by content, so that a changed constant or string is never taken for a moved one. It reports false for
// other files, and for programs of different processors.
func Programs(shipped, rebuilt []byte) (*Result, bool) {
	a, b, ok := loadBoth(shipped, rebuilt)
	if !ok {
		return nil, false
	}
	return compareImages(a, b), true
}

func loadBoth(shipped, rebuilt []byte) (a, b *image, ok bool) {
	var okA, okB bool
	if a, okA = load(shipped, nil); okA && a.table != nil { // the tables are the same more often than not
		b, okB = load(rebuilt, a.table)
	} else {
		b, okB = load(rebuilt, nil)
	}
	return a, b, okA && okB && a.arch == b.arch && a.word == b.word
}

// load reads an executable of any format that is compared by function.
func load(data []byte, like *pclntab) (*image, bool) {
	switch {
	case bytes.HasPrefix(data, []byte("\x7fELF")):
		return loadELF(data, like)
	case bytes.HasPrefix(data, []byte("MZ")):
		return loadPE(data)
	}
	return loadMachO(data)
}

func compareImages(a, b *image) *Result {
	splitGaps(a, b)
	splitGaps(b, a)
	if r, ok := slid(a, b); ok {
		return r
	}
	c := newComparison(a, b)
	out := c.run()
	r := &Result{Functions: len(a.functions), c: c}
	var typed []Function // which differ in type information only
	for i, k := range c.mate {
		switch {
		case k < 0 && a.functions[i].stub:
			r.Functions-- // an import or the build id, which are compared by themselves
		case k < 0:
			r.Added = append(r.Added, c.alone(a, i, 0))
		case out[i] == sameCode:
			r.Same++
		case out[i] == changedData:
			if f, types := c.otherData(i, int(k)); types {
				typed = append(typed, f)
			} else {
				r.Data = append(r.Data, f)
			}
		default:
			r.Changed = append(r.Changed, c.changed(i, int(k)))
		}
	}
	for k, i := range c.back {
		if i < 0 && !b.functions[k].stub {
			r.Removed = append(r.Removed, c.alone(b, k, 1))
		}
	}
	follows := len(r.Added)+len(r.Removed)+len(r.Changed) > 0
	if follows { // which methods of a type are kept follows from what code there is
		for _, f := range typed {
			r.addType(f.Note)
		}
	} else {
		r.Data = append(r.Data, typed...)
	}
	if !follows {
		r.Tables = c.runtimeTables()
	}
	r.Order = c.order()
	c.vectors(r, out)
	onlyA, onlyB := c.leftovers()
	if follows {
		onlyA, onlyB = r.withoutTypes(a, withoutHandlers(onlyA)), r.withoutTypes(b, withoutHandlers(onlyB))
	}
	r.ShippedStrings, r.ShippedObjects, r.ShippedWhere = c.texts(a, onlyA)
	r.RebuiltStrings, r.RebuiltObjects, r.RebuiltWhere = c.texts(b, onlyB)
	return r
}

// alone describes a function that only one side has.
func (c *comparison) alone(m *image, i, side int) Function {
	f := &m.functions[i]
	d := Function{Name: m.label(f), Place: m.where(f, f.entry)}
	if size := len(m.body(f)); side == 0 {
		d.Shipped = size
	} else {
		d.Rebuilt = size
	}
	d.entries[side], d.index[side] = f.entry, i
	return d
}

// label returns what a function is called: by its address where it has no name.
func (m *image) label(f *function) string {
	if f.name != "" {
		return f.name
	}
	what := "function"
	if f.gap {
		what = "code"
	}
	return fmt.Sprintf("%s at %#x", what, f.entry)
}

func (m *image) where(f *function, pc uint64) string {
	file, line := m.place(f, pc)
	if file == "" {
		return ""
	}
	return fmt.Sprintf("%s:%d", file, line)
}

// described is what both sides have of a function, the places at an offset.
func (c *comparison) described(i, k, at int) Function {
	f, g := &c.a.functions[i], &c.b.functions[k]
	d := Function{Name: c.a.label(f), Shipped: len(c.a.body(f)), Rebuilt: len(c.b.body(g)), entries: [2]uint64{f.entry, g.entry}, index: [2]int{i, k}}
	d.Place = c.a.where(f, min(f.entry+uint64(at), max(f.end, 1)-1))
	d.Other = c.b.where(g, min(g.entry+uint64(at), max(g.end, 1)-1))
	return d
}

// withoutHandlers leaves out tables of exception handlers: where functions differ they follow from those.
func withoutHandlers(list []object) []object {
	return slices.DeleteFunc(list, func(o object) bool {
		return o.part.s.name == ".gcc_except_table" || o.part.s.name == "__gcc_except_tab"
	})
}

// withoutTypes counts type information instead of naming it as data.
func (r *Result) withoutTypes(m *image, list []object) []object {
	kept := list[:0]
	for _, o := range list {
		if what, ok := m.typeData(o); ok {
			r.addType(what)
			continue
		}
		kept = append(kept, o)
	}
	return kept
}

func (r *Result) addType(what string) {
	if r.Types++; len(r.typeNames) < maxTypeNames {
		r.typeNames = append(r.typeNames, quote(what))
	}
}

// otherData describes a function that uses other data, and tells whether that is type information.
func (c *comparison) otherData(i, k int) (Function, bool) {
	_, at, p := c.references(i, k)
	d := c.described(i, k, at)
	x, y := c.da.what(p.a, 0), c.db.what(p.b, 0)
	if x == y { // the difference lies further on
		n := firstDifferent(c.a.bytes(p.a), c.b.bytes(p.b))
		x, y = c.da.what(p.a, n), c.db.what(p.b, n)
	}
	d.Data = fmt.Sprintf("%s shipped, %s rebuilt", x, y)
	name, same := c.sameTypeKept(p)
	d.Note = "methods of type " + quote(name)
	if !same {
		d.Note = ""
	}
	return d, same
}

func firstDifferent(x, y []byte) int {
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return i
		}
	}
	return 0
}

// what names data with its content from an offset on.
func (o *objects) what(addr uint64, offset int) string {
	if at := (addr + uint64(offset)) &^ uint64(o.m.word-1); at >= addr && o.m.imports[at] != "" {
		offset = int(at - addr)
	}
	name, content := o.describe(addr), o.show(addr+uint64(offset))
	if p := o.part(addr); p != nil && p.zero {
		if _, ok := o.m.named(addr); !ok {
			name += fmt.Sprintf("+%#x", addr-p.s.addr)
		}
		return "variable " + name
	}
	if offset > 0 {
		content = fmt.Sprintf("at %+d %s", offset, content)
	}
	if name == o.show(addr) {
		return content
	}
	return name + " " + content
}

// changed describes a function with other instructions.
func (c *comparison) changed(i, k int) Function {
	at := 0
	if c.shape[i] {
		_, at, _ = c.references(i, k)
	} else {
		at = c.firstDifference(i, k)
	}
	d := c.described(i, k, at)
	if c.shape[i] {
		x, y := c.da.of(i), c.db.of(k)
		for n := range x {
			if int(x[n].at) == at {
				d.Note = fmt.Sprintf("%s reached shipped, %s rebuilt", c.da.describe(x[n].to), c.db.describe(y[n].to))
			}
		}
	}
	return d
}

// firstDifference returns the first offset at which two functions differ in more than references.
func (c *comparison) firstDifference(i, k int) int {
	x, y := c.a.body(&c.a.functions[i]), c.b.body(&c.b.functions[k])
	ra, rb := c.da.of(i), c.db.of(k)
	at := 0
	for n := 0; ; n++ {
		end := min(len(x), len(y))
		if n < len(ra) {
			end = min(end, int(ra[n].at))
		}
		for at < end && x[at] == y[at] {
			at++
		}
		if at < end || n >= len(ra) || n >= len(rb) || ra[n].at != rb[n].at || ra[n].kind != rb[n].kind {
			return at
		}
		at = end + ra[n].kind.width()
	}
}

// order counts functions that come before one that they come behind on the other side.
func (c *comparison) order() int {
	n, last := 0, int32(-1)
	for _, k := range c.mate {
		if k < 0 {
			continue
		}
		if k < last {
			n++
			continue
		}
		last = k
	}
	return n
}

// texts returns the objects that are strings, how many are not, and where those lie.
func (c *comparison) texts(m *image, list []object) (found []string, others int, where []string) {
	for _, o := range list {
		s, ok := text(o.data)
		if !ok {
			others++
			if len(where) < maxDetails {
				where = append(where, place(m, o))
			}
			continue
		}
		for _, part := range strings.Split(s, "\x00") {
			if part != "" && len(found) < maxStrings {
				found = append(found, part)
			}
		}
	}
	sort.Strings(found)
	return found, others, where
}

// place says where an object lies and who reaches it.
func place(m *image, o object) string {
	s := fmt.Sprintf("%d bytes at %#x in %s", len(o.data), o.addr, quote(o.part.s.name))
	if sym, ok := m.named(o.addr); ok {
		s = fmt.Sprintf("%d bytes of %s in %s", len(o.data), quote(sym.name), quote(o.part.s.name))
	}
	var names []string
	word := m.word
	for off := int(-o.addr & uint64(word-1)); len(m.imports) > 0 && off+word <= len(o.data) && len(names) < maxContext*2; off += word {
		if name := m.imports[o.addr+uint64(off)]; name != "" {
			names = append(names, quote(name))
		}
	}
	if len(names) > 0 {
		return s + ", addresses of " + strings.Join(names, ", ")
	}
	return s + fmt.Sprintf(": % x", o.data[:min(len(o.data), 8)])
}

// vectors counts instructions of AVX and AVX-512 in functions that were changed.
func (c *comparison) vectors(r *Result, out []outcome) {
	if c.a.arch != archAMD64 {
		return
	}
	for i, k := range c.mate {
		if k < 0 || out[i] != changedCode {
			continue
		}
		for side, b := range [][]byte{c.a.body(&c.a.functions[i]), c.b.body(&c.b.functions[k])} {
			for at := 0; at < len(b); {
				in := decode(b[at:], true)
				if in.vector {
					r.vectors[side]++
				}
				at += max(in.size, 1)
			}
		}
	}
}
