package vendors

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"
)

// key is a person with a signing key. Ed25519 signatures have no randomness in them, so that commit ids stay fixed.
type key struct {
	name, email string
	signer      ssh.Signer
	public      string
}

// people are the ones who commit. The contractor signs too, but is not in allowed_signers.
var people = []struct {
	id, name, email string
	allowed         bool
}{
	{"maintainer", "Ada Kestrel", "ada@kestrel.example", true},
	{"release", "Kestrel Release", "release@kestrel.example", true},
	{"contractor", "Sam Contractor", "sam@contractor.example", false},
}

func readKeys(dir string) (map[string]*key, error) {
	keys := map[string]*key{}
	for _, p := range people {
		private, err := os.ReadFile(filepath.Join(dir, "test-key-"+p.id))
		if err != nil {
			return nil, err
		}
		signer, err := ssh.ParsePrivateKey(private)
		if err != nil {
			return nil, fmt.Errorf("test-key-%s: %w", p.id, err)
		}
		public := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey())))
		keys[p.id] = &key{name: p.name, email: p.email, signer: signer, public: public}
	}
	return keys, nil
}

// sign returns an armored SSHSIG over data as git makes it: namespace "git", SHA-512.
func (k *key) sign(data []byte) ([]byte, error) {
	sig, err := sshsig.Sign(bytes.NewReader(data), k.signer, sshsig.HashSHA512, "git")
	if err != nil {
		return nil, err
	}
	return sshsig.Armor(sig), nil
}

// writeKeys writes keys/allowed_signers and the public key of each person.
func (m *maker) writeKeys() error {
	dir := filepath.Join(m.dir, "keys")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var allowed strings.Builder
	for _, p := range people {
		k := m.keys[p.id]
		if err := os.WriteFile(filepath.Join(dir, p.id+".pub"), []byte(k.public+" "+p.email+"\n"), 0o644); err != nil {
			return err
		}
		if p.allowed {
			fmt.Fprintf(&allowed, "%s namespaces=\"git\" %s\n", p.email, k.public)
		}
	}
	return os.WriteFile(filepath.Join(dir, "allowed_signers"), []byte(allowed.String()), 0o644)
}
