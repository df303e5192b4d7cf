package evidence_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/glassbuild/glassbuild/internal/evidence"
	"github.com/glassbuild/glassbuild/internal/evidence/evidencetest"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/trust"
)

// examples returns the folder of sigstore-go's sources, which come with bundles that the public instance signed.
func examples(t testing.TB) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/sigstore/sigstore-go").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func load(t testing.TB, path ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// npm is the package that the examples are about; its digest is known by sha512 alone.
func npm(sha512 string) *evidence.Subject {
	return &evidence.Subject{Names: []string{"pkg:npm/sigstore@1.3.0"}, Digests: map[string]string{"sha256": strings.Repeat("0", 64), "sha512": sha512}}
}

const npmSum = "76176ffa33808b54602c7c35de5c6e9a4deb96066dba6533f50ac234f4f1f4c6b3527515dc17c06fbe2860030f410eee69ea20079bd3a2c6f3dcf3b329b10751"

func TestRegistryAttestations(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(examples(t), "examples")
	roots, err := evidence.ParseTrustedRoots("", load(t, dir, "trusted-root-public-good.json"))
	if err != nil {
		t.Fatal(err)
	}
	who, err := trust.New([]trust.Principal{
		{Name: "release", Identity: "https://github.com/sigstore/sigstore-js/.github/workflows/release.yml@refs/heads/main", Issuer: "https://token.actions.githubusercontent.com"},
		{Name: "registry", PublicKeys: [][]byte{load(t, dir, "publish_key.pub")}},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	// as a registry answers: both attestations in one list
	list, err := json.Marshal(object{"attestations": []any{
		object{"predicateType": "x", "bundle": json.RawMessage(load(t, dir, "bundle-provenance.json"))},
		object{"predicateType": "y", "bundle": json.RawMessage(load(t, dir, "bundle-publish.json"))},
	}})
	if err != nil {
		t.Fatal(err)
	}
	bundles, err := evidence.ParseAll("attestations.json", list)
	if err != nil {
		t.Fatal(err)
	}
	opt := evidence.Options{Trust: who, Roots: roots, Subject: npm(npmSum), Now: time.Now(),
		Expect: evidence.Expect{Predicates: []string{evidence.PredicateProvenanceV02, evidence.PredicateNPMPublish}}}
	held, refused := verifyAll(bundles, opt)
	if len(held) != 2 || len(refused) != 0 {
		t.Fatalf("%d verified, refused %v", len(held), refused)
	}
	p, err := held[0].Statement().Provenance()
	if err != nil {
		t.Fatal(err)
	}
	const commit = "dae8bd8eb433a4147b4655c00fe73e0f22bc0fb1"
	if p.Repository != "https://github.com/sigstore/sigstore-js" || p.Commit != commit || p.Ref != "refs/heads/main" || p.Workflow != ".github/workflows/release.yml" || p.Trigger != "push" || p.BuilderID != "https://github.com/actions/runner" {
		t.Errorf("provenance %+v", p)
	}
	if err := (demand{Commit: commit, Repository: "https://github.com/sigstore/sigstore-js", Workflow: ".github/workflows/release.yml", Ref: "refs/heads/main",
		Fields: map[string]string{"predicate.invocation.environment.GITHUB_RUN_ID": "4735384265", "predicate.materials.0.digest.sha1": commit, "predicate.metadata.reproducible": "false", "certificate.runner-environment": "github-hosted"}}).met(held[0]); err != nil {
		t.Error(err)
	}
	if err := (demand{Commit: strings.Repeat("0", 40)}).met(held[0]); err == nil || !strings.Contains(err.Error(), "bound to other commit") {
		t.Errorf("another commit: %v", err)
	}
	publish, err := held[1].Statement().NPMPublish()
	if err != nil || publish.Name != "sigstore" || publish.Version != "1.3.0" || held[1].Principals()[0] != "registry" {
		t.Errorf("publish %+v, %v", publish, err)
	}
	opt.Subject = npm(strings.Repeat("1", 128))
	if held, refused = verifyAll(bundles, opt); len(held) != 0 || len(refused) != 2 {
		t.Fatalf("evidence of another package holds: %v", held)
	}
}

func TestNothingIsNoPass(t *testing.T) {
	t.Parallel()
	i := evidencetest.New(t, "nothing")
	roots, err := evidence.ParseTrustedRoots("", i.TrustedRoot(evidencetest.Spans{}))
	if err != nil {
		t.Fatal(err)
	}
	opt := evidence.Options{Roots: roots, Now: evidencetest.At, Subject: &evidence.Subject{Digests: map[string]string{"sha256": evidencetest.SHA256(tool)}},
		Expect: evidence.Expect{Predicates: []string{evidence.PredicateProvenanceV1}}}
	if _, err := evidence.Verify(&evidence.Bundle{}, opt); err == nil {
		t.Error("the zero bundle verifies")
	}
	if _, err := evidence.Verify(nil, opt); err == nil {
		t.Error("no bundle verifies")
	}
	b, err := evidence.Parse("", i.Attest(honest(), evidencetest.Leaf{}).JSON())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := evidence.Verify(b, opt); err == nil { // a policy that knows nobody
		t.Error("verifies by nobody's policy")
	}
	for name, change := range map[string]func(*evidence.Options){
		"no time": func(o *evidence.Options) { o.Now = time.Time{} }, "no artefact": func(o *evidence.Options) { o.Subject = nil },
		"no digest": func(o *evidence.Options) { o.Subject = &evidence.Subject{} }, "nothing expected": func(o *evidence.Options) { o.Expect = evidence.Expect{} },
		"contradictory logs": func(o *evidence.Options) { o.Require = evidence.Require{Logs: 1, NoLog: true} },
		"upper-case digest": func(o *evidence.Options) {
			o.Subject = &evidence.Subject{Digests: map[string]string{"sha256": strings.Repeat("A", 64)}}
		},
	} {
		o := opt
		change(&o)
		if _, err := evidence.Verify(b, o); fault.ClassOf(err) != fault.Usage || err == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if said, err := (*evidence.Verified)(nil).Said(); err == nil || len(said.Values) > 0 {
		t.Error("nothing says something")
	}
	if said, err := (&evidence.Verified{}).Said(); err == nil || len(said.Values) > 0 {
		t.Error("the zero value says something")
	}
}

// TestHuge holds that size alone decides before anything is built: memory stays flat.
func TestHuge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "huge.sigstore.json")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate(1<<30), f.Close()); err != nil {
		t.Fatal(err)
	}
	before := allocated()
	if _, err := evidence.ReadFile(path); err == nil || !strings.Contains(err.Error(), "exceeds") {
		t.Errorf("1 GB: %v", err)
	}
	million := bytes.Repeat([]byte(`{},`), 1_000_000)
	payload := append(append([]byte(`{"_type":"https://in-toto.io/Statement/v1","predicateType":"x","predicate":{},"subject":[`), million[:len(million)-1]...), ']', '}')
	i := evidencetest.New(t, "huge")
	key := evidencetest.Key("signer")
	envelope, err := json.Marshal(i.AttestKey(payload, key).EnvelopeObject())
	if err != nil {
		t.Fatal(err)
	}
	o := ask()
	o.Require.NoLog = true
	o.Principals = []principal{{Name: "signer", Key: string(evidencetest.PublicPEM(t, key.Public()))}}
	if _, err := o.judge(i.TrustedRoot(evidencetest.Spans{}), envelope); err == nil || !strings.Contains(err.Error(), "exceeds limit") {
		t.Errorf("a million subjects: %v", err)
	}
	if grown := allocated() - before; grown > 256<<20 {
		t.Errorf("%d MiB were allocated", grown>>20)
	}
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

func TestContentBindsOtherDigests(t *testing.T) {
	t.Parallel()
	i := evidencetest.New(t, "content")
	roots, err := evidence.ParseTrustedRoots("", i.TrustedRoot(evidencetest.Spans{}))
	if err != nil {
		t.Fatal(err)
	}
	o := ask()
	who, err := o.trust()
	if err != nil {
		t.Fatal(err)
	}
	b, err := evidence.Parse("", i.Attest(statement(func(s object) { subject(s)["digest"].(object)["sha512"] = strings.Repeat("5", 128) }), evidencetest.Leaf{}).JSON())
	if err != nil {
		t.Fatal(err)
	}
	verify := func(content func() (io.ReadCloser, error)) error {
		_, err := evidence.Verify(b, evidence.Options{Trust: who, Roots: roots, Now: o.Now, Expect: evidence.Expect{Predicates: o.Predicates},
			Subject: &evidence.Subject{Digests: map[string]string{"sha256": evidencetest.SHA256(tool)}, Content: content}})
		return err
	}
	if err := verify(nil); err != nil {
		t.Errorf("by digest alone sha512 cannot be held against anything: %v", err)
	}
	if err := verify(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(tool)), nil }); err == nil || !strings.Contains(err.Error(), "digest algorithms disagree") {
		t.Errorf("a wrong sha512 beside the file: %v", err)
	}
	if err := verify(func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("other")), nil }); err == nil || !strings.Contains(err.Error(), "changed while it was read") {
		t.Errorf("another file: %v", err)
	}
	if err := verify(func() (io.ReadCloser, error) { return nil, io.ErrUnexpectedEOF }); fault.ClassOf(err) != fault.Inconclusive {
		t.Errorf("an unreadable file: %v", err)
	}
}

