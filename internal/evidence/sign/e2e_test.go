package sign

import (
	"bytes"
	"context"
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
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/glassbuild/glassbuild/internal/evidence"
	"github.com/glassbuild/glassbuild/internal/evidence/evidencetest"
	"github.com/glassbuild/glassbuild/internal/trust"
)

// The servers, and cosign, are built from their modules once and kept in the user's cache.
const (
	fulcioModule = "github.com/sigstore/fulcio@v1.8.8"
	rekorModule  = "github.com/sigstore/rekor-tiles/v2/cmd/rekor-server/posix@v2.3.0"
	tsaModule    = "github.com/sigstore/timestamp-authority/v2/cmd/timestamp-server@v2.1.3"
	cosignModule = "github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3"
)

// Where they listen, inside a network namespace of their own.
const (
	issuerURL = "http://localhost:8888"
	ctURL     = "http://localhost:6962"
	fulcioURL = "http://localhost:5555"
	rekorURL  = "http://localhost:3000"
	tsaURL    = "http://localhost:3004/api/v1/timestamp"
)

// inner marks the run of this test program inside the namespace.
const inner = "GLASSBUILD_E2E_INNER"

// TestE2EKeyless signs with the real Fulcio, Rekor v2 and timestamp authority, and verifies what they gave. It runs
// itself again in an unprivileged network namespace: the servers cannot be reached from outside, and reach nothing.
func TestE2EKeyless(t *testing.T) {
	if os.Getenv("GLASSBUILD_E2E") == "" {
		t.Skip("GLASSBUILD_E2E is not set: builds and starts real servers")
	}
	if os.Getenv(inner) != "" {
		insideNamespace(t)
		return
	}
	bin := filepath.Join(cacheDir(t), "bin")
	modules := map[string]string{"fulcio": fulcioModule, "posix": rekorModule, "timestamp-server": tsaModule}
	if os.Getenv("GLASSBUILD_E2E_COSIGN") != "" {
		modules["cosign"] = cosignModule
	}
	for name, module := range modules {
		install(t, bin, name, module)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "unshare", "--user", "--map-root-user", "--net", self, "-test.run", "^TestE2EKeyless$", "-test.v")
	cmd.Env = append(os.Environ(), inner+"="+bin)
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
}

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

// instance is the running Sigstore instance.
type instance struct {
	t      *testing.T
	dir    string
	bin    string
	issuer *issuer
	root   string // files
	config string
}

func insideNamespace(t *testing.T) {
	loopbackUp(t)
	i := &instance{t: t, dir: t.TempDir(), bin: os.Getenv(inner)}
	i.start()
	t.Run("workflow", i.workflow)
	t.Run("key", i.key)
	if os.Getenv("GLASSBUILD_E2E_COSIGN") != "" {
		t.Run("cosign", i.cosign)
	}
}

func (i *instance) file(name string, data []byte) string {
	i.t.Helper()
	path := filepath.Join(i.dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		i.t.Fatal(err)
	}
	return path
}

