//go:build linux

package sandbox

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/sys/unix"
)

// TestSelfCarrier has this test binary itself become the first process, as a program without the generated one does.
func TestSelfCarrier(t *testing.T) {
	t.Parallel()
	r := embeddedRuntime{func() (carrier, error) { return selfCarrier("a test wants it") }}
	s, err := r.Start(t.Context(), Spec{Mounts: []Mount{{Kind: ReadOnly, Source: "/usr", Target: "/usr"}}})
	if err != nil {
		t.Skipf("THIS MACHINE FORBIDS SANDBOXES: %v", err)
	}
	defer s.Close()
	if iso := s.Isolation(); iso.Carrier != "self" || len(iso.Notes) == 0 || iso.Notes[0].Detail != "a test wants it" {
		t.Errorf("%+v", iso)
	}
	if _, err := s.Run(t.Context(), Step{Argv: []string{"/usr"}}); err == nil {
		t.Error("executed a folder")
	}
	if _, err := s.Read(t.Context(), "/etc/passwd", 1000); err != nil {
		t.Error(err)
	}
}

// TestTakeoverNeedsMoreThanAName calls this test binary as the first process is called, but outside a sandbox.
func TestTakeoverNeedsMoreThanAName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"[glassbuild: first process of a sandbox]", "git"} {
		c := exec.Command("/proc/self/exe", "-test.run=^$")
		c.Args[0] = name
		if text, err := c.CombinedOutput(); err != nil || !bytes.Contains(text, []byte("PASS")) && !bytes.Contains(text, []byte("no tests to run")) {
			t.Errorf("%s: %v, %q", name, err, text)
		}
	}
}

// TestEmbeddedIsCurrent builds the static program again and compares. A stale one would run other code than was tested.
func TestEmbeddedIsCurrent(t *testing.T) {
	t.Parallel()
	have, err := embedded.ReadFile("embedded/init-linux-" + runtime.GOARCH)
	if err != nil {
		t.Skipf("not generated: go generate ./internal/sandbox")
	}
	if _, err := os.Stat("initmain"); err != nil {
		t.Skip("not in the source tree")
	}
	out := filepath.Join(t.TempDir(), "init")
	c := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", out, "./initmain")
	c.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if text, err := c.CombinedOutput(); err != nil {
		t.Skipf("cannot build here: %v\n%s", err, text)
	}
	want, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, want) {
		t.Error("stale: go generate ./internal/sandbox")
	}
}

// TestFilters wants every refused name to exist on some architecture, and both filters to fit every one that we build
// for.
func TestFilters(t *testing.T) {
	t.Parallel()
	var known []string
	for _, name := range []string{"amd64", "arm64", "386", "arm"} {
		info, err := arch.GetInfo(name)
		if err != nil {
			t.Fatal(err)
		}
		for call := range info.SyscallNames {
			known = append(known, call)
		}
	}
	for _, name := range append(slices.Clone(refused), missing...) {
		if !slices.Contains(known, name) {
			t.Errorf("no architecture has %q", name)
		}
	}
	for _, goarch := range []string{"amd64", "arm64"} {
		rules, err := ruleProgram(goarch, answerNotify)
		if err != nil || len(rules) < 50 {
			t.Errorf("%s: %d instructions, %v", goarch, len(rules), err)
		}
	}
	both, err := assemble()
	if err != nil || len(both.asking) != len(both.plain) || bytes.Equal(both.asking, both.plain) ||
		len(both.asking)/8 < len(refused) || len(both.asking) > 8*unix.BPF_MAXINSNS {
		t.Errorf("%d and %d bytes, %v", len(both.asking), len(both.plain), err)
	}
}

