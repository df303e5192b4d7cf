package source

import (
	"slices"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/source/gitobj"
)

func TestTips(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	r.write("f", "x")
	first := r.commit("m")
	r.run("tag", "light")
	r.run("tag", "-a", "-m", "annotated", "v1")
	r.run("tag", "tree", r.run("rev-parse", "HEAD^{tree}"))
	r.write("f", "y")
	second := r.commit("n")
	tips, err := Tips(r.dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []Tip{{"refs/heads/main", second}, {"refs/tags/light", first}, {"refs/tags/v1", first}}
	if !slices.Equal(tips, want) {
		t.Errorf("%v, want %v", tips, want)
	}
	if _, err := Tips(t.TempDir()); err == nil {
		t.Error("a folder without a repository has tips")
	}
}

// TestPackedRefsAreCheckedWhoeverWantsThem holds that a line is checked also where the ref is neither branch nor tag.
func TestPackedRefsAreCheckedWhoeverWantsThem(t *testing.T) {
	t.Parallel()
	id := strings.Repeat("a1", 20)
	list, err := parsePackedRefs("# pack-refs with: peeled\n"+id+" refs/pull/1/head\n^"+id+"\n"+id+" refs/tags/v1\n", gitobj.SHA1)
	if err != nil || len(list) != 1 || list[0].name != "refs/tags/v1" {
		t.Errorf("%v, %v", list, err)
	}
	for _, text := range []string{
		id + " refs/pull/../../x\n",
		id[1:] + " refs/pull/1/head\n",
		"^" + id + "\n",
		id + " refs/pull/1/head\n^" + id[1:] + "\n",
		id + " refs/pull/1/head",
	} {
		if _, err := parsePackedRefs(text, gitobj.SHA1); err == nil {
			t.Errorf("%q: accepted", text)
		}
	}
}
