package gobinary

import (
	"debug/macho"
	"fmt"
	"io"
)

// flagPIE is MH_PIE of <mach-o/loader.h>.
const flagPIE = 0x200000

func lookMachO(r io.ReaderAt, info *Info) error {
	f, err := macho.NewFile(r)
	if err != nil {
		return err
	}
	defer f.Close()
	if len(f.Sections) > maxSections {
		return fmt.Errorf("%w: %d sections", errLimit, len(f.Sections))
	}
	info.PIE = f.Flags&flagPIE != 0
	if f.Symtab != nil {
		for _, s := range f.Symtab.Syms {
			switch s.Name {
			case "_runtime.text", "runtime.text", "_main.main", "main.main":
				info.Symbols = true
			case "_x_cgo_init", "x_cgo_init":
				info.Cgo = true
			}
		}
	}
	for _, s := range f.Sections {
		if s.Seg == "__DWARF" {
			info.DWARF = true
		}
		if s.Seg == "__TEXT" && s.Name == "__text" {
			info.BuildID = textBuildID(s, int64(s.Size))
		}
	}
	if lines := f.Section("__gopclntab"); lines != nil && lines.ReaderAt != nil {
		info.Paths, err = lookPaths(lines.ReaderAt, int64(lines.Size))
	}
	return err
}
