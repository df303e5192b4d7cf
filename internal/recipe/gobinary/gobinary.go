// Package gobinary reads what a Go binary says of itself: its build info (https://pkg.go.dev/debug/buildinfo) and what
// can be seen in the file where the build info is silent.
//
// It reads ELF, PE, Mach-O and WebAssembly. Nothing that it returns is to be believed: it is the claim of whoever made the
// file. It is only checked for being unambiguous (no setting twice, printable text) and bounded.
package gobinary

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"errors"
	"io"
	"runtime/debug"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// Format is the kind of executable file.
type Format string

// The formats that are read.
const (
	ELF   Format = "elf"
	PE    Format = "pe"
	MachO Format = "macho"
	Wasm  Format = "wasm"
)

// ErrNoBuildInfo says that a file is no Go binary, or one without build info.
var ErrNoBuildInfo = errors.New("no Go build info")

// Info is what one binary says.
type Info struct {
	Format   Format
	Go       string         // as the linker wrote it, such as "go1.26.5" or "go1.26.5 X:nodwarf5"
	Path     string         // import path of the main package
	Main     debug.Module   // the main module; zero when there is none
	Deps     []debug.Module // the modules that the packages come from, replacements in Replace
	Settings []Setting      // in the order of the file, no key twice

	// What the file shows beside its build info.
	Symbols    bool   // it has a symbol table
	DWARF      bool   // it has debugging information
	BuildID    string // the go command's build id; "" when the linker was told to leave it out
	GNUBuildID bool   // it has a GNU build id note
	PIE        bool   // it is position-independent
	Linker     string // what an external linker or a C compiler left in .comment; "" for none
	Cgo        bool   // it contains the C half of runtime/cgo
	Loader     bool   // an ELF file that names the loader that starts it, as a program does and a library does not
	Paths      Paths  // whether the names of source files were trimmed
}

// Setting is one setting of the build info.
type Setting struct{ Key, Value string }

// Get returns the value of a setting, and whether there is one.
func (i *Info) Get(key string) (string, bool) {
	for _, s := range i.Settings {
		if s.Key == key {
			return s.Value, true
		}
	}
	return "", false
}

// Read reads the size bytes of r. A file that is no Go binary with build info is ErrNoBuildInfo.
func Read(ctx context.Context, r io.ReaderAt, size int64) (*Info, error) {
	r = io.NewSectionReader(&cancelable{ctx, r}, 0, size)
	var magic [8]byte
	if n, err := r.ReadAt(magic[:], 0); n < len(magic) {
		if err == io.EOF {
			err = ErrNoBuildInfo
		}
		return nil, err
	}
	info := &Info{}
	var look func(io.ReaderAt, *Info) error
	switch {
	case bytes.HasPrefix(magic[:], []byte("\x7fELF")):
		info.Format, look = ELF, lookELF
	case bytes.HasPrefix(magic[:], []byte("MZ")):
		info.Format, look = PE, lookPE
	case bytes.HasPrefix(magic[:], []byte("\xcf\xfa\xed\xfe")), bytes.HasPrefix(magic[:], []byte("\xce\xfa\xed\xfe")):
		info.Format, look = MachO, lookMachO
	case bytes.HasPrefix(magic[:], []byte("\x00asm\x01\x00\x00\x00")):
		info.Format, look = Wasm, nil
	default:
		return nil, ErrNoBuildInfo
	}
	bi, err := buildInfo(r, size, info)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, err
	}
	if err := info.take(bi); err != nil {
		return nil, err
	}
	if look != nil {
		if err := look(r, info); err != nil {
			return nil, fault.Failf("executable", "malformed %s file: %v", info.Format, err)
		}
	}
	return info, ctx.Err()
}

func buildInfo(r io.ReaderAt, size int64, info *Info) (*debug.BuildInfo, error) {
	if info.Format == Wasm {
		return lookWasm(r, size, info)
	}
	bi, err := buildinfo.Read(r)
	if err != nil {
		return nil, ErrNoBuildInfo
	}
	return bi, nil
}

// take copies the build info after checking that it says everything once, and in printable characters.
func (i *Info) take(bi *debug.BuildInfo) error {
	const object = "build info"
	if len(bi.Settings) > MaxSettings || len(bi.Deps) > MaxModules {
		return fault.Failf(object, "exceeds limit: %d settings, %d modules", len(bi.Settings), len(bi.Deps))
	}
	i.Go, i.Path, i.Main = bi.GoVersion, bi.Path, bi.Main
	text := []string{i.Go, i.Path}
	text = append(text, moduleText(&bi.Main)...)
	for _, d := range bi.Deps {
		i.Deps = append(i.Deps, *d)
		text = append(text, moduleText(d)...)
	}
	for _, s := range bi.Settings {
		if _, twice := i.Get(s.Key); twice {
			return fault.Failf(object, "ambiguous: setting %s stands twice", fault.Quote(s.Key))
		}
		if len(s.Value) > MaxValue {
			return fault.Failf(object, "exceeds limit: setting %s has %d bytes", fault.Quote(s.Key), len(s.Value))
		}
		i.Settings = append(i.Settings, Setting{s.Key, s.Value})
		text = append(text, s.Key)
	}
	for _, t := range text {
		if t != "" && !fault.Plain(t) {
			return fault.Failf(object, "unprintable characters in %s", fault.Quote(t))
		}
	}
	return nil
}

func moduleText(m *debug.Module) []string {
	text := []string{m.Path, m.Version, m.Sum}
	if m.Replace != nil {
		text = append(text, m.Replace.Path, m.Replace.Version, m.Replace.Sum)
	}
	return text
}

// textBuildID finds the build id that the linker writes at the start of the text of PE and Mach-O files.
func textBuildID(text io.ReaderAt, size int64) string {
	buf := make([]byte, min(size, buildIDWindow))
	n, err := text.ReadAt(buf, 0)
	if err != nil && err != io.EOF {
		return ""
	}
	_, rest, ok := strings.Cut(string(buf[:n]), "\xff Go build ID: \"")
	if !ok {
		return ""
	}
	id, _, ok := strings.Cut(rest, "\"\n \xff")
	if !ok {
		return ""
	}
	return id
}

// cancelable ends a long search when the context does.
type cancelable struct {
	ctx context.Context
	r   io.ReaderAt
}

func (c *cancelable) ReadAt(p []byte, off int64) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.ReadAt(p, off)
}
