package source

import (
	"slices"
	"testing"
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
