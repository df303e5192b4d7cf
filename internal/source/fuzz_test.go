package source

import (
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/source/gitobj"
)

func FuzzPackedRefs(f *testing.F) {
	id := strings.Repeat("1", 40)
	f.Add("# pack-refs with: peeled fully-peeled sorted \n" + id + " refs/heads/main\n" + id + " refs/tags/v1\n^" + id + "\n")
	f.Add(id + " refs/heads/../../config\n")
	f.Fuzz(func(t *testing.T, text string) {
		refs, err := parsePackedRefs(text, gitobj.SHA1)
		if err != nil {
			return
		}
		for _, r := range refs {
			if !strings.HasPrefix(r.name, "refs/") || strings.Contains(r.name, "..") || strings.ContainsAny(r.name, "\n\x00 \\") || r.id.Format() != gitobj.SHA1 {
				t.Fatalf("ref %q was let through", r.name)
			}
			if !strings.Contains(text, r.id.String()+" "+r.name+"\n") {
				t.Fatalf("ref %q is not there", r.name)
			}
		}
	})
}

func FuzzGitmodules(f *testing.F) {
	f.Add("[submodule \"a\"]\n\tpath = lib/a\n\turl = https://example.org/a.git\n")
	f.Add("[submodule \"a\"] path = \"x\\\"y\" ; comment\nurl = ../b\\\n.git\n[submodule.b]\nurl = -u\n")
	f.Fuzz(func(t *testing.T, text string) {
		subs, err := parseGitmodules(text)
		if err != nil {
			return
		}
		for path, d := range subs {
			if path != d.path || strings.HasPrefix(d.url, "-") || strings.HasPrefix(path, "-") || strings.HasPrefix(path, "/") ||
				hasControl(d.url) || hasControl(path) || hasControl(d.name) {
				t.Fatalf("%+v was let through", d)
			}
			for part := range strings.SplitSeq(d.name+"/"+path, "/") {
				if part == ".." {
					t.Fatalf("%+v climbs", d)
				}
			}
		}
	})
}

func FuzzLocation(f *testing.F) {
	for _, s := range []string{"https://example.org/a", "git@h:a", "ext::sh -c x", "-o", "/srv", "ssh://u:p@h/x", "https://u:secret@h/x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, where string) {
		l, err := parseLocation(where)
		if err != nil {
			return
		}
		if strings.HasPrefix(where, "-") || strings.Contains(where, "::") || (l.url == "") == (l.path == "") {
			t.Fatalf("%q was let through as %+v", where, l)
		}
		if scheme, rest, ok := strings.Cut(l.url, "://"); ok && strings.HasPrefix(scheme, "http") && strings.Contains(strings.SplitN(rest, "/", 2)[0], "@") {
			t.Fatalf("user information in %q", l.url)
		}
	})
}
