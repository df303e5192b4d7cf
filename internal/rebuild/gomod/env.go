package gomod

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/note"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/remote"
)

// Env is the part of a Go configuration that says where modules come from and who vouches for them.
type Env struct {
	GOPROXY, GONOPROXY, GOPRIVATE string
	GOSUMDB, GONOSUMDB            string
	// Keys are the verifier keys of the checksum databases that go by their name alone in GOSUMDB.
	Keys map[string]string
}

// LoadEnv asks the installed go command for the user's configuration: environment, `go env -w`, and its defaults.
func LoadEnv(ctx context.Context) (Env, error) {
	goCommand, err := exec.LookPath("go")
	if err != nil {
		return Env{}, fault.Inconclusivef("go", "no Go configuration: %w", err).WithHint("install Go, or name a file with --recipe that needs no Go modules")
	}
	cmd := exec.CommandContext(ctx, goCommand, "env", "-json", "GOPROXY", "GONOPROXY", "GOPRIVATE", "GOSUMDB", "GONOSUMDB", "GOROOT")
	cmd.Dir = os.TempDir() // no go.mod or go.work of a stranger
	cmd.Env = append(os.Environ(), "GOTOOLCHAIN=local", "GOWORK=off", "GO111MODULE=on", "GOFLAGS=")
	out, err := cmd.Output()
	if err != nil {
		return Env{}, fault.Inconclusivef("go env", "%w", err)
	}
	var got struct{ GOPROXY, GONOPROXY, GOPRIVATE, GOSUMDB, GONOSUMDB, GOROOT string }
	if err := json.Unmarshal(out, &got); err != nil {
		return Env{}, fault.Inconclusivef("go env", "%w", err)
	}
	return Env{
		GOPROXY: got.GOPROXY, GONOPROXY: cmp.Or(got.GONOPROXY, got.GOPRIVATE), GOPRIVATE: got.GOPRIVATE,
		GOSUMDB: got.GOSUMDB, GONOSUMDB: cmp.Or(got.GONOSUMDB, got.GOPRIVATE), Keys: keysOf(got.GOROOT),
	}, nil
}

var keyLine = regexp.MustCompile(`(?m)^\s*"([^"+]+)":\s*"([^"]+)",$`)

// keysOf reads the keys that the installed go command was built with from its source.
func keysOf(goRoot string) map[string]string {
	keys := map[string]string{}
	name := filepath.Join(goRoot, "src", "cmd", "go", "internal", "modfetch", "key.go")
	if info, err := os.Stat(name); err != nil || info.Size() > maxKeyFile {
		return keys
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return keys
	}
	for _, m := range keyLine.FindAllStringSubmatch(string(data), -1) {
		if v, err := note.NewVerifier(m[2]); err == nil && v.Name() == m[1] {
			keys[m[1]] = m[2]
		}
	}
	return keys
}

// Database is the checksum database of a configuration.
type Database struct {
	Name string // "" when it is switched off
	Key  string
	URL  string // where it is reached when it is not reached through the proxies; "" for https://Name
}

// Database reads GOSUMDB: "off", a known name, or a key, each with an optional URL.
func (e Env) Database() (Database, error) {
	f := strings.Fields(e.GOSUMDB)
	switch {
	case len(f) == 1 && f[0] == "off":
		return Database{}, nil
	case len(f) == 0 || len(f) > 2:
		return Database{}, fault.Usagef("GOSUMDB", "want a name or key, and at most a URL: %q", e.GOSUMDB)
	}
	if key, ok := e.Keys[f[0]]; ok {
		f[0] = key
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
		if u, err := url.Parse(f[1]); err != nil || u.Host == "" {
			return Database{}, fault.Usagef("GOSUMDB", "bad URL %s", fault.Quote(f[1]))
		}
		db.URL = strings.TrimSuffix(f[1], "/")
	}
	return db, nil
}

// databaseName is a host name with an optional port and path, none of it in need of escaping.
var databaseName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]+)?(/[A-Za-z0-9][A-Za-z0-9._-]*)*$`)

// private tells whether the checksum database must not be asked for a module. The toolchain is never private.
func (e Env) private(path string) bool {
	return path != "golang.org/toolchain" && module.MatchPrefixPatterns(e.GONOSUMDB, path)
}

// proxy is one entry of GOPROXY.
type proxy struct {
	url      *url.URL
	always   bool // the next entry is tried after any error ("|"), not only when this one does not have it (",")
	off      bool
	direct   bool
	original string
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
	}
	if len(list) == 0 || len(list) > maxProxies {
		return nil, fault.Usagef("GOPROXY", "%d entries, want 1 to %d", len(list), maxProxies)
	}
	return list, nil
}

func parseProxy(word string) (proxy, error) {
	switch word {
	case "off":
		return proxy{off: true, original: word}, nil
	case "direct":
		return proxy{direct: true, original: word}, nil
	}
	raw := word
	if strings.ContainsAny(word, ".:/") && !strings.Contains(word, ":/") && !filepath.IsAbs(word) {
		raw = "https://" + word
	}
	u, err := url.Parse(raw)
	if err != nil {
		return proxy{}, fault.Usagef("GOPROXY", "%w", errors.New("malformed URL"))
	}
	switch {
	case u.Scheme == "file" && u.Host == "" && filepath.IsAbs(u.Path):
	case (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.RawQuery == "" && u.Fragment == "":
	default:
		return proxy{}, fault.Usagef("GOPROXY", "unsupported URL %s", fault.Quote(u.Redacted())).WithHint("https://, http:// or file:///, off, direct")
	}
	return proxy{url: u, original: u.Redacted()}, nil
}

// PlainHTTP returns the hosts that the configuration names with http, which the connection rules must let through.
func (e Env) PlainHTTP() []string {
	var hosts []string
	list, _ := e.proxies()
	for _, p := range list {
		if p.url != nil && p.url.Scheme == "http" && !slices.Contains(hosts, p.url.Host) {
			hosts = append(hosts, p.url.Host)
		}
	}
	if db, err := e.Database(); err == nil && strings.HasPrefix(db.URL, "http://") {
		if u, err := url.Parse(db.URL); err == nil {
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
