package source

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/fault"
)

func TestRedirectsAreRefused(t *testing.T) {
	t.Parallel()
	write := func(name, text string) func(*testing.T, *gitRepo) {
		return func(t *testing.T, r *gitRepo) { r.write(".git/"+name, text) }
	}
	for name, test := range map[string]struct {
		change func(*testing.T, *gitRepo)
		class  fault.Class
		want   string
	}{
		"alternates":      {write("objects/info/alternates", "/elsewhere/objects\n"), fault.Inconclusive, "redirects elsewhere: objects/info/alternates"},
		"http alternates": {write("objects/info/http-alternates", "x\n"), fault.Inconclusive, "redirects elsewhere"},
		"grafts":          {write("info/grafts", strings.Repeat("1", 40)+"\n"), fault.Inconclusive, "redirects elsewhere: info/grafts"},
		"commondir":       {write("commondir", "../other\n"), fault.Inconclusive, "redirects elsewhere: commondir"},
		"replace":         {write("refs/replace/"+strings.Repeat("1", 40), strings.Repeat("2", 40)+"\n"), fault.Inconclusive, "redirects elsewhere: replace refs"},
		"packed replace": {write("packed-refs", strings.Repeat("2", 40)+" refs/replace/"+strings.Repeat("1", 40)+"\n"),
			fault.Inconclusive, "redirects elsewhere: replace refs"},
		"linked objects": {func(t *testing.T, r *gitRepo) {
			objects := filepath.Join(r.dir, ".git/objects")
			if err := errors.Join(os.Rename(objects, r.dir+"-objects"), os.Symlink(r.dir+"-objects", objects)); err != nil {
				t.Fatal(err)
			}
		}, fault.Inconclusive, "redirects elsewhere: objects is a link"},
		"git file": {func(t *testing.T, r *gitRepo) {
			if err := os.Rename(filepath.Join(r.dir, ".git"), r.dir+"-git"); err != nil {
				t.Fatal(err)
			}
			r.write(".git", "gitdir: ../repo-git\n")
		}, fault.Inconclusive, "redirects elsewhere: .git is not a directory"},
		"climbing ref":      {write("packed-refs", strings.Repeat("2", 40)+" refs/heads/../../config\n"), fault.Failed, "invalid ref"},
		"ref without space": {write("packed-refs", strings.Repeat("2", 40)+"\n"), fault.Failed, "invalid ref"},
		"short ref":         {write("packed-refs", "22 refs/heads/x\n"), fault.Failed, "packed-refs: malformed line"},
		"broken ref":        {write("refs/heads/x", "nonsense\n"), fault.Failed, "invalid ref"},
		"linked ref": {func(t *testing.T, r *gitRepo) {
			if err := os.Symlink("main", filepath.Join(r.dir, ".git/refs/heads/linked")); err != nil {
				t.Fatal(err)
			}
		}, fault.Failed, "invalid ref: is a link"},
		"unknown extension": {write("config", "[core]\nrepositoryformatversion = 1\n[extensions]\nmystery = true\n"), fault.Inconclusive, "repository extension unsupported: mystery"},
		"other hash":        {write("config", "[core]\nrepositoryformatversion = 1\n[extensions]\nobjectformat = sha512\n"), fault.Inconclusive, "object format unsupported"},
		"version 2":         {write("config", "[core]\n\trepositoryformatversion = 2\n"), fault.Inconclusive, "format version 2 unsupported"},
		"reftable":          {write("config", "[core]\nrepositoryformatversion = 1\n[extensions]\nrefstorage = reftable\n"), fault.Inconclusive, "ref storage unsupported"},
		"malformed config":  {write("config", "[core\n"), fault.Inconclusive, "config: malformed"},
		"large config":      {write("config", strings.Repeat("#", maxConfigSize+1)), fault.Failed, "exceeds limit"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRepo(t)
			r.write("f", "x")
			id := r.commit("m")
			open(t, r.dir, id, Options{}) // it is fine before
			test.change(t, r)
			_, err := Open(context.Background(), r.dir, id, Options{})
			wantFault(t, err, test.class, test.want)
			if test.class == fault.Inconclusive && strings.Contains(test.want, "redirects") && fault.HintOf(err) == "" {
				t.Error("no hint")
			}
		})
	}
}

