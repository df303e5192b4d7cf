package trust

import (
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// Glob is an identity or an issuer as a policy writes it: an exact string, or one in which `*` stands for any run of
// characters other than `/`. It always matches the whole string. It is never a regular expression (Fulcio
// CVE-2026-22772 and in-toto GHSA-pmwq-pjrm-6p5r show what becomes of richer dialects). The zero Glob matches nothing.
type Glob struct {
	text     string
	segments []string // the text between slashes
}

// regexSyntax holds characters that no identity needs and that betray a regular expression.
const regexSyntax = `^$()[]{}|\?`

// ParseIdentity reads a subject pattern. Of a URL the scheme, the host and the first path segment must be literal, of
// an address the domain: a pattern that fits everybody at a forge says nothing.
func ParseIdentity(text string) (Glob, error) { return parseGlob(text, 1) }

// ParseIssuer reads an issuer pattern; scheme and host must be literal.
func ParseIssuer(text string) (Glob, error) { return parseGlob(text, 0) }

func parseGlob(text string, literalSegments int) (Glob, error) {
	refuse := func(why string) (Glob, error) {
		return Glob{}, fault.Usagef(fault.Quote(text), "pattern must be whole-string glob: %s", why)
	}
	switch {
	case text == "":
		return refuse("it is empty")
	case len(text) > MaxPattern:
		return Glob{}, fault.Usagef("pattern", "exceeds %d bytes", MaxPattern)
	case !fault.Plain(text) || strings.Contains(text, " "):
		return refuse("it holds blanks or unprintable characters")
	case strings.ContainsAny(text, regexSyntax):
		return refuse("it looks like a regular expression")
	case strings.Contains(text, ".+") || regexStar(text):
		return refuse("\".*\" and \".+\" are no globs")
	case strings.Contains(text, "**"):
		return refuse("* never crosses /, so ** has no meaning")
	case !strings.Contains(text, "*"):
		return Glob{text: text, segments: strings.Split(text, "/")}, nil
	}
	if !anchored(text, literalSegments) {
		return refuse("it would fit anyone")
	}
	return Glob{text: text, segments: strings.Split(text, "/")}, nil
}

// regexStar finds a ".*" that is not the tail of a version such as "v1.*".
func regexStar(text string) bool {
	for rest, at := text, 0; ; {
		i := strings.Index(rest, ".*")
		if i < 0 {
			return false
		}
		at += i
		if at == 0 || text[at-1] < '0' || text[at-1] > '9' {
			return true
		}
		at += 2
		rest = text[at:]
	}
}

// anchored tells whether what says whose name it is, is literal.
func anchored(text string, literalSegments int) bool {
	scheme, rest, url := strings.Cut(text, "://")
	if !url {
		at := strings.LastIndexByte(text, '@')
		return at >= 0 && at+1 < len(text) && !strings.Contains(text[at:], "*")
	}
	if strings.Contains(scheme, "*") {
		return false
	}
	segments := strings.Split(rest, "/")
	if len(segments) <= literalSegments {
		return false
	}
	for _, s := range segments[:literalSegments+1] {
		if s == "" || strings.Contains(s, "*") {
			return false
		}
	}
	return true
}

// String returns the pattern as it was written.
func (g Glob) String() string { return g.text }

// IsZero tells whether nothing was parsed.
func (g Glob) IsZero() bool { return g.segments == nil }

// Match tells whether the whole of s fits. Because a star never stands for `/`, segments pair off one to one.
func (g Glob) Match(s string) bool {
	if g.segments == nil || len(s) > MaxPattern || strings.Count(s, "/") != len(g.segments)-1 {
		return false
	}
	for _, pattern := range g.segments {
		var segment string
		segment, s, _ = strings.Cut(s, "/")
		if !matchWild(pattern, segment, false) {
			return false
		}
	}
	return true
}

// Overlaps tells whether some string fits both: then one signature could count under two names.
func (g Glob) Overlaps(h Glob) bool {
	if g.segments == nil || len(g.segments) != len(h.segments) {
		return false
	}
	for i := range g.segments {
		if !wildsOverlap(g.segments[i], h.segments[i], false) {
			return false
		}
	}
	return true
}
