package code

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
	"sort"
	"strings"

	"github.com/glassbuild/glassbuild/internal/compare/tree"
)

// Explain adds to a node why two executables differ: causes, a table of sections, and the functions that were added,
// removed or changed. What changes everything, such as another toolchain, comes before functions; a stamp or a path,
// which changes no code, comes after them.
func Explain(n *tree.Node, shipped, rebuilt []byte) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case interface{ Addr() uintptr }: // a mapped file was shortened
			panic(r)
		default:
			n.Causes = append(n.Causes, tree.Cause{ID: tree.CauseBytes, Text: fmt.Sprintf("not taken apart, a fault of this program: %s", quote(fmt.Sprint(r)))})
		}
	}()
	explain(n, shipped, rebuilt)
}

func explain(n *tree.Node, shipped, rebuilt []byte) {
	if isFat(shipped) && isFat(rebuilt) {
		explainFat(n, shipped, rebuilt)
		return
	}
	if bytes.HasPrefix(shipped, wasmMagic) && bytes.HasPrefix(rebuilt, wasmMagic) {
		explainWasm(n, shipped, rebuilt)
		return
	}
	var before, after []tree.Cause
	x, y := readInfo(shipped), readInfo(rebuilt)
	for _, c := range compareInfo(x, y) {
		if c.ID == tree.CauseVCS || c.ID == tree.CausePath {
			after = append(after, c)
		} else {
			before = append(before, c)
		}
	}
	own := mainModule(x, y)
	a, b, ok := loadBoth(shipped, rebuilt)
	if !ok {
		n.Causes = append(before, append(after, unreadable(a, b)...)...)
		return
	}
	before = append(before, a.facts.makers(&b.facts)...)
	r := compareImages(a, b)
	if c, ok := r.bulk(before); ok {
		before = append(before, c)
	}
	if len(before) == 0 {
		r.look(own)
	}
	found := r.Causes(own)
	if len(before) > 0 { // which functions another compiler changed says nothing more
		for i := range found {
			found[i].Details = nil
		}
	}
	n.Causes = append(n.Causes, before...)
	n.Causes = append(n.Causes, found...)
	n.Causes = append(n.Causes, a.facts.contract(&b.facts)...)
	n.Causes = append(n.Causes, after...)
	n.Causes = append(n.Causes, r.linkOrder(n.Causes)...)
	n.Causes = append(n.Causes, a.facts.marks(&b.facts)...)
	r.nodes(n, a, b, own)
	if len(n.Causes) == 0 {
		n.Causes = append(n.Causes, tree.Cause{
			ID: tree.CauseLayout, Text: fmt.Sprintf("all functions and the data that they use are the same: %d bytes differ in headers, tables or padding", n.Bytes), Details: sectionDetails(n),
		})
	}
}

// unreadable says why two executables were not compared by function.
func unreadable(a, b *image) []tree.Cause {
	switch {
	case a != nil && b != nil && (a.arch != b.arch || a.word != b.word):
		return []tree.Cause{{
			ID: tree.CauseFlags, Text: fmt.Sprintf("another processor: %s shipped, %s rebuilt", a.arch, b.arch), Remedy: "build for the platform of the shipped file",
		}}
	case a == nil && b == nil:
		return nil
	}
	side := "shipped"
	if a != nil {
		side = "rebuilt"
	}
	return []tree.Cause{{ID: tree.CauseBytes, Text: fmt.Sprintf("headers of the %s file do not hold together, or describe what is not loaded: not compared by function", side)}}
}

// linkOrder tells whether functions come in another order and nothing else in them differs.
func (r *Result) linkOrder(causes []tree.Cause) []tree.Cause {
	if r.Order == 0 || len(r.Changed)+len(r.Added)+len(r.Removed) > 0 {
		return nil
	}
	for _, c := range causes {
		if c.ID == tree.CauseToolchain || c.ID == tree.CauseFlags {
			return nil
		}
	}
	return []tree.Cause{{
		ID: tree.CauseLinkOrder, Text: fmt.Sprintf("the same functions in another order: %d come before one that they follow on the other side", r.Order),
		Remedy: "link in a fixed order: sort what a wild card or a directory listing gives to the linker",
	}}
}

