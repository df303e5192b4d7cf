package source

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/source/gitobj"
)

// repository is an open git directory.
type repository struct {
	where   string // as the caller named it, for errors
	url     string // of a remote one
	clone   *clone // of a remote one: where it was fetched to
	dir     string // path of the git directory
	root    *os.Root
	objects *gitobj.Store
	shallow map[gitobj.ID]bool // commits whose parents were left out
	loaded  []ref              // nil until they are asked for
	recent  recent

	recorder *Recorder // sees what is read; nil for nobody
	module   string    // what the recorder calls this repository
}

// Close releases the repository's files.
func (r *repository) Close() error {
	var objects error
	if r.objects != nil {
		objects = r.objects.Close()
	}
	var clone error
	if r.clone != nil {
		clone = r.clone.Close()
	}
	return errors.Join(objects, r.root.Close(), clone)
}

// openLocal opens the repository at path: a bare one, or the .git directory of a work tree.
func openLocal(path string) (*repository, error) {
	dir, err := gitDirectory(path)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fault.Inconclusivef(fault.Quote(path), "cannot be opened: %w", err).WithCheck(CheckRepository)
	}
	r := &repository{where: path, dir: dir, root: root}
	if err := r.open(); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

func (r *repository) open() error {
	if err := r.refuseRedirects(); err != nil {
		return err
	}
	format, err := r.objectFormat()
	if err != nil {
		return err
	}
	if err := r.readShallow(format); err != nil {
		return err
	}
	objects, err := r.root.OpenRoot("objects")
	if err != nil {
		return r.inconclusive("objects cannot be opened: %v", err)
	}
	r.objects, err = gitobj.Open(objects, format)
	return err
}

func (r *repository) inconclusive(format string, args ...any) *fault.Error {
	return fault.Inconclusivef(fault.Quote(r.where), format, args...).WithCheck(CheckRepository)
}

// gitDirectory finds the git directory of path without following anything that a repository says.
func gitDirectory(path string) (string, error) {
	usage := func(format string, args ...any) *fault.Error {
		return fault.Usagef(fault.Quote(path), format, args...).WithCheck(CheckRepository)
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", usage("no such repository")
	}
	if err != nil {
		return "", usage("cannot be opened: %w", err)
	}
	if !info.IsDir() {
		return "", usage("not a git repository")
	}
	inner := filepath.Join(path, ".git")
	switch info, err := os.Lstat(inner); {
	case err == nil && info.IsDir():
		return inner, nil
	case err == nil:
		return "", redirected(path, inner, info)
	case isGitDirectory(path):
		return path, nil
	}
	err = usage("not a git repository")
	if above := repositoryAbove(path); above != "" {
		return "", usage("not a git repository").WithHint("name its root: --repo %s", fault.Quote(above))
	}
	return "", err
}

// isGitDirectory tells whether dir has what git demands of a git directory.
func isGitDirectory(dir string) bool {
	for _, name := range []string{"objects", "refs"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || !info.IsDir() {
			return false
		}
	}
	_, err := os.Lstat(filepath.Join(dir, "HEAD"))
	return err == nil
}

// repositoryAbove finds the work tree that path lies in, for a hint.
func repositoryAbove(path string) string {
	dir, err := filepath.Abs(path)
	if err != nil {
		return ""
	}
	for {
		above := filepath.Dir(dir)
		if above == dir {
			return ""
		}
		dir = above
		if info, err := os.Lstat(filepath.Join(dir, ".git")); err == nil && info.IsDir() {
			return dir
		}
	}
}

const redirects = "repository redirects elsewhere"

// redirected refuses a .git that is a file or a link, and says where it leads.
func redirected(path, inner string, info fs.FileInfo) error {
	err := fault.Inconclusivef(fault.Quote(path), "%s: .git is not a directory", redirects).WithCheck(CheckRepository)
	if !info.Mode().IsRegular() {
		return err.WithHint("name the repository itself with --repo")
	}
	f, openErr := os.Open(inner)
	if openErr != nil {
		return err
	}
	defer f.Close()
	text, _ := io.ReadAll(io.LimitReader(f, maxPointerFile))
	target, ok := strings.CutPrefix(strings.TrimSpace(string(text)), "gitdir: ")
	if !ok {
		return err
	}
	if !filepath.IsAbs(target) {
		target = filepath.Join(path, target)
	}
	// a linked work tree's own directory is of no use, its repository is two levels up
	if parent := filepath.Dir(target); filepath.Base(parent) == "worktrees" {
		target = filepath.Dir(parent)
	}
	return err.WithHint("name the repository itself: --repo %s", fault.Quote(target))
}

// refuseRedirects refuses whatever makes git answer from another place, or with another history, than the one named.
func (r *repository) refuseRedirects() error {
	for _, name := range []string{"objects", "objects/pack", "refs", "packed-refs", "config"} {
		if info, err := r.root.Lstat(name); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			return r.redirect(name+" is a link", "name the repository itself with --repo")
		}
	}
	for _, name := range []string{"commondir", "objects/info/alternates", "objects/info/http-alternates", "info/grafts"} {
		if info, err := r.root.Lstat(name); err == nil && (info.Size() > 0 || !info.Mode().IsRegular()) {
			hint := "make it complete: git repack -a -d, then remove " + name
			switch name {
			case "info/grafts":
				hint = "remove info/grafts, or open a fresh clone"
			case "commondir":
				hint = "name the repository that the work tree belongs to"
			}
			return r.redirect(name, hint)
		}
	}
	replaced, err := r.hasReplaceRefs()
	if err != nil {
		return err
	}
	if replaced {
		return r.redirect("replace refs", "remove refs/replace, or open a fresh clone")
	}
	return nil
}

func (r *repository) redirect(what, hint string) error {
	return r.inconclusive("%s: %s", redirects, what).WithHint("%s", hint)
}

// readFile reads a small file of the git directory; one that is not there is nil without an error.
func (r *repository) readFile(name string, limit int64) ([]byte, error) {
	f, err := r.root.OpenFile(name, os.O_RDONLY|nonBlocking, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, r.inconclusive("%s cannot be opened: %v", fault.Quote(name), err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil, r.inconclusive("%s is not a regular file", fault.Quote(name))
	}
	var data bytes.Buffer
	data.Grow(int(min(info.Size(), limit)) + bytes.MinRead) // a file may have grown since, and is read all the same
	if _, err := data.ReadFrom(io.LimitReader(f, limit+1)); err != nil {
		return nil, r.inconclusive("%s cannot be read: %v", fault.Quote(name), err)
	}
	if int64(data.Len()) > limit {
		return nil, fault.Failf(fault.Quote(r.where), "%s: exceeds limit %d", fault.Quote(name), limit).WithCheck(CheckRepository)
	}
	return data.Bytes(), nil
}

// readShallow reads which commits a shallow clone ends at.
func (r *repository) readShallow(format gitobj.Format) error {
	data, err := r.readFile("shallow", maxShallowSize)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(data)) {
		id, ok := gitobj.ParseID(strings.TrimSuffix(line, "\n"))
		if !ok || id.Format() != format {
			return r.inconclusive("shallow: malformed line")
		}
		if r.shallow == nil {
			r.shallow = make(map[gitobj.ID]bool)
		}
		r.shallow[id] = true
	}
	return nil
}
