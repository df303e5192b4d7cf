package signature_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"testing"
	"time"

	otherssh "github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"

	"github.com/glassbuild/glassbuild/internal/signature"
	"github.com/glassbuild/glassbuild/internal/trust"
)

// TestSSHOtherWriter reads what an independent implementation of SSHSIG writes.
func TestSSHOtherWriter(t *testing.T) {
	t.Parallel()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	message := []byte("tree 1\n")
	sig, err := otherssh.Sign(bytes.NewReader(message), signer, otherssh.HashSHA512, "git")
	if err != nil {
		t.Fatal(err)
	}
	tr, err := trust.New([]trust.Principal{{Name: "ada", SSH: []trust.SSHKey{{Line: string(bytes.TrimSpace(ssh.MarshalAuthorizedKey(signer.PublicKey())))}}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	opt := signature.Options{Keys: tr, Namespace: "git", SignedAt: at, Now: at}
	if r := signature.Verify(message, otherssh.Armor(sig), opt); r.Status != signature.StatusGood || r.Signer != "ada" {
		t.Fatalf("%+v", r)
	}
	if r := signature.Verify([]byte("tree 2\n"), otherssh.Armor(sig), opt); r.Status != signature.StatusBad {
		t.Fatalf("another message: %+v", r)
	}
}
