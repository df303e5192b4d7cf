package code

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"

	"golang.org/x/arch/arm/armasm"
	"golang.org/x/arch/arm64/arm64asm"
	"golang.org/x/arch/x86/x86asm"

	"github.com/glassbuild/glassbuild/internal/compare/align"
	"github.com/glassbuild/glassbuild/internal/compare/tree"
	"github.com/glassbuild/glassbuild/internal/pattern"
)

// line is one instruction for people, and what makes two of them the same.
type line struct {
	at   int
	text string
	key  string
}

// view shows two functions next to each other where their instructions differ.
func (c *comparison) view(ia, ib int) []tree.Line {
	fa, fb := &c.a.functions[ia], &c.b.functions[ib]
	if fa.end-fa.entry > maxDisassembled || fb.end-fb.entry > maxDisassembled {
		return nil
	}
	x, y := c.da.disassemble(ia, c.mate), c.db.disassemble(ib, nil)
	ka, kb := keys(x), keys(y)
	var out []tree.Line
	show := func(i, j int, same bool) {
		var l tree.Line
		if i >= 0 {
			l.Shipped = fmt.Sprintf("%4x %s", x[i].at, x[i].text)
		}
		if j >= 0 {
			l.Rebuilt = fmt.Sprintf("%4x %s", y[j].at, y[j].text)
		}
		l.Same = same
		out = append(out, l)
	}
	for _, b := range align.Blocks(ka, kb, maxInstructionEdits) {
		if b.Same {
			if len(out) > 0 && b.A1-b.A0 > 2*maxContext {
				show(b.A0, b.B0, true)
			} else if len(out) > 0 {
				for k := range b.A1 - b.A0 {
					show(b.A0+k, b.B0+k, true)
				}
			}
			continue
		}
		if b.A0 > 0 && b.B0 > 0 && len(out) == 0 {
			show(b.A0-1, b.B0-1, true)
		}
		for i, j := b.A0, b.B0; i < b.A1 || j < b.B1; i, j = i+1, j+1 {
			if len(out) >= maxView {
				return out
			}
			show(orNone(i, b.A1), orNone(j, b.B1), false)
		}
	}
	for len(out) > 0 && out[len(out)-1].Same && len(out) > 1 && out[len(out)-2].Same {
		out = out[:len(out)-1]
	}
	return out
}

func orNone(i, end int) int {
	if i >= end {
		return -1
	}
	return i
}

func keys(list []line) []string {
	out := make([]string, len(list))
	for i := range list {
		out[i] = list[i].key
	}
	return out
}

// disassemble returns the instructions of function i. mate, where it is set, tells which functions of the other program
// those of this one are: both sides call them by the names of the other one.
func (o *objects) disassemble(i int, mate []int32) []line {
	f := &o.m.functions[i]
	b := o.m.body(f)
	if o.m.arch == archAMD64 || o.m.arch == arch386 {
		for len(b) > 0 && b[len(b)-1] == 0xcc {
			b = b[:len(b)-1]
		}
	}
	refs := o.of(i)
	var out []line
	for at := 0; at < len(b); {
		n, text, jump := o.instruction(b[at:], f.entry+uint64(at))
		if f.thumb {
			n, text, jump = thumbText(b[at:])
		}
		for len(refs) > 0 && int(refs[0].at) < at {
			refs = refs[1:]
		}
		raw := bytes.Clone(b[at : at+n])
		l := line{at: at}
		switch {
		case len(refs) > 0 && refs[0].kind == refPage && int(refs[0].at) == at:
			clearMasked(raw, 0, refPage)
			l.text, l.key = lastAddress.Regexp().ReplaceAllLiteralString(text, "page"), string(raw)
		case len(refs) > 0 && int(refs[0].at) < at+n:
			r := refs[0]
			l.text = withTarget(text, o.describe(r.to))
			clearMasked(raw, int(r.at)-at, r.kind)
			l.key = string(raw) + o.describe(r.to)
		case jump:
			l.text = localJump(text, f.entry, f.end)
			l.key = o.jumpKey(raw)
		default:
			l.text, l.key = text, string(raw)
		}
		out = append(out, l)
		at += n
	}
	return out
}

// jumpKey is what a jump within a function is beside its distance.
func (o *objects) jumpKey(raw []byte) string {
	switch o.m.arch {
	case archARM64:
		return fmt.Sprintf("jump %x", binary.LittleEndian.Uint32(raw)&0xff00001f)
	case archARM:
		return fmt.Sprintf("jump %x", raw[3])
	}
	if len(raw) > 4 {
		return "jump " + string(raw[:len(raw)-4])
	}
	return "jump " + string(raw[:1])
}

