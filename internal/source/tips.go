package source

import "github.com/glassbuild/glassbuild/internal/source/gitobj"

// Tip is a branch or tag of a local repository, and the full id of the commit that it means now.
type Tip struct{ Ref, Commit string }

// Tips lists the branches and tags of the local repository at path, sorted by name; those that lead to no commit are left
// out. They are an offer to whoever types an id, and say nothing about trust.
func Tips(path string) ([]Tip, error) {
	r, err := openLocal(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	refs, err := r.refs()
	if err != nil {
		return nil, err
	}
	var tips []Tip
	known := map[gitobj.ID]gitobj.ID{}
	for _, ref := range refs {
		commit, ok := known[ref.id]
		if !ok {
			if commit, err = r.peel(ref.id); err != nil {
				continue
			}
			known[ref.id] = commit
		}
		tips = append(tips, Tip{Ref: ref.name, Commit: commit.String()})
	}
	return tips, nil
}
