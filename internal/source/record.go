package source

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/source/gitobj"
)

// Recorder keeps what is read of a repository and of its submodules: every object, after it was verified, and every large file. What
// was recorded while one commit was judged is what judging it again takes, and no more. It is safe for use by several goroutines.
type Recorder struct {
	dir   string
	large func(oid string, data []byte) error

	mu       sync.Mutex
	modules  map[string]*recorded
	problems []error
}

// recorded is one repository that is being recorded.
type recorded struct {
	origin  string
	format  gitobj.Format
	pack    *gitobj.PackWriter
	spool   *os.File
	refs    []ref
	shallow []gitobj.ID
}

// Recording is what was read of one repository.
type Recording struct {
	Module  string // where git keeps the repository of a submodule: "modules/NAME"; "" for the repository itself
	Origin  string // URL that relative URLs of submodules are resolved against
	Format  string // "sha1" or "sha256"
	Objects int
	Refs    []Ref    // every branch and tag
	Shallow []string // commits at which the history of a shallow clone ends

	writeTo func(io.Writer) (int64, error)
}

// Ref is a branch or tag, by its full name.
type Ref struct{ Name, ID string }

// Pack writes the objects as a pack.
func (r *Recording) Pack(w io.Writer) error {
	_, err := r.writeTo(w)
	return err
}

// NewRecorder returns a recorder that works in dir, which must be there, and hands large files on.
func NewRecorder(dir string, large func(oid string, data []byte) error) *Recorder {
	return &Recorder{dir: dir, large: large, modules: make(map[string]*recorded)}
}

// record lets a recorder see what is read of a repository. The same one may be opened more than once.
func (r *repository) record(to *Recorder, module string) error {
	if to == nil {
		return nil
	}
	r.recorder, r.module = to, module
	refs, err := r.refs()
	if err != nil {
		return err
	}
	to.mu.Lock()
	defer to.mu.Unlock()
	m := to.modules[module]
	if m == nil {
		f, err := os.CreateTemp(to.dir, "objects-")
		if err != nil {
			return fault.Inconclusivef("recording", "cannot be written: %w", err)
		}
		m = &recorded{origin: r.origin(), format: r.objects.Format(), spool: f, pack: gitobj.NewPackWriter(f, r.objects.Format())}
		to.modules[module] = m
	}
	m.refs, m.shallow = refs, nil
	for id := range r.shallow {
		m.shallow = append(m.shallow, id)
	}
	slices.SortFunc(m.shallow, gitobj.ID.Compare)
	r.objects.Watch(m.pack.Add)
	return nil
}

// origin is the URL that was given to the repository, "" where it has none.
func (r *repository) origin() string {
	if base := r.baseURL(); strings.Contains(base, "://") || strings.Contains(base, ":") && !filepath.IsAbs(base) {
		return base
	}
	return ""
}

// keepLarge records a large file.
func (r *repository) keepLarge(oid string, data []byte) {
	to := r.recorder
	if to == nil {
		return
	}
	if err := to.large(oid, data); err != nil {
		to.mu.Lock()
		defer to.mu.Unlock()
		to.problems = append(to.problems, err)
	}
}

// Recordings returns what was read, the repository itself first. They can be written until Close.
func (to *Recorder) Recordings() ([]Recording, error) {
	to.mu.Lock()
	defer to.mu.Unlock()
	if err := errors.Join(to.problems...); err != nil {
		return nil, err
	}
	var out []Recording
	for module, m := range to.modules {
		rec := Recording{Module: module, Origin: m.origin, Format: m.format.String(), Objects: m.pack.Count(), writeTo: m.pack.WriteTo}
		for _, r := range m.refs {
			rec.Refs = append(rec.Refs, Ref{r.name, r.id.String()})
		}
		for _, id := range m.shallow {
			rec.Shallow = append(rec.Shallow, id.String())
		}
		out = append(out, rec)
	}
	slices.SortFunc(out, func(a, b Recording) int { return strings.Compare(a.Module, b.Module) })
	return out, nil
}

// Close removes what the recorder wrote.
func (to *Recorder) Close() {
	to.mu.Lock()
	defer to.mu.Unlock()
	for _, m := range to.modules {
		m.spool.Close()
		os.Remove(m.spool.Name())
	}
	clear(to.modules)
}

