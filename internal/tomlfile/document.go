package tomlfile

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// Document is a parsed document: it knows where everything in it stands.
type Document struct {
	name string
	data []byte
	root *node
}

// node is one value.
type node struct {
	kind   Kind
	at     int // offset of the key, or of the value in an array
	text   string
	number int64
	flag   bool
	list   []*node
	table  map[string]*node
	order  []string

	header bool // a table that stands in a [header]
	dotted bool // a table made by the dotted key of a key/value pair
	closed bool // an inline table, or an array written as a value: nothing can be added
}

// Name returns the name under which the document was decoded.
func (d *Document) Name() string { return d.name }

// Errorf returns a usage error at path, such as "step[1].run[0]". Where path does not exist, the position is that of
// the nearest table or array above it which does.
func (d *Document) Errorf(path, format string, args ...any) *fault.Error {
	n, _ := d.find(path)
	return d.errorAt(n.at, format, args...)
}

// Has tells whether the document holds a value at path.
func (d *Document) Has(path string) bool {
	_, ok := d.find(path)
	return ok
}

// At returns FILE:LINE:COLUMN of path, as Errorf would.
func (d *Document) At(path string) string {
	n, _ := d.find(path)
	return d.position(n.at)
}

func (d *Document) find(path string) (n *node, ok bool) {
	n = d.root
	for _, part := range strings.Split(path, ".") {
		name, indices, _ := strings.Cut(part, "[")
		if name != "" {
			child := n.table[name]
			if child == nil {
				return n, false
			}
			n = child
		}
		for indices != "" {
			var index string
			index, indices, _ = strings.Cut(indices, "]")
			i, err := strconv.Atoi(index)
			if err != nil || i < 0 || i >= len(n.list) {
				return n, false
			}
			n = n.list[i]
			indices = strings.TrimPrefix(indices, "[")
		}
	}
	return n, true
}

func (d *Document) position(at int) string {
	at = min(at, len(d.data))
	lead := d.data[:at]
	line := bytes.Count(lead, []byte{'\n'}) + 1
	column := utf8.RuneCount(lead[bytes.LastIndexByte(lead, '\n')+1:]) + 1
	return fmt.Sprintf("%s:%d:%d", fault.Quote(d.name), line, column)
}

func (d *Document) errorAt(at int, format string, args ...any) *fault.Error {
	return fault.Usagef(d.position(at), format, args...)
}
