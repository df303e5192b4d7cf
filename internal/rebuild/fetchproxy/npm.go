package fetchproxy

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// NPM is the npm registry protocol in front of the registries of cfg: packuments (what a registry says of a package, in
// full or abbreviated) and tarballs. base is where the sandbox finds the proxy, such as "http://127.0.0.1:8081"; the
// addresses of tarballs in packuments are rewritten to it. A tarball is fetched from its registry's own host and no
// other.
func NPM(cfg NPMConfig, client *http.Client, base string) (Ecosystem, error) {
	for _, r := range cfg.registries() {
		u, err := url.Parse(r)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" {
			return nil, fault.Usagef("npm registry", "unsupported URL %s", fault.Quote(r))
		}
	}
	if cfg.Registry == "" {
		return nil, fault.Usagef("npm registry", "none is configured").WithHint("npm config set registry https://…")
	}
	return &npm{cfg: cfg, client: client, base: strings.TrimSuffix(base, "/"), tarballs: map[string]string{}}, nil
}

type npm struct {
	cfg    NPMConfig
	client *http.Client
	base   string

	mu       sync.Mutex
	tarballs map[string]string // canonical path → address, as packuments gave it
}

func (*npm) Name() string { return "npm" }

// Prefix is the root: npm keeps the path of an address when it replaces the host in it.
func (*npm) Prefix() string { return "/" }

const (
	abbreviated = "application/vnd.npm.install-v1+json"
	fullSuffix  = "?full" // tells the full packument's key from the abbreviated one's; no request contains it
)

var (
	npmName    = regexp.MustCompile(`^(@[A-Za-z0-9~][A-Za-z0-9._~-]*/)?[A-Za-z0-9~][A-Za-z0-9._~-]*$`)
	npmTarball = regexp.MustCompile(`^[A-Za-z0-9~][A-Za-z0-9._~+-]*\.tgz$`)
)

const maxNpmName = 214 // https://docs.npmjs.com/cli/configuring-npm/package-json#name

func validName(name string) bool { return len(name) <= maxNpmName && npmName.MatchString(name) }

func (n *npm) Resolve(p string, header http.Header) (Resource, error) {
	if name, file, ok := strings.Cut(p, "/-/"); ok && validName(name) && npmTarball.MatchString(file) {
		return Resource{Path: p, Limit: maxTarball, Type: "application/octet-stream"}, nil
	}
	if !validName(p) {
		return Resource{}, fault.Failf(fault.Quote(p), "no package and no tarball")
	}
	if strings.Contains(header.Get("Accept"), abbreviated) {
		return Resource{Path: p, Limit: maxPackument, Type: abbreviated}, nil
	}
	return Resource{Path: p + fullSuffix, Limit: maxPackument, Type: "application/json"}, nil
}

func (n *npm) Locked(p string) (Resource, error) {
	header := http.Header{}
	name, full := strings.CutSuffix(p, fullSuffix)
	if !full {
		header.Set("Accept", abbreviated)
	}
	r, err := n.Resolve(name, header)
	if err == nil && r.Path != p {
		err = fault.Failf(fault.Quote(p), "no package and no tarball")
	}
	return r, err
}

func npmPath(p string) error {
	_, err := (&npm{}).Locked(p)
	return err
}