func (i *instance) must(err error) {
	i.t.Helper()
	if err != nil {
		i.t.Fatal(err)
	}
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// start brings everything up and writes trusted root and signing config.
func (i *instance) start() {
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
	caFile, caKeyFile := i.file("ca.pem", pemOf("CERTIFICATE", ca)), i.file("ca.key", evidencetest.MarshalKey(t, caKey))
	fulcioYAML := i.file("fulcio.yaml", fmt.Appendf(nil, "oidc-issuers:\n  %s:\n    issuer-url: %s\n    client-id: sigstore\n    type: github-workflow\n", issuerURL, issuerURL))
	i.serve("fulcio", "serve", "--host=127.0.0.1", "--port=5555", "--grpc-host=127.0.0.1", "--grpc-port=5554", "--metrics-port=2114", "--legacy-unix-domain-socket="+filepath.Join(i.dir, "f.sock"),
		"--ca=fileca", "--fileca-cert="+caFile, "--fileca-key="+caKeyFile, "--fileca-key-passwd=none", "--ct-log-url="+ctURL, "--config-path="+fulcioYAML)
	i.serve("posix", "serve", "--http-address=127.0.0.1", "--http-port=3000", "--grpc-address=127.0.0.1", "--grpc-port=3001", "--http-metrics-port=2113", "--hostname=localhost",
		"--storage-dir="+filepath.Join(i.dir, "tiles"), "--signer-filepath="+i.file("rekor.key", pemOf("PRIVATE KEY", rekorDER)), "--checkpoint-interval=1s", "--batch-max-age=100ms", "--persistent-antispam=true")
	i.serve("timestamp-server", "serve", "--host=127.0.0.1", "--port=3004", "--timestamp-signer=memory", "--disable-ntp-monitoring")
	i.ready(fulcioURL+"/healthz", rekorURL+"/healthz", "http://localhost:3004/ping")
	chain := i.get("http://localhost:3004/api/v1/timestamp/certchain")
	i.root = i.file("trusted_root.json", i.trustedRoot(ca, chain, rekorKey.Public().(ed25519.PublicKey), ctKey))
	i.config = i.file("signing_config.json", i.signingConfig())
}

func (i *instance) serve(name string, args ...string) {
	i.t.Helper()
	log, err := os.Create(filepath.Join(i.dir, name+".log"))
	i.must(err)
	cmd := exec.Command(filepath.Join(i.bin, name), args...)
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

func (i *instance) ready(urls ...string) {
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

func (i *instance) get(url string) []byte {
	i.t.Helper()
	resp, err := http.Get(url)
	i.must(err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	i.must(err)
	return data
}

type object = map[string]any

func (i *instance) trustedRoot(ca, tsaChain []byte, rekor ed25519.PublicKey, ct crypto.PublicKey) []byte {
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

func (i *instance) signingConfig() []byte {
	i.t.Helper()
	service := func(url string, version int) []any {
		return []any{object{"url": url, "majorApiVersion": version, "operator": "e2e", "validFor": object{"start": "2020-01-01T00:00:00Z"}}}
	}
	data, err := json.Marshal(object{"mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json", "caUrls": service(fulcioURL, 1), "oidcUrls": service(issuerURL, 1),
		"rekorTlogUrls": service(rekorURL, 2), "rekorTlogConfig": object{"selector": "ANY"}, "tsaUrls": service(tsaURL, 1), "tsaConfig": object{"selector": "ANY"}})
	i.must(err)
	return data
}

const (
	e2eCommit   = "0123456789abcdef0123456789abcdef01234567"
	e2eWorkflow = "acme/tool/.github/workflows/release.yml@refs/tags/v1.2.3"
	e2eIdentity = "https://github.com/" + e2eWorkflow
)

// claims are what a forge says of a run of a release workflow.
func claims() object {
	return object{"sub": "repo:acme/tool:ref:refs/tags/v1.2.3", "job_workflow_ref": e2eWorkflow, "job_workflow_sha": e2eCommit, "sha": e2eCommit, "event_name": "push", "repository": "acme/tool",
		"repository_id": "1", "repository_owner": "acme", "repository_owner_id": "2", "repository_visibility": "public", "workflow": "release", "workflow_ref": e2eWorkflow, "workflow_sha": e2eCommit,
		"ref": "refs/tags/v1.2.3", "run_id": "3", "run_attempt": "1", "runner_environment": "github-hosted"}
}

func (i *instance) signer(t *testing.T, key *Key) *Signer {
	t.Helper()
	config, err := LoadConfig(i.config, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	root, err := os.ReadFile(i.root)
	if err != nil {
		t.Fatal(err)
	}
	opt := Options{Key: key, Config: config, Remote: client(t), TrustedRoot: root}
	if key == nil {
		opt.Token = func(context.Context) (string, error) { return i.issuer.token(claims()), nil }
	}
	s, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// judge verifies by the instance's trusted root, a demanded commit included.
func (i *instance) judge(t *testing.T, data []byte, p trust.Principal, expect evidence.Expect) (*evidence.Verified, error) {
	t.Helper()
	root, err := os.ReadFile(i.root)
	if err != nil {
		t.Fatal(err)
	}
	roots, err := evidence.ParseTrustedRoots(i.root, root)
	if err != nil {
		t.Fatal(err)
	}
	who, err := trust.New([]trust.Principal{p}, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := evidence.Parse("bundle", data)
	if err != nil {
		return nil, err
	}
	return evidence.Verify(b, evidence.Options{Trust: who, Roots: roots, Now: time.Now(), Expect: expect,
		Subject: &evidence.Subject{Digests: map[string]string{"sha256": evidencetest.SHA256(tool)}}})
}

var anyProvenance = evidence.Expect{Predicates: []string{evidence.PredicateProvenanceV1}}

func release(issuer string) trust.Principal {
	return trust.Principal{Name: "release", Identity: "https://github.com/acme/tool/.github/workflows/release.yml@refs/tags/*", Issuer: issuer}
}

func (i *instance) workflow(t *testing.T) {
	data, err := i.signer(t, nil).Statement(t.Context(), signed())
	if err != nil {
		t.Fatal(err)
	}
	v, err := i.judge(t, data, release(issuerURL), anyProvenance)
	if err != nil {
		t.Fatal(err)
	}
	said, err := v.Said()
	if err != nil || len(said.Conflicts) > 0 {
		t.Fatalf("%v, conflicts %v", err, said.Conflicts)
	}
	for name, want := range map[string]string{"commit": e2eCommit, "repository": "https://github.com/acme/tool", "ref": "refs/tags/v1.2.3", "trigger": "push", "workflow": ".github/workflows/release.yml"} {
		if said.Values[name] != want {
			t.Errorf("%s is %q", name, said.Values[name])
		}
	}
	for address, want := range map[string]string{"certificate.build-config-digest": e2eCommit, "certificate.runner-environment": "github-hosted"} {
		if got, _ := v.Field(address); got != want {
			t.Errorf("%s is %q", address, got)
		}
	}
	if c := v.Signers()[0].Certificate; c.Identity != e2eIdentity || c.Issuer != issuerURL || len(v.Logs()) != 1 || len(v.Times()) != 1 {
		t.Errorf("%+v, logs %v, times %v", c, v.Logs(), v.Times())
	}
	if _, err := i.judge(t, data, release("http://localhost:9999"), anyProvenance); err == nil || !strings.Contains(err.Error(), "issuer differs") {
		t.Errorf("another issuer: %v", err)
	}
	for n := 40; n < len(data); n += len(data) / 97 {
		altered := bytes.Clone(data)
		altered[n] ^= 1
		if got, err := i.judge(t, altered, release(issuerURL), anyProvenance); err == nil && got.Statement().PayloadSHA256() != v.Statement().PayloadSHA256() {
			t.Errorf("byte %d altered, and accepted", n)
		}
	}
}

func (i *instance) key(t *testing.T) {
	key, err := ParseKey("k", evidencetest.MarshalKey(t, evidencetest.Key("e2e key")), nil)
	if err != nil {
		t.Fatal(err)
	}
	s := i.signer(t, key)
	p := trust.Principal{Name: "key", PublicKeys: [][]byte{key.PublicPEM()}}
	data, err := s.Statement(t.Context(), signed())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := i.judge(t, data, p, anyProvenance); err != nil {
		t.Error(err)
	}
	if data, err = s.Message(t.Context(), tool); err != nil {
		t.Fatal(err)
	}
	if _, err := i.judge(t, data, p, evidence.Expect{Message: true}); err != nil {
		t.Error(err)
	}
}

// cosign verifies what is signed here, and the other way round.
func (i *instance) cosign(t *testing.T) {
	blob, token := i.file("tool", tool), i.file("token", []byte(i.issuer.token(claims())))
	run := func(args ...string) {
		t.Helper()
		cmd := exec.Command(filepath.Join(i.bin, "cosign"), args...)
		cmd.Env = append(os.Environ(), "HOME="+i.dir)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("cosign %s: %v\n%s", args[0], err, out)
		}
	}
	who := []string{"--trusted-root", i.root, "--certificate-identity", e2eIdentity, "--certificate-oidc-issuer", issuerURL}
	data, err := i.signer(t, nil).Statement(t.Context(), signed())
	if err != nil {
		t.Fatal(err)
	}
	ours := i.file("ours.sigstore.json", data)
	run(append([]string{"verify-blob-attestation", "--bundle", ours, "--type", "slsaprovenance1"}, append(who, blob)...)...)
	if data, err = i.signer(t, nil).Message(t.Context(), tool); err != nil {
		t.Fatal(err)
	}
	run(append([]string{"verify-blob", "--bundle", i.file("ours2.sigstore.json", data)}, append(who, blob)...)...)
	services := []string{"--yes", "--identity-token", token, "--signing-config", i.config, "--trusted-root", i.root, "--bundle"}
	theirs := filepath.Join(i.dir, "theirs.sigstore.json")
	run(append([]string{"sign-blob"}, append(services, theirs, blob)...)...)
	if data, err = os.ReadFile(theirs); err != nil {
		t.Fatal(err)
	}
	if _, err := i.judge(t, data, release(issuerURL), evidence.Expect{Message: true}); err != nil {
		t.Errorf("cosign's signature: %v", err)
	}
	predicate := i.file("predicate.json", []byte(`{"buildDefinition":{"buildType":"https://example.org/b","externalParameters":{}},"runDetails":{"builder":{"id":"https://example.org/builder"}}}`))
	run(append([]string{"attest-blob", "--predicate", predicate, "--type", "slsaprovenance1"}, append(services, theirs, blob)...)...)
	if data, err = os.ReadFile(theirs); err != nil {
		t.Fatal(err)
	}
	if _, err := i.judge(t, data, release(issuerURL), anyProvenance); err != nil {
		t.Errorf("cosign's attestation: %v", err)
	}
}
