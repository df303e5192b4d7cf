package artifact

import (
	"path"
	"strings"

	"github.com/glassbuild/glassbuild/internal/archive"
)

// kindOfArchive names what an archive is for by the members that its format demands: packages of languages and systems
// are zip or tar files. Any other archive keeps the name of its container.
func kindOfArchive(m *Member) string {
	switch m.Format {
	case archive.FormatZip:
		return zipKind(m.Members)
	case archive.FormatTar:
		if has(m.Members, "metadata.gz") && has(m.Members, "data.tar.gz") {
			return "gem"
		}
	case archive.FormatAr:
		if len(m.Members) > 0 && m.Members[0].Name == "debian-binary" {
			return "deb"
		}
	}
	return m.Format
}

func has(list []*Member, name string) bool {
	for _, m := range list {
		if m.Name == name {
			return true
		}
	}
	return false
}

// zipKind: an Android package and bundle by their manifest and configuration, a NuGet package by its description, a wheel by
// its own metadata, a jar and a web archive by the manifest of Java.
func zipKind(list []*Member) string {
	java, web := false, false
	for _, m := range list {
		dir, base := path.Split(m.Name)
		switch {
		case m.Name == "AndroidManifest.xml":
			return "apk"
		case m.Name == "BundleConfig.pb":
			return "aab"
		case dir == "" && strings.HasSuffix(base, ".nuspec"):
			return "nupkg"
		case base == "WHEEL" && strings.HasSuffix(strings.TrimSuffix(dir, "/"), ".dist-info"):
			return "whl"
		case m.Name == "META-INF/MANIFEST.MF":
			java = true
		case strings.HasPrefix(m.Name, "WEB-INF/"):
			web = true
		}
	}
	switch {
	case java && web:
		return "war"
	case java:
		return "jar"
	}
	return archive.FormatZip
}
