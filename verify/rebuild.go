package verify

import (
	"context"

	"github.com/glassbuild/glassbuild/internal/findings"
	"github.com/glassbuild/glassbuild/internal/rebuild"
)

// rebuild runs the recipe and writes down what came of it, also when it ended too early.
func (r *run) rebuild(ctx context.Context) error {
	out, err := rebuild.Do(ctx, r.rebuildRequest(nil))
	r.outcome = out
	if terr := findings.Tree(r.facts.Source, out.Tree, out.TreeDir); err == nil {
		err = terr
	}
	r.facts.Builder, r.facts.Inputs = findings.Builder(out.Builder), findings.Inputs(out.Inputs)
	if err != nil {
		return err
	}
	r.facts.Rebuild = findings.Runs(out, r.commit.Facts().Tags, r.tagFact)
	r.facts.Rebuild.Refused = findings.Refused(out)
	if r.policy.Rebuild.DemandsSandbox() {
		r.facts.Rebuild.Sandbox = findings.Sandbox(out)
	}
	if r.facts.Rebuild.Account, err = findings.Account(out, r.facts.Source); err != nil {
		return err
	}
	if r.facts.Rebuild.Origins, err = findings.Origins(ctx, out, r.store, r.dir); err != nil {
		return err
	}
	r.req.Progress("looking for copies among the inputs")
	r.facts.Rebuild.Copies, err = findings.Copies(ctx, out, r.store, r.dir)
	r.facts.Rebuild.CopyCheck = err == nil
	return err
}

func (r *run) rebuildRequest(shell rebuild.Shell) rebuild.Request {
	vary := r.vary
	if vary == nil {
		vary, _ = rebuild.ParseVary(r.policy.Rebuild.Vary) // one of two words
	}
	return rebuild.Request{Vary: vary, Commit: r.commit, Recipe: r.recipe.Recipe, Lock: r.recipe.Lock, Runs: int(r.policy.Rebuild.Runs), Runtime: r.runtime,
		Store: r.store, Run: r.dir, Remote: r.remote, ArchiveKeys: r.policy.Rebuild.ArchiveKeys, Fresh: r.req.NoCache, Choose: r.recipe.Inferred != nil, Shell: shell, Step: r.req.Progress}
}
