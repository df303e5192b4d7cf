package compare

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"sort"
	"strings"

	"github.com/glassbuild/glassbuild/internal/compare/tree"
	"github.com/glassbuild/glassbuild/internal/compare/value"
)

// values is what a JSON or XML document says: a text for every path in it, in the order of the document. A path that
// comes twice gets a number.
type values struct {
	paths []string
	at    map[string]string
}

func newValues() *values { return &values{at: make(map[string]string)} }

func (v *values) add(path, text string) {
	key := path
	for i := 2; ; i++ {
		if _, taken := v.at[key]; !taken {
			break
		}
		key = fmt.Sprintf("%s#%d", path, i)
		if i > 1000 {
			key = fmt.Sprintf("%s#n%d", path, len(v.paths)) // enough to be unique, and linear
		}
	}
	v.paths, v.at[key] = append(v.paths, key), text
}

func isJSON(s string) bool {
	t := strings.TrimLeft(s, " \t\r\n")
	return t != "" && (t[0] == '{' || t[0] == '[') && json.Valid([]byte(s))
}

func isXML(s string) bool {
	return strings.HasPrefix(strings.TrimLeft(s, " \t\r\n"), "<") && xmlValues(s) != nil
}

// jsonCauses compares two documents by value; none when one of them cannot be read.
func jsonCauses(a, b string) []tree.Cause {
	x, y := jsonValues(a), jsonValues(b)
	if x == nil || y == nil {
		return nil
	}
	return valueCauses(x, y, "JSON", "order of keys")
}

func xmlCauses(a, b string) []tree.Cause {
	x, y := xmlValues(a), xmlValues(b)
	if x == nil || y == nil {
		return nil
	}
	return valueCauses(x, y, "XML", "order of elements or attributes")
}

// jsonValues reads token by token, so that keys keep their order, keys that come twice show up and numbers stay as
// they are written.
func jsonValues(s string) *values {
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	v := newValues()
	if !v.json(d, "", 0) {
		return nil
	}
	return v
}

func (v *values) json(d *json.Decoder, path string, depth int) bool {
	t, err := d.Token()
	if err != nil || depth > maxTextDepth {
		return false
	}
	delim, ok := t.(json.Delim)
	if !ok {
		v.add(path, fmt.Sprintf("%#v", t))
		return true
	}
	v.add(path, delim.String())
	for i := 0; d.More(); i++ {
		child := fmt.Sprintf("%s[%d]", path, i)
		if delim == '{' {
			key, err := d.Token()
			if err != nil {
				return false
			}
			child = fmt.Sprintf("%s.%v", path, key)
		}
		if !v.json(d, child, depth+1) {
			return false
		}
	}
	_, err = d.Token()
	return err == nil
}

// xmlValues reads elements, attributes and texts; nil for what is not well formed.
func xmlValues(s string) *values {
	d := xml.NewDecoder(strings.NewReader(s))
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	v := newValues()
	var path []string
	for {
		t, err := d.RawToken()
		if err == io.EOF && len(path) == 0 && len(v.paths) > 0 {
			return v
		}
		if err != nil || len(path) > maxTextDepth {
			return nil
		}
		here := strings.Join(path, "/")
		switch t := t.(type) {
		case xml.StartElement:
			path = append(path, t.Name.Local)
			here = strings.Join(path, "/")
			v.add(here, "element "+t.Name.Space)
			for _, a := range t.Attr {
				v.add(here+"/@"+a.Name.Space+":"+a.Name.Local, a.Value)
			}
		case xml.EndElement:
			if len(path) == 0 {
				return nil
			}
			path = path[:len(path)-1]
		case xml.CharData:
			if text := bytes.TrimSpace(t); len(text) > 0 {
				v.add(here+"/text", string(text))
			}
		case xml.Comment:
			v.add(here+"/comment", string(t))
		case xml.ProcInst:
			v.add(here+"/?"+t.Target, string(t.Inst))
		case xml.Directive:
			v.add(here+"/!", string(t))
		}
	}
}

// valueCauses compares two documents value by value.
func valueCauses(a, b *values, what, order string) []tree.Cause {
	var pairs [][2]string
	var changed, onlyA, onlyB []string
	for _, p := range a.paths {
		y, ok := b.at[p]
		switch x := a.at[p]; {
		case !ok:
			onlyA = append(onlyA, p)
		case x != y:
			changed = append(changed, p)
			pairs = append(pairs, [2]string{x, y})
		}
	}
	for _, p := range b.paths {
		if _, ok := a.at[p]; !ok {
			onlyB = append(onlyB, p)
		}
	}
	if len(changed)+len(onlyA)+len(onlyB) == 0 {
		for i := range a.paths {
			if a.paths[i] != b.paths[i] {
				return []tree.Cause{{ID: tree.CauseMapOrder, Text: "the same " + what + " values in another " + order, Remedy: "write keys in sorted order"}}
			}
		}
		return []tree.Cause{{ID: tree.CauseBytes, Text: "the same " + what + " values, written with other white space"}}
	}
	c := tree.Cause{ID: tree.CauseData}
	if id, ok := oneKind(pairs); ok && len(onlyA)+len(onlyB) == 0 {
		c.ID, c.Remedy = id, value.Remedy(id)
		c.Text = fmt.Sprintf("%s in nothing but %s", differ(what+" value", len(changed)), value.What(id))
	} else {
		c.Text = strings.Join(nonEmpty(differOrNone(what+" value", len(changed)), onlyOn(onlyA, "shipped"), onlyOn(onlyB, "rebuilt")), ", ")
	}
	for i, p := range changed {
		if i >= maxValues {
			break
		}
		c.Details = append(c.Details, fmt.Sprintf("%s: %s shipped, %s rebuilt", short(p), short(pairs[i][0]), short(pairs[i][1])))
	}
	for i, list := range [][]string{onlyA, onlyB} {
		sort.Strings(list)
		for _, p := range list[:min(len(list), max(0, maxValues-len(c.Details)))] {
			c.Details = append(c.Details, short(p)+" only "+sides[i])
		}
	}
	return []tree.Cause{c}
}

func differOrNone(what string, n int) string {
	if n == 0 {
		return ""
	}
	return differ(what, n)
}

func onlyOn(list []string, side string) string {
	if len(list) == 0 {
		return ""
	}
	return counted(len(list), "value") + " only " + side
}

func nonEmpty(list ...string) []string {
	var out []string
	for _, s := range list {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}
