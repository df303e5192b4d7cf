package builder

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"maps"
	"runtime"
	"testing"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// elfProgram makes an ELF file that is nothing but its header and empty segments of the given types.
func elfProgram(t *testing.T, segments ...elf.ProgType) string {
	t.Helper()
	header := elf.Header64{Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: 1, Phoff: 64, Ehsize: 64, Phentsize: 56,
		Phnum: uint16(len(segments)), Shentsize: 64}
	copy(header.Ident[:], "\x7fELF\x02\x01\x01")
	var b bytes.Buffer
	err := binary.Write(&b, binary.LittleEndian, header)
	for _, s := range segments {
		if err == nil {
			err = binary.Write(&b, binary.LittleEndian, elf.Prog64{Type: uint32(s)})
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestGoCommandThatNeedsALoader: a Go-only root cannot start it, a root over the host's /usr can.
func TestGoCommandThatNeedsALoader(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for version, program := range map[string]string{
		"1.18.10": elfProgram(t, elf.PT_LOAD, elf.PT_INTERP),
		"1.21.13": elfProgram(t, elf.PT_LOAD),
		"1.26.5":  "no ELF file",
		"1.26.4":  "",
	} {
		files := maps.Clone(toolchainFiles)
		if files["bin/go"] = program; program == "" {
			delete(files, "bin/go")
		}
		w.publish(version, files)
	}
	for _, version := range []string{"1.21.13", "1.26.5", "1.26.4"} {
		if _, err := w.prepare(version, w.options()); err != nil {
			t.Errorf("%s: %v", version, err)
		}
	}
	for range 2 { // fetched, then kept
		_, err := w.prepare("1.18.10", w.options())
		if err == nil || err.Error() != "go1.18.10: its go command needs a C library, and the builder holds none" ||
			fault.ClassOf(err) != fault.Inconclusive || fault.CheckOf(err) != CheckAvailable ||
			fault.HintOf(err) != "add host = true under [builder] in a recipe of your own; nobody vouches for that builder" {
			t.Errorf("%v, hint %q", err, fault.HintOf(err))
		}
	}
	without := Request{Go: "1.18.10", Platform: testPlatform, Without: []string{"bin/go"}}
	if _, err := Prepare(context.Background(), without, w.options()); err != nil {
		t.Errorf("without the go command: %v", err)
	}
	if runtime.GOOS+"/"+runtime.GOARCH == testPlatform {
		beside := Request{Go: "1.18.10", Host: true, Platform: testPlatform}
		if root, err := Prepare(context.Background(), beside, w.options()); err != nil || root.Vouched {
			t.Errorf("beside the host's C library: %+v %v", root, err)
		}
	}
}
