// Package report renders a verdict. Every renderer is a pure function of it: identical verdicts give identical bytes.
//
// Names that come from outside are quoted at the last moment, see fault.Quote; texts of checks were quoted when they were made.
package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf16"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// JSON renders the verdict as docs/verdict.schema.json describes it.
func JSON(v verdict.Verdict) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(true)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return escapeInvisible(buf.Bytes()), nil
}

// escapeInvisible writes what a terminal might act upon, such as a direction mark in the name of a member, as the escape that
// RFC 8259 section 7 gives it: outside its strings JSON holds nothing of the kind.
func escapeInvisible(data []byte) []byte {
	var out bytes.Buffer
	for _, r := range string(data) {
		if r == '\n' || fault.Plain(string(r)) {
			out.WriteRune(r)
			continue
		}
		for _, u := range utf16.AppendRune(nil, r) {
			fmt.Fprintf(&out, "\\u%04x", u)
		}
	}
	return out.Bytes()
}
