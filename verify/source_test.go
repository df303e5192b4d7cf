package verify

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// signedRepo is a repository that real git made and ssh-keygen or gpg signed.
type signedRepo struct {
	t     *testing.T
	dir   string
	keys  string
	clock int64
}

// newSignedRepo makes an empty repository and a key for each person.
func newSignedRepo(t *testing.T, people ...string) *signedRepo {
	t.Helper()
	for _, tool := range []string{"git", "ssh-keygen"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	r := &signedRepo{t: t, dir: filepath.Join(t.TempDir(), "repo"), keys: t.TempDir(), clock: 1_760_000_000}
	r.git("init", "-q", "-b", "main", r.dir)
	for _, p := range people {
		r.tool("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", p, "-f", filepath.Join(r.keys, p))
	}
	return r
}

// copy makes another repository that is the same so far.
func (r *signedRepo) copy(t *testing.T) *signedRepo {
	t.Helper()
	c := &signedRepo{t: t, dir: filepath.Join(t.TempDir(), "repo"), keys: r.keys, clock: r.clock}
	if err := os.CopyFS(c.dir, os.DirFS(r.dir)); err != nil {
		t.Fatal(err)
	}
	return c
}

func (r *signedRepo) tool(name string, args ...string) string {
	r.t.Helper()
	cmd := exec.Command(name, args...)
	if _, err := os.Stat(r.dir); err == nil {
		cmd.Dir = r.dir
	}
	stamp := fmt.Sprintf("%d +0000", r.clock)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/nonexistent", "HOME="+r.keys, "GNUPGHOME="+r.keys, "LC_ALL=C", "TZ=UTC",
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.org", "GIT_COMMITTER_NAME=Bea", "GIT_COMMITTER_EMAIL=bea@example.org",
		"GIT_AUTHOR_DATE="+stamp, "GIT_COMMITTER_DATE="+stamp)
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func (r *signedRepo) git(args ...string) string { r.t.Helper(); return r.tool("git", args...) }

// sign is the options that make git sign as that person; "" signs nothing.
func (r *signedRepo) sign(who string) []string {
	if who == "" {
		return []string{"-c", "commit.gpgsign=false"}
	}
	return []string{"-c", "gpg.format=ssh", "-c", "user.signingkey=" + filepath.Join(r.keys, who), "-c", "commit.gpgsign=true"}
}

// commit writes files, in pairs of path and content, and commits them as that person.
func (r *signedRepo) commit(who string, files ...string) string {
	r.t.Helper()
	r.write(files...)
	r.clock += 60
	r.git("add", "-A")
	r.git(append(r.sign(who), "commit", "-q", "--allow-empty", "-m", "change by "+who)...)
	return r.git("rev-parse", "HEAD")
}

func (r *signedRepo) write(files ...string) {
	r.t.Helper()
	for i := 0; i < len(files); i += 2 {
		path := filepath.Join(r.dir, filepath.FromSlash(files[i]))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			r.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(files[i+1]), 0o644); err != nil {
			r.t.Fatal(err)
		}
	}
}

// tag makes a tag signed by that person, or a light one.
func (r *signedRepo) tag(who, name, at string) {
	r.t.Helper()
	if who == "" {
		r.git("tag", "-f", name, at)
		return
	}
	r.git(append(r.sign(who), "tag", "-f", "-s", "-m", name, name, at)...)
}

// policy writes a policy that knows the people, and then says what is demanded.
func (r *signedRepo) policy(people []string, demands string) string {
	r.t.Helper()
	var b strings.Builder
	b.WriteString("format = 1\n")
	for _, p := range people {
		name, platform := strings.CutSuffix(p, "!")
		key, err := os.ReadFile(filepath.Join(r.keys, name+".pub"))
		if err != nil {
			r.t.Fatal(err)
		}
		fmt.Fprintf(&b, "[[principal]]\nname = %q\nssh = %q\nplatform = %t\n", name, strings.TrimSpace(string(key)), platform)
	}
	b.WriteString(demands)
	path := filepath.Join(r.t.TempDir(), "policy.toml")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		r.t.Fatal(err)
	}
	return path
}

