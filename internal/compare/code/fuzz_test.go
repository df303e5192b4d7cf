package code

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/glassbuild/glassbuild/internal/compare/tree"
)

// smallPrograms are seeds: headers of every format, and small real programs where the go command can make them.
func smallPrograms(f *testing.F) [][]byte {
	f.Helper()
	list := [][]byte{
		append([]byte("\x7fELF\x02\x01\x01"), make([]byte, 100)...),
		append([]byte("\x7fELF\x01\x01\x01"), make([]byte, 100)...),
		append([]byte("MZ"), make([]byte, 200)...),
		append([]byte{0xcf, 0xfa, 0xed, 0xfe, 7, 0, 0, 1}, make([]byte, 100)...),
		append([]byte{0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 2}, make([]byte, 100)...),
		[]byte("\x00asm\x01\x00\x00\x00\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x0a\x04\x01\x02\x00\x0b"),
	}
	for _, compiler := range []string{"gcc", "x86_64-w64-mingw32-gcc", "i686-linux-gnu-gcc", "aarch64-linux-gnu-gcc", "arm-linux-gnueabihf-gcc"} {
		path, err := exec.LookPath(compiler)
		if err != nil {
			continue
		}
		dir := f.TempDir()
		os.WriteFile(filepath.Join(dir, "x.c"), []byte("int g = 7; const char *s = \"text\"; int f(int n) { return n * g + *s; }\n"), 0o644)
		cmd := exec.Command(path, "-c", "-O2", "-o", "x.o", "x.c")
		cmd.Dir = dir
		if cmd.Run() == nil {
			if b, err := os.ReadFile(filepath.Join(dir, "x.o")); err == nil {
				list = append(list, b)
			}
		}
		cmd = exec.Command(path, "-shared", "-nostdlib", "-O2", "-s", "-o", "x.so", "x.c")
		cmd.Dir = dir
		if cmd.Run() == nil {
			if b, err := os.ReadFile(filepath.Join(dir, "x.so")); err == nil && len(b) < 64<<10 {
				list = append(list, b)
			}
		}
	}
	return list
}

// FuzzPrograms: nothing panics, memory stays within a multiple of the input, a program differs from itself in nothing,
// and a change is seen from both sides.
func FuzzPrograms(f *testing.F) {
	for _, p := range smallPrograms(f) {
		f.Add(p, uint32(len(p)/2), byte(1))
	}
	f.Fuzz(func(t *testing.T, p []byte, at uint32, flip byte) {
		if len(p) == 0 || len(p) > 1<<20 {
			return
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if r, ok := Programs(p, p); ok && (len(r.Added)+len(r.Removed)+len(r.Changed)+len(r.Data) > 0 || len(r.ShippedStrings)+len(r.RebuiltStrings) > 0) {
			t.Fatalf("differs from itself: %+v", r)
		}
		q := bytes.Clone(p)
		q[int(at)%len(q)] ^= flip
		_, okA := Programs(p, q)
		_, okB := Programs(q, p)
		if okA != okB {
			t.Fatalf("compared one way only: %v and %v", okA, okB)
		}
		n := &tree.Node{Kind: tree.File, Status: tree.Different}
		explain(n, p, q)
		n.Sort()
		if _, err := n.JSON(0); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 512<<20 {
			t.Fatalf("%d bytes of memory for %d bytes", used, len(p))
		}
	})
}

// TestLyingHeaders: sizes that headers claim become no memory, and a description of what is not loaded is none.
func TestLyingHeaders(t *testing.T) {
	t.Parallel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	m, ok := load(data, nil)
	if !ok || m.format != "ELF" || m.word != 8 {
		t.Skip("not a 64-bit ELF program")
	}
	le := binary.LittleEndian
	table, count := le.Uint64(data[40:]), int(le.Uint16(data[60:]))
	section := func(b []byte, name string) []byte {
		for k := range count {
			h := b[table+uint64(k)*64:]
			if s := m.in(le.Uint64(h[16:])); s != nil && s.name == name && le.Uint64(h[24:]) == uint64(s.offset) {
				return h
			}
		}
		t.Fatalf("no section %s", name)
		return nil
	}
	for name, change := range map[string]func(b []byte){
		"code described elsewhere in the file": func(b []byte) { h := section(b, ".text"); le.PutUint64(h[24:], le.Uint64(h[24:])+4096) },
		"a size beyond the file":               func(b []byte) { le.PutUint64(section(b, ".rodata")[32:], 1<<40) },
		"sections over each other":             func(b []byte) { h := section(b, ".rodata"); le.PutUint64(h[16:], m.text.addr+64) },
	} {
		b := bytes.Clone(data)
		change(b)
		if _, ok := load(b, nil); ok {
			t.Errorf("%s: loaded", name)
			continue
		}
		n := &tree.Node{Kind: tree.File, Status: tree.Different}
		explain(n, b, data)
		found := false
		for _, c := range n.Causes {
			found = found || c.ID == tree.CauseBytes
		}
		if !found {
			t.Errorf("%s: not said: %+v", name, n.Causes)
		}
	}
	// 2^32 functions
	for _, s := range m.sections {
		if s.name == ".gopclntab" {
			b := bytes.Clone(s.data)
			le.PutUint64(b[8:], 1<<32)
			if _, ok := parsePclntab(b, m.module.text, m.module.etext); ok {
				t.Error("a table of 2^32 functions was read")
			}
		}
	}
}
