package compare

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"path"
	"sort"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/glassbuild/glassbuild/internal/artifact"
	"github.com/glassbuild/glassbuild/internal/compare/align"
	"github.com/glassbuild/glassbuild/internal/compare/tree"
	"github.com/glassbuild/glassbuild/internal/compare/value"
	"github.com/glassbuild/glassbuild/internal/fault"
)

// textPair is two texts that differ.
type textPair struct {
	format     string // "json", "xml", "text"
	encA, encB string
	a, b       string
	script     bool   // what runs rather than what is read
	where      string // the first line that differs
}

// newTextPair decodes two texts; nil when one of them is none.
func newTextPair(m *artifact.Member, x, y []byte) *textPair {
	t := &textPair{format: "text", script: isScript(m)}
	var okA, okB bool
	if t.a, t.encA, okA = decodeText(x); !okA {
		return nil
	}
	if t.b, t.encB, okB = decodeText(y); !okB {
		return nil
	}
	switch {
	case isJSON(t.a) && isJSON(t.b):
		t.format = "json"
	case isXML(t.a) && isXML(t.b):
		t.format = "xml"
	}
	return t
}

// isScript tells whether a text is run rather than read, by its first bytes or its name.
func isScript(m *artifact.Member) bool {
	if m.Format == "script" {
		return true
	}
	switch strings.ToLower(path.Ext(m.Name)) {
	case ".js", ".mjs", ".cjs", ".ts", ".py", ".rb", ".sh", ".pl", ".php", ".lua", ".ps1", ".bat", ".cmd":
		return true
	}
	return false
}

// decodeText returns a text and its encoding: UTF-8, or what a byte order mark says. Content with control characters is
// no text.
func decodeText(b []byte) (text, encoding string, ok bool) {
	switch {
	case bytes.HasPrefix(b, []byte("\xef\xbb\xbf")):
		text, encoding = string(b[3:]), "UTF-8 with a byte order mark"
	case bytes.HasPrefix(b, []byte("\xff\xfe")):
		text, encoding = decode16(b[2:], binary.LittleEndian), "UTF-16, little endian"
	case bytes.HasPrefix(b, []byte("\xfe\xff")):
		text, encoding = decode16(b[2:], binary.BigEndian), "UTF-16, big endian"
	case utf8.Valid(b):
		text, encoding = string(b), "UTF-8"
	default:
		return "", "", false
	}
	for i := range len(text) {
		if c := text[i]; c < ' ' && c != '\n' && c != '\r' && c != '\t' && c != '\f' && c != 0x1b {
			return "", "", false
		}
	}
	return text, encoding, len(text) > 0
}

func decode16(b []byte, order binary.ByteOrder) string {
	u := make([]uint16, len(b)/2)
	for i := range u {
		u[i] = order.Uint16(b[2*i:])
	}
	return string(utf16.Decode(u))
}

// explain returns the causes, the most telling one first, and both sides next to each other.
func (t *textPair) explain() ([]tree.Cause, []tree.Line) {
	if t.encA != t.encB && t.a == t.b {
		return []tree.Cause{{ID: tree.CauseLocale, Text: fmt.Sprintf("the same text, encoded as %s shipped, %s rebuilt", t.encA, t.encB), Remedy: value.Remedy(tree.CauseLocale)}}, nil
	}
	if lineFeeds(t.a) == lineFeeds(t.b) {
		return []tree.Cause{{
			ID: tree.CauseLineEndings, Text: fmt.Sprintf("line endings: %s shipped, %s rebuilt", endings(t.a), endings(t.b)),
			Remedy: "check the source out with the line endings of the commit (core.autocrlf=false, .gitattributes)",
		}}, nil
	}
	la, lb := lines(t.a), lines(t.b)
	blocks := align.Blocks(la, lb, maxEdits)
	t.firstLine(blocks)
	view := textView(la, lb, blocks)
	if c, ok := reordered(la, lb); ok {
		return []tree.Cause{c}, view
	}
	switch t.format {
	case "json":
		if c := jsonCauses(t.a, t.b); len(c) > 0 {
			return c, view
		}
	case "xml":
		if c := xmlCauses(t.a, t.b); len(c) > 0 {
			return c, view
		}
	}
	return []tree.Cause{t.byLines(la, lb, blocks)}, view
}

func lineFeeds(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
}

func endings(s string) string {
	crlf := strings.Count(s, "\r\n")
	lf, cr := strings.Count(s, "\n")-crlf, strings.Count(s, "\r")-crlf
	var kinds []string
	for _, k := range []struct {
		name string
		n    int
	}{{"CRLF", crlf}, {"LF", lf}, {"CR", cr}} {
		if k.n > 0 {
			kinds = append(kinds, k.name)
		}
	}
	if len(kinds) == 0 {
		return "none"
	}
	return strings.Join(kinds, " and ")
}

func lines(s string) []string {
	list := strings.SplitAfterN(s, "\n", maxLines)
	if k := len(list) - 1; list[k] == "" {
		list = list[:k]
	}
	return list
}

