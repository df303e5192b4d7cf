package npm

import (
	"net/url"
	"strings"
)

// PURL names one version of a package (https://github.com/package-url/purl-spec, type npm).
func PURL(name, version string) string {
	return "pkg:npm/" + strings.ReplaceAll(name, "@", "%40") + "@" + strings.ReplaceAll(url.PathEscape(version), "+", "%2B")
}
