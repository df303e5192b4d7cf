package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/evidence"
	"github.com/glassbuild/glassbuild/internal/evidence/evidencetest"
	"github.com/glassbuild/glassbuild/internal/policy"
	"github.com/glassbuild/glassbuild/internal/report"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

func program(args ...string) (int, string, string) {
	var out, errs bytes.Buffer
	code := run(args, &out, &errs)
	return code, out.String(), errs.String()
}

// TestPolicyFromCheck: the policy that is written from a verdict accepts the same evidence again, and it alone.
func TestPolicyFromCheck(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		policy string
		votes  func(a *assembly)
		holds  []string // what the written policy must demand
	}{
		"keyless": {release, func(a *assembly) {
			a.put("tool.sigstore.json", a.i.Attest(provenanceOf("tool"), evidencetest.Leaf{}).JSON())
		}, []string{`identity = "` + evidencetest.Identity + `"`, `commit = "1111`, `require = ["log", "timestamp"]`}},
		"quorum": {quorumPolicy(""), func(a *assembly) { a.vote("a", "lab-a"); a.vote("b", "lab-b") }, []string{"BEGIN PUBLIC KEY", `threshold = "all"`, `tree = "222`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := assemble(t)
			tc.votes(a)
			if code, out := a.check(tc.policy); code != 0 {
				t.Fatalf("exit %d\n%s", code, out)
			}
			tool, root := filepath.Join(a.dir, "tool"), filepath.Join(a.dir, "root.json")
			code, js, errs := program("check", tool, "--policy", filepath.Join(a.dir, "policy.toml"), "--trusted-root", root, "--format", "json")
			if code != 0 {
				t.Fatalf("exit %d\n%s", code, errs)
			}
			a.put("verdict.json", []byte(js))
			code, text, errs := program("policy", "from", filepath.Join(a.dir, "verdict.json"))
			if code != 0 {
				t.Fatalf("exit %d\n%s", code, errs)
			}
			for _, want := range tc.holds {
				if !strings.Contains(text, want) {
					t.Errorf("no %q in\n%s", want, text)
				}
			}
			a.put("written.toml", []byte(text))
			if code, out, errs := program("check", tool, "--policy", filepath.Join(a.dir, "written.toml"), "--trusted-root", root); code != 0 {
				t.Errorf("exit %d by the written policy\n%s%s\n%s", code, out, errs, text)
			}
			other := evidencetest.New(t, "somebody else's")
			a.put("tool", []byte("another tool\n"))
			a.put("root.json", other.TrustedRoot(evidencetest.Spans{}))
			if code, out, _ := program("check", tool, "--policy", filepath.Join(a.dir, "written.toml"), "--trusted-root", root); code != 1 {
				t.Errorf("another artefact: exit %d\n%s", code, out)
			}
		})
	}
}

