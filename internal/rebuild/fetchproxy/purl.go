package fetchproxy

import (
	"net/url"
	"strings"

	"github.com/glassbuild/glassbuild/internal/gomod"
)

// Package is a package that a file of a closure belongs to.
type Package struct {
	Name    string
	Version string
	PURL    string // package-url/purl-spec
	Archive bool   // the file is the package itself, not something said of it
}

// Package tells of which package the file at path is. A file of none, such as a list of versions, is not ok.
func (c *Closure) Package(path string) (p Package, ok bool) {
	switch c.Ecosystem {
	case "go":
		f, err := gomod.ParseFile(path)
		if err != nil || f.Module.Version == "" {
			return p, false
		}
		// The specification asks for lower case; a module path in another case is another module, so it is kept.
		return Package{f.Module.Path, f.Module.Version, purl("golang", f.Module.Path, f.Module.Version), f.Kind == gomod.Zip}, true
	case "npm":
		name, file, found := strings.Cut(path, "/-/")
		prefix := name[strings.IndexByte(name, '/')+1:] + "-"
		if !found || !strings.HasPrefix(file, prefix) || !strings.HasSuffix(file, ".tgz") {
			return p, false
		}
		version := strings.TrimSuffix(strings.TrimPrefix(file, prefix), ".tgz")
		return Package{name, version, purl("npm", name, version), true}, true
	}
	return p, false
}

// purl writes a package URL. The slashes of a name stand between its segments.
func purl(kind, name, version string) string {
	segments := strings.Split(name, "/")
	for i, s := range segments {
		segments[i] = strings.ReplaceAll(url.PathEscape(s), "@", "%40")
	}
	return "pkg:" + kind + "/" + strings.Join(segments, "/") + "@" + strings.ReplaceAll(url.PathEscape(version), "+", "%2B")
}