// look runs Source with a cache of the repository's own.
func (r *signedRepo) look(req SourceRequest) *SourceReport {
	r.t.Helper()
	rep, err := r.try(req)
	if err != nil {
		r.t.Fatal(err)
	}
	return rep
}

func (r *signedRepo) try(req SourceRequest) (*SourceReport, error) {
	if req.Repository == "" {
		req.Repository = r.dir
	}
	if req.CacheDir == "" {
		req.CacheDir = filepath.Join(r.keys, "cache")
	}
	return Source(context.Background(), req)
}

// checked returns the status and text of a check of the judgement.
func checked(t *testing.T, rep *SourceReport, id string) (verdict.Status, string) {
	t.Helper()
	if rep.Judgement == nil {
		t.Fatal("no judgement")
	}
	for _, c := range rep.Judgement.Checks {
		if c.ID == id {
			return c.Status, c.Text
		}
	}
	t.Fatalf("no check %s", id)
	return "", ""
}

func TestSourceWithoutPolicyJudgesNothing(t *testing.T) {
	t.Parallel()
	r := newSignedRepo(t, "alice")
	first := r.commit("", "a.go", "package a\n", "logo.bin", "\x00\x01\x02\xff\xfe\x00\x00")
	id := r.commit("alice", "b.go", "// Code generated by x. DO NOT EDIT.\npackage a\n", "vendor/m/m.go", "package m\n")
	r.tag("alice", "v1.0.0", id)
	rep := r.look(SourceRequest{Commit: id})
	s := rep.Source
	if rep.Judgement != nil || rep.ExitCode() != 0 {
		t.Fatalf("%+v", rep)
	}
	// ssh signatures carry their key: valid, but nobody says whose it is
	if s.Signature.Status != "good-untrusted" || len(s.Tags) != 1 || s.Tags[0].Signature.Status != "good-untrusted" {
		t.Fatalf("%+v", s)
	}
	if len(s.Opaque) != 1 || s.Opaque[0].Path != "logo.bin" || s.Opaque[0].Touched != first || s.Generated != 1 || s.Vendored != 1 || s.Files != 4 {
		t.Fatalf("%+v", s)
	}
	if len(s.Refs) != 2 || rep.Commit.Subject != "change by alice" || rep.Commit.Parents[0] != first || s.GitTree != r.git("rev-parse", id+"^{tree}") {
		t.Fatalf("%+v %+v", s.Refs, rep.Commit)
	}
}

