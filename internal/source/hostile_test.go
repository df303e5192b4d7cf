package source

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// hostileRepo commits a tree that git itself would not write.
func hostileRepo(t *testing.T, tree func(r *gitRepo, blob, dir string) string) (*gitRepo, string) {
	t.Helper()
	r := newRepo(t)
	blob := r.hash("blob", "content\n")
	dir := r.hash("tree", "100644 inner\x00"+raw(t, blob))
	id := r.hash("tree", tree(r, raw(t, blob), raw(t, dir)))
	commit := r.hash("commit", "tree "+id+"\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nm\n")
	r.run("update-ref", "refs/heads/main", commit)
	return r, commit
}

// Each tree has one fault; what makes it is the only thing that differs from a tree that is accepted.
func TestHostileTrees(t *testing.T) {
	t.Parallel()
	type vector struct {
		tree func(r *gitRepo, blob, dir string) string
		want string
	}
	entry := func(mode, name string) func(r *gitRepo, blob, dir string) string {
		return func(_ *gitRepo, blob, dir string) string {
			if mode == "40000" {
				return mode + " " + name + "\x00" + dir
			}
			return mode + " " + name + "\x00" + blob
		}
	}
	vectors := map[string]vector{
		"slash":             {entry("100644", "a/b"), "invalid tree entry"},
		"dot dot":           {entry("100644", ".."), "invalid tree entry"},
		"dot":               {entry("40000", "."), "invalid tree entry"},
		"empty name":        {entry("100644", ""), "invalid tree entry"},
		"newline":           {entry("100644", "a\nb"), "invalid tree entry"},
		"escape":            {entry("100644", "a\x1b[2J"), "invalid tree entry"},
		"delete":            {entry("100644", "a\x7f"), "invalid tree entry"},
		"git folder":        {entry("40000", ".git"), "forbidden name"},
		"git upper":         {entry("40000", ".GIT"), "forbidden name"},
		"git mixed file":    {entry("100644", ".gIt"), "forbidden name"},
		"short name":        {entry("40000", "git~1"), "forbidden name"},
		"short upper":       {entry("40000", "GIT~1"), "forbidden name"},
		"trailing dot":      {entry("40000", ".git."), "forbidden name"},
		"trailing spaces":   {entry("40000", ".git . "), "forbidden name"},
		"data stream":       {entry("40000", ".git::$INDEX_ALLOCATION"), "forbidden name"},
		"short data stream": {entry("40000", "git~1:x"), "forbidden name"},
		"zero width":        {entry("40000", ".g\u200cit"), "forbidden name"},
		"byte order mark":   {entry("40000", "\ufeff.GIT"), "forbidden name"},
		"backslash":         {entry("40000", `a\.git\config`), "forbidden name"},
		"backslash climbs":  {entry("100644", `..\x`), "forbidden name"},
		"odd mode":          {entry("100664", "a"), "malformed tree: mode"},
		"padded mode":       {entry("040000", "a"), "malformed tree: mode"},
		"zero mode":         {entry("0", "a"), "malformed tree: mode"},
		"set-uid mode":      {entry("104755", "a"), "malformed tree: mode"},
		"device mode":       {entry("20000", "a"), "malformed tree: mode"},
		"truncated": {func(_ *gitRepo, blob, _ string) string { return "100644 a\x00" + blob[:19] },
			"malformed tree: truncated"},
		"trailing": {func(_ *gitRepo, blob, _ string) string { return "100644 a\x00" + blob + "100" },
			"malformed tree: truncated"},
		"null id": {func(*gitRepo, string, string) string { return "100644 a\x00" + strings.Repeat("\x00", 20) },
			"names no object"},
		"unsorted": {func(_ *gitRepo, blob, _ string) string { return "100644 b\x00" + blob + "100644 a\x00" + blob },
			"malformed tree: \"a\" out of order"},
		"directory sorted as a file": {func(_ *gitRepo, blob, dir string) string {
			return "40000 a\x00" + dir + "100644 a.c\x00" + blob
		}, "out of order"},
		"duplicate": {func(_ *gitRepo, blob, _ string) string { return "100644 a\x00" + blob + "100755 a\x00" + blob },
			"colliding names"},
		"file and directory": {func(_ *gitRepo, blob, dir string) string {
			return "100644 a\x00" + blob + "40000 a\x00" + dir
		}, "colliding names"},
		"file and directory apart": {func(_ *gitRepo, blob, dir string) string {
			return "100644 a\x00" + blob + "100644 a.c\x00" + blob + "40000 a\x00" + dir
		}, "colliding names"},
		"link and directory": {func(_ *gitRepo, blob, dir string) string {
			return "120000 a\x00" + blob + "100644 a-b\x00" + blob + "40000 a\x00" + dir
		}, "path through symlink"},
		"blob as a tree": {func(_ *gitRepo, blob, _ string) string { return "40000 a\x00" + blob },
			"is a blob, want a tree"},
		"tree as a blob": {func(_ *gitRepo, _, dir string) string { return "100644 a\x00" + dir },
			"is a tree, want a blob"},
		"empty link": {func(r *gitRepo, _, _ string) string { return "120000 a\x00" + raw(r.t, r.hash("blob", "")) },
			"invalid tree entry: link"},
		"NUL in a link": {func(r *gitRepo, _, _ string) string { return "120000 a\x00" + raw(r.t, r.hash("blob", "a\x00b")) },
			"invalid tree entry: link"},
		"long link": {func(r *gitRepo, _, _ string) string {
			return "120000 a\x00" + raw(r.t, r.hash("blob", strings.Repeat("x", 5000)))
		}, "invalid tree entry: link"},
		"linked .gitmodules":       {entry("120000", ".gitmodules"), "unsafe submodule"},
		"linked short .gitmodules": {entry("120000", "GITMOD~1"), "unsafe submodule"},
		"undeclared submodule": {func(*gitRepo, string, string) string { return "160000 sub\x00" + strings.Repeat("\x11", 20) },
			"submodule not declared"},
		"deep": {func(r *gitRepo, _, dir string) string {
			for range maxTreeDepth + 1 {
				dir = raw(r.t, r.hash("tree", "40000 d\x00"+dir))
			}
			return "40000 d\x00" + dir
		}, "exceeds limit"},
		"tree bomb": {func(r *gitRepo, blob, _ string) string {
			level := "100644 f\x00" + blob
			for range 8 {
				id := raw(r.t, r.hash("tree", level))
				level = ""
				for _, name := range strings.Split("abcdefghij", "") {
					level += "40000 " + name + "\x00" + id
				}
			}
			return level
		}, "exceeds limit"},
	}
	for name, v := range vectors {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, id := hostileRepo(t, v.tree)
			c := open(t, r.dir, id, Options{})
			dir := filepath.Join(t.TempDir(), "out")
			_, err := c.Export(context.Background(), dir)
			wantFault(t, err, fault.Failed, v.want)
			if _, err := os.Lstat(dir); !os.IsNotExist(err) {
				t.Error("something was left behind")
			}
		})
	}
}

