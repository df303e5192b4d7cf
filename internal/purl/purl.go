// Package purl reads package URLs (the purl specification, ECMA-427): pkg:TYPE/NAMESPACE/NAME@VERSION?QUALIFIERS#SUBPATH.
//
// It is strict: one spelling means one package. What decodes to a separator, a dot segment, a control character or nothing
// is refused, for a registry's address is made of it.
package purl

import (
	"net/url"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// MaxBytes bounds a package URL.
const MaxBytes = 4096

// PURL is a package URL, decoded.
type PURL struct {
	Type       string
	Namespace  string // segments joined by slashes; "" for none
	Name       string
	Version    string
	Qualifiers map[string]string
}

// Is tells whether text is meant as a package URL.
func Is(text string) bool { return strings.HasPrefix(text, "pkg:") }

// Path returns namespace and name as one path.
func (p PURL) Path() string {
	if p.Namespace == "" {
		return p.Name
	}
	return p.Namespace + "/" + p.Name
}

// Parse reads a package URL. A subpath is refused: what is named is one package.
func Parse(text string) (PURL, error) {
	bad := func(format string, args ...any) (PURL, error) {
		return PURL{}, fault.Usagef(fault.Quote(text[:min(len(text), 256)]), "malformed package URL: "+format, args...).WithHint("a package URL is pkg:TYPE/NAME@VERSION, such as pkg:npm/left-pad@1.3.0")
	}
	rest, ok := strings.CutPrefix(text, "pkg:")
	switch {
	case !ok:
		return bad("want pkg:")
	case len(text) > MaxBytes:
		return bad("more than %d bytes", MaxBytes)
	case !fault.Plain(text) || strings.ContainsAny(text, " \\"):
		return bad("characters that have to be encoded")
	case strings.Contains(rest, "#"):
		return bad("a subpath names no package")
	}
	var p PURL
	rest, query, asked := strings.Cut(rest, "?")
	var err string
	if p.Type, rest, ok = strings.Cut(rest, "/"); !ok || !validType(p.Type) {
		return bad("want a type in lower case and a name")
	}
	// the version follows the last @ of the last segment: an @ of a scope is encoded
	if i := strings.LastIndexByte(rest, '@'); i > strings.LastIndexByte(rest, '/') {
		if p.Version, err = decode(rest[i+1:], true); err != "" {
			return bad("version: %s", err)
		}
		rest = rest[:i]
	}
	var segments []string
	for s := range strings.SplitSeq(rest, "/") {
		d, err := decode(s, false)
		if err != "" {
			return bad("%s", err)
		}
		segments = append(segments, d)
	}
	p.Name, p.Namespace = segments[len(segments)-1], strings.Join(segments[:len(segments)-1], "/")
	if asked {
		if p.Qualifiers, err = qualifiers(query); err != "" {
			return bad("%s", err)
		}
	}
	return p, nil
}

func validType(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789.+-") == "" && s[0] >= 'a' && s[0] <= 'z'
}

// decode decodes one segment, or a version, in which a colon and a slash may stand.
func decode(s string, version bool) (string, string) {
	d, err := url.PathUnescape(s)
	switch {
	case err != nil:
		return "", "malformed encoding"
	case d == "":
		return "", "an empty part"
	case d == "." || d == "..":
		return "", "a part that means a folder"
	case !fault.Plain(d), strings.ContainsAny(d, "\\ "):
		return "", "control characters, blanks or backslashes"
	case strings.Contains(d, "%"):
		return "", "encoded twice"
	case strings.Contains(d, "/") && !version:
		return "", "a separator that is encoded"
	}
	if version {
		for part := range strings.SplitSeq(d, "/") {
			if part == "" || part == "." || part == ".." {
				return "", "a part that means a folder"
			}
		}
	}
	return d, ""
}

func qualifiers(query string) (map[string]string, string) {
	out := map[string]string{}
	for pair := range strings.SplitSeq(query, "&") {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" || strings.Trim(key, "abcdefghijklmnopqrstuvwxyz0123456789.-_") != "" {
			return nil, "a qualifier is key=value, the key in lower case"
		}
		if _, twice := out[key]; twice {
			return nil, "a qualifier that stands twice"
		}
		d, err := url.PathUnescape(value)
		if err != nil || d == "" || !fault.Plain(d) || strings.Contains(d, "%") {
			return nil, "a qualifier that cannot be decoded"
		}
		out[key] = d
	}
	return out, ""
}
