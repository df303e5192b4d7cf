package report

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// Line renders one verdict of many as one line.
func Line(v verdict.Verdict, s Style) []byte {
	w := &textWriter{style: Style{Color: s.Color}}
	color := map[verdict.Result]string{verdict.Passed: "32;1", verdict.Failed: "31;1", verdict.Inconclusive: "33;1"}[v.Result]
	w.line(w.paint(color, strings.ToUpper(string(v.Result)))+" ", fault.Quote(v.Subject.Name)+": "+oneLine(v.Summary))
	return []byte(w.b.String())
}

// JSONLine renders one verdict of many as one line of JSON.
func JSONLine(v verdict.Verdict) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(true)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return escapeInvisible(buf.Bytes()), nil
}
