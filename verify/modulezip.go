package verify

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	modzip "golang.org/x/mod/zip"

	"github.com/glassbuild/glassbuild/internal/artifact"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/findings"
	"github.com/glassbuild/glassbuild/internal/source"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// A Go module zip (https://go.dev/ref/mod#zip-files) is packed, not built: the go command takes the files of a commit by fixed
// rules. So nothing of the vendor's is run for one. This program packs the commit by the same rules, with the go
// command's own library, and what was shipped must be that file, bit for bit. The vendor chooses nothing but the module's
// path and version, and both are held against the commit.

const (
	maxModuleFile = 512 << 20 // x/mod's own limit for a whole module
	maxGoMod      = 16 << 20
	maxLicence    = 16 << 20
)

// packedModule is a module zip under way.
type packedModule struct {
	mod     module.Version
	dir     string // of the module in the tree; "" is the root
	tree    *source.Tree
	treeDir string
	files   []modzip.File
}

// moduleOf tells which module's zip was shipped, by its layout: every file lies below "path@version/".
func moduleOf(a *artifact.Artifact) (module.Version, bool) {
	var mod module.Version
	prefix := ""
	if a.Root.Format != "zip" {
		return mod, false
	}
	for _, m := range a.Root.Members {
		if m.Type == artifact.Directory {
			return mod, false // a module zip has none
		}
		if prefix == "" {
			p, rest, ok := strings.Cut(m.Path, "@")
			v, _, more := strings.Cut(rest, "/")
			mod = module.Version{Path: p, Version: v}
			if !ok || !more || module.Check(p, v) != nil {
				return mod, false
			}
			prefix = p + "@" + v + "/"
		}
		if !strings.HasPrefix(m.Path, prefix) {
			return mod, false
		}
	}
	return mod, prefix != ""
}

// module tells whether what was shipped is judged as a module zip: neither a recipe nor a single member was asked for.
func (r *run) module() (module.Version, bool) {
	if r.req.RecipeFile != "" || r.req.Member != "" {
		return module.Version{}, false
	}
	return moduleOf(r.shipped)
}

// packModule exports the commit and packs it as often as the policy demands runs.
func (r *run) packModule(ctx context.Context, mod module.Version) error {
	dir, err := r.dir.Dir("source")
	if err != nil {
		return err
	}
	m := &packedModule{mod: mod, treeDir: filepath.Join(dir, "tree")}
	r.req.Progress("exporting commit %.12s", r.facts.Source.Commit)
	if m.tree, err = r.commit.Export(ctx, m.treeDir); err != nil {
		return err
	}
	if err := findings.Tree(r.facts.Source, m.tree, m.treeDir); err != nil {
		return err
	}
	r.moduleRecipe(mod)
	if err := m.find(); err != nil {
		return err
	}
	r.facts.Recipe.Contradictions = moduleContradictions(mod, m.dir, r.commit.Facts())
	return r.pack(ctx, m)
}

// moduleRecipe writes down how a commit becomes a module zip: nobody but this program chose anything.
func (r *run) moduleRecipe(mod module.Version) {
	text := fmt.Sprintf("# a Go module zip: the files of the commit, packed by this program after https://go.dev/ref/mod#zip-files\n# module %s\n# version %s\n", mod.Path, mod.Version)
	sum := sha256.Sum256([]byte(text))
	r.facts.Recipe = &verdict.Recipe{SHA256: hex.EncodeToString(sum[:]), ChosenBy: verdict.ByBuiltIn, Text: text}
	r.facts.Builder = &verdict.Builder{Layers: []verdict.Layer{{Name: "module packer of glassbuild", Version: r.req.ToolVersion,
		Voucher: verdict.Voucher{Kind: "this program", Detail: "nothing of the vendor's was run"}}}}
	r.facts.Inputs = &verdict.Inputs{}
}

