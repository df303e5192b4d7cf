package source

import (
	"sync"

	"github.com/glassbuild/glassbuild/internal/source/gitobj"
)

// recent holds what was read last of a history, verified: neighbouring commits share most of their trees, and each is looked at
// from both sides.
type recent struct {
	mu    sync.Mutex
	roots map[gitobj.ID]gitobj.ID
	trees map[gitobj.ID][]gitobj.TreeEntry
	held  int // entries of all trees
}

// root returns the tree of a commit.
func (r *recent) root(commit gitobj.ID) (gitobj.ID, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	tree, ok := r.roots[commit]
	return tree, ok
}

func (r *recent) keepRoot(commit, tree gitobj.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.roots == nil || len(r.roots) >= maxRecentRoots {
		r.roots = make(map[gitobj.ID]gitobj.ID)
	}
	r.roots[commit] = tree
}

// recentTree is tree for one that is likely to be read again; the entries are shared.
func (r *repository) recentTree(id gitobj.ID, path string) ([]gitobj.TreeEntry, error) {
	r.recent.mu.Lock()
	entries, ok := r.recent.trees[id]
	r.recent.mu.Unlock()
	if ok {
		return entries, nil
	}
	entries, err := r.tree(id, path)
	if err != nil {
		return nil, err
	}
	r.recent.mu.Lock()
	defer r.recent.mu.Unlock()
	if r.recent.held += len(entries); r.recent.trees == nil || r.recent.held > maxRecentEntries {
		r.recent.trees, r.recent.held = make(map[gitobj.ID][]gitobj.TreeEntry), len(entries)
	}
	r.recent.trees[id] = entries
	return entries, nil
}
