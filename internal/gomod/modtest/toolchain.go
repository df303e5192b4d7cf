package modtest

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// Toolchain returns the go command of a version, downloaded as the user's own Go configuration says and checked by the go
// command against the checksum database.
func Toolchain(t testing.TB, version string) string {
	t.Helper()
	cmd := exec.Command("go", "mod", "download", "-json", "golang.org/toolchain@v0.0.1-go"+version+"."+runtime.GOOS+"-"+runtime.GOARCH)
	cmd.Dir, cmd.Env = t.TempDir(), append(os.Environ(), "GOFLAGS=")
	out, err := cmd.Output()
	var got struct{ Dir string }
	if err != nil || json.Unmarshal(out, &got) != nil {
		t.Fatalf("go%s: %v\n%s", version, err, out)
	}
	for _, pattern := range []string{"bin/*", "pkg/tool/*/*"} { // modules arrive without execute permission
		names, err := filepath.Glob(filepath.Join(got.Dir, pattern))
		if err != nil || len(names) == 0 {
			t.Fatalf("go%s: %s: nothing there (%v)", version, pattern, err)
		}
		for _, n := range names {
			if err := os.Chmod(n, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	return filepath.Join(got.Dir, "bin", "go")
}
