package vcs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
)

// Visibility says which of the tags that are merged into the commit the clone can see.
type Visibility string

// The three clones that are met: the default one sees every tag; one of depth 1 sees those at the commit itself, when
// it was made by tag, or none. The zero value is not valid.
const (
	NoTags     Visibility = "none"
	CommitTags Visibility = "commit"
	AllTags    Visibility = "all"
)

// Facts is what the host knows of the repository and lends to the sandbox.
type Facts struct {
	Format       int    `json:"format"`        // 1
	Root         string `json:"root"`          // the work tree's top directory inside the sandbox, absolute
	ObjectFormat string `json:"object_format"` // "sha1" or "sha256"
	// Dirty makes `status` report a change even where there is none. Only a recipe can ask for it, and a policy can
	// forbid it.
	Dirty bool `json:"dirty,omitempty"`
	Repository
	// Submodules holds every submodule that is present in the work tree, nested ones too, by its path below Root.
	Submodules []Submodule `json:"submodules,omitempty"`
}

// Repository is one commit and what surrounds it.
type Repository struct {
	Commit  string     `json:"commit"`           // full hexadecimal id
	Time    int64      `json:"time"`             // committer time, seconds since 1970
	Branch  string     `json:"branch,omitempty"` // name of the branch that is checked out; "" for a detached HEAD
	Refs    []Ref      `json:"refs,omitempty"`   // branches and remote branches merged into the commit
	Tags    []Tag      `json:"tags,omitempty"`   // tags merged into the commit
	Visible Visibility `json:"visible_tags"`
	Tree    []Entry    `json:"tree"` // every tracked path, sorted
}

// Submodule is the repository at Path.
type Submodule struct {
	Path string `json:"path"`
	Repository
}

// Ref is a branch under its full name: "refs/heads/main", "refs/remotes/origin/main".
type Ref struct {
	Name   string `json:"name"`
	Commit string `json:"commit"`
}

// Tag is a tag and the commit that it leads to, through an annotation or directly.
type Tag struct {
	Name   string `json:"name"` // without "refs/tags/"
	Commit string `json:"commit"`
	Time   int64  `json:"time"` // committer time of Commit
}

// Entry is one tracked path. Blob is the git id of what the export wrote at Path; where the export transforms a file
// on purpose, Size and Blob are those of the result and Data holds the committed bytes if git could be asked for them.
type Entry struct {
	Path string `json:"path"`
	Mode uint32 `json:"mode"` // 0100644, 0100755, 0120000 or 0160000 (a submodule; Blob is its commit then)
	Size int64  `json:"size,omitempty"`
	Blob string `json:"blob"`
	Data []byte `json:"data,omitempty"` // the committed bytes, for files that git is asked for: go.mod
}

const (
	modeFile       = 0o100644
	modeExecutable = 0o100755
	modeLink       = 0o120000
	modeSubmodule  = 0o160000
)

// Marshal returns the facts as the stand-in reads them.
func (f *Facts) Marshal() ([]byte, error) {
	if err := f.Validate(); err != nil {
		return nil, err
	}
	b, err := json.Marshal(f)
	if err == nil && len(b) > maxFacts {
		err = fmt.Errorf("facts: %d bytes exceed %d", len(b), maxFacts)
	}
	return b, err
}

