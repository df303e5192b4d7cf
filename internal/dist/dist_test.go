package dist_test

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/glassbuild/glassbuild/internal/artifact"
	"github.com/glassbuild/glassbuild/internal/dist"
	"github.com/glassbuild/glassbuild/internal/oci"
)

var info = dist.Info{Name: "tool", Version: "v1.2.3-rc.1", Summary: "a tool", Text: "One line.\n\nAnother.", URL: "https://example.org", Maintainer: "Ada <ada@example.org>",
	Licence: "Apache-2.0", Architecture: "amd64", Time: time.Unix(1_700_000_000, 0)}

var files = []dist.File{
	{Name: "usr/bin/tool", Mode: 0o755, Data: []byte("\x7fELF program")},
	{Name: "usr/share/doc/tool/copyright", Mode: 0o644, Data: []byte("words\n")},
}

// makers are the forms of a package, and the members that each must have.
var makers = map[string]struct {
	make func([]dist.File) ([]byte, error)
	want []string
}{
	"tool.tar.gz": {func(f []dist.File) ([]byte, error) { return dist.TarGzip(f, info.Time) }, []string{"usr/bin/tool"}},
	"tool.zip":    {func(f []dist.File) ([]byte, error) { return dist.Zip(f, info.Time) }, []string{"usr/bin/tool"}},
	"tool.deb":    {func(f []dist.File) ([]byte, error) { return dist.Debian(info, f) }, []string{"data.tar.gz", "control.tar.gz"}},
	"tool.rpm":    {func(f []dist.File) ([]byte, error) { return dist.RPM(info, f) }, []string{"payload"}},
}

// TestSameBytes: the order in which files are named and the zone of the clock change nothing, one changed byte does.
func TestSameBytes(t *testing.T) {
	t.Parallel()
	for name, m := range makers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			one, err := m.make(files)
			if err != nil {
				t.Fatal(err)
			}
			turned := slices.Clone(files)
			slices.Reverse(turned)
			two, err := m.make(turned)
			if err != nil || !bytes.Equal(one, two) {
				t.Errorf("another order gives other bytes: %v", err)
			}
			other := slices.Clone(files)
			other[0].Data = []byte("\x7fELF progran")
			if three, err := m.make(other); err != nil || bytes.Equal(one, three) {
				t.Errorf("another program gives the same bytes: %v", err)
			}
			// our own reader opens it as what was meant
			path := filepath.Join(t.TempDir(), name)
			if err := os.WriteFile(path, one, 0o600); err != nil {
				t.Fatal(err)
			}
			a, err := artifact.Open(t.Context(), path, artifact.Options{Dir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			var paths []string
			_ = a.Walk(func(m *artifact.Member) error { paths = append(paths, m.Path); return nil })
			for _, want := range m.want {
				if !slices.ContainsFunc(paths, func(p string) bool { return strings.HasSuffix(p, want) }) {
					t.Errorf("no member %s in %q", want, paths)
				}
			}
			if !slices.ContainsFunc(paths, func(p string) bool { return strings.HasSuffix(p, "usr/bin/tool") }) {
				t.Errorf("no program in %q", paths)
			}
			if len(a.Hostile) > 0 {
				t.Errorf("problems: %v", a.Hostile)
			}
		})
	}
}

func TestWhatIsNotPacked(t *testing.T) {
	t.Parallel()
	for name, f := range map[string][]dist.File{
		"twice":            {{Name: "a"}, {Name: "a"}},
		"absolute":         {{Name: "/a"}},
		"up":               {{Name: "../a"}},
		"unclean":          {{Name: "a//b"}},
		"empty":            {{Name: ""}},
		"file and folder":  {{Name: "a"}, {Name: "a/b"}},
		"folder, then one": {{Name: "a/b/c"}, {Name: "a/b"}},
	} {
		for form, m := range makers {
			if _, err := m.make(f); err == nil {
				t.Errorf("%s: %s was packed", form, name)
			}
		}
	}
	for _, bad := range []dist.Info{{Architecture: "mips", Version: "v1"}, {Architecture: "amd64", Version: "1"}, {Architecture: "amd64", Version: "v1\nDepends: x"}} {
		if _, err := dist.Debian(bad, files); err == nil {
			t.Errorf("a Debian package of %+v", bad)
		}
		if _, err := dist.RPM(bad, files); err == nil {
			t.Errorf("an RPM package of %+v", bad)
		}
	}
}

