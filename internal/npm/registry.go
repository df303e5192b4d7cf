package npm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/pattern"
	"github.com/glassbuild/glassbuild/internal/remote"
)

// Abbreviated is the media type of what npm asks for when it installs.
const Abbreviated = "application/vnd.npm.install-v1+json"

// Shelf has files by their names, see remote.Shelf. *remote.Client is one.
type Shelf interface {
	Shelved() bool
	Named(name string, fetch func() (io.ReadCloser, error)) (io.ReadCloser, error)
}

const (
	shelfName = "npm/"
	// nowhere is the registry behind a sealed shelf, where none need be configured (RFC 2606).
	nowhere = "https://registry.invalid"
)

// LoadRegistry returns the registries that the user has configured.
func LoadRegistry(ctx context.Context, client *remote.Client) (Registry, error) {
	r := Registry{Config: Config{Registry: nowhere}, Client: client.HTTP(), Shelf: client}
	if client.Sealed() {
		return r, nil
	}
	var err error
	r.Config, err = LoadConfig(ctx)
	return r, err
}

// Registry asks the registries of a configuration.
type Registry struct {
	Config Config
	Client *http.Client
	Shelf  Shelf // has files by their names; nil for none
}

// Version is what a registry says of one version of a package. Only Integrity can be held against anything.
type Version struct {
	Name, Version string
	Integrity     string // of the tarball
	Commit        string // gitHead: what the publisher's working copy stood at; "" when it is not said
	Node, NPM     string // what it was published with; "" when it is not said
	tarball       string
}

var (
	namePattern    = pattern.New(`^(@[A-Za-z0-9~][A-Za-z0-9._~-]*/)?[A-Za-z0-9~][A-Za-z0-9._~-]*$`)
	versionPattern = pattern.New(`^[0-9][0-9A-Za-z.+-]{0,250}$`)
)

// ValidName tells whether s can be the name of a package.
func ValidName(s string) bool { return len(s) <= MaxName && namePattern.MatchString(s) }

// ValidVersion tells whether s can be an exact version.
func ValidVersion(s string) bool { return versionPattern.MatchString(s) }

// TarballPath is the canonical path of one version's tarball, below the registry.
func TarballPath(name, version string) string {
	return name + "/-/" + name[strings.IndexByte(name, '/')+1:] + "-" + version + ".tgz"
}

// SameHost tells whether an address lies on the registry's own host.
func SameHost(registry, address string) bool {
	r, errR := url.Parse(registry)
	a, errA := url.Parse(address)
	return errR == nil && errA == nil && r.Scheme == a.Scheme && r.Host == a.Host && a.User == nil
}

// Get asks a registry, with the credentials that npm's configuration has for it.
func (r Registry) Get(ctx context.Context, registry, address, accept string) (io.ReadCloser, error) {
	fetch := func() (io.ReadCloser, error) { return r.get(ctx, registry, address, accept) }
	if r.Shelf == nil || !r.Shelf.Shelved() {
		return fetch()
	}
	// the same file of another mirror has the same name
	name := shelfName + strings.TrimPrefix(address, registry+"/")
	if strings.Contains(accept, Abbreviated) {
		name += " abbreviated"
	}
	return r.Shelf.Named(name, fetch)
}

func (r Registry) get(ctx context.Context, registry, address, accept string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fault.Usagef("npm registry", "unsupported URL %s", fault.Quote(address))
	}
	req.Header.Set("Accept", accept)
	if auth := r.Config.AuthFor(registry); auth != "" && strings.HasPrefix(address, registry+"/") {
		req.Header.Set("Authorization", auth)
	}
	resp, err := r.Client.Do(req)
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

// Describe asks for one version. One that the registry does not have is fs.ErrNotExist.
func (r Registry) Describe(ctx context.Context, name, version string) (*Version, error) {
	object := fault.Quote(name + "@" + version)
	if !ValidName(name) || !ValidVersion(version) {
		return nil, fault.Usagef(object, "not the name and exact version of a package")
	}
	registry := r.Config.RegistryOf(name)
	body, err := r.Get(ctx, registry, registry+"/"+strings.Replace(name, "/", "%2f", 1)+"/"+url.PathEscape(version), "application/json")
	if err != nil {
		return nil, err
	}
	defer body.Close()
	data, err := io.ReadAll(io.LimitReader(body, maxDescription+1))
	if err != nil {
		return nil, fault.Inconclusivef(object, "%w", err)
	}
	if len(data) > maxDescription {
		return nil, fault.Inconclusivef(object, "what the registry says of it exceeds %d bytes", maxDescription)
	}
	var doc map[string]json.RawMessage // exact keys: struct fields would also match other letter case
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, fault.Inconclusivef(object, "the registry's answer is malformed: %w", err)
	}
	var dist map[string]json.RawMessage
	if err := json.Unmarshal(doc["dist"], &dist); err != nil {
		return nil, fault.Inconclusivef(object, "the registry's answer names no tarball")
	}
	v := &Version{Name: text(doc, "name"), Version: text(doc, "version"), Integrity: text(dist, "integrity"), tarball: text(dist, "tarball"),
		Commit: text(doc, "gitHead"), Node: text(doc, "_nodeVersion"), NPM: text(doc, "_npmVersion")}
	if v.Name != name || v.Version != version {
		return nil, fault.Inconclusivef(object, "the registry answers with %s", fault.Quote(v.Name+"@"+v.Version))
	}
	return v, nil
}

func text(doc map[string]json.RawMessage, key string) string {
	var s string
	if json.Unmarshal(doc[key], &s) != nil {
		return ""
	}
	return s
}

// Tarball opens the tarball of a version. Nothing is checked: the caller holds it against an integrity with Holds.
func (r Registry) Tarball(ctx context.Context, v *Version) (io.ReadCloser, error) {
	registry := r.Config.RegistryOf(v.Name)
	address := v.tarball
	if !SameHost(registry, address) {
		address = registry + "/" + TarballPath(v.Name, v.Version)
	}
	body, err := r.Get(ctx, registry, address, "*/*")
	if errors.Is(err, fs.ErrNotExist) && address != registry+"/"+TarballPath(v.Name, v.Version) {
		return r.Get(ctx, registry, registry+"/"+TarballPath(v.Name, v.Version), "*/*")
	}
	return body, err
}
