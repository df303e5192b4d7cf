package signature_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/glassbuild/glassbuild/internal/signature"
	"github.com/glassbuild/glassbuild/internal/trust"
)

// unwrap takes the signature out of a raw commit or tag, as git does.
func unwrap(t *testing.T, kind string, raw []byte) (message, sig []byte) {
	t.Helper()
	if kind == "tag" {
		at := bytes.LastIndex(raw, []byte("\n-----BEGIN "))
		if at < 0 {
			return raw, nil
		}
		return raw[:at+1], raw[at+1:]
	}
	head, text, _ := bytes.Cut(raw, []byte("\n\n"))
	var kept []string
	inside := false
	for l := range strings.Lines(string(head) + "\n") {
		rest, starts := strings.CutPrefix(l, "gpgsig ")
		switch {
		case starts:
			inside, sig = true, append(sig, rest...)
		case inside && l[0] == ' ':
			sig = append(sig, l[1:]...)
		default:
			inside = false
			kept = append(kept, l)
		}
	}
	return append([]byte(strings.Join(kept, "")+"\n"), text...), sig
}

// TestGit signs commits and tags with git itself, by gpg and by ssh-keygen, and compares every verdict with what
// git verify-commit and git verify-tag say.
func TestGit(t *testing.T) {
	t.Parallel()
	tool(t, "git")
	tool(t, "ssh-keygen")
	g := newGPG(t)
	dir := g.dir
	long := time.Now().AddDate(-1, 0, 0)
	g.key(long, "alice", "ed25519", "sign", "never")
	g.key(long, "bob", "rsa2048", "sign", "never")
	g.key(long, "stranger", "ed25519", "sign", "never")
	for _, key := range []string{"carol", "dave"} {
		must(t, dir, nil, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", key, "-f", dir+"/"+key)
	}
	allowed := "carol@example.org " + string(read(t, dir+"/carol.pub"))
	write(t, dir, "allowed", []byte(allowed))
	must(t, dir, nil, "git", "init", "-q", "repo")
	repo := dir + "/repo"
	git := func(format, key string, args ...string) {
		t.Helper()
		must(t, dir, nil, "git", append([]string{"-C", repo, "-c", "gpg.format=" + format, "-c", "user.signingKey=" + key}, args...)...)
	}
	for _, signer := range []string{"alice", "bob", "stranger", "carol", "dave"} {
		format, key := "openpgp", signer
		if signer == "carol" || signer == "dave" {
			format, key = "ssh", dir+"/"+signer+".pub"
		}
		git(format, key, "commit", "-q", "--allow-empty", "-S", "-m", "by "+signer+"\n\n  trailing blanks  \nand -----BEGIN nothing")
		git(format, key, "tag", "-s", "-m", "tag by "+signer, "v-"+signer)
	}
	git("openpgp", "alice", "commit", "-q", "--allow-empty", "-m", "unsigned")

	signers := trusted(t, trust.Principal{Name: "alice", OpenPGP: [][]byte{g.export("alice")}}, trust.Principal{Name: "bob", OpenPGP: [][]byte{g.export("bob")}},
		trust.Principal{Name: "carol@example.org", SSH: []trust.SSHKey{{Line: strings.TrimSpace(string(read(t, dir+"/carol.pub")))}}})
	g.at(time.Now(), nil, "--delete-secret-and-public-key", g.fingerprint("stranger")) // git does not know the stranger either

	check := func(kind, id string) (status signature.Status, good bool) {
		t.Helper()
		message, sig := unwrap(t, kind, must(t, dir, nil, "git", "-C", repo, "cat-file", kind, id))
		r := signature.Verify(message, sig, signature.Options{Keys: signers, Namespace: "git", SignedAt: time.Now(), Now: time.Now().Add(time.Minute)})
		out, err := run(t, dir, nil, "git", "-C", repo, "-c", "gpg.ssh.allowedSignersFile="+dir+"/allowed", "verify-"+kind, id)
		if good = err == nil; good != r.Status.Good() {
			t.Errorf("%s %s: %s %q, git says %s", kind, id, r.Status, r.Detail, out)
		}
		return r.Status, good
	}
	want := map[string]signature.Status{
		"alice": signature.StatusGood, "bob": signature.StatusGood, "stranger": signature.StatusUnknownKey,
		"carol": signature.StatusGood, "dave": signature.StatusGoodUntrusted,
	}
	for signer, status := range want {
		for kind, id := range map[string]string{"tag": "v-" + signer, "commit": "v-" + signer + "^{commit}"} {
			id := strings.TrimSpace(string(must(t, dir, nil, "git", "-C", repo, "rev-parse", id)))
			if got, _ := check(kind, id); got != status {
				t.Errorf("%s by %s: %s, want %s", kind, signer, got, status)
			}
			// The same object with one more letter in its text: written to the repository, so that git judges it too.
			raw := must(t, dir, nil, "git", "-C", repo, "cat-file", kind, id)
			forged := bytes.Replace(raw, []byte("by "+signer), []byte("by  "+signer), 1)
			other := strings.TrimSpace(string(must(t, dir, forged, "git", "-C", repo, "hash-object", "-t", kind, "-w", "--stdin")))
			if got, good := check(kind, other); good || got == status && status != signature.StatusUnknownKey {
				t.Errorf("forged %s by %s: %s, git says good: %v", kind, signer, got, good)
			}
		}
	}
	if got, _ := check("commit", "HEAD"); got != signature.StatusUnsigned {
		t.Errorf("unsigned: %s", got)
	}
}
