package main

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/evidence/evidencetest"
	"github.com/glassbuild/glassbuild/internal/kit"
	"github.com/glassbuild/glassbuild/internal/oci"
	"github.com/glassbuild/glassbuild/internal/store"
)

// closedRoom is an audit across an air gap.
type closedRoom struct {
	t           *testing.T
	dir, commit string
}

const closedRecipe = `format = 1
[builder]
go = "` + attestGo + `"
[vcs]
stamp = false
[env]
CGO_ENABLED = "0"
[[fetch]]
run = ["go", "mod", "download"]
[[step]]
run = ["/usr/local/go/pkg/tool/linux_amd64/compile", "-p", "kestrel", "-trimpath", "/src", "-o", "/out/kestrel.a", "x.go"]
[[artifact]]
output = "kestrel.a"
`

// closedSum is what go.sum holds of a small module that nobody changes any more.
const closedSum = `golang.org/x/xerrors v0.0.0-20191204190536-9bdfabe68543 h1:E7g+9GITq07hpfrRu66IVDexMakfv52eLZ2CXBWiKr4=
golang.org/x/xerrors v0.0.0-20191204190536-9bdfabe68543/go.mod h1:I/5z698sn9Ka8TeJc9MKroUUfqBBauWjQqLJ2OPfmY0=
`

// run runs the program, or another one, with a home of its own.
func (r *closedRoom) run(code int, home string, args ...string) string {
	r.t.Helper()
	self, err := os.Executable()
	if err != nil {
		r.t.Fatal(err)
	}
	bin := filepath.Join(r.dir, "bin")
	if err := os.MkdirAll(filepath.Join(r.dir, home), 0o700); err != nil {
		r.t.Fatal(err)
	}
	if _, err := os.Lstat(filepath.Join(bin, "glassbuild")); err != nil {
		if err := errors.Join(os.MkdirAll(bin, 0o700), os.Symlink(self, filepath.Join(bin, "glassbuild"))); err != nil {
			r.t.Fatal(err)
		}
	}
	cmd := exec.Command(args[0], args[1:]...)
	if args[0] == "glassbuild" {
		cmd = exec.Command(filepath.Join(bin, "glassbuild"), args[1:]...)
	}
	cmd.Dir = r.dir
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "HOME="+filepath.Join(r.dir, home), "XDG_CACHE_HOME="+filepath.Join(r.dir, home), "XDG_DATA_HOME="+filepath.Join(r.dir, home),
		"GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.org")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		r.t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); code >= 0 && got != code || code < 0 && got != 1 && got != 3 {
		r.t.Fatalf("%s: exit code %d, want %d (-1: 1 or 3)\n%s", strings.Join(args, " "), got, code, out)
	}
	return string(out)
}

// inside is run in a network namespace that holds nothing, and where nothing was fetched before.
func (r *closedRoom) inside(code int, args ...string) string {
	r.t.Helper()
	return r.run(code, "room", append([]string{"unshare", "--user", "--map-root-user", "--net", "glassbuild"}, args...)...)
}

func (r *closedRoom) write(name, text string) {
	r.t.Helper()
	path := filepath.Join(r.dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
		r.t.Fatal(err)
	}
}

func (r *closedRoom) read(name string) string {
	r.t.Helper()
	data, err := os.ReadFile(filepath.Join(r.dir, name))
	if err != nil {
		r.t.Fatal(err)
	}
	return string(data)
}

