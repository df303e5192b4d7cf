package tomlfile

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// value reads one value at the given depth.
func (p *parser) value(depth int) (*node, error) {
	if depth > MaxDepth {
		return nil, p.errorAt(p.pos, "nests deeper than %d levels", MaxDepth)
	}
	start := p.pos
	switch c := p.peek(); {
	case c == '"' || c == '\'':
		s, err := p.str()
		return &node{kind: String, at: start, text: s}, err
	case c == '[':
		return p.array(depth)
	case c == '{':
		return p.inlineTable(depth)
	default:
		return p.scalar()
	}
}

func (p *parser) array(depth int) (*node, error) {
	n := &node{kind: Array, at: p.pos, closed: true}
	p.pos++
	for {
		p.skipBlank()
		if p.peek() == ']' {
			p.pos++
			return n, nil
		}
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		n.list = append(n.list, v)
		p.skipBlank()
		switch p.peek() {
		case ',':
			p.pos++
		case ']':
		default:
			return nil, p.errorAt(p.pos, "want , or ] in the array")
		}
	}
}

func (p *parser) inlineTable(depth int) (*node, error) {
	n := newTable(p.pos)
	p.pos++
	p.skipSpace()
	if p.peek() == '}' {
		p.pos++
		n.close()
		return n, nil
	}
	for {
		if err := p.keyValue(n, depth); err != nil {
			return nil, err
		}
		p.skipSpace()
		switch p.peek() {
		case ',':
			p.pos++
		case '}':
			p.pos++
			n.close()
			return n, nil
		default:
			return nil, p.errorAt(p.pos, "want , or } in the inline table")
		}
	}
}

// close ends a table that was written inline: neither a header nor a dotted key can add to it or to the tables in it.
func (n *node) close() {
	n.closed, n.dotted = true, false
	for _, child := range n.table {
		if child.kind == Table && !child.closed {
			child.close()
		}
	}
}

