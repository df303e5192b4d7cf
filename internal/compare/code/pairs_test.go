package code_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/compare/code"
	"github.com/glassbuild/glassbuild/internal/compare/tree"
)

// baseC is what every pair starts from.
const baseC = `#include <stdio.h>
#include <stdlib.h>
static const double rates[] = {1.5, 2.5, 3.5, 9.25};
static int counter;
int total;
const char *names[] = {"alpha", "beta", "gamma"};
__attribute__((noinline)) static int weigh(const char *s) { int n = 7; while (*s) n = n * 31 + *s++; return n; }
__attribute__((noinline)) static void greet(const char *who) { counter++; printf("hello there, %s\n", who); }
__attribute__((noinline)) static void leave(const char *who) { total++; printf("good bye now, %s %f\n", who, rates[total & 3]); }
__attribute__((noinline)) int pick(int n) {
	switch (n) { case 0: return weigh("zero"); case 1: return weigh("one") * 3; case 2: puts("two"); return 7;
	case 3: return total; case 4: return counter * 2; case 5: greet("five"); return 2; }
	return -1;
}
int main(int argc, char **argv) { greet(argv[0]); leave(names[argc % 3]); return weigh(argv[0]) + pick(argc) + 2022; }
`

// compileC compiles a program; a compiler that is not there skips the test.
func compileC(t *testing.T, source, compiler string, args ...string) []byte {
	t.Helper()
	path, err := exec.LookPath(compiler)
	if err != nil {
		t.Skipf("%s is not at hand", compiler)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "tool.c"), []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "tool.exe")
	cmd := exec.Command(path, append(append([]string{}, args...), "-o", out, "tool.c")...)
	cmd.Dir = dir
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("%s does not make programs here: %v\n%s", compiler, err, b)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func explained(shipped, rebuilt []byte) (*tree.Node, string) {
	n := &tree.Node{Kind: tree.File, Status: tree.Different, Bytes: 1}
	code.Explain(n, shipped, rebuilt)
	n.Sort()
	return n, n.Text(0)
}

func edited(t *testing.T, old, new string) string {
	t.Helper()
	s := strings.Replace(baseC, old, new, 1)
	if s == baseC {
		t.Fatalf("%q is not in the program", old)
	}
	return s
}

// TestPairsOfC makes pairs with real compilers, one change each, and holds the first line of the report.
func TestPairsOfC(t *testing.T) {
	t.Parallel()
	exfil := edited(t, "int main(int argc, char **argv) {", "__attribute__((noinline)) void exfil(const char *s) { system(s); }\nint main(int argc, char **argv) { exfil(argv[1]);")
	changes := []struct {
		name, source, first, also string
	}{
		{"constant", edited(t, "+ 2022", "+ 2026"), "function with other code: main", ""},
		{"string of equal length", edited(t, "good bye now", "good bye wow"), `"good bye wow, %s %f\n" shipped, "good bye now, %s %f\n" rebuilt`, "leave"},
		{"number in data", edited(t, "9.25", "9.75"), "", "rates"},
		{"string in a table", edited(t, `"beta"`, `"zeta"`), `1 string only in the shipped file: "zeta"`, `"beta"`},
		{"import", edited(t, `puts("two")`, `remove("two")`), "function with other code: pick", "import remove"},
		{"extra function", exfil, "function only in the shipped file: exfil", "import system"},
		{"variable", edited(t, "counter++", "total++"), "", ""},
	}
	for _, compiler := range [][]string{{"gcc", "-O2"}, {"gcc", "-O2", "-no-pie"}, {"clang", "-O2"}, {"aarch64-linux-gnu-gcc", "-O2"}} {
		t.Run(strings.Join(compiler, " "), func(t *testing.T) {
			t.Parallel()
			honest := compileC(t, baseC, compiler[0], compiler[1:]...)
			if _, text := explained(honest, honest); !strings.Contains(text, "[layout]") {
				t.Errorf("the same file: %s", text)
			}
			for _, c := range changes {
				n, text := explained(compileC(t, c.source, compiler[0], compiler[1:]...), honest)
				first, _, _ := strings.Cut(text, "\n")
				if !strings.Contains(first, c.first) || !strings.Contains(text, c.also) {
					t.Errorf("%s: want %q first, and %q:\n%s", c.name, c.first, c.also, text)
				}
				if len(text) > 2048 {
					t.Errorf("%s: a report of %d bytes", c.name, len(text))
				}
				if _, top, ok := n.Top(); !ok || top.ID == tree.CauseLayout || top.ID == tree.CauseBuildID {
					t.Errorf("%s: taken for a move: %s", c.name, top.ID)
				}
			}
		})
	}
}

