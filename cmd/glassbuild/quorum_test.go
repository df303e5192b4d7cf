package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/glassbuild/glassbuild/internal/evidence"
	"github.com/glassbuild/glassbuild/internal/evidence/evidencetest"
	"github.com/glassbuild/glassbuild/internal/policy"
)

// assembly is a check with votes under way.
type assembly struct {
	t   *testing.T
	i   *evidencetest.Instance
	dir string
}

var digit = func(c string) string { return strings.Repeat(c, 64) }

// ballot is a vote as its principal writes it.
func ballot() *evidence.Summary {
	return &evidence.Summary{Verifier: evidence.Verifier{ID: evidence.VerifierID}, Time: time.Now().Add(-time.Hour), Resource: "tool", Result: evidence.SummaryPassed,
		Policy: evidence.PolicyReference{Digest: map[string]string{"sha256": digit("d")}}, Levels: []string{evidence.LevelUnevaluated, evidence.LevelReproduced},
		Rebuild: &evidence.Rebuild{Match: "identical", Commit: strings.Repeat("1", 40), Tree: digit("2"), Recipe: digit("3"), Builder: digit("4"), Runs: 2}}
}

// found is a vote that says otherwise.
func otherwise(s *evidence.Summary) { s.Result, s.Rebuild.Match = evidence.SummaryFailed, "different" }

func toolResource() evidence.Resource {
	return evidence.Resource{Name: "tool", Digest: map[string]string{"sha256": evidencetest.SHA256([]byte(toolContent))}}
}

func (a *assembly) statement(subject evidence.Resource, changes ...func(*evidence.Summary)) []byte {
	a.t.Helper()
	s := ballot()
	for _, c := range changes {
		c(s)
	}
	payload, err := s.Marshal(subject)
	if err != nil {
		a.t.Fatal(err)
	}
	return payload
}

// sign signs a payload with the key that follows from seed, now.
func (a *assembly) sign(seed string, payload []byte) []byte {
	b := a.i.AttestKey(payload, evidencetest.Key(seed))
	for _, e := range b.Entries {
		e.Integrated = time.Now().Unix()
		e.Promise = a.i.Promise(e)
	}
	return b.JSON()
}

// vote leaves a vote beside the tool.
func (a *assembly) vote(file, seed string, changes ...func(*evidence.Summary)) []byte {
	a.t.Helper()
	payload := a.statement(toolResource(), changes...)
	a.put(file+".sigstore.json", a.sign(seed, payload))
	return payload
}

func (a *assembly) put(file string, data []byte) {
	a.t.Helper()
	put(a.t, filepath.Join(a.dir, file), data)
}

const auditors = `format = 1
[[principal]]
name = "lab-a"
key = ["lab-a.pub", "lab-a2.pub"]
organisation = "A"
attributes = { kernel = "linux" }
[[principal]]
name = "lab-b"
key = "lab-b.pub"
organisation = "B"
attributes = { kernel = "linux" }
[[principal]]
name = "lab-c"
key = "lab-c.pub"
organisation = "C"
attributes = { kernel = "freebsd" }
[[principal]]
name = "vendor"
key = "vendor.pub"
organisation = "Acme"
[[group]]
name = "auditors"
members = ["lab-a", "lab-b", "lab-c"]
threshold = 2
`

func quorumPolicy(more string) string {
	return auditors + "[quorum]\nof = \"auditors\"\nmax-age = \"90d\"\npolicies = [\"" + digit("d") + "\"]\n" + more
}

func (a *assembly) check(policy string) (int, string) {
	a.t.Helper()
	for _, seed := range []string{"lab-a", "lab-a2", "lab-b", "lab-c", "vendor"} {
		a.put(seed+".pub", evidencetest.PublicPEM(a.t, evidencetest.Key(seed).Public()))
	}
	a.put("tool", []byte(toolContent))
	a.put("policy.toml", []byte(policy))
	a.put("root.json", a.i.TrustedRoot(evidencetest.Spans{}))
	var out, errs bytes.Buffer
	code := run([]string{"check", filepath.Join(a.dir, "tool"), "--policy", filepath.Join(a.dir, "policy.toml"), "--trusted-root", filepath.Join(a.dir, "root.json")}, &out, &errs)
	return code, out.String() + errs.String()
}