// scalar reads a boolean, an integer, a date or a date-time.
func (p *parser) scalar() (*node, error) {
	start := p.pos
	for c := p.peek(); isBare(c) || c == '+' || c == '.' || c == ':'; c = p.peek() {
		p.pos++
	}
	word := p.src[start:p.pos]
	// RFC 3339 section 5.6 lets a space stand for the T of a date-time.
	if len(word) == len(time.DateOnly) && p.peek() == ' ' && p.pos+1 < len(p.src) && isDigit(p.src[p.pos+1]) {
		p.pos++
		for c := p.peek(); isBare(c) || c == '+' || c == '.' || c == ':'; c = p.peek() {
			p.pos++
		}
		word = word + "T" + p.src[start+len(word)+1:p.pos]
	}
	n := &node{at: start, text: word}
	switch word {
	case "":
		return nil, p.errorAt(start, "want a value")
	case "true", "false":
		n.kind, n.flag = Bool, word == "true"
		return n, nil
	}
	if v, ok := integer(word); ok {
		n.kind, n.number = Integer, v
		return n, nil
	}
	if _, err := time.Parse(time.DateOnly, word); err == nil {
		n.kind = LocalDate
		return n, nil
	}
	if _, err := time.Parse(time.RFC3339Nano, word); err == nil && !strings.Contains(word, ",") {
		n.kind = DateTime
		return n, nil
	}
	return nil, p.errorAt(start, "%q is not a string, integer, boolean, date or offset date-time", word)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// integer reads an integer: decimal without leading zeros, or 0x, 0o, 0b without a sign; _ only between digits.
func integer(word string) (int64, bool) {
	digits := strings.TrimLeft(word, "+-")
	if len(word)-len(digits) > 1 || digits == "" {
		return 0, false
	}
	base := 10
	switch {
	case len(digits) > 1 && digits[0] == '0':
		base = map[byte]int{'x': 16, 'o': 8, 'b': 2}[digits[1]]
		if base == 0 || digits != word {
			return 0, false
		}
		digits = digits[2:]
	case !isDigit(digits[0]):
		return 0, false
	}
	if strings.HasPrefix(digits, "_") || strings.HasSuffix(digits, "_") || strings.Contains(digits, "__") {
		return 0, false
	}
	digits = strings.ReplaceAll(digits, "_", "")
	if strings.ContainsAny(digits, "+-") {
		return 0, false
	}
	if word[0] == '-' {
		digits = "-" + digits
	}
	v, err := strconv.ParseInt(digits, base, 64)
	return v, err == nil
}

// str reads one of the four kinds of strings.
func (p *parser) str() (string, error) {
	rest := p.src[p.pos:]
	quote := rest[:1]
	if strings.HasPrefix(rest, quote+quote+quote) {
		return p.multiLine(quote)
	}
	start := p.pos
	p.pos++
	var b strings.Builder
	for {
		switch c := p.peek(); {
		case c == 0 || c == '\n' || c == '\r':
			return "", p.errorAt(start, "string does not end on its line")
		case c == quote[0]:
			p.pos++
			return b.String(), nil
		case c == '\\' && quote == `"`:
			if err := p.escape(&b); err != nil {
				return "", err
			}
		default:
			b.WriteByte(c)
			p.pos++
		}
	}
}

func (p *parser) multiLine(quote string) (string, error) {
	start := p.pos
	p.pos += 3
	// A line end straight after the opening delimiter is trimmed.
	if strings.HasPrefix(p.src[p.pos:], "\r\n") {
		p.pos += 2
	} else if p.peek() == '\n' {
		p.pos++
	}
	var b strings.Builder
	for {
		rest := p.src[p.pos:]
		switch c := p.peek(); {
		case c == 0:
			return "", p.errorAt(start, "string does not end")
		case strings.HasPrefix(rest, quote+quote+quote):
			p.pos += 3
			// One or two quotes may stand straight before the closing delimiter.
			for range 2 {
				if p.peek() == quote[0] {
					b.WriteByte(quote[0])
					p.pos++
				}
			}
			return b.String(), nil
		case c == '\\' && quote == `"`:
			if p.lineContinuation() {
				continue
			}
			if err := p.escape(&b); err != nil {
				return "", err
			}
		case c == '\r':
			p.pos++ // a line end is one line feed, whatever the file uses
		default:
			b.WriteByte(c)
			p.pos++
		}
	}
}

// lineContinuation skips a backslash at the end of a line with all the white space that follows it.
func (p *parser) lineContinuation() bool {
	rest := strings.TrimLeft(p.src[p.pos+1:], " \t")
	if !strings.HasPrefix(rest, "\n") && !strings.HasPrefix(rest, "\r\n") {
		return false
	}
	p.pos = len(p.src) - len(strings.TrimLeft(rest, " \t\r\n"))
	return true
}

func (p *parser) escape(b *strings.Builder) error {
	start := p.pos
	p.pos++
	c := p.peek()
	p.pos = min(p.pos+1, len(p.src))
	digits := 0
	switch c {
	case 'b':
		b.WriteByte('\b')
	case 't':
		b.WriteByte('\t')
	case 'n':
		b.WriteByte('\n')
	case 'f':
		b.WriteByte('\f')
	case 'r':
		b.WriteByte('\r')
	case '"', '\\':
		b.WriteByte(c)
	case 'u':
		digits = 4
	case 'U':
		digits = 8
	default:
		return p.errorAt(start, "unknown escape sequence")
	}
	if digits == 0 {
		return nil
	}
	if p.pos+digits > len(p.src) {
		return p.errorAt(start, "escape sequence does not end")
	}
	v, err := strconv.ParseUint(p.src[p.pos:p.pos+digits], 16, 32)
	if err != nil || v > utf8.MaxRune || !utf8.ValidRune(rune(v)) {
		return p.errorAt(start, "escape sequence is no Unicode character")
	}
	b.WriteRune(rune(v))
	p.pos += digits
	return nil
}