func (n *npm) Open(ctx context.Context, r Resource) (io.ReadCloser, error) {
	if name, file, ok := strings.Cut(r.Path, "/-/"); ok {
		registry := n.cfg.registryOf(name)
		n.mu.Lock()
		address := n.tarballs[r.Path]
		n.mu.Unlock()
		if address == "" {
			address = registry + "/" + name + "/-/" + file
		}
		return n.get(ctx, registry, address, "*/*")
	}
	name, full := strings.CutSuffix(r.Path, fullSuffix)
	accept := abbreviated + "; q=1.0, application/json; q=0.8"
	if full {
		accept = "application/json"
	}
	registry := n.cfg.registryOf(name)
	body, err := n.get(ctx, registry, registry+"/"+strings.Replace(name, "/", "%2f", 1), accept)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	data, err := io.ReadAll(io.LimitReader(body, maxPackument+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxPackument {
		return nil, fault.Failf(fault.Quote(name), "exceeds %d bytes", maxPackument)
	}
	if data, err = n.rewrite(name, registry, data); err != nil {
		return nil, fault.Inconclusivef(fault.Quote(name), "malformed packument: %w", err)
	}
	return io.NopCloser(bytes.NewReader(data)), nil
}

// get asks a registry, with the credentials that npm's configuration has for it.
func (n *npm) get(ctx context.Context, registry, address, accept string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fault.Usagef("npm registry", "unsupported URL %s", fault.Quote(address))
	}
	req.Header.Set("Accept", accept)
	if auth := n.cfg.authFor(registry); auth != "" && strings.HasPrefix(address, registry+"/") {
		req.Header.Set("Authorization", auth)
	}
	resp, err := n.client.Do(req)
	if err != nil {
		return nil, err
	}
	switch resp.StatusCode {
	case http.StatusOK:
		return resp.Body, nil
	case http.StatusNotFound, http.StatusGone:
		err = fs.ErrNotExist
	default:
		err = fmt.Errorf("server answered %d", resp.StatusCode)
	}
	resp.Body.Close()
	return nil, fault.Inconclusivef(fault.Quote(req.URL.Redacted()), "%w", err)
}

// rewrite points every dist.tarball at the proxy, under a path made of name and version alone, and remembers where it
// was. Keys come out sorted, so that the same packument gives the same bytes.
func (n *npm) rewrite(name, registry string, data []byte) ([]byte, error) {
	var doc, versions map[string]json.RawMessage
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, err
	}
	if raw, ok := doc["versions"]; ok {
		if err := json.Unmarshal(raw, &versions); err != nil {
			return nil, err
		}
	}
	for version, raw := range versions {
		changed, err := n.rewriteVersion(name, registry, version, raw)
		if err != nil {
			return nil, fmt.Errorf("version %q: %w", version, err)
		}
		versions[version] = changed
	}
	if versions != nil {
		raw, err := json.Marshal(versions)
		if err != nil {
			return nil, err
		}
		doc["versions"] = raw
	}
	return json.Marshal(doc)
}

func (n *npm) rewriteVersion(name, registry, version string, data []byte) ([]byte, error) {
	var doc, dist map[string]json.RawMessage
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, err
	}
	if doc["dist"] == nil {
		return data, nil
	}
	if err := json.Unmarshal(doc["dist"], &dist); err != nil {
		return nil, err
	}
	var address string
	if err := json.Unmarshal(dist["tarball"], &address); err != nil {
		return nil, err
	}
	p := tarballPath(name, version)
	if _, err := n.Resolve(p, nil); err != nil {
		return nil, err
	}
	if !sameHost(registry, address) {
		address = "" // asked for under its usual address at the registry itself, or not at all
	}
	n.mu.Lock()
	n.tarballs[p] = address
	n.mu.Unlock()
	var err error
	if dist["tarball"], err = json.Marshal(n.base + "/" + p); err != nil {
		return nil, err
	}
	if doc["dist"], err = json.Marshal(dist); err != nil {
		return nil, err
	}
	return json.Marshal(doc)
}

// tarballPath is the canonical path of one version's tarball.
func tarballPath(name, version string) string {
	return name + "/-/" + name[strings.IndexByte(name, '/')+1:] + "-" + version + ".tgz"
}

func sameHost(registry, address string) bool {
	r, errR := url.Parse(registry)
	a, errA := url.Parse(address)
	return errR == nil && errA == nil && r.Scheme == a.Scheme && r.Host == a.Host && a.User == nil
}

// NPMEnv is the environment of a step that runs npm against the proxy at base. User and global settings must be two
// different files; neither exists.
func NPMEnv(base string) map[string]string {
	return map[string]string{
		"npm_config_registry":              strings.TrimSuffix(base, "/") + "/",
		"npm_config_replace_registry_host": "always",
		"npm_config_userconfig":            "/dev/null",
		"npm_config_globalconfig":          "/dev/null/none",
		"npm_config_audit":                 "false",
		"npm_config_fund":                  "false",
		"npm_config_update_notifier":       "false",
	}
}
