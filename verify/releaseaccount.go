package verify

import (
	"context"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/artifact"
	"github.com/glassbuild/glassbuild/internal/compare"
	"github.com/glassbuild/glassbuild/internal/compare/pass"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/recipe"
	"github.com/glassbuild/glassbuild/internal/signature"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// fileAccount is what was found out about one file.
type fileAccount struct {
	format   string
	members  []verdict.MemberResult
	problems []verdict.Problem
	err      error
}

// listing opens a file once, and demands that it is still the one that was hashed.
func (l *release) listing(ctx context.Context, f *releaseFile) (*artifact.Artifact, error) {
	if f.opened != nil || f.err != nil {
		return f.opened, f.err
	}
	dir, err := l.dir.Dir("shipped")
	if err != nil {
		return nil, err
	}
	a, err := artifact.Open(ctx, f.path, artifact.Options{Dir: dir, Name: f.name})
	if err != nil {
		return nil, withCheck(err, verdict.CheckArtefact)
	}
	if f.image == "" && a.SHA256 != f.sum {
		a.Close()
		f.err = fault.Failf(fault.Quote(f.name), "changed while it was read").WithCheck(verdict.CheckArtefact)
		return nil, f.err
	}
	f.opened = a
	return a, nil
}

// accountFor accounts for one file. What is an output as a whole is not opened.
func (l *release) accountFor(ctx context.Context, f *releaseFile) fileAccount {
	if f.listed {
		return fileAccount{members: []verdict.MemberResult{{Path: f.name, State: verdict.Listed, SHA256: f.sum, Size: f.size}}}
	}
	f.seen = map[string]bool{f.sum: true}
	if line, ok := l.stock.Take(f.name, f.sum, f.size); ok {
		return fileAccount{members: []verdict.MemberResult{l.result(line)}}
	}
	a, err := l.listing(ctx, f)
	if err != nil {
		return fileAccount{err: err}
	}
	defer func() { // everything that is needed later is in the account
		a.Close()
		f.opened = nil
	}()
	out := fileAccount{format: a.Root.Format}
	_ = a.Walk(func(m *artifact.Member) error {
		if m.SHA256 != "" {
			f.seen[m.SHA256] = true
		}
		return nil
	})
	acc, err := l.stock.Account(ctx, a, f.name)
	if err != nil {
		return fileAccount{err: err}
	}
	for _, p := range acc.Problems {
		out.problems = append(out.problems, verdict.ProblemOf(p.Err, verdict.CheckArtefact))
	}
	compared := acc.Compared
	for _, line := range acc.Lines {
		if f.image != "" && (line.Member == f.name+"/index.json" || line.Member == f.name+"/oci-layout" || line.Member == f.name) {
			continue // this program wrote them around what was fetched
		}
		m := l.result(line)
		if line.Status == compare.Different {
			c := compared[0]
			compared = compared[1:]
			if err := l.compared(ctx, a, c, line, &m); err != nil {
				return fileAccount{err: err}
			}
		}
		out.members = append(out.members, m)
	}
	return out
}

// result writes one line of the account as the verdict has it.
func (l *release) result(line compare.Line) verdict.MemberResult {
	m := verdict.MemberResult{Path: line.Member, State: states[line.Status], SHA256: line.SHA256, Size: line.Size, Exec: artifact.ExecutableFormat(line.Format)}
	if line.Status == compare.Uncovered {
		m.State = verdict.Uncovered
	}
	if line.Type != artifact.Directory {
		m.Flags = privileges(line.Flags)
	}
	switch line.Status {
	case compare.InTree:
		m.TreePath, m.Runs = line.From, line.Note
	case compare.Identical, compare.Different:
		m.Output, m.Runs = line.From, line.Note
	case compare.Uncovered:
		m.Runs = line.Note
	}
	if line.Type == artifact.Symlink {
		m.Runs = ""
	}
	return m
}

// compared looks at a member that has the name of an output and other bytes: what differs, whether that was declared and
// is allowed, and, of the first few, why.
func (l *release) compared(ctx context.Context, a *artifact.Artifact, c compare.Compared, line compare.Line, m *verdict.MemberResult) error {
	b := l.builds[c.Claim.Build]
	content, err := a.Content(c.Member)
	if err != nil {
		return err
	}
	defer content.Close()
	out, err := b.outcome.Runs[0].Open(c.Claim.Output)
	if err != nil {
		return err
	}
	defer out.Close()
	d, err := compare.Files(ctx, content, out)
	if err != nil {
		return err
	}
	m.Difference = &verdict.Difference{Rebuilt: verdict.Digest{Name: c.Claim.Output, SHA256: d.RebuiltSHA256, Size: d.RebuiltSize}, Bytes: d.Bytes, First: d.First, Last: d.Last, Stable: true}
	list := b.recipe.Recipe.Artifacts
	i := slices.IndexFunc(list, func(r recipe.Artifact) bool { return r.Output == c.Claim.Output })
	m.Declared = list[i].Allow
	if allow := b.allowed(list[i].Allow); len(allow) > 0 {
		dir, err := l.dir.Dir("forgive")
		if err != nil {
			return err
		}
		verdictOf, err := pass.Judge(ctx, content, out, allow, pass.Options{Dir: dir, Name: m.Path, Keys: signature.Options{Keys: l.policy.Trust, Now: l.now}})
		if err != nil {
			return err
		}
		if verdictOf.Equivalent {
			m.State, m.Difference.Stable = verdict.Equivalent, false
			forgive(m, &verdictOf)
			return nil
		}
	}
	return l.why(ctx, b, a, c, list[i], m.Difference)
}

// why explains the first few differences; each costs more than everything else about its file.
func (l *release) why(ctx context.Context, b *run, a *artifact.Artifact, c compare.Compared, output recipe.Artifact, d *verdict.Difference) error {
	l.mu.Lock()
	l.told++
	explain := l.told <= maxExplainedFiles
	l.mu.Unlock()
	if !explain && b.outcome.Disagree == nil {
		return nil
	}
	one := *b
	one.shipped = a
	one.req.Progress = func(string, ...any) {}
	return one.difference(ctx, compare.Line{Member: c.Member.Path}, claim{artifact: output}, d)
}

// evidence judges what was signed: about every file, where the policy demands that, and about every member that would run
// and was not rebuilt.
func (l *release) evidence(ctx context.Context) error {
	l.known = map[string]*library{}
	if l.checker == nil {
		for _, f := range l.files { // what it says to be about must have been shipped, whoever says it
			if f.beside != "" {
				if _, err := (&checker{}).folder(ctx, l.known, f.beside, nil); err != nil {
					return err
				}
			}
		}
		return ctx.Err()
	}
	l.req.Progress("judging signed evidence")
	for i := range l.facts.Release.Files {
		file := &l.facts.Release.Files[i]
		f := l.files[i]
		if f.listed || f.err != nil {
			continue
		}
		beside := newLibrary()
		if f.beside != "" {
			var err error
			if beside, err = l.checker.folder(ctx, l.known, f.beside, nil); err != nil {
				return err
			}
		}
		v := l.checker.verdictOf(ctx, &subject{name: f.name, sum: f.sum, size: f.size, beside: beside, open: opener(f)})
		file.Signed, file.Evidence = v.ExitCode() == verdict.ExitPassed, v.Summary
		l.cover(ctx, file, beside)
	}
	for i := range l.facts.Release.Files {
		file := &l.facts.Release.Files[i]
		var own []verdict.MemberResult
		for _, m := range l.facts.Comparison.Members {
			if m.Path == file.Name || strings.HasPrefix(m.Path, file.Name+"/") {
				own = append(own, m)
			}
		}
		file.State = worstState(own)
	}
	return ctx.Err()
}

// cover marks what would run in a file, was not rebuilt, and has evidence about itself or about the whole file.
func (l *release) cover(ctx context.Context, file *verdict.ReleaseFile, beside *library) {
	c := l.facts.Comparison
	for k := range c.Members {
		m := &c.Members[k]
		whole := m.Path == file.Name && m.State == verdict.Nowhere
		if m.Path != file.Name && !strings.HasPrefix(m.Path, file.Name+"/") || m.State != verdict.Uncovered && !whole || m.SHA256 == "" {
			continue
		}
		if !file.Signed && l.checker.verdictOf(ctx, &subject{name: m.Path, sum: m.SHA256, size: m.Size, beside: beside}).ExitCode() != verdict.ExitPassed {
			continue
		}
		for _, counts := range []map[string]int{c.Counts, file.Counts} {
			if counts[m.State]--; counts[m.State] == 0 {
				delete(counts, m.State)
			}
			counts[verdict.Covered]++
		}
		m.State = verdict.Covered
	}
}

// opener reads a file of the release again, for evidence that needs more than its SHA-256.
func opener(f *releaseFile) func() (content, int64, error) {
	if f.image != "" {
		return nil
	}
	c := &checker{}
	s := c.file(f.path, f.name, nil)
	if s.err != nil || s.sum != f.sum {
		return nil
	}
	return s.open
}

// unshipped lists what belongs to the release and is not in it: outputs of the builds, and what is attested beside it.
func (l *release) unshipped(ctx context.Context) error {
	seen := map[string]bool{}
	for _, f := range l.files {
		seen[f.sum] = true
		for sum := range f.seen {
			seen[sum] = true
		}
	}
	claimed := map[string]bool{}
	for _, m := range l.facts.Comparison.Members {
		if m.Difference != nil {
			claimed[m.Output] = true // shipped, altered
		}
	}
	for _, c := range l.stock.Outputs() {
		if !c.Shipped && !seen[c.SHA256] && !claimed[c.Output] {
			l.facts.Release.Unshipped = append(l.facts.Release.Unshipped, verdict.Unshipped{Name: c.Output, SHA256: c.SHA256, Why: "rebuilt"})
		}
		seen[c.SHA256] = true
	}
	l.holds(seen)
	sums := l.attested(seen)
	if len(sums) > 0 && len(l.unlisted) > 0 {
		if err := l.list(ctx); err != nil {
			return err
		}
		l.holds(seen)
		sums = l.attested(seen)
	}
	for _, sum := range sums {
		l.facts.Release.Unshipped = append(l.facts.Release.Unshipped, verdict.Unshipped{Name: "sha256:" + sum, SHA256: sum, Why: "attested"})
	}
	return nil
}

// holds marks everything that lies in outputs that were shipped.
func (l *release) holds(seen map[string]bool) {
	for _, c := range l.stock.Outputs() {
		if c.Shipped {
			c.Holds(func(sum string) { seen[sum] = true })
		}
	}
}

// attested lists what evidence beside the files speaks about and nobody shipped. What a statement says counts here without
// its signature: the more is missing, the worse.
func (l *release) attested(seen map[string]bool) []string {
	var sums []string
	for _, dir := range l.known {
		for about := range dir.about {
			if sum, ok := strings.CutPrefix(about, "sha256:"); ok && !seen[sum] {
				sums = append(sums, sum)
			}
		}
	}
	slices.Sort(sums)
	return slices.Compact(sums)
}
