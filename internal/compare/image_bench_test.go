package compare_test

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/glassbuild/glassbuild/internal/compare"
)

// imagePair writes two image layouts as archives: layers with entries files of size bytes in all, of which one has another
// content on the second side.
func imagePair(t testing.TB, dir string, entries int, size int64, named bool) (a, b string) {
	t.Helper()
	a, b = filepath.Join(dir, "shipped.tar"), filepath.Join(dir, "rebuilt.tar")
	writeImage(t, a, entries, size, -1, named)
	writeImage(t, b, entries, size, entries/3, named)
	return a, b
}

const imageLayers = 3

func writeImage(t testing.TB, name string, entries int, size int64, changed int, named bool) {
	t.Helper()
	blobs := map[string][]byte{}
	put := func(data []byte) string {
		sum := sha256.Sum256(data)
		digest := hex.EncodeToString(sum[:])
		blobs[digest] = data
		return digest
	}
	var layers []string
	for l := range imageLayers {
		data := layerOf(t, l, entries/imageLayers, size/imageLayers, changed-l*(entries/imageLayers))
		layers = append(layers, fmt.Sprintf(`{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"sha256:%s","size":%d}`, put(data), len(data)))
	}
	config := []byte(`{"architecture":"amd64","os":"linux"}`)
	m := []byte(fmt.Sprintf(`{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:%s","size":%d},"layers":[%s]}`,
		put(config), len(config), strings.Join(layers, ",")))
	annotations := ""
	if named { // for tools that keep images by name
		annotations = `,"annotations":{"io.containerd.image.name":"bench.example/image:` + strings.TrimSuffix(filepath.Base(name), ".tar") + `"}`
	}
	index := fmt.Sprintf(`{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:%s","size":%d%s}]}`, put(m), len(m), annotations)
	f, err := os.Create(name)
	must(t, err)
	w := tar.NewWriter(f)
	add := func(name string, data []byte) {
		must(t, w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(data))}))
		_, err := w.Write(data)
		must(t, err)
	}
	add("oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`))
	add("index.json", []byte(index))
	for digest, data := range blobs {
		add("blobs/sha256/"+digest, data)
	}
	must(t, w.Close())
	must(t, f.Close())
}

// layerOf makes a layer of text that compresses to about a third, as programs and libraries do.
func layerOf(t testing.TB, seed, entries int, size int64, changed int) []byte {
	t.Helper()
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	must(t, err)
	buffered := bufio.NewWriter(z)
	w := tar.NewWriter(buffered)
	r := rand.New(rand.NewPCG(uint64(seed), 1))
	body := make([]byte, size/int64(entries))
	for i := range entries {
		for k := 0; k < len(body); {
			k += copy(body[k:], fmt.Sprintf("%08x: symbol_%d in section %d\n", r.Uint32(), r.IntN(5000), r.IntN(64)))
		}
		if i == changed {
			copy(body[len(body)/2:], "something else")
		}
		name := fmt.Sprintf("usr/lib/l%d/d%d/file%d.so", seed, i%97, i)
		must(t, w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(body))}))
		_, err := w.Write(body)
		must(t, err)
	}
	must(t, w.Close())
	must(t, buffered.Flush())
	must(t, z.Close())
	return out.Bytes()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestImagePair says which file of two images differs, in the first line.
func TestImagePair(t *testing.T) {
	t.Parallel()
	a, b := imagePair(t, t.TempDir(), 120, 120_000, false)
	n, err := compare.Paths(t.Context(), a, b, compare.Options{Dir: t.TempDir()})
	must(t, err)
	text := n.Text(16 << 10)
	first, _, _ := strings.Cut(text, "\n")
	if !strings.Contains(text, "usr/lib/l1/d0/file0.so") || strings.Contains(text, "only shipped") || !strings.Contains(first, "file0.so") {
		t.Errorf("%s", text)
	}
}

