package verify

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"

	"github.com/glassbuild/glassbuild/internal/artifact"
	"github.com/glassbuild/glassbuild/internal/compare"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/recipe"
	"github.com/glassbuild/glassbuild/internal/tomlfile"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// build makes every build of the release, each commit and recipe once, and puts what it gave into stock.
func (l *release) build(ctx context.Context) error {
	ids, by := []string{l.req.Commit}, verdict.ByAuditor
	if l.req.Commit == "" {
		var err error
		if ids, err = l.claimedCommits(ctx); err != nil {
			return err
		}
		by = verdict.ByArtefact
	}
	for _, id := range ids {
		if err := l.buildCommit(ctx, id, by); err != nil {
			return err
		}
	}
	return nil
}

// claimedCommits are the commits that the programs in the release name, wherever they lie.
func (l *release) claimedCommits(ctx context.Context) ([]string, error) {
	var ids []string
	err := l.programs(ctx, func(_ *releaseFile, _ *artifact.Member, b recipe.Binary) error {
		id, err := recipe.ClaimedCommit(ctx, []recipe.Binary{b})
		if err != nil {
			return withCheck(err, verdict.CheckRecipe)
		}
		if id != "" && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
		return nil
	})
	slices.Sort(ids)
	switch {
	case err != nil:
		return nil, err
	case len(ids) == 0:
		return nil, fault.Inconclusivef(fault.Quote(l.facts.Subject.Name), "nothing in it says which commit it was built from").WithCheck(verdict.CheckObjects).
			WithHint("name it with --commit")
	case len(ids) > maxBuilds:
		return nil, fault.Inconclusivef(fault.Quote(l.facts.Subject.Name), "its programs name %d commits", len(ids)).WithCheck(verdict.CheckObjects)
	}
	return ids, nil
}

