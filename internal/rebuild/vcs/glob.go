package vcs

import "strings"

// glob is a wildcard pattern of git's (fnmatch with FNM_PATHNAME, plus "**"). It is run as a set of states over the
// text, so that no pattern takes more than len(pattern) × len(text) steps.
type glob struct {
	tokens []token
	never  bool // malformed: matches nothing
}

type kind uint8

const (
	oneByte kind = iota // a byte of the set
	anyRun              // any run of bytes, but no slash when noSlash is set
	anyDirs             // "**/": skips the dirs that follows it, or enters it
	dirs                // any run of bytes that ends in a slash
)

type token struct {
	kind    kind
	noSlash bool
	set     [4]uint64
}

func (t *token) add(b byte)      { t.set[b>>6] |= 1 << (b & 63) }
func (t *token) has(b byte) bool { return t.set[b>>6]&(1<<(b&63)) != 0 }

// compileGlob compiles s. With pathname set, "?", "*" and classes do not match a slash.
func compileGlob(s string, pathname bool) *glob {
	g := &glob{}
	for i := 0; i < len(s); {
		var t token
		switch s[i] {
		case '*':
			i = g.star(s, i, pathname)
			continue
		case '?':
			t.fill(pathname)
			i++
		case '[':
			next, ok := t.class(s, i+1, pathname)
			if !ok {
				g.never = true
				return g
			}
			i = next
		case '\\':
			if i++; i == len(s) {
				g.never = true
				return g
			}
			t.add(s[i])
			i++
		default:
			t.add(s[i])
			i++
		}
		g.tokens = append(g.tokens, t)
	}
	return g
}

// star compiles the run of asterisks at s[i:] and returns where it ends.
func (g *glob) star(s string, i int, pathname bool) int {
	start := i
	for i < len(s) && s[i] == '*' {
		i++
	}
	t := token{kind: anyRun, noSlash: pathname}
	alone := start == 0 || s[start-1] == '/'
	if pathname && i-start > 1 && alone {
		switch rest := s[i:]; {
		case strings.HasPrefix(rest, "/"):
			g.tokens = append(g.tokens, token{kind: anyDirs}, token{kind: dirs})
			return i + 1
		case rest == "", strings.HasPrefix(rest, `\/`):
			t.noSlash = false
		}
	}
	g.tokens = append(g.tokens, t)
	return i
}

func (t *token) fill(pathname bool) {
	t.set = [4]uint64{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)}
	if pathname {
		t.drop('/')
	}
}

func (t *token) drop(b byte) { t.set[b>>6] &^= 1 << (b & 63) }

// class compiles the bracket expression whose first byte after "[" is s[i].
func (t *token) class(s string, i int, pathname bool) (next int, ok bool) {
	negated := i < len(s) && (s[i] == '!' || s[i] == '^')
	if negated {
		i++
	}
	previous := -1 // the byte that a following "-" would start a range from
	for first := true; ; first = false {
		if i >= len(s) {
			return 0, false
		}
		c := s[i]
		switch {
		case c == ']' && !first:
			t.finish(negated, pathname)
			return i + 1, true
		case c == '-' && previous > 0 && i+1 < len(s) && s[i+1] != ']':
			i++
			if s[i] == '\\' {
				if i++; i == len(s) {
					return 0, false
				}
			}
			for b := previous; b <= int(s[i]); b++ {
				t.add(byte(b))
			}
			previous = -1
		case c == '[' && i+1 < len(s) && s[i+1] == ':':
			end, valid := t.named(s, i+2)
			if !valid {
				return 0, false
			}
			if end == 0 { // no ":]" follows: an ordinary bracket
				t.add('[')
				previous = '['
				break
			}
			i, previous = end, -1
		default:
			if c == '\\' {
				if i++; i == len(s) {
					return 0, false
				}
				c = s[i]
			}
			t.add(c)
			previous = int(c)
		}
		i++
	}
}

func (t *token) finish(negated, pathname bool) {
	if negated {
		for i := range t.set {
			t.set[i] = ^t.set[i]
		}
	}
	if pathname {
		t.drop('/')
	}
}

// named adds the POSIX class whose name starts at s[i] and returns the index of the bracket that closes it, 0 when
// what follows is no named class at all; an unknown name is not valid.
func (t *token) named(s string, i int) (end int, valid bool) {
	n := strings.IndexByte(s[i:], ']')
	if n < 0 {
		return 0, false
	}
	if n == 0 || s[i+n-1] != ':' {
		return 0, true
	}
	in, known := posix[s[i:i+n-1]]
	if !known {
		return 0, false
	}
	for b := range 128 { // the C locale: no class holds a byte above
		if in(byte(b)) {
			t.add(byte(b))
		}
	}
	return i + n, true
}

var posix = map[string]func(byte) bool{
	"alnum":  func(b byte) bool { return isAlpha(b) || isDigit(b) },
	"alpha":  isAlpha,
	"blank":  func(b byte) bool { return b == ' ' || b == '\t' },
	"cntrl":  func(b byte) bool { return b < ' ' || b == 0x7f },
	"digit":  isDigit,
	"graph":  func(b byte) bool { return b > ' ' && b < 0x7f },
	"lower":  func(b byte) bool { return 'a' <= b && b <= 'z' },
	"print":  func(b byte) bool { return b >= ' ' && b < 0x7f },
	"punct":  func(b byte) bool { return b > ' ' && b < 0x7f && !isAlpha(b) && !isDigit(b) },
	"space":  func(b byte) bool { return b == ' ' || b == '\t' || b == '\n' || b == '\r' }, // git's own table
	"upper":  func(b byte) bool { return 'A' <= b && b <= 'Z' },
	"xdigit": func(b byte) bool { return isDigit(b) || 'a' <= b && b <= 'f' || 'A' <= b && b <= 'F' },
}

func isAlpha(b byte) bool { return 'a' <= b|0x20 && b|0x20 <= 'z' }
func isDigit(b byte) bool { return '0' <= b && b <= '9' }

// match runs the tokens over text. State i means that tokens[:i] are matched; a run token stays in its state.
func (g *glob) match(text string) bool {
	if g.never {
		return false
	}
	now, next := make([]bool, len(g.tokens)+1), make([]bool, len(g.tokens)+1)
	now[0] = true
	for i := 0; i < len(text); i++ {
		g.close(now)
		clear(next)
		for s, on := range now[:len(g.tokens)] {
			if on {
				g.step(s, text[i], next)
			}
		}
		now, next = next, now
	}
	g.close(now)
	return now[len(g.tokens)]
}

// close follows the tokens that match nothing.
func (g *glob) close(states []bool) {
	for s := range g.tokens {
		if !states[s] {
			continue
		}
		switch g.tokens[s].kind {
		case anyRun:
			states[s+1] = true
		case anyDirs:
			states[s+1], states[s+2] = true, true
		}
	}
}

func (g *glob) step(s int, b byte, next []bool) {
	switch t := &g.tokens[s]; t.kind {
	case oneByte:
		if t.has(b) {
			next[s+1] = true
		}
	case anyRun:
		if !t.noSlash || b != '/' {
			next[s] = true
		}
	case dirs:
		next[s] = true
		if b == '/' {
			next[s+1] = true
		}
	}
}
