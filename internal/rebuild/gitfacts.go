package rebuild

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/rebuild/vcs"
	"github.com/glassbuild/glassbuild/internal/recipe"
)

// visibility translates what the recipe says of the vendor's clone.
var visibility = map[recipe.Tags]vcs.Visibility{recipe.NoTags: vcs.NoTags, recipe.TagsAtCommit: vcs.CommitTags, recipe.AllTags: vcs.AllTags}

// gitFacts writes down what the stand-in for git may answer: nothing that is not in the verified commit and the tags
// merged into it.
func (o *Outcome) gitFacts(req Request, root string) ([]byte, error) {
	f := req.Commit.Facts()
	facts := vcs.Facts{Format: 1, Root: root, ObjectFormat: f.ObjectFormat, Dirty: req.Recipe.VCS.Dirty}
	facts.Repository = vcs.Repository{Commit: f.ID, Time: f.Committer.When, Visible: visibility[req.Recipe.VCS.Tags]}
	for _, t := range f.Tags {
		facts.Tags = append(facts.Tags, vcs.Tag{Name: t.Name, Commit: t.Commit, Time: t.When})
	}
	tree, err := o.trackedPaths("", true)
	if err != nil {
		return nil, err
	}
	facts.Tree = tree
	for _, m := range o.Tree.Submodules {
		sub := vcs.Submodule{Path: m.Path}
		sub.Repository = vcs.Repository{Commit: m.Commit, Time: m.When, Visible: vcs.NoTags}
		if sub.Tree, err = o.trackedPaths(m.Path, false); err != nil {
			return nil, err
		}
		facts.Submodules = append(facts.Submodules, sub)
	}
	data, err := facts.Marshal()
	if err != nil {
		return nil, fault.Inconclusivef("facts for the version stamp", "%w", err)
	}
	return data, nil
}

// trackedPaths lists what git tracks below prefix, without what belongs to a submodule further down.
func (o *Outcome) trackedPaths(prefix string, modFiles bool) ([]vcs.Entry, error) {
	var list []vcs.Entry
	for _, m := range o.Tree.Submodules {
		if rel, ok := below(prefix, m.Path); ok && o.owner(m.Path) == prefix {
			list = append(list, vcs.Entry{Path: rel, Mode: 0o160000, Blob: m.Commit})
		}
	}
	for _, e := range o.Tree.Files {
		rel, ok := below(prefix, e.Path)
		if !ok || o.ownerOfFile(e.Path) != prefix {
			continue
		}
		entry := vcs.Entry{Path: rel, Mode: e.Mode, Size: e.Size, Blob: e.Blob}
		if modFiles && path.Base(rel) == "go.mod" && e.Size <= maxModFile {
			data, err := os.ReadFile(filepath.Join(o.TreeDir, filepath.FromSlash(e.Path)))
			if err != nil {
				return nil, fault.Inconclusivef(fault.Quote(e.Path), "%w", err)
			}
			entry.Data = data
		}
		list = append(list, entry)
	}
	slices.SortFunc(list, func(a, b vcs.Entry) int { return strings.Compare(a.Path, b.Path) })
	return list, nil
}

// below returns p relative to prefix.
func below(prefix, p string) (string, bool) {
	if prefix == "" {
		return p, true
	}
	return strings.CutPrefix(p, prefix+"/")
}

// owner returns the path of the repository that a submodule's own entry stands in: "" for the top.
func (o *Outcome) owner(p string) string {
	best := ""
	for _, m := range o.Tree.Submodules {
		if strings.HasPrefix(p, m.Path+"/") && len(m.Path) > len(best) {
			best = m.Path
		}
	}
	return best
}

func (o *Outcome) ownerOfFile(p string) string {
	if len(o.Tree.Submodules) == 0 {
		return ""
	}
	return o.owner(p)
}