// Parse reads facts strictly: an unknown key, trailing data or an inconsistency is an error.
func Parse(r io.Reader) (*Facts, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxFacts+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFacts {
		return nil, fmt.Errorf("facts: exceed %d bytes", maxFacts)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	f := new(Facts)
	if err := dec.Decode(f); err != nil {
		return nil, fmt.Errorf("facts: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("facts: trailing data")
	}
	return f, f.Validate()
}

// Validate reports the first thing in f from which no honest answer could be given.
func (f *Facts) Validate() error {
	switch {
	case f.Format != 1:
		return fmt.Errorf("facts: unknown format %d", f.Format)
	case !path.IsAbs(f.Root) || path.Clean(f.Root) != f.Root || f.Root == "/":
		return fmt.Errorf("facts: root %q is not a clean absolute path below /", f.Root)
	case f.ObjectFormat != "sha1" && f.ObjectFormat != "sha256":
		return fmt.Errorf("facts: unknown object format %q", f.ObjectFormat)
	}
	digits := f.digits()
	if err := f.Repository.validate(digits); err != nil {
		return err
	}
	seen := map[string]bool{}
	for i := range f.Submodules {
		s := &f.Submodules[i]
		if !localPath(s.Path) || seen[s.Path] {
			return fmt.Errorf("facts: submodule %q: bad or repeated path", s.Path)
		}
		seen[s.Path] = true
		if err := s.Repository.validate(digits); err != nil {
			return fmt.Errorf("submodule %q: %w", s.Path, err)
		}
	}
	return nil
}

func (f *Facts) digits() int {
	if f.ObjectFormat == "sha256" {
		return 64
	}
	return 40
}

func (r *Repository) validate(digits int) error {
	if !isID(r.Commit, digits) {
		return fmt.Errorf("facts: commit %q is not a full id", r.Commit)
	}
	switch r.Visible {
	case NoTags, CommitTags, AllTags:
	default:
		return fmt.Errorf("facts: unknown tag visibility %q", r.Visible)
	}
	if r.Branch != "" && !refName(r.Branch) {
		return fmt.Errorf("facts: bad branch name %q", r.Branch)
	}
	for _, ref := range r.Refs {
		named := strings.HasPrefix(ref.Name, "refs/heads/") || strings.HasPrefix(ref.Name, "refs/remotes/")
		if !named || !refName(ref.Name) || !isID(ref.Commit, digits) {
			return fmt.Errorf("facts: bad branch %q at %q", ref.Name, ref.Commit)
		}
	}
	for _, t := range r.Tags {
		if !refName(t.Name) || !isID(t.Commit, digits) {
			return fmt.Errorf("facts: bad tag %q at %q", t.Name, t.Commit)
		}
	}
	return validateTree(r.Tree, digits)
}

func validateTree(tree []Entry, digits int) error {
	for i, e := range tree {
		switch e.Mode {
		case modeFile, modeExecutable, modeLink, modeSubmodule:
		default:
			return fmt.Errorf("facts: %q: mode %o", e.Path, e.Mode)
		}
		if !localPath(e.Path) || !isID(e.Blob, digits) || e.Size < 0 {
			return fmt.Errorf("facts: bad tree entry %q", e.Path)
		}
		if i > 0 && tree[i-1].Path >= e.Path {
			return fmt.Errorf("facts: tree entry %q out of order", e.Path)
		}
	}
	return nil
}

// localPath accepts a clean relative slash path without any component that git would refuse.
func localPath(p string) bool {
	if p == "" || path.IsAbs(p) || path.Clean(p) != p || strings.ContainsRune(p, 0) {
		return false
	}
	for c := range strings.SplitSeq(p, "/") {
		if c == "." || c == ".." || c == ".git" {
			return false
		}
	}
	return true
}

// refName accepts what git-check-ref-format(1) accepts, as far as the answers depend on it: a name must not contain
// what would end it in a list, or be read as an option.
func refName(s string) bool {
	if s == "" || s[0] == '-' || s[0] == '/' || strings.Contains(s, "..") || strings.Contains(s, "@{") {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune(`~^:?*[\`, r) })
}

func isID(s string, digits int) bool {
	return len(s) == digits && isHex(s)
}

func isHex(s string) bool {
	return strings.Trim(s, "0123456789abcdef") == ""
}

// VisibleTags returns the tags that the answers can contain, by name. They are inputs of the build.
func (r *Repository) VisibleTags() []Tag {
	var out []Tag
	for _, t := range r.Tags {
		if r.Visible == AllTags || r.Visible == CommitTags && t.Commit == r.Commit {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, func(a, b Tag) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// at returns the repository whose work tree holds dir, a clean slash path below Root, and that repository's own path.
func (f *Facts) at(dir string) (*Repository, string) {
	repo, prefix := &f.Repository, ""
	for i := range f.Submodules {
		s := &f.Submodules[i]
		if len(s.Path) > len(prefix) && (dir == s.Path || strings.HasPrefix(dir, s.Path+"/")) {
			repo, prefix = &s.Repository, s.Path
		}
	}
	return repo, prefix
}
