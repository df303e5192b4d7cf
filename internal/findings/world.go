package findings

import (
	"archive/zip"
	"cmp"
	"context"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"

	"github.com/glassbuild/glassbuild/internal/artifact"
	"github.com/glassbuild/glassbuild/internal/builder"
	"github.com/glassbuild/glassbuild/internal/compare/code"
	"github.com/glassbuild/glassbuild/internal/origin"
	"github.com/glassbuild/glassbuild/internal/rebuild"
	"github.com/glassbuild/glassbuild/internal/recipe"
	"github.com/glassbuild/glassbuild/internal/source"
	"github.com/glassbuild/glassbuild/internal/store"
)

const (
	maxGoMod     = 1 << 20  // bytes of a go.mod that is read
	maxObjects   = 500      // objects and static libraries of the builder that are asked
	maxObject    = 64 << 20 // bytes of one
	maxZipsKnown = 64       // fetched modules whose files are kept at hand
)

// world is what a build was given, as origin asks for it.
type world struct {
	origin.World
	entries map[string]source.Entry
	inTree  map[string]string // a file of the tree by digest
	left    *rebuild.Left
	outcome *rebuild.Outcome
	store   *store.Store
	ctx     context.Context
	scratch string
	modules map[string]string          // digest of the zip, by "module@version"
	files   map[string]map[string]bool // of a module's zip
	objects map[string]string          // part of the builder by the names that its objects hold; nil until it is asked for
}

func newWorld(ctx context.Context, o *rebuild.Outcome, st *store.Store, scratch string) *world {
	w := &world{outcome: o, store: st, ctx: ctx, scratch: scratch, entries: map[string]source.Entry{}, inTree: map[string]string{},
		modules: map[string]string{}, files: map[string]map[string]bool{}, left: o.Runs[0].Left}
	if w.left == nil {
		w.left = &rebuild.Left{Why: "what the steps left was not looked at"}
	}
	w.Root, w.Tree, w.Made, w.ByBytes = recipe.SourceDir, map[string]bool{}, map[string]string{}, map[string][]string{}
	for _, e := range o.Tree.Files {
		if e.Mode == gitLink {
			continue
		}
		w.entries[e.Path], w.Tree[e.Path] = e, true
	}
	for _, l := range w.left.Files {
		w.Made[l.Path] = l.SHA256
		if l.SHA256 != "" {
			w.ByBytes[l.SHA256] = append(w.ByBytes[l.SHA256], l.Path)
		}
	}
	if a := o.Account; a != nil && a.Why == "" || a != nil && len(a.Source) > 0 {
		w.Read = map[string]bool{}
		for _, f := range a.Source {
			w.Read[path.Clean(f)] = true
		}
	}
	for _, e := range o.Tree.Files { // of files with the same bytes the first that was read
		if at, ok := w.inTree[e.SHA256]; w.Tree[e.Path] && (!ok || !w.Read[at] && w.Read[e.Path]) {
			w.inTree[e.SHA256] = e.Path
		}
	}
	w.steps()
	w.layers()
	w.goModules()
	w.fetched()
	return w
}

// steps notes where the steps ran and which folders began empty.
func (w *world) steps() {
	w.Empty = []string{"/tmp", "/go", recipe.OutputDir, "/var/tmp"}
	if len(w.outcome.Record.Runs) == 0 {
		return
	}
	first := w.outcome.Record.Runs[0]
	w.Empty = append(w.Empty, first.Variation.Home)
	for _, s := range first.Steps {
		if rel, ok := strings.CutPrefix(s.Dir, recipe.SourceDir+"/"); ok && !slices.Contains(w.Dirs, rel) {
			w.Dirs = append(w.Dirs, rel)
		}
	}
}

// layers are the parts of the builder, the deepest first, and where Go's own source lies in them.
func (w *world) layers() {
	w.GoRoots = []string{"/usr/local/go"}
	if w.outcome.Builder == nil {
		return
	}
	if root := w.outcome.Builder.Env["GOROOT"]; root != "" {
		w.GoRoots = append(w.GoRoots, root)
	}
	for _, l := range w.outcome.Builder.Layers {
		if l.Shadowed {
			continue
		}
		w.Layers = append(w.Layers, origin.Layer{Name: strings.TrimSpace(l.Name + " " + l.Version), Target: l.Target, Has: holder(l)})
		for _, dir := range []string{"usr/lib", "usr/share"} { // as distributions lay it
			found, _ := filepath.Glob(filepath.Join(l.Dir, dir, "go-1.*"))
			for _, f := range found {
				w.GoRoots = append(w.GoRoots, path.Join(l.Target, dir, filepath.Base(f)))
			}
		}
	}
	slices.SortStableFunc(w.Layers, func(a, b origin.Layer) int { return len(b.Target) - len(a.Target) })
}

// holder tells which files a layer has. No name leads out of its folder.
func holder(l builder.Layer) func(string) bool {
	return func(rel string) bool {
		root, err := os.OpenRoot(l.Dir)
		if err != nil {
			return false
		}
		defer root.Close()
		st, err := root.Stat(filepath.FromSlash(rel))
		return err == nil && st.Mode().IsRegular()
	}
}

