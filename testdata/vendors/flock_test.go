package vendors_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/recipe"
	"github.com/glassbuild/glassbuild/testdata/vendors"
)

// TestFlockTable holds the golden table of README.md against the releases: what each must be answered, and by which check.
func TestFlockTable(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	var all strings.Builder
	for _, r := range vendors.FlockTable() {
		row := fmt.Sprintf("| `%s` | %s | %s | %s | %s | %s | %s |", r.Name, dash(r.Row), r.About, r.Result, r.Match, code(r.Check), code(r.Says))
		fmt.Fprintln(&all, row)
		if !strings.Contains(text, row+"\n") {
			t.Errorf("README.md does not say\n%s", row)
		}
	}
	if !strings.Contains(text, all.String()) {
		t.Errorf("README.md does not hold these rows one after the other:\n%s", all.String())
	}
}

// TestFlockIsWhole: every vendor stands in the guide, and has an honest release, one with a changed line, and one that is dishonest in another way.
func TestFlockIsWhole(t *testing.T) {
	t.Parallel()
	kinds := map[string]map[string]bool{}
	for _, r := range vendors.FlockTable() {
		vendor, _, _ := strings.Cut(r.Name, "-")
		if kinds[vendor] == nil {
			kinds[vendor] = map[string]bool{}
		}
		switch {
		case r.Result == "passed":
			kinds[vendor]["honest"] = true
		case strings.HasSuffix(r.Name, "-one-line"):
			kinds[vendor]["one line"] = true
		default:
			kinds[vendor]["dishonest"] = true
		}
		if r.Result != "passed" && (r.Check == "" || r.Says == "") {
			t.Errorf("%s: says neither which check decides nor what it names", r.Name)
		}
	}
	for _, vendor := range []string{"merlin", "harrier", "wren", "heron", "ibis"} {
		if len(kinds[vendor]) != 3 {
			t.Errorf("%s: only %v", vendor, kinds[vendor])
		}
		data, err := os.ReadFile(vendor + "/" + recipe.FileName)
		if err != nil {
			t.Fatal(err)
		}
		if guide, err := os.ReadFile("../../docs/builders.md"); err != nil || !strings.Contains(string(guide), "# glassbuild.toml\n"+string(data)) {
			t.Errorf("docs/builders.md does not show the recipe of %s (%v)", vendor, err)
		}
		r, err := recipe.Parse(vendor, data)
		if err != nil {
			t.Fatal(err)
		}
		if r.Builder.Debian == nil {
			t.Errorf("%s: no packages to lock", vendor)
		}
	}
}

func dash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

func code(s string) string {
	if s == "" {
		return "–"
	}
	return "`" + s + "`"
}
