package gitobj

import (
	"bytes"
	"sort"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// Mode is the mode of a tree entry. Only the five that git itself writes exist.
type Mode uint32

// The modes.
const (
	ModeDir        Mode = 0o040000
	ModeFile       Mode = 0o100644
	ModeExecutable Mode = 0o100755
	ModeLink       Mode = 0o120000
	ModeSubmodule  Mode = 0o160000
)

// CheckTree is the check that every fault about the shape of a tree decides.
const CheckTree = "source.tree"

// TreeEntry is one entry of a tree.
type TreeEntry struct {
	Name string
	ID   ID
	Mode Mode
}

// ParseTree reads a tree object. It accepts exactly what git's own writer makes: canonical modes, names in git's
// order, none twice (also not once as a file and once as a directory), none that could lead out of its directory or
// into a repository's own files on any file system. where is how the tree is called in errors.
func ParseTree(f Format, where string, data []byte) ([]TreeEntry, error) {
	if len(data) > maxTreeSize {
		return nil, treeFault(where, "%d bytes: exceeds limit %d", len(data), maxTreeSize)
	}
	n := f.Size()
	entries := make([]TreeEntry, 0, len(data)/(n+24)+1)
	text := string(data) // one copy, which all names share
	for at := 0; at < len(data); {
		if len(entries) == maxTreeEntries {
			return nil, treeFault(where, "more than %d entries: exceeds limit", maxTreeEntries)
		}
		space := bytes.IndexByte(data[at:], ' ')
		nul := bytes.IndexByte(data[at:], 0)
		if space < 0 || nul < space || len(data)-at-nul-1 < n {
			return nil, treeFault(where, "malformed tree: truncated entry")
		}
		mode, ok := parseMode(text[at : at+space])
		name := text[at+space+1 : at+nul]
		if !ok {
			return nil, treeFault(where, "malformed tree: mode %q of %q", text[at:at+space], name)
		}
		if err := checkName(where, name, mode); err != nil {
			return nil, err
		}
		e := TreeEntry{Name: name, Mode: mode, ID: idFrom(f, data[at+nul+1:])}
		if e.ID.IsZero() {
			return nil, treeFault(where, "malformed tree: %q names no object", name)
		}
		if err := checkOrder(where, entries, e); err != nil {
			return nil, err
		}
		entries = append(entries, e)
		at += nul + 1 + n
	}
	return entries, nil
}

func treeFault(where, format string, args ...any) error {
	return fault.Failf(where, format, args...).WithCheck(CheckTree)
}

func parseMode(s string) (Mode, bool) {
	switch s {
	case "40000":
		return ModeDir, true
	case "100644":
		return ModeFile, true
	case "100755":
		return ModeExecutable, true
	case "120000":
		return ModeLink, true
	case "160000":
		return ModeSubmodule, true
	}
	return 0, false
}

// checkOrder demands git's order, in which a directory stands as if its name ended in a slash, and that a name occurs
// once. A file and a directory of the same name need not be neighbours: "a", "a.c", "a/".
func checkOrder(where string, before []TreeEntry, e TreeEntry) error {
	if len(before) == 0 {
		return nil
	}
	last := before[len(before)-1]
	if last.Name == e.Name {
		return collision(where, last, e)
	}
	if !sortsBefore(last, e) {
		return treeFault(where, "malformed tree: %q out of order", e.Name)
	}
	if e.Mode != ModeDir {
		return nil
	}
	i := sort.Search(len(before), func(i int) bool { return sortKeyAtLeast(before[i], e.Name) })
	if i < len(before) && before[i].Name == e.Name {
		return collision(where, before[i], e)
	}
	return nil
}

func collision(where string, a, b TreeEntry) error {
	if (a.Mode == ModeLink && b.Mode == ModeDir) || (a.Mode == ModeDir && b.Mode == ModeLink) {
		return treeFault(where, "path through symlink: %q", a.Name)
	}
	return treeFault(where, "colliding names: %q twice", a.Name)
}

// sortsBefore compares as git's base_name_compare does.
func sortsBefore(a, b TreeEntry) bool {
	n := min(len(a.Name), len(b.Name))
	if c := strings.Compare(a.Name[:n], b.Name[:n]); c != 0 {
		return c < 0
	}
	return keyByte(a, n) < keyByte(b, n)
}

// keyByte returns the byte at n of the name as it is sorted.
func keyByte(e TreeEntry, n int) int {
	if n < len(e.Name) {
		return int(e.Name[n])
	}
	if e.Mode == ModeDir {
		return '/'
	}
	return 0
}

// sortKeyAtLeast tells whether e sorts at or behind a file called name.
func sortKeyAtLeast(e TreeEntry, name string) bool {
	return !sortsBefore(e, TreeEntry{Name: name, Mode: ModeFile})
}
