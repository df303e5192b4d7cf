package verify

import (
	"context"
	"io"
	"os"
	"path"
	"strings"

	"github.com/glassbuild/glassbuild/internal/artifact"
	"github.com/glassbuild/glassbuild/internal/compare"
	"github.com/glassbuild/glassbuild/internal/compare/pass"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/recipe"
	"github.com/glassbuild/glassbuild/internal/signature"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// claim says that an output is, or sits in, what was shipped.
type claim struct {
	artifact recipe.Artifact
	index    int    // in the recipe's list, as in the outputs of a run
	member   string // path of a member of the artefact; "" is the artefact itself
}

// claims matches the recipe's artifacts with what was shipped. With a single subject only the artifact that is meant counts.
func claims(list []recipe.Artifact, shipped *artifact.Artifact, subject *artifact.Member) ([]claim, error) {
	var whole, members []claim
	for i, a := range list {
		switch {
		case a.Member == "":
			whole = append(whole, claim{a, i, subject.Path})
		case subject.Path == "" || a.Member == subject.Path:
			if _, err := shipped.Find(a.Member); err == nil {
				members = append(members, claim{a, i, a.Member})
			}
		}
	}
	if subject.Path != "" {
		if len(members) > 0 {
			return members[:1], nil
		}
		one, err := meant(whole, subject.Path)
		return one, err
	}
	if len(members) > 0 { // an output without a place is the container only if it has the container's name
		for _, c := range whole {
			if path.Base(c.artifact.Output) == shipped.Name {
				members = append(members, c)
			}
		}
		return members, nil
	}
	return meant(whole, shipped.Name)
}

// meant picks the artifact that has the name of what was shipped; a single one needs no name.
func meant(whole []claim, name string) ([]claim, error) {
	if len(whole) <= 1 {
		return whole, nil
	}
	for _, c := range whole {
		if path.Base(c.artifact.Output) == path.Base(name) {
			return []claim{c}, nil
		}
	}
	return nil, fault.Usagef(fault.Quote(name), "the recipe makes %d files and none of them has this name", len(whole)).
		WithHint("give the shipped file the name that the recipe gives it, or say with [[artifact]] member where each output sits")
}

// compare holds every member of what was shipped against what was rebuilt and the verified tree.
func (r *run) compare(ctx context.Context) error {
	r.req.Progress("comparing")
	list, err := claims(r.recipe.Recipe.Artifacts, r.shipped, r.subject)
	if err != nil {
		return err
	}
	dir, err := r.dir.Dir("forgive")
	if err != nil {
		return err
	}
	var rebuilt []compare.Rebuilt
	for _, c := range list {
		out := r.outcome.Runs[0].Outputs[c.index]
		f, err := os.Open(r.outcome.Runs[0].Path(out.Path))
		if err != nil {
			return fault.Inconclusivef(fault.Quote(out.Path), "%w", bare(err))
		}
		defer f.Close()
		rebuilt = append(rebuilt, compare.Rebuilt{Member: c.member, Output: out.Path, SHA256: out.SHA256, Size: out.Size, Content: io.NewSectionReader(f, 0, out.Size),
			Allow: r.allowed(c.artifact.Allow), Dir: dir, Keys: signature.Options{Keys: r.policy.Trust, Now: r.now}})
	}
	var tree []compare.TreeFile
	for _, e := range r.outcome.Tree.Files {
		tree = append(tree, compare.TreeFile{Path: e.Path, SHA256: e.SHA256, Size: e.Size, Link: e.Mode == gitLink})
	}
	acc, err := compare.AccountFor(ctx, r.shipped, r.subject, rebuilt, tree)
	if err != nil {
		return err
	}
	return r.takeAccount(ctx, acc, list)
}

const gitLink = 0o120000

// takeAccount writes the accounting down as facts.
func (r *run) takeAccount(ctx context.Context, acc compare.Accounting, list []claim) error {
	c := &verdict.Comparison{Whole: verdict.NotRebuilt, Counts: map[string]int{}}
	for _, l := range acc.Lines {
		if l.Type == artifact.Directory && len(l.Flags) == 0 {
			continue
		}
		m, err := r.member(ctx, l, list)
		if err != nil {
			return err
		}
		if l.Member == acc.Subject && (m.State == verdict.Identical || m.State == verdict.Equivalent || m.State == verdict.Different) {
			c.Whole = m.State
		}
		c.Members = append(c.Members, m)
		c.Counts[m.State]++
	}
	for _, p := range acc.Problems {
		pr := verdict.ProblemOf(p.Err, verdict.CheckArtefact)
		if c.Whole != verdict.Identical {
			r.facts.Problems = append(r.facts.Problems, pr)
		}
	}
	r.facts.Comparison = c
	return nil
}

// states translates the words of the comparison.
var states = map[compare.Status]string{
	compare.Identical: verdict.Identical, compare.Different: verdict.Different, compare.InTree: verdict.InTree,
	compare.Equivalent: verdict.Equivalent, compare.Nowhere: verdict.Nowhere, compare.Opened: verdict.NotRebuilt, compare.Missing: verdict.Different,
}

// privileges keeps the flags that give rights. Labels that a file system adds by itself, as SELinux does, give none.
func privileges(flags []string) []string {
	var list []string
	for _, f := range flags {
		if f == "set-uid" || f == "set-gid" || f == "attribute security.capability" {
			list = append(list, f)
		}
	}
	return list
}

func (r *run) member(ctx context.Context, l compare.Line, list []claim) (verdict.MemberResult, error) {
	m := verdict.MemberResult{Path: l.Member, State: states[l.Status], SHA256: l.SHA256, Size: l.Size, Exec: artifact.ExecutableFormat(l.Format)}
	if m.Path == "" {
		m.Path = r.shipped.Name
	}
	if l.Type != artifact.Directory {
		m.Flags = privileges(l.Flags)
	}
	if m.State == "" {
		m.State = verdict.Nowhere
	}
	switch l.Status {
	case compare.InTree:
		m.TreePath = l.From
	case compare.Identical, compare.Equivalent, compare.Different:
		m.Output = l.From
	}
	if l.Difference == nil {
		return m, nil
	}
	d := l.Difference
	m.Difference = &verdict.Difference{Rebuilt: verdict.Digest{Name: l.From, SHA256: d.RebuiltSHA256, Size: d.RebuiltSize}, Bytes: d.Bytes, First: d.First, Last: d.Last, Stable: true}
	for _, c := range list {
		if c.member != l.Member {
			continue
		}
		m.Declared = c.artifact.Allow
		if l.Status == compare.Equivalent {
			m.Difference.Stable = false
			forgive(&m, l.Forgiven)
			return m, nil
		}
		if err := r.difference(ctx, l, c, m.Difference); err != nil {
			return m, err
		}
		if l.Forgiven != nil {
			m.Difference.Explain = append(m.Difference.Explain, "not forgiven: "+l.Forgiven.Reason)
		}
		return m, nil
	}
	return m, nil
}

// allowed keeps of what the recipe declares what the policy allows too: both must name a difference.
func (r *run) allowed(declared []string) []string {
	var list []string
	for _, name := range declared {
		if _, ok := r.policy.Rebuild.Allows(name); ok {
			list = append(list, name)
		}
	}
	return list
}

// forgive writes down what was forgiven and the sums that prove it to be all.
func forgive(m *verdict.MemberResult, out *pass.Outcome) {
	for _, f := range out.Forgiven {
		g := verdict.Forgiven{Name: f.Pass, Layer: f.Layer, Fields: f.Fields, Bytes: f.Bytes}
		for _, x := range f.Ranges {
			g.Ranges = append(g.Ranges, verdict.Span(x))
		}
		m.Forgiven = append(m.Forgiven, g)
	}
	for _, s := range out.Signed {
		e := verdict.Embedded{Name: s.Pass, Layer: s.Layer, Bytes: s.Bytes}
		for _, x := range s.Ranges {
			e.Ranges = append(e.Ranges, verdict.Span{Offset: x.Offset, Size: x.Size})
		}
		for _, x := range s.Signers {
			e.Signers = append(e.Signers, embeddedSigner(x))
		}
		m.Signed = append(m.Signed, e)
	}
	for _, l := range out.Layers {
		m.Layers = append(m.Layers, verdict.Layered(l))
	}
}

// difference finds out whether the runs themselves explain a difference (F16), and what its cause is.
func (r *run) difference(ctx context.Context, l compare.Line, c claim, d *verdict.Difference) error {
	sm, err := r.shipped.Find(l.Member)
	if err != nil {
		return err
	}
	shipped, err := r.shipped.Content(sm)
	if err != nil {
		return err
	}
	defer shipped.Close()
	first, err := r.outcome.Runs[0].Open(c.artifact.Output)
	if err != nil {
		return err
	}
	defer first.Close()
	if dis := r.outcome.Disagree; dis != nil {
		second, err := r.outcome.Runs[dis.Runs[1]-1].Open(c.artifact.Output)
		if err != nil {
			return err
		}
		defer second.Close()
		st, err := compare.Stable(ctx, shipped, first, second)
		if err != nil {
			return err
		}
		d.Stable = st.Differs()
	}
	return r.explain(ctx, sm, shipped, first, d)
}

// explain names the cause. What cannot be explained is still different: an explanation never decides.
func (r *run) explain(ctx context.Context, m *artifact.Member, shipped, rebuilt compare.Content, d *verdict.Difference) error {
	r.req.Progress("explaining the difference")
	dir, err := r.dir.Dir("explain")
	if err != nil {
		return err
	}
	n, err := compare.Explain(ctx, shipped, rebuilt, compare.Options{Dir: dir, Name: m.Path, Digests: true})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		d.Explain = []string{"could not be explained: " + err.Error()}
		return nil
	}
	if _, c, ok := n.Top(); ok {
		d.Cause = c.ID
	}
	d.Regions = regions(n)
	for line := range strings.Lines(n.Text(0)) {
		if len(d.Explain) == maxExplained {
			d.Explain = append(d.Explain, "…")
			break
		}
		d.Explain = append(d.Explain, strings.TrimRight(line, "\n"))
	}
	return nil
}

// maxExplained bounds the lines of one explanation in a verdict; glassbuild diff has all of it.
const maxExplained = 24

func embeddedSigner(x signature.Result) verdict.Signature {
	s := verdict.Signature{Status: string(x.Status), Kind: string(x.Kind), Signer: x.Signer, Platform: x.Platform, Key: x.Key, Detail: x.Detail}
	if t := x.Stamp; t != nil {
		s.Stamp = &verdict.Stamp{At: t.At, By: t.By, Principal: t.Principal, Bytes: t.Bytes}
	}
	return s
}