func TestStatementsThatDisagree(t *testing.T) {
	t.Parallel()
	i := evidencetest.New(t, "disagree")
	o := ask()
	one := i.Attest(honest(), evidencetest.Leaf{}).JSON()
	two := i.Attest(statement(func(s object) { s["predicate"] = provenance(otherCommit) }), evidencetest.Leaf{}).JSON()
	lines := []byte(strings.ReplaceAll(string(one), "\n", "") + "\n" + strings.ReplaceAll(string(two), "\n", ""))
	verified, err := o.judge(i.TrustedRoot(evidencetest.Spans{}), lines)
	if err != nil || len(verified) != 2 {
		t.Fatalf("%d verified: %v", len(verified), err)
	}
	if got := evidence.Contradictions(verified); len(got) != 1 || !strings.Contains(got[0], otherCommit) || !strings.Contains(got[0], toolCommit) {
		t.Errorf("contradictions %q", got)
	}
	if got := evidence.Contradictions(verified[:1]); len(got) != 0 {
		t.Errorf("contradictions %q of one statement", got)
	}
}

func TestClaimsAreOnlyForPrinting(t *testing.T) {
	t.Parallel()
	i := evidencetest.New(t, "claims")
	b, err := evidence.Parse("x.sigstore.json", i.Attest(honest(), evidencetest.Leaf{Extensions: map[int]string{13: toolCommit}}).JSON())
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"format": evidence.FormatBundle03, "predicateType": evidence.PredicateProvenanceV1, "certificate.identity": evidencetest.Identity,
		"certificate.source-repository-digest": toolCommit, "log-entry": "dsse 0.0.1", "subject": "tool sha256:" + evidencetest.SHA256(tool), "nothing": ""} {
		if got := b.Claim(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}
