package source

import (
	"context"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/remote"
	"github.com/glassbuild/glassbuild/internal/source/gitobj"
)

// The checks that faults of this package decide, beside those of gitobj.
const (
	CheckRepository = "source.repository"
	CheckCommit     = gitobj.CheckCommit
	CheckObjects    = gitobj.CheckObjects
	CheckTree       = gitobj.CheckTree
	CheckReachable  = "source.reachable"
	CheckSubmodules = "source.submodules"
)

// Need says how much of a repository is wanted beside the commit, its tree, and the branches and tags that it is
// reachable from. From a remote repository, no more than that is fetched.
type Need uint8

const (
	// NeedTags asks for every tag that is merged into the commit.
	NeedTags Need = 1 << iota
	// NeedHistory asks for the commit's ancestors: Commit.History, Changed, LastTouched.
	NeedHistory
)

// AttributesMode says which of git's conversions an export makes.
type AttributesMode uint8

const (
	// AttributesRaw exports the blobs as they are in git.
	AttributesRaw AttributesMode = iota
	// AttributesCheckout exports what git-checkout(1) writes: text and eol, ident, working-tree-encoding.
	AttributesCheckout
	// AttributesArchive exports what git-archive(1) writes: also export-subst and export-ignore, and no submodules.
	AttributesArchive
)

// Options are the choices of a caller. The zero value reads local repositories only, and of them only the commit.
type Options struct {
	Need Need

	// Remote opens connections; nil means that remote repositories cannot be fetched. ssh does not go through it, but
	// is not spoken either when it is nil or offline.
	Remote *remote.Client

	// Attributes says whether .gitattributes may change what is exported. Every file that it changes is listed.
	Attributes AttributesMode

	// RequireContent makes a file whose content is not in git, and not found beside it (git LFS), an error of Export
	// instead of a finding.
	RequireContent bool

	// LocalSubmodules allows submodules whose URL is a path on this machine. A hostile repository could name any.
	LocalSubmodules bool

	// CacheDir keeps what was fetched for the next time; "" fetches into a temporary folder.
	CacheDir string

	// Recorder keeps what is read; nil for nobody.
	Recorder *Recorder
}

// Commit is one commit of an open repository. It is safe for use by several goroutines.
type Commit struct {
	repo   *repository
	id     gitobj.ID
	object *gitobj.CommitObject
	facts  Facts
	opt    Options
}

// Open opens the commit with that full id. where is the path of a local repository, bare or with a work tree, or the
// URL of a remote one.
//
// A commit that no branch or tag reaches is no error here: Facts.Refs is empty then, and the verdict decides.
func Open(ctx context.Context, where string, id string, opt Options) (*Commit, error) {
	repo, err := openRepository(ctx, where, id, opt)
	if err != nil {
		return nil, err
	}
	err = repo.record(opt.Recorder, "")
	var c *Commit
	if err == nil {
		c, err = repo.commit(ctx, id, opt)
	}
	if err != nil {
		repo.Close()
		return nil, err
	}
	return c, nil
}

// Close releases the repository.
func (c *Commit) Close() error { return c.repo.Close() }

// Facts returns what is known of the commit.
func (c *Commit) Facts() Facts { return c.facts }

func openRepository(ctx context.Context, where, id string, opt Options) (*repository, error) {
	l, err := parseLocation(where)
	if err != nil {
		return nil, err
	}
	if l.url != "" {
		return openRemote(ctx, l, id, opt)
	}
	return openLocal(l.path)
}

// commit reads and judges the commit of that id.
func (r *repository) commit(ctx context.Context, text string, opt Options) (*Commit, error) {
	id, ok := gitobj.ParseID(text)
	if !ok {
		return nil, r.needFullID(text)
	}
	if id.Format() != r.objects.Format() {
		return nil, fault.Inconclusivef(fault.Quote(text), "commit not found: the repository names its objects with %s",
			r.objects.Format()).WithCheck(CheckRepository)
	}
	raw, err := r.readCommit(id)
	if err != nil {
		return nil, err
	}
	object, err := gitobj.ParseCommit(id, raw)
	if err != nil {
		return nil, err
	}
	c := &Commit{repo: r, id: id, object: object, opt: opt}
	if err := c.gather(ctx); err != nil {
		return nil, err
	}
	return c, nil
}
