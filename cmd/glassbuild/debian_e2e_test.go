package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/glassbuild/glassbuild/internal/builder/debian"
	"github.com/glassbuild/glassbuild/internal/verdict"
	"github.com/glassbuild/glassbuild/testdata/vendors"
)

// archiveFile is one file of Debian's archive.
type archiveFile struct{ name, sha256 string }

// archivePackage is a package of Debian bookworm that is rebuilt from the archive's own source.
type archivePackage struct {
	pool     string
	upstream archiveFile // what the maintainer's folder is laid over; empty where Debian is the upstream
	source   archiveFile
	shipped  archiveFile
	changed  time.Time // the newest entry of debian/changelog, which is what times in the package are clamped to
	want     vendors.Release
}

var archivePackages = []archivePackage{
	{
		// built by Debian in 2026, with the packages that bookworm still has
		pool:    "pool/main/d/distro-info-data",
		source:  archiveFile{"distro-info-data_0.58+deb12u7.tar.xz", "d9d9fd7e84cd8d829eef89928079dc6daae96964a60c8a28a19b2095b0755567"},
		shipped: archiveFile{"distro-info-data_0.58+deb12u7_all.deb", "f015ac6966bea87484ef4f98a15077e46b410c0b3985ba55b428235cdb46663f"},
		changed: time.Unix(1777123133, 0),
		want:    vendors.Release{Result: "passed", Match: "identical"},
	},
	{
		// built by Debian in 2022: its configure script asks date(1) for the year and compiles it in
		pool:     "pool/main/h/hello",
		upstream: archiveFile{"hello_2.10.orig.tar.gz", "31e066137a962676e89f69d1b65382de95a7ef7d914b8cb956f41ea72e0f516b"},
		source:   archiveFile{"hello_2.10-3.debian.tar.xz", "60ee7a466808301fbaa7fea2490b5e7a6d86f598956fb3e79c71b3295dc1f249"},
		shipped:  archiveFile{"hello_2.10-3_amd64.deb", "2e6e2f1a0007dc43bc91c273fd36e91e40a4f1c2765a03eca68b70a42103878a"},
		changed:  time.Unix(1672068600, 0),
		want: vendors.Release{Result: "failed", Match: "different", Check: verdict.CheckMatch,
			Says: fmt.Sprintf("main, 571 bytes shipped, 571 rebuilt, one constant differs: 2022 shipped, %d rebuilt, which look like years", time.Now().UTC().Year())},
	},
}

// TestE2EDebianPackages rebuilds packages of Debian from the archive's source and holds them against the archive's own.
func TestE2EDebianPackages(t *testing.T) {
	if os.Getenv("GLASSBUILD_E2E") == "" {
		t.Skip("fetches packages of a Debian suite: make e2e runs it")
	}
	if runtime.GOARCH != "amd64" || !sandboxed(t) {
		t.Skip("this machine cannot rebuild, or is not the one that the packages are for")
	}
	system, err := debian.LoadSystem("/")
	if err != nil || len(system.Mirrors("bookworm", "main")) == 0 {
		t.Skip("this system's apt names no mirror for bookworm")
	}
	cache := debianCache(t)
	for _, p := range archivePackages {
		t.Run(p.shipped.name, func(t *testing.T) {
			a := &archiveRebuild{archivePackage: p, t: t, dir: t.TempDir(), mirrors: system.Mirrors("bookworm", "main"), cache: cache, guide: "../../docs/builders.md"}
			a.rebuild()
		})
	}
}

// archiveRebuild is one package on its way.
type archiveRebuild struct {
	archivePackage
	t          *testing.T
	dir, cache string
	guide      string // docs/builders.md
	mirrors    []string
}

func (a *archiveRebuild) must(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}

func (a *archiveRebuild) path(name string) string { return filepath.Join(a.dir, name) }

