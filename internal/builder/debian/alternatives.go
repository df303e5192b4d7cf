package debian

import (
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Alternative is one candidate for a name that several packages could fill (update-alternatives(1)).
type Alternative struct {
	AlternativeLink
	Priority int
	Slaves   []AlternativeLink // what follows the name's choice: manual pages, companions
}

// AlternativeLink says that Link leads to Path, by way of Name.
type AlternativeLink struct {
	Link, Name, Path string
}

// Alternatives reads from a maintainer script which candidates it would register. The script is data: only calls of
// update-alternatives are understood whose words are written out, or name variables that the script sets once, to words that are
// written out. A call with anything else in it is left out.
func Alternatives(script []byte) []Alternative {
	text := strings.ReplaceAll(string(script), "\\\n", " ")
	var out []Alternative
	known := constants(text)
	for line := range strings.Lines(text) {
		words := strings.Fields(strings.TrimRight(strings.TrimSpace(line), ";"))
		i := slices.IndexFunc(words, func(w string) bool { return path.Base(w) == "update-alternatives" })
		if i < 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		for j, w := range words {
			words[j] = os.Expand(strings.Trim(w, `"'`), known)
		}
		out = append(out, readCalls(words[i+1:])...)
	}
	return out
}

// constants finds the variables that are set once, on a line of their own. For every other name it gives what no word may hold.
func constants(text string) func(name string) string {
	set, values := map[string]int{}, map[string]string{}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		if (f[0] == "for" || f[0] == "read" || f[0] == "export" || f[0] == "local") && len(f) > 1 {
			name, _, _ := strings.Cut(f[len(f)-1], "=")
			set[name], set[f[1]] = 2, 2
			continue
		}
		for _, w := range f {
			if name, value, ok := strings.Cut(w, "="); ok && isVariable(name) {
				if set[name]++; len(f) > 1 {
					set[name] = 2 // what follows could be anything
				}
				values[name] = strings.Trim(value, `"'`)
			}
		}
	}
	return func(name string) string {
		if v, ok := values[name]; ok && set[name] == 1 && !strings.ContainsAny(v, special) {
			return v
		}
		return "$"
	}
}

func isVariable(name string) bool {
	for i := range len(name) {
		c := name[i]
		if !(c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || i > 0 && c >= '0' && c <= '9') {
			return false
		}
	}
	return name != ""
}

// special are the characters that mean something to a shell.
const special = "$`\"'*?[]{}();&|<>\\~"

// readCalls reads the options of one call.
func readCalls(words []string) []Alternative {
	var out []Alternative
	for len(words) > 0 {
		switch {
		case words[0] == "--install" && len(words) >= 5:
			link, ok := readLink(words[1:4])
			prio, err := strconv.Atoi(words[4])
			if !ok || err != nil {
				return out
			}
			out = append(out, Alternative{AlternativeLink: link, Priority: prio})
			words = words[5:]
		case words[0] == "--slave" && len(words) >= 4 && len(out) > 0:
			if link, ok := readLink(words[1:4]); ok {
				last := &out[len(out)-1]
				last.Slaves = append(last.Slaves, link)
			}
			words = words[4:]
		default:
			words = words[1:]
		}
	}
	return out
}

func readLink(w []string) (AlternativeLink, bool) {
	for _, s := range w {
		if strings.ContainsAny(s, special) {
			return AlternativeLink{}, false
		}
	}
	l := AlternativeLink{Link: w[0], Name: w[1], Path: w[2]}
	ok := path.IsAbs(l.Link) && path.Clean(l.Link) == l.Link && path.IsAbs(l.Path) && path.Clean(l.Path) == l.Path && !strings.Contains(l.Name, "/") && l.Name != ".." && l.Name != "."
	return l, ok && l.Link != "/" && l.Path != "/"
}
