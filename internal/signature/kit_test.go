package signature_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"crypto/sha256"
	"crypto/sha512"

	"golang.org/x/crypto/ssh"

	"github.com/glassbuild/glassbuild/internal/signature"
	"github.com/glassbuild/glassbuild/internal/trust"
)

var (
	now     = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	payload = []byte("tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor A <a@example.org> 1700000000 +0000\n\nmessage\n")
)

// tool returns the path of a program that the comparison needs, or skips and says what then stays uncompared.
func tool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed: nothing is compared with it", name)
	}
	return path
}

// command prepares a program that runs in dir and knows nothing of whoever runs the test.
func command(dir string, stdin []byte, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GNUPGHOME="+dir, "HOME="+dir, "LC_ALL=C", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a@example.org")
	cmd.Stdin = bytes.NewReader(stdin)
	return cmd
}

// run runs a program in dir and returns all that it says.
func run(t testing.TB, dir string, stdin []byte, name string, args ...string) ([]byte, error) {
	t.Helper()
	return command(dir, stdin, name, args...).CombinedOutput()
}

// must runs a program that must not fail and returns its output.
func must(t testing.TB, dir string, stdin []byte, name string, args ...string) []byte {
	t.Helper()
	cmd := command(dir, stdin, name, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, stderr.Bytes())
	}
	return out
}

func write(t testing.TB, dir, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// shortDir is a folder whose path is short enough for the sockets of gpg-agent.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sig")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func trusted(t testing.TB, principals ...trust.Principal) *trust.Trust {
	t.Helper()
	tr, err := trust.New(principals, nil)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// expect fails unless the result has the status and its detail holds the text.
func expect(t *testing.T, name string, r signature.Result, want signature.Status, detail string) {
	t.Helper()
	if r.Status != want || !strings.Contains(r.Detail, detail) {
		t.Errorf("%s: %s %q, want %s %q", name, r.Status, r.Detail, want, detail)
	}
	if r.Status.Good() && r.Signer == "" {
		t.Errorf("%s: good without a signer", name)
	}
}

// rawSigner signs bytes as an SSH key of some kind does.
type rawSigner struct {
	public []byte
	sign   func(data []byte) *ssh.Signature
}

// fields are what goes into an SSHSIG blob; zero values mean the usual ones.
type fields struct {
	magic, namespace, hash string
	version                uint32
	reserved, trailing     []byte
}

func armour(label string, body []byte) []byte {
	text := base64.StdEncoding.EncodeToString(body)
	var b bytes.Buffer
	b.WriteString("-----BEGIN " + label + "-----\n")
	for len(text) > 70 {
		b.WriteString(text[:70] + "\n")
		text = text[70:]
	}
	b.WriteString(text + "\n-----END " + label + "-----\n")
	return b.Bytes()
}

func str(parts ...[]byte) []byte {
	var out []byte
	for _, p := range parts {
		out = append(binary.BigEndian.AppendUint32(out, uint32(len(p))), p...)
	}
	return out
}

// sshsig builds a signature blob after PROTOCOL.sshsig, without the code under test.
func sshsig(s rawSigner, message []byte, f fields) []byte {
	if f.magic == "" {
		f.magic = "SSHSIG"
	}
	if f.namespace == "" {
		f.namespace = "git"
	}
	if f.hash == "" {
		f.hash = "sha512"
	}
	if f.version == 0 {
		f.version = 1
	}
	sum512 := sha512.Sum512(message)
	digest := sum512[:]
	if f.hash == "sha256" {
		sum := sha256.Sum256(message)
		digest = sum[:]
	}
	signed := append([]byte(f.magic), str([]byte(f.namespace), f.reserved, []byte(f.hash), digest)...)
	blob := binary.BigEndian.AppendUint32([]byte(f.magic), f.version)
	blob = append(blob, str(s.public, []byte(f.namespace), f.reserved, []byte(f.hash), ssh.Marshal(s.sign(signed)))...)
	return append(blob, f.trailing...)
}

func signerOf(t testing.TB, private any, algorithm string) rawSigner {
	t.Helper()
	s, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return rawSigner{s.PublicKey().Marshal(), func(data []byte) *ssh.Signature {
		var sig *ssh.Signature
		var err error // of this call: tests sign side by side
		if as, ok := s.(ssh.AlgorithmSigner); ok && algorithm != "" {
			sig, err = as.SignWithAlgorithm(rand.Reader, data, algorithm)
		} else {
			sig, err = s.Sign(rand.Reader, data)
		}
		if err != nil {
			t.Fatal(err)
		}
		return sig
	}}
}

func line(t testing.TB, blob []byte) string {
	t.Helper()
	key, err := ssh.ParsePublicKey(blob)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
}

// memory is a cache that counts.
type memory struct {
	known        map[[32]byte]bool
	hits, misses int
}

func (m *memory) Valid(key [32]byte) bool {
	if m.known[key] {
		m.hits++
		return true
	}
	m.misses++
	return false
}

func (m *memory) Record(key [32]byte) {
	if m.known == nil {
		m.known = map[[32]byte]bool{}
	}
	m.known[key] = true
}
