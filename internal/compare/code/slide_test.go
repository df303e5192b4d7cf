package code

import (
	"bytes"
	"strings"
	"testing"
)

// TestSlide moves all data of a program by longer build information. The quick way and the long one must agree, and the quick one must not
// answer where anything else differs.
func TestSlide(t *testing.T) {
	t.Parallel()
	honest := build(t, program)
	moved := build(t, program, "-trimpath", "-ldflags=-s -w", "-tags="+strings.Repeat("x", 700))
	a, b, ok := loadBoth(honest, moved)
	if !ok {
		t.Fatal("not compared")
	}
	if a.table == nil || a.arch != archAMD64 {
		t.Fatal("no Go program for x86-64")
	}
	long, fast := 0, 0
	for _, pair := range [][2]*image{{a, b}, {b, a}, {a, a}} {
		r, ok := slid(pair[0], pair[1])
		if !ok {
			long++ // strings may lie in another order, and then everything does
			continue
		}
		fast++
		if !r.Equal() {
			t.Errorf("%+v", r)
		}
	}
	if fast == 0 {
		t.Errorf("never answered, %d times left to the long way", long)
	}
	flips(t, honest, honest)
	if r, ok := Programs(honest, moved); !ok || !r.Equal() {
		t.Errorf("%v %+v", ok, r)
	}
}

// flips changes one byte after the other of a program: the quick way must see it, or leave it to the long one.
func flips(t *testing.T, shipped, rebuilt []byte) {
	t.Helper()
	a, _ := load(shipped, nil)
	for i := range a.sections {
		s := &a.sections[i]
		if loose(s.name) || s.stored == 0 {
			continue
		}
		step := max(int(s.stored)/40, 1)
		for at := 0; at < int(s.stored); at += step {
			changed := bytes.Clone(rebuilt)
			changed[s.offset+int64(at)] ^= 0x11
			b, ok := load(changed, nil)
			if !ok {
				continue
			}
			if d := s.addr + uint64(at) - a.module.modinfo; a.module.modinfo != 0 && d < 16 {
				continue
			}
			if r, ok := slid(a, b); ok && r.Equal() {
				t.Errorf("%s+%#x was changed, and nothing is said of it", s.name, at)
			}
		}
	}
}

// TestSlideMissingSection is what a linker that leaves out the build information makes: a section is missing, and everything behind it moved.
func TestSlideMissingSection(t *testing.T) {
	t.Parallel()
	honest := build(t, program)
	a, _ := load(honest, nil)
	b, _ := load(honest, nil)
	for i := range b.sections {
		if b.sections[i].name == ".go.buildinfo" {
			b.sections = append(b.sections[:i:i], b.sections[i+1:]...)
			break
		}
	}
	r, ok := slid(a, b)
	if !ok || !r.Equal() {
		t.Errorf("%v %+v", ok, r)
	}
	if len(a.sections) != len(b.sections)+1 {
		t.Error("no section was taken away")
	}
}
