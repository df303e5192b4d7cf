package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/glassbuild/glassbuild/internal/evidence/evidencetest"
)

// TestSignAndVerify goes once through both commands of the protocol, for an artefact and for a statement.
func TestSignAndVerify(t *testing.T) {
	t.Parallel()
	i := evidencetest.New(t, "conformance")
	services := i.Serve()
	dir := t.TempDir()
	file := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	tool := []byte("the tool\n")
	artefact, root, config := file("tool", tool), file("root.json", i.TrustedRoot(evidencetest.Spans{})), file("config.json", services.SigningConfig(2))
	statement := file("statement.json", evidencetest.Statement("tool", tool, "https://example.org/any", map[string]any{}))
	sign := func(bundle, content string, more ...string) error {
		args := append([]string{"sign-bundle", "--identity-token", evidencetest.Token("dev@example.org"), "--bundle", bundle, "--trusted-root", root, "--signing-config", config}, more...)
		return run(t.Context(), append(args, content))
	}
	verify := func(bundle, identity, subject string) error {
		return run(t.Context(), []string{"verify-bundle", "--bundle", bundle, "--certificate-identity", identity, "--certificate-oidc-issuer", evidencetest.Issuer, "--trusted-root", root, subject})
	}
	for name, more := range map[string][]string{"message": nil, "statement": {"--in-toto"}} {
		bundle, content := filepath.Join(dir, name+".sigstore.json"), artefact
		if more != nil {
			content = statement
		}
		if err := sign(bundle, content, more...); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, subject := range []string{artefact, "sha256:" + evidencetest.SHA256(tool)} {
			if err := verify(bundle, "dev@example.org", subject); err != nil {
				t.Errorf("%s, %s: %v", name, subject, err)
			}
			if err := verify(bundle, "mallory@example.org", subject); err == nil || !strings.Contains(err.Error(), "identity differs") {
				t.Errorf("%s: another identity: %v", name, err)
			}
		}
		if err := verify(bundle, "dev@example.org", "sha256:"+evidencetest.SHA256([]byte("other"))); err == nil {
			t.Errorf("%s: another artefact is accepted", name)
		}
	}
	if err := run(t.Context(), []string{"verify-bundle"}); err == nil {
		t.Error("no arguments are accepted")
	}
}

// TestSuite runs the cases of the conformance suite, by file and by digest. They are not kept here: GLASSBUILD_CONFORMANCE
// names the folder bundle-verify of a checkout of the suite, GLASSBUILD_TRUSTED_ROOT the root for cases without one.
func TestSuite(t *testing.T) {
	dir, root := os.Getenv("GLASSBUILD_CONFORMANCE"), os.Getenv("GLASSBUILD_TRUSTED_ROOT")
	if dir == "" || root == "" {
		t.Skip("GLASSBUILD_CONFORMANCE and GLASSBUILD_TRUSTED_ROOT name no suite")
	}
	cases, err := filepath.Glob(filepath.Join(dir, "*", "bundle.sigstore.json"))
	if err != nil || len(cases) < 70 {
		t.Fatalf("%d cases: %v", len(cases), err)
	}
	for _, bundle := range cases {
		c := filepath.Dir(bundle)
		t.Run(filepath.Base(c), func(t *testing.T) {
			t.Parallel()
			for _, args := range suiteCase(t, dir, c, root) {
				began := time.Now()
				err := run(t.Context(), args)
				if fails := strings.HasSuffix(c, "_fail"); (err != nil) != fails {
					t.Errorf("%s after %v: %v", args[len(args)-1], time.Since(began), err)
				}
			}
		})
	}
}

// suiteCase returns the two command lines of a case, see the suite's README.
func suiteCase(t *testing.T, dir, c, root string) [][]string {
	t.Helper()
	or := func(name, otherwise string) string {
		if _, err := os.Stat(filepath.Join(c, name)); err == nil {
			return filepath.Join(c, name)
		}
		return otherwise
	}
	text := func(name, otherwise string) string {
		data, err := os.ReadFile(filepath.Join(c, name))
		if err != nil {
			return otherwise
		}
		return strings.TrimSpace(string(data))
	}
	args := []string{"verify-bundle", "--bundle", filepath.Join(c, "bundle.sigstore.json"), "--trusted-root", or("trusted_root.json", root)}
	if key := or("key.pub", ""); key != "" {
		args = append(args, "--key", key)
	} else {
		args = append(args, "--certificate-oidc-issuer", text("issuer", "https://token.actions.githubusercontent.com"), "--certificate-identity",
			text("identity", "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main"))
	}
	artefact := or("artifact", filepath.Join(dir, "a.txt"))
	data, err := os.ReadFile(artefact)
	if err != nil {
		t.Fatal(err)
	}
	with := func(subject string) []string { return append(append([]string{}, args...), subject) }
	return [][]string{with(artefact), with("sha256:" + evidencetest.SHA256(data))}
}