// TestE2EClosedRoom: a release is verified online, packed, verified again where there is no network with the same verdict byte for
// byte, the verdict is signed, a second person's policy counts it, and it is handed on redacted. Then kits of hostile vendors.
func TestE2EClosedRoom(t *testing.T) {
	if os.Getenv("GLASSBUILD_E2E") == "" {
		t.Skip("slow or rough: make e2e runs it")
	}
	if !sandboxed(t) {
		t.Skip("this machine cannot rebuild")
	}
	if out, err := exec.Command("unshare", "--user", "--map-root-user", "--net", "true").CombinedOutput(); err != nil {
		t.Skipf("NOT TESTED: no network namespace to be had on this machine: %v %s", err, out)
	}
	r := &closedRoom{t: t, dir: t.TempDir()}
	t.Cleanup(func() { store.RemoveAll(r.dir) })
	r.write("src/x.go", "package kestrel\n\nfunc Answer() int { return 42 }\n")
	r.write("src/go.mod", "module example.org/kestrel\n\ngo 1.21\n\nrequire golang.org/x/xerrors v0.0.0-20191204190536-9bdfabe68543\n")
	r.write("src/go.sum", closedSum)
	r.write("src/glassbuild.toml", closedRecipe)
	for _, args := range [][]string{{"init", "-q", "-b", "main", "src"}, {"-C", "src", "add", "-A"}, {"-C", "src", "commit", "-q", "-m", "one"}, {"-C", "src", "tag", "v1"}} {
		r.run(0, "outside", append([]string{"git"}, args...)...)
	}
	r.commit = strings.TrimSpace(r.run(0, "outside", "git", "-C", "src", "rev-parse", "HEAD"))
	r.run(0, "outside", "glassbuild", "build", "--repo", "src", "--commit", r.commit, "--out", "dist")
	r.run(0, "outside", "glassbuild", "verify", "dist/kestrel.a", "--repo", "src", "--commit", r.commit, "--no-cache", "--format", "json", "--output", "online.json")
	r.run(0, "outside", "glassbuild", "report", "online.json", "--format", "html", "--output", "online.html")
	if !strings.Contains(r.read("online.html"), "<!doctype html>") && !strings.Contains(r.read("online.html"), "<!DOCTYPE html>") {
		t.Error("no page")
	}
	r.run(0, "outside", "glassbuild", "kit", "pack", "dist/kestrel.a", "--repo", "src", "--commit", r.commit, "-o", "release.kit")
	if out := r.inside(0, "kit", "inspect", "release.kit"); !strings.Contains(out, "with its record of the checksum database: builder.available, builder.vouched") {
		t.Error(out)
	}
	r.inside(0, "verify", "--kit", "release.kit", "--commit", r.commit, "--format", "json", "--output", "room.json")
	if r.read("room.json") != r.read("online.json") {
		t.Errorf("another verdict from the kit:\n%s\nonline:\n%s", r.read("room.json"), r.read("online.json"))
	}
	r.handOn()
	r.hostile()
	if left, _ := filepath.Glob(filepath.Join(r.dir, "room/glassbuild/*/*")); slices.ContainsFunc(left, func(p string) bool { return !strings.Contains(p, "/sumdb/") }) {
		t.Errorf("left on disk: %v", left)
	}
}

// handOn signs the verdict in the room, has a second person's policy count it, and redacts it.
func (r *closedRoom) handOn() {
	r.write("lab.key", string(evidencetest.MarshalKey(r.t, evidencetest.Key("lab"))))
	r.write("lab.pub", string(evidencetest.PublicPEM(r.t, evidencetest.Key("lab").Public())))
	r.inside(0, "verify", "--kit", "release.kit", "--commit", r.commit, "--format", "json", "--output", "signed.json", "--sign", "--key", "lab.key", "--verifier-id", "https://lab.example", "--bundle", "votes")
	r.write("quorum.toml", `format = 1
[[principal]]
name = "lab"
key = "lab.pub"
organisation = "Lab"
[quorum]
of = "lab"
policies = ["built-in"]
max-age = "30d"
votes = ["votes"]
commit = "`+r.commit+`"
require = []
no-log = "signed in a room without a network"
`)
	if out := r.run(0, "second", "glassbuild", "check", "dist/kestrel.a", "--policy", "quorum.toml"); !strings.Contains(out, "PASSED") {
		r.t.Error(out)
	}
	r.run(0, "second", "glassbuild", "report", "signed.json", "--redact", "all", "--output", "redacted.json")
	if out := r.run(0, "second", "glassbuild", "check", "--verdict", "redacted.json", "--policy", "quorum.toml", "--evidence", "votes"); !strings.Contains(out, "PASSED") {
		r.t.Error(out)
	}
	r.run(0, "second", "glassbuild", "report", "redacted.json", "--format", "html", "--output", "redacted.html")
}

