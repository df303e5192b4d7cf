package builder

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/builder/archivetest"
	"github.com/glassbuild/glassbuild/internal/builder/debian"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/remote"
	"github.com/glassbuild/glassbuild/internal/store"
)

// options are of a machine whose apt knows nothing, with the archive's key in the policy.
func optionsFor(t *testing.T, a *archivetest.Archive) Options {
	t.Helper()
	s, err := store.Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := remote.New(remote.Options{})
	if err != nil {
		t.Fatal(err)
	}
	system, err := debian.LoadSystem(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return Options{Store: s, Remote: c, System: system, ArchiveKeys: [][]byte{a.PublicKey()}}
}

func wants(a *archivetest.Archive, names ...string) *Debian {
	return &Debian{Suite: "test", Wanted: names, Mirror: a.URL}
}

// locked resolves and returns what a lock would hold.
func locked(t *testing.T, a *archivetest.Archive, names ...string) *Debian {
	t.Helper()
	d := wants(a, names...)
	pins, err := ResolveDebian(context.Background(), d, "linux/amd64", optionsFor(t, a))
	if err != nil {
		t.Fatal(err)
	}
	d.Pins = pins
	return d
}

func prepareDebian(d *Debian, o Options) (*Root, error) {
	return Prepare(context.Background(), Request{Debian: d, Platform: "linux/amd64"}, o)
}

func dir(name string) tar.Header { return tar.Header{Name: name, Typeflag: tar.TypeDir, Mode: 0o755} }
func exe(name string) tar.Header { return tar.Header{Name: name, Mode: 0o755} }

// someone is a small system: a shell in /bin, a library, a compiler behind an alternative.
func someone() []archivetest.Package {
	return []archivetest.Package{
		{Name: "base-passwd", Version: "1", Fields: "Essential: yes\n", Members: []tar.Header{{Name: "./usr/share/base-passwd/passwd.master"}},
			Text: map[string]string{"./usr/share/base-passwd/passwd.master": "root:x:0:0::/root:/bin/sh\n"}},
		{Name: "base-files", Version: "1", Fields: "Essential: yes\n", Members: []tar.Header{{Name: "./etc/dpkg/origins/debian"}}},
		{Name: "shell", Version: "1", Fields: "Essential: yes\nPre-Depends: libtest (>= 1)\n", Members: []tar.Header{dir("./"), dir("./bin/"), exe("./bin/sh")},
			Text: map[string]string{"./bin/sh": "shell"}, Scripts: map[string]string{"postinst": "#!/bin/sh\ntouch /tmp/glassbuild-was-here\n"}},
		{Name: "libtest", Version: "1.2", Fields: "Multi-Arch: same\n", Members: []tar.Header{exe("./lib/x/libtest.so.1")}, Text: map[string]string{"./lib/x/libtest.so.1": "lib"}},
		{Name: "tcc", Version: "2", Fields: "Depends: libtest\n", Members: []tar.Header{exe("./usr/bin/tcc"), {Name: "./etc/tcc.conf"}}, Text: map[string]string{"./usr/bin/tcc": "cc"},
			Scripts: map[string]string{"postinst": "#!/bin/sh\nupdate-alternatives --install /usr/bin/cc cc /usr/bin/tcc 10\n", "conffiles": "/etc/tcc.conf\n"}},
		{Name: "unwanted", Version: "1", Members: []tar.Header{{Name: "./unwanted"}}},
	}
}

func TestDebianRoot(t *testing.T) {
	t.Parallel()
	a := archivetest.NewArchive(t, someone()...)
	d := locked(t, a, "tcc")
	if len(d.Pins.Packages) != 5 {
		t.Fatalf("%+v", d.Pins)
	}
	opts := optionsFor(t, a)
	root, err := prepareDebian(d, opts)
	if err != nil {
		t.Fatal(err)
	}
	l := root.Layers[0]
	if !root.Vouched || l.Voucher.Kind != "archive-signature" || !strings.Contains(l.Voucher.By, "archive <a@archive.example>") || root.Digest == "" || l.Target != "/" || len(l.Parts) != 5 {
		t.Errorf("%+v", l)
	}
	for name, want := range map[string]string{"usr/bin/sh": "shell", "bin/sh": "shell", "usr/lib/x/libtest.so.1": "lib", "etc/passwd": "root:x:0:0::/root:/bin/sh\n"} {
		if data, err := os.ReadFile(filepath.Join(l.Dir, name)); err != nil || string(data) != want {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
	for name, want := range map[string]string{"bin": "usr/bin", "lib": "usr/lib", "usr/bin/cc": "/etc/alternatives/cc", "etc/alternatives/cc": "/usr/bin/tcc", "etc/dpkg/origins/default": "debian"} {
		if target, err := os.Readlink(filepath.Join(l.Dir, name)); err != nil || target != want {
			t.Errorf("%s leads to %q, %v", name, target, err)
		}
	}
	status, err := os.ReadFile(filepath.Join(l.Dir, "var/lib/dpkg/status"))
	if err != nil || strings.Count(string(status), "Status: install ok installed\n") != 5 || !strings.Contains(string(status), "Conffiles:\n /etc/tcc.conf newconffile\n") {
		t.Errorf("%s, %v", status, err)
	}
	if _, err := os.Stat(filepath.Join(l.Dir, "var/lib/dpkg/info/libtest:amd64.list")); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(l.Dir, "var/lib/dpkg/info/shell.postinst")); err == nil {
		t.Error("a maintainer script was laid")
	}
	if _, err := os.Stat(filepath.Join(l.Dir, "unwanted")); err == nil {
		t.Error("a package that nobody asked for was laid")
	}
	// another machine gives the same digest, and a second use asks nobody
	again, err := prepareDebian(d, optionsFor(t, a))
	if err != nil || again.Digest != root.Digest {
		t.Fatalf("%v, %v", again, err)
	}
	opts.Offline = true
	if again, err = prepareDebian(d, opts); err != nil || again.Digest != root.Digest || !again.Vouched {
		t.Errorf("offline: %v, %v", again, err)
	}
}

// A kept root that somebody changed is laid anew from the packages.
func TestDebianRootIsRepaired(t *testing.T) {
	t.Parallel()
	a := archivetest.NewArchive(t, someone()...)
	d, opts := locked(t, a, "tcc"), optionsFor(t, a)
	root, err := prepareDebian(d, opts)
	if err != nil {
		t.Fatal(err)
	}
	cc := filepath.Join(root.Layers[0].Dir, "usr/bin/tcc")
	if err := os.WriteFile(cc, []byte("evil"), 0o755); err != nil {
		t.Fatal(err)
	}
	manifest := filepath.Join(filepath.Dir(root.Layers[0].Dir), rootManifest)
	text, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(manifest); err != nil { // the manifest is made to fit
		t.Fatal(err)
	}
	if err := os.WriteFile(manifest, bytes.ReplaceAll(text, []byte(archivetest.SHA([]byte("cc"))), []byte(archivetest.SHA([]byte("evil")))), 0o444); err != nil {
		t.Fatal(err)
	}
	again, err := prepareDebian(d, opts)
	if err != nil || again.Digest != root.Digest {
		t.Fatal(err)
	}
	if data, _ := os.ReadFile(cc); string(data) != "cc" {
		t.Errorf("%q", data)
	}
}

func TestDebianHostile(t *testing.T) {
	t.Parallel()
	wrong := archivetest.NewArchive(t, someone()...) // somebody else's, signed by somebody else
	stranger := func(a *archivetest.Archive, d *Debian) {
		a.Set("dists/test/InRelease", wrong.Files["dists/test/InRelease"])
	}
	const pool = "pool/main/tcc_2_amd64.deb"
	for _, c := range []struct {
		name   string
		change func(a *archivetest.Archive, d *Debian)
		want   string
		class  fault.Class
	}{
		{"mirror serves another package", func(a *archivetest.Archive, _ *Debian) { a.Set(pool, bytes.Repeat([]byte("x"), len(a.Files[pool]))) }, "serves another file", fault.Failed},
		{"mirror serves a longer package", func(a *archivetest.Archive, _ *Debian) { a.Set(pool, append(bytes.Clone(a.Files[pool]), 0)) }, "exceeds", fault.Failed},
		{"mirror serves a shorter package", func(a *archivetest.Archive, _ *Debian) { a.Set(pool, a.Files[pool][:100]) }, "serves another file", fault.Failed},
		{"package is gone", func(a *archivetest.Archive, _ *Debian) { a.Set(pool, nil) }, "cannot be fetched", fault.Inconclusive},
		{"index altered", func(a *archivetest.Archive, _ *Debian) {
			a.Set("dists/test/main/binary-amd64/Packages.gz", bytes.Repeat([]byte("x"), len(a.Files["dists/test/main/binary-amd64/Packages.gz"])))
		}, "serves another file", fault.Failed},
		{"signed by a stranger", stranger, "not signed by a key that counts", fault.Failed},
		{"not signed", func(a *archivetest.Archive, _ *Debian) { a.Set("dists/test/InRelease", []byte("Codename: test\n")) }, "is not signed", fault.Failed},
		{"no Release file", func(a *archivetest.Archive, _ *Debian) { a.Set("dists/test/InRelease", nil) }, "cannot be fetched", fault.Inconclusive},
		{"lock names a stranger's Release", func(a *archivetest.Archive, d *Debian) {
			stranger(a, d)
			d.Pins.Release.SHA256 = archivetest.SHA(wrong.Files["dists/test/InRelease"])
		}, "not signed by a key that counts", fault.Failed},
		{"lock names another index", func(_ *archivetest.Archive, d *Debian) { d.Pins.Index.SHA256 = strings.Repeat("0", 64) }, "another index than its Release file lists", fault.Failed},
		{"lock names another package", func(_ *archivetest.Archive, d *Debian) { d.Pins.Packages[0].SHA256 = strings.Repeat("0", 64) }, "its own index does not list", fault.Failed},
		{"lock names a package twice", func(_ *archivetest.Archive, d *Debian) { d.Pins.Packages = append(d.Pins.Packages, d.Pins.Packages[0]) }, "twice", fault.Failed},
		{"no lock", func(_ *archivetest.Archive, d *Debian) { d.Pins = nil }, "no lock", fault.Inconclusive},
		{"no mirror", func(_ *archivetest.Archive, d *Debian) { d.Mirror = "" }, "name no mirror", fault.Inconclusive},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := archivetest.NewArchive(t, someone()...)
			d := locked(t, a, "tcc")
			c.change(a, d)
			root, err := prepareDebian(d, optionsFor(t, a))
			if err == nil || !strings.Contains(err.Error(), c.want) || fault.ClassOf(err) != c.class || fault.CheckOf(err) != CheckAvailable {
				t.Errorf("%v, %v (%v, %s)", root, err, fault.ClassOf(err), fault.CheckOf(err))
			}
		})
	}
}

