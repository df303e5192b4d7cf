// Package origin reads what a built file says of the source files that are in it, and finds where each of them lies.
//
// Compilers leave names behind: Go's line table, which stripped programs keep; the line tables of DWARF; file symbols of ELF
// with the rules for make that a compiler wrote beside its objects; source maps (ECMA-426) of scripts and style sheets; the
// SourceFile attribute of class files (JVMS 4.7.10). Read collects them as claims, one for each program in an artefact and one
// for what lies together in one archive. Place then tells of every name whether it is a file of the verified tree, of a pinned
// part of the builder, of a fetched dependency, made by a step, or none of these.
//
// Claims are never evidence: a line directive in the source can name another file than the one that it stands in. They narrow
// down what an auditor reads first; what a build could have used at all is what the account of inputs proves. So nothing here
// decides a verdict.
package origin

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"io"
	"maps"
	"path"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/artifact"
	"github.com/glassbuild/glassbuild/internal/compare/code"
)

// How a built file names its source, beside what package code knows for programs.
const (
	ByLineTable  = code.ByLineTable
	ByDebugData  = code.ByDebugData
	BySymbols    = code.BySymbols
	ByDepfiles   = "depfiles"    // rules for make that the compiler left in the build tree
	BySourceMaps = "source-maps" // of scripts and style sheets
	ByClassFiles = "class-files" // their SourceFile attribute
	ByClassNames = "class-names" // a class without one is called like its file, by convention
	ByBytes      = "same-bytes"  // the file is one of the tree as it is
	ByPackages   = "go-packages" // what the go command compiles and embeds for the packages of a Go program, read from the tree
)

// A Claim is what one file of an artefact, or what lies together in one archive in it, says of its source.
type Claim struct {
	Member string // path inside the artefact; "" is the artefact itself
	SHA256 string
	Names  []Name           // sorted, each once
	Silent int              // files that were made of something and do not say of what
	Why    string           // of a program that does not say
	Go     *debug.BuildInfo // of a Go program
	Whole  bool             // it is about the contents of an archive and not about a program
}

// A Name is the name of a source file, as something gave it.
type Name struct {
	By   string
	Text string
	In   string // of a source map: the SHA-256 of the script or map whose folder Text starts from
	Near string // the path inside the artefact of the same
}

// Read reads the claims of everything in an artefact. Members whose SHA-256 inTree knows are files of the tree as they are:
// they count as such, and are not asked.
func Read(ctx context.Context, a *artifact.Artifact, inTree func(sha256 string) (string, bool)) ([]Claim, error) {
	r := &reader{a: a, inTree: inTree, wholes: map[string]*Claim{}, maps: map[string]*artifact.Member{}}
	_ = a.Walk(func(m *artifact.Member) error {
		if m.Type == artifact.File {
			r.maps[m.Path] = m
		}
		return nil
	})
	if err := r.member(ctx, a.Root, a.Root, ""); err != nil {
		return nil, err
	}
	for _, where := range slices.Sorted(maps.Keys(r.wholes)) {
		if c := r.wholes[where]; len(c.Names)+c.Silent > 0 {
			r.claims = append(r.claims, *c)
		}
	}
	for i := range r.claims {
		r.claims[i].Names = sorted(r.claims[i].Names)
	}
	return r.claims, nil
}

func sorted(list []Name) []Name {
	slices.SortFunc(list, func(a, b Name) int {
		for _, d := range []int{strings.Compare(a.Text, b.Text), strings.Compare(a.By, b.By), strings.Compare(a.Near, b.Near)} {
			if d != 0 {
				return d
			}
		}
		return 0
	})
	return slices.Compact(list)
}

type reader struct {
	a      *artifact.Artifact
	inTree func(string) (string, bool)
	claims []Claim
	wholes map[string]*Claim           // by the path of the archive
	maps   map[string]*artifact.Member // files by path
	seen   int
	names  int // of all claims
}

