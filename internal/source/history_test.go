package source

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/fault"
)

func TestHistoryAgreesWithGit(t *testing.T) {
	t.Parallel()
	r, tip, side, _ := history(t)
	root := r.run("rev-list", "--max-parents=0", tip)
	for _, v := range []struct{ from, since string }{{tip, ""}, {side, ""}, {side, tip}, {tip, side}, {tip, root}, {tip, tip + "^2"}} {
		since := v.since
		args := []string{"rev-list", v.from}
		if since != "" {
			since = r.run("rev-parse", since)
			args = append(args, "^"+since)
		}
		c := open(t, r.dir, v.from, Options{})
		var got []string
		for rev, err := range c.History(context.Background(), since) {
			if err != nil {
				t.Fatal(err)
			}
			if raw := r.run("cat-file", "commit", rev.ID); strings.TrimRight(string(rev.Raw), "\n") != raw || rev.Tree == "" {
				t.Errorf("raw %q", rev.Raw)
			}
			got = append(got, rev.ID)
		}
		want := strings.Fields(r.run(args...))
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s ^%s: %v, want %v", v.from, since, got, want)
		}
	}
	c := open(t, r.dir, tip, Options{})
	for _, err := range c.History(context.Background(), "main") {
		wantFault(t, err, fault.Usage, "need full commit id")
	}
	for _, err := range c.History(context.Background(), strings.Repeat("1", 40)) {
		wantFault(t, err, fault.Inconclusive, "commit not found")
	}
}

func TestHistoryGoesOnBehindAnAmbiguousCommit(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	root := r.commit("root")
	tree := r.run("rev-parse", "HEAD^{tree}")
	person := " A <a@b> 1700000200 +0000\n"
	odd := r.hash("commit", "tree "+tree+"\nparent "+root+"\nparent "+root+"\nauthor"+person+"committer"+person+"\nodd\n")
	tip := r.hash("commit", "tree "+tree+"\nparent "+odd+"\nauthor"+person+"committer"+person+"\ntip\n")
	r.run("update-ref", "refs/heads/main", tip)
	var read, refused []string
	for rev, err := range open(t, r.dir, tip, Options{}).History(context.Background(), "") {
		if err != nil {
			wantFault(t, err, fault.Failed, "ambiguous commit: duplicate parent")
			refused = append(refused, rev.ID)
			continue
		}
		read = append(read, rev.ID)
	}
	if !slices.Equal(read, []string{tip, root}) || !slices.Equal(refused, []string{odd}) {
		t.Errorf("read %v, refused %v", read, refused)
	}
}

func TestChangesAgreeWithGit(t *testing.T) {
	t.Parallel()
	r, id := bigRepo(t)
	r.write("dir1/new/file", "new")
	r.write("bin/tool", "changed")
	if err := os.RemoveAll(filepath.Join(r.dir, "dir2")); err != nil {
		t.Fatal(err)
	}
	// a file in place of a folder
	r.write("dir2", "now a file")
	after := r.commit("after")
	c := open(t, r.dir, after, Options{})
	for _, pair := range [][2]string{{id, after}, {after, id}, {after, after}, {"", id}} {
		changes, err := c.Changes(context.Background(), pair[0], pair[1])
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, ch := range changes {
			got = append(got, fmt.Sprintf("%06o %06o %s %s %s", ch.Old.Mode, ch.New.Mode, orNull(ch.Old.ID), orNull(ch.New.ID), ch.Path))
		}
		from := pair[0]
		if from == "" {
			from = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
		}
		var want []string
		for line := range strings.SplitSeq(r.run("diff-tree", "-r", "--no-renames", "--full-index", "-z", from, pair[1]), "\x00:") {
			meta, path, ok := strings.Cut(strings.Trim(line, ":\x00"), "\x00")
			if f := strings.Fields(meta); ok {
				want = append(want, fmt.Sprintf("%s %s %s %s %s", f[0], f[1], f[2], f[3], path))
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%v: %d changes, want %d", pair, len(got), len(want))
		}
	}
}

func orNull(id string) string {
	if id == "" {
		return strings.Repeat("0", 40)
	}
	return id
}

func TestLastTouchedAgreesWithGit(t *testing.T) {
	t.Parallel()
	r, _ := bigRepo(t)
	r.run("checkout", "-q", "-b", "topic", "HEAD~2")
	r.write("dir1/topic", "topic")
	r.write("empty", "no longer")
	topic := r.commit("topic")
	r.run("checkout", "-q", "main")
	r.write("dir1/main", "main")
	r.commit("main")
	r.run("merge", "-q", "--no-ff", "-m", "merge", topic)
	id := r.run("rev-parse", "HEAD")
	c := open(t, r.dir, id, Options{})
	paths := []string{"dir1/topic", "dir1/main", "empty", "bin/tool", "large.bin", "link", "dir3/sub/file3.txt", "naïve/名前.txt"}
	got, err := c.LastTouched(context.Background(), paths)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		if want := r.run("log", "-1", "--format=%H", "--", path); got[path] != want {
			t.Errorf("%s: %s, want %s", path, got[path], want)
		}
	}
	_, err = c.LastTouched(context.Background(), []string{"nowhere"})
	wantFault(t, err, fault.Failed, "no such file")
}
