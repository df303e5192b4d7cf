package origin

import (
	"path"
	"slices"
	"strings"

	"golang.org/x/mod/module"
)

// Kind says where a source file lies.
type Kind string

// The kinds of places.
const (
	Source  Kind = "source"  // in the verified tree
	Made    Kind = "made"    // a step made it, in the folder of the source
	Gone    Kind = "gone"    // below a folder that starts empty: only a step can have made it, and it was not kept
	Module  Kind = "module"  // of a fetched or vendored Go module
	Package Kind = "package" // of an installed package of the npm registry
	Builder Kind = "builder" // of a part of the builder
	Nowhere Kind = "nowhere" // none of these
)

// A Place is where one name leads.
type Place struct {
	Kind Kind
	Path string // of a file of the tree, or one that a step made: below the folder of the source; else the name
	Part string // what a module, package or part of the builder is called
}

// World is everything that a build could have been made from.
type World struct {
	Root    string                         // the folder of the source, as the steps saw it
	Dirs    []string                       // the folders of the steps, below it; "" is itself
	Tree    map[string]bool                // files of the tree
	Read    map[string]bool                // those that the trace saw; nil where there is none
	Made    map[string]string              // files that steps left there, and their digests; folders of packages end in a slash
	ByBytes map[string][]string            // files of Made by digest
	Empty   []string                       // folders that start empty
	Layers  []Layer                        // parts of the builder, the deepest first
	GoRoots []string                       // where Go's own source may lie
	Own     []GoModule                     // modules of the tree, the longest path first
	Modules func(mod, version string) bool // tells a fetched Go module
	Holds   func(mod, version, file string) bool
	Replace map[string]string    // "module@version" or "module" → folder of the tree, from go.mod
	Other   map[string][2]string // the same → another module and its version

	bases map[string][]string // files of Tree and Made by their base names
}

// Layer is a part of the builder.
type Layer struct {
	Name   string
	Target string // where the steps saw it
	Has    func(rel string) bool
}

// GoModule is a module of the tree.
type GoModule struct{ Path, Dir string }

// Place finds where a name leads: to more than one place where it has no folder and several files are called so.
func (w *World) Place(n Name) []Place {
	if n.By == ByBytes {
		return []Place{{Kind: Source, Path: n.Text}}
	}
	if strings.ContainsRune(n.Text, 0) || len(n.Text) > maxNameBytes {
		return []Place{{Kind: Nowhere, Path: n.Text}}
	}
	switch n.By {
	case ByLineTable:
		return []Place{w.goFile(n.Text)}
	case BySymbols:
		return w.base(n.Text)
	case BySourceMaps:
		return []Place{w.mapped(n)}
	case ByClassFiles:
		return []Place{w.tail(n.Text)}
	case ByClassNames:
		for _, ext := range []string{".java", ".kt", ".scala", ".groovy"} {
			if p := w.tail(n.Text + ext); p.Kind != Nowhere {
				return []Place{p}
			}
		}
		return []Place{{Kind: Nowhere, Path: n.Text}}
	}
	return []Place{w.file(n.Text, n.Near)}
}

// file places a path that a compiler for C and its kin wrote. near is a file beside which, or above which, a relative path
// may start.
func (w *World) file(name, near string) Place {
	name = strings.ReplaceAll(name, "\\", "/")
	if path.IsAbs(name) {
		return w.absolute(path.Clean(name))
	}
	for _, dir := range w.starts(near) {
		if p, ok := w.inSource(path.Join(dir, name)); ok {
			return p
		}
	}
	return Place{Kind: Nowhere, Path: name}
}

// starts are folders that relative paths may start from: of the steps, and those above a file.
func (w *World) starts(near string) []string {
	list := append([]string{""}, w.Dirs...)
	for dir := path.Dir(near); near != "" && dir != "." && dir != "/"; dir = path.Dir(dir) {
		list = append(list, dir)
	}
	return list
}

// inSource finds a path below the folder of the source.
func (w *World) inSource(rel string) (Place, bool) {
	rel = path.Clean(rel)
	if _, made := w.Made[rel]; made {
		return Place{Kind: Made, Path: rel}, true
	}
	if w.Tree[rel] {
		return Place{Kind: Source, Path: rel}, true
	}
	if dir, name := packageOf(rel); dir != "" {
		if _, ok := w.Made[dir]; ok {
			return Place{Kind: Package, Path: rel, Part: name}, true
		}
	}
	return Place{}, false
}

