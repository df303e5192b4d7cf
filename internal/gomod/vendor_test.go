package gomod_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/module"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/gomod"
	"github.com/glassbuild/glassbuild/internal/gomod/modtest"
)

// vendored makes a module whose vendor folder the go command itself has filled from a proxy.
func vendored(t *testing.T) (dir string, up *modtest.Server) {
	t.Helper()
	up = modtest.New(t)
	up.Add("example.com/dep", "v1.0.0", map[string]string{
		"dep.go":         "package dep\n\nimport (\n\t_ \"embed\"\n\n\t_ \"example.com/dep/sub\"\n)\n\n//go:embed data/rules.txt\nvar Rules string\n",
		"dep_windows.go": "package dep\n", "dep_test.go": "package dep\n", "gen.go": "//go:build ignore\n\npackage main\n", "LICENSE": "free\n",
		"data/rules.txt": "rule\n", "data/other.txt": "other\n", "sub/sub.go": "package sub\n", "unused/u.go": "package unused\n", "asm.s": "// none\n",
	})
	up.Add("example.com/nested", "v0.1.0", map[string]string{"n.go": "package nested\n\nimport _ \"example.com/nested/inner\"\n"})
	up.Add("example.com/nested/inner", "v0.2.0", map[string]string{"i.go": "package inner\n", "COPYING": "free\n"})
	up.Add("example.com/fork", "v1.0.1", map[string]string{"old.go": "package old // the fork\n"})
	dir = t.TempDir()
	for name, data := range map[string]string{
		"go.mod": "module example.com/app\n\ngo 1.24\n\nrequire (\n\texample.com/dep v1.0.0\n\texample.com/nested v0.1.0\n\texample.com/nested/inner v0.2.0\n" +
			"\texample.com/old v1.0.0\n\texample.com/local v1.0.0\n)\n\nreplace example.com/old => example.com/fork v1.0.1\n\nreplace example.com/local => ./third_party/local\n",
		"main.go":                  "package main\n\nimport (\n\t_ \"example.com/dep\"\n\t_ \"example.com/local\"\n\t_ \"example.com/nested\"\n\t_ \"example.com/old\"\n)\n\nfunc main() {}\n",
		"third_party/local/go.mod": "module example.com/local\n", "third_party/local/l.go": "package local\n",
	} {
		write(t, filepath.Join(dir, name), data)
	}
	env := gomod.Env{GOPROXY: up.URL, GOSUMDB: up.Key}.FetchEnv(up.URL)
	for _, args := range [][]string{{"mod", "tidy"}, {"mod", "vendor"}} {
		cmd := exec.Command("go", args...)
		home := t.TempDir()
		cmd.Dir = dir
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "GOMODCACHE=" + filepath.Join(home, "mod"), "GOCACHE=" + filepath.Join(home, "cache"), "GOFLAGS=-modcacherw"}
		for k, v := range env {
			cmd.Env = append(cmd.Env, k+"="+v)
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go %q: %v\n%s", args, err, out)
		}
	}
	return dir, up
}

func write(t *testing.T, name, data string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(data), 0o644); err != nil {
		t.Fatal(err)
	}
}

func keepIn(dir string) func(context.Context, io.Reader, int64) (*os.File, error) {
	return func(_ context.Context, r io.Reader, limit int64) (*os.File, error) {
		f, err := os.CreateTemp(dir, "zip")
		if err != nil {
			return nil, err
		}
		_, err = io.Copy(f, io.LimitReader(r, limit))
		return f, err
	}
}

func checkVendor(t *testing.T, dir string, env gomod.Env) (*gomod.VendorReport, error) {
	t.Helper()
	src := source(t, env)
	return gomod.CheckVendor(t.Context(), os.DirFS(dir), src.Zips(keepIn(t.TempDir())), checker(t, src, t.TempDir()))
}

