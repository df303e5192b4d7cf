package recipe

import (
	"regexp"
	"sync"
)

// pattern is a regular expression that is compiled when it is first used: most runs of the program never use one, and
// compiling them all costs more than a whole check of a signature.
type pattern struct {
	text     string
	once     sync.Once
	compiled *regexp.Regexp
}

func newPattern(text string) *pattern { return &pattern{text: text} }

func (p *pattern) regexp() *regexp.Regexp {
	p.once.Do(func() { p.compiled = regexp.MustCompile(p.text) })
	return p.compiled
}

// MatchString is the regular expression's.
func (p *pattern) MatchString(s string) bool { return p.regexp().MatchString(s) }

// FindStringSubmatch is the regular expression's.
func (p *pattern) FindStringSubmatch(s string) []string { return p.regexp().FindStringSubmatch(s) }
