package policy

import (
	"strings"

	"github.com/glassbuild/glassbuild/internal/tomlfile"
	"github.com/glassbuild/glassbuild/internal/trust"
)

// Release holds the demands on a whole release: what is shipped and what is attested must be the same set of files.
type Release struct {
	Stray     string `toml:"stray"`           // fail (default) or report: files that no list of the release names
	Missing   string `toml:"missing"`         // fail (default) or report: files that a list names and that are not there
	Unshipped string `toml:"unshipped"`       // fail (default) or report: what was rebuilt or attested and lies in no file of the release
	Data      string `toml:"data"`            // reason to accept files from nowhere that do not run
	ListsBy   string `toml:"lists-signed-by"` // group or principal that must have signed a list that names every file
	Evidence  string `toml:"evidence"`        // reason to let signed evidence, as [provenance] demands it, stand for a rebuild
}

func (r *Release) check(doc *tomlfile.Document) error {
	for _, c := range []struct {
		key  string
		rule *string
	}{{"release.stray", &r.Stray}, {"release.missing", &r.Missing}, {"release.unshipped", &r.Unshipped}} {
		if err := choice(doc, c.key, c.rule, "fail", "report"); err != nil {
			return err
		}
	}
	for _, c := range [][2]string{{"release.data", r.Data}, {"release.evidence", r.Evidence}} {
		if doc.Has(c[0]) && strings.TrimSpace(c[1]) == "" {
			return doc.Errorf(c[0], "reason required")
		}
	}
	if doc.Has("release.evidence") && !doc.Has("provenance") {
		return doc.Errorf("release.evidence", "demands nothing without [provenance]").WithHint("[provenance] says whose statements count")
	}
	return nil
}

// signers refuses a demand that nobody could meet.
func (r *Release) signers(doc *tomlfile.Document, t *trust.Trust) error {
	if doc.Has("release.lists-signed-by") && !t.Known(r.ListsBy) {
		return doc.Errorf("release.lists-signed-by", "%q is neither a group nor a principal of this policy", r.ListsBy)
	}
	return nil
}
