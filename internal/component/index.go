// Package component says whether parts of a release lie in a product, whole or linked into somebody else's program, and
// whether they are the ones that were audited.
//
// An Index is what the files of a release are known by: the digest of every file in them, of every program what is loaded
// of it (so that stripping does not hide it), and of every function of its own a position-independent print
// (internal/compare/code). Search walks a product (artifact.Artifact), carves known formats out of blobs that are none, and
// holds every file against the index. It judges nothing beyond that comparison: an index is as good as whoever made it.
package component

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/artifact"
	"github.com/glassbuild/glassbuild/internal/compare/code"
	"github.com/glassbuild/glassbuild/internal/fault"
)

// Index is what releases are known by. Prepared, it is one JSON file.
type Index struct {
	Format   int       `json:"format"`
	Releases []Release `json:"releases"`

	files  map[string]place // by SHA-256
	loaded map[string]place // by what is loaded
}

// Release is what one release is known by.
type Release struct {
	Name     string    `json:"name"`
	SHA256   string    `json:"sha256"` // of the file, the tree digest of a folder, or of a verdict
	Files    []File    `json:"files"`
	Programs []Program `json:"programs,omitempty"`

	groups []*Program // what one module's programs hold together, and every other program by itself
}

// File is a file of a release.
type File struct {
	Path   string `json:"path"`
	SHA256 string `json:"sha256"`
	Loaded string `json:"loaded,omitempty"` // of programs, the digest of what is loaded
}

// Program is a program of a release and its own functions: of a Go program those of its main module, and apart from them those of
// its command, which no other program links in.
type Program struct {
	Path      string       `json:"path"`
	Go        bool         `json:"go,omitempty"`
	Module    string       `json:"module,omitempty"`
	Version   string       `json:"version,omitempty"`
	Revision  string       `json:"revision,omitempty"`
	Compiler  string       `json:"compiler,omitempty"`
	Processor string       `json:"processor"`
	BuildID   string       `json:"build-id,omitempty"`
	Functions []code.Print `json:"functions"`
	Command   []code.Print `json:"command,omitempty"`

	bySize   map[int][]int
	byName   map[string]int
	commands [][]code.Print // of every program of the group
}

type place struct{ release, file int }

// Add adds what an artefact holds. Data that is found everywhere (empty and very small files) is left out.
func (x *Index) Add(ctx context.Context, a *artifact.Artifact) error {
	r := Release{Name: a.Name, SHA256: a.SHA256}
	seen := map[string]bool{}
	err := a.Walk(func(m *artifact.Member) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if m.Type != artifact.File || m.Size == 0 || seen[m.SHA256] || !m.Executable() && m.Size < minPrint {
			return nil
		}
		seen[m.SHA256] = true
		f := File{Path: path.Join(a.Name, m.Path), SHA256: m.SHA256}
		if compiled(m.Format) {
			p, loaded, err := program(a, m)
			if err != nil {
				return err
			}
			f.Loaded = loaded
			if p != nil {
				p.Path = f.Path
				r.Programs = append(r.Programs, *p)
			}
		}
		r.Files = append(r.Files, f)
		return nil
	})
	if err != nil {
		return err
	}
	if len(r.Files) == 0 {
		return fault.Usagef(fault.Quote(a.Name), "holds nothing that could be found elsewhere")
	}
	x.Releases = append(x.Releases, r)
	return x.settle()
}

// AddDigests adds files that are known by digest alone, as a verdict names them.
func (x *Index) AddDigests(name, sum string, files []File) error {
	if len(files) == 0 {
		return fault.Usagef(fault.Quote(name), "names no file that was rebuilt bit for bit")
	}
	x.Releases = append(x.Releases, Release{Name: name, SHA256: sum, Files: files})
	return x.settle()
}

// compiled tells formats whose functions can be told apart.
func compiled(format string) bool {
	return format == "elf" || format == "pe" || format == "macho" || format == "kernel-module"
}

// program reads the functions of a program, nil where it has none that are its own.
func program(a *artifact.Artifact, m *artifact.Member) (*Program, string, error) {
	data, err := read(a, m)
	if err != nil || data == nil {
		return nil, "", err
	}
	loaded := loadedDigest(data)
	c, ok := code.OpenProgram(data)
	if !ok {
		return nil, loaded, nil
	}
	p := &Program{Go: c.Go, Module: c.Main, Version: c.Version, Revision: c.Revision, Compiler: c.Compiler, Processor: c.Processor, BuildID: c.BuildID}
	c.Complete()
	for i := range c.Functions() {
		switch {
		case !c.Own(i) || c.Size(i) <= 0:
		case c.Go && command(c.Name(i)):
			p.Command = append(p.Command, c.Print(i))
		case !c.Go || within(c.Name(i), c.Main):
			p.Functions = append(p.Functions, c.Print(i))
		}
	}
	if len(p.Functions)+len(p.Command) == 0 {
		return nil, loaded, nil
	}
	return p, loaded, nil
}

