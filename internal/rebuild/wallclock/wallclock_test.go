package wallclock

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/arch/arm64/arm64asm"
	"golang.org/x/arch/x86/x86asm"
)

const ahead = 34571861

var shifts = map[string]Shift{
	"ahead":         {Seconds: ahead, Waits: true},
	"without waits": {Seconds: ahead},
	"still":         {Seconds: 1900000000, Still: true, Waits: true},
	"still old":     {Seconds: 1900000000, Still: true},
}

// TestObject reads every object as a loader would, and every instruction in it.
func TestObject(t *testing.T) {
	t.Parallel()
	for _, arch := range Architectures {
		for name, s := range shifts {
			data := Object(arch, s)
			f, err := elf.NewFile(bytes.NewReader(data))
			if err != nil {
				t.Fatalf("%s, %s: %v", arch, name, err)
			}
			if f.Type != elf.ET_DYN || f.Machine != map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[arch] {
				t.Errorf("%s, %s: %v %v", arch, name, f.Type, f.Machine)
			}
			for _, p := range f.Progs {
				if p.Flags&(elf.PF_W|elf.PF_X) == elf.PF_W|elf.PF_X || p.Type == elf.PT_LOAD && p.Vaddr%page != p.Off%page || p.Off+p.Filesz > uint64(len(data)) {
					t.Errorf("%s, %s: segment %+v", arch, name, p.ProgHeader)
				}
			}
			o := &object{shift: s, machine: uint16(f.Machine)}
			write := map[string]assembler{"amd64": amd64, "arm64": arm64}[arch]
			o.layOut(write)
			if !bytes.Contains(data, o.text) || bytes.Contains(o.text, []byte("\x0f\x0b")) {
				t.Errorf("%s, %s: the code is not in the object", arch, name)
			}
			decode(t, arch, o.text)
			if want := len(asked) + len(o.waits()); len(o.symbols)-len(wanted) != want {
				t.Errorf("%s, %s: %d functions, want %d", arch, name, len(o.symbols)-len(wanted), want)
			}
			for _, symbol := range o.symbols[len(wanted):] {
				if at := o.places[symbol]; at < o.code || at >= o.code+uint64(len(o.text)) {
					t.Errorf("%s, %s: %s lies at %d, outside of the code", arch, name, symbol, at)
				}
			}
		}
	}
	if Object("riscv64", Shift{}) != nil {
		t.Error("an object for a processor that no code was written for")
	}
}

// decode goes through code from its first to its last byte.
func decode(t *testing.T, arch string, text []byte) {
	t.Helper()
	for i := 0; i < len(text); {
		n, word := 4, ""
		if arch == "amd64" {
			in, err := x86asm.Decode(text[i:], 64)
			if err != nil {
				t.Fatalf("%s: % x at %d: %v", arch, text[i:min(len(text), i+8)], i, err)
			}
			n, word = in.Len, in.String()
		} else {
			in, err := arm64asm.Decode(text[i:])
			if err != nil {
				t.Fatalf("%s: %08x at %d: %v", arch, binary.LittleEndian.Uint32(text[i:]), i, err)
			}
			word = in.String()
		}
		if i += n; i == len(text) && !strings.HasPrefix(word, "RET") && !strings.HasPrefix(word, "B ") {
			t.Errorf("%s: the code runs out of its end: %s", arch, word)
		}
	}
}

// TestLoaded runs a program under the loader of the C library: what it is told, what it is not, and that it waits as long as it did.
func TestLoaded(t *testing.T) {
	t.Parallel()
	for _, way := range []struct {
		arch, cc string
		run      func(object, program string) *exec.Cmd
	}{
		{runtime.GOARCH, "gcc", func(object, program string) *exec.Cmd {
			c := exec.Command(program)
			c.Env = []string{"LD_PRELOAD=" + object}
			return c
		}},
		{"arm64", "aarch64-linux-gnu-gcc", func(object, program string) *exec.Cmd {
			return exec.Command("qemu-aarch64", "-L", "/usr/aarch64-linux-gnu", "-E", "LD_PRELOAD="+object, program)
		}},
	} {
		t.Run(way.cc, func(t *testing.T) {
			t.Parallel()
			if way.cc != "gcc" {
				if _, err := exec.LookPath("qemu-aarch64"); err != nil {
					t.Skip("NOT TESTED: there is no qemu-aarch64, so the code for arm64 was read and not run")
				}
			}
			if Object(way.arch, Shift{}) == nil {
				t.Skipf("NOT TESTED: there is no shim for %s", way.arch)
			}
			dir := t.TempDir()
			program := filepath.Join(dir, "asks")
			if out, err := exec.Command(way.cc, "-o", program, "testdata/asks.c", "-pthread").CombinedOutput(); err != nil {
				t.Skipf("NOT TESTED: %s cannot compile here: %v %s", way.cc, err, out)
			}
			for name, s := range shifts {
				object := filepath.Join(dir, strings.ReplaceAll(name, " ", "-")+".so")
				if err := os.WriteFile(object, Object(way.arch, s), 0o755); err != nil {
					t.Fatal(err)
				}
				before := time.Now().Unix()
				out, err := way.run(object, program).CombinedOutput()
				if err != nil {
					t.Fatalf("%s: %v\n%s", name, err, out)
				}
				check(t, name, s, string(out), before, time.Now().Unix())
			}
		})
	}
}

// check reads what the program says. It has threads, so that without waits it is left with the kernel's time where the C library
// has brought them itself, which is since glibc 2.34.
func check(t *testing.T, name string, s Shift, out string, before, after int64) {
	t.Helper()
	var clock, day, now, now2, now3, utc, mono, tai, wait int64
	var other, bad, errno, null int
	if _, err := fmt.Sscanf(out, "clock %d day %d time %d %d %d utc %d other %d mono %d tai %d bad %d %d null %d waited %d",
		&clock, &day, &now, &now2, &now3, &utc, &other, &mono, &tai, &bad, &errno, &null, &wait); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	switch {
	case s.Still:
		before, after = s.Seconds, s.Seconds
	default:
		before, after = before+s.Seconds, after+s.Seconds
	}
	if !s.Waits && (clock < before || clock > after) {
		before, after = before-s.Seconds, after-s.Seconds
		if s.Still { // the kernel's time, then
			before, after = time.Now().Unix()-600, time.Now().Unix()
		}
	}
	for what, got := range map[string]int64{"clock_gettime": clock, "gettimeofday": day, "time": now, "time's argument": now2, "time(NULL)": now3, "timespec_get": utc, "CLOCK_TAI": tai} {
		if got < before-1 || got > after+60 {
			t.Errorf("%s: %s says %d, want %d to %d", name, what, got, before, after)
		}
	}
	if mono > 1_000_000_000 || other != 0 || bad != -1 || errno != 22 || null != 0 || wait != 0 {
		t.Errorf("%s: another clock was moved, or an error was lost:\n%s", name, out)
	}
}
