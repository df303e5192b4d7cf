package recipe

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/tomlfile"
)

// Chooser is who decided something. The zero value is nobody.
type Chooser string

// Who can decide a line of a recipe.
const (
	Auditor  Chooser = "auditor"  // a file that whoever verifies named
	Commit   Chooser = "commit"   // the file in the verified commit
	Artefact Chooser = "artefact" // the shipped file says so of itself
	BuiltIn  Chooser = "built-in" // a default of this program
	Registry Chooser = "registry" // what the registry says of exactly this file
)

// Request says where a recipe can come from.
type Request struct {
	Name     string                                         // name of the auditor's own file; "" for none
	Data     []byte                                         // its content
	Lock     []byte                                         // the lock beside it; nil for none
	ReadFile func(path string, limit int64) ([]byte, error) // reads a file of the commit; a missing one is fs.ErrNotExist
	Place    string                                         // path of the recipe at the commit; "" is FileName
	Dir      string                                         // folder of the auditor's own file, which what it names lies in
	Artefact *Inference                                     // the shipped binaries; nil when there are none
	Paths    func() ([]string, error)                       // lists the files of the commit; nil where nobody can
	Fits     func([]Artifact) Fit                           // holds artifacts against what was shipped; nil where nothing was
}

// AtCommit begins the name of a recipe that lies at the commit, under another path than FileName.
const AtCommit = "commit:"

// ReadOwn reads a recipe of the auditor's own and, where there is one, the lock beside it. A name that begins with AtCommit chooses one of
// the commit's.
func (in *Request) ReadOwn(path string) error {
	if place, ok := strings.CutPrefix(path, AtCommit); ok {
		if checkPath(place) != nil || place == "." {
			return fault.Usagef(fault.Quote(path), "is no path of a recipe at the commit").WithHint("for example: --recipe %sagent/%s", AtCommit, FileName)
		}
		in.Place = place
		return nil
	}
	var err error
	if in.Data, err = readSmall(path); err != nil {
		return fault.Usagef(fault.Quote(path), "cannot be read: %w", err)
	}
	in.Name, in.Dir = filepath.Base(path), filepath.Dir(path)
	lock := strings.TrimSuffix(path, ".toml") + ".lock"
	if in.Lock, err = readSmall(lock); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fault.Usagef(fault.Quote(lock), "cannot be read: %w", err)
	}
	return nil
}

// readSmall reads a file; its parser refuses what is too long.
func readSmall(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err == nil {
		defer f.Close()
		var data []byte
		if data, err = io.ReadAll(io.LimitReader(f, MaxLockBytes+1)); err == nil {
			return data, nil
		}
	}
	var p *os.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return nil, err
}

// Resolved is a recipe and where it comes from.
type Resolved struct {
	Recipe   *Recipe
	Lock     *Lock     // nil when there is none
	ChosenBy Chooser   // who gave the recipe as a whole
	Lines    []Line    // the canonical form line by line
	Inferred *Inferred // set when the artefact chose
	Place    string    // path of the recipe at the commit; "" where it is not from there
}

// Choose keeps one target of the recipe: the named one, or else the only one for which is says yes. A recipe without targets is as it was.
func (r *Resolved) Choose(name string, is func(Target) bool) error {
	if len(r.Recipe.Targets) == 0 {
		if name != "" {
			return fault.Usagef("--target", "the recipe has no targets")
		}
		return nil
	}
	var all []string
	var chosen []Target
	for _, t := range r.Recipe.Targets {
		all = append(all, t.Name)
		if name != "" && t.Name == name || name == "" && is(t) {
			chosen = append(chosen, t)
		}
	}
	hint := "the recipe's targets are: " + strings.Join(all, ", ")
	switch {
	case name != "" && len(chosen) == 0:
		return fault.Usagef("--target", "no target is called %s", fault.Quote(name)).WithHint("%s", hint)
	case len(chosen) == 0:
		return fault.Usagef("recipe", "none of its targets makes what was shipped; name one with --target").WithHint("%s", hint)
	case len(chosen) > 1:
		return fault.Usagef("recipe", "%d of its targets can be meant; name one with --target", len(chosen)).WithHint("%s", hint)
	}
	r.Recipe = r.Recipe.For(chosen[0])
	r.Lines = r.Recipe.lines()
	for i := range r.Lines {
		if r.Lines[i].path != "" {
			r.Lines[i].ChosenBy = r.ChosenBy
		}
	}
	return nil
}

