package oci

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/remote"
)

// registry is a repository of a registry. The handshake for credentials is go-containerregistry's; requests, limits and
// what of an answer is believed are decided here.
type registry struct {
	ref   Reference
	repo  name.Repository
	keys  authn.Keychain
	guard *guard

	mu     sync.Mutex
	client *http.Client
}

func openRegistry(ref Reference, opt Options) (*registry, error) {
	if opt.Remote == nil {
		return nil, fault.Usagef(fault.Quote(ref.String()), "no way to reach a registry was given")
	}
	r := &registry{ref: ref, repo: ref.repository, keys: authn.DefaultKeychain}
	if opt.Anonymous {
		r.keys = anonymous{}
	}
	r.guard = &guard{base: opt.Remote.HTTP().Transport, host: r.repo.RegistryStr()}
	return r, nil
}

// anonymous has credentials for nobody.
type anonymous struct{}

// Resolve implements authn.Keychain.
func (anonymous) Resolve(authn.Resource) (authn.Authenticator, error) { return authn.Anonymous, nil }

// connect speaks to the registry for the first time.
func (r *registry) connect(ctx context.Context) (*http.Client, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.client != nil {
		return r.client, nil
	}
	auth, err := r.credentials(ctx)
	if err != nil {
		return nil, err
	}
	t, err := transport.NewWithContext(ctx, r.repo.Registry, auth, retrying(r.guard), []string{r.repo.Scope(transport.PullScope)})
	if err != nil {
		return nil, r.failed(ctx, r.repo.RegistryStr(), err)
	}
	r.client = &http.Client{Transport: t}
	return r.client, nil
}

func (r *registry) credentials(ctx context.Context) (authn.Authenticator, error) {
	auth, err := authn.Resolve(ctx, r.keys, r.repo)
	if err != nil {
		return nil, fault.Usagef(fault.Quote(r.repo.RegistryStr()), "docker's credentials cannot be used: %s", fault.Quote(shorten(err.Error()))).
			WithHint("see config.json in $DOCKER_CONFIG or ~/.docker, and the credential helper that it names")
	}
	return auth, nil
}