// fetch brings a file of the archive, which must be the one that this test was written for.
func (a *archiveRebuild) fetch(f archiveFile) string {
	a.t.Helper()
	for _, m := range a.mirrors {
		resp, err := http.Get(m + "/" + a.pool + "/" + strings.ReplaceAll(f.name, "+", "%2B"))
		if err != nil {
			continue
		}
		data, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK {
			continue
		}
		if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != f.sha256 {
			a.t.Fatalf("%s: another file than the archive had", f.name)
		}
		a.must(os.WriteFile(a.path(f.name), data, 0o644))
		return a.path(f.name)
	}
	a.t.Skipf("%s: no mirror of this system has it", f.name)
	return ""
}

func (a *archiveRebuild) run(name string, args ...string) string {
	a.t.Helper()
	cmd := exec.Command(name, args...)
	when := fmt.Sprintf("%d +0000", a.changed.Unix())
	cmd.Dir = a.dir
	cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+a.cache, "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_DATE="+when, "GIT_COMMITTER_DATE="+when,
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.org")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && name == "glassbuild" && args[0] == "verify" {
		err = nil // the verdict says it
	}
	if err != nil {
		a.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, stderr.String())
	}
	return stdout.String()
}

func (a *archiveRebuild) rebuild() {
	a.must(os.Mkdir(a.path("repo"), 0o755))
	times := ""
	if a.upstream.name != "" {
		file := a.fetch(a.upstream)
		a.run("tar", "-xf", file, "--strip-components=1", "-C", "repo")
		a.run("tar", "-xf", a.fetch(a.source), "-C", "repo")
		times = a.times(file)
	} else {
		a.run("tar", "-xf", a.fetch(a.source), "--strip-components=1", "-C", "repo")
	}
	a.run("git", "init", "-q", "-b", "main", "repo")
	a.run("git", "-C", "repo", "add", "-Af", ".")
	a.run("git", "-C", "repo", "commit", "-qm", "As Debian's archive has it")
	commit := strings.TrimSpace(a.run("git", "-C", "repo", "rev-parse", "HEAD"))
	text := `format = 1

[builder]
debian = { suite = "bookworm", packages = ["build-essential", "debhelper", "help2man", "python3", "texinfo"] }

[vcs]
stamp = false

` + times + `[[step]]
run = ["dpkg-buildpackage", "-b", "-us", "-uc"]

[[step]]
script = "cp ../*.deb /out"

[[artifact]]
output = "` + a.shipped.name + `"
`
	if guide, err := os.ReadFile(a.guide); err != nil || times == "" && !strings.Contains(string(guide), "# glassbuild.toml\n"+text) {
		a.t.Errorf("docs/builders.md shows another recipe than\n%s", text)
	}
	a.must(os.WriteFile(a.path("own.toml"), []byte(text), 0o644))
	a.fetch(a.shipped)
	a.run("glassbuild", "lock", "--repo", "repo", "--commit", commit, "--recipe", "own.toml", "-o", "own.lock")
	out := a.run("glassbuild", "verify", a.shipped.name, "--repo", "repo", "--commit", commit, "--recipe", "own.toml", "--format", "json")
	var v verdict.Verdict
	a.must(json.Unmarshal([]byte(out), &v))
	if wrong := flockDifferences(a.want, v); len(wrong) > 0 {
		a.t.Errorf("%s\n%s", strings.Join(wrong, "\n"), out)
	}
}

// times is a step that gives every file the time that it has in the tarball: git keeps none, make and texinfo go by them.
func (a *archiveRebuild) times(file string) string {
	f, err := os.Open(file)
	a.must(err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	a.must(err)
	var b strings.Builder
	b.WriteString("[[step]]\nscript = '''\n")
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		a.must(err)
		if _, name, ok := strings.Cut(h.Name, "/"); ok && h.Typeflag == tar.TypeReg {
			fmt.Fprintf(&b, "touch -d @%d %s\n", h.ModTime.Unix(), name)
		}
	}
	return b.String() + "'''\n\n"
}
