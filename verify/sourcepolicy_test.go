package verify

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/verdict"
)

// shippedModule is a vendor's repository and the module zip of its release: what was shipped is bit for bit what the commit
// packs to, so that only what the policy demands of the source can decide.
func shippedModule(t *testing.T) (base *signedRepo, since string) {
	t.Helper()
	base = newSignedRepo(t, "alice", "bob", "mallory")
	base.commit("", "go.mod", "module example.com/acme/tool\n\ngo 1.25\n", "a.go", "package tool\n", "glassbuild.toml", "x", "ci/run.sh", "x")
	return base, base.commit("alice", "a.go", "package tool // accepted\n")
}

// verify verifies the module zip of a repository's newest commit.
func (r *signedRepo) verify(t *testing.T, version, policy, history string) *verdict.Verdict {
	t.Helper()
	file := filepath.Join(t.TempDir(), "m.zip")
	if err := os.WriteFile(file, published(t, "example.com/acme/tool", version, r.dir), 0o600); err != nil {
		t.Fatal(err)
	}
	res, err := Run(context.Background(), Request{Artefact: file, Repository: r.dir, Commit: r.git("rev-parse", "HEAD"), Offline: true,
		PolicyFile: policy, History: history, CacheDir: filepath.Join(t.TempDir(), "cache")})
	if err != nil {
		t.Fatal(err)
	}
	if res.Verdict.Match != verdict.MatchIdentical {
		t.Fatalf("what was shipped is %s: %s", res.Verdict.Match, res.Verdict.Summary)
	}
	return &res.Verdict
}

// holds demands a passed verdict, or one that failed by that check with that text.
func holds(t *testing.T, v *verdict.Verdict, check, text string, passes bool) {
	t.Helper()
	c := v.Check(check)
	if passes {
		if v.Result != verdict.Passed || c.Status != verdict.StatusPassed || !strings.Contains(c.Text, text) {
			t.Fatalf("%s: %s\n%s: %s %q, want %q", v.Result, v.Summary, check, c.Status, c.Text, text)
		}
		return
	}
	if v.Result != verdict.Failed || c.Status != verdict.StatusFailed || !strings.Contains(c.Text, text) {
		t.Fatalf("%s: %s\n%s: %s %q, want %q", v.Result, v.Summary, check, c.Status, c.Text, text)
	}
}

