package builder

import (
	"errors"
	"io"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/mod/module"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/remote"
)

// GoEnv is what the user's own Go configuration says about where modules come from, as `go env` would print it.
type GoEnv struct {
	Proxy   string // GOPROXY
	NoProxy string // GONOPROXY, else GOPRIVATE: modules that no proxy may be asked for
	SumDB   string // GOSUMDB; only its URL is used, never its key
	Auth    string // GOAUTH
}

// ReadGoEnv reads the configuration in the order of the go command: the environment, the user's go/env file, the go.env of
// the installation that is on PATH. It executes nothing.
func ReadGoEnv() (GoEnv, error) {
	var files []map[string]string
	if path := userEnvFile(); path != "" {
		env, err := readEnvFile(path)
		if err != nil {
			return GoEnv{}, err
		}
		files = append(files, env)
	}
	if path := installedEnvFile(); path != "" {
		env, err := readEnvFile(path)
		if err != nil {
			return GoEnv{}, err
		}
		files = append(files, env)
	}
	return goEnvFrom(os.Getenv, files), nil
}

func goEnvFrom(getenv func(string) string, files []map[string]string) GoEnv {
	get := func(name string) string {
		if v := getenv(name); v != "" {
			return v
		}
		for _, f := range files {
			if v := f[name]; v != "" {
				return v
			}
		}
		return ""
	}
	e := GoEnv{Proxy: get("GOPROXY"), NoProxy: get("GONOPROXY"), SumDB: get("GOSUMDB"), Auth: get("GOAUTH")}
	if e.NoProxy == "" {
		e.NoProxy = get("GOPRIVATE")
	}
	return e
}

func userEnvFile() string {
	switch path := os.Getenv("GOENV"); path {
	case "off":
		return ""
	case "":
	default:
		return path
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "go", "env")
}

// installedEnvFile returns GOROOT/go.env of the go command on PATH: it holds the distribution's defaults.
func installedEnvFile() string {
	root := os.Getenv("GOROOT")
	if root == "" {
		path, err := exec.LookPath("go")
		if err != nil {
			return ""
		}
		if path, err = filepath.EvalSymlinks(path); err != nil {
			return ""
		}
		root = filepath.Dir(filepath.Dir(path))
	}
	return filepath.Join(root, "go.env")
}

// readEnvFile reads KEY=VALUE lines as the go command does; a missing file is empty.
func readEnvFile(path string) (map[string]string, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fault.Usagef(path, "%w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxGoEnvFile+1))
	if err != nil {
		return nil, fault.Usagef(path, "%w", err)
	}
	if len(data) > maxGoEnvFile {
		return nil, fault.Usagef(path, "exceeds %d bytes", maxGoEnvFile)
	}
	env := map[string]string{}
	for line := range strings.Lines(string(data)) {
		line = strings.TrimRight(line, "\r\n")
		key, value, ok := strings.Cut(line, "=")
		if !ok || line[0] == '#' || key == "" || key[0] < 'A' || key[0] > 'Z' {
			continue
		}
		if _, seen := env[key]; !seen {
			env[key] = value
		}
	}
	return env, nil
}

// Netrc returns the netrc file that GOAUTH lets the go command read: "" for none. Commands that GOAUTH names are never run.
func (e GoEnv) Netrc() string {
	for part := range strings.SplitSeq(e.Auth, ";") {
		if part = strings.TrimSpace(part); part == "netrc" || part == "" && e.Auth == "" {
			return remote.DefaultNetrc()
		}
	}
	return ""
}

// PlainHTTP returns the hosts that the configuration itself names with http.
func (e GoEnv) PlainHTTP() []string {
	var hosts []string
	proxies, err := e.Proxies()
	if err != nil {
		return nil
	}
	for _, p := range proxies {
		if p.URL.Scheme == "http" {
			hosts = append(hosts, p.URL.Host)
		}
	}
	if u := e.sumDBURL(); u != nil && u.Scheme == "http" {
		hosts = append(hosts, u.Host)
	}
	return hosts
}

// Proxy is one module proxy of GOPROXY.
type Proxy struct {
	URL *url.URL // https, http or file
	// OnAnyError says that the next proxy is asked after every kind of error ("|"), not only where something is not there.
	OnAnyError bool
}

// Proxies returns the module proxies of GOPROXY in their order (https://go.dev/ref/mod#goproxy-protocol). The words direct
// and off end the list: version control is not spoken here.
func (e GoEnv) Proxies() ([]Proxy, error) {
	var out []Proxy
	rest := e.Proxy
	for rest != "" {
		entry, separator := rest, ""
		if i := strings.IndexAny(rest, ",|"); i >= 0 {
			entry, separator, rest = rest[:i], rest[i:i+1], rest[i+1:]
		} else {
			rest = ""
		}
		entry = strings.TrimSpace(entry)
		if entry == "" {
			continue
		}
		if entry == "off" || entry == "direct" {
			break
		}
		if strings.ContainsAny(entry, ".:/") && !strings.Contains(entry, ":/") && !filepath.IsAbs(entry) {
			entry = "https://" + entry
		}
		u, err := url.Parse(entry)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" && u.Scheme != "file" {
			return nil, fault.Usagef("GOPROXY", "unsupported URL %s", remote.Redact(entry))
		}
		if u.User != nil {
			return nil, fault.Usagef("GOPROXY", "unsupported URL %s: user information in it", remote.Redact(entry)).WithHint("keep credentials in netrc")
		}
		if out = append(out, Proxy{URL: u, OnAnyError: separator == "|"}); len(out) > maxProxies {
			return nil, fault.Usagef("GOPROXY", "more than %d proxies", maxProxies)
		}
	}
	return out, nil
}

// refusesProxy tells whether the configuration keeps a module away from proxies.
func (e GoEnv) refusesProxy(path string) bool { return module.MatchPrefixPatterns(e.NoProxy, path) }

// sumDBURL returns the address that GOSUMDB gives for the database, if it gives one.
func (e GoEnv) sumDBURL() *url.URL {
	words := strings.Fields(e.SumDB)
	if len(words) != 2 {
		return nil
	}
	u, err := url.Parse(words[1])
	if err != nil || u.Scheme != "https" && u.Scheme != "http" && u.Scheme != "file" || u.User != nil {
		return nil
	}
	return u
}