// hostile packs kits as a vendor would who wants "passed" for something else.
func (r *closedRoom) hostile() {
	for name, c := range map[string]struct {
		change func(d *kit.Document, s *store.Store)
		want   string
	}{
		"toolchain": {func(d *kit.Document, s *store.Store) { r.alter(d, s, "golang.org/toolchain/", r.rezip) }, "checksum database"},
		"module": {func(d *kit.Document, s *store.Store) {
			r.alter(d, s, "xerrors/@v/v0.0.0-20191204190536-9bdfabe68543.zip", r.rezip)
		}, ""},
		"artefact": {func(d *kit.Document, s *store.Store) {
			r.alter(d, s, "kestrel.a", func(b []byte) []byte { b[len(b)/2] ^= 1; return b })
		}, "FAILED (different)"},
		"record": {func(d *kit.Document, s *store.Store) {
			for _, f := range d.Of(kit.Fetched) {
				if strings.Contains(f.Name, "/lookup/golang.org/x/xerrors@") {
					d.Absent = append(d.Absent, f.Name)
				}
			}
			d.Files = slices.DeleteFunc(d.Files, func(f kit.File) bool { return slices.Contains(d.Absent, f.Name) })
		}, "which only the database can say"},
		"forged record": {func(d *kit.Document, s *store.Store) {
			r.alter(d, s, "/lookup/golang.org/x/xerrors@", func(b []byte) []byte { return bytes.Replace(b, []byte("E7g+"), []byte("E7h+"), 1) })
		}, ""},
		"objects": {func(d *kit.Document, s *store.Store) {
			d.Sources[0].SHA256, d.Sources[0].Size = d.Files[0].SHA256, d.Files[0].Size
		}, ""},
	} {
		r.t.Log(name)
		r.repack("hostile.kit", c.change)
		if out := r.inside(-1, "verify", "--kit", "hostile.kit", "--commit", r.commit); !strings.Contains(out, c.want) || strings.Contains(out, "PASSED") {
			r.t.Errorf("%s: want %q\n%s", name, c.want, out)
		}
	}
	// one byte is missing
	data := []byte(r.read("release.kit"))
	r.write("short.kit", string(data[:len(data)-4096]))
	if out := r.inside(3, "verify", "--kit", "short.kit", "--commit", r.commit); !strings.Contains(out, "bytes are missing") {
		r.t.Error(out)
	}
	r.repack("gone.kit", func(d *kit.Document, _ *store.Store) {
		d.Files = slices.DeleteFunc(d.Files, func(f kit.File) bool { return strings.HasSuffix(f.Name, "-9bdfabe68543.zip") })
	})
	if out := r.inside(3, "verify", "--kit", "gone.kit", "--commit", r.commit); !strings.Contains(out, "-9bdfabe68543.zip") {
		r.t.Error(out)
	}
}

// repack writes the kit again with something changed.
func (r *closedRoom) repack(name string, change func(*kit.Document, *store.Store)) {
	r.t.Helper()
	dir := filepath.Join(r.dir, "repack")
	defer os.RemoveAll(dir)
	s, err := store.Open(dir)
	if err != nil {
		r.t.Fatal(err)
	}
	place, err := kit.At(filepath.Join(r.dir, "release.kit"), oci.Options{})
	if err != nil {
		r.t.Fatal(err)
	}
	defer place.Close()
	k, err := kit.Open(r.t.Context(), place, s)
	if err != nil {
		r.t.Fatal(err)
	}
	change(k.Document, s)
	sealed, err := kit.Seal(r.t.Context(), k.Document, s)
	if err != nil {
		r.t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(r.dir, name))
	if err == nil {
		err = errors.Join(sealed.WriteTo(r.t.Context(), f), f.Close())
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// alter changes the bytes of the one file whose name holds part.
func (r *closedRoom) alter(d *kit.Document, s *store.Store, part string, change func([]byte) []byte) {
	r.t.Helper()
	for i, f := range d.Files {
		if !strings.Contains(f.Name, part) || strings.Contains(f.Name, "/lookup/") != strings.Contains(part, "/lookup/") {
			continue
		}
		from, err := s.OpenBlob(f.SHA256)
		if err != nil {
			r.t.Fatal(err)
		}
		data, err := io.ReadAll(from)
		from.Close()
		if err != nil {
			r.t.Fatal(err)
		}
		b, err := s.Put(r.t.Context(), bytes.NewReader(change(data)), kit.MaxBlob)
		if err != nil || b.SHA256 == f.SHA256 {
			r.t.Fatalf("%s: nothing changed, %v", f.Name, err)
		}
		d.Files[i].SHA256, d.Files[i].Size = b.SHA256, b.Size
		return
	}
	r.t.Fatalf("no file %s", part)
}

// rezip packs a zip again with one line more in its last file.
func (r *closedRoom) rezip(data []byte) []byte {
	r.t.Helper()
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		r.t.Fatal(err)
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for i, f := range z.File {
		if i < len(z.File)-1 {
			if err := w.Copy(f); err != nil {
				r.t.Fatal(err)
			}
			continue
		}
		from, err := f.Open()
		if err != nil {
			r.t.Fatal(err)
		}
		to, err := w.Create(f.Name)
		if err == nil {
			_, err = io.Copy(to, from)
		}
		if err == nil {
			_, err = io.WriteString(to, "\n")
		}
		if err != nil {
			r.t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		r.t.Fatal(err)
	}
	return out.Bytes()
}
