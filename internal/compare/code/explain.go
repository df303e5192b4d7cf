package code

import (
	"bytes"
	"fmt"
	"io"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/glassbuild/glassbuild/internal/compare/tree"
)

// A Function is one that was added, removed or changed.
type Function struct {
	Name    string `json:"name"`
	File    string `json:"file,omitempty"` // where it starts, or where the first difference is
	Line    int    `json:"line,omitempty"`
	Shipped int    `json:"shipped_size"` // bytes of machine code; 0 when it is only in the other program
	Rebuilt int    `json:"rebuilt_size"`
	Data    string `json:"data,omitempty"` // the instructions are the same, the data they refer to is not: both contents
}

// Result is what differs between two Go programs by function and data.
type Result struct {
	Functions int        `json:"functions"` // in the shipped program
	Same      int        `json:"same"`      // the same instructions and data, wherever they were moved
	Added     []Function `json:"added"`     // only shipped
	Removed   []Function `json:"removed"`   // only rebuilt
	Changed   []Function `json:"changed"`   // other instructions
	Data      []Function `json:"data"`      // the same instructions, other data
	// Strings and other objects of data that only one of the programs has.
	ShippedStrings []string `json:"shipped_strings"`
	RebuiltStrings []string `json:"rebuilt_strings"`
	ShippedObjects int      `json:"shipped_objects"`
	RebuiltObjects int      `json:"rebuilt_objects"`
}

// Equal tells whether neither code nor data differs.
func (r *Result) Equal() bool {
	return r.Functions > 0 && r.Same == r.Functions && len(r.Added)+len(r.Removed)+len(r.Changed)+len(r.Data) == 0 &&
		len(r.ShippedStrings)+len(r.RebuiltStrings)+r.ShippedObjects+r.RebuiltObjects == 0
}

// Programs compares two Go programs for x86-64 ELF systems function by function, also stripped ones: the runtime's line
// table names every function. References in code are resolved before they are compared; what they refer to is compared
// by content, so that a changed constant or string is never taken for a moved one. It reports false for other files.
func Programs(shipped, rebuilt io.ReaderAt) (*Result, bool) {
	type loaded struct {
		m *image
		o *objects
	}
	read := func(r io.ReaderAt, to chan<- loaded) {
		m, ok := load(r)
		if !ok {
			to <- loaded{}
			return
		}
		to <- loaded{m, divide(m)}
	}
	ca, cb := make(chan loaded, 1), make(chan loaded, 1)
	go read(shipped, ca)
	go read(rebuilt, cb)
	a, b := <-ca, <-cb
	if a.m == nil || b.m == nil {
		return nil, false
	}
	c := &comparison{a: a.m, b: b.m, da: a.o, db: b.o, known: make(map[pair]bool)}
	r := &Result{Functions: len(a.m.table.functions)}
	c.functions(r)
	c.leftovers(r)
	return r, true
}

// functions matches the functions of both programs by name, those of one name in their order.
func (c *comparison) functions(r *Result) {
	fa, fb := c.a.table.functions, c.b.table.functions
	first := make(map[string]int32, len(fb)) // the first function of a name that is not matched yet
	next := make([]int32, len(fb))           // the one after it, -1 for none
	for i := len(fb) - 1; i >= 0; i-- {
		next[i] = -1
		if later, ok := first[fb[i].name]; ok {
			next[i] = later
		}
		first[fb[i].name] = int32(i)
	}
	matched := make([]bool, len(fb))
	for i := range fa {
		f := &fa[i]
		k, ok := first[f.name]
		if !ok || k < 0 {
			r.Added = append(r.Added, described(c.a, f, f.entry, len(c.a.body(f)), 0))
			continue
		}
		first[f.name], matched[k] = next[k], true
		out, at, p := c.function(i, int(k))
		if out == sameCode {
			r.Same++
			continue
		}
		d := described(c.a, f, min(f.entry+uint64(at), max(f.end, 1)-1), len(c.a.body(f)), len(c.b.body(&fb[k])))
		if out == changedCode {
			r.Changed = append(r.Changed, d)
			continue
		}
		d.Data = fmt.Sprintf("%s shipped, %s rebuilt", c.da.show(p.a), c.db.show(p.b))
		r.Data = append(r.Data, d)
	}
	for i := range fb {
		if !matched[i] {
			r.Removed = append(r.Removed, described(c.b, &fb[i], fb[i].entry, 0, len(c.b.body(&fb[i]))))
		}
	}
}

