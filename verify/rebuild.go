package verify

import (
	"context"
	"strings"

	"github.com/glassbuild/glassbuild/internal/builder"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/rebuild"
	"github.com/glassbuild/glassbuild/internal/source"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// rebuild runs the recipe and writes down what came of it, also when it ended too early.
func (r *run) rebuild(ctx context.Context) error {
	out, err := rebuild.Do(ctx, r.rebuildRequest(nil))
	r.outcome = out
	if terr := r.takeTree(out.Tree, out.TreeDir); err == nil {
		err = terr
	}
	r.takeBuilder()
	r.takeInputs()
	if err != nil {
		return err
	}
	r.takeRuns()
	return r.copies(ctx)
}

func (r *run) rebuildRequest(shell rebuild.Shell) rebuild.Request {
	return rebuild.Request{Commit: r.commit, Recipe: r.recipe.Recipe, Lock: r.recipe.Lock, Runs: int(r.policy.Rebuild.Runs), Runtime: r.runtime,
		Store: r.store, Run: r.dir, Remote: r.remote, Fresh: r.req.NoCache, Shell: shell, Step: r.req.Progress}
}

func (r *run) takeTree(t *source.Tree, dir string) error {
	if t == nil {
		return nil
	}
	s := r.facts.Source
	s.TreeSHA256, s.Files, s.Bytes = t.SHA256, len(t.Files), t.Bytes
	s.Findings, s.Submodules, s.Opaque, s.Vendored, s.Generated = nil, nil, nil, 0, 0
	for _, f := range t.Findings {
		s.Findings = append(s.Findings, verdict.Finding{Kind: string(f.Kind), Path: f.Path, Text: f.Detail})
	}
	for _, m := range t.Submodules {
		s.Submodules = append(s.Submodules, verdict.Submodule{Path: m.Path, URL: m.URL, Commit: m.Commit})
	}
	for _, x := range t.Transformed {
		s.Transformed = append(s.Transformed, verdict.Change{Path: x.Path, Before: x.RawSHA256, After: x.SHA256, Why: x.By})
	}
	return r.classify(t, dir)
}

func (r *run) takeBuilder() {
	b := r.outcome.Builder
	if b == nil {
		return
	}
	f := &verdict.Builder{SHA256: b.Digest}
	for _, l := range b.Layers {
		f.Layers = append(f.Layers, verdict.Layer{Name: l.Name, Version: l.Version, Digest: l.Digest, Voucher: voucher(l)})
	}
	r.facts.Builder = f
}

func voucher(l builder.Layer) verdict.Voucher {
	return verdict.Voucher{Kind: l.Voucher.Kind, By: l.Voucher.By, Detail: l.Voucher.Detail}
}

func (r *run) takeInputs() {
	in := r.outcome.Inputs
	if in == nil {
		return
	}
	f := &verdict.Inputs{SHA256: in.SHA256, Bytes: in.Bytes(), Locked: in.Locked}
	if in.Closure != nil {
		f.Files = len(in.Closure.Entries)
	}
	for _, m := range in.Modules {
		v := m.Version
		if m.GoMod {
			v += "/go.mod"
		}
		f.Modules = append(f.Modules, verdict.Module{Path: m.Module, Version: v, Hash: m.Sum, Status: string(m.Status), Detail: m.Detail})
	}
	for _, v := range in.Vendor {
		f.Vendored = append(f.Vendored, vendored(v)...)
	}
	r.facts.Inputs = f
}

// vendored turns the comparison of one vendor folder into one line a module, and one a finding.
func vendored(v rebuild.Vendored) []verdict.Module {
	var list []verdict.Module
	for _, m := range v.Modules {
		path, version, _ := strings.Cut(m.Module, "@")
		status := string(m.Status)
		if m.Status == "" {
			status = "verified" // a folder of the tree: the commit itself vouches for it
		}
		list = append(list, verdict.Module{Path: path, Version: version, Hash: m.Sum, Status: status, Detail: m.Detail})
	}
	for _, x := range v.Findings {
		path, version, _ := strings.Cut(x.Module, "@")
		list = append(list, verdict.Module{Path: path, Version: version, Status: "mismatch", Detail: strings.TrimSuffix(fault.Quote(x.Path)+": "+string(x.Kind)+", "+x.Detail, ", ")})
	}
	return list
}

func (r *run) takeRuns() {
	o := r.outcome
	f := &verdict.Rebuild{Runs: len(o.Runs), Agree: o.Agree(), Cached: o.Cached}
	for _, out := range o.Runs[0].Outputs {
		f.Outputs = append(f.Outputs, verdict.Digest{Name: out.Path, SHA256: out.SHA256, Size: out.Size})
	}
	if d := o.Disagree; d != nil {
		f.Disagree = &verdict.Disagree{Output: d.Output, Offset: d.Offset, Count: d.Count}
	}
	tags := map[string]bool{}
	for _, q := range o.Runs[0].Git.Questions {
		if q.Refused {
			f.Git = append(f.Git, quoteArgv(q.Argv))
		}
		for _, t := range q.Tags {
			tags[t] = true
		}
	}
	for _, t := range r.commit.Facts().Tags {
		if tags[t.Name] {
			f.TagsUsed = append(f.TagsUsed, r.tagFact(t))
		}
	}
	r.facts.Rebuild = f
}

func quoteArgv(argv []string) string {
	text := ""
	for i, a := range argv {
		if i > 0 {
			text += " "
		}
		text += fault.Quote(a)
	}
	return text
}
