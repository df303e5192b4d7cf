package code

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"unicode/utf8"
)

// A Program is an executable whose functions can be told apart from where they were linked to. What it holds of the file
// stays in use: the bytes must not change.
type Program struct {
	Go        bool
	Main      string            // of Go programs, the path of the main module
	Version   string            // and its version, as the go command wrote it
	Revision  string            // and its commit
	Compiler  string            // and the Go version, with the settings that change code
	Modules   map[string]string // and what is linked in: versions by path, replaced ones by what replaces them
	BuildID   string            // hex
	Processor string

	m *image
	o *objects
}

// A Print is what one function is known by, wherever it is linked in.
type Print struct {
	Name string `json:"name,omitempty"`
	Size int    `json:"size"` // without what linkers put behind it
	Code string `json:"code"` // of the instructions, references left out
	At   int    `json:"at"`   // where Run lies: eight bytes in which nothing is a reference
	Run  uint64 `json:"run"`
	Data []int  `json:"data,omitempty"` // for each reference how many bytes of what it reaches count
	Sum  string `json:"sum"`            // of those bytes, and of the names of what it calls
}

// OpenProgram reads an executable: ELF, PE or Mach-O. It reports false for what is none, or cannot be told by function.
func OpenProgram(data []byte) (p *Program, ok bool) {
	defer func() {
		if recover() != nil { // debug packages of the standard library, on hostile files
			p, ok = nil, false
		}
	}()
	m, ok := load(data, nil)
	if !ok || len(m.functions) == 0 {
		return nil, false
	}
	p = &Program{m: m, Go: m.table != nil, BuildID: hex.EncodeToString(m.facts.buildID), Processor: m.arch.String(), Modules: map[string]string{}}
	info, err := buildinfo.Read(bytes.NewReader(data))
	if err != nil {
		return p, true
	}
	p.Main, p.Version = info.Main.Path, info.Main.Version
	var settings []string
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			p.Revision = s.Value
		case "GOOS", "-buildmode", "GOARCH", "GOAMD64", "GOARM", "GOARM64", "GO386", "-race", "-msan", "-asan", "-gcflags", "-compiler", "GOEXPERIMENT":
			settings = append(settings, s.Key+"="+s.Value)
		}
	}
	p.Compiler = strings.Join(append([]string{info.GoVersion}, settings...), " ")
	for _, d := range info.Deps {
		version := d.Version
		if d.Replace != nil {
			version = "=> " + strings.TrimSpace(d.Replace.Path+" "+d.Replace.Version)
		}
		p.Modules[d.Path] = version
	}
	return p, true
}

// Exact tells whether prints of this program tell apart what is the same from what is not: code for 32-bit processors and for
// fixed addresses has numbers in it that may be addresses or not.
func (p *Program) Exact() bool { return p.m.word == 8 && !p.m.fixed }

// Functions returns how many functions there are.
func (p *Program) Functions() int { return len(p.m.functions) }

// Name returns the name of function i, "" for none.
func (p *Program) Name(i int) string { return p.m.functions[i].name }

// Own tells whether function i is code that somebody wrote: no stub, padding or start-up code.
func (p *Program) Own(i int) bool {
	f := &p.m.functions[i]
	return !f.stub && !f.gap && !startup[f.name] && !strings.HasPrefix(f.name, "go:") && !strings.HasPrefix(f.name, "type:")
}

// code returns the instructions of function i without what linkers put behind them.
func (p *Program) code(i int) []byte {
	f := &p.m.functions[i]
	b := p.m.body(f)
	switch {
	case p.Go:
		b = bytes.TrimRight(b, "\xcc\x00")
	case f.open:
		b = bytes.TrimRight(b, "\xcc\x90\x00")
	}
	return b
}

// Size returns the size of function i.
func (p *Program) Size(i int) int { return len(p.code(i)) }

// refs returns the references of function i that lie in its instructions.
func (p *Program) refs(i int) []ref {
	f := &p.m.functions[i]
	b := p.code(i)
	var list []ref
	for _, r := range p.objects().scan(f, p.m.body(f), nil) {
		if int(r.at)+r.kind.width() <= len(b) {
			list = append(list, r)
		}
	}
	return list
}

func (p *Program) objects() *objects {
	if p.o == nil {
		p.o = divide(p.m)
	}
	return p.o
}