func (t *textPair) firstLine(blocks []align.Block) {
	for _, b := range blocks {
		if !b.Same {
			t.where = fmt.Sprintf("first at line %d", b.A0+1)
			return
		}
	}
}

// reordered tells whether both sides have the same lines in another order.
func reordered(a, b []string) (tree.Cause, bool) {
	if len(a) != len(b) || len(a) < 2 {
		return tree.Cause{}, false
	}
	x, y := append([]string(nil), a...), append([]string(nil), b...)
	sort.Strings(x)
	sort.Strings(y)
	for i := range x {
		if strings.TrimRight(x[i], "\r\n,") != strings.TrimRight(y[i], "\r\n,") {
			return tree.Cause{}, false
		}
	}
	c := tree.Cause{ID: tree.CauseMapOrder, Text: fmt.Sprintf("the same %d lines in another order", len(a)), Remedy: "sort what comes from a map, a directory or parallel work before it is written"}
	for i, side := range [][]string{a, b} {
		other := [][]string{b, a}[i]
		if sort.StringsAreSorted(side) && sortedByLocale(other) {
			c.ID, c.Remedy = tree.CauseLocale, value.Remedy(tree.CauseLocale)
			c.Text = fmt.Sprintf("the same %d lines, sorted by bytes in the %s file and by a locale in the other", len(a), sides[i])
		}
	}
	return c, true
}

// sortedByLocale tells whether lines are in the order that locales give: letter case decides last.
func sortedByLocale(list []string) bool {
	return sort.SliceIsSorted(list, func(i, j int) bool { return strings.ToLower(list[i]) < strings.ToLower(list[j]) })
}

// byLines explains texts line by line: one cause when every line differs in the same kind of value.
func (t *textPair) byLines(a, b []string, blocks []align.Block) tree.Cause {
	var pairs [][2]string
	changed, added, removed := 0, 0, 0
	for _, x := range blocks {
		if x.Same {
			continue
		}
		n := min(x.A1-x.A0, x.B1-x.B0)
		changed += n
		added += x.A1 - x.A0 - n
		removed += x.B1 - x.B0 - n
		for k := range n {
			pairs = append(pairs, [2]string{strings.TrimRight(a[x.A0+k], "\r\n"), strings.TrimRight(b[x.B0+k], "\r\n")})
		}
	}
	if id, ok := oneKind(pairs); ok && added+removed == 0 {
		return tree.Cause{
			ID: id, Remedy: value.Remedy(id),
			Text: fmt.Sprintf("%s in nothing but %s: %s shipped, %s rebuilt", differ("line", changed), value.What(id), short(pairs[0][0]), short(pairs[0][1])),
		}
	}
	c := tree.Cause{ID: tree.CauseData}
	if t.script {
		c.ID = tree.CauseCode
	}
	var parts []string
	if changed > 0 {
		parts = append(parts, differ("line", changed))
	}
	if added > 0 {
		parts = append(parts, counted(added, "line")+" only shipped")
	}
	if removed > 0 {
		parts = append(parts, counted(removed, "line")+" only rebuilt")
	}
	c.Text = strings.Join(parts, ", ")
	return c
}

// oneKind classifies pairs of values and returns the id that all of them have.
func oneKind(pairs [][2]string) (string, bool) {
	id := ""
	for _, p := range pairs {
		got, ok := value.Classify(p[0], p[1])
		if !ok || id != "" && got != id {
			return "", false
		}
		id = got
	}
	return id, id != ""
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func differ(what string, n int) string {
	if n == 1 {
		return "1 " + what + " differs"
	}
	return fmt.Sprintf("%d %ss differ", n, what)
}

func short(s string) string {
	s = strings.TrimSpace(s)
	if len(s) > 80 {
		s = strings.ToValidUTF8(s[:77], "") + "..."
	}
	return fault.Quote(s)
}

// textView shows the lines that differ, with one line of what is the same around them.
func textView(a, b []string, blocks []align.Block) []tree.Line {
	var view []tree.Line
	clean := func(s string) string {
		s = strings.ReplaceAll(strings.TrimRight(s, "\r\n"), "\t", "    ")
		if !fault.Plain(s) {
			s = fault.Quote(s)
		}
		return s
	}
	for _, x := range blocks {
		if x.Same {
			continue
		}
		if x.A0 > 0 && len(view) == 0 {
			view = append(view, tree.Line{Shipped: clean(a[x.A0-1]), Rebuilt: clean(b[x.B0-1]), Same: true})
		}
		for i, j := x.A0, x.B0; i < x.A1 || j < x.B1; i, j = i+1, j+1 {
			if len(view) >= maxTextView {
				return view
			}
			var l tree.Line
			if i < x.A1 {
				l.Shipped = clean(a[i])
			}
			if j < x.B1 {
				l.Rebuilt = clean(b[j])
			}
			view = append(view, l)
		}
	}
	return view
}
