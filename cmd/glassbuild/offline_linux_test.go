package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/glassbuild/glassbuild/internal/evidence/evidencetest"
)

// cutOff runs the program in a network namespace that holds nothing, not even a loopback that is up.
func cutOff(t *testing.T, dir string, args ...string) (int, string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Args = append([]string{"glassbuild"}, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "HOME="+dir, "XDG_CACHE_HOME="+filepath.Join(dir, "cache"), "XDG_DATA_HOME="+filepath.Join(dir, "data"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: os.Geteuid(), HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getegid(), HostID: os.Getegid(), Size: 1}}}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Skipf("NOT TESTED: no network namespace to be had on this machine: %v", err)
	}
	cmd.Wait()
	return cmd.ProcessState.ExitCode(), out.String()
}

// TestOffline: check and verify need no network where nothing that they are given is remote.
func TestOffline(t *testing.T) {
	t.Parallel()
	i, dir := instance(t, "offline")
	data := filepath.Join(dir, "data", "glassbuild")
	for _, d := range []string{filepath.Join(dir, "cache"), data} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	put(t, filepath.Join(dir, "tool"), []byte(toolContent))
	put(t, filepath.Join(dir, "tool.sigstore.json"), i.Attest(provenanceOf("tool"), evidencetest.Leaf{}).JSON())
	put(t, filepath.Join(dir, "policy.toml"), []byte(release))
	put(t, filepath.Join(data, "trusted_root.json"), i.TrustedRoot(evidencetest.Spans{})) // as trust update stores it
	if code, out := cutOff(t, dir, "check", "tool", "--policy", "policy.toml"); code != 0 || !strings.Contains(out, "PASSED (not-rebuilt)") {
		t.Errorf("check: exit %d\n%s", code, out)
	}
	if code, out := cutOff(t, dir, "check", "registry.example/team/tool:v1", "--policy", "policy.toml"); code != 3 {
		t.Errorf("an image: exit %d, want 3: it cannot be reached\n%s", code, out)
	}
	if err := os.Mkdir(filepath.Join(dir, "repo"), 0o700); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "repo", "glassbuild.toml"), []byte("format = 1\n[builder]\nhost = true\n[[step]]\nrun = [\"cp\", \"tool.txt\", \"/out/tool\"]\n[[artifact]]\noutput = \"tool\"\n"))
	put(t, filepath.Join(dir, "repo", "tool.txt"), []byte(toolContent))
	git := exec.Command("sh", "-c", "git init -q . && git add . && git -c user.name=a -c user.email=a@example.org commit -q -m x && git rev-parse HEAD")
	git.Dir = filepath.Join(dir, "repo")
	id, err := git.Output()
	if err != nil {
		t.Fatal(err)
	}
	code, out := cutOff(t, dir, "verify", "tool", "--repo", "repo", "--commit", strings.TrimSpace(string(id)), "--policy", "policy.toml")
	for _, want := range []string{"✓ provenance.signature", "bound to other commit", "FAILED"} {
		if code != 1 || !strings.Contains(out, want) {
			t.Errorf("verify: exit %d, want 1 with %q\n%s", code, want, out)
		}
	}
}

// TestTrustUpdate fetches a trusted root through TUF once; from then on it is used and nobody is asked.
func TestTrustUpdate(t *testing.T) {
	t.Parallel()
	i, dir := instance(t, "update")
	r := evidencetest.NewRepository(t)
	r.Publish(1, time.Now().AddDate(0, 1, 0), map[string][]byte{"trusted_root.json": i.TrustedRoot(evidencetest.Spans{}), "signing_config.v0.2.json": []byte("{}")})
	put(t, filepath.Join(dir, "root.json"), r.Root)
	put(t, filepath.Join(dir, "tool"), []byte(toolContent))
	put(t, filepath.Join(dir, "tool.sigstore.json"), i.Attest(provenanceOf("tool"), evidencetest.Leaf{}).JSON())
	put(t, filepath.Join(dir, "policy.toml"), []byte(release))
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program := func(args ...string) (int, string) {
		cmd := exec.Command(self)
		cmd.Args = append([]string{"glassbuild"}, args...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "XDG_DATA_HOME="+filepath.Join(dir, "data"))
		out, _ := cmd.CombinedOutput()
		return cmd.ProcessState.ExitCode(), string(out)
	}
	if code, out := program("check", "tool", "--policy", "policy.toml"); code != 4 || !strings.Contains(out, "glassbuild trust update") {
		t.Errorf("before: exit %d\n%s", code, out)
	}
	url := r.Serve()
	if code, out := program("trust", "update", "--mirror", url); code != 4 {
		t.Errorf("without a root: exit %d\n%s", code, out)
	}
	if code, out := program("trust", "update", "--mirror", url, "--root", "root.json"); code != 0 || !strings.Contains(out, "trusted_root.json") {
		t.Fatalf("exit %d\n%s", code, out)
	}
	if code, out := cutOff(t, dir, "check", "tool", "--policy", "policy.toml"); code != 0 {
		t.Errorf("after: exit %d\n%s", code, out)
	}
	put(t, filepath.Join(dir, "root.json"), evidencetest.NewRepository(t).Root)
	if code, out := program("trust", "update", "--mirror", url, "--root", "root.json"); code != 1 {
		t.Errorf("another root: exit %d\n%s", code, out)
	}
}

// TestPipesAreNotRead: a pipe among the evidence, or as the artefact, would keep a reader waiting for ever.
func TestPipesAreNotRead(t *testing.T) {
	t.Parallel()
	i, dir := instance(t, "pipes")
	for _, name := range []string{"tool.sigstore.json", "pipe"} {
		if err := syscall.Mkfifo(filepath.Join(dir, name), 0o600); err != nil {
			t.Skipf("NOT TESTED: no pipes here: %v", err)
		}
	}
	code, stdout, stderr := checked(t, release, i.TrustedRoot(evidencetest.Spans{}), i.Attest(provenanceOf("tool"), evidencetest.Leaf{}).JSON(), dir)
	answered(t, "", code, stdout, stderr)
	for _, args := range [][]string{{filepath.Join(dir, "pipe")}, {filepath.Join(dir, "tool"), "--evidence", filepath.Join(dir, "pipe")}} {
		code, stdout, stderr := program(append([]string{"check", "--policy", filepath.Join(dir, "policy.toml"), "--trusted-root", filepath.Join(dir, "root.json")}, args...)...)
		if code != 4 || stdout != "" {
			t.Errorf("%v: exit %d\n%s%s", args, code, stdout, stderr)
		}
	}
	if code, stdout, _ := program("check", dir, "--policy", filepath.Join(dir, "policy.toml"), "--trusted-root", filepath.Join(dir, "root.json")); code != 1 || !strings.Contains(stdout, "unsupported type") {
		t.Errorf("a release with a pipe: exit %d\n%s", code, stdout)
	}
}
