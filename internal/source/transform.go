package source

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// partJob is one part while it is written.
type partJob struct {
	part
	attributes *attributes
}

// plan decides for each file of a listing what is done to it. Raw exports need no plan: there, attributes are only asked
// about files that look like pointers.
func (x *export) plan(job *partJob, list *listing) error {
	mode := x.commit.opt.Attributes
	if mode == AttributesRaw {
		return nil
	}
	if mode == AttributesArchive {
		if err := x.ignoreExported(job, list); err != nil {
			return err
		}
	}
	for i := range list.files {
		f := &list.files[i]
		if f.ignored {
			continue
		}
		attrs, err := job.attributes.of(relativeTo(job.base, f.path))
		if err != nil {
			return err
		}
		c, err := conversionOf(f.path, attrs, mode)
		if err != nil {
			return err
		}
		if c.any() {
			f.conversion = &c
		}
	}
	return nil
}

// ignoreExported marks what export-ignore leaves out: a file, or a directory with all that it holds. A directory is
// written if it holds a file, left out or not, outside of the directories that are left out: so does git.
func (x *export) ignoreExported(job *partJob, list *listing) error {
	gone := make(map[string]bool)
	ignored := func(p, asked string) (bool, error) {
		if gone[path.Dir(p)] {
			return true, nil
		}
		attrs, err := job.attributes.of(asked)
		return attrs["export-ignore"] == attrSet, err
	}
	for _, d := range list.dirs {
		is, err := ignored(d, d+"/")
		if err != nil {
			return err
		}
		if is {
			gone[d] = true
		}
	}
	needed := make(map[string]bool)
	need := func(p string) {
		for ; p != "." && !needed[p]; p = path.Dir(p) {
			needed[p] = true
		}
	}
	for i := range list.files {
		f := &list.files[i]
		var err error
		if f.ignored, err = ignored(f.path, f.path); err != nil {
			return err
		}
		if dir := path.Dir(f.path); !gone[dir] {
			need(dir)
		}
	}
	list.links = slices.DeleteFunc(list.links, func(l gitlink) bool { return gone[l.path] })
	for _, l := range list.links {
		need(l.path)
	}
	list.dirs = slices.DeleteFunc(list.dirs, func(d string) bool { return !needed[d] })
	return nil
}

// ignore notes an entry that is hashed and not written.
func (x *export) ignore(e Entry) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.tree.ignored = append(x.tree.ignored, e)
}

// leaveOut reports submodules that are not exported.
func (x *export) leaveOut(links []gitlink) {
	for _, l := range links {
		x.find(Finding{SubmoduleLeftOut, l.path, "pinned at " + l.commit.String()})
	}
}

func (x *export) find(f Finding) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.tree.Findings) < maxFindings {
		x.tree.Findings = append(x.tree.Findings, f)
	}
}

// content returns what is to be written for a file, and brings its entry in line.
func (x *export) content(job *partJob, f *file, data []byte, e *Entry) ([]byte, error) {
	out, steps, err := data, []string(nil), error(nil)
	if p, ok := parsePointer(data); ok {
		if out, steps, err = x.large(job, f, *e, p, data); err != nil {
			return nil, err
		}
	}
	if len(steps) == 0 && f.conversion != nil {
		if out, steps, err = f.conversion.apply(f.path, e.Blob, data, x.commit.substitute); err != nil {
			return nil, err
		}
	}
	if len(steps) == 0 {
		return data, nil
	}
	x.transformed(e, strings.Join(steps, ", "), out)
	return out, nil
}

// transformed notes that out is written in place of what is in git, and brings the entry in line.
func (x *export) transformed(e *Entry, by string, out []byte) {
	t := Transformed{Path: e.Path, By: by, RawSize: e.Size, RawSHA256: e.SHA256, Size: int64(len(out)), SHA256: hexSum(out)}
	e.Size, e.SHA256 = t.Size, t.SHA256
	x.mu.Lock()
	defer x.mu.Unlock()
	x.tree.Transformed = append(x.tree.Transformed, t)
}

// large replaces a pointer, where the attributes say that it is one, by the content that it names. What is not on this
// machine is asked for later, when all that is missing is known: errLater.
func (x *export) large(job *partJob, f *file, e Entry, p pointer, data []byte) ([]byte, []string, error) {
	attrs, err := job.attributes.of(relativeTo(job.base, f.path))
	if err != nil || attrs["filter"] != "lfs" {
		return data, nil, err
	}
	content, err := job.repo.kept(p, f.path)
	if err == nil {
		job.repo.keepLarge(p.oid, content)
		return content, []string{largeStep}, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.missing = append(x.missing, largeFile{file: *f, entry: e, pointer: p, text: slices.Clone(data)})
	return nil, nil, errLater
}