// TestPolicyFromRebuild: facts of every kind that some policy is content with, and some that none is.
func TestPolicyFromRebuild(t *testing.T) {
	t.Parallel()
	one, two := strings.Repeat("1", 40), strings.Repeat("2", 40)
	facts := func() verdict.Facts {
		return verdict.Facts{Subject: verdict.Subject{Name: "tool", SHA256: digit("a"), Size: 10},
			Source: &verdict.Source{Repository: "repo", Commit: one, ChosenBy: verdict.ByAuditor, GitTree: two, TreeSHA256: digit("b"), Files: 3,
				Refs: []string{"refs/heads/main"}, Signature: verdict.Signature{Status: "unsigned"}, Attributes: "raw"},
			Recipe: &verdict.Recipe{SHA256: digit("c"), ChosenBy: verdict.ByCommit}, Builder: &verdict.Builder{SHA256: digit("d"),
				Layers: []verdict.Layer{{Name: "go", Digest: "sha256:" + digit("d"), Voucher: verdict.Voucher{Kind: "checksum-database"}}}},
			Inputs:     &verdict.Inputs{},
			Rebuild:    &verdict.Rebuild{Runs: 2, Agree: true, Outputs: []verdict.Digest{{Name: "tool", SHA256: digit("a"), Size: 10}}, CopyCheck: true, Account: &verdict.Account{Proved: true, Of: 3, Source: []verdict.Digest{{Name: "main.go", SHA256: digit("b"), Size: 10}}, Layers: []verdict.LayerRead{{Name: "go", Digest: "sha256:" + digit("b"), Read: true}}}},
			Comparison: &verdict.Comparison{Whole: verdict.Identical, Members: []verdict.MemberResult{{Path: "tool", State: verdict.Identical, SHA256: digit("a"), Size: 10, Output: "tool"}}}}
	}
	for name, tc := range map[string]struct {
		change func(*verdict.Facts)
		code   int
		text   string
	}{
		"identical":   {func(*verdict.Facts) {}, 0, "[rebuild]"},
		"unreachable": {func(f *verdict.Facts) { f.Source.Refs = nil }, 0, "unreachable = "},
		"unvouched":   {func(f *verdict.Facts) { f.Builder.Layers[0].Voucher = verdict.Voucher{} }, 0, "[[rebuild.builder]]"},
		"settings":    {func(f *verdict.Facts) { f.Recipe.Refused = []string{"-X main.a=\"b\""} }, 0, "[[rebuild.setting]]"},
		"partial": {func(f *verdict.Facts) {
			f.Comparison = &verdict.Comparison{Whole: verdict.NotRebuilt, Members: []verdict.MemberResult{{Path: "bin/tool", State: verdict.Identical, SHA256: digit("a")}, {Path: "LICENSE", State: verdict.Nowhere, SHA256: digit("e")}}}
		}, 0, "[[rebuild.cover]]"},
		"copied": {func(f *verdict.Facts) {
			f.Rebuild.Copies = []verdict.Copy{{Output: "tool", SHA256: digit("a"), Input: "x"}}
		}, 0, "[[rebuild.copy]]"},
		"vendored": {func(f *verdict.Facts) {
			f.Inputs.Vendored = []verdict.Module{{Path: "m", Version: "v1", Status: "mismatch"}}
		}, 0, "vendored = "},
		"archive": {func(f *verdict.Facts) { f.Source.Attributes = "archive" }, 0, "attributes = \"archive\""},
		"different": {func(f *verdict.Facts) {
			f.Comparison.Whole, f.Comparison.Members[0].State = verdict.Different, verdict.Different
		}, 1, "no policy would be content"},
		"not there": {func(f *verdict.Facts) { f.Rebuild = nil }, 1, "no policy would be content"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := facts()
			tc.change(&f)
			js, err := report.JSON(verdict.Decide(f, policy.Default()))
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			put(t, filepath.Join(dir, "verdict.json"), js)
			code, out, errs := program("policy", "from", filepath.Join(dir, "verdict.json"))
			if code != tc.code || !strings.Contains(out+errs, tc.text) {
				t.Fatalf("exit %d, want %d with %q\n%s%s", code, tc.code, tc.text, out, errs)
			}
			if tc.code != 0 {
				return
			}
			put(t, filepath.Join(dir, "policy.toml"), []byte(out))
			code, out, errs = program("policy", "explain", filepath.Join(dir, "policy.toml"), filepath.Join(dir, "verdict.json"))
			out = strings.ReplaceAll(out, "the verdict says: undecided", "")
			if code != 0 || strings.Contains(out, "broken ") || strings.Contains(out, "undecided ") {
				t.Errorf("exit %d\n%s%s", code, out, errs)
			}
		})
	}
}

