package debian

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// Paragraph is one block of "Field: value" lines (deb-control(5)). Names of fields are kept as written and compared without
// regard to case; continuation lines keep their line feeds and lose their first blank.
type Paragraph struct {
	names  []string
	values map[string]string
}

// Get returns the value of a field, "" when it is not there.
func (p *Paragraph) Get(field string) string { return p.values[strings.ToLower(field)] }

// Paragraphs calls each for every paragraph of r, until it says false.
func Paragraphs(r io.Reader, limit int, each func(*Paragraph) (more bool, err error)) error {
	scan := bufio.NewScanner(r)
	scan.Buffer(make([]byte, 0, 64<<10), limit)
	b := &paragraphBuilder{limit: limit}
	for scan.Scan() {
		line := scan.Bytes()
		if len(bytes.TrimRight(line, " \t\r")) > 0 {
			if err := b.line(line); err != nil {
				return err
			}
			continue
		}
		if p := b.take(); p != nil {
			if more, err := each(p); err != nil || !more {
				return err
			}
		}
	}
	if err := scan.Err(); err == bufio.ErrTooLong {
		return fault.Failf("control data", "exceeds limit: a line of more than %d bytes", limit)
	} else if err != nil {
		return err
	}
	if p := b.take(); p != nil {
		_, err := each(p)
		return err
	}
	return nil
}

// ParseParagraph reads a file that holds exactly one paragraph.
func ParseParagraph(data []byte, limit int) (*Paragraph, error) {
	if len(data) > limit {
		return nil, fault.Failf("control data", "exceeds limit: %d bytes", len(data))
	}
	var one *Paragraph
	err := Paragraphs(bytes.NewReader(data), limit, func(p *Paragraph) (bool, error) {
		if one != nil {
			return false, fault.Failf("control data", "malformed: more than one paragraph")
		}
		one = p
		return true, nil
	})
	if err == nil && one == nil {
		err = fault.Failf("control data", "malformed: no paragraph")
	}
	return one, err
}

// paragraphBuilder collects lines.
type paragraphBuilder struct {
	p     *Paragraph
	last  string
	text  strings.Builder
	size  int
	limit int
}

func (b *paragraphBuilder) line(line []byte) error {
	if b.size += len(line) + 1; b.size > b.limit {
		return fault.Failf("control data", "exceeds limit: a paragraph of more than %d bytes", b.limit)
	}
	switch line[0] {
	case '#':
		return nil
	case ' ', '\t':
		if b.last == "" {
			return fault.Failf("control data", "malformed: a continuation line continues nothing")
		}
		b.text.WriteByte('\n')
		b.text.Write(bytes.TrimRight(line[1:], " \t\r"))
		return nil
	}
	name, value, ok := strings.Cut(string(line), ":")
	if !ok || name == "" || strings.ContainsAny(name, " \t") || !fault.Plain(name) {
		return fault.Failf("control data", "malformed line %s", fault.Quote(cut(string(line))))
	}
	b.end()
	if b.p == nil {
		b.p = &Paragraph{values: map[string]string{}}
	}
	key := strings.ToLower(name)
	if _, twice := b.p.values[key]; twice {
		return fault.Failf("control data", "malformed: field %s stands twice", fault.Quote(name))
	}
	if len(b.p.names) >= maxFields {
		return fault.Failf("control data", "exceeds limit: more than %d fields", maxFields)
	}
	b.p.names = append(b.p.names, name)
	b.p.values[key] = ""
	b.last = key
	b.text.WriteString(strings.Trim(value, " \t\r"))
	return nil
}

func (b *paragraphBuilder) end() {
	if b.last != "" {
		b.p.values[b.last] = b.text.String()
	}
	b.last = ""
	b.text.Reset()
}

func (b *paragraphBuilder) take() *Paragraph {
	b.end()
	p := b.p
	b.p, b.size = nil, 0
	return p
}

func cut(s string) string {
	if len(s) > 80 {
		return s[:80]
	}
	return s
}

// write writes the paragraph as it would stand in a control file.
func (p *Paragraph) write(b *bytes.Buffer, skip func(field string) bool) {
	for _, name := range p.names {
		if skip == nil || !skip(name) {
			fmt.Fprintf(b, "%s:%s\n", name, folded(p.Get(name)))
		}
	}
}

// folded puts a blank before every line of a value.
func folded(value string) string {
	if value == "" {
		return ""
	}
	text := strings.ReplaceAll(value, "\n", "\n ")
	if strings.HasPrefix(text, "\n") {
		return text
	}
	return " " + text
}