// packageOf returns the folder of the innermost package that a file of node_modules belongs to, and its name.
func packageOf(rel string) (dir, name string) {
	const mark = "node_modules/"
	i := strings.Index("/"+rel, "/"+mark) // the outermost folder is the one that is listed
	if i < 0 {
		return "", ""
	}
	head, rest := rel[:i+len(mark)], rel[i+len(mark):]
	parts := strings.Split(rest, "/")
	n := 1
	if strings.HasPrefix(parts[0], "@") {
		n = 2
	}
	if len(parts) <= n {
		return "", ""
	}
	outer := head + strings.Join(parts[:n], "/") + "/"
	last := rel[strings.LastIndex("/"+rel, "/"+mark)+len(mark):]
	parts = strings.Split(last, "/")
	if n = 1; strings.HasPrefix(parts[0], "@") && len(parts) > 1 {
		n = 2
	}
	return outer, strings.Join(parts[:n], "/")
}

// absolute places a path as the steps saw it.
func (w *World) absolute(name string) Place {
	if rel, ok := below(name, w.Root); ok {
		if p, ok := w.inSource(rel); ok {
			return p
		}
		return Place{Kind: Nowhere, Path: name}
	}
	if p, ok := w.moduleCache(name); ok {
		return p
	}
	for _, l := range w.Layers {
		if rel, ok := below(name, l.Target); ok && l.Has(rel) {
			return Place{Kind: Builder, Path: name, Part: l.Name}
		}
	}
	for _, dir := range w.Empty {
		if _, ok := below(name, dir); ok {
			return Place{Kind: Gone, Path: name}
		}
	}
	return Place{Kind: Nowhere, Path: name}
}

func below(name, dir string) (string, bool) {
	return strings.CutPrefix(name, strings.TrimSuffix(dir, "/")+"/")
}

// moduleCache places a file of Go's module cache, in which capital letters of paths are escaped.
func (w *World) moduleCache(name string) (Place, bool) {
	_, rest, ok := strings.Cut(name, "/pkg/mod/")
	if !ok {
		return Place{}, false
	}
	escaped, rest, ok := strings.Cut(rest, "@")
	version, file, ok2 := strings.Cut(rest, "/")
	if !ok || !ok2 {
		return Place{}, false
	}
	mod, err := module.UnescapePath(escaped)
	if err != nil {
		return Place{}, false
	}
	if v, err := module.UnescapeVersion(version); err == nil {
		version = v
	}
	p := w.moduleFile(mod, version, file)
	p.Path = name
	return p, true
}

// goFile places a name of Go's line table: absolute, or with -trimpath MODULE@VERSION/FILE, the import path of a package
// of the tree, or that of one of Go's own.
func (w *World) goFile(name string) Place {
	switch base := path.Base(name); {
	case strings.HasPrefix(name, "<"), strings.HasPrefix(base, "_cgo_"), base == "_testmain.go", strings.HasSuffix(base, ".cgo1.go"):
		return Place{Kind: Gone, Path: name}
	case path.IsAbs(name), len(name) > 2 && name[1] == ':':
		p := w.absolute(path.Clean(name))
		return p
	}
	if mod, rest, ok := strings.Cut(name, "@"); ok {
		if version, file, ok := strings.Cut(rest, "/"); ok {
			return w.moduleFile(mod, version, file)
		}
	}
	for _, m := range w.Own {
		if rel, ok := below(name, m.Path); ok {
			if p, ok := w.inSource(path.Join(m.Dir, rel)); ok {
				return p
			}
		}
	}
	for _, root := range w.GoRoots {
		if p := w.absolute(path.Join(root, "src", name)); p.Kind == Builder {
			p.Path = name
			return p
		}
	}
	if rel, ok := strings.CutPrefix(name, "command-line-arguments/"); ok {
		name = rel
	}
	return w.file(name, "")
}

