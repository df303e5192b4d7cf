// Package value tells what kind of thing two differing texts are: two times, two paths of a build, two generated ids.
//
// It promises nothing about harm: whoever writes code that looks like a time gets the name of a time. A name for a
// difference is a hint for people and never makes it smaller.
package value

import (
	"regexp"
	"strings"
	"sync"

	"github.com/glassbuild/glassbuild/internal/compare/tree"
)

// maxClassified bounds the bytes of a text that is looked at.
const maxClassified = 16 << 10

const months = `(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*`

type mask struct {
	id   string
	want *regexp.Regexp
}

// masks replace what may differ for one cause; they are tried in this order. They are compiled when the first difference is
// looked at: most runs of the program meet none.
var masks = sync.OnceValue(func() []mask {
	return []mask{
		{tree.CauseGeneratedID, regexp.MustCompile(`\{?\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b\}?`)},
		{tree.CauseTimestamp, regexp.MustCompile(
			`(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? )?(?:` +
				`\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)?|` +
				`\d{1,2} ` + months + ` \d{4}(?: \d{1,2}:\d{2}(?::\d{2})?)?|` +
				months + `\s+\d{1,2}(?: \d{1,2}:\d{2}(?::\d{2})?)?(?: [A-Z]{3,5})?,? \d{4}(?: \d{1,2}:\d{2}(?::\d{2})?)?|` +
				`\b\d{1,2}:\d{2}:\d{2}\b|\b\d{4}/\d{2}/\d{2}\b|\b\d{2}/\d{2}/\d{4}\b|\b(?:19|20)\d{6}(?:T?\d{6}Z?)?\b|` +
				`\b(?:9\d{8}|1\d{9})(?:\d{3})?\b|\b(?:19|20)\d{2}\b)(?: ?(?:Z|UTC|GMT|[+-]\d{2}:?\d{2})\b)?Z?`)},
		{tree.CausePath, regexp.MustCompile(`(?:[A-Za-z]:\\(?:[\w.+@~ -]+\\)+[\w.+@~-]*|(?:/[\w.+@~-]+){2,}/?)`)},
		{tree.CauseUserHost, regexp.MustCompile(`\b[A-Za-z_][\w.-]*@[A-Za-z][\w.-]*\b|(?i:\b(?:built[- ]by|build[- ]?host|buildhost|builder|hostname|user(?:name)?)["']?\s*[:=]\s*)["']?[\w.@-]+`)},
		{tree.CauseLocale, regexp.MustCompile(`\b\d{1,3}(?:[.,\x{a0}' ]\d{3})*[.,]\d+\b`)},
		{tree.CauseRandomSeed, regexp.MustCompile(`(?:\b|_)(?:0x)?[0-9a-f]{8,64}\b|(?:\b|_)[0-9A-F]{8,64}\b|\btmp\w{6,}\b|\.tmp\w{4,}`)},
	}
})

// Classify returns the id of the cause that two differing texts look like. It reports false when they differ in more
// than one such value can explain.
func Classify(shipped, rebuilt string) (string, bool) {
	if shipped == rebuilt || len(shipped) > maxClassified || len(rebuilt) > maxClassified {
		return "", false
	}
	for _, m := range masks() {
		if !m.want.MatchString(shipped) || !m.want.MatchString(rebuilt) {
			continue
		}
		x, y := m.want.ReplaceAllLiteralString(shipped, "\x00"), m.want.ReplaceAllLiteralString(rebuilt, "\x00")
		if x == y && (m.id != tree.CauseLocale || digits(shipped) == digits(rebuilt)) {
			return m.id, true
		}
	}
	return "", false
}

// digits drops what separates digits: numbers that differ in nothing else were written under two locales.
func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(".,' \u00a0", r) {
			return -1
		}
		return r
	}, s)
}

// What returns what the values of a cause are called in a line of text.
func What(id string) string {
	switch id {
	case tree.CauseTimestamp:
		return "a time"
	case tree.CausePath:
		return "a path"
	case tree.CauseUserHost:
		return "a user or host name"
	case tree.CauseGeneratedID:
		return "a generated id"
	case tree.CauseLocale:
		return "how numbers are written"
	case tree.CauseRandomSeed:
		return "a random value"
	}
	return "a value"
}

// Remedy returns what to do about a cause that Classify names.
func Remedy(id string) string {
	switch id {
	case tree.CauseTimestamp:
		return "take the time from the commit (SOURCE_DATE_EPOCH), or leave it out"
	case tree.CausePath:
		return "map build paths away (-trimpath, -ffile-prefix-map), or build at the same path"
	case tree.CauseUserHost:
		return "leave user and host out, or build with fixed ones (KBUILD_BUILD_USER, KBUILD_BUILD_HOST)"
	case tree.CauseGeneratedID:
		return "derive the id from the content or the version"
	case tree.CauseLocale:
		return "build with LC_ALL=C"
	case tree.CauseRandomSeed:
		return "seed it from the content (-frandom-seed), or leave it out"
	}
	return ""
}
