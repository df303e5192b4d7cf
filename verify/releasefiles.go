package verify

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/artifact"
	"github.com/glassbuild/glassbuild/internal/builder"
	"github.com/glassbuild/glassbuild/internal/evidence"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/gomod"
	"github.com/glassbuild/glassbuild/internal/oci"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// IsRelease tells whether arguments of verify name a release rather than one file: several, a folder, a list of digests,
// or an image.
func IsRelease(what []string) bool {
	if len(what) != 1 {
		return len(what) > 1
	}
	if IsPackage(what[0]) {
		return isImage(what[0])
	}
	st, err := os.Stat(what[0])
	switch {
	case err == nil && st.IsDir():
		return true
	case err == nil:
		return st.Mode().IsRegular() && listName(what[0])
	}
	return errors.Is(err, fs.ErrNotExist) && oci.IsReference(what[0])
}

// gather finds the files, without reading more than the lists.
func (l *release) gather(ctx context.Context, what []string) error {
	l.facts.Subject.Name = "release"
	if len(what) == 1 {
		l.facts.Subject.Name = filepath.Base(what[0])
		if abs, err := filepath.Abs(what[0]); err == nil && !oci.IsReference(what[0]) && !IsPackage(what[0]) {
			l.facts.Subject.Name = filepath.Base(abs)
		}
	}
	for _, arg := range what {
		given := arg
		if isImage(arg) {
			var err error
			if arg, err = imageOf(arg); err != nil {
				return err
			}
		} else if IsPackage(arg) {
			var err error
			if arg, err = l.packages().fetch(ctx, arg); err != nil {
				return err
			}
		}
		st, err := os.Stat(arg)
		switch {
		case given != arg && err == nil:
			err = l.add(arg, filepath.Base(arg), st)
		case err == nil && st.IsDir():
			prefix := ""
			if len(what) > 1 {
				prefix = filepath.Base(filepath.Clean(arg)) + "/"
			}
			err = l.folder(arg, prefix)
		case err == nil && st.Mode().IsRegular() && listName(arg):
			err = l.listFolder(arg)
		case err == nil:
			err = l.add(arg, filepath.Base(arg), st)
		case errors.Is(err, fs.ErrNotExist) && oci.IsReference(arg):
			err = l.pull(ctx, arg)
		default:
			err = fault.Usagef(fault.Quote(arg), "cannot be read: %w", bare(err))
		}
		if err != nil {
			return err
		}
	}
	if !slices.ContainsFunc(l.files, func(f *releaseFile) bool { return !f.listed }) && len(l.lists) == 0 {
		return fault.Usagef(fault.Quote(l.facts.Subject.Name), "holds nothing that could be judged")
	}
	return l.strays()
}

// add takes one file. What is neither file nor folder is no part of a release, and the verdict says so.
func (l *release) add(path, name string, st fs.FileInfo) error {
	if slices.ContainsFunc(l.files, func(f *releaseFile) bool { return f.name == name }) {
		return fault.Usagef(fault.Quote(path), "two files of the release are called %s", fault.Quote(name)).WithHint("name the folder that holds both")
	}
	return l.append(path, name, st)
}

func (l *release) append(path, name string, st fs.FileInfo) error {
	f := &releaseFile{name: name, path: path, beside: filepath.Dir(path), size: st.Size()}
	if !st.Mode().IsRegular() {
		f.err = fault.Failf(fault.Quote(name), "unsupported type: %s in a release", st.Mode().Type())
	}
	l.files = append(l.files, f)
	if len(l.files) > maxReleaseFiles {
		return fault.Failf("release", "more than %d files", maxReleaseFiles)
	}
	return nil
}

// folder takes every file below dir but what is evidence about others.
func (l *release) folder(dir, prefix string) error {
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return fault.Usagef(fault.Quote(path), "cannot be read: %w", bare(err))
		}
		rel, _ := filepath.Rel(dir, path)
		if e.IsDir() {
			return l.entries(path, prefix+filepath.ToSlash(rel))
		}
		return nil
	})
}

// entries takes the files of one folder.
func (l *release) entries(dir, name string) error {
	list, err := os.ReadDir(dir)
	if err != nil {
		return fault.Usagef(fault.Quote(dir), "cannot be read: %w", bare(err))
	}
	present := map[string]bool{}
	for _, e := range list {
		present[e.Name()] = true
	}
	for _, e := range list {
		if e.IsDir() {
			continue
		}
		path, inside := filepath.Join(dir, e.Name()), strings.TrimPrefix(name+"/"+e.Name(), "./")
		st, err := e.Info()
		if err != nil {
			return fault.Usagef(fault.Quote(path), "cannot be read: %w", bare(err))
		}
		if st.Mode().IsRegular() && isEvidence(path, e.Name(), present) {
			continue
		}
		if err := l.append(path, inside, st); err != nil {
			return err
		}
		if err := l.speaks(l.files[len(l.files)-1], present); err != nil {
			return err
		}
	}
	return nil
}

// speaks finds out whether a file speaks about others: a list of digests, or a detached signature.
func (l *release) speaks(f *releaseFile, present map[string]bool) error {
	switch {
	case f.err != nil:
	case listName(f.name):
		list, err := readList(f.path, f.name)
		if err != nil {
			return err
		}
		l.lists = append(l.lists, list)
		f.listed = list.refused == nil
	case detached(f.path, filepath.Base(f.path), present):
		f.listed = true
	}
	return nil
}

