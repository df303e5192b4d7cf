package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	gcrregistry "github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	gcr "github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/glassbuild/glassbuild/attest"
	"github.com/glassbuild/glassbuild/internal/evidence"
	"github.com/glassbuild/glassbuild/internal/evidence/e2etest"
	"github.com/glassbuild/glassbuild/internal/evidence/evidencetest"
	"github.com/glassbuild/glassbuild/internal/oci"
)

// e2eCache is where the run in the namespace finds the toolchain: there is no network in it.
const e2eCache = "GLASSBUILD_E2E_CACHE"

// TestE2EPipeline walks the whole way of a release with the real Fulcio, Rekor v2 and timestamp authority and an OCI
// registry: keyless attestation with the claims of a forge's workflow, a gate in an empty network namespace, a rebuild
// by auditors who sign their verdicts, a quorum of three with one who dissents; and cosign, both ways.
func TestE2EPipeline(t *testing.T) {
	cache := os.Getenv(e2eCache)
	if !e2etest.Inside() && os.Getenv("GLASSBUILD_E2E") != "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		cache = filepath.Join(dir, "glassbuild-e2e", "cache")
		if err := fetchToolchain(t, filepath.Join(cache, "glassbuild")); err != nil {
			t.Skip("the Go toolchain cannot be fetched:", err)
		}
	}
	e2etest.Run(t, func(t *testing.T, i *e2etest.Instance) {
		p := &pipeline{Instance: i, t: t, dir: t.TempDir(), cache: cache}
		p.release()
		p.gate()
		p.audit()
		p.quorum()
		p.image()
	}, e2eCache+"="+cache)
}

// pipeline is one release on its way.
type pipeline struct {
	*e2etest.Instance
	t          *testing.T
	dir, cache string
	commit     string
	registry   string
	rootPolicy string // policy lines that name the trusted root
}

const pipelineRecipe = `format = 1

[builder]
go = "` + attestGo + `"

[vcs]
stamp = false

[env]
CGO_ENABLED = "0"

[[step]]
run = ["/usr/local/go/pkg/tool/linux_amd64/compile", "-p", "kestrel", "-trimpath", "/src", "-o", "/out/kestrel.a", "x.go"]

[[artifact]]
output = "kestrel.a"
`

// imageRecipe lets a program of the commit write an image: an archive of an OCI layout.
const imageRecipe = `format = 1

[builder]
go = "` + attestGo + `"

[vcs]
stamp = false

[env]
CGO_ENABLED = "0"

[[step]]
run = ["go", "run", "./mkimage"]

[[artifact]]
output = "image.tar"
`

// mkimage is a program that writes an image without layers as an archive of an OCI layout. It imports as little as can be: the
// standard library is compiled anew in every run.
func mkimage(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	add := func(name, text string) string {
		if name == "" {
			name = "blobs/sha256/" + evidencetest.SHA256([]byte(text))
		}
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, text)
		return fmt.Sprintf(`"digest":"sha256:%s","size":%d`, evidencetest.SHA256([]byte(text)), len(text))
	}
	const manifest = `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json",%s},"layers":[]}`
	const index = `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json",%s}]}`
	add("oci-layout", `{"imageLayoutVersion":"1.0.0"}`)
	config := add("", `{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}`)
	add("index.json", fmt.Sprintf(index, add("", fmt.Sprintf(manifest, config))))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`// Command mkimage writes an image.
package main

import "syscall"

const image = %q

func main() {
	fd, err := syscall.Open("/out/image.tar", syscall.O_CREAT|syscall.O_WRONLY, 0o644)
	if err != nil {
		panic(err)
	}
	if n, err := syscall.Write(fd, []byte(image)); err != nil || n != len(image) {
		panic("short")
	}
}
`, b.String())
}

func (p *pipeline) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *pipeline) write(name, text string) string {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	p.must(os.MkdirAll(filepath.Dir(path), 0o755))
	p.must(os.WriteFile(path, []byte(text), 0o644))
	return path
}

func (p *pipeline) path(name string) string { return filepath.Join(p.dir, name) }

