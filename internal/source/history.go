package source

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/source/gitobj"
)

// Revision is one commit of a history.
type Revision struct {
	ID        string
	Tree      string
	Parents   []string
	Author    Person
	Committer Person
	Message   string

	Raw           []byte // the commit object
	Signature     []byte // nil: unsigned
	SignedPayload []byte // exactly the raw bytes that the signature covers; nil: unsigned
}

// History yields the commit and its ancestors, newest first by committer time, without those that since reaches; ""
// leaves out nothing (git rev-list COMMIT ^SINCE). A commit that cannot be read in one way only comes with its id and
// an error, and the caller goes on or not. Any other error is the last thing that is yielded.
func (c *Commit) History(ctx context.Context, since string) iter.Seq2[Revision, error] {
	return func(yield func(Revision, error) bool) {
		numbers, g, err := c.newSince(ctx, since)
		if err != nil {
			yield(Revision{}, err)
			return
		}
		for _, n := range numbers {
			if ctx.Err() != nil {
				yield(Revision{}, ctx.Err())
				return
			}
			r, err := g.revision(n)
			if !yield(r, err) {
				return
			}
		}
	}
}

// newSince returns the commits of a history, sorted.
func (c *Commit) newSince(ctx context.Context, since string) ([]int32, *graph, error) {
	g := newGraph(c.repo)
	own, err := g.ancestors(ctx, g.meet(c.id))
	if err != nil {
		return nil, nil, err
	}
	var old []bool
	if since != "" {
		id, err := c.repo.otherCommit(since)
		if err != nil {
			return nil, nil, err
		}
		if old, err = g.ancestors(ctx, g.meet(id)); err != nil {
			return nil, nil, err
		}
	}
	var numbers []int32
	for n := range own {
		if own[n] && !(n < len(old) && old[n]) {
			numbers = append(numbers, int32(n))
		}
	}
	slices.SortStableFunc(numbers, func(a, b int32) int { return cmp.Compare(g.nodes[b].when, g.nodes[a].when) })
	return numbers, g, nil
}

// otherCommit reads the full id of a commit that a policy names.
func (r *repository) otherCommit(text string) (gitobj.ID, error) {
	id, ok := gitobj.ParseID(text)
	if !ok || id.Format() != r.objects.Format() {
		return id, r.needFullID(text)
	}
	_, err := r.readCommit(id)
	return id, err
}

func (g *graph) revision(n int32) (Revision, error) {
	id := g.nodes[n].id
	rev := Revision{ID: id.String()}
	raw, err := g.repo.objects.Read(id, gitobj.Commit)
	if err != nil {
		return rev, err
	}
	o, err := gitobj.ParseCommit(id, raw)
	if err != nil {
		return rev, err
	}
	rev.Tree, rev.Author, rev.Committer, rev.Message = o.Tree.String(), personOf(o.Author), personOf(o.Committer), string(o.Message)
	rev.Raw, rev.Signature, rev.SignedPayload = o.Raw, o.Signature, o.SignedPayload
	for _, p := range o.Parents {
		rev.Parents = append(rev.Parents, p.String())
	}
	return rev, nil
}

// Side is what one of two trees has at a path: a git mode and an id. Mode 0 is nothing.
type Side struct {
	Mode uint32
	ID   string
}

// Change is a path whose entry differs between two trees. A directory is never one: what it holds is.
type Change struct {
	Path     string
	Old, New Side
}

// Changes compares the raw trees of two commits, by their full ids; from "" everything is new. Renames are a removal and
// an addition. The paths are sorted.
func (c *Commit) Changes(ctx context.Context, from, to string) ([]Change, error) {
	d := differ{repo: c.repo, ctx: ctx}
	var trees [2]gitobj.ID
	for i, text := range []string{from, to} {
		if i == 0 && text == "" {
			continue
		}
		var err error
		if trees[i], err = c.repo.treeOfNamed(text); err != nil {
			return nil, err
		}
	}
	if err := d.trees(trees[0], trees[1], "", 0); err != nil {
		return nil, err
	}
	slices.SortFunc(d.changes, func(a, b Change) int { return cmp.Compare(a.Path, b.Path) })
	return d.changes, nil
}

// treeOf returns the tree of a commit.
func (r *repository) treeOf(id gitobj.ID) (gitobj.ID, error) {
	if tree, ok := r.recent.root(id); ok {
		return tree, nil
	}
	raw, err := r.objects.Read(id, gitobj.Commit)
	if err != nil {
		return gitobj.ID{}, err
	}
	a, err := gitobj.ParseAncestry(id, raw)
	if err == nil {
		r.recent.keepRoot(id, a.Tree)
	}
	return a.Tree, err
}