// bulk recognises that a compiler did everything in another way: most functions differ.
func (r *Result) bulk(before []tree.Cause) (tree.Cause, bool) {
	own := 0
	for i := range r.c.a.functions {
		if f := &r.c.a.functions[i]; !f.stub && !f.gap && !startup[f.name] {
			own++
		}
	}
	own = max(own, len(r.Changed))
	if len(r.Changed) < minBulk || 10*len(r.Changed) < 6*own {
		return tree.Cause{}, false
	}
	for _, c := range before {
		if c.ID == tree.CauseToolchain || c.ID == tree.CauseFlags || c.ID == tree.CauseCPU {
			return tree.Cause{}, false
		}
	}
	c := tree.Cause{
		ID: tree.CauseFlags, Text: fmt.Sprintf("%d of %d functions have other code: other flags or another version of the compiler", len(r.Changed), own),
		Remedy: "build with the flags of the shipped file (optimisation, hardening, processor)",
	}
	if x, y := r.vectors[0], r.vectors[1]; (x == 0) != (y == 0) {
		c.ID = tree.CauseCPU
		c.Text += fmt.Sprintf("; vector extensions are used by %d instructions shipped, %d rebuilt", x, y)
		c.Remedy = "build for one processor (-march, GOAMD64), not for that of the machine"
	}
	return c, true
}

// startup code is linked in as it is, whatever the compiler was told.
var startup = map[string]bool{
	"_start": true, "_init": true, "_fini": true, "frame_dummy": true, "register_tm_clones": true, "deregister_tm_clones": true,
	"__do_global_dtors_aux": true, "_dl_relocate_static_pie": true,
}

// nodes adds the table of sections and, below the sections of code, functions.
func (r *Result) nodes(n *tree.Node, a, b *image, own string) {
	others := make(map[string]*section)
	for _, list := range [][]section{b.sections, b.other} {
		for i := range list {
			others[list[i].name] = &list[i]
		}
	}
	at := make(map[string]*tree.Node)
	add := func(s *section, child *tree.Node) {
		at[s.name] = child
		n.Nodes = append(n.Nodes, child)
	}
	for _, list := range [][]section{a.sections, a.other} {
		for i := range list {
			s := &list[i]
			o := others[s.name]
			delete(others, s.name)
			add(s, r.section(s, o))
		}
	}
	var rest []string
	for name := range others {
		rest = append(rest, name)
	}
	sort.Strings(rest)
	for _, name := range rest {
		s := others[name]
		add(s, &tree.Node{Path: name, Kind: tree.Section, Status: tree.OnlyRebuilt, Rebuilt: sectionSide(s)})
	}
	r.functionNodes(n, at, a, b, own)
}

func sectionSide(s *section) *tree.Side {
	side := &tree.Side{Size: int64(s.size)}
	if s.stored > 0 {
		side.Ranges = []tree.Range{{Offset: s.offset, Size: s.stored}}
	}
	return side
}

// section compares two sections as they lie in the files. One whose code or data is the same but for addresses is
// equivalent.
func (r *Result) section(s, o *section) *tree.Node {
	n := &tree.Node{Path: s.name, Kind: tree.Section, Status: tree.OnlyShipped, Shipped: sectionSide(s)}
	if o == nil {
		return n
	}
	n.Rebuilt = sectionSide(o)
	switch {
	case !s.cloned && !o.cloned && s.size == o.size && bytes.Equal(s.data, o.data):
		n.Status = tree.Identical
	case !derived(s.name) && s.addr != 0 && r.Equal():
		n.Status = tree.Equivalent
	default:
		n.Status = tree.Different
		n.Bytes = differing(s.data, o.data)
	}
	return n
}

func differing(x, y []byte) int64 {
	common := min(len(x), len(y))
	n := int64(max(len(x), len(y)) - common)
	i := 0
	for ; i+8 <= common; i += 8 {
		for i+stretch <= common && bytes.Equal(x[i:i+stretch], y[i:i+stretch]) {
			i += stretch
		}
		if i+8 > common {
			break
		}
		if v := binary.LittleEndian.Uint64(x[i:]) ^ binary.LittleEndian.Uint64(y[i:]); v != 0 {
			const low, high = 0x7f7f7f7f7f7f7f7f, 0x8080808080808080
			n += int64(bits.OnesCount64((v&low + low | v) & high)) // adding 0x7f carries out of every byte that is not zero
		}
	}
	for ; i < common; i++ {
		if x[i] != y[i] {
			n++
		}
	}
	return n
}