// run runs a program, which must end with this exit code, and returns what it printed.
func (p *pipeline) run(code int, program string, args ...string) string {
	p.t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), "HOME="+p.dir, "XDG_CACHE_HOME="+p.cache, "SIGSTORE_ID_TOKEN="+p.Token(p.commit), "COSIGN_PASSWORD=", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.org")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != code {
		p.t.Fatalf("%s %s: exit code %d, want %d\n%s", program, strings.Join(args, " "), got, code, out)
	}
	return string(out)
}

// keyless are the flags with which the release workflow signs.
func (p *pipeline) keyless(rest ...string) []string {
	return append([]string{"attest", "--repo", "src", "--commit", p.commit, "--ref", "refs/tags/v1.2.3", "--source-uri", "https://github.com/acme/tool", "--offline",
		"--keyless", "--signing-config", p.Config, "--trusted-root", p.Root}, rest...)
}

// release attests a tagged commit as a release workflow does.
func (p *pipeline) release() {
	p.write("src/x.go", "package kestrel\n\nfunc Answer() int { return 42 }\n")
	p.write("src/go.mod", "module example.org/kestrel\n\ngo 1.26\n")
	p.write("src/mkimage/main.go", mkimage(p.t))
	p.write("src/glassbuild.toml", pipelineRecipe)
	p.write("image.toml", imageRecipe)
	for _, args := range [][]string{{"init", "-q", "-b", "main", "src"}, {"-C", "src", "add", "-A"}, {"-C", "src", "commit", "-q", "-m", "one"}, {"-C", "src", "tag", "v1.2.3"}} {
		p.run(0, "git", args...)
	}
	p.commit = strings.TrimSpace(p.run(0, "git", "-C", "src", "rev-parse", "HEAD"))
	p.run(0, "glassbuild", p.keyless("--out", "dist", "--bundle", "dist")...)
	p.rootPolicy = fmt.Sprintf("trusted-root = %q\n", p.Root)
	p.write("gate.toml", p.gatePolicy(p.commit))
	p.write("other.toml", p.gatePolicy(strings.Repeat("1", 40)))
}

func (p *pipeline) gatePolicy(commit string) string {
	return `format = 1

[[principal]]
name = "release-ci"
identity = "https://github.com/acme/tool/.github/workflows/release.yml@refs/tags/*"
issuer = "` + e2etest.IssuerURL + `"

[provenance]
signed-by = "release-ci"
repository = "https://github.com/acme/tool"
commit = "` + commit + `"
ref = "refs/tags/v1.2.3"
builder = "` + evidence.BuilderID + `"
build-type = "` + evidence.BuildType + `"
same-name = true
require = ["log", "timestamp"]
` + p.rootPolicy + `
[provenance.fields]
"certificate.runner-environment" = "github-hosted"
"certificate.source-repository-digest" = "` + commit + `"
`
}

// nowhere runs glassbuild in a network namespace that has nothing, not even a loopback.
func (p *pipeline) nowhere(code int, args ...string) string {
	p.t.Helper()
	return p.run(code, "unshare", append([]string{"--user", "--map-root-user", "--net", "glassbuild"}, args...)...)
}

// gate checks what the release workflow signed, offline.
func (p *pipeline) gate() {
	out := p.nowhere(0, "check", "dist/kestrel.a", "--policy", "gate.toml")
	if !strings.Contains(out, "PASSED (not-rebuilt)") {
		p.t.Fatal(out)
	}
	p.nowhere(1, "check", "dist/kestrel.a", "--policy", "other.toml")
	p.write("dist/evil.a", "not what was built")
	p.nowhere(1, "check", "dist/evil.a", "--policy", "gate.toml")
	p.must(os.Remove(p.path("dist/evil.a")))
}

