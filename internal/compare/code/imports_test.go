package code_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const tableC = `typedef int (*fn)(const char *);
extern int puts(const char *), remove(const char *), rmdir(const char *);
struct entry { const char *name; fn f; long n; };
struct entry table[] = {{"alpha", puts, 1}, {"beta", remove, 2}, {"gamma", rmdir, 3}};
const char *words[] = {"one", "two", "three"};
int main(int c, char **v) { int t = 0; for (int i = 0; i < 3; i++) { puts(table[i].name); t += table[i].f(words[i]) * table[i].n; } return t; }
`

// swapped has the same imports, two of them in each other's place in the middle of a table; longer moves strings and nothing else.
var (
	swapped = strings.NewReplacer(`"beta", remove`, `"beta", rmdir`, `"gamma", rmdir`, `"gamma", remove`).Replace(tableC)
	longer  = strings.Replace(tableC, "alpha", "alphabetical order comes first", 1)
)

// TestSwappedImports: what the loader puts into a table counts, though nothing stands there in the file.
func TestSwappedImports(t *testing.T) {
	t.Parallel()
	for _, compiler := range [][]string{{"gcc", "-O2"}, {"gcc", "-O2", "-no-pie"}, {"clang", "-O2"}, {"aarch64-linux-gnu-gcc", "-O2"}} {
		t.Run(strings.Join(compiler, " "), func(t *testing.T) {
			t.Parallel()
			_, text := explained(compileC(t, swapped, compiler[0], compiler[1:]...), compileC(t, tableC, compiler[0], compiler[1:]...))
			if !strings.HasPrefix(text, "function with the same code and other data: main") || !strings.Contains(text, "import rmdir shipped") || !strings.Contains(text, "import remove rebuilt") {
				t.Errorf("%s", text)
			}
		})
	}
}

// TestMachOPointers links with both ways in which a loader is told what to write: chained fixups and opcodes.
func TestMachOPointers(t *testing.T) {
	t.Parallel()
	for _, arch := range []string{"arm64", "x86_64"} {
		for _, way := range []string{"-fixup_chains", "-no_fixup_chains"} {
			t.Run(arch+way, func(t *testing.T) {
				t.Parallel()
				honest := linkMachO(t, tableC, arch, way)
				_, text := explained(linkMachO(t, swapped, arch, way), honest)
				for _, want := range []string{"[data]", "_rmdir, _remove", "_remove, _rmdir"} {
					if !strings.Contains(text, want) {
						t.Errorf("two imports in each other's place: want %q\n%s", want, text)
					}
				}
				if strings.Contains(text, "[code]") {
					t.Errorf("two imports in each other's place:\n%s", text)
				}
				_, text = explained(linkMachO(t, longer, arch, way), honest)
				if !strings.HasPrefix(text, `1 string only in the shipped file: "alphabetical order comes first"`) || strings.Contains(text, "piece") || strings.Contains(text, "function") {
					t.Errorf("moved strings:\n%s", text)
				}
			})
		}
	}
}

const systemLibrary = `--- !tapi-tbd
tbd-version: 4
targets: [ x86_64-macos, arm64-macos ]
install-name: '/usr/lib/libSystem.B.dylib'
exports:
  - targets: [ x86_64-macos, arm64-macos ]
    symbols: [ _puts, _remove, _rmdir, dyld_stub_binder ]
...
`

// linkMachO compiles a program for macOS with clang and links it with lld, which must be one that makes chains.
func linkMachO(t *testing.T, source, arch, way string) []byte {
	t.Helper()
	linker := ""
	for _, name := range []string{"ld64.lld-19", "ld64.lld-16", "ld64.lld"} {
		if path, err := exec.LookPath(name); err == nil {
			if help, _ := exec.Command(path, "--help").CombinedOutput(); strings.Contains(string(help), "-fixup_chains") {
				linker = path
				break
			}
		}
	}
	clang, err := exec.LookPath("clang")
	if err != nil || linker == "" {
		t.Skip("clang and an lld that makes chained fixups for Mach-O are not at hand")
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"tool.c": source, "libSystem.tbd": systemLibrary} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, argv := range [][]string{
		{clang, "-w", "-target", arch + "-apple-macos13", "-O1", "-c", "tool.c", "-o", "tool.o"},
		{linker, "-arch", arch, "-platform_version", "macos", "13.0", "13.0", way, "-syslibroot", "/", "libSystem.tbd", "tool.o", "-o", "tool", "-e", "_main"},
	} {
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", argv, err, out)
		}
	}
	data, err := os.ReadFile(filepath.Join(dir, "tool"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}
