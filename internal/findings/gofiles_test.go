package findings

import (
	"fmt"
	"go/build"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestGoFilesAgree holds the choice of files against go/build, over the standard library for several systems.
func TestGoFilesAgree(t *testing.T) {
	t.Parallel()
	src := filepath.Join(goroot(t), "src")
	root, err := os.OpenRoot(src)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	folders := 0
	for _, c := range []struct {
		os, arch string
		cgo      bool
		tags     []string
	}{{"linux", "amd64", true, nil}, {"linux", "arm64", false, []string{"netgo", "purego"}}, {"windows", "386", false, nil}, {"darwin", "arm64", true, nil}, {"js", "wasm", false, nil}, {"android", "arm", true, []string{"boringcrypto"}}} {
		g := &goChoice{root: root, os: c.os, arch: c.arch, cgo: c.cgo, tags: c.tags, minor: 26, limits: maxGoSource}
		theirs := &build.Context{GOROOT: goroot(t), GOOS: c.os, GOARCH: c.arch, CgoEnabled: c.cgo, Compiler: "gc", BuildTags: c.tags}
		for i := 1; i <= 26; i++ {
			theirs.ReleaseTags = append(theirs.ReleaseTags, fmt.Sprintf("go1.%d", i))
		}
		for _, top := range []string{"crypto", "go", "internal", "math", "net", "os", "runtime", "syscall", "time"} {
			err := fs.WalkDir(root.FS(), top, func(dir string, d fs.DirEntry, err error) error {
				if err != nil || !d.IsDir() {
					return err
				}
				if d.Name() == "testdata" || d.Name() == "internal" && top == "net" && testing.Short() {
					return fs.SkipDir
				}
				folders++
				agree(t, g, theirs, src, dir)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if folders < 1000 {
		t.Errorf("only %d folders", folders)
	}
}

func agree(t *testing.T, g *goChoice, theirs *build.Context, src, dir string) {
	t.Helper()
	pkg, err := theirs.ImportDir(filepath.Join(src, dir), 0)
	if pkg == nil || err != nil && !strings.Contains(err.Error(), "no buildable Go source files") && !strings.Contains(err.Error(), "build constraints exclude all Go files") {
		t.Errorf("%s: %v", dir, err)
		return
	}
	ours, err := g.folder(path.Clean(dir))
	if err != nil {
		t.Errorf("%s: %v", dir, err)
		return
	}
	files := slices.Concat(pkg.GoFiles, pkg.CgoFiles, pkg.HFiles, pkg.SFiles, pkg.SysoFiles)
	if len(pkg.CgoFiles) > 0 { // without them the go command refuses the others
		files = slices.Concat(files, pkg.CFiles, pkg.CXXFiles, pkg.MFiles, pkg.FFiles, pkg.SwigFiles, pkg.SwigCXXFiles)
	}
	for what, pair := range map[string][2][]string{"files": {ours.files, files}, "imports": {ours.imports, pkg.Imports}, "embeds": {ours.embeds, pkg.EmbedPatterns}} {
		x, y := sortedSet(pair[0]), sortedSet(pair[1])
		if !slices.Equal(x, y) {
			t.Errorf("%s/%s cgo %v %s: %s\n%q, go/build has\n%q", g.os, g.arch, g.cgo, dir, what, x, y)
		}
	}
}

func sortedSet(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}

// TestGoFilesOfOwn are files that the standard library does not have.
func TestGoFilesOfOwn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"old.go":           "// +build linux,!cgo darwin\n\npackage p\n",
		"oldglued.go":      "// +build windows\npackage p\n", // no blank line: no constraint
		"oldboth.go":       "// +build linux\n// +build arm\n\npackage p\n",
		"new.go":           "/* licence\n*/ // more\n\n//go:build linux && go1.20\n\npackage p\n",
		"newer.go":         "//go:build go1.27\n\npackage p\n",
		"bad.go":           "//go:build linux &&\n\npackage p\n",
		"late.go":          "package p\n\n//go:build windows\n",
		"documentation.go": "package documentation\n",
		"broken.go":        "pakage p\n",
		"mark.go":          "\ufeff//go:build windows\n\npackage p\n",
		"strings.go":       "package p\n\nimport (\n\t_ \"embed\"\n\tx `fmt`\n)\n\nvar s = `\n//go:embed no\n`\n\n//go:embed a.txt \"b c.txt\" all:d\nvar t string\n\n//go:embedded no\n",
		"linux.go":         "package p\n",
		"windows.go":       "package p\n",
		"a_windows.go":     "package p\n",
		"a_linux_test.go":  "package p\n",
		"b_linux_amd64.go": "package p\n",
		"c.c":              "int x;\n",
		"d.s":              "// +build arm\n\nTEXT\n",
		"e_amd64.syso":     "\x00",
		"f.txt":            "text\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	g := &goChoice{root: root, os: "linux", arch: "amd64", minor: 26, limits: maxGoSource}
	f, err := g.folder(".")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"b_linux_amd64.go", "e_amd64.syso", "late.go", "linux.go", "new.go", "old.go", "oldglued.go", "strings.go", "windows.go"}
	if got := sortedSet(f.files); !slices.Equal(got, want) {
		t.Errorf("files %q\nwant  %q", got, want)
	}
	if got := []string{"a.txt", "b c.txt", "all:d"}; !slices.Equal(f.embeds, got) {
		t.Errorf("embeds %q, want %q", f.embeds, got)
	}
	if got := []string{"embed", "fmt"}; !slices.Equal(f.imports, got) {
		t.Errorf("imports %q, want %q", f.imports, got)
	}
}

func FuzzGoImports(f *testing.F) {
	f.Add([]byte("package p\n\nimport (\n\t\"fmt\"\n)\n"))
	f.Add([]byte("// +build linux\n\npackage p; import \"C\"; import _ \"embed\"\n//go:embed \"x\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		header(b)
		imports, embeds, ok := goImports(b)
		if len(embeds) > 0 && !slices.Contains(imports, "embed") || !ok && len(b) == 0 && len(imports) > 0 {
			t.Fatalf("%q %q", imports, embeds)
		}
	})
}