// audit rebuilds as two auditors do, each of whom signs the verdict.
func (p *pipeline) audit() {
	for _, lab := range []string{"a", "b", "c"} {
		p.must(os.MkdirAll(p.path("votes"), 0o755))
		p.write("lab-"+lab+".key", string(evidencetest.MarshalKey(p.t, evidencetest.Key("lab "+lab))))
		p.write("lab-"+lab+".pub", string(evidencetest.PublicPEM(p.t, evidencetest.Key("lab "+lab).Public())))
	}
	for _, lab := range []string{"a", "b"} {
		out := p.run(0, "glassbuild", "verify", "dist/kestrel.a", "--repo", "src", "--commit", p.commit, "--policy", "gate.toml", "--offline",
			"--sign", "--key", "lab-"+lab+".key", "--signing-config", p.Config, "--signing-trusted-root", p.Root, "--verifier-id", "https://lab-"+lab+".example", "--bundle", "lab-"+lab)
		vote, err := os.ReadFile(p.path("lab-" + lab + "/kestrel.a.vsa.sigstore.json"))
		p.must(err)
		p.write("votes/"+lab+".sigstore.json", string(vote))
		if !strings.Contains(out, "PASSED (identical)") || !strings.Contains(out, "signed https://slsa.dev/verification_summary/v1") {
			p.t.Fatal(out)
		}
	}
}

// quorumPolicy counts the votes of three auditors, of whom two must agree.
func (p *pipeline) quorumPolicy(dissent string) string {
	text := "format = 1\n"
	for _, lab := range []string{"a", "b", "c"} {
		text += "\n[[principal]]\nname = \"lab-" + lab + "\"\nkey = \"lab-" + lab + ".pub\"\norganisation = \"Lab " + lab + "\"\n"
	}
	digest := strings.TrimPrefix(strings.TrimSpace(p.run(0, "glassbuild", "policy", "check", "gate.toml")), "sha256:")
	digest, _, _ = strings.Cut(digest, "\n")
	return text + "\n[[group]]\nname = \"auditors\"\nmembers = [\"lab-a\", \"lab-b\", \"lab-c\"]\nthreshold = 2\n" +
		"\n[quorum]\nof = \"auditors\"\npolicies = [\"" + digest + "\"]\nmax-age = \"30d\"\ndiffer-in = [\"organisation\"]\ndissent = \"" + dissent + "\"\nvotes = [\"votes\"]\ncommit = \"" + p.commit + "\"\n"
}

// quorum counts votes. The evidence that the votes rest on lies beside the artefact.
func (p *pipeline) quorum() {
	p.write("quorum.toml", p.quorumPolicy("fail"))
	p.write("report.toml", p.quorumPolicy("report"))
	out := p.nowhere(0, "check", "dist/kestrel.a", "--policy", "quorum.toml", "--trusted-root", p.Root)
	if !strings.Contains(out, "PASSED") {
		p.t.Fatal(out)
	}
	p.readingRoom()
	p.log()
	p.dissent()
	p.nowhere(1, "check", "dist/kestrel.a", "--policy", "quorum.toml", "--trusted-root", p.Root)
	out = p.nowhere(0, "check", "dist/kestrel.a", "--policy", "report.toml", "--trusted-root", p.Root)
	if !strings.Contains(out, "lab-c") {
		p.t.Fatalf("the dissenter is not named:\n%s", out)
	}
	// whoever takes a vote back does not count any more
	p.run(0, "glassbuild", "withdraw", "votes/b.sigstore.json", "--reason", "the machine was compromised", "--key", "lab-b.key", "--signing-config", p.Config)
	p.nowhere(1, "check", "dist/kestrel.a", "--policy", "report.toml", "--trusted-root", p.Root)
}

