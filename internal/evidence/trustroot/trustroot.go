// Package trustroot brings a trusted root and a signing config up to date through The Update Framework: once, when the
// user asks for it. What comes back is stored by the caller and used offline from then on; verifying never asks again.
//
// It promises what TUF 1.0 promises: signatures by a threshold of keys that chain from the root that the caller brings,
// no rollback behind what the cache holds, no expired metadata. It opens connections only through remote, and has no
// address and no root of its own but those of the public instance that sigstore-go ships.
package trustroot

import (
	"context"
	"errors"
	"io/fs"
	"net/url"
	"time"

	"github.com/sigstore/sigstore-go/pkg/tuf"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/remote"
)

// What is asked for.
const (
	trustedRoot   = "trusted_root.json"
	signingConfig = "signing_config.v0.2.json"
	// maxTarget bounds one file that the repository names.
	maxTarget = 4 << 20
)

// Names under which the caller stores them.
const (
	StoredRoot   = "trusted_root.json"
	StoredConfig = "signing_config.json"
)

// Options say where to look.
type Options struct {
	Mirror string // base address of the repository; "" is the public instance's
	Root   []byte // root.json that is trusted; nil is the one that sigstore-go ships, for the public instance only
	Cache  string // folder for metadata, against rollback; required
	Remote *remote.Client
}

// Result is what the repository holds.
type Result struct {
	TrustedRoot   []byte
	SigningConfig []byte // nil where the repository has none
}

// Update fetches. An error leaves everything as it was.
func Update(ctx context.Context, opt Options) (*Result, error) {
	switch {
	case opt.Remote == nil || opt.Cache == "":
		return nil, fault.Usagef("trusted root", "neither network nor cache folder was given")
	case opt.Mirror != "" && opt.Root == nil:
		return nil, fault.Usagef(remote.Redact(opt.Mirror), "a repository of one's own needs its root.json").WithHint("name it with --root")
	}
	o := tuf.DefaultOptions().WithContext(ctx).WithCachePath(opt.Cache).WithFetcher(fetcher{ctx, opt.Remote})
	if opt.Mirror != "" {
		if u, err := url.Parse(opt.Mirror); err != nil || u.Host == "" {
			return nil, fault.Usagef(remote.Redact(opt.Mirror), "unsupported URL")
		}
		o = o.WithRepositoryBaseURL(opt.Mirror)
	}
	if opt.Root != nil {
		o = o.WithRoot(opt.Root)
	}
	client, err := tuf.New(o)
	if err != nil {
		return nil, classify(err)
	}
	r := &Result{}
	if r.TrustedRoot, err = client.GetTarget(trustedRoot); err != nil {
		return nil, classify(err)
	}
	if r.SigningConfig, err = client.GetTarget(signingConfig); err != nil {
		r.SigningConfig = nil // older repositories have none
	}
	return r, nil
}

// classify keeps what the network said; anything else means that the repository is not what its root promises.
func classify(err error) error {
	var classified *fault.Error
	if errors.As(err, &classified) {
		return classified
	}
	text := err.Error()
	if len(text) > 300 {
		text = text[:300] + "…"
	}
	return fault.Failf("trusted root", "the repository does not verify: %s", fault.Quote(text)).
		WithHint("the root that is trusted may be too old, or belong to another repository")
}

// fetcher gives TUF the one dialer.
type fetcher struct {
	ctx    context.Context
	client *remote.Client
}

// DownloadFile implements go-tuf's Fetcher.
func (f fetcher) DownloadFile(where string, limit int64, _ time.Duration) ([]byte, error) {
	data, err := f.client.Get(f.ctx, where, min(limit, maxTarget))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &metadata.ErrDownloadHTTP{StatusCode: 404, URL: where}
	}
	return data, err
}
