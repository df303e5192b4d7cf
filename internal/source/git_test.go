package source

import (
	"bytes"
	"compress/zlib"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/source/gitobj"
)

// gitRepo is a repository that real git made in a temporary folder.
type gitRepo struct {
	t   *testing.T
	dir string
}

// newRepo makes an empty repository with a work tree.
func newRepo(t *testing.T, args ...string) *gitRepo {
	t.Helper()
	r := &gitRepo{t, filepath.Join(t.TempDir(), "repo")}
	r.run(append(append([]string{"init", "-q", "-b", "main"}, args...), r.dir)...)
	return r
}

// existing is a repository in an existing folder.
func existing(t *testing.T, dir string) *gitRepo { return &gitRepo{t, dir} }

// run runs git and returns what it printed.
func (r *gitRepo) run(args ...string) string {
	r.t.Helper()
	cmd := exec.Command("git", args...)
	if info, err := os.Stat(r.dir); err == nil && info.IsDir() {
		cmd.Dir = r.dir
	}
	cmd.Env = gitEnv()
	out, err := cmd.Output()
	if err != nil {
		var stderr string
		if exit, ok := err.(*exec.ExitError); ok {
			stderr = string(exit.Stderr)
		}
		r.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, stderr)
	}
	return strings.TrimRight(string(out), "\n")
}

func gitEnv() []string {
	return append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/nonexistent", "HOME=/nonexistent", "LC_ALL=C", "TZ=UTC",
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.org", "GIT_COMMITTER_NAME=Bea", "GIT_COMMITTER_EMAIL=bea@example.org",
		"GIT_AUTHOR_DATE=1700000000 +0100", "GIT_COMMITTER_DATE=1700000100 +0100", "GIT_ALLOW_PROTOCOL=file:https:http")
}

// write puts a file into the work tree.
func (r *gitRepo) write(path, content string) {
	r.t.Helper()
	full := filepath.Join(r.dir, filepath.FromSlash(path))
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(content), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

// commit commits the whole work tree and returns the commit's id.
func (r *gitRepo) commit(message string) string {
	r.t.Helper()
	r.run("add", "-A")
	r.run("commit", "-q", "--allow-empty", "-m", message)
	return r.run("rev-parse", "HEAD")
}

// hash writes an object as it is, however odd, as a loose one.
func (r *gitRepo) hash(kind, content string) string {
	r.t.Helper()
	types := map[string]gitobj.Type{"blob": gitobj.Blob, "tree": gitobj.Tree, "commit": gitobj.Commit, "tag": gitobj.Tag}
	id, _ := gitobj.HashObject(gitobj.SHA1, types[kind], []byte(content))
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	fmt.Fprintf(z, "%s %d\x00%s", kind, len(content), content)
	if err := z.Close(); err != nil {
		r.t.Fatal(err)
	}
	dir := filepath.Join(r.dir, ".git/objects", id.String()[:2])
	if err := os.MkdirAll(dir, 0o755); err != nil {
		r.t.Fatal(err)
	}
	writeFile(r.t, filepath.Join(dir, id.String()[2:]), b.String())
	return id.String()
}

// open opens a commit, which must work.
func open(t *testing.T, where, id string, opt Options) *Commit {
	t.Helper()
	c, err := Open(context.Background(), where, id, opt)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// export exports a commit, which must work.
func exported(t *testing.T, c *Commit) (string, *Tree) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "tree")
	tree, err := c.Export(context.Background(), dir)
	if err != nil {
		t.Fatalf("export: %v", err)
	}
	return dir, tree
}

// wantFault demands an error of that class whose text contains want.
func wantFault(t *testing.T, err error, class fault.Class, want string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %v %q", class, want)
	}
	if fault.ClassOf(err) != class || !strings.Contains(err.Error(), want) {
		t.Fatalf("%v: %v\nwant %v with %q", fault.ClassOf(err), err, class, want)
	}
	if !fault.Plain(err.Error()) {
		t.Fatalf("unprintable text in %q", err)
	}
}

// sameTree compares two directories with diff(1), which follows no links.
func sameTree(t *testing.T, got, want string) {
	t.Helper()
	out, err := exec.Command("diff", "--no-dereference", "-rq", "-x", ".git", got, want).CombinedOutput()
	if err != nil {
		t.Fatalf("trees differ: %s", out[:min(len(out), 4000)])
	}
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func removeFile(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
}
