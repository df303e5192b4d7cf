package store

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestManage: what is kept is listed by kind, the longest unused first, verified, dropped and wiped; nothing else is touched.
func TestManage(t *testing.T) {
	t.Parallel()
	s, err := Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	good, err := s.Put(t.Context(), strings.NewReader("good"), 10)
	if err != nil {
		t.Fatal(err)
	}
	bad, err := s.Put(t.Context(), strings.NewReader("bad"), 10)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.PublishTree("toolchain", "k", func(dir string) error { return os.WriteFile(filepath.Join(dir, "f"), []byte("tree"), 0o400) }); err != nil {
		t.Fatal(err)
	}
	if err := s.PutResult("rebuild", "k", []byte("r")); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(s.Dir(), "git", "c", "objects"), 0o700); err != nil {
		t.Fatal(err)
	}
	path, err := s.BlobFile(bad.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	os.Chmod(path, 0o600)
	if err := os.WriteFile(path, []byte("BAD!"), 0o600); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	items, err := s.Items()
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for _, i := range items {
		kinds[i.Kind]++
	}
	if len(items) != 5 || kinds["file"] != 2 || kinds["tree toolchain"] != 1 || kinds["result rebuild"] != 1 || kinds["clone"] != 1 || !strings.HasSuffix(items[0].Path, bad.SHA256) {
		t.Errorf("%+v", items)
	}
	checked, damaged, err := s.Verify(t.Context())
	if err != nil || checked != 2 || len(damaged) != 1 || damaged[0] != bad.SHA256 || s.Has(bad.SHA256) || !s.Has(good.SHA256) {
		t.Errorf("%d checked, damaged %v, %v", checked, damaged, err)
	}
	if s.Busy() {
		t.Error("busy without a run")
	}
	run, err := s.NewRun()
	if err != nil {
		t.Fatal(err)
	}
	if !s.Busy() {
		t.Error("not busy with a run")
	}
	run.Close()
	for _, i := range items {
		if err := s.Drop(i); err != nil {
			t.Error(err)
		}
	}
	if left, err := s.Items(); err != nil || len(left) != 0 {
		t.Errorf("left %+v, %v", left, err)
	}
	if err := s.Wipe(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(s.Dir()); !os.IsNotExist(err) {
		t.Errorf("still there: %v", err)
	}
}

// TestLinksLeadNowhere: what lies behind a link in the store is neither listed nor removed, whoever made the link.
func TestLinksLeadNowhere(t *testing.T) {
	t.Parallel()
	s, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	outside := t.TempDir()
	kept := filepath.Join(outside, "folder", "kept")
	if err := errors.Join(os.Mkdir(filepath.Dir(kept), 0o700), os.WriteFile(kept, []byte("x"), 0o600),
		os.Symlink(outside, filepath.Join(s.Dir(), "trees", "kind")), os.Symlink(outside, filepath.Join(s.Dir(), "git"))); err != nil {
		t.Fatal(err)
	}
	items, err := s.Items()
	if err != nil || len(items) != 0 {
		t.Fatalf("%v, %v", items, err)
	}
	if err := s.Drop(Item{Kind: "tree kind", Path: filepath.Join("trees", "kind", "folder")}); err == nil {
		t.Error("removed behind a link")
	}
	if err := s.Wipe(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(kept); err != nil {
		t.Error(err)
	}
}
