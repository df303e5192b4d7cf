package align_test

import (
	"testing"

	"github.com/glassbuild/glassbuild/internal/compare/align"
)

func rebuild(t *testing.T, a, b []byte, blocks []align.Block) {
	t.Helper()
	i, j := 0, 0
	for _, x := range blocks {
		if x.A0 != i || x.B0 != j || x.A1 < i || x.B1 < j {
			t.Fatalf("%q %q: %+v", a, b, blocks)
		}
		i, j = x.A1, x.B1
		if x.Same && string(a[x.A0:x.A1]) != string(b[x.B0:x.B1]) {
			t.Fatalf("%q %q: not the same: %+v", a, b, x)
		}
	}
	if i != len(a) || j != len(b) {
		t.Fatalf("%q %q: %+v ends at %d and %d", a, b, blocks, i, j)
	}
}

func TestBlocks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		same int // elements on the path
	}{
		{"", "", 0}, {"abc", "abc", 3}, {"abc", "", 0}, {"abcabba", "cbabac", 4}, {"xaby", "xby", 3}, {"ab", "ba", 1}, {"kitten", "sitting", 4},
	} {
		got := align.Blocks([]byte(c.a), []byte(c.b), 100)
		rebuild(t, []byte(c.a), []byte(c.b), got)
		same := 0
		for _, x := range got {
			if x.Same {
				same += x.A1 - x.A0
			}
		}
		if same != c.same {
			t.Errorf("%q %q: %d the same, want %d: %+v", c.a, c.b, same, c.same, got)
		}
	}
	if got := align.Blocks([]byte("abcdef"), []byte("uvwxyz"), 2); len(got) != 1 || got[0].Same {
		t.Errorf("beyond the bound: %+v", got)
	}
}

func FuzzBlocks(f *testing.F) {
	f.Add([]byte("abcabba"), []byte("cbabac"), 10)
	f.Fuzz(func(t *testing.T, a, b []byte, edits int) {
		if len(a) > 200 || len(b) > 200 {
			return
		}
		rebuild(t, a, b, align.Blocks(a, b, max(0, min(edits, 500))))
	})
}