// TestVerifyDemandsOfTheSource: what is shipped is identical each time; each demand on the source decides once either way.
func TestVerifyDemandsOfTheSource(t *testing.T) {
	t.Parallel()
	base, since := shippedModule(t)
	const opaque = "\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00>\x00"
	group := "[[group]]\nname = \"authors\"\nmembers = [\"alice\", \"bob\"]\nthreshold = \"any\"\n"
	inRange := group + "[source]\nsigned-by = \"authors\"\nsince = \"" + since + "\"\n"
	paths := inRange + "[[source.path]]\nmatch = \"glassbuild.*\"\nsigned-by = \"alice\"\n[[source.path]]\nmatch = \"ci/\"\nsigned-by = \"alice\"\n"
	onePath := group + "[source]\nsigned-by = \"authors\"\n[[source.path]]\nmatch = \"ci/\"\nsigned-by = \"alice\"\n"
	tag := "[source.tag]\nsigned-by = \"alice\"\nnames = [\"v*\"]\n"
	unlisted := "[source]\nunlisted-opaque = \"fail\"\n"
	listed := func(content string) string {
		return unlisted + fmt.Sprintf("[[source.opaque]]\npath = \"blob.bin\"\nsha256 = %q\nreason = \"looked at\"\n", fmt.Sprintf("%x", sha256.Sum256([]byte(content))))
	}
	for name, tc := range map[string]struct {
		demands string
		change  func(r *signedRepo)
		check   string
		text    string
		passes  bool
	}{
		"range":             {inRange, func(r *signedRepo) { r.commit("bob", "a.go", "3"); r.commit("alice", "a.go", "4") }, verdict.CheckRange, "2 commits since", true},
		"range, unsigned":   {inRange, func(r *signedRepo) { r.commit("", "a.go", "3"); r.commit("alice", "a.go", "4") }, verdict.CheckRange, "is unsigned", false},
		"range, a stranger": {inRange, func(r *signedRepo) { r.commit("mallory", "a.go", "3"); r.commit("alice", "a.go", "4") }, verdict.CheckRange, "good-untrusted", false},

		"paths": {paths, func(r *signedRepo) {
			r.commit("alice", "glassbuild.toml", "3", "ci/run.sh", "3")
			r.commit("bob", "a.go", "4")
		}, verdict.CheckPaths, "", true},
		"paths, the recipe":      {paths, func(r *signedRepo) { r.commit("bob", "glassbuild.toml", "3"); r.commit("alice", "a.go", "4") }, verdict.CheckPaths, "changed glassbuild.toml", false},
		"paths, a folder":        {paths, func(r *signedRepo) { r.commit("bob", "ci/deep/x", "3"); r.commit("alice", "a.go", "4") }, verdict.CheckPaths, "changed ci/deep/x", false},
		"paths, a merge writes":  {paths, func(r *signedRepo) { r.merge("bob", "alice", "evil") }, verdict.CheckPaths, "changed glassbuild.toml", false},
		"paths, a merge takes":   {paths, func(r *signedRepo) { r.merge("bob", "alice", "") }, verdict.CheckPaths, "", true},
		"paths, one commit":      {onePath, func(r *signedRepo) { r.commit("bob", "a.go", "3") }, verdict.CheckPaths, "", true},
		"paths, this one commit": {onePath, func(r *signedRepo) { r.commit("bob", "ci/run.sh", "3") }, verdict.CheckPaths, "changed ci/run.sh", false},

		"tag":               {tag, func(r *signedRepo) { r.tag("alice", "v1.2.0", r.commit("", "a.go", "3")) }, verdict.CheckTag, "v1.2.0", true},
		"tag, none":         {tag, func(r *signedRepo) { r.commit("alice", "a.go", "3") }, verdict.CheckTag, "", false},
		"tag, light":        {tag, func(r *signedRepo) { r.tag("", "v1.2.0", r.commit("alice", "a.go", "3")) }, verdict.CheckTag, "", false},
		"tag, by another":   {tag, func(r *signedRepo) { r.tag("bob", "v1.2.0", r.commit("alice", "a.go", "3")) }, verdict.CheckTag, "", false},
		"tag, another name": {tag, func(r *signedRepo) { r.tag("alice", "nightly", r.commit("alice", "a.go", "3")) }, verdict.CheckTag, "", false},
		"tag, of the commit before": {tag, func(r *signedRepo) {
			r.tag("alice", "v1.2.0", r.commit("alice", "a.go", "3"))
			r.commit("alice", "a.go", "4")
		}, verdict.CheckTag, "", false},
		"tag, renamed": {tag, func(r *signedRepo) {
			r.tag("alice", "v0.0.1", r.commit("alice", "a.go", "3"))
			r.git("update-ref", "refs/tags/v1.2.0", r.git("rev-parse", "refs/tags/v0.0.1"))
			r.git("update-ref", "-d", "refs/tags/v0.0.1")
		}, verdict.CheckTag, "", false},

		"opaque, none":     {unlisted, func(r *signedRepo) { r.commit("", "a.go", "3") }, verdict.CheckTree, "", true},
		"opaque, listed":   {listed(opaque), func(r *signedRepo) { r.commit("", "blob.bin", opaque) }, verdict.CheckTree, "1 opaque", true},
		"opaque, unlisted": {unlisted, func(r *signedRepo) { r.commit("", "blob.bin", opaque) }, verdict.CheckTree, "blob.bin", false},
		"opaque, changed":  {listed(opaque), func(r *signedRepo) { r.commit("", "blob.bin", opaque+"\x01") }, verdict.CheckTree, "blob.bin", false},
		"opaque, moved":    {listed(opaque), func(r *signedRepo) { r.commit("", "other.bin", opaque) }, verdict.CheckTree, "other.bin", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := base.copy(t)
			tc.change(r)
			v := r.verify(t, "v1.2.0", r.policy([]string{"alice", "bob"}, tc.demands), "")
			holds(t, v, tc.check, tc.text, tc.passes)
		})
	}
}

// TestVerifyMovedTags: verify keeps the same record as source, and a moved tag fails although everything else holds.
func TestVerifyMovedTags(t *testing.T) {
	t.Parallel()
	r, _ := shippedModule(t)
	policy := r.policy([]string{"alice"}, "[source]\nsigned-by = \"alice\"\n")
	history := filepath.Join(t.TempDir(), "seen.jsonl")
	one := r.commit("alice", "a.go", "package tool // one\n")
	r.tag("alice", "v1.2.0", one)
	first := r.verify(t, "v1.2.0", policy, history)
	if c := first.Check(verdict.CheckMovedTags); first.Result != verdict.Passed || c.Status != verdict.StatusReported || !strings.Contains(c.Text, "unknown") {
		t.Fatalf("%s: %s %q", first.Result, c.Status, c.Text)
	}
	holds(t, r.verify(t, "v1.2.0", policy, history), verdict.CheckMovedTags, "1 tag", true)
	r.tag("alice", "v1.2.0", r.commit("alice", "a.go", "package tool // two\n"))
	holds(t, r.verify(t, "v1.2.0", policy, history), verdict.CheckMovedTags, "tag v1.2.0 pointed at "+one[:12], false)
	if v := r.verify(t, "v1.2.0", policy, ""); v.Result != verdict.Passed {
		t.Fatalf("without the record: %s", v.Summary)
	}
}
