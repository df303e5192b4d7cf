package builder

import (
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// fakeHost makes a root like that of a distribution with merged /usr.
func fakeHost(t *testing.T) string {
	t.Helper()
	base := t.TempDir()
	for _, dir := range []string{"usr/bin", "usr/lib", "usr/lib64", "etc/alternatives", "var/lib/dpkg"} {
		if err := os.MkdirAll(filepath.Join(base, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range map[string]string{"bin": "usr/bin", "lib": "/usr/lib", "lib64": "usr/lib64"} {
		if err := os.Symlink(target, filepath.Join(base, name)); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{
		"etc/os-release":      "NAME=x\nPRETTY_NAME=\"Some Linux 12\"\n",
		"etc/ld.so.cache":     "cache",
		"var/lib/dpkg/status": "Package: zlib\nStatus: install ok installed\nVersion: 1:2\nArchitecture: amd64\n\nPackage: gone\nStatus: deinstall ok config-files\nVersion: 1\n\nPackage: gcc\nStatus: install ok installed\nDescription: x\n more: y\nVersion: 12\nArchitecture: amd64\n",
	} {
		if err := os.WriteFile(filepath.Join(base, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return base
}

func TestHost(t *testing.T) {
	t.Parallel()
	base := fakeHost(t)
	root := &Root{Kind: "host", Env: map[string]string{}}
	if err := addHostFrom(root, base); err != nil {
		t.Fatal(err)
	}
	root.seal()
	if root.Vouched || root.Digest != "" {
		t.Errorf("the host is vouched for: %v, pinned: %q", root.Vouched, root.Digest)
	}
	wantLinks := []Link{{"/bin", "usr/bin"}, {"/lib", "/usr/lib"}, {"/lib64", "usr/lib64"}}
	if !reflect.DeepEqual(root.Links, wantLinks) {
		t.Errorf("links %v", root.Links)
	}
	if len(root.Layers) != 2 || root.Layers[0].Target != "/usr" || root.Layers[0].Version != "Some Linux 12" || root.Layers[1].Target != "/etc/alternatives" {
		t.Errorf("layers %+v", root.Layers)
	}
	want := []Package{{"gcc", "12", "pkg:deb/debian/gcc@12?arch=amd64"}, {"zlib", "1:2", "pkg:deb/debian/zlib@1%3A2?arch=amd64"}}
	if got := root.Layers[0].Packages; !slices.Equal(got, want) {
		t.Errorf("packages %q", got)
	}
	if len(root.Files) != 1 || string(root.Files[0].Data) != "cache" || !strings.HasSuffix(root.Env["PATH"], ":/bin") {
		t.Errorf("files %v, environment %v", root.Files, root.Env)
	}
}

func TestHostWithFoldersOfItsOwn(t *testing.T) {
	t.Parallel()
	base := fakeHost(t)
	os.Remove(filepath.Join(base, "bin"))
	os.Mkdir(filepath.Join(base, "bin"), 0o755)
	root := &Root{Env: map[string]string{}}
	if err := addHostFrom(root, base); err != nil {
		t.Fatal(err)
	}
	if l := root.Layers[1]; l.Target != "/bin" || l.Dir != filepath.Join(base, "bin") {
		t.Errorf("layers %+v", root.Layers)
	}
	os.Remove(filepath.Join(base, "lib"))
	os.Symlink("/home/somebody/lib", filepath.Join(base, "lib"))
	if err := addHostFrom(&Root{Env: map[string]string{}}, base); fault.ClassOf(err) != fault.Inconclusive || err == nil {
		t.Errorf("a library folder outside /usr: %v", err)
	}
	if err := addHostFrom(&Root{Env: map[string]string{}}, t.TempDir()); fault.CheckOf(err) != CheckAvailable {
		t.Errorf("no /usr: %v", err)
	}
}

func TestHostAndGo(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("the host builder is for Linux")
	}
	w := newWorld(t)
	platform := "linux/" + runtime.GOARCH
	if runtime.GOARCH != "amd64" {
		t.Skip("the made toolchain is for amd64")
	}
	w.publish("1.26.5", toolchainFiles)
	root, err := Prepare(t.Context(), Request{Go: "1.26.5", Host: true, Platform: platform}, w.options())
	if err != nil {
		t.Fatal(err)
	}
	last := root.Layers[len(root.Layers)-1]
	if root.Kind != "host+go" || root.Vouched || root.Digest != "" || last.Name != "go" || last.Target != "/opt/go" || !strings.HasPrefix(root.Env["PATH"], "/opt/go/bin:") {
		t.Errorf("%+v", root)
	}
	if _, err := Prepare(t.Context(), Request{Host: true, Platform: "plan9/386"}, w.options()); fault.CheckOf(err) != CheckAvailable || fault.ClassOf(err) != fault.Inconclusive {
		t.Errorf("%v", err)
	}
}