// readingRoom hands a redacted verdict to a second person, whose check holds it against what was signed, under the same quorum.
func (p *pipeline) readingRoom() {
	p.t.Helper()
	p.run(0, "glassbuild", "verify", "dist/kestrel.a", "--repo", "src", "--commit", p.commit, "--policy", "gate.toml", "--offline", "--format", "json", "--output", "whole.json",
		"--sign", "--key", "lab-a.key", "--signing-config", p.Config, "--signing-trusted-root", p.Root, "--verifier-id", "https://lab-a.example", "--bundle", "lab-a2")
	vote, err := os.ReadFile(p.path("lab-a2/kestrel.a.vsa.sigstore.json"))
	p.must(err)
	p.write("votes/a2.sigstore.json", string(vote)) // the newest word of lab-a
	p.run(0, "glassbuild", "report", "whole.json", "--redact", "all", "--output", "redacted.json")
	for _, document := range []string{"whole.json", "redacted.json"} {
		out := p.nowhere(0, "check", "--verdict", document, "--policy", "quorum.toml", "--trusted-root", p.Root, "--evidence", "dist")
		if !strings.Contains(out, "the verdict at hand, passed, is what lab-a signed") || !strings.Contains(out, "quorum 2 of 2") {
			p.t.Fatal(out)
		}
	}
	page := p.run(0, "glassbuild", "report", "redacted.json", "--format", "html")
	if strings.Contains(page, "kestrel") || !strings.Contains(page, "names and texts are left out") {
		p.t.Fatal(page)
	}
}

// log reads the whole log in which the auditors' signatures stand: what they signed and is not at hand could be dissent.
func (p *pipeline) log() {
	p.t.Helper()
	p.write("log.toml", strings.Replace(p.quorumPolicy("fail"), `votes = ["votes"]`, `votes = ["votes", "rekor-v2+`+p.Tiles()+`"]`, 1))
	check := []string{"check", "dist/kestrel.a", "--policy", "log.toml", "--trusted-root", p.Root}
	if out := p.run(3, "glassbuild", check...); !strings.Contains(out, "holds 2 by lab-a that cannot be judged here") {
		p.t.Fatal(out)
	}
	check = append(check, "--evidence", "lab-a", "--evidence", "lab-a2", "--evidence", "lab-b") // the provenance of their rebuilds was logged too
	if out := p.run(0, "glassbuild", check...); !strings.Contains(out, "none in votes, rekor-v2+http://localhost:") {
		p.t.Fatal(out)
	}
	p.dissent()
	withheld := p.path("votes/c.sigstore.json")
	vote, err := os.ReadFile(withheld)
	p.must(err)
	p.must(os.Remove(withheld))
	if out := p.run(3, "glassbuild", check...); !strings.Contains(out, "holds 1 by lab-c that cannot be judged here") {
		p.t.Fatal(out)
	}
	p.must(os.WriteFile(withheld, vote, 0o644))
	if out := p.run(1, "glassbuild", check...); !strings.Contains(out, "dissent: lab-c") {
		p.t.Fatal(out)
	}
	p.must(os.Remove(withheld))
}

// dissent lets the third auditor sign what its broken machine found: the same commit, tree, recipe and builder, other bytes.
func (p *pipeline) dissent() {
	p.t.Helper()
	out := p.run(0, "glassbuild", "verify", "dist/kestrel.a", "--repo", "src", "--commit", p.commit, "--policy", "gate.toml", "--offline", "--format", "json")
	field := func(pattern string) string {
		m := regexp.MustCompile(pattern).FindStringSubmatch(out)
		if m == nil {
			p.t.Fatalf("no %s in %s", pattern, out)
		}
		return m[1]
	}
	sum := field(`"subject": \{[^}]*"sha256": "([0-9a-f]{64})"`)
	s := &evidence.Summary{Verifier: evidence.Verifier{ID: "https://lab-c.example"}, Time: time.Now(), Resource: "pkg:generic/kestrel.a", Result: evidence.SummaryFailed,
		Levels: []string{evidence.LevelUnevaluated}, Policy: evidence.PolicyReference{Digest: map[string]string{"sha256": field(`"policy": \{[^}]*"sha256": "([0-9a-f]{64})"`)}},
		Rebuild: &evidence.Rebuild{Match: "different", Commit: p.commit, Tree: field(`"tree-sha256": "([0-9a-f]{64})"`), Recipe: field(`"recipe": \{\s*"sha256": "([0-9a-f]{64})"`),
			Builder: field(`"builder": \{\s*"sha256": "([0-9a-f]{64})"`), Runs: 2}}
	payload, err := s.Marshal(evidence.Resource{Name: "kestrel.a", Digest: map[string]string{"sha256": sum}})
	p.must(err)
	signer, err := attest.OpenSigner(p.t.Context(), attest.SignerRequest{KeyFile: p.path("lab-c.key"), Config: p.Config, TrustedRoot: p.Root})
	p.must(err)
	bundle, err := signer.Statement(p.t.Context(), payload)
	p.must(err)
	p.write("votes/c.sigstore.json", string(bundle))
}

