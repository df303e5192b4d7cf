package gobinary

import (
	"strings"
	"testing"
)

func TestClassify(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]Paths{
		"runtime/proc.go":                           Trimmed,
		"/usr/local/go/src/runtime/proc.go":         Rooted,
		"/src/runtime/proc.go":                      Rooted,
		"C:/Program Files/go/src/runtime/proc.go":   Rooted,
		`c:\hostedtoolcache\go\src\runtime/proc.go`: Rooted,
		"go/src/runtime/proc.go":                    "",
		"example.org/x@v1.0.0/runtime/proc.go":      "",
		"/home/me/runtime/proc.go":                  "",
		"4:/src/runtime/proc.go":                    "",
		"xruntime/proc.go":                          "",
	} {
		if got := classify(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestLookPaths(t *testing.T) {
	t.Parallel()
	pad := func(n int) string { return strings.Repeat("\x01", n) + "\x00" }
	const trimmed, rooted = "runtime/proc.go\x00", "/go/src/runtime/proc.go\x00"
	for what, c := range map[string]struct {
		data string
		want Paths
	}{
		"empty":                      {"", ""},
		"at the beginning":           {trimmed, Trimmed},
		"among others":               {"main.go\x00" + rooted + "x.go\x00", Rooted},
		"twice the same":             {trimmed + trimmed, Trimmed},
		"both":                       {trimmed + rooted, ""},
		"both, far apart":            {rooted + pad(3<<20) + trimmed, ""},
		"across a chunk":             {pad(1<<20-10) + rooted, Rooted},
		"ends with a chunk":          {pad(1<<20-len(trimmed)) + trimmed + "x", Trimmed},
		"no end":                     {"\x00runtime/proc.go", ""},
		"other after it":             {"\x00runtime/proc.gox\x00", ""},
		"a name longer than allowed": {pad(1<<20-9000) + strings.Repeat("r", 20_000) + "runtime/proc.go\x00", ""},
	} {
		got, err := lookPaths(strings.NewReader(c.data), int64(len(c.data)))
		if err != nil || got != c.want {
			t.Errorf("%s: %q %v, want %q", what, got, err, c.want)
		}
		if got, err := lookPaths(strings.NewReader(c.data), 1<<62); err != nil || got != c.want {
			t.Errorf("%s, in a section that states a false size: %q %v, want %q", what, got, err, c.want)
		}
	}
	if got, err := lookPaths(strings.NewReader(trimmed), -1); err != nil || got != "" {
		t.Errorf("negative size: %q %v", got, err)
	}
}
