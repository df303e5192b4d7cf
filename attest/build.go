package attest

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/artifact"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/findings"
	"github.com/glassbuild/glassbuild/internal/oci"
	"github.com/glassbuild/glassbuild/internal/policy"
	"github.com/glassbuild/glassbuild/internal/provenance"
	"github.com/glassbuild/glassbuild/internal/rebuild"
	"github.com/glassbuild/glassbuild/internal/recipe"
	"github.com/glassbuild/glassbuild/internal/remote"
	"github.com/glassbuild/glassbuild/internal/sandbox"
	"github.com/glassbuild/glassbuild/internal/source"
	"github.com/glassbuild/glassbuild/internal/store"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// run is one attestation under way.
type run struct {
	req        Request
	policy     *policy.Policy
	store      *store.Store
	dir        *store.Run
	remote     *remote.Client // what the build may fetch
	registries *remote.Client // images
	runtime    sandbox.Runtime

	commit   *source.Commit
	where    string // where others find the repository
	recipe   *recipe.Resolved
	shipped  []*artifact.Artifact
	image    *oci.Place
	imageD   oci.Descriptor
	attach   []*oci.Place
	targets  []oci.Descriptor
	outcome  *rebuild.Outcome
	built    *provenance.Build
	subjects []subject
	bundles  []Bundle
	unsigned []string
}

// places refuses folders that cannot be written to, before anything is done for them.
func (r *run) places() error {
	if r.req.Out != "" {
		entries, err := os.ReadDir(r.req.Out)
		if err == nil && len(entries) > 0 {
			return fault.Usagef(fault.Quote(r.req.Out), "is not empty").WithHint("name a folder that does not exist yet")
		}
	}
	return provenance.CheckPlace(r.req.Bundles)
}

// openSource opens the commit, refuses a work tree that is not it, and finds the recipe.
func (r *run) openSource(ctx context.Context) error {
	where := r.req.Repository
	if where == "" {
		if _, err := os.Stat(".git"); err != nil {
			return fault.Usagef("--repo", "no repository named, and the current folder is none").WithHint("--repo takes a folder, or an https or ssh URL")
		}
		where = "."
	}
	r.req.Progress("opening %s", fault.Quote(source.DisplayName(where)))
	opt := source.Options{Need: source.NeedTags, Remote: r.remote, CacheDir: r.store.Dir(), RequireContent: true}
	var err error
	if r.commit, err = source.Open(ctx, where, r.req.Commit, opt); err != nil {
		return err
	}
	if err := r.checkWorkTree(ctx); err != nil {
		return err
	}
	if err := r.checkRef(); err != nil {
		return err
	}
	if r.where, err = r.sourceURI(where); err != nil {
		return err
	}
	in := recipe.Request{ReadFile: r.commit.ReadFile}
	if r.req.RecipeFile != "" {
		if err := in.ReadOwn(r.req.RecipeFile); err != nil {
			return err
		}
	}
	if r.recipe, err = recipe.Resolve(ctx, in); err != nil {
		return err
	}
	if err := r.recipe.Choose(r.req.Target, func(recipe.Target) bool { return len(r.recipe.Recipe.Targets) == 1 }); err != nil {
		return err
	}
	if r.recipe.Recipe.Source.Attributes == recipe.Raw {
		return nil
	}
	opt.Attributes = rebuild.ExportMode(r.recipe.Recipe.Source.Attributes)
	again, err := source.Open(ctx, where, r.commit.Facts().ID, opt)
	if err != nil {
		return err
	}
	r.commit.Close()
	r.commit = again
	return nil
}

func (r *run) checkWorkTree(ctx context.Context) error {
	w, err := r.commit.WorkTree(ctx)
	if err != nil || w == nil {
		return err
	}
	if w.Head != r.commit.Facts().ID {
		return fault.Usagef("work tree", "is at commit %.12s, not at %.12s", w.Head, r.commit.Facts().ID).
			WithHint("check the commit out, or name the repository by its URL or a bare clone")
	}
	if len(w.Changes) == 0 {
		return nil
	}
	text := fault.Quote(w.Changes[0])
	if n := len(w.Changes) - 1; n > 0 {
		text += " and more"
	}
	return fault.Failf("work tree", "has local changes (%s): what lies in it is not the commit", text).
		WithHint("commit or undo them; git status lists them")
}