func described(m *image, f *function, pc uint64, shipped, rebuilt int) Function {
	file, line := m.table.line(f, pc)
	if own, start := m.table.line(f, f.entry); own != file {
		file, line = own, start // the place is in code of another file that was inlined
	}
	return Function{Name: f.name, File: file, Line: line, Shipped: shipped, Rebuilt: rebuilt}
}

// object is one that has no equal in the other program.
type object struct {
	addr uint64
	data []byte
}

// leftovers names the data that only one of the programs has: objects are matched by content wherever they lie, then,
// those of equal length, with what merely moved in them resolved.
func (c *comparison) leftovers(r *Result) {
	count := make(map[uint64]int)
	for i := range c.db.parts {
		for _, s := range c.db.parts[i].sum {
			count[s]++
		}
	}
	onlyA := c.da.unmatched(count)
	for k := range count {
		delete(count, k)
	}
	for i := range c.da.parts {
		for _, s := range c.da.parts[i].sum {
			count[s]++
		}
	}
	onlyB := c.db.unmatched(count)
	onlyA, onlyB = c.pairUp(onlyA, onlyB, whole)
	onlyA, onlyB = c.pairUp(onlyA, onlyB, trimmed)
	onlyA, onlyB = c.pairUp(runs(onlyA), runs(onlyB), whole)
	r.ShippedStrings, r.ShippedObjects = texts(onlyA)
	r.RebuiltStrings, r.RebuiltObjects = texts(onlyB)
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

// texts returns the objects that are strings, and how many are not.
func texts(list []object) (strings []string, others int) {
	for _, o := range list {
		if s, ok := text(o.data); ok {
			strings = append(strings, s)
		} else {
			others++
		}
	}
	return strings, others
}

// unmatched returns the objects whose hashes are not in count, as often as they are there; what only follows from code
// is left out.
func (o *objects) unmatched(count map[uint64]int) []object {
	skip := o.m.table.funcdataEnd(o.m.module.gofunc)
	var list []object
	for i := range o.parts {
		p := &o.parts[i]
		for k, s := range p.sum {
			if count[s] > 0 {
				count[s]--
				continue
			}
			addr := p.addr(k)
			m := &o.m.module
			follows := addr >= m.gofunc && addr < skip || addr >= m.at && addr < m.at+m.size
			follows = follows || addr >= m.modinfo && addr < m.modinfo+stringHeader
			for _, at := range []uint64{m.findfunc, m.gcdata, m.gcbss} {
				follows = follows || addr <= at && at < addr+uint64(len(p.object(k)))
			}
			if b := p.object(k); !follows && !bytes.Contains(b, modInfoStart) {
				list = append(list, object{addr, b})
			}
		}
	}
	return list
}

// text returns an object as a string when it is one to a reader.
func text(b []byte) (string, bool) {
	b = bytes.TrimRight(b, "\x00")
	if len(b) < minString || len(b) > maxString || !utf8.Valid(b) {
		return "", false
	}
	for _, r := range string(b) {
		if !unicode.IsPrint(r) && !unicode.IsSpace(r) {
			return "", false
		}
	}
	return string(b), true
}

// show returns what lies at an address, for people.
func (o *objects) show(addr uint64) string {
	p := o.part(addr)
	if p == nil {
		return fmt.Sprintf("%#x", addr)
	}
	i := p.find(addr)
	b := p.object(i)[addr-p.addr(i):]
	if s, ok := text(b); ok {
		return fmt.Sprintf("%+.60q", s)
	}
	return fmt.Sprintf("% x", b[:min(len(b), 16)])
}

// Causes turns a result into lines, the most telling one first. Functions of the program's own module come before those
// of other packages; own is the module's path, and may be empty.
func (r *Result) Causes(own string) []tree.Cause {
	var causes []tree.Cause
	add := func(id, what string, list []Function) {
		if len(list) == 0 {
			return
		}
		sort.SliceStable(list, func(i, j int) bool { return rank(list[i].Name, own) < rank(list[j].Name, own) })
		c := tree.Cause{ID: id, Text: fmt.Sprintf("%d %s: %s", len(list), plural(what, len(list)), list[0])}
		if len(list) == 1 {
			c.Text = fmt.Sprintf("%s: %s", plural(what, 1), list[0])
		}
		for _, f := range list[:min(len(list), maxDetails+1)] {
			c.Details = append(c.Details, f.String())
		}
		c.Details = boundedOf(c.Details, len(list))
		causes = append(causes, c)
	}
	add(tree.CauseCode, "function% only in the shipped file", r.Added)
	add(tree.CauseCode, "function% only in the rebuilt file", r.Removed)
	add(tree.CauseCode, "function% with other code", r.Changed)
	add(tree.CauseData, "function% with the same code and other data", r.Data)
	for _, s := range []struct {
		what    string
		strings []string
		objects int
	}{{"shipped", r.ShippedStrings, r.ShippedObjects}, {"rebuilt", r.RebuiltStrings, r.RebuiltObjects}} {
		if len(s.strings) > 0 {
			c := tree.Cause{ID: tree.CauseData, Text: fmt.Sprintf("%d strings only in the %s file: %+.80q", len(s.strings), s.what, s.strings[0])}
			for _, v := range s.strings[:min(len(s.strings), maxDetails+1)] {
				c.Details = append(c.Details, fmt.Sprintf("%+.80q", v))
			}
			c.Details = boundedOf(c.Details, len(s.strings))
			causes = append(causes, c)
		}
		if s.objects > 0 {
			causes = append(causes, tree.Cause{ID: tree.CauseData, Text: fmt.Sprintf("%d pieces of data only in the %s file", s.objects, s.what)})
		}
	}
	return causes
}

// String returns the function as one line.
func (f Function) String() string {
	s := quote(f.Name)
	if f.File != "" {
		s += fmt.Sprintf(" %s:%d", quote(f.File), f.Line)
	}
	switch {
	case f.Data != "":
		s += ", " + f.Data
	case f.Shipped > 0 && f.Rebuilt > 0:
		s += fmt.Sprintf(", %d bytes shipped, %d rebuilt", f.Shipped, f.Rebuilt)
	default:
		s += fmt.Sprintf(", %d bytes", f.Shipped+f.Rebuilt)
	}
	return s
}

func rank(name, own string) int {
	name, _, _ = strings.Cut(name, "[") // type arguments name other packages
	switch {
	case strings.HasPrefix(name, "main."):
		return 0
	case own != "" && strings.HasPrefix(name, own):
		return 1
	case strings.HasPrefix(name, "type:."), strings.HasPrefix(name, "go:"):
		return 4
	case strings.Contains(strings.SplitN(name, "/", 2)[0], ".") && strings.Contains(name, "/"):
		return 2 // a module's package; the standard library has no dot before the first slash
	}
	return 3
}

func plural(what string, n int) string {
	s := "s"
	if n == 1 {
		s = ""
	}
	return strings.Replace(what, "%", s, 1)
}

func boundedOf(lines []string, n int) []string {
	if n <= 1 {
		return nil
	}
	if len(lines) > maxDetails {
		return append(lines[:maxDetails:maxDetails], fmt.Sprintf("and %d more", n-maxDetails))
	}
	return lines
}
