package evidencetest

import (
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// Repository is the smallest TUF repository that clients accept.
type Repository struct {
	tb   testing.TB
	dir  string
	keys map[string]ed25519.PrivateKey
	Root []byte // root.json
}

// NewRepository returns one that holds nothing yet.
func NewRepository(tb testing.TB) *Repository {
	tb.Helper()
	r := &Repository{tb: tb, dir: tb.TempDir(), keys: map[string]ed25519.PrivateKey{}}
	root := metadata.Root(time.Now().AddDate(1, 0, 0))
	root.Signed.ConsistentSnapshot = true
	for _, role := range []string{"root", "targets", "snapshot", "timestamp"} {
		public, private, err := ed25519.GenerateKey(nil)
		r.must(err)
		r.keys[role] = private
		key, err := metadata.KeyFromPublicKey(public)
		r.must(err)
		r.must(root.Signed.AddKey(key, role))
	}
	_, err := root.Sign(r.signer("root"))
	r.must(err)
	r.must(root.ToFile(filepath.Join(r.dir, "1.root.json"), true))
	r.Root, err = os.ReadFile(filepath.Join(r.dir, "1.root.json"))
	r.must(err)
	return r
}

func (r *Repository) must(err error) {
	r.tb.Helper()
	if err != nil {
		r.tb.Fatal(err)
	}
}

func (r *Repository) signer(role string) signature.Signer {
	s, err := signature.LoadSigner(r.keys[role], crypto.Hash(0))
	r.must(err)
	return s
}

// Publish signs version n of the targets.
func (r *Repository) Publish(n int64, expires time.Time, targets map[string][]byte) {
	t := metadata.Targets(expires)
	r.must(os.MkdirAll(filepath.Join(r.dir, "targets"), 0o755))
	for name, data := range targets {
		f, err := metadata.TargetFile().FromBytes(name, data, "sha256")
		r.must(err)
		t.Signed.Targets[name] = f
		sum := sha256.Sum256(data)
		r.must(os.WriteFile(filepath.Join(r.dir, "targets", hex.EncodeToString(sum[:])+"."+name), data, 0o600))
	}
	sn, ts := metadata.Snapshot(expires), metadata.Timestamp(expires)
	t.Signed.Version, sn.Signed.Version, ts.Signed.Version = n, n, n
	sn.Signed.Meta["targets.json"], ts.Signed.Meta["snapshot.json"] = metadata.MetaFile(n), metadata.MetaFile(n)
	for role, sign := range map[string]func(signature.Signer) (*metadata.Signature, error){"targets": t.Sign, "snapshot": sn.Sign, "timestamp": ts.Sign} {
		_, err := sign(r.signer(role))
		r.must(err)
	}
	version := string(rune('0' + n))
	r.must(t.ToFile(filepath.Join(r.dir, version+".targets.json"), true))
	r.must(sn.ToFile(filepath.Join(r.dir, version+".snapshot.json"), true))
	r.must(ts.ToFile(filepath.Join(r.dir, "timestamp.json"), true))
}

// Serve starts a server on the loopback and returns its address.
func (r *Repository) Serve() string {
	s := httptest.NewServer(http.FileServer(http.Dir(r.dir)))
	r.tb.Cleanup(s.Close)
	return s.URL
}
