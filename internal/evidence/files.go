package evidence

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/glassbuild/glassbuild/internal/evidence/strictjson"
	"github.com/glassbuild/glassbuild/internal/fault"
)

// ReadFile reads a file of evidence of at most MaxFile bytes, without reading more of it than that.
func ReadFile(path string) ([]byte, error) {
	st, err := os.Stat(path) // before it is opened: opening a pipe waits for whoever writes into it
	if err == nil && !st.Mode().IsRegular() {
		return nil, fault.Usagef(fault.Quote(path), "is not a file")
	}
	var f *os.File
	if err == nil {
		f, err = os.Open(path)
	}
	if err != nil {
		var p *os.PathError
		if errors.As(err, &p) {
			err = p.Err
		}
		return nil, fault.Usagef(fault.Quote(path), "cannot be read: %w", err)
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		return nil, fault.Usagef(fault.Quote(path), "is not a file")
	} else if st.Size() > MaxFile {
		return nil, fault.Failf(fault.Quote(path), "malformed bundle: exceeds %d bytes", MaxFile)
	}
	data, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err != nil {
		return nil, fault.Inconclusivef(fault.Quote(path), "cannot be read: %w", err)
	}
	if len(data) > MaxFile {
		return nil, fault.Failf(fault.Quote(path), "malformed bundle: exceeds %d bytes", MaxFile)
	}
	return data, nil
}

// ParseAll reads a file of evidence: one bundle or envelope, JSON lines of them (*.intoto.jsonl, what `gh attestation
// download` writes), or the list that a registry or forge answers with ({"attestations":[{"bundle":…}]}). One that is
// malformed spoils the file: evidence is taken whole or not at all.
func ParseAll(name string, data []byte) ([]*Bundle, error) {
	if len(data) > MaxFile {
		return nil, malformed(name, fmt.Errorf("exceeds %d bytes", MaxFile))
	}
	v, err := strictjson.Parse(data, fileLimits)
	if err == nil {
		return parseDocument(name, data, v)
	}
	if !errors.Is(err, strictjson.ErrTrailing) {
		return nil, malformed(name, err)
	}
	return parseLines(name, data)
}

func parseDocument(name string, data []byte, v strictjson.Value) ([]*Bundle, error) {
	if v.At("attestations").Missing() {
		if len(v.Raw()) > MaxBundle {
			return nil, malformed(name, fmt.Errorf("exceeds %d bytes", MaxBundle))
		}
		b, err := parseValue(name, v)
		if err != nil {
			return nil, err
		}
		b.at = bytes.Index(data, v.Raw())
		return []*Bundle{b}, nil
	}
	o, err := v.Open("attestations")
	if err != nil {
		return nil, malformed(name, err)
	}
	n := o.Get("attestations").Count()
	if n == 0 || n > MaxBundles {
		return nil, malformed(name, fmt.Errorf("%d attestations, want 1 to %d", n, MaxBundles))
	}
	list, err := o.Get("attestations").Elements()
	if err != nil {
		return nil, malformed(name, err)
	}
	var out []*Bundle
	from := 0
	for i, e := range list {
		a, err := e.Open("bundle")
		if err != nil {
			return nil, malformed(name, err)
		}
		b, err := parseValue(fmt.Sprintf("%s#%d", name, i+1), a.Get("bundle"))
		if err != nil {
			return nil, err
		}
		raw := a.Get("bundle").Raw()
		b.at = from + bytes.Index(data[from:], raw)
		from = b.at + len(raw)
		out = append(out, b)
	}
	return out, nil
}

func parseLines(name string, data []byte) ([]*Bundle, error) {
	var out []*Bundle
	at := 0
	for number := 1; len(data) > 0; number++ {
		var line []byte
		begin := at
		line, data, _ = bytes.Cut(data, []byte("\n"))
		at += len(line) + 1
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if len(out) >= MaxBundles {
			return nil, malformed(name, fmt.Errorf("more than %d lines", MaxBundles))
		}
		b, err := Parse(fmt.Sprintf("%s:%d", name, number), line)
		if err != nil {
			return nil, err
		}
		b.at = begin + bytes.IndexByte(line, '{')
		out = append(out, b)
	}
	return out, nil
}