// TestSourceJudgements changes one thing of a repository that satisfies its policy at a time.
func TestSourceJudgements(t *testing.T) {
	t.Parallel()
	const demands = `
[[group]]
name = "authors"
members = ["alice", "bob"]
threshold = "any"
[[group]]
name = "releasers"
members = ["alice"]
threshold = "any"
[source]
signed-by = "authors"
since = %q
[[source.path]]
match = "glassbuild.*"
signed-by = "releasers"
[[source.path]]
match = "ci/"
signed-by = "releasers"
`
	people := []string{"alice", "bob"}
	base := newSignedRepo(t, "alice", "bob", "mallory")
	base.commit("", "a.go", "1", "glassbuild.toml", "1", "glassbuild.lock", "1", "ci/deep/run.sh", "1") // before the accepted one anything goes
	since := base.commit("alice", "a.go", "2")
	for name, tc := range map[string]struct {
		change func(r *signedRepo)
		check  string // that does not hold; "" holds
		text   string
	}{
		"honest":                    {change: func(r *signedRepo) { r.commit("bob", "a.go", "3") }},
		"unsigned in the middle":    {func(r *signedRepo) { r.commit("", "a.go", "3"); r.commit("bob", "a.go", "4") }, verdict.CheckRange, "is unsigned"},
		"a stranger in the middle":  {func(r *signedRepo) { r.commit("mallory", "a.go", "3"); r.commit("bob", "a.go", "4") }, verdict.CheckRange, "good-untrusted"},
		"unsigned tip":              {func(r *signedRepo) { r.commit("", "a.go", "3") }, verdict.CheckSignature, "is unsigned"},
		"author touches the recipe": {func(r *signedRepo) { r.commit("bob", "glassbuild.toml", "3"); r.commit("alice", "a.go", "4") }, verdict.CheckPaths, `changed glassbuild.toml`},
		"author removes the lock":   {func(r *signedRepo) { os.Remove(filepath.Join(r.dir, "glassbuild.lock")); r.commit("bob") }, verdict.CheckPaths, "changed glassbuild.lock"},
		"releaser touches both":     {change: func(r *signedRepo) { r.commit("alice", "glassbuild.toml", "3", "ci/deep/run.sh", "3") }},
		"author below the folder":   {func(r *signedRepo) { r.commit("bob", "ci/deep/run.sh", "3") }, verdict.CheckPaths, "changed ci/deep/run.sh"},
		"another file of that name": {change: func(r *signedRepo) { r.commit("bob", "sub/glassbuild.toml", "3", "cicd/x", "1") }},
		"folder becomes a link": {func(r *signedRepo) {
			os.RemoveAll(filepath.Join(r.dir, "ci"))
			os.Symlink("b", filepath.Join(r.dir, "ci"))
			r.commit("bob")
		}, verdict.CheckPaths, `changed ci`},
		"undone again":               {func(r *signedRepo) { r.commit("bob", "glassbuild.toml", "3"); r.commit("bob", "glassbuild.toml", "1") }, verdict.CheckPaths, "changed glassbuild.toml"},
		"merge that changes nothing": {change: func(r *signedRepo) { r.merge("bob", "alice", "") }},
		"merge of an unsigned side":  {func(r *signedRepo) { r.merge("bob", "", "") }, verdict.CheckRange, "is unsigned"},
		"merge that smuggles":        {func(r *signedRepo) { r.merge("bob", "alice", "evil") }, verdict.CheckPaths, "changed glassbuild.toml"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := base.copy(t)
			tc.change(r)
			policy := r.policy(people, fmt.Sprintf(demands, since))
			for look := range 2 { // the second one rests on what was remembered
				rep := r.look(SourceRequest{Commit: r.git("rev-parse", "HEAD"), PolicyFile: policy})
				j := rep.Judgement
				if tc.check == "" {
					if j.Demands != verdict.DemandsHold || rep.ExitCode() != 0 {
						t.Fatalf("look %d: %s: %s", look, j.Demands, j.Summary)
					}
					if want := r.git("rev-list", "--count", "HEAD", "^"+since); fmt.Sprint(rep.Source.Range.Commits) != want {
						t.Fatalf("%d commits, git counts %s", rep.Source.Range.Commits, want)
					}
					continue
				}
				st, text := checked(t, rep, tc.check)
				if st != verdict.StatusFailed || !strings.Contains(text, tc.text) || j.Demands != verdict.DemandsBroken || rep.ExitCode() != 1 {
					t.Fatalf("look %d: %s: %s (%s)", look, st, text, j.Demands)
				}
			}
		})
	}
}

// merge merges a side branch on which that person, or nobody, changed the recipe. With text the merge itself writes
// something else there than either side has.
func (r *signedRepo) merge(who, side, text string) {
	r.t.Helper()
	r.git("checkout", "-q", "-b", "side")
	r.commit(side, "glassbuild.toml", "side")
	r.git("checkout", "-q", "main")
	r.commit("alice", "b.go", "1")
	r.clock += 60
	r.git(append(r.sign(who), "merge", "-q", "--no-ff", "--no-commit", "side")...)
	if text != "" {
		r.write("glassbuild.toml", text)
	}
	r.git("add", "-A")
	r.git(append(r.sign(who), "commit", "-q", "-m", "merge")...)
}