func TestLinkedWorkTreeNamesItsRepository(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	id := r.commit("m")
	linked := filepath.Join(t.TempDir(), "linked")
	r.run("worktree", "add", "-q", "--detach", linked)
	_, err := Open(context.Background(), linked, id, Options{})
	wantFault(t, err, fault.Inconclusive, redirects)
	if hint := fault.HintOf(err); !strings.HasSuffix(hint, filepath.Join(filepath.Base(r.dir), ".git")) {
		t.Errorf("hint %q", hint)
	}
}

func TestOnlyFullCommitIDs(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	r.write("f", "x")
	id := r.commit("m")
	r.run("tag", "light")
	r.run("tag", "-a", "-m", "annotated", "v1")
	r.run("tag", "-a", "-m", "of a tag", "v2", "v1")
	tag := r.run("rev-parse", "v2")
	for _, name := range []string{"main", "v1", "v2", "light", "refs/heads/main", "heads/main", id[:7], strings.ToUpper(id)[:12]} {
		_, err := Open(context.Background(), r.dir, name, Options{})
		wantFault(t, err, fault.Usage, "need full commit id")
		if hint := fault.HintOf(err); hint != "it points to "+id+" now" {
			t.Errorf("%s: hint %q", name, hint)
		}
	}
	for _, name := range []string{"", "nowhere", "HEAD^", strings.ToUpper(id), id + "0", "../x", "zz\x1b"} {
		_, err := Open(context.Background(), r.dir, name, Options{})
		wantFault(t, err, fault.Usage, "need full commit id")
	}
	_, err := Open(context.Background(), r.dir, tag, Options{})
	wantFault(t, err, fault.Usage, "is a tag, want a commit")
	if hint := fault.HintOf(err); !strings.Contains(hint, id) {
		t.Errorf("hint %q", hint)
	}
	_, err = Open(context.Background(), r.dir, r.run("rev-parse", "HEAD^{tree}"), Options{})
	wantFault(t, err, fault.Usage, "is a tree, want a commit")
	_, err = Open(context.Background(), r.dir, strings.Repeat("1", 40), Options{})
	wantFault(t, err, fault.Inconclusive, "commit not found")
	_, err = Open(context.Background(), r.dir, strings.Repeat("1", 64), Options{})
	wantFault(t, err, fault.Inconclusive, "commit not found")
}

func TestWhatIsNoRepository(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	r.write("sub/f", "x")
	id := r.commit("m")
	for where, want := range map[string]string{
		filepath.Join(r.dir, "nowhere"): "no such repository",
		filepath.Join(r.dir, "sub"):     "not a git repository",
		filepath.Join(r.dir, "sub/f"):   "not a git repository",
		t.TempDir():                     "not a git repository",
		"":                              "unsupported URL",
	} {
		_, err := Open(context.Background(), where, id, Options{})
		wantFault(t, err, fault.Usage, want)
	}
	_, err := Open(context.Background(), filepath.Join(r.dir, "sub"), id, Options{})
	if hint := fault.HintOf(err); !strings.Contains(hint, r.dir) {
		t.Errorf("hint %q", hint)
	}
	open(t, filepath.Join(r.dir, ".git"), id, Options{}) // a git directory by its own name
	open(t, "file://"+r.dir, id, Options{})
}

func TestReadFile(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	r.write("dir/f", "content")
	if err := os.Symlink("dir/f", filepath.Join(r.dir, "link")); err != nil {
		t.Fatal(err)
	}
	c := open(t, r.dir, r.commit("m"), Options{})
	data, err := c.ReadFile("dir/f", 100)
	if err != nil || string(data) != "content" {
		t.Fatalf("%q %v", data, err)
	}
	_, err = c.ReadFile("dir/f", 6)
	wantFault(t, err, fault.Failed, "exceeds limit")
	for _, path := range []string{"dir/g", "nowhere/f", "dir/f/g", "", "/dir/f", "dir//f", "../dir/f", "dir/", "link/x"} {
		if _, err := c.ReadFile(path, 100); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: %v", path, err)
		}
	}
	_, err = c.ReadFile("link", 100)
	wantFault(t, err, fault.Failed, "is no file but a link")
	_, err = c.ReadFile("dir", 100)
	wantFault(t, err, fault.Failed, "is no file but a directory")
}
