package gobinary

import (
	"debug/pe"
	"fmt"
	"io"
	"strings"
)

const dynamicBase = 0x40 // IMAGE_DLLCHARACTERISTICS_DYNAMIC_BASE, PE format section "DLL Characteristics"

func lookPE(r io.ReaderAt, info *Info) error {
	f, err := pe.NewFile(r)
	if err != nil {
		return err
	}
	defer f.Close()
	if len(f.Sections) > maxSections || len(f.StringTable) > maxStrings {
		return fmt.Errorf("%w: %d sections, %d bytes of strings", errLimit, len(f.Sections), len(f.StringTable))
	}
	switch h := f.OptionalHeader.(type) {
	case *pe.OptionalHeader32:
		info.PIE = h.DllCharacteristics&dynamicBase != 0
	case *pe.OptionalHeader64:
		info.PIE = h.DllCharacteristics&dynamicBase != 0
	}
	// The internal linker writes the file name of the entry point's section and little else with -s.
	for _, s := range f.Symbols {
		if s.Name == "runtime.text" || s.Name == "main.main" || s.Name == "go:buildid" {
			info.Symbols = true
			break
		}
	}
	for _, s := range f.Sections {
		if s.Name == ".debug_info" || s.Name == ".zdebug_info" {
			info.DWARF = true
		}
		if s.Name == ".text" {
			info.BuildID = textBuildID(s, int64(s.Size))
		}
	}
	// The linker keeps the line table among the other constants.
	if data := f.Section(".rdata"); data != nil {
		if info.Paths, err = lookPaths(data.ReaderAt, int64(data.Size)); err != nil {
			return err
		}
	}
	libraries, err := f.ImportedSymbols()
	if err != nil {
		return err
	}
	for _, l := range libraries {
		if name := strings.ToLower(l); strings.HasSuffix(name, ":msvcrt.dll") || strings.Contains(name, ":api-ms-win-crt-") || strings.HasSuffix(name, ":ucrtbase.dll") {
			info.Cgo = true
		}
	}
	return nil
}