// retrying repeats what fails for a passing reason.
func retrying(t http.RoundTripper) http.RoundTripper {
	return transport.NewRetry(t, transport.WithRetryPredicate(func(err error) bool {
		var f *fault.Error // a refusal of ours is no passing reason
		return !errors.As(err, &f) && (errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || isTimeout(err))
	}), transport.WithRetryStatusCodes(http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout))
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

var accepted = strings.Join([]string{TypeIndex, TypeManifest, TypeDockerList, TypeDockerManifest}, ",")

func (r *registry) resolve(ctx context.Context) ([]byte, Descriptor, error) {
	id := r.ref.digest
	if id == "" {
		id = r.ref.tag
	}
	raw, mediaType, err := r.manifest(ctx, id)
	return raw, Descriptor{MediaType: mediaType}, err
}

func (r *registry) manifest(ctx context.Context, id string) ([]byte, string, error) {
	resp, err := r.get(ctx, r.path("manifests", id), accepted)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	raw, err := r.body(ctx, resp, MaxManifest)
	mediaType, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	return raw, strings.TrimSpace(mediaType), err
}

func (r *registry) blob(ctx context.Context, digest string) (io.ReadCloser, error) {
	resp, err := r.get(ctx, r.path("blobs", digest), "")
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

func (r *registry) close() error { return nil }

func (r *registry) path(resource, id string) string {
	return "/v2/" + r.repo.RepositoryStr() + "/" + resource + "/" + id
}

// get asks for path, which may carry a query. Any answer but 200 is an error; 404 is fs.ErrNotExist.
func (r *registry) get(ctx context.Context, path, accept string) (*http.Response, error) {
	client, err := r.connect(ctx)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.guard.scheme()+"://"+r.repo.RegistryStr()+path, nil)
	if err != nil {
		return nil, fault.Failf(fault.Quote(r.ref.String()), "unusable address")
	}
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, r.failed(ctx, req.URL.Redacted(), err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, r.failed(ctx, req.URL.String(), transport.CheckError(resp, http.StatusOK))
}

func (r *registry) body(ctx context.Context, resp *http.Response, limit int64) ([]byte, error) {
	where := resp.Request.URL.String()
	if resp.ContentLength > limit {
		return nil, fault.Failf(remote.Redact(where), "exceeds limit: %d bytes announced, at most %d", resp.ContentLength, limit)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, r.failed(ctx, where, err)
	}
	if int64(len(data)) > limit {
		return nil, fault.Failf(remote.Redact(where), "exceeds limit: more than %d bytes", limit)
	}
	return data, nil
}

// failed says what a registry answered, its own words quoted and cut short.
func (r *registry) failed(ctx context.Context, where string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var f *fault.Error
	if errors.As(err, &f) {
		return f
	}
	object := remote.Redact(where)
	var t *transport.Error
	if !errors.As(err, &t) {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return fault.Inconclusivef(object, "unreachable: %s", fault.Quote(shorten(err.Error()))).WithHint("check the network, or the proxy in HTTPS_PROXY")
	}
	switch t.StatusCode {
	case http.StatusNotFound:
		return fault.Inconclusivef(object, "the registry says that this is not there: %w", fs.ErrNotExist)
	case http.StatusUnauthorized, http.StatusForbidden:
		return fault.Inconclusivef(object, "access denied").WithHint("docker login %s, or the credentials in docker's config.json", r.repo.RegistryStr())
	}
	return fault.Inconclusivef(object, "the registry answered %d: %s", t.StatusCode, fault.Quote(shorten(t.Error())))
}

func shorten(text string) string {
	if len(text) > maxErrorText {
		text = text[:maxErrorText] + "…"
	}
	return text
}

// guard stands between go-containerregistry and the connections: a registry must not lead elsewhere without TLS, to this
// machine above all, and no answer is longer than what it can be (its own guards stop at IP addresses, not at names).
type guard struct {
	base http.RoundTripper
	host string
}

func (g *guard) loopback() bool {
	h, _, err := net.SplitHostPort(g.host)
	if err != nil {
		h = g.host
	}
	ip := net.ParseIP(strings.Trim(h, "[]"))
	return h == "localhost" || ip != nil && ip.IsLoopback()
}

func (g *guard) scheme() string {
	if g.loopback() {
		return "http"
	}
	return "https"
}

// RoundTrip implements http.RoundTripper.
func (g *guard) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != "https" && !g.loopback() {
		return nil, fault.Inconclusivef(remote.Redact(req.URL.String()), "refused: %s leads to an address without TLS", fault.Quote(g.host))
	}
	asked := req // what was asked for, before redirects
	for asked.Response != nil && asked.Response.Request != nil {
		asked = asked.Response.Request
	}
	resp, err := g.base.RoundTrip(req)
	if err != nil || strings.Contains(asked.URL.Path, "/blobs/") && req.Method == http.MethodGet {
		return resp, err // blobs are bounded by who reads them
	}
	limit := int64(maxAnswer)
	if strings.Contains(asked.URL.Path, "/manifests/") || strings.Contains(asked.URL.Path, "/referrers/") {
		limit = MaxManifest
	}
	resp.Body = &bounded{ReadCloser: resp.Body, left: limit, object: remote.Redact(req.URL.String()), limit: limit}
	return resp, nil
}

// bounded ends a body with an error where it is longer than allowed.
type bounded struct {
	io.ReadCloser
	left, limit int64
	object      string
}

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if int64(n) > b.left {
		return 0, fault.Failf(b.object, "exceeds limit: more than %d bytes", b.limit)
	}
	b.left -= int64(n)
	return n, err
}