// image attests an image by its digest, attaches the bundles, and lets cosign read them; and reads what cosign attaches.
func (p *pipeline) image() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	p.must(err)
	s := &http.Server{Handler: gcrregistry.New(gcrregistry.WithReferrersSupport(true), gcrregistry.Logger(log.New(io.Discard, "", 0)))}
	go s.Serve(l)
	p.t.Cleanup(func() { s.Close() })
	p.registry = l.Addr().String()
	p.run(0, "glassbuild", "build", "--repo", "src", "--commit", p.commit, "--recipe", "image.toml", "--offline", "--out", "image")
	ours, theirs := p.pushImage("team/kestrel"), p.pushImage("team/other")
	out := p.run(0, "glassbuild", p.keyless("--recipe", "image.toml", "--image", ours, "--attach", ours, "--bundle", "image-bundles")...)
	if strings.Count(out, "attached to ") != 4 {
		p.t.Fatal(out)
	}
	imagePolicy := strings.Replace(p.gatePolicy(p.commit), "same-name = true\n", "", 1)
	p.write("image-gate.toml", imagePolicy)
	p.run(0, "glassbuild", "check", ours, "--policy", "image-gate.toml")
	p.run(1, "glassbuild", "check", theirs, "--policy", "image-gate.toml")
	cosign := filepath.Join(p.Bin, "cosign")
	who := []string{"--trusted-root", p.Root, "--certificate-identity", e2etest.Identity, "--certificate-oidc-issuer", e2etest.IssuerURL}
	p.run(0, cosign, append(append([]string{"verify-attestation", "--type", "slsaprovenance1"}, who...), ours)...)
	p.run(0, cosign, append(append([]string{"verify-attestation", "--type", evidence.PredicateTestResult}, who...), ours)...)
	found := p.run(0, filepath.Join(p.Bin, "oras"), "discover", "--plain-http", "--format", "json", ours)
	if n := strings.Count(found, `"`+oci.AnnotationPredicate+`"`); n != 4 {
		p.t.Errorf("oras finds %d bundles:\n%s", n, found)
	}
	predicate := p.write("predicate.json", `{"buildDefinition":{"buildType":"https://example.org/b","externalParameters":{}},"runDetails":{"builder":{"id":"https://example.org/builder"}}}`)
	token := p.write("token", p.Token(p.commit))
	p.run(0, cosign, "attest", "--yes", "--identity-token", token, "--signing-config", p.Config, "--trusted-root", p.Root, "--predicate", predicate, "--type", "slsaprovenance1", theirs)
	p.run(0, "glassbuild", "check", theirs, "--certificate-identity", e2etest.Identity, "--certificate-oidc-issuer", e2etest.IssuerURL, "--trusted-root", p.Root)
}

// pushImage puts the image that was built into the registry, and returns its reference.
func (p *pipeline) pushImage(repository string) string {
	p.t.Helper()
	dir := p.path("layout-" + filepath.Base(repository))
	data, err := os.ReadFile(p.path("image/image.tar"))
	p.must(err)
	for r := tar.NewReader(bytes.NewReader(data)); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		p.must(err)
		text, err := io.ReadAll(r)
		p.must(err)
		file := filepath.Join(dir, h.Name)
		p.must(os.MkdirAll(filepath.Dir(file), 0o755))
		p.must(os.WriteFile(file, text, 0o644))
	}
	index, err := layout.ImageIndexFromPath(dir)
	p.must(err)
	m, err := index.IndexManifest()
	p.must(err)
	img, err := index.Image(m.Manifests[0].Digest)
	p.must(err)
	ref := p.registry + "/" + repository + ":v1"
	tag, err := name.NewTag(ref)
	p.must(err)
	p.must(gcr.Write(tag, img))
	return ref
}
