package source

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// restored records what judging a commit reads and lays it as a repository of its own.
func restored(t *testing.T, where, id string, opt Options) string {
	t.Helper()
	blobs := t.TempDir()
	large := map[string]string{}
	rec := NewRecorder(t.TempDir(), func(oid string, data []byte) error {
		large[oid] = filepath.Join(blobs, oid)
		return os.WriteFile(large[oid], data, 0o600)
	})
	t.Cleanup(rec.Close)
	opt.Recorder = rec
	exported(t, open(t, where, id, opt))
	list, err := rec.Recordings()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), filepath.Base(where))
	for _, r := range list {
		var pack bytes.Buffer
		if err := r.Pack(&pack); err != nil {
			t.Fatal(err)
		}
		if err := Restore(t.Context(), dir, r, &pack, large); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestRecorder: what is recorded while a commit is judged is enough to judge it again, and gives the same facts.
func TestRecorder(t *testing.T) {
	t.Parallel()
	r, _ := nested(t)
	r.write("old.txt", "not of the last commit")
	r.commit("older")
	r.run("tag", "-a", "-m", "one", "v1")
	r.run("tag", "light")
	r.run("branch", "other")
	content := strings.Repeat("large ", 1000)
	sum := hexSum([]byte(content))
	r.write(".gitattributes", "*.bin filter=lfs\n")
	r.write("data.bin", pointerTo(content))
	r.run("rm", "-q", "old.txt")
	id := r.commit("last")
	kept := filepath.Join(r.dir, ".git/lfs/objects", sum[:2], sum[2:4])
	if err := os.MkdirAll(kept, 0o700); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(kept, sum), content)
	opt := Options{Need: NeedTags, RequireContent: true}
	want := open(t, r.dir, id, opt)
	wantDir, wantTree := exported(t, want)
	kit := restored(t, r.dir, id, opt)
	if err := os.RemoveAll(r.dir); err != nil { // nothing of it is read any more
		t.Fatal(err)
	}
	got := open(t, kit, id, opt)
	gotDir, gotTree := exported(t, got)
	sameTree(t, gotDir, wantDir)
	if !reflect.DeepEqual(got.Facts(), want.Facts()) || !reflect.DeepEqual(gotTree, wantTree) {
		t.Errorf("got %+v\n%+v\nwant %+v\n%+v", got.Facts(), gotTree, want.Facts(), wantTree)
	}
	if len(got.Facts().Tags) != 2 || len(wantTree.Submodules) != 2 || len(wantTree.Transformed) != 1 {
		t.Errorf("too little was tried: %+v %+v", got.Facts().Tags, wantTree)
	}
	// what nobody asked for was not recorded: the file of the commit before
	for revision, err := range got.History(context.Background(), "") {
		if err == nil && strings.Contains(revision.Message, "older") {
			if _, err := open(t, kit, revision.ID, Options{}).ReadFile("old.txt", 100); err == nil {
				t.Error("a file of an older commit was recorded")
			}
		}
	}
}

func TestRestoreRefuses(t *testing.T) {
	t.Parallel()
	for name, rec := range map[string]Recording{
		"climbing module":   {Module: "modules/../../x", Format: "sha1"},
		"absolute module":   {Module: "/modules/x", Format: "sha1"},
		"other folder":      {Module: "objects", Format: "sha1"},
		"setting in origin": {Origin: "https://example.org\"\n[core]\n", Format: "sha1"},
		"format":            {Format: "md5"},
		"climbing ref":      {Format: "sha1", Refs: []Ref{{"refs/heads/../../x", strings.Repeat("a", 40)}}},
		"replace ref":       {Format: "sha1", Refs: []Ref{{"refs/replace/" + strings.Repeat("a", 40), strings.Repeat("a", 40)}}},
		"ref without id":    {Format: "sha1", Refs: []Ref{{"refs/heads/main", "x"}}},
		"other format":      {Format: "sha1", Refs: []Ref{{"refs/heads/main", strings.Repeat("a", 64)}}},
		"shallow":           {Format: "sha1", Shallow: []string{"x\n"}},
		"no pack":           {Format: "sha1", Module: "modules/x"},
	} {
		dir := t.TempDir()
		pack := "PACK\x00\x00\x00\x02\x00\x00\x00\x00\x02\x9d\x08\x82\x3b\xd8\xa8\xea\xb5\x10\xad\x6a\xc7\x5c\x82\x3c\xfd\x3e\xd3\x1e"
		if name == "no pack" {
			pack = "PACK"
		}
		err := Restore(t.Context(), filepath.Join(dir, "repo"), rec, strings.NewReader(pack), nil)
		if err == nil || fault.ClassOf(err) != fault.Failed {
			t.Errorf("%s: %v", name, err)
		}
		if entries, _ := os.ReadDir(dir); len(entries) > 1 {
			t.Errorf("%s: wrote beside the repository: %v", name, entries)
		}
	}
}