// Restore lays a recording as a bare repository below dir, at its Module. pack holds its objects: all of them are hashed. large are
// the paths of large files by their digests. Names and ids may be anybody's; what they mean is judged when the repository is read.
func Restore(ctx context.Context, dir string, rec Recording, pack io.Reader, large map[string]string) error {
	if err := rec.check(); err != nil {
		return err
	}
	format := gitobj.SHA1
	if rec.Format == gitobj.SHA256.String() {
		format = gitobj.SHA256
	}
	c := &clone{dir: filepath.Join(dir, filepath.FromSlash(rec.Module))}
	err := os.MkdirAll(c.dir, 0o700)
	if err == nil {
		c.root, err = os.OpenRoot(c.dir)
	}
	if err != nil {
		return cacheError(err)
	}
	defer c.Close()
	if err := c.layout(format); err != nil {
		return cacheError(err)
	}
	if err := c.restoreConfig(format, rec.Origin); err != nil {
		return cacheError(err)
	}
	if err := c.ingest(ctx, format, pack); err != nil {
		return err
	}
	var refs []ref
	for _, r := range rec.Refs {
		id, ok := gitobj.ParseID(r.ID)
		if !ok || id.Format() != format {
			return invalidRef(r.Name, "does not hold an id")
		}
		refs = append(refs, ref{r.Name, id})
	}
	var shallow []gitobj.ID
	for _, text := range rec.Shallow {
		id, ok := gitobj.ParseID(text)
		if !ok || id.Format() != format {
			return fault.Failf("shallow", "malformed line").WithCheck(CheckRepository)
		}
		shallow = append(shallow, id)
	}
	if err := c.writeRefs(refs, shallow); err != nil {
		return err
	}
	return c.restoreLarge(large)
}

// check refuses what would lead out of the folder, or say more than it should in a file of git's.
func (rec *Recording) check() error {
	bad := func(why string) error {
		return fault.Failf("recording", "%s: %s", fault.Quote(rec.Module), why).WithCheck(CheckRepository)
	}
	if rec.Module != "" && (!strings.HasPrefix(rec.Module, "modules/") || rec.Module != path.Clean(rec.Module) || !filepath.IsLocal(filepath.FromSlash(rec.Module))) {
		return bad("unsafe path")
	}
	for i := range len(rec.Origin) {
		if c := rec.Origin[i]; c < ' ' || c == '"' || c == '\\' || c == 0x7f {
			return bad("unsafe URL")
		}
	}
	if rec.Format != gitobj.SHA1.String() && rec.Format != gitobj.SHA256.String() {
		return bad("object format unsupported")
	}
	if len(rec.Refs) > maxRefs {
		return bad("exceeds limit: too many refs")
	}
	for _, r := range rec.Refs {
		if err := checkRefName(r.Name); err != nil {
			return err
		}
		if !isBranchOrTag(r.Name) {
			return invalidRef(r.Name, "is neither a branch nor a tag")
		}
	}
	return nil
}

// restoreConfig writes down the format of the repository, and where it came from.
func (c *clone) restoreConfig(format gitobj.Format, origin string) error {
	text := "[core]\n\trepositoryformatversion = 0\n\tbare = true\n"
	if format == gitobj.SHA256 {
		text = "[core]\n\trepositoryformatversion = 1\n\tbare = true\n[extensions]\n\tobjectformat = sha256\n"
	}
	if origin != "" {
		text += "[remote \"origin\"]\n\turl = \"" + origin + "\"\n"
	}
	return c.write("config", text)
}

// restoreLarge puts large files where git LFS keeps them. They are read by their digests.
func (c *clone) restoreLarge(files map[string]string) error {
	for oid, from := range files {
		p := pointer{oid: oid}
		name := "lfs/objects/" + p.path()
		if err := c.root.MkdirAll(path.Dir(name), 0o700); err != nil {
			return cacheError(err)
		}
		if err := os.Link(from, filepath.Join(c.dir, filepath.FromSlash(name))); err != nil && !errors.Is(err, fs.ErrExist) {
			return cacheError(err)
		}
	}
	return nil
}