// programs calls visit for every program that no build gave so far.
func (l *release) programs(ctx context.Context, visit func(*releaseFile, *artifact.Member, recipe.Binary) error) error {
	for _, f := range l.files {
		if f.err != nil || f.listed {
			continue
		}
		if _, _, ok := l.stock.Made(f.sum); ok {
			continue
		}
		a, err := l.listing(ctx, f)
		if err != nil {
			if ctx.Err() != nil {
				return err
			}
			continue // accounting says why
		}
		err = a.Walk(func(m *artifact.Member) error {
			if _, _, ok := l.stock.Made(m.SHA256); ok || m.Type != artifact.File || !m.Executable() {
				return nil
			}
			c, err := a.Content(m)
			if err != nil {
				return err
			}
			defer c.Close()
			b := recipe.Binary{Member: m.Path, Reader: c, Size: m.Size}
			if m.Path == "" {
				b.Name = a.Name
			}
			return visit(f, m, b)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// buildCommit opens one commit and makes its builds: by the recipe of the auditor or of the commit, else by what each
// program says of itself.
func (l *release) buildCommit(ctx context.Context, id, by string) error {
	b, err := l.openCommit(ctx, id, by)
	if err != nil {
		return err
	}
	places := []string{b.req.RecipeFile}
	if b.req.RecipeFile == "" {
		if places, err = l.places(ctx, b); err != nil {
			return err
		}
		defer func(req *Request) { req.RecipeFile = "" }(&l.run.req)
	}
	for i, place := range places {
		if i > 0 {
			if b, err = l.openCommit(ctx, id, by); err != nil {
				return err
			}
		}
		if err := l.written(ctx, b, place, id, by); err != nil {
			return err
		}
	}
	if len(places) > 0 {
		return nil
	}
	return l.inferred(ctx, b, id, by)
}

// places are the recipes of a commit that make files of the release: the one at the root, "", and those that make a file of a name
// that was shipped.
func (l *release) places(ctx context.Context, b *run) ([]string, error) {
	var list []string
	_, err := b.commit.ReadFile(recipe.FileName, tomlfile.MaxBytes+1)
	switch {
	case err == nil:
		list = append(list, "")
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	in := recipe.Request{ReadFile: b.commit.ReadFile, Paths: func() ([]string, error) { return b.commit.Paths(ctx) }, Fits: func(artifacts []recipe.Artifact) recipe.Fit {
		for _, a := range artifacts {
			if a.Member == "" && slices.ContainsFunc(l.files, func(f *releaseFile) bool { return path.Base(f.name) == path.Base(a.Output) }) {
				return recipe.Named
			}
		}
		return recipe.NoFit
	}}
	others, err := in.Naming(ctx)
	for _, place := range others {
		list = append(list, recipe.AtCommit+place)
	}
	return list, err
}

// written builds by one recipe, all its targets.
func (l *release) written(ctx context.Context, b *run, place, id, by string) error {
	b.req.RecipeFile = place
	if err := b.findRecipe(ctx); err != nil {
		return err
	}
	if len(b.recipe.Recipe.Targets) > 0 {
		return l.targets(ctx, b, id, by)
	}
	return l.make(ctx, b)
}

// targets makes one build for each target of the recipe's build matrix.
func (l *release) targets(ctx context.Context, b *run, id, by string) error {
	place := b.req.RecipeFile
	for i, t := range b.recipe.Recipe.Targets {
		if i > 0 {
			var err error
			if b, err = l.openCommit(ctx, id, by); err != nil {
				return err
			}
		}
		b.req.RecipeFile, b.req.Target = place, t.Name
		if err := b.findRecipe(ctx); err != nil {
			return err
		}
		if err := l.make(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// openCommit makes a run of its own for one build. The first one is that of the release.
func (l *release) openCommit(ctx context.Context, id, by string) (*run, error) {
	if len(l.builds) >= maxBuilds {
		return nil, fault.Inconclusivef(fault.Quote(l.facts.Subject.Name), "needs more than %d builds", maxBuilds).WithCheck(verdict.CheckSteps)
	}
	b := l.run
	if len(l.builds) > 0 {
		other := *l.run
		other.facts = verdict.Facts{}
		other.commit, other.recipe, other.outcome = nil, nil, nil
		b = &other
	}
	l.builds = append(l.builds, b)
	named := b.req.Commit
	b.req.Commit = id
	err := b.openSource(ctx)
	b.req.Commit = named
	if b.facts.Source != nil {
		b.facts.Source.ChosenBy = by
	}
	return b, err
}

// inferred builds what the programs themselves ask for, every way of building once.
func (l *release) inferred(ctx context.Context, first *run, id, by string) error {
	seen := map[string]bool{}
	b := first
	var refused error
	err := l.programs(ctx, func(f *releaseFile, m *artifact.Member, bin recipe.Binary) error {
		said, err := recipe.ClaimedCommit(ctx, []recipe.Binary{bin})
		if err != nil || said != id {
			return nil // another commit's, or nobody's: accounting names it
		}
		if b == nil {
			if b, err = l.openCommit(ctx, id, by); err != nil {
				return err
			}
		}
		b.shipped, b.subject = f.opened, m
		b.req.Member = m.Path
		err = b.findRecipe(ctx)
		b.shipped, b.subject, b.req.Member = nil, nil, ""
		if err != nil {
			refused = err
			return ctx.Err()
		}
		key := recipeKey(b.recipe.Recipe)
		if seen[key] {
			return nil
		}
		seen[key] = true
		if err := l.make(ctx, b); err != nil {
			return err
		}
		if err := l.list(ctx); err != nil { // the programs that come next may lie in what was built
			return err
		}
		b = nil
		return nil
	})
	if err == nil && len(seen) == 0 {
		err = refused
		if err == nil {
			err = fault.Usagef("recipe", "there is none: no file was named, the commit has no %s, and nothing shipped tells how it was built", recipe.FileName).
				WithHint("write one, or let `glassbuild init` do it")
		}
	}
	if err == nil && b != nil { // opened for a program that was built already
		l.builds = l.builds[:len(l.builds)-1]
		b.commit.Close()
	}
	return err
}

// recipeKey is a recipe without where its outputs sit: the same program in two packages is built once.
func recipeKey(r *recipe.Recipe) string {
	bare := *r
	bare.Artifacts = slices.Clone(r.Artifacts)
	for i := range bare.Artifacts {
		bare.Artifacts[i].Member = ""
	}
	return string(bare.TOML())
}

// make runs one build and puts its outputs and its tree into stock.
func (l *release) make(ctx context.Context, b *run) error {
	if l.req.packing != nil {
		return b.gatherBuild(ctx)
	}
	err := b.rebuild(ctx)
	if b != l.run {
		l.facts.Problems = append(l.facts.Problems, b.facts.Problems...)
	}
	if o := b.outcome; o != nil && o.Tree != nil {
		var tree []compare.TreeFile
		for _, e := range o.Tree.Files {
			tree = append(tree, compare.TreeFile{Path: e.Path, SHA256: e.SHA256, Size: e.Size, Link: e.Mode == gitLink})
		}
		l.stock.AddTree(tree)
	}
	if err != nil {
		return err
	}
	n := slices.Index(l.builds, b)
	for i, out := range b.outcome.Runs[0].Outputs {
		c := l.stock.AddOutput(compare.Claim{Build: n, Output: out.Path, Member: b.recipe.Recipe.Artifacts[i].Member, SHA256: out.SHA256, Size: out.Size})
		l.unlisted = append(l.unlisted, c)
	}
	return nil
}

// needsLists tells whether what is in the outputs matters: not where each file is an output as a whole, and each output a file.
func (l *release) needsLists() bool {
	shipped := map[string]bool{}
	for _, f := range l.files {
		if _, inside, ok := l.stock.Made(f.sum); !f.listed && (!ok || inside != "") {
			return true
		}
		shipped[f.sum] = true
	}
	return slices.ContainsFunc(l.unlisted, func(c *compare.Claim) bool { return !shipped[c.SHA256] })
}

// list opens the outputs that were not opened so far.
func (l *release) list(ctx context.Context) error {
	for _, c := range l.unlisted {
		f, err := l.builds[c.Build].outcome.Runs[0].Open(c.Output)
		if err != nil {
			return err
		}
		l.open = append(l.open, f)
		dir, err := l.dir.Dir("output")
		if err != nil {
			return err
		}
		a, err := artifact.Inspect(ctx, f, c.Size, artifact.Options{Dir: dir, Name: c.Output, SHA256: c.SHA256})
		if err != nil {
			return err
		}
		l.stock.List(c, a)
		if err := a.Close(); err != nil {
			return err
		}
	}
	l.unlisted = nil
	return nil
}
