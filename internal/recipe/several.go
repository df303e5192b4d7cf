package recipe

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/tomlfile"
)

// Fit says how well the artifacts of a recipe fit what was shipped. The zero value is not at all.
type Fit int

// How a recipe can fit.
const (
	NoFit  Fit = iota
	Placed     // one of its files has a place in what was shipped
	Named      // it makes a file of that name
)

// folder is where a repository can keep several recipes side by side.
const folder = "glassbuild"

// isRecipe tells whether a path of the commit is that of a recipe: FileName in any folder, or any .toml in the folder glassbuild at the root.
func isRecipe(p string) bool {
	return path.Base(p) == FileName || path.Dir(p) == folder && path.Ext(p) == ".toml"
}

// choosePlace finds out which of the commit's recipes makes what was shipped: the one that makes a file of its name, else the one that has
// a place in it. The one at the root goes before the others that fit as well, and is the one to take where none fits; "" where there is
// none. That two others fit equally well is for a person to settle.
func (in *Request) choosePlace(ctx context.Context) (string, error) {
	fit, err := in.fit(FileName)
	if fit == Named || err != nil && !errors.Is(err, fs.ErrNotExist) {
		return FileName, nil // its own faults are told when it is taken
	}
	root := err == nil
	all, err := in.others(ctx)
	if err != nil {
		return "", err
	}
	fits := map[Fit][]string{fit: {FileName}}
	if !root {
		fits = map[Fit][]string{}
	}
	for _, p := range all {
		f, err := in.fit(p)
		if err == nil && !(f == Placed && fit == Placed) { // one that cannot be read is not the one; a person can still name it
			fits[f] = append(fits[f], p)
		}
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
	}
	for _, f := range []Fit{Named, Placed} {
		switch list := fits[f]; len(list) {
		case 0:
		case 1:
			return list[0], nil
		default:
			return "", fault.Inconclusivef("recipe", "%d recipes of the commit can be meant", len(list)).
				WithHint("name one with --recipe: %s", strings.Join(asNamed(list), ", "))
		}
	}
	if root {
		return FileName, nil
	}
	return "", nil
}

// fit reads a recipe of the commit and says how well it fits.
func (in *Request) fit(place string) (Fit, error) {
	data, err := in.ReadFile(place, tomlfile.MaxBytes+1)
	if err != nil {
		return NoFit, err
	}
	r, err := Parse(place, data)
	if err != nil {
		return NoFit, err
	}
	best := in.Fits(r.Artifacts)
	for _, t := range r.Targets {
		best = max(best, in.Fits(t.Artifacts))
	}
	return best, nil
}

// others lists the recipes of the commit but for the one at the root, sorted.
func (in *Request) others(ctx context.Context) ([]string, error) {
	if in.Paths == nil {
		return nil, ctx.Err()
	}
	all, err := in.Paths()
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(slices.Clone(all), func(p string) bool { return p == FileName || !isRecipe(p) })
	if len(all) > maxRecipes {
		return nil, fault.Inconclusivef("recipe", "the commit holds more than %d", maxRecipes).WithHint("name one with --recipe %sPATH", AtCommit)
	}
	slices.Sort(all)
	return all, nil
}

// Naming lists the recipes of the commit, but for the one at the root, that make a file of a name that Fits knows.
func (in *Request) Naming(ctx context.Context) ([]string, error) {
	all, err := in.others(ctx)
	return slices.DeleteFunc(all, func(p string) bool {
		f, err := in.fit(p)
		return f != Named || err != nil
	}), err
}

// asNamed writes places as --recipe takes them.
func asNamed(places []string) []string {
	var list []string
	for _, p := range places {
		list = append(list, fault.Quote(AtCommit+p))
	}
	return list
}
