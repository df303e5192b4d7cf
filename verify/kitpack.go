package verify

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/artifact"
	"github.com/glassbuild/glassbuild/internal/builder"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/gomod"
	"github.com/glassbuild/glassbuild/internal/kit"
	"github.com/glassbuild/glassbuild/internal/rebuild"
	"github.com/glassbuild/glassbuild/internal/recipe"
	"github.com/glassbuild/glassbuild/internal/source"
	"github.com/glassbuild/glassbuild/internal/store"
)

// PackRequest says what a kit is packed of. The fields that Request has too mean the same.
type PackRequest struct {
	Artefacts                      []string // one file, or what IsRelease calls a release; none packs without
	Member, Target                 string
	Node, NPM                      string
	Repository, Commit, RecipeFile string
	PolicyFile                     string   // whose demands decide how much of the history is packed; never packed itself
	Evidence                       []string // files and folders, beside what lies next to the artefact
	Sandbox                        string   // as in Request
	WithoutArtefact                bool     // the artefact says what is packed, and stays outside
	Out                            string   // the kit; OUT.partial beside it is where an interrupted packing goes on
	ToolVersion                    string
	CacheDir, DataDir              string
	Progress                       func(format string, args ...any)
	Sign                           func(ctx context.Context, manifest []byte) ([]byte, error) // gives a bundle; nil signs nothing
}

// PackResult says what was packed.
type PackResult struct {
	Digest   string // of the kit's manifest
	Size     int64  // of the content
	Document *kit.Document
}

// partial is the suffix of the folder in which a kit is packed.
const partial = ".partial"

// packing is a kit under way.
type packing struct {
	dir      string
	request  string
	filler   *kit.Filler
	recorder *source.Recorder
	large    map[string]kit.File
	release  *release // nil for one file
}

// Pack gathers what verifying a commit takes, with the same code that verifies, and writes it as a kit. Everything that was fetched is kept
// beside the kit until it is whole: a packing that ended too early goes on where it was.
func Pack(ctx context.Context, req PackRequest) (*PackResult, error) {
	if _, err := os.Lstat(req.Out); err == nil {
		return nil, fault.Usagef(fault.Quote(req.Out), "is there already").WithHint("name a file that does not exist yet")
	}
	p := &packing{dir: req.Out + partial, large: map[string]kit.File{}}
	defer p.close()
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %q %q %q %q %q", req.Artefacts, req.Member, req.Repository, req.Commit, req.RecipeFile, req.Target, req.Node, req.NPM))
	p.request = hex.EncodeToString(sum[:])
	one := ""
	if len(req.Artefacts) > 0 {
		one = req.Artefacts[0]
	}
	r, err := begin(ctx, Request{Artefact: one, Member: req.Member, Target: req.Target, Node: req.Node, NPM: req.NPM, Repository: req.Repository, Commit: req.Commit, RecipeFile: req.RecipeFile,
		PolicyFile: req.PolicyFile, ToolVersion: req.ToolVersion, CacheDir: req.CacheDir, DataDir: req.DataDir, NoCache: true, Sandbox: req.Sandbox, Progress: req.Progress, packing: p})
	if err != nil {
		return nil, err
	}
	defer r.close()
	if req.Member == "" && IsRelease(req.Artefacts) {
		err = r.gatherRelease(ctx, req.Artefacts)
	} else {
		err = r.gather(ctx)
	}
	if err != nil {
		return nil, r.goesOn(ctx, err)
	}
	res, err := r.seal(ctx, req)
	if err != nil {
		return nil, r.goesOn(ctx, err)
	}
	if err := store.RemoveAll(p.dir); err != nil {
		return res, fault.Inconclusivef(fault.Quote(p.dir), "the kit is whole, but this folder cannot be removed: %w", bare(err))
	}
	return res, nil
}

// goesOn says that what was gathered is not lost.
func (r *run) goesOn(ctx context.Context, err error) error {
	var f *fault.Error
	if ctx.Err() == nil && errors.As(err, &f) && fault.HintOf(err) == "" {
		return f.WithHint("what was gathered lies in %s; the same command goes on from there", fault.Quote(filepath.Base(r.req.packing.dir)))
	}
	return err
}

