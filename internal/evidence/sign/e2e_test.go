package sign

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/glassbuild/glassbuild/internal/evidence"
	"github.com/glassbuild/glassbuild/internal/evidence/e2etest"
	"github.com/glassbuild/glassbuild/internal/evidence/evidencetest"
	"github.com/glassbuild/glassbuild/internal/trust"
)

const e2eCommit = "0123456789abcdef0123456789abcdef01234567"

// TestE2EKeyless signs with the real Fulcio, Rekor v2 and timestamp authority, and verifies what they gave.
func TestE2EKeyless(t *testing.T) {
	e2etest.Run(t, func(t *testing.T, i *e2etest.Instance) {
		w := &real{i}
		t.Run("workflow", w.workflow)
		t.Run("key", w.key)
		t.Run("cosign", w.cosign)
	})
}

type real struct{ *e2etest.Instance }

func (i *real) signer(t *testing.T, key *Key) *Signer {
	t.Helper()
	config, err := LoadConfig(i.Config, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	root, err := os.ReadFile(i.Root)
	if err != nil {
		t.Fatal(err)
	}
	opt := Options{Key: key, Config: config, Remote: client(t), TrustedRoot: root}
	if key == nil {
		opt.Token = func(context.Context) (string, error) { return i.Token(e2eCommit), nil }
	}
	s, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// judge verifies by the instance's trusted root, a demanded commit included.
func (i *real) judge(t *testing.T, data []byte, p trust.Principal, expect evidence.Expect) (*evidence.Verified, error) {
	t.Helper()
	root, err := os.ReadFile(i.Root)
	if err != nil {
		t.Fatal(err)
	}
	roots, err := evidence.ParseTrustedRoots(i.Root, root)
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

func (i *real) workflow(t *testing.T) {
	data, err := i.signer(t, nil).Statement(t.Context(), signed())
	if err != nil {
		t.Fatal(err)
	}
	v, err := i.judge(t, data, release(e2etest.IssuerURL), anyProvenance)
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
	if c := v.Signers()[0].Certificate; c.Identity != e2etest.Identity || c.Issuer != e2etest.IssuerURL || len(v.Logs()) != 1 || len(v.Times()) != 1 {
		t.Errorf("%+v, logs %v, times %v", c, v.Logs(), v.Times())
	}
	if _, err := i.judge(t, data, release("http://localhost:9999"), anyProvenance); err == nil || !strings.Contains(err.Error(), "issuer differs") {
		t.Errorf("another issuer: %v", err)
	}
	for n := 40; n < len(data); n += len(data) / 97 {
		altered := bytes.Clone(data)
		altered[n] ^= 1
		if got, err := i.judge(t, altered, release(e2etest.IssuerURL), anyProvenance); err == nil && got.Statement().PayloadSHA256() != v.Statement().PayloadSHA256() {
			t.Errorf("byte %d altered, and accepted", n)
		}
	}
}

func (i *real) key(t *testing.T) {
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
func (i *real) cosign(t *testing.T) {
	blob, token := i.File("tool", tool), i.File("token", []byte(i.Token(e2eCommit)))
	run := func(args ...string) {
		t.Helper()
		cmd := exec.Command(filepath.Join(i.Bin, "cosign"), args...)
		cmd.Env = append(os.Environ(), "HOME="+i.Dir())
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("cosign %s: %v\n%s", args[0], err, out)
		}
	}
	who := []string{"--trusted-root", i.Root, "--certificate-identity", e2etest.Identity, "--certificate-oidc-issuer", e2etest.IssuerURL}
	data, err := i.signer(t, nil).Statement(t.Context(), signed())
	if err != nil {
		t.Fatal(err)
	}
	ours := i.File("ours.sigstore.json", data)
	run(append([]string{"verify-blob-attestation", "--bundle", ours, "--type", "slsaprovenance1"}, append(who, blob)...)...)
	if data, err = i.signer(t, nil).Message(t.Context(), tool); err != nil {
		t.Fatal(err)
	}
	run(append([]string{"verify-blob", "--bundle", i.File("ours2.sigstore.json", data)}, append(who, blob)...)...)
	services := []string{"--yes", "--identity-token", token, "--signing-config", i.Config, "--trusted-root", i.Root, "--bundle"}
	theirs := filepath.Join(i.Dir(), "theirs.sigstore.json")
	run(append([]string{"sign-blob"}, append(services, theirs, blob)...)...)
	if data, err = os.ReadFile(theirs); err != nil {
		t.Fatal(err)
	}
	if _, err := i.judge(t, data, release(e2etest.IssuerURL), evidence.Expect{Message: true}); err != nil {
		t.Errorf("cosign's signature: %v", err)
	}
	predicate := i.File("predicate.json", []byte(`{"buildDefinition":{"buildType":"https://example.org/b","externalParameters":{}},"runDetails":{"builder":{"id":"https://example.org/builder"}}}`))
	run(append([]string{"attest-blob", "--predicate", predicate, "--type", "slsaprovenance1"}, append(services, theirs, blob)...)...)
	if data, err = os.ReadFile(theirs); err != nil {
		t.Fatal(err)
	}
	if _, err := i.judge(t, data, release(e2etest.IssuerURL), anyProvenance); err != nil {
		t.Errorf("cosign's attestation: %v", err)
	}
}