func TestDebianHostilePackages(t *testing.T) {
	t.Parallel()
	outside := t.TempDir()
	for _, c := range []struct {
		name string
		bad  archivetest.Package
		want string
	}{
		{"climbs", archivetest.Package{Members: []tar.Header{{Name: "../../x"}}}, "unsafe path"},
		{"through a link", archivetest.Package{Members: []tar.Header{{Name: "./l", Typeflag: tar.TypeSymlink, Linkname: outside}, {Name: "./l/x"}}}, "path through symlink"},
		{"device", archivetest.Package{Members: []tar.Header{{Name: "./dev/sda", Typeflag: tar.TypeBlock}}}, "unsupported type"},
		{"hard link outside", archivetest.Package{Members: []tar.Header{{Name: "./x", Typeflag: tar.TypeLink, Linkname: "/etc/passwd"}}}, "link escapes"},
		{"another package's file", archivetest.Package{Members: []tar.Header{exe("./usr/bin/tcc")}, Text: map[string]string{"./usr/bin/tcc": "evil"}}, "neither replaces the other"},
		{"another package's file, by its other path", archivetest.Package{Members: []tar.Header{exe("./usr/bin/sh")}, Text: map[string]string{"./usr/bin/sh": "evil"}}, "neither replaces the other"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.bad.Name, c.bad.Version = "zz-bad", "1"
			a := archivetest.NewArchive(t, append(someone(), c.bad)...)
			d := locked(t, a, "tcc", "zz-bad")
			_, err := prepareDebian(d, optionsFor(t, a))
			if err == nil || !strings.Contains(err.Error(), c.want) || fault.ClassOf(err) != fault.Failed {
				t.Errorf("%v", err)
			}
		})
	}
	if names, _ := os.ReadDir(outside); len(names) > 0 {
		t.Error("written outside")
	}
}

