package source

import (
	"context"
	"errors"
	"io/fs"

	"github.com/glassbuild/glassbuild/internal/source/gitobj"
)

// graph is the part of a repository's history that has been met. Commits are numbered in the order in which they are
// met, and read, hashed and parsed when their parents are wanted. It is used by one goroutine.
type graph struct {
	repo   *repository
	reader *gitobj.Reader
	number map[gitobj.ID]int32
	nodes  []node
	edges  []int32             // the parents of all nodes that have been read
	tips   map[gitobj.ID]int32 // what refs point to, peeled; -1 when that is no commit
	cut    bool                // a commit was met whose parents a shallow clone lacks
}

// node is one commit.
type node struct {
	id       gitobj.ID
	when     int64
	from, to int32 // its parents are edges[from:to]
	read     bool
}

func newGraph(r *repository) *graph {
	return &graph{repo: r, reader: r.objects.NewReader(), number: make(map[gitobj.ID]int32), tips: make(map[gitobj.ID]int32)}
}

// historyReadAhead is how much of a pack is read at a time: commits lie next to each other, newest first.
const historyReadAhead = 64 << 10

// clockSlack is how much younger than its child a commit may be before the quick walk misses it.
const clockSlack = 30 * 24 * 3600

// meet returns the number of a commit.
func (g *graph) meet(id gitobj.ID) int32 {
	n, ok := g.number[id]
	if !ok {
		n = int32(len(g.nodes))
		g.number[id] = n
		g.nodes = append(g.nodes, node{id: id})
	}
	return n
}

// read reads a commit and meets its parents.
func (g *graph) read(n int32) error {
	if g.nodes[n].read {
		return nil
	}
	id := g.nodes[n].id
	if len(g.nodes) > maxCommits {
		return g.repo.inconclusive("more than %d commits: exceeds limit", maxCommits)
	}
	at, err := g.repo.objects.Locate(id)
	if err != nil {
		return err
	}
	raw, err := g.reader.ReadAt(id, at, gitobj.Commit, historyReadAhead)
	if err != nil {
		return err
	}
	return g.learn(n, raw)
}

// learn parses a commit that was read, and meets its parents.
func (g *graph) learn(n int32, raw []byte) error {
	id := g.nodes[n].id
	a, err := gitobj.ParseAncestry(id, raw)
	if err != nil {
		return err
	}
	g.repo.recent.keepRoot(id, a.Tree)
	from := int32(len(g.edges))
	if g.repo.shallow[id] {
		g.cut = g.cut || len(a.Parents) > 0
		a.Parents = nil
	}
	for _, p := range a.Parents {
		g.edges = append(g.edges, g.meet(p))
	}
	node := &g.nodes[n]
	node.when, node.from, node.to, node.read = a.When, from, int32(len(g.edges)), true
	return nil
}

func (g *graph) parents(n int32) []int32 { return g.edges[g.nodes[n].from:g.nodes[n].to] }

// tip returns the commit that a ref points to. A ref to something else, or to what is not there, has none.
func (g *graph) tip(id gitobj.ID) (int32, bool, error) {
	if n, ok := g.tips[id]; ok {
		return n, n >= 0, nil
	}
	commit, raw, err := peel(g.reader.ReadAny, id)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNoCommit) {
			g.tips[id] = -1
			return 0, false, nil
		}
		return 0, false, err
	}
	n := g.meet(commit)
	g.tips[id] = n
	if g.nodes[n].read {
		return n, true, nil
	}
	return n, true, g.learn(n, raw) // here already: it would be read and hashed again for the walk
}