// TestTrustIsJudgedAnew: what is remembered of a range says nothing about who is trusted (F15).
func TestTrustIsJudgedAnew(t *testing.T) {
	t.Parallel()
	r := newSignedRepo(t, "alice", "bob")
	since := r.commit("alice", "a", "1")
	r.commit("bob", "a", "2")
	id := r.commit("alice", "a", "3")
	demands := "[[group]]\nname = \"authors\"\nmembers = [\"alice\", \"bob\"]\nthreshold = \"any\"\n[source]\nsigned-by = \"authors\"\nsince = \"" + since + "\"\n"
	good := r.policy([]string{"alice", "bob"}, demands)
	if rep := r.look(SourceRequest{Commit: id, PolicyFile: good}); rep.ExitCode() != 0 {
		t.Fatal(rep.Judgement.Summary)
	}
	text, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	bob, err := os.ReadFile(filepath.Join(r.keys, "bob.pub"))
	if err != nil {
		t.Fatal(err)
	}
	key := strings.Join(strings.Fields(string(bob))[:2], " ")
	for what, change := range map[string]string{
		"revoked":          strings.Replace(string(text), "name = \"bob\"\n", "name = \"bob\"\nrevoked = [\""+key+"\"]\n", 1),
		"good-expired-key": strings.Replace(string(text), "name = \"bob\"\n", "name = \"bob\"\nvalid = \"2020-01-01..2025-12-31\"\n", 1),
		"good-untrusted":   strings.Replace(string(text), "name = \"bob\"\n", "name = \"bob\"\nvalid = \"2026-01-01..2099-12-31\"\n", 1),
	} {
		path := filepath.Join(t.TempDir(), "policy.toml")
		if err := os.WriteFile(path, []byte(change), 0o600); err != nil {
			t.Fatal(err)
		}
		rep := r.look(SourceRequest{Commit: id, PolicyFile: path})
		if st, why := checked(t, rep, verdict.CheckRange); st != verdict.StatusFailed || !strings.Contains(why, what) {
			t.Errorf("%s: %s %s", what, st, why)
		}
	}
}

