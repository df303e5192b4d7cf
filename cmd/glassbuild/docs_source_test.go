package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestSourceDocs runs the example of docs/source.md and holds its output against what the page says; … stands for anything, and
// columns may be wider.
func TestSourceDocs(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"git", "ssh-keygen", "sh"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	page, err := os.ReadFile("../../docs/source.md")
	if err != nil {
		t.Fatal(err)
	}
	example, said := fenced(t, string(page), "sh"), fenced(t, string(page), "text")
	pattern := "(?s)"
	for line := range strings.Lines(said) {
		if line == "…\n" {
			pattern += `(.*\n)?`
			continue
		}
		parts := strings.Split(line, "…")
		for i, p := range parts {
			parts[i] = columns.ReplaceAllString(regexp.QuoteMeta(p), " +")
		}
		pattern += strings.Join(parts, `[^\n]*`)
	}
	dir := t.TempDir()
	out := filepath.Join(t.TempDir(), "out.txt")
	script := "exec sh -eu example.sh\nstdout '^SOURCE DEMANDS HOLD: '\ncp stdout '" + out + "'\n-- example.sh --\n" + example
	if err := os.WriteFile(filepath.Join(dir, "docs.txtar"), []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Run("example", func(t *testing.T) { runScripts(t, testscript.Params{Dir: dir}, "embedded") })
	t.Cleanup(func() { // the script runs in parallel with this function
		got, err := os.ReadFile(out)
		if err != nil {
			t.Error(err)
			return
		}
		if ok, err := regexp.Match(pattern+"$", got); err != nil || !ok {
			t.Errorf("the page says something else (%v):\n%s", err, got)
		}
	})
}

var columns = regexp.MustCompile(" {2,}")

// fenced returns the only block of that language.
func fenced(t *testing.T, page, language string) string {
	t.Helper()
	parts := strings.Split(page, "```"+language+"\n")
	if len(parts) != 2 {
		t.Fatalf("%d blocks of %s", len(parts)-1, language)
	}
	text, _, ok := strings.Cut(parts[1], "```\n")
	if !ok {
		t.Fatalf("block of %s has no end", language)
	}
	return text
}
