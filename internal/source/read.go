package source

import (
	"context"
	"io/fs"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/source/gitobj"
)

// ReadFile returns the content of one file of the commit's tree, as it is in git. A path that is not there gives an
// error for which errors.Is(err, fs.ErrNotExist) holds; links are not followed, and files of submodules not looked for.
func (c *Commit) ReadFile(path string, limit int64) ([]byte, error) {
	_, data, err := c.Blob(path)
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fault.Failf(fault.Quote(path), "%d bytes: exceeds limit %d", len(data), limit).WithCheck(CheckTree)
	}
	return data, nil
}

// Blob returns the entry and the content of one file of the commit's tree, see ReadFile.
func (c *Commit) Blob(path string) (Entry, []byte, error) {
	e, err := c.repo.find(c.object.Tree, path)
	if err != nil {
		return Entry{}, nil, err
	}
	if e.Mode != gitobj.ModeFile && e.Mode != gitobj.ModeExecutable {
		return Entry{}, nil, fault.Failf(fault.Quote(path), "is no file but %s", kindOf(e.Mode)).WithCheck(CheckTree)
	}
	data, err := c.repo.objects.Read(e.ID, gitobj.Blob)
	if err != nil {
		return Entry{}, nil, at(path, err)
	}
	return newEntry(path, e, data), data, nil
}

// Paths returns the path of every file of the commit's tree, without links and submodules, sorted as git sorts.
func (c *Commit) Paths(ctx context.Context) ([]string, error) {
	var list []string
	err := c.repo.paths(ctx, c.object.Tree, "", 0, &list)
	return list, err
}

func (r *repository) paths(ctx context.Context, id gitobj.ID, dir string, depth int, list *[]string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if depth > maxTreeDepth {
		return fault.Failf(fault.Quote(dir), "directories nested deeper than %d", maxTreeDepth).WithCheck(CheckTree)
	}
	entries, err := r.tree(id, dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := join(dir, e.Name)
		switch {
		case len(name) > maxPathLength || len(*list) >= maxFiles:
			return fault.Failf(fault.Quote(dir), "exceeds limit: too many files, or a path that is too long").WithCheck(CheckTree)
		case e.Mode == gitobj.ModeDir:
			if err := r.paths(ctx, e.ID, name, depth+1, list); err != nil {
				return err
			}
		case e.Mode == gitobj.ModeFile || e.Mode == gitobj.ModeExecutable:
			*list = append(*list, name)
		}
	}
	return nil
}

func kindOf(m gitobj.Mode) string {
	switch m {
	case gitobj.ModeDir:
		return "a directory"
	case gitobj.ModeLink:
		return "a link"
	case gitobj.ModeSubmodule:
		return "a submodule"
	}
	return "a file"
}

// find walks down a tree.
func (r *repository) find(tree gitobj.ID, path string) (gitobj.TreeEntry, error) {
	e := gitobj.TreeEntry{ID: tree, Mode: gitobj.ModeDir}
	if len(path) > maxPathLength {
		return e, fault.Failf(fault.Quote(path[:64]), "path too long: exceeds limit %d", maxPathLength).WithCheck(CheckTree)
	}
	missing := fault.Failf(fault.Quote(path), "no such file in the commit").WithCheck(CheckTree)
	missing.Cause = fs.ErrNotExist
	walked := ""
	for name := range strings.SplitSeq(path, "/") {
		if e.Mode != gitobj.ModeDir {
			return e, missing
		}
		entries, err := r.tree(e.ID, walked)
		if err != nil {
			return e, err
		}
		found := false
		for _, child := range entries {
			if child.Name == name {
				e, found = child, true
			}
		}
		if !found {
			return e, missing
		}
		walked = join(walked, name)
	}
	return e, nil
}

// tree reads a tree, which lies at path.
func (r *repository) tree(id gitobj.ID, path string) ([]gitobj.TreeEntry, error) {
	data, err := r.objects.Read(id, gitobj.Tree)
	if err != nil {
		return nil, at(path, err)
	}
	return gitobj.ParseTree(r.objects.Format(), treeName(id, path), data)
}

// treeName is how a tree is called in errors.
func treeName(id gitobj.ID, path string) string {
	if path == "" {
		return "tree " + id.String()
	}
	return fault.Quote(path)
}

func join(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}

// at adds the path that an object was wanted for.
func at(path string, err error) error {
	f, ok := err.(*fault.Error)
	if !ok || path == "" {
		return err
	}
	with := *f
	with.Reason += " (" + fault.Quote(path) + ")"
	return &with
}
