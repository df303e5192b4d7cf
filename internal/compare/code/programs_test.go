package code

import (
	"bytes"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const program = `package main

import (
	"fmt"
	"os"
	"sort"
	"strings"
)

const limit = 1234567

var table = []string{"alpha", "beta", "gamma"}

//go:noinline
func scan(s string) int {
	n := 0
	for _, w := range strings.Fields(s) {
		if strings.Contains(w, "virus-one") || len(w) > 40 {
			n += 7
		}
	}
	return n
}

//go:noinline
func weight(f float64) float64 { return f * 2.71828182845 }

func main() {
	sort.Strings(os.Args)
	fmt.Println(scan(strings.Join(os.Args, " ")), limit, table, weight(float64(len(os.Args))))
}
`

// build compiles a program for linux/amd64, stripped unless args say otherwise.
func build(t testing.TB, source string, args ...string) []byte {
	t.Helper()
	dir := t.TempDir()
	for name, body := range map[string]string{"main.go": source, "go.mod": "module example.org/p\n\ngo 1.24\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if args == nil {
		args = []string{"-trimpath", "-ldflags=-s -w"}
	}
	out := filepath.Join(dir, "tool")
	cmd := exec.Command("go", append(append([]string{"build", "-o", out}, args...), ".")...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOTOOLCHAIN=local", "GOWORK=off", "GOOS=linux", "GOARCH=amd64")
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func compareTo(t testing.TB, rebuilt []byte, source string, args ...string) (*Result, string) {
	t.Helper()
	r, ok := Programs(build(t, source, args...), rebuilt)
	if !ok {
		t.Fatal("not compared")
	}
	var lines []string
	for _, c := range r.Causes("example.org/p") {
		lines = append(lines, c.Text)
	}
	return r, strings.Join(lines, "\n")
}

func names(list []Function) []string {
	var n []string
	for _, f := range list {
		n = append(n, f.Name)
	}
	return n
}

func TestPrograms(t *testing.T) {
	t.Parallel()
	honest := build(t, program)
	change := func(old, new string) string {
		s := strings.Replace(program, old, new, 1)
		if s == program {
			t.Fatalf("%q is not in the program", old)
		}
		return s
	}
	t.Run("itself", func(t *testing.T) {
		t.Parallel()
		if r, ok := Programs(honest, honest); !ok || !r.Equal() {
			t.Fatalf("%v %+v", ok, r)
		}
	})
	t.Run("extra function", func(t *testing.T) {
		t.Parallel()
		r, text := compareTo(t, honest, change("func main() {", "//go:noinline\nfunc exfil() { fmt.Fprint(os.Stderr, table) }\n\nfunc main() {\n\texfil()"))
		// What it calls for the first time comes with it.
		if !slices.Contains(names(r.Added), "main.exfil") || !slices.Equal(names(r.Changed), []string{"main.main"}) || len(r.Removed) != 0 ||
			!strings.HasPrefix(text, "3 functions only in the shipped file: main.exfil example.org/p/main.go:29, ") {
			t.Errorf("%s\n%q %q", text, names(r.Added), names(r.Changed))
		}
	})
	t.Run("changed string of equal length", func(t *testing.T) {
		t.Parallel()
		r, text := compareTo(t, honest, change("virus-one", "virus-two"))
		if !slices.Equal(names(r.Data), []string{"main.scan"}) || len(r.Changed) != 0 || r.Same != r.Functions-1 ||
			!strings.HasPrefix(text, `function with the same code and other data: main.scan example.org/p/main.go:15, "virus-two" shipped, "virus-one" rebuilt`) {
			t.Errorf("%s\n%+v", text, r)
		}
		if !slices.Equal(r.ShippedStrings, []string{"virus-two"}) || !slices.Equal(r.RebuiltStrings, []string{"virus-one"}) {
			t.Errorf("%q %q", r.ShippedStrings, r.RebuiltStrings)
		}
	})
	t.Run("changed constant in code", func(t *testing.T) {
		t.Parallel()
		r, text := compareTo(t, honest, change("n += 7", "n += 9"))
		if !slices.Equal(names(r.Changed), []string{"main.scan"}) || !strings.Contains(text, "main.go:19") {
			t.Errorf("%s\n%+v", text, r)
		}
	})
	t.Run("changed constant in data", func(t *testing.T) {
		t.Parallel()
		r, _ := compareTo(t, honest, change("2.71828182845", "3.71828182845"))
		if !slices.Equal(names(r.Data), []string{"main.weight"}) || len(r.Changed) != 0 || r.ShippedObjects != 1 {
			t.Errorf("%+v", r)
		}
	})
	t.Run("changed string in a table", func(t *testing.T) {
		t.Parallel()
		r, _ := compareTo(t, honest, change(`"beta"`, `"zeta"`))
		if !slices.Contains(r.ShippedStrings, "zeta") || r.Equal() {
			t.Errorf("%+v", r)
		}
	})
	t.Run("with symbols and debug data", func(t *testing.T) {
		t.Parallel()
		if r, text := compareTo(t, honest, program, "-trimpath"); !r.Equal() {
			t.Errorf("%s\n%+v", text, r)
		}
	})
	t.Run("position independent", func(t *testing.T) {
		if testing.Short() {
			t.Skip("compiles the standard library once more")
		}
		t.Parallel()
		pie := build(t, program, "-trimpath", "-buildmode=pie")
		if r, text := compareTo(t, pie, program, "-trimpath", "-buildmode=pie", "-ldflags=-s -w"); !r.Equal() {
			t.Errorf("%s\n%+v", text, r)
		}
		r, text := compareTo(t, pie, change("virus-one", "virus-two"), "-trimpath", "-buildmode=pie")
		if !slices.Equal(names(r.Data), []string{"main.scan"}) {
			t.Errorf("%s\n%+v", text, r)
		}
	})
}

// TestNumbersLikeAddresses holds that data full of numbers that look like addresses, such as an executable that is embedded in another one, is not
// taken for changed where it moved: they divide it in other places on both sides.
func TestNumbersLikeAddresses(t *testing.T) {
	t.Parallel()
	var blob strings.Builder
	state := uint64(1)
	for shift := range 8 { // wherever the linker puts it, one run is aligned
		blob.WriteString(strings.Repeat(`\xff`, shift&1))
		for range 600 {
			state = state*6364136223846793005 + 1442695040888963407
			n := 0x480000 + state>>40%0x90000
			fmt.Fprintf(&blob, `\x%02x\x%02x\x%02x\x00\x00\x00\x00\x00\x%02x`, n&0xff, n>>8&0xff, n>>16&0xff, 128+state>>57&0x7f)
		}
	}
	source := strings.Replace(program, "alpha", blob.String(), 1)
	r, text := compareTo(t, build(t, source), strings.Replace(source, "virus-one", "virus-one and then some", 1))
	if !slices.Equal(r.ShippedStrings, []string{"virus-one and then some"}) || r.ShippedObjects+r.RebuiltObjects != 0 || len(r.RebuiltStrings) > 1 || len(r.Added)+len(r.Removed) != 0 {
		t.Errorf("%s\n%q %d, %q %d", text, r.ShippedStrings, r.ShippedObjects, r.RebuiltStrings, r.RebuiltObjects)
	}
}

// TestEveryByteOfCodeAndDataCounts flips bytes all over code and data: none may be taken for a move.
func TestEveryByteOfCodeAndDataCounts(t *testing.T) {
	t.Parallel()
	honest := build(t, program)
	b := bytes.Clone(honest)
	f, err := elf.NewFile(bytes.NewReader(honest))
	if err != nil {
		t.Fatal(err)
	}
	m, ok := load(honest, nil)
	if !ok {
		t.Fatal("not loaded")
	}
	missed := 0
	for _, name := range []string{".text", ".rodata", ".noptrdata", ".data"} {
		s := f.Section(name)
		for i := range uint64(9) {
			at := s.Offset + s.FileSize*(2*i+1)/19
			if addr := s.Addr + at - s.Offset; addr-m.module.at < m.module.size {
				continue // the runtime's description of where things lie, which is not compared: docs/diff.md says so
			}
			b[at] ^= 0x10
			r, ok := Programs(b, honest)
			if ok && r.Equal() {
				missed++
				t.Logf("%s: flipped byte at %#x of the file is not seen", name, at)
			}
			b[at] ^= 0x10
		}
	}
	if missed > 0 {
		t.Errorf("%d flipped bytes were not seen", missed)
	}
}

func TestProgramsOfOtherFormats(t *testing.T) {
	t.Parallel()
	for _, b := range [][]byte{nil, []byte("text"), append([]byte("\x7fELF\x02\x01\x01"), make([]byte, 200)...)} {
		if _, ok := Programs(b, b); ok {
			t.Errorf("%q was compared", b)
		}
	}
}

func FuzzPclntab(f *testing.F) {
	head := append([]byte{0xf1, 0xff, 0xff, 0xff, 0, 0, 1, 8, 2}, make([]byte, 200)...)
	f.Add(head)
	f.Fuzz(func(t *testing.T, b []byte) {
		p, ok := parsePclntab(b, 0x1000, 0x9000)
		if !ok {
			return
		}
		for i := range p.functions {
			fn := &p.functions[i]
			if fn.entry < 0x1000 || fn.end > 0x9000 {
				t.Fatalf("%+v", fn)
			}
			p.line(fn, fn.entry)
		}
		p.at(0x2000)
		p.funcdataEnd(0)
	})
}
