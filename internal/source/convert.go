package source

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/glassbuild/glassbuild/internal/fault"
	"golang.org/x/text/encoding/ianaindex"
)

// conversion is what git does to one file's content on its way to a work tree (gitattributes(5)), on a system whose
// lines end in LF and with a configuration that says nothing.
type conversion struct {
	ident    bool
	eol      eolAction
	encoding string // "" is as it is
	subst    bool   // git archive only
	lfs      bool
}

type eolAction uint8

const (
	eolKeep eolAction = iota
	eolCRLF           // every line
	eolAuto           // every line, if it looks like text and has no CR yet
)

// conversionOf reads what attributes ask for. A filter is a program: none is run.
func conversionOf(p string, attrs map[string]string, mode AttributesMode) (conversion, error) {
	var c conversion
	switch f := attrs["filter"]; f {
	case "", attrUnset, attrUnspecified, attrSet:
	case "lfs":
		c.lfs = true
	default:
		if mode != AttributesRaw {
			return c, fault.Inconclusivef(fault.Quote(p), "filter %q is not run", f).WithCheck(CheckTree).
				WithHint("export raw blobs, or remove the filter from .gitattributes")
		}
	}
	if mode == AttributesRaw {
		return c, nil
	}
	c.ident = attrs["ident"] == attrSet
	c.eol = eolOf(attrs)
	c.subst = mode == AttributesArchive && attrs["export-subst"] == attrSet
	switch e := attrs["working-tree-encoding"]; e {
	case "", attrUnset, attrUnspecified:
	case attrSet:
		return c, fault.Failf(fault.Quote(p), "working-tree-encoding without a value").WithCheck(CheckTree)
	default:
		if !strings.EqualFold(e, "utf-8") && !strings.EqualFold(e, "utf8") {
			c.encoding = e
		}
	}
	return c, nil
}

// eolOf follows git's convert_attrs: eol=crlf counts wherever text is not unset; text=auto only looks at what it may.
func eolOf(attrs map[string]string) eolAction {
	text := attrs["text"]
	switch text {
	case attrSet, attrUnset, "auto", "input":
	default:
		text = attrs["crlf"] // the attribute's name in old days
	}
	switch {
	case text == attrUnset || attrs["eol"] != "crlf":
		return eolKeep
	case text == "auto":
		return eolAuto
	}
	return eolCRLF
}

// any tells whether the conversion can change anything.
func (c conversion) any() bool {
	return c.ident || c.eol != eolKeep || c.encoding != "" || c.subst
}

// apply converts data, in git's order. It never changes data itself. steps names what changed something.
func (c conversion) apply(p string, id string, data []byte, subst func([]byte) ([]byte, error)) (out []byte, steps []string, err error) {
	out = data
	note := func(name string, converted []byte) {
		if !bytes.Equal(converted, out) {
			out, steps = converted, append(steps, name)
		}
	}
	if c.ident {
		note("ident", expandIdent(out, id))
	}
	if c.eol == eolCRLF || (c.eol == eolAuto && convertsAutomatically(out)) {
		note("eol=crlf", toCRLF(out))
	}
	if c.encoding != "" && len(out) > 0 {
		encoded, err := encode(out, c.encoding)
		if err != nil {
			return nil, nil, fault.Inconclusivef(fault.Quote(p), "cannot be written as %q: %w", c.encoding, err).WithCheck(CheckTree)
		}
		note("working-tree-encoding="+c.encoding, encoded)
	}
	if c.subst {
		filled, err := subst(out)
		if err != nil {
			return nil, nil, at(p, err)
		}
		note("export-subst", filled)
	}
	return out, steps, nil
}

// toCRLF gives every line that ends in LF alone a CR.
func toCRLF(data []byte) []byte {
	out := make([]byte, 0, len(data)+bytes.Count(data, []byte{'\n'}))
	for i, c := range data {
		if c == '\n' && (i == 0 || data[i-1] != '\r') {
			out = append(out, '\r')
		}
		out = append(out, c)
	}
	return out
}

// convertsAutomatically is git's will_convert_lf_to_crlf for text=auto: text, and no CR in it.
func convertsAutomatically(data []byte) bool {
	printable, other := 0, 0
	for i, c := range data {
		switch {
		case c == '\r', c == 0:
			return false
		case c == '\n':
		case c == '\b', c == '\t', c == 0x1b, c == '\f':
			printable++
		case c == 0x1a && i == len(data)-1:
			// an end-of-file mark
		case c < ' ', c == 0x7f:
			other++
		default:
			printable++
		}
	}
	return printable>>7 >= other
}

// expandIdent puts the blob's id into "$Id$" and "$Id: …$", but leaves what looks like another system's.
func expandIdent(data []byte, id string) []byte {
	if !bytes.Contains(data, []byte("$Id")) {
		return data
	}
	out := make([]byte, 0, len(data)+64)
	for {
		dollar := bytes.IndexByte(data, '$')
		if dollar < 0 {
			break
		}
		out = append(out, data[:dollar+1]...)
		data = data[dollar+1:]
		if len(data) < 3 || string(data[:2]) != "Id" || (data[2] != '$' && data[2] != ':') {
			continue
		}
		end := 2
		if data[2] == ':' {
			if end = bytes.IndexByte(data[3:], '$'); end < 0 {
				break
			}
			end += 3
			inside := data[3:end]
			if bytes.IndexByte(inside, '\n') >= 0 {
				continue
			}
			// blanks but around one word: not an id of git's
			if len(inside) > 1 {
				if blank := bytes.IndexByte(inside[1:], ' '); blank >= 0 && 4+blank < end-1 {
					continue
				}
			}
		}
		data = data[end+1:]
		out = append(out, "Id: "+id+" $"...)
	}
	return append(out, data...)
}

// encode writes UTF-8 text in another encoding, as iconv does for git.
func encode(text []byte, name string) ([]byte, error) {
	if !utf8.Valid(text) {
		return nil, errNotUTF8
	}
	switch strings.ToUpper(name) {
	case "UTF-16", "UTF-16LE-BOM":
		return utf16Bytes(text, binary.LittleEndian, true), nil
	case "UTF-16BE-BOM":
		return utf16Bytes(text, binary.BigEndian, true), nil
	case "UTF-16LE":
		return utf16Bytes(text, binary.LittleEndian, false), nil
	case "UTF-16BE":
		return utf16Bytes(text, binary.BigEndian, false), nil
	case "UTF-32":
		return utf32Bytes(text, binary.LittleEndian, true), nil
	case "UTF-32LE":
		return utf32Bytes(text, binary.LittleEndian, false), nil
	case "UTF-32BE":
		return utf32Bytes(text, binary.BigEndian, false), nil
	}
	e, err := ianaindex.IANA.Encoding(name)
	if err != nil || e == nil {
		return nil, errUnknownEncoding
	}
	return e.NewEncoder().Bytes(text)
}

func utf16Bytes(text []byte, order binary.AppendByteOrder, mark bool) []byte {
	var out []byte
	if mark {
		out = order.AppendUint16(out, 0xfeff)
	}
	for _, unit := range utf16.Encode([]rune(string(text))) {
		out = order.AppendUint16(out, unit)
	}
	return out
}

func utf32Bytes(text []byte, order binary.AppendByteOrder, mark bool) []byte {
	var out []byte
	if mark {
		out = order.AppendUint32(out, 0xfeff)
	}
	for _, r := range string(text) {
		out = order.AppendUint32(out, uint32(r))
	}
	return out
}
