package source

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// attributedRepo uses every attribute that changes content, on lines of every kind.
func attributedRepo(t *testing.T) (*gitRepo, string) {
	t.Helper()
	r := newRepo(t)
	files := map[string]string{
		".gitattributes": "[attr]windows text eol=crlf\n*.auto text=auto eol=crlf\n*.crlf text eol=crlf\n*.win windows\n*.lf text eol=lf\n" +
			"*.bin binary eol=crlf\n*.only eol=crlf\n*.old crlf\n*.oldno -crlf eol=crlf\n*.input crlf=input eol=crlf\n*.id ident\n*.both ident text eol=crlf\n" +
			"*.u16 text working-tree-encoding=UTF-16 eol=crlf\n*.u16le working-tree-encoding=UTF-16LE-BOM\n*.u32be working-tree-encoding=UTF-32BE\n" +
			"*.latin working-tree-encoding=ISO-8859-1\n*.utf8 working-tree-encoding=UTF-8 eol=crlf\n*.subst export-subst\n" +
			"/ignored.txt export-ignore\nignored-dir/ export-ignore\n**/deep/*.skip export-ignore\na/**/z.skip export-ignore\n[x-z]?.cls export-ignore\n" +
			"\"sp ace\" export-ignore\n!neg export-ignore\n# comment\nundone.crlf !eol -text\n",
		"sub/.gitattributes": "*.crlf -text\nkeep.win !text !eol !windows\nrooted/x text eol=crlf\n/top text eol=crlf\n",
		"ignored.txt":        "x", "sub/ignored.txt": "kept", "ignored-dir/a/b": "x", "sub/ignored-dir/c": "x", "sub/more/ignored-dir": "a file is kept",
		"a/deep/b.skip": "x", "deep/b.skip": "x", "deep/c/b.skip": "kept", "a/z.skip": "x", "a/b/c/z.skip": "x", "b/z.skip": "kept",
		"x1.cls": "x", "w1.cls": "kept", "sp ace": "x", "neg": "kept", "only/in/ignored-dir/f": "x",
		"sub/rooted/x": "a\nb\n", "sub/deep/rooted/x": "a\nb\n", "sub/top": "a\nb\n", "sub/deep/top": "a\nb\n", "sub/keep.win": "a\nb\n", "sub/f.win": "a\nb\n",
		"undone.crlf": "a\nb\n", "sub/f.crlf": "a\nb\n",
		"a.subst": "commit $Format:%H$ tree $Format:%T%n%an <%ae> %at %ai|%cn %ce %ct %cI %cs|%s|%%$ $Format:open\n", "b.subst": "$Format:%cD %ad$$Format:%b$",
	}
	texts := map[string]string{
		"lf": "one\ntwo\n", "crlf": "one\r\ntwo\r\n", "mixed": "one\r\ntwo\n", "cr": "one\rtwo\n", "nul": "one\x00\ntwo\n", "noeol": "one\ntwo", "empty": "",
		"control": strings.Repeat("\x01", 20) + "\n", "eof": "one\n\x1a", "long": strings.Repeat("line\n", 300) + "\x02",
		"id": "$Id$ $Id: old$ $Id: other system 1.2 $ $Id:x\n$ $Id $ID$ $Id: x $ $Id:$ tail $Id", "idlf": "$Id$\n",
	}
	for _, ext := range []string{"auto", "crlf", "win", "lf", "bin", "only", "old", "oldno", "input", "id", "both", "plain"} {
		for name, text := range texts {
			files[name+"."+ext] = text
		}
	}
	for _, ext := range []string{"u16", "u16le", "u32be", "utf8"} {
		files["text."+ext] = "Grüße, 名前 🙂\nzwei\n"
		files["empty."+ext] = ""
	}
	files["text.latin"] = "Grüße\n"
	// the blobs are written as they are: adding them to the index would convert them
	r.write(".git/info/attributes", "* -text -ident -working-tree-encoding\n")
	for name, text := range files {
		r.write(name, text)
	}
	id := r.commit("subject line\nsecond line\n\nbody\n\nmore")
	if err := os.Remove(filepath.Join(r.dir, ".git/info/attributes")); err != nil {
		t.Fatal(err)
	}
	return r, id
}