// TestStrippedPairs: without symbols functions are known by tables for unwinding, and by who calls them.
func TestStrippedPairs(t *testing.T) {
	t.Parallel()
	honest := compileC(t, baseC, "gcc", "-O2", "-s")
	for name, c := range map[string]struct{ source, want string }{
		"constant": {edited(t, "+ 2022", "+ 2026"), "one constant differs: 2026 shipped, 2022 rebuilt, which look like years"},
		"string":   {edited(t, "good bye now", "good bye wow"), `"good bye wow, %s %f\n" shipped, "good bye now, %s %f\n" rebuilt`},
		"import":   {edited(t, `puts("two")`, `remove("two")`), "remove@.plt"},
	} {
		_, text := explained(compileC(t, c.source, "gcc", "-O2", "-s"), honest)
		if !strings.Contains(text, c.want) {
			t.Errorf("%s: want %q:\n%s", name, c.want, text)
		}
	}
}

func TestPairsOfCompilers(t *testing.T) {
	t.Parallel()
	honest := compileC(t, baseC, "gcc", "-O2")
	for _, c := range []struct {
		name string
		args []string
		id   string
	}{
		{"optimisation", []string{"gcc", "-O0"}, tree.CauseFlags},
		{"processor", []string{"gcc", "-O2", "-mavx"}, tree.CauseCode},
		{"another compiler", []string{"clang", "-O2"}, tree.CauseToolchain},
		{"stripped", []string{"gcc", "-O2", "-s"}, tree.CauseStripped},
		{"debug data", []string{"gcc", "-O2", "-g"}, tree.CauseStripped},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			n, text := explained(compileC(t, baseC, c.args[0], c.args[1:]...), honest)
			if _, top, _ := n.Top(); top.ID != c.id {
				t.Errorf("want %s first:\n%s", c.id, text)
			}
		})
	}
	t.Run("debug data names file and line", func(t *testing.T) {
		t.Parallel()
		a := compileC(t, edited(t, "n * 31", "n * 37"), "gcc", "-O2", "-g")
		_, text := explained(a, compileC(t, baseC, "gcc", "-O2", "-g"))
		if first, _, _ := strings.Cut(text, "\n"); !strings.Contains(first, "weigh") || !strings.Contains(first, "tool.c:7") {
			t.Errorf("%s", text)
		}
	})
}

// TestSwappedFunctions: the same functions in another order are no other code.
func TestSwappedFunctions(t *testing.T) {
	t.Parallel()
	lines := strings.SplitAfter(baseC, "\n")
	for i := range lines {
		if strings.Contains(lines[i], "void greet") {
			lines[i], lines[i+1] = lines[i+1], lines[i]
			break
		}
	}
	args := []string{"-O2", "-fno-toplevel-reorder"}
	n, text := explained(compileC(t, strings.Join(lines, ""), "gcc", args...), compileC(t, baseC, "gcc", args...))
	if _, top, _ := n.Top(); top.ID != tree.CauseLinkOrder {
		t.Errorf("%s", text)
	}
}

// TestPairsForOtherSystems compiles for formats and processors that need a cross compiler.
func TestPairsForOtherSystems(t *testing.T) {
	t.Parallel()
	for _, compiler := range []string{"x86_64-w64-mingw32-gcc", "i686-linux-gnu-gcc", "arm-linux-gnueabihf-gcc"} {
		t.Run(compiler, func(t *testing.T) {
			t.Parallel()
			honest := compileC(t, baseC, compiler, "-O2")
			_, text := explained(compileC(t, edited(t, "good bye now", "good bye wow"), compiler, "-O2"), honest)
			if !strings.Contains(text, `"good bye wow, %s %f\n"`) || strings.Contains(text, "["+tree.CauseCode+"]") {
				t.Errorf("string: %s", text)
			}
			_, text = explained(compileC(t, edited(t, "+ 2022", "+ 2026"), compiler, "-O2"), honest)
			if first, _, _ := strings.Cut(text, "\n"); !strings.Contains(first, "function with other code: main") {
				t.Errorf("constant: %s", text)
			}
		})
	}
}
