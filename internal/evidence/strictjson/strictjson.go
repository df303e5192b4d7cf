// Package strictjson reads JSON (RFC 8259) that somebody hostile may have written and that is about to be believed.
//
// It promises that a document has one reading: valid UTF-8, no duplicate member name at any depth, nothing after the
// value, no lone surrogates, no nesting or counts beyond the limits, which hold before anything is built. Names are
// compared letter by letter; encoding/json, which folds case and takes the last of two equal names, is why this exists.
// Values are handed out as slices of the document: nothing is copied until it is asked for.
package strictjson

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Limits bound a document. A zero field is a limit of zero.
type Limits struct {
	Bytes    int // of the whole document
	Depth    int // of nested arrays and objects
	Elements int // of one array or object
	Values   int // of the whole document
}

// Value is one JSON value of a document that Parse accepted. The zero Value stands for a value that is absent.
type Value struct{ raw []byte }

// Member is one name and its value.
type Member struct {
	Name  string
	Value Value
}

// Errors that callers tell apart.
var (
	ErrLimit     = errors.New("exceeds limit")
	ErrDuplicate = errors.New("duplicate key")
	ErrTrailing  = errors.New("trailing bytes")
)

// Parse checks the whole of data and returns its one value.
func Parse(data []byte, lim Limits) (Value, error) {
	if len(data) > lim.Bytes {
		return Value{}, fmt.Errorf("%w of %d bytes", ErrLimit, lim.Bytes)
	}
	s := scanner{data: data, lim: lim}
	s.space()
	start := s.at
	if err := s.value(0); err != nil {
		return Value{}, err
	}
	end := s.at
	s.space()
	if s.at != len(data) {
		return Value{}, ErrTrailing
	}
	return Value{data[start:end]}, nil
}

// Absent tells whether the value is missing or null.
func (v Value) Absent() bool { return len(v.raw) == 0 || v.raw[0] == 'n' }

// Missing tells whether the value is missing; null is not.
func (v Value) Missing() bool { return len(v.raw) == 0 }

// Raw returns the bytes of the value as they stand in the document.
func (v Value) Raw() []byte { return v.raw }

// Kind returns "object", "array", "string", "number", "bool", "null" or "absent".
func (v Value) Kind() string {
	if len(v.raw) == 0 {
		return "absent"
	}
	switch v.raw[0] {
	case '{':
		return "object"
	case '[':
		return "array"
	case '"':
		return "string"
	case 't', 'f':
		return "bool"
	case 'n':
		return "null"
	}
	return "number"
}

func (v Value) want(kind string) error {
	if k := v.Kind(); k != kind {
		return fmt.Errorf("want %s, got %s", kind, k)
	}
	return nil
}

// Members returns the members of an object in their order.
func (v Value) Members() ([]Member, error) {
	if err := v.want("object"); err != nil {
		return nil, err
	}
	var out []Member
	s := scanner{data: v.raw, at: 1}
	for s.space(); s.data[s.at] != '}'; s.space() {
		if s.data[s.at] == ',' {
			s.at++
			s.space()
		}
		from := s.at
		s.skip()
		name := unquote(s.data[from:s.at])
		s.space()
		s.at++ // the colon
		s.space()
		from = s.at
		s.skip()
		out = append(out, Member{name, Value{s.data[from:s.at:s.at]}})
	}
	return out, nil
}

// Elements returns the elements of an array.
func (v Value) Elements() ([]Value, error) {
	if err := v.want("array"); err != nil {
		return nil, err
	}
	var out []Value
	s := scanner{data: v.raw, at: 1}
	for s.space(); s.data[s.at] != ']'; s.space() {
		if s.data[s.at] == ',' {
			s.at++
			s.space()
		}
		from := s.at
		s.skip()
		out = append(out, Value{s.data[from:s.at:s.at]})
	}
	return out, nil
}

// Count returns how many elements an array has, without building them; anything else has none.
func (v Value) Count() int {
	if v.Kind() != "array" {
		return 0
	}
	n := 0
	s := scanner{data: v.raw, at: 1}
	for s.space(); s.data[s.at] != ']'; s.space() {
		if s.data[s.at] == ',' {
			s.at++
			s.space()
		}
		s.skip()
		n++
	}
	return n
}

// Text returns the text of a string.
func (v Value) Text() (string, error) {
	if err := v.want("string"); err != nil {
		return "", err
	}
	return unquote(v.raw), nil
}

// Base64 returns the bytes of a string in standard base64 with padding, in its one encoding.
func (v Value) Base64() ([]byte, error) {
	if err := v.want("string"); err != nil {
		return nil, err
	}
	in := v.raw[1 : len(v.raw)-1]
	if bytes.IndexByte(in, '\\') >= 0 {
		in = []byte(unquote(v.raw))
	}
	out := make([]byte, base64.StdEncoding.DecodedLen(len(in)))
	n, err := base64.StdEncoding.Strict().Decode(out, in)
	if err != nil || bytes.ContainsAny(in, "\r\n") {
		return nil, errors.New("malformed base64")
	}
	return out[:n], nil
}

// Int64 returns a whole number, given as a number or, as protobuf writes it, as a string of decimal digits.
func (v Value) Int64() (int64, error) {
	text := string(v.raw)
	if v.Kind() == "string" {
		text = unquote(v.raw)
	} else if err := v.want("number"); err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || strconv.FormatInt(n, 10) != text {
		return 0, errors.New("want a whole number")
	}
	return n, nil
}

// Bool returns true or false.
func (v Value) Bool() (bool, error) {
	if err := v.want("bool"); err != nil {
		return false, err
	}
	return v.raw[0] == 't', nil
}

// Object is an object whose members are looked up by name.
type Object struct{ members []Member }

// Object returns an object of which only the known names may be members.
func (v Value) Object(known ...string) (Object, error) {
	o, err := v.Open(known...)
	if err != nil {
		return o, err
	}
	for _, m := range o.members {
		if !contains(known, m.Name) {
			return Object{}, fmt.Errorf("unknown key %s", quote(m.Name))
		}
	}
	return o, nil
}

// Open returns an object that may have other members too, but none that differs from a known name in letter case only.
func (v Value) Open(known ...string) (Object, error) {
	members, err := v.Members()
	if err != nil {
		return Object{}, err
	}
	for _, m := range members {
		for _, k := range known {
			if m.Name != k && len(m.Name) == len(k) && strings.EqualFold(m.Name, k) {
				return Object{}, fmt.Errorf("unknown key %s: want %s", quote(m.Name), quote(k))
			}
		}
	}
	return Object{members}, nil
}

// Get returns the member called name, or the zero Value.
func (o Object) Get(name string) Value {
	for i := range o.members {
		if o.members[i].Name == name {
			return o.members[i].Value
		}
	}
	return Value{}
}

// Members returns all members in their order.
func (o Object) Members() []Member { return o.members }

// At follows names through nested objects; whatever is missing or of another kind gives the zero Value.
func (v Value) At(names ...string) Value {
	for _, name := range names {
		if v.Kind() != "object" {
			return Value{}
		}
		members, err := v.Members()
		if err != nil {
			return Value{}
		}
		v = Object{members}.Get(name)
	}
	return v
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

// quote prints a foreign name, cut short.
func quote(s string) string {
	if len(s) > 64 {
		s = s[:64] + "…"
	}
	return strconv.QuoteToASCII(s)
}
