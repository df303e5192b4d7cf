package trustroot_test

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/glassbuild/glassbuild/internal/evidence"
	"github.com/glassbuild/glassbuild/internal/evidence/evidencetest"
	"github.com/glassbuild/glassbuild/internal/evidence/trustroot"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/remote"
)

// repository is the smallest TUF repository that clients accept.
type repository struct {
	t    *testing.T
	dir  string
	keys map[string]ed25519.PrivateKey
	root []byte
}

func newRepository(t *testing.T) *repository {
	t.Helper()
	r := &repository{t: t, dir: t.TempDir(), keys: map[string]ed25519.PrivateKey{}}
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
	r.root, err = os.ReadFile(filepath.Join(r.dir, "1.root.json"))
	r.must(err)
	return r
}

func (r *repository) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *repository) signer(role string) signature.Signer {
	s, err := signature.LoadSigner(r.keys[role], crypto.Hash(0))
	r.must(err)
	return s
}

// publish signs version n of the targets.
func (r *repository) publish(n int64, expires time.Time, targets map[string][]byte) {
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

func (r *repository) serve() string {
	s := httptest.NewServer(http.FileServer(http.Dir(r.dir)))
	r.t.Cleanup(s.Close)
	return s.URL
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	root := evidencetest.New(t, "tuf").TrustedRoot(evidencetest.Spans{})
	next := time.Now().AddDate(0, 1, 0)
	r := newRepository(t)
	r.publish(2, next, map[string][]byte{"trusted_root.json": root, "signing_config.v0.2.json": []byte("{}")})
	client, err := remote.New(remote.Options{})
	if err != nil {
		t.Fatal(err)
	}
	opt := trustroot.Options{Mirror: r.serve(), Root: r.root, Cache: t.TempDir(), Remote: client}
	got, err := trustroot.Update(t.Context(), opt)
	if err != nil || !bytes.Equal(got.TrustedRoot, root) || string(got.SigningConfig) != "{}" {
		t.Fatalf("%+v, %v", got, err)
	}
	if _, err := evidence.ParseTrustedRoots("", got.TrustedRoot); err != nil {
		t.Error(err)
	}
	if len(client.Requests()) == 0 {
		t.Error("the requests are not recorded")
	}
	refused := func(name, want string, class fault.Class, change func(*trustroot.Options)) {
		t.Helper()
		o := opt
		change(&o)
		if got, err := trustroot.Update(t.Context(), o); err == nil || got != nil || fault.ClassOf(err) != class || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	refused("another root", "does not verify", fault.Failed, func(o *trustroot.Options) { o.Root, o.Cache = newRepository(t).root, t.TempDir() })
	refused("no root for a mirror", "needs its root.json", fault.Usage, func(o *trustroot.Options) { o.Root = nil })
	refused("no network", "", fault.Inconclusive, func(o *trustroot.Options) { o.Mirror, o.Cache = "http://127.0.0.1:1", t.TempDir() })
	r.publish(1, next, map[string][]byte{"trusted_root.json": []byte("older")})
	refused("rollback", "does not verify", fault.Failed, func(*trustroot.Options) {})
	r.publish(3, time.Now().Add(-time.Hour), map[string][]byte{"trusted_root.json": root})
	refused("expired", "does not verify", fault.Failed, func(*trustroot.Options) {})
	r.publish(4, next, map[string][]byte{"other": root})
	refused("no such target", "does not verify", fault.Failed, func(*trustroot.Options) {})
}