func TestReaches(t *testing.T) {
	t.Parallel()
	inet := func(b ...byte) []byte { return append(append([]byte{2, 0, 1, 187}, b...), make([]byte, 8)...) }
	inet6 := func(last ...byte) []byte {
		a := append([]byte{10, 0, 0, 80, 0, 0, 0, 0}, make([]byte, 20)...)
		copy(a[24-len(last):], last)
		return a
	}
	for _, c := range []struct {
		address []byte
		target  string
	}{
		{inet(192, 0, 2, 1), "192.0.2.1:443"},
		{inet(127, 0, 0, 1), ""}, {inet(127, 9, 9, 9), ""}, {inet(0, 0, 0, 0), ""},
		{inet6(1), ""}, {inet6(0), ""},
		{inet6(0xff, 0xff, 127, 0, 0, 1), ""},
		{inet6(0xff, 0xff, 192, 0, 2, 1), "[::ffff:192.0.2.1]:80"},
		{inet6(0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1), "[2001:db8::1]:80"},
		{[]byte{1, 0, 'x'}, ""}, {[]byte{0, 0}, ""}, {[]byte{16, 0}, ""}, {[]byte{2, 0}, ""}, {[]byte{10, 0, 0}, ""},
		{[]byte{40, 0, 0, 0}, "family 40"},
	} {
		target, ok := reaches(c.address)
		if target != c.target || ok != (c.target != "") {
			t.Errorf("% x: %q, %v, want %q", c.address, target, ok, c.target)
		}
	}
}

// FuzzReaches wants no address to crash the host, and no loopback address to be called outside.
func FuzzReaches(f *testing.F) {
	f.Add([]byte{2, 0, 1, 187, 192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{10, 0})
	f.Fuzz(func(t *testing.T, address []byte) {
		if len(address) < 2 {
			return
		}
		target, ok := reaches(address)
		if ok != (target != "") || ok && strings.ContainsAny(target, "\n\x1b") {
			t.Errorf("%q, %v", target, ok)
		}
		if ok && address[0] == 2 && address[1] == 0 && address[4] == 127 {
			t.Errorf("%q is outside", target)
		}
	})
}

func TestRemedy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name        string
		m           machine
		at          string
		errno       syscall.Errno
		cause, hint string
	}{
		{"old kernel", machine{major: 5, minor: 10}, "", unix.EPERM, "older than Linux 5.12", "Linux 5.12"},
		{"switched off", machine{major: 6, usernsMax: "0"}, "", unix.ENOSPC, "max_user_namespaces is 0", "sysctl -w user.max_user_namespaces="},
		{"used up", machine{major: 6, usernsMax: "10"}, "", unix.ENOSPC, "no further user namespace", "sysctl -w user.max_user_namespaces="},
		{"Debian", machine{major: 6, usernsClone: "0"}, "", unix.EPERM, "unprivileged_userns_clone is 0", "sysctl -w kernel.unprivileged_userns_clone=1"},
		{"Ubuntu", machine{major: 6, apparmor: "1", program: "/usr/bin/glassbuild"}, "make the mounts private", unix.EACCES, "AppArmor restricts", "profile glassbuild /usr/bin/glassbuild flags=(unconfined) {\n  userns,\n}"},
		{"Ubuntu, root", machine{major: 6, apparmor: "1", root: true}, "make the mounts private", unix.EBUSY, "", "glassbuild doctor"},
		{"Docker", machine{major: 6, container: "docker", filtered: true}, "", unix.EPERM, "the profile of docker", "--security-opt seccomp=unconfined"},
		{"Docker, /proc", machine{major: 6, container: "docker"}, "mount /proc", unix.EPERM, "the profile of docker", "systempaths=unconfined"},
		{"Podman", machine{major: 6, container: "podman"}, "mount /proc", unix.EPERM, "the profile of podman", "unmask=ALL"},
		{"Kubernetes", machine{major: 6, container: "kubernetes"}, "mount /proc", unix.EPERM, "the profile of kubernetes", "procMount: Unmasked"},
		{"filter", machine{major: 6, filtered: true}, "", unix.EPERM, "a system call filter", "seccomp=unconfined"},
		{"profile", machine{major: 6, profile: "snap.x"}, "", unix.EACCES, `"snap.x"`, "outside that profile"},
		{"ramdisk", machine{major: 6}, "pivot_root over /tmp", unix.EINVAL, "initial ramdisk", "switch_root"},
		{"no namespaces", machine{major: 6}, "", unix.EINVAL, "built without", "CONFIG_USER_NS"},
		{"chroot", machine{major: 6}, "", unix.EPERM, "chroot", "outside a chroot"},
		{"unknown", machine{}, "mount /proc", unix.EIO, "", "glassbuild doctor"},
	} {
		cause, hint := c.m.remedy(c.at, c.errno)
		if !strings.Contains(cause, c.cause) || (c.cause == "") != (cause == "") || !strings.Contains(hint, c.hint) {
			t.Errorf("%s: %q, %q", c.name, cause, hint)
		}
	}
}
