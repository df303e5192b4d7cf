package allow_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/allow"
)

// TestDocumentation demands that every name is documented with its bounds, word for word.
func TestDocumentation(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/passes.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	for _, d := range allow.All() {
		line := fmt.Sprintf("| `%s` | %s | %s | %s |\n", d.Name, d.Forgives, d.Maximum, d.Grammar)
		if !strings.Contains(string(text), line) {
			t.Errorf("docs/passes.md lacks:\n%s", line)
		}
		if got, ok := allow.Lookup(d.Name); !ok || got != d || seen[d.Name] || d.Forgives == "" || d.Maximum == "" || d.Grammar == "" {
			t.Errorf("%+v", d)
		}
		seen[d.Name] = true
	}
	if _, ok := allow.Lookup(""); ok {
		t.Error("the empty name is a difference")
	}
}
