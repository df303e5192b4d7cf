// Package e2etest runs a whole Sigstore instance for slow tests: the real Fulcio, Rekor v2 and timestamp authority, built
// from their modules, with the smallest OpenID issuer and certificate transparency signer beside them. Everything listens
// on the loopback of an unprivileged network namespace of its own: nothing is reached from outside, and nothing reaches out.
package e2etest

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/glassbuild/glassbuild/internal/evidence/evidencetest"
)

// The servers, and cosign, are built from their modules once and kept in the user's cache.
const (
	fulcioModule = "github.com/sigstore/fulcio@v1.8.8"
	rekorModule  = "github.com/sigstore/rekor-tiles/v2/cmd/rekor-server/posix@v2.3.0"
	tsaModule    = "github.com/sigstore/timestamp-authority/v2/cmd/timestamp-server@v2.1.3"
	cosignModule = "github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3"
	orasModule   = "oras.land/oras/cmd/oras@v1.2.3"
)

// Where they listen, inside a network namespace of their own.
const (
	IssuerURL = "http://localhost:8888"
	ctURL     = "http://localhost:6962"
	fulcioURL = "http://localhost:5555"
	rekorURL  = "http://localhost:3000"
	tsaURL    = "http://localhost:3004/api/v1/timestamp"
)

// audience is whom identity tokens are made out to.
const audience = "sigstore"

// inner marks the run of the test program inside the namespace.
const inner = "GLASSBUILD_E2E_INNER"

// Run builds the servers where they are not built yet, and runs test again, by its name, in a network namespace of its own;
// there it calls inside with the running instance. Without GLASSBUILD_E2E it skips.
func Run(t *testing.T, inside func(t *testing.T, i *Instance), env ...string) {
	t.Helper()
	if os.Getenv("GLASSBUILD_E2E") == "" {
		t.Skip("GLASSBUILD_E2E is not set: builds and starts real servers")
	}
	if bin := os.Getenv(inner); bin != "" {
		loopbackUp(t)
		i := &Instance{t: t, dir: t.TempDir(), Bin: bin}
		i.start()
		inside(t, i)
		return
	}
	bin := filepath.Join(cacheDir(t), "bin")
	modules := map[string]string{"fulcio": fulcioModule, "posix": rekorModule, "timestamp-server": tsaModule, "cosign": cosignModule, "oras": orasModule}
	for name, module := range modules {
		install(t, bin, name, module)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "unshare", "--user", "--map-root-user", "--net", self, "-test.run", "^"+t.Name()+"$", "-test.v")
	cmd.Env = append(append(os.Environ(), inner+"="+bin), env...)
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
}

// Inside tells whether this is the run in the namespace.
func Inside() bool { return os.Getenv(inner) != "" }

func cacheDir(t *testing.T) string {
	t.Helper()
	dir, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "glassbuild-e2e")
}

