// Package patch reads unified diffs and applies them, strictly.
//
// The format is that of diff -u and git diff (https://www.gnu.org/software/diffutils/manual/html_node/Detailed-Unified.html), of text files
// alone. What it promises:
//
//   - A patch says everything twice, and both must be true: a hunk applies at exactly the line that it names, and every line that it
//     keeps or takes away must be there. There is no fuzz and no offset.
//   - Paths stay below the root: one component is taken off (a/, b/), and no name is absolute, climbs, or is written with a backslash. Old and
//     new name must be the same. Links, modes, renames and binary files are refused.
//   - Nothing stands between the files that is not part of one: a patch is all of what a reader sees.
package patch

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/pattern"
)

// What one patch may cost.
const (
	MaxBytes = 1 << 20  // of the patch
	MaxFiles = 200      // that it touches
	MaxFile  = 16 << 20 // bytes of one file, before and after
)

// Patch is a list of changed files.
type Patch struct {
	Files []File
}

// File is what a patch does to one file.
type File struct {
	Path    string
	Added   bool // there is none before
	Removed bool // there is none after
	hunks   []hunk
}

// hunk replaces count lines from line on (counted from 1) by others.
type hunk struct {
	line, count int
	old, new    []string // with their line feeds, but for a last line that has none
	at          int      // line of the patch, for messages
}

var hunkHead = pattern.New(`^@@ -(0|[1-9][0-9]{0,8})(?:,(0|[1-9][0-9]{0,8}))? \+(0|[1-9][0-9]{0,8})(?:,(0|[1-9][0-9]{0,8}))? @@(?: .*)?$`)

type parser struct {
	name  string
	lines []string
	next  int
}

// Parse reads a patch that the user knows as name.
func Parse(name string, data []byte) (*Patch, error) {
	if len(data) > MaxBytes {
		return nil, fault.Failf(fault.Quote(name), "exceeds limit: %d bytes, at most %d", len(data), MaxBytes)
	}
	if bytes.IndexByte(data, 0) >= 0 || bytes.Contains(data, []byte("GIT binary patch")) {
		return nil, fault.Failf(fault.Quote(name), "is a binary patch; only text is patched")
	}
	p := &parser{name: name, lines: strings.SplitAfter(string(data), "\n")}
	if p.lines[len(p.lines)-1] == "" {
		p.lines = p.lines[:len(p.lines)-1]
	}
	out := &Patch{}
	seen := map[string]bool{}
	for p.next < len(p.lines) {
		f, err := p.file()
		if err != nil {
			return nil, err
		}
		if seen[f.Path] {
			return nil, p.bad("%s is patched twice", fault.Quote(f.Path))
		}
		seen[f.Path] = true
		if out.Files = append(out.Files, *f); len(out.Files) > MaxFiles {
			return nil, p.bad("exceeds limit: more than %d files", MaxFiles)
		}
	}
	if len(out.Files) == 0 {
		return nil, fault.Failf(fault.Quote(name), "changes nothing")
	}
	return out, nil
}

// bad makes an error about the line that was read last.
func (p *parser) bad(format string, args ...any) *fault.Error {
	return fault.Failf(fmt.Sprintf("%s:%d", fault.Quote(p.name), max(p.next, 1)), format, args...).
		WithHint("write the patch with `diff -u` or `git diff --no-renames`, and nothing else into the file")
}

func (p *parser) peek() string {
	if p.next >= len(p.lines) {
		return ""
	}
	return strings.TrimSuffix(p.lines[p.next], "\n")
}

func (p *parser) take() string {
	line := p.peek()
	p.next++
	return line
}

// head reads what git writes above the names of a file.
func (p *parser) head() error {
	if !strings.HasPrefix(p.peek(), "diff --git ") {
		return nil
	}
	for p.next++; p.next < len(p.lines) && !strings.HasPrefix(p.peek(), "--- "); {
		line := p.take()
		switch {
		case strings.HasPrefix(line, "index ") && !strings.Contains(line, " 120000") && !strings.Contains(line, " 160000"):
		case line == "new file mode 100644", line == "deleted file mode 100644":
		case strings.Contains(line, "mode 120000"), strings.HasPrefix(line, "index "):
			return p.bad("patches a link")
		default:
			return p.bad("%s is not part of a plain patch", fault.Quote(line))
		}
	}
	return nil
}

