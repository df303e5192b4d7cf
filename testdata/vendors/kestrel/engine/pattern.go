package engine

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
)

// pattern is a sequence of bytes of which some may be anything. The first byte is always fixed.
type pattern struct {
	value []byte
	any   []bool // nil when every byte is fixed
}

func textPattern(s string) pattern { return pattern{value: []byte(s)} }

// parseHex reads pairs of hexadecimal digits; "??" is any byte, white space is ignored.
func parseHex(s string) (pattern, error) {
	digits := strings.Join(strings.Fields(s), "")
	if digits == "" || len(digits)%2 != 0 {
		return pattern{}, fmt.Errorf("%q is not a sequence of bytes", s)
	}
	var p pattern
	p.any = make([]bool, len(digits)/2)
	for i := 0; i < len(digits); i += 2 {
		if digits[i:i+2] == "??" {
			p.value = append(p.value, 0)
			p.any[i/2] = true
			continue
		}
		b, err := hex.DecodeString(digits[i : i+2])
		if err != nil {
			return pattern{}, fmt.Errorf("%q is not a sequence of bytes", s)
		}
		p.value = append(p.value, b[0])
	}
	if p.any[0] {
		return pattern{}, fmt.Errorf("%q begins with any byte", s)
	}
	return p, nil
}

// find returns the offset of the first occurrence in data, or -1.
func (p pattern) find(data []byte) int {
	if p.any == nil {
		return bytes.Index(data, p.value)
	}
	for from := 0; ; from++ {
		i := bytes.IndexByte(data[from:], p.value[0])
		if i < 0 || from+i+len(p.value) > len(data) {
			return -1
		}
		from += i
		if p.at(data[from:]) {
			return from
		}
	}
}

func (p pattern) at(data []byte) bool {
	for i, b := range p.value {
		if !p.any[i] && data[i] != b {
			return false
		}
	}
	return true
}
