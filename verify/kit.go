package verify

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/gomod"
	"github.com/glassbuild/glassbuild/internal/kit"
	"github.com/glassbuild/glassbuild/internal/oci"
	"github.com/glassbuild/glassbuild/internal/source"
	"github.com/glassbuild/glassbuild/internal/store"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// A kit stands in the place of everything that is not the auditor's own: the repository, the network, and the cache. All of it lies in
// the run's private folder, so that nothing of a kit outlives the run, and nothing of an earlier one is taken for the kit's
// (F4, F7). What is trusted comes from the policy, from the trusted root and from this program, as ever.

// opened is a kit that is being verified.
type opened struct {
	*kit.Kit
	repository string   // folder of the repository that was laid
	name       string   // what the verdict calls it
	release    []string // what names the release that is in it; nil where one file is judged
}

// openKit reads the kit and lets it stand in the place of the rest.
func (r *run) openKit(ctx context.Context) error {
	r.req.Progress("opening the kit %s", fault.Quote(filepath.Base(r.req.Kit)))
	client, err := gomod.NewRemote(r.req.Offline)
	if err != nil {
		return err
	}
	place, err := kit.At(r.req.Kit, oci.Options{Remote: client})
	if err != nil {
		return err
	}
	defer place.Close()
	dir, err := r.dir.Dir("kit")
	if err != nil {
		return err
	}
	if r.store, err = store.Open(filepath.Join(dir, "store")); err != nil {
		return err
	}
	k, err := kit.Open(ctx, place, r.store)
	if err != nil {
		return err
	}
	r.kit = &opened{Kit: k}
	if err := r.nameRepository(); err != nil {
		return err
	}
	if r.kit.repository, err = restore(ctx, k.Document, r.store, filepath.Join(dir, "repository")); err != nil {
		return err
	}
	if err := r.takeFromKit(dir); err != nil {
		return err
	}
	r.req.Offline = true
	r.remote, err = gomod.NewShelvedRemote(k.Document.Shelf(r.store), true)
	return err
}

// nameRepository finds what the verdict calls the repository. That a kit is of a certain address is a claim of whoever packed it: the
// verdict repeats it only where the auditor says the same.
func (r *run) nameRepository() error {
	said, own := r.kit.Document.Repository, r.req.Repository
	switch {
	case own == "" && strings.Contains(said, "://"):
		r.kit.name = "unnamed"
		r.notes = append(r.notes, "the kit says that it was packed from "+fault.Quote(said)+"; --repo puts the address into the verdict")
	case own == "":
		r.kit.name = said
	case source.DisplayName(own) != said:
		return fault.Usagef("--repo", "the kit was packed from %s, not from %s", fault.Quote(said), fault.Quote(source.DisplayName(own))).
			WithHint("leave --repo out, or verify without the kit")
	default:
		r.kit.name = said
	}
	return nil
}

// restore lays the repository of a kit, with those of its submodules inside as git keeps them.
func restore(ctx context.Context, d *kit.Document, blobs *store.Store, dir string) (string, error) {
	large := map[string]string{}
	for _, f := range d.Of(kit.Large) {
		path, err := blobs.BlobFile(f.SHA256)
		if err != nil {
			return "", err
		}
		large[f.SHA256] = path
	}
	for _, s := range d.Sources {
		rec := source.Recording{Module: s.Module, Origin: s.Origin, Format: s.Format, Shallow: s.Shallow}
		for _, ref := range s.Refs {
			rec.Refs = append(rec.Refs, source.Ref(ref))
		}
		pack, err := blobs.OpenBlob(s.SHA256)
		if err != nil {
			return "", err
		}
		err = source.Restore(ctx, dir, rec, pack, large)
		pack.Close()
		if err != nil {
			return "", err
		}
	}
	return dir, nil
}

// takeFromKit finds what was shipped and what was signed, where the auditor did not bring it, and says what is not taken.
func (r *run) takeFromKit(dir string) error {
	folder := filepath.Join(dir, "release")
	d := r.kit.Document
	if err := layFiles(folder, append(d.Of(kit.Artefact), d.Of(kit.Evidence)...), r.store); err != nil {
		return err
	}
	list := d.Of(kit.Artefact)
	switch {
	case r.req.Artefact != "":
		// evidence beside the artefact is the auditor's; that of the kit comes on top
		if len(d.Of(kit.Evidence)) > 0 && (r.policy.Provenance != nil || r.policy.Quorum != nil) {
			r.req.Evidence = append(r.req.Evidence, foldersOf(folder, d.Of(kit.Evidence))...)
		}
	case len(d.Release) > 0:
		r.kit.release = releaseOf(d, folder)
	case len(list) == 1:
		r.req.Artefact = filepath.Join(folder, list[0].Name)
	default:
		return fault.Usagef("verify", "the kit holds %d artefacts: name the file that is to be judged", len(list))
	}
	for _, name := range r.kit.Ignored {
		r.notes = append(r.notes, "ignored in the kit: "+name+"; a kit supplies bytes, never trust")
	}
	if len(d.Of(kit.Recipe)) > 0 && r.req.RecipeFile == "" {
		r.notes = append(r.notes, "the kit holds a recipe that is not in the commit; it is not used unless you read it and name it: glassbuild kit unpack, then --recipe")
	}
	return nil
}

// layFiles gives stored files the names that they have outside.
func layFiles(dir string, list []kit.File, blobs *store.Store) error {
	for _, f := range list {
		to := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return fault.Inconclusivef("kit", "%w", bare(err))
		}
		if err := layFile(to, f, blobs); err != nil {
			return err
		}
	}
	return nil
}

// foldersOf are the folders in which files were laid.
func foldersOf(dir string, list []kit.File) []string {
	var out []string
	for _, f := range list {
		if in := filepath.Dir(filepath.Join(dir, filepath.FromSlash(f.Name))); !slices.Contains(out, in) {
			out = append(out, in)
		}
	}
	return out
}

func layFile(path string, f kit.File, blobs *store.Store) error {
	from, err := blobs.OpenBlob(f.SHA256)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fault.Inconclusivef(fault.Quote(f.Name), "cannot be written: %w", bare(err))
	}
	_, err = io.Copy(to, from)
	if err = errors.Join(err, to.Close()); err != nil {
		return fault.Inconclusivef(fault.Quote(f.Name), "cannot be written: %w", bare(err))
	}
	return nil
}

// notInKit says what to do where a kit was packed for another policy than the one that judges it.
func (r *run) notInKit(err error) error {
	var f *fault.Error
	if r.kit == nil || !errors.As(err, &f) || f.Class != fault.Inconclusive || !errors.Is(err, fs.ErrNotExist) && f.Check != verdict.CheckObjects {
		return err
	}
	return f.WithHint("the kit may have been packed without what this policy asks for: glassbuild kit pack --policy FILE records what a policy asks for")
}