func clearMasked(b []byte, at int, kind refKind) {
	if at+kind.width() > len(b) {
		return
	}
	if kind == refAbs64 {
		clear(b[at : at+8])
		return
	}
	binary.LittleEndian.PutUint32(b[at:], binary.LittleEndian.Uint32(b[at:])&^masks[kind])
}

// instruction decodes one for people; what cannot be decoded is shown as bytes.
func (o *objects) instruction(b []byte, pc uint64) (n int, text string, jump bool) {
	switch o.m.arch {
	case archAMD64, arch386:
		mode := 64
		if o.m.arch == arch386 {
			mode = 32
		}
		in := decode(b, mode == 64)
		inst, err := x86asm.Decode(b, mode)
		if err != nil || inst.Len == 0 || in.size != inst.Len {
			n = max(in.size, 1)
			return n, fmt.Sprintf("(bytes) %x", b[:n]), false
		}
		_, rel := inst.Args[0].(x86asm.Rel)
		return inst.Len, strings.ToLower(x86asm.IntelSyntax(inst, pc, nil)), rel
	case archARM64:
		if len(b) < 4 {
			break
		}
		inst, err := arm64asm.Decode(b)
		if err != nil {
			return 4, fmt.Sprintf("(bytes) %x", b[:4]), false
		}
		w := binary.LittleEndian.Uint32(b)
		return 4, arm64asm.GNUSyntax(inst), w&0x7c000000 == 0x14000000 || w&0x7e000000 == 0x34000000 || w&0xff000000 == 0x54000000 || w&0x7e000000 == 0x36000000
	case archARM:
		if len(b) < 4 {
			break
		}
		inst, err := armasm.Decode(b, armasm.ModeARM)
		if err != nil {
			return 4, fmt.Sprintf("(bytes) %x", b[:4]), false
		}
		return 4, armasm.GNUSyntax(inst), binary.LittleEndian.Uint32(b)&0x0f000000 == 0x0a000000
	}
	n = min(len(b), 8)
	return n, fmt.Sprintf("(bytes) %x", b[:n]), false
}

var (
	ripOperand  = pattern.New(`\[rip ?[+-] ?0x[0-9a-f]+\]`)
	lastAddress = pattern.New(`\.?[+-]?0x[0-9a-f]+$`)
)

// withTarget puts what a reference reaches in the place of its number.
func withTarget(text, target string) string {
	if ripOperand.MatchString(text) {
		return ripOperand.Regexp().ReplaceAllLiteralString(text, "["+target+"]")
	}
	if lastAddress.MatchString(text) {
		return lastAddress.Regexp().ReplaceAllLiteralString(text, target)
	}
	return text + "  # " + target
}

// localJump shows where in its function a jump goes.
func localJump(text string, entry, end uint64) string {
	return lastAddress.Regexp().ReplaceAllStringFunc(text, func(s string) string {
		var to uint64
		if _, err := fmt.Sscanf(s, "0x%x", &to); err == nil && to >= entry && to <= end {
			return fmt.Sprintf("+%#x", to-entry)
		}
		return s
	})
}

// describe names what lies at an address for people: a function, an import, named data, a string, the first bytes.
func (o *objects) describe(addr uint64) string {
	if name := o.m.imports[addr]; name != "" {
		return quote(name)
	}
	if i := o.m.function(addr); i >= 0 {
		f := &o.m.functions[i]
		name := f.name
		if name == "" {
			name = "unnamed"
		}
		if d := addr - f.entry; d != 0 {
			return fmt.Sprintf("%s+%#x", quote(name), d)
		}
		return quote(name)
	}
	p := o.part(addr)
	if p == nil {
		if s := o.m.in(addr); s != nil {
			return s.name
		}
		return "outside"
	}
	if s, ok := o.m.named(addr); ok {
		if addr != s.addr {
			return fmt.Sprintf("%s+%#x", quote(s.name), addr-s.addr)
		}
		return quote(s.name)
	}
	if p.zero {
		return quote(p.s.name)
	}
	return o.show(addr)
}

// show returns what lies at an address of data.
func (o *objects) show(addr uint64) string {
	p := o.part(addr)
	if p == nil {
		return o.describe(addr)
	}
	if name := o.m.imports[addr]; name != "" {
		return "import " + quote(name)
	}
	off := addr - p.s.addr
	i := p.find(off)
	b := p.object(i, int(off)-int(p.start[i]))
	if s, ok := firstText(b); ok {
		return fmt.Sprintf("%+.60q", s)
	}
	if len(b) == 0 {
		return "zeros"
	}
	return fmt.Sprintf("% x", b[:min(len(b), 16)])
}

// firstText returns the text up to the first zero byte, or all of it.
func firstText(b []byte) (string, bool) {
	if i := bytes.IndexByte(b, 0); i > 0 && bytes.IndexFunc(b[:i], func(r rune) bool { return r < ' ' || r > '~' }) < 0 {
		return string(b[:i]), true
	}
	return text(b)
}