// find looks for the folder whose go.mod names the module. A module older than go.mod files is the whole tree.
func (m *packedModule) find() error {
	name := fault.Quote(m.mod.Path + "@" + m.mod.Version)
	var found []string
	root := false
	for _, e := range m.tree.Files {
		if path.Base(e.Path) != "go.mod" || e.Mode == gitLink || m.foreign(e.Path) {
			continue
		}
		root = root || e.Path == "go.mod"
		data, err := m.read(e.Path, maxGoMod)
		if err != nil {
			return err
		}
		if modfile.ModulePath(data) == m.mod.Path {
			found = append(found, strings.TrimSuffix(strings.TrimSuffix(e.Path, "go.mod"), "/"))
		}
	}
	switch {
	case len(found) == 1:
		m.dir = found[0]
		return nil
	case len(found) > 1:
		return fault.Inconclusivef(name, "%d go.mod files of the commit name this module, the first in %s", len(found), fault.Quote(found[0])).WithCheck(verdict.CheckRecipe)
	case !root:
		return nil
	}
	return fault.Failf(name, "no go.mod of the commit names this module").WithCheck(verdict.CheckContradicts)
}

// foreign tells whether a path lies in a submodule: the go command does not pack those.
func (m *packedModule) foreign(p string) bool {
	for _, s := range m.tree.Submodules {
		if strings.HasPrefix(p, s.Path+"/") {
			return true
		}
	}
	return false
}

func (m *packedModule) read(p string, limit int64) ([]byte, error) {
	f, err := os.Open(filepath.Join(m.treeDir, filepath.FromSlash(p)))
	if err != nil {
		return nil, fault.Inconclusivef(fault.Quote(p), "%w", bare(err))
	}
	defer f.Close()
	data, err := readAtMost(f, limit+1)
	if err == nil && int64(len(data)) > limit {
		return nil, fault.Failf(fault.Quote(p), "exceeds %d bytes", limit)
	}
	return data, err
}

// moduleContradictions holds the version against the commit: a tag of that name elsewhere, or a pseudo-version of another
// commit, is another release under this name.
func moduleContradictions(mod module.Version, dir string, f source.Facts) []string {
	if module.IsPseudoVersion(mod.Version) {
		rev, err := module.PseudoVersionRev(mod.Version)
		if err != nil || !strings.HasPrefix(f.ID, rev) {
			return []string{fmt.Sprintf("version %s is of another commit than %.12s", fault.Quote(mod.Version), f.ID)}
		}
		return nil
	}
	name := strings.TrimSuffix(mod.Version, "+incompatible")
	// a folder that is named after the major version is no part of the tag's name
	if _, major, ok := module.SplitPathVersion(mod.Path); ok && path.Base(dir) == strings.TrimPrefix(major, "/") {
		dir = strings.TrimPrefix(path.Dir(dir), ".")
	}
	if dir != "" {
		name = dir + "/" + name
	}
	for _, t := range f.Tags {
		if t.Name == name && t.Commit != f.ID {
			return []string{fmt.Sprintf("tag %s points at %.12s, not at this commit", fault.Quote(t.Name), t.Commit)}
		}
	}
	return nil
}

// pack packs the files as the go command does (cmd/go/internal/modfetch): in the order of git, links and other modules
// left out by the library, and the root's LICENSE taken along where the module has none.
func (r *run) pack(ctx context.Context, m *packedModule) error {
	prefix := m.dir
	if prefix != "" {
		prefix += "/"
	}
	licence := false
	for _, e := range m.tree.Files { // sorted by path, as git archive writes them
		p, ok := strings.CutPrefix(e.Path, prefix)
		if !ok || m.foreign(e.Path) {
			continue
		}
		licence = licence || p == "LICENSE" && e.Mode != gitLink
		m.files = append(m.files, moduleFile{name: p, entry: e, disk: filepath.Join(m.treeDir, filepath.FromSlash(e.Path))})
	}
	if !licence && m.dir != "" {
		for _, e := range m.tree.Files {
			if e.Path == "LICENSE" && e.Mode != gitLink {
				data, err := m.read("LICENSE", maxLicence)
				if err != nil {
					return err
				}
				m.files = append(m.files, moduleFile{name: "LICENSE", entry: e, data: data, held: true})
			}
		}
	}
	return r.packRuns(ctx, m)
}

