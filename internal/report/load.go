package report

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/redact"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// maxVerdict bounds a saved verdict in bytes.
const maxVerdict = 256 << 20

// Load reads a verdict that JSON wrote. It must be exactly what JSON gives for it: a key that is unknown, written twice or in
// other letters, or anything behind the end, changes the bytes and is refused.
//
// A loaded verdict is what a file says, not what was verified: nobody may decide by it.
func Load(name string, data []byte) (verdict.Verdict, error) {
	var v verdict.Verdict
	object := fault.Quote(name)
	if len(data) > maxVerdict {
		return v, fault.Usagef(object, "exceeds %d bytes", maxVerdict)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v); err != nil {
		return v, fault.Usagef(object, "is no verdict: %w", err).WithHint("glassbuild verify --format json writes one")
	}
	if v.Format != 1 {
		return v, fault.Usagef(object, "is no verdict of format 1").WithHint("glassbuild verify --format json writes one")
	}
	again, err := JSON(v)
	if err != nil {
		return v, err
	}
	if !bytes.Equal(again, data) {
		return v, fault.Usagef(object, "is no verdict as glassbuild writes it: a key stands twice, in other letters, in another order or behind the end")
	}
	return v, redact.Check(v)
}

// leftOut says what a redacted verdict does not show.
func leftOut(v verdict.Verdict) string {
	hidden, all := redact.Count(v)
	if hidden == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d names and texts are left out, each marked [redacted …]; commitments bind them, and all else, as they were signed: root %s", hidden, all, v.Commitments.Root)
}
