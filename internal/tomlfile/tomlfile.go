// Package tomlfile reads the product's TOML documents (recipe, lock, policy) strictly and with positions.
//
// It follows TOML 1.0.0 (https://toml.io/en/v1.0.0) and promises, beyond that specification:
//
//   - a document is at most MaxBytes long and nests at most MaxDepth deep, checked before or while it is parsed, so
//     that no document can exhaust the stack;
//   - it is valid UTF-8 without control characters and without bidirectional controls: what a reader sees is what is parsed;
//   - its first key is "format", with the value 1;
//   - every key is one that the Go struct names, in exactly that letter case, and stands there once;
//   - a value has the type of the field; nothing is converted. Floating-point numbers and times of day have no use in
//     these formats and are refused;
//   - every error is a usage error about FILE:LINE:COLUMN (lines and columns count from 1, columns in characters).
//
// # Decoding
//
// Decode fills a struct by `toml:"name"` tags. A field without a tag is not decoded; `toml:"name,required"` must be
// present. Fields may be strings, booleans, integers, Date, time.Time (offset date-time), structs, slices (arrays, and
// arrays of tables), maps with string keys, and pointers to these, which stay nil when the key is absent. The fields of an
// embedded struct stand in the same table. A type that implements Unmarshaler decodes itself: that is how a value that
// may have one of several types is read.
//
// The checks that follow decoding report their position through Document.Errorf.
package tomlfile

import (
	"bytes"
	"fmt"
	"reflect"
	"unicode/utf8"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// Format is the only document format there is: the value of the first key of every document.
const Format = 1

// Kind is the type of a value. The zero Kind is no type.
type Kind int

// The types of values that these documents hold.
const (
	String Kind = iota + 1
	Integer
	Bool
	LocalDate
	DateTime
	Array
	Table
)

// String returns the kind as error messages name it.
func (k Kind) String() string {
	switch k {
	case String:
		return "string"
	case Integer:
		return "integer"
	case Bool:
		return "boolean"
	case LocalDate:
		return "date"
	case DateTime:
		return "date-time"
	case Array:
		return "array"
	case Table:
		return "table"
	}
	return "nothing"
}

// Decode parses data, which the user knows as name, into the struct that into points to.
// The returned document gives later checks the positions of what was read.
func Decode(name string, data []byte, into any) (*Document, error) {
	return DecodeLimit(name, data, MaxBytes, into)
}

// DecodeLimit is Decode for documents that a program writes and that may be larger: at most limit bytes.
func DecodeLimit(name string, data []byte, limit int, into any) (*Document, error) {
	d := &Document{name: name, data: data}
	if len(data) > limit {
		return nil, fault.Usagef(fault.Quote(name), "document exceeds %d KiB", limit>>10)
	}
	if err := d.checkBytes(); err != nil {
		return nil, err
	}
	root, err := d.parse()
	if err != nil {
		return nil, err
	}
	d.root = root
	if err := d.takeFormat(); err != nil {
		return nil, err
	}
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		panic(fmt.Sprintf("tomlfile: Decode into %T, want a pointer to a struct", into))
	}
	if err := d.decodeTable(root, v.Elem()); err != nil {
		return nil, err
	}
	return d, nil
}

// checkBytes refuses what a person who reads the file could not see.
func (d *Document) checkBytes() error {
	for i := 0; i < len(d.data); {
		r, n := utf8.DecodeRune(d.data[i:])
		switch {
		case r == utf8.RuneError && n <= 1:
			return d.errorAt(i, "invalid UTF-8")
		case r == '\r' && !bytes.HasPrefix(d.data[i:], []byte("\r\n")):
			return d.errorAt(i, "carriage return without line feed")
		case r != '\t' && r != '\n' && r != '\r' && (r < ' ' || r >= 0x7f && r < 0xa0):
			return d.errorAt(i, "control character %U", r)
		case hidden(r):
			return d.errorAt(i, "invisible character %U", r)
		}
		i += n
	}
	return nil
}

// hidden tells whether r reorders or hides text: bidirectional controls (CVE-2021-42574), zero-width characters, the byte order mark.
func hidden(r rune) bool {
	switch {
	case r == 0x61c, r >= 0x200b && r <= 0x200f, r >= 0x2028 && r <= 0x202e, r >= 0x2060 && r <= 0x2069, r == 0xfeff:
		return true
	}
	return false
}

// takeFormat demands that the document says its format before anything else, and takes the key out.
func (d *Document) takeFormat() error {
	const want = `the first key must be "format = 1"`
	if len(d.root.order) == 0 {
		return d.errorAt(0, want)
	}
	key := d.root.order[0]
	e := d.root.table[key]
	if key != "format" {
		return d.errorAt(e.at, want)
	}
	if e.kind != Integer {
		return d.errorAt(e.at, "format: want integer, got %v", e.kind)
	}
	if e.number != Format {
		return d.errorAt(e.at, "format %d is not supported, want %d", e.number, Format)
	}
	delete(d.root.table, key)
	d.root.order = d.root.order[1:]
	return nil
}
