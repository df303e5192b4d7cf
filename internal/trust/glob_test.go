package trust_test

import (
	"strings"
	"testing"
	"time"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/trust"
)

func TestGlobMatch(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, subject string
		want             bool
	}{
		{"https://forge.example/acme/tool", "https://forge.example/acme/tool", true},
		{"https://forge.example/acme/tool", "https://forge.example/acme/tool-evil", false},
		{"https://forge.example/acme/tool", "https://forge.example/acme/too", false},
		{"https://forge.example/acme/*", "https://forge.example/acme/tool", true},
		{"https://forge.example/acme/*", "https://forge.example/acme/", true},
		{"https://forge.example/acme/*", "https://forge.example/acme/tool/evil", false},
		{"https://forge.example/acme/*", "https://forge.example/acme-evil/tool", false},
		{"https://forge.example/acme/*", "xhttps://forge.example/acme/tool", false},
		{"https://f.example/a/b.yml@refs/tags/v*", "https://f.example/a/b.yml@refs/tags/v1.2", true},
		{"https://f.example/a/b.yml@refs/tags/v*", "https://f.example/a/b.yml@refs/heads/v1", false},
		{"https://f.example/a/b.yml@refs/tags/v1.*", "https://f.example/a/b.yml@refs/tags/v1.9", true},
		{"https://f.example/a/*b*c", "https://f.example/a/xbybzc", true},
		{"https://f.example/a/*b*c", "https://f.example/a/xcyb", false},
		{"https://f.example/a/*/w/*", "https://f.example/a/r/w/x", true},
		{"https://f.example/a/*/w/*", "https://f.example/a/r/s/w/x", false},
		{"*@example.org", "alice@example.org", true},
		{"*@example.org", "alice@example.org.evil", false},
		{"*@example.org", "alice/x@example.org", false},
		{"alice+git@example.org", "alice+git@example.org", true},
		{"alice@example.org", "ALICE@example.org", false},
	} {
		g, err := trust.ParseIdentity(c.pattern)
		if err != nil {
			t.Errorf("%s: %v", c.pattern, err)
			continue
		}
		if got := g.Match(c.subject); got != c.want {
			t.Errorf("%s on %s: %v, want %v", c.pattern, c.subject, got, c.want)
		}
	}
	if (trust.Glob{}).Match("") {
		t.Error("the zero glob matches")
	}
}

func TestGlobRefusals(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{
		"", "*", "**", ".*", ".+", "*@*", "*@*.example.org", "https://*", "https://*/acme/tool", "https://forge.example/*",
		"https://forge.example/*/tool", "*://forge.example/acme", "http*", "^https://forge.example/acme$", `https://forge\.example/acme`,
		"https://forge.example/(acme|evil)", "https://forge.example/acme/[a-z]", "https://forge.example/acme/.*", "acme.*@example.org",
		"https://forge.example/acme/**", "https:///acme/*", "https://forge.example/acme/x y*", "alice@example.org\n", "a\u202eb",
		"https://forge.example/acme/" + strings.Repeat("a", trust.MaxPattern),
	} {
		g, err := trust.ParseIdentity(pattern)
		if err == nil || !g.IsZero() || fault.ClassOf(err) != fault.Usage {
			t.Errorf("%q: accepted or wrong class: %v", pattern, err)
		}
	}
	if _, err := trust.ParseIssuer("https://issuer.example/*"); err != nil {
		t.Error(err)
	}
	if _, err := trust.ParseIssuer("https://*.example/x"); err == nil {
		t.Error("issuer with a wild host accepted")
	}
}

func FuzzGlob(f *testing.F) {
	f.Add("https://f.example/a/*b*c", "https://f.example/a/xbybzc", "https://f.example/a/*")
	f.Add("*@example.org", "alice@example.org", "a*@example.org")
	f.Fuzz(func(t *testing.T, pattern, subject, other string) {
		g, err := trust.ParseIdentity(pattern)
		if err != nil {
			return
		}
		if !strings.Contains(pattern, "*") && g.Match(subject) != (pattern == subject) {
			t.Fatalf("exact %q on %q", pattern, subject)
		}
		if g.Match(subject) && strings.Count(subject, "/") != strings.Count(pattern, "/") {
			t.Fatalf("%q crossed a slash in %q", pattern, subject)
		}
		if h, err := trust.ParseIdentity(other); err == nil {
			if g.Match(subject) && h.Match(subject) && !g.Overlaps(h) {
				t.Fatalf("%q fits %q and %q, which are said not to overlap", subject, pattern, other)
			}
			if g.Overlaps(h) != h.Overlaps(g) {
				t.Fatalf("overlap of %q and %q is lopsided", pattern, other)
			}
		}
	})
}

func TestWindow(t *testing.T) {
	t.Parallel()
	w, err := trust.ParseWindow("2025-01-01..2027-12-31")
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range map[string]bool{
		"2024-12-31T23:59:59Z": false, "2025-01-01T00:00:00Z": true, "2027-12-31T23:59:59Z": true, "2028-01-01T00:00:00Z": false,
		"2027-12-31T23:59:59-01:00": false,
	} {
		when, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if w.Contains(when) != want {
			t.Errorf("%s: %v", at, !want)
		}
	}
	for _, bad := range []string{"", "..", "2025-01-01", "2025-13-01..", "2027-01-02..2027-01-01", "2025-1-1..", "tomorrow..", "2025-01-01...2026-01-01"} {
		if _, err := trust.ParseWindow(bad); err == nil || fault.ClassOf(err) != fault.Usage {
			t.Errorf("%q: %v", bad, err)
		}
	}
	open, err := trust.ParseWindow("..2026-01-01")
	if err != nil || !open.Contains(time.Unix(0, 0)) || open.String() != "..2026-01-02T00:00:00Z" {
		t.Errorf("%v %v", open, err)
	}
}
