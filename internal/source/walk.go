package source

import (
	"context"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/source/gitobj"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// listing is a tree, read whole: every name in it has been checked, no content has been read.
type listing struct {
	dirs     []string // parents before children
	files    []file   // files and links
	links    []gitlink
	findings []Finding
}

// file is a file or link of a listing.
type file struct {
	path string
	id   gitobj.ID
	mode gitobj.Mode
	at   gitobj.Location

	conversion *conversion // nil is none
	ignored    bool        // it is hashed and not written
}

// gitlink is a submodule of a listing.
type gitlink struct {
	path   string
	commit gitobj.ID
}

func (o *listing) size() int { return len(o.files) + len(o.dirs) + len(o.links) }

// lister reads a tree.
type lister struct {
	repo   *repository
	reader *gitobj.Reader
	parsed map[gitobj.ID]parsedTree
	out    listing
}

// parsedTree is one tree object, and how much lies below it.
type parsedTree struct {
	entries []gitobj.TreeEntry
	count   int // entries below it, its own included
	height  int
}

// listTree reads the tree that is going to lie at base.
func (r *repository) listTree(ctx context.Context, tree gitobj.ID, base string) (*listing, error) {
	l := lister{repo: r, reader: r.objects.NewReader(), parsed: make(map[gitobj.ID]parsedTree)}
	root, err := l.read(ctx, tree, base, 0)
	if err != nil {
		return nil, err
	}
	l.out.files = make([]file, 0, root.count)
	if err := l.walk(tree, base); err != nil {
		return nil, err
	}
	out := l.out // a pointer into l would keep every tree that was parsed
	return &out, nil
}

func tooMuch(path, what string, limit int64) error {
	return fault.Failf(fault.Quote(path), "%s: exceeds limit %d", what, limit).WithCheck(CheckTree)
}

// read reads a tree and all trees below it, each object once however often it stands there, and bounds what they
// expand to before anything is expanded.
func (l *lister) read(ctx context.Context, tree gitobj.ID, dir string, depth int) (parsedTree, error) {
	if t, ok := l.parsed[tree]; ok {
		if depth+t.height > maxTreeDepth {
			return t, tooMuch(dir[:min(len(dir), 64)], "directories in directories", maxTreeDepth)
		}
		return t, nil
	}
	if depth >= maxTreeDepth {
		return parsedTree{}, tooMuch(dir[:min(len(dir), 64)], "directories in directories", maxTreeDepth)
	}
	if ctx.Err() != nil {
		return parsedTree{}, ctx.Err()
	}
	data, err := l.reader.Read(tree, gitobj.Tree)
	if err != nil {
		return parsedTree{}, at(dir, err)
	}
	t := parsedTree{height: 1}
	if t.entries, err = gitobj.ParseTree(l.repo.objects.Format(), treeName(tree, dir), data); err != nil {
		return t, err
	}
	t.count = len(t.entries)
	for _, e := range t.entries {
		if e.Mode != gitobj.ModeDir {
			continue
		}
		below, err := l.read(ctx, e.ID, join(dir, e.Name), depth+1)
		if err != nil {
			return t, err
		}
		t.height = max(t.height, below.height+1)
		if t.count += below.count; t.count > maxFiles {
			return t, tooMuch(treeName(tree, dir), "entries", maxFiles)
		}
	}
	l.parsed[tree] = t
	return t, nil
}

// walk lists the tree at dir.
func (l *lister) walk(tree gitobj.ID, dir string) error {
	entries := l.parsed[tree].entries
	l.findCollisions(dir, entries)
	for _, e := range entries {
		p := join(dir, e.Name)
		if len(p) > maxPathLength {
			return tooMuch(p[:64], "path too long", maxPathLength)
		}
		switch e.Mode {
		case gitobj.ModeDir:
			before := l.out.size()
			l.out.dirs = append(l.out.dirs, p)
			if err := l.walk(e.ID, p); err != nil {
				return err
			}
			// an empty tree is not written, as git does not
			if l.out.size() == before+1 {
				l.out.dirs = l.out.dirs[:len(l.out.dirs)-1]
			}
		case gitobj.ModeSubmodule:
			l.out.dirs = append(l.out.dirs, p)
			l.out.links = append(l.out.links, gitlink{p, e.ID})
		default:
			location, err := l.repo.objects.Locate(e.ID)
			if err != nil {
				return at(p, err)
			}
			l.out.files = append(l.out.files, file{path: p, id: e.ID, mode: e.Mode, at: location})
		}
	}
	return nil
}

func (o *listing) find(k Kind, path, detail string) {
	if len(o.findings) < maxFindings {
		o.findings = append(o.findings, Finding{k, path, detail})
	}
}

// findCollisions reports names that a file system which ignores case, or composes Unicode, cannot tell apart
// (CVE-2021-21300). Names of lower-case ASCII collide only with names that are not.
func (l *lister) findCollisions(dir string, entries []gitobj.TreeEntry) {
	if !slices.ContainsFunc(entries, func(e gitobj.TreeEntry) bool { return !isFolded(e.Name) }) {
		return
	}
	first := make(map[string]string, len(entries))
	for _, e := range entries {
		if !utf8.ValidString(e.Name) {
			l.out.find(ForeignName, join(dir, e.Name), "not valid UTF-8")
		}
		folded := foldName(e.Name)
		if other, ok := first[folded]; ok {
			l.out.find(CollidingNames, join(dir, e.Name), "colliding names: the other is "+fault.Quote(other))
			continue
		}
		first[folded] = e.Name
	}
}

func isFolded(name string) bool {
	for i := 0; i < len(name); i++ {
		if c := name[i]; c >= 0x80 || (c >= 'A' && c <= 'Z') {
			return false
		}
	}
	return true
}

func foldName(name string) string {
	for i := 0; i < len(name); i++ {
		if name[i] >= 0x80 {
			return norm.NFC.String(cases.Fold().String(norm.NFC.String(name)))
		}
	}
	return strings.ToLower(name)
}

// escapes tells whether a link at that path leads out of the tree.
func escapes(at, target string) bool {
	if path.IsAbs(target) {
		return true
	}
	// the text is followed step by step: a/../../x leaves a root that a/.. does not
	depth := strings.Count(at, "/")
	for part := range strings.SplitSeq(target, "/") {
		switch part {
		case "", ".":
		case "..":
			if depth--; depth < 0 {
				return true
			}
		default:
			depth++
		}
	}
	return false
}
