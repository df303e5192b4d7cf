package verify

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/findings"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// SourceReport is what is known of a commit without building it; with a policy, judged.
type SourceReport = verdict.SourceReport

// SourceRequest says which commit to look at. The zero value of every field but Commit is usable.
type SourceRequest struct {
	Commit      string // full id
	Repository  string // folder or URL; "" is the repository in the current folder
	PolicyFile  string // "" judges nothing
	Since       string // full id of an earlier commit: look at every one after it. A policy that names one wins
	History     string // file that says where tags were seen earlier; new ones are added. "" is none
	TrustedRoot string // file; "" is the one that the policy names, or the one that UpdateTrust stored
	Offline     bool
	ToolVersion string
	CacheDir    string // "" is the user's cache folder
	DataDir     string // "" is the user's data folder
	Progress    func(format string, args ...any)
}

// Source reports the facts of a commit: who signed it and its tags, what reaches it, its tree, and what in it nobody can read.
// Nothing is built, and without a policy nothing is judged. An error means that there is no report: wrong arguments or policy,
// or an interruption.
func Source(ctx context.Context, req SourceRequest) (*SourceReport, error) {
	if req.Commit == "" {
		return nil, fault.Usagef("source", "no commit named").WithHint("glassbuild source COMMIT takes the full id of a commit")
	}
	r, err := begin(ctx, Request{Repository: req.Repository, Commit: req.Commit, PolicyFile: req.PolicyFile, History: req.History, Offline: req.Offline,
		TrustedRoot: req.TrustedRoot, DataDir: req.DataDir, ToolVersion: req.ToolVersion, CacheDir: req.CacheDir, Progress: req.Progress})
	if err != nil {
		return nil, err
	}
	defer r.close()
	if s := r.policy.Source.Since; s != "" && req.Since != "" && s != req.Since {
		return nil, fault.Usagef("--since", "the policy names another commit: %s", s).WithHint("leave the flag out: it cannot take away from what the policy demands")
	}
	if req.TrustedRoot != "" && !r.policy.Trust.NeedsRoots() {
		return nil, fault.Usagef("--trusted-root", "no principal of the policy is certified by it")
	}
	r.since, r.lastTouched = req.Since, true
	rep := &SourceReport{Format: 1, Tool: r.facts.Tool}
	err = r.inspect(ctx, rep)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil && fault.ClassOf(err) == fault.Usage {
		return nil, err
	}
	if err != nil {
		r.facts.Problems = append(r.facts.Problems, verdict.ProblemOf(err, ""))
	}
	rep.Source, rep.Problems = r.facts.Source, r.facts.Problems
	if req.PolicyFile != "" {
		j := verdict.DecideSource(r.facts, r.policy)
		rep.Judgement = &j
	}
	return rep, nil
}

// inspect opens the commit and reads all of its tree.
func (r *run) inspect(ctx context.Context, rep *SourceReport) error {
	err := r.openSource(ctx)
	if r.commit != nil {
		rep.Commit = commitInfo(r)
	}
	if err != nil {
		return err
	}
	dir, err := r.dir.Dir("source")
	if err != nil {
		return err
	}
	r.req.Progress("reading the tree of %.12s", r.facts.Source.Commit)
	tree, err := r.commit.Export(ctx, filepath.Join(dir, "tree"))
	if err != nil {
		return withCheck(err, verdict.CheckTree)
	}
	if err := findings.Tree(r.facts.Source, tree, filepath.Join(dir, "tree")); err != nil {
		return err
	}
	r.findLastTouched(ctx, rep)
	return nil
}

func commitInfo(r *run) *verdict.CommitInfo {
	f := r.commit.Facts()
	subject, _, _ := strings.Cut(strings.TrimLeft(f.Message, "\n"), "\n")
	return &verdict.CommitInfo{ObjectFormat: f.ObjectFormat, Parents: append([]string{}, f.Parents...), Subject: subject,
		Author:    verdict.Person{Name: f.Author.Name, Email: f.Author.Email, Time: f.Author.When},
		Committer: verdict.Person{Name: f.Committer.Name, Email: f.Committer.Email, Time: f.Committer.When}}
}

// findLastTouched looks up which commit gave each opaque file its content. Files of submodules have a history of their own.
func (r *run) findLastTouched(ctx context.Context, rep *SourceReport) {
	s := r.facts.Source
	var paths []string
	for _, o := range s.Opaque {
		if !inSubmodule(o.Path, s.Submodules) {
			paths = append(paths, o.Path)
		}
	}
	if len(paths) == 0 {
		return
	}
	r.req.Progress("looking for who last touched %d opaque files", len(paths))
	last, err := r.commit.LastTouched(ctx, paths)
	if err != nil {
		rep.Notes = append(rep.Notes, "who last touched the opaque files is not known: "+err.Error())
		return
	}
	for i, o := range s.Opaque {
		s.Opaque[i].Touched = last[o.Path]
	}
}

func inSubmodule(p string, list []verdict.Submodule) bool {
	for _, m := range list {
		if strings.HasPrefix(p, m.Path+"/") {
			return true
		}
	}
	return false
}