// moduleFile places a file of a module: vendored, replaced by a folder of the tree, of the tree itself, or fetched.
func (w *World) moduleFile(mod, version, file string) Place {
	for _, m := range w.Own { // vendored under its own name, also when it is replaced
		if p, ok := w.inSource(path.Join(m.Dir, "vendor", mod, file)); ok {
			return p
		}
	}
	for _, key := range []string{mod + "@" + version, mod} {
		if dir, ok := w.Replace[key]; ok {
			if p, ok := w.inSource(path.Join(dir, file)); ok {
				return p
			}
		}
	}
	for _, key := range []string{mod + "@" + version, mod} {
		if o, ok := w.Other[key]; ok {
			mod, version = o[0], o[1]
			break
		}
	}
	for _, m := range w.Own {
		if m.Path == mod {
			if p, ok := w.inSource(path.Join(m.Dir, file)); ok {
				return p
			}
		}
	}
	if w.Modules != nil && w.Modules(mod, version) && w.Holds(mod, version, file) {
		return Place{Kind: Module, Path: mod + "@" + version + "/" + file, Part: mod + "@" + version}
	}
	return Place{Kind: Nowhere, Path: mod + "@" + version + "/" + file}
}

// base places a name without a folder: every file of that name that was read or made.
func (w *World) base(name string) []Place {
	if path.Base(name) != name {
		return []Place{w.file(name, "")}
	}
	if list := w.called(name); len(list) > 0 {
		return list
	}
	return []Place{{Kind: Nowhere, Path: name}}
}

// called returns every file of the source whose path ends in name, those that were read alone where the trace knows any.
func (w *World) called(name string) []Place {
	if w.bases == nil {
		w.index()
	}
	var all, read []Place
	for _, f := range w.bases[path.Base(name)] {
		if f != name && !strings.HasSuffix(f, "/"+name) {
			continue
		}
		p := Place{Kind: Source, Path: f}
		if _, made := w.Made[f]; made {
			p.Kind = Made
		}
		all = append(all, p)
		if w.Read[f] || p.Kind == Made {
			read = append(read, p)
		}
	}
	if len(read) > 0 {
		all = read
	}
	return all
}

func (w *World) index() {
	w.bases = map[string][]string{}
	for f := range w.Tree {
		w.bases[path.Base(f)] = append(w.bases[path.Base(f)], f)
	}
	for f := range w.Made {
		if !w.Tree[f] && !strings.HasSuffix(f, "/") {
			w.bases[path.Base(f)] = append(w.bases[path.Base(f)], f)
		}
	}
	for _, list := range w.bases {
		slices.Sort(list)
	}
}

// tail places a path without its first folders, such as a class file's. Where several files end so, it is the first that
// was read.
func (w *World) tail(name string) Place {
	if list := w.called(path.Clean(name)); len(list) > 0 && name != "" {
		return list[0]
	}
	return Place{Kind: Nowhere, Path: name}
}

// mapped places a source of a source map. It is relative to the map: where the map, or the script that holds it, is a file
// that a step left, to that; else to its place in the archive less the first folders.
func (w *World) mapped(n Name) Place {
	name, ok := localName(n.Text)
	if !ok {
		return Place{Kind: Nowhere, Path: n.Text}
	}
	if path.IsAbs(name) {
		return w.absolute(path.Clean(name))
	}
	for _, f := range w.ByBytes[n.In] {
		if p, ok := w.inSource(path.Join(path.Dir(f), name)); ok {
			return p
		}
	}
	at := strings.Split(path.Join(path.Dir(n.Near), name), "/")
	for i := range at {
		for _, dir := range w.starts("") {
			if p, ok := w.inSource(path.Join(dir, strings.Join(at[i:], "/"))); ok {
				return p
			}
		}
	}
	if p, ok := w.inSource(name); ok {
		return p
	}
	return Place{Kind: Nowhere, Path: n.Text}
}

// Compiled adds what compilers wrote into depfiles. With units, the base names of what was linked in, only the rules of
// those count; without, all do.
func (w *World) Compiled(depfiles map[string][]byte, units map[string]bool) []Name {
	var list []Name
	for file, data := range depfiles {
		for _, r := range ParseDepfile(data) {
			if units != nil && !units[path.Base(r.Reads[0])] {
				continue
			}
			for _, f := range r.Reads {
				list = append(list, Name{By: ByDepfiles, Text: f, Near: file})
			}
		}
	}
	return sorted(list)
}
