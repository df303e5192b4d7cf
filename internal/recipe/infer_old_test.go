package recipe_test

import (
	"bytes"
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/gomod/modtest"
	"github.com/glassbuild/glassbuild/internal/recipe"
)

// TestOldBuildInfo: what an early toolchain does not record is read off the file, and only then.
func TestOldBuildInfo(t *testing.T) {
	t.Parallel()
	const (
		text     = "path\texample.org/hello\nmod\texample.org/hello\t(devel)\t\nbuild\tCGO_ENABLED=0\nbuild\tGOARCH=wasm\nbuild\tGOOS=js\n"
		trimmed  = "\x00runtime/proc.go\x00"
		rooted   = "\x00/usr/local/go/src/runtime/proc.go\x00"
		unclear  = "whether it was built with -trimpath: Go 1.18.10 does not record that, and the file does not show it"
		inPlace  = "the directories in which it was built: it was built without -trimpath, and they stand in the file"
		leftOut  = "strings that the linker set with -X: with -trimpath the build info leaves -ldflags out"
		stripped = "-ldflags=-s -w -buildid=" // a synthetic file has neither symbols nor build id
	)
	for _, c := range []struct {
		name, version, text, names string
		flags, unknown             []string
	}{
		{"trimmed", "go1.18.10", text, trimmed, []string{"-trimpath", "-buildvcs=false", stripped}, []string{leftOut}},
		{"in its own place", "go1.18.10", text, rooted, []string{"-buildvcs=false"}, []string{inPlace}},
		{"not to be seen", "go1.18.10", text, "", []string{"-buildvcs=false"}, []string{inPlace, unclear}},
		{"a version that records it", "go1.19.1", text, trimmed, []string{"-buildvcs=false"}, []string{inPlace}},
		{"the first that records it", "go1.19rc1", text, trimmed, []string{"-buildvcs=false"}, []string{inPlace}},
		{"recorded", "go1.19.1", text + "build\t-trimpath=true\n", rooted, []string{"-trimpath", "-buildvcs=false", stripped}, []string{leftOut}},
		{"linker flags of the first release", "go1.18", text + "build\t-ldflags=-s\n", trimmed, []string{"-trimpath", "-buildvcs=false", "-ldflags=-s"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := recipe.Infer(context.Background(), recipe.Inference{Binaries: []recipe.Binary{wasmBinaryWith(c.text, c.version, c.names)},
				ReadFile: reader(map[string]string{"go.mod": "module example.org/hello\n"})})
			if err != nil {
				t.Fatal(err)
			}
			run := got.Recipe.Steps[0].Run
			if flags := run[2:slices.Index(run, "-o")]; !slices.Equal(flags, c.flags) || !slices.Equal(got.Unknown, c.unknown) {
				t.Errorf("flags %q, want %q\nunknown %q, want %q", flags, c.flags, got.Unknown, c.unknown)
			}
		})
	}
}

// oldVersions are the last whose build info lacks -trimpath, the last whose lacks -buildmode, and the last for which darwin/amd64
// does not default to position-independent programs.
var oldVersions = []string{"1.18.10", "1.19.13", "1.21.13"}

// TestE2EOldToolchains builds with toolchains that record little and demands that the inferred step makes the same bytes.
func TestE2EOldToolchains(t *testing.T) {
	t.Parallel()
	if os.Getenv("GLASSBUILD_E2E") != "1" {
		t.Skipf("SKIPPED: GLASSBUILD_E2E=1 downloads Go %s and builds with each", strings.Join(oldVersions, ", "))
	}
	for _, version := range oldVersions {
		goCmd := modtest.Toolchain(t, version)
		for name, c := range map[string]struct{ flags, env []string }{
			"trimmed":                        {flags: []string{"-trimpath", "-buildvcs=false"}},
			"stripped":                       {flags: []string{"-trimpath", "-buildvcs=false", "-ldflags=-s -w"}},
			"in its own place":               {flags: []string{"-buildvcs=false"}},
			"position-independent":           {flags: []string{"-trimpath", "-buildvcs=false", "-buildmode=pie"}},
			"windows":                        {flags: []string{"-trimpath", "-buildvcs=false"}, env: []string{"GOOS", "windows"}},
			"darwin":                         {flags: []string{"-trimpath", "-buildvcs=false"}, env: []string{"GOOS", "darwin"}},
			"position-independent on darwin": {flags: []string{"-trimpath", "-buildvcs=false", "-buildmode=pie"}, env: []string{"GOOS", "darwin"}},
			"wasm":                           {flags: []string{"-trimpath", "-buildvcs=false"}, env: []string{"GOOS", "js", "GOARCH", "wasm"}},
		} {
			t.Run(version+" "+name, func(t *testing.T) {
				t.Parallel()
				w := newWorkshop(t, hello)
				w.goCmd = goCmd
				env := map[string]string{"CGO_ENABLED": "0", "GOOS": "linux", "GOARCH": "amd64"}
				for pair := range slices.Chunk(c.env, 2) {
					maps.Copy(env, map[string]string{pair[0]: pair[1]})
				}
				shipped := filepath.Join(t.TempDir(), "shipped")
				w.run("", env, slices.Concat([]string{"go", "build"}, c.flags, []string{"-o", shipped, "."})...)
				got, err := recipe.Infer(context.Background(), recipe.Inference{Binaries: []recipe.Binary{w.binary(shipped)}, ReadFile: w.readFile})
				if err != nil {
					t.Fatal(err)
				}
				run := got.Recipe.Steps[0].Run
				flags := slices.Clone(run[2:slices.Index(run, "-o")])
				if slices.Sort(flags); !slices.Equal(flags, slices.Sorted(slices.Values(c.flags))) {
					t.Errorf("flags %q, want %q", flags, c.flags)
				}
				if !bytes.Equal(w.rebuild(got.Recipe), readAll(t, shipped)) {
					t.Errorf("the inferred step makes other bytes:\n%s", got.TOML())
				}
			})
		}
	}
}
