package verify

import (
	"context"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/recipe"
)

// InitRequest says what to write a recipe from.
type InitRequest struct {
	From               string // a shipped Go binary, or a tarball of the npm registry
	Repository, Commit string
	Node, NPM          string // for a tarball of the npm registry: what it was packed with
	CacheDir           string
	Progress           func(format string, args ...any)
}

// InitResult is a recipe and what the reader should know of it.
type InitResult struct {
	Text  []byte
	Notes []string
}

// Init writes the recipe that a shipped Go binary, or a tarball of the npm registry, asks for. Nothing of the vendor's is run.
func Init(ctx context.Context, req InitRequest) (*InitResult, error) {
	if req.From == "" {
		return nil, fault.Usagef("init", "--from is missing: a recipe is written from a shipped Go binary or npm tarball").
			WithHint("docs/recipe.md shows how to write one by hand")
	}
	r, err := begin(ctx, Request{Artefact: req.From, Repository: req.Repository, Commit: req.Commit, Node: req.Node, NPM: req.NPM, CacheDir: req.CacheDir, Progress: req.Progress})
	if err != nil {
		return nil, err
	}
	defer r.close()
	for _, link := range []func(context.Context) error{r.snapshot, r.openSource} {
		if err := link(ctx); err != nil {
			return nil, err
		}
	}
	inference, done, err := r.inference(ctx)
	defer done()
	if err != nil {
		return nil, err
	}
	inferred, err := recipe.Infer(ctx, inference)
	if err != nil {
		return nil, err
	}
	res := &InitResult{Text: inferred.TOML()}
	for _, list := range [][]string{inferred.Unknown, inferred.Refused, inferred.Contradictions} {
		res.Notes = append(res.Notes, list...)
	}
	return res, nil
}
