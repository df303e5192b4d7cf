package rootfs

import (
	"path"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/archive"
	"github.com/glassbuild/glassbuild/internal/fault"
)

// Tree is a root file system in memory, while archives are laid over each other.
type Tree struct {
	root  *node
	count int
}

// node is one name of the tree.
type node struct {
	Entry
	owner    string // who brought it: a package
	children map[string]*node
}

// NewTree returns an empty root.
func NewTree() *Tree {
	return &Tree{root: newFolder(".")}
}

func newFolder(name string) *node {
	return &node{Entry: Folder(name, 0o755), children: map[string]*node{}}
}

// Owner returns who brought the thing at a path, and whether there is one. Links on the way are followed.
func (t *Tree) Owner(name string) (string, bool) {
	dir, base, err := t.parent(name, false)
	if err != nil || dir == nil {
		return "", false
	}
	n := dir.children[base]
	if n == nil {
		return "", false
	}
	return n.owner, true
}

// Conflict decides about a file that two owners bring: whether the new one takes the place of the old one.
type Conflict func(name, old, new string) (replace bool, err error)

// Install lays a member as dpkg(1) does: a folder that is there, or a link to one, stays as it is, and a file of somebody
// else's is a conflict, unless it is the very same.
func (t *Tree) Install(owner string, e Entry, decide Conflict) error {
	if e.Name == "." {
		return nil
	}
	dir, base, err := t.parent(e.Name, true)
	if err != nil {
		return err
	}
	old := dir.children[base]
	switch {
	case old == nil:
		return t.set(dir, base, owner, e)
	case old.Type == archive.Directory && (e.Type == archive.Directory || e.Type == archive.Symlink):
		return nil
	case e.Type == archive.Directory && old.Type == archive.Symlink && t.leadsToFolder(e.Name):
		return nil
	case e.Type == archive.Directory || old.Type == archive.Directory:
		return fault.Failf(fault.Quote(e.Name), "is a folder in one package and none in another: %s, %s", fault.Quote(old.owner), fault.Quote(owner))
	case same(old, e):
		return nil
	}
	replace, err := decide(e.Name, old.owner, owner)
	if err != nil || !replace {
		return err
	}
	return t.set(dir, base, owner, e)
}

func same(old *node, e Entry) bool {
	return old.Sum() == e.Sum() && (old.Type == archive.Symlink) == (e.Type == archive.Symlink) && (e.Type != archive.Symlink || old.Link == e.Link)
}

// leadsToFolder tells whether a path, all its links followed, is a folder.
func (t *Tree) leadsToFolder(name string) bool {
	dir, err := t.walk(strings.Split(name, "/"), false)
	return err == nil && dir != nil
}

// Layer lays a member as a layer of an image (OCI image specification, layer.md): the new one counts, a folder over a
// folder keeps what is in it.
func (t *Tree) Layer(owner string, e Entry) error {
	if e.Name == "." {
		if e.Type == archive.Directory {
			t.root.Entry.Entry = e.Entry
		}
		return nil
	}
	dir, base, err := t.parent(e.Name, true)
	if err != nil {
		return err
	}
	if old := dir.children[base]; old != nil && old.Type == archive.Directory && e.Type == archive.Directory {
		e.Name = old.Name
		old.Entry, old.owner = e, owner
		return nil
	}
	return t.set(dir, base, owner, e)
}

// Remove takes a name and everything below it out. What is not there needs no removal.
func (t *Tree) Remove(name string) error {
	dir, base, err := t.parent(name, false)
	if err != nil || dir == nil {
		return err
	}
	t.drop(dir, base)
	return nil
}

// Empty takes everything out of a folder.
func (t *Tree) Empty(name string) error {
	dir := t.root
	if name != "." {
		var err error
		if dir, err = t.walk(strings.Split(name, "/"), false); err != nil || dir == nil {
			return err
		}
	}
	for base := range dir.children {
		t.drop(dir, base)
	}
	return nil
}

func (t *Tree) drop(dir *node, base string) {
	if old := dir.children[base]; old != nil {
		t.count -= old.size()
		delete(dir.children, base)
	}
}

func (n *node) size() int {
	total := 1
	for _, c := range n.children {
		total += c.size()
	}
	return total
}

func (t *Tree) set(dir *node, base, owner string, e Entry) error {
	t.drop(dir, base)
	if t.count++; t.count > MaxEntries {
		return fault.Failf("root file system", "exceeds limit: more than %d entries", MaxEntries)
	}
	e.Name = path.Join(dir.Name, base)
	if strings.Count(e.Name, "/") > maxDepth {
		return fault.Failf(fault.Quote(e.Name), "exceeds limit: folders nested deeper than %d", maxDepth)
	}
	n := &node{Entry: e, owner: owner}
	if e.Type == archive.Directory {
		n.children = map[string]*node{}
	}
	dir.children[base] = n
	return nil
}

// parent returns the folder in which a name stands. With make, missing folders are made; without, a nil folder says that
// there is none.
func (t *Tree) parent(name string, make bool) (*node, string, error) {
	parts := strings.Split(name, "/")
	if slices.Contains(parts, "..") || slices.Contains(parts, "") {
		return nil, "", fault.Failf(fault.Quote(name), "unsafe path")
	}
	dir, err := t.walk(parts[:len(parts)-1], make)
	return dir, parts[len(parts)-1], err
}

// walk finds a folder, links on the way followed inside the tree.
func (t *Tree) walk(parts []string, make bool) (*node, error) {
	stack := []*node{t.root}
	for hops := 0; len(parts) > 0; {
		part := parts[0]
		parts = parts[1:]
		dir := stack[len(stack)-1]
		switch part {
		case "", ".":
			continue
		case "..":
			if len(stack) == 1 {
				return nil, fault.Failf("root file system", "link escapes: a path leads above the root")
			}
			stack = stack[:len(stack)-1]
			continue
		}
		next := dir.children[part]
		switch {
		case next == nil && !make:
			return nil, nil
		case next == nil:
			if err := t.set(dir, part, "", Folder(part, 0o755)); err != nil {
				return nil, err
			}
			next = dir.children[part]
		case next.Type == archive.Symlink:
			if hops++; hops > maxHops {
				return nil, fault.Failf(fault.Quote(next.Name), "exceeds limit: too many links in a row")
			}
			if strings.HasPrefix(next.Link, "/") {
				stack = stack[:1]
			}
			parts = append(strings.Split(next.Link, "/"), parts...)
			if len(parts) > 4*maxDepth {
				return nil, fault.Failf(fault.Quote(next.Name), "exceeds limit: too many links in a row")
			}
			continue
		case next.Type != archive.Directory:
			return nil, fault.Failf(fault.Quote(next.Name), "path through a file")
		}
		stack = append(stack, next)
	}
	return stack[len(stack)-1], nil
}

// each calls f for every node but the root, folders before what is in them, in the order of their names.
func (t *Tree) each(f func(*node) error) error { return t.root.each(f) }

func (n *node) each(f func(*node) error) error {
	names := make([]string, 0, len(n.children))
	for name := range n.children {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		c := n.children[name]
		if err := f(c); err != nil {
			return err
		}
		if err := c.each(f); err != nil {
			return err
		}
	}
	return nil
}
