//go:build unix

package verify

import (
	"bytes"
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
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"golang.org/x/crypto/ssh"
)

const (
	benchCommits = 10_000
	benchByGit   = 60 // of which git looks at so many: it starts programs for each
	benchLooks   = 5
)

// TestBenchHistory prints what a range of signed commits costs in processor time: the first look, reading and tree differences
// included; the second one, which rests on what was remembered; and git verify-commit on some of them, with all that it starts.
// Each commit changes one file, in a packed repository. It asserts nothing about time; `make bench-source` runs it.
func TestBenchHistory(t *testing.T) {
	if os.Getenv("GLASSBUILD_BENCH") == "" {
		t.Skip("a benchmark: make bench-source runs it")
	}
	fmt.Printf("\n%d signed commits, CPU of the whole process tree, medians of %d\n", benchCommits, benchLooks)
	fmt.Printf("%-18s %10s %10s %10s %14s %10s\n", "signed with", "first s", "second s", "second %", "git, each ms", "git / own")
	for _, kind := range []string{"ssh-ed25519", "openpgp-ed25519", "openpgp-rsa4096"} {
		h := signedHistory(t, kind, benchCommits)
		var first, second []float64
		for i := range benchLooks {
			cache := filepath.Join(h.dir, fmt.Sprint("cache", i))
			first = append(first, h.walk(t, cache))
			second = append(second, h.walk(t, cache))
		}
		a, b, git := middle(first), middle(second), h.byGit(t)
		fmt.Printf("%-18s %10.3f %10.3f %10.1f %14.2f %10.0f\n", kind, a, b, 100*b/a, 1000*git, git*benchCommits/a)
	}
}

func middle(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

// history is a line of signed commits on top of an unsigned one.
type history struct {
	dir, repo, policy, since, tip string
	some                          []string // ids for git to look at
	env                           []string // that lets git verify them
}

// walk looks at the whole range, and returns what it cost.
func (h *history) walk(t *testing.T, cache string) float64 {
	t.Helper()
	r, err := begin(context.Background(), Request{Repository: h.repo, Commit: h.tip, PolicyFile: h.policy, CacheDir: cache})
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	if err := r.openSource(context.Background()); err != nil {
		t.Fatal(err)
	}
	before := processorTime(t)
	if err := r.walkRange(context.Background(), h.since); err != nil {
		t.Fatal(err)
	}
	spent := processorTime(t) - before
	if s := r.facts.Source.Range; s.Commits != benchCommits || len(s.By) != 1 || s.By[0].Signature.Status != "good" {
		t.Fatalf("%+v", s)
	}
	return spent.Seconds()
}

func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// byGit returns what git spends on one commit.
func (h *history) byGit(t *testing.T) float64 {
	t.Helper()
	var spent []float64
	for range 3 {
		cmd := exec.Command("git", append([]string{"-C", h.repo, "verify-commit"}, h.some...)...)
		cmd.Env = h.env
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git verify-commit: %v: %.2000s", err, out)
		}
		spent = append(spent, (cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime()).Seconds()/float64(len(h.some)))
	}
	return middle(spent)
}

