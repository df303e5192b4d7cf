package verify

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/glassbuild/glassbuild/internal/artifact"
	"github.com/glassbuild/glassbuild/internal/compare"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// Release verifies every file of a release at once: folders, lists of digests (SHA256SUMS), files and images. Each commit
// and recipe is built once, and every member of every file, however deep it lies, is accounted for by all builds together.
// The verdict is one; an error means what it means for Run.
//
// The digest of a release is the SHA-256 over "glassbuild-release-v1\n" and, for each file in the order of the bytes of its
// name: sha256 SP size SP name NUL.
func Release(ctx context.Context, req Request, what []string) (*Result, error) {
	if err := req.wantsOneFile(); err != nil {
		return nil, err
	}
	r, err := begin(ctx, req)
	if err != nil {
		return nil, err
	}
	defer r.close()
	return r.release(ctx, what)
}

// wantsOneFile refuses for a release what is about one file.
func (req *Request) wantsOneFile() error {
	if req.Sign.Signer != nil || req.Member != "" || req.Keep != "" {
		return fault.Usagef("verify", "--sign, --member and --keep are for one file").WithHint("verify that file by itself")
	}
	return nil
}

func (r *run) release(ctx context.Context, what []string) (*Result, error) {
	if err := r.demandsEvidence(ctx); err != nil {
		return nil, err
	}
	l := &release{run: r, stock: compare.NewStock(), given: what}
	defer l.close()
	if err := l.gather(ctx, what); err != nil {
		return nil, err
	}
	r.facts.Scope = verdict.ScopeRelease
	err := l.chain(ctx)
	if ctx.Err() != nil {
		if r.facts.Release == nil {
			r.facts.Release = &verdict.Release{}
		}
		l.settle()
		return r.interrupted(), ctx.Err()
	}
	if err != nil && fault.ClassOf(err) == fault.Usage {
		return nil, err
	}
	if err != nil {
		r.facts.Problems = append(r.facts.Problems, verdict.ProblemOf(r.notInKit(err), ""))
	}
	res := &Result{Verdict: verdict.Decide(r.facts, r.policy), Record: r.record(), Notes: r.notes}
	for _, b := range l.builds {
		if b.outcome != nil && len(b.outcome.LogTail) > 0 {
			res.LogTail = b.outcome.LogTail
		}
	}
	return res, nil
}

// release is one verification of a release under way.
type release struct {
	*run
	given    []string // what was named
	files    []*releaseFile
	lists    []*digestList
	stray    []string
	stock    *compare.Stock
	builds   []*run
	unlisted []*compare.Claim    // outputs of which stock knows the digest alone
	known    map[string]*library // evidence by folder
	mu       sync.Mutex          // guards explained and, while files are listed side by side, facts
	told     int                 // differences that were explained
	open     []io.Closer
}

// releaseFile is one file that was shipped.
type releaseFile struct {
	name   string // inside the release
	path   string // on this machine
	beside string // folder in which evidence about it may lie
	sum    string
	sum512 string // where a list wants it
	size   int64
	image  string // digest of an image that was fetched, hex; path is then a layout of our own
	listed bool   // a list of digests or a detached signature
	err    error
	opened *artifact.Artifact
	seen   map[string]bool // digests of what is in it
}

func (l *release) close() {
	for _, f := range l.files {
		if f.opened != nil {
			f.opened.Close()
		}
	}
	for _, b := range l.builds {
		if b != l.run && b.commit != nil {
			b.commit.Close()
		}
	}
	for _, c := range l.open {
		c.Close()
	}
}

// chain is the order of everything.
func (l *release) chain(ctx context.Context) error {
	l.hash(ctx)
	if err := ctx.Err(); err != nil {
		return err
	}
	l.describe()
	if err := l.judgeLists(); err != nil {
		return err
	}
	if err := l.build(ctx); err != nil {
		return err
	}
	if l.needsLists() {
		if err := l.list(ctx); err != nil {
			return err
		}
	}
	if err := l.account(ctx); err != nil {
		return err
	}
	if err := l.evidence(ctx); err != nil {
		return err
	}
	if err := l.unshipped(ctx); err != nil {
		return err
	}
	l.settle()
	return nil
}

// hash reads every file once, as many side by side as there are processors.
func (l *release) hash(ctx context.Context) {
	l.req.Progress("hashing %d files", len(l.files))
	want512 := map[string]bool{}
	for _, list := range l.lists {
		for _, e := range list.entries {
			if list.algorithm == "sha512" {
				want512[e.name] = true
			}
		}
	}
	order := make([]*releaseFile, 0, len(l.files))
	for _, f := range l.files {
		if f.image == "" && f.err == nil {
			order = append(order, f)
		}
	}
	slices.SortStableFunc(order, func(a, b *releaseFile) int { return int(min(max(b.size-a.size, -1), 1)) }) // the longest first
	sideBySide(len(order), func(i int) {
		f := order[i]
		if ctx.Err() == nil {
			f.sum, f.sum512, f.size, f.err = hashStable(f.path, want512[f.name])
		}
	})
}