// functionNodes lists functions below the sections that hold them.
func (r *Result) functionNodes(n *tree.Node, at map[string]*tree.Node, a, b *image, own string) {
	listed := 0
	for _, g := range []struct {
		list   []Function
		status tree.Status
	}{{r.Added, tree.OnlyShipped}, {r.Removed, tree.OnlyRebuilt}, {r.Changed, tree.Different}, {r.Data, tree.Different}} {
		for _, f := range g.list {
			m, entry := a, f.entries[0]
			if g.status == tree.OnlyRebuilt {
				m, entry = b, f.entries[1]
			}
			s := m.in(entry)
			if s == nil || at[s.name] == nil {
				continue
			}
			if listed++; listed > maxFunctionNodes {
				at[s.name].More++
				continue
			}
			at[s.name].Nodes = append(at[s.name].Nodes, functionNode(f, g.status, a, b))
		}
	}
	if text := at[".text"]; text != nil {
		text.Moved = r.Same
	}
}

func functionNode(f Function, status tree.Status, a, b *image) *tree.Node {
	n := &tree.Node{Path: f.Name, Kind: tree.Function, Status: status, View: f.View}
	side := func(m *image, entry uint64, size int, place string) *tree.Side {
		s := &tree.Side{Size: int64(size), Place: place}
		if sec := m.in(entry); sec != nil && sec.stored > 0 {
			s.Ranges = []tree.Range{{Offset: sec.offset + int64(entry-sec.addr), Size: int64(size)}}
		}
		return s
	}
	if f.Shipped > 0 || status != tree.OnlyRebuilt {
		n.Shipped = side(a, f.entries[0], f.Shipped, f.Place)
	}
	switch {
	case status == tree.OnlyRebuilt:
		n.Rebuilt = side(b, f.entries[1], f.Rebuilt, f.Place)
	case status == tree.Different:
		n.Rebuilt = side(b, f.entries[1], f.Rebuilt, f.Other)
	}
	return n
}

// sectionDetails names the sections that differ.
func sectionDetails(n *tree.Node) []string {
	var lines []string
	for _, s := range n.Nodes {
		if s.Kind == tree.Section && s.Status == tree.Different {
			lines = append(lines, fmt.Sprintf("%s: %d bytes", quote(s.Path), s.Bytes))
		}
	}
	return boundedOf(lines, len(lines)+1)
}

// Causes turns a result into lines, the most telling one first. Functions of the program's own module come before those
// of other packages; own is the module's path, and may be empty.
func (r *Result) Causes(own string) []tree.Cause {
	var causes []tree.Cause
	add := func(id, what string, list []Function) {
		if len(list) == 0 {
			return
		}
		sortFunctions(list, own)
		if time, ok := onlyTimes(list); ok {
			id = time
		}
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
	return append(causes, r.dataCauses()...)
}

// String returns the function as one line.
func (f Function) String() string {
	s := quote(f.Name)
	if f.Place != "" {
		s += " " + quote(f.Place)
	}
	switch {
	case f.Data != "":
		s += ", " + f.Data
	case f.Shipped > 0 && f.Rebuilt > 0:
		s += fmt.Sprintf(", %d bytes shipped, %d rebuilt", f.Shipped, f.Rebuilt)
	default:
		s += fmt.Sprintf(", %d bytes", f.Shipped+f.Rebuilt)
	}
	if f.Note != "" {
		s += ", " + f.Note
	}
	return s
}

func sortFunctions(list []Function, own string) {
	sort.SliceStable(list, func(i, j int) bool { return rank(list[i].Name, own) < rank(list[j].Name, own) })
}

func rank(name, own string) int {
	name, _, _ = strings.Cut(name, "[") // type arguments name other packages
	switch {
	case strings.HasPrefix(name, "main."), name == "main":
		return 0
	case own != "" && strings.HasPrefix(name, own):
		return 1
	case strings.HasPrefix(name, "type:."), strings.HasPrefix(name, "go:"), strings.HasPrefix(name, "code at "), strings.HasPrefix(name, "."):
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
