package compare_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/glassbuild/glassbuild/internal/artifact"
	"github.com/glassbuild/glassbuild/internal/compare"
)

type file struct {
	name, body string
	mode       int64
	link       bool
}

func tgz(t testing.TB, files ...file) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, f := range files {
		h := &tar.Header{Name: f.name, Mode: 0o644 | f.mode, Typeflag: tar.TypeReg, Size: int64(len(f.body))}
		if f.link {
			h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, f.body, 0
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if !f.link {
			io.WriteString(w, f.body)
		}
	}
	w.Close()
	z.Close()
	return b.Bytes()
}

func open(t testing.TB, data []byte) *artifact.Artifact {
	t.Helper()
	p := filepath.Join(t.TempDir(), "shipped")
	if err := os.WriteFile(p, data, 0o644); err != nil {
		t.Fatal(err)
	}
	a, err := artifact.Open(context.Background(), p, artifact.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

func rebuilt(member, body string) compare.Rebuilt {
	b := []byte(body)
	return compare.Rebuilt{Member: member, Output: "out/" + filepath.Base(member), SHA256: digest(b), Size: int64(len(b)), Content: content(b)}
}

func sourceTree(path, body string) compare.TreeFile {
	return compare.TreeFile{Path: path, SHA256: digest([]byte(body)), Size: int64(len(body))}
}

func TestAccount(t *testing.T) {
	t.Parallel()
	honest := tgz(t, file{name: "p/tool", body: "TOOL"}, file{name: "p/LICENSE", body: "MIT"})
	evil := tgz(t, file{name: "p/tool", body: "TOOL"}, file{name: "p/LICENSE", body: "MIT"}, file{name: "p/postinstall.js", body: "evil()"})
	licence := []compare.TreeFile{sourceTree("docs/MIT", "MIT"), sourceTree("npm/LICENSE", "MIT")}
	for name, c := range map[string]struct {
		data    []byte
		rebuilt []compare.Rebuilt
		tree    []compare.TreeFile
		match   string
		lines   []string
	}{
		"container and all": {honest, []compare.Rebuilt{rebuilt("", string(honest))}, nil, "identical", []string{" identical out/."}},
		"members only": {
			honest, []compare.Rebuilt{rebuilt("p/tool", "TOOL")}, licence, "partial",
			[]string{" opened ", "p/tool identical out/tool", "p/LICENSE in-tree npm/LICENSE"},
		},
		"all members rebuilt, container not": {
			honest, []compare.Rebuilt{rebuilt("p/tool", "TOOL"), rebuilt("p/LICENSE", "MIT")}, nil, "partial",
			[]string{" opened ", "p/tool identical out/tool", "p/LICENSE identical out/LICENSE"},
		},
		"from nowhere": {
			evil, []compare.Rebuilt{rebuilt("p/tool", "TOOL")}, licence, "partial",
			[]string{" opened ", "p/tool identical out/tool", "p/LICENSE in-tree npm/LICENSE", "p/postinstall.js nowhere "},
		},
		"different": {
			honest, []compare.Rebuilt{rebuilt("p/tool", "T00L")}, licence, "different",
			[]string{" opened ", "p/tool different out/tool", "p/LICENSE in-tree npm/LICENSE"},
		},
		"not shipped": {
			honest, []compare.Rebuilt{rebuilt("p/tool", "TOOL"), rebuilt("p/gone", "x")}, licence, "different",
			[]string{" opened ", "p/tool identical out/tool", "p/LICENSE in-tree npm/LICENSE", "p/gone missing out/gone"},
		},
		"nothing rebuilt": {honest, nil, nil, "not-rebuilt", []string{" opened ", "p/tool nowhere ", "p/LICENSE nowhere "}},
		"container differs, members do not": {
			honest, []compare.Rebuilt{rebuilt("", "other")}, licence, "different",
			[]string{" different out/.", "p/tool nowhere ", "p/LICENSE in-tree npm/LICENSE"},
		},
		"hostile container": {
			tgz(t, file{name: "a", body: "1"}, file{name: "a", body: "2"}), []compare.Rebuilt{rebuilt("a", "1")}, nil, "partial",
			[]string{" nowhere ", "a identical out/a"},
		},
		"symlinks and empty files": {
			tgz(t, file{name: "l", body: "to", link: true}, file{name: "m", body: "else", link: true}, file{name: "e", body: ""}, file{name: "f", body: ""}),
			nil, []compare.TreeFile{{Path: "l", SHA256: digest([]byte("to")), Size: 2, Link: true}, sourceTree("m", "else"), sourceTree("d/e", "")}, "not-rebuilt",
			[]string{" opened ", "l in-tree l", "m nowhere ", "e in-tree d/e", "f nowhere "},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			acc, err := compare.Account(context.Background(), open(t, c.data), c.rebuilt, c.tree)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, l := range acc.Lines {
				got = append(got, fmt.Sprintf("%s %s %s", l.Member, l.Status, l.From))
			}
			if acc.Match() != c.match || !slices.Equal(got, c.lines) {
				t.Errorf("%s %q, want %s %q", acc.Match(), got, c.match, c.lines)
			}
			if (name == "hostile container") != (len(acc.Problems) == 1) {
				t.Errorf("problems %v", acc.Problems)
			}
		})
	}
	if (compare.Accounting{}).Match() == "identical" {
		t.Error("the zero value matches")
	}
}

func TestAccountForMember(t *testing.T) {
	t.Parallel()
	a := open(t, tgz(t, file{name: "p/tool", body: "TOOL"}, file{name: "p/x", body: "evil"}))
	m, err := a.Find("p/tool")
	if err != nil {
		t.Fatal(err)
	}
	acc, err := compare.AccountFor(context.Background(), a, m, []compare.Rebuilt{rebuilt("p/tool", "TOOL"), rebuilt("p/y", "")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if acc.Match() != "identical" || acc.Subject != "p/tool" || acc.SHA256 != digest([]byte("TOOL")) {
		t.Fatalf("%+v", acc)
	}
}

func TestAccountReportsWhatIsMoreThanBytes(t *testing.T) {
	t.Parallel()
	a := open(t, tgz(t, file{name: "s", body: "\x7fELF and more of it", mode: 0o4111}, file{name: "plain", body: "text"}))
	acc, err := compare.Account(context.Background(), a, nil, []compare.TreeFile{sourceTree("s", "\x7fELF and more of it")})
	if err != nil {
		t.Fatal(err)
	}
	if f := acc.Lines[1].Flags; !slices.Equal(f, []string{"set-uid", "executable"}) || acc.Lines[1].Status != compare.InTree {
		t.Errorf("%+v", acc.Lines[1])
	}
	if f := acc.Lines[2].Flags; len(f) != 0 {
		t.Errorf("%+v", acc.Lines[2])
	}
}
