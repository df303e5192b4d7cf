package verify

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/rebuild"
	"github.com/glassbuild/glassbuild/internal/recipe"
	"github.com/glassbuild/glassbuild/internal/sandbox"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// BuildRequest says what to build. Repository and Commit are as in Request.
type BuildRequest struct {
	Repository, Commit, RecipeFile string
	Target                         string // of the recipe's build matrix
	PolicyFile                     string // says how many runs, and whose packages count; "" is the built-in policy
	Sandbox                        string // as in Request
	Offline, NoCache               bool
	Keep                           string
	Out                            string // folder for the outputs; it must not exist or be empty
	Vary                           string // what differs between the runs: "all", "usual", "none" or names of factors; "" is what the policy says
	FindCause                      bool   // find out which factor changes the outputs, instead of leaving them
	Shell                          bool   // open a shell in the sandbox after a failed step
	ToolVersion                    string
	CacheDir                       string
	Progress                       func(format string, args ...any)
	Pause                          func() // called before the terminal is given away; may be nil
}

// BuildResult is what a build left.
type BuildResult struct {
	Outputs []verdict.Digest
	Record  Record
	LogTail []string
	Cause   *Cause // with FindCause
}

// Build rebuilds a commit exactly as Run does, and leaves the outputs. It compares nothing and verifies nothing. The
// result is set also beside an error.
func Build(ctx context.Context, req BuildRequest) (*BuildResult, error) {
	if !req.FindCause {
		if err := emptyFolder(req.Out); err != nil {
			return nil, err
		}
	}
	r, err := begin(ctx, Request{Repository: req.Repository, Commit: req.Commit, RecipeFile: req.RecipeFile, Target: req.Target, PolicyFile: req.PolicyFile, Offline: req.Offline,
		Sandbox: req.Sandbox, NoCache: req.NoCache || req.Shell, Keep: req.Keep, ToolVersion: req.ToolVersion, CacheDir: req.CacheDir, Progress: req.Progress})
	if err != nil {
		return nil, err
	}
	defer r.close()
	if req.Vary != "" {
		if r.vary, err = rebuild.ParseVary(req.Vary); err != nil {
			return nil, err
		}
		if r.vary == nil {
			r.vary = []string{}
		}
	}
	if req.FindCause {
		return r.findCause(ctx)
	}
	err = r.build(ctx, req)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	res := &BuildResult{Record: r.record()}
	if r.outcome != nil {
		res.LogTail = r.outcome.LogTail
	}
	if req.Keep != "" && r.outcome != nil {
		rec, _ := json.MarshalIndent(res.Record, "", "  ")
		err = errors.Join(err, r.write(req.Keep, map[string][]byte{"record.json": append(rec, '\n'), "glassbuild.toml": r.recipe.Recipe.TOML()}))
	}
	if err != nil {
		return res, err
	}
	if err := os.MkdirAll(req.Out, 0o755); err != nil {
		return res, fault.Inconclusivef(fault.Quote(req.Out), "cannot be written: %w", bare(err))
	}
	if err := r.outcome.KeepOutputs(req.Out); err != nil {
		return res, err
	}
	if d := r.outcome.Disagree; d != nil {
		return res, fault.Inconclusivef(fault.Quote(d.Output), "not reproducible: the runs differ, first at offset %d, %d bytes in all", d.Offset, d.Count).
			WithHint("both are left below %s", filepath.ToSlash(req.Out))
	}
	for _, o := range r.outcome.Runs[0].Outputs {
		res.Outputs = append(res.Outputs, verdict.Digest{Name: o.Path, SHA256: o.SHA256, Size: o.Size})
	}
	return res, nil
}

// build walks the chain from the commit to the outputs.
func (r *run) build(ctx context.Context, req BuildRequest) error {
	if err := r.openSource(ctx); err != nil {
		return err
	}
	if err := r.findRecipe(ctx); err != nil {
		return err
	}
	if err := oneTarget(r.recipe); err != nil {
		return err
	}
	out, err := rebuild.Do(ctx, r.rebuildRequest(r.shell(req)))
	r.outcome = out
	return err
}

// shell gives the terminal to whoever asked for it, after a failed step.
func (r *run) shell(req BuildRequest) rebuild.Shell {
	if !req.Shell {
		return nil
	}
	return func(ctx context.Context, s sandbox.Session, env []string, dir string) error {
		if req.Pause != nil {
			req.Pause()
		}
		sh := shell{session: s, env: env, dir: dir, scratch: r.dir.Path(), in: os.Stdin, out: os.Stderr}
		return sh.run(ctx)
	}
}

// oneTarget refuses a build matrix of which nothing was chosen.
func oneTarget(res *recipe.Resolved) error {
	return res.Choose("", func(recipe.Target) bool { return len(res.Recipe.Targets) == 1 })
}