// openStaging makes the folder in which the kit is packed, and lets everything that is fetched fall into it.
func (r *run) openStaging(ctx context.Context) error {
	p := r.req.packing
	if err := p.own(); err != nil {
		return err
	}
	var err error
	if r.store, err = store.Open(filepath.Join(p.dir, "store")); err != nil {
		return err
	}
	if p.filler, err = kit.NewFiller(ctx, r.store, filepath.Join(p.dir, "names")); err != nil {
		return err
	}
	objects, err := r.dir.Dir("objects")
	if err != nil {
		return err
	}
	p.recorder = source.NewRecorder(objects, func(oid string, data []byte) error {
		b, err := r.store.Put(ctx, strings.NewReader(string(data)), kit.MaxBlob)
		if err == nil {
			p.large[oid] = kit.File{Kind: kit.Large, Name: oid, SHA256: b.SHA256, Size: b.Size}
		}
		return err
	})
	r.remote, err = gomod.NewShelvedRemote(p.filler, false, builder.PlainHTTP()...)
	return err
}

// own makes sure that what lies in the folder was gathered for the same request.
func (p *packing) own() error {
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return fault.Usagef(fault.Quote(p.dir), "cannot be written: %w", bare(err))
	}
	mark := filepath.Join(p.dir, "request")
	data, err := os.ReadFile(mark)
	switch {
	case errors.Is(err, os.ErrNotExist):
		err = os.WriteFile(mark, []byte(p.request), 0o600)
	case err == nil && string(data) != p.request:
		return fault.Usagef(fault.Quote(p.dir), "was begun for another kit").WithHint("remove the folder, or name another file with -o")
	}
	if err != nil {
		return fault.Usagef(fault.Quote(mark), "cannot be used: %w", bare(err))
	}
	return nil
}

func (p *packing) close() {
	if p.filler != nil {
		p.filler.Close()
	}
	if p.recorder != nil {
		p.recorder.Close()
	}
	if p.release != nil {
		p.release.close()
	}
}

// gather walks the chain as far as anything is read that is not on this machine. Only fetch steps are run.
func (r *run) gather(ctx context.Context) error {
	if r.req.Artefact != "" {
		if err := r.snapshot(ctx); err != nil {
			return err
		}
	}
	if err := r.openSource(ctx); err != nil {
		return err
	}
	if r.shipped != nil {
		if mod, ok := r.module(); ok {
			return r.packModule(ctx, mod)
		}
	}
	if err := r.findRecipe(ctx); err != nil {
		return err
	}
	out, err := rebuild.Gather(ctx, r.rebuildRequest(nil))
	r.outcome = out
	return err
}

// seal writes the document and the kit.
func (r *run) seal(ctx context.Context, req PackRequest) (*PackResult, error) {
	r.req.Progress("packing")
	p := r.req.packing
	d := &kit.Document{Tool: "glassbuild " + req.ToolVersion, Repository: source.DisplayName(r.where), Commit: r.commit.Facts().ID, History: r.need()&source.NeedHistory != 0}
	if err := r.parts(d); err != nil {
		return nil, err
	}
	made := &made{store: r.store, path: filepath.Join(p.dir, "made")}
	if err := r.sources(ctx, d, made); err != nil {
		return nil, err
	}
	if err := r.files(ctx, d, req, made); err != nil {
		return nil, err
	}
	s, err := kit.Seal(ctx, d, r.store)
	if err != nil {
		return nil, err
	}
	if req.Sign != nil {
		bundle, err := req.Sign(ctx, s.Manifest())
		if err != nil {
			return nil, err
		}
		if err := s.Attach(bundle); err != nil {
			return nil, err
		}
	}
	return &PackResult{Digest: s.Digest, Size: s.Size, Document: d}, writeKit(ctx, s, filepath.Join(p.dir, "kit"), req.Out)
}