// TestPolicyExplain names the very line that decided.
func TestPolicyExplain(t *testing.T) {
	t.Parallel()
	a := assemble(t)
	a.put("tool.sigstore.json", a.i.Attest(provenanceOf("tool"), evidencetest.Leaf{}).JSON())
	code, _ := a.check(release + "ref = \"refs/tags/v*\"\n")
	if code != 1 {
		t.Fatalf("exit %d", code)
	}
	_, js, _ := program("check", filepath.Join(a.dir, "tool"), "--policy", filepath.Join(a.dir, "policy.toml"), "--trusted-root", filepath.Join(a.dir, "root.json"), "--format", "json")
	a.put("verdict.json", []byte(js))
	code, out, errs := program("policy", "explain", filepath.Join(a.dir, "policy.toml"), filepath.Join(a.dir, "verdict.json"))
	for _, want := range []string{"NOTHING BELOW WAS CHECKED", "broken      provenance.source", "policy.toml:8:1 provenance.ref", "decided by the default of quorum.of"} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("exit %d, no %q in\n%s%s", code, want, out, errs)
		}
	}
	a.put("other.toml", []byte(release))
	_, out, _ = program("policy", "explain", filepath.Join(a.dir, "other.toml"), filepath.Join(a.dir, "verdict.json"))
	for _, want := range []string{"given by another policy", "the verdict says: broken"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	for name, data := range map[string]string{"no verdict": "{}", "no JSON": "verdict", "two results": strings.Replace(js, `"result"`, `"result": "passed", "result"`, 1), "more": js + "x", "an unknown key": strings.Replace(js, `"format"`, `"formal": 1, "format"`, 1)} {
		a.put("bad.json", []byte(data))
		if code, out, _ := program("policy", "explain", filepath.Join(a.dir, "other.toml"), filepath.Join(a.dir, "bad.json")); code != 4 || out != "" {
			t.Errorf("%s: exit %d\n%s", name, code, out)
		}
	}
}

// TestInspect: everything is told under the banner, and nothing is claimed.
func TestInspect(t *testing.T) {
	t.Parallel()
	a := assemble(t)
	a.put("keyless.sigstore.json", a.i.Attest(provenanceOf("to\x1b[2Jol"), evidencetest.Leaf{Extensions: map[int]string{20: "push"}}).JSON())
	a.vote("vote", "lab-a")
	_, out := a.check(quorumPolicy(""))
	_, js, _ := program("check", filepath.Join(a.dir, "tool"), "--policy", filepath.Join(a.dir, "policy.toml"), "--trusted-root", filepath.Join(a.dir, "root.json"), "--format", "json")
	a.put("verdict.json", []byte(js))
	a.put("glassbuild.toml", []byte("format = 1\n[builder]\nhost = true\n[[step]]\nrun = [\"true\"]\n[[artifact]]\noutput = \"tool\"\n"))
	a.put("glassbuild.lock", []byte(inspectedLock))
	a.put("torn.lock", []byte(inspectedLock[:60]))
	a.put("rubbish", []byte("rubbish"))
	a.put("bad.json", []byte("{"))
	host, _, _ := pushed(t)
	for what, tc := range map[string]struct {
		code int
		text string
	}{
		filepath.Join(a.dir, "keyless.sigstore.json"): {0, "it says certificate.build-trigger: push"}, filepath.Join(a.dir, "vote.sigstore.json"): {0, evidence.PredicateSummary},
		filepath.Join(a.dir, "verdict.json"): {0, "it says result: failed"}, filepath.Join(a.dir, "glassbuild.toml"): {0, "it says line: host = true"},
		filepath.Join(a.dir, "glassbuild.lock"): {0, "it says builder: go 1.26.5 h1:"}, filepath.Join(a.dir, "torn.lock"): {1, "torn.lock"},
		host + "/team/tool:v1": {0, "it says layer: sha256:"}, filepath.Join(a.dir, "rubbish"): {3, "says nothing that is understood"},
		filepath.Join(a.dir, "bad.json"): {1, "malformed"}, filepath.Join(a.dir, "none"): {4, "cannot be read"}, a.dir: {4, "is a folder"},
	} {
		code, text, errs := program("inspect", what)
		if code != tc.code || !strings.Contains(text+errs, tc.text) {
			t.Errorf("%s: exit %d, want %d with %q\n%s%s", what, code, tc.code, tc.text, text, errs)
		}
		if code == 0 && !strings.HasPrefix(text, inspectBanner) || strings.ContainsAny(text, "\x1b") {
			t.Errorf("%s: no banner, or raw text\n%s", what, text)
		}
		for line := range strings.Lines(text) {
			if low := strings.ToLower(line); !strings.HasPrefix(line, "  it says ") && (strings.Contains(low, "verified") || strings.Contains(low, "passed")) {
				t.Errorf("%s claims %q", what, line)
			}
		}
	}
	if out == "" || !json.Valid([]byte(js)) {
		t.Error("no verdict")
	}
}

const inspectedLock = `format = 1
recipe = "1111111111111111111111111111111111111111111111111111111111111111"

[[builder]]
name = "go"
version = "1.26.5"
digest = "h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
`
