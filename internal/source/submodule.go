package source

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"path/filepath"
	"slices"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/source/gitobj"
)

// part is one tree of an export: the commit's own or a submodule's, with where it goes.
type part struct {
	repo   *repository
	commit gitobj.ID
	tree   gitobj.ID
	base   string      // path in the export; "" for the commit's own
	chain  []gitobj.ID // the commits that it is nested in, itself last
}

// submodules opens the submodules that a listing names, each at the id that the tree pins.
func (x *export) submodules(ctx context.Context, p part, links []gitlink) ([]part, error) {
	if len(links) == 0 {
		return nil, nil
	}
	byPath, err := p.repo.declaredSubmodules(p.tree)
	if err != nil {
		return nil, err
	}
	var subs []part
	for _, l := range links {
		d, ok := byPath[relativeTo(p.base, l.path)]
		if !ok || d.url == "" {
			return subs, fault.Failf(fault.Quote(l.path), "submodule not declared").WithCheck(CheckSubmodules)
		}
		if slices.Contains(p.chain, l.commit) || len(p.chain) > maxSubmoduleDepth {
			return subs, fault.Failf(fault.Quote(l.path), "submodules in a cycle").WithCheck(CheckSubmodules)
		}
		if x.opened++; x.opened > maxSubmodules {
			return subs, tooMuch(l.path, "submodules", maxSubmodules)
		}
		sub, url, err := p.repo.openSubmodule(ctx, d, l, x.commit.opt)
		if err != nil {
			return subs, err
		}
		if err := sub.record(x.commit.opt.Recorder, path.Join(p.repo.module, "modules", d.name)); err != nil {
			sub.Close()
			return subs, err
		}
		q := part{repo: sub, commit: l.commit, base: l.path, chain: append(slices.Clone(p.chain), l.commit)}
		subs = append(subs, q)
		raw, err := sub.readCommit(l.commit)
		if err != nil {
			return subs, err
		}
		object, err := gitobj.ParseCommit(l.commit, raw)
		if err != nil {
			return subs, err
		}
		subs[len(subs)-1].tree = object.Tree
		if isRelative(d.url) && p.repo.origin() == "" {
			url = d.url // where a clone lies on this machine says nothing of the commit
		}
		x.tree.Submodules = append(x.tree.Submodules, Submodule{Path: l.path, Name: d.name, URL: redactURL(url), Commit: l.commit.String(), When: object.Committer.When})
	}
	return subs, nil
}

func relativeTo(base, path string) string {
	if base == "" {
		return path
	}
	return path[len(base)+1:]
}

// declaredSubmodules reads a tree's .gitmodules.
func (r *repository) declaredSubmodules(tree gitobj.ID) (map[string]declared, error) {
	e, err := r.find(tree, ".gitmodules")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if e.Mode != gitobj.ModeFile && e.Mode != gitobj.ModeExecutable {
		return nil, fault.Failf(".gitmodules", "unsafe submodule: .gitmodules is %s", kindOf(e.Mode)).WithCheck(CheckSubmodules)
	}
	data, err := r.objects.Read(e.ID, gitobj.Blob)
	if err != nil {
		return nil, err
	}
	if len(data) > maxGitmodules {
		return nil, tooMuch(".gitmodules", "bytes", maxGitmodules)
	}
	return parseGitmodules(string(data))
}

// openSubmodule opens the repository of a submodule: the one that a local clone keeps of it, if that has the commit,
// else the one that .gitmodules names. Returned is also the URL, for the record.
func (r *repository) openSubmodule(ctx context.Context, d declared, l gitlink, opt Options) (*repository, string, error) {
	url := d.url
	if isRelative(d.url) {
		base := r.baseURL()
		var ok bool
		if url, ok = resolveRelative(base, d.url); !ok {
			return nil, "", unsafeSubmodule(d.name, "URL "+redactURL(d.url)+" leads out of "+redactURL(base))
		}
	}
	if r.clone == nil {
		if sub := r.keptSubmodule(d.name, l.commit); sub != nil {
			sub.url = url
			return sub, url, nil
		}
	}
	where, err := parseLocation(url)
	if err != nil {
		return nil, "", unsafeSubmodule(d.name, "unsupported URL "+redactURL(url))
	}
	if where.path != "" && !opt.LocalSubmodules {
		return nil, "", fault.Inconclusivef(fault.Quote(l.path), "submodule at %s is not here", redactURL(url)).WithCheck(CheckSubmodules).
			WithHint("git -C %s submodule update --init --recursive", fault.Quote(r.where))
	}
	opt.Need = 0
	sub, err := openRepository(ctx, url, l.commit.String(), opt)
	if err != nil {
		return nil, "", submoduleError(l.path, err)
	}
	return sub, url, nil
}

// submoduleError says which submodule an error is about. Whatever is wrong with its address is not the caller's usage.
func submoduleError(path string, err error) error {
	var f *fault.Error
	if !errors.As(err, &f) {
		return err
	}
	with := *f
	with.Reason = "submodule " + fault.Quote(path) + ": " + f.Reason
	if with.Class == fault.Usage {
		with.Class = fault.Inconclusive
	}
	return &with
}

// baseURL is what relative URLs of submodules are resolved against: the URL that a remote repository was fetched from,
// the origin of a local clone, or where a repository without an origin lies.
func (r *repository) baseURL() string {
	if r.url != "" {
		return r.url
	}
	data, err := r.readFile("config", maxConfigSize)
	if err == nil {
		settings, _ := parseConfig(string(data))
		for _, s := range settings {
			if s.key == "remote.origin.url" {
				return s.value
			}
		}
	}
	path, err := filepath.Abs(r.where)
	if err != nil {
		return r.where
	}
	return filepath.ToSlash(path)
}

// keptSubmodule opens the repository that git keeps below modules for a submodule that was initialised.
func (r *repository) keptSubmodule(name string, commit gitobj.ID) *repository {
	inside := "modules/" + name
	if info, err := r.root.Stat(inside); err != nil || !info.IsDir() {
		return nil
	}
	sub, err := r.openInside(inside)
	if err != nil {
		return nil
	}
	if _, err := sub.objects.Locate(commit); err != nil {
		sub.Close()
		return nil
	}
	return sub
}

// openInside opens a git directory within this one.
func (r *repository) openInside(name string) (*repository, error) {
	root, err := r.root.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	sub := &repository{where: filepath.Join(r.dir, filepath.FromSlash(name)), root: root}
	sub.dir = sub.where
	if err := sub.open(); err != nil {
		sub.Close()
		return nil, err
	}
	return sub, nil
}
