//go:build linux

package sandbox_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/sandbox"
	"github.com/glassbuild/glassbuild/internal/store"
)

// The tests run twice when they are started as root: as root, and as an ordinary user, see TestAsOrdinaryUser.
const (
	attackerVariable = "GLASSBUILD_TEST_ATTACKER" // a folder that holds the program, built already
	holdVariable     = "GLASSBUILD_TEST_HOLD"     // this process is to start a sandbox and wait to be killed
	runtimeVariable  = "GLASSBUILD_TEST_RUNTIME"  // an OCI runtime that makes the sandboxes in the place of this program
)

// chosen is the runtime under test.
var chosen sandbox.Runtime = sandbox.Embedded()

func TestMain(m *testing.M) {
	if program := os.Getenv(runtimeVariable); program != "" {
		r, err := sandbox.OCI(context.Background(), program, bundleFolder)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		chosen = r
	}
	if dir := os.Getenv(holdVariable); dir != "" {
		hold(dir)
		return
	}
	built := ""
	if os.Getenv(attackerVariable) == "" {
		var err error
		if built, err = buildAttacker(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Setenv(attackerVariable, built)
	}
	code := m.Run()
	if os.Getenv(runtimeVariable) != "" {
		code = max(code, cleared())
	}
	if built != "" {
		os.RemoveAll(built)
	}
	os.Exit(code)
}

// cachePrefix is how the folder's name begins that bundles lie in, in the temporary one.
const cachePrefix = "cache-"

var ownRun = sync.OnceValues(func() (*store.Run, error) {
	dir, err := os.MkdirTemp("", cachePrefix)
	if err != nil {
		return nil, err
	}
	s, err := store.Open(dir)
	if err != nil {
		return nil, err
	}
	return s.NewRun()
})

// bundleFolder makes a folder as the program does: in its private one, which the next run sweeps.
func bundleFolder() (string, error) {
	r, err := ownRun()
	if err != nil {
		return "", err
	}
	return r.Dir("bundle")
}

// cleared returns 1 when a bundle is left of a sandbox that was closed.
func cleared() int {
	r, err := ownRun()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(filepath.Dir(filepath.Dir(r.Path())))
	defer r.Close()
	if left, err := os.ReadDir(r.Path()); err != nil || len(left) > 0 {
		fmt.Fprintln(os.Stderr, "bundles are left:", left, err)
		return 1
	}
	return 0
}

// buildAttacker builds the program that the tests run inside, static, into a folder that every user can read.
func buildAttacker() (string, error) {
	dir, err := os.MkdirTemp("", "glassbuild-attacker-")
	if err != nil {
		return "", err
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", err
	}
	build := exec.Command("go", "build", "-buildvcs=false", "-o", filepath.Join(dir, "attacker"), "./testdata/attacker")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if text, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the attacker: %w\n%s", err, text)
	}
	return dir, os.Chmod(filepath.Join(dir, "attacker"), 0o755)
}

const attacker = "/attacker/attacker"

// spec returns a root that holds the attacker and nothing else.
func spec(more ...sandbox.Mount) sandbox.Spec {
	mounts := []sandbox.Mount{{Kind: sandbox.ReadOnly, Source: os.Getenv(attackerVariable), Target: "/attacker"}}
	return sandbox.Spec{
		Mounts:   append(mounts, more...),
		Dirs:     []string{"/out"},
		Identity: sandbox.Identity{UID: 1000, GID: 1000},
		Limits:   sandbox.Limits{Memory: 512 << 20, Processes: 64, Output: 256 << 20, Grace: 500 * time.Millisecond},
	}
}

// box is a session with its log.
type box struct {
	sandbox.Session
	t   *testing.T
	mu  sync.Mutex
	log bytes.Buffer
}

func (b *box) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.log.Write(p)
}

// take returns the log so far and empties it.
func (b *box) take() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.log.Reset()
	return b.log.String()
}