func TestMemoryIsAuthenticated(t *testing.T) {
	t.Parallel()
	r := newSignedRepo(t, "alice")
	since := r.commit("alice", "a", "1")
	r.commit("", "a", "2")
	id := r.commit("alice", "a", "3")
	policy := r.policy([]string{"alice"}, "[source]\nsigned-by = \"alice\"\nsince = \""+since+"\"\n")
	first := r.look(SourceRequest{Commit: id, PolicyFile: policy})
	entries, err := filepath.Glob(filepath.Join(r.keys, "cache", "results", memoKind, "*"))
	if err != nil || len(entries) != 1 {
		t.Fatal(entries, err)
	}
	data, err := os.ReadFile(entries[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(entries[0], data[:len(data)-40], 0o600); err != nil { // without the unsigned one
		t.Fatal(err)
	}
	second := r.look(SourceRequest{Commit: id, PolicyFile: policy})
	a, _ := json.Marshal(first)
	b, _ := json.Marshal(second)
	if string(a) != string(b) || second.ExitCode() != 1 {
		t.Fatalf("an altered memory changed the answer:\n%s\n%s", a, b)
	}
}

func TestPlatformKeysStandApart(t *testing.T) {
	t.Parallel()
	r := newSignedRepo(t, "alice", "forge")
	since := r.commit("alice", "a", "1")
	r.commit("forge", "Makefile", "all:\n")
	id := r.commit("alice", "go.mod", "module m\n")
	rep := r.look(SourceRequest{Commit: id, PolicyFile: r.policy([]string{"alice", "forge!"},
		"[[group]]\nname = \"people\"\nmembers = [\"alice\"]\nthreshold = \"any\"\n[source]\nsigned-by = \"people\"\nsince = \""+since+"\"\n")})
	if st, text := checked(t, rep, verdict.CheckRange); st != verdict.StatusFailed || !strings.Contains(text, "platform key") {
		t.Fatalf("%s %s", st, text)
	}
	rep = r.look(SourceRequest{Commit: id, PolicyFile: r.policy([]string{"alice", "forge!"},
		"[[group]]\nname = \"both\"\nmembers = [\"alice\", \"forge\"]\nthreshold = \"any\"\n[source]\nsigned-by = \"both\"\nsince = \""+since+"\"\n")})
	st, text := checked(t, rep, verdict.CheckRange)
	for _, want := range []string{"2 commits since", "1 by alice", "1 by platform key forge", "build scripts changed: 1 by platform key forge", "dependencies changed: 1 by alice"} {
		if st != verdict.StatusPassed || !strings.Contains(text, want) {
			t.Fatalf("%s: %q lacks %q", st, text, want)
		}
	}
}

func TestRangeEnds(t *testing.T) {
	t.Parallel()
	r := newSignedRepo(t, "alice")
	old := r.commit("alice", "a", "1")
	id := r.commit("alice", "a", "2")
	demand := func(since string) string {
		return r.policy([]string{"alice"}, "[source]\nsigned-by = \"alice\"\nsince = \""+since+"\"\n")
	}
	rep := r.look(SourceRequest{Commit: id, PolicyFile: demand(id)})
	if st, text := checked(t, rep, verdict.CheckRange); st != verdict.StatusPassed || !strings.Contains(text, "nothing was committed since") {
		t.Errorf("%s %s", st, text)
	}
	absent := strings.Repeat("1", 40)
	rep = r.look(SourceRequest{Commit: id, PolicyFile: demand(absent)})
	if rep.ExitCode() == 0 {
		t.Errorf("a range that begins at a commit that is not there: %s", rep.Judgement.Summary)
	}
	if _, err := r.try(SourceRequest{Commit: id, PolicyFile: demand(old), Since: id}); fault.ClassOf(err) != fault.Usage {
		t.Errorf("a flag made the range of the policy smaller: %v", err)
	}
	if _, err := r.try(SourceRequest{Commit: id[:12]}); err == nil || !strings.Contains(err.Error(), "full") {
		t.Errorf("short id: %v", err)
	}
}

func TestMovedTags(t *testing.T) {
	t.Parallel()
	r := newSignedRepo(t, "alice")
	one := r.commit("alice", "a", "1")
	two := r.commit("alice", "a", "2")
	r.tag("alice", "v1.0.0", one)
	r.tag("", "v1.1.0", two)
	policy := r.policy([]string{"alice"}, "[source]\nsigned-by = \"alice\"\n")
	history := filepath.Join(t.TempDir(), "seen.jsonl")
	look := func(repository, history string) (verdict.Status, string) {
		t.Helper()
		return checked(t, r.look(SourceRequest{Commit: two, Repository: repository, PolicyFile: policy, History: history}), verdict.CheckMovedTags)
	}
	expect := func(when string, st verdict.Status, text string, want verdict.Status, part string) {
		t.Helper()
		if st != want || !strings.Contains(text, part) {
			t.Fatalf("%s: %s %q, want %s %q", when, st, text, want, part)
		}
	}
	st, text := look("", "")
	expect("no file", st, text, verdict.StatusReported, "unknown")
	st, text = look("", history)
	expect("first time", st, text, verdict.StatusReported, "unknown: 2 tags, none seen before")
	st, text = look("", history)
	expect("again", st, text, verdict.StatusPassed, "2 tags where they were, 0 new")

	// another clone of it is the same repository, whatever it is called
	clone := filepath.Join(t.TempDir(), "clone")
	r.git("clone", "-q", "--bare", r.dir, clone)
	st, text = look(clone, history)
	expect("clone", st, text, verdict.StatusPassed, "2 tags where they were")

	r.tag("alice", "v1.0.0", two) // well signed, and still another release under an old name
	st, text = look("", history)
	expect("moved", st, text, verdict.StatusFailed, "tag v1.0.0 pointed at "+one[:12])
	st, text = look("", history)
	expect("moved, again", st, text, verdict.StatusFailed, "tag v1.0.0")
	r.tag("alice", "v1.0.0", one)
	st, text = look("", history)
	expect("moved back", st, text, verdict.StatusPassed, "2 tags")

	// another repository with a tag of the same name is none of its business
	other := newSignedRepo(t, "alice")
	x := other.commit("alice", "z", "1")
	other.tag("", "v1.0.0", x)
	rep := other.look(SourceRequest{Commit: x, PolicyFile: other.policy([]string{"alice"}, "[source]\nsigned-by = \"alice\"\n"), History: history})
	if st, text := checked(t, rep, verdict.CheckMovedTags); st != verdict.StatusReported {
		t.Fatalf("%s %s", st, text)
	}
	data, err := os.ReadFile(history)
	if err != nil || strings.Count(string(data), "\n") != 3 {
		t.Fatalf("%v\n%s", err, data)
	}
}

// TestHistoryFileIsLocked: of many runs that see a tag first, one writes it down, and no line is torn.
func TestHistoryFileIsLocked(t *testing.T) {
	t.Parallel()
	r := newSignedRepo(t)
	id := r.commit("", "a", "1")
	for i := range 20 {
		r.tag("", fmt.Sprintf("v1.%d.0", i), id)
	}
	history := filepath.Join(t.TempDir(), "seen.jsonl")
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			if _, err := r.try(SourceRequest{Commit: id, History: history}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	data, err := os.ReadFile(history)
	if err != nil || strings.Count(string(data), "\n") != 20 {
		t.Fatalf("%v\n%s", err, data)
	}
}

func TestHistoryFileIsStrict(t *testing.T) {
	t.Parallel()
	r := newSignedRepo(t)
	id := r.commit("", "a", "1")
	line := `{"format":1,"repository":"r","tag":"v1","object":"` + id + `","commit":"` + id + `","seen":"2026-01-01"}`
	for text, want := range map[string]string{
		line + "\n{\n":     "line 2: malformed",
		line + line + "\n": "trailing data",
		strings.Replace(line, ":1,", ":2,", 1) + "\n": "another format",
		strings.Replace(line, "tag", "tga", 1) + "\n": "malformed",
		line: "no end",
	} {
		path := filepath.Join(t.TempDir(), "seen.jsonl")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := r.try(SourceRequest{Commit: id, History: path})
		if fault.ClassOf(err) != fault.Usage || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
		if data, _ := os.ReadFile(path); string(data) != text {
			t.Errorf("%q was changed", text)
		}
	}
}

func TestOpenPGPSignatures(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("gpg"); err != nil {
		t.Skip("gpg is not installed")
	}
	r := newSignedRepo(t)
	home, err := os.MkdirTemp("", "gb") // short enough for the sockets of gpg-agent
	if err != nil {
		t.Fatal(err)
	}
	r.keys = home
	t.Cleanup(func() { exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run(); os.RemoveAll(home) })
	r.clock = time.Now().Unix()
	r.tool("gpg", "--batch", "--quiet", "--passphrase", "", "--quick-gen-key", "Ada <ada@example.org>", "ed25519", "sign", "never")
	since := r.commit("", "a", "1")
	r.write("a", "2")
	r.git("add", "-A")
	r.git("-c", "user.signingkey=ada@example.org", "commit", "-q", "-S", "-m", "signed")
	id := r.git("rev-parse", "HEAD")
	r.git("verify-commit", id)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "ada.asc"), []byte(r.tool("gpg", "--armor", "--export", "ada@example.org")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	policy := filepath.Join(dir, "policy.toml")
	text := "format = 1\n[[principal]]\nname = \"ada\"\nopenpgp = \"ada.asc\"\n[source]\nsigned-by = \"ada\"\nsince = \"" + since + "\"\n"
	if err := os.WriteFile(policy, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		rep := r.look(SourceRequest{Commit: id, PolicyFile: policy})
		if rep.ExitCode() != 0 || rep.Source.Signature.Kind != "openpgp" || rep.Source.Range.By[0].Signature.Signer != "ada" {
			t.Fatalf("%s: %+v", rep.Judgement.Summary, rep.Source.Signature)
		}
	}
	if rep := r.look(SourceRequest{Commit: id}); rep.Source.Signature.Status != "unknown-key" {
		t.Fatalf("%+v", rep.Source.Signature)
	}
}
