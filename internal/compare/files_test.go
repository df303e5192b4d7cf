package compare_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"math/rand"
	"testing"

	"github.com/glassbuild/glassbuild/internal/compare"
)

func content(b []byte) compare.Content {
	return io.NewSectionReader(bytes.NewReader(b), 0, int64(len(b)))
}

func digest(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

func files(t testing.TB, a, b []byte) compare.Difference {
	t.Helper()
	d, err := compare.Files(context.Background(), content(a), content(b))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestFiles(t *testing.T) {
	t.Parallel()
	base := make([]byte, 600<<10)
	rand.New(rand.NewSource(1)).Read(base)
	edit := func(at ...int) []byte {
		b := bytes.Clone(base)
		for _, i := range at {
			b[i] ^= 0x55
		}
		return b
	}
	for name, c := range map[string]struct {
		b                  []byte
		bytes, first, last int64
		ranges             int
	}{
		"identical":  {base, 0, -1, -1, 0},
		"one byte":   {edit(300 << 10), 1, 300 << 10, 300 << 10, 1},
		"two ranges": {edit(5, 6, 400000), 3, 5, 400000, 2},
		"neighbours": {edit(5, 20), 2, 5, 20, 1},
		"shorter":    {base[:1000], 600<<10 - 1000, 1000, 600<<10 - 1, 1},
		"longer":     {append(bytes.Clone(base), 1, 2, 3), 3, 600 << 10, 600<<10 + 2, 1},
		"empty":      {nil, 600 << 10, 0, 600<<10 - 1, 1},
	} {
		d := files(t, base, c.b)
		if d.Bytes != c.bytes || d.First != c.first || d.Last != c.last || len(d.Ranges) != c.ranges || d.Equal != (c.bytes == 0) {
			t.Errorf("%s: %+v", name, d)
		}
		if d.ShippedSHA256 != digest(base) || d.RebuiltSHA256 != digest(c.b) {
			t.Errorf("%s: digests", name)
		}
	}
	if d := files(t, nil, nil); !d.Equal {
		t.Error("two empty files differ")
	}
}

func TestEveryDifferingByteLiesInARange(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewSource(2))
	a := make([]byte, 100_000)
	b := bytes.Clone(a)
	var at []int64
	for range 500 { // more than ranges are kept
		i := rnd.Intn(len(b))
		b[i] = 1
		at = append(at, int64(i))
	}
	d := files(t, a, b)
	for _, i := range at {
		if !covered(d, i) {
			t.Fatalf("offset %d in no range", i)
		}
	}
}

func covered(d compare.Difference, at int64) bool {
	for _, r := range d.Ranges {
		if at >= r.Offset && at < r.Offset+r.Size {
			return true
		}
	}
	return false
}

func FuzzFiles(f *testing.F) {
	f.Add([]byte("hello"), []byte("hallo"), uint(1))
	f.Add([]byte(""), []byte("x"), uint(0))
	f.Fuzz(func(t *testing.T, a, b []byte, flip uint) {
		if d := files(t, a, a); !d.Equal || d.Bytes != 0 || len(d.Ranges) != 0 {
			t.Fatalf("a differs from itself: %+v", d)
		}
		ab, ba := files(t, a, b), files(t, b, a)
		if ab.Equal != bytes.Equal(a, b) || ab.Bytes != ba.Bytes || ab.First != ba.First || ab.Last != ba.Last {
			t.Fatalf("not symmetric: %+v %+v", ab, ba)
		}
		if len(a) == 0 {
			return
		}
		c := bytes.Clone(a)
		at := int64(flip % uint(len(a)))
		c[at] ^= 1
		if d := files(t, a, c); d.Equal || d.Bytes != 1 || !covered(d, at) {
			t.Fatalf("flipped byte %d not reported: %+v", at, d)
		}
	})
}

func TestStable(t *testing.T) {
	t.Parallel()
	base := make([]byte, 10_000)
	rand.New(rand.NewSource(3)).Read(base)
	put := func(b []byte, at int, s string) []byte {
		c := bytes.Clone(b)
		copy(c[at:], s)
		return c
	}
	run1, run2 := put(base, 5000, "2026-11-22T16:30:05Z"), put(base, 5000, "2026-11-22T16:30:41Z")
	honest := put(base, 5000, "2025-03-01T09:12:33Z")
	for name, c := range map[string]struct {
		shipped, run1, run2 []byte
		differs             bool
		first               int64
	}{
		"honest, another day":       {honest, run1, run2, false, -1},
		"tampered elsewhere":        {put(honest, 100, "EVIL"), run1, run2, true, 100},
		"tampered near the end":     {put(honest, 9990, "EVIL"), run1, run2, true, 9990},
		"another size":              {append(bytes.Clone(honest), 1), run1, run2, true, -1},
		"runs of different size":    {honest, run1, append(bytes.Clone(run2[:5020]), append([]byte("longer"), run2[5020:]...)...), false, -1},
		"same and tampered in head": {put(honest, 100, "EVIL"), run1, append(bytes.Clone(run2[:5020]), append([]byte("longer"), run2[5020:]...)...), true, 100},
		"same and tampered in tail": {put(honest, 9000, "EVIL"), run1, append(bytes.Clone(run2[:5020]), append([]byte("longer"), run2[5020:]...)...), true, 996},
		"equal runs":                {put(base, 7, "x"), base, base, true, 7},
		"all equal":                 {base, base, base, false, -1},
	} {
		s, err := compare.Stable(context.Background(), content(c.shipped), content(c.run1), content(c.run2))
		if err != nil {
			t.Fatal(err)
		}
		if s.Differs() != c.differs || s.First != c.first {
			t.Errorf("%s: %+v", name, s)
		}
	}
}
