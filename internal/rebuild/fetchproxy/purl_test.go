package fetchproxy

import "testing"

func TestPackage(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		ecosystem, path string
		want            Package
		ok              bool
	}{
		{"go", "github.com/!burnt!sushi/toml/@v/v1.6.0.zip", Package{"github.com/BurntSushi/toml", "v1.6.0", "pkg:golang/github.com/BurntSushi/toml@v1.6.0", true}, true},
		{"go", "example.org/m/v2/@v/v2.0.0+incompatible.mod", Package{"example.org/m/v2", "v2.0.0+incompatible", "pkg:golang/example.org/m/v2@v2.0.0%2Bincompatible", false}, true},
		{"go", "example.org/m/@v/list", Package{}, false},
		{"npm", "left-pad/-/left-pad-1.3.0.tgz", Package{"left-pad", "1.3.0", "pkg:npm/left-pad@1.3.0", true}, true},
		{"npm", "@scope/a/-/a-2.0.0-rc.1.tgz", Package{"@scope/a", "2.0.0-rc.1", "pkg:npm/%40scope/a@2.0.0-rc.1", true}, true},
		{"npm", "left-pad", Package{}, false},
		{"other", "x", Package{}, false},
	} {
		got, ok := (&Closure{Ecosystem: tc.ecosystem}).Package(tc.path)
		if got != tc.want || ok != tc.ok {
			t.Errorf("%s: %+v, %t", tc.path, got, ok)
		}
	}
}
