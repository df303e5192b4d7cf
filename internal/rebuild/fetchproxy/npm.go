package fetchproxy

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/npm"
	"github.com/glassbuild/glassbuild/internal/pattern"
)

// NPM is the npm registry protocol in front of registries: packuments (what a registry says of a package, in
// full or abbreviated) and tarballs. base is where the sandbox finds the proxy, such as "http://127.0.0.1:8081"; the
// addresses of tarballs in packuments are rewritten to it. A tarball is fetched from its registry's own host and no
// other.
func NPM(registry npm.Registry, base string) (Ecosystem, error) {
	if err := registry.Config.Check(); err != nil {
		return nil, err
	}
	return &npmEcosystem{registry: registry, base: strings.TrimSuffix(base, "/"), tarballs: map[string]string{}}, nil
}

// NPMReplay is the same protocol without registries: for a closure that is replayed to the sandbox that finds the proxy at base.
func NPMReplay(base string) Ecosystem {
	return &npmEcosystem{base: strings.TrimSuffix(base, "/"), tarballs: map[string]string{}}
}

type npmEcosystem struct {
	registry npm.Registry
	base     string

	mu       sync.Mutex
	tarballs map[string]string // canonical path → address, as packuments gave it
}

func (*npmEcosystem) Name() string { return "npm" }

// Prefix is the root: npm keeps the path of an address when it replaces the host in it.
func (*npmEcosystem) Prefix() string { return "/" }

const (
	abbreviated = npm.Abbreviated
	fullSuffix  = "?full" // tells the full packument's key from the abbreviated one's; no request contains it
)

var npmTarball = pattern.New(`^[A-Za-z0-9~][A-Za-z0-9._~+-]*\.tgz$`)

func (n *npmEcosystem) Resolve(p string, header http.Header) (Resource, error) {
	if name, file, ok := strings.Cut(p, "/-/"); ok && npm.ValidName(name) && npmTarball.MatchString(file) {
		return Resource{Path: p, Limit: npm.MaxTarball, Type: "application/octet-stream"}, nil
	}
	if !npm.ValidName(p) {
		return Resource{}, fault.Failf(fault.Quote(p), "no package and no tarball")
	}
	if strings.Contains(header.Get("Accept"), abbreviated) {
		return Resource{Path: p, Limit: maxPackument, Type: abbreviated}, nil
	}
	return Resource{Path: p + fullSuffix, Limit: maxPackument, Type: "application/json"}, nil
}

func (n *npmEcosystem) Locked(p string) (Resource, error) {
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
	_, err := (&npmEcosystem{}).Locked(p)
	return err
}

func (n *npmEcosystem) Open(ctx context.Context, r Resource) (io.ReadCloser, error) {
	if name, file, ok := strings.Cut(r.Path, "/-/"); ok {
		registry := n.registry.Config.RegistryOf(name)
		n.mu.Lock()
		address := n.tarballs[r.Path]
		n.mu.Unlock()
		if address == "" {
			address = registry + "/" + name + "/-/" + file
		}
		return n.registry.Get(ctx, registry, address, "*/*")
	}
	name, full := strings.CutSuffix(r.Path, fullSuffix)
	accept := abbreviated + "; q=1.0, application/json; q=0.8"
	if full {
		accept = "application/json"
	}
	registry := n.registry.Config.RegistryOf(name)
	body, err := n.registry.Get(ctx, registry, registry+"/"+strings.Replace(name, "/", "%2f", 1), accept)
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

// rewrite points every dist.tarball at the proxy, under a path made of name and version alone, and remembers where it
// was. Keys come out sorted, so that the same packument gives the same bytes.
func (n *npmEcosystem) rewrite(name, registry string, data []byte) ([]byte, error) {
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

func (n *npmEcosystem) rewriteVersion(name, registry, version string, data []byte) ([]byte, error) {
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
	p := npm.TarballPath(name, version)
	if _, err := n.Resolve(p, nil); err != nil {
		return nil, err
	}
	if !npm.SameHost(registry, address) {
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
