package compare_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/glassbuild/glassbuild/internal/compare"
	"github.com/glassbuild/glassbuild/internal/compare/tree"
)

func explain(t testing.TB, shipped, rebuilt []byte) *tree.Node {
	t.Helper()
	n, err := compare.Explain(context.Background(), content(shipped), content(rebuilt), compare.Options{Dir: t.TempDir(), Name: "x"})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// many packs count small files, with one time and one content that is asked for.
func many(t testing.TB, count int, when int64, special string, level int) []byte {
	t.Helper()
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, level)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(z)
	for i := range count {
		body := fmt.Sprint("content of file ", i)
		if i == count/2 {
			body = special
		}
		if err := w.WriteHeader(&tar.Header{Name: fmt.Sprintf("d/%05d.txt", i), Mode: 0o644, Size: int64(len(body)), ModTime: time.Unix(when, 0)}); err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, body)
	}
	w.Close()
	z.Close()
	return b.Bytes()
}

func TestExplainArchives(t *testing.T) {
	t.Parallel()
	base := many(t, 500, 1000, "same", 6)
	system := bytes.Clone(base)
	system[9] = 19
	added := tgz(t, file{name: "a", body: "1"}, file{name: "evil.js", body: "x"})
	for name, c := range map[string]struct {
		shipped, rebuilt []byte
		want             string
	}{
		"identical":   {base, base, "identical\n"},
		"gzip header": {system, base, "one byte: gzip header: operating system byte is 19 (macOS) shipped, 255 (unknown) rebuilt [gzip-header]\n    remedy: pack with the same tool, on the same system, with gzip -n\n500 members are identical\n"},
		"level":       {many(t, 500, 1000, "same", 9), base, "gzip header: compression level byte is 2 shipped, 0 rebuilt [gzip-header]\n    remedy: pack with the same tool, on the same system, with gzip -n\n500 members are identical\n"},
		"times": {
			many(t, 500, 2000, "same", 6), base,
			"mtime of 500 members differs, first d/00000.txt 2000 shipped, 1000 rebuilt [archive-mtime]\n    remedy: set all times from the commit (SOURCE_DATE_EPOCH) when packing\n500 members are identical\n",
		},
		"content and times": {
			many(t, 500, 2000, "evil", 6), base,
			"d/00250.txt: 1 line differs, first at line 1 [data]\n    evil | same\nmtime of 500 members differs, first d/00000.txt 2000 shipped, 1000 rebuilt [archive-mtime]\n    remedy: set all times from the commit (SOURCE_DATE_EPOCH) when packing\n499 members are identical\n",
		},
		"extra member": {added, tgz(t, file{name: "a", body: "1"}), "evil.js: only shipped, 1 byte [member]\n1 member is identical\n"},
		"missing":      {tgz(t, file{name: "a", body: "1"}), added, "evil.js: only rebuilt, 1 byte [member]\n1 member is identical\n"},
		"order": {
			tgz(t, file{name: "a", body: "1"}, file{name: "b", body: "2"}), tgz(t, file{name: "b", body: "2"}, file{name: "a", body: "1"}),
			"order of members differs from member 1 on: a shipped, b rebuilt [archive-order]\n    remedy: sort the members by name when packing\n2 members are identical\n",
		},
		"mode": {
			tgz(t, file{name: "a", body: "1", mode: 0o4000}), tgz(t, file{name: "a", body: "1"}),
			"mode differs: a 4644 shipped, 0644 rebuilt [archive-metadata]\n    remedy: pack under a fixed umask, or with fixed modes\n1 member is identical\n",
		},
		"nested":      {tgz(t, file{name: "i.tgz", body: string(added)}), tgz(t, file{name: "i.tgz", body: string(tgz(t, file{name: "a", body: "1"}))}), "i.tgz/evil.js: only shipped, 1 byte [member]\ni.tgz: 1 member is identical\n"},
		"plain bytes": {[]byte("hello"), []byte("hallo!"), "1 line differs, first at line 1 [data]\n    hello | hallo!\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := explain(t, c.shipped, c.rebuilt).Text(0)
			if got != c.want {
				t.Errorf("%q\nwant %q", got, c.want)
			}
		})
	}
}

func TestExplanationIsProportionalToCauses(t *testing.T) {
	t.Parallel()
	honest := read(t, goBuild(t, smallProgram, "-trimpath", "-ldflags=-s -w"))
	evil := strings.Replace(smallProgram, "func main() {", "//go:noinline\nfunc exfil() { os.Stderr.WriteString(\"stolen\") }\n\nfunc main() { exfil();", 1)
	tampered := read(t, goBuild(t, evil, "-trimpath", "-ldflags=-s -w"))
	n := explain(t, tgz(t, file{name: "bin/tool", body: string(tampered)}), tgz(t, file{name: "bin/tool", body: string(honest)}))
	text := n.Text(0)
	first, _, _ := strings.Cut(text, "\n")
	if !strings.HasPrefix(first, "bin/tool: function only in the shipped file: main.exfil example.org/p/main.go:6, ") || len(text) > 2048 {
		t.Errorf("%d bytes:\n%s", len(text), text)
	}
	if bytes.Count([]byte(text), []byte("\n")) > 40 {
		t.Error("too many lines")
	}
}

func TestExplainBuildInfo(t *testing.T) {
	t.Parallel()
	with := read(t, goBuild(t, smallProgram, "-trimpath", "-ldflags=-s -w"))
	without := read(t, goBuild(t, smallProgram, "-trimpath", "-ldflags=-s -w", "-tags=some"))
	text := explain(t, with, without).Text(0)
	if !strings.HasPrefix(text, "1 build settings differ: -tags absent shipped, some rebuilt [compiler-flags]\n") {
		t.Errorf("%s", text)
	}
}

func FuzzExplain(f *testing.F) {
	f.Add([]byte("hello"), []byte("hallo"))
	f.Add(tgz(f, file{name: "a", body: "1"}), tgz(f, file{name: "a", body: "2"}, file{name: "b", body: "2"}))
	f.Add(append([]byte("\x7fELF\x02\x01\x01"), make([]byte, 100)...), append([]byte("\x7fELF\x02\x01\x01"), make([]byte, 100)...))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		if n := explain(t, a, a); n.Status != tree.Identical {
			t.Fatalf("a differs from itself: %+v", n)
		}
		ab, ba := explain(t, a, b), explain(t, b, a)
		if same := bytes.Equal(a, b); (ab.Status == tree.Identical) != same || ab.Status != ba.Status {
			t.Fatalf("%s and %s", ab.Status, ba.Status)
		}
		if ab.Status != tree.Identical && ab.Text(0) == "" {
			t.Fatal("a difference without explanation")
		}
	})
}
