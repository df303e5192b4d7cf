// Package findings turns what a rebuild gave into the facts that the verdict judges: the exported tree, the recipe, the
// builder, the inputs, the runs, and whether an output was copied rather than built. It decides nothing.
//
// Whoever verifies a release and whoever attests one find the same: both go through here.
package findings

import (
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/builder"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/rebuild"
	"github.com/glassbuild/glassbuild/internal/rebuild/fetchproxy"
	"github.com/glassbuild/glassbuild/internal/recipe"
	"github.com/glassbuild/glassbuild/internal/source"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// Recipe writes down how the commit becomes what is shipped, and who said so.
func Recipe(res *recipe.Resolved) *verdict.Recipe {
	f := &verdict.Recipe{SHA256: res.Recipe.Digest, ChosenBy: string(res.ChosenBy), Text: string(res.Recipe.TOML()), Dirty: res.Recipe.VCS.Dirty, Target: res.Recipe.Target}
	if res.Place != recipe.FileName {
		f.Place = res.Place
	}
	for _, l := range res.Lines {
		f.Lines = append(f.Lines, verdict.Line{Text: l.Text, ChosenBy: string(l.ChosenBy), Why: l.Why})
	}
	if res.Lock != nil {
		f.Lock = res.Lock.Digest()
	}
	if i := res.Inferred; i != nil {
		f.Unknown, f.Refused, f.Contradictions = i.Unknown, i.Refused, i.Contradictions
	}
	return f
}

// Builder writes down what the steps ran in; nil where there was no builder.
func Builder(b *builder.Root) *verdict.Builder {
	if b == nil {
		return nil
	}
	f := &verdict.Builder{SHA256: b.Digest}
	for _, l := range b.Layers {
		f.Layers = append(f.Layers, verdict.Layer{Name: l.Name, Version: l.Version, Digest: l.Digest, Voucher: voucher(l)})
	}
	return f
}

func voucher(l builder.Layer) verdict.Voucher {
	return verdict.Voucher{Kind: l.Voucher.Kind, By: l.Voucher.By, Detail: l.Voucher.Detail}
}

// Inputs writes down what was fetched and vendored; nil where it was not reached.
func Inputs(in *rebuild.Inputs) *verdict.Inputs {
	if in == nil {
		return nil
	}
	f := &verdict.Inputs{SHA256: in.SHA256, Bytes: in.Bytes(), Locked: in.Locked, Database: in.Database}
	for _, c := range in.Closures {
		f.Files += len(c.Entries)
	}
	for _, m := range in.Modules {
		v := m.Version
		if m.GoMod {
			v += "/go.mod"
		}
		f.Modules = append(f.Modules, verdict.Module{Path: m.Module, Version: v, Hash: m.Sum, Status: string(m.Status), Detail: m.Detail})
	}
	f.Modules = append(f.Modules, tarballs(in)...)
	for _, v := range in.Vendor {
		f.Vendored = append(f.Vendored, vendored(v)...)
	}
	return f
}

// tarballs lists the packages of the npm registry. A lock of the commit, or of the auditor, must know each; npm's own counts as much as
// glassbuild's.
func tarballs(in *rebuild.Inputs) []verdict.Module {
	var list []verdict.Module
	for _, c := range in.Closures {
		for _, t := range in.Packages {
			p, ok := c.Package(t.Path)
			if !ok {
				continue
			}
			m := verdict.Module{Path: p.Name, Version: p.Version, Ecosystem: c.Ecosystem, Status: "unknown", Detail: "no package lock of the commit names it"}
			switch {
			case t.Status == fetchproxy.Mismatch:
				m.Status, m.Detail = "mismatch", "another tarball than the commit's package lock names: "+t.Detail
			case t.Status == fetchproxy.Locked:
				m.Status, m.Detail = "verified", "package lock of the commit"
			case in.Locked:
				m.Status, m.Detail = "verified", "the lock beside the recipe"
			case t.Status == fetchproxy.Named:
				m.Status, m.Detail = "private", "package lock of the commit, by its version alone"
			}
			list = append(list, m)
		}
	}
	return list
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

// Runs writes down what the runs gave and what they asked git. Of the commit's tags those that were asked for are judged.
func Runs(o *rebuild.Outcome, tags []source.Tag, judge func(source.Tag) verdict.Tag) *verdict.Rebuild {
	f := &verdict.Rebuild{Runs: len(o.Runs), Agree: o.Agree(), Cached: o.Cached}
	for _, out := range o.Runs[0].Outputs {
		f.Outputs = append(f.Outputs, verdict.Digest{Name: out.Path, SHA256: out.SHA256, Size: out.Size})
	}
	if d := o.Disagree; d != nil {
		f.Disagree = &verdict.Disagree{Output: d.Output, Offset: d.Offset, Count: d.Count}
	}
	asked := map[string]bool{}
	for _, q := range o.Runs[0].Git.Questions {
		if q.Refused {
			f.Git = append(f.Git, quoteArgv(q.Argv))
		}
		for _, t := range q.Tags {
			asked[t] = true
		}
	}
	for _, t := range tags {
		if asked[t.Name] {
			f.TagsUsed = append(f.TagsUsed, judge(t))
		}
	}
	return f
}

// Sandbox says what everything of the vendor's ran in.
func Sandbox(o *rebuild.Outcome) *verdict.Sandbox {
	runs := slices.Concat(o.Record.Tools, o.Record.Runs)
	for _, r := range []*rebuild.RunRecord{o.Record.Fetch, o.Record.Restricted} {
		if r != nil {
			runs = append(runs, *r)
		}
	}
	s := &verdict.Sandbox{Runtimes: []string{}, Held: []string{}}
	for i, r := range runs {
		s.Runtimes = append(s.Runtimes, r.Isolation.Runtime)
		if held := r.Isolation.Held(); i == 0 {
			s.Held = append(s.Held, held...)
		} else {
			s.Held = slices.DeleteFunc(s.Held, func(name string) bool { return !slices.Contains(held, name) })
		}
	}
	slices.Sort(s.Runtimes)
	s.Runtimes = slices.Compact(s.Runtimes)
	return s
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
