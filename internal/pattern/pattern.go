// Package pattern holds regular expressions that are compiled when they are first used.
//
// Most runs of the program use few of them, and compiling all of them at its start costs more than a whole check of a
// signature. The language is that of package regexp.
package pattern

import (
	"regexp"
	"sync"
)

// Pattern is a regular expression, compiled once. It may be used by several goroutines.
type Pattern struct {
	text     string
	once     sync.Once
	compiled *regexp.Regexp
}

// New returns the pattern of a text that a programmer wrote: one that does not compile panics when it is first used.
func New(text string) *Pattern { return &Pattern{text: text} }

// Regexp returns the compiled expression.
func (p *Pattern) Regexp() *regexp.Regexp {
	p.once.Do(func() { p.compiled = regexp.MustCompile(p.text) })
	return p.compiled
}

// MatchString is the regular expression's.
func (p *Pattern) MatchString(s string) bool { return p.Regexp().MatchString(s) }

// FindStringSubmatch is the regular expression's.
func (p *Pattern) FindStringSubmatch(s string) []string { return p.Regexp().FindStringSubmatch(s) }