// treeOfNamed is treeOf for a commit that a caller names.
func (r *repository) treeOfNamed(text string) (gitobj.ID, error) {
	if id, ok := gitobj.ParseID(text); ok {
		if tree, ok := r.recent.root(id); ok {
			return tree, nil
		}
	}
	id, err := r.otherCommit(text)
	if err != nil {
		return gitobj.ID{}, err
	}
	return r.treeOf(id)
}

// differ compares trees, and does not look into those that are the same.
type differ struct {
	repo    *repository
	ctx     context.Context
	changes []Change
}

func (d *differ) trees(a, b gitobj.ID, dir string, depth int) error {
	if a == b {
		return nil
	}
	if depth > maxTreeDepth {
		return tooMuch(dir[:min(len(dir), 64)], "directories in directories", maxTreeDepth)
	}
	if d.ctx.Err() != nil {
		return d.ctx.Err()
	}
	names := make(map[string][2]gitobj.TreeEntry)
	for i, id := range []gitobj.ID{a, b} {
		if id.IsZero() {
			continue
		}
		entries, err := d.repo.recentTree(id, dir)
		if err != nil {
			return err
		}
		for _, e := range entries {
			pair := names[e.Name]
			pair[i] = e
			names[e.Name] = pair
		}
	}
	for name, pair := range names {
		if err := d.entry(pair[0], pair[1], join(dir, name), depth); err != nil {
			return err
		}
	}
	return nil
}

func (d *differ) entry(a, b gitobj.TreeEntry, path string, depth int) error {
	if a.Mode == b.Mode && a.ID == b.ID {
		return nil
	}
	var subtrees [2]gitobj.ID
	var change Change
	for i, e := range []gitobj.TreeEntry{a, b} {
		side := &change.Old
		if i == 1 {
			side = &change.New
		}
		switch e.Mode {
		case 0:
		case gitobj.ModeDir:
			subtrees[i] = e.ID
		default:
			*side = Side{uint32(e.Mode), e.ID.String()}
		}
	}
	if change.Old.Mode != 0 || change.New.Mode != 0 {
		if len(d.changes) == maxFiles {
			return tooMuch(path, "changes", maxFiles)
		}
		change.Path = path
		d.changes = append(d.changes, change)
	}
	return d.trees(subtrees[0], subtrees[1], path, depth+1)
}

// LastTouched returns, for each path of the commit's tree, the commit that gave it the content that it has: going back
// as long as a parent has the same entry there (git log -1 -- PATH).
func (c *Commit) LastTouched(ctx context.Context, paths []string) (map[string]string, error) {
	g := newGraph(c.repo)
	t := tracer{g: g}
	start := g.meet(c.id)
	pending := map[int32][]string{start: paths}
	queue := []int32{start}
	done := make(map[string]string, len(paths))
	for len(queue) > 0 {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		n := queue[0]
		queue = queue[1:]
		wanted := pending[n]
		delete(pending, n)
		if err := g.read(n); err != nil {
			return nil, err
		}
		for _, path := range wanted {
			parent, err := t.sameParent(n, path)
			if err != nil {
				return nil, err
			}
			if parent < 0 {
				done[path] = g.nodes[n].id.String()
				continue
			}
			if _, ok := pending[parent]; !ok {
				queue = append(queue, parent)
			}
			pending[parent] = append(pending[parent], path)
		}
	}
	if g.cut {
		return nil, c.repo.shallowHistory()
	}
	return done, nil
}

// tracer follows paths through history.
type tracer struct{ g *graph }

// sameParent returns the first parent that has the same entry at a path, or -1.
func (t *tracer) sameParent(n int32, path string) (int32, error) {
	here, err := t.entry(n, path)
	if err != nil {
		return -1, err
	}
	if here.Mode == 0 {
		return -1, fault.Failf(fault.Quote(path), "no such file in the commit").WithCheck(CheckTree)
	}
	for _, p := range t.g.parents(n) {
		if err := t.g.read(p); err != nil {
			return -1, err
		}
		there, err := t.entry(p, path)
		if err != nil {
			return -1, err
		}
		if there.Mode == here.Mode && there.ID == here.ID {
			return p, nil
		}
	}
	return -1, nil
}

// entry returns what a commit has at a path; nothing is no error.
func (t *tracer) entry(n int32, path string) (gitobj.TreeEntry, error) {
	root, err := t.g.repo.treeOf(t.g.nodes[n].id)
	if err != nil {
		return gitobj.TreeEntry{}, err
	}
	e := gitobj.TreeEntry{ID: root, Mode: gitobj.ModeDir}
	for name := range strings.SplitSeq(path, "/") {
		if e.Mode != gitobj.ModeDir {
			return gitobj.TreeEntry{}, nil
		}
		entries, err := t.g.repo.recentTree(e.ID, "")
		if err != nil {
			return e, err
		}
		i := slices.IndexFunc(entries, func(child gitobj.TreeEntry) bool { return child.Name == name })
		if i < 0 {
			return gitobj.TreeEntry{}, nil
		}
		e = entries[i]
	}
	return e, nil
}
