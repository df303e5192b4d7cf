package source

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// bigRepo has what trees have: nested folders, executables, links, odd names, equal contents, large and empty files,
// and a history that makes git write deltas.
func bigRepo(t *testing.T, args ...string) (*gitRepo, string) {
	t.Helper()
	r := newRepo(t, args...)
	var id string
	for round := range 4 {
		for i := range 120 {
			body := strings.Repeat(fmt.Sprintf("line %d of file %d\n", i, i), 40+i) + strings.Repeat("changed\n", round)
			r.write(fmt.Sprintf("dir%d/sub/file%d.txt", i%7, i), body)
		}
		r.write("empty", "")
		r.write("naïve/名前.txt", "unicode\n")
		r.write("bin/tool", "#!/bin/sh\necho\n")
		r.write("large.bin", strings.Repeat("0123456789abcdef", 40_000)+fmt.Sprint(round))
		r.write("Case", "upper\n")
		r.write("case", "lower\n")
		if err := os.Chmod(filepath.Join(r.dir, "bin/tool"), 0o755); err != nil {
			t.Fatal(err)
		}
		for link, target := range map[string]string{"link": "bin/tool", "dir0/up": "../dir1", "dangling": "nowhere", "out": "../../etc/passwd", "abs": "/etc/passwd"} {
			os.Remove(filepath.Join(r.dir, link))
			if err := os.Symlink(target, filepath.Join(r.dir, link)); err != nil {
				t.Fatal(err)
			}
		}
		id = r.commit(fmt.Sprint("round ", round))
	}
	return r, id
}

func TestExportEqualsGit(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"sha1", "sha256"} {
		for _, storage := range []string{"loose", "packed", "delta"} {
			t.Run(format+"/"+storage, func(t *testing.T) {
				t.Parallel()
				r, id := bigRepo(t, "--object-format="+format)
				switch storage {
				case "packed":
					r.run("repack", "-q", "-a", "-d", "--depth=1", "--window=0")
				case "delta":
					r.run("repack", "-q", "-a", "-d", "-f", "--depth=50", "--window=50")
				}
				// local changes, staged or not, do not matter
				r.write("dir1/sub/file1.txt", "local change")
				r.write("untracked", "x")
				c := open(t, r.dir, id, Options{})
				dir, tree := exported(t, c)
				want := filepath.Join(t.TempDir(), "want")
				r.run("worktree", "add", "-q", "--detach", want, id)
				sameTree(t, dir, want)
				checkTree(t, dir, tree, c.Facts().Committer.When)
				var kinds []string
				for _, f := range tree.Findings {
					kinds = append(kinds, string(f.Kind)+" "+f.Path)
				}
				if got := strings.Join(kinds, ","); got != "escaping-link abs,colliding-names case,escaping-link out" {
					t.Errorf("findings %s", got)
				}
			})
		}
	}
}

