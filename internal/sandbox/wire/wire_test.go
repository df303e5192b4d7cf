package wire_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/sandbox/wire"
)

func TestFrames(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := errors.Join(wire.Write(&b, wire.KindData, []byte("abc")), wire.WriteJSON(&b, wire.KindRun, wire.Step{Dir: "/x"})); err != nil {
		t.Fatal(err)
	}
	kind, data, err := wire.Read(&b, 3)
	if kind != wire.KindData || string(data) != "abc" || err != nil {
		t.Error(kind, data, err)
	}
	if kind, data, err = wire.Read(&b, 1000); kind != wire.KindRun || !strings.Contains(string(data), `"/x"`) || err != nil {
		t.Error(kind, data, err)
	}
	if _, _, err := wire.Read(&b, 1000); err != io.EOF {
		t.Error(err)
	}
}

func TestFramesThatAreNone(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]error{
		"d\x04\x00\x00\x00abcd": nil, // longer than allowed
		"d\x03\x00\x00\x00ab":   io.ErrUnexpectedEOF,
		"d\x03\x00\x00\x00":     io.ErrUnexpectedEOF,
		"d\x03":                 io.ErrUnexpectedEOF,
		"d\xff\xff\xff\xffx":    nil,
	} {
		_, _, err := wire.Read(strings.NewReader(text), 3)
		if err == nil || want != nil && !errors.Is(err, want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// FuzzRead wants nothing longer than the bound, and what is read to be what was written.
func FuzzRead(f *testing.F) {
	f.Add([]byte("d\x03\x00\x00\x00abc"))
	f.Add([]byte("d\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, text []byte) {
		const limit = 64
		kind, data, err := wire.Read(bytes.NewReader(text), limit)
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := wire.Write(&b, kind, data); err != nil || len(data) > limit || !bytes.HasPrefix(text, b.Bytes()) {
			t.Errorf("%q became %q", text, b.Bytes())
		}
	})
}
