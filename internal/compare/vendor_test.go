package compare_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/compare/tree"
)

// vendorProgram builds the sample vendor's program from its tree, with what is laid over it.
func vendorProgram(t *testing.T, over ...string) []byte {
	t.Helper()
	dir := t.TempDir()
	for _, from := range append([]string{"../../testdata/vendors/kestrel"}, over...) {
		lay(t, from, filepath.Join(dir, "src"))
	}
	out := filepath.Join(dir, "kestrel")
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", out, "./cmd/kestrel")
	cmd.Dir = filepath.Join(dir, "src")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=mod", "GOWORK=off", "GOOS=linux", "GOARCH=amd64")
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("the sample vendor cannot be built here: %v\n%s", err, b)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// lay copies a tree over another.
func lay(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil || d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), b, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestTamperedVendor: the function that the tampered release adds is named, with file and line, in the first line.
func TestTamperedVendor(t *testing.T) {
	t.Parallel()
	honest, tampered := vendorProgram(t), vendorProgram(t, "../../testdata/vendors/variants/tampered")
	n := explain(t, tampered, honest)
	text := n.Text(0)
	first, _, _ := strings.Cut(text, "\n")
	if !strings.Contains(first, "only in the shipped file: main.") || !strings.Contains(first, "cmd/kestrel/telemetry.go:") || !strings.HasSuffix(first, "["+tree.CauseCode+"]") {
		t.Errorf("%s", text)
	}
	t.Logf("%d bytes:\n%s", len(text), text)
}
