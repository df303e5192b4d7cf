//go:build unix

package rootfs

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/glassbuild/glassbuild/internal/archive"
)

// sampleLayer is a layer of n files with about size bytes in all, gzipped, in folders as a distribution has them: text that
// halves, as programs and headers do.
func sampleLayer(b *testing.B, n, size int) []byte {
	b.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	words := make([]byte, 64<<10)
	for i := range words {
		words[i] = "etaoinshrdlu\x00\x01\x7fELF{}();\n  "[r.IntN(26)] ^ byte(r.IntN(2)*r.IntN(40))
	}
	var out bytes.Buffer
	z, _ := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	w := tar.NewWriter(z)
	for i := range n {
		text := make([]byte, 0, 2*size/n)
		for want := r.IntN(2 * size / n); len(text) < want; {
			from := r.IntN(len(words) - 64)
			text = append(text, words[from:from+8+r.IntN(56)]...)
		}
		if err := w.WriteHeader(&tar.Header{Name: fmt.Sprintf("usr/share/d%d/e%d/f%d", i%40, i%400, i), Mode: 0o644, Size: int64(len(text))}); err != nil {
			b.Fatal(err)
		}
		if _, err := w.Write(text); err != nil {
			b.Fatal(err)
		}
	}
	w.Close()
	z.Close()
	return out.Bytes()
}

func unpackLayer(b *testing.B, layer []byte, dir string) *Manifest {
	b.Helper()
	stage, err := NewStage(filepath.Join(dir, "stage"))
	if err != nil {
		b.Fatal(err)
	}
	stored, meter := sha256.New(), archive.NewMeter("layer", int64(len(layer)), archive.Limits{})
	z, err := archive.Decompress(archive.FormatGzip, io.TeeReader(bytes.NewReader(layer), stored), meter)
	if err != nil {
		b.Fatal(err)
	}
	diff := sha256.New()
	list, err := stage.Read(context.Background(), archive.NewTar(io.TeeReader(z, diff), meter))
	if err != nil {
		b.Fatal(err)
	}
	tree := NewTree()
	for _, e := range list {
		if err := tree.Layer("", e); err != nil {
			b.Fatal(err)
		}
	}
	m, err := tree.Write(context.Background(), filepath.Join(dir, "root"))
	if err != nil {
		b.Fatal(err)
	}
	return m
}

// BenchmarkUnpack unpacks a layer of about 105 MB with 12,000 entries, digest and diff-id checked and every file hashed, beside
// tar(1), which checks nothing. Look at cpu-s/op.
func BenchmarkUnpack(b *testing.B) {
	layer := sampleLayer(b, 12_000, 150<<20)
	file := filepath.Join(b.TempDir(), "layer.tar.gz")
	if err := os.WriteFile(file, layer, 0o600); err != nil {
		b.Fatal(err)
	}
	b.Run("glassbuild", func(b *testing.B) {
		b.SetBytes(int64(len(layer)))
		b.ReportAllocs() // B/op stays far below the layer's size: memory is flat
		began := processorTime(syscall.RUSAGE_SELF)
		for b.Loop() {
			unpackLayer(b, layer, b.TempDir())
		}
		b.ReportMetric((processorTime(syscall.RUSAGE_SELF)-began).Seconds()/float64(b.N), "cpu-s/op")
	})
	for _, program := range []string{"bsdtar", "tar"} {
		if _, err := exec.LookPath(program); err != nil {
			b.Logf("%s is not installed: left out", program)
			continue
		}
		b.Run(program, func(b *testing.B) {
			b.SetBytes(int64(len(layer)))
			began := processorTime(syscall.RUSAGE_CHILDREN)
			for b.Loop() {
				if out, err := exec.Command(program, "-xzf", file, "-C", b.TempDir()).CombinedOutput(); err != nil {
					b.Fatalf("%v: %s", err, out)
				}
			}
			b.ReportMetric((processorTime(syscall.RUSAGE_CHILDREN)-began).Seconds()/float64(b.N), "cpu-s/op")
		})
	}
}

func processorTime(who int) time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(who, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkSecondUse verifies a root of 9,000 files and 300 MB, beside hashing the same files on all processors and nothing else.
func BenchmarkSecondUse(b *testing.B) {
	dir := b.TempDir()
	m := unpackLayer(b, sampleLayer(b, 9000, 300<<20), dir)
	root := filepath.Join(dir, "root")
	size := int64(0)
	for _, it := range m.items {
		size += it.size
	}
	b.Run("verify", func(b *testing.B) {
		b.SetBytes(size)
		for b.Loop() {
			if err := m.Verify(context.Background(), root); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("hash", func(b *testing.B) {
		b.SetBytes(size)
		for b.Loop() {
			if err := hashAll(root); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func hashAll(root string) error {
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			g.Go(func() error {
				f, err := os.Open(path)
				if err != nil {
					return err
				}
				defer f.Close()
				_, err = io.Copy(sha256.New(), f)
				return err
			})
		}
		return err
	})
	if e := g.Wait(); e != nil {
		return e
	}
	return err
}
