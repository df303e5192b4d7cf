package sign

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/kms/cliplugin/handler"

	"github.com/glassbuild/glassbuild/internal/evidence"
	"github.com/glassbuild/glassbuild/internal/evidence/evidencetest"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/remote"
	"github.com/glassbuild/glassbuild/internal/trust"
)

var tool = []byte("the tool\n")

// signed is what every test signs.
func signed() []byte {
	return evidencetest.Statement("tool", tool, evidence.PredicateProvenanceV1, map[string]any{
		"buildDefinition": map[string]any{"buildType": "https://example.org/build", "externalParameters": map[string]any{}},
		"runDetails":      map[string]any{"builder": map[string]any{"id": "https://example.org/builder"}}})
}

func client(t *testing.T) *remote.Client {
	t.Helper()
	r, err := remote.New(remote.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// judge verifies a bundle as a reader would.
func judge(t *testing.T, bundle, root []byte, p trust.Principal, require evidence.Require, message bool) *evidence.Verified {
	t.Helper()
	who, err := trust.New([]trust.Principal{p}, nil)
	if err != nil {
		t.Fatal(err)
	}
	roots, err := evidence.ParseTrustedRoots("", root)
	if err != nil {
		t.Fatal(err)
	}
	b, err := evidence.Parse("", bundle)
	if err != nil {
		t.Fatal(err)
	}
	expect := evidence.Expect{Predicates: []string{evidence.PredicateProvenanceV1}}
	if message {
		expect = evidence.Expect{Message: true}
	}
	v, err := evidence.Verify(b, evidence.Options{Trust: who, Roots: roots, Require: require, Now: time.Now(), Expect: expect,
		Subject: &evidence.Subject{Names: []string{"tool"}, Digests: map[string]string{"sha256": evidencetest.SHA256(tool), "sha512": sha512Hex(tool)}}})
	if err != nil {
		t.Fatal(err)
	}
	if v.Format() != evidence.FormatBundle03 {
		t.Errorf("format %s", v.Format())
	}
	return v
}

func sha512Hex(b []byte) string {
	h := crypto.SHA512.New()
	h.Write(b)
	return hexOf(h.Sum(nil))
}

func hexOf(b []byte) string {
	const digits = "0123456789abcdef"
	var out strings.Builder
	for _, c := range b {
		out.WriteByte(digits[c>>4])
		out.WriteByte(digits[c&15])
	}
	return out.String()
}

func TestKeyless(t *testing.T) {
	t.Parallel()
	i := evidencetest.New(t, "sign")
	services := i.Serve()
	root := i.TrustedRoot(evidencetest.Spans{})
	for version := 1; version <= 2; version++ {
		config, err := ParseConfig("signing_config.json", services.SigningConfig(version), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		services.Fail("/tsa", 1) // a service that stumbles is asked again
		s, err := New(Options{Token: func(context.Context) (string, error) { return evidencetest.Token("dev@example.org"), nil },
			Config: config, Remote: client(t), TrustedRoot: root, wait: time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		bundle, err := s.Statement(t.Context(), signed())
		if err != nil {
			t.Fatalf("rekor %d: %v", version, err)
		}
		v := judge(t, bundle, root, trust.Principal{Name: "dev", Identity: "dev@example.org", Issuer: evidencetest.Issuer}, evidence.Require{Logs: 1, Timestamps: 1}, false)
		if v.Principals()[0] != "dev" || len(v.Logs()) != 1 || v.SignedAt().IsZero() {
			t.Errorf("rekor %d: %+v", version, v)
		}
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	i := evidencetest.New(t, "sign")
	services := i.Serve()
	root := i.TrustedRoot(evidencetest.Spans{})
	password := func() ([]byte, error) { return []byte("pw"), nil }
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	edDER, err := x509.MarshalPKCS8PrivateKey(ed)
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(evidencetest.Key("sec1"))
	if err != nil {
		t.Fatal(err)
	}
	cosign, _, err := cryptoutils.GeneratePEMEncodedECDSAKeyPair(elliptic.P256(), cryptoutils.StaticPasswordFunc([]byte("pw")))
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		pem      []byte
		versions []int
	}{
		"PKCS #8":          {evidencetest.MarshalKey(t, evidencetest.Key("pkcs8")), []int{0, 1, 2}},
		"SEC 1":            {pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1}), []int{2}},
		"encrypted cosign": {cosign, []int{0, 2}},
		"Ed25519":          {pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: edDER}), []int{0}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "key.pem")
			if err := os.WriteFile(path, tc.pem, 0o600); err != nil {
				t.Fatal(err)
			}
			key, err := LoadKey(path, password)
			if err != nil {
				t.Fatal(err)
			}
			p := trust.Principal{Name: "key", PublicKeys: [][]byte{key.PublicPEM()}}
			for _, version := range tc.versions {
				opt := Options{Key: key, wait: time.Millisecond}
				require := evidence.Require{NoLog: true}
				if version > 0 {
					require = evidence.Require{}
					opt.Remote, opt.TrustedRoot = client(t), root
					if opt.Config, err = ParseConfig("", services.SigningConfig(version), time.Now()); err != nil {
						t.Fatal(err)
					}
				}
				s, err := New(opt)
				if err != nil {
					t.Fatal(err)
				}
				bundle, err := s.Statement(t.Context(), signed())
				if err != nil {
					t.Fatalf("rekor %d: %v", version, err)
				}
				judge(t, bundle, root, p, require, false)
				if version == 0 {
					if bundle, err = s.Message(t.Context(), tool); err != nil {
						t.Fatal(err)
					}
					judge(t, bundle, root, p, require, true)
				}
			}
		})
	}
}

