package vcs

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func treeOf(t testing.TB, dir string) Tree {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return Tree{Files: rootFiles{root}}
}

// sameStatus compares the stand-in's `status` with git's.
func sameStatus(t testing.TB, r *repo, f *Facts) {
	t.Helper()
	want := r.git("status", "--porcelain")
	got := f.Answer([]string{"status", "--porcelain"}, treeOf(t, r.dir))
	if got.Code != 0 || string(got.Stdout) != want {
		t.Errorf("code %d %s\ngot:\n%s\nwant:\n%s", got.Code, got.Stderr, got.Stdout, want)
	}
}

func TestStatusLikeGit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(r *repo)
		dirty  bool
	}{
		{"clean", func(r *repo) {}, false},
		{"touched", func(r *repo) { os.Chtimes(filepath.Join(r.dir, "a"), time.Now(), time.Now()) }, false},
		{"same size", func(r *repo) { r.write("a", "A\n") }, true},
		{"longer", func(r *repo) { r.write("dir/b", "much longer\n") }, true},
		{"deleted", func(r *repo) { os.Remove(filepath.Join(r.dir, "a")) }, true},
		{"directory deleted", func(r *repo) { os.RemoveAll(filepath.Join(r.dir, "dir")) }, true},
		{"executable", func(r *repo) { os.Chmod(filepath.Join(r.dir, "a"), 0o755) }, true},
		{"no longer executable", func(r *repo) { os.Chmod(filepath.Join(r.dir, "tool"), 0o644) }, true},
		{"permissions that git does not keep", func(r *repo) { os.Chmod(filepath.Join(r.dir, "a"), 0o600) }, false},
		{"link to elsewhere", func(r *repo) {
			os.Remove(filepath.Join(r.dir, "link"))
			os.Symlink("tool", filepath.Join(r.dir, "link"))
		}, true},
		{"link became a file", func(r *repo) { os.Remove(filepath.Join(r.dir, "link")); r.write("link", "a") }, true},
		{"file became a link", func(r *repo) { os.Remove(filepath.Join(r.dir, "a")); os.Symlink("dir/b", filepath.Join(r.dir, "a")) }, true},
		{"file became a directory", func(r *repo) { os.Remove(filepath.Join(r.dir, "a")); r.write("a/x", "x") }, true},
		{"directory became a link", func(r *repo) {
			os.Rename(filepath.Join(r.dir, "dir"), filepath.Join(r.dir, "other"))
			os.Symlink("other", filepath.Join(r.dir, "dir"))
		}, true},
		{"untracked beside tracked", func(r *repo) { r.write("dir/new", "x") }, true},
		{"untracked directory", func(r *repo) { r.write("new/deep/er/x", "x"); r.write("new/y", "y") }, true},
		{"untracked link", func(r *repo) { os.Symlink("/etc/passwd", filepath.Join(r.dir, "out")) }, true},
		{"empty directory", func(r *repo) { os.MkdirAll(filepath.Join(r.dir, "empty/er"), 0o755) }, false},
		{"names to be quoted", func(r *repo) {
			for _, n := range []string{"with space", "tab\there", "new\nline", "quo\"te", "back\\slash", "na\xc3\xafve", "\xff\xfe", "\x7f", "esc\x1b[2J"} {
				r.write(n, "x")
				r.write("dir/"+n+"/x", "x")
			}
		}, true},
		{"tracked name to be quoted", func(r *repo) { r.write("white space", "changed") }, true},
		{"ignored", func(r *repo) { r.write("x.o", "x"); r.write("build/out", "x"); r.write("dir/x.o", "x") }, false},
		{"ignored but tracked", func(r *repo) { r.write("forced.o", "changed") }, true},
		{"negated", func(r *repo) { r.write("keep.o", "x") }, true},
		{"rules changed", func(r *repo) { r.write(".gitignore", "*\n"); r.write("zzz", "x") }, true},
		{"nested rules", func(r *repo) {
			r.write("sub/.gitignore", "*\n!.gitignore\n!*.c\n")
			r.write("sub/x.c", "")
			r.write("sub/x.h", "")
		}, true},
		{"rules behind a link", func(r *repo) {
			r.write("sub/rules", "*\n")
			os.Symlink("rules", filepath.Join(r.dir, "sub/.gitignore"))
		}, true},
		{"repository inside", func(r *repo) { newRepo(r.t, filepath.Join(r.dir, "inner")) }, true},
		{"ignored repository inside", func(r *repo) { newRepo(r.t, filepath.Join(r.dir, "build/inner")) }, false},
		{"files named .git below", func(r *repo) { r.write("dir/.git/x", "x") }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := statusRepo(t)
			f := r.facts(AllTags)
			c.change(r)
			sameStatus(t, r, f)
			got := f.Answer([]string{"status", "--porcelain"}, treeOf(t, r.dir))
			if dirty := len(got.Stdout) > 0; dirty != c.dirty {
				t.Errorf("dirty %v, want %v: %s", dirty, c.dirty, got.Stdout)
			}
		})
	}
}

