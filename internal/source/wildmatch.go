package source

import "strings"

// glob matches text against a pattern of gitattributes(5), as git's wildmatch does with WM_PATHNAME: "*" and "?" stop at
// a slash, "**" between slashes does not. Each step costs one of *steps; when none are left nothing matches, and the
// caller asks whether that happened.
func glob(pattern, text string, steps *int) bool {
	for pattern != "" {
		if *steps--; *steps < 0 {
			return false
		}
		switch c := pattern[0]; c {
		case '*':
			return globStar(pattern, text, steps)
		case '?':
			if text == "" || text[0] == '/' {
				return false
			}
		case '[':
			rest, ok := globClass(pattern, text)
			if !ok {
				return false
			}
			pattern, text = rest, text[1:]
			continue
		case '\\':
			if len(pattern) < 2 || text == "" || text[0] != pattern[1] {
				return false
			}
			pattern = pattern[1:]
		default:
			if text == "" || text[0] != c {
				return false
			}
		}
		pattern, text = pattern[1:], text[1:]
	}
	return text == ""
}

// globStar matches what begins with a star. before is no longer known here, so callers pass patterns whose "**" stands
// at the start or behind a slash: see globPath.
func globStar(pattern, text string, steps *int) bool {
	stars := len(pattern) - len(strings.TrimLeft(pattern, "*"))
	rest := pattern[stars:]
	if strings.HasPrefix(pattern, deepMark) {
		// "**/" matches nothing too
		rest = pattern[len(deepMark):]
		if tail, ok := strings.CutPrefix(rest, "/"); ok && glob(tail, text, steps) {
			return true
		}
		for i := 0; i <= len(text) && *steps >= 0; i++ {
			if glob(rest, text[i:], steps) {
				return true
			}
		}
		return false
	}
	for i := 0; *steps >= 0; i++ {
		if glob(rest, text[i:], steps) {
			return true
		}
		if i == len(text) || text[i] == '/' {
			return false
		}
	}
	return false
}

// deepMark stands in a prepared pattern for a "**" between slashes; any other run of stars is one star.
const deepMark = "**"

// prepareGlob makes "**" deep only where git does: at the start or behind a slash, and at the end or before one.
func prepareGlob(pattern string) string {
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		c := pattern[i]
		if c == '\\' && i+1 < len(pattern) {
			b.WriteString(pattern[i : i+2])
			i++
			continue
		}
		if c != '*' {
			b.WriteByte(c)
			continue
		}
		end := i
		for end < len(pattern) && pattern[end] == '*' {
			end++
		}
		deep := end-i >= 2 && (i == 0 || pattern[i-1] == '/') && (end == len(pattern) || pattern[end] == '/')
		if b.WriteByte('*'); deep {
			b.WriteByte('*')
		}
		i = end - 1
	}
	return b.String()
}

// globClass matches one byte against "[...]", and returns the pattern behind it.
func globClass(pattern, text string) (rest string, ok bool) {
	if text == "" || text[0] == '/' {
		return "", false
	}
	c := text[0]
	i := 1
	negated := i < len(pattern) && (pattern[i] == '!' || pattern[i] == '^')
	if negated {
		i++
	}
	matched := false
	for first := true; ; first = false {
		if i >= len(pattern) {
			return "", false // never closed
		}
		if pattern[i] == ']' && !first {
			return pattern[i+1:], matched != negated
		}
		if name, after, is := posixClass(pattern[i:]); is {
			if !knownClass(name) {
				return "", false
			}
			matched = matched || inClass(name, c)
			i = len(pattern) - len(after)
			continue
		}
		low, next, ok := classByte(pattern, i)
		if !ok {
			return "", false
		}
		high := low
		i = next
		if i+1 < len(pattern) && pattern[i] == '-' && pattern[i+1] != ']' {
			if high, i, ok = classByte(pattern, i+1); !ok {
				return "", false
			}
		}
		matched = matched || (low <= c && c <= high)
	}
}

func classByte(pattern string, i int) (c byte, next int, ok bool) {
	if pattern[i] == '\\' {
		i++
	}
	if i >= len(pattern) {
		return 0, 0, false
	}
	return pattern[i], i + 1, true
}

// posixClass splits "[:alpha:]…".
func posixClass(s string) (name, rest string, ok bool) {
	s, ok = strings.CutPrefix(s, "[:")
	if !ok {
		return "", "", false
	}
	return strings.Cut(s, ":]")
}

func knownClass(name string) bool {
	return strings.Contains(" alnum alpha blank cntrl digit graph lower print punct space upper xdigit ", " "+name+" ")
}

func inClass(name string, c byte) bool {
	lower, upper, digit := c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9'
	graph := c > ' ' && c < 0x7f
	switch name {
	case "alnum":
		return lower || upper || digit
	case "alpha":
		return lower || upper
	case "blank":
		return c == ' ' || c == '\t'
	case "cntrl":
		return c < ' ' || c == 0x7f
	case "digit":
		return digit
	case "graph":
		return graph
	case "lower":
		return lower
	case "print":
		return graph || c == ' '
	case "punct":
		return graph && !lower && !upper && !digit
	case "space":
		return c == ' ' || (c >= '\t' && c <= '\r')
	case "upper":
		return upper
	}
	return digit || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')
}
