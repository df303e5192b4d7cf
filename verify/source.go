package verify

import (
	"context"
	"errors"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/glassbuild/glassbuild/internal/artifact"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/findings"
	"github.com/glassbuild/glassbuild/internal/rebuild"
	"github.com/glassbuild/glassbuild/internal/recipe"
	"github.com/glassbuild/glassbuild/internal/source"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// snapshot copies what was shipped once and says what the verdict speaks about.
func (r *run) snapshot(ctx context.Context) error {
	r.req.Progress("copying and hashing %s", fault.Quote(filepath.Base(r.req.Artefact)))
	dir, err := r.dir.Dir("shipped")
	if err != nil {
		return err
	}
	r.facts.Subject.Name = filepath.Base(r.req.Artefact)
	a, err := artifact.Open(ctx, r.req.Artefact, artifact.Options{Dir: dir})
	if err != nil {
		return withCheck(err, verdict.CheckArtefact)
	}
	r.shipped, r.subject = a, a.Root
	s := &r.facts.Subject
	s.Name, s.SHA256, s.Size, s.Format = a.Name, a.SHA256, a.Size, a.Root.Format
	if r.req.Member == "" {
		return nil
	}
	m, err := a.Find(r.req.Member)
	if err != nil {
		if fault.ClassOf(err) == fault.Failed && len(a.Hostile) == 0 {
			return fault.Usagef("--member", "%w", err)
		}
		return withCheck(err, verdict.CheckArtefact)
	}
	if m.Type == artifact.Directory || m.Type == artifact.Symlink {
		return fault.Usagef("--member", "%s is not a file", fault.Quote(m.Path))
	}
	if _, err := refusal(a.Root, m); err != nil {
		return withCheck(err, verdict.CheckArtefact)
	}
	r.subject = m
	s.Within = &verdict.Digest{Name: a.Name, SHA256: a.SHA256, Size: a.Size}
	s.Member, s.SHA256, s.Size, s.Format = m.Path, m.SHA256, m.Size, m.Format
	return nil
}

// refusal tells whether c is m or holds it, and why a container around m could not be read whole: a second member of the
// same name, behind what was read, may be the one that is unpacked.
func refusal(c, m *artifact.Member) (holds bool, err error) {
	if c == m {
		return true, nil
	}
	for _, sub := range c.Members {
		if ok, err := refusal(sub, m); ok {
			if err == nil && c.Problem != nil {
				err = c.Problem.Err
			}
			return true, err
		}
	}
	return false, nil
}

func withCheck(err error, id string) error {
	var e *fault.Error
	if errors.As(err, &e) && e.Check == "" {
		e.Check = id
	}
	return err
}

// openSource opens the commit that the auditor named, or else the one that the artefact names.
func (r *run) openSource(ctx context.Context) error {
	where, err := r.repository()
	if err != nil {
		return err
	}
	id, by := r.req.Commit, verdict.ByAuditor
	if id == "" {
		if id, err = r.claimedCommit(ctx); err != nil {
			return err
		}
		by = verdict.ByArtefact // or the registry of it: a claim all the same
	}
	r.req.Progress("opening %s", fault.Quote(r.displayed(where)))
	c, err := source.Open(ctx, where, id, r.sourceOptions(recipe.Raw))
	if err != nil {
		return withCheck(err, verdict.CheckObjects)
	}
	r.commit, r.where = c, where
	f := c.Facts()
	r.facts.Source = &verdict.Source{
		Repository: r.displayed(where), Commit: f.ID, ChosenBy: by, GitTree: f.Tree, Time: f.Committer.When, Refs: f.Refs,
		Signature: r.judgeSignature(f.SignedPayload, f.Signature, f.Committer.When), Roots: r.rootsRef, Attributes: string(recipe.Raw),
	}
	for _, t := range f.Tags {
		if t.Commit == f.ID {
			r.facts.Source.Tags = append(r.facts.Source.Tags, r.tagFact(t))
		}
	}
	return r.lookBack(ctx)
}

// sourceOptions say how the commit is opened. What is built needs its content, not pointers to it (row 34 of the bad-input
// list); what is only looked at may lack it.
func (r *run) sourceOptions(a recipe.Attributes) source.Options {
	opt := source.Options{Need: r.need(), Remote: r.remote, CacheDir: r.store.Dir(), Attributes: rebuild.ExportMode(a), RequireContent: !r.lastTouched}
	if r.req.packing != nil {
		opt.Recorder = r.req.packing.recorder
	}
	return opt
}

// displayed is the repository as the verdict names it.
func (r *run) displayed(where string) string {
	if r.kit != nil {
		return r.kit.name
	}
	return source.DisplayName(where)
}

// exportAs opens the commit again with the export mode that the recipe asks for; the policy judges it (F12).
func (r *run) exportAs(ctx context.Context, a recipe.Attributes) error {
	if a == recipe.Raw {
		return nil
	}
	c, err := source.Open(ctx, r.where, r.commit.Facts().ID, r.sourceOptions(a))
	if err != nil {
		return withCheck(err, verdict.CheckObjects)
	}
	r.commit.Close()
	r.commit = c
	return nil
}

// need is how much of the repository is asked for: history only where somebody wants to know of earlier commits.
func (r *run) need() source.Need {
	if r.since != "" || r.policy.Source.Since != "" || len(r.policy.Source.Paths) > 0 || r.lastTouched {
		return source.NeedTags | source.NeedHistory
	}
	return source.NeedTags
}

// repository is the one that was named, or the one in the current folder.
func (r *run) repository() (string, error) {
	if r.kit != nil {
		return r.kit.repository, nil
	}
	if r.req.Repository != "" {
		return r.req.Repository, nil
	}
	if _, err := os.Stat(".git"); err == nil {
		return ".", nil
	}
	return "", fault.Usagef("--repo", "no repository named, and the current folder is none").WithHint("--repo takes a folder, or an https or ssh URL")
}

// binaries lists what in the subject is a program; content stays open until close is called.
func (r *run) binaries() (list []recipe.Binary, done func(), err error) {
	var open []interface{ Close() error }
	done = func() {
		for _, c := range open {
			c.Close()
		}
	}
	visit := func(m *artifact.Member) error {
		if m.Type != artifact.File || !m.Executable() {
			return nil
		}
		c, err := r.shipped.Content(m)
		if err != nil {
			return err
		}
		open = append(open, c)
		b := recipe.Binary{Member: m.Path, Reader: c, Size: m.Size}
		if m == r.subject {
			b.Member, b.Name = "", path.Base(m.Path)
			if m.Path == "" {
				b.Name = r.shipped.Name
			}
			if r.req.Member != "" {
				b.Member = m.Path
			}
		}
		list = append(list, b)
		return nil
	}
	if r.subject != r.shipped.Root {
		err = visit(r.subject)
	} else {
		err = r.shipped.Walk(visit)
	}
	return list, done, err
}

func (r *run) claimedCommit(ctx context.Context) (string, error) {
	list, done, err := r.binaries()
	defer done()
	if err != nil {
		return "", withCheck(err, verdict.CheckArtefact)
	}
	id, err := recipe.ClaimedCommit(ctx, list)
	if err != nil {
		return "", withCheck(err, verdict.CheckRecipe)
	}
	if id == "" {
		if id, err = r.registryCommit(ctx); err != nil {
			return "", err
		}
	}
	if id == "" {
		return "", fault.Inconclusivef(fault.Quote(r.shipped.Name), "does not say which commit it was built from").WithCheck(verdict.CheckObjects).
			WithHint("name it with --commit")
	}
	return id, nil
}

// findRecipe finds out how the commit becomes what is shipped, and whether the artefact contradicts the commit.
func (r *run) findRecipe(ctx context.Context) error {
	inference, done, err := r.inference(ctx)
	defer done()
	if err != nil {
		return err
	}
	in := recipe.Request{ReadFile: r.commit.ReadFile, Artefact: &inference, Paths: func() ([]string, error) { return r.commit.Paths(ctx) }}
	if r.shipped != nil {
		in.Fits = r.fits
	}
	if r.req.RecipeFile != "" {
		if err := in.ReadOwn(r.req.RecipeFile); err != nil {
			return err
		}
	}
	res, err := recipe.Resolve(ctx, in)
	if err != nil {
		return withCheck(err, verdict.CheckRecipe)
	}
	if err := r.chooseTarget(res); err != nil {
		return withCheck(err, verdict.CheckRecipe)
	}
	r.takeRecipe(res)
	if err := r.exportAs(ctx, res.Recipe.Source.Attributes); err != nil {
		return err
	}
	return r.contradictions(ctx, inference.Binaries, res)
}

// chooseTarget keeps the target of a build matrix that makes what was shipped: one that makes a file of its name, else one that has a place
// in it. Nothing shipped leaves all of them.
func (r *run) chooseTarget(res *recipe.Resolved) error {
	if r.shipped == nil && r.req.Target == "" {
		return nil
	}
	named := func(t recipe.Target) bool { return r.fits(t.Artifacts) == recipe.Named }
	placed := func(t recipe.Target) bool { return r.fits(t.Artifacts) == recipe.Placed }
	if r.shipped != nil && slices.ContainsFunc(res.Recipe.Targets, named) {
		return res.Choose(r.req.Target, named)
	}
	return res.Choose(r.req.Target, placed)
}

// fits holds the artifacts of a recipe, or of one of its targets, against what was shipped.
func (r *run) fits(list []recipe.Artifact) recipe.Fit {
	best := recipe.NoFit
	for _, a := range list {
		switch {
		case a.Member == "" && (path.Base(a.Output) == r.shipped.Name || path.Base(a.Output) == path.Base(r.subject.Path)):
			return recipe.Named
		case a.Member == "" || r.subject.Path != "" && a.Member != r.subject.Path:
		default:
			if _, err := r.shipped.Find(a.Member); err == nil {
				best = recipe.Placed
			}
		}
	}
	return best
}

// inference gathers what a recipe can be inferred from. Content stays open until the function that it returns is called.
func (r *run) inference(ctx context.Context) (recipe.Inference, func(), error) {
	var list []recipe.Binary
	done := func() {}
	if r.shipped != nil {
		var err error
		if list, done, err = r.binaries(); err != nil {
			return recipe.Inference{}, done, withCheck(err, verdict.CheckArtefact)
		}
	}
	f := r.commit.Facts()
	in := recipe.Inference{Binaries: list, Commit: f.ID, When: f.Committer.When, Zone: f.Committer.Zone, ReadFile: r.commit.ReadFile, Allow: r.allowedSettings()}
	for _, t := range f.Tags {
		in.Tags = append(in.Tags, recipe.Tag{Name: t.Name, AtCommit: t.Commit == f.ID})
	}
	if r.shipped == nil {
		return in, done, nil
	}
	var err error
	if in.Package, err = r.npmPackage(); err == nil && in.Package != nil {
		r.packed(ctx, in.Package)
		in.Base, in.BaseWhy = r.base()
		in.Tree = func() ([]string, error) { return r.commit.Paths(ctx) }
	}
	return in, done, err
}

func (r *run) allowedSettings() []string {
	var list []string
	for _, s := range r.policy.Rebuild.Settings {
		list = append(list, s.Text)
	}
	return list
}

// takeRecipe writes the recipe down as facts.
func (r *run) takeRecipe(res *recipe.Resolved) {
	r.recipe = res
	r.facts.Recipe = findings.Recipe(res)
	r.facts.Source.Attributes = string(res.Recipe.Source.Attributes)
}

// contradictions holds what the shipped programs say of themselves against the commit, also where a written recipe
// made inference unnecessary. Programs that the recipe does not claim may be anybody's.
func (r *run) contradictions(ctx context.Context, list []recipe.Binary, res *recipe.Resolved) error {
	if res.Inferred != nil || r.shipped == nil {
		return nil
	}
	claimed, err := claims(res.Recipe.Artifacts, r.shipped, r.subject)
	if err != nil {
		return err
	}
	for _, b := range list {
		member := b.Member
		if b.Member == "" {
			member = r.subject.Path
		}
		if !slices.ContainsFunc(claimed, func(c claim) bool { return c.member == member }) {
			continue
		}
		said, err := recipe.ClaimedCommit(ctx, []recipe.Binary{b})
		if err != nil {
			return withCheck(err, verdict.CheckContradicts)
		}
		if id := r.commit.Facts().ID; said != "" && said != id {
			name := b.Name
			if name == "" {
				name = b.Member
			}
			r.facts.Recipe.Contradictions = append(r.facts.Recipe.Contradictions, fault.Quote(name)+" says that it was built from commit "+said+", not from "+id)
		}
	}
	return nil
}
