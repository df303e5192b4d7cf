package verify

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseList(t *testing.T) {
	t.Parallel()
	a, b := strings.Repeat("0a", 32), strings.Repeat("1b", 64)
	for _, c := range []struct {
		name, text, dir string
		want            []listed
		refused         string
	}{
		{"text and binary mark", a + "  x\n" + a + " *y z\n", ".", []listed{{"x", a}, {"y z", a}}, ""},
		{"sha512", b + "  x\n", ".", []listed{{"x", b}}, ""},
		{"no line feed at the end", a + "  x", ".", []listed{{"x", a}}, ""},
		{"below a folder", a + "  ./sub/x\n", "dist", []listed{{"dist/sub/x", a}}, ""},
		{"escaped", `\` + a + `  a\nb\\c` + "\n", ".", nil, "unsafe name"},
		{"escaped line feed", `\` + a + `  a\nb` + "\n", ".", []listed{{"a\nb", a}}, ""},
		{"bad escape", `\` + a + `  a\x` + "\n", ".", nil, "malformed escape"},
		{"upwards", a + "  ../x\n", ".", nil, "unsafe name"},
		{"upwards within", a + "  a/../../x\n", ".", nil, "unsafe name"},
		{"absolute", a + "  /etc/x\n", ".", nil, "unsafe name"},
		{"backslashes", a + `  a\..\x` + "\n", ".", nil, "unsafe name"},
		{"drive", a + "  C:x\n", ".", nil, "unsafe name"},
		{"twice", a + "  x\n" + a + "  x\n", ".", nil, "stands twice"},
		{"twice in two spellings", a + "  x\n" + a + " *./x\n", ".", nil, "stands twice"},
		{"carriage return", a + "  x\r\n", ".", nil, "carriage return"},
		{"NUL", a + "  x\x00y\n", ".", nil, "NUL"},
		{"upper case", strings.ToUpper(a) + "  x\n", ".", nil, "malformed digest"},
		{"short", a[:62] + "  x\n", ".", nil, "malformed digest"},
		{"one space", a + " x\n", ".", nil, "two spaces"},
		{"no name", a + "  \n", ".", nil, "two spaces"},
		{"comment", "# x\n", ".", nil, "two spaces"},
		{"empty line", a + "  x\n\n", ".", nil, "two spaces"},
		{"two kinds", a + "  x\n" + b + "  y\n", ".", nil, "two kinds"},
		{"BSD form", "SHA256 (x) = " + a + "\n", ".", nil, "two spaces"},
	} {
		got, _, err := parseList([]byte(c.text), c.dir)
		switch {
		case c.refused == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.refused != "" && (err == nil || !strings.Contains(err.Error(), c.refused)):
			t.Errorf("%s: %v, want %q", c.name, err, c.refused)
		case c.refused == "" && len(got) != len(c.want):
			t.Errorf("%s: %q", c.name, got)
		}
		for i := range c.want {
			if c.refused == "" && got[i] != c.want[i] {
				t.Errorf("%s: %q, want %q", c.name, got[i], c.want[i])
			}
		}
	}
}

// FuzzParseList: names stay inside, each stands once, and what was accepted means the same when it is written anew.
func FuzzParseList(f *testing.F) {
	a := strings.Repeat("0a", 32)
	for _, s := range []string{a + "  x\n", `\` + a + `  a\nb` + "\n", a + " *../x\n", a + "  x\r\n", a + "  x\n" + a + "  y"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		list, _, err := parseList(data, ".")
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for _, e := range list {
			if !filepath.IsLocal(e.name) || seen[e.name] {
				t.Fatalf("%q", e.name)
			}
			seen[e.name] = true
		}
	})
}

func TestListNamesAndDetached(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{"SHA256SUMS": true, "tool_1.0_SHA256SUMS": true, "sha512sums.txt": true, "checksums.txt": true, "x/tool.tar.gz.sha256": true,
		"SHA256SUMS.asc": false, "tool": false, "sha256sums.sh": false} {
		if listName(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
	dir := t.TempDir()
	present := map[string]bool{"SHA256SUMS": true}
	for text, want := range map[string]bool{
		"-----BEGIN PGP SIGNATURE-----\n\niQ==\n-----END PGP SIGNATURE-----\n":          true,
		"-----BEGIN PGP SIGNATURE-----\n\niQ==\n-----END PGP SIGNATURE-----\n#!/bin/sh": false,
		"\x7fELF": false, "#!/bin/sh\n": false, "": false,
	} {
		file := filepath.Join(dir, "SHA256SUMS.asc")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if detached(file, "SHA256SUMS.asc", present) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
}