// install builds a program of another module, unless it is there.
func install(t *testing.T, bin, name, module string) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(bin, name)); err == nil {
		return
	}
	t.Logf("building %s: this takes minutes", module)
	cmd := exec.CommandContext(t.Context(), "go", "install", module)
	cmd.Dir = t.TempDir() // outside of this module
	cmd.Env = append(os.Environ(), "GOBIN="+bin, "GOFLAGS=", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// Instance is the running Sigstore instance.
type Instance struct {
	Bin    string // folder with the programs
	Root   string // file with the trusted root
	Config string // file with the signing config

	t      *testing.T
	dir    string
	issuer *issuer
}

// File writes a file into the instance's folder.
func (i *Instance) File(name string, data []byte) string {
	i.t.Helper()
	path := filepath.Join(i.dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		i.t.Fatal(err)
	}
	return path
}

func (i *Instance) must(err error) {
	i.t.Helper()
	if err != nil {
		i.t.Fatal(err)
	}
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// start brings everything up and writes trusted root and signing config.
func (i *Instance) start() {
	t := i.t
	i.issuer = startIssuer(t)
	ctKey := startCT(t)
	caKey := evidencetest.Key("e2e ca")
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "e2e", Organization: []string{"test"}}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().AddDate(1, 0, 0), KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, BasicConstraintsValid: true, IsCA: true, MaxPathLen: 1}
	ca, err := x509.CreateCertificate(rand.Reader, template, template, caKey.Public(), caKey)
	i.must(err)
	_, rekorKey, err := ed25519.GenerateKey(rand.Reader)
	i.must(err)
	rekorDER, err := x509.MarshalPKCS8PrivateKey(rekorKey)
	i.must(err)
	caFile, caKeyFile := i.File("ca.pem", pemOf("CERTIFICATE", ca)), i.File("ca.key", evidencetest.MarshalKey(t, caKey))
	fulcioYAML := i.File("fulcio.yaml", fmt.Appendf(nil, "oidc-issuers:\n  %s:\n    issuer-url: %s\n    client-id: sigstore\n    type: github-workflow\n", IssuerURL, IssuerURL))
	i.serve("fulcio", "serve", "--host=127.0.0.1", "--port=5555", "--grpc-host=127.0.0.1", "--grpc-port=5554", "--metrics-port=2114", "--legacy-unix-domain-socket="+filepath.Join(i.dir, "f.sock"),
		"--ca=fileca", "--fileca-cert="+caFile, "--fileca-key="+caKeyFile, "--fileca-key-passwd=none", "--ct-log-url="+ctURL, "--config-path="+fulcioYAML)
	i.serve("posix", "serve", "--http-address=127.0.0.1", "--http-port=3000", "--grpc-address=127.0.0.1", "--grpc-port=3001", "--http-metrics-port=2113", "--hostname=localhost",
		"--storage-dir="+filepath.Join(i.dir, "tiles"), "--signer-filepath="+i.File("rekor.key", pemOf("PRIVATE KEY", rekorDER)), "--checkpoint-interval=1s", "--batch-max-age=100ms", "--persistent-antispam=true")
	i.serve("timestamp-server", "serve", "--host=127.0.0.1", "--port=3004", "--timestamp-signer=memory", "--disable-ntp-monitoring")
	i.ready(fulcioURL+"/healthz", rekorURL+"/healthz", "http://localhost:3004/ping")
	chain := i.get("http://localhost:3004/api/v1/timestamp/certchain")
	i.Root = i.File("trusted_root.json", i.trustedRoot(ca, chain, rekorKey.Public().(ed25519.PublicKey), ctKey))
	i.Config = i.File("signing_config.json", i.signingConfig())
}

func (i *Instance) serve(name string, args ...string) {
	i.t.Helper()
	log, err := os.Create(filepath.Join(i.dir, name+".log"))
	i.must(err)
	cmd := exec.Command(filepath.Join(i.Bin, name), args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = i.dir, log, log
	i.must(cmd.Start())
	i.t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		log.Close()
		if i.t.Failed() {
			text, _ := os.ReadFile(log.Name())
			i.t.Logf("%s:\n%s", name, text[max(0, len(text)-4000):])
		}
	})
}

