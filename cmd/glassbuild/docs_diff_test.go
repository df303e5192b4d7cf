package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/compare/tree"
)

// TestDocumentedCauses holds docs/causes.md against the closed list of causes and against the reports that stand for
// each.
func TestDocumentedCauses(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../docs/causes.md")
	if err != nil {
		t.Fatal(err)
	}
	at := 0
	for _, k := range tree.Kinds() {
		report, err := os.ReadFile(filepath.Join("../../internal/compare/testdata/causes", k.ID+".golden"))
		if err != nil {
			t.Error(err)
			continue
		}
		_, section, ok := strings.Cut(string(doc), "\n## "+k.ID+"\n")
		section, _, _ = strings.Cut(section, "\n## ")
		if !ok || !strings.Contains(section, "```text\n"+string(report)+"```") || !strings.Contains(section, "Remedy: ") {
			t.Errorf("docs/causes.md: %s has no section with its report and a remedy", k.ID)
		}
		row := "| [`" + k.ID + "`](#" + k.ID + ") | " + k.Title + " |"
		place := strings.Index(string(doc), row)
		if place < at {
			t.Errorf("docs/causes.md: the row of %s is missing or not at its weight: %s", k.ID, row)
		}
		at = max(at, place)
	}
}
