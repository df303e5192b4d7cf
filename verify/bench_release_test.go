//go:build linux

package verify_test

import (
	"archive/tar"
	"compress/gzip"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	benchFiles    = 1000
	benchFileSize = 2_000_000
)

// benchRelease verifies a release of 1,000 files, 2 GB, whose rebuild is in the cache, beside openssl with all processors.
func benchRelease(t *testing.T, bin string) {
	dir := t.TempDir()
	repo, release := filepath.Join(dir, "repo"), filepath.Join(dir, "release")
	if err := os.MkdirAll(repo, 0o755); err != nil {
		t.Fatal(err)
	}
	var recipe strings.Builder
	fmt.Fprintf(&recipe, "format = 1\n[builder]\nhost = true\n[[step]]\nscript = \"\"\"\nfor i in $(seq %d); do head -c %d /dev/zero | openssl enc -aes-128-ctr -K $(printf %%032x $i) -iv 0 2>/dev/null > /out/f$i; done\n\"\"\"\n",
		benchFiles, benchFileSize)
	for i := range benchFiles {
		fmt.Fprintf(&recipe, "[[artifact]]\noutput = \"f%d\"\n", i+1)
	}
	write(t, filepath.Join(repo, "glassbuild.toml"), recipe.String())
	git := []string{"-C", repo, "-c", "user.name=a", "-c", "user.email=a@example.org"}
	run(t, "git", "init", "-q", repo)
	run(t, "git", append(git, "add", "-A")...)
	run(t, "git", append(git, "commit", "-q", "-m", "one")...)
	run(t, bin, "build", "--repo", repo, "--commit", head(t, repo), "--out", release)
	args := []string{"verify", release, "--repo", repo, "--commit", head(t, repo)}
	exitCode(t, dir, 3, bin, args...) // nobody vouches for the builder of this machine; fills the cache
	var cpu, wall, rss, opensslCPU, opensslWall, ratio []float64
	for range benchRuns {
		o := exitCode(t, release, 0, "sh", "-c", fmt.Sprintf("ls | xargs -n 50 -P %d openssl dgst -sha256 >/dev/null", runtime.NumCPU()))
		g := exitCode(t, dir, 3, bin, args...)
		cpu, wall, rss = append(cpu, g.cpu), append(wall, g.wall), append(rss, g.rss)
		opensslCPU, opensslWall, ratio = append(opensslCPU, o.cpu), append(opensslWall, o.wall), append(ratio, g.cpu/o.cpu)
	}
	fmt.Printf("%-58s %8.2f s   %.2f s wall\n", "openssl over 1,000 files of 2 MB, all processors", median(opensslCPU), median(opensslWall))
	fmt.Printf("%-58s %8.2f s   %.2f s wall, %.2f × openssl, %.0f MiB\n", "a release of these files, rebuild from the cache", median(cpu), median(wall), median(ratio), median(rss))
}

// benchFind looks for a prepared release in an image of 1 GB: archives of files that are neither all alike nor all random, and one
// of them holds a program of the release.
func benchFind(t *testing.T, bin string) {
	dir := t.TempDir()
	image := filepath.Join(dir, "image.tar")
	self, err := os.ReadFile(bin)
	if err != nil {
		t.Fatal(err)
	}
	makeProduct(t, image, self, 10)
	write(t, filepath.Join(dir, "release", "tool"), string(self))
	exitCode(t, dir, 0, bin, "find", "--prepare", "release.index", "--of", "release")
	var cpu, wall, rss, base, ratio []float64
	for range benchRuns {
		b := inflateAndHash(t, image)
		f := exitCode(t, dir, 0, bin, "find", image, "--of", "release.index")
		cpu, wall, rss = append(cpu, f.cpu), append(wall, f.wall), append(rss, f.rss)
		base, ratio = append(base, b), append(ratio, f.cpu/b)
	}
	small := filepath.Join(dir, "small.tar")
	makeProduct(t, small, self, 2)
	few := exitCode(t, dir, 0, bin, "find", small, "--of", "release.index")
	fmt.Printf("%-58s %8.2f s\n", "inflating and hashing an image of 1 GB", median(base))
	fmt.Printf("%-58s %8.2f s   %.2f s wall, %.2f × (inflate + hash), %.0f MiB (%.0f MiB for a fifth of it)\n", "find in it, with a prepared release", median(cpu), median(wall), median(ratio), median(rss), few.rss)
}

// makeProduct writes a tar archive of layers of 100 MB each, compressed, with a program in the last one.
func makeProduct(t *testing.T, path string, program []byte, layers int) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	outer := tar.NewWriter(f)
	random := rand.New(rand.NewPCG(1, 2))
	words := make([]string, 4096)
	for i := range words {
		words[i] = fmt.Sprintf("%x ", random.Uint64()>>(random.IntN(8)*7))
	}
	for layer := range layers {
		var packed strings.Builder
		z := gzip.NewWriter(&packed)
		inner := tar.NewWriter(z)
		for i := range 100 {
			body := make([]byte, 0, 1_000_000)
			for len(body) < 1_000_000 {
				body = append(body, words[random.IntN(len(words))]...)
			}
			put(t, inner, fmt.Sprintf("usr/share/d%d/f%d", layer, i), 0o644, body[:1_000_000])
		}
		if layer == layers-1 {
			put(t, inner, "usr/bin/renamed", 0o755, program)
		}
		if err := inner.Close(); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		put(t, outer, fmt.Sprintf("layer%d.tar.gz", layer), 0o644, []byte(packed.String()))
	}
	if err := outer.Close(); err != nil {
		t.Fatal(err)
	}
}

func put(t *testing.T, w *tar.Writer, name string, mode int64, body []byte) {
	t.Helper()
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: int64(len(body))}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(body); err != nil {
		t.Fatal(err)
	}
}

// inflateAndHash is the processor time of what nobody can leave out: gzip and openssl over every layer, from pipes.
func inflateAndHash(t *testing.T, image string) float64 {
	t.Helper()
	dir := t.TempDir()
	run(t, "tar", "-C", dir, "-xf", image)
	u := exitCode(t, dir, 0, "sh", "-c", "for f in *; do gzip -dc $f | openssl dgst -sha256 >/dev/null; done; openssl dgst -sha256 "+image+" >/dev/null")
	return u.cpu
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

func head(t *testing.T, repo string) string {
	t.Helper()
	out, err := exec.Command("git", "-C", repo, "rev-parse", "HEAD").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// exitCode runs a program, which must end with this code, and returns what it and everything it started cost.
func exitCode(t *testing.T, dir string, want int, name string, args ...string) usage {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	var tail strings.Builder
	cmd.Stdout, cmd.Stderr = &tail, &tail
	start := time.Now()
	_ = cmd.Run()
	wall := time.Since(start).Seconds()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != want {
		text := tail.String()
		t.Fatalf("%s %v: want exit code %d, got %v\n%s", name, args, want, cmd.ProcessState, text[max(0, len(text)-4000):])
	}
	ru := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	return usage{cpu: cmd.ProcessState.UserTime().Seconds() + cmd.ProcessState.SystemTime().Seconds(), wall: wall, rss: float64(ru.Maxrss) / 1024}
}
