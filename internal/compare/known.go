package compare

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/glassbuild/glassbuild/internal/artifact"
	"github.com/glassbuild/glassbuild/internal/compare/tree"
	"github.com/glassbuild/glassbuild/internal/compare/value"
)

// known explains small differences in formats that are not taken apart: where all of them lie in texts that are two times,
// two paths or two ids, or in 4-byte numbers that read as times.
func known(m *artifact.Member, a, b Content, d *Difference) []tree.Cause {
	if m.Format == "java-class" || m.Format == "pyc" || m.Format == "dex" || m.Format == "llvm-bitcode" {
		c := tree.Cause{ID: tree.CauseCode, Text: fmt.Sprintf("other %s code, %s", m.Format, d)}
		return []tree.Cause{c}
	}
	if a.Size() != b.Size() || len(d.Ranges) > maxKnown {
		return nil
	}
	var pairs [][2]string
	for _, r := range d.Ranges {
		x, y, ok := around(a, b, r)
		if !ok {
			return nil
		}
		pairs = append(pairs, [2]string{x, y})
	}
	if id, ok := oneKind(pairs); ok {
		return []tree.Cause{{
			ID: id, Remedy: value.Remedy(id),
			Text: fmt.Sprintf("%s in nothing but %s: %s shipped, %s rebuilt; %s", differ("text", len(pairs)), value.What(id), short(pairs[0][0]), short(pairs[0][1]), d),
		}}
	}
	return nil
}

// around returns the printable text, or the number, that a range lies in.
func around(a, b Content, r Range) (string, string, bool) {
	from := max(r.Offset-aroundBytes, 0)
	size := min(r.Offset+r.Size+aroundBytes, a.Size()) - from
	x, y := make([]byte, size), make([]byte, size)
	if n, _ := a.ReadAt(x, from); n < len(x) {
		return "", "", false
	}
	if n, _ := b.ReadAt(y, from); n < len(y) {
		return "", "", false
	}
	lo, hi := int(r.Offset-from), int(r.Offset+r.Size-from)
	if s, t, ok := stamps(x, y, lo, hi); ok {
		return s, t, true
	}
	for lo > 0 && printable(x[lo-1]) && printable(y[lo-1]) {
		lo--
	}
	for hi < len(x) && printable(x[hi]) && printable(y[hi]) {
		hi++
	}
	s, t := string(x[lo:hi]), string(y[lo:hi])
	if strings.ContainsFunc(s+t, func(r rune) bool { return r < ' ' || r > '~' }) {
		return "", "", false
	}
	return s, t, true
}

func printable(c byte) bool { return c >= ' ' && c <= '~' }

// stamps reads a range as part of a 4-byte number of seconds since 1970 between 2000 and 2040, less than ten years
// apart, in either byte order.
func stamps(x, y []byte, lo, hi int) (string, string, bool) {
	const first, last, apart = 946684800, 2208988800, 315360000
	if hi-lo > 4 {
		return "", "", false
	}
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		for at := max(hi-4, 0); at <= lo && at+4 <= len(x); at++ {
			s, t := order.Uint32(x[at:]), order.Uint32(y[at:])
			if s >= first && s < last && t >= first && t < last && max(s, t)-min(s, t) < apart && at&3 == 0 {
				return fmt.Sprint(s), fmt.Sprint(t), true
			}
		}
	}
	return "", "", false
}
