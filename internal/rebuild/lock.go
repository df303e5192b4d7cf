package rebuild

import (
	"context"
	"strings"

	"github.com/glassbuild/glassbuild/internal/builder"
	"github.com/glassbuild/glassbuild/internal/builder/debian"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/recipe"
)

// MakeLock runs the fetch steps and writes down what they were served and what the builder is made of. It pins; it never
// vouches: every verification derives the vouchers again.
func MakeLock(ctx context.Context, req Request) (*recipe.Lock, error) {
	req.Lock, req.resolve = nil, true
	if req.Buildinfo != nil && req.Recipe.Builder.Debian == nil {
		return nil, fault.Usagef("buildinfo", "names Debian packages, and the recipe's builder has none")
	}
	o := &Outcome{}
	for _, step := range []func(context.Context, Request) error{o.export, o.prepare, o.fetch} {
		if err := step(ctx, req); err != nil {
			return nil, err
		}
	}
	l := &recipe.Lock{Recipe: req.Recipe.LockDigest()}
	for _, layer := range o.Builder.Layers {
		if layer.Digest != "" {
			l.Builder = append(l.Builder, recipe.Part{Name: layer.Name, Version: layer.Version, Digest: layer.Digest})
		}
		for _, p := range layer.Parts {
			l.Builder = append(l.Builder, recipe.Part{Name: p.Name, Version: p.Version, Digest: p.Digest})
		}
	}
	l.Fetched = append(l.Fetched, o.pinnedFiles...)
	for _, c := range o.Inputs.Closures {
		for _, e := range c.Entries {
			l.Fetched = append(l.Fetched, recipe.Fetched{From: c.Ecosystem, Path: "/" + e.Path, SHA256: e.SHA256, Size: e.Size})
		}
	}
	// what is written must be readable: the same checks as for a lock of anybody else's
	return recipe.ParseLock(recipe.LockFileName, l.TOML())
}

// pinned holds the builder against the lock: a part that the lock names must be exactly that one.
func pinned(l *recipe.Lock, root *builder.Root) error {
	if l == nil {
		return nil
	}
	have := map[string]builder.Part{}
	for _, layer := range root.Layers {
		for _, p := range layer.Parts {
			have[p.Name] = p
		}
	}
	for _, layer := range root.Layers { // a layer's own name goes before a part's
		have[layer.Name] = builder.Part{Name: layer.Name, Version: layer.Version, Digest: layer.Digest}
	}
	for _, p := range l.Builder {
		if h, ok := have[p.Name]; ok && h.Digest != p.Digest {
			return fault.Inconclusivef("lock", "pins %s %s at %s, the builder has %s at %s", fault.Quote(p.Name), fault.Quote(p.Version), p.Digest, fault.Quote(h.Version), h.Digest).
				WithCheck(checkBuilder).WithHint("make the lock anew with glassbuild lock, and look at what changed")
		}
	}
	return nil
}

// pins are the digests that a lock names for parts of the builder.
func pins(l *recipe.Lock) map[string]string {
	if l == nil {
		return nil
	}
	list := map[string]string{}
	for _, p := range l.Builder {
		list[p.Name] = p.Digest
	}
	return list
}

// lockFits refuses a lock that was made for another recipe, where the builder is taken from it.
func lockFits(req Request) error {
	if req.Lock == nil || req.Recipe.Builder.Debian == nil || req.Lock.Recipe == req.Recipe.LockDigest() {
		return nil
	}
	return otherRecipe(req)
}

func otherRecipe(req Request) error {
	return fault.Inconclusivef("lock", "was made for another recipe (%.12s), not for this one (%.12s)", req.Lock.Recipe, req.Recipe.LockDigest()).
		WithHint("whoever changes the recipe must make the lock anew")
}

// fromDebian is what a lock calls the archive that packages come from.
const fromDebian = "debian"

// debianPins are the files that the lock names; whoever makes a lock has them chosen now.
func (o *Outcome) debianPins(ctx context.Context, req Request, want builder.Request, opts builder.Options) (*builder.DebianPins, error) {
	if req.Choose && req.Lock == nil {
		if l := o.chosenBefore(req); l != nil {
			req.Lock = l
		} else {
			req.resolve = true
			defer func() { o.keepChoice(req) }()
		}
	}
	if req.resolve {
		req.Step("choosing versions of Debian packages")
		if req.Buildinfo != nil {
			var err error
			if want.Debian.Wanted, err = debian.ParseBuildinfo(req.Buildinfo); err != nil {
				return nil, err
			}
			want.Debian.Exact = true
		}
		pins, err := builder.ResolveDebian(ctx, want.Debian, want.Platform, opts)
		if err != nil {
			return nil, err
		}
		for _, f := range append([]builder.PinnedFile{pins.Release, pins.Index}, pins.Packages...) {
			o.pinnedFiles = append(o.pinnedFiles, recipe.Fetched{From: fromDebian, Path: "/" + f.Path, SHA256: f.SHA256, Size: f.Size})
		}
		return pins, nil
	}
	if req.Lock == nil {
		return nil, nil
	}
	pins := &builder.DebianPins{}
	for _, f := range req.Lock.Fetched {
		if f.From != fromDebian {
			continue
		}
		file := builder.PinnedFile{Path: strings.TrimPrefix(f.Path, "/"), SHA256: f.SHA256, Size: f.Size}
		switch {
		case strings.HasPrefix(file.Path, "dists/") && strings.HasSuffix(file.Path, "/InRelease"):
			pins.Release = file
		case strings.HasPrefix(file.Path, "dists/"):
			pins.Index = file
		default:
			pins.Packages = append(pins.Packages, file)
		}
	}
	if pins.Release.SHA256 == "" || pins.Index.SHA256 == "" || len(pins.Packages) == 0 {
		return nil, fault.Inconclusivef("lock", "names no Release file, no index or no packages of %s", fault.Quote(want.Debian.Suite)).
			WithHint("make the lock anew with glassbuild lock")
	}
	return pins, nil
}

// chosenKind is the kind of the store's results that say which versions were chosen for a recipe without a lock.
const chosenKind = "chosen"

// chosenBefore returns what was chosen for this recipe earlier; nil for nothing, or when it is to be chosen anew.
func (o *Outcome) chosenBefore(req Request) *recipe.Lock {
	data, ok := req.Store.Result(chosenKind, recipe.Builder{Debian: req.Recipe.Builder.Debian}.Key())
	if !ok || req.Fresh && !req.Remote.Offline() {
		return nil
	}
	l, err := recipe.ParseLock(recipe.LockFileName, data)
	if err != nil {
		return nil
	}
	return l
}

// keepChoice writes down what was chosen. A store that cannot be written costs time later, never a verdict now.
func (o *Outcome) keepChoice(req Request) {
	if len(o.pinnedFiles) > 0 {
		l := &recipe.Lock{Recipe: req.Recipe.Digest, Fetched: o.pinnedFiles}
		req.Store.PutResult(chosenKind, recipe.Builder{Debian: req.Recipe.Builder.Debian}.Key(), l.TOML())
	}
}
