package source

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestWorkTree(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(r *gitRepo)
		want   []string
	}{
		"clean":             {func(*gitRepo) {}, nil},
		"not tracked":       {func(r *gitRepo) { r.write("new", "x") }, nil},
		"touched":           {func(r *gitRepo) { r.write("a", "one\n") }, nil},
		"other line ends":   {func(r *gitRepo) { r.write("a", "one\r\n") }, nil},
		"modified":          {func(r *gitRepo) { r.write("a", "two\n") }, []string{"modified: a"}},
		"same size":         {func(r *gitRepo) { r.write("dir/b", "Two\n") }, []string{"modified: dir/b"}},
		"deleted":           {func(r *gitRepo) { os.Remove(filepath.Join(r.dir, "a")) }, []string{"deleted: a"}},
		"executable":        {func(r *gitRepo) { os.Chmod(filepath.Join(r.dir, "a"), 0o755) }, []string{"modified: a"}},
		"a link instead":    {func(r *gitRepo) { os.Remove(filepath.Join(r.dir, "a")); os.Symlink("dir/b", filepath.Join(r.dir, "a")) }, []string{"modified: a"}},
		"staged":            {func(r *gitRepo) { r.write("a", "two\n"); r.run("add", "a"); r.write("a", "one\n") }, []string{"staged: a"}},
		"staged new":        {func(r *gitRepo) { r.write("new", "x"); r.run("add", "new") }, []string{"staged: new"}},
		"staged removal":    {func(r *gitRepo) { r.run("rm", "-q", "--cached", "a") }, []string{"staged for removal: a"}},
		"assumed unchanged": {func(r *gitRepo) { r.run("update-index", "--assume-unchanged", "a"); r.write("a", "two\n") }, []string{"modified: a"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRepo(t)
			r.write("a", "one\n")
			r.write("dir/b", "two\n")
			id := r.commit("first")
			tc.change(r)
			c, err := Open(t.Context(), r.dir, id, Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			w, err := c.WorkTree(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if w.Head != id || !slices.Equal(w.Changes, tc.want) {
				t.Errorf("%+v, want %q", w, tc.want)
			}
		})
	}
}

func TestWorkTreeElsewhere(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	r.write("a", "one\n")
	first := r.commit("first")
	r.write("a", "two\n")
	second := r.commit("second")
	r.run("remote", "add", "origin", "https://user:secret@example.org/tool.git?x=1")
	c, err := Open(t.Context(), r.dir, first, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if w, err := c.WorkTree(t.Context()); err != nil || w.Head != second || w.Changes != nil {
		t.Errorf("%+v, %v", w, err)
	}
	if o, err := c.Origin(); err != nil || o != "https://example.org/tool.git" {
		t.Errorf("origin %q, %v", o, err)
	}
	bare := filepath.Join(t.TempDir(), "bare.git")
	r.run("clone", "-q", "--bare", r.dir, bare)
	b, err := Open(t.Context(), bare, first, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if w, err := b.WorkTree(t.Context()); err != nil || w != nil {
		t.Errorf("a bare repository: %+v, %v", w, err)
	}
	if o, err := b.Origin(); err != nil || o != "" {
		t.Errorf("a local origin: %q, %v", o, err)
	}
	for where, want := range map[string]string{"git@example.org:a/b.git": "ssh://example.org/a/b.git", "ssh://git@example.org/a": "ssh://example.org/a", "/a/b": "", "ext::sh -c x": ""} {
		if got := withoutCredentials(where); got != want {
			t.Errorf("%s: %q, want %q", where, got, want)
		}
	}
}
