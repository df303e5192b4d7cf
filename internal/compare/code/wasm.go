package code

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/glassbuild/glassbuild/internal/compare/tree"
)

var wasmMagic = []byte("\x00asm")

// module of WebAssembly (core specification 2.0, chapter 5), as far as comparing needs it.
type wasmModule struct {
	imports   []string // every import, "module.name kind"
	functions []string // names by index, imported ones first
	imported  int      // of the functions
	exports   []string
	bodies    [][]byte // of the functions that are not imported
	data      [][]byte // segments
	custom    map[string][32]byte
	sections  []wasmSection
}

type wasmSection struct {
	name         string
	offset, size int64
	sum          [32]byte
}

var wasmSections = []string{"custom", "types", "imports", "functions", "tables", "memories", "globals", "exports", "start", "elements", "code", "data", "data count", "tags"}

// leb reads unsigned numbers of variable length and remembers a failure.
type leb struct {
	b   []byte
	bad bool
}

func (l *leb) u32() uint32 {
	v, n := binary.Uvarint(l.b)
	if n <= 0 || v > 0xffffffff {
		l.b, l.bad = nil, true
		return 0
	}
	l.b = l.b[n:]
	return uint32(v)
}

func (l *leb) take(n uint32) []byte {
	if uint64(n) > uint64(len(l.b)) {
		l.b, l.bad = nil, true
		return nil
	}
	b := l.b[:n]
	l.b = l.b[n:]
	return b
}

func (l *leb) name() string { return string(l.take(l.u32())) }

func loadWasm(data []byte) (*wasmModule, bool) {
	if len(data) < 8 || data[4] != 1 {
		return nil, false
	}
	m := &wasmModule{custom: make(map[string][32]byte)}
	l := &leb{b: data[8:]}
	var names []byte
	defined := uint32(0)
	for len(l.b) > 0 {
		id := l.take(1)[0]
		body := l.take(l.u32())
		if l.bad || int(id) >= len(wasmSections) || len(m.sections) > maxSegments {
			return nil, false
		}
		s := wasmSection{name: wasmSections[id], offset: int64(len(data) - len(l.b) - len(body)), size: int64(len(body)), sum: sha256.Sum256(body)}
		in := &leb{b: body}
		switch id {
		case 0:
			s.name = in.name()
			m.custom[s.name] = sha256.Sum256(in.b)
			if s.name == "name" {
				names = in.b
			}
		case 2:
			m.readImports(in)
		case 3:
			defined = in.u32()
		case 7:
			m.readExports(in)
		case 10:
			for n := in.u32(); n > 0 && !in.bad && len(m.bodies) < maxFunctions; n-- {
				m.bodies = append(m.bodies, in.take(in.u32()))
			}
		case 11:
			m.readData(in)
		}
		if in.bad {
			return nil, false
		}
		m.sections = append(m.sections, s)
	}
	if uint32(len(m.bodies)) != defined {
		return nil, false
	}
	m.readNames(names)
	return m, true
}

func (m *wasmModule) readImports(in *leb) {
	for n := in.u32(); n > 0 && !in.bad && len(m.imports) < maxImports; n-- {
		name := in.name() + "." + in.name()
		kind := in.take(1)
		if in.bad {
			return
		}
		switch kind[0] {
		case 0:
			in.u32()
			m.functions = append(m.functions, name)
		case 1:
			in.take(1)
			in.limits()
		case 2:
			in.limits()
		case 3:
			in.take(2)
		case 4:
			in.take(1)
			in.u32()
		default:
			in.bad = true
		}
		m.imports = append(m.imports, name)
	}
	m.imported = len(m.functions)
}

func (l *leb) limits() {
	if f := l.take(1); f != nil {
		l.u32()
		if f[0]&1 != 0 {
			l.u32()
		}
	}
}

func (m *wasmModule) readExports(in *leb) {
	for n := in.u32(); n > 0 && !in.bad && len(m.exports) < maxImports; n-- {
		name := in.name()
		in.take(1)
		in.u32()
		m.exports = append(m.exports, name)
	}
}

// readData reads segments as they lie in the section: where they go in memory is part of what is compared.
func (m *wasmModule) readData(in *leb) {
	for n := in.u32(); n > 0 && !in.bad && len(m.data) < maxSegments*64; n-- {
		kind := in.u32()
		if kind == 2 {
			in.u32()
		}
		if kind != 1 { // an expression ends with 0x0b
			end := bytes.IndexByte(in.b, 0x0b)
			if end < 0 {
				in.bad = true
				return
			}
			in.take(uint32(end) + 1)
		}
		m.data = append(m.data, in.take(in.u32()))
	}
}

