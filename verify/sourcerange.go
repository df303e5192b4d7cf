package verify

import (
	"context"
	"path"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/findings"
	"github.com/glassbuild/glassbuild/internal/policy"
	"github.com/glassbuild/glassbuild/internal/source"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

const (
	maxRangeCommits = 1 << 20 // commits of one range
	maxNewest       = 10      // ids that a group names
	maxGroupPaths   = 10      // paths that a group names
	maxGroups       = 10_000  // signers that are told apart
)

// kinds are the files that decide what a build gives: who touched one of them in a range is always said.
var kinds = []struct {
	what     string
	patterns []string
}{
	{"recipe", []string{"glassbuild.toml"}},
	{"lock", []string{"glassbuild.lock"}},
	{"build scripts", []string{"Makefile", "makefile", "GNUmakefile", "*.mk", "*.am", "*.m4", "configure", "configure.ac", "CMakeLists.txt", "*.cmake",
		"meson.build", "SConstruct", "BUILD", "BUILD.bazel", "WORKSPACE", "MODULE.bazel", "*.bzl", "*.gradle", "*.gradle.kts", "build.rs", "setup.py", "*.sh",
		"Dockerfile", "*.dockerfile", "Containerfile", "Jenkinsfile", ".gitlab-ci.yml", ".goreleaser.yml", ".goreleaser.yaml"}},
	{"dependencies", []string{"go.mod", "go.sum", "go.work", "go.work.sum", "package.json", "package-lock.json", "npm-shrinkwrap.json", "yarn.lock",
		"pnpm-lock.yaml", "Cargo.toml", "Cargo.lock", "pyproject.toml", "poetry.lock", "requirements*.txt", "Gemfile", "Gemfile.lock", "pom.xml", ".gitmodules"}},
}

const gitSubmodule = 0o160000

// kindNames finds the kinds of a name. Ranges are long and the patterns many: most are whole names or ends of names.
var kindNames = indexKinds()

type kindIndex struct {
	whole    map[string][]int
	ends     []kindPattern // what follows the * of "*.mk"
	patterns []kindPattern
}

type kindPattern struct {
	text string
	kind int
}

func indexKinds() kindIndex {
	x := kindIndex{whole: make(map[string][]int)}
	for i, k := range kinds {
		for _, p := range k.patterns {
			end, starred := strings.CutPrefix(p, "*")
			switch {
			case !strings.Contains(p, "*"):
				x.whole[p] = append(x.whole[p], i)
			case starred && !strings.Contains(end, "*"):
				x.ends = append(x.ends, kindPattern{end, i})
			default:
				x.patterns = append(x.patterns, kindPattern{p, i})
			}
		}
	}
	return x
}

func (x kindIndex) is(name string, kind int) bool {
	return slices.Contains(x.whole[name], kind) ||
		slices.ContainsFunc(x.ends, func(p kindPattern) bool { return p.kind == kind && strings.HasSuffix(name, p.text) }) ||
		slices.ContainsFunc(x.patterns, func(p kindPattern) bool { ok, _ := path.Match(p.text, name); return ok && p.kind == kind })
}

// kindsOf says which kinds a changed path is of. Names count in every folder.
func kindsOf(c source.Change) []int {
	var list []int
	name := path.Base(c.Path)
	for i, k := range kinds {
		ok := kindNames.is(name, i)
		switch k.what {
		case "build scripts":
			ok = ok || strings.HasPrefix(c.Path, ".github/")
		case "dependencies":
			ok = ok || findings.VendoredPath(c.Path) || c.Old.Mode == gitSubmodule || c.New.Mode == gitSubmodule
		}
		if ok {
			list = append(list, i)
		}
	}
	return list
}

// touch says that a commit changed a path that somebody wants to know of: of kind topic, or of rule topic-len(kinds).
type touch struct {
	topic int
	path  string // one of them
}

// lookBack looks at what lies before the commit, as far as the policy or the caller asks for it, and at earlier tags.
func (r *run) lookBack(ctx context.Context) error {
	if err := r.tagHistory(); err != nil {
		return withCheck(err, verdict.CheckMovedTags)
	}
	since := r.since
	if since == "" {
		since = r.policy.Source.Since
	}
	if since != "" {
		return withCheck(r.walkRange(ctx, since), verdict.CheckRange)
	}
	if len(r.policy.Source.Paths) == 0 {
		return nil
	}
	return withCheck(r.walkOne(ctx), verdict.CheckPaths)
}

// walkRange looks at every commit of the range.
func (r *run) walkRange(ctx context.Context, since string) error {
	r.req.Progress("looking at the commits since %.12s", since)
	t := newTally(r.policy.Source.Paths)
	revs, known := r.recall(since)
	if known {
		for _, rev := range revs {
			t.add(rev.id, r.judgeSignature(rev.payload, rev.signature, rev.when), rev.touches)
		}
	} else if err := r.walkHistory(ctx, since, t); err != nil {
		return err
	}
	r.saveMath()
	s := r.facts.Source
	s.Paths = t.paths()
	s.Range = &verdict.Range{Since: since, Commits: t.commits, Contained: t.commits == 0, By: t.all.list()}
	for i, k := range kinds {
		if by := t.topics[i].list(); len(by) > 0 {
			s.Range.Touched = append(s.Range.Touched, verdict.Touched{What: k.what, By: by})
		}
	}
	return nil
}

// walkHistory reads the range from the repository, and remembers it once it was read to its end.
func (r *run) walkHistory(ctx context.Context, since string, t *tally) error {
	m := newMemo()
	for rev, err := range r.commit.History(ctx, since) {
		if err != nil {
			return err
		}
		if t.commits == maxRangeCommits {
			return fault.Inconclusivef("commits since "+since, "more than %d: exceeds limit", maxRangeCommits)
		}
		touches, err := r.touches(ctx, rev.ID, rev.Parents)
		if err != nil {
			return err
		}
		t.add(rev.ID, r.judgeSignature(rev.SignedPayload, rev.Signature, rev.Committer.When), touches)
		m.add(revision{id: rev.ID, when: rev.Committer.When, payload: rev.SignedPayload, signature: rev.Signature, touches: touches})
	}
	r.memorise(since, m)
	return nil
}

// walkOne looks at the one commit, where the policy has rules on paths and names no earlier commit.
func (r *run) walkOne(ctx context.Context) error {
	f := r.commit.Facts()
	touches, err := r.touches(ctx, f.ID, f.Parents)
	if err != nil {
		return err
	}
	t := newTally(r.policy.Source.Paths)
	t.add(f.ID, r.facts.Source.Signature, touches)
	r.facts.Source.Paths = t.paths()
	return nil
}

// touches returns what a commit changed of what is asked for. A merge changed a path where it has something else there
// than every parent; a first commit changed all that it holds.
func (r *run) touches(ctx context.Context, id string, parents []string) ([]touch, error) {
	if len(parents) == 0 {
		parents = []string{""}
	}
	var changes []source.Change
	for i, p := range parents {
		list, err := r.commit.Changes(ctx, p, id)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			changes = list
			continue
		}
		changes = inBoth(changes, list)
	}
	return pick(changes, r.policy.Source.Paths), nil
}

