package vcs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Where the sandbox keeps what the stand-in needs. FactsPath must be a file that the build cannot replace; LogPath one
// that it can append to, or lie in a directory where it can be made.
const (
	FactsPath = "/.glassbuild/vcs.json"
	LogPath   = "/.glassbuild/git.log"
)

// Main is the program: it answers os.Args and exits.
func Main() {
	p := program{facts: FactsPath, log: LogPath}
	r := p.run(os.Args[1:])
	_, errOut := os.Stdout.Write(r.Stdout)
	_, errErr := os.Stderr.Write(r.Stderr)
	if errors.Join(errOut, errErr) != nil && r.Code == 0 {
		r.Code = fatal
	}
	os.Exit(r.Code)
}

type program struct{ facts, log string }

// run answers argv and logs it. An answer that cannot be logged is not given.
func (p program) run(argv []string) Reply {
	dir, r := p.answer(argv)
	if err := appendLog(p.log, newQuestion(argv, dir, r)); err != nil {
		return refuse("the log: %v", err)
	}
	return r
}

func (p program) answer(argv []string) (dir string, r Reply) {
	file, err := os.Open(p.facts)
	if err != nil {
		return "", refuse("%v", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "", refuse("%v", err)
	}
	facts, err := Parse(file)
	if err != nil {
		return "", refuse("%v", err)
	}
	if dir, err = below(facts.Root); err != nil {
		return "", refuse("not a git repository (or any of the parent directories): .git")
	}
	root, err := os.OpenRoot(facts.Root)
	if err != nil {
		return dir, refuse("%v", err)
	}
	defer root.Close()
	tree := Tree{Files: rootFiles{root}, Dir: dir}
	// The facts are laid down after the work tree and before the first step: what changed since then was changed by a
	// step.
	if since, ok := changeTime(info); ok {
		tree.Since = since
	}
	return dir, facts.Answer(argv, tree)
}

// rootFiles are the files below an os.Root, which no link leads out of.
type rootFiles struct{ root *os.Root }

func (r rootFiles) Lstat(name string) (fs.FileInfo, error) { return r.root.Lstat(name) }
func (r rootFiles) ReadLink(name string) (string, error)   { return r.root.Readlink(name) }

func (r rootFiles) Open(name string) (fs.File, error) {
	f, err := r.root.Open(name)
	if err != nil {
		return nil, err // not f: a nil *os.File is no nil fs.File
	}
	return f, nil
}

func (r rootFiles) ReadDir(name string) ([]fs.DirEntry, error) {
	d, err := r.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	list, err := d.ReadDir(maxEntries + 1)
	if err == io.EOF { // an empty directory
		err = nil
	}
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return list, err
}

// below returns the working directory's path below root, "" for root itself. Links are resolved on both sides, as git
// does.
func below(root string) (string, error) {
	wd, err := os.Getwd()
	if err != nil {
		return "", err
	}
	if wd, err = filepath.EvalSymlinks(wd); err != nil {
		return "", err
	}
	if root, err = filepath.EvalSymlinks(root); err != nil {
		return "", err
	}
	if wd == root {
		return "", nil
	}
	rel, ok := strings.CutPrefix(wd, root+"/")
	if !ok || path.Clean(rel) != rel {
		return "", errors.New("outside the work tree")
	}
	return rel, nil
}
