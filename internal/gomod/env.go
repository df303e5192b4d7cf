package gomod

import (
	"cmp"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/note"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/pattern"
	"github.com/glassbuild/glassbuild/internal/remote"
)

// ChecksumDatabaseKey is the verifier key of the Go checksum database, as the go command carries it.
const ChecksumDatabaseKey = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"

// ToolchainModule is the module that toolchains are published as (https://go.dev/doc/toolchain).
const ToolchainModule = "golang.org/toolchain"

// Env is the part of a Go configuration that says where modules come from and who vouches for them. LoadEnv reads the user's.
type Env struct {
	GOPROXY, GONOPROXY, GOPRIVATE string
	GOSUMDB, GONOSUMDB            string // no GOSUMDB is the Go checksum database
}

// WithKey returns the configuration with the checksum database pinned: it is asked about every module, and only what is signed
// with key counts. GOSUMDB keeps nothing but its say in where the database is reached.
func (e Env) WithKey(key string) Env {
	pinned := Env{GOPROXY: e.GOPROXY, GONOPROXY: e.GONOPROXY, GOPRIVATE: e.GOPRIVATE, GOSUMDB: key}
	if f := strings.Fields(e.GOSUMDB); len(f) == 2 {
		if _, err := parseAddress(f[1]); err == nil {
			pinned.GOSUMDB += " " + f[1]
		}
	}
	return pinned
}

// Database is the checksum database of a configuration.
type Database struct {
	Name string // "" when it is switched off
	Key  string
	url  *url.URL // where it is reached when it is not reached through the proxies; nil for https://Name
}

// Database reads GOSUMDB: "off", the name of the Go checksum database, or a key, each with an optional URL.
func (e Env) Database() (Database, error) {
	f := strings.Fields(cmp.Or(e.GOSUMDB, ChecksumDatabaseKey))
	switch {
	case len(f) == 1 && f[0] == "off":
		return Database{}, nil
	case len(f) == 0 || len(f) > 2:
		return Database{}, fault.Usagef("GOSUMDB", "want a name or key, and at most a URL: %q", e.GOSUMDB)
	}
	if name, _, _ := strings.Cut(ChecksumDatabaseKey, "+"); f[0] == name {
		f[0] = ChecksumDatabaseKey
	}
	v, err := note.NewVerifier(f[0])
	if err != nil {
		return Database{}, fault.Inconclusivef("GOSUMDB", "the key of %q is not known: %w", f[0], err).
			WithHint("write the database's full verifier key into GOSUMDB")
	}
	db := Database{Name: v.Name(), Key: f[0]}
	if !databaseName.MatchString(db.Name) {
		return Database{}, fault.Usagef("GOSUMDB", "unusable database name %q", db.Name)
	}
	if len(f) == 2 {
		if db.url, err = parseAddress(f[1]); err != nil {
			return Database{}, fault.Usagef("GOSUMDB", "%w", err)
		}
	}
	return db, nil
}

// databaseName is a host name with an optional port and path, none of it in need of escaping.
var databaseName = pattern.New(`^[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]+)?(/[A-Za-z0-9][A-Za-z0-9._-]*)*$`)

// private tells whether the checksum database must not be asked for a module. The toolchain is never private.
func (e Env) private(path string) bool {
	return path != ToolchainModule && module.MatchPrefixPatterns(e.GONOSUMDB, path)
}

// proxy is one entry of GOPROXY.
type proxy struct {
	url    *url.URL // https, http or file; nil for the words off and direct
	always bool     // the next entry is tried after any error ("|"), not only when this one does not have it (",")
	off    bool
	direct bool
}

// proxies parses GOPROXY as the go command does.
func (e Env) proxies() ([]proxy, error) {
	var list []proxy
	rest := e.GOPROXY
	for rest != "" {
		word, always := rest, false
		if i := strings.IndexAny(rest, ",|"); i >= 0 {
			word, always, rest = rest[:i], rest[i] == '|', rest[i+1:]
		} else {
			rest = ""
		}
		if word = strings.TrimSpace(word); word == "" {
			continue
		}
		p, err := parseProxy(word)
		if err != nil {
			return nil, err
		}
		p.always = always
		if list = append(list, p); p.off || p.direct {
			break // nothing after them is looked at
		}
		if len(list) > maxProxies {
			return nil, fault.Usagef("GOPROXY", "more than %d proxies", maxProxies)
		}
	}
	if len(list) == 0 {
		return nil, fault.Inconclusivef("GOPROXY", "the Go configuration names no module proxy").WithHint("set GOPROXY, or `go env -w GOPROXY=…`")
	}
	return list, nil
}

func parseProxy(word string) (proxy, error) {
	switch word {
	case "off":
		return proxy{off: true}, nil
	case "direct":
		return proxy{direct: true}, nil
	}
	raw := word
	if strings.ContainsAny(word, ".:/") && !strings.Contains(word, ":/") && !filepath.IsAbs(word) {
		raw = "https://" + word
	}
	u, err := parseAddress(raw)
	if err != nil {
		return proxy{}, fault.Usagef("GOPROXY", "%w", err).WithHint("https://, http:// or file:///, off, direct; credentials belong in netrc")
	}
	return proxy{url: u}, nil
}

// PlainHTTP returns the hosts that the configuration names with http, which the connection rules must let through.
func (e Env) PlainHTTP() []string {
	var addresses []*url.URL
	list, _ := e.proxies()
	for _, p := range list {
		addresses = append(addresses, p.url)
	}
	if f := strings.Fields(e.GOSUMDB); len(f) == 2 {
		u, _ := parseAddress(f[1])
		addresses = append(addresses, u)
	}
	var hosts []string
	for _, u := range addresses {
		if u != nil && u.Scheme == "http" && !slices.Contains(hosts, u.Host) {
			hosts = append(hosts, u.Host)
		}
	}
	return hosts
}

// Proxies is GOPROXY for people: without the credentials that an address may hold.
func (e Env) Proxies() string {
	var b strings.Builder
	for rest := e.GOPROXY; rest != ""; {
		i := strings.IndexAny(rest, ",|")
		if i < 0 {
			i = len(rest)
		}
		if entry := strings.TrimSpace(rest[:i]); strings.Contains(entry, "://") {
			b.WriteString(remote.Redact(entry))
		} else {
			b.WriteString(fault.Quote(entry))
		}
		if i < len(rest) {
			b.WriteByte(rest[i])
			i++
		}
		rest = rest[i:]
	}
	return b.String()
}
