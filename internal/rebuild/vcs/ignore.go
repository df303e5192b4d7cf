package vcs

import (
	"bytes"
	"strings"
)

// pattern is one line of a .gitignore file, see gitignore(5).
type pattern struct {
	base     string // directory of the file that holds it, with a trailing slash; "" for the top one
	negated  bool
	dirOnly  bool
	nameOnly bool   // no slash in it: matched against the last component
	literal  string // what comes before the first special character
	rest     *glob  // what comes from there on; nil when nothing does
}

// ignores is what the .gitignore files of a directory and of those above it say, nearest last.
type ignores struct {
	above    *ignores
	patterns []pattern
}

// parseIgnore reads one .gitignore file that lies in dir ("" or a path with a trailing slash).
func parseIgnore(data []byte, dir string) []pattern {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	var out []pattern
	for line := range bytes.SplitSeq(data, []byte("\n")) {
		text := strings.TrimSuffix(string(line), "\r")
		if text, _, _ = strings.Cut(text, "\x00"); text == "" || text[0] == '#' {
			continue
		}
		out = append(out, parsePattern(trimSpaces(text), dir))
	}
	return out
}

// trimSpaces removes the trailing spaces that no backslash protects.
func trimSpaces(s string) string {
	end := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case ' ':
			continue
		case '\\':
			if i++; i == len(s) {
				return s
			}
		}
		end = i + 1
	}
	return s[:end]
}

func parsePattern(s, dir string) pattern {
	p := pattern{base: dir}
	s, p.negated = strings.CutPrefix(s, "!")
	s, p.dirOnly = strings.CutSuffix(s, "/")
	p.nameOnly = !strings.Contains(s, "/")
	if !p.nameOnly {
		s = strings.TrimPrefix(s, "/") // anchored to dir by the slash, wherever it stands
	}
	special := strings.IndexAny(s, `*?[\`)
	if special < 0 {
		p.literal = s
		return p
	}
	if p.nameOnly {
		special = 0
	}
	// git compares the literal part first and hands only the rest to the matcher, which makes "a**/b" cross
	// directories although gitignore(5) calls those asterisks ordinary.
	p.literal, p.rest = s[:special], compileGlob(s[special:], !p.nameOnly)
	return p
}

// matches tells whether p is about the path, which lies below p.base.
func (p *pattern) matches(name string, isDir bool) bool {
	if p.dirOnly && !isDir {
		return false
	}
	if p.nameOnly {
		name = name[strings.LastIndexByte(name, '/')+1:]
	} else {
		name = strings.TrimPrefix(name, p.base)
	}
	if p.rest == nil {
		return name == p.literal
	}
	rest, ok := strings.CutPrefix(name, p.literal)
	return ok && p.rest.match(rest)
}

// ignored tells whether the last pattern that is about the path excludes it. That no directory above is excluded is
// the walker's business: git does not descend into an excluded directory.
func (g *ignores) ignored(name string, isDir bool) bool {
	for ; g != nil; g = g.above {
		for i := len(g.patterns) - 1; i >= 0; i-- {
			if g.patterns[i].matches(name, isDir) {
				return !g.patterns[i].negated
			}
		}
	}
	return false
}
