package source

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// nested makes a repository with a submodule that has a submodule.
func nested(t *testing.T) (super *gitRepo, id string) {
	t.Helper()
	inner := newRepo(t)
	inner.write("inner.txt", "inner")
	inner.commit("inner")
	middle := newRepo(t)
	middle.write("dir/middle.txt", "middle")
	middle.run("-c", "protocol.file.allow=always", "submodule", "add", "-q", inner.dir, "deep/inner")
	middle.commit("middle")
	super = newRepo(t)
	super.write("super.txt", "super")
	super.run("-c", "protocol.file.allow=always", "submodule", "add", "-q", "--name", "group/mid", middle.dir, "lib/middle")
	super.run("-c", "protocol.file.allow=always", "submodule", "update", "-q", "--init", "--recursive")
	return super, super.commit("super")
}

func TestSubmodulesOfALocalClone(t *testing.T) {
	t.Parallel()
	r, id := nested(t)
	dir, tree := exported(t, open(t, r.dir, id, Options{}))
	sameTree(t, dir, r.dir)
	checkTree(t, dir, tree, 1700000100)
	var got []string
	for _, s := range tree.Submodules {
		got = append(got, s.Path+" "+s.Name)
	}
	if strings.Join(got, ",") != "lib/middle group/mid,lib/middle/deep/inner deep/inner" {
		t.Errorf("submodules %v", got)
	}
}

func TestSubmodulesByPath(t *testing.T) {
	t.Parallel()
	r, id := nested(t)
	bare := filepath.Join(t.TempDir(), "bare")
	r.run("clone", "-q", "--bare", r.dir, bare)
	c := open(t, bare, id, Options{})
	_, err := c.Export(context.Background(), filepath.Join(t.TempDir(), "out"))
	wantFault(t, err, fault.Inconclusive, "submodule at")
	dir, tree := exported(t, open(t, bare, id, Options{LocalSubmodules: true}))
	sameTree(t, dir, r.dir)
	if len(tree.Submodules) != 2 {
		t.Errorf("submodules %v", tree.Submodules)
	}
}

func TestSubmoduleWithoutItsCommit(t *testing.T) {
	t.Parallel()
	r, id := nested(t)
	if err := os.RemoveAll(filepath.Join(r.dir, ".git/modules")); err != nil {
		t.Fatal(err)
	}
	_, err := open(t, r.dir, id, Options{}).Export(context.Background(), filepath.Join(t.TempDir(), "out"))
	wantFault(t, err, fault.Inconclusive, "is not here")
	if !strings.Contains(fault.HintOf(err), "submodule update") {
		t.Errorf("hint %q", fault.HintOf(err))
	}
}