func start(t *testing.T, s sandbox.Spec) *box {
	t.Helper()
	b := &box{t: t}
	if s.Log == nil {
		s.Log = b
	}
	session, err := chosen.Start(t.Context(), s)
	if err != nil {
		skipWhereForbidden(t, err)
		t.Fatalf("%v\nhint: %s", err, fault.HintOf(err))
	}
	b.Session = session
	t.Cleanup(func() {
		if err := session.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return b
}

// skipWhereForbidden skips, aloud, on a machine that forbids user namespaces.
func skipWhereForbidden(t *testing.T, err error) {
	t.Helper()
	if fault.ClassOf(err) == fault.Inconclusive && strings.Contains(err.Error(), "user namespaces are switched off") ||
		strings.Contains(err.Error(), "AppArmor restricts unprivileged user namespaces") {
		t.Skipf("THIS MACHINE FORBIDS SANDBOXES: %v; hint: %s", err, fault.HintOf(err))
	}
}

// run runs the attacker and wants it to end with code.
func (b *box) run(code int, args ...string) sandbox.Result {
	b.t.Helper()
	r, err := b.Run(b.t.Context(), sandbox.Step{Argv: append([]string{attacker}, args...)})
	if err != nil {
		b.t.Fatalf("%q: %v", args, err)
	}
	if r.ExitCode != code {
		b.t.Fatalf("%q: %+v, want code %d\n%.4000s", args, r, code, b.take())
	}
	return r
}

// TestAsOrdinaryUser runs all the other tests as one.
func TestAsOrdinaryUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("is one already")
	}
	t.Parallel()
	const nobody = 65534
	program, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	self := filepath.Join(os.Getenv(attackerVariable), "tests") // the folder that it lies in may be closed to others
	if err := os.WriteFile(self, program, 0o755); err != nil {
		t.Fatal(err)
	}
	home := filepath.Join(os.Getenv(attackerVariable), "home")
	if err := os.Mkdir(home, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(home, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	tmp := filepath.Join(t.TempDir(), "tmp") // not below what the sandboxes show: tests come and go there
	for _, dir := range []string{filepath.Dir(filepath.Dir(tmp)), filepath.Dir(tmp)} {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(tmp, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(tmp, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	args := []string{"-test.timeout=5m"}
	if testing.Verbose() {
		args = append(args, "-test.v")
	}
	c := exec.CommandContext(t.Context(), self, args...)
	c.Dir = "/"
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + tmp, attackerVariable + "=" + os.Getenv(attackerVariable), runtimeVariable + "=" + os.Getenv(runtimeVariable)}
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	text, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("as user %d: %v\n%s", nobody, err, text)
	}
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, "FORBIDS") {
			t.Log(line)
		}
	}
}

// TestOverRunc runs all the other tests with runc making the sandboxes, as root and as an ordinary user.
func TestOverRunc(t *testing.T) {
	const program = "/usr/sbin/runc"
	if os.Getenv(runtimeVariable) != "" {
		t.Skip("is under way")
	}
	if _, err := os.Stat(program); err != nil {
		t.Skipf("NO RUNC HERE: %v", err)
	}
	if os.Geteuid() != 0 && os.Getenv("HOME") == filepath.Join(os.Getenv(attackerVariable), "home") {
		t.Skip("the tests that root started do")
	}
	t.Parallel()
	args := []string{"-test.timeout=5m", "-test.v=" + strconv.FormatBool(testing.Verbose())}
	if os.Geteuid() == 0 {
		args = append(args, "-test.skip=^TestTraceAndMask$") // the ordinary user's pass has it
	}
	c := exec.CommandContext(t.Context(), "/proc/self/exe", args...)
	c.Env = append(os.Environ(), runtimeVariable+"="+program, attackerVariable+"=")
	if text, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
}

// hold starts a sandbox with two processes in it, says so, and waits for ever.
func hold(dir string) {
	os.Unsetenv(holdVariable)
	s := spec()
	s.Mounts[0].Source = dir
	r, w := io.Pipe()
	s.Log = w
	session, err := chosen.Start(context.Background(), s)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	go func() {
		_, _ = session.Run(context.Background(), sandbox.Step{Argv: []string{attacker, "tool-stubborn", os.Args[len(os.Args)-1]}})
	}()
	line := make([]byte, 64)
	n, _ := r.Read(line)
	fmt.Printf("%s", line[:n])
	select {}
}
