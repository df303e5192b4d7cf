package code

import (
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"fmt"
	"io"
	"strings"

	"github.com/glassbuild/glassbuild/internal/compare/tree"
)

// MainModule returns the path of the main module of a Go program, "" when there is none.
func MainModule(r io.ReaderAt) string {
	i, err := buildinfo.Read(r)
	if err != nil {
		return ""
	}
	return i.Main.Path
}

// Linked compares what the linker adds around code and data of two ELF files: symbols and debug data, needed libraries,
// build ids. A build id only follows from the rest and comes last.
func Linked(shipped, rebuilt io.ReaderAt) []tree.Cause {
	a, err := elf.NewFile(shipped)
	if err != nil {
		return nil
	}
	b, err := elf.NewFile(rebuilt)
	if err != nil {
		return nil
	}
	var causes []tree.Cause
	if x, y := debugData(a), debugData(b); x != y {
		causes = append(causes, tree.Cause{
			ID: tree.CauseStripped, Text: fmt.Sprintf("the shipped file has %s, the rebuilt one %s", x, y), Remedy: "strip both or neither (-ldflags=\"-s -w\")",
		})
	}
	la, _ := a.ImportedLibraries()
	lb, _ := b.ImportedLibraries()
	if x, y := strings.Join(la, " "), strings.Join(lb, " "); x != y {
		causes = append(causes, tree.Cause{ID: tree.CauseFlags, Text: fmt.Sprintf("needed libraries: %s shipped, %s rebuilt", quote(x), quote(y))})
	}
	if c, ok := sectionNames(a, b); ok {
		causes = append(causes, c)
	}
	if !bytes.Equal(buildID(a), buildID(b)) {
		causes = append(causes, tree.Cause{ID: tree.CauseBuildID, Text: "build id differs, as it does whenever an input of the build does"})
	}
	return causes
}

func debugData(f *elf.File) string {
	symbols, debug := f.Section(".symtab") != nil, f.Section(".debug_info") != nil || f.Section(".zdebug_info") != nil
	switch {
	case symbols && debug:
		return "symbols and debug data"
	case symbols:
		return "symbols and no debug data"
	case debug:
		return "debug data and no symbols"
	}
	return "neither symbols nor debug data"
}

// sectionNames names loaded sections that only one file has.
func sectionNames(a, b *elf.File) (tree.Cause, bool) {
	names := func(f *elf.File) map[string]string {
		m := make(map[string]string)
		for _, s := range f.Sections {
			if s.Flags&elf.SHF_ALLOC != 0 && s.Size > 0 {
				m[s.Name] = fmt.Sprintf("%d bytes", s.Size)
			}
		}
		return m
	}
	na, nb := names(a), names(b)
	var lines []string
	for _, k := range unionKeys(na, nb) {
		_, inA := na[k]
		_, inB := nb[k]
		if inA != inB {
			lines = append(lines, fmt.Sprintf("section %s: %s shipped, %s rebuilt", quote(k), orAbsent(na[k], inA), orAbsent(nb[k], inB)))
		}
	}
	if len(lines) == 0 {
		return tree.Cause{}, false
	}
	return tree.Cause{ID: tree.CauseLayout, Text: lines[0], Details: boundedOf(lines, len(lines)), Remedy: "link with the same linker and flags"}, true
}

func buildID(f *elf.File) []byte {
	for _, name := range []string{".note.go.buildid", ".note.gnu.build-id"} {
		if s := f.Section(name); s != nil && s.Size <= maxString {
			if b, err := s.Data(); err == nil {
				return b
			}
		}
	}
	return nil
}
