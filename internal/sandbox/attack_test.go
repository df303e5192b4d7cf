//go:build linux

package sandbox_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/sandbox"
)

// TestAttacks runs everything that a hostile build may try against the sandbox itself. Each of them looks for what it
// achieves, and ends with an error when it achieves anything.
func TestAttacks(t *testing.T) {
	t.Parallel()
	host := t.TempDir()
	secret := filepath.Join(host, "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	input := filepath.Join(host, "input")
	if err := os.Mkdir(input, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(input, "file"), []byte("input"), 0o666); err != nil {
		t.Fatal(err)
	}
	s := spec(sandbox.Mount{Kind: sandbox.ReadOnly, Source: input, Target: "/input"})
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		args []string
		uid  int
	}{
		{"read-host", []string{secret, own, os.Getenv(attackerVariable) + "/attacker"}, 1000},
		{"see-processes", nil, 1000},
		{"see-processes", nil, 0},
		{"write-inputs", []string{"/input"}, 1000},
		{"write-inputs", []string{"/input"}, 0},
		{"proc", nil, 1000},
		{"proc", nil, 0},
		{"descriptors", nil, 1000},
		{"devices", nil, 0},
		{"calls", nil, 1000},
		{"calls", nil, 0},
		{"namespaces", nil, 1000},
		{"sockets", nil, 0},
		{"powers", nil, 1000},
		{"powers", nil, 0},
		{"init", nil, 1000},
		{"init", nil, 0},
		{"tricks", nil, 1000},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := s
			s.Identity = sandbox.Identity{UID: c.uid, GID: c.uid}
			b := start(t, s)
			b.run(0, append([]string{c.name}, c.args...)...)
			if log := b.take(); !strings.HasPrefix(log, "refused: "+c.name) {
				t.Errorf("log %q", log)
			}
		})
	}
	t.Cleanup(func() {
		if text, err := os.ReadFile(filepath.Join(input, "file")); err != nil || string(text) != "input" {
			t.Errorf("the input is %q, %v", text, err)
		}
	})
}

// TestIsolation wants every check that is made from inside, and every namespace.
func TestIsolation(t *testing.T) {
	t.Parallel()
	iso := start(t, spec()).Isolation()
	var names []string
	for _, c := range iso.Checks {
		if !c.OK {
			t.Errorf("%+v", c)
		}
		names = append(names, c.Name)
	}
	for _, name := range []string{
		"capabilities", "no-new-privileges", "seccomp", "descriptors", "session", "processes", "interfaces", "routes", "mounts",
		"devices", "environment", "identity", "namespace mnt", "namespace net", "namespace pid", "namespace user",
		"namespace ipc", "namespace uts", "namespace cgroup",
	} {
		if !slices.Contains(names, name) {
			t.Errorf("%q was not checked", name)
		}
	}
	limits := map[string]string{}
	for _, l := range iso.Limits {
		limits[l.Limit] = l.By
		if l.By == "" || l.Detail == "" {
			t.Errorf("%+v", l)
		}
	}
	for _, name := range []string{"memory", "processes", "cpu", "wall", "output", "log", "files"} {
		if limits[name] == "" {
			t.Errorf("nobody enforces %s", name)
		}
	}
	if strings.Fields(chosen.Name())[0] != iso.Runtime || !slices.Contains([]string{"memory", "self", "bundle"}, iso.Carrier) || iso.Network == "" || iso.Kernel == "" {
		t.Errorf("%+v", iso)
	}
	for _, n := range iso.Notes {
		t.Logf("%+v", n)
	}
}

func TestProbe(t *testing.T) {
	t.Parallel()
	c, err := chosen.Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !c.OK() {
		t.Skipf("THIS MACHINE FORBIDS SANDBOXES: %+v", c.Findings)
	}
	for _, f := range c.Findings {
		t.Logf("%+v", f)
		if f.OK == (f.Remedy != "") {
			t.Errorf("%+v: a remedy belongs to what is missing", f)
		}
	}
	if (sandbox.Capabilities{}).OK() {
		t.Error("nothing found is OK")
	}
}
