//go:build linux

package sandbox_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/sandbox"
)

// TestOutputs collects a folder that holds one of everything.
func TestOutputs(t *testing.T) {
	t.Parallel()
	b := start(t, spec())
	b.run(0, "tool-outputs", "/out")
	dst := filepath.Join(t.TempDir(), "outputs")
	found, err := b.Outputs(t.Context(), "/out", dst, sandbox.OutputLimits{})
	if err != nil {
		t.Fatal(err)
	}
	const strange = "name\nPASS\x1b[2J\xff"
	want := map[string]struct {
		kind, problem string
		mode          fs.FileMode
		text          string
	}{
		"bin":           {"directory", "", 0o755 | fs.ModeDir, ""},
		"bin/tool":      {"file", "", 0o755, "tool"},
		"bin/deep":      {"directory", "", 0o755 | fs.ModeDir, ""},
		"bin/deep/data": {"file", "", 0o600, "data"},
		"unreadable":    {"file", "", 0, "secret"},
		strange:         {"file", "", 0o644, "strange"},
		"link":          {"link", "a symbolic link", 0o777 | fs.ModeSymlink, ""},
		"linkdir":       {"link", "a symbolic link", 0o777 | fs.ModeSymlink, ""},
		"fifo":          {"fifo", "a named pipe", 0o644 | fs.ModeNamedPipe, ""},
		"socket":        {"socket", "a socket", 0o755 | fs.ModeSocket, ""},
		"setuid":        {"file", "a set-uid file", 0o755 | fs.ModeSetuid, ""},
		"setgid":        {"file", "a set-gid file", 0o755 | fs.ModeSetgid, ""},
		"sticky":        {"file", "a file with the sticky bit", 0o644 | fs.ModeSticky, ""},
	}
	for _, o := range found {
		w, ok := want[o.Path]
		if !ok {
			t.Errorf("unexpected %+v", o)
			continue
		}
		delete(want, o.Path)
		if o.Kind != w.kind || o.Problem != w.problem || o.Mode != w.mode || (o.SHA256 != "") != (w.text != "") {
			t.Errorf("%+v, want %+v", o, w)
		}
		if o.Path == "link" && o.Link != "/etc/passwd" {
			t.Errorf("%+v", o)
		}
		local := filepath.Join(dst, o.Path)
		info, err := os.Lstat(local)
		switch {
		case w.problem != "":
			if err == nil {
				t.Errorf("%q was made", o.Path)
			}
		case err != nil:
			t.Error(err)
		case w.text != "":
			if text, err := os.ReadFile(local); err != nil || string(text) != w.text || info.Mode()&^0o755 != 0 || info.ModTime().Unix() != o.ModTime {
				t.Errorf("%q: %q, %v, %v", o.Path, text, info.Mode(), err)
			}
		}
	}
	if len(want) != 0 {
		t.Errorf("not reported: %v", want)
	}
}

func TestOutputsThatCannotBe(t *testing.T) {
	t.Parallel()
	b := start(t, spec())
	b.run(0, "tool-outputs", "/out/all")
	for _, c := range []struct {
		name, target string
		limits       sandbox.OutputLimits
		class        fault.Class
		text         string
	}{
		{"missing", "/out/none", sandbox.OutputLimits{}, fault.Failed, "does not exist"},
		{"through a link", "/out/all/linkdir", sandbox.OutputLimits{}, fault.Failed, ""},
		{"through a link, deeper", "/out/all/linkdir/tool", sandbox.OutputLimits{}, fault.Failed, "symbolic link"},
		{"/proc", "/proc/self", sandbox.OutputLimits{}, fault.Usage, ""},
		{"relative", "out", sandbox.OutputLimits{}, fault.Usage, ""},
		{"too many", "/out/all", sandbox.OutputLimits{Files: 3}, fault.Inconclusive, "limit reached"},
		{"too much", "/out/all", sandbox.OutputLimits{Bytes: 5}, fault.Inconclusive, "limit reached"},
	} {
		found, err := b.Outputs(t.Context(), c.target, filepath.Join(t.TempDir(), "o"), c.limits)
		if c.target == "/out/all/linkdir" {
			if err != nil || len(found) != 1 || found[0].Kind != sandbox.OutputLink {
				t.Errorf("%s: %+v, %v", c.name, found, err)
			}
			continue
		}
		if err == nil || fault.ClassOf(err) != c.class || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %+v, %v", c.name, found, err)
		}
	}
	if _, err := b.Outputs(t.Context(), "/out/none", t.TempDir(), sandbox.OutputLimits{}); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	one, err := b.Outputs(t.Context(), "/out/all/bin/tool", t.TempDir(), sandbox.OutputLimits{})
	if err != nil || len(one) != 1 || one[0].Path != "" || one[0].SHA256 == "" {
		t.Errorf("one file: %+v, %v", one, err)
	}
	twice := t.TempDir()
	for i := range 2 { // nothing that is there already is written over
		if _, err := b.Outputs(t.Context(), "/out/all/bin", twice, sandbox.OutputLimits{}); (err == nil) != (i == 0) {
			t.Errorf("time %d: %v", i, err)
		}
	}
}

// TestList names what TestOutputs would collect, and brings nothing.
func TestList(t *testing.T) {
	t.Parallel()
	b := start(t, spec())
	b.run(0, "tool-outputs", "/out")
	found, err := b.List(t.Context(), "/out", 0)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]string{}
	for _, o := range found {
		kinds[o.Path] = o.Kind
		if o.SHA256 != "" {
			t.Errorf("contents of %+v", o)
		}
		if o.Path == "bin/tool" && o.Size != 4 {
			t.Errorf("%+v", o)
		}
	}
	if kinds["bin/tool"] != sandbox.OutputFile || kinds["setuid"] != sandbox.OutputFile || kinds["link"] != sandbox.OutputLink || kinds["bin"] != sandbox.OutputDirectory || len(found) != 13 {
		t.Errorf("%d: %v", len(found), kinds)
	}
	if _, err := b.List(t.Context(), "/out", 3); err == nil || !strings.Contains(err.Error(), "limit reached") {
		t.Error(err)
	}
	if _, err := b.List(t.Context(), "/out/none", 0); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if data, err := b.Read(t.Context(), "/out/bin/tool", 4); err != nil || string(data) != "tool" {
		t.Errorf("afterwards: %q, %v", data, err)
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	b := start(t, spec())
	b.run(0, "tool-write", "/out/file", "text")
	b.run(0, "tool-outputs", "/out/all")
	if data, err := b.Read(t.Context(), "/out/file", 4); err != nil || string(data) != "text" {
		t.Errorf("%q, %v", data, err)
	}
	for path, is := range map[string]error{"/out/none": fs.ErrNotExist, "/out/all/link": nil, "/out/all/fifo": nil, "/out": nil, "/out/all/linkdir/tool": nil} {
		if data, err := b.Read(t.Context(), path, 100); err == nil || is != nil && !errors.Is(err, is) {
			t.Errorf("%s: %q, %v", path, data, err)
		}
	}
	if _, err := b.Read(t.Context(), "/out/file", 3); err == nil || fault.ClassOf(err) != fault.Inconclusive {
		t.Error(err)
	}
}