func TestHarmlessTrees(t *testing.T) {
	t.Parallel()
	for name, tree := range map[string]func(r *gitRepo, blob, dir string) string{
		"names that begin like git's": func(_ *gitRepo, blob, dir string) string {
			return "100644 .gitattributes\x00" + blob + "40000 .github\x00" + dir + "100644 .gitignore\x00" + blob +
				"100644 git\x00" + blob + "100644 git~2\x00" + blob
		},
		"file beside a directory": func(_ *gitRepo, blob, dir string) string {
			return "100644 a-\x00" + blob + "100644 a.c\x00" + blob + "40000 a\x00" + dir + "100644 a0\x00" + blob
		},
		"invalid UTF-8": func(_ *gitRepo, blob, _ string) string { return "100644 a\xff\x00" + blob },
		"empty tree":    func(*gitRepo, string, string) string { return "" },
		"empty subtrees": func(r *gitRepo, _, _ string) string {
			empty := raw(r.t, r.hash("tree", ""))
			return "40000 a\x00" + raw(r.t, r.hash("tree", "40000 b\x00"+empty))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, id := hostileRepo(t, tree)
			dir, tree := exported(t, open(t, r.dir, id, Options{}))
			checkTree(t, dir, tree, 1)
			if name == "empty subtrees" {
				if left, _ := os.ReadDir(dir); len(left) > 0 {
					t.Error("an empty directory was written")
				}
			}
			if name == "invalid UTF-8" && (len(tree.Findings) != 1 || tree.Findings[0].Kind != ForeignName) {
				t.Errorf("findings %v", tree.Findings)
			}
		})
	}
}

func TestEscapingLinks(t *testing.T) {
	t.Parallel()
	for link, want := range map[string]bool{
		"a -> b": false, "a -> /b": true, "a -> ..": true, "a/b -> ..": false, "a/b -> ../..": true, "a/b -> ../c/../..": true,
		"a -> b/../..": true, "a -> ./b": false, "a -> .": false, "a/b/c -> ../../d": false, "a -> b//../c": false, "a -> //b": true,
	} {
		at, target, _ := strings.Cut(link, " -> ")
		if got := escapes(at, target); got != want {
			t.Errorf("%s: %v", link, got)
		}
	}
}

