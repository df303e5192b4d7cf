package debian

import (
	"strings"
)

// Compare orders two versions as deb-version(7) says: -1, 0 or 1.
func Compare(a, b string) int {
	ea, ua, ra := splitVersion(a)
	eb, ub, rb := splitVersion(b)
	if c := compareNumber(ea, eb); c != 0 {
		return c
	}
	if c := comparePart(ua, ub); c != 0 {
		return c
	}
	return comparePart(ra, rb)
}

// splitVersion cuts [epoch:]upstream[-revision].
func splitVersion(v string) (epoch, upstream, revision string) {
	if i := strings.IndexByte(v, ':'); i >= 0 {
		epoch, v = v[:i], v[i+1:]
	}
	if i := strings.LastIndexByte(v, '-'); i >= 0 {
		v, revision = v[:i], v[i+1:]
	}
	return epoch, v, revision
}

// compareNumber compares digits of any length; nothing is zero.
func compareNumber(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	if len(a) != len(b) {
		if len(a) < len(b) {
			return -1
		}
		return 1
	}
	return strings.Compare(a, b)
}

// comparePart compares runs of other characters and of digits in turn.
func comparePart(a, b string) int {
	for a != "" || b != "" {
		na, nb := leading(a, false), leading(b, false)
		if c := compareOther(a[:na], b[:nb]); c != 0 {
			return c
		}
		a, b = a[na:], b[nb:]
		na, nb = leading(a, true), leading(b, true)
		if c := compareNumber(a[:na], b[:nb]); c != 0 {
			return c
		}
		a, b = a[na:], b[nb:]
	}
	return 0
}

// leading returns how many bytes at the start are digits, or are none.
func leading(s string, digits bool) int {
	for i := range len(s) {
		if (s[i] >= '0' && s[i] <= '9') != digits {
			return i
		}
	}
	return len(s)
}

// compareOther sorts "~" before the end, the end before letters, letters before everything else.
func compareOther(a, b string) int {
	for i := 0; i < len(a) || i < len(b); i++ {
		if x, y := rank(a, i), rank(b, i); x != y {
			if x < y {
				return -1
			}
			return 1
		}
	}
	return 0
}

func rank(s string, i int) int {
	if i >= len(s) {
		return 0
	}
	switch c := s[i]; {
	case c == '~':
		return -1
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
		return int(c)
	default:
		return int(c) + 256
	}
}

// validVersion accepts the characters that deb-version(7) allows.
func validVersion(v string) bool {
	if v == "" || len(v) > 200 || v[0] < '0' || v[0] > '9' {
		return false
	}
	for i := range len(v) {
		c := v[i]
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.IndexByte(".+-~:", c) >= 0) {
			return false
		}
	}
	return true
}