// What a package says of itself must be what the index says of it.
func TestDebianIndexContradictsPackage(t *testing.T) {
	t.Parallel()
	a := archivetest.NewArchive(t, someone()...)
	data := archivetest.Package{Name: "other", Version: "1"}.Deb(t)
	a.Files["pool/main/x.deb"] = data
	a.Index([]byte(fmt.Sprintf("Package: shell\nEssential: yes\nVersion: 1\nArchitecture: amd64\nFilename: pool/main/x.deb\nSize: %d\nSHA256: %s\n", len(data), archivetest.SHA(data))))
	_, err := prepareDebian(locked(t, a), optionsFor(t, a))
	if err == nil || !strings.Contains(err.Error(), "the index says") || fault.ClassOf(err) != fault.Failed {
		t.Error(err)
	}
}

// configured is a machine with these apt sources.
func configured(t *testing.T, lines string) *debian.System {
	t.Helper()
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "etc/apt"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "etc/apt/sources.list"), []byte(lines), 0o644); err != nil {
		t.Fatal(err)
	}
	s, err := debian.LoadSystem(root)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A source of somebody else's, with a suite and a component of the same names, vouches for nothing and is in nobody's way (F3).
func TestDebianBesideAnotherArchive(t *testing.T) {
	t.Parallel()
	a, vendor := archivetest.NewArchive(t, someone()...), archivetest.NewArchive(t, archivetest.Package{Name: "tcc", Version: "2", Members: []tar.Header{exe("./usr/bin/tcc")}, Text: map[string]string{"./usr/bin/tcc": "evil"}})
	opts := optionsFor(t, a)
	opts.System = configured(t, "deb "+vendor.URL+" test main\ndeb "+a.URL+" test main\n")
	d := &Debian{Suite: "test", Wanted: []string{"tcc"}}
	var err error
	if d.Pins, err = ResolveDebian(context.Background(), d, "linux/amd64", opts); err != nil {
		t.Fatal(err)
	}
	fresh := optionsFor(t, a)
	fresh.System = opts.System
	for _, o := range []Options{opts, fresh} {
		root, err := prepareDebian(d, o)
		if err != nil {
			t.Fatal(err)
		}
		if data, _ := os.ReadFile(filepath.Join(root.Layers[0].Dir, "usr/bin/tcc")); string(data) != "cc" {
			t.Errorf("%q", data)
		}
	}
	opts.System = configured(t, "deb "+vendor.URL+" test main\n")
	if _, err := ResolveDebian(context.Background(), d, "linux/amd64", opts); fault.ClassOf(err) != fault.Failed || !strings.Contains(err.Error(), "not signed by a key that counts") {
		t.Error(err)
	}
}

