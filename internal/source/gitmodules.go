package source

import (
	"net/url"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// declared is one submodule as .gitmodules declares it.
type declared struct{ name, path, url string }

// parseGitmodules reads a .gitmodules file, and refuses what has made git run programs or write outside: names and
// paths that climb, options in place of URLs, control characters (CVE-2018-11235, CVE-2018-17456, CVE-2025-48384).
func parseGitmodules(text string) (map[string]declared, error) {
	settings, ok := parseConfig(text)
	if !ok {
		return nil, fault.Failf(".gitmodules", "malformed").WithCheck(CheckSubmodules)
	}
	byName := make(map[string]*declared)
	var order []string
	for _, s := range settings {
		rest, ok := strings.CutPrefix(s.key, "submodule.")
		dot := strings.LastIndexByte(rest, '.')
		if !ok || dot < 0 {
			continue
		}
		name, variable := rest[:dot], rest[dot+1:]
		if byName[name] == nil {
			if len(order) == maxSubmodules {
				return nil, fault.Failf(".gitmodules", "more than %d submodules: exceeds limit", maxSubmodules).WithCheck(CheckSubmodules)
			}
			byName[name] = &declared{name: name}
			order = append(order, name)
		}
		d := byName[name]
		var field *string
		switch variable {
		case "path":
			field = &d.path
		case "url":
			field = &d.url
		default:
			continue
		}
		if *field != "" && *field != s.value {
			return nil, unsafeSubmodule(name, "declares its "+variable+" twice")
		}
		*field = s.value
	}
	byPath := make(map[string]declared)
	for _, name := range order {
		d := *byName[name]
		if err := d.check(); err != nil {
			return nil, err
		}
		if other, twice := byPath[d.path]; twice && d.path != "" {
			return nil, unsafeSubmodule(name, "has the path of "+fault.Quote(other.name))
		}
		byPath[d.path] = d
	}
	return byPath, nil
}

func unsafeSubmodule(name, why string) error {
	return fault.Failf("submodule "+fault.Quote(name), "unsafe submodule: %s", why).WithCheck(CheckSubmodules)
}

func (d declared) check() error {
	switch {
	case d.name == "" || hasControl(d.name) || climbs(d.name):
		return unsafeSubmodule(d.name, "bad name")
	case strings.HasPrefix(d.path, "-") || hasControl(d.path) || climbs(d.path) || strings.HasPrefix(d.path, "/"):
		return unsafeSubmodule(d.name, "bad path "+fault.Quote(d.path))
	case !safeURL(d.url):
		return unsafeSubmodule(d.name, "bad URL "+redactURL(d.url))
	}
	return nil
}

// climbs tells whether some system takes s for a path that leads upwards.
func climbs(s string) bool {
	for part := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == '/' || r == '\\' }) {
		if part == ".." {
			return true
		}
	}
	return strings.HasPrefix(s, `\`)
}

// safeURL applies git's check_submodule_url; what is empty is judged when it is needed.
func safeURL(raw string) bool {
	if strings.HasPrefix(raw, "-") || strings.Contains(raw, "::") || hasControl(raw) {
		return false
	}
	plain, err := url.PathUnescape(raw)
	if err != nil {
		plain = raw
	}
	return !hasControl(plain) && !strings.HasPrefix(plain, "-")
}

// isRelative tells whether a submodule's URL is meant to be resolved against its superproject's.
func isRelative(raw string) bool {
	return strings.HasPrefix(raw, "./") || strings.HasPrefix(raw, "../")
}