func assemble(t *testing.T) *assembly {
	return &assembly{t, evidencetest.New(t, "quorum"), t.TempDir()}
}

// TestQuorum is what votes come to, the hostile ones among them (F8, row 58).
func TestQuorum(t *testing.T) {
	t.Parallel()
	two := func(a *assembly) { a.vote("a", "lab-a"); a.vote("b", "lab-b") }
	for name, tc := range map[string]struct {
		votes  func(a *assembly)
		policy string
		code   int
		text   string
	}{
		"two of three":                          {two, "", 0, "quorum 2 of 2: lab-a, lab-b"},
		"one of three":                          {func(a *assembly) { a.vote("a", "lab-a") }, "", 1, "quorum 1 of 2: lab-a; not lab-b, lab-c"},
		"nobody":                                {func(*assembly) {}, "", 1, "there is none"},
		"the dissent of nobody is searched for": {two, "", 0, "dissent not searched"},
		"one vote under two names of files":     {func(a *assembly) { a.vote("lab-a", "lab-a"); a.vote("lab-b", "lab-a") }, "", 1, "quorum 1 of 2"},
		"one auditor with two keys":             {func(a *assembly) { a.vote("1", "lab-a"); a.vote("2", "lab-a2") }, "", 1, "quorum 1 of 2"},
		"a stranger":                            {func(a *assembly) { a.vote("1", "lab-a"); a.vote("2", "stranger") }, "", 1, "quorum 1 of 2"},
		"the vendor":                            {func(a *assembly) { a.vote("1", "lab-a"); a.vote("2", "vendor") }, "", 1, "quorum 1 of 2"},
		"replayed for another artefact": {func(a *assembly) {
			a.vote("a", "lab-a")
			a.put("b.sigstore.json", a.sign("lab-b", a.statement(evidence.Resource{Name: "tool", Digest: map[string]string{"sha256": digit("9")}})))
		}, "", 1, "quorum 1 of 2"},
		"about another recipe": {func(a *assembly) {
			a.vote("a", "lab-a")
			a.vote("b", "lab-b", func(s *evidence.Summary) { s.Rebuild.Recipe = digit("8") })
		}, "recipe = \"" + digit("3") + "\"\n", 1, "lab-b not counted: about another recipe"},
		"about another builder": {func(a *assembly) {
			a.vote("a", "lab-a")
			a.vote("b", "lab-b", func(s *evidence.Summary) { s.Rebuild.Builder = digit("8") })
		}, "", 1, "quorum 1 of 2"},
		"about another tree of the same commit (F18)": {func(a *assembly) {
			a.vote("a", "lab-a")
			a.vote("b", "lab-b", func(s *evidence.Summary) { s.Rebuild.Tree = digit("8") })
		}, "", 1, "about another tree"},
		"about another commit": {two, "commit = \"" + strings.Repeat("7", 40) + "\"\n", 1, "lab-a not counted: about another commit"},
		"two sources": {func(a *assembly) {
			two(a)
			other := func(s *evidence.Summary) { s.Rebuild.Commit = strings.Repeat("5", 40) }
			a.vote("a5", "lab-a", other)
			a.vote("b5", "lab-b", other)
		}, "", 1, "agree on several sources"},
		"two sources, one pinned": {func(a *assembly) {
			two(a)
			other := func(s *evidence.Summary) { s.Rebuild.Commit = strings.Repeat("5", 40) }
			a.vote("a5", "lab-a", other)
			a.vote("b5", "lab-b", other)
		}, "commit = \"" + strings.Repeat("5", 40) + "\"\n", 0, "commit 555555555555"},
		"under a policy that is not listed": {func(a *assembly) {
			a.vote("a", "lab-a")
			a.vote("b", "lab-b", func(s *evidence.Summary) { s.Policy.Digest["sha256"] = digit("e") })
		}, "", 1, "lab-b not counted: under a policy that is not listed"},
		"without a rebuild": {func(a *assembly) {
			a.vote("a", "lab-a")
			a.vote("b", "lab-b", func(s *evidence.Summary) { s.Rebuild = nil })
		}, "", 1, "lab-b not counted: a verdict without a rebuild of its own"},
		"resting on another verdict": {func(a *assembly) {
			other := a.vote("a", "lab-a")
			a.vote("b", "lab-b", func(s *evidence.Summary) {
				s.Inputs = []evidence.InputStatement{{Digest: map[string]string{"sha256": evidencetest.SHA256(other)}}}
			})
		}, "", 1, "lab-b not counted: it rests on another verdict"},
		"resting on what is held back": {func(a *assembly) {
			a.vote("a", "lab-a")
			a.vote("b", "lab-b", func(s *evidence.Summary) {
				s.Inputs = []evidence.InputStatement{{Digest: map[string]string{"sha256": digit("6")}}}
			})
		}, "", 1, "lab-b not counted: it rests on evidence that is not at hand"},
		"resting on provenance that is at hand": {func(a *assembly) {
			p := a.sign("vendor", provenanceOf("tool"))
			a.put("tool.sigstore.json", p)
			a.vote("a", "lab-a")
			a.vote("b", "lab-b", func(s *evidence.Summary) {
				s.Inputs = []evidence.InputStatement{{Digest: map[string]string{"sha256": evidencetest.SHA256(p)}}}
			})
		}, "", 0, "quorum 2 of 2"},
		"too old": {func(a *assembly) {
			a.vote("a", "lab-a")
			a.vote("b", "lab-b", func(s *evidence.Summary) { s.Time = time.Now().AddDate(0, 0, -91) })
		}, "", 1, "lab-b not counted: older than max-age"},
		"dated in the future": {func(a *assembly) {
			a.vote("a", "lab-a")
			a.vote("b", "lab-b", func(s *evidence.Summary) { s.Time = time.Now().Add(time.Hour) })
		}, "", 1, "lab-b not counted: dated in the future"},
		"expired": {func(a *assembly) {
			a.vote("a", "lab-a")
			a.vote("b", "lab-b", func(s *evidence.Summary) { s.Rebuild.Expires = time.Now().Add(-time.Minute) })
		}, "", 1, "lab-b not counted: expired on"},
		"not yet expired": {func(a *assembly) {
			a.vote("a", "lab-a")
			a.vote("b", "lab-b", func(s *evidence.Summary) { s.Rebuild.Expires = time.Now().Add(time.Hour) })
		}, "", 0, "quorum 2 of 2"},
		"withdrawn":                  {func(a *assembly) { a.vote("a", "lab-a"); a.withdraw("lab-b", a.vote("b", "lab-b"), "") }, "", 1, "lab-b not counted: withdrawn: the builder was compromised"},
		"superseded":                 {func(a *assembly) { a.vote("a", "lab-a"); a.withdraw("lab-b", a.vote("b", "lab-b"), digit("f")) }, "", 1, "superseded by sha256:ffff"},
		"withdrawn by somebody else": {func(a *assembly) { a.vote("a", "lab-a"); a.withdraw("vendor", a.vote("b", "lab-b"), "") }, "", 0, "quorum 2 of 2"},
		"partial, where the policy accepts no such": {func(a *assembly) {
			a.vote("a", "lab-a")
			a.vote("b", "lab-b", func(s *evidence.Summary) { s.Rebuild.Match = "partial" })
		}, "", 1, "its match is partial"},
		"dissent": {func(a *assembly) { two(a); a.vote("c", "lab-c", otherwise) }, "", 1, "dissent: lab-c found otherwise"},
		"dissent without a rebuild": {func(a *assembly) {
			two(a)
			a.vote("c", "lab-c", otherwise, func(s *evidence.Summary) { s.Rebuild = nil })
		}, "", 1, "dissent: lab-c found otherwise"},
		"dissent, reported": {func(a *assembly) { two(a); a.vote("c", "lab-c", otherwise) }, "dissent = \"report\"\n", 0, "dissent: lab-c found otherwise"},
		"dissent under any policy": {func(a *assembly) {
			two(a)
			a.vote("c", "lab-c", otherwise, func(s *evidence.Summary) { s.Policy.Digest["sha256"] = digit("e") })
		}, "", 1, "dissent: lab-c"},
		"dissent about another one": {func(a *assembly) {
			two(a)
			a.vote("c", "lab-c", otherwise, func(s *evidence.Summary) { s.Rebuild.Commit = strings.Repeat("5", 40) })
		}, "", 0, "quorum 2 of 2"},
		"dissent, taken back since": {func(a *assembly) { two(a); a.vote("c1", "lab-c", otherwise, at(-3*time.Hour)); a.vote("c2", "lab-c") }, "", 0, "quorum 2 of 2"},
		"a vote, taken back since": {func(a *assembly) {
			a.vote("a", "lab-a")
			a.vote("b1", "lab-b", at(-3*time.Hour))
			a.vote("b2", "lab-b", otherwise)
		}, "", 1, "dissent: lab-b found otherwise"},
		"both in one second":   {func(a *assembly) { a.vote("a", "lab-a"); a.vote("b1", "lab-b"); a.vote("b2", "lab-b", otherwise) }, "", 1, "dissent: lab-b found otherwise"},
		"a stranger's dissent": {func(a *assembly) { two(a); a.vote("x", "stranger", otherwise) }, "", 0, "quorum 2 of 2"},
		"not different enough": {two, "differ-in = [\"organisation\", \"kernel\"]\n", 1, "do not differ enough in"},
		"different enough":     {func(a *assembly) { a.vote("b", "lab-b"); a.vote("c", "lab-c") }, "differ-in = [\"organisation\", \"kernel\"]\n", 0, "quorum 2 of 2"},
		"the same one, thrice": {func(a *assembly) { two(a); a.vote("c", "lab-c") }, "differ-in = [\"kernel\"]\n", 0, "quorum 2 of 2"},
		"another type, not named": {func(a *assembly) {
			a.vote("a", "lab-a")
			a.put("b.sigstore.json", a.sign("lab-b", provenanceOf("tool")))
		}, "", 1, "quorum 1 of 2"},
		"provenance, named": {func(a *assembly) {
			a.vote("a", "lab-a")
			a.put("b.sigstore.json", a.sign("lab-b", provenanceOf("tool")))
		}, rebuilder("https://example.org/build/v1"), 0, "counts as its vote"},
		"provenance of another type": {func(a *assembly) {
			a.vote("a", "lab-a")
			a.put("b.sigstore.json", a.sign("lab-b", provenanceOf("tool")))
		}, rebuilder("https://example.org/other/v1"), 1, "quorum 1 of 2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := assemble(t)
			tc.votes(a)
			code, out := a.check(quorumPolicy(tc.policy))
			if code != tc.code || !strings.Contains(out, tc.text) {
				t.Errorf("exit %d, want %d with %q:\n%s", code, tc.code, tc.text, out)
			}
		})
	}
}