func TestUnusableKeys(t *testing.T) {
	t.Parallel()
	cosign, public, err := cryptoutils.GeneratePEMEncodedECDSAKeyPair(elliptic.P256(), cryptoutils.StaticPasswordFunc([]byte("pw")))
	if err != nil {
		t.Fatal(err)
	}
	good := evidencetest.MarshalKey(t, evidencetest.Key("k"))
	for name, tc := range map[string]struct {
		data     []byte
		password func() ([]byte, error)
		want     string
	}{
		"no PEM":         {[]byte("secret"), nil, "holds no private key in PEM"},
		"public key":     {public, nil, "want the private key"},
		"two keys":       {append(bytes.Clone(good), good...), nil, "holds more than one key"},
		"wrong password": {cosign, func() ([]byte, error) { return []byte("other"), nil }, "unusable private key"},
		"no password":    {cosign, nil, "unusable private key"},
		"damaged":        {pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte{1, 2}}), nil, "unusable private key"},
	} {
		_, err := ParseKey("k.pem", tc.data, tc.password)
		if err == nil || !strings.Contains(err.Error(), tc.want) || fault.ClassOf(err) != fault.Usage {
			t.Errorf("%s: got %v, want %q", name, err, tc.want)
		}
		if err != nil && (strings.Contains(err.Error(), "pw") || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%s: the error repeats a secret: %v", name, err)
		}
	}
}

func TestFailingServiceLeavesNoBundle(t *testing.T) {
	t.Parallel()
	i := evidencetest.New(t, "sign")
	for _, prefix := range []string{"/fulcio", "/rekor2", "/tsa"} {
		services := i.With(t).Serve()
		config, err := ParseConfig("", services.SigningConfig(2), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		services.Fail(prefix, 1000)
		s, err := New(Options{Token: func(context.Context) (string, error) { return evidencetest.Token("dev@example.org"), nil }, Config: config, Remote: client(t), wait: time.Microsecond})
		if err != nil {
			t.Fatal(err)
		}
		bundle, err := s.Statement(t.Context(), signed())
		if bundle != nil || fault.ClassOf(err) != fault.Inconclusive || fault.HintOf(err) == "" || !strings.Contains(err.Error(), prefix) {
			t.Errorf("%s: bundle of %d bytes, %v, hint %q", prefix, len(bundle), err, fault.HintOf(err))
		}
	}
}

func TestForeignServiceIsNoticed(t *testing.T) {
	t.Parallel()
	services := evidencetest.New(t, "sign").Serve()
	root := evidencetest.New(t, "another instance").TrustedRoot(evidencetest.Spans{})
	config, err := ParseConfig("", services.SigningConfig(2), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Options{Token: func(context.Context) (string, error) { return evidencetest.Token("dev@example.org"), nil }, Config: config, Remote: client(t), TrustedRoot: root})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Statement(t.Context(), signed()); fault.ClassOf(err) != fault.Failed || !strings.Contains(err.Error(), "does not verify") {
		t.Fatalf("got %v", err)
	}
}

func TestConfigRefuses(t *testing.T) {
	t.Parallel()
	for name, data := range map[string]string{
		"no JSON":   `x`,
		"duplicate": `{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.2+json","mediaType":"x"}`,
		"version":   `{"mediaType":"application/vnd.dev.sigstore.signingconfig.v9+json"}`,
	} {
		if _, err := ParseConfig("c", []byte(data), time.Now()); fault.ClassOf(err) != fault.Usage || err == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := New(Options{}); err == nil {
		t.Error("nobody signs")
	}
	if _, err := New(Options{Token: func(context.Context) (string, error) { return "", nil }}); err == nil {
		t.Error("keyless without services")
	}
}

func TestAmbient(t *testing.T) {
	t.Parallel()
	token := evidencetest.Token("ci@example.org")
	runner := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer secret" || r.URL.Query().Get("audience") != Audience || r.URL.Query().Get("v") != "1" {
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		w.Write([]byte(`{"value":"` + token + `"}`))
	}))
	t.Cleanup(runner.Close)
	run := func(_ context.Context, name string, args ...string) ([]byte, error) {
		if name+" "+strings.Join(args, " ") == "buildkite-agent oidc request-token --audience sigstore" || name == "circleci" && args[len(args)-1] == `{"aud":"sigstore"}` {
			return []byte(token + "\n"), nil
		}
		return nil, errors.New("no such program")
	}
	for name, tc := range map[string]struct {
		env      map[string]string
		provider string
		want     string // of the error
	}{
		"generic":                   {map[string]string{"SIGSTORE_ID_TOKEN": token}, "SIGSTORE_ID_TOKEN", ""},
		"GitLab":                    {map[string]string{"SIGSTORE_ID_TOKEN": token, "GITLAB_CI": "true"}, "GitLab", ""},
		"GitHub":                    {map[string]string{"GITHUB_ACTIONS": "true", "ACTIONS_ID_TOKEN_REQUEST_URL": runner.URL + "?v=1", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "secret"}, "GitHub Actions", ""},
		"Buildkite":                 {map[string]string{"BUILDKITE": "true"}, "Buildkite", ""},
		"CircleCI":                  {map[string]string{"CIRCLECI": "true"}, "CircleCI", ""},
		"GitHub refuses":            {map[string]string{"GITHUB_ACTIONS": "true", "ACTIONS_ID_TOKEN_REQUEST_URL": runner.URL + "?v=1", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "wrong"}, "", "answered 403"},
		"GitHub without permission": {map[string]string{"GITHUB_ACTIONS": "true"}, "", "gives no identity token"},
		"GitLab without id_tokens":  {map[string]string{"GITLAB_CI": "true"}, "", "gives no identity token"},
		"no pipeline":               {nil, "", "this is no pipeline that gives one"},
		"no token":                  {map[string]string{"SIGSTORE_ID_TOKEN": "hunter2"}, "", "no identity token"},
	} {
		e := Environment{Getenv: func(k string) string { return tc.env[k] }, Remote: client(t), Run: run}
		got, provider, err := e.Ambient(t.Context())
		if tc.want == "" && (err != nil || got != token || provider != tc.provider) {
			t.Errorf("%s: %q from %q, %v", name, got, provider, err)
		}
		if tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%s: got %v, want %q", name, err, tc.want)
		}
	}
}