// writeKit writes a kit to a temporary file and gives it its name when it is whole.
func writeKit(ctx context.Context, s *kit.Sealed, temporary, out string) error {
	f, err := os.OpenFile(temporary, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fault.Inconclusivef(fault.Quote(out), "cannot be written: %w", bare(err))
	}
	err = s.WriteTo(ctx, f)
	if cerr := f.Close(); err == nil && cerr != nil {
		err = fault.Inconclusivef(fault.Quote(out), "cannot be written: %w", bare(cerr))
	}
	if err != nil {
		return err
	}
	if err := os.Rename(temporary, out); err != nil {
		return fault.Inconclusivef(fault.Quote(out), "cannot be written: %w", bare(err))
	}
	return nil
}

// parts lists what was fetched: by name, and what else came into the store by its digest.
func (r *run) parts(d *kit.Document) error {
	p := r.req.packing
	p.filler.Fill(d)
	known := map[string]bool{}
	for _, f := range d.Files {
		known[f.SHA256] = true
	}
	for _, f := range p.large {
		d.Files = append(d.Files, f)
		known[f.SHA256] = true
	}
	for _, sum := range madeBefore(filepath.Join(p.dir, "made")) {
		known[sum] = true
	}
	all, err := r.store.Blobs()
	if err != nil {
		return err
	}
	labels := r.labels()
	for _, sum := range all {
		if known[sum] {
			continue
		}
		f, err := r.store.OpenBlob(sum)
		if err != nil {
			return err
		}
		st, err := f.Stat()
		f.Close()
		if err != nil {
			return fault.Inconclusivef("kit", "%w", bare(err))
		}
		d.Files = append(d.Files, kit.File{Kind: kit.Part, Name: labels[sum], SHA256: sum, Size: st.Size()})
	}
	return nil
}

// labels are what parts are called, for people.
func (r *run) labels() map[string]string {
	labels := map[string]string{}
	r.label(labels)
	if l := r.req.packing.release; l != nil {
		for _, b := range l.builds {
			b.label(labels)
		}
	}
	return labels
}

func (r *run) label(labels map[string]string) {
	if o := r.outcome; o != nil && o.Builder != nil {
		for _, l := range o.Builder.Layers {
			for _, p := range l.Parts {
				labels[strings.TrimPrefix(p.Digest, "sha256:")] = l.Name + " " + p.Name + " " + p.Version
			}
			if l.Name == "image" {
				labels[strings.TrimPrefix(l.Digest, "sha256:")] = "image manifest"
			}
		}
	}
	if r.recipe != nil && r.recipe.Lock != nil {
		for _, f := range r.recipe.Lock.Fetched {
			if labels[f.SHA256] == "" {
				labels[f.SHA256] = f.From + strings.TrimSuffix(" "+f.Path, " ")
			}
		}
	}
}

// sources packs the git objects that were read.
func (r *run) sources(ctx context.Context, d *kit.Document, to *made) error {
	list, err := r.req.packing.recorder.Recordings()
	if err != nil {
		return err
	}
	for _, rec := range list {
		b, err := to.put(ctx, rec.Pack)
		if err != nil {
			return err
		}
		s := kit.Source{Module: rec.Module, Origin: rec.Origin, Format: rec.Format, Objects: rec.Objects, SHA256: b.SHA256, Size: b.Size, Shallow: rec.Shallow}
		for _, ref := range rec.Refs {
			s.Refs = append(s.Refs, kit.Ref(ref))
		}
		d.Sources = append(d.Sources, s)
	}
	return nil
}

