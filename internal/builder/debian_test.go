package builder

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/glassbuild/glassbuild/internal/builder/debian"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/remote"
	"github.com/glassbuild/glassbuild/internal/store"
)

// fakeArchive is a package archive of our own: files by path, signed by key.
type fakeArchive struct {
	t     *testing.T
	key   *openpgp.Entity
	mu    sync.Mutex
	files map[string][]byte
	asked map[string]int
	url   string
}

// fakePackage is one package of it.
type fakePackage struct {
	name, version string
	fields        string // more lines of the control file
	scripts       map[string]string
	members       []tar.Header
	text          map[string]string // content by name
}

func sha(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func gzipped(t *testing.T, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(data)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func tarred(t *testing.T, headers []tar.Header, text map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		if h.Mode == 0 {
			h.Mode = 0o644
		}
		h.Size, h.ModTime = int64(len(text[h.Name])), time.Unix(1e9, 0)
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, text[h.Name])
	}
	w.Close()
	return b.Bytes()
}

func arMember(b *bytes.Buffer, name string, data []byte) {
	fmt.Fprintf(b, "%-16s%-12d%-6d%-6d%-8s%-10d`\n", name, 0, 0, 0, "100644", len(data))
	b.Write(data)
	if len(data)%2 == 1 {
		b.WriteByte('\n')
	}
}

// deb packs a package as dpkg-deb does.
func (p fakePackage) deb(t *testing.T) []byte {
	t.Helper()
	control := fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: amd64\nDescription: test\n%s", p.name, p.version, p.fields)
	headers, text := []tar.Header{{Name: "./control"}}, map[string]string{"./control": control}
	for name, script := range p.scripts {
		headers, text["./"+name] = append(headers, tar.Header{Name: "./" + name}), script
	}
	var b bytes.Buffer
	b.WriteString("!<arch>\n")
	arMember(&b, "debian-binary", []byte("2.0\n"))
	arMember(&b, "control.tar.gz", gzipped(t, tarred(t, headers, text)))
	arMember(&b, "data.tar", tarred(t, p.members, p.text))
	return b.Bytes()
}

func newFakeArchive(t *testing.T, packages ...fakePackage) *fakeArchive {
	t.Helper()
	a := &fakeArchive{t: t, files: map[string][]byte{}, asked: map[string]int{}}
	var err error
	if a.key, err = openpgp.NewEntity("archive", "", "a@archive.example", &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA, Time: func() time.Time { return time.Now().Add(-time.Hour) }}); err != nil {
		t.Fatal(err)
	}
	a.publish(packages...)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		defer a.mu.Unlock()
		name := strings.TrimPrefix(r.URL.Path, "/debian/")
		a.asked[name]++
		if data, ok := a.files[name]; ok {
			w.Write(data)
			return
		}
		http.NotFound(w, r)
	}))
	t.Cleanup(srv.Close)
	a.url = srv.URL + "/debian"
	return a
}

// publish replaces what the archive offers; what lies in the pool stays.
func (a *fakeArchive) publish(packages ...fakePackage) {
	a.t.Helper()
	var index bytes.Buffer
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range packages {
		data := p.deb(a.t)
		name := fmt.Sprintf("pool/main/%s_%s_amd64.deb", p.name, p.version)
		a.files[name] = data
		fmt.Fprintf(&index, "Package: %s\nVersion: %s\nArchitecture: amd64\n%sFilename: %s\nSize: %d\nSHA256: %s\n\n", p.name, p.version, p.fields, name, len(data), sha(data))
	}
	a.index(index.Bytes())
}

func (a *fakeArchive) index(text []byte) {
	gz := gzipped(a.t, text)
	a.files["dists/test/main/binary-amd64/Packages.gz"] = gz
	a.release(fmt.Sprintf("Codename: test\nSuite: testing\nDate: %s\nSHA256:\n %s %d main/binary-amd64/Packages.gz\n", time.Now().UTC().Add(-time.Minute).Format("Mon, 02 Jan 2006 15:04:05 MST"), sha(gz), len(gz)), a.key)
}

func (a *fakeArchive) release(text string, key *openpgp.Entity) {
	var b bytes.Buffer
	w, err := clearsign.Encode(&b, key.PrivateKey, &packet.Config{DefaultHash: crypto.SHA256})
	if err == nil {
		if _, err = io.WriteString(w, text); err == nil {
			err = w.Close()
		}
	}
	if err != nil {
		a.t.Fatal(err)
	}
	a.files["dists/test/InRelease"] = append(b.Bytes(), '\n')
}

