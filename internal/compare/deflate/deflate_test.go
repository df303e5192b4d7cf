package deflate_test

import (
	"bytes"
	"compress/flate"
	"io"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/compare/deflate"
)

func packed(t testing.TB, level int, data string) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, level)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, data)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestCheck(t *testing.T) {
	t.Parallel()
	good := packed(t, 6, strings.Repeat("some text, some more text; ", 400))
	for name, c := range map[string]struct {
		data []byte
		want string // "" for a good one
	}{
		"a stream":           {good, ""},
		"stored":             {packed(t, 0, strings.Repeat("x", 70_000)), ""},
		"nothing":            {packed(t, 6, ""), ""},
		"fixed codes":        {packed(t, 6, "a"), ""},
		"truncated":          {good[:len(good)-8], "truncated"},
		"bytes behind":       {append(bytes.Clone(good), 0), "bytes behind the last block"},
		"empty blocks":       {append(bytes.Repeat([]byte{0, 0, 0, 0xff, 0xff}, 3), good...), "empty blocks"},
		"padding":            {append([]byte{0xf8, 0, 0, 0xff, 0xff}, good...), "padding is not zero"},
		"no such block":      {[]byte{7}, "malformed code"},
		"a wrong length":     {[]byte{1, 1, 0, 0, 0, 'x'}, "malformed code"},
		"out of range":       {[]byte{0x03, 0x02, 0x00}, "malformed symbol"}, // a copy from before the start
		"nothing at all":     {nil, "truncated"},
		"padding at the end": {[]byte{0x4b, 0x04, 0xf0}, "padding is not zero"},
	} {
		err := deflate.Check(bytes.NewReader(c.data))
		if got := ""; err != nil {
			got = err.Error()
			if got != c.want {
				t.Errorf("%s: %q, want %q", name, got, c.want)
			}
		} else if c.want != "" {
			t.Errorf("%s: accepted, want %q", name, c.want)
		}
	}
}

// FuzzCheck demands that whatever is accepted is a stream to the standard library too, which uses every byte of it.
func FuzzCheck(f *testing.F) {
	for level := -2; level <= 9; level++ {
		f.Add(packed(f, level, strings.Repeat("abcabcabd, ", 30)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if deflate.Check(bytes.NewReader(b)) != nil {
			return
		}
		in := bytes.NewReader(b)
		if _, err := io.Copy(io.Discard, flate.NewReader(in)); err != nil || in.Len() != 0 {
			t.Fatalf("accepted %x: %v, %d bytes left", b, err, in.Len())
		}
	})
}
