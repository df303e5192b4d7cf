package findings

import (
	"bytes"
	"go/build/constraint"
	"go/scanner"
	"go/token"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
)

// How much of Go files is read for their imports: of one, and of all.
const (
	maxGoFile   = 16 << 20
	maxGoSource = 1 << 30
)

// goChoice is how the go command chooses files for a program ("go help buildconstraint"), with the tree for a file system. go/build does the same; it
// comes with a parser of the whole language, and makes the program half a megabyte larger.
type goChoice struct {
	root   *os.Root
	os     string
	arch   string
	cgo    bool
	tags   []string
	minor  int // of the Go release
	limits int // bytes that may still be read
}

// goFolder is what one folder gives to a program.
type goFolder struct {
	files   []string
	imports []string
	embeds  []string
}

// What file names may say, past, present and future: the lists of the go command.
var (
	knownOS = strings.Fields("aix android darwin dragonfly freebsd hurd illumos ios js linux nacl netbsd openbsd plan9 solaris wasip1 windows zos")
	unixOS  = strings.Fields("aix android darwin dragonfly freebsd hurd illumos ios linux netbsd openbsd solaris")
	knownGo = strings.Fields("386 amd64 amd64p32 arm armbe arm64 arm64be loong64 mips mipsle mips64 mips64le mips64p32 mips64p32le ppc ppc64 ppc64le riscv riscv64 s390 s390x sparc sparc64 wasm")
	// other sources: the second list counts only beside a Go file that imports "C"
	withGo  = []string{".s", ".h", ".hh", ".hpp", ".hxx", ".syso"}
	withCgo = []string{".c", ".cc", ".cpp", ".cxx", ".m", ".f", ".F", ".for", ".f90", ".S", ".sx", ".swig", ".swigcxx"}
)

// folder reads a folder of the tree.
func (g *goChoice) folder(dir string) (goFolder, error) {
	var f goFolder
	list, err := fs.ReadDir(g.root.FS(), dir)
	if err != nil {
		return f, err
	}
	cgo := false
	var later []string
	for _, e := range list {
		name := e.Name()
		ext := path.Ext(name)
		other := slices.Contains(withGo, ext) || slices.Contains(withCgo, ext)
		if name[0] == '_' || name[0] == '.' || ext != ".go" && !other || strings.HasSuffix(name, "_test.go") || e.IsDir() || !g.named(name) {
			continue
		}
		full := path.Join(dir, name)
		if ext == ".syso" {
			f.files = append(f.files, name)
			continue
		}
		data, err := g.read(full)
		if err != nil || !g.wanted(header(data)) {
			continue
		}
		switch {
		case slices.Contains(withCgo, ext):
			later = append(later, name)
		case ext != ".go":
			f.files = append(f.files, name)
		default:
			imports, embeds, ok := goImports(data)
			c := slices.Contains(imports, "C")
			if !ok || c && !g.cgo {
				continue
			}
			cgo = cgo || c
			f.files, f.imports, f.embeds = append(f.files, name), append(f.imports, imports...), append(f.embeds, embeds...)
		}
	}
	if cgo {
		f.files = append(f.files, later...)
	}
	return f, nil
}

func (g *goChoice) read(name string) ([]byte, error) {
	f, err := g.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		return nil, fs.ErrInvalid
	}
	data, err := io.ReadAll(io.LimitReader(f, int64(min(maxGoFile, g.limits))))
	g.limits -= len(data)
	return data, err
}

// named tells whether the name of a file allows it: tool_linux.go, tool_linux_arm64.go, tool_arm64.go.
func (g *goChoice) named(name string) bool {
	name, _, _ = strings.Cut(name, ".")
	_, name, ok := strings.Cut(name, "_")
	if !ok {
		return true
	}
	parts := strings.Split(name, "_")
	last := parts[len(parts)-1]
	if slices.Contains(knownGo, last) {
		if n := len(parts); n > 1 && slices.Contains(knownOS, parts[n-2]) && !g.tag(parts[n-2]) {
			return false
		}
		return g.tag(last)
	}
	return !slices.Contains(knownOS, last) || g.tag(last)
}

