package verify_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestBuildersAsOrdinaryUser runs the tests of the builders that are unpacked from packages and images once more as a user without rights,
// where the tests run as root: the same verdicts, vouched for and not, honest and not.
func TestBuildersAsOrdinaryUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("the tests run as an ordinary user already")
	}
	const nobody = 65534
	dir, err := os.MkdirTemp("", "glassbuild-nobody-") // the test's own folder lies below one that only root may enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	copyInto(t, self, filepath.Join(dir, "verify.test"), 0o755)
	copyInto(t, compile(t, t.TempDir()), filepath.Join(dir, "cc"), 0o755)
	for _, sub := range []string{"home", "tmp"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(filepath.Join(dir, sub), nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), filepath.Join(dir, "verify.test"), "-test.v", "-test.run=^(TestDebianBuilder|TestImageBuilder|TestBadImages|TestBadMirrors)$")
	c.Dir = dir
	c.Env = append(os.Environ(), "HOME="+dir+"/home", "TMPDIR="+dir+"/tmp", compilerVariable+"="+dir+"/cc")
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("as user %d: %v\n%s", nobody, err, out)
	}
	if strings.Contains(string(out), "--- SKIP") {
		t.Skip("THIS MACHINE FORBIDS SANDBOXES to an ordinary user")
	}
	if passed := strings.Count(string(out), "--- PASS: Test"); passed != 4 {
		t.Errorf("%d tests passed, want 4\n%s", passed, out)
	}
}
