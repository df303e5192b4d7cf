package source

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/format/index"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/source/gitobj"
)

// WorkTree is what lies beside a repository: files that somebody may take for the commit.
type WorkTree struct {
	Head    string   // id of the commit that is checked out; "" before the first one
	Changes []string // tracked files that are not as the commit has them, "staged: path" and the like; the first maxChanges
}

// WorkTree holds the work tree around the repository against the commit: what is staged, and what of the tracked files was
// changed or is gone. Files that are not tracked are no part of it. It is nil where there is no work tree: for a bare
// repository and one that was fetched. Changes are looked for only where the commit is the one that is checked out. The
// repository's own configuration, filters and hooks are neither read nor run; a file whose line endings were converted,
// or whose content git LFS keeps, is unchanged if the conversion back gives what the commit has.
func (c *Commit) WorkTree(ctx context.Context) (*WorkTree, error) {
	if c.repo.url != "" || filepath.Base(c.repo.dir) != ".git" {
		return nil, nil
	}
	head, err := c.repo.head()
	if err != nil {
		return nil, err
	}
	w := &WorkTree{Head: head}
	if head != c.facts.ID {
		return w, nil
	}
	root, err := os.OpenRoot(filepath.Dir(c.repo.dir))
	if err != nil {
		return nil, c.repo.inconclusive("work tree cannot be opened: %v", err)
	}
	defer root.Close()
	tree, ok := gitobj.ParseID(c.facts.Tree)
	if !ok {
		return nil, c.repo.inconclusive("tree id is malformed")
	}
	committed, err := c.repo.listTree(ctx, tree, "")
	if err != nil {
		return nil, err
	}
	staged, err := c.repo.index()
	if err != nil {
		return nil, err
	}
	w.Changes, err = (&comparison{repo: c.repo, root: root}).changes(ctx, committed, staged)
	return w, err
}

// Origin returns the address of the remote called origin, without credentials, "" where there is none. The configuration is
// the owner's own: it names, and proves nothing.
func (c *Commit) Origin() (string, error) {
	if c.repo.url != "" {
		return c.repo.url, nil
	}
	data, err := c.repo.readFile("config", maxConfigSize)
	if err != nil {
		return "", err
	}
	settings, ok := parseConfig(string(data))
	if !ok {
		return "", c.repo.inconclusive("config: malformed")
	}
	for _, s := range settings {
		if s.key == "remote.origin.url" {
			return withoutCredentials(s.value), nil
		}
	}
	return "", nil
}

// withoutCredentials writes an address as a URL for others, "" when it is none.
func withoutCredentials(where string) string {
	if strings.Contains(where, "::") { // a helper's, not an address
		return ""
	}
	if host, path, ok := scpLike(where); ok && !strings.Contains(where, "://") {
		where = "ssh://" + host + "/" + strings.TrimPrefix(path, "/")
	}
	u, err := url.Parse(where)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" && u.Scheme != "ssh" {
		return ""
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}

// head is the commit that is checked out.
func (r *repository) head() (string, error) {
	data, err := r.readFile("HEAD", maxPointerFile)
	if err != nil {
		return "", err
	}
	text := strings.TrimSpace(string(data))
	name, ok := strings.CutPrefix(text, "ref: ")
	if !ok {
		return text, nil
	}
	list, err := r.refs()
	if err != nil {
		return "", err
	}
	for _, ref := range list {
		if ref.name == strings.TrimSpace(name) {
			return ref.id.String(), nil
		}
	}
	return "", nil
}

// index reads what is staged. A missing one is empty.
func (r *repository) index() (*index.Index, error) {
	if r.objects.Format() != gitobj.SHA1 {
		return nil, r.inconclusive("the index of a repository with %s cannot be read", r.objects.Format()).WithHint("name the repository by its URL, or a bare clone of it")
	}
	data, err := r.readFile("index", maxIndex)
	if err != nil {
		return nil, err
	}
	idx := &index.Index{}
	if len(data) == 0 {
		return idx, nil
	}
	if err := index.NewDecoder(bytes.NewReader(data)).Decode(idx); err != nil {
		return nil, r.inconclusive("index cannot be read: %v", err)
	}
	return idx, nil
}

// comparison holds a work tree against a commit.
type comparison struct {
	repo *repository
	root *os.Root
	out  []string
}

func (c *comparison) note(what, path string) {
	if len(c.out) < maxChanges {
		c.out = append(c.out, what+": "+path)
	}
}

func (c *comparison) changes(ctx context.Context, committed *listing, idx *index.Index) ([]string, error) {
	want := map[string]file{}
	for _, f := range committed.files {
		want[f.path] = f
	}
	links := map[string]string{}
	for _, l := range committed.links {
		links[l.path] = l.commit.String()
	}
	for _, e := range idx.Entries {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		f, ok := want[e.Name]
		switch {
		case e.Stage != 0:
			c.note("unmerged", e.Name)
		case e.Mode == filemode.Submodule && links[e.Name] == e.Hash.String():
			delete(links, e.Name)
			continue
		case !ok:
			c.note("staged", e.Name)
		case f.id.String() != e.Hash.String() || uint32(f.mode) != uint32(e.Mode):
			c.note("staged", e.Name)
		case !e.SkipWorktree:
			if err := c.file(f); err != nil {
				return nil, err
			}
		}
		delete(want, e.Name)
	}
	for name := range want {
		c.note("staged for removal", name)
	}
	for name := range links {
		c.note("staged for removal", name)
	}
	return c.out, nil
}

// file reads one tracked file. Nothing is believed of its times: only its bytes count.
func (c *comparison) file(f file) error {
	info, err := c.root.Lstat(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		c.note("deleted", f.path)
		return nil
	}
	if err != nil {
		c.note("unreadable", f.path)
		return nil
	}
	data, ok, err := c.content(f, info)
	if err != nil {
		return fault.Inconclusivef(fault.Quote(f.path), "cannot be read: %w", err)
	}
	if !ok || !c.same(f, data) {
		c.note("modified", f.path)
	}
	return nil
}

// content returns what git would take for the content of a path; not ok when it is of another kind.
func (c *comparison) content(f file, info fs.FileInfo) (data []byte, ok bool, err error) {
	if f.mode == gitobj.ModeLink {
		if info.Mode().Type() != fs.ModeSymlink {
			return nil, false, nil
		}
		text, err := c.root.Readlink(f.path)
		return []byte(text), true, err
	}
	executable := f.mode == gitobj.ModeExecutable
	if !info.Mode().IsRegular() || executable != (info.Mode()&0o100 != 0) || info.Size() > maxLargeFile {
		return nil, false, nil
	}
	r, err := c.root.Open(f.path)
	if err != nil {
		return nil, false, err
	}
	defer r.Close()
	data, err = io.ReadAll(io.LimitReader(r, maxLargeFile+1))
	return data, true, err
}

// same tells whether data is the content of a blob, as it is or as a checkout may have converted it.
func (c *comparison) same(f file, data []byte) bool {
	is := func(data []byte) bool {
		id, collision := gitobj.HashObject(c.repo.objects.Format(), gitobj.Blob, data)
		return id == f.id && !collision
	}
	if is(data) {
		return true
	}
	if bytes.Contains(data, []byte("\r\n")) && is(bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))) {
		return true
	}
	sum := sha256.Sum256(data)
	return is(fmt.Appendf(nil, "%soid sha256:%s\nsize %d\n", pointerStart, hex.EncodeToString(sum[:]), len(data)))
}