// command tells whether a Go function belongs to the package that a program begins in.
func command(name string) bool { return strings.HasPrefix(name, "main.") }

// within tells whether a Go function belongs to a module: its package's path, in which dots of the last element are
// escaped, begins with that of the module.
func within(name, module string) bool {
	if module == "" || command(name) {
		return false
	}
	rest, ok := strings.CutPrefix(name, module)
	if !ok {
		dir, last := path.Split(module)
		if rest, ok = strings.CutPrefix(name, dir+strings.ReplaceAll(last, ".", "%2e")); !ok {
			return false
		}
	}
	return strings.HasPrefix(rest, "/") || strings.HasPrefix(rest, ".")
}

func loadedDigest(data []byte) string {
	for _, d := range code.Digests(bytes.NewReader(data), int64(len(data))) {
		if d.Kind == code.Loaded {
			return d.SHA256
		}
	}
	return ""
}

// read returns the content of a program, nil for one that is too large.
func read(a *artifact.Artifact, m *artifact.Member) ([]byte, error) {
	if m.Size > maxProgram {
		return nil, nil
	}
	c, err := a.Content(m)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	data := make([]byte, m.Size)
	if _, err := io.ReadFull(io.NewSectionReader(c, 0, m.Size), data); err != nil {
		return nil, fault.Inconclusivef(fault.Quote(m.Path), "cannot be read: %w", err)
	}
	return data, nil
}

// settle makes the tables by which files and functions are found.
func (x *Index) settle() error {
	x.Format = 1
	x.files, x.loaded = map[string]place{}, map[string]place{}
	functions := 0
	for i := range x.Releases {
		r := &x.Releases[i]
		for k, f := range r.Files {
			if _, ok := x.files[f.SHA256]; !ok {
				x.files[f.SHA256] = place{i, k}
			}
			if _, ok := x.loaded[f.Loaded]; !ok && f.Loaded != "" {
				x.loaded[f.Loaded] = place{i, k}
			}
		}
		for k := range r.Programs {
			functions += len(r.Programs[k].Functions) + len(r.Programs[k].Command)
		}
		r.group()
	}
	if len(x.files) > maxFiles || functions > maxFunctions {
		return fault.Usagef("index", "exceeds %d files or %d functions", maxFiles, maxFunctions)
	}
	return nil
}

// group puts the programs of one Go module, compiler and processor together: each holds only what it uses of the module.
func (r *Release) group() {
	r.groups = nil
	same := map[string]*Program{}
	for k := range r.Programs {
		p := r.Programs[k]
		key := strings.Join([]string{p.Module, p.Version, p.Compiler, p.Processor}, "\x00")
		g := same[key]
		if g == nil || !p.Go || p.Module == "" {
			g = &p
			g.Functions, g.bySize, g.byName, g.commands = nil, map[int][]int{}, map[string]int{}, nil
			same[key] = g
			r.groups = append(r.groups, g)
		}
		g.commands = append(g.commands, r.Programs[k].Command)
		for _, f := range r.Programs[k].Functions {
			if _, ok := g.byName[f.Name]; ok && f.Name != "" && p.Go {
				continue
			}
			if f.Name != "" {
				g.byName[f.Name] = len(g.Functions)
			}
			g.bySize[f.Size] = append(g.bySize[f.Size], len(g.Functions))
			g.Functions = append(g.Functions, f)
		}
	}
}

// Marshal writes a prepared index.
func (x *Index) Marshal() ([]byte, error) {
	data, err := json.MarshalIndent(x, "", " ")
	return append(data, '\n'), err
}

// IsIndex tells whether data begins as a prepared index does.
func IsIndex(head []byte) bool {
	return bytes.HasPrefix(head, []byte("{\n \"format\": 1,\n \"releases\": ["))
}

// Load adds a prepared index. It must be exactly what Marshal gives for it.
func (x *Index) Load(name string, data []byte) error {
	var y Index
	if len(data) > maxIndex {
		return fault.Usagef(fault.Quote(name), "exceeds %d bytes", maxIndex)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&y); err != nil {
		return fault.Usagef(fault.Quote(name), "is no prepared index: %w", err)
	}
	if again, err := y.Marshal(); err != nil || y.Format != 1 || !bytes.Equal(again, data) {
		return fault.Usagef(fault.Quote(name), "is no prepared index as glassbuild writes it").WithHint("prepare it again")
	}
	for _, r := range y.Releases {
		for _, p := range r.Programs {
			for _, f := range slices.Concat(p.Functions, p.Command) {
				if f.Size <= 0 || f.At >= 0 && f.At > f.Size-8 || f.At < -1 || slices.ContainsFunc(f.Data, func(n int) bool { return n < 0 || n > maxProgram }) {
					return fault.Usagef(fault.Quote(name), "is no prepared index: a function does not hold together")
				}
			}
		}
	}
	x.Releases = append(x.Releases, y.Releases...)
	return x.settle()
}
