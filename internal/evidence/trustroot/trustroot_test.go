package trustroot_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/glassbuild/glassbuild/internal/evidence"
	"github.com/glassbuild/glassbuild/internal/evidence/evidencetest"
	"github.com/glassbuild/glassbuild/internal/evidence/trustroot"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/remote"
)

func TestUpdate(t *testing.T) {
	t.Parallel()
	root := evidencetest.New(t, "tuf").TrustedRoot(evidencetest.Spans{})
	next := time.Now().AddDate(0, 1, 0)
	r := evidencetest.NewRepository(t)
	r.Publish(2, next, map[string][]byte{"trusted_root.json": root, "signing_config.v0.2.json": []byte("{}")})
	client, err := remote.New(remote.Options{})
	if err != nil {
		t.Fatal(err)
	}
	opt := trustroot.Options{Mirror: r.Serve(), Root: r.Root, Cache: t.TempDir(), Remote: client}
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
	refused("another root", "does not verify", fault.Failed, func(o *trustroot.Options) { o.Root, o.Cache = evidencetest.NewRepository(t).Root, t.TempDir() })
	refused("no root for a mirror", "needs its root.json", fault.Usage, func(o *trustroot.Options) { o.Root = nil })
	refused("no network", "", fault.Inconclusive, func(o *trustroot.Options) { o.Mirror, o.Cache = "http://127.0.0.1:1", t.TempDir() })
	r.Publish(1, next, map[string][]byte{"trusted_root.json": []byte("older")})
	refused("rollback", "does not verify", fault.Failed, func(*trustroot.Options) {})
	r.Publish(3, time.Now().Add(-time.Hour), map[string][]byte{"trusted_root.json": root})
	refused("expired", "does not verify", fault.Failed, func(*trustroot.Options) {})
	r.Publish(4, next, map[string][]byte{"other": root})
	refused("no such target", "does not verify", fault.Failed, func(*trustroot.Options) {})
}
