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

// seal sorts the tree and computes its digest, see the package comment.
func (t *Tree) seal() {
	slices.SortFunc(t.Files, func(a, b Entry) int { return strings.Compare(a.Path, b.Path) })
	slices.SortFunc(t.Submodules, func(a, b Submodule) int { return strings.Compare(a.Path, b.Path) })
	slices.SortStableFunc(t.Findings, func(a, b Finding) int { return strings.Compare(a.Path, b.Path) })
	h := sha256.New()
	w := bufio.NewWriterSize(h, 64<<10)
	w.WriteString(digestHeader)
	line := make([]byte, 0, maxPathLength+128)
	put := func(mode uint32, digest, path string) {
		line = fmt.Appendf(line[:0], "%06o %s %s\n", mode, digest, path)
		w.Write(line)
	}
	subs := t.Submodules
	for _, f := range t.Files {
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
	t.SHA256 = hex.EncodeToString(h.Sum(nil))
}
