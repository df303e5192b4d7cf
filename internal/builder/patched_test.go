package builder

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/store"
)

const linkPatch = "--- a/src/cmd/link/main.go\n+++ b/src/cmd/link/main.go\n@@ -1,2 +1,2 @@\n package main\n-// stock\n+// patched\n"

// bench is a toolchain and what a patch is tried on.
type patchBench struct {
	root    *Root
	opts    Options
	scratch string
	seen    []PatchedGo
}

func newPatchBench(t *testing.T) *patchBench {
	t.Helper()
	st, err := store.Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"bin/go": "GO", "bin/gofmt": "FMT", "pkg/tool/linux_amd64/link": "LINK", "pkg/tool/linux_amd64/asm": "ASM",
		"src/cmd/link/main.go": "package main\n// stock\n", "src/fmt/print.go": "package fmt\n", "VERSION": "go1.26.5\n"} {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), modeOf(name)); err != nil {
			t.Fatal(err)
		}
	}
	b := &patchBench{opts: Options{Store: st}, scratch: filepath.Join(t.TempDir(), "scratch")}
	b.root = &Root{Kind: "go", Env: map[string]string{}, Layers: []Layer{{Name: "go", Version: "1.26.5", Dir: dir, Target: goTarget, Digest: "h1:stock", Voucher: Voucher{Kind: "checksum-database"}}}}
	b.root.seal()
	return b
}

// patch applies a patch with tools that say who built them.
func (b *patchBench) patch(t *testing.T, text string) (*Root, error) {
	t.Helper()
	root := *b.root
	root.Layers = slices.Clone(root.Layers)
	if err := os.RemoveAll(b.scratch); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(b.scratch, 0o700); err != nil {
		t.Fatal(err)
	}
	err := PatchGo(context.Background(), &root, "go.patch", []byte(text), b.scratch, "maker", b.opts, func(_ context.Context, p *PatchedGo) (map[string]string, error) {
		b.seen = append(b.seen, *p)
		source, err := os.ReadFile(filepath.Join(p.Tree, "src/cmd/link/main.go"))
		if err != nil {
			return nil, err
		}
		out := filepath.Join(b.scratch, "link")
		return map[string]string{"pkg/tool/linux_amd64/link": out}, os.WriteFile(out, append([]byte("built from: "), source...), 0o755)
	})
	return &root, err
}

func TestPatchGo(t *testing.T) {
	t.Parallel()
	b := newPatchBench(t)
	root, err := b.patch(t, linkPatch)
	if err != nil {
		t.Fatal(err)
	}
	if len(root.Layers) != 2 || !root.Layers[0].Shadowed || root.Layers[0].Voucher.Kind == "" || root.Layers[1].Voucher.Kind != "" || root.Vouched || root.Digest == b.root.Digest {
		t.Errorf("%+v", root)
	}
	l := root.Layers[1]
	for name, want := range map[string]string{"pkg/tool/linux_amd64/link": "built from: package main\n// patched\n", "pkg/tool/linux_amd64/asm": "ASM", "src/cmd/link/main.go": "package main\n// patched\n", "VERSION": "go1.26.5\n"} {
		got, err := os.ReadFile(filepath.Join(l.Dir, name))
		if err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if st, err := os.Stat(filepath.Join(l.Dir, "bin/go")); err != nil || st.Mode().Perm()&0o111 == 0 {
		t.Errorf("%v, %v", st, err)
	}
	if stock, err := os.ReadFile(filepath.Join(b.root.Layers[0].Dir, "src/cmd/link/main.go")); err != nil || strings.Contains(string(stock), "patched") {
		t.Errorf("the stock toolchain was changed: %q, %v", stock, err)
	}
	p := b.seen[0]
	if !slices.Equal(p.Packages, []string{"cmd/link"}) || len(p.Tools) != 4 || !slices.Contains(p.Tools, Tool{"pkg/tool/linux_amd64/link", "cmd/link"}) || !slices.Contains(p.Tools, Tool{"bin/gofmt", "cmd/gofmt"}) {
		t.Errorf("%+v", p)
	}

	// the same patch is built once; one that was changed on disk, again
	if _, err := b.patch(t, linkPatch); err != nil || len(b.seen) != 1 {
		t.Errorf("%v, built %d times", err, len(b.seen))
	}
	link := filepath.Join(l.Dir, "pkg/tool/linux_amd64/link")
	if err := os.Chmod(link, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(link, []byte("evil"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := b.patch(t, linkPatch); err != nil || len(b.seen) != 2 {
		t.Errorf("%v, built %d times", err, len(b.seen))
	}
}

func TestPatchGoRefuses(t *testing.T) {
	t.Parallel()
	b := newPatchBench(t)
	hunk := "@@ -1 +1 @@\n-package main\n+package x\n"
	for want, text := range map[string]string{
		"path escapes":              "--- a/../src/cmd/x.go\n+++ b/../src/cmd/x.go\n" + hunk,
		"is not below src":          "--- a/VERSION\n+++ b/VERSION\n@@ -1 +1 @@\n-go1.26.5\n+go1.26.4\n",
		"has no such file":          "--- a/src/cmd/link/none.go\n+++ b/src/cmd/link/none.go\n" + hunk,
		"has that file already":     "--- /dev/null\n+++ b/src/fmt/print.go\n@@ -0,0 +1 @@\n+package fmt\n",
		"does not apply":            strings.Replace(linkPatch, "// stock", "// other", 1),
		"changes nothing":           "",
		"patches a link":            "diff --git a/src/fmt/l b/src/fmt/l\nnew file mode 120000\n--- /dev/null\n+++ b/src/fmt/l\n@@ -0,0 +1 @@\n+/etc/passwd\n",
		"exceeds limit: 1048577 by": strings.Repeat("\n", 1<<20+1),
	} {
		_, err := b.patch(t, text)
		if err == nil || !strings.Contains(err.Error(), want) || fault.ClassOf(err) != fault.Failed || fault.CheckOf(err) != CheckAvailable {
			t.Errorf("%s: %v (class %v, check %q)", want, err, fault.ClassOf(err), fault.CheckOf(err))
		}
	}
	if len(b.seen) != 0 {
		t.Error("a refused patch was built")
	}
}
