package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
)

// Set is a compiled set of rules.
type Set struct {
	rules  []compiled
	digest map[string][]int // SHA-256 -> indices into rules
}

type compiled struct {
	Rule
	patterns []pattern
}

// Hit is one rule that matched.
type Hit struct {
	Rule   string `json:"rule"`
	Name   string `json:"name"`
	Level  string `json:"severity"`
	Offset int    `json:"offset"` // of the first pattern; -1 when the whole file matched by digest
}

// Compile makes a set of rules; ids are unique.
func Compile(rules []Rule) (*Set, error) {
	set := &Set{digest: map[string][]int{}}
	seen := map[string]bool{}
	for _, r := range rules {
		if err := r.Validate(); err != nil {
			return nil, err
		}
		if seen[r.ID] {
			return nil, fmt.Errorf("rule %s: id used twice", r.ID)
		}
		seen[r.ID] = true
		c := compiled{Rule: r}
		for _, t := range r.Text {
			c.patterns = append(c.patterns, textPattern(t))
		}
		for _, h := range r.Hex {
			p, err := parseHex(h)
			if err != nil {
				return nil, err
			}
			c.patterns = append(c.patterns, p)
		}
		for _, sum := range r.SHA256 {
			set.digest[sum] = append(set.digest[sum], len(set.rules))
		}
		set.rules = append(set.rules, c)
	}
	return set, nil
}

// Load compiles every *.toml file of a directory.
func Load(dir fs.FS) (*Set, []Rule, error) {
	names, err := fs.Glob(dir, "*.toml")
	if err != nil {
		return nil, nil, err
	}
	var all []Rule
	for _, name := range names {
		data, err := fs.ReadFile(dir, name)
		if err != nil {
			return nil, nil, err
		}
		rules, err := Parse(name, data)
		if err != nil {
			return nil, nil, err
		}
		all = append(all, rules...)
	}
	set, err := Compile(all)
	return set, all, err
}

// Len returns the number of rules.
func (s *Set) Len() int { return len(s.rules) }

// Match returns the digest of data and every rule that matches it, in the order of the rules.
func (s *Set) Match(data []byte) (sum string, hits []Hit) {
	raw := sha256.Sum256(data)
	sum = hex.EncodeToString(raw[:])
	known := map[int]bool{}
	for _, i := range s.digest[sum] {
		known[i] = true
	}
	for i, r := range s.rules {
		offset, ok := -1, known[i]
		if !ok {
			offset, ok = r.match(data)
		}
		if ok {
			hits = append(hits, Hit{Rule: r.ID, Name: r.Name, Level: r.Severity, Offset: offset})
		}
	}
	return sum, hits
}

func (c compiled) match(data []byte) (int, bool) {
	first, found := -1, 0
	for _, p := range c.patterns {
		at := p.find(data)
		if at < 0 {
			continue
		}
		if found++; first < 0 || at < first {
			first = at
		}
	}
	if c.Match == "all" {
		return first, found > 0 && found == len(c.patterns)
	}
	return first, found > 0
}