// checkRef holds the named branch or tag against what reaches the commit.
func (r *run) checkRef() error {
	ref := r.req.Ref
	if ref == "" {
		return nil
	}
	f := r.commit.Facts()
	if tag, ok := strings.CutPrefix(ref, "refs/tags/"); ok {
		for _, t := range f.Tags {
			if t.Name == tag && t.Commit == f.ID {
				return nil
			}
		}
		return fault.Failf(fault.Quote(ref), "does not point to commit %.12s", f.ID)
	}
	if !strings.HasPrefix(ref, "refs/heads/") {
		return fault.Usagef(fault.Quote(ref), "is neither refs/heads/… nor refs/tags/…")
	}
	remoteRef := "refs/remotes/origin/" + strings.TrimPrefix(ref, "refs/heads/")
	if !slices.Contains(f.Refs, ref) && !slices.Contains(f.Refs, remoteRef) {
		return fault.Failf(fault.Quote(ref), "does not reach commit %.12s", f.ID)
	}
	return nil
}

// sourceURI says where others find the source: provenance that names a folder of this machine helps nobody.
func (r *run) sourceURI(where string) (string, error) {
	uri := r.req.SourceURI
	if uri == "" && strings.Contains(where, "://") && !strings.HasPrefix(where, "file:") {
		uri = where
	}
	if uri == "" {
		var err error
		if uri, err = r.commit.Origin(); err != nil {
			return "", err
		}
	}
	if !strings.Contains(uri, "://") || strings.HasPrefix(uri, "file:") {
		return "", fault.Usagef("repository", "has no address at which others find it").WithHint("name it with --source-uri https://…")
	}
	return source.DisplayName(uri), nil
}

// build builds as a verification does, anew, and refuses what a verification would not pass.
func (r *run) build(ctx context.Context) error {
	vary, err := rebuild.ParseVary(r.policy.Rebuild.Vary)
	if err != nil {
		return err
	}
	out, err := rebuild.Do(ctx, rebuild.Request{Vary: vary, Commit: r.commit, Recipe: r.recipe.Recipe, Lock: r.recipe.Lock, Runs: max(2, int(r.policy.Rebuild.Runs)), Runtime: r.runtime,
		Store: r.store, Run: r.dir, Remote: r.remote, ArchiveKeys: r.policy.Rebuild.ArchiveKeys, Fresh: true, Step: r.req.Progress})
	r.outcome = out
	if err != nil {
		return err
	}
	f := r.commit.Facts()
	facts := verdict.Facts{Tool: verdict.Tool{Name: "glassbuild", Version: r.req.ToolVersion}, Recipe: findings.Recipe(r.recipe), Builder: findings.Builder(out.Builder), Inputs: findings.Inputs(out.Inputs),
		Source: &verdict.Source{Repository: r.where, Commit: f.ID, ChosenBy: verdict.ByAuditor, GitTree: f.Tree, Time: f.Committer.When, Refs: f.Refs, Attributes: string(r.recipe.Recipe.Source.Attributes)}}
	if err := findings.Tree(facts.Source, out.Tree, out.TreeDir); err != nil {
		return err
	}
	facts.Rebuild = findings.Runs(out, f.Tags, func(t source.Tag) verdict.Tag {
		return verdict.Tag{Name: t.Name, Object: t.Object, Annotated: t.Annotated}
	})
	facts.Rebuild.Refused = findings.Refused(out)
	if r.policy.Rebuild.DemandsSandbox() {
		facts.Rebuild.Sandbox = findings.Sandbox(out)
	}
	if facts.Rebuild.Account, err = findings.Account(out, facts.Source); err != nil {
		return err
	}
	r.req.Progress("looking for copies among the inputs")
	if facts.Rebuild.Copies, err = findings.Copies(ctx, out, r.store, r.dir); err != nil {
		return err
	}
	facts.Rebuild.CopyCheck = true
	if err := verdict.DecideBuild(facts, r.policy).Refusal(); err != nil {
		return err
	}
	r.built = &provenance.Build{Outcome: out, Commit: f, Recipe: r.recipe, Repository: r.where, Ref: r.req.Ref, Builder: r.req.Builder, Invocation: r.req.Invocation, Tool: r.req.ToolVersion}
	return r.nameSubjects()
}

// keep leaves what was built.
func (r *run) keep(context.Context) error {
	if r.req.Out == "" {
		return nil
	}
	if err := os.MkdirAll(r.req.Out, 0o755); err != nil {
		return fault.Inconclusivef(fault.Quote(r.req.Out), "cannot be written: %w", bare(err))
	}
	return r.outcome.KeepOutputs(r.req.Out)
}

func bare(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