func TestCheckVendor(t *testing.T) {
	t.Parallel()
	original, up := vendored(t)
	for _, c := range []struct {
		name   string
		change func(vendor string) error
		want   []string
	}{
		{"as go mod vendor left it", func(v string) error { return nil }, nil},
		{"one byte changed", func(v string) error {
			return os.WriteFile(v+"/example.com/dep/sub/sub.go", []byte("package sub \n"), 0o644)
		},
			[]string{"different example.com/dep@v1.0.0 vendor/example.com/dep/sub/sub.go"}},
		{"embedded data changed", func(v string) error {
			return os.WriteFile(v+"/example.com/dep/data/rules.txt", []byte("none\n"), 0o644)
		},
			[]string{"different example.com/dep@v1.0.0 vendor/example.com/dep/data/rules.txt"}},
		{"file added", func(v string) error {
			return os.WriteFile(v+"/example.com/dep/init.go", []byte("package dep\n\nfunc init() { println() }\n"), 0o644)
		}, []string{"extra example.com/dep@v1.0.0 vendor/example.com/dep/init.go"}},
		{"file left out", func(v string) error { return os.Remove(v + "/example.com/dep/dep_windows.go") },
			[]string{"absent example.com/dep@v1.0.0 vendor/example.com/dep/dep_windows.go"}},
		{"nested module changed", func(v string) error { return os.WriteFile(v+"/example.com/nested/inner/i.go", nil, 0o644) },
			[]string{"different example.com/nested/inner@v0.2.0 vendor/example.com/nested/inner/i.go"}},
		{"replaced module as the original would be", func(v string) error { return os.WriteFile(v+"/example.com/old/old.go", []byte("package old\n"), 0o644) },
			[]string{"different example.com/old@v1.0.0 vendor/example.com/old/old.go"}},
		{"copy of a directory of the tree changed", func(v string) error { return os.WriteFile(v+"/example.com/local/l.go", nil, 0o644) },
			[]string{"different example.com/local@v1.0.0 vendor/example.com/local/l.go"}},
		{"package of nobody", func(v string) error {
			return errors.Join(os.MkdirAll(v+"/evil.example/x", 0o755), os.WriteFile(v+"/evil.example/x/x.go", nil, 0o644))
		}, []string{"extra  vendor/evil.example/x/x.go"}},
		{"link in vendor", func(v string) error { return os.Symlink("../../../main.go", v+"/example.com/dep/l.go") },
			[]string{"not-a-file  vendor/example.com/dep/l.go"}},
		{"unused package added", func(v string) error {
			return errors.Join(os.MkdirAll(v+"/example.com/dep/unused", 0o755), os.WriteFile(v+"/example.com/dep/unused/u.go", []byte("package changed\n"), 0o644))
		}, []string{"different example.com/dep@v1.0.0 vendor/example.com/dep/unused/u.go"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(original)); err != nil {
				t.Fatal(err)
			}
			if err := c.change(filepath.Join(dir, "vendor")); err != nil {
				t.Fatal(err)
			}
			report, err := checkVendor(t, dir, gomod.Env{GOPROXY: up.URL, GOSUMDB: up.Key})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range report.Findings {
				got = append(got, fmt.Sprintf("%s %s %s", f.Kind, f.Module, f.Path))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
			for _, m := range report.Modules {
				if local := m.Module == "example.com/local@v1.0.0"; local != (m.Status == "") || !local && m.Status != gomod.Verified || m.Files == 0 {
					t.Errorf("%+v", m)
				}
			}
			if len(report.Modules) != 5 {
				t.Errorf("%d modules", len(report.Modules))
			}
		})
	}
}

// TestVendorOfALyingProxy: a proxy that serves the vendor's edited module as a zip is caught by the database.
func TestVendorOfALyingProxy(t *testing.T) {
	t.Parallel()
	dir, up := vendored(t)
	edited := "package sub // edited\n"
	write(t, filepath.Join(dir, "vendor/example.com/dep/sub/sub.go"), edited)
	lying := modtest.New(t)
	lying.Add("example.com/dep", "v1.0.0", map[string]string{"sub/sub.go": edited})
	report, err := checkVendor(t, dir, gomod.Env{GOPROXY: lying.URL, GOSUMDB: up.Key + " " + up.URL + "/sumdb/" + modtest.Database})
	if err != nil {
		t.Fatal(err)
	}
	status := map[string]gomod.Status{}
	for _, m := range report.Modules {
		status[m.Module] = m.Status
	}
	want := map[string]gomod.Status{"example.com/dep@v1.0.0": gomod.Mismatch, "example.com/nested@v0.1.0": gomod.Unknown,
		"example.com/nested/inner@v0.2.0": gomod.Unknown, "example.com/old@v1.0.0": gomod.Unknown, "example.com/local@v1.0.0": ""}
	if !maps.Equal(status, want) {
		t.Errorf("%v", status)
	}
}

func TestModulesText(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"package before module": "example.com/a\n", "foreign package": "# example.com/a v1.0.0\nexample.com/b\n", "climbing package": "# example.com/a v1.0.0\nexample.com/a/../b\n",
		"no version": "# example.com/a\n", "version not canonical": "# example.com/a v1\n", "nothing after the arrow": "# example.com/a v1.0.0 =>\n",
		"climbing module": "# ../a v1.0.0\n", "too many words": "# example.com/a v1.0.0 x\n", "bad replacement": "# example.com/a v1.0.0 => ../b v1.0.0\n",
	} {
		if list, err := gomod.ParseModulesText([]byte(text)); err == nil || fault.ClassOf(err) != fault.Failed {
			t.Errorf("%s: %v, %v", name, list, err)
		}
	}
	got, err := gomod.ParseModulesText([]byte("# example.com/a v1.0.0\n## explicit; go 1.24\nexample.com/a\nexample.com/a/b\n# example.com/b v1.0.0 => ./b\n# example.com/b => ./b\n## workspace\n"))
	if err != nil || len(got) != 2 || got[0].Module != (module.Version{Path: "example.com/a", Version: "v1.0.0"}) || len(got[0].Packages) != 2 || got[1].Replaced.Path != "./b" {
		t.Errorf("%+v, %v", got, err)
	}
}

func FuzzModulesText(f *testing.F) {
	f.Add([]byte("# example.com/a v1.0.0 => example.com/b v1.0.1\n## explicit\nexample.com/a/c\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := gomod.ParseModulesText(data)
		if err != nil {
			return
		}
		for _, m := range list {
			for _, p := range m.Packages {
				if p != m.Module.Path && !strings.HasPrefix(p, m.Module.Path+"/") || !filepath.IsLocal(p) {
					t.Errorf("%q is no package of %q", p, m.Module.Path)
				}
			}
		}
	})
}