// tag tells whether a build tag is satisfied.
func (g *goChoice) tag(name string) bool {
	switch {
	case name == "cgo" && g.cgo, name == g.os, name == g.arch, name == "gc",
		name == "linux" && g.os == "android", name == "solaris" && g.os == "illumos", name == "darwin" && g.os == "ios",
		name == "unix" && slices.Contains(unixOS, g.os):
		return true
	case name == "boringcrypto":
		name = "goexperiment.boringcrypto"
	}
	if n, ok := strings.CutPrefix(name, "go1."); ok {
		if minor, err := strconv.Atoi(n); err == nil && minor > 0 && minor <= g.minor && strconv.Itoa(minor) == n {
			return true
		}
	}
	return slices.Contains(g.tags, name)
}

// wanted tells whether the constraints in the head of a file hold.
func (g *goChoice) wanted(head []string) bool {
	old := true
	for _, line := range head {
		x, err := constraint.Parse(line)
		if constraint.IsGoBuild(line) {
			return err == nil && x.Eval(g.tag)
		}
		old = old && (err != nil || x.Eval(g.tag))
	}
	return old
}

// header returns the constraints of a file: //go:build lines stand before everything but comments, +build lines also before a blank line.
func header(data []byte) []string {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	var lines, pending []string
	comment := false
	for line := range bytes.Lines(data) {
		text := strings.TrimSpace(string(line))
		switch {
		case comment:
		case text == "":
			lines, pending = append(lines, pending...), nil
			continue
		case strings.HasPrefix(text, "//"):
			if constraint.IsGoBuild(text) {
				return []string{text}
			}
			if constraint.IsPlusBuild(text) {
				pending = append(pending, text)
			}
			continue
		case !strings.HasPrefix(text, "/*"):
			return lines
		}
		for text != "" { // comments that span lines
			if comment {
				_, rest, ok := strings.Cut(text, "*/")
				if !ok {
					break
				}
				comment, text = false, strings.TrimSpace(rest)
				continue
			}
			if strings.HasPrefix(text, "//") {
				break
			}
			if !strings.HasPrefix(text, "/*") {
				return lines
			}
			comment, text = true, text[2:]
		}
	}
	return lines
}

// goImports reads the imports of a Go file, and the patterns of //go:embed lines where it imports that package.
func goImports(data []byte) (imports, embeds []string, ok bool) {
	var s scanner.Scanner
	files := token.NewFileSet()
	failed := false
	s.Init(files.AddFile("", files.Base(), len(data)), data, func(token.Position, string) { failed = true }, 0)
	next := func() (token.Token, string) {
		_, t, text := s.Scan()
		return t, text
	}
	if t, _ := next(); t != token.PACKAGE {
		return nil, nil, false
	}
	t, name := next()
	if t != token.IDENT || name == "documentation" {
		return nil, nil, false
	}
	for next(); !failed; {
		if t, _ = next(); t != token.IMPORT {
			break
		}
		depth := 0
		for t, text := next(); t != token.EOF && !failed; t, text = next() {
			switch t {
			case token.LPAREN:
				depth++
			case token.RPAREN:
				depth--
			case token.STRING:
				if p, err := strconv.Unquote(text); err == nil {
					imports = append(imports, p)
				}
			}
			if t == token.SEMICOLON && depth == 0 {
				break
			}
		}
	}
	if slices.Contains(imports, "embed") {
		embeds = embedPatterns(data)
	}
	return imports, embeds, !failed
}

// embedPatterns reads the //go:embed lines of a file: patterns with blanks between them, quoted or not.
func embedPatterns(data []byte) (list []string) {
	var s scanner.Scanner
	files := token.NewFileSet()
	s.Init(files.AddFile("", files.Base(), len(data)), data, nil, scanner.ScanComments)
	for {
		_, t, text := s.Scan()
		if t == token.EOF {
			return list
		}
		rest, ok := strings.CutPrefix(text, "//go:embed")
		if t != token.COMMENT || !ok || rest == "" || !strings.ContainsAny(rest[:1], " \t") {
			continue
		}
		for rest = strings.TrimSpace(rest); rest != ""; rest = strings.TrimSpace(rest) {
			quoted, err := strconv.QuotedPrefix(rest)
			if err != nil {
				end := strings.IndexAny(rest, " \t")
				if end < 0 {
					end = len(rest)
				}
				list, rest = append(list, rest[:end]), rest[end:]
				continue
			}
			if p, err := strconv.Unquote(quoted); err == nil {
				list = append(list, p)
			}
			rest = rest[len(quoted):]
		}
	}
}
