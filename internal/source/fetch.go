package source

import (
	"context"
	"errors"
	"slices"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/source/gitobj"
)

// Names of the notes in a clone: which tips were fetched with how much behind them, and which commits have their tree.
const (
	noteContent = "fetched-content" // commits whose tree and files are here
	noteCommits = "fetched-commits" // tips whose commits are here
	noteTrees   = "fetched-trees"   // tips whose commits and trees are here
	noteAll     = "fetched-all"     // tips with everything behind them
)

// openRemote fetches what is needed of a remote repository, and opens the clone.
func openRemote(ctx context.Context, l location, text string, opt Options) (*repository, error) {
	id, ok := gitobj.ParseID(text)
	if !ok {
		return nil, remoteNeedsFullID(ctx, l, text, opt)
	}
	c, err := openClone(ctx, opt.CacheDir, l.url, id.Format())
	if err != nil {
		return nil, err
	}
	f := fetcher{clone: c, want: id, opt: opt}
	if opt.Remote != nil && opt.Remote.Offline() && slices.Contains(c.noted(noteContent), id) {
		err = nil // what an earlier run fetched is as good as its hashes
	} else if f.server, err = connect(ctx, l, opt.Remote, id.Format()); err == nil {
		err = f.run(ctx)
	}
	var r *repository
	if err == nil {
		r, err = openLocal(c.dir)
	}
	c.unlock()
	if err != nil {
		c.Close()
		return nil, err
	}
	r.where, r.url, r.clone = redactURL(l.url), l.url, c
	return r, nil
}

// remoteNeedsFullID refuses a tag, branch or short id, with the id that it points to now as the hint.
func remoteNeedsFullID(ctx context.Context, l location, text string, opt Options) error {
	usage := fault.Usagef(fault.Quote(text), "need full commit id").WithCheck(CheckRepository)
	s, err := connect(ctx, l, opt.Remote, gitobj.SHA1)
	if errors.Is(err, errSHA256) {
		s, err = connect(ctx, l, opt.Remote, gitobj.SHA256)
	}
	if err != nil {
		return usage.WithHint("a full id has 40 or 64 hexadecimal digits: git ls-remote")
	}
	for _, prefix := range []string{"", "refs/", "refs/tags/", "refs/heads/"} {
		for _, r := range s.refs {
			if r.name != prefix+text {
				continue
			}
			if p, ok := s.peeled[r.name]; ok {
				r.id = p
			}
			return usage.WithHint("it points to %s now", r.id)
		}
	}
	return usage.WithHint("a full id has %d hexadecimal digits: git ls-remote", 2*s.format.Size())
}

// fetcher brings one commit, and as little else as is needed to answer what is asked of it.
type fetcher struct {
	clone  *clone
	server *server
	want   gitobj.ID
	opt    Options
}

func (f *fetcher) run(ctx context.Context) error {
	s := f.server
	byID, shallow := s.can.byID, s.can.shallow
	tip := f.isTip()
	history := f.opt.Need&(NeedTags|NeedHistory) != 0 || !tip
	var cuts []gitobj.ID
	switch {
	case !shallow || (!tip && !byID) || (history && !s.can.filter):
		// a server that gives neither single commits nor parts: everything, but at most once
		if err := f.tips(ctx, noteAll, ""); err != nil {
			return err
		}
		if err := f.content(ctx, byID && shallow); err != nil {
			return err
		}
	case history:
		note, filter := noteCommits, "tree:0"
		if f.opt.Need&NeedHistory != 0 {
			note, filter = noteTrees, "blob:none"
		}
		if err := f.tips(ctx, note, filter); err != nil {
			return err
		}
		if err := f.content(ctx, true); err != nil {
			return err
		}
	default:
		if err := f.content(ctx, true); err != nil {
			return err
		}
		cuts = append(cuts, f.want)
	}
	return f.clone.writeRefs(s.refs, append(cuts, s.cuts...))
}

// isTip tells whether a branch or tag points to the commit, according to the server. If it lies, the commit is found
// to be unreachable later.
func (f *fetcher) isTip() bool {
	for _, r := range f.server.refs {
		if r.id == f.want || f.server.peeled[r.name] == f.want {
			return true
		}
	}
	return false
}

// tips fetches what lies behind the branches and tags, as far as it is not here.
func (f *fetcher) tips(ctx context.Context, note string, filter string) error {
	haves := f.clone.noted(note)
	known := make(map[gitobj.ID]bool, len(haves))
	for _, id := range haves {
		known[id] = true
	}
	var wants, all []gitobj.ID
	for _, r := range f.server.refs {
		all = append(all, r.id)
		if !known[r.id] {
			known[r.id] = true
			wants = append(wants, r.id)
		}
	}
	if len(wants) == 0 {
		return nil
	}
	err := f.server.fetch(ctx, f.clone, request{wants: wants, haves: haves[:min(len(haves), maxHaves)], filter: filter})
	if err != nil {
		return f.notFound(err)
	}
	return f.clone.note(note, all)
}

// content fetches the commit with its tree and files. byID is false when the server only gives what refs point to, and
// everything behind them has been fetched.
func (f *fetcher) content(ctx context.Context, byID bool) error {
	done := f.clone.noted(noteContent)
	if slices.Contains(done, f.want) {
		return nil
	}
	if !f.hasAll() {
		if !byID {
			return nil
		}
		if err := f.server.fetch(ctx, f.clone, request{wants: []gitobj.ID{f.want}, depth: 1}); err != nil {
			return f.notFound(err)
		}
	}
	return f.clone.note(noteContent, append(done, f.want))
}

// hasAll tells whether the commit came with everything that lies behind a tip.
func (f *fetcher) hasAll() bool {
	if len(f.clone.noted(noteAll)) == 0 {
		return false
	}
	objects, err := f.clone.root.OpenRoot("objects")
	if err != nil {
		return false
	}
	store, err := gitobj.Open(objects, f.want.Format())
	if err != nil {
		return false
	}
	defer store.Close()
	commit, err := store.Read(f.want, gitobj.Commit)
	if err != nil {
		return false
	}
	a, err := gitobj.ParseAncestry(f.want, commit)
	if err != nil {
		return false
	}
	_, err = store.Locate(a.Tree)
	return err == nil
}

func (f *fetcher) notFound(err error) error {
	if !errors.Is(err, errNotOurs) {
		return err
	}
	return fault.Inconclusivef(f.want.String(), "commit not found in %s", f.server.where).WithCheck(CheckRepository).
		WithHint("the server does not have it, or does not give commits that no branch or tag reaches")
}
