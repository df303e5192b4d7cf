package tomlfile

import (
	"fmt"
	"strings"
	"unicode"
)

// Quote returns s as a basic string that Decode reads back as s. s must be valid UTF-8; other bytes become U+FFFD.
func Quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case unicode.IsPrint(r) && !hidden(r):
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08X`, r)
		default:
			fmt.Fprintf(&b, `\u%04X`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// QuoteKey returns s as a key: bare where that is possible.
func QuoteKey(s string) string {
	if s == "" || strings.IndexFunc(s, func(r rune) bool { return r > 0x7f || !isBare(byte(r)) }) >= 0 {
		return Quote(s)
	}
	return s
}

// QuoteList returns list as an array on one line.
func QuoteList(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = Quote(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
