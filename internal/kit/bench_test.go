package kit_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand"
	"os"
	"path/filepath"
	"testing"

	"github.com/glassbuild/glassbuild/internal/kit"
	"github.com/glassbuild/glassbuild/internal/oci"
)

// small files beside the 64 MB of the kits that are measured: as many as the sample vendor's kit has, and far more.
var smalls = []int{14, 1000}

func eachKit(b *testing.B, run func(b *testing.B, small int)) {
	for _, n := range smalls {
		b.Run(fmt.Sprintf("small=%d", n), func(b *testing.B) { run(b, n) })
	}
}

// benched is a kit of 64 MB in one large file, and small ones.
func benched(b *testing.B, small int) (path string, size int64, write func(string)) {
	b.Helper()
	d, s := sample(b)
	r := rand.New(rand.NewSource(1))
	large := make([]byte, 64<<20)
	r.Read(large)
	d.Files = append(d.Files, file(b, s, kit.Fetched, "go/large", string(large)))
	for i := range small {
		d.Files = append(d.Files, file(b, s, kit.Part, "", string(large[i:i+4096])))
	}
	write = func(path string) {
		k, err := kit.Seal(b.Context(), d, s)
		if err != nil {
			b.Fatal(err)
		}
		f, err := os.Create(path)
		if err == nil {
			err = k.WriteTo(b.Context(), f)
			f.Close()
		}
		if err != nil {
			b.Fatal(err)
		}
		size = k.Size
	}
	path = filepath.Join(b.TempDir(), "kit")
	write(path)
	return path, size, write
}

// BenchmarkHash is the floor: what is in the kit, hashed once.
func BenchmarkHash(b *testing.B) { eachKit(b, benchHash) }

func benchHash(b *testing.B, small int) {
	path, size, _ := benched(b, small)
	data, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(size)
	for b.Loop() {
		h := sha256.New()
		io.Copy(h, bytes.NewReader(data))
	}
}

func BenchmarkWrite(b *testing.B) { eachKit(b, benchWrite) }

func benchWrite(b *testing.B, small int) {
	_, size, write := benched(b, small)
	out := filepath.Join(b.TempDir(), "out")
	b.SetBytes(size)
	for b.Loop() {
		write(out)
	}
}

func BenchmarkOpen(b *testing.B) { eachKit(b, benchOpen) }

func benchOpen(b *testing.B, small int) {
	path, size, _ := benched(b, small)
	b.SetBytes(size)
	for b.Loop() {
		place, err := kit.At(path, oci.Options{})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := kit.Open(b.Context(), place, newStore(b)); err != nil {
			b.Fatal(err)
		}
		place.Close()
	}
}
