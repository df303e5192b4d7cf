//go:build linux

package sandbox_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/glassbuild/glassbuild/internal/sandbox"
)

// traced is a folder of inputs, shown in three ways.
func traced(t *testing.T, kind sandbox.MountKind) (sandbox.Spec, string) {
	t.Helper()
	dir := t.TempDir()
	program, err := os.ReadFile(filepath.Join(os.Getenv(attackerVariable), "attacker"))
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{"read": "open", "secret": "payload", "deep/er/secret": "payload", "program": string(program)} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(data), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, time.Unix(7, 0), time.Unix(7, 0)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("er/secret", filepath.Join(dir, "deep", "link")); err != nil {
		t.Fatal(err)
	}
	s := spec(sandbox.Mount{Kind: kind, Source: dir, Target: "/input", Trace: true})
	return s, dir
}

// read runs one step and returns what it left in /out/got, with what the trace says of /input.
func (b *box) read(args ...string) (string, []string) {
	b.t.Helper()
	r := b.run(0, args...)
	if r.Trace != sandbox.TraceComplete {
		b.t.Fatalf("trace: %q", r.Trace)
	}
	var opened []string
	for _, name := range r.Opened {
		if strings.HasPrefix(name, "/input/") {
			opened = append(opened, name)
		}
	}
	got, err := b.Read(b.t.Context(), "/out/got", 1<<20)
	if err != nil {
		b.t.Fatal(err)
	}
	return string(got), opened
}

// restricted returns the spec with the inputs restricted to the named files.
func restricted(s sandbox.Spec, names []string) sandbox.Spec {
	s.Mounts = slices.Clone(s.Mounts)
	last := &s.Mounts[len(s.Mounts)-1]
	last.Masked, last.Named = true, names
	return s
}

// TestTraceAndMask wants of every way to read a file that the trace names it, or that the file cannot be read where only
// what the trace names is shown. Nobody can do both: be left out of the account and have the contents.
func TestTraceAndMask(t *testing.T) {
	t.Parallel()
	for _, kind := range []sandbox.MountKind{sandbox.Overlay, sandbox.Copy, sandbox.ReadOnly} {
		for _, c := range []struct {
			how, file string
			hidden    bool // from the trace
			never     bool // the sandbox refuses it, or a read-only mount does
		}{
			{how: "open", file: "/input/secret"},
			{how: "open", file: "/input/deep/link"},
			{how: "map", file: "/input/deep/er/secret"},
			{how: "execute", file: "/input/program"},
			{how: "moved", file: "/input/secret", never: kind == sandbox.ReadOnly},
			{how: "atime", file: "/input/secret"},
			{how: "proc", file: "/input/secret"},
			{how: "link", file: "/input/secret", hidden: true, never: kind == sandbox.ReadOnly},
			{how: "ring", file: "/input/secret", never: true},
			{how: "socket", file: "/input/secret"},
			{how: "race", file: "/input/secret"},
		} {
			t.Run(string(kind)+"/"+c.how+" "+c.file, func(t *testing.T) {
				t.Parallel()
				s, _ := traced(t, kind)
				got, opened := start(t, s).read("tool-evade", c.how, c.file, "/out/got")
				if (got == "") != c.never {
					t.Fatalf("read %q", got)
				}
				if c.never {
					return
				}
				target := strings.Replace(c.file, "deep/link", "deep/er/secret", 1)
				if slices.Contains(opened, target) == c.hidden {
					t.Errorf("the trace is %q", opened)
				}
				again, _ := start(t, restricted(s, opened)).read("tool-evade", c.how, c.file, "/out/got")
				if c.hidden == (again == got) {
					t.Errorf("with %q alone: %q", opened, again)
				}
				again, _ = start(t, restricted(s, []string{"/input/read"})).read("tool-evade", c.how, c.file, "/out/got")
				if again == got {
					t.Errorf("read what was not named: %q", again)
				}
			})
		}
	}
}

// TestMask wants of a file that is not named everything but its contents.
func TestMask(t *testing.T) {
	t.Parallel()
	for _, kind := range []sandbox.MountKind{sandbox.Overlay, sandbox.Copy, sandbox.ReadOnly} {
		s, _ := traced(t, kind)
		all := start(t, s)
		some := start(t, restricted(s, []string{"/input/read"}))
		for _, dir := range []string{"/input", "/input/deep", "/input/deep/er"} {
			all.run(0, "tool-list", dir)
			some.run(0, "tool-list", dir)
		}
		if a, b := strings.Fields(all.take()), strings.Fields(some.take()); len(a) < 7 || !slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))) {
			t.Errorf("%s: %q\n%q", kind, a, b)
		}
		r := some.run(0, "tool-read", "/input/read")
		if got := some.take(); got != "open" || !slices.Contains(r.Opened, "/input/read") {
			t.Errorf("%s: %q, %q", kind, got, r.Opened)
		}
		r = some.run(0, "tool-read", "/input/secret")
		if got := some.take(); got != strings.Repeat("\x00", len("payload")) || slices.Contains(r.Opened, "/input/read") {
			t.Errorf("%s: %q, %q: a step tells only what it opened itself", kind, got, r.Opened)
		}
	}
}