// packRuns packs twice or more, each time from the files on disk.
func (r *run) packRuns(ctx context.Context, m *packedModule) error {
	dir, err := r.dir.Dir("packed")
	if err != nil {
		return err
	}
	f := &verdict.Rebuild{Agree: true, Packed: true, CopyCheck: true}
	for i := range int(r.policy.Rebuild.Runs) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		r.req.Progress("packing, run %d of %d", i+1, r.policy.Rebuild.Runs)
		d, err := m.create(filepath.Join(dir, fmt.Sprintf("%d.zip", i+1)))
		if err != nil {
			return err
		}
		f.Runs++
		if i == 0 {
			f.Outputs = []verdict.Digest{d}
		}
		f.Agree = f.Agree && d == f.Outputs[0]
	}
	r.facts.Rebuild = f
	return r.compareModule(ctx, m, filepath.Join(dir, "1.zip"))
}

// create writes one zip and hashes what it wrote.
func (m *packedModule) create(file string) (verdict.Digest, error) {
	d := verdict.Digest{Name: path.Base(m.mod.Path) + "@" + m.mod.Version + ".zip"}
	out, err := os.Create(file)
	if err != nil {
		return d, fault.Inconclusivef("module zip", "%w", bare(err))
	}
	defer out.Close()
	h := sha256.New()
	w := &counted{w: io.MultiWriter(out, h)}
	if err := modzip.Create(w, m.mod, m.files); err != nil {
		first, _, _ := strings.Cut(err.Error(), "\n")
		return d, fault.Failf(fault.Quote(m.mod.Path+"@"+m.mod.Version), "the commit cannot be packed as this module: %s", printable(first)).WithCheck(verdict.CheckSteps)
	}
	d.SHA256, d.Size = hex.EncodeToString(h.Sum(nil)), w.n
	return d, nil
}

// packedNames returns the SHA-256 of every file that the packed zip holds, by its name there: the library leaves some out.
func (m *packedModule) packedNames() map[string]string {
	checked, _ := modzip.CheckFiles(m.files)
	sums := map[string]string{}
	for _, f := range m.files {
		if file, ok := f.(moduleFile); ok && slices.Contains(checked.Valid, file.name) {
			sums[m.prefix()+file.name] = file.entry.SHA256
		}
	}
	return sums
}

type counted struct {
	w io.Writer
	n int64
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// moduleFile is one file of the exported tree as x/mod/zip wants it.
type moduleFile struct {
	name  string
	entry source.Entry
	disk  string
	data  []byte
	held  bool // the content is in data
}

func (f moduleFile) Path() string                { return f.name }
func (f moduleFile) Lstat() (fs.FileInfo, error) { return f, nil }
func (f moduleFile) Name() string                { return path.Base(f.name) }
func (f moduleFile) Size() int64                 { return f.entry.Size }
func (f moduleFile) ModTime() time.Time          { return time.Time{} }
func (f moduleFile) IsDir() bool                 { return false }
func (f moduleFile) Sys() any                    { return nil }

// Mode tells a link: the library leaves those out.
func (f moduleFile) Mode() fs.FileMode {
	if f.entry.Mode == gitLink {
		return fs.ModeSymlink | 0o777
	}
	return 0o644
}

// Open opens the content.
func (f moduleFile) Open() (io.ReadCloser, error) {
	if f.held {
		return io.NopCloser(bytes.NewReader(f.data)), nil
	}
	return os.Open(f.disk)
}