func at(d time.Duration) func(*evidence.Summary) {
	return func(s *evidence.Summary) { s.Time = time.Now().Add(d) }
}

func rebuilder(buildType string) string {
	return fmt.Sprintf("[[quorum.rebuilder]]\nprincipal = \"lab-b\"\nbuild-type = %q\nreason = \"they publish what they ran\"\n", buildType)
}

func (a *assembly) withdraw(seed string, payload []byte, by string) {
	a.t.Helper()
	w := evidence.Withdrawal{Statement: evidencetest.SHA256(payload), Superseded: by, Reason: "the builder was compromised", Time: time.Now()}
	statement, err := w.Marshal(toolResource())
	if err != nil {
		a.t.Fatal(err)
	}
	a.put("withdrawal.sigstore.json", a.sign(seed, statement))
}

// TestDissentIsSearched: a dissenter whose file is taken away is not seen, and the verdict says where it looked.
func TestDissentIsSearched(t *testing.T) {
	t.Parallel()
	a := assemble(t)
	a.vote("a", "lab-a")
	a.vote("b", "lab-b")
	votes := filepath.Join(a.dir, "votes")
	if err := os.Mkdir(votes, 0o700); err != nil {
		t.Fatal(err)
	}
	p := quorumPolicy("votes = [\"votes\"]\n")
	if code, out := a.check(p); code != 0 || !strings.Contains(out, "none in votes") {
		t.Fatalf("exit %d:\n%s", code, out)
	}
	a.vote("votes/c", "lab-c", otherwise)
	if code, out := a.check(p); code != 1 || !strings.Contains(out, "dissent: lab-c") {
		t.Fatalf("exit %d:\n%s", code, out)
	}
	if code, out := a.check(quorumPolicy("")); code != 0 || !strings.Contains(out, "dissent not searched") {
		t.Fatalf("exit %d:\n%s", code, out)
	}
	if err := os.RemoveAll(votes); err != nil {
		t.Fatal(err)
	}
	if code, out := a.check(p); code != 3 || !strings.Contains(out, "dissent not searched") {
		t.Fatalf("a place that is gone: exit %d:\n%s", code, out)
	}
}

