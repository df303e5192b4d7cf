package verify

import (
	"context"
	"os"
	"slices"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/rebuild"
	"github.com/glassbuild/glassbuild/internal/recipe"
)

// maxBuildinfo bounds a .buildinfo file; its parser refuses what is longer than it reads.
const maxBuildinfo = 8 << 20

// Lock runs the fetch steps of a commit's recipe and returns the lock: every fetched file and every part of the builder,
// by digest. Only Repository, Commit, RecipeFile, PolicyFile, Buildinfo, Offline, CacheDir and Progress of the request are used.
func Lock(ctx context.Context, req Request) ([]byte, error) {
	req.Artefact, req.Member, req.Keep = "", "", ""
	if req.Commit == "" {
		return nil, fault.Usagef("lock", "--commit is missing").WithHint("git rev-parse HEAD prints the full id of the current one")
	}
	r, err := begin(ctx, req)
	if err != nil {
		return nil, err
	}
	defer r.close()
	for _, link := range []func(context.Context) error{r.openSource, r.findRecipe} {
		if err := link(ctx); err != nil {
			return nil, err
		}
	}
	work := r.rebuildRequest(nil)
	if req.Buildinfo != "" {
		f, err := os.Open(req.Buildinfo)
		if err != nil {
			return nil, fault.Usagef(fault.Quote(req.Buildinfo), "cannot be read: %w", bare(err))
		}
		defer f.Close()
		if work.Buildinfo, err = readAtMost(f, maxBuildinfo); err != nil {
			return nil, fault.Usagef(fault.Quote(req.Buildinfo), "cannot be read: %w", bare(err))
		}
	}
	if len(work.Recipe.Targets) == 0 {
		l, err := rebuild.MakeLock(ctx, work)
		if err != nil {
			return nil, err
		}
		return l.TOML(), nil
	}
	return lockTargets(ctx, work)
}

// lockTargets makes one lock for every target: each may fetch something of its own.
func lockTargets(ctx context.Context, work rebuild.Request) ([]byte, error) {
	var all *recipe.Lock
	whole := work.Recipe
	for _, t := range whole.Targets {
		work.Recipe = whole.For(t)
		l, err := rebuild.MakeLock(ctx, work)
		if err != nil {
			return nil, err
		}
		if all == nil {
			all = l
			continue
		}
		for _, p := range l.Builder {
			if !slices.Contains(all.Builder, p) {
				all.Builder = append(all.Builder, p)
			}
		}
		for _, f := range l.Fetched {
			if !slices.Contains(all.Fetched, f) {
				all.Fetched = append(all.Fetched, f)
			}
		}
	}
	return all.TOML(), nil
}
