package compare_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"iter"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/artifact"
	"github.com/glassbuild/glassbuild/internal/compare"
	"github.com/glassbuild/glassbuild/internal/fault"
)

type input struct {
	name   string
	origin compare.Origin
	data   []byte
}

func inputs(all ...input) iter.Seq2[compare.Input, error] {
	return func(yield func(compare.Input, error) bool) {
		for _, i := range all {
			if !yield(compare.Input{Name: i.name, Origin: i.origin, Content: content(i.data)}, nil) {
				return
			}
		}
	}
}

func copied(t testing.TB, output []byte, all ...input) []compare.Copy {
	t.Helper()
	opt := compare.CopyOptions{Dir: t.TempDir()}
	x, err := compare.IndexInputs(context.Background(), inputs(all...), opt)
	if err != nil {
		t.Fatal(err)
	}
	// An index is a plain value: what is stored and read again must answer the same.
	stored, err := x.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	back := new(compare.Index)
	if err := back.UnmarshalBinary(stored); err != nil {
		t.Fatal(err)
	}
	if again, err := back.MarshalBinary(); err != nil || !bytes.Equal(again, stored) || !reflect.DeepEqual(back, x) {
		t.Errorf("what was stored became something else: %v", err)
	}
	for _, bad := range [][]byte{nil, stored[:len(stored)-1], append(bytes.Clone(stored), 0), bytes.Repeat([]byte{0xff}, 9), {1, 200}} {
		if new(compare.Index).UnmarshalBinary(bad) == nil {
			t.Errorf("%.20x was taken", bad)
		}
	}
	got, err := compare.Copied(context.Background(), []compare.Output{{Name: "tool", Content: content(output)}}, []*compare.Index{back}, opt)
	if err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(opt.Dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	return got
}

func wrap(s string) string {
	var b strings.Builder
	for ; len(s) > 64; s = s[64:] {
		b.WriteString(s[:64] + "\n")
	}
	return "-----BEGIN TOOL-----\n" + b.String() + s + "\n-----END TOOL-----\n"
}

func TestCopiedOpaqueOutput(t *testing.T) {
	t.Parallel()
	blob := make([]byte, 9001)
	rand.New(rand.NewSource(5)).Read(blob)
	nested := tgz(t, file{name: "deep.tgz", body: string(tgz(t, file{name: "bin/tool", body: string(blob)}))})
	for name, c := range map[string]struct {
		output []byte
		in     input
		place  compare.Place
		member string
	}{
		"as it is":     {blob, input{"bin/x", compare.FromSource, blob}, compare.Place{Origin: "source", Input: "bin/x"}, ""},
		"gzip":         {blob, input{"x", compare.FromFetch, nested}, compare.Place{Origin: "fetch", Input: "x", Member: "deep.tgz/bin/tool"}, ""},
		"base64":       {blob, input{"x", compare.FromSource, []byte(wrap(base64.StdEncoding.EncodeToString(blob)))}, compare.Place{Origin: "source", Input: "x", Member: "base64"}, ""},
		"base64 url":   {blob, input{"x", compare.FromSource, []byte(base64.RawURLEncoding.EncodeToString(blob))}, compare.Place{Origin: "source", Input: "x", Member: "base64"}, ""},
		"hex":          {blob, input{"x", compare.FromBuilder, []byte(hex.EncodeToString(blob))}, compare.Place{Origin: "builder", Input: "x", Member: "hex"}, ""},
		"hex of a tgz": {blob, input{"x", compare.FromBuilder, []byte(hex.EncodeToString(nested))}, compare.Place{Origin: "builder", Input: "x", Member: "hex/deep.tgz/bin/tool"}, ""},
		"repacked":     {nested, input{"x", compare.FromBuilder, blob}, compare.Place{Origin: "builder", Input: "x"}, "deep.tgz/bin/tool"},
	} {
		got := copied(t, c.output, c.in)
		if len(got) != 1 || len(got[0].Places) != 1 || got[0].Places[0] != c.place || got[0].Member != c.member || got[0].How != compare.SameBytes ||
			got[0].Class != artifact.Data {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got := copied(t, blob, input{"x", compare.FromSource, blob[1:]}); len(got) != 0 {
		t.Errorf("another blob: %+v", got)
	}
}

func TestTextMayBeCopied(t *testing.T) {
	t.Parallel()
	licence := []byte(strings.Repeat("Permission is hereby granted\n", 40))
	if got := copied(t, licence, input{"LICENSE", compare.FromSource, licence}); len(got) != 0 {
		t.Fatalf("%+v", got)
	}
}

func TestCopyKeepsOrigins(t *testing.T) {
	t.Parallel()
	blob := make([]byte, 200)
	rand.New(rand.NewSource(6)).Read(blob)
	got := copied(t, blob, input{"a", compare.FromSource, blob}, input{"b", compare.FromBuilder, blob}, input{"c", compare.FromBuilder, blob})
	if len(got) != 1 || len(got[0].Places) != 2 || got[0].Places[1] != (compare.Place{Origin: "builder", Input: "b"}) {
		t.Fatalf("%+v", got)
	}
}

// goBuild compiles a small program with the Go toolchain that runs the test.
func goBuild(t testing.TB, source string, args ...string) string {
	t.Helper()
	dir := t.TempDir()
	for name, body := range map[string]string{"main.go": source, "go.mod": "module example.org/p\n\ngo 1.24\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(dir, "tool")
	cmd := exec.Command("go", append(append([]string{"build", "-o", out}, args...), ".")...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOTOOLCHAIN=local", "GOWORK=off")
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	return out
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const smallProgram = "package main\n\nimport \"os\"\n\nfunc main() { os.Stdout.WriteString(\"hello\") }\n"

func TestCopiedExecutableIsKnownWhenStripped(t *testing.T) {
	t.Parallel()
	strip, err := exec.LookPath("strip")
	if err != nil {
		t.Skip("no strip here")
	}
	full := goBuild(t, smallProgram, "-trimpath")
	bare := full + "-stripped"
	if b, err := exec.Command(strip, "-o", bare, full).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	a, b := read(t, full), read(t, bare)
	if bytes.Equal(a, b) {
		t.Fatal("strip changed nothing")
	}
	for _, c := range [][2][]byte{{a, b}, {b, a}, {b, tgz(t, file{name: "x", body: string(a)})}} {
		got := copied(t, c[0], input{"prebuilt", compare.FromFetch, c[1]})
		if len(got) != 1 || got[0].How != compare.SameLoaded || got[0].Class != artifact.MachineCode {
			t.Errorf("%+v", got)
		}
	}
	// Data differs, the code does not.
	at := bytes.LastIndex(b, []byte("hello"))
	other := bytes.Clone(b)
	copy(other[at:], "HELLO")
	if got := copied(t, other, input{"prebuilt", compare.FromFetch, a}); len(got) != 1 || got[0].How != compare.SameMachine {
		t.Errorf("same code: %+v", got)
	}
	// A broken section table changes nothing for the kernel.
	broken := bytes.Clone(b)
	copy(broken[40:48], "\xff\xff\xff\xff\xff\xff\xff\x7f")
	if got := copied(t, broken, input{"prebuilt", compare.FromFetch, a}); len(got) != 1 || got[0].How != compare.SameLoaded {
		t.Errorf("broken section table: %+v", got)
	}
	// Nor does one that nothing refers to any more; Go's linker puts it into the first segment.
	cut := bytes.Clone(a)
	clear(cut[0x28:0x30])
	clear(cut[0x3a:0x40])
	for _, c := range [][2][]byte{{a, cut}, {cut, a}} {
		if got := copied(t, c[0], input{"prebuilt", compare.FromFetch, c[1]}); len(got) != 1 || got[0].How != compare.SameLoaded {
			t.Errorf("section table left behind: %+v", got)
		}
	}
	another := read(t, goBuild(t, strings.Replace(smallProgram, "os.Stdout.WriteString(\"hello\")", "println(os.Args[0])", 1), "-trimpath"))
	if got := copied(t, another, input{"prebuilt", compare.FromFetch, a}); len(got) != 0 {
		t.Errorf("another program: %+v", got)
	}
}

func TestCopyFault(t *testing.T) {
	t.Parallel()
	c := compare.Copy{Output: "tool", How: compare.SameLoaded, Places: []compare.Place{{Origin: compare.FromFetch, Input: "x.tgz", Member: "bin/\x1btool"}}}
	err := c.Fault()
	if err.Error() != `tool: output is a copied input: the same loaded content as "x.tgz/bin/\x1btool" (fetch)` || fault.ClassOf(err) != fault.Failed {
		t.Fatal(err)
	}
}