func TestAttributesEqualGit(t *testing.T) {
	t.Parallel()
	r, id := attributedRepo(t)
	raw, rawTree := exported(t, open(t, r.dir, id, Options{}))
	if len(rawTree.Transformed) > 0 || rawTree.RawSHA256 != rawTree.SHA256 {
		t.Errorf("a raw export was transformed: %v", rawTree.Transformed)
	}
	for mode, want := range map[AttributesMode]string{AttributesCheckout: filepath.Join(t.TempDir(), "checkout"), AttributesArchive: filepath.Join(t.TempDir(), "archive")} {
		if mode == AttributesCheckout {
			r.run("worktree", "add", "-q", "--detach", want, id)
		} else {
			tar := want + ".tar"
			r.run("archive", "-o", tar, id)
			if err := os.Mkdir(want, 0o755); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command("tar", "-xf", tar, "-C", want).CombinedOutput(); err != nil {
				t.Fatalf("tar: %v %s", err, out)
			}
		}
		dir, tree := exported(t, open(t, r.dir, id, Options{Attributes: mode}))
		sameTree(t, dir, want)
		checkTree(t, dir, tree, 1700000100)
		if tree.RawSHA256 != rawTree.SHA256 {
			t.Errorf("mode %d: raw digest %s, want %s", mode, tree.RawSHA256, rawTree.SHA256)
		}
		changed := make(map[string]Transformed)
		for _, c := range tree.Transformed {
			changed[c.Path] = c
		}
		for _, f := range tree.Files {
			before, err := os.ReadFile(filepath.Join(raw, f.Path))
			if err != nil {
				t.Fatal(err)
			}
			after, err := os.ReadFile(filepath.Join(dir, f.Path))
			if err != nil {
				t.Fatal(err)
			}
			c, listed := changed[f.Path]
			if listed != (string(before) != string(after)) {
				t.Errorf("%s: listed %v", f.Path, listed)
			}
			if listed && (c.RawSHA256 != sumOf(before) || c.SHA256 != sumOf(after) || c.By == "") {
				t.Errorf("%s: %+v", f.Path, c)
			}
		}
		if ignored := len(rawTree.Files) - len(tree.Files); ignored != len(tree.Ignored) || (mode == AttributesArchive) != (ignored > 0) {
			t.Errorf("mode %d: ignored %v", mode, tree.Ignored)
		}
	}
}

func sumOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func TestRefusedConversions(t *testing.T) {
	t.Parallel()
	for name, v := range map[string]struct {
		attributes, content string
		class               fault.Class
		want                string
	}{
		"filter":            {"f filter=clean\n", "x", fault.Inconclusive, "filter \"clean\" is not run"},
		"unknown encoding":  {"f working-tree-encoding=KLINGON\n", "x", fault.Inconclusive, "cannot be written as \"KLINGON\""},
		"not encodable":     {"f working-tree-encoding=ISO-8859-1\n", "名\n", fault.Inconclusive, "cannot be written as"},
		"not UTF-8":         {"f working-tree-encoding=UTF-16\n", "\xff", fault.Inconclusive, "not valid UTF-8"},
		"encoding unnamed":  {"f working-tree-encoding\n", "x", fault.Failed, "without a value"},
		"abbreviated id":    {"f export-subst\n", "$Format:%h$", fault.Inconclusive, "placeholder \"%h\""},
		"names of refs":     {"f export-subst\n", "$Format:%d$", fault.Inconclusive, "placeholder"},
		"unknown":           {"f export-subst\n", "$Format:%$", fault.Inconclusive, "placeholder"},
		"endless backtrack": {strings.Repeat(strings.Repeat("*a", 40)+"b export-ignore\n", 200), "x", fault.Failed, "exceeds limit"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, id := hostileRepo(t, func(r *gitRepo, _, _ string) string {
				attributes, f := raw(t, r.hash("blob", v.attributes)), raw(t, r.hash("blob", v.content))
				tree := "100644 .gitattributes\x00" + attributes
				if name == "endless backtrack" {
					return tree + "100644 " + strings.Repeat("a", 200) + "\x00" + f
				}
				return tree + "100644 f\x00" + f
			})
			_, err := open(t, r.dir, id, Options{Attributes: AttributesArchive}).Export(context.Background(), filepath.Join(t.TempDir(), "x"))
			wantFault(t, err, v.class, v.want)
		})
	}
}