func (i *Instance) ready(urls ...string) {
	i.t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for _, u := range urls {
		for {
			resp, err := http.Get(u)
			if err == nil {
				resp.Body.Close()
				if resp.StatusCode == http.StatusOK {
					break
				}
			}
			if time.Now().After(deadline) {
				i.t.Fatalf("%s is not ready: %v", u, err)
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
}

func (i *Instance) get(url string) []byte {
	i.t.Helper()
	resp, err := http.Get(url)
	i.must(err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	i.must(err)
	return data
}

type object = map[string]any

func (i *Instance) trustedRoot(ca, tsaChain []byte, rekor ed25519.PublicKey, ct crypto.PublicKey) []byte {
	i.t.Helper()
	b64 := base64.StdEncoding.EncodeToString
	since := object{"start": "2020-01-01T00:00:00Z"}
	log := func(url, details string, public crypto.PublicKey, id func(spki []byte) [32]byte) object {
		der, err := x509.MarshalPKIXPublicKey(public)
		i.must(err)
		sum := id(der)
		return object{"baseUrl": url, "hashAlgorithm": "SHA2_256", "logId": object{"keyId": b64(sum[:])}, "publicKey": object{"rawBytes": b64(der), "keyDetails": details, "validFor": since}}
	}
	var stamps []object
	for block, rest := pem.Decode(tsaChain); block != nil; block, rest = pem.Decode(rest) {
		stamps = append(stamps, object{"rawBytes": b64(block.Bytes)})
	}
	subject := object{"organization": "test", "commonName": "e2e"}
	data, err := json.Marshal(object{"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
		"tlogs":                  []any{log(rekorURL, "PKIX_ED25519", rekor, func([]byte) [32]byte { return sha256.Sum256(append([]byte("localhost\n\x01"), rekor...)) })},
		"ctlogs":                 []any{log(ctURL, "PKIX_ECDSA_P256_SHA_256", ct, func(spki []byte) [32]byte { return sha256.Sum256(spki) })},
		"certificateAuthorities": []any{object{"subject": subject, "uri": fulcioURL, "certChain": object{"certificates": []any{object{"rawBytes": b64(ca)}}}, "validFor": since}},
		"timestampAuthorities":   []any{object{"subject": subject, "uri": tsaURL, "certChain": object{"certificates": stamps}, "validFor": since}}})
	i.must(err)
	return data
}

func (i *Instance) signingConfig() []byte {
	i.t.Helper()
	service := func(url string, version int) []any {
		return []any{object{"url": url, "majorApiVersion": version, "operator": "e2e", "validFor": object{"start": "2020-01-01T00:00:00Z"}}}
	}
	data, err := json.Marshal(object{"mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json", "caUrls": service(fulcioURL, 1), "oidcUrls": service(IssuerURL, 1),
		"rekorTlogUrls": service(rekorURL, 2), "rekorTlogConfig": object{"selector": "ANY"}, "tsaUrls": service(tsaURL, 1), "tsaConfig": object{"selector": "ANY"}})
	i.must(err)
	return data
}

// Where the release workflow runs that the tokens are for, and the identity that Fulcio makes of it.
const (
	Workflow = "acme/tool/.github/workflows/release.yml@refs/tags/v1.2.3"
	Identity = "https://github.com/" + Workflow
)

// Token returns the identity token that a forge gives to a run of the release workflow at a commit.
func (i *Instance) Token(commit string) string {
	return i.issuer.token(object{"sub": "repo:acme/tool:ref:refs/tags/v1.2.3", "job_workflow_ref": Workflow, "job_workflow_sha": commit, "sha": commit, "event_name": "push", "repository": "acme/tool",
		"repository_id": "1", "repository_owner": "acme", "repository_owner_id": "2", "repository_visibility": "public", "workflow": "release", "workflow_ref": Workflow, "workflow_sha": commit,
		"ref": "refs/tags/v1.2.3", "run_id": "3", "run_attempt": "1", "runner_environment": "github-hosted"})
}

// Tiles serves the log's own files, as whoever runs a log does, and returns where.
func (i *Instance) Tiles() string {
	l, err := net.Listen("tcp", "localhost:0")
	i.must(err)
	s := &http.Server{Handler: http.FileServerFS(os.DirFS(filepath.Join(i.dir, "tiles")))}
	go s.Serve(l)
	i.t.Cleanup(func() { s.Close() })
	return fmt.Sprintf("http://localhost:%d", l.Addr().(*net.TCPAddr).Port)
}

// Dir is a folder of the instance's own.
func (i *Instance) Dir() string { return i.dir }