// files packs what was shipped and signed, and a recipe of the packer's own.
func (r *run) files(ctx context.Context, d *kit.Document, req PackRequest, to *made) error {
	add := func(kind, name string, write func(io.Writer) error) error {
		b, err := to.put(ctx, write)
		if err == nil {
			d.Files = append(d.Files, kit.File{Kind: kind, Name: name, SHA256: b.SHA256, Size: b.Size})
		}
		return err
	}
	if r.shipped != nil && !req.WithoutArtefact {
		if r.shipped.Root.Type != artifact.File {
			return fault.Usagef(fault.Quote(r.shipped.Name), "is a folder, and one member of it is to be judged: a kit holds files").WithHint("leave it out: --without-artefact")
		}
		err := add(kit.Artefact, r.shipped.Name, func(w io.Writer) error {
			c, err := r.shipped.Content(r.shipped.Root)
			if err != nil {
				return err
			}
			defer c.Close()
			_, err = io.Copy(w, io.NewSectionReader(c, 0, c.Size()))
			return err
		})
		if err != nil {
			return err
		}
	}
	list, err := r.packedEvidence(req)
	if err != nil {
		return err
	}
	if l := r.req.packing.release; l != nil && !req.WithoutArtefact {
		for _, f := range l.files {
			delete(list, l.laidAs(f.name))
			if err := add(kit.Artefact, l.laidAs(f.name), l.content(f)); err != nil {
				return err
			}
		}
		d.Release = l.arguments()
	}
	for _, name := range slices.Sorted(maps.Keys(list)) {
		if err := add(kit.Evidence, name, copyFrom(list[name])); err != nil {
			return err
		}
	}
	if req.RecipeFile == "" || strings.HasPrefix(req.RecipeFile, recipe.AtCommit) {
		return nil
	}
	if err := add(kit.Recipe, filepath.Base(req.RecipeFile), copyFrom(req.RecipeFile)); err != nil {
		return err
	}
	if r.recipe != nil && r.recipe.Recipe.Builder.Patch != nil {
		name := r.recipe.Recipe.Builder.Patch.File
		if err := add(kit.Recipe, name, copyFrom(filepath.Join(filepath.Dir(req.RecipeFile), name))); err != nil {
			return err
		}
	}
	if lock := strings.TrimSuffix(req.RecipeFile, ".toml") + ".lock"; r.recipe != nil && r.recipe.Lock != nil {
		return add(kit.Lock, filepath.Base(lock), copyFrom(lock))
	}
	return nil
}

// packedEvidence finds the files with signed statements, by the names that they get in the kit: what was named, and what lies beside what was shipped.
func (r *run) packedEvidence(req PackRequest) (map[string]string, error) {
	out := map[string]string{}
	take := func(below string, list []string) {
		for _, file := range list {
			if name := path.Join(below, filepath.Base(file)); out[name] == "" {
				out[name] = file
			}
		}
	}
	for _, place := range req.Evidence {
		st, err := os.Stat(place)
		list := []string{place}
		switch {
		case err != nil:
			return nil, fault.Usagef(fault.Quote(place), "cannot be read: %w", bare(err)).WithHint("a kit holds files: download what is attached to an image first")
		case st.IsDir():
			if list, err = evidenceFiles(place, nil); err != nil {
				return nil, err
			}
		}
		take("", list)
	}
	if l := r.req.packing.release; l != nil {
		return out, l.besideFiles(take)
	}
	if r.req.Artefact == "" {
		return out, nil
	}
	list, err := evidenceFiles(filepath.Dir(r.req.Artefact), nil)
	take("", list)
	return out, err
}

func copyFrom(path string) func(io.Writer) error {
	return func(w io.Writer) error {
		f, err := os.Open(path)
		if err != nil {
			return fault.Usagef(fault.Quote(path), "cannot be read: %w", bare(err))
		}
		defer f.Close()
		_, err = io.Copy(w, f)
		return err
	}
}

// made puts what is made for the kit into the store, and writes down its digests: whoever goes on tells it from what was fetched.
type made struct {
	store *store.Store
	path  string
}

func (m *made) put(ctx context.Context, write func(io.Writer) error) (store.Blob, error) {
	r, w := io.Pipe()
	go func() { w.CloseWithError(write(w)) }()
	b, err := m.store.Put(ctx, r, kit.MaxBlob)
	r.CloseWithError(io.ErrClosedPipe)
	if err != nil {
		return b, err
	}
	f, err := os.OpenFile(m.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = fmt.Fprintln(f, b.SHA256)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return b, fault.Inconclusivef(fault.Quote(m.path), "cannot be written: %w", bare(err))
	}
	return b, nil
}

func madeBefore(path string) []string {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	return strings.Fields(string(data))
}
