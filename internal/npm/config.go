// Package npm reads the user's own configuration of npm and speaks the registry's protocol, as far as a rebuild needs it: what a
// registry says of one version, and its tarball
// (https://github.com/npm/registry/blob/main/docs/REGISTRY-API.md).
//
// What it promises: registries and credentials come from npm's configuration alone, never from a project or an artefact; a
// tarball comes from the registry's own host; credentials go to the registry that they are for and nowhere else; a tarball is
// good only when it has the integrity that was asked for (https://www.w3.org/TR/SRI/, SHA-256 or stronger).
package npm

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/pattern"
)

// Config says which registries the user has configured. It never enters a sandbox.
type Config struct {
	Registry string            // without a trailing slash
	Scopes   map[string]string // "@scope" → registry
	Auth     map[string]string // "//host/path" → value of the Authorization header
}

// Registries lists every registry that is configured.
func (c Config) Registries() []string {
	list := []string{}
	if c.Registry != "" {
		list = append(list, c.Registry)
	}
	for _, r := range c.Scopes {
		list = append(list, r)
	}
	return list
}

// RegistryOf returns the registry of a package: that of its scope, or the default one.
func (c Config) RegistryOf(name string) string {
	scope, _, scoped := strings.Cut(name, "/")
	if r := c.Scopes[scope]; scoped && r != "" {
		return r
	}
	return c.Registry
}

// AuthFor returns the credentials for a registry: those of the longest path that leads to it, as npm looks them up.
func (c Config) AuthFor(registry string) string {
	_, rest, ok := strings.Cut(registry, ":")
	for ok && len(rest) > len("//") {
		if v := c.Auth[rest]; v != "" {
			return v
		}
		i := strings.LastIndexByte(rest, '/')
		if i < len("//") {
			break
		}
		rest = rest[:i]
	}
	return ""
}

// Check refuses a configuration that names no registry, or one whose address cannot be used.
func (c Config) Check() error {
	for _, r := range c.Registries() {
		u, err := url.Parse(r)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" {
			return fault.Usagef("npm registry", "unsupported URL %s", fault.Quote(r))
		}
	}
	if c.Registry == "" {
		return fault.Usagef("npm registry", "none is configured").WithHint("npm config set registry https://…")
	}
	return nil
}

// LoadConfig reads the environment and the user's .npmrc (https://docs.npmjs.com/cli/configuring-npm/npmrc). When neither names a
// registry, the installed npm is asked for its own.
func LoadConfig(ctx context.Context) (Config, error) {
	c := Config{Scopes: map[string]string{}, Auth: map[string]string{}}
	name := getenv("npm_config_userconfig")
	if name == "" {
		if home, err := os.UserHomeDir(); err == nil {
			name = filepath.Join(home, ".npmrc")
		}
	}
	f, err := os.Open(name)
	if err == nil {
		defer f.Close()
		err = c.read(io.LimitReader(f, maxSettings), os.Getenv)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return c, fault.Usagef(name, "%w", err)
	}
	if r := getenv("npm_config_registry"); r != "" {
		c.Registry = strings.TrimSuffix(r, "/")
	}
	if c.Registry == "" {
		cmd := exec.CommandContext(ctx, "npm", "config", "get", "registry")
		cmd.Dir = os.TempDir() // no .npmrc of a stranger
		out, err := cmd.Output()
		if err != nil {
			return c, fault.Inconclusivef("npm registry", "none is configured, and npm cannot be asked: %w", err).WithHint("set registry in ~/.npmrc")
		}
		c.Registry = strings.TrimSuffix(strings.TrimSpace(string(out)), "/")
	}
	return c, nil
}

// getenv reads a setting of npm's, whose names are written in either case.
func getenv(name string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return os.Getenv(strings.ToUpper(name))
}

var npmVariable = pattern.New(`\$\{([^}]+)\}`)

// read takes what matters here out of an .npmrc file.
func (c *Config) read(r io.Reader, env func(string) string) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxSettings)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		key, value, ok := strings.Cut(line, "=")
		if !ok || line[0] == '#' || line[0] == ';' {
			continue
		}
		value = strings.Trim(strings.TrimSpace(value), `"`)
		value = npmVariable.Regexp().ReplaceAllStringFunc(value, func(v string) string { return env(v[2 : len(v)-1]) })
		c.set(strings.TrimSpace(key), value)
	}
	return lines.Err()
}

func (c *Config) set(key, value string) {
	if key == "registry" {
		c.Registry = strings.TrimSuffix(value, "/")
		return
	}
	if scope, ok := strings.CutSuffix(key, ":registry"); ok && strings.HasPrefix(scope, "@") {
		c.Scopes[scope] = strings.TrimSuffix(value, "/")
		return
	}
	place, name, ok := strings.Cut(key, "/:")
	if !ok || !strings.HasPrefix(place, "//") || value == "" {
		return
	}
	switch name {
	case "_authToken":
		c.Auth[place] = "Bearer " + value
	case "_auth":
		if _, err := base64.StdEncoding.DecodeString(value); err == nil {
			c.Auth[place] = "Basic " + value
		}
	}
}
