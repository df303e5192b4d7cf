package verify

import (
	"context"
	"slices"

	"github.com/glassbuild/glassbuild/internal/verdict"
)

// buildIDBytes bounds a difference that another spelling of the linker's flags can explain: the Go build id holds four
// base64 digests of 20 characters, and what is hashed from it adds a little.
const buildIDBytes = 256

// otherSpellings tries the recipes that differ from the inferred one only in how -ldflags was written ("-s" against "-s -w").
// The build info leaves that out, yet it is hashed into the build id. Each of them takes nothing from the artefact that
// the first one did not.
func (r *run) otherSpellings(ctx context.Context) error {
	i := r.recipe.Inferred
	if i == nil || !r.onlyBuildID() && !r.onlyContainer(ctx) {
		return nil
	}
	facts, resolved, outcome := r.facts, r.recipe, r.outcome
	for _, alt := range i.Alternatives {
		other := *resolved
		other.Recipe, other.Lines = alt, alt.ChosenLines(resolved.Lines)
		r.facts.Problems = slices.Clone(facts.Problems)
		r.takeRecipe(&other)
		if err := r.rebuild(ctx); err != nil {
			return err
		}
		if err := r.compare(ctx); err != nil {
			return err
		}
		if r.facts.Comparison.Counts[verdict.Different] == 0 {
			return nil
		}
	}
	r.facts, r.recipe, r.outcome = facts, resolved, outcome
	return nil
}

// onlyBuildID tells whether every differing member has the right size and differs in a handful of bytes.
func (r *run) onlyBuildID() bool {
	found := false
	for _, m := range r.facts.Comparison.Members {
		if m.State != verdict.Different {
			continue
		}
		d := m.Difference
		if d == nil || d.Rebuilt.Size != m.Size || d.Bytes > buildIDBytes {
			return false
		}
		found = true
	}
	return found
}