func statusRepo(t *testing.T) *repo {
	t.Helper()
	r := newRepo(t, filepath.Join(t.TempDir(), "src"))
	r.write("a", "a\n")
	r.write("dir/b", "b\n")
	r.write("tool", "#!\n")
	r.write("white space", "x")
	r.write("forced.o", "x")
	r.write(".gitignore", "*.o\n!keep.o\n/build/\n")
	if os.Chmod(filepath.Join(r.dir, "tool"), 0o755) != nil || os.Symlink("a", filepath.Join(r.dir, "link")) != nil {
		t.Fatal("cannot prepare the repository")
	}
	r.git("add", "-f", "forced.o")
	r.commit()
	return r
}

func TestStatusOfSubmodules(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(r *repo)
	}{
		{"clean", func(r *repo) {}},
		{"modified inside", func(r *repo) { r.write("third_party/lib/lib.txt", "changed\n") }},
		{"untracked inside", func(r *repo) { r.write("third_party/lib/new", "") }},
		{"ignored inside", func(r *repo) { r.write("third_party/lib/x.o", "") }},
		{"gone", func(r *repo) { os.RemoveAll(filepath.Join(r.dir, "third_party/lib")) }},
		{"replaced by a file", func(r *repo) { os.RemoveAll(filepath.Join(r.dir, "third_party/lib")); r.write("third_party/lib", "") }},
		{"not checked out", func(r *repo) {
			os.RemoveAll(filepath.Join(r.dir, "third_party/lib"))
			os.Mkdir(filepath.Join(r.dir, "third_party/lib"), 0o755)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRepo(t, filepath.Join(t.TempDir(), "src"))
			steps(module("", "example.com/m"), withSubmodule)(r)
			f := r.facts(AllTags)
			c.change(r)
			if c.name == "not checked out" {
				f.Submodules = nil
			}
			sameStatus(t, r, f)
		})
	}
}

// TestUntouchedFilesAreNotOpened: `status` must not make the whole tree look read, and a modification time that was set
// back must not hide a change.
func TestUntouchedFilesAreNotOpened(t *testing.T) {
	t.Parallel()
	r := statusRepo(t)
	f := r.facts(AllTags)
	old := time.Unix(f.Time, 0)
	for _, name := range []string{"a", "dir/b", "tool"} {
		if err := os.Chtimes(filepath.Join(r.dir, name), old, old); err != nil {
			t.Fatal(err)
		}
	}
	tree := treeOf(t, r.dir)
	counted := &countingFiles{Files: tree.Files}
	tree.Files, tree.Since = counted, time.Now().Add(time.Hour)
	if got := f.Answer([]string{"status", "--porcelain"}, tree); len(got.Stdout) > 0 || got.Code != 0 {
		t.Fatalf("%+v", got)
	}
	opened := strings.Join(counted.files, " ")
	if opened != ".gitignore .gitignore forced.o white space" {
		t.Errorf("opened: %s", opened)
	}

	r.write("a", "A\n") // a step changes a file and sets its time back
	if err := os.Chtimes(filepath.Join(r.dir, "a"), old, old); err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(filepath.Join(r.dir, "a"))
	if err != nil {
		t.Fatal(err)
	}
	changed, ok := changeTime(info)
	if !ok {
		t.Skip("SKIPPED: no inode change time on this platform")
	}
	tree.Since = changed
	if got := f.Answer([]string{"status", "--porcelain"}, tree); string(got.Stdout) != " M a\n" {
		t.Errorf("a change with its time set back: %+v", got)
	}
}

// countingFiles records which files are opened.
type countingFiles struct {
	Files
	files []string
}

func (c *countingFiles) Open(name string) (fs.File, error) {
	c.files = append(c.files, name)
	return c.Files.Open(name)
}

