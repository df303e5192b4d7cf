package code

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// compiled builds two files of C into one program.
func compiled(t *testing.T, compiler string, flags ...string) []byte {
	t.Helper()
	if _, err := exec.LookPath(compiler); err != nil {
		t.Skip("this machine has no ", compiler)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"main.c":       "#include \"sub/one.h\"\nstatic int own(int n) { return n + 1; }\nint main(void) { return own(one()); }\n",
		"sub/one.c":    "#include \"one.h\"\nstatic volatile int seven = 7;\nint one(void) { return seven + inlined(); }\n",
		"sub/one.h":    "int one(void);\nstatic inline int inlined(void) { return 3; }\n",
		"sub/unused.c": "int unused(void) { return 1; }\n",
	} {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(compiler, append(flags, "-ffile-prefix-map="+dir+"=/tree", "-o", "tool", "main.c", "sub/one.c")...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("%s %v: %v\n%s", compiler, flags, err, out)
	}
	data, err := os.ReadFile(filepath.Join(dir, "tool"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestSourcesOfC(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, compiler string
		flags          []string
		by             string
		want           []string
	}{
		{"DWARF 5", "gcc", []string{"-gdwarf-5"}, ByDebugData, []string{"/tree/main.c", "/tree/sub/one.c", "/tree/sub/one.h"}},
		{"DWARF 4", "gcc", []string{"-gdwarf-4"}, ByDebugData, []string{"/tree/main.c", "/tree/sub/one.c", "/tree/sub/one.h"}},
		{"DWARF 2", "gcc", []string{"-gdwarf-2", "-gstrict-dwarf"}, ByDebugData, []string{"/tree/main.c", "/tree/sub/one.c", "/tree/sub/one.h"}},
		{"compressed", "gcc", []string{"-g", "-gz"}, ByDebugData, []string{"/tree/main.c", "/tree/sub/one.c", "/tree/sub/one.h"}},
		{"clang", "clang", []string{"-g"}, ByDebugData, []string{"/tree/main.c", "/tree/sub/one.c", "/tree/sub/one.h"}},
		{"split", "gcc", []string{"-g", "-gsplit-dwarf"}, ByDebugData, []string{"/tree/main.c", "/tree/sub/one.c"}},
		{"no debug data", "gcc", []string{"-O0"}, BySymbols, []string{"main.c", "one.c"}},
		{"stripped", "gcc", []string{"-s"}, "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := ReadSources(compiled(t, c.compiler, c.flags...))
			if s.By != c.by || (s.By == "") != (s.Why != "" && len(s.Files) == 0) {
				t.Fatalf("%+v", s)
			}
			for _, w := range c.want {
				if !slices.Contains(s.Files, w) {
					t.Errorf("%q is missing: %q", w, s.Files)
				}
			}
			if slices.ContainsFunc(s.Files, func(f string) bool { return strings.Contains(f, "unused") || strings.Contains(f, "<") }) {
				t.Errorf("%q", s.Files)
			}
		})
	}
}

// TestSourcesOfGo: a stripped program names its files, also where paths are trimmed, and none whose code was left out.
func TestSourcesOfGo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module example.org/tool\n\ngo 1.21\n", "main.go": "package main\n\nimport \"example.org/tool/part\"\n\nfunc main() { println(part.Used()) }\n",
		"part/used.go": "package part\n\n//go:noinline\nfunc Used() int { return 1 }\n", "part/unused.go": "package part\n\n//go:noinline\nfunc Unused() int { return 2 }\n",
	} {
		os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, goos := range []string{"linux/amd64", "windows/amd64", "darwin/arm64", "linux/riscv64"} {
		t.Run(goos, func(t *testing.T) {
			t.Parallel()
			os, arch, _ := strings.Cut(goos, "/")
			s := ReadSources(goBuild(t, dir, os, arch))
			if s.By != ByLineTable || !slices.Contains(s.Files, "example.org/tool/main.go") || !slices.Contains(s.Files, "example.org/tool/part/used.go") ||
				slices.Contains(s.Files, "example.org/tool/part/unused.go") || !slices.Contains(s.Files, "runtime/proc.go") {
				t.Errorf("%s %d files: %q", s.By, len(s.Files), s.Files[:min(len(s.Files), 10)])
			}
		})
	}
}

func goBuild(t *testing.T, dir, goos, arch string) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "tool")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", out, ".")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOOS="+goos, "GOARCH="+arch, "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestSourcesBomb: debug data that say that they expand to more than is read are not expanded.
func TestSourcesBomb(t *testing.T) {
	t.Parallel()
	data := compiled(t, "gcc", "-g", "-gz=zlib")
	section := findSection(t, data, ".debug_line")
	binary.LittleEndian.PutUint64(data[section+8:], 1<<40) // ch_size of the compression header
	s := ReadSources(data)
	if s.By == ByDebugData || !strings.Contains(s.Why, "too large") {
		t.Errorf("%+v", s)
	}
}

func findSection(t *testing.T, data []byte, name string) uint64 {
	t.Helper()
	le := binary.LittleEndian
	table, n, names := le.Uint64(data[40:]), int(le.Uint16(data[60:])), int(le.Uint16(data[62:]))
	at := func(i int) []byte { return data[table+uint64(i)*64:] }
	strs := data[le.Uint64(at(names)[24:]):]
	for i := range n {
		if bytes.HasPrefix(strs[le.Uint32(at(i)):], []byte(name+"\x00")) {
			return le.Uint64(at(i)[24:])
		}
	}
	t.Fatalf("no section %s", name)
	return 0
}

// FuzzSources: nothing panics, names are sorted, each stands there once, and what does not say has no names.
func FuzzSources(f *testing.F) {
	for _, p := range smallPrograms(f) {
		f.Add(p)
	}
	for _, p := range debugPrograms(f) {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		if len(p) > 1<<20 {
			return
		}
		s := ReadSources(p)
		if (s.By == "") != (len(s.Files) == 0) || s.By == "" && s.Why == "" {
			t.Fatalf("%+v", s)
		}
		if !slices.IsSorted(s.Files) || len(slices.Compact(slices.Clone(s.Files))) != len(s.Files) {
			t.Fatalf("%q", s.Files)
		}
		for _, n := range s.Files {
			if n == "" || len(n) > 2*maxSourceName {
				t.Fatalf("%q", n)
			}
		}
	})
}

// debugPrograms are objects with debug data of several versions, and one whose table is a stream that ends early.
func debugPrograms(f *testing.F) [][]byte {
	f.Helper()
	var list [][]byte
	for _, flag := range []string{"-gdwarf-2", "-gdwarf-4", "-gdwarf-5", "-gz"} {
		dir := f.TempDir()
		os.WriteFile(filepath.Join(dir, "x.c"), []byte("int f(int n) { return n; }\n"), 0o644)
		cmd := exec.Command("gcc", "-g", flag, "-c", "-o", "x.o", "x.c")
		cmd.Dir = dir
		if cmd.Run() == nil {
			if b, err := os.ReadFile(filepath.Join(dir, "x.o")); err == nil {
				list = append(list, b)
			}
		}
	}
	var z bytes.Buffer
	w := zlib.NewWriter(&z)
	w.Write(make([]byte, 64))
	w.Close()
	return append(list, append([]byte("\x7fELF"), z.Bytes()...), []byte(path.Join("/", "x")))
}
