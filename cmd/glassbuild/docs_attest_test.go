package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// attestDocs makes a script of the example of docs/attest.md: it must run as it stands in a clone of a tagged commit, with a
// key and a Sigstore instance at hand.
func attestDocs(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/attest.md")
	if err != nil {
		t.Fatal(err)
	}
	example := fenced(t, string(page), "sh")
	if strings.Count(example, "glassbuild attest ") != 3 {
		t.Fatalf("docs/attest.md shows something else:\n%s", example)
	}
	script := `repo src
exec git -C src remote add origin https://example.org/kestrel.git
exec git -C src tag v1.0.0
cd src
newkey release
sigstore
exec sh -eu $WORK/example.sh
stdout -count=12 '^sha256:'
exists dist/kestrel.a.sigstore.json signed/kestrel.a.spdx.sigstore.json
signed signed/kestrel.a.sigstore.json dist/kestrel.a release.pub build.schema.json
exec wc -l kestrel.attestations.jsonl
stdout '^4 '
code 0 glassbuild check dist/kestrel.a --certificate-identity release@example.org --certificate-oidc-issuer ` + "https://token.forge.example" + ` --trusted-root trusted_root.json --evidence kestrel.attestations.jsonl
-- example.sh --
` + example + `-- src/x.go --
package kestrel

func Answer() int { return 42 }
-- src/glassbuild.toml --
` + pipelineRecipe
	file := filepath.Join(t.TempDir(), "docs.txtar")
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestWorkflowsAreTheDocumentedOnes holds the workflows on docs/ci.md against the files beside it: what is linted is what is read.
func TestWorkflowsAreTheDocumentedOnes(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../docs/ci/*.yml")
	if err != nil || len(files) != 4 {
		t.Fatalf("%d workflows, %v", len(files), err)
	}
	shown := 0
	for _, s := range snippets(t, "../../docs/ci.md") {
		if s.language == "yaml" {
			shown++
		}
	}
	if shown != len(files) {
		t.Errorf("%d workflows shown, %d files", shown, len(files))
	}
	page, err := os.ReadFile("../../docs/ci.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(page), "```yaml\n"+string(text)+"```\n") {
			t.Errorf("docs/ci.md does not show %s as it is", filepath.Base(f))
		}
		usesPinned(t, f, string(text))
	}
	hook, err := os.ReadFile("../../docs/ci/pre-receive")
	if err != nil || !strings.Contains(string(page), "```sh\n"+string(hook)+"```\n") {
		t.Errorf("docs/ci.md does not show the hook as it is: %v", err)
	}
	action, err := os.ReadFile("../../docs/ci/action/action.yml")
	if err != nil {
		t.Fatal(err)
	}
	usesPinned(t, "action.yml", string(action))
}

func usesPinned(t *testing.T, file, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "- uses: "); ok && !pinned.MatchString(rest) {
			t.Errorf("%s: not pinned by commit: %s", filepath.Base(file), rest)
		}
	}
}

var pinned = regexp.MustCompile(`^[a-z-]+/[a-z-]+@[0-9a-f]{40} # v[0-9.]+$`)

// actionlint is what checks workflows. It is run from its own module: nothing of it is linked.
const actionlint = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12"

// TestE2EWorkflowsPassActionlint checks the workflows of docs/ci.
func TestE2EWorkflowsPassActionlint(t *testing.T) {
	if os.Getenv("GLASSBUILD_E2E") == "" {
		t.Skip("GLASSBUILD_E2E is not set: builds actionlint")
	}
	files, err := filepath.Glob("../../docs/ci/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatal(len(files), err)
	}
	files = slices.DeleteFunc(files, func(f string) bool { return filepath.Base(f) == "gitlab.yml" })
	args := []string{"run", actionlint, "-no-color"}
	for _, f := range files {
		abs, err := filepath.Abs(f)
		if err != nil {
			t.Fatal(err)
		}
		args = append(args, abs)
	}
	cmd := exec.Command("go", args...)
	cmd.Dir = t.TempDir() // outside of this module
	cmd.Env = append(os.Environ(), "GOFLAGS=", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
