package gobinary

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"strings"
)

var errLimit = errors.New("exceeds limit")

// lookELF follows the ELF specification (gABI chapter 4); the Go build id note has the name "Go" and type 4.
func lookELF(r io.ReaderAt, info *Info) error {
	f, err := elf.NewFile(r)
	if err != nil {
		return err
	}
	defer f.Close()
	if len(f.Sections) > maxSections {
		return fmt.Errorf("%w: %d sections", errLimit, len(f.Sections))
	}
	for _, p := range f.Progs {
		info.Loader = info.Loader || p.Type == elf.PT_INTERP
	}
	// A shared library is position-independent too, but has no entry that needs an interpreter of its own.
	info.PIE = f.Type == elf.ET_DYN
	lines := f.Section(".gopclntab")
	if lines == nil {
		lines = f.Section(".data.rel.ro.gopclntab") // in position-independent files
	}
	if lines != nil && lines.Type != elf.SHT_NOBITS && lines.ReaderAt != nil {
		if info.Paths, err = lookPaths(lines.ReaderAt, int64(lines.FileSize)); err != nil {
			return err
		}
	}
	for _, s := range f.Sections {
		switch {
		case s.Type == elf.SHT_SYMTAB:
			info.Symbols = true
		case s.Name == ".debug_info" || s.Name == ".zdebug_info":
			info.DWARF = true
		case s.Type == elf.SHT_NOTE && s.Size <= maxNote:
			if err := readNotes(f, s, info); err != nil {
				return err
			}
		case s.Name == ".comment" && s.Size <= maxNote:
			data, err := s.Data()
			if err != nil {
				return err
			}
			info.Linker = strings.Join(strings.FieldsFunc(string(data), func(r rune) bool { return r == 0 }), "; ")
		}
	}
	info.Cgo = info.Loader && importsPthread(f)
	return nil
}

// importsPthread tells whether the dynamic symbols are those that the C half of runtime/cgo needs. Programs that the
// internal linker made dynamic without C (such as -buildmode=pie) import nothing.
func importsPthread(f *elf.File) bool {
	symbols, err := f.DynamicSymbols()
	if err != nil {
		return false
	}
	for _, s := range symbols {
		if s.Name == "pthread_create" {
			return true
		}
	}
	return false
}

func readNotes(f *elf.File, s *elf.Section, info *Info) error {
	data, err := s.Data()
	if err != nil {
		return err
	}
	align := func(n uint32) uint64 { return (uint64(n) + 3) &^ 3 }
	for len(data) >= 12 {
		nameSize, descSize, kind := f.ByteOrder.Uint32(data), f.ByteOrder.Uint32(data[4:]), f.ByteOrder.Uint32(data[8:])
		data = data[12:]
		if align(nameSize)+uint64(descSize) > uint64(len(data)) {
			return errors.New("note beyond the end of its section")
		}
		name := string(data[:nameSize])
		desc := data[align(nameSize) : align(nameSize)+uint64(descSize)]
		switch {
		case name == "Go\x00\x00" && kind == 4:
			info.BuildID = string(desc)
		case name == "GNU\x00" && kind == 3:
			info.GNUBuildID = true
		}
		data = data[min(align(nameSize)+align(descSize), uint64(len(data))):]
	}
	return nil
}