// BenchmarkImagePair holds the comparison of two images (105 MB, 12,000 entries, one file differs) against gzip -dc and a
// hash of every layer of both: CPU of this process against CPU of those.
func BenchmarkImagePair(b *testing.B) {
	if testing.Short() {
		b.Skip("takes a minute to make")
	}
	dir := b.TempDir()
	shipped, rebuilt := imagePair(b, dir, 12_000, 105<<20, true)
	reference := referenceCPU(b, dir, shipped, rebuilt)
	b.ResetTimer()
	before := ownCPU(b)
	for range b.N {
		n, err := compare.Paths(b.Context(), shipped, rebuilt, compare.Options{Dir: b.TempDir()})
		must(b, err)
		if !strings.Contains(n.Text(16<<10), ".so") {
			b.Fatal(n.Text(16 << 10))
		}
	}
	own := (ownCPU(b) - before) / time.Duration(b.N)
	b.ReportMetric(own.Seconds(), "cpu-s/op")
	b.ReportMetric(reference.Seconds(), "gzip+hash-cpu-s/op")
	b.ReportMetric(own.Seconds()/reference.Seconds(), "x-gzip+hash")
	if other, ok := diffociCPU(b, shipped, rebuilt); ok {
		b.ReportMetric(other.Seconds(), "diffoci-cpu-s/op")
		b.ReportMetric(own.Seconds()/other.Seconds(), "x-diffoci")
	}
}

// diffociCPU builds diffoci from its Go module and takes what it needs for the same pair, loaded beforehand.
func diffociCPU(b *testing.B, images ...string) (time.Duration, bool) {
	b.Helper()
	dir := b.TempDir()
	must(b, os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module bench\n\ngo 1.26\n\nrequire github.com/reproducible-containers/diffoci v0.1.8\n"), 0o644))
	tool := filepath.Join(dir, "diffoci")
	build := exec.Command("go", "build", "-mod=mod", "-o", tool, "github.com/reproducible-containers/diffoci/cmd/diffoci")
	build.Dir, build.Env = dir, append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		b.Logf("diffoci cannot be built here, its row is left out: %v\n%s", err, out)
		return 0, false
	}
	common := []string{"--backend=local", "--local-cache=" + filepath.Join(dir, "cache")}
	for _, image := range images {
		if out, err := exec.Command(tool, append([]string{"load", "--input", image}, common...)...).CombinedOutput(); err != nil {
			b.Logf("diffoci does not load the pair, its row is left out: %v\n%s", err, out)
			return 0, false
		}
	}
	var total time.Duration
	const runs = 3
	for range runs {
		cmd := exec.Command(tool, append([]string{"diff", "--pull=never", "bench.example/image:shipped", "bench.example/image:rebuilt"}, common...)...)
		out, _ := cmd.CombinedOutput() // it ends with 1 where images differ
		if !strings.Contains(string(out), ".so") {
			b.Logf("diffoci does not compare the pair, its row is left out:\n%s", out)
			return 0, false
		}
		total += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	return total / runs, true
}

func ownCPU(t testing.TB) time.Duration {
	var u syscall.Rusage
	must(t, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// referenceCPU unpacks both images and runs gzip -dc into a hash over every layer.
func referenceCPU(b *testing.B, dir string, images ...string) time.Duration {
	b.Helper()
	for _, tool := range []string{"gzip", "openssl", "tar"} {
		if _, err := exec.LookPath(tool); err != nil {
			b.Skip("not on this machine:", tool)
		}
	}
	total := time.Duration(0)
	for i, image := range images {
		to := filepath.Join(dir, fmt.Sprint("unpacked", i))
		must(b, os.Mkdir(to, 0o755))
		must(b, exec.Command("tar", "-xf", image, "-C", to).Run())
		cmd := exec.Command("sh", "-c", `for f in blobs/sha256/*; do [ "$(head -c 2 "$f" | od -An -tx1)" = " 1f 8b" ] && gzip -dc < "$f" | openssl dgst -sha256; done`)
		cmd.Dir, cmd.Stdout = to, io.Discard
		_ = cmd.Run() // the last blob may be no layer
		total += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	return total
}