// checkTree holds what Export returned against what is on disk: every file, its mode and time, and the digest.
func checkTree(t *testing.T, dir string, tree *Tree, when int64) {
	t.Helper()
	var lines []string
	var bytes int64
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if !info.ModTime().Equal(time.Unix(when, 0)) {
			t.Errorf("%s has time %v", path, info.ModTime())
		}
		if d.IsDir() {
			if info.Mode().Perm() != 0o755 {
				t.Errorf("%s has mode %v", path, info.Mode())
			}
			return nil
		}
		rel, _ := filepath.Rel(dir, path)
		mode, content := "100644", []byte(nil)
		if info.Mode()&fs.ModeSymlink != 0 {
			target, _ := os.Readlink(path)
			mode, content = "120000", []byte(target)
		} else {
			if content, err = os.ReadFile(path); err != nil {
				return err
			}
			bytes += int64(len(content))
			switch info.Mode().Perm() {
			case 0o644:
			case 0o755:
				mode = "100755"
			default:
				t.Errorf("%s has mode %v", path, info.Mode())
			}
		}
		sum := sha256.Sum256(content)
		lines = append(lines, fmt.Sprintf("%s %s %s\n", mode, hex.EncodeToString(sum[:]), filepath.ToSlash(rel)))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range tree.Submodules {
		lines = append(lines, fmt.Sprintf("160000 %s %s\n", s.Commit, s.Path))
	}
	slices.SortFunc(lines, func(a, b string) int {
		return strings.Compare(strings.SplitN(a, " ", 3)[2][:len(strings.SplitN(a, " ", 3)[2])-1], strings.TrimSuffix(strings.SplitN(b, " ", 3)[2], "\n"))
	})
	sum := sha256.Sum256([]byte("glassbuild tree 1\n" + strings.Join(lines, "")))
	if got := hex.EncodeToString(sum[:]); got != tree.SHA256 {
		t.Errorf("digest %s, want %s", tree.SHA256, got)
	}
	if len(lines)-len(tree.Submodules) != len(tree.Files) || bytes != tree.Bytes {
		t.Errorf("%d files, %d bytes; on disk %d and %d", len(tree.Files), tree.Bytes, len(lines), bytes)
	}
}

func TestPortableWriter(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	w, err := newRootWriter(root, 1_700_000_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []error{w.mkdir("a"), w.file("a/f", []byte("x"), false), w.file("a/x", nil, true), w.link("l", "a/f"), w.finish([]string{"a"})} {
		if step != nil {
			t.Fatal(step)
		}
	}
	if err := w.file("a/f", nil, false); err == nil {
		t.Error("a file was written twice")
	}
	if err := w.file("../escaped", nil, false); err == nil {
		t.Error("a file was written outside")
	}
	for name, mode := range map[string]fs.FileMode{"a": 0o755, "a/f": 0o644, "a/x": 0o755} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != mode || info.ModTime().Unix() != 1_700_000_000 {
			t.Errorf("%s: %v %v", name, info, err)
		}
	}
}

func TestKernelWriterFollowsNoLink(t *testing.T) {
	t.Parallel()
	dir, outside := t.TempDir(), t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	w, err := newWriter(root, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	for name, target := range map[string]string{"out": outside, "in": "."} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"out/f", "../f", "/f"} {
		if err := w.file(name, []byte("x"), false); err == nil {
			t.Errorf("%s was written", name)
		}
	}
	if left, _ := os.ReadDir(outside); len(left) > 0 {
		t.Error("a file was written outside")
	}
}

func TestExportLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	good := r.hash("blob", "good")
	r.hash("blob", "bad")
	tree := r.hash("tree", "100644 a\x00"+raw(t, good)+"100644 b\x00"+raw(t, "00000000000000000000000000000000000000bb"))
	id := r.hash("commit", "tree "+tree+"\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nm\n")
	r.run("update-ref", "refs/heads/main", id)
	c := open(t, r.dir, id, Options{})
	fresh := filepath.Join(t.TempDir(), "fresh")
	_, err := c.Export(context.Background(), fresh)
	wantFault(t, err, fault.Inconclusive, "not found in the repository (b)")
	if _, err := os.Lstat(fresh); !os.IsNotExist(err) {
		t.Errorf("a directory was left behind: %v", err)
	}
	kept := t.TempDir()
	if _, err = c.Export(context.Background(), kept); err == nil {
		t.Fatal("exported")
	}
	if left, err := os.ReadDir(kept); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	if err := os.WriteFile(filepath.Join(kept, "mine"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = c.Export(context.Background(), kept)
	wantFault(t, err, fault.Usage, "not empty")
	if _, err := os.Lstat(filepath.Join(kept, "mine")); err != nil {
		t.Error("a file of the caller's was removed")
	}
}

func raw(t *testing.T, id string) string {
	t.Helper()
	b, err := hex.DecodeString(id)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
