package debian

import (
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
// update-alternatives whose words are written out are understood, and a call with a variable in it is left out.
func Alternatives(script []byte) []Alternative {
	text := strings.ReplaceAll(string(script), "\\\n", " ")
	var out []Alternative
	for line := range strings.Lines(text) {
		words := strings.Fields(strings.TrimRight(strings.TrimSpace(line), ";"))
		i := slices.IndexFunc(words, func(w string) bool { return path.Base(w) == "update-alternatives" })
		if i < 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		out = append(out, readCalls(words[i+1:])...)
	}
	return out
}

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
		if strings.ContainsAny(s, "$`\"'*?[]{}();&|<>\\~") {
			return AlternativeLink{}, false
		}
	}
	l := AlternativeLink{Link: w[0], Name: w[1], Path: w[2]}
	ok := path.IsAbs(l.Link) && path.Clean(l.Link) == l.Link && path.IsAbs(l.Path) && path.Clean(l.Path) == l.Path && !strings.Contains(l.Name, "/") && l.Name != ".." && l.Name != "."
	return l, ok && l.Link != "/" && l.Path != "/"
}
