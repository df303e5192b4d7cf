package npm

import (
	"maps"
	"strings"
	"testing"
)

func TestReadNpmrc(t *testing.T) {
	t.Parallel()
	c := Config{Scopes: map[string]string{}, Auth: map[string]string{}}
	err := c.read(strings.NewReader("; comment\n# comment\nregistry = https://npm.corp.example/root/\n@acme:registry=https://acme.example/npm/\n"+
		"//npm.corp.example/root/:_authToken=${TOKEN}\n//acme.example/:_auth=dXNlcjpwYXNz\n//bad.example/:_auth=%%%\nnonsense\n"),
		func(name string) string { return map[string]string{"TOKEN": "t0k"}[name] })
	if err != nil {
		t.Fatal(err)
	}
	if c.Registry != "https://npm.corp.example/root" || !maps.Equal(c.Scopes, map[string]string{"@acme": "https://acme.example/npm"}) {
		t.Errorf("%+v", c)
	}
	for name, want := range map[string][2]string{
		"left":        {"https://npm.corp.example/root", "Bearer t0k"},
		"@other/left": {"https://npm.corp.example/root", "Bearer t0k"},
		"@acme/left":  {"https://acme.example/npm", "Basic dXNlcjpwYXNz"},
	} {
		r := c.RegistryOf(name)
		if r != want[0] || c.AuthFor(r) != want[1] {
			t.Errorf("%s: %s, %q", name, r, c.AuthFor(r))
		}
	}
	for _, foreign := range []string{"https://npm.corp.example", "https://npm.corp.example.evil.example/root", "https://x.example", "", "https://"} {
		if got := c.AuthFor(foreign); got != "" {
			t.Errorf("%q gets %q", foreign, got)
		}
	}
}

func TestBadRegistries(t *testing.T) {
	t.Parallel()
	for _, r := range []string{"", "ftp://x", "https://", "https://user:pass@x.example", "https://x.example?y"} {
		if err := (Config{Registry: r}).Check(); err == nil {
			t.Errorf("%q: accepted", r)
		}
	}
}
