package compare_test

import (
	"bytes"
	"testing"

	"github.com/glassbuild/glassbuild/internal/compare/tree"
)

// FuzzFlippedByte: whatever the file is, a byte that was flipped lies in a range of the node that stands for the pair.
func FuzzFlippedByte(f *testing.F) {
	f.Add([]byte("hello"), uint32(1), byte(1))
	f.Add(tgz(f, file{name: "a", body: "1"}), uint32(9), byte(0x10))
	f.Add(append([]byte("\x7fELF\x02\x01\x01"), make([]byte, 200)...), uint32(99), byte(0x80))
	f.Add([]byte(`{"a": 1}`), uint32(6), byte(1))
	f.Fuzz(func(t *testing.T, a []byte, at uint32, flip byte) {
		if len(a) == 0 || flip == 0 || len(a) > 1<<20 {
			return
		}
		b := bytes.Clone(a)
		where := int(at) % len(b)
		b[where] ^= flip
		n := explain(t, a, b)
		if n.Status != tree.Different || len(n.Causes)+len(n.Nodes) == 0 {
			t.Fatalf("%s without a cause", n.Status)
		}
		for _, side := range []*tree.Side{n.Shipped, n.Rebuilt} {
			found := false
			for _, r := range side.Ranges {
				found = found || r.Offset <= int64(where) && int64(where) < r.Offset+r.Size
			}
			if !found {
				t.Fatalf("byte %d lies in no range of %+v", where, side)
			}
		}
	})
}
