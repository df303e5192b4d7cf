package source

import (
	"net/url"
	"path/filepath"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// location is what a caller or a .gitmodules file names: a path, or a URL that we speak.
type location struct {
	path string // local
	url  string // remote: without user information but for the user of ssh
	ssh  bool
}

// parseLocation tells URLs from paths. Transports that run programs, and URLs that carry secrets, are refused
// (CVE-2018-17456, CVE-2025-21613).
func parseLocation(where string) (location, error) {
	unsupported := func() error {
		return fault.Usagef(redactURL(where), "unsupported URL").WithCheck(CheckRepository).
			WithHint("name a folder, or an https or ssh URL without credentials in it (they belong in netrc or an ssh agent)")
	}
	if where == "" || strings.HasPrefix(where, "-") || strings.Contains(where, "::") || hasControl(where) {
		return location{}, unsupported()
	}
	if scheme, _, ok := strings.Cut(where, "://"); ok {
		u, err := url.Parse(where)
		if err != nil || u.RawQuery != "" || u.Fragment != "" || hasControl(u.Path) {
			return location{}, unsupported()
		}
		switch {
		case scheme == "file" && u.User == nil && (u.Host == "" || u.Host == "localhost"):
			return location{path: u.Path}, nil
		case (scheme == "https" || scheme == "http") && u.User == nil && u.Host != "":
			return location{url: strings.TrimSuffix(where, "/")}, nil
		case scheme == "ssh" && safeSSH(u):
			return location{url: strings.TrimSuffix(where, "/"), ssh: true}, nil
		}
		return location{}, unsupported()
	}
	if host, path, ok := scpLike(where); ok {
		u, err := url.Parse("ssh://" + host + "/" + strings.TrimPrefix(path, "/"))
		if err != nil || !safeSSH(u) || strings.HasPrefix(path, "-") {
			return location{}, unsupported()
		}
		return location{url: where, ssh: true}, nil
	}
	return location{path: where}, nil
}

// safeSSH accepts a user name, but no password, and no host that a command line would take for an option.
func safeSSH(u *url.URL) bool {
	_, password := u.User.Password()
	return !password && u.Hostname() != "" && !strings.HasPrefix(u.Hostname(), "-") && !strings.HasPrefix(u.User.Username(), "-") &&
		strings.Trim(u.Path, "/") != ""
}

// scpLike splits "user@host:path", which git reads as ssh unless a slash comes before the colon.
func scpLike(where string) (host, path string, ok bool) {
	host, path, ok = strings.Cut(where, ":")
	if !ok || host == "" || path == "" || strings.ContainsAny(host, `/\`) || filepath.VolumeName(where) != "" {
		return "", "", false
	}
	return host, path, true
}

func hasControl(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) >= 0
}

// redactURL returns where for people: without user information or query.
func redactURL(where string) string {
	if scheme, rest, ok := strings.Cut(where, "://"); ok {
		rest, _, _ = strings.Cut(rest, "?")
		authority, path, _ := strings.Cut(rest, "/")
		authority = authority[strings.LastIndexByte(authority, '@')+1:]
		return fault.Quote(scheme + "://" + authority + "/" + path)
	}
	return fault.Quote(where)
}

// resolveRelative resolves a submodule's relative URL ("../lib") against its superproject's, as git-submodule(1) does.
func resolveRelative(base, relative string) (string, bool) {
	base = strings.TrimSuffix(base, "/")
	separator := "/"
	for {
		rest, up := strings.CutPrefix(relative, "../")
		if !up {
			if rest, ok := strings.CutPrefix(relative, "./"); ok {
				relative = rest
				continue
			}
			break
		}
		relative = rest
		cut := strings.LastIndexAny(base, "/:")
		// neither the scheme nor the host may be eaten up
		if cut < 0 || strings.HasSuffix(base[:cut+1], "://") {
			return "", false
		}
		separator = base[cut : cut+1]
		base = base[:cut]
		if strings.HasSuffix(base, ":/") || base == "" {
			return "", false
		}
	}
	if relative == "" || relative == ".." {
		return "", false
	}
	return base + separator + strings.TrimSuffix(relative, "/"), true
}
