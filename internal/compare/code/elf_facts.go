package code

import (
	"debug/dwarf"
	"debug/elf"
	"sort"
	"strings"
)

func elfFacts(f *elf.File) facts {
	x := facts{debug: elfDebug(f), secNames: make(map[string]uint64), header: make(map[string]string)}
	x.needed, _ = f.ImportedLibraries()
	for tag, what := range map[elf.DynTag]string{elf.DT_RPATH: "rpath ", elf.DT_RUNPATH: "runpath ", elf.DT_SONAME: "soname "} {
		list, _ := f.DynString(tag)
		for _, p := range list {
			x.paths = append(x.paths, what+p)
		}
	}
	sort.Strings(x.paths)
	for _, p := range f.Progs {
		switch p.Type {
		case elf.PT_INTERP:
			if b := make([]byte, min(p.Filesz, maxString)); len(b) > 0 {
				n, _ := p.ReadAt(b, 0)
				x.paths = append(x.paths, "interpreter "+strings.TrimRight(string(b[:n]), "\x00"))
			}
		case elf.PT_GNU_STACK:
			x.header["stack"] = p.Flags.String()
		case elf.PT_GNU_RELRO:
			x.header["read-only after relocation"] = "yes"
		}
	}
	x.header["type"] = f.Type.String()
	x.dynamic(f)
	for _, s := range f.Sections {
		if s.Flags&elf.SHF_ALLOC != 0 && s.Size > 0 {
			x.secNames[s.Name] = s.Size
		}
	}
	x.compilers = comments(f)
	x.buildID = elfBuildID(f)
	return x
}

// dynamic notes symbols that the loader looks up, and those that others may look up here.
func (x *facts) dynamic(f *elf.File) {
	symbols, err := f.DynamicSymbols()
	if err != nil || len(symbols) > maxFunctions {
		return
	}
	for _, s := range symbols {
		name := s.Name
		if s.Version != "" {
			name += "@" + s.Version
		}
		switch {
		case name == "":
		case s.Section == elf.SHN_UNDEF:
			x.imports = append(x.imports, name)
		case elf.ST_TYPE(s.Info) == elf.STT_FUNC || elf.ST_TYPE(s.Info) == elf.STT_OBJECT:
			x.exports = append(x.exports, name)
		}
	}
	sort.Strings(x.imports)
	sort.Strings(x.exports)
}

func elfDebug(f *elf.File) string {
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

func elfBuildID(f *elf.File) []byte {
	for _, name := range []string{".note.go.buildid", ".note.gnu.build-id"} {
		if s := f.Section(name); s != nil && s.Size <= maxString {
			if b, err := s.Data(); err == nil {
				return b
			}
		}
	}
	return nil
}

// comments returns what compilers wrote into .comment.
func comments(f *elf.File) []string {
	s := f.Section(".comment")
	if s == nil || s.Size > maxString {
		return nil
	}
	b, err := s.Data()
	if err != nil {
		return nil
	}
	var list []string
	for _, c := range strings.Split(string(b), "\x00") {
		if c != "" {
			list = append(list, c)
		}
	}
	sort.Strings(list)
	return list
}

// elfUnits opens debug data of a moderate size, whose units name compiler, flags and directory.
func elfUnits(f *elf.File) *dwarf.Data {
	s := f.Section(".debug_info")
	if s == nil || s.Size > maxProducers {
		return nil
	}
	d, err := f.DWARF()
	if err != nil {
		return nil
	}
	return d
}

// units notes compiler, flags and directory of every unit of debug data.
func (x *facts) units(d *dwarf.Data) {
	producers, directories := make(map[string]bool), make(map[string]bool)
	r := d.Reader()
	for range maxUnits {
		e, err := r.Next()
		if e == nil || err != nil {
			break
		}
		if e.Tag == dwarf.TagCompileUnit {
			if p, ok := e.Val(dwarf.AttrProducer).(string); ok {
				producers[p] = true
			}
			if p, ok := e.Val(dwarf.AttrCompDir).(string); ok {
				directories[p] = true
			}
		}
		r.SkipChildren()
	}
	x.producers, x.directories = keysOf(producers), keysOf(directories)
}

func keysOf(m map[string]bool) []string {
	var list []string
	for k := range m {
		list = append(list, k)
	}
	sort.Strings(list)
	return list
}
