package graft_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/glassbuild/glassbuild/internal/allow"
	"github.com/glassbuild/glassbuild/internal/compare/graft"
	"github.com/glassbuild/glassbuild/internal/signature"
)

// FuzzOnto feeds every reader of signatures what nobody meant it to read. It must end, and what is grafted must consist of
// the build and of the ranges that it names.
func FuzzOnto(f *testing.F) {
	plain := machoOf("code")
	adHoc := signMacho(f, plain, nil, nil)
	f.Add(adHoc, plain)
	f.Add(fat(adHoc), fat(plain))
	f.Add([]byte("MZ"+string(make([]byte, 58))+"\x40\x00\x00\x00PE\x00\x00"), []byte("MZ"))
	f.Add(append(bytes.Repeat([]byte("module"), 20), "\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00\x08~Module signature appended~\n"...), []byte("module"))
	f.Add([]byte("!<arch>\ndebian-binary   1700000000  0     0     100644  4         `\n2.0\n_gpgorigin      1700000000  0     0     100644  4         `\nsig\n"),
		[]byte("!<arch>\ndebian-binary   1700000000  0     0     100644  4         `\n2.0\n"))
	f.Add(append([]byte("\xed\xab\xee\xdb\x03\x00"), make([]byte, 300)...), []byte("\xed\xab\xee\xdb"))
	f.Add([]byte("PK\x03\x04"), []byte("PK\x03\x04"))
	var names []string
	for _, d := range allow.All() {
		names = append(names, d.Name)
	}
	f.Fuzz(func(t *testing.T, shipped, rebuilt []byte) {
		g, err := graft.Onto(t.Context(), bytes.NewReader(shipped), bytes.NewReader(rebuilt), names, signature.Options{Now: time.Unix(1.8e9, 0)})
		if err != nil || g == nil {
			return
		}
		if !g.Unsigned && len(g.Signers) == 0 {
			t.Fatal("accepted, and nobody signed")
		}
		for _, r := range g.Ranges {
			if r.Offset < 0 || r.Size < 0 || r.Offset > int64(len(shipped))-r.Size {
				t.Fatalf("takes %+v of %d bytes", r, len(shipped))
			}
		}
		b := make([]byte, g.Size())
		if n, err := g.ReadAt(b, 0); int64(n) != g.Size() {
			t.Fatal(n, err)
		}
	})
}