// An expired Release file chooses no versions; a lock that was made in time stays good.
func TestDebianExpiredRelease(t *testing.T) {
	t.Parallel()
	a := archivetest.NewArchive(t, someone()...)
	gz := a.Files["dists/test/main/binary-amd64/Packages.gz"]
	a.Release(fmt.Sprintf("Codename: test\nDate: Wed, 01 Jul 2020 11:00:00 UTC\nValid-Until: Wed, 08 Jul 2020 11:00:00 UTC\nSHA256:\n %s %d main/binary-amd64/Packages.gz\n", archivetest.SHA(gz), len(gz)), a.Key)
	opts := optionsFor(t, a)
	opts.System = configured(t, "deb "+a.URL+" test main\n")
	d := &Debian{Suite: "test", Wanted: []string{"tcc"}}
	if _, err := ResolveDebian(context.Background(), d, "linux/amd64", opts); err == nil || fault.ClassOf(err) != fault.Failed || !strings.Contains(err.Error(), "expired on 2020-07-08") {
		t.Errorf("expired: %v", err)
	}
	d = locked(t, a, "tcc") // the recipe names the mirror: a snapshot is old on purpose
	if root, err := prepareDebian(d, optionsFor(t, a)); err != nil || !root.Vouched {
		t.Error(err)
	}
}

// When the archive has moved on, its new Release file vouches for what it still lists; what it does not is inconclusive.
func TestDebianArchiveMovesOn(t *testing.T) {
	t.Parallel()
	a := archivetest.NewArchive(t, someone()...)
	d := locked(t, a, "tcc")
	old, err := prepareDebian(d, optionsFor(t, a))
	if err != nil {
		t.Fatal(err)
	}
	more := append(someone(), archivetest.Package{Name: "new", Version: "1"})
	a.Publish(more...)
	root, err := prepareDebian(d, optionsFor(t, a))
	if err != nil || root.Digest != old.Digest || !root.Vouched {
		t.Fatalf("%v, %v", root, err)
	}
	for i := range more {
		if more[i].Name == "tcc" {
			more[i].Version = "3"
		}
	}
	a.Publish(more...)
	if _, err := prepareDebian(d, optionsFor(t, a)); fault.ClassOf(err) != fault.Inconclusive || !strings.Contains(err.Error(), "nor does today's list every package") {
		t.Error(err)
	}
}

func TestGoOverDebian(t *testing.T) {
	t.Parallel()
	if _, err := Prepare(context.Background(), Request{Debian: &Debian{Suite: "test"}, Platform: "plan9/mips"}, optionsFor(t, archivetest.NewArchive(t))); fault.ClassOf(err) != fault.Inconclusive || !strings.Contains(err.Error(), "no lock") {
		t.Error(err)
	}
	a := archivetest.NewArchive(t, someone()...)
	d := locked(t, a, "tcc")
	if _, err := Prepare(context.Background(), Request{Debian: d, Platform: "windows/amd64"}, optionsFor(t, a)); fault.ClassOf(err) != fault.Inconclusive || !strings.Contains(err.Error(), "no builder for windows/amd64") {
		t.Error(err)
	}
}
