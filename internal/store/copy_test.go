package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

func TestCopyHashing(t *testing.T) {
	t.Parallel()
	data := make([]byte, 3*chunk+first+7)
	for i := range data {
		data[i] = byte(i * i >> 3)
	}
	for _, n := range []int{0, 1, first - 1, first, first + 1, first + chunk, first + chunk + 1, len(data)} {
		for name, wrap := range map[string]func(io.Reader) io.Reader{"whole": func(r io.Reader) io.Reader { return r }, "half": iotest.HalfReader, "with error": iotest.DataErrReader} {
			var out bytes.Buffer
			sum, got, err := copyHashing(&out, wrap(bytes.NewReader(data[:n])))
			want := sha256.Sum256(data[:n])
			if err != nil || got != int64(n) || sum != hex.EncodeToString(want[:]) || !bytes.Equal(out.Bytes(), data[:n]) {
				t.Errorf("%s, %d bytes: %d, %s, %v", name, n, got, sum, err)
			}
		}
	}
	broken := errors.New("broken")
	if _, _, err := copyHashing(io.Discard, io.MultiReader(bytes.NewReader(data), iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Errorf("reading: %v", err)
	}
	if _, _, err := copyHashing(full{}, bytes.NewReader(data)); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("writing: %v", err)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, io.ErrShortWrite }
