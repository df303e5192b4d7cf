package code

import (
	"bytes"
	"debug/elf"
	"os"
	"slices"
	"testing"

	"golang.org/x/arch/x86/x86asm"
)

// TestDecodeAgreesWithDisassembler compares instruction lengths over the code of the test program itself.
func TestDecodeAgreesWithDisassembler(t *testing.T) {
	t.Parallel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	if f, err := elf.NewFile(bytes.NewReader(data)); err != nil || f.Machine != elf.EM_X86_64 {
		t.Skip("not an x86-64 ELF program")
	}
	m, ok := load(data, nil)
	if !ok {
		t.Fatal("the running program cannot be loaded")
	}
	checked, undecoded := 0, 0
	for i := range m.table.functions {
		f := &m.table.functions[i]
		b := m.body(f)
		for at := 0; at < len(b); {
			in := decode(b[at:], true)
			if in.size == 0 {
				undecoded++
				t.Logf("%s+%#x of %d: % x", f.name, at, len(b), b[at:min(len(b), at+15)])
				break
			}
			if c := b[at]; c == 0xc4 || c == 0xc5 || c == 0x62 {
				at += in.size // the disassembler does not know vector extensions
				continue
			}
			want, err := x86asm.Decode(b[at:], 64)
			if want.Op == 0 {
				at += in.size // a prefix that it knows and an instruction that it does not
				continue
			}
			if err == nil && want.Len != in.size {
				t.Fatalf("%s+%#x: % x: %d bytes, disassembler says %d (%v)", f.name, at, b[at:min(len(b), at+15)], in.size, want.Len, want)
			}
			if err == nil {
				checked++
				if rel := int(want.PCRelOff); want.PCRel == 4 && rel != in.ref {
					t.Fatalf("%s+%#x: % x: reference at %d, disassembler says %d", f.name, at, b[at:min(len(b), at+15)], in.ref, rel)
				}
			}
			at += in.size
		}
	}
	t.Logf("%d instructions, %d functions with undecodable ones", checked, undecoded)
	if checked < 100_000 || undecoded > 5 {
		t.Errorf("%d instructions, %d undecodable", checked, undecoded)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte{0x48, 0x8d, 0x05, 1, 2, 3, 4})
	f.Add([]byte{0x62, 0xf1, 0x7d, 0x48, 0x6f, 0x05, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		in := decode(b, true)
		if short := decode(b, false); short.size < 0 || short.size > len(b) {
			t.Fatalf("%+v of %d bytes", short, len(b))
		}
		if in.size < 0 || in.size > len(b) || in.ref != 0 && in.ref+4 > in.size {
			t.Fatalf("%+v of %d bytes", in, len(b))
		}
	})
}

// TestPlainDecodingAgrees holds the decoding in place of scanAMD64 against the full decoder, over the code of the test
// program itself.
func TestPlainDecodingAgrees(t *testing.T) {
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
	if !ok || m.arch != archAMD64 {
		t.Skip("not an x86-64 program")
	}
	o := divide(m)
	o.markCode(nil)
	for i := range m.functions {
		f := &m.functions[i]
		b := m.body(f)
		var want []ref
		for at := 0; at < len(b); {
			at, want = o.slowAMD64(f, b, at, want)
		}
		if got := o.of(i); !slices.Equal(got, want) {
			t.Fatalf("%s: %d references, the full decoder finds %d", f.name, len(got), len(want))
		}
	}
}

func FuzzPlainDecoding(f *testing.F) {
	f.Add([]byte{0x66, 0x0f, 0x6f, 0x05, 1, 2, 3, 4, 0x48, 0x8d, 0x05, 1, 2, 3, 4, 0xe8, 1, 2, 3, 4, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90})
	f.Fuzz(func(t *testing.T, b []byte) {
		m := &image{arch: archAMD64, word: 8, sections: []section{{name: ".text", addr: 0x1000, size: uint64(len(b)) + 1, data: b, code: true}}}
		o := &objects{m: m, bySect: []int32{-1}}
		fn := &function{entry: 0x1000, end: 0x1000 + uint64(len(b))}
		var want []ref
		for at := 0; at < len(b); {
			at, want = o.slowAMD64(fn, b, at, want)
		}
		if got := o.scanAMD64(fn, b, nil); !slices.Equal(got, want) {
			t.Fatalf("%x: %v, the full decoder finds %v", b, got, want)
		}
	})
}