// signedHistory makes n commits that are signed with one key of that kind.
func signedHistory(t *testing.T, kind string, n int) *history {
	t.Helper()
	dir, err := os.MkdirTemp("", "gb") // short enough for the sockets of gpg-agent
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	h := &history{dir: dir, repo: filepath.Join(dir, "repo"), policy: filepath.Join(dir, "policy.toml")}
	h.env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+filepath.Join(dir, "gitconfig"), "GNUPGHOME="+dir)
	h.tool(t, "", "git", "init", "-q", "-b", "main", h.repo)
	sign, key := h.signer(t, kind)
	var trees []string
	for i := range 2 {
		blob := h.git(t, fmt.Sprint(i), "hash-object", "-w", "--stdin")
		sub := h.git(t, "100644 blob "+blob+"\tfile.go\n", "mktree")
		trees = append(trees, h.git(t, "040000 tree "+sub+"\tinternal\n100644 blob "+blob+"\tREADME\n", "mktree"))
	}
	var paths strings.Builder
	for i := range n + 1 {
		head, rest := "tree "+trees[i%2]+"\n", fmt.Sprintf("author A <a@example.org> %d +0000\ncommitter A <a@example.org> %d +0000\n", 1_760_000_000+i, 1_760_000_000+i)
		if h.tip != "" {
			head += "parent " + h.tip + "\n"
		}
		body := "\nchange " + fmt.Sprint(i) + "\n"
		object := head + rest + body
		if i > 0 {
			object = head + rest + "gpgsig " + strings.ReplaceAll(sign(object), "\n", "\n ") + "\n" + body
		}
		sum := sha1.Sum([]byte(fmt.Sprintf("commit %d\x00%s", len(object), object)))
		if h.tip = hex.EncodeToString(sum[:]); i == 0 {
			h.since = h.tip
		} else if i%(n/benchByGit) == 0 && len(h.some) < benchByGit {
			h.some = append(h.some, h.tip)
		}
		file := filepath.Join(dir, fmt.Sprint(i))
		writeTest(t, file, object)
		paths.WriteString(file + "\n")
	}
	h.git(t, paths.String(), "hash-object", "-t", "commit", "-w", "--stdin-paths")
	h.git(t, "", "update-ref", "refs/heads/main", h.tip)
	h.git(t, "", "repack", "-adq")
	writeTest(t, h.policy, "format = 1\n[[principal]]\nname = \"a\"\n"+key+"\n[source]\nsigned-by = \"a\"\n")
	return h
}

func (h *history) git(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	return h.tool(t, stdin, "git", append([]string{"-C", h.repo}, args...)...)
}

func (h *history) tool(t *testing.T, stdin, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env, cmd.Stdin = h.env, strings.NewReader(stdin)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v", name, args, err)
	}
	return strings.TrimSpace(string(out))
}

func writeTest(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// signer makes a key, tells git and the policy of it, and returns what signs with it.
func (h *history) signer(t *testing.T, kind string) (sign func(string) string, policy string) {
	t.Helper()
	if kind == "ssh-ed25519" {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		signer, err := ssh.NewSignerFromKey(key)
		if err != nil {
			t.Fatal(err)
		}
		line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey())))
		writeTest(t, filepath.Join(h.dir, "signers"), "a@example.org "+line+"\n")
		writeTest(t, filepath.Join(h.dir, "gitconfig"), "[gpg \"ssh\"]\nallowedSignersFile = "+filepath.Join(h.dir, "signers")+"\n")
		return func(object string) string { return sshSignature(t, signer, object) }, fmt.Sprintf("ssh = %q", line)
	}
	config := &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA, Time: func() time.Time { return time.Unix(1_750_000_000, 0) }}
	if kind == "openpgp-rsa4096" {
		config.Algorithm, config.RSABits = packet.PubKeyAlgoRSA, 4096
	}
	entity, err := openpgp.NewEntity("A", "", "a@example.org", config)
	if err != nil {
		t.Fatal(err)
	}
	var public bytes.Buffer
	w, err := armor.Encode(&public, openpgp.PublicKeyType, nil)
	if err == nil {
		err = entity.Serialize(w)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	writeTest(t, filepath.Join(h.dir, "a.asc"), public.String()+"\n")
	h.tool(t, "", "gpg", "--batch", "--quiet", "--import", filepath.Join(h.dir, "a.asc"))
	t.Cleanup(func() { exec.Command("gpgconf", "--homedir", h.dir, "--kill", "all").Run() })
	now := time.Unix(1_760_000_000, 0)
	return func(object string) string {
		var b bytes.Buffer
		if err := openpgp.ArmoredDetachSign(&b, entity, strings.NewReader(object), &packet.Config{Time: func() time.Time { return now }}); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}, "openpgp = \"a.asc\""
}

// sshSignature signs as OpenSSH's PROTOCOL.sshsig says.
func sshSignature(t *testing.T, signer ssh.Signer, object string) string {
	t.Helper()
	sum := sha512.Sum512([]byte(object))
	signed := ssh.Marshal(struct{ Namespace, Reserved, Hash, Sum string }{"git", "", "sha512", string(sum[:])})
	sig, err := signer.Sign(rand.Reader, append([]byte("SSHSIG"), signed...))
	if err != nil {
		t.Fatal(err)
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
