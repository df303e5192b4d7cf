package main

import (
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	gcrregistry "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	gcr "github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/sigstore/sigstore/pkg/cryptoutils"

	"github.com/glassbuild/glassbuild/internal/builder"
	"github.com/glassbuild/glassbuild/internal/evidence"
	"github.com/glassbuild/glassbuild/internal/evidence/evidencetest"
	"github.com/glassbuild/glassbuild/internal/gomod"
	"github.com/glassbuild/glassbuild/internal/store"
	"github.com/glassbuild/glassbuild/internal/trust"
)

// TestAttestScripts builds with a Go toolchain that the checksum database vouches for: nothing less is ever signed. The
// toolchain is fetched once for all scripts.
func TestAttestScripts(t *testing.T) {
	t.Parallel()
	if !probe(t) {
		t.Skip("this machine cannot rebuild")
	}
	cache := filepath.Join(t.TempDir(), "cache")
	t.Cleanup(func() { store.RemoveAll(cache) })
	if err := fetchToolchain(t, filepath.Join(cache, "glassbuild")); err != nil {
		t.Skip("the Go toolchain cannot be fetched:", err)
	}
	scripts, err := filepath.Glob("testdata/attest/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("%d scripts, %v", len(scripts), err)
	}
	attestScripts(t, cache, append(scripts, attestDocs(t))...)
}

// attestScripts runs scripts that sign, with the toolchain in a cache.
func attestScripts(t *testing.T, cache string, scripts ...string) {
	t.Helper()
	goproxy, err := exec.Command("go", "env", "GOPROXY").Output()
	if err != nil {
		t.Fatal(err)
	}
	w := &attestWorld{t: t}
	all := map[string]func(*testscript.TestScript, bool, []string){"sigstore": w.sigstore, "failing": w.failing,
		"newkey": makeKey, "signed": w.signed, "says": says, "rewrite": rewrite, "imagelayout": imageLayout}
	for name, c := range commands {
		all[name] = c
	}
	testscript.Run(t, testscript.Params{
		Files: scripts, RequireExplicitExec: true, RequireUniqueNames: true, Cmds: all,
		Setup: func(env *testscript.Env) error {
			err := setup(env)
			env.Setenv("XDG_CACHE_HOME", cache)
			env.Setenv("SHARED_CACHE", "yes")
			env.Setenv("GOPROXY", strings.TrimSpace(string(goproxy)))
			return err
		},
	})
}

// attestGo is the toolchain that the scripts' recipes name.
const attestGo = "1.26.5"

func fetchToolchain(t *testing.T, dir string) error {
	t.Helper()
	st, err := store.Open(dir)
	if err != nil {
		return err
	}
	r, err := gomod.NewRemote(false)
	if err != nil {
		return err
	}
	env, err := gomod.LoadEnv()
	if err != nil {
		return err
	}
	_, err = builder.Prepare(t.Context(), builder.Request{Go: attestGo}, builder.Options{Store: st, Remote: r, GoEnv: env})
	return err
}

// attestWorld is what scripts talk to: a Sigstore instance and a registry, both in this process.
type attestWorld struct {
	t        *testing.T
	mu       sync.Mutex
	services map[string]*evidencetest.Services // by script
	roots    map[string][]byte
}

// sigstore is "sigstore": starts an instance, writes signing_config.json and trusted_root.json, and gives the pipeline an
// identity token.
func (w *attestWorld) sigstore(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 0 {
		ts.Fatalf("usage: sigstore")
	}
	i := evidencetest.New(w.t, "attest "+ts.Name())
	s := i.Serve()
	root := i.TrustedRoot(evidencetest.Spans{})
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.services == nil {
		w.services, w.roots = map[string]*evidencetest.Services{}, map[string][]byte{}
	}
	w.services[ts.Name()], w.roots[ts.Name()] = s, root
	ts.Check(os.WriteFile(ts.MkAbs("signing_config.json"), s.SigningConfig(2), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs("trusted_root.json"), root, 0o600))
	ts.Setenv("SIGSTORE_ID_TOKEN", evidencetest.Token("release@example.org"))
}

// failing is "failing PATH N": the next N requests below a path of the instance fail.
func (w *attestWorld) failing(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: failing path number")
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.services[ts.Name()].Fail(args[0], n)
}

// startRegistry is "registry referrers|tags": starts a registry and puts its host into $registry.
func startRegistry(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: registry referrers|tags")
	}
	s := httptest.NewServer(gcrregistry.New(gcrregistry.WithReferrersSupport(args[0] == "referrers"), gcrregistry.Logger(log.New(io.Discard, "", 0))))
	ts.Defer(s.Close)
	ts.Setenv("registry", strings.TrimPrefix(s.URL, "http://"))
}