// inBoth returns the changes of a whose path b has too. Both are sorted by path.
func inBoth(a, b []source.Change) []source.Change {
	var both []source.Change
	for _, c := range a {
		if _, ok := slices.BinarySearchFunc(b, c.Path, func(x source.Change, p string) int { return strings.Compare(x.Path, p) }); ok {
			both = append(both, c)
		}
	}
	return both
}

// pick names one path for each topic that was touched.
func pick(changes []source.Change, rules []policy.PathRule) []touch {
	var list []touch
	seen := make([]bool, len(kinds)+len(rules))
	note := func(topic int, p string) {
		if !seen[topic] {
			seen[topic] = true
			list = append(list, touch{topic, p})
		}
	}
	for _, c := range changes {
		for _, k := range kindsOf(c) {
			note(k, c.Path)
		}
		for i, rule := range rules {
			if rule.Fits(c.Path) {
				note(len(kinds)+i, c.Path)
			}
		}
	}
	return list
}

// tally counts commits by who signed them.
type tally struct {
	rules   []policy.PathRule
	commits int
	all     groups
	topics  []groups
}

func newTally(rules []policy.PathRule) *tally {
	return &tally{rules: rules, topics: make([]groups, len(kinds)+len(rules))}
}

func (t *tally) add(id string, s verdict.Signature, touches []touch) {
	t.commits++
	t.all.add(id, s, "")
	for _, x := range touches {
		t.topics[x.topic].add(id, s, x.path)
	}
}

func (t *tally) paths() []verdict.PathTouch {
	var list []verdict.PathTouch
	for i, rule := range t.rules {
		by := t.topics[len(kinds)+i].list()
		p := verdict.PathTouch{Match: rule.Match, SignedBy: rule.SignedBy, By: by}
		for _, g := range by {
			p.Commits += g.Count
		}
		list = append(list, p)
	}
	return list
}

// groups are commits with the same signer and status; those whose signature does not count come first.
type groups struct {
	index map[verdict.Signature]int
	found []verdict.Commits
}

func (g *groups) add(id string, s verdict.Signature, p string) {
	key := s
	key.Detail = ""
	if len(g.found) >= maxGroups { // so many keys that nobody knows: they are told apart by status only
		if _, ok := g.index[key]; !ok {
			key = verdict.Signature{Status: s.Status, Signer: s.Signer, Platform: s.Platform}
		}
	}
	i, ok := g.index[key]
	if !ok {
		if g.index == nil {
			g.index = map[verdict.Signature]int{}
		}
		i = len(g.found)
		g.index[key] = i
		if key.Key == s.Key {
			key.Detail = s.Detail
		}
		g.found = append(g.found, verdict.Commits{Signature: key})
	}
	c := &g.found[i]
	c.Count++
	if len(c.Newest) < maxNewest {
		c.Newest = append(c.Newest, id)
	}
	if p != "" && len(c.Paths) < maxGroupPaths && !slices.Contains(c.Paths, p) {
		c.Paths = append(c.Paths, p)
	}
}

func (g *groups) list() []verdict.Commits {
	list := slices.Clone(g.found)
	good := func(c verdict.Commits) int {
		if c.Signature.Status == "good" {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(list, func(a, b verdict.Commits) int {
		if d := good(a) - good(b); d != 0 {
			return d
		}
		return b.Count - a.Count
	})
	return list
}