// describe writes down what is judged: the subject, and how the lists and the files agree.
func (l *release) describe() {
	facts := &verdict.Release{Stray: l.stray}
	l.facts.Release = facts
	byName := map[string]*releaseFile{}
	h := sha256.New()
	io.WriteString(h, "glassbuild-release-v1\n")
	slices.SortFunc(l.files, func(a, b *releaseFile) int { return strings.Compare(a.name, b.name) })
	for _, f := range l.files {
		byName[f.name] = f
		if f.err != nil {
			p := verdict.ProblemOf(f.err, verdict.CheckArtefact)
			l.facts.Problems = append(l.facts.Problems, p)
			continue
		}
		fmt.Fprintf(h, "%s %d %s\x00", f.sum, f.size, f.name)
		l.facts.Subject.Size += f.size
	}
	l.facts.Subject.SHA256, l.facts.Subject.Format = hex.EncodeToString(h.Sum(nil)), "release"
	for _, list := range l.lists {
		d := verdict.DigestList{Name: list.name, SHA256: list.sum, Algorithm: list.algorithm, Entries: len(list.entries)}
		if list.refused != nil {
			d.Refused = strings.TrimPrefix(list.refused.Error(), ": ")
		}
		for _, e := range list.entries {
			f := byName[e.name]
			switch {
			case f == nil:
				d.Missing = append(d.Missing, e.name)
			case f.err != nil:
			case list.algorithm == "sha256" && f.sum != e.sum, list.algorithm == "sha512" && f.sum512 != e.sum:
				d.Differs = append(d.Differs, e.name)
			}
		}
		facts.Lists = append(facts.Lists, d)
	}
}

// account says of every member of every file where it comes from.
func (l *release) account(ctx context.Context) error {
	l.req.Progress("accounting for %d files", len(l.files))
	results := make([]fileAccount, len(l.files))
	sideBySide(len(l.files), func(i int) {
		if f := l.files[i]; ctx.Err() == nil && f.err == nil {
			results[i] = l.accountFor(ctx, f)
		}
	})
	c := &verdict.Comparison{Whole: verdict.Identical, Counts: map[string]int{}}
	named := l.namedBy()
	for i, f := range l.files {
		res := results[i]
		if res.err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			l.facts.Problems = append(l.facts.Problems, verdict.ProblemOf(res.err, verdict.CheckArtefact))
		}
		l.facts.Problems = append(l.facts.Problems, res.problems...)
		out := verdict.ReleaseFile{Name: f.name, SHA256: f.sum, Size: f.size, Format: res.format, Counts: map[string]int{}, Lists: named[f.name]}
		for _, m := range res.members {
			c.Counts[m.State]++
			out.Counts[m.State]++
		}
		if out.State = worstState(res.members); out.State != verdict.Identical && out.State != verdict.Listed {
			c.Whole = verdict.NotRebuilt
		}
		c.Members = append(c.Members, res.members...)
		l.facts.Release.Files = append(l.facts.Release.Files, out)
	}
	if l.failed() {
		c.Whole = verdict.NotRebuilt
	}
	l.facts.Comparison = c
	return nil
}

// namedBy tells for each file which lists name it as it is.
func (l *release) namedBy() map[string][]string {
	sums := map[string]*releaseFile{}
	for _, f := range l.files {
		sums[f.name] = f
	}
	named := map[string][]string{}
	for _, list := range l.lists {
		for _, e := range list.entries {
			if f := sums[e.name]; f != nil && f.err == nil && (list.algorithm == "sha256" && f.sum == e.sum || list.algorithm == "sha512" && f.sum512 == e.sum) {
				named[e.name] = append(named[e.name], list.name)
			}
		}
	}
	return named
}

// failed tells whether a file could not be read.
func (l *release) failed() bool {
	return len(l.files) == 0 || slices.ContainsFunc(l.files, func(f *releaseFile) bool { return f.err != nil })
}

// severity orders states from what a release is best made of to what it must not hold.
var severity = []string{verdict.Listed, verdict.Identical, verdict.Equivalent, verdict.InTree, verdict.NotRebuilt, verdict.Covered, verdict.Nowhere, verdict.Uncovered, verdict.Different}

func worstState(members []verdict.MemberResult) string {
	worst := -1
	for _, m := range members {
		if m.State == verdict.NotRebuilt && len(members) > 1 { // its members speak for it
			continue
		}
		worst = max(worst, slices.Index(severity, m.State))
	}
	switch {
	case worst < 0:
		return verdict.NotRebuilt
	case len(members) > 1 && worst <= slices.Index(severity, verdict.InTree):
		return string(verdict.MatchPartial)
	}
	return severity[worst]
}

// settle takes the facts of the first build as those of the release, and lists the others.
func (l *release) settle() {
	for i, b := range l.builds {
		if i > 0 {
			f := b.facts
			l.facts.Release.Builds = append(l.facts.Release.Builds, verdict.BuildFacts{Source: f.Source, Recipe: f.Recipe, Builder: f.Builder, Inputs: f.Inputs, Rebuild: f.Rebuild})
		}
	}
}
