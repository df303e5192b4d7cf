//go:build unix

package verify

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// BenchmarkRange measures what a range of signed commits costs in processor time: the first look, and the second one, which
// rests on what was remembered. Each commit changes one file, in a packed repository.
func BenchmarkRange(b *testing.B) {
	const commits = 10_000
	repo, policy, since, tip := signedHistory(b, commits)
	for _, look := range []string{"first", "second"} {
		b.Run(look, func(b *testing.B) {
			cache := filepath.Join(b.TempDir(), "cache")
			open := func() *run {
				r, err := begin(context.Background(), Request{Repository: repo, Commit: tip, PolicyFile: policy, CacheDir: cache})
				if err != nil {
					b.Fatal(err)
				}
				r.policy.Source.Since = ""
				if err := r.openSource(context.Background()); err != nil {
					b.Fatal(err)
				}
				return r
			}
			walk := func(r *run) time.Duration {
				before := processorTime(b)
				if err := r.walkRange(context.Background(), since); err != nil {
					b.Fatal(err)
				}
				spent := processorTime(b) - before
				if s := r.facts.Source.Range; s.Commits != commits || len(s.By) != 1 || s.By[0].Signature.Status != "good" {
					b.Fatalf("%+v", s)
				}
				r.close()
				return spent
			}
			if look == "second" {
				walk(open())
			}
			var spent time.Duration
			for b.Loop() {
				if look == "first" {
					cache = filepath.Join(b.TempDir(), fmt.Sprint("cache", b.N, time.Now().UnixNano()))
				}
				spent += walk(open())
			}
			b.ReportMetric(float64(spent.Microseconds())/1e3/float64(b.N), "cpu-ms/range")
		})
	}
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// signedHistory makes a line of commits on top of an unsigned one, all signed with one SSH key.
func signedHistory(b *testing.B, n int) (repo, policy, since, tip string) {
	b.Helper()
	dir := b.TempDir()
	repo = filepath.Join(dir, "repo")
	git := func(stdin string, args ...string) string {
		cmd := exec.Command("git", append([]string{"-C", repo}, args...)...)
		cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/nonexistent")
		cmd.Stdin = strings.NewReader(stdin)
		out, err := cmd.Output()
		if err != nil {
			b.Fatalf("git %s: %v", args, err)
		}
		return strings.TrimSpace(string(out))
	}
	if err := exec.Command("git", "init", "-q", "-b", "main", repo).Run(); err != nil {
		b.Fatal(err)
	}
	var trees []string
	for i := range 2 {
		blob := git(fmt.Sprint(i), "hash-object", "-w", "--stdin")
		sub := git("100644 blob "+blob+"\tfile.go\n", "mktree")
		trees = append(trees, git("040000 tree "+sub+"\tinternal\n100644 blob "+blob+"\tREADME\n", "mktree"))
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		b.Fatal(err)
	}
	var paths strings.Builder
	for i := range n + 1 {
		head, rest := "tree "+trees[i%2]+"\n", fmt.Sprintf("author A <a@example.org> %d +0000\ncommitter A <a@example.org> %d +0000\n", 1_700_000_000+i, 1_700_000_000+i)
		if tip != "" {
			head += "parent " + tip + "\n"
		}
		body := "\nchange " + fmt.Sprint(i) + "\n"
		object := head + rest + body
		if i > 0 {
			object = head + rest + "gpgsig " + strings.ReplaceAll(sshSignature(b, signer, object), "\n", "\n ") + "\n" + body
		}
		sum := sha1.Sum([]byte(fmt.Sprintf("commit %d\x00%s", len(object), object)))
		if tip = hex.EncodeToString(sum[:]); i == 0 {
			since = tip
		}
		file := filepath.Join(dir, fmt.Sprint(i))
		if err := os.WriteFile(file, []byte(object), 0o600); err != nil {
			b.Fatal(err)
		}
		paths.WriteString(file + "\n")
	}
	git(paths.String(), "hash-object", "-t", "commit", "-w", "--stdin-paths")
	git("", "update-ref", "refs/heads/main", tip)
	git("", "repack", "-adq")
	policy = filepath.Join(dir, "policy.toml")
	text := fmt.Sprintf("format = 1\n[[principal]]\nname = \"a\"\nssh = %q\n[source]\nsigned-by = \"a\"\n", strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey()))))
	if err := os.WriteFile(policy, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	return repo, policy, since, tip
}

// sshSignature signs as OpenSSH's PROTOCOL.sshsig says.
func sshSignature(b *testing.B, signer ssh.Signer, object string) string {
	b.Helper()
	sum := sha512.Sum512([]byte(object))
	signed := ssh.Marshal(struct{ Namespace, Reserved, Hash, Sum string }{"git", "", "sha512", string(sum[:])})
	sig, err := signer.Sign(rand.Reader, append([]byte("SSHSIG"), signed...))
	if err != nil {
		b.Fatal(err)
	}
	blob := append([]byte("SSHSIG"), ssh.Marshal(struct {
		Version                                   uint32
		Key, Namespace, Reserved, Hash, Signature string
	}{1, string(signer.PublicKey().Marshal()), "git", "", "sha512", string(ssh.Marshal(sig))})...)
	text := base64.StdEncoding.EncodeToString(blob)
	var lines strings.Builder
	for len(text) > 70 {
		lines.WriteString(text[:70] + "\n")
		text = text[70:]
	}
	return "-----BEGIN SSH SIGNATURE-----\n" + lines.String() + text + "\n-----END SSH SIGNATURE-----"
}
