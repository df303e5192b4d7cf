package rebuild

import (
	"context"

	"github.com/glassbuild/glassbuild/internal/builder"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/recipe"
)

// MakeLock runs the fetch steps and writes down what they were served and what the builder is made of. It pins; it never
// vouches: every verification derives the vouchers again.
func MakeLock(ctx context.Context, req Request) (*recipe.Lock, error) {
	req.Lock = nil
	o := &Outcome{}
	for _, step := range []func(context.Context, Request) error{o.export, o.prepare, o.fetch} {
		if err := step(ctx, req); err != nil {
			return nil, err
		}
	}
	l := &recipe.Lock{Recipe: req.Recipe.Digest}
	for _, layer := range o.Builder.Layers {
		if layer.Digest != "" {
			l.Builder = append(l.Builder, recipe.Part{Name: layer.Name, Version: layer.Version, Digest: layer.Digest})
		}
	}
	if c := o.Inputs.Closure; c != nil {
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
	for _, p := range l.Builder {
		for _, layer := range root.Layers {
			if layer.Name == p.Name && layer.Digest != p.Digest {
				return fault.Inconclusivef("lock", "pins %s %s at %s, the builder has %s at %s", fault.Quote(p.Name), fault.Quote(p.Version), p.Digest, fault.Quote(layer.Version), layer.Digest).
					WithCheck(checkBuilder).WithHint("make the lock anew with glassbuild lock, and look at what changed")
			}
		}
	}
	return nil
}