func TestLargeFiles(t *testing.T) {
	t.Parallel()
	content := strings.Repeat("large content ", 1000)
	oid := sumOf([]byte(content))
	pointerText := fmt.Sprintf("version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n", oid, len(content))
	r := newRepo(t)
	r.write(".gitattributes", "*.dat filter=lfs diff=lfs merge=lfs -text\n")
	r.write("dir/big.dat", pointerText)
	r.write("only-looks-like.txt", pointerText)
	r.run("config", "filter.lfs.clean", "cat")
	id := r.commit("pointers")
	out := func() string { return filepath.Join(t.TempDir(), "x") }

	dir, tree := exported(t, open(t, r.dir, id, Options{}))
	if got, _ := os.ReadFile(filepath.Join(dir, "dir/big.dat")); string(got) != pointerText {
		t.Errorf("pointer %q", got)
	}
	if len(tree.Findings) != 1 || tree.Findings[0].Kind != PointerFile || tree.Findings[0].Path != "dir/big.dat" {
		t.Errorf("findings %v", tree.Findings)
	}
	_, err := open(t, r.dir, id, Options{RequireContent: true}).Export(context.Background(), out())
	wantFault(t, err, fault.Inconclusive, "dir/big.dat: content not in git: large file "+oid)

	kept := filepath.Join(".git/lfs/objects", oid[:2], oid[2:4], oid)
	r.write(kept, content)
	for _, mode := range []AttributesMode{AttributesRaw, AttributesCheckout, AttributesArchive} {
		dir, tree = exported(t, open(t, r.dir, id, Options{RequireContent: true, Attributes: mode}))
		if got, _ := os.ReadFile(filepath.Join(dir, "dir/big.dat")); string(got) != content {
			t.Errorf("content of %d bytes", len(got))
		}
		if got, _ := os.ReadFile(filepath.Join(dir, "only-looks-like.txt")); string(got) != pointerText {
			t.Errorf("no pointer was replaced: %q", got)
		}
		if len(tree.Transformed) != 1 || tree.Transformed[0].By != "lfs" || tree.Transformed[0].SHA256 != oid || tree.RawSHA256 == tree.SHA256 {
			t.Errorf("transformed %v", tree.Transformed)
		}
		checkTree(t, dir, tree, 1700000100)
	}
	for _, bad := range []string{strings.Replace(content, "large", "Large", 1), content + "x", ""} {
		r.write(kept, bad)
		_, err = open(t, r.dir, id, Options{}).Export(context.Background(), out())
		wantFault(t, err, fault.Failed, "content hash differs (dir/big.dat)")
	}
}

func FuzzPointer(f *testing.F) {
	f.Add("version https://git-lfs.github.com/spec/v1\noid sha256:" + strings.Repeat("1", 64) + "\nsize 12\n")
	f.Fuzz(func(t *testing.T, text string) {
		p, ok := parsePointer([]byte(text))
		if ok && (len(p.oid) != 64 || p.size < 0 || strings.Trim(p.oid, "0123456789abcdef") != "") {
			t.Fatalf("%+v was let through", p)
		}
	})
}

func FuzzGlob(f *testing.F) {
	for _, s := range []string{"*.go", "a/**/b", "[a-c]?", "[[:alpha:]]*", "\\*", "**"} {
		f.Add(s, "a/x/b.go")
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(pattern) > 100 || len(text) > 100 {
			return
		}
		steps := 1 << 20
		got := glob(prepareGlob(pattern), text, &steps)
		if pattern == text && !strings.ContainsAny(pattern, `*?[\`) && !got {
			t.Fatal("a plain pattern does not match itself")
		}
		if got && !strings.Contains(prepareGlob(pattern), "**") && strings.Count(pattern, "/") != strings.Count(text, "/") && !strings.ContainsAny(pattern, `[\`) {
			t.Fatal("a star crossed a slash")
		}
	})
}