// goModules are the Go modules of the tree, and what their go.mod files put in the place of others.
func (w *world) goModules() {
	w.Replace, w.Other = map[string]string{}, map[string][2]string{}
	for f := range w.Tree {
		if path.Base(f) != "go.mod" || strings.Contains("/"+f, "/vendor/") || w.entries[f].Size > maxGoMod {
			continue
		}
		data, err := os.ReadFile(filepath.Join(w.outcome.TreeDir, filepath.FromSlash(f)))
		if err != nil {
			continue
		}
		m, err := modfile.Parse(f, data, nil)
		if err != nil { // without what it replaces
			m, err = modfile.ParseLax(f, data, nil)
		}
		if err != nil || m.Module == nil {
			continue
		}
		dir := path.Dir(f)
		w.Own = append(w.Own, origin.GoModule{Path: m.Module.Mod.Path, Dir: dir})
		for _, r := range m.Replace {
			key := r.Old.Path
			if r.Old.Version != "" {
				key += "@" + r.Old.Version
			}
			if r.New.Version == "" {
				w.Replace[key] = path.Join(dir, r.New.Path)
			} else {
				w.Other[key] = [2]string{r.New.Path, r.New.Version}
			}
		}
	}
	slices.SortFunc(w.Own, func(a, b origin.GoModule) int {
		if d := len(b.Path) - len(a.Path); d != 0 {
			return d
		}
		return strings.Compare(a.Path+a.Dir, b.Path+b.Dir)
	})
}

// fetched are the Go modules among the frozen inputs.
func (w *world) fetched() {
	w.Modules = func(mod, version string) bool { return w.modules[mod+"@"+version] != "" }
	w.Holds = w.inModule
	if w.outcome.Inputs == nil {
		return
	}
	for _, c := range w.outcome.Inputs.Closures {
		for _, e := range c.Entries {
			mod, version, ok := strings.Cut(strings.TrimSuffix(e.Path, ".zip"), "/@v/")
			if !ok || c.Ecosystem != "go" || !strings.HasSuffix(e.Path, ".zip") {
				continue
			}
			if m, err := module.UnescapePath(mod); err == nil {
				if v, err := module.UnescapeVersion(version); err == nil {
					w.modules[m+"@"+v] = e.SHA256
				}
			}
		}
	}
}

// inModule looks into the module's zip file.
func (w *world) inModule(mod, version, file string) bool {
	key := mod + "@" + version
	files, ok := w.files[key]
	if !ok {
		files = w.zipFiles(w.modules[key], key+"/")
		if len(w.files) >= maxZipsKnown {
			clear(w.files)
		}
		w.files[key] = files
	}
	return files[file]
}

func (w *world) zipFiles(sum, prefix string) map[string]bool {
	files := map[string]bool{}
	f, err := w.store.OpenBlob(sum)
	if err != nil {
		return files
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return files
	}
	z, err := zip.NewReader(f, st.Size())
	if err != nil {
		return files
	}
	for _, e := range z.File {
		if name, ok := strings.CutPrefix(e.Name, prefix); ok {
			files[name] = true
		}
	}
	return files
}

// prebuilt tells of a name that leads nowhere whether an object of the builder holds it that the build opened: what starts a C
// program, a static library. They were compiled elsewhere, by whoever made the builder.
func (w *world) prebuilt(name string) (string, bool) {
	if w.objects == nil {
		w.objects = map[string]string{}
		w.readObjects()
	}
	part, ok := w.objects[name]
	return part, ok
}

func (w *world) readObjects() {
	if len(w.outcome.Record.Runs) == 0 || w.outcome.Builder == nil {
		return
	}
	seen := map[string]bool{}
	for _, s := range w.outcome.Record.Runs[0].Steps {
		for _, name := range s.Opened {
			if ext := path.Ext(name); ext != ".o" && ext != ".a" || seen[name] || len(seen) >= maxObjects {
				continue
			}
			seen[name] = true
			for i := range w.Layers {
				l := w.Layers[i]
				if rel, ok := strings.CutPrefix(name, strings.TrimSuffix(l.Target, "/")+"/"); ok && l.Has(rel) {
					w.readObject(l, rel)
					break
				}
			}
		}
	}
}

// readObject notes every name that an object, or what is in a static library, holds.
func (w *world) readObject(l origin.Layer, rel string) {
	dir := ""
	for _, b := range w.outcome.Builder.Layers {
		if !b.Shadowed && b.Target == l.Target {
			dir = b.Dir
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return
	}
	defer root.Close()
	f, err := root.Open(filepath.FromSlash(rel))
	if err != nil {
		return
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil || st.Size() > maxObject {
		return
	}
	a, err := artifact.Inspect(w.ctx, f, st.Size(), artifact.Options{Dir: w.scratch, Name: path.Base(rel)})
	if err != nil {
		return
	}
	defer a.Close()
	_ = a.Walk(func(m *artifact.Member) error {
		if m.Type != artifact.File || m.Format != "elf" {
			return nil
		}
		w.objects[path.Base(cmp.Or(m.Name, rel))] = l.Name // linkers name an object without a file symbol by itself
		c, err := a.Content(m)
		if err != nil {
			return nil
		}
		defer c.Close()
		data := make([]byte, m.Size)
		if _, err := c.ReadAt(data, 0); err != nil {
			return nil
		}
		for _, s := range [][]string{code.ReadSources(data).Files, code.FileSymbols(data)} {
			for _, n := range s {
				w.objects[n] = l.Name
			}
		}
		return nil
	})
}
