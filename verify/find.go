package verify

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/glassbuild/glassbuild/internal/artifact"
	"github.com/glassbuild/glassbuild/internal/builder"
	"github.com/glassbuild/glassbuild/internal/component"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/gomod"
	"github.com/glassbuild/glassbuild/internal/oci"
	"github.com/glassbuild/glassbuild/internal/store"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// Found is what a search for components gave; Findings come with the worst first.
type Found = component.Report

// FindRequest says what is looked for, and where.
type FindRequest struct {
	Where    string   // folder, file or image; "" only prepares
	Of       []string // files and folders of releases, prepared indexes, verdicts that passed, images
	Offline  bool
	CacheDir string // "" is the user's cache folder
	Progress func(format string, args ...any)
}

// Find says which components of the releases lie in the product, and which state each is in. It verifies nothing: a
// release is what the caller names, and the answer is as good as that.
func Find(ctx context.Context, req FindRequest) (*Found, error) {
	f, err := newFinder(ctx, req)
	if err != nil {
		return nil, err
	}
	defer f.run.Close()
	a, done, err := f.open(ctx, req.Where)
	if err != nil {
		return nil, err
	}
	defer done()
	dir, err := f.run.Dir("carved")
	if err != nil {
		return nil, err
	}
	f.req.Progress("searching %s", fault.Quote(a.Name))
	return f.index.Search(ctx, a, dir)
}

// PrepareFind returns the index of the releases as a file, so that they need not be read and taken apart again.
func PrepareFind(ctx context.Context, req FindRequest) ([]byte, error) {
	f, err := newFinder(ctx, req)
	if err != nil {
		return nil, err
	}
	defer f.run.Close()
	return f.index.Marshal()
}

type finder struct {
	req   FindRequest
	run   *store.Run
	index component.Index
}

func newFinder(ctx context.Context, req FindRequest) (*finder, error) {
	if req.Progress == nil {
		req.Progress = func(string, ...any) {}
	}
	if len(req.Of) == 0 {
		return nil, fault.Usagef("--of", "no release named").WithHint("--of takes files and folders of a release, a prepared index, or a verdict that passed")
	}
	dir := req.CacheDir
	if dir == "" {
		var err error
		if dir, err = store.DefaultDir(); err != nil {
			return nil, err
		}
	}
	st, err := store.Open(dir)
	if err != nil {
		return nil, err
	}
	f := &finder{req: req}
	if f.run, err = st.NewRun(); err != nil {
		return nil, err
	}
	for _, name := range req.Of {
		if err := f.add(ctx, name); err != nil {
			f.run.Close()
			return nil, err
		}
	}
	return f, nil
}

// add takes one release into the index.
func (f *finder) add(ctx context.Context, name string) error {
	if data, err := small(name); err == nil && component.IsIndex(data) {
		return f.index.Load(filepath.Base(name), data)
	} else if err == nil && len(data) > 0 && data[0] == '{' {
		if v, verr := parseVerdict(name, data); verr == nil {
			return f.verdict(filepath.Base(name), digestOf(data), v)
		}
	}
	f.req.Progress("taking %s apart", fault.Quote(filepath.Base(name)))
	a, done, err := f.open(ctx, name)
	if err != nil {
		return err
	}
	defer done()
	return f.index.Add(ctx, a)
}

// small reads a file that could be an index or a verdict: both are JSON.
func small(name string) ([]byte, error) {
	in, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	var head [1]byte
	if _, err := io.ReadFull(in, head[:]); err != nil || head[0] != '{' {
		return nil, errors.New("no JSON")
	}
	rest, err := io.ReadAll(io.LimitReader(in, maxJSON))
	return append(head[:], rest...), err
}

// verdict takes what a verdict says was rebuilt bit for bit. A verdict that did not pass names nothing that was audited.
func (f *finder) verdict(name, sum string, v *Verdict) error {
	if v.Result != verdict.Passed || v.Scope == verdict.ScopeCheck {
		return fault.Usagef(fault.Quote(name), "is a verdict that did not pass, or rests on no rebuild")
	}
	var files []component.File
	if v.Scope == "" && v.Match == verdict.MatchIdentical {
		files = append(files, component.File{Path: v.Subject.Name, SHA256: v.Subject.SHA256})
	}
	if v.Comparison != nil {
		for _, m := range v.Comparison.Members {
			if m.State == verdict.Identical && m.SHA256 != "" && m.Size > 0 && m.SHA256 != v.Subject.SHA256 {
				files = append(files, component.File{Path: m.Path, SHA256: m.SHA256})
			}
		}
	}
	return f.index.AddDigests(name, sum, files)
}

// open opens a file in place, a folder by a copy, and an image by its reference. The file must not change meanwhile.
func (f *finder) open(ctx context.Context, where string) (*artifact.Artifact, func(), error) {
	st, err := os.Stat(where)
	if errors.Is(err, fs.ErrNotExist) && oci.IsReference(where) {
		dir, perr := f.pull(ctx, where)
		if perr != nil {
			return nil, nil, perr
		}
		where = dir
		st, err = os.Stat(dir)
	}
	if err != nil {
		return nil, nil, fault.Usagef(fault.Quote(where), "cannot be read: %w", bare(err))
	}
	dir, err := f.run.Dir("find")
	if err != nil {
		return nil, nil, err
	}
	name := filepath.Base(filepath.Clean(where))
	f.req.Progress("opening %s", fault.Quote(name))
	if !st.Mode().IsRegular() {
		a, err := artifact.Open(ctx, where, artifact.Options{Dir: dir, Name: name})
		if err != nil {
			return nil, nil, asInconclusive(err)
		}
		return a, func() { a.Close() }, nil
	}
	in, err := os.Open(where)
	if err != nil {
		return nil, nil, fault.Usagef(fault.Quote(where), "cannot be read: %w", bare(err))
	}
	a, err := artifact.Inspect(ctx, in, st.Size(), artifact.Options{Dir: dir, Name: name})
	if err != nil {
		in.Close()
		return nil, nil, asInconclusive(err)
	}
	return a, func() { a.Close(); in.Close() }, nil
}

// asInconclusive: a product that cannot be opened is no altered one.
func asInconclusive(err error) error {
	var e *fault.Error
	if errors.As(err, &e) && e.Class == fault.Failed {
		other := *e
		other.Class = fault.Inconclusive
		return &other
	}
	return err
}

// pull fetches an image.
func (f *finder) pull(ctx context.Context, text string) (string, error) {
	ref, err := oci.Parse(text)
	if err != nil {
		return "", err
	}
	client, err := gomod.NewRemote(f.req.Offline, builder.PlainHTTP()...)
	if err != nil {
		return "", err
	}
	place, err := oci.Open(ref, oci.Options{Remote: client})
	if err != nil {
		return "", err
	}
	defer place.Close()
	dir, err := f.run.Dir("image")
	if err != nil {
		return "", err
	}
	return dir, artifact.Pull(ctx, place, dir)
}