// Complete decodes all functions, so that the data that they share is divided. Whoever makes prints needs it.
func (p *Program) Complete() {
	p.o = divide(p.m)
	p.o.markCode(nil)
	p.o.finish()
}

// masked returns the digest of instructions with the references in them left out.
func (p *Program) masked(b []byte, refs []ref) string {
	own := bytes.Clone(b)
	for _, r := range refs {
		clearMasked(own, int(r.at), r.kind)
	}
	h := sha256.New()
	h.Write([]byte{byte(p.m.arch)})
	h.Write(own)
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Print returns the print of function i, after Complete.
func (p *Program) Print(i int) Print {
	b, refs := p.code(i), p.refs(i)
	out := Print{Name: p.Name(i), Size: len(b), Code: p.masked(b, refs), At: -1}
	at := 0
	for _, r := range append(refs, ref{at: uint32(len(b))}) {
		if int(r.at)-at >= 8 && int(r.at) <= len(b) {
			out.At, out.Run = at, binary.LittleEndian.Uint64(b[at:])
			break
		}
		at = int(r.at) + r.kind.width()
	}
	counts := false
	for _, r := range refs {
		n := p.content(r)
		out.Data = append(out.Data, n)
		counts = counts || n > 0
	}
	out.Sum, _ = p.sum(refs, out.Data)
	if !counts {
		out.Data = nil
	}
	return out
}

// content returns how many bytes count of what a reference reaches: text, and small constants. Tables and descriptions of
// types hold addresses, which are others in every program.
func (p *Program) content(r ref) int {
	part := p.o.part(r.to)
	if part == nil || part.s.write || part.zero || r.kind == refPage || len(part.start) == 0 {
		return 0
	}
	i := part.find(r.to - part.s.addr)
	b := part.object(i, int(r.to-part.s.addr)-int(part.start[i]))
	b = bytes.TrimRight(b[:min(len(b), maxString)], "\x00")
	switch {
	case len(b) >= minString && utf8.Valid(b) && !bytes.ContainsAny(b, "\x00\x01\x02\x03\x04\x05\x06\x07\x08"):
		return len(b)
	case len(b) > 0 && len(b) <= 16 && !p.address(b):
		return len(b)
	}
	return 0
}

// address tells whether one of the words in b could be an address of the program.
func (p *Program) address(b []byte) bool {
	for ; len(b) >= 4; b = b[4:] {
		v := uint64(binary.LittleEndian.Uint32(b))
		if len(b) >= 8 && p.m.word == 8 {
			v = binary.LittleEndian.Uint64(b)
		}
		if v-p.o.lo < p.o.hi-p.o.lo {
			return true
		}
	}
	return false
}

// sum is the digest of what references reach: bytes of data, as many as lengths say, and in Go programs the names of what
// is called.
func (p *Program) sum(refs []ref, lengths []int) (string, bool) {
	h := sha256.New()
	for i, r := range refs {
		n := 0
		if i < len(lengths) {
			n = lengths[i]
		}
		if n > 0 {
			b := p.m.bytes(r.to)
			if len(b) < n {
				return "", false
			}
			h.Write(b[:n])
			h.Write([]byte{0})
		}
		if p.Go && p.m.inCode(r.to) {
			if k := p.m.function(r.to); k >= 0 {
				h.Write([]byte(p.m.functions[k].name))
			}
			h.Write([]byte{1})
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:16]), true
}

// MayBe is a quick look: only a function that it is true for can have the code of the print.
func (p *Program) MayBe(i int, want *Print) bool {
	b := p.code(i)
	return len(b) == want.Size && (want.At < 0 || binary.LittleEndian.Uint64(b[want.At:]) == want.Run)
}

// Same tells whether function i has the code of the print, and whether it reaches the same.
func (p *Program) Same(i int, want *Print) (code, reaches bool) {
	b := p.code(i)
	if len(b) != want.Size {
		return false, false
	}
	refs := p.refs(i)
	if p.masked(b, refs) != want.Code {
		return false, false
	}
	sum, ok := p.sum(refs, want.Data)
	return true, ok && sum == want.Sum
}

// Place returns the file and line at which function i begins, "" and 0 where nothing says so.
func (p *Program) Place(i int) (string, int) {
	f := &p.m.functions[i]
	return p.m.place(f, f.entry)
}
