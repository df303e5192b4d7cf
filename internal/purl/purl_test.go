package purl_test

import (
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/purl"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"pkg:npm/left-pad@1.3.0":                            "npm||left-pad|1.3.0",
		"pkg:npm/%40acme/tool@1.0.0":                        "npm|@acme|tool|1.0.0",
		"pkg:golang/example.com/a/tool@v1.2.3":              "golang|example.com/a|tool|v1.2.3",
		"pkg:deb/debian/hello@2.10-3?arch=amd64":            "deb|debian|hello|2.10-3|arch=amd64",
		"pkg:deb/debian/hello@1%3A2.10-3":                   "deb|debian|hello|1:2.10-3",
		"pkg:oci/tool@sha256%3Aabc?repository_url=x.io%2Fa": "oci||tool|sha256:abc|repository_url=x.io/a",
		"pkg:npm/tool":                                      "npm||tool|",
		"pkg:golang/example.com/tool@v1.0.0%2Bincompatible": "golang|example.com|tool|v1.0.0+incompatible",
	} {
		p, err := purl.Parse(text)
		got := strings.Join([]string{p.Type, p.Namespace, p.Name, p.Version}, "|")
		for k, v := range p.Qualifiers {
			got += "|" + k + "=" + v
		}
		if err != nil || got != want {
			t.Errorf("%s: %q, %v", text, got, err)
		}
	}
	for _, bad := range []string{
		"", "npm/x@1", "pkg:", "pkg:npm", "pkg:npm/", "pkg:NPM/x@1", "pkg://npm/x@1", "pkg:npm//x@1", "pkg:npm/x@", "pkg:npm/../x@1", "pkg:npm/%2e%2e/x@1",
		"pkg:npm/..%2fx@1", "pkg:npm/%252e%252e/x@1", "pkg:npm/a%2fb@1", "pkg:npm/x@1/../2", "pkg:npm/x@..%2f..%2fetc", "pkg:npm/x%00@1", "pkg:npm/x%0a@1", "pkg:npm/x@1#sub",
		"pkg:npm/x@1?Arch=a", "pkg:npm/x@1?a=1&a=2", "pkg:npm/x@1?a", "pkg:npm/x@1?a=", "pkg:npm/x%5c..@1", "pkg:npm/x y@1", "pkg:npm/%zz@1", "pkg:npm/x@1?a=%252e",
		"pkg:" + strings.Repeat("a", 5000),
	} {
		if p, err := purl.Parse(bad); err == nil {
			t.Errorf("%q: accepted as %+v", bad, p)
		}
	}
}

// FuzzParse: nothing that was accepted has a part that leads elsewhere.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"pkg:npm/%40acme/tool@1.0.0", "pkg:golang/example.com/a/tool@v1.2.3?x=y", "pkg:npm/..%2fx@1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := purl.Parse(text)
		if err != nil {
			return
		}
		for part := range strings.SplitSeq(p.Path()+"/"+p.Version, "/") {
			if part == ".." || part == "." || strings.ContainsAny(part, "\\%\x00\n") {
				t.Fatalf("%q: %+v", text, p)
			}
		}
	})
}
