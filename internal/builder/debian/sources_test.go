package debian

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// system lays an apt configuration.
func system(t *testing.T, files map[string]string) *System {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s, err := LoadSystem(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSources(t *testing.T) {
	t.Parallel()
	s := system(t, map[string]string{
		"etc/apt/sources.list": "# deb http://no.example bookworm main\ndeb [arch=amd64 signed-by=/k.gpg] http://one.example/debian/ bookworm main contrib # first\ndeb-src http://one.example/debian bookworm main\ndeb cdrom:[x]/ bookworm main\ndeb http://flat.example ./\n",
		"etc/apt/sources.list.d/two.sources": "Types: deb deb-src\nURIs: https://two.example/debian\n https://three.example/debian\nSuites: bookworm bookworm-updates\nComponents: main\nSigned-By: /k2.gpg\n\n" +
			"Types: deb\nEnabled: no\nURIs: https://off.example\nSuites: bookworm\nComponents: main\n",
		"etc/apt/sources.list.d/four.list.disabled": "deb http://four.example bookworm main\n",
		"etc/apt/sources.list.d/five.list":          "deb file:/srv/mirror bookworm main\n",
	})
	if got, want := fmt.Sprint(s.Mirrors("bookworm", "main")), "[http://one.example/debian file:/srv/mirror https://two.example/debian https://three.example/debian]"; got != want {
		t.Errorf("%s", got)
	}
	if got := s.Mirrors("bookworm-updates", "main"); !slices.Equal(got, []string{"https://two.example/debian", "https://three.example/debian"}) {
		t.Errorf("%q", got)
	}
	if got := s.PlainHTTP(); !slices.Equal(got, []string{"one.example"}) {
		t.Errorf("%q", got)
	}
	if got := s.Mirrors("trixie", "main"); got != nil {
		t.Errorf("%q", got)
	}
}

// Keys of other archives count for nothing, whichever source names them.
func TestKeyring(t *testing.T) {
	t.Parallel()
	made := time.Now().Add(-time.Hour)
	text := func(name string) string { return string(public(t, newKey(t, name, made, 0), true)) }
	s := system(t, map[string]string{
		"usr/share/keyrings/debian-archive-keyring.gpg":      text("a"),
		"usr/share/keyrings/debian-archive-removed-keys.gpg": text("b"),
		"usr/share/keyrings/vendor.gpg":                      text("c"),
		"etc/apt/trusted.gpg.d/vendor.asc":                   text("d"),
		"etc/apt/sources.list":                               "deb [signed-by=/usr/share/keyrings/vendor.gpg] https://v.example bookworm main\n",
	})
	if k, err := s.Keyring(); err != nil || k.Len() != 1 {
		t.Errorf("%d keys, %v", k.Len(), err)
	}
	if err := (&Keyring{}).Add("x", []byte("no key")); err == nil {
		t.Error("took no key for one")
	}
}
