package debian

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// index makes a Packages file: lines "name version | field: value | …".
func index(t *testing.T, lines ...string) *Index {
	t.Helper()
	x, err := ReadIndex(strings.NewReader(packagesText(lines...)), "amd64")
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func packagesText(lines ...string) string {
	var b strings.Builder
	for i, l := range lines {
		parts := strings.Split(l, " | ")
		name, version, _ := strings.Cut(parts[0], " ")
		fmt.Fprintf(&b, "Package: %s\nVersion: %s\nFilename: pool/%s_%d.deb\nSize: 1\nSHA256: %064x\n", name, version, name, i, i+1)
		if !strings.Contains(l, "Architecture:") {
			b.WriteString("Architecture: amd64\n")
		}
		for _, f := range parts[1:] {
			b.WriteString(strings.ReplaceAll(f, " OR ", " | ") + "\n")
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func TestResolve(t *testing.T) {
	t.Parallel()
	base := []string{"base 1 | Essential: yes | Depends: libc6 (>= 2)", "libc6 2.36 | Pre-Depends: libgcc", "libgcc 1", "usr-is-merged 1"}
	for _, c := range []struct {
		name   string
		add    []string
		wanted string
		want   string // packages beside the base, or an error
	}{
		{"nothing", nil, "", ""},
		{"dependency", []string{"a 1 | Depends: b, c:any (= 2)", "b 1", "c 2"}, "a", "a b c"},
		{"first alternative", []string{"a 1 | Depends: b OR c", "b 1", "c 1"}, "a", "a b"},
		{"alternative that is there", []string{"a 1 | Depends: b OR c", "b 1", "c 1"}, "a c", "a c"},
		{"alternative that can be had", []string{"a 1 | Depends: b (>> 1) OR c", "b 1", "c 1"}, "a", "a c"},
		{"merged root before its converter", []string{"a 1 | Depends: usrmerge OR usr-is-merged", "usrmerge 1"}, "a", "a"},
		{"virtual, by priority", []string{"a 1 | Depends: mta", "x 1 | Provides: mta | Priority: optional", "y 1 | Provides: mta | Priority: important"}, "a", "a y"},
		{"virtual, by name", []string{"a 1 | Depends: mta", "y 1 | Provides: mta", "x 1 | Provides: mta"}, "a", "a x"},
		{"virtual with a version", []string{"a 1 | Depends: mta (>= 2)", "x 1 | Provides: mta (= 2)", "w 1 | Provides: mta"}, "a", "a x"},
		{"newest", []string{"a 1", "a 1:0.5", "a 3"}, "a", "a"},
		{"recommended", []string{"a 1 | Recommends: b", "b 1"}, "a", "a"},
		{"every architecture", []string{"a 1 | Depends: b | Architecture: all", "b 1"}, "a", "a b"},
		{"cycle", []string{"a 1 | Depends: b", "b 1 | Depends: a"}, "a", "a b"},
		{"around a conflict", []string{"a 1 | Depends: b OR c | Conflicts: b", "b 1", "c 1"}, "a", "a c"},
		{"conflicts with what it provides", []string{"a 1 | Provides: v | Conflicts: v"}, "a", "a"},
		{"missing", nil, "zz", `package zz: the suite has none of that name and version`},
		{"other version", []string{"aa 1"}, "aa=2", `package aa=2: the suite has none of that name and version`},
		{"unsatisfiable", []string{"aa 1 | Depends: bb (>= 2) OR cc", "bb 1"}, "aa", `package aa: depends on bb (>= 2) | cc, which the suite cannot satisfy`},
		{"foreign", []string{"aa 1 | Depends: bb:i386", "bb 1"}, "aa", `package aa: depends on bb:i386, which the suite cannot satisfy`},
		{"conflict with the base", []string{"aa 1 | Breaks: libc6 (<< 3)"}, "aa", `package base: depends on libc6 (>= 2), which the suite cannot satisfy`},
		{"conflict", []string{"aa 1 | Conflicts: bb", "bb 2"}, "aa bb", `package aa: cannot stand beside bb 2`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			lines := append(slices.Clone(base), c.add...)
			for i, l := range lines { // one-letter names keep the table short
				lines[i] = widen(l)
			}
			var wanted []string
			for w := range strings.FieldsSeq(c.wanted) {
				wanted = append(wanted, widen(w))
			}
			x := index(t, lines...)
			got, err := Resolve(x, wanted)
			if err != nil {
				if err.Error() != c.want || fault.ClassOf(err) != fault.Inconclusive {
					t.Fatalf("%v, want %s", err, c.want)
				}
				return
			}
			var names []string
			for _, p := range got {
				if !slices.Contains([]string{"base", "libc6", "libgcc", "usr-is-merged"}, p.Name) {
					names = append(names, p.Name)
				}
			}
			if text := strings.Join(names, " "); text != widen(c.want) || len(got) != len(names)+4 {
				t.Errorf("%s of %d, want %s", text, len(got), c.want)
			}
			slices.Reverse(lines) // the order in the file means nothing
			again, err := Resolve(index(t, lines...), wanted)
			if err != nil || len(again) != len(got) {
				t.Fatalf("another order gives %d packages, %v", len(again), err)
			}
			for i := range again {
				if again[i].Name != got[i].Name || again[i].Version != got[i].Version {
					t.Errorf("another order gives %s", again[i].Name)
				}
			}
		})
	}
}

// widen doubles names of one letter: packages have at least two.
func widen(s string) string {
	words := strings.Fields(s)
	for i, w := range words {
		if w[0] >= 'a' && w[0] <= 'z' && (len(w) == 1 || w[1] == ',' || w[1] == ':') {
			words[i] = w[:1] + w
		}
	}
	return strings.Join(words, " ")
}

func TestIndexRefuses(t *testing.T) {
	t.Parallel()
	good := packagesText("aa 1")
	for _, c := range []struct{ name, old, new, want string }{
		{"name", "Package: aa", "Package: ../a", "malformed name"},
		{"version", "Version: 1", "Version: $(id)", "malformed version"},
		{"path that climbs", "pool/aa", "../../aa", "malformed Filename"},
		{"absolute path", "pool/aa", "/etc/aa", "malformed Filename"},
		{"query", "pool/aa", "pool/aa?x=", "malformed Filename"},
		{"digest", "SHA256: 0", "SHA256: x", "malformed SHA256"},
		{"no digest", "SHA256", "MD5sum", "malformed SHA256"},
		{"size", "Size: 1", "Size: -1", "malformed Size"},
		{"field twice", "Size: 1", "Size: 1\nsize: 2", "stands twice"},
		{"relation", "Size: 1", "Size: 1\nDepends: a b c", "relationship field"},
		{"no colon", "Size: 1", "Size 1", "malformed line"},
		{"continuation of nothing", "Package: aa", " Package: aa", "continues nothing"},
		{"long line", "Size: 1", "X: " + strings.Repeat("x", maxParagraph), "exceeds limit"},
	} {
		_, err := ReadIndex(strings.NewReader(strings.Replace(good, c.old, c.new, 1)), "amd64")
		if err == nil || !strings.Contains(err.Error(), c.want) || fault.ClassOf(err) != fault.Failed {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestAlternatives(t *testing.T) {
	t.Parallel()
	got := Alternatives([]byte(`#!/bin/sh
set -e
# update-alternatives --install /usr/bin/no no /usr/bin/never 1
update-alternatives --quiet \
    --install /usr/bin/cc cc /usr/bin/gcc 20 \
    --slave /usr/share/man/man1/cc.1.gz cc.1.gz /usr/share/man/man1/gcc.1.gz
/usr/bin/update-alternatives --install /usr/bin/c89 c89 /usr/bin/c89-gcc 20;
update-alternatives --install /usr/bin/$x x /usr/bin/y 1
update-alternatives --install /usr/bin/../../etc/x x /usr/bin/y 1
update-alternatives --install /usr/bin/x ../x /usr/bin/y 1
update-alternatives --remove cc /usr/bin/gcc
ver=1.16
vers="x y"
prio="34"
twice=1
twice=2
for loop in a b; do
update-alternatives --install /usr/bin/automake automake \
	/usr/bin/automake-$ver $prio \
	--slave "/usr/bin/aclocal" aclocal /usr/bin/aclocal-${ver}
update-alternatives --install /usr/bin/t t /usr/bin/t-$twice 1
update-alternatives --install /usr/bin/l l /usr/bin/l-$loop 1
update-alternatives --install /usr/bin/v v /usr/bin/v-$vers 1
update-alternatives --install /usr/bin/short
`))
	want := "[{{/usr/bin/cc cc /usr/bin/gcc} 20 [{/usr/share/man/man1/cc.1.gz cc.1.gz /usr/share/man/man1/gcc.1.gz}]} {{/usr/bin/c89 c89 /usr/bin/c89-gcc} 20 []}" +
		" {{/usr/bin/automake automake /usr/bin/automake-1.16} 34 [{/usr/bin/aclocal aclocal /usr/bin/aclocal-1.16}]}]"
	if text := fmt.Sprint(got); text != want {
		t.Errorf("%s", text)
	}
}

// FuzzIndex: whatever an index says, what is read of it has safe paths and names, and resolving it ends.
func FuzzIndex(f *testing.F) {
	f.Add(packagesText("aa 1 | Essential: yes | Depends: bb", "bb 2 | Provides: cc (= 1)"))
	f.Add("Package: a\n b\n.\nX:\n")
	f.Fuzz(func(t *testing.T, text string) {
		x, err := ReadIndex(strings.NewReader(text), "amd64")
		if err != nil {
			return
		}
		list, err := Resolve(x, []string{"aa"})
		if err != nil {
			return
		}
		for _, p := range list {
			if !validPath(p.Path) || !ValidName(p.Name) || !hexDigest(p.SHA256) || x.BySum(p.SHA256) == nil {
				t.Errorf("%+v", p)
			}
		}
	})
}
