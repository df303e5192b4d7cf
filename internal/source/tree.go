package source

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/source/gitobj"
)

// Tree is an exported tree.
type Tree struct {
	SHA256     string  // the digest over the exported tree that the package comment defines
	Files      []Entry // files and links, sorted by path, those of submodules included
	Bytes      int64   // of all files
	Findings   []Finding
	Submodules []Submodule

	// Transformed lists every file whose exported bytes are not those of its blob; Ignored every path that
	// export-ignore left out. RawSHA256 is what SHA256 would be without either.
	Transformed []Transformed
	Ignored     []string
	RawSHA256   string

	ignored []Entry
}

// Transformed is a file that was exported with other bytes than it has in git.
type Transformed struct {
	Path      string
	By        string // what changed it, such as "eol=crlf, ident"
	RawSize   int64
	RawSHA256 string
	Size      int64
	SHA256    string
}

// Entry is one exported file or link.
type Entry struct {
	Path   string
	Mode   uint32 // git's: 0o100644, 0o100755, 0o120000
	Size   int64
	SHA256 string // of what was written
	Blob   string // git's id of the content
}

// Kind says what a Finding is about.
type Kind string

// The kinds of findings.
const (
	// CollidingNames: two entries of a directory differ only by letter case or by how Unicode composes them. They are
	// exported as they are; a file system that cannot hold both refuses the second one.
	CollidingNames Kind = "colliding-names"
	// EscapingLink: a link's text leads out of the tree, or is absolute. It is written as it is and never followed.
	EscapingLink Kind = "escaping-link"
	// PointerFile: the content of a file is not in git but in a large file store (git LFS), and was not found there.
	// What was exported is the pointer.
	PointerFile Kind = "content-not-in-git"
	// SubmoduleLeftOut: git archive writes an empty directory for a submodule, and so does an export in its mode.
	SubmoduleLeftOut Kind = "submodule-left-out"
	// ForeignName: a name is not valid UTF-8.
	ForeignName Kind = "foreign-name"
)

// Finding is something in the tree that a reader should know of and that is no fault.
type Finding struct {
	Kind   Kind
	Path   string
	Detail string
}

// Submodule is a commit of another repository that the tree names.
type Submodule struct {
	Path   string
	Name   string // in .gitmodules
	URL    string // in .gitmodules, resolved
	Commit string
	When   int64 // committer time of Commit, seconds since the epoch
}

func newEntry(path string, e gitobj.TreeEntry, data []byte) Entry {
	sum := sha256.Sum256(data)
	return Entry{Path: path, Mode: uint32(e.Mode), Size: int64(len(data)), SHA256: hex.EncodeToString(sum[:]), Blob: e.ID.String()}
}

const digestHeader = "glassbuild tree 1\n"

// seal sorts the tree and computes its digests, see the package comment.
func (t *Tree) seal() {
	byPath := func(a, b Entry) int { return strings.Compare(a.Path, b.Path) }
	slices.SortFunc(t.Files, byPath)
	slices.SortFunc(t.Submodules, func(a, b Submodule) int { return strings.Compare(a.Path, b.Path) })
	slices.SortStableFunc(t.Findings, func(a, b Finding) int { return strings.Compare(a.Path, b.Path) })
	slices.SortFunc(t.Transformed, func(a, b Transformed) int { return strings.Compare(a.Path, b.Path) })
	t.SHA256 = digest(t.Files, t.Submodules)
	t.RawSHA256 = t.SHA256
	if len(t.Transformed)+len(t.ignored) == 0 {
		return
	}
	raw := slices.Concat(t.Files, t.ignored)
	slices.SortFunc(raw, byPath)
	for _, changed := range t.Transformed {
		i, _ := slices.BinarySearchFunc(raw, changed.Path, func(e Entry, p string) int { return strings.Compare(e.Path, p) })
		raw[i].SHA256 = changed.RawSHA256
	}
	t.RawSHA256 = digest(raw, t.Submodules)
	for _, e := range t.ignored {
		t.Ignored = append(t.Ignored, e.Path)
	}
	slices.Sort(t.Ignored)
}

// digest is the tree digest of sorted entries.
func digest(files []Entry, subs []Submodule) string {
	h := sha256.New()
	w := bufio.NewWriterSize(h, 64<<10)
	w.WriteString(digestHeader)
	line := make([]byte, 0, maxPathLength+128)
	put := func(mode uint32, digest, path string) {
		line = fmt.Appendf(line[:0], "%06o %s %s\n", mode, digest, path)
		w.Write(line)
	}
	for _, f := range files {
		for len(subs) > 0 && subs[0].Path < f.Path {
			put(uint32(gitobj.ModeSubmodule), subs[0].Commit, subs[0].Path)
			subs = subs[1:]
		}
		put(f.Mode, f.SHA256, f.Path)
	}
	for _, s := range subs {
		put(uint32(gitobj.ModeSubmodule), s.Commit, s.Path)
	}
	w.Flush()
	return hex.EncodeToString(h.Sum(nil))
}
