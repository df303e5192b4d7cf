package vcs

import (
	"bytes"
	"cmp"
	"crypto/sha1" //nolint:gosec // git's own object id; the host has already checked the objects for collisions
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
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

const (
	modified    = " M"
	typeChanged = " T"
)

func (w *walk) compareSubmodule(name string, want *Entry, e fs.DirEntry) (string, error) {
	if !e.IsDir() {
		return typeChanged, nil
	}
	full := path.Join(w.prefix, name)
	i := slices.IndexFunc(w.facts.Submodules, func(s Submodule) bool { return s.Path == full })
	if i < 0 { // not checked out: git does not look inside
		return "", nil
	}
	repo := &w.facts.Submodules[i].Repository
	if repo.Commit != want.Blob {
		return modified, nil
	}
	inner := &walk{session: &session{facts: w.facts, repo: repo, prefix: full, tree: w.tree}, lines: map[string]string{}, entries: w.entries}
	out, err := inner.run()
	w.entries = inner.entries
	if len(out) > 0 {
		return modified, err
	}
	return "", err
}

func (w *walk) compareLink(name string, want *Entry, e fs.DirEntry) (string, error) {
	if e.Type() != fs.ModeSymlink {
		return typeChanged, nil
	}
	target, err := w.tree.Files.ReadLink(w.name(name))
	if err != nil {
		return "", err
	}
	if blobID([]byte(target), len(want.Blob)) != want.Blob {
		return modified, nil
	}
	return "", nil
}

func (w *walk) compareFile(name string, want *Entry, e fs.DirEntry) (string, error) {
	if !e.Type().IsRegular() {
		return typeChanged, nil
	}
	info, err := e.Info()
	if err != nil {
		return "", err
	}
	executable := info.Mode()&0o100 != 0
	if info.Size() != want.Size || executable != (want.Mode == modeExecutable) {
		return modified, nil
	}
	if w.untouched(info) {
		return "", nil
	}
	same, err := w.sameBytes(name, want)
	if err != nil || same {
		return "", err
	}
	return modified, nil
}

// untouched tells whether a file of the right size is still as the export left it, without opening it: what a build
// reads is traced, and `status` must not make every file look read. The modification time alone can be set back by
// anybody; the time of the last inode change cannot.
func (w *walk) untouched(info fs.FileInfo) bool {
	changed, ok := changeTime(info)
	return ok && !w.tree.Since.IsZero() && changed.Before(w.tree.Since) && info.ModTime().Equal(time.Unix(w.repo.Time, 0))
}

func (w *walk) sameBytes(name string, want *Entry) (bool, error) {
	f, err := w.tree.Files.Open(w.name(name))
	if err != nil {
		return false, err
	}
	defer f.Close()
	h := newBlobHash(want.Size, len(want.Blob))
	n, err := io.Copy(h, io.LimitReader(f, want.Size+1))
	return n == want.Size && hex.EncodeToString(h.Sum(nil)) == want.Blob, err
}

func newBlobHash(size int64, digits int) hash.Hash {
	h := sha1.New()
	if digits == 64 {
		h = sha256.New()
	}
	fmt.Fprintf(h, "blob %d\x00", size)
	return h
}

func blobID(data []byte, digits int) string {
	h := newBlobHash(int64(len(data)), digits)
	h.Write(data)
	return hex.EncodeToString(h.Sum(nil))
}

var errTooLarge = errors.New("too large")

// read reads one regular file of the repository, whole or not at all.
func (s *session) read(name string, limit int64) ([]byte, error) {
	f, err := s.tree.Files.Open(path.Join(s.prefix, name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%q: not a regular file", name)
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%q: %w, over %d bytes", name, errTooLarge, limit)
	}
	return data, err
}

// blob returns the committed bytes of e: those that the facts hold, else those in the work tree if they still are the
// committed ones.
func (s *session) blob(e *Entry) ([]byte, error) {
	if e.Data != nil {
		return e.Data, nil
	}
	var data []byte
	var err error
	if e.Mode == modeLink {
		var target string
		target, err = s.tree.Files.ReadLink(path.Join(s.prefix, e.Path))
		data = []byte(target)
	} else {
		var info fs.FileInfo // a name that is no longer a regular file is not opened: it could be a pipe
		if info, err = s.tree.Files.Lstat(path.Join(s.prefix, e.Path)); err == nil && !info.Mode().IsRegular() {
			return nil, errors.New("no longer a regular file")
		}
		if err == nil {
			data, err = s.read(e.Path, maxBlob)
		}
	}
	if err != nil {
		return nil, err
	}
	if blobID(data, len(e.Blob)) != e.Blob {
		return nil, errors.New("changed since the commit, whose bytes are not at hand")
	}
	return data, nil
}

// quotePath quotes as git does with core.quotePath set and, in the porcelain format, for names with a space in them.
func quotePath(p string) string {
	plain := !strings.ContainsFunc(p, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '"' || r == '\\' })
	if plain {
		return p
	}
	const named = "\a\b\t\n\v\f\r\"\\"
	var out strings.Builder
	out.WriteByte('"')
	for i := 0; i < len(p); i++ {
		switch c := p[i]; {
		case strings.IndexByte(named, c) >= 0:
			out.WriteByte('\\')
			out.WriteByte(`abtnvfr"\`[strings.IndexByte(named, c)])
		case c < ' ' || c >= 0x7f:
			fmt.Fprintf(&out, `\%03o`, c)
		default:
			out.WriteByte(c)
		}
	}
	out.WriteByte('"')
	return out.String()
}