func (a *fakeArchive) set(name string, data []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if data == nil {
		delete(a.files, name)
		return
	}
	a.files[name] = data
}

// options are of a machine whose apt knows nothing, with the archive's key in the policy.
func (a *fakeArchive) options() Options {
	a.t.Helper()
	s, err := store.Open(filepath.Join(a.t.TempDir(), "store"))
	if err != nil {
		a.t.Fatal(err)
	}
	c, err := remote.New(remote.Options{})
	if err != nil {
		a.t.Fatal(err)
	}
	var key bytes.Buffer
	if err := a.key.Serialize(&key); err != nil {
		a.t.Fatal(err)
	}
	system, err := debian.LoadSystem(a.t.TempDir())
	if err != nil {
		a.t.Fatal(err)
	}
	return Options{Store: s, Remote: c, System: system, ArchiveKeys: [][]byte{key.Bytes()}}
}

func (a *fakeArchive) wants(names ...string) *Debian {
	return &Debian{Suite: "test", Wanted: names, Mirror: a.url}
}

// locked resolves and returns what a lock would hold.
func (a *fakeArchive) locked(names ...string) *Debian {
	a.t.Helper()
	d := a.wants(names...)
	pins, err := ResolveDebian(context.Background(), d, "linux/amd64", a.options())
	if err != nil {
		a.t.Fatal(err)
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
func someone() []fakePackage {
	return []fakePackage{
		{name: "base-passwd", version: "1", fields: "Essential: yes\n", members: []tar.Header{{Name: "./usr/share/base-passwd/passwd.master"}},
			text: map[string]string{"./usr/share/base-passwd/passwd.master": "root:x:0:0::/root:/bin/sh\n"}},
		{name: "shell", version: "1", fields: "Essential: yes\nPre-Depends: libtest (>= 1)\n", members: []tar.Header{dir("./"), dir("./bin/"), exe("./bin/sh")},
			text: map[string]string{"./bin/sh": "shell"}, scripts: map[string]string{"postinst": "#!/bin/sh\ntouch /tmp/glassbuild-was-here\n"}},
		{name: "libtest", version: "1.2", fields: "Multi-Arch: same\n", members: []tar.Header{exe("./lib/x/libtest.so.1")}, text: map[string]string{"./lib/x/libtest.so.1": "lib"}},
		{name: "tcc", version: "2", fields: "Depends: libtest\n", members: []tar.Header{exe("./usr/bin/tcc"), {Name: "./etc/tcc.conf"}}, text: map[string]string{"./usr/bin/tcc": "cc"},
			scripts: map[string]string{"postinst": "#!/bin/sh\nupdate-alternatives --install /usr/bin/cc cc /usr/bin/tcc 10\n", "conffiles": "/etc/tcc.conf\n"}},
		{name: "unwanted", version: "1", members: []tar.Header{{Name: "./unwanted"}}},
	}
}

func TestDebianRoot(t *testing.T) {
	t.Parallel()
	a := newFakeArchive(t, someone()...)
	d := a.locked("tcc")
	if len(d.Pins.Packages) != 4 {
		t.Fatalf("%+v", d.Pins)
	}
	opts := a.options()
	root, err := prepareDebian(d, opts)
	if err != nil {
		t.Fatal(err)
	}
	l := root.Layers[0]
	if !root.Vouched || l.Voucher.Kind != "archive-signature" || !strings.Contains(l.Voucher.By, "archive <a@archive.example>") || root.Digest == "" || l.Target != "/" || len(l.Parts) != 4 {
		t.Errorf("%+v", l)
	}
	for name, want := range map[string]string{"usr/bin/sh": "shell", "bin/sh": "shell", "usr/lib/x/libtest.so.1": "lib", "etc/passwd": "root:x:0:0::/root:/bin/sh\n"} {
		if data, err := os.ReadFile(filepath.Join(l.Dir, name)); err != nil || string(data) != want {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
	for name, want := range map[string]string{"bin": "usr/bin", "lib": "usr/lib", "usr/bin/cc": "/etc/alternatives/cc", "etc/alternatives/cc": "/usr/bin/tcc"} {
		if target, err := os.Readlink(filepath.Join(l.Dir, name)); err != nil || target != want {
			t.Errorf("%s leads to %q, %v", name, target, err)
		}
	}
	status, err := os.ReadFile(filepath.Join(l.Dir, "var/lib/dpkg/status"))
	if err != nil || strings.Count(string(status), "Status: install ok installed\n") != 4 || !strings.Contains(string(status), "Conffiles:\n /etc/tcc.conf newconffile\n") {
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
	again, err := prepareDebian(d, a.options())
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
	a := newFakeArchive(t, someone()...)
	d, opts := a.locked("tcc"), a.options()
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
	if err := os.WriteFile(manifest, bytes.ReplaceAll(text, []byte(sha([]byte("cc"))), []byte(sha([]byte("evil")))), 0o444); err != nil {
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
	wrong := newFakeArchive(t, someone()...) // somebody else's, signed by somebody else
	stranger := func(a *fakeArchive, d *Debian) { a.set("dists/test/InRelease", wrong.files["dists/test/InRelease"]) }
	const pool = "pool/main/tcc_2_amd64.deb"
	for _, c := range []struct {
		name   string
		change func(a *fakeArchive, d *Debian)
		want   string
		class  fault.Class
	}{
		{"mirror serves another package", func(a *fakeArchive, _ *Debian) { a.set(pool, bytes.Repeat([]byte("x"), len(a.files[pool]))) }, "serves another file", fault.Failed},
		{"mirror serves a longer package", func(a *fakeArchive, _ *Debian) { a.set(pool, append(bytes.Clone(a.files[pool]), 0)) }, "exceeds", fault.Failed},
		{"mirror serves a shorter package", func(a *fakeArchive, _ *Debian) { a.set(pool, a.files[pool][:100]) }, "serves another file", fault.Failed},
		{"package is gone", func(a *fakeArchive, _ *Debian) { a.set(pool, nil) }, "cannot be fetched", fault.Inconclusive},
		{"index altered", func(a *fakeArchive, _ *Debian) {
			a.set("dists/test/main/binary-amd64/Packages.gz", bytes.Repeat([]byte("x"), len(a.files["dists/test/main/binary-amd64/Packages.gz"])))
		}, "serves another file", fault.Failed},
		{"signed by a stranger", stranger, "not signed by a key that counts", fault.Failed},
		{"not signed", func(a *fakeArchive, _ *Debian) { a.set("dists/test/InRelease", []byte("Codename: test\n")) }, "is not signed", fault.Failed},
		{"no Release file", func(a *fakeArchive, _ *Debian) { a.set("dists/test/InRelease", nil) }, "cannot be fetched", fault.Inconclusive},
		{"lock names a stranger's Release", func(a *fakeArchive, d *Debian) {
			stranger(a, d)
			d.Pins.Release.SHA256 = sha(wrong.files["dists/test/InRelease"])
		}, "not signed by a key that counts", fault.Failed},
		{"lock names another index", func(_ *fakeArchive, d *Debian) { d.Pins.Index.SHA256 = strings.Repeat("0", 64) }, "another index than its Release file lists", fault.Failed},
		{"lock names another package", func(_ *fakeArchive, d *Debian) { d.Pins.Packages[0].SHA256 = strings.Repeat("0", 64) }, "its own index does not list", fault.Failed},
		{"lock names a package twice", func(_ *fakeArchive, d *Debian) { d.Pins.Packages = append(d.Pins.Packages, d.Pins.Packages[0]) }, "twice", fault.Failed},
		{"no lock", func(_ *fakeArchive, d *Debian) { d.Pins = nil }, "no lock", fault.Inconclusive},
		{"no mirror", func(_ *fakeArchive, d *Debian) { d.Mirror = "" }, "name no mirror", fault.Inconclusive},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := newFakeArchive(t, someone()...)
			d := a.locked("tcc")
			c.change(a, d)
			root, err := prepareDebian(d, a.options())
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
		bad  fakePackage
		want string
	}{
		{"climbs", fakePackage{members: []tar.Header{{Name: "../../x"}}}, "unsafe path"},
		{"through a link", fakePackage{members: []tar.Header{{Name: "./l", Typeflag: tar.TypeSymlink, Linkname: outside}, {Name: "./l/x"}}}, "path through symlink"},
		{"device", fakePackage{members: []tar.Header{{Name: "./dev/sda", Typeflag: tar.TypeBlock}}}, "unsupported type"},
		{"hard link outside", fakePackage{members: []tar.Header{{Name: "./x", Typeflag: tar.TypeLink, Linkname: "/etc/passwd"}}}, "link escapes"},
		{"another package's file", fakePackage{members: []tar.Header{exe("./usr/bin/tcc")}, text: map[string]string{"./usr/bin/tcc": "evil"}}, "neither replaces the other"},
		{"another package's file, by its other path", fakePackage{members: []tar.Header{exe("./usr/bin/sh")}, text: map[string]string{"./usr/bin/sh": "evil"}}, "neither replaces the other"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.bad.name, c.bad.version = "zz-bad", "1"
			a := newFakeArchive(t, append(someone(), c.bad)...)
			d := a.locked("tcc", "zz-bad")
			_, err := prepareDebian(d, a.options())
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
	a := newFakeArchive(t, someone()...)
	data := fakePackage{name: "other", version: "1"}.deb(t)
	a.files["pool/main/x.deb"] = data
	a.index([]byte(fmt.Sprintf("Package: shell\nEssential: yes\nVersion: 1\nArchitecture: amd64\nFilename: pool/main/x.deb\nSize: %d\nSHA256: %s\n", len(data), sha(data))))
	_, err := prepareDebian(a.locked(), a.options())
	if err == nil || !strings.Contains(err.Error(), "the index says") || fault.ClassOf(err) != fault.Failed {
		t.Error(err)
	}
}

// An expired Release file chooses no versions; a lock that was made in time stays good.
func TestDebianExpiredRelease(t *testing.T) {
	t.Parallel()
	a := newFakeArchive(t, someone()...)
	gz := a.files["dists/test/main/binary-amd64/Packages.gz"]
	a.release(fmt.Sprintf("Codename: test\nDate: Wed, 01 Jul 2020 11:00:00 UTC\nValid-Until: Wed, 08 Jul 2020 11:00:00 UTC\nSHA256:\n %s %d main/binary-amd64/Packages.gz\n", sha(gz), len(gz)), a.key)
	opts := a.options()
	file := filepath.Join(t.TempDir(), "etc/apt/sources.list")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("deb "+a.url+" test main\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	var err error
	if opts.System, err = debian.LoadSystem(filepath.Dir(filepath.Dir(filepath.Dir(file)))); err != nil {
		t.Fatal(err)
	}
	d := &Debian{Suite: "test", Wanted: []string{"tcc"}}
	if _, err := ResolveDebian(context.Background(), d, "linux/amd64", opts); err == nil || fault.ClassOf(err) != fault.Failed || !strings.Contains(err.Error(), "expired on 2020-07-08") {
		t.Errorf("expired: %v", err)
	}
	d = a.locked("tcc") // the recipe names the mirror: a snapshot is old on purpose
	if root, err := prepareDebian(d, a.options()); err != nil || !root.Vouched {
		t.Error(err)
	}
}

// When the archive has moved on, its new Release file vouches for what it still lists; what it does not is inconclusive.
func TestDebianArchiveMovesOn(t *testing.T) {
	t.Parallel()
	a := newFakeArchive(t, someone()...)
	d := a.locked("tcc")
	old, err := prepareDebian(d, a.options())
	if err != nil {
		t.Fatal(err)
	}
	more := append(someone(), fakePackage{name: "new", version: "1"})
	a.publish(more...)
	root, err := prepareDebian(d, a.options())
	if err != nil || root.Digest != old.Digest || !root.Vouched {
		t.Fatalf("%v, %v", root, err)
	}
	for i := range more {
		if more[i].name == "tcc" {
			more[i].version = "3"
		}
	}
	a.publish(more...)
	if _, err := prepareDebian(d, a.options()); fault.ClassOf(err) != fault.Inconclusive || !strings.Contains(err.Error(), "nor does today's list every package") {
		t.Error(err)
	}
}

func TestGoOverDebian(t *testing.T) {
	t.Parallel()
	if _, err := Prepare(context.Background(), Request{Debian: &Debian{Suite: "test"}, Platform: "plan9/mips"}, newFakeArchive(t).options()); fault.ClassOf(err) != fault.Inconclusive || !strings.Contains(err.Error(), "no lock") {
		t.Error(err)
	}
	a := newFakeArchive(t, someone()...)
	d := a.locked("tcc")
	if _, err := Prepare(context.Background(), Request{Debian: d, Platform: "windows/amd64"}, a.options()); fault.ClassOf(err) != fault.Inconclusive || !strings.Contains(err.Error(), "no builder for windows/amd64") {
		t.Error(err)
	}
}