// TestToolsReadThem asks the tools that will install the packages.
func TestToolsReadThem(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, m := range makers {
		data, err := m.make(files)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, row := range []struct {
		argv []string
		want []string
	}{
		{[]string{"dpkg-deb", "--info", "tool.deb"}, []string{"Package: tool", "Version: 1.2.3~rc.1", "Architecture: amd64", " .\n"}},
		{[]string{"dpkg-deb", "--contents", "tool.deb"}, []string{"-rwxr-xr-x root/root", "usr/bin/tool", "drwxr-xr-x root/root"}},
		{[]string{"rpm", "--dbpath", dir, "-qip", "tool.rpm"}, []string{"Version     : 1.2.3~rc.1", "Architecture: x86_64", "License     : Apache-2.0"}},
		{[]string{"rpm", "--dbpath", dir, "-qlvp", "tool.rpm"}, []string{"-rwxr-xr-x", "/usr/bin/tool"}},
		{[]string{"rpm", "--dbpath", dir, "-K", "tool.rpm"}, []string{"digests OK"}},
	} {
		t.Run(strings.Join(row.argv[:1], " ")+row.argv[len(row.argv)-2], func(t *testing.T) {
			if _, err := exec.LookPath(row.argv[0]); err != nil {
				t.Skipf("%s is not installed: nobody reads the package but ourselves", row.argv[0])
			}
			cmd := exec.Command(row.argv[0], row.argv[1:]...)
			cmd.Dir, cmd.Env = dir, append(os.Environ(), "LC_ALL=C", "TZ=UTC")
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			for _, want := range row.want {
				if !strings.Contains(string(out), want) {
					t.Errorf("no %q in\n%s", want, out)
				}
			}
		})
	}
}

func TestZipKeepsModes(t *testing.T) {
	t.Parallel()
	data, err := dist.Zip(files, info.Time)
	if err != nil {
		t.Fatal(err)
	}
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	if m := r.File[0].Mode(); m != 0o755 {
		t.Errorf("mode %v", m)
	}
}

// TestImage reads the image back as everybody else's.
func TestImage(t *testing.T) {
	t.Parallel()
	layers := []dist.Layer{{Architecture: "amd64", Files: files[:1]}, {Architecture: "arm64", Files: files[:1]}}
	data, err := dist.Image(info, layers)
	if err != nil {
		t.Fatal(err)
	}
	again, err := dist.Image(info, layers)
	if err != nil || !bytes.Equal(data, again) {
		t.Fatalf("the same layers give another image: %v", err)
	}
	path := filepath.Join(t.TempDir(), "image.tar")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	place, err := oci.Open(oci.Archive(path), oci.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer place.Close()
	index, err := place.Resolve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	images, err := place.Images(t.Context(), index)
	if err != nil || len(images) != 2 {
		t.Fatalf("%d images, %v", len(images), err)
	}
	for i, d := range images {
		m, err := place.Manifest(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := place.ReadBlob(t.Context(), m.Config, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if want := layers[i].Architecture; !bytes.Contains(raw, []byte(`"architecture":"`+want+`"`)) || !bytes.Contains(raw, []byte(`"Entrypoint":["/usr/bin/tool"]`)) {
			t.Errorf("configuration %s", raw)
		}
		blob, err := place.Blob(t.Context(), m.Layers[0], 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, blob); err != nil {
			t.Error(err)
		}
		blob.Close()
	}
}

func TestSums(t *testing.T) {
	t.Parallel()
	got := string(dist.Sums([]dist.File{{Name: "b", Data: []byte("x")}, {Name: "a"}}))
	want := "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  a\n2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881  b\n"
	if got != want {
		t.Errorf("%q", got)
	}
}