// isEvidence tells whether a file is evidence by its name and can be read as such: a program that only has the name is a
// file like any other.
func isEvidence(path, name string, present map[string]bool) bool {
	if !evidenceName(name, present) {
		return false
	}
	data, err := evidence.ReadFile(path)
	if err != nil {
		return false
	}
	_, err = evidence.ParseAll(name, data)
	return err == nil
}

// listFolder takes the files that a list names, beside it. Others that lie there are named and not opened: the folder may
// hold more than the release.
func (l *release) listFolder(file string) error {
	dir, base := filepath.Dir(file), filepath.Base(file)
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fault.Usagef(fault.Quote(dir), "cannot be read: %w", bare(err))
	}
	defer root.Close()
	st, err := root.Lstat(base)
	if err != nil {
		return fault.Usagef(fault.Quote(file), "cannot be read: %w", bare(err))
	}
	if err := l.add(file, base, st); err != nil {
		return err
	}
	if err := l.speaks(l.files[len(l.files)-1], nil); err != nil {
		return err
	}
	if len(l.lists) == 0 || l.lists[len(l.lists)-1].name != base {
		return nil
	}
	named := map[string]bool{base: true}
	for _, e := range l.lists[len(l.lists)-1].entries {
		named[e.name] = true
		if st, err := root.Lstat(filepath.FromSlash(e.name)); err == nil && !st.IsDir() && !l.has(e.name) {
			if err := l.append(filepath.Join(dir, filepath.FromSlash(e.name)), e.name, st); err != nil {
				return err
			}
		}
	}
	return l.others(dir, named)
}

func (l *release) has(name string) bool {
	return slices.ContainsFunc(l.files, func(f *releaseFile) bool { return f.name == name })
}

// others names what lies beside a list and is not in it.
func (l *release) others(dir string, named map[string]bool) error {
	list, err := os.ReadDir(dir)
	if err != nil {
		return fault.Usagef(fault.Quote(dir), "cannot be read: %w", bare(err))
	}
	present := map[string]bool{}
	for _, e := range list {
		present[e.Name()] = true
	}
	for _, e := range list {
		path := filepath.Join(dir, e.Name())
		if !e.IsDir() && !named[e.Name()] && !isEvidence(path, e.Name(), present) && !detached(path, e.Name(), present) && !listName(e.Name()) {
			l.stray = append(l.stray, e.Name())
		}
	}
	return nil
}

// strays lists the files that no list names, where there is one.
func (l *release) strays() error {
	if len(l.lists) == 0 {
		return nil
	}
	named := map[string]bool{}
	for _, list := range l.lists {
		for _, e := range list.entries {
			named[e.name] = true
		}
	}
	for _, f := range l.files {
		if !f.listed && !named[f.name] && !slices.ContainsFunc(l.lists, func(d *digestList) bool { return d.name == f.name }) {
			l.stray = append(l.stray, f.name)
		}
	}
	slices.Sort(l.stray)
	l.stray = slices.Compact(l.stray)
	return nil
}

// pull fetches the image that a reference names: it is the file of the release, and its digest is that of its manifest.
func (l *release) pull(ctx context.Context, text string) error {
	ref, err := oci.Parse(text)
	if err != nil {
		return err
	}
	l.req.Progress("fetching %s", fault.Quote(ref.Name()))
	client, err := gomod.NewRemote(l.req.Offline, builder.PlainHTTP()...)
	if err != nil {
		return err
	}
	place, err := oci.Open(ref, oci.Options{Remote: client})
	if err != nil {
		return err
	}
	defer place.Close()
	d, err := place.Resolve(ctx)
	if err != nil {
		return withCheck(err, verdict.CheckArtefact)
	}
	dir, err := l.dir.Dir("image")
	if err != nil {
		return err
	}
	pinned, err := oci.Open(ref.WithDigest(d.Digest), oci.Options{Remote: client}) // a tag may move meanwhile
	if err != nil {
		return err
	}
	defer pinned.Close()
	if err := artifact.Pull(ctx, pinned, dir); err != nil {
		return withCheck(err, verdict.CheckArtefact)
	}
	hex := strings.TrimPrefix(d.Digest, "sha256:")
	l.files = append(l.files, &releaseFile{name: filepath.Base(ref.Name()), path: dir, sum: hex, size: max(d.Size, 0), image: hex})
	return nil
}

// hashStable reads a file that must not change meanwhile.
func hashStable(path string, also512 bool) (sum, sum512 string, size int64, err error) {
	if !also512 {
		sum, size, err = hashFile(path)
		return sum, "", size, err
	}
	h := sha512.New()
	sum, size, err = hashInto(path, h)
	return sum, hex.EncodeToString(h.Sum(nil)), size, err
}

// hashInto hashes a file, and writes what it reads into another hash too.
func hashInto(path string, other hash.Hash) (string, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, fault.Inconclusivef(fault.Quote(path), "cannot be read: %w", bare(err))
	}
	defer f.Close()
	before, err := f.Stat()
	if err != nil || !before.Mode().IsRegular() {
		return "", 0, fault.Failf(fault.Quote(path), "unsupported type: is not a file")
	}
	h := sha256.New()
	var to io.Writer = h
	if other != nil {
		to = io.MultiWriter(h, other)
	}
	n, err := io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{f}, make([]byte, hashBuffer))
	if err != nil {
		return "", 0, fault.Inconclusivef(fault.Quote(path), "cannot be read: %w", bare(err))
	}
	after, err := f.Stat()
	if err != nil || n != before.Size() || after.Size() != n || !after.ModTime().Equal(before.ModTime()) {
		return "", 0, fault.Failf(fault.Quote(path), "changed while it was read")
	}
	return hex.EncodeToString(h.Sum(nil)), n, nil
}
