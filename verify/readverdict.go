package verify

import (
	"bytes"
	"encoding/json"
	"io"
	"os"

	"github.com/glassbuild/glassbuild/internal/evidence/strictjson"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/redact"
)

// maxVerdict bounds a verdict that is read.
const maxVerdict = 64 << 20

var verdictLimits = strictjson.Limits{Bytes: maxVerdict, Depth: 24, Elements: 1 << 20, Values: 1 << 22}

// ReadVerdict reads a verdict as --format json writes it. What it says is a claim of whoever wrote the file: its result is
// never taken for one.
func ReadVerdict(path string) (*Verdict, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fault.Usagef(fault.Quote(path), "cannot be read: %w", bare(err))
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxVerdict+1))
	if err != nil {
		return nil, fault.Usagef(fault.Quote(path), "cannot be read: %w", bare(err))
	}
	v, err := parseVerdict(path, data)
	if err != nil {
		return nil, fault.Usagef(fault.Quote(path), "is no verdict: %w", err).WithHint("glassbuild verify or check --format json writes one")
	}
	return v, redact.Check(*v)
}

func parseVerdict(name string, data []byte) (*Verdict, error) {
	root, err := strictjson.Parse(data, verdictLimits)
	if err != nil {
		return nil, err
	}
	if _, err := root.Open("format", "result", "match", "checks", "policy", "tool", "subject"); err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	var v Verdict
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if v.Format != 1 || v.Result == "" || len(v.Checks) == 0 {
		return nil, fault.Usagef(fault.Quote(name), "format %d, %d checks", v.Format, len(v.Checks))
	}
	return &v, nil
}