// FuzzStatus plays random changes on a random tree with random rules and compares with git.
func FuzzStatus(f *testing.F) {
	for seed := range uint64(12) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		r := newRepo(t, filepath.Join(t.TempDir(), "src"))
		names := randomNames(rnd, 30)
		for _, n := range names[:15] {
			tryWrite(r, n, fmt.Sprint(rnd.IntN(3)))
		}
		tryWrite(r, ".gitignore", randomRules(rnd))
		r.git("add", "-A")
		r.git("add", "-f", ".gitignore")
		for _, n := range names[:5] {
			r.ask("add", "-f", "--", n)
		}
		r.git("commit", "-q", "-m", "c")
		facts := r.facts(NoTags)
		for range 12 {
			n := names[rnd.IntN(len(names))]
			p := filepath.Join(r.dir, n)
			switch rnd.IntN(8) {
			case 0:
				os.RemoveAll(p)
			case 1:
				os.Chmod(p, 0o755)
			case 2:
				os.RemoveAll(p)
				os.MkdirAll(filepath.Dir(p), 0o755)
				os.Symlink("x", p)
			case 3:
				tryWrite(r, filepath.Join(filepath.Dir(n), ".gitignore"), randomRules(rnd))
			default:
				tryWrite(r, n, fmt.Sprint(rnd.IntN(3)))
			}
		}
		sameStatus(t, r, facts)
		if t.Failed() {
			rules, _ := os.ReadFile(filepath.Join(r.dir, ".gitignore"))
			t.Logf("rules:\n%q", rules)
		}
	})
}

// tryWrite writes a file where that is possible: a random name can run through a file.
func tryWrite(r *repo, name, data string) {
	p := filepath.Join(r.dir, name)
	if os.MkdirAll(filepath.Dir(p), 0o755) == nil {
		os.WriteFile(p, []byte(data), 0o644)
	}
}

func randomNames(rnd *rand.Rand, n int) []string {
	parts := []string{"a", "b", "ab", "abc", "foo", "bar", "foo.o", "x.c", "dir", "a b", "[x]", "back\\slash", "#hash", "!bang", "-dash", "ä", "z*", "q?", "trail "}
	var out []string
	for range n {
		var name []string
		for range 1 + rnd.IntN(4) {
			name = append(name, parts[rnd.IntN(len(parts))])
		}
		out = append(out, strings.Join(name, "/"))
	}
	return out
}

func randomRules(rnd *rand.Rand) string {
	var out strings.Builder
	if rnd.IntN(8) == 0 {
		out.WriteString("\xef\xbb\xbf")
	}
	for range rnd.IntN(6) {
		out.WriteString(randomPattern(rnd))
		out.WriteString([]string{"\n", "\n", "\n", "\r\n", " \n", "\\ \n", "/\n"}[rnd.IntN(7)])
	}
	return out.String()
}

func randomPattern(rnd *rand.Rand) string {
	parts := []string{"a", "b", "ab", "foo", "bar", ".o", "x", "dir", "/", "/", "*", "*", "**", "**/", "/**", "/**/", "?", "[a-f]", "[!a]", "[^b-z]",
		"[]a]", "[a\\]]", "[[:alpha:]]", "[[:nope:]]", "[[:alpha]", "[x", "\\", "\\*", "\\[", " ", "#", "!", "ä", "[/a]", "***", "z\\*", "[a-", "[\\a-c]", "[--0]"}
	var out strings.Builder
	if rnd.IntN(4) == 0 {
		out.WriteString("!")
	}
	for range 1 + rnd.IntN(5) {
		out.WriteString(parts[rnd.IntN(len(parts))])
	}
	return out.String()
}

func FuzzParse(f *testing.F) {
	r := Facts{Format: 1, Root: "/src", ObjectFormat: "sha1", Repository: Repository{Commit: strings.Repeat("a", 40), Visible: AllTags,
		Tags: []Tag{{Name: "v1.0.0", Commit: strings.Repeat("b", 40)}}, Tree: []Entry{{Path: "go.mod", Mode: modeFile, Blob: strings.Repeat("c", 40)}}}}
	data, err := r.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		facts, err := Parse(bytes.NewReader(data))
		if err != nil {
			return
		}
		again, err := facts.Marshal()
		if err != nil {
			t.Fatalf("parsed but not marshalled: %v", err)
		}
		if _, err := Parse(bytes.NewReader(again)); err != nil {
			t.Fatalf("not parsed again: %v", err)
		}
	})
}

func FuzzParseLog(f *testing.F) {
	f.Add([]byte("{\"argv\":[\"tag\",\"-l\"],\"code\":0,\"stdout\":7}\n{\"argv\":null,\"code\":128,\"refused\":true,\"stdout\":0}\n"))
	f.Add([]byte("nonsense\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		log, err := ParseLog(bytes.NewReader(data))
		if lines := bytes.Count(data, []byte("\n")) + 1; err == nil && len(log.Questions)+log.Malformed > lines {
			t.Errorf("%d questions and %d malformed lines in %d lines", len(log.Questions), log.Malformed, lines)
		}
	})
}