// pushImage is "pushimage REF FILE [ENTRYPOINT|-]": pushes an image whose one layer is the file, as oras does; with an entry point, or -
// for none, the file is a tar archive and the image one that runs.
func pushImage(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 && len(args) != 3 {
		ts.Fatalf("usage: pushimage ref file [entrypoint|-]")
	}
	kind := types.MediaType("application/octet-stream")
	if len(args) == 3 {
		kind = types.OCIUncompressedLayer
	}
	img, err := mutate.Append(empty.Image, mutate.Addendum{Layer: static.NewLayer([]byte(ts.ReadFile(args[1])), kind)})
	ts.Check(err)
	if len(args) == 3 && args[2] != "-" {
		img, err = mutate.Config(img, v1.Config{Entrypoint: []string{args[2]}})
		ts.Check(err)
	}
	tag, err := name.NewTag(args[0])
	ts.Check(err)
	ts.Check(gcr.Write(tag, img))
}

// makeKey is "newkey NAME [PASSWORD]": writes NAME.key and NAME.pub, encrypted as cosign does where there is a password.
func makeKey(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 && len(args) != 2 {
		ts.Fatalf("usage: newkey name [password]")
	}
	pass := cryptoutils.SkipPassword
	if len(args) == 2 {
		pass = cryptoutils.StaticPasswordFunc([]byte(args[1]))
	}
	private, public, err := cryptoutils.GeneratePEMEncodedECDSAKeyPair(elliptic.P256(), pass)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".key"), private, 0o600))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".pub"), public, 0o600))
}

// signed is "signed BUNDLE SUBJECT PUBLICKEY|keyless SCHEMA|-": the bundle verifies, is about that file, and its statement
// is valid by the schema in docs.
func (w *attestWorld) signed(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 4 {
		ts.Fatalf("usage: signed bundle file key|keyless schema|-")
	}
	opt := evidence.Options{Now: time.Now(), Expect: evidence.Expect{Predicates: written}}
	p := trust.Principal{Name: "release"}
	if args[2] == "keyless" {
		w.mu.Lock()
		roots, err := evidence.ParseTrustedRoots("", w.roots[ts.Name()])
		w.mu.Unlock()
		ts.Check(err)
		opt.Roots, p.Identity, p.Issuer = roots, "release@example.org", evidencetest.Issuer
	} else {
		opt.Require = evidence.Require{NoLog: true}
		p.PublicKeys = [][]byte{[]byte(ts.ReadFile(args[2]))}
	}
	who, err := trust.New([]trust.Principal{p}, nil)
	ts.Check(err)
	opt.Trust = who
	opt.Subject = &evidence.Subject{Names: []string{filepath.Base(args[1])}, Digests: map[string]string{"sha256": evidencetest.SHA256([]byte(ts.ReadFile(args[1])))}}
	bundle := []byte(ts.ReadFile(args[0]))
	b, err := evidence.Parse(args[0], bundle)
	ts.Check(err)
	v, err := evidence.Verify(b, opt)
	if neg {
		if err == nil {
			ts.Fatalf("%s verifies", args[0])
		}
		return
	}
	ts.Check(err)
	if args[3] == "-" {
		return
	}
	payload := payloadOf(ts, args[0])
	schema, err := jsonschema.NewCompiler().Compile(filepath.Join("..", "..", "docs", args[3]))
	ts.Check(err)
	var value any
	ts.Check(json.Unmarshal(payload, &value))
	if err := schema.Validate(value); err != nil {
		ts.Fatalf("%s (%s): %v\n%s", args[0], v.Statement().PredicateType, err, payload)
	}
}

// payloadOf is the statement in a bundle.
func payloadOf(ts *testscript.TestScript, name string) []byte {
	var doc struct {
		Envelope struct{ Payload string } `json:"dsseEnvelope"`
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(name)), &doc))
	payload, err := base64.StdEncoding.DecodeString(doc.Envelope.Payload)
	ts.Check(err)
	return payload
}

// says is "says BUNDLE REGEXP": the statement in it fits.
func says(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: says bundle regexp")
	}
	payload := payloadOf(ts, args[0])
	if regexp.MustCompile(args[1]).Match(payload) == neg {
		ts.Fatalf("%s", payload)
	}
}

var written = []string{evidence.PredicateProvenanceV1, evidence.PredicateSummary, evidence.PredicateTestResult, evidence.PredicateSPDX, evidence.PredicateCycloneDX, evidence.PredicateWithdrawal}

// rewrite is "rewrite FILE OLD NEW": replaces text in a file.
func rewrite(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: rewrite file old new")
	}
	text := ts.ReadFile(args[0])
	if !strings.Contains(text, args[1]) {
		ts.Fatalf("%s holds no %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.ReplaceAll(text, args[1], args[2])), 0o644))
}
