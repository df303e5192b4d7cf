package tomlfile

import (
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// parser reads one document from front to back. The bytes were checked before: valid UTF-8, no control characters.
type parser struct {
	doc *Document
	src string
	pos int
}

// key is one part of a dotted key.
type key struct {
	text string
	at   int
}

func (d *Document) parse() (*node, error) {
	p := &parser{doc: d, src: string(d.data)}
	root := newTable(0)
	current := root
	for {
		p.skipBlank()
		if p.pos == len(p.src) {
			return root, nil
		}
		var err error
		if p.src[p.pos] == '[' {
			current, err = p.header(root)
		} else {
			err = p.keyValue(current, 0)
		}
		if err == nil {
			err = p.endOfLine()
		}
		if err != nil {
			return nil, err
		}
	}
}

func newTable(at int) *node { return &node{kind: Table, at: at, table: map[string]*node{}} }

func (n *node) add(k key, child *node) {
	child.at = k.at
	n.table[k.text] = child
	n.order = append(n.order, k.text)
}

func (p *parser) errorAt(at int, format string, args ...any) error {
	return p.doc.errorAt(at, format, args...)
}

// header reads [a.b] or [[a.b]] and returns the table that the following pairs belong to.
func (p *parser) header(root *node) (*node, error) {
	start := p.pos
	open, end := "[", "]"
	if strings.HasPrefix(p.src[p.pos:], "[[") {
		open, end = "[[", "]]"
	}
	p.pos += len(open)
	keys, err := p.dottedKey()
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(p.src[p.pos:], end) {
		return nil, p.errorAt(p.pos, "want %q to end the table header", end)
	}
	p.pos += len(end)
	at := root
	last := keys[len(keys)-1]
	for _, k := range keys[:len(keys)-1] {
		if at, err = p.descend(at, k); err != nil {
			return nil, err
		}
	}
	if open == "[[" {
		return p.arrayTable(at, last, start)
	}
	child, ok := at.table[last.text]
	switch {
	case !ok:
		child = newTable(start)
		at.add(last, child)
	case child.kind != Table || child.header || child.dotted || child.closed:
		return nil, p.duplicate(last)
	}
	child.header, child.at = true, start
	return child, nil
}

// descend follows one part of a header: into a table, or into the last element of an array of tables.
func (p *parser) descend(at *node, k key) (*node, error) {
	child, ok := at.table[k.text]
	switch {
	case !ok:
		child = newTable(k.at)
		at.add(k, child)
	case child.kind == Array && !child.closed:
		child = child.list[len(child.list)-1]
	case child.kind != Table || child.closed:
		return nil, p.duplicate(k)
	}
	return child, nil
}

func (p *parser) arrayTable(at *node, k key, start int) (*node, error) {
	array, ok := at.table[k.text]
	switch {
	case !ok:
		array = &node{kind: Array}
		at.add(k, array)
		array.at = start
	case array.kind != Array || array.closed:
		return nil, p.duplicate(k)
	}
	element := newTable(start)
	element.header = true
	array.list = append(array.list, element)
	return element, nil
}

func (p *parser) duplicate(k key) error {
	return p.errorAt(k.at, "duplicate key %s", fault.Quote(k.text))
}

// keyValue reads one pair into table. A dotted key makes the tables on its way, and can only add to tables that dotted keys made.
func (p *parser) keyValue(table *node, depth int) error {
	keys, err := p.dottedKey()
	if err != nil {
		return err
	}
	for _, k := range keys[:len(keys)-1] {
		child, ok := table.table[k.text]
		switch {
		case !ok:
			child = newTable(k.at)
			child.dotted = true
			table.add(k, child)
		case child.kind != Table || !child.dotted:
			return p.duplicate(k)
		}
		table = child
	}
	last := keys[len(keys)-1]
	if _, ok := table.table[last.text]; ok {
		return p.duplicate(last)
	}
	if p.peek() != '=' {
		return p.errorAt(p.pos, "want = after key %s", fault.Quote(last.text))
	}
	p.pos++
	p.skipSpace()
	value, err := p.value(depth + 1)
	if err != nil {
		return err
	}
	table.add(last, value)
	return nil
}

// dottedKey reads a key and the white space on both sides of it.
func (p *parser) dottedKey() ([]key, error) {
	var keys []key
	for {
		p.skipSpace()
		k := key{at: p.pos}
		var err error
		switch c := p.peek(); {
		case c == '"' || c == '\'':
			if strings.HasPrefix(p.src[p.pos:], `"""`) || strings.HasPrefix(p.src[p.pos:], `'''`) {
				return nil, p.errorAt(p.pos, "a key cannot be a multi-line string")
			}
			k.text, err = p.str()
		default:
			for isBare(p.peek()) {
				p.pos++
			}
			if k.text = p.src[k.at:p.pos]; k.text == "" {
				err = p.errorAt(k.at, "want a key")
			}
		}
		if err != nil {
			return nil, err
		}
		if keys = append(keys, k); len(keys) > MaxKeyParts {
			return nil, p.errorAt(k.at, "key of more than %d parts", MaxKeyParts)
		}
		p.skipSpace()
		if p.peek() != '.' {
			return keys, nil
		}
		p.pos++
	}
}

func isBare(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}

// peek returns the next byte, or 0 at the end: a zero byte cannot stand in the document.
func (p *parser) peek() byte {
	if p.pos == len(p.src) {
		return 0
	}
	return p.src[p.pos]
}

func (p *parser) skipSpace() {
	for p.peek() == ' ' || p.peek() == '\t' {
		p.pos++
	}
}

// skipBlank skips white space, line ends and comments.
func (p *parser) skipBlank() {
	for {
		switch p.peek() {
		case ' ', '\t', '\r', '\n':
			p.pos++
		case '#':
			p.skipComment()
		default:
			return
		}
	}
}

func (p *parser) skipComment() {
	if n := strings.IndexByte(p.src[p.pos:], '\n'); n >= 0 {
		p.pos += n
		return
	}
	p.pos = len(p.src)
}

// endOfLine demands that nothing but a comment follows on this line.
func (p *parser) endOfLine() error {
	p.skipSpace()
	switch p.peek() {
	case '#':
		p.skipComment()
	case '\r', '\n', 0:
	default:
		return p.errorAt(p.pos, "trailing data after the value")
	}
	return nil
}
