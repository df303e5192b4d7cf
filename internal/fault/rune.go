package fault

import "unicode"

// plainRune accepts letters, marks, numbers, punctuation, symbols and the ASCII space. The replacement character
// is refused because ranging over invalid UTF-8 yields it.
func plainRune(r rune) bool {
	switch {
	case r == ' ':
		return true
	case r == unicode.ReplacementChar, unicode.Is(unicode.Cf, r), unicode.Is(unicode.Co, r):
		return false
	case unicode.Is(unicode.Mn, r), unicode.Is(unicode.Me, r):
		// a mark may stack on what precedes it and so hide it
		return false
	}
	return unicode.IsPrint(r)
}
