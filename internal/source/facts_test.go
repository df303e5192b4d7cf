package source

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// history makes merges, tags of several kinds, a side branch and a commit that nothing reaches.
func history(t *testing.T, args ...string) (r *gitRepo, tip, side, lost string) {
	t.Helper()
	r = newRepo(t, args...)
	r.commit("root")
	r.run("tag", "v0.1.0")
	r.run("checkout", "-q", "-b", "topic")
	r.commit("on topic")
	r.run("tag", "-a", "-m", "annotated", "topic-1")
	r.run("checkout", "-q", "main")
	r.commit("on main")
	r.run("merge", "-q", "--no-ff", "-m", "merge", "topic")
	tip = r.run("rev-parse", "HEAD")
	r.run("tag", "-a", "-m", "release", "v1.0.0")
	r.run("tag", "-a", "-m", "nested", "v1.0.0-nested", "v1.0.0")
	r.run("tag", "a-tree", "HEAD^{tree}")
	r.run("checkout", "-q", "-b", "side")
	side = r.commit("on side")
	r.run("tag", "v2.0.0-side")
	lost = r.commit("lost")
	r.run("reset", "-q", "--hard", side)
	r.run("update-ref", "refs/remotes/origin/main", tip)
	r.run("update-ref", "refs/pull/1/head", lost)
	r.run("checkout", "-q", "main")
	return r, tip, side, lost
}

func TestFactsAgreeWithGit(t *testing.T) {
	t.Parallel()
	r, tip, side, lost := history(t)
	for _, packed := range []bool{false, true} {
		if packed {
			r.run("pack-refs", "--all")
			r.run("repack", "-q", "-a", "-d", "-k")
		}
		for _, id := range []string{tip, side, r.run("rev-parse", tip+"^1"), r.run("rev-parse", tip+"^2"), r.run("rev-list", "--max-parents=0", tip)} {
			f := open(t, r.dir, id, Options{Need: NeedTags}).Facts()
			want := r.run("for-each-ref", "--contains", id, "--format=%(refname)", "refs/heads", "refs/tags", "refs/remotes")
			if got := strings.Join(f.Refs, "\n"); got != want || f.RefCount != len(f.Refs) {
				t.Errorf("%s: refs %s\nwant %s", id, got, want)
			}
			var tags []string
			for _, tag := range f.Tags {
				tags = append(tags, fmt.Sprintf("%s %s %s", tag.Name, tag.Object, tag.Commit))
			}
			var wantTags []string
			for name := range strings.FieldsSeq(r.run("tag", "--merged", id)) {
				wantTags = append(wantTags, fmt.Sprintf("%s %s %s", name, r.run("rev-parse", "refs/tags/"+name), r.run("rev-parse", name+"^{commit}")))
			}
			slices.Sort(wantTags)
			if !slices.Equal(tags, wantTags) {
				t.Errorf("%s: tags %q\nwant %q", id, tags, wantTags)
			}
			if got := fmt.Sprintf("%s|%s|%s|%s|%d|%s", f.Tree, strings.Join(f.Parents, " "), f.Author.Name, f.Committer.Email, f.Committer.When, f.Committer.Zone); got != r.run("log", "-1", "--date=raw", "--format=%T|%P|%an|%ce|%ct|+0100", id) {
				t.Errorf("facts %s", got)
			}
			if raw := r.run("cat-file", "commit", id); strings.TrimRight(string(f.Raw), "\n") != raw {
				t.Errorf("raw %q", f.Raw)
			}
		}
		// nothing but a pull request's ref reaches it, and that anybody may make
		if f := open(t, r.dir, lost, Options{}).Facts(); len(f.Refs) > 0 {
			t.Errorf("lost commit is reachable from %v", f.Refs)
		}
	}
}

func TestClockSkewHidesNoBranch(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	tree := r.hash("tree", "")
	at := func(when int, parents ...string) string {
		var b strings.Builder
		fmt.Fprintf(&b, "tree %s\n", tree)
		for _, p := range parents {
			fmt.Fprintf(&b, "parent %s\n", p)
		}
		fmt.Fprintf(&b, "author A <a@b> %d +0000\ncommitter A <a@b> %d +0000\n\nm\n", when, when)
		return r.hash("commit", b.String())
	}
	target := at(2_000_000_000)
	tip := at(1_000_000_000, at(1_000_000_000, target))
	r.run("update-ref", "refs/heads/main", tip)
	if f := open(t, r.dir, target, Options{}).Facts(); !slices.Equal(f.Refs, []string{"refs/heads/main"}) {
		t.Errorf("refs %v", f.Refs)
	}
}

func TestShallowClones(t *testing.T) {
	t.Parallel()
	r, tip, _, _ := history(t)
	shallow := filepath.Join(t.TempDir(), "shallow")
	r.run("clone", "-q", "--depth=1", "--no-local", "--branch=main", "file://"+r.dir, shallow)
	if f := open(t, shallow, tip, Options{}).Facts(); len(f.Refs) == 0 {
		t.Error("the tip is not reachable")
	}
	_, err := Open(context.Background(), shallow, tip, Options{Need: NeedTags})
	wantFault(t, err, fault.Inconclusive, "history is shallow")
	if !strings.Contains(fault.HintOf(err), "--unshallow") {
		t.Errorf("hint %q", fault.HintOf(err))
	}
}

func TestSignatures(t *testing.T) {
	t.Parallel()
	keygen, err := exec.LookPath("ssh-keygen")
	if err != nil {
		t.Skip("ssh-keygen is not installed: no signature is compared with OpenSSH")
	}
	r := newRepo(t)
	key := filepath.Join(t.TempDir(), "key")
	if out, err := exec.Command(keygen, "-q", "-t", "ed25519", "-N", "", "-f", key).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	r.run("config", "gpg.format", "ssh")
	r.run("config", "user.signingkey", key+".pub")
	r.write("f", "x")
	r.run("add", "-A")
	r.run("commit", "-q", "-S", "-m", "signed\n\nwith a body\n")
	r.run("tag", "-s", "-m", "signed tag", "v1")
	r.run("tag", "-a", "-m", "unsigned tag", "v1-unsigned")
	r.run("update-ref", "refs/tags/renamed", r.run("rev-parse", "v1"))
	id := r.run("rev-parse", "HEAD")
	f := open(t, r.dir, id, Options{Need: NeedTags}).Facts()
	verify(t, keygen, key, f.SignedPayload, f.Signature)
	if strings.Contains(string(f.SignedPayload), "gpgsig") || len(f.Tags) != 3 {
		t.Fatalf("payload %q, tags %v", f.SignedPayload, f.Tags)
	}
	for _, tag := range f.Tags {
		switch tag.Name {
		case "v1":
			verify(t, keygen, key, tag.SignedPayload, tag.Signature)
		case "renamed":
			if tag.Problem == "" || tag.Signature != nil {
				t.Errorf("renamed tag: %+v", tag)
			}
		default:
			if tag.Signature != nil || tag.SignedPayload != nil || !tag.Annotated {
				t.Errorf("unsigned tag: %+v", tag)
			}
		}
	}
}

// verify asks ssh-keygen whether a signature covers exactly that payload.
func verify(t *testing.T, keygen, key string, payload, signature []byte) {
	t.Helper()
	at := filepath.Join(t.TempDir(), "sig")
	writeFile(t, at, string(signature))
	cmd := exec.Command(keygen, "-Y", "check-novalidate", "-n", "git", "-s", at)
	cmd.Stdin = strings.NewReader(string(payload))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("signature: %v %s", err, out)
	}
}
