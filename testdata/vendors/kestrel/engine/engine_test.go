package engine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kestrel.example/scanner/rules"
)

const sample = `
[[rule]]
id = "T-1"
name = "both"
severity = "low"
match = "all"
text = ["alpha", "omega"]

[[rule]]
id = "T-2"
name = "gap"
severity = "high"
hex = ["41 ?? 43"]
`

func compileSample(t *testing.T) *Set {
	t.Helper()
	all, err := Parse("sample", []byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	set, err := Compile(all)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestMatch(t *testing.T) {
	set := compileSample(t)
	for _, c := range []struct{ data, want string }{
		{"", ""},
		{"alpha", ""},
		{"omega … alpha", "T-1"},
		{"xxAAC", "T-2"},
		{"AB", ""},
		{"A", ""},
		{"AACalphaomega", "T-1 T-2"},
	} {
		_, hits := set.Match([]byte(c.data))
		var ids []string
		for _, h := range hits {
			ids = append(ids, h.Rule)
		}
		if got := strings.Join(ids, " "); got != c.want {
			t.Errorf("%q: got %q, want %q", c.data, got, c.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`[[rule]]` + "\n" + `name = "x"`, "without an id"},
		{`[[rule]]` + "\n" + `id = "x"` + "\n" + `nmae = "x"`, "unknown key"},
		{`[[rule]]` + "\n" + `id = "x"` + "\n" + `name = "x"` + "\n" + `severity = "grave"`, "unknown severity"},
		{`[[rule]]` + "\n" + `id = "x"` + "\n" + `name = "x"` + "\n" + `severity = "low"`, "nothing to match"},
		{`[[rule]]` + "\n" + `id = "x"` + "\n" + `name = "x"` + "\n" + `severity = "low"` + "\n" + `hex = ["??41"]`, "begins with any byte"},
		{`[[rule]]` + "\n" + `id = "x"` + "\n" + `name = "x"` + "\n" + `severity = "low"` + "\n" + `sha256 = ["00"]`, "not a SHA-256"},
		{`[[rule`, "toml"},
	} {
		_, err := Parse("f", []byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got %v, want %q", c.text, err, c.want)
		}
	}
}

func TestScanWithBuiltInRules(t *testing.T) {
	set, all, err := Load(rules.Files)
	if err != nil {
		t.Fatal(err)
	}
	if set.Len() != len(all) || set.Len() == 0 {
		t.Fatalf("%d rules compiled of %d", set.Len(), len(all))
	}
	dir := t.TempDir()
	eicar := `X5O!P%@AP[4\PZX54(P^)7CC)7}$` + "EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
	for name, text := range map[string]string{"eicar.com": eicar, "clean.txt": "hello", "big": strings.Repeat("x", 2048), "out/eicar": eicar} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	rep := Scan(dir, set, Options{MaxSize: 1024, Exclude: []string{filepath.Join(dir, "out")}})
	if rep.Files != 2 || rep.Skipped != 2 || len(rep.Findings) != 1 || len(rep.Errors) != 0 {
		t.Fatalf("got %+v", rep)
	}
	if f := rep.Findings[0]; filepath.Base(f.Path) != "eicar.com" || f.Hits[0].Rule != "KST-0001" {
		t.Errorf("got %+v", f)
	}
}
