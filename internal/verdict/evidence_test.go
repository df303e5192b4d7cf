package verdict_test

import (
	"strings"
	"testing"
	"time"

	"github.com/glassbuild/glassbuild/internal/policy"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

const signedPolicy = `format = 1
[[principal]]
name = "release"
identity = "https://forge.example/acme/tool/ci.yml@v1"
issuer = "https://token.forge.example"
[[principal]]
name = "lab"
identity = "auditor@lab.example"
issuer = "https://accounts.lab.example"
[provenance]
signed-by = "release"
commit = "1111111111111111111111111111111111111111"
builder = "https://forge.example/runner"
[quorum]
of = "lab"
max-age = "9d"
policies = ["built-in"]
`

var clock = time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)

func readPolicy(t *testing.T, text string) *policy.Policy {
	t.Helper()
	p, err := policy.Parse("policy.toml", []byte(text), clock)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// rebuiltAndSigned are facts of a rebuild beside which the demanded statement and vote were verified.
func rebuiltAndSigned() verdict.Facts {
	f := good()
	f.Now = clock
	f.Provenance = &verdict.Evidence{Pieces: 1, Statements: []verdict.Statement{{Name: "p", SHA256: sumA, Type: policy.TypeProvenanceV1, Subject: "tool",
		Signers: []verdict.Signer{{Principal: "release", Key: "sha256:" + sumA}},
		Says:    map[string]string{"commit": f.Source.Commit, "builder": "https://forge.example/runner"}}}}
	f.Votes = &verdict.Evidence{Pieces: 1, Statements: []verdict.Statement{{Name: "v", SHA256: sumB, Type: policy.TypeSummary, Subject: "tool",
		Signers: []verdict.Signer{{Principal: "lab", Key: "sha256:" + sumB}},
		Vote: &verdict.Vote{Result: "PASSED", Match: "identical", Commit: f.Source.Commit, Tree: f.Source.TreeSHA256, Recipe: f.Recipe.SHA256, Builder: f.Builder.SHA256,
			Policy: policy.Default().SHA256, Time: clock.Add(-time.Hour).Unix()}}}}
	return f
}

// TestSignedBesideRebuild: every demand on what was signed holds on its own, and none is lent from one statement to another.
func TestSignedBesideRebuild(t *testing.T) {
	t.Parallel()
	p := readPolicy(t, signedPolicy)
	if v := verdict.Decide(rebuiltAndSigned(), p); v.ExitCode() != 0 {
		t.Fatalf("%s: %s", v.Result, v.Summary)
	}
	for name, tc := range map[string]struct {
		change func(f *verdict.Facts)
		check  string
		status verdict.Status
	}{
		"no statement":           {func(f *verdict.Facts) { f.Provenance.Statements = nil }, verdict.CheckSigned, verdict.StatusFailed},
		"nothing looked at":      {func(f *verdict.Facts) { f.Provenance = nil }, verdict.CheckSigned, verdict.StatusNotReached},
		"another signer":         {func(f *verdict.Facts) { f.Provenance.Statements[0].Signers[0].Principal = "lab" }, verdict.CheckSigned, verdict.StatusFailed},
		"another type":           {func(f *verdict.Facts) { f.Provenance.Statements[0].Type = policy.TypeSPDX }, verdict.CheckSigned, verdict.StatusFailed},
		"withdrawn":              {func(f *verdict.Facts) { f.Provenance.Statements[0].Withdrawn = "x" }, verdict.CheckSigned, verdict.StatusFailed},
		"it says that it failed": {func(f *verdict.Facts) { f.Provenance.Statements[0].Says["result"] = "FAILED" }, verdict.CheckSigned, verdict.StatusFailed},
		"another commit":         {func(f *verdict.Facts) { f.Provenance.Statements[0].Says["commit"] = strings.Repeat("2", 40) }, verdict.CheckSource, verdict.StatusFailed},
		"no commit":              {func(f *verdict.Facts) { delete(f.Provenance.Statements[0].Says, "commit") }, verdict.CheckSource, verdict.StatusFailed},
		"the certificate disagrees": {func(f *verdict.Facts) {
			f.Provenance.Statements[0].Conflicts = map[string]string{"commit": "bound to other commit"}
		}, verdict.CheckSource, verdict.StatusFailed},
		"another builder": {func(f *verdict.Facts) { f.Provenance.Statements[0].Says["builder"] = "x" }, verdict.CheckBuild, verdict.StatusFailed},
		"half in each of two": {func(f *verdict.Facts) {
			two := f.Provenance.Statements[0]
			two.Says = map[string]string{"commit": f.Source.Commit}
			f.Provenance.Statements[0].Says = map[string]string{"builder": "https://forge.example/runner"}
			f.Provenance.Statements = append(f.Provenance.Statements, two)
		}, verdict.CheckBuild, verdict.StatusFailed},
		"a contradiction":      {func(f *verdict.Facts) { f.Provenance.Contradictions = []string{"x"} }, verdict.CheckEvidence, verdict.StatusFailed},
		"no vote":              {func(f *verdict.Facts) { f.Votes.Statements = nil }, verdict.CheckQuorum, verdict.StatusFailed},
		"votes not looked at":  {func(f *verdict.Facts) { f.Votes = nil }, verdict.CheckQuorum, verdict.StatusNotReached},
		"about another tree":   {func(f *verdict.Facts) { f.Votes.Statements[0].Vote.Tree = sumA }, verdict.CheckQuorum, verdict.StatusFailed},
		"about another recipe": {func(f *verdict.Facts) { f.Votes.Statements[0].Vote.Recipe = sumA }, verdict.CheckQuorum, verdict.StatusFailed},
		"another match":        {func(f *verdict.Facts) { f.Votes.Statements[0].Vote.Match = "partial" }, verdict.CheckQuorum, verdict.StatusFailed},
		"no clock":             {func(f *verdict.Facts) { f.Now = time.Time{} }, verdict.CheckQuorum, verdict.StatusFailed},
		"too old":              {func(f *verdict.Facts) { f.Now = clock.AddDate(0, 0, 10) }, verdict.CheckQuorum, verdict.StatusFailed},
		"dated after it was signed": {func(f *verdict.Facts) {
			f.Votes.Statements[0].Time = clock.AddDate(0, 0, -2).Unix()
		}, verdict.CheckQuorum, verdict.StatusFailed},
		"dissent": {func(f *verdict.Facts) {
			f.Votes.Statements[0].Vote.Result, f.Votes.Statements[0].Vote.Match = "FAILED", "different"
		}, verdict.CheckDissent, verdict.StatusFailed},
		"not searched": {func(f *verdict.Facts) { f.Votes.Unsearched = []string{"votes: gone"} }, verdict.CheckDissent, verdict.StatusInconclusive},
	} {
		f := rebuiltAndSigned()
		tc.change(&f)
		v := verdict.Decide(f, p)
		if v.ExitCode() == 0 || v.Check(tc.check).Status != tc.status {
			t.Errorf("%s: exit %d, %s is %s: %s", name, v.ExitCode(), tc.check, v.Check(tc.check).Status, v.Check(tc.check).Text)
		}
	}
}

// TestCheckScope: facts without a rebuild pass only as such, and only by a policy that demands something of them.
func TestCheckScope(t *testing.T) {
	t.Parallel()
	p := readPolicy(t, strings.Split(signedPolicy, "[quorum]")[0])
	f := rebuiltAndSigned()
	checked := verdict.Facts{Scope: verdict.ScopeCheck, Subject: f.Subject, Provenance: f.Provenance, Now: f.Now}
	v := verdict.Decide(checked, p)
	if v.ExitCode() != 0 || v.Match != verdict.MatchNotRebuilt || len(v.Unsignable) == 0 {
		t.Fatalf("exit %d, %s, %v: %s", v.ExitCode(), v.Match, v.Unsignable, v.Summary)
	}
	for name, change := range map[string]func(*verdict.Facts){
		"as a rebuild":         func(f *verdict.Facts) { f.Scope = "" },
		"in no scope":          func(f *verdict.Facts) { f.Scope = "other" },
		"without evidence":     func(f *verdict.Facts) { f.Provenance = nil },
		"without a subject":    func(f *verdict.Facts) { f.Subject = verdict.Subject{} },
		"with half a rebuild":  func(f *verdict.Facts) { f.Rebuild = &verdict.Rebuild{} },
		"after a hostile file": func(f *verdict.Facts) { f.Problems = []verdict.Problem{{Class: "failed", Text: "x"}} },
	} {
		g := checked
		change(&g)
		if v := verdict.Decide(g, p); v.ExitCode() == 0 {
			t.Errorf("%s: passes", name)
		}
	}
	if v := verdict.Decide(checked, policy.Default()); v.ExitCode() == 0 {
		t.Error("passes by a policy that demands nothing of it")
	}
	v.Scope = ""
	if v.ExitCode() == 0 {
		t.Error("a check passes for a rebuild")
	}
}

func TestTally(t *testing.T) {
	t.Parallel()
	var none verdict.Tally
	if none.ExitCode() != verdict.ExitFailed {
		t.Error("nothing at all passes")
	}
	pass := verdict.Decide(good(), policy.Default())
	bad := good()
	bad.Source.Refs = nil
	open := good()
	open.Builder.Layers[0].Voucher = verdict.Voucher{}
	for _, tc := range []struct {
		list []verdict.Verdict
		want int
	}{
		{[]verdict.Verdict{pass}, 0}, {[]verdict.Verdict{pass, verdict.Decide(open, policy.Default())}, 3},
		{[]verdict.Verdict{pass, verdict.Decide(open, policy.Default()), verdict.Decide(bad, policy.Default())}, 1},
		{[]verdict.Verdict{pass, {}}, 1}, {[]verdict.Verdict{pass, {Result: verdict.Passed}}, 1},
	} {
		var tally verdict.Tally
		for _, v := range tc.list {
			tally.Add(v)
		}
		if tally.ExitCode() != tc.want {
			t.Errorf("%+v: exit %d, want %d", tally, tally.ExitCode(), tc.want)
		}
	}
}