// reachedFrom returns the names of the branches and tags from which a commit is reachable (false-pass F5). Each answer
// "reachable" is a chain of verified commits. The first walk leaves out commits that are much older than the one that
// is looked for; when it finds nothing, the second one leaves out nothing.
func (g *graph) reachedFrom(ctx context.Context, id gitobj.ID) ([]string, error) {
	refs, err := g.repo.refs()
	if err != nil {
		return nil, err
	}
	target := g.meet(id)
	if err := g.read(target); err != nil {
		return nil, err
	}
	for _, oldest := range []int64{g.nodes[target].when - clockSlack, -1 << 62} {
		w := walk{g: g, target: target, oldest: oldest}
		var names []string
		for _, ref := range refs {
			n, ok, err := g.tip(ref.id)
			if err != nil {
				return nil, err
			}
			if !ok {
				continue
			}
			reached, err := w.reaches(ctx, n)
			if err != nil {
				return nil, err
			}
			if reached {
				names = append(names, ref.name)
			}
		}
		if len(names) > 0 {
			return names, nil
		}
	}
	if g.cut {
		return nil, g.repo.shallowHistory()
	}
	return nil, nil
}

func (r *repository) shallowHistory() error {
	return r.inconclusive("history is shallow").WithHint("fetch the rest: git fetch --unshallow")
}

// walk remembers for each commit whether the target is among it and its ancestors.
type walk struct {
	g      *graph
	target int32
	oldest int64 // older commits are not looked behind
	known  []answer
	stack  []step
}

type answer uint8

const (
	unknown answer = iota
	no
	yes
)

// step is a commit whose parents are being asked, and the next of them.
type step struct{ n, next int32 }

func (w *walk) answer(n int32) answer {
	if int(n) >= len(w.known) {
		w.known = append(w.known, make([]answer, len(w.g.nodes)-len(w.known))...)
	}
	return w.known[n]
}

// reaches walks depth first and without recursion: histories are deeper than stacks.
func (w *walk) reaches(ctx context.Context, start int32) (bool, error) {
	g := w.g
	w.answer(w.target)
	w.known[w.target] = yes
	if w.answer(start) == unknown {
		w.stack = append(w.stack[:0], step{n: start, next: -1})
	}
	for rounds := 0; len(w.stack) > 0; rounds++ {
		if rounds&0xfff == 0 && ctx.Err() != nil {
			return false, ctx.Err()
		}
		top := &w.stack[len(w.stack)-1]
		if top.next < 0 {
			if err := g.read(top.n); err != nil {
				return false, err
			}
			if top.next = 0; g.nodes[top.n].when < w.oldest {
				top.next = int32(len(g.parents(top.n)))
			}
		}
		parents := g.parents(top.n)
		w.answer(top.n)
		if int(top.next) == len(parents) {
			if w.known[top.n] == unknown {
				w.known[top.n] = no
			}
			w.stack = w.stack[:len(w.stack)-1]
			continue
		}
		switch p := parents[top.next]; w.answer(p) {
		case unknown:
			w.stack = append(w.stack, step{n: p, next: -1})
		case yes:
			w.known[top.n] = yes
			top.next = int32(len(parents))
		default:
			top.next++
		}
	}
	return w.answer(start) == yes, nil
}

// ancestors returns which commits a commit's history holds, itself included, by their numbers.
func (g *graph) ancestors(ctx context.Context, start int32) ([]bool, error) {
	seen := make([]bool, len(g.nodes))
	queue := []int32{start}
	for rounds := 0; len(queue) > 0; rounds++ {
		if rounds&0xfff == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		n := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		if int(n) < len(seen) && seen[n] {
			continue
		}
		if err := g.read(n); err != nil {
			return nil, err
		}
		if int(n) >= len(seen) {
			seen = append(seen, make([]bool, len(g.nodes)-len(seen))...)
		}
		seen[n] = true
		for _, p := range g.parents(n) {
			if int(p) >= len(seen) || !seen[p] {
				queue = append(queue, p)
			}
		}
	}
	if g.cut {
		return nil, g.repo.shallowHistory()
	}
	return append(seen, make([]bool, len(g.nodes)-len(seen))...), nil
}
