package trust

import "strings"

// matchWild matches s against a pattern in which `*` stands for any run of bytes and, where question is set, `?` for
// one. It is linear but for the distance back to the last star.
func matchWild(pattern, s string, question bool) bool {
	p, i, star, mark := 0, 0, -1, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && (pattern[p] == s[i] || question && pattern[p] == '?'):
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// wildsOverlap tells whether one string fits both patterns: row j of the table says whether a[:i] and b[:j] have one.
func wildsOverlap(a, b string, question bool) bool {
	if !wild(a, question) && !wild(b, question) {
		return a == b
	}
	same := func(x, y byte) bool { return x == y || question && (x == '?' || y == '?') }
	row := make([]bool, len(b)+1)
	for i := 0; i <= len(a); i++ {
		diagonal := false // row[i-1][j-1]
		for j := 0; j <= len(b); j++ {
			above := row[j] // row[i-1][j]
			switch {
			case i == 0 && j == 0:
				row[j] = true
			case i > 0 && a[i-1] == '*':
				row[j] = above || j > 0 && row[j-1]
			case j > 0 && b[j-1] == '*':
				row[j] = row[j-1] || i > 0 && above
			default:
				row[j] = i > 0 && j > 0 && diagonal && same(a[i-1], b[j-1])
			}
			diagonal = above
		}
	}
	return row[len(b)]
}

func wild(s string, question bool) bool {
	return strings.IndexByte(s, '*') >= 0 || question && strings.IndexByte(s, '?') >= 0
}

// patternList is an OpenSSH pattern list (ssh_config(5) PATTERNS): comma-separated, `*` and `?` are wild and cross
// every character, a leading `!` negates. A negated pattern that fits rules the name out whatever else fits.
type patternList []string

func parsePatternList(text string) (patternList, bool) {
	list := patternList(strings.Split(text, ","))
	positive := false
	for _, p := range list {
		if strings.TrimPrefix(p, "!") == "" {
			return nil, false
		}
		positive = positive || p[0] != '!'
	}
	return list, positive // a list of negations alone fits nothing
}

func (l patternList) match(name string) bool {
	fits := false
	if len(name) > MaxPattern {
		return false
	}
	for _, p := range l {
		p, negated := strings.CutPrefix(p, "!")
		if !matchWild(p, name, true) {
			continue
		}
		if negated {
			return false
		}
		fits = true
	}
	return fits
}

// overlaps is true whenever some name could fit both lists. It looks at the positive patterns only, so it may say
// yes where negations keep the lists apart, never no where they are not.
func (l patternList) overlaps(m patternList) bool {
	for _, a := range l {
		for _, b := range m {
			if a[0] != '!' && b[0] != '!' && wildsOverlap(a, b, true) {
				return true
			}
		}
	}
	return false
}
