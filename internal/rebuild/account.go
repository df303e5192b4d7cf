package rebuild

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/builder"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/recipe"
	"github.com/glassbuild/glassbuild/internal/sandbox"
	"github.com/glassbuild/glassbuild/internal/source"
)

// Account says which files the steps read (F11). The trace of the first run is a hypothesis: the second run is shown
// the contents of the files that it names and of no others, and only where it gives the same bytes is the account
// proved. Of the other files a build sees that they are there, with size, mode and time, as it does in a listing.
type Account struct {
	Proved  bool     `json:"proved"`
	Why     string   `json:"why,omitempty"` // it is not proved
	Refuted bool     `json:"refuted,omitempty"`
	Source  []string `json:"source"`  // files of the tree that were read, sorted
	Fetched []string `json:"fetched"` // files of the frozen inputs
	Layers  []Read   `json:"layers"`  // of the builder, in its order
}

// Read says how much of a layer of the builder was read.
type Read struct {
	Name   string `json:"name"`
	Target string `json:"target"`
	Digest string `json:"digest"` // "" for what nobody pinned
	Files  int    `json:"files"`  // that were read; of what nobody pinned it is not known, and 0
}

// account sums up what a traced run opened. nil steps, or one without a complete trace, leave no hypothesis.
func (o *Outcome) account(steps []StepRecord, names []string) *Account {
	a := &Account{Source: []string{}, Fetched: []string{}}
	places := o.readable()
	count := make([]int, len(o.Builder.Layers))
	for i, s := range steps {
		if s.Trace != sandbox.TraceComplete {
			a.Why = fmt.Sprintf("the trace of step %d is not complete: %s", i+1, orElse(s.Trace, "this sandbox makes none"))
		}
	}
	if len(steps) == 0 {
		a.Why = "no step was traced"
	}
	for _, name := range names {
		p, rel := places.of(name)
		switch {
		case p == nil:
		case p.layer >= 0:
			count[p.layer]++
		case p.target == recipe.SourceDir:
			a.Source = append(a.Source, rel)
		default:
			a.Fetched = append(a.Fetched, rel)
		}
	}
	for i, l := range o.Builder.Layers {
		a.Layers = append(a.Layers, Read{Name: strings.TrimSpace(l.Name + " " + l.Version), Target: l.Target, Digest: l.Digest, Files: count[i]})
	}
	return a
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// openedBy returns everything that a run opened, each once, sorted, with the source where the first run has it.
func openedBy(steps []StepRecord, source string) []string {
	var all []string
	for _, s := range steps {
		for _, name := range s.Opened {
			if rel, ok := strings.CutPrefix(name, source+"/"); ok {
				name = path.Join(recipe.SourceDir, rel)
			}
			all = append(all, name)
		}
	}
	return union(all, nil)
}

// union returns what is in a or b, each once, sorted.
func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// place is one mount that holds inputs.
type place struct {
	target string
	layer  int // of the builder; -1 for another
}

type places []place

// readable are the mounts of a run that hold inputs, the deepest first.
func (o *Outcome) readable() places {
	list := places{{recipe.SourceDir, -1}, {proxyDir, -1}}
	for i, l := range o.Builder.Layers {
		if !l.Shadowed {
			list = append(list, place{l.Target, i})
		}
	}
	slices.SortStableFunc(list, func(a, b place) int { return len(b.target) - len(a.target) })
	return list
}

// of returns the mount in which a path lies, and the path below it.
func (l places) of(name string) (*place, string) {
	for i := range l {
		if rel, ok := strings.CutPrefix(name, strings.TrimSuffix(l[i].target, "/")+"/"); ok {
			return &l[i], rel
		}
	}
	return nil, ""
}

// pinned returns the mounts that bring inputs. What a builder takes from this machine is not among them: nobody pinned it,
// so that it proves nothing to leave some of it out, and it is far more than any builder.
func (o *Outcome) pinned(mounts []sandbox.Mount) []*sandbox.Mount {
	var list []*sandbox.Mount
	for i := range mounts {
		m := &mounts[i]
		if m.Kind == sandbox.Scratch || m.Target == shimPath || slices.ContainsFunc(o.Builder.Layers, func(l builder.Layer) bool { return l.Target == m.Target && l.Digest == "" }) {
			continue
		}
		list = append(list, m)
	}
	return list
}

// restrict shows of a mount only the files that were opened.
func restrict(m *sandbox.Mount, opened []string, v Variation) {
	m.Masked = true
	for _, name := range opened {
		if rel, ok := strings.CutPrefix(name, recipe.SourceDir+"/"); ok { // the first run had it there
			name = path.Join(v.Source, rel)
		}
		if m.Target == "/" || strings.HasPrefix(name, m.Target+"/") {
			m.Named = append(m.Named, name)
		}
	}
}

// refute says how a restricted run, the second of two, ended otherwise than the first; "" when it did not.
func refute(runs []*Result, r *recipe.Recipe, err error) (string, error) {
	if err != nil {
		return fmt.Sprintf("a run that was shown only what the trace names ended otherwise: %s", firstLine(err)), nil
	}
	d, err := disagreement(runs, r)
	if err != nil || d == nil {
		return "", err
	}
	return fmt.Sprintf("a run that was shown only what the trace names gave another %s", fault.Quote(d.Output)), nil
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// sourceFiles returns the entries of the tree that were read.
func (a *Account) sourceFiles(t *source.Tree) []source.Entry {
	read := map[string]bool{}
	for _, name := range a.Source {
		read[path.Clean(name)] = true
	}
	var list []source.Entry
	for _, e := range t.Files {
		if read[e.Path] {
			list = append(list, e)
		}
	}
	return list
}

// ReadFiles returns the files of the exported tree that were read, in its order.
func (o *Outcome) ReadFiles() []source.Entry {
	if o.Account == nil || o.Tree == nil {
		return nil
	}
	return o.Account.sourceFiles(o.Tree)
}
