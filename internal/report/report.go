// Package report renders a verdict. Every renderer is a pure function of it: identical verdicts give identical bytes.
//
// Names that come from outside are quoted at the last moment, see fault.Quote; texts of checks were quoted when they were made.
package report

import (
	"bytes"
	"encoding/json"

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
	return buf.Bytes(), nil
}
