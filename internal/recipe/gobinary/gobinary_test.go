package gobinary_test

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/recipe/gobinary"
)

func read(data []byte) (*gobinary.Info, error) {
	return gobinary.Read(context.Background(), bytes.NewReader(data), int64(len(data)))
}

// TestReadSelf reads the test program itself.
func TestReadSelf(t *testing.T) {
	t.Parallel()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := read(data)
	if err != nil {
		t.Fatal(err)
	}
	goos, _ := info.Get("GOOS")
	if info.Go != runtime.Version() || goos != runtime.GOOS || info.Main.Path != "github.com/glassbuild/glassbuild" {
		t.Errorf("%+v", info)
	}
	if _, ok := info.Get("-nothing"); ok {
		t.Error("a setting that is not there")
	}
	for _, cut := range []int{0, 1, 4, 16, 63, 64, 200, len(data) / 2} {
		if info, err := read(data[:cut]); err == nil && info.Format == gobinary.ELF && cut < 64 {
			t.Errorf("%d bytes are a whole binary: %+v", cut, info)
		}
	}
}

func section(id byte, parts ...[]byte) []byte {
	body := slices.Concat(parts...)
	return append(binary.AppendUvarint([]byte{id}, uint64(len(body))), body...)
}

func name(s string) []byte { return append(binary.AppendUvarint(nil, uint64(len(s))), s...) }

var (
	wasmHead  = []byte("\x00asm\x01\x00\x00\x00")
	producers = section(0, name("producers"), []byte{2}, name("sdk"), []byte{1}, name("x"), name("1"), name("language"), []byte{1}, name("Go"), name("go1.26.5"))
	data      = section(11, []byte("zeros\x30\x77\xaf\x0c\x92\x74\x08\x02\x41\xe1\xc1\x07\xe6\xd6\x18\xe6path\tp\nmod\tp\t(devel)\t\nbuild\tGOOS=js\n\xf9\x32\x43\x31\x86\x18\x20\x72\x00\x82\x42\x10\x41\x16\xd8\xf2rest"))
)

func TestWasm(t *testing.T) {
	t.Parallel()
	info, err := read(slices.Concat(wasmHead, data, producers, section(0, name("go:buildid"), []byte("\xff Go build ID: \"a/b\"\n \xff")), section(0, name("name"))))
	if err != nil || info.Go != "go1.26.5" || info.BuildID != "a/b" || !info.Symbols || info.DWARF || info.Path != "p" {
		t.Errorf("%+v %v", info, err)
	}
	for what, file := range map[string][]byte{
		"no producers": slices.Concat(wasmHead, data),
		"no data":      slices.Concat(wasmHead, producers),
		"empty":        wasmHead,
		"no end":       slices.Concat(wasmHead, producers, section(11, data[:60])),
		"text":         []byte("#!/bin/sh\necho hello\n"),
		"short":        []byte("MZ"),
		"ELF header":   []byte("\x7fELF\x02\x01\x01\x00\x00\x00"),
	} {
		if _, err := read(file); !errors.Is(err, gobinary.ErrNoBuildInfo) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for what, file := range map[string][]byte{
		"section beyond the end": slices.Concat(wasmHead, producers, []byte{11, 0xff, 0x7f}),
		"endless length":         slices.Concat(wasmHead, []byte{0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}),
		"many sections":          slices.Concat(wasmHead, bytes.Repeat([]byte{1, 0}, 20_000)),
	} {
		if _, err := read(file); fault.ClassOf(err) != fault.Failed || err == nil || !strings.Contains(err.Error(), "malformed wasm file") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestAmbiguousBuildInfo(t *testing.T) {
	t.Parallel()
	replace := func(from, to string) []byte {
		body := bytes.Replace(data[2:], []byte(from), []byte(to), 1)
		return slices.Concat(wasmHead, section(11, body), producers)
	}
	for want, file := range map[string][]byte{
		"build info: ambiguous: setting GOOS stands twice":     replace("build\tGOOS=js", "build\tGOOS=js\nbuild\tGOOS=linux"),
		`build info: unprintable characters in "p\x1b[2J"`:     replace("path\tp", "path\tp\x1b[2J"),
		"build info: exceeds limit: 300 settings, 0 modules":   replace("build\tGOOS=js", strings.Repeat("build\tA=b\n", 299)+"build\tA=b"),
		"build info: exceeds limit: setting A has 70000 bytes": replace("build\tGOOS=js", "build\tA="+strings.Repeat("x", 70000)),
	} {
		if _, err := read(file); err == nil || err.Error() != want || fault.ClassOf(err) != fault.Failed {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

func TestCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	file := slices.Concat(wasmHead, data, producers)
	if _, err := gobinary.Read(ctx, bytes.NewReader(file), int64(len(file))); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// FuzzRead: no panic, nothing unprintable, no setting twice.
func FuzzRead(f *testing.F) {
	f.Add(slices.Concat(wasmHead, data, producers))
	f.Add(slices.Concat(wasmHead, producers, section(0, name("go:buildid"), []byte("\xff Go build ID: \"a\"\n \xff"))))
	var header bytes.Buffer
	binary.Write(&header, binary.LittleEndian, elf.Header64{Ident: [16]byte{0x7f, 'E', 'L', 'F', 2, 1, 1}, Type: 2, Machine: 62, Version: 1, Ehsize: 64, Phentsize: 56, Shentsize: 64})
	f.Add(header.Bytes())
	f.Add([]byte("MZ" + strings.Repeat("\x00", 58) + "\x40\x00\x00\x00PE\x00\x00\x64\x86"))
	f.Add([]byte("\xcf\xfa\xed\xfe\x07\x00\x00\x01\x03\x00\x00\x00\x02\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, file []byte) {
		info, err := read(file)
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for _, s := range info.Settings {
			if seen[s.Key] || !fault.Plain(s.Key) {
				t.Fatalf("setting %q", s.Key)
			}
			seen[s.Key] = true
		}
		if !fault.Plain(info.Path) || !fault.Plain(info.Go) || !fault.Plain(info.Main.Path) {
			t.Fatalf("%+v", info)
		}
	})
}
