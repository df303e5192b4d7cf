package vcs

import (
	"bytes"
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"slices"
)

// declaredDirty is what `status` prints for a work tree that is only dirty because the recipe says so. It has the form
// of a line that git could print.
const declaredDirty = "?? \"declared dirty by the recipe\"\n"

func (s *session) status(string) Reply {
	w := &walk{session: s, lines: map[string]string{}}
	out, err := w.run()
	if err != nil {
		return refuse("status: %v", err)
	}
	if len(out) == 0 && s.facts.Dirty && s.prefix == "" {
		out = []byte(declaredDirty)
	}
	return Reply{Stdout: out}
}

// walk compares one work tree with one commit.
type walk struct {
	*session
	tracked   map[string]*Entry
	dirs      map[string]bool   // directories that hold something tracked
	seen      map[string]bool   // tracked paths that stand in the work tree
	lines     map[string]string // changed path → its two letters
	untracked []string
	entries   int
}

func (w *walk) run() ([]byte, error) {
	tree := w.repo.Tree
	w.tracked, w.dirs, w.seen = make(map[string]*Entry, len(tree)), map[string]bool{}, make(map[string]bool, len(tree))
	for i := range tree {
		w.tracked[tree[i].Path] = &tree[i]
		for d := path.Dir(tree[i].Path); d != "." && !w.dirs[d]; d = path.Dir(d) {
			w.dirs[d] = true
		}
	}
	if err := w.directory("", nil, false, 0); err != nil {
		return nil, err
	}
	for i := range tree {
		if !w.seen[tree[i].Path] {
			w.lines[tree[i].Path] = " D"
		}
	}
	return w.print()
}

func (w *walk) print() ([]byte, error) {
	var changed []string
	for p := range w.lines {
		changed = append(changed, p)
	}
	slices.Sort(changed)
	slices.Sort(w.untracked)
	var out bytes.Buffer
	for _, p := range changed {
		out.WriteString(w.lines[p] + " " + quotePath(p) + "\n")
	}
	for _, p := range w.untracked {
		out.WriteString("?? " + quotePath(p) + "\n")
	}
	if out.Len() > maxStatus {
		return nil, fmt.Errorf("exceeds %d bytes", maxStatus)
	}
	return out.Bytes(), nil
}

// name is p below the root of the tree that was handed in.
func (w *walk) name(p string) string { return cmp.Or(path.Join(w.prefix, p), ".") }

// list reads the directory at p and the .gitignore file in it. What is there under the name of .git is no part of any
// work tree.
func (w *walk) list(p string, above *ignores, depth int) ([]fs.DirEntry, *ignores, error) {
	if depth > maxDepth {
		return nil, nil, fmt.Errorf("%q: more than %d directories deep", p, maxDepth)
	}
	list, err := w.tree.Files.ReadDir(w.name(p))
	if err != nil {
		return nil, nil, err
	}
	if w.entries += len(list); w.entries > maxEntries {
		return nil, nil, fmt.Errorf("more than %d entries", maxEntries)
	}
	own := above
	for _, e := range list {
		if e.Name() == ".gitignore" && e.Type().IsRegular() { // git does not follow a link there
			data, err := w.read(path.Join(p, ".gitignore"), maxIgnoreFile)
			if err != nil {
				return nil, nil, err
			}
			dir := ""
			if p != "" {
				dir = p + "/"
			}
			own = &ignores{above: above, patterns: parseIgnore(data, dir)}
		}
	}
	return slices.DeleteFunc(list, func(e fs.DirEntry) bool { return e.Name() == ".git" }), own, nil
}

// directory compares one directory that is at the top or holds something tracked. When it is excluded, what is not
// tracked in it does not count.
func (w *walk) directory(p string, above *ignores, excluded bool, depth int) error {
	list, rules, err := w.list(p, above, depth)
	if err != nil {
		return err
	}
	for _, e := range list {
		name := path.Join(p, e.Name())
		if done, err := w.trackedEntry(name, e); done || err != nil {
			if err != nil {
				return err
			}
			continue
		}
		hidden := excluded || rules.ignored(name, e.IsDir())
		if e.IsDir() && w.dirs[name] {
			err = w.directory(name, rules, hidden, depth+1)
		} else if !hidden {
			err = w.newEntry(name, e, rules, depth+1)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// newEntry reports what stands at a path that is neither tracked nor ignored.
func (w *walk) newEntry(name string, e fs.DirEntry, rules *ignores, depth int) error {
	if !e.IsDir() {
		if e.Type().IsRegular() || e.Type() == fs.ModeSymlink {
			w.untracked = append(w.untracked, name)
		}
		return nil
	}
	found, err := w.holdsUntracked(name, rules, depth)
	if found {
		w.untracked = append(w.untracked, name+"/")
	}
	return err
}

// holdsUntracked tells whether a directory without tracked paths holds a file that is not ignored. A repository of
// its own counts as such.
func (w *walk) holdsUntracked(p string, above *ignores, depth int) (bool, error) {
	if w.isRepository(p) {
		return true, nil
	}
	list, rules, err := w.list(p, above, depth)
	if err != nil {
		return false, err
	}
	for _, e := range list {
		name := path.Join(p, e.Name())
		if rules.ignored(name, e.IsDir()) {
			continue
		}
		found := e.Type().IsRegular() || e.Type() == fs.ModeSymlink
		if e.IsDir() {
			if found, err = w.holdsUntracked(name, rules, depth+1); err != nil {
				return false, err
			}
		}
		if found {
			return true, nil
		}
	}
	return false, nil
}

// isRepository tells whether p holds a git directory, or a file that leads to one; see gitrepository-layout(5).
func (w *walk) isRepository(p string) bool {
	dotGit := path.Join(p, ".git")
	info, err := w.tree.Files.Lstat(w.name(dotGit))
	if err != nil {
		return false
	}
	if info.Mode().IsRegular() {
		data, err := w.read(dotGit, maxArgument)
		return err == nil && bytes.HasPrefix(data, []byte("gitdir: "))
	}
	for _, part := range []string{"HEAD", "objects", "refs"} {
		if _, err := w.tree.Files.Lstat(w.name(path.Join(dotGit, part))); err != nil {
			return false
		}
	}
	return info.IsDir()
}

// trackedEntry compares what stands at name with the commit; done is false when nothing at that path is tracked. A
// directory in the place of a file counts as the file's absence, and git does not list what is in it.
func (w *walk) trackedEntry(name string, e fs.DirEntry) (done bool, err error) {
	want, ok := w.tracked[name]
	if !ok || e.IsDir() && want.Mode != modeSubmodule {
		return ok, nil
	}
	w.seen[name] = true
	change := ""
	switch want.Mode {
	case modeSubmodule:
		change, err = w.compareSubmodule(name, want, e)
	case modeLink:
		change, err = w.compareLink(name, want, e)
	default:
		change, err = w.compareFile(name, want, e)
	}
	if change != "" {
		w.lines[name] = change
	}
	return true, err
}