// readNames reads subsection 1 of the name section: names of functions.
func (m *wasmModule) readNames(b []byte) {
	for k := len(m.functions); k < m.imported+len(m.bodies); k++ {
		m.functions = append(m.functions, "")
	}
	l := &leb{b: b}
	for len(l.b) > 0 && !l.bad {
		id := l.take(1)[0]
		in := &leb{b: l.take(l.u32())}
		if id != 1 {
			continue
		}
		for n := in.u32(); n > 0 && !in.bad; n-- {
			if k, name := in.u32(), in.name(); !in.bad && int(k) < len(m.functions) && int(k) >= m.imported {
				m.functions[k] = name
			}
		}
	}
}

// explainWasm compares two modules by function: bodies with the functions that they call by name rather than by number.
func explainWasm(n *tree.Node, shipped, rebuilt []byte) {
	a, okA := loadWasm(shipped)
	b, okB := loadWasm(rebuilt)
	if !okA || !okB {
		return
	}
	r := compareWasm(a, b)
	if len(r.Changed) >= minBulk && 10*len(r.Changed) >= 6*len(a.bodies) {
		n.Causes = append(n.Causes, tree.Cause{
			ID: tree.CauseFlags, Text: fmt.Sprintf("%d of %d functions have other code: other flags, another version of the compiler, or data at other places", len(r.Changed), len(a.bodies)),
			Remedy: "build with the compiler and flags of the shipped file",
		})
	}
	n.Causes = append(n.Causes, r.Causes("")...)
	x, y := &facts{imports: a.imports, exports: a.exports}, &facts{imports: b.imports, exports: b.exports}
	n.Causes = append(n.Causes, x.contract(y)...)
	if wasmData(a) != wasmData(b) {
		n.Causes = append(n.Causes, tree.Cause{ID: tree.CauseData, Text: "data segments differ"})
	}
	for _, k := range unionKeys(digests(a.custom), digests(b.custom)) {
		if a.custom[k] != b.custom[k] {
			n.Causes = append(n.Causes, tree.Cause{ID: customCause(k), Text: fmt.Sprintf("custom section %s differs", quote(k))})
		}
	}
	wasmNodes(n, a, b)
}

// customCause tells what a custom section is for.
func customCause(name string) string {
	switch name {
	case "go:buildid", "build_id":
		return tree.CauseBuildID
	case "producers":
		return tree.CauseToolchain
	case "name", ".debug_info", ".debug_line", ".debug_abbrev", ".debug_str", "sourceMappingURL":
		return tree.CauseStripped
	}
	return tree.CauseData
}

func digests(m map[string][32]byte) map[string]string {
	out := make(map[string]string, len(m))
	for k := range m {
		out[k] = ""
	}
	return out
}

func wasmData(m *wasmModule) [32]byte {
	h := sha256.New()
	for _, d := range m.data {
		h.Write(d)
	}
	return [32]byte(h.Sum(nil))
}

func wasmNodes(n *tree.Node, a, b *wasmModule) {
	others := make(map[string]wasmSection)
	for _, s := range b.sections {
		others[s.name] = s
	}
	for _, s := range a.sections {
		child := &tree.Node{Path: s.name, Kind: tree.Section, Status: tree.OnlyShipped, Shipped: &tree.Side{Size: s.size, Ranges: []tree.Range{{Offset: s.offset, Size: s.size}}}}
		if o, ok := others[s.name]; ok {
			child.Status = tree.Different
			if o.sum == s.sum {
				child.Status = tree.Identical
			}
			child.Rebuilt = &tree.Side{Size: o.size, Ranges: []tree.Range{{Offset: o.offset, Size: o.size}}}
			delete(others, s.name)
		}
		n.Nodes = append(n.Nodes, child)
	}
	for _, s := range b.sections {
		if _, alone := others[s.name]; alone {
			n.Nodes = append(n.Nodes, &tree.Node{Path: s.name, Kind: tree.Section, Status: tree.OnlyRebuilt, Rebuilt: &tree.Side{Size: s.size, Ranges: []tree.Range{{Offset: s.offset, Size: s.size}}}})
		}
	}
}
