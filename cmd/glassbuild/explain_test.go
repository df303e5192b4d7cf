package main

import (
	"strings"
	"testing"
)

// TestEverythingIsExplained: an id that a report prints leads somewhere.
func TestEverythingIsExplained(t *testing.T) {
	t.Parallel()
	for _, id := range explainable() {
		text := explain(id)
		if lines := strings.Count(text, "\n"); lines < 2 || !strings.HasPrefix(text, id) || strings.Contains(text, "](") {
			t.Errorf("%s: %q", id, text)
		}
	}
	for _, id := range []string{"", "rebuild", "rebuild.matches", "id", "| --- |", "#"} {
		if text := explain(id); text != "" {
			t.Errorf("%q: %q", id, text)
		}
	}
}