func TestHostileGitmodules(t *testing.T) {
	t.Parallel()
	good := "[submodule \"s\"]\npath = sub\nurl = https://example.org/s.git\n"
	for name, v := range map[string]struct{ text, want string }{
		"option":          {"[submodule \"s\"]\npath = sub\nurl = -ufoo\n", "unsafe submodule"},
		"hidden option":   {"[submodule \"s\"]\npath = sub\nurl = ./%0a-ufoo\n", "unsafe submodule"},
		"ext":             {"[submodule \"s\"]\npath = sub\nurl = ext::sh -c id\n", "unsafe submodule"},
		"climbing name":   {"[submodule \"../x\"]\npath = sub\nurl = https://example.org/s.git\n", "unsafe submodule"},
		"inner climb":     {"[submodule \"a/../../x\"]\npath = sub\nurl = https://example.org/s.git\n", "unsafe submodule"},
		"backslash climb": {`[submodule "a\\..\\x"]` + "\npath = sub\nurl = https://example.org/s.git\n", "unsafe submodule"},
		"CR in path":      {"[submodule \"s\"]\npath = \"sub\r\"\nurl = https://example.org/s.git\n", "unsafe submodule"},
		"climbing path":   {"[submodule \"s\"]\npath = ../sub\nurl = https://example.org/s.git\n", "unsafe submodule"},
		"option path":     {"[submodule \"s\"]\npath = -sub\nurl = https://example.org/s.git\n", "unsafe submodule"},
		"two URLs":        {good + "[submodule \"s\"]\nurl = https://example.org/evil.git\n", "unsafe submodule"},
		"one path twice":  {good + "[submodule \"t\"]\npath = sub\nurl = https://example.org/t.git\n", "unsafe submodule"},
		"credentials":     {"[submodule \"s\"]\npath = sub\nurl = https://u:secret@example.org/s.git\n", "unsafe submodule"},
		"climbing URL":    {"[submodule \"s\"]\npath = sub\nurl = ../../../../../../../../../../../../../../../x\n", "unsafe submodule"},
		"malformed":       {"[submodule \"s\"\npath = sub\n", ".gitmodules: malformed"},
		"no URL":          {"[submodule \"s\"]\npath = sub\n", "submodule not declared"},
		"other path":      {"[submodule \"s\"]\npath = elsewhere\nurl = https://example.org/s.git\n", "submodule not declared"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, id := hostileRepo(t, func(r *gitRepo, _, _ string) string {
				return "100644 .gitmodules\x00" + raw(t, r.hash("blob", v.text)) + "160000 sub\x00" + strings.Repeat("\x11", 20)
			})
			_, err := open(t, r.dir, id, Options{}).Export(context.Background(), filepath.Join(t.TempDir(), "out"))
			wantFault(t, err, fault.Failed, v.want)
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("a secret in %v", err)
			}
		})
	}
}

func TestRelativeURLs(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"https://h/a/b.git ../c.git":      "https://h/a/c.git",
		"https://h/a/b.git ./c":           "https://h/a/b.git/c",
		"https://h/a/b.git ../../x/c":     "https://h/x/c",
		"https://h/a/b.git ../../../c":    "",
		"https://h/a/b.git ../../../../c": "",
		"git@h:a/b ../c":                  "git@h:a/c",
		"git@h:b ../c":                    "git@h:c",
		"/srv/a/b ../c":                   "/srv/a/c",
		"/b ../../c":                      "",
		"https://h/a/b/ ../c/":            "https://h/a/c",
		"https://h/a/b ..":                "",
	} {
		base, relative, _ := strings.Cut(in, " ")
		got, ok := resolveRelative(base, relative)
		if ok != (want != "") || ok && got != want {
			t.Errorf("%s: %q %v, want %q", in, got, ok, want)
		}
	}
}

func TestLocations(t *testing.T) {
	t.Parallel()
	for where, want := range map[string]string{
		"https://example.org/a/b.git": "url", "ssh://git@example.org/a": "ssh", "git@example.org:a/b": "ssh", "example.org:a": "ssh",
		"/srv/git": "path", "./x:y": "path", "rel/dir": "path", "file:///srv/git": "path",
		"https://user@example.org/a": "", "https://u:p@example.org/a": "", "ext::sh -c id": "", "-oProxyCommand=x": "", "git://example.org/a": "",
		"ftp://example.org/a": "", "ssh://-oProxyCommand=x/a": "", "ssh://u:p@example.org/a": "", "https://example.org/a?token=x": "",
		"https://example.org/a\nb": "", "file://host/share": "", "-x@host:path": "", "host:-x": "", "https:///a": "",
	} {
		l, err := parseLocation(where)
		got := ""
		switch {
		case err != nil:
			wantFault(t, err, fault.Usage, "unsupported URL")
			if strings.Contains(err.Error(), "u:p") || strings.Contains(err.Error(), "token") {
				t.Errorf("a secret in %v", err)
			}
		case l.ssh:
			got = "ssh"
		case l.url != "":
			got = "url"
		default:
			got = "path"
		}
		if got != want {
			t.Errorf("%q: %q, want %q", where, got, want)
		}
	}
}
