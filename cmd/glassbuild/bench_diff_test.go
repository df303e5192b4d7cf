package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestBenchDiff prints what explaining costs beside hashing the same files with openssl, side by side in one run: medians
// of the CPU time of whole process trees. It asserts nothing about time. See make bench-diff.
func TestBenchDiff(t *testing.T) {
	if os.Getenv("GLASSBUILD_BENCH") == "" {
		t.Skip("make bench-diff runs it")
	}
	b := &diffBench{t: t, dir: t.TempDir()}
	b.tool = b.build("glassbuild", "-trimpath", "-ldflags=-s -w", ".")
	small, moved := b.build("go-a", "-trimpath", "-ldflags=-s -w", "cmd/go"), b.build("go-b", "-trimpath", "-ldflags=-s -w", "-tags=moved", "cmd/go")
	same := filepath.Join(b.dir, "go-c")
	b.copy(small, same)
	b.row("identical, stripped Go", small, same, nil)
	b.row("stripped Go, another stamp", small, moved, nil)
	longer := b.build("go-d", "-trimpath", "-ldflags=-s -w", "-tags="+strings.Repeat("moved", 200), "cmd/go")
	b.row("stripped Go, layout moved and strings in another order", small, longer, nil)
	b.naive()
	large := b.build("large-a", "-trimpath", ".")
	overlay := b.overlay("terminal.go", "func splitLines(s string) []string { return strings.Split(s, \"\\n\") }",
		"func splitLines(s string) []string {\n\tif len(s) > 77 {\n\t\treturn nil\n\t}\n\treturn strings.Split(s+\"changed-string\", \"\\n\")\n}")
	b.row("Go with symbols, one function and one string changed", large, b.build("large-b", "-trimpath", "-overlay="+overlay, "."), nil)
	if os.Getenv("GLASSBUILD_BENCH_LARGE") != "" { // ten minutes of compiling
		x, y := b.largeGoPair()
		b.row("Go with symbols, one function and one string changed", x, y, nil)
		if x, y, ok := b.largeCppPair(); ok {
			b.row("C++ with debug data, one function and one string changed", x, y, nil)
		}
	}
	for _, kind := range []string{"tar.gz", "zip"} {
		x, y := b.archive("a."+kind, 1_000_000, "one"), b.archive("b."+kind, 2_000_000, "two")
		floor := []string{"sh", "-c", "for f; do gzip -dc \"$f\" | openssl dgst -sha256; done", "sh", x, y}
		if kind == "zip" {
			floor[2] = "for f; do unzip -p \"$f\" | openssl dgst -sha256; done"
		}
		b.row(kind+" of 5,000 files, one content and all times changed", x, y, floor)
	}
}

type diffBench struct {
	t    *testing.T
	dir  string
	tool string
}

func (b *diffBench) build(name string, args ...string) string {
	b.t.Helper()
	out := filepath.Join(b.dir, name)
	cmd := exec.Command("go", append([]string{"build", "-buildvcs=false", "-o", out}, args...)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if text, err := cmd.CombinedOutput(); err != nil {
		b.t.Fatalf("%v: %s", err, text)
	}
	return out
}

func (b *diffBench) copy(from, to string) {
	data, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, data, 0o755)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// overlay changes one file of this package for a build, and nothing in the tree.
func (b *diffBench) overlay(file, old, new string) string {
	data, err := os.ReadFile(file)
	if err != nil || !bytes.Contains(data, []byte(old)) {
		b.t.Fatalf("%s: %v: the line to change is not there", file, err)
	}
	path, _ := filepath.Abs(file)
	changed, list := filepath.Join(b.dir, "changed.go"), filepath.Join(b.dir, "overlay.json")
	text, _ := json.Marshal(map[string]map[string]string{"Replace": {path: changed}})
	if err := os.WriteFile(changed, bytes.Replace(data, []byte(old), []byte(new), 1), 0o644); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(list, text, 0o644); err != nil {
		b.t.Fatal(err)
	}
	return list
}

// archive packs 5,000 files of about 4 KiB.
func (b *diffBench) archive(name string, when int64, special string) string {
	var out bytes.Buffer
	z, zw := gzip.NewWriter(&out), zip.NewWriter(&out)
	tw := tar.NewWriter(z)
	for i := range 5000 {
		body := []byte(strings.Repeat(fmt.Sprintf("line of file %d: %x\n", i, i*7919), 150))
		if i == 2500 {
			body = append(body, special...)
		}
		file, modified := fmt.Sprintf("d/%04d.txt", i), time.Unix(when, 0)
		if strings.HasSuffix(name, ".zip") {
			w, err := zw.CreateHeader(&zip.FileHeader{Name: file, Method: zip.Deflate, Modified: modified})
			if err != nil {
				b.t.Fatal(err)
			}
			w.Write(body)
			continue
		}
		if err := tw.WriteHeader(&tar.Header{Name: file, Mode: 0o644, Size: int64(len(body)), ModTime: modified}); err != nil {
			b.t.Fatal(err)
		}
		tw.Write(body)
	}
	if strings.HasSuffix(name, ".zip") {
		zw.Close()
	} else {
		tw.Close()
		z.Close()
	}
	path := filepath.Join(b.dir, name)
	if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
		b.t.Fatal(err)
	}
	return path
}

// row measures one pair.
func (b *diffBench) row(name, x, y string, floor []string) {
	if floor == nil {
		floor = []string{"openssl", "dgst", "-sha256", x, y}
	}
	if _, err := exec.LookPath("openssl"); err != nil {
		b.t.Skip("openssl is not at hand")
	}
	var hash, diff, start []time.Duration
	var report []byte
	memory := int64(0)
	for range 7 {
		d, _, _ := b.cost(floor...)
		hash = append(hash, d)
		d, out, rss := b.cost(b.tool, "diff", x, y)
		diff, report, memory = append(diff, d), out, max(memory, rss)
		d, _, _ = b.cost(b.tool, "--version")
		start = append(start, d)
	}
	st, _ := os.Stat(x)
	h, d, s := median(hash), median(diff), median(start)
	first, _, _ := strings.Cut(string(report), "\n")
	b.t.Logf("%s, %.1f MB each: floor %v, diff %v (of which starting %v): %.2f times, without starting %.2f; report %d bytes, peak %d MiB with mapped files\n    %.150s",
		name, float64(st.Size())/1e6, h, d, s, float64(d)/float64(h), float64(d-s)/float64(h), len(report), memory>>20, first)
}

func (b *diffBench) cost(argv ...string) (time.Duration, []byte, int64) {
	cmd := exec.Command(argv[0], argv[1:]...)
	out, err := cmd.Output()
	if cmd.ProcessState == nil {
		b.t.Fatal(err)
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), out, peak(cmd.ProcessState)
}

func median(list []time.Duration) time.Duration {
	slices.Sort(list)
	return list[len(list)/2]
}
