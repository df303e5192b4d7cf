package verify_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/evidence/evidencetest"
	"github.com/glassbuild/glassbuild/verify"
)

const fuzzedTool = "the tool\n"

// bench is a check whose files a fuzz target replaces.
type bench struct{ dir string }

func (b *bench) put(tb testing.TB, name string, data []byte) {
	tb.Helper()
	if err := os.WriteFile(filepath.Join(b.dir, name), data, 0o600); err != nil {
		tb.Fatal(err)
	}
}

// passes runs a check; nil where it does not pass. A pass must be a whole verdict: by signed statements that it names.
func (b *bench) passes(t *testing.T) *verify.Verdict {
	t.Helper()
	in := func(name string) string { return filepath.Join(b.dir, name) }
	var got *verify.Verdict
	tally, err := verify.Check(t.Context(), verify.CheckRequest{Subjects: []string{in("tool")}, PolicyFile: in("policy.toml"), TrustedRoot: in("root.json"),
		Evidence: []string{in("evidence.json")}, DataDir: b.dir}, func(v verify.Verdict) error { got = &v; return nil })
	if err != nil || tally.ExitCode() != 0 {
		return nil
	}
	if got == nil || got.ExitCode() != 0 || got.Provenance == nil || len(got.Provenance.Statements) == 0 && got.Votes == nil || len(got.Checks) < 5 {
		t.Fatalf("passed by a verdict that is not one: %+v", got)
	}
	return got
}

func newBench(f *testing.F, i *evidencetest.Instance, policy string, bundle []byte) *bench {
	b := &bench{f.TempDir()}
	b.put(f, "tool", []byte(fuzzedTool))
	b.put(f, "policy.toml", []byte(policy))
	b.put(f, "root.json", i.TrustedRoot(evidencetest.Spans{}))
	b.put(f, "evidence.json", bundle)
	return b
}

func statementOf(content string) []byte {
	return evidencetest.Statement("tool", []byte(content), "https://example.org/any", map[string]any{"a": "b"})
}

// FuzzCheckBundle alters evidence: whatever passes says what the honest one said, signed by whom it was signed.
func FuzzCheckBundle(f *testing.F) {
	i := evidencetest.New(f, "fuzz")
	honest := i.Attest(statementOf(fuzzedTool), evidencetest.Leaf{})
	f.Add(honest.JSON())
	f.Add(i.AttestV2(statementOf(fuzzedTool), evidencetest.Leaf{}).JSON())
	f.Add(i.Attest(statementOf("another\n"), evidencetest.Leaf{}).JSON())
	f.Add([]byte(`{"attestations":[{"bundle":{}}]}`))
	b := newBench(f, i, benchPolicy, honest.JSON())
	want := evidencetest.SHA256(honest.Payload)
	f.Fuzz(func(t *testing.T, data []byte) {
		b.put(t, "evidence.json", data)
		if v := b.passes(t); v != nil {
			for _, s := range v.Provenance.Statements {
				if s.Payload != want || s.Signers[0].Principal != "release" || s.Signers[0].Identity != evidencetest.Identity {
					t.Fatalf("passed by %+v", s)
				}
			}
		}
	})
}

// FuzzCheckStatement signs whatever it is given, honestly: what passes is about the tool and of the demanded type.
func FuzzCheckStatement(f *testing.F) {
	i := evidencetest.New(f, "fuzz")
	f.Add(statementOf(fuzzedTool))
	f.Add(statementOf("another\n"))
	f.Add([]byte(strings.Replace(string(statementOf(fuzzedTool)), `"subject"`, `"subject":[],"subject"`, 1)))
	b := newBench(f, i, benchPolicy, nil)
	f.Fuzz(func(t *testing.T, payload []byte) {
		if len(payload) == 0 {
			return
		}
		b.put(t, "evidence.json", i.With(t).Attest(payload, evidencetest.Leaf{}).JSON())
		if b.passes(t) == nil {
			return
		}
		var s struct {
			Type          string `json:"_type"`
			PredicateType string
			Subject       []struct{ Digest map[string]string }
		}
		if err := json.Unmarshal(payload, &s); err != nil || s.PredicateType != "https://example.org/any" || !strings.HasPrefix(s.Type, "https://in-toto.io/Statement/") {
			t.Fatalf("passed, and is no such statement: %s", payload)
		}
		for _, r := range s.Subject {
			if r.Digest["sha256"] == evidencetest.SHA256([]byte(fuzzedTool)) {
				return
			}
		}
		t.Fatalf("passed, and is about something else: %s", payload)
	})
}

// FuzzCheckPolicy alters the policy: evidence that only a stranger signed never passes.
func FuzzCheckPolicy(f *testing.F) {
	i := evidencetest.New(f, "fuzz")
	f.Add([]byte(benchPolicy))
	f.Add([]byte(benchPolicy + "no-log = \"x\"\nrequire = []\n"))
	f.Add([]byte(strings.Replace(benchPolicy, "[provenance]", "[[group]]\nname = \"g\"\nmembers = [\"release\"]\nthreshold = \"any\"\n[provenance]", 1)))
	f.Add([]byte(benchPolicy + "[quorum]\nof = \"release\"\nmax-age = \"9d\"\npolicies = [\"built-in\"]\n"))
	stranger := i.Attest(statementOf(fuzzedTool), evidencetest.Leaf{Identity: "mallory@stranger.example", Issuer: "https://stranger.example"})
	b := newBench(f, i, benchPolicy, stranger.JSON())
	f.Fuzz(func(t *testing.T, data []byte) {
		if strings.Contains(string(data), "stranger") {
			return // a policy that names the stranger may believe it
		}
		b.put(t, "policy.toml", data)
		if v := b.passes(t); v != nil {
			t.Fatalf("a stranger passes: %+v", v.Provenance)
		}
	})
}

// FuzzCheckRoot alters the trusted root: evidence of another instance never passes.
func FuzzCheckRoot(f *testing.F) {
	i, other := evidencetest.New(f, "fuzz"), evidencetest.New(f, "other")
	root := i.TrustedRoot(evidencetest.Spans{})
	f.Add(root)
	f.Add(append(append([]byte{}, root...), root...))
	f.Add([]byte(`{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}`))
	b := newBench(f, i, benchPolicy, other.Attest(statementOf(fuzzedTool), evidencetest.Leaf{}).JSON())
	f.Fuzz(func(t *testing.T, data []byte) {
		b.put(t, "root.json", data)
		if v := b.passes(t); v != nil {
			t.Fatalf("another instance passes: %+v", v.Provenance)
		}
	})
}