// plugin is the scheme of the KMS that this test program plays when it is called by that name.
const plugin = "glassbuildtest"

func TestMain(m *testing.M) {
	if strings.HasPrefix(filepath.Base(os.Args[0]), "sigstore-kms-") {
		os.Exit(playKMS())
	}
	os.Exit(m.Run())
}

// playKMS answers as a KMS plug-in does.
func playKMS() int {
	args, err := handler.GetPluginArgs(os.Args)
	if err != nil {
		return 1
	}
	sv, err := signature.LoadSignerVerifier(evidencetest.Key("kms"), crypto.SHA256)
	if err != nil {
		return 1
	}
	if _, err := handler.Dispatch(os.Stdout, os.Stdin, args, kmsKey{sv}); err != nil {
		return 1
	}
	return 0
}

type kmsKey struct{ signature.SignerVerifier }

func (kmsKey) DefaultAlgorithm() string      { return "ecdsa-p256" }
func (kmsKey) SupportedAlgorithms() []string { return []string{"ecdsa-p256"} }
func (kmsKey) CreateKey(context.Context, string) (crypto.PublicKey, error) {
	return nil, errors.New("no")
}
func (kmsKey) CryptoSigner(context.Context, func(error)) (crypto.Signer, crypto.SignerOpts, error) {
	return nil, nil, errors.New("no")
}

func TestKMS(t *testing.T) {
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(dir, "sigstore-kms-"+plugin)); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	key, err := OpenKMS(t.Context(), plugin+"://key/1")
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Options{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := s.Statement(t.Context(), signed())
	if err != nil {
		t.Fatal(err)
	}
	p := trust.Principal{Name: "kms", PublicKeys: [][]byte{evidencetest.PublicPEM(t, evidencetest.Key("kms").Public())}}
	judge(t, bundle, evidencetest.New(t, "sign").TrustedRoot(evidencetest.Spans{}), p, evidence.Require{NoLog: true}, false)
	if _, err := OpenKMS(t.Context(), "nosuchkms://key/1"); fault.ClassOf(err) != fault.Usage || fault.HintOf(err) == "" {
		t.Errorf("unknown KMS: %v", err)
	}
	if _, err := OpenKMS(t.Context(), "no uri"); fault.ClassOf(err) != fault.Usage {
		t.Errorf("malformed URI: %v", err)
	}
}
