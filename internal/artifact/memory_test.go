package artifact_test

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"context"
	"io"
	"math/rand"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/glassbuild/glassbuild/internal/artifact"
)

// large writes a tar of size bytes in four members, gzipped without compression when asked, and returns its path.
func large(t testing.TB, size int64, packed bool) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "large")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	buffered := bufio.NewWriterSize(f, 1<<20)
	var out io.WriteCloser = nopCloser{buffered}
	if packed {
		if out, err = gzip.NewWriterLevel(buffered, gzip.NoCompression); err != nil {
			t.Fatal(err)
		}
	}
	w := tar.NewWriter(out)
	rnd := rand.New(rand.NewSource(7))
	for _, name := range []string{"a", "b", "c", "d"} {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: size / 4}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(w, rnd, size/4); err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	out.Close()
	if err := buffered.Flush(); err != nil {
		t.Fatal(err)
	}
	return path
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// allocated returns what opening allocates altogether, which is more than it ever holds at once.
func allocated(t testing.TB, path string) uint64 {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	a, err := artifact.Open(context.Background(), path, artifact.Options{Dir: t.TempDir()})
	runtime.ReadMemStats(&after)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if len(a.Root.Members) != 4 || len(a.Hostile) != 0 {
		t.Fatalf("%d members, %v", len(a.Root.Members), a.Hostile)
	}
	return after.TotalAlloc - before.TotalAlloc
}

// This test is not parallel: it looks at the memory of the whole process.
func TestMemoryDoesNotGrowWithTheArtefact(t *testing.T) {
	for _, packed := range []bool{false, true} {
		small, big := allocated(t, large(t, 4<<20, packed)), allocated(t, large(t, 80<<20, packed))
		if big > small+8<<20 {
			t.Errorf("packed %v: 4 MiB allocate %d bytes, 80 MiB %d", packed, small, big)
		}
	}
}

func BenchmarkOpen2GiB(b *testing.B) {
	for name, packed := range map[string]bool{"tar": false, "tar+gzip": true} {
		b.Run(name, func(b *testing.B) {
			path := large(b, 2<<30, packed)
			b.SetBytes(2 << 30)
			b.ResetTimer()
			for range b.N {
				b.ReportMetric(float64(allocated(b, path))/(1<<20), "MiB-allocated")
			}
		})
	}
}
