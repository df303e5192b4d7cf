package verify

import (
	"context"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/module"

	"github.com/glassbuild/glassbuild/internal/builder"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/gomod"
	"github.com/glassbuild/glassbuild/internal/npm"
	"github.com/glassbuild/glassbuild/internal/oci"
	"github.com/glassbuild/glassbuild/internal/purl"
	"github.com/glassbuild/glassbuild/internal/remote"
	"github.com/glassbuild/glassbuild/internal/store"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// packages fetches what package URLs name, from the registries that the ecosystem's own configuration says.
type packages struct {
	store   *store.Store
	remote  *remote.Client
	dir     *store.Run
	offline bool
	step    func(format string, args ...any)
}

// IsPackage tells whether an argument is a package URL.
func IsPackage(text string) bool { return purl.Is(text) }

// isImage tells whether it is one of an image, which is named by a reference.
func isImage(text string) bool { return strings.HasPrefix(text, "pkg:oci/") }

// imageOf turns pkg:oci/NAME@sha256:…?repository_url=REGISTRY/NAME&tag=TAG into a reference.
func imageOf(text string) (string, error) {
	p, err := purl.Parse(text)
	if err != nil {
		return "", err
	}
	where := p.Qualifiers["repository_url"]
	if err := only(text, p, "repository_url", "tag", "arch"); err != nil {
		return "", err
	}
	switch {
	case where == "" || p.Namespace != "":
		return "", fault.Usagef(fault.Quote(text), "an image needs repository_url, and has no namespace").WithHint("pkg:oci/NAME@sha256:…?repository_url=registry.example/team/name")
	case path.Base(where) != p.Name && where != p.Name:
		where = strings.TrimSuffix(where, "/") + "/" + p.Name
	}
	switch {
	case p.Version != "":
		where += "@" + p.Version
	case p.Qualifiers["tag"] != "":
		where += ":" + p.Qualifiers["tag"]
	default:
		return "", fault.Usagef(fault.Quote(text), "names neither a digest nor a tag")
	}
	_, err = oci.Parse(where)
	return where, err
}

// only refuses qualifiers that this program would have to overlook.
func only(text string, p purl.PURL, known ...string) error {
	for key := range p.Qualifiers {
		if !slices.Contains(known, key) {
			return fault.Usagef(fault.Quote(text), "qualifier %q is not understood", key)
		}
	}
	return nil
}

// fetch brings a package and returns the file. Its name is that of the registry's file.
func (f *packages) fetch(ctx context.Context, text string) (string, error) {
	p, err := purl.Parse(text)
	if err != nil {
		return "", err
	}
	if p.Version == "" {
		return "", fault.Usagef(fault.Quote(text), "names no version").WithHint("what a registry calls the newest changes; add @VERSION")
	}
	f.step("fetching %s", fault.Quote(text))
	var file string
	switch p.Type {
	case "npm":
		if err = only(text, p); err == nil {
			file, err = f.npm(ctx, p)
		}
	case "golang":
		if err = only(text, p, "type"); err == nil {
			file, err = f.golang(ctx, p)
		}
	case "deb":
		if err = only(text, p, "arch", "distro"); err == nil {
			file, err = f.deb(ctx, text, p)
		}
	default:
		err = fault.Usagef(fault.Quote(text), "type %q is not one of npm, golang, deb, oci", p.Type)
	}
	return file, withCheck(err, verdict.CheckArtefact)
}

func (f *packages) npm(ctx context.Context, p purl.PURL) (string, error) {
	r, err := npm.LoadRegistry(ctx, f.remote)
	if err != nil {
		return "", err
	}
	if err := r.Config.Check(); err != nil {
		return "", err
	}
	v, err := r.Describe(ctx, p.Path(), p.Version)
	if err != nil {
		return "", err
	}
	body, err := r.Tarball(ctx, v)
	if err != nil {
		return "", err
	}
	file, err := f.save(strings.TrimPrefix(p.Path(), "@"), "-"+p.Version+".tgz", body)
	if err != nil {
		return "", err
	}
	in, err := os.Open(file)
	if err != nil {
		return "", fault.Inconclusivef("npm registry", "%w", bare(err))
	}
	defer in.Close()
	if good, strong, err := npm.Holds(v.Integrity, in); err != nil || !good || !strong {
		return "", fault.Failf(fault.Quote(p.Path()+"@"+p.Version), "the registry serves another tarball than it says: %s", fault.Quote(v.Integrity))
	}
	return file, nil
}

func (f *packages) golang(ctx context.Context, p purl.PURL) (string, error) {
	mod := module.Version{Path: p.Path(), Version: p.Version}
	if err := module.Check(mod.Path, mod.Version); err != nil {
		return "", fault.Usagef(fault.Quote(mod.String()), "no module and version: %w", err)
	}
	env, err := gomod.LoadEnv()
	if err != nil {
		return "", err
	}
	src, err := gomod.NewSource(env, f.remote)
	if err != nil {
		return "", err
	}
	body, err := src.OpenZip(ctx, mod, maxPackage)
	if err != nil {
		return "", err
	}
	return f.save(mod.Path, "@"+mod.Version+".zip", body)
}

func (f *packages) deb(ctx context.Context, text string, p purl.PURL) (string, error) {
	suite, arch := p.Qualifiers["distro"], p.Qualifiers["arch"]
	if rest, ok := strings.CutPrefix(suite, "debian-"); ok {
		suite = rest
	}
	if suite == "" {
		suite = builder.SystemSuite()
	}
	platform := map[string]string{"": "linux/amd64", "all": "linux/amd64", "amd64": "linux/amd64", "arm64": "linux/arm64"}[arch]
	switch {
	case suite == "":
		return "", fault.Usagef(fault.Quote(text), "names no suite, and this machine has none of its own").WithHint("add distro=SUITE, such as distro=bookworm")
	case platform == "":
		return "", fault.Usagef(fault.Quote(text), "arch %q is not one of amd64, arm64, all", arch)
	}
	one, err := builder.FetchDebian(ctx, &builder.Debian{Suite: suite, Wanted: []string{p.Name + "=" + p.Version}}, platform,
		builder.Options{Store: f.store, Remote: f.remote, Offline: f.offline})
	if err != nil {
		return "", err
	}
	blob, err := f.store.OpenBlob(one.SHA256)
	if err != nil {
		return "", err
	}
	return f.save(path.Base(one.Path), "", blob)
}

// save writes what was fetched into the private folder.
func (f *packages) save(name, suffix string, body io.ReadCloser) (string, error) {
	defer body.Close()
	dir, err := f.dir.Dir("package")
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, strings.ReplaceAll(name, "/", "-")+suffix)
	if base := filepath.Base(file); filepath.Dir(file) != dir || !filepath.IsLocal(base) {
		return "", fault.Failf(fault.Quote(name), "unsafe path")
	}
	out, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", fault.Inconclusivef(fault.Quote(name), "%w", bare(err))
	}
	n, err := io.Copy(out, io.LimitReader(body, maxPackage+1))
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	switch {
	case err != nil:
		return "", fault.Inconclusivef(fault.Quote(name), "cannot be fetched: %w", bare(err))
	case n > maxPackage:
		return "", fault.Failf(fault.Quote(name), "exceeds %d bytes", maxPackage)
	}
	return file, nil
}