// member reads one member and what is in it. whole is the innermost archive around it, and objects the static library or the
// program for several processors around it, "" for none.
func (r *reader) member(ctx context.Context, m, whole *artifact.Member, objects string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if r.seen++; r.seen > maxMembers {
		return nil
	}
	if m.Type == artifact.File {
		if err := r.file(m, whole, objects); err != nil {
			return err
		}
	}
	inner := whole
	if m.Type == artifact.File && len(m.Members) > 0 {
		inner = m
		if m.Format == "ar" || m.Format == "macho-fat" {
			objects = m.Path
			r.claims = append(r.claims, Claim{Member: m.Path, SHA256: m.SHA256})
		}
	}
	for _, c := range m.Members {
		if err := r.member(ctx, c, inner, objects); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) file(m, whole *artifact.Member, objects string) error {
	if name, ok := r.inTree(m.SHA256); ok && m.Size > 0 {
		r.add(r.whole(whole), Name{By: ByBytes, Text: name})
		return nil
	}
	switch {
	case m.Format == "elf" || m.Format == "kernel-module" || m.Format == "pe" || m.Format == "macho":
		return r.program(m, objects)
	case m.Format == "wasm" || m.Format == "pyc" || m.Format == "dex" || m.Format == "llvm-bitcode":
		r.whole(whole).Silent++
	case m.Format == "java-class":
		return r.class(m, whole)
	case script(r.name(m)):
		return r.script(m, whole)
	}
	return nil
}

func (r *reader) whole(m *artifact.Member) *Claim {
	c := r.wholes[m.Path]
	if c == nil {
		c = &Claim{Member: m.Path, SHA256: m.SHA256, Whole: true}
		r.wholes[m.Path] = c
	}
	return c
}

// add adds a name to a claim, as long as there are not too many of them.
func (r *reader) add(c *Claim, n Name) {
	if len(c.Names) >= maxNames || r.names >= maxAllNames {
		c.Why = "it names too many files: not all of them are looked at"
		return
	}
	r.names++
	c.Names = append(c.Names, n)
}

// program reads an executable, a library or an object. Objects of one static library are one claim.
func (r *reader) program(m *artifact.Member, objects string) error {
	c := Claim{Member: m.Path, SHA256: m.SHA256}
	var s code.Sources
	data, err := r.content(m, maxProgram)
	if err != nil {
		return err
	}
	if data == nil {
		s.Why = "it is too large to be read"
	} else {
		s = code.ReadSources(data)
		if s.By == code.ByLineTable {
			c.Go, _ = buildinfo.Read(bytes.NewReader(data))
		}
	}
	c.Why = s.Why
	for _, name := range s.Files {
		r.add(&c, Name{By: s.By, Text: name})
	}
	if s.By == "" {
		c.Silent = 1
	}
	for i := range r.claims {
		if objects != "" && r.claims[i].Member == objects {
			l := &r.claims[i]
			l.Names, l.Silent = append(l.Names, c.Names...), l.Silent+c.Silent
			if l.Why == "" {
				l.Why = c.Why
			}
			return nil
		}
	}
	r.claims = append(r.claims, c)
	return nil
}

func (r *reader) class(m, whole *artifact.Member) error {
	data, err := r.content(m, maxClass)
	if err != nil {
		return err
	}
	name, told, ok := classSource(data)
	switch {
	case !ok:
		r.whole(whole).Silent++
	case told:
		r.add(r.whole(whole), Name{By: ByClassFiles, Text: name})
	default:
		r.add(r.whole(whole), Name{By: ByClassNames, Text: name})
	}
	return nil
}

// name is what a member is called by: the artefact itself by its own name.
func (r *reader) name(m *artifact.Member) string {
	if m.Path == "" {
		return r.a.Name
	}
	return m.Path
}

func script(name string) bool {
	switch path.Ext(name) {
	case ".js", ".mjs", ".cjs", ".css":
		return true
	}
	return strings.HasSuffix(name, ".d.ts") || strings.HasSuffix(name, ".d.mts") || strings.HasSuffix(name, ".d.cts")
}

// script reads the source map of a script, inline or beside it. A declaration without one is silent and needs none.
func (r *reader) script(m, whole *artifact.Member) error {
	data, err := r.content(m, maxScript)
	if err != nil {
		return err
	}
	ref, ok := mapURL(data)
	from := m
	var text []byte
	if ok {
		if text, ok = inlineMap(ref); !ok {
			rel, local := localName(ref)
			if from = r.maps[path.Join(path.Dir(m.Path), rel)]; !local || from == nil {
				from = m
			} else if text, err = r.content(from, maxScript); err != nil {
				return err
			}
		}
	}
	sources, ok := mapSources(text)
	if !ok {
		if !strings.Contains(r.name(m), ".d.") {
			r.whole(whole).Silent++
		}
		return nil
	}
	for _, s := range sources {
		r.add(r.whole(whole), Name{By: BySourceMaps, Text: s, In: from.SHA256, Near: r.name(from)})
	}
	return nil
}

// content reads a member; nil when it is larger than limit.
func (r *reader) content(m *artifact.Member, limit int64) ([]byte, error) {
	if m.Size > limit {
		return nil, nil
	}
	c, err := r.a.Content(m)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return io.ReadAll(io.NewSectionReader(c, 0, m.Size))
}