// Resolve takes the auditor's recipe, else the commit's, else infers one from the artefact.
func Resolve(ctx context.Context, in Request) (*Resolved, error) {
	if in.Name != "" {
		return parsed(in.Name, in.Data, in.Name+" (lock)", in.Lock, Auditor, in.beside)
	}
	if in.ReadFile != nil {
		res, err := in.atCommit(ctx)
		if res != nil || err != nil {
			return res, err
		}
	}
	if in.Artefact == nil || len(in.Artefact.Binaries) == 0 && in.Artefact.Package == nil {
		return nil, fault.Usagef("recipe", "there is none: no file was named, the commit has no %s, and nothing shipped tells how it was built", FileName).
			WithHint("%s", in.missing(ctx))
	}
	inferred, err := Infer(ctx, *in.Artefact)
	if err != nil {
		return nil, err
	}
	return &Resolved{Recipe: inferred.Recipe, ChosenBy: Artefact, Lines: inferred.Lines, Inferred: inferred}, nil
}

// atCommit reads the commit's recipe; nil where it has none.
func (in *Request) atCommit(ctx context.Context) (*Resolved, error) {
	name := in.Place
	if name == "" {
		if name = FileName; in.Fits != nil {
			var err error
			if name, err = in.choosePlace(ctx); name == "" || err != nil {
				return nil, err
			}
		}
	}
	data, err := in.ReadFile(name, tomlfile.MaxBytes+1)
	if errors.Is(err, fs.ErrNotExist) {
		if in.Place != "" {
			return nil, fault.Usagef(fault.Quote(in.Place), "the commit has no such recipe")
		}
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	lockName := strings.TrimSuffix(name, ".toml") + ".lock"
	lock, err := in.ReadFile(lockName, MaxLockBytes+1)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	res, err := parsed(name, data, lockName, lock, Commit, func(beside string, limit int64) ([]byte, error) {
		return in.ReadFile(path.Join(path.Dir(name), beside), limit)
	})
	if err == nil {
		res.Place = name
	}
	return res, err
}

// missing says what to do where no recipe was found.
func (in *Request) missing(ctx context.Context) string {
	if all, err := in.others(ctx); err == nil && len(all) > 0 {
		return "the commit holds other recipes; name one with --recipe: " + strings.Join(asNamed(all), ", ")
	}
	return "write one, or let `glassbuild init` do it"
}

func parsed(name string, data []byte, lockName string, lock []byte, by Chooser, beside func(string, int64) ([]byte, error)) (*Resolved, error) {
	r, err := Parse(name, data)
	if err != nil {
		return nil, err
	}
	if err := r.readPatch(beside); err != nil {
		return nil, err
	}
	out := &Resolved{Recipe: r, ChosenBy: by, Lines: r.lines()}
	for i := range out.Lines {
		if out.Lines[i].path != "" {
			out.Lines[i].ChosenBy = by
		}
	}
	if lock != nil {
		if out.Lock, err = ParseLock(lockName, lock); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// beside reads a file that lies beside the auditor's own recipe.
func (in *Request) beside(name string, limit int64) ([]byte, error) {
	root, err := os.OpenRoot(in.Dir)
	if err != nil {
		return nil, fault.Usagef(fault.Quote(in.Dir), "cannot be read")
	}
	defer root.Close()
	st, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, fault.Usagef(fault.Quote(name), "is no plain file")
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}

// readPatch reads the patch that the recipe names, which must be exactly the one that it means.
func (r *Recipe) readPatch(beside func(string, int64) ([]byte, error)) error {
	p := r.Builder.Patch
	if p == nil {
		return nil
	}
	object := fault.Quote(p.File)
	data, err := beside(p.File, MaxPatchBytes+1)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fault.Inconclusivef(object, "the recipe names this patch, and there is no such file beside it")
	case err != nil:
		return err
	case len(data) > MaxPatchBytes:
		return fault.Failf(object, "exceeds limit: at most %d bytes", MaxPatchBytes)
	case digest(data) != p.SHA256:
		return fault.Failf(object, "has the SHA-256 %s, the recipe says %s", digest(data), p.SHA256).
			WithHint("look at what changed; a patch is named by its digest because it changes what the compiler does")
	}
	r.PatchText = data
	return nil
}
