package component_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/artifact"
	"github.com/glassbuild/glassbuild/internal/component"
)

// open opens a file or folder.
func open(t *testing.T, path string) *artifact.Artifact {
	t.Helper()
	a, err := artifact.Open(context.Background(), path, artifact.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// search looks for the index in a file.
func search(t *testing.T, x *component.Index, path string) *component.Report {
	t.Helper()
	rep, err := x.Search(context.Background(), open(t, path), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

func indexOf(t *testing.T, paths ...string) *component.Index {
	t.Helper()
	x := &component.Index{}
	for _, p := range paths {
		if err := x.Add(context.Background(), open(t, p)); err != nil {
			t.Fatal(err)
		}
	}
	data, err := x.Marshal()
	if err != nil || !component.IsIndex(data) {
		t.Fatalf("%v, %.40q", err, data)
	}
	prepared := &component.Index{}
	if err := prepared.Load("index", data); err != nil {
		t.Fatal(err)
	}
	return prepared
}

func run(t *testing.T, dir string, env []string, argv ...string) {
	t.Helper()
	c := exec.Command(argv[0], argv[1:]...)
	c.Dir, c.Env = dir, append(append(os.Environ(), "GOFLAGS=", "CGO_ENABLED=0", "GOTOOLCHAIN=local"), env...)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", argv, err, out)
	}
}

// vendors copies the sample vendor and the one that embeds its engine, with one change to the engine.
func vendors(t *testing.T, change func(file, text string) string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"kestrel", "heron"} {
		if err := os.CopyFS(filepath.Join(dir, name), os.DirFS(filepath.Join("..", "..", "testdata", "vendors", name))); err != nil {
			t.Fatal(err)
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "kestrel", "engine", "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(f, []byte(change(filepath.Base(f), string(data))), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func heron(t *testing.T, change func(file, text string) string) string {
	t.Helper()
	dir := vendors(t, change)
	out := filepath.Join(dir, "heron-bin")
	run(t, filepath.Join(dir, "heron"), nil, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", out, ".")
	return out
}

func replaced(in, from, to string) func(string, string) string {
	return func(file, text string) string {
		if file == in {
			return strings.Replace(text, from, to, 1)
		}
		return text
	}
}

// TestEmbeddedEngine finds the sample vendor's engine in another vendor's product, linked in, as part of an image, and in
// firmware, and tells the altered one from the audited one.
func TestEmbeddedEngine(t *testing.T) {
	if testing.Short() {
		t.Skip("builds five programs")
	}
	t.Parallel()
	dir := vendors(t, replaced("", "", ""))
	kestrel := filepath.Join(dir, "kestrel-bin")
	run(t, filepath.Join(dir, "kestrel"), nil, "go", "build", "-trimpath", "-buildvcs=false", "-o", kestrel, "./cmd/kestrel")
	x := indexOf(t, kestrel)
	// the program itself, linked elsewhere; and with a command that does more, around the very same engine
	moved, command := filepath.Join(dir, "moved"), filepath.Join(dir, "command")
	run(t, filepath.Join(dir, "kestrel"), nil, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-T 0x800000", "-o", moved, "./cmd/kestrel")
	if err := os.WriteFile(filepath.Join(dir, "kestrel/cmd/kestrel/more.go"), []byte("package main\n\nimport \"os\"\n\nfunc init() { os.Unsetenv(\"KESTREL\") }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	run(t, filepath.Join(dir, "kestrel"), nil, "go", "build", "-trimpath", "-buildvcs=false", "-o", command, "./cmd/kestrel")
	match := "func (s *Set) Match(data []byte) (sum string, hits []Hit) {\n"
	for name, c := range map[string]struct {
		file    string
		state   component.State
		changed string
	}{
		"honest":        {heron(t, replaced("", "", "")), component.Audited, ""},
		"altered code":  {heron(t, replaced("set.go", match, match+"\tif len(data) > 1<<20 {\n\t\treturn \"\", nil\n\t}\n")), component.Altered, "engine.(*Set).Match"},
		"altered text":  {heron(t, replaced("set.go", "id used twice", "id seen twice")), component.Altered, "engine.Compile"},
		"added start":   {heron(t, replaced("scan.go", "// Options say", "func init() { os.Unsetenv(\"HERON\") }\n\n// Options say")), component.Altered, "engine.init.0"},
		"bare function": {kestrel, component.Audited, ""},
		"moved":         {moved, component.Audited, ""},
		"its command":   {command, component.Altered, "main.init.0"},
	} {
		wrapped := map[string]string{"alone": c.file, "image": image(t, c.file), "firmware": firmware(t, c.file)}
		for how, file := range wrapped {
			rep := search(t, x, file)
			if len(rep.Findings) != 1 || rep.Findings[0].State != c.state {
				t.Errorf("%s, %s: %+v, %v", name, how, rep.Findings, rep.Problems)
				continue
			}
			f := rep.Findings[0]
			if all := strings.Join(append(f.Changed, f.Added...), " "); c.changed == "" && f.Changes > 0 || !strings.Contains(all, c.changed) {
				t.Errorf("%s, %s: changed %q", name, how, all)
			}
			if how == "firmware" && !strings.Contains(f.Path, "@4096/") {
				t.Errorf("%s: found at %q", name, f.Path)
			}
		}
	}
}

// image writes a layout with one layer that holds a file.
func image(t *testing.T, file string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "blobs", "sha256"), 0o755); err != nil {
		t.Fatal(err)
	}
	put := func(data []byte) map[string]any {
		sum := sha256.Sum256(data)
		name := hex.EncodeToString(sum[:])
		if err := os.WriteFile(filepath.Join(dir, "blobs", "sha256", name), data, 0o644); err != nil {
			t.Fatal(err)
		}
		return map[string]any{"digest": "sha256:" + name, "size": len(data)}
	}
	object := func(v any) []byte {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	plain := tarOf(t, "usr/sbin/heron", read(t, file))
	sum := sha256.Sum256(plain)
	layer, config := put(zipped(t, plain)), put(object(map[string]any{"architecture": "amd64", "os": "linux",
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + hex.EncodeToString(sum[:])}}}))
	layer["mediaType"], config["mediaType"] = "application/vnd.oci.image.layer.v1.tar+gzip", "application/vnd.oci.image.config.v1+json"
	manifest := put(object(map[string]any{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config, "layers": []any{layer}}))
	manifest["mediaType"] = "application/vnd.oci.image.manifest.v1+json"
	for name, data := range map[string][]byte{"oci-layout": []byte(`{"imageLayoutVersion":"1.0.0"}`), "index.json": object(map[string]any{"schemaVersion": 2, "manifests": []any{manifest}})} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// firmware is a blob: padding, a gzip stream with an initramfs that holds a package with the file, padding.
func firmware(t *testing.T, file string) string {
	t.Helper()
	inner := zipped(t, tarOf(t, "heron", read(t, file)))
	var cpio bytes.Buffer
	for _, e := range []struct {
		name string
		data []byte
		mode int
	}{{"opt/heron.tgz", inner, 0o100644}, {"TRAILER!!!", nil, 0}} {
		fmt.Fprintf(&cpio, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00", 1, e.mode, 0, 0, 1, 0, len(e.data), 0, 0, 0, 0, len(e.name)+1, 0, e.name)
		cpio.Write(make([]byte, -cpio.Len()&3))
		cpio.Write(e.data)
		cpio.Write(make([]byte, -cpio.Len()&3))
	}
	blob := append(bytes.Repeat([]byte{0xff}, 4096), zipped(t, cpio.Bytes())...)
	blob = append(blob, bytes.Repeat([]byte{0xff}, 10_000)...)
	out := filepath.Join(t.TempDir(), "firmware.bin")
	if err := os.WriteFile(out, blob, 0o644); err != nil {
		t.Fatal(err)
	}
	return out
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func tarOf(t *testing.T, name string, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o755, Size: int64(len(data))}); err != nil {
		t.Fatal(err)
	}
	w.Write(data)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zipped(t *testing.T, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	z.Write(data)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestLinkedC finds functions of a C library in a stripped program by their code alone.
func TestLinkedC(t *testing.T) {
	t.Parallel()
	cc, err := exec.LookPath("gcc")
	if err != nil {
		t.Skip("no C compiler: code without names is not looked for")
	}
	strip, err := exec.LookPath("strip")
	if err != nil {
		t.Skip("no strip: code without names is not looked for")
	}
	dir := t.TempDir()
	var engine strings.Builder
	engine.WriteString("#include <string.h>\n#include <stdio.h>\n")
	for i := range 12 {
		fmt.Fprintf(&engine, "int part%d(const char *s, int n) {\n int k = %d;\n for (int i = 0; i < n; i++) { k = k * %d ^ s[i]; if (k & %d) k += n; if (strchr(\"set %d\", s[i])) k--; }\n if (k > %d) printf(\"part %d says %%d\\n\", k);\n return k;\n}\n", i, i+7, 31+i, i+3, i, 1000*i, i)
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	calls := ""
	for i := range 12 {
		calls += fmt.Sprintf("int part%d(const char *, int);\n", i)
	}
	calls += "int main(int c, char **v) { int k = 0;\n"
	for i := range 12 {
		calls += fmt.Sprintf(" k += part%d(v[0], c);\n", i)
	}
	write("tool.c", calls+" return k; }\n")
	write("product.c", "#include <stdio.h>\nint own(int x) { for (int i = 0; i < x; i++) printf(\"%d of the product\\n\", i * 3); return x + 1; }\n"+calls+" return own(k) + own(c); }\n")
	build := func(out, engine, main string) string {
		t.Helper()
		write("engine.c", engine)
		run(t, dir, nil, cc, "-O1", "-fno-inline", "-c", "engine.c")
		run(t, dir, nil, cc, "-O1", "-fno-inline", "-o", out, main, "engine.o")
		return filepath.Join(dir, out)
	}
	x := indexOf(t, build("tool", engine.String(), "tool.c"))
	for name, c := range map[string]struct {
		engine string
		state  component.State
	}{
		"honest":  {engine.String(), component.Audited},
		"code":    {strings.Replace(engine.String(), "if (k > 5000)", "if (k >= 5000 && n)", 1), component.Altered},
		"text":    {strings.Replace(engine.String(), "part 5 says", "part 5 said", 1), component.Altered},
		"a table": {strings.Replace(engine.String(), "\"set 5\"", "\"sex 5\"", 1), component.Altered},
	} {
		product := build("product-"+strings.Fields(name)[0], c.engine, "product.c")
		run(t, dir, nil, strip, "-s", product)
		rep := search(t, x, product)
		if len(rep.Findings) != 1 || rep.Findings[0].State != c.state {
			t.Errorf("%s: %+v", name, rep.Findings)
		}
	}
	// a program that has nothing of it
	write("other.c", "#include <stdio.h>\nint main(void) { puts(\"x\"); return 0; }\n")
	run(t, dir, nil, cc, "-O1", "-o", "other", "other.c")
	if rep := search(t, x, filepath.Join(dir, "other")); len(rep.Findings) != 0 {
		t.Errorf("%+v", rep.Findings)
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	good := "{\n \"format\": 1,\n \"releases\": [\n  {\n   \"name\": \"x\",\n   \"sha256\": \"\",\n   \"files\": [\n    {\n     \"path\": \"a\",\n     \"sha256\": \"b\"\n    }\n   ]\n  }\n ]\n}\n"
	small := strings.Replace(good, "   ]\n  }", "   ],\n   \"programs\": [\n    {\n     \"path\": \"p\",\n     \"processor\": \"x86-64\",\n     \"functions\": [\n      {\n       \"size\": 4,\n       \"code\": \"\",\n       \"at\": -1,\n       \"run\": 0,\n       \"sum\": \"\"\n      }\n     ]\n    }\n   ]\n  }", 1)
	for _, text := range []string{good, small} { // a function of a few bytes has no place to be told by
		if err := new(component.Index).Load("x", []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	for name, bad := range map[string]string{
		"a key twice":      strings.Replace(good, "\"name\": \"x\",", "\"name\": \"x\", \"name\": \"y\",", 1),
		"other letters":    strings.Replace(good, "\"name\"", "\"Name\"", 1),
		"unknown key":      strings.Replace(good, "\"name\": \"x\",", "\"name\": \"x\", \"more\": 1,", 1),
		"behind the end":   good + "{}",
		"a function":       strings.Replace(good, "   ]\n  }", "   ],\n   \"programs\": [\n    {\n     \"path\": \"p\",\n     \"processor\": \"x86-64\",\n     \"functions\": [\n      {\n       \"size\": 4,\n       \"code\": \"\",\n       \"at\": 0,\n       \"run\": 0,\n       \"sum\": \"\"\n      }\n     ]\n    }\n   ]\n  }", 1),
		"no index at all":  "{}",
		"something else":   "[]",
		"not even JSON":    "\x7fELF",
		"empty":            "",
		"another of these": strings.Replace(good, "\"format\": 1", "\"format\": 2", 1),
	} {
		if err := new(component.Index).Load("x", []byte(bad)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// FuzzCarve: whatever lies in a blob, the search ends, and finds a file of the release only where its bytes are.
func FuzzCarve(f *testing.F) {
	secret := []byte("#!/bin/sh\nexec the audited engine of this release, nothing else\n")
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	w.Write(secret)
	w.Close()
	f.Add(append(append(make([]byte, 700), z.Bytes()...), make([]byte, 99)...))
	f.Add([]byte(strings.Repeat("070701", 200)))
	f.Add(append(make([]byte, 600), "\x28\xb5\x2f\xfd\x00\x00\x01\x00\x00\xfd7zXZ\x00\x00YZPK\x03\x04PK\x05\x06"...))
	sum := sha256.Sum256(secret)
	x := &component.Index{}
	if err := x.AddDigests("release", "", []component.File{{Path: "engine", SHA256: hex.EncodeToString(sum[:])}}); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, blob []byte) {
		if len(blob) > 1<<16 {
			return
		}
		dir := t.TempDir()
		a, err := artifact.Inspect(context.Background(), bytes.NewReader(blob), int64(len(blob)), artifact.Options{Dir: dir, Name: "blob"})
		if err != nil {
			return
		}
		defer a.Close()
		rep, err := x.Search(context.Background(), a, dir)
		if err != nil {
			t.Fatal(err)
		}
		if len(rep.Findings) > 0 && !bytes.Contains(blob, secret[:8]) && !bytes.Contains(blob, []byte("\x1f\x8b")) && !bytes.Contains(blob, []byte("\x28\xb5\x2f\xfd")) {
			t.Fatalf("%+v", rep.Findings)
		}
	})
}