// TestQuorumPolicies are quorums that could never hold, or would let the audited party audit itself.
func TestQuorumPolicies(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ policy, text string }{
		"vendor as auditor":         {quorumPolicy("") + "[provenance]\nsigned-by = \"lab-a\"\n", "lab-a is the vendor"},
		"vendor in the group":       {strings.Replace(quorumPolicy(""), `"lab-c"]`, `"lab-c", "vendor"]`, 1) + "[source]\nsigned-by = \"vendor\"\n", "vendor is the vendor"},
		"of the vendor's house":     {strings.Replace(quorumPolicy(""), `organisation = "C"`, `organisation = "ACME"`, 1) + "[source]\nsigned-by = \"vendor\"\n", "vendor's organisation"},
		"an attribute nobody has":   {quorumPolicy("differ-in = [\"cpu\"]\n"), "has no attribute cpu"},
		"never different enough":    {strings.Replace(quorumPolicy("differ-in = [\"kernel\"]\n"), "freebsd", "linux", 1), "could never hold"},
		"no listed policy":          {strings.Replace(quorumPolicy(""), digit("d"), "", 1), "malformed digest"},
		"an age without end":        {strings.Replace(quorumPolicy(""), "90d", "forever", 1), "is no age"},
		"a group that is not there": {strings.Replace(quorumPolicy(""), `of = "auditors"`, `of = "everyone"`, 1), "neither a group nor a principal"},
		"a rebuilder from outside":  {strings.Replace(quorumPolicy(rebuilder("https://x.example")), `principal = "lab-b"`, `principal = "vendor"`, 1), "is not among"},
		"one key under two names":   {strings.Replace(quorumPolicy(""), `key = "lab-b.pub"`, `key = "lab-a.pub"`, 1), "policy.toml:7:1: principal lab-b"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := assemble(t)
			if code, out := a.check(tc.policy); code != 4 || !strings.Contains(out, tc.text) {
				t.Errorf("exit %d, want 4 with %q:\n%s", code, tc.text, out)
			}
		})
	}
	if policy.Default().SHA256 == "" {
		t.Error("the built-in policy has no digest")
	}
}
