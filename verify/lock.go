package verify

import (
	"context"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/rebuild"
)

// Lock runs the fetch steps of a commit's recipe and returns the lock: every fetched file and every part of the builder,
// by digest. Only Repository, Commit, RecipeFile, PolicyFile, Offline, CacheDir and Progress of the request are used.
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
	l, err := rebuild.MakeLock(ctx, r.rebuildRequest(nil))
	if err != nil {
		return nil, err
	}
	return l.TOML(), nil
}
