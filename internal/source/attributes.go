package source

import (
	"path"
	"strconv"
	"strings"
	"sync"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/source/gitobj"
)

// attributes holds the .gitattributes files of one tree, as gitattributes(5) reads them. The files of a user's own
// configuration, and of the repository's info folder, are not part of a commit and do not count.
type attributes struct {
	byDir  map[string][]attributeRule // rules of the .gitattributes in that directory
	macros map[string][]attribute
	mu     sync.Mutex
	steps  int // what matching may still cost
}

// attributeRule is one line.
type attributeRule struct {
	pattern  string
	anchored bool // it has a slash: it is matched against the whole path below the file's directory
	dirOnly  bool
	list     []attribute
}

// attribute is a name with its state: "true", "false", a value, or unspecified.
type attribute struct {
	name  string
	value string
}

const (
	attrSet         = "\x00set"
	attrUnset       = "\x00unset"
	attrUnspecified = "\x00unspecified"
)

// loadAttributes reads the .gitattributes files of a listing.
func loadAttributes(repo *repository, list *listing, base string) (*attributes, error) {
	a := &attributes{
		byDir:  make(map[string][]attributeRule),
		macros: map[string][]attribute{"binary": {{"diff", attrUnset}, {"merge", attrUnset}, {"text", attrUnset}}},
		steps:  maxMatchSteps,
	}
	total := 0
	for _, f := range list.files {
		if path.Base(f.path) != ".gitattributes" || f.mode == gitobj.ModeLink {
			continue
		}
		data, err := repo.objects.Read(f.id, gitobj.Blob)
		if err != nil {
			return nil, at(f.path, err)
		}
		if total += len(data); total > maxAttributesSize {
			return nil, tooMuch(f.path, "bytes in all .gitattributes", maxAttributesSize)
		}
		dir := path.Dir(relativeTo(base, f.path))
		if dir == "." {
			dir = ""
		}
		a.parse(dir, string(data))
	}
	return a, nil
}

func (a *attributes) parse(dir, text string) {
	text = strings.TrimPrefix(text, "\ufeff")
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \t\r\n")
		line = strings.TrimLeft(line, " \t\r\n")
		// git leaves out lines that are longer
		if line == "" || line[0] == '#' || len(line) >= maxAttributeLine {
			continue
		}
		if name, rest, ok := macroLine(line); ok {
			if dir == "" {
				a.macros[name] = parseAttributes(rest)
			}
			continue
		}
		pattern, rest, ok := attributePattern(line)
		if !ok || strings.HasPrefix(pattern, "!") {
			continue
		}
		rule := attributeRule{list: parseAttributes(rest)}
		if trimmed, is := strings.CutSuffix(pattern, "/"); is {
			pattern, rule.dirOnly = trimmed, true
		}
		rule.anchored = strings.Contains(pattern, "/")
		rule.pattern = prepareGlob(strings.TrimPrefix(pattern, "/"))
		a.byDir[dir] = append(a.byDir[dir], rule)
	}
}

// macroLine reads "[attr]name …".
func macroLine(line string) (name, rest string, ok bool) {
	line, ok = strings.CutPrefix(line, "[attr]")
	if !ok {
		return "", "", false
	}
	name, rest = cutBlank(strings.TrimLeft(line, " \t"))
	return name, rest, validAttribute(name)
}

// attributePattern splits a line into its pattern, which may be quoted as C does, and its attributes.
func attributePattern(line string) (pattern, rest string, ok bool) {
	if line[0] != '"' {
		pattern, rest = cutBlank(line)
		return pattern, rest, true
	}
	quoted, err := strconv.QuotedPrefix(line)
	if err != nil {
		return "", "", false
	}
	pattern, err = strconv.Unquote(quoted)
	return pattern, line[len(quoted):], err == nil && pattern != ""
}

func cutBlank(s string) (word, rest string) {
	if i := strings.IndexAny(s, " \t\r\n"); i >= 0 {
		return s[:i], s[i+1:]
	}
	return s, ""
}

// parseAttributes reads "text -diff !merge eol=crlf".
func parseAttributes(s string) []attribute {
	var list []attribute
	for word := range strings.FieldsFuncSeq(s, func(r rune) bool { return strings.ContainsRune(" \t\r\n", r) }) {
		name, value, hasValue := strings.Cut(word, "=")
		switch {
		case strings.HasPrefix(name, "-"):
			name, value = name[1:], attrUnset
		case strings.HasPrefix(name, "!"):
			name, value = name[1:], attrUnspecified
		case !hasValue:
			value = attrSet
		}
		if validAttribute(name) {
			list = append(list, attribute{name, value})
		}
	}
	return list
}

func validAttribute(name string) bool {
	if name == "" || name[0] == '-' || strings.HasPrefix(name, "builtin_") {
		return false
	}
	for i := 0; i < len(name); i++ {
		if c := name[i]; !isAlnum(c) && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}

// of returns the attributes of a path below the tree's root; a directory's ends in a slash. The last line of the deepest
// file that says something of an attribute decides.
func (a *attributes) of(p string) (map[string]string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	found := make(map[string]string)
	trimmed, isDir := strings.CutSuffix(p, "/")
	for dir := path.Dir(trimmed); ; dir = path.Dir(dir) {
		if dir == "." {
			dir = ""
		}
		rules := a.byDir[dir]
		for i := len(rules) - 1; i >= 0; i-- {
			if a.matches(&rules[i], dir, trimmed, isDir) {
				a.apply(found, rules[i].list, 0)
			}
		}
		if dir == "" {
			break
		}
	}
	if a.steps < 0 {
		return nil, fault.Failf(".gitattributes", "patterns take too long: exceeds limit %d", maxMatchSteps).WithCheck(CheckTree)
	}
	return found, nil
}

func (a *attributes) matches(r *attributeRule, dir, p string, isDir bool) bool {
	if r.dirOnly && !isDir {
		return false
	}
	if !r.anchored {
		return glob(r.pattern, path.Base(p), &a.steps)
	}
	return glob(r.pattern, relativeTo(dir, p), &a.steps)
}

// apply sets what is not set yet, a line's last word first; a macro that is set brings its own list.
func (a *attributes) apply(found map[string]string, list []attribute, depth int) {
	for i := len(list) - 1; i >= 0; i-- {
		at := list[i]
		if _, ok := found[at.name]; ok {
			continue
		}
		found[at.name] = at.value
		if macro, ok := a.macros[at.name]; ok && at.value == attrSet && depth < maxMacroDepth {
			a.apply(found, macro, depth+1)
		}
	}
}