func (p *parser) file() (*File, error) {
	if err := p.head(); err != nil {
		return nil, err
	}
	from, ok := strings.CutPrefix(p.take(), "--- ")
	if !ok {
		return nil, p.bad("want the --- line of a file")
	}
	to, ok := strings.CutPrefix(p.take(), "+++ ")
	if !ok {
		return nil, p.bad("want the +++ line of a file")
	}
	f := &File{}
	old, err := p.place(from, &f.Added)
	if err != nil {
		return nil, err
	}
	if f.Path, err = p.place(to, &f.Removed); err != nil {
		return nil, err
	}
	switch {
	case f.Added && f.Removed:
		return nil, p.bad("names no file")
	case f.Removed:
		f.Path = old
	case !f.Added && old != f.Path:
		return nil, p.bad("renames %s to %s", fault.Quote(old), fault.Quote(f.Path))
	}
	for strings.HasPrefix(p.peek(), "@@") {
		h, err := p.hunk()
		if err != nil {
			return nil, err
		}
		f.hunks = append(f.hunks, *h)
	}
	if len(f.hunks) == 0 {
		return nil, p.bad("%s has no hunk", fault.Quote(f.Path))
	}
	return f, nil
}

// place reads a file name with its leading component taken off; /dev/null is no file.
func (p *parser) place(text string, none *bool) (string, error) {
	name, _, _ := strings.Cut(text, "\t") // a time may follow
	if name == "/dev/null" {
		*none = true
		return "", nil
	}
	_, below, ok := strings.Cut(name, "/")
	if !ok || below == "" || !fault.Plain(name) || strings.ContainsAny(name, "\\\"") || strings.HasPrefix(name, "/") || !fs.ValidPath(below) || path.Clean(name) != name || strings.HasPrefix(name, "..") {
		return "", p.bad("path escapes, or is not of the form a/PATH: %s", fault.Quote(name))
	}
	return below, nil
}

func (p *parser) hunk() (*hunk, error) {
	m := hunkHead.FindStringSubmatch(p.take())
	if m == nil {
		return nil, p.bad("malformed hunk")
	}
	h := &hunk{at: p.next}
	var newCount int
	h.line, h.count = number(m[1], 0), number(m[2], 1)
	newCount = number(m[4], 1)
	olds, news := h.count, newCount
	for olds > 0 || news > 0 {
		if p.next >= len(p.lines) {
			return nil, p.bad("a hunk ends too early")
		}
		line := p.lines[p.next]
		p.next++
		if !strings.HasSuffix(line, "\n") {
			return nil, p.bad("the last line has no line feed")
		}
		body := line[1:]
		switch line[0] {
		case ' ':
			olds, news = olds-1, news-1
		case '-':
			olds--
		case '+':
			news--
		default:
			return nil, p.bad("malformed line in a hunk")
		}
		if olds < 0 || news < 0 {
			return nil, p.bad("a hunk holds more lines than it says")
		}
		if strings.HasPrefix(p.peek(), `\ No newline at end of file`) {
			p.next++
			body = strings.TrimSuffix(body, "\n")
		}
		if line[0] != '+' {
			h.old = append(h.old, body)
		}
		if line[0] != '-' {
			h.new = append(h.new, body)
		}
	}
	return h, nil
}

func number(s string, missing int) int {
	if s == "" {
		return missing
	}
	n, _ := strconv.Atoi(s) // digits, and few
	return n
}

// Apply changes one file's content; a file that is not there has none.
func (f *File) Apply(old []byte) ([]byte, error) {
	if len(old) > MaxFile {
		return nil, fault.Failf(fault.Quote(f.Path), "exceeds limit: %d bytes", len(old))
	}
	var lines []string
	if len(old) > 0 {
		lines = strings.SplitAfter(string(old), "\n")
		if lines[len(lines)-1] == "" {
			lines = lines[:len(lines)-1]
		}
	}
	var out bytes.Buffer
	done := 0 // lines of old that are written or replaced
	for _, h := range f.hunks {
		from := h.line - 1
		if h.count == 0 { // nothing is taken away: the lines follow the one that is named
			from = h.line
		}
		if from < done || from+h.count > len(lines) {
			return nil, fault.Failf(fault.Quote(f.Path), "the hunk in line %d of the patch does not apply: there are no lines %d to %d left", h.at, h.line, h.line+h.count-1)
		}
		for _, l := range lines[done:from] {
			out.WriteString(l)
		}
		for i, want := range h.old {
			if lines[from+i] != want {
				return nil, fault.Failf(fault.Quote(f.Path), "the hunk in line %d of the patch does not apply: line %d is another", h.at, from+i+1)
			}
		}
		for _, l := range h.new {
			out.WriteString(l)
		}
		done = from + h.count
	}
	for _, l := range lines[done:] {
		out.WriteString(l)
	}
	if out.Len() > MaxFile {
		return nil, fault.Failf(fault.Quote(f.Path), "exceeds limit: %d bytes after the patch", out.Len())
	}
	if f.Removed && out.Len() > 0 {
		return nil, fault.Failf(fault.Quote(f.Path), "is removed, and something of it is left")
	}
	return out.Bytes(), nil
}
