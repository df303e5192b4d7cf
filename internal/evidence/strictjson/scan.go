package strictjson

import (
	"errors"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// scanner walks a document. value checks everything; skip walks what value has checked.
type scanner struct {
	data   []byte
	at     int
	lim    Limits
	values int
}

var errSyntax = errors.New("malformed JSON")

func (s *scanner) space() {
	for s.at < len(s.data) {
		switch s.data[s.at] {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return
		}
	}
}

func (s *scanner) value(depth int) error {
	s.values++
	switch {
	case s.values > s.lim.Values:
		return fmt.Errorf("%w of %d values", ErrLimit, s.lim.Values)
	case s.at >= len(s.data):
		return errSyntax
	}
	switch c := s.data[s.at]; c {
	case '{', '[':
		if depth >= s.lim.Depth {
			return fmt.Errorf("%w of depth %d", ErrLimit, s.lim.Depth)
		}
		s.at++
		if c == '{' {
			return s.object(depth + 1)
		}
		return s.array(depth + 1)
	case '"':
		return s.text()
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	}
	return s.number()
}

func (s *scanner) word(w string) error {
	if len(s.data)-s.at < len(w) || string(s.data[s.at:s.at+len(w)]) != w {
		return errSyntax
	}
	s.at += len(w)
	return nil
}

// next is called behind an element: it takes the comma, or the end.
func (s *scanner) next(end byte) (done bool, err error) {
	s.space()
	if s.at >= len(s.data) {
		return false, errSyntax
	}
	c := s.data[s.at]
	s.at++
	switch c {
	case end:
		return true, nil
	case ',':
		s.space()
		return false, nil
	}
	return false, errSyntax
}

func (s *scanner) empty(end byte) bool {
	s.space()
	if s.at < len(s.data) && s.data[s.at] == end {
		s.at++
		return true
	}
	return false
}

func (s *scanner) array(depth int) error {
	if s.empty(']') {
		return nil
	}
	for n := 1; ; n++ {
		if n > s.lim.Elements {
			return fmt.Errorf("%w of %d elements", ErrLimit, s.lim.Elements)
		}
		if err := s.value(depth); err != nil {
			return err
		}
		if done, err := s.next(']'); done || err != nil {
			return err
		}
	}
}

func (s *scanner) object(depth int) error {
	if s.empty('}') {
		return nil
	}
	var names names
	for n := 1; ; n++ {
		if n > s.lim.Elements {
			return fmt.Errorf("%w of %d elements", ErrLimit, s.lim.Elements)
		}
		from := s.at
		if s.at >= len(s.data) || s.data[s.at] != '"' {
			return errSyntax
		}
		if err := s.text(); err != nil {
			return err
		}
		if !names.add(s.data[from:s.at]) {
			return fmt.Errorf("%w %s", ErrDuplicate, quote(unquote(s.data[from:s.at])))
		}
		s.space()
		if s.at >= len(s.data) || s.data[s.at] != ':' {
			return errSyntax
		}
		s.at++
		s.space()
		if err := s.value(depth); err != nil {
			return err
		}
		if done, err := s.next('}'); done || err != nil {
			return err
		}
	}
}

// names remembers the member names of one object: few of them in a list, many in a map.
type names struct {
	list []string
	set  map[string]struct{}
}

const manyNames = 12

func (n *names) add(quoted []byte) bool {
	name := unquote(quoted)
	if n.set == nil {
		if contains(n.list, name) {
			return false
		}
		n.list = append(n.list, name)
		if len(n.list) > manyNames {
			n.set = make(map[string]struct{}, 4*manyNames)
			for _, l := range n.list {
				n.set[l] = struct{}{}
			}
		}
		return true
	}
	if _, twice := n.set[name]; twice {
		return false
	}
	n.set[name] = struct{}{}
	return true
}

// text checks a string: no control characters, valid UTF-8, whole escapes, surrogates in pairs.
func (s *scanner) text() error {
	for s.at++; s.at < len(s.data); {
		c := s.data[s.at]
		switch {
		case c == '"':
			s.at++
			return nil
		case c < 0x20:
			return errSyntax
		case c == '\\':
			if err := s.escape(); err != nil {
				return err
			}
		case c < utf8.RuneSelf:
			s.at++
		default:
			r, n := utf8.DecodeRune(s.data[s.at:])
			if r == utf8.RuneError && n < 2 {
				return errors.New("invalid UTF-8")
			}
			s.at += n
		}
	}
	return errSyntax
}

func (s *scanner) escape() error {
	if s.at+1 >= len(s.data) {
		return errSyntax
	}
	switch s.data[s.at+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.at += 2
		return nil
	case 'u':
		r, ok := hex4(s.data, s.at+2)
		if !ok {
			return errSyntax
		}
		s.at += 6
		if !utf16.IsSurrogate(r) {
			return nil
		}
		if s.at+1 < len(s.data) && s.data[s.at] == '\\' && s.data[s.at+1] == 'u' {
			if low, ok := hex4(s.data, s.at+2); ok && utf16.DecodeRune(r, low) != utf8.RuneError {
				s.at += 6
				return nil
			}
		}
		return errors.New("lone surrogate")
	}
	return errSyntax
}

func hex4(b []byte, at int) (rune, bool) {
	if at+4 > len(b) {
		return 0, false
	}
	var r rune
	for _, c := range b[at : at+4] {
		switch {
		case '0' <= c && c <= '9':
			r = r<<4 | rune(c-'0')
		case 'a' <= c && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case 'A' <= c && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

// number checks the grammar of RFC 8259, section 6.
func (s *scanner) number() error {
	digits := func() bool {
		from := s.at
		for s.at < len(s.data) && '0' <= s.data[s.at] && s.data[s.at] <= '9' {
			s.at++
		}
		return s.at > from
	}
	is := func(set string) bool {
		if s.at < len(s.data) {
			for i := range len(set) {
				if s.data[s.at] == set[i] {
					return true
				}
			}
		}
		return false
	}
	if is("-") {
		s.at++
	}
	if is("0") {
		s.at++
	} else if !digits() {
		return errSyntax
	}
	if is(".") {
		s.at++
		if !digits() {
			return errSyntax
		}
	}
	if is("eE") {
		s.at++
		if is("+-") {
			s.at++
		}
		if !digits() {
			return errSyntax
		}
	}
	return nil
}

// skip walks over one checked value.
func (s *scanner) skip() {
	depth := 0
	for s.at < len(s.data) {
		switch s.data[s.at] {
		case '{', '[':
			depth++
			s.at++
		case '}', ']':
			depth--
			s.at++
		case '"':
			for s.at++; s.data[s.at] != '"'; s.at++ {
				if s.data[s.at] == '\\' {
					s.at++
				}
			}
			s.at++
		case ',', ':', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return
			}
			s.at++
			continue
		default:
			for s.at < len(s.data) && !delimiter(s.data[s.at]) {
				s.at++
			}
		}
		if depth == 0 {
			return
		}
	}
}

func delimiter(c byte) bool {
	switch c {
	case ',', ':', ']', '}', ' ', '\t', '\r', '\n':
		return true
	}
	return false
}

// unquote returns the text of a checked string.
func unquote(quoted []byte) string {
	in := quoted[1 : len(quoted)-1]
	plain := true
	for _, c := range in {
		if c == '\\' {
			plain = false
			break
		}
	}
	if plain {
		return string(in)
	}
	out := make([]byte, 0, len(in))
	for i := 0; i < len(in); i++ {
		if in[i] != '\\' {
			out = append(out, in[i])
			continue
		}
		i++
		switch in[i] {
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r, _ := hex4(in, i+1)
			i += 4
			if utf16.IsSurrogate(r) {
				low, _ := hex4(in, i+3)
				r = utf16.DecodeRune(r, low)
				i += 6
			}
			out = utf8.AppendRune(out, r)
		default:
			out = append(out, in[i])
		}
	}
	return string(out)
}