func TestHostileCommits(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	tree := r.hash("tree", "")
	one, two := strings.Repeat("1", 40), strings.Repeat("2", 40)
	person := "A <a@b> 1 +0000"
	head := "tree " + tree + "\n"
	rest := "author " + person + "\ncommitter " + person + "\n"
	sig := "gpgsig -----BEGIN SSH SIGNATURE-----\n x\n -----END SSH SIGNATURE-----\n"
	for name, text := range map[string]string{
		"two trees":            head + head + rest + "\nm\n",
		"late tree":            head + rest + head + "\nm\n",
		"late parent":          head + rest + "parent " + one + "\n\nm\n",
		"duplicate parent":     head + "parent " + one + "\nparent " + two + "\nparent " + one + "\n" + rest + "\nm\n",
		"two signatures":       head + rest + sig + sig + "\nm\n",
		"signature by prefix":  head + rest + "gpgsigx y\n\nm\n",
		"two authors":          head + "author " + person + "\n" + rest + "\nm\n",
		"two committers":       head + rest + "committer " + person + "\n\nm\n",
		"two encodings":        head + rest + "encoding a\nencoding b\n\nm\n",
		"no committer":         head + "author " + person + "\n\nm\n",
		"no tree":              rest + "\nm\n",
		"author first":         rest + head + "\nm\n",
		"upper-case tree":      "tree " + strings.ToUpper(tree) + "\n" + rest + "\nm\n",
		"short tree":           "tree " + tree[1:] + "\n" + rest + "\nm\n",
		"longer tree":          "tree " + tree + "0\n" + rest + "\nm\n",
		"NUL in the headers":   head + "author A\x00 <a@b> 1 +0000\ncommitter " + person + "\n\nm\n",
		"two address ends":     head + "author A <a@b>> 1 +0000\ncommitter " + person + "\n\nm\n",
		"no time":              head + "author A <a@b>\ncommitter " + person + "\n\nm\n",
		"continued tree":       "tree " + tree + "\n x\n" + rest + "\nm\n",
		"continued author":     head + "author " + person + "\n x\ncommitter " + person + "\n\nm\n",
		"no end of headers":    head + "author " + person + "\ncommitter " + person + "\n",
		"header without value": head + rest + "odd\n\nm\n",
		"begins with a blank":  " x\n" + head + rest + "\nm\n",
	} {
		t.Run(name, func(t *testing.T) {
			id := r.hash("commit", text)
			_, err := Open(context.Background(), r.dir, id, Options{})
			wantFault(t, err, fault.Failed, "ambiguous commit")
		})
	}
}

func TestHostileTags(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	id := r.commit("m")
	head := "object " + id + "\ntype commit\n"
	tagger := "tagger A <a@b> 1 +0000\n"
	sig := "-----BEGIN PGP SIGNATURE-----\n\nx\n-----END PGP SIGNATURE-----\n"
	for name, text := range map[string]string{
		"two-objects":    head + "tag two-objects\n" + "object " + id + "\n" + tagger + "\nm\n",
		"two-taggers":    head + "tag two-taggers\n" + tagger + tagger + "\nm\n",
		"two-signatures": head + "tag two-signatures\n" + tagger + "\nm\n" + sig + sig,
		"header-sig":     head + "tag header-sig\n" + tagger + "gpgsig x\n\nm\n",
		"other-name":     head + "tag innocent\n" + tagger + "\nm\n" + sig,
	} {
		tag := r.hash("tag", text)
		writeFile(t, filepath.Join(r.dir, ".git/refs/tags", name), tag+"\n")
	}
	r.run("update-ref", "refs/tags/good", r.hash("tag", head+"tag good\n"+tagger+"\nm\n"+sig))
	r.run("update-ref", "refs/tags/old", r.hash("tag", head+"tag old\n\nno tagger\n"))
	for _, tag := range open(t, r.dir, id, Options{Need: NeedTags}).Facts().Tags {
		bad := tag.Name != "good" && tag.Name != "old"
		if bad != (tag.Problem != "") || bad && (tag.Signature != nil || tag.SignedPayload != nil) {
			t.Errorf("%s: problem %q, signature %q", tag.Name, tag.Problem, tag.Signature)
		}
		if tag.Name == "good" && (string(tag.Signature) != sig || string(tag.SignedPayload) != head+"tag good\n"+tagger+"\nm\n") {
			t.Errorf("good: %q over %q", tag.Signature, tag.SignedPayload)
		}
	}
}
