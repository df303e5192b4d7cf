// Package remote is the only package that opens connections.
//
// What it promises: https only (plain http only to loopback addresses, or to hosts that the caller's own ecosystem
// configuration names with http); redirects stay on https and never carry credentials to another host; every response has
// a byte cap, a deadline and a stall limit; transient failures are retried a bounded number of times with jitter; every
// request is recorded, with user information and query redacted. Corporate proxies and CAs come from the environment
// as Go reads it (HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE, SSL_CERT_DIR).
//
// Lessons it is built on: go-git CVE-2026-41506 (credentials sent to a redirect's host), sigstore-go CVE-2024-45395 and
// cosign CVE-2023-46737 (endless data), apko CVE-2024-36127 (credentials in logs).
package remote

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/progress"
)

// Options configure a client.
type Options struct {
	Offline   bool              // refuse every connection
	PlainHTTP []string          // hosts ("host" or "host:port") that may be reached without TLS, from the user's own configuration
	Transport http.RoundTripper // for tests; nil means the real network
	Netrc     string            // path of a netrc file with credentials; "" for none
	Shelf     Shelf             // stands in front of the network, or in its place; nil for none
}

// Request is one exchange as it goes into the run record.
type Request struct {
	URL    string `json:"url"` // user information and query removed
	Status int    `json:"status,omitempty"`
	Size   int64  `json:"size,omitempty"`   // bytes of the body that were read
	SHA256 string `json:"sha256,omitempty"` // of the body, when it was read to its end
	Error  string `json:"error,omitempty"`
}

// Client opens connections, see the package comment. It is safe for concurrent use.
type Client struct {
	opts  Options
	base  http.RoundTripper
	creds map[string]login

	mu       sync.Mutex
	requests []Request
}

// New returns a client.
func New(opts Options) (*Client, error) {
	c := &Client{opts: opts, base: opts.Transport}
	if c.base == nil {
		d := &net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}
		c.base = &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            d.DialContext,
			TLSHandshakeTimeout:    tlsTimeout,
			ResponseHeaderTimeout:  headerTimeout,
			MaxResponseHeaderBytes: maxHeaderBytes,
			ForceAttemptHTTP2:      true,
			MaxIdleConnsPerHost:    8,
			IdleConnTimeout:        30 * time.Second,
			DisableCompression:     true, // what is hashed is what was sent
		}
	}
	if opts.Netrc != "" {
		creds, err := readNetrc(opts.Netrc)
		if err != nil {
			return nil, err
		}
		c.creds = creds
	}
	return c, nil
}

// HTTP returns a client for libraries that want one: the same rules, the same record.
func (c *Client) HTTP() *http.Client {
	return &http.Client{Transport: roundTripper{c}, Timeout: totalTimeout, CheckRedirect: checkRedirect}
}

// Offline tells whether every connection is refused.
func (c *Client) Offline() bool { return c.opts.Offline || c.Sealed() }

// Requests returns every exchange so far, in order.
func (c *Client) Requests() []Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.requests)
}

// Get returns the body of rawURL, at most limit bytes. A server that says "not there" (404, 410) is fs.ErrNotExist.
func (c *Client) Get(ctx context.Context, rawURL string, limit int64) ([]byte, error) {
	return c.Do(ctx, Call{URL: rawURL, Limit: limit})
}

// retried repeats what fails for a passing reason, a bounded number of times.
func retried[T any](ctx context.Context, rawURL string, once func() (T, error)) (T, error) {
	var zero T
	var last error
	for attempt := range maxAttempts {
		v, err := once()
		if err == nil {
			return v, nil
		}
		if last = err; !transient(err) || ctx.Err() != nil {
			return zero, err
		}
		if attempt+1 < maxAttempts {
			if err := wait(ctx, attempt); err != nil {
				return zero, err
			}
		}
	}
	return zero, fault.Inconclusivef(Redact(rawURL), "unreachable after %d attempts: %w", maxAttempts, last)
}

// Fetch opens the body of rawURL for reading, at most limit bytes: reading beyond them is an error. Only the opening is
// retried. A server that says "not there" (404, 410) is fs.ErrNotExist.
func (c *Client) Fetch(ctx context.Context, rawURL string, limit int64) (io.ReadCloser, error) {
	return retried(ctx, rawURL, func() (io.ReadCloser, error) { return c.once(ctx, Call{URL: rawURL, Limit: limit}) })
}

// StatusError is an answer other than 200.
type StatusError struct {
	URL    string // redacted
	Status int
	Text   string // the beginning of the body
}

// Error returns the answer, its text quoted.
func (e *StatusError) Error() string {
	if e.Text == "" {
		return fmt.Sprintf("%s: server answered %d", e.URL, e.Status)
	}
	return fmt.Sprintf("%s: server answered %d %+q", e.URL, e.Status, e.Text)
}

// Is makes 404 and 410 fs.ErrNotExist, as the module proxy protocol reads them.
func (e *StatusError) Is(target error) bool {
	return target == fs.ErrNotExist && (e.Status == http.StatusNotFound || e.Status == http.StatusGone)
}

func transient(err error) bool {
	var s *StatusError
	if errors.As(err, &s) {
		return s.Status == http.StatusTooManyRequests || s.Status >= 500
	}
	var n *networkError
	return errors.As(err, &n)
}

// networkError marks a failure of the transport, as opposed to a refusal of ours.
type networkError struct{ err error }

func (e *networkError) Error() string { return e.err.Error() }
func (e *networkError) Unwrap() error { return e.err }

func classify(rawURL string, err error) error {
	var e *fault.Error
	if errors.As(err, &e) {
		return e
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // the url.Error repeats the URL with its query
	}
	return fault.Inconclusivef(Redact(rawURL), "unreachable: %w", &networkError{err}).WithHint("check the network, or the proxy in HTTPS_PROXY")
}

func wait(ctx context.Context, attempt int) error {
	d := firstBackoff << attempt
	d += rand.N(d)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// checkRedirect keeps https and drops everything secret when the host changes.
func checkRedirect(req *http.Request, via []*http.Request) error {
	if len(via) >= maxRedirects {
		return fault.Inconclusivef(Redact(via[0].URL.String()), "more than %d redirects", maxRedirects)
	}
	if via[0].URL.Scheme == "https" && req.URL.Scheme != "https" {
		return fault.Inconclusivef(Redact(via[0].URL.String()), "refused redirect to %s", Redact(req.URL.String()))
	}
	if req.URL.Host != via[0].URL.Host {
		req.Header.Del("Authorization")
		req.Header.Del("Cookie")
		req.Header.Set(crossHost, "1")
	}
	return nil
}

// crossHost marks, inside this package only, a request that a redirect sent to another host: no credentials are added.
const crossHost = "X-Internal-Cross-Host"

// Redact returns rawURL without user information and query, for people and records.
func Redact(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil {
		scheme, rest, ok := strings.Cut(rawURL, "://")
		if !ok {
			return "malformed URL" // where its user information ends cannot be told
		}
		rest, _, _ = strings.Cut(rest, "?")
		return fault.Quote(scheme + "://" + rest[strings.LastIndexByte(rest, '@')+1:])
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return fault.Quote(u.String())
}

type roundTripper struct{ c *Client }

func (t roundTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	c := t.c
	if prev := req.Response; prev != nil && prev.Request != nil { // redirected by a client of a library's own, see HTTP
		req = req.Clone(req.Context())
		if err := checkRedirect(req, []*http.Request{prev.Request}); err != nil {
			return nil, err
		}
	}
	rec := Request{URL: Redact(req.URL.String())}
	if err := c.allowed(req.URL); err != nil {
		rec.Error = err.Error()
		c.record(rec)
		return nil, err
	}
	cross := req.Header.Get(crossHost) != ""
	if l, ok := c.creds[req.URL.Hostname()]; (ok && !cross && req.URL.Scheme == "https" && req.Header.Get("Authorization") == "") || cross {
		req = req.Clone(req.Context())
		req.Header.Del(crossHost)
		if ok && !cross {
			req.SetBasicAuth(l.name, l.secret)
		}
	}
	ctx, cancel := context.WithCancelCause(req.Context())
	resp, err := c.base.RoundTrip(req.WithContext(ctx))
	if err != nil {
		cancel(nil)
		rec.Error = "unreachable"
		c.record(rec)
		return nil, err
	}
	rec.Status = resp.StatusCode
	resp.Body = &recorded{body: resp.Body, src: progress.Reader(ctx, resp.Body, resp.ContentLength), rec: rec, c: c, h: sha256.New(), cancel: cancel,
		stall: time.AfterFunc(stallTimeout, func() { cancel(errStalled) }), ctx: ctx}
	return resp, nil
}

var errStalled = errors.New("no data for a minute")

func (c *Client) allowed(u *url.URL) error {
	switch {
	case c.Sealed():
		return fault.Inconclusivef(Redact(u.String()), "not fetched: everything is taken from the kit, and it is not in it")
	case c.opts.Offline:
		return fault.Inconclusivef(Redact(u.String()), "not fetched: working offline").WithHint("run once without --offline, or provide the input")
	case u.User != nil:
		return fault.Usagef(Redact(u.String()), "unsupported URL: user information in it").WithHint("keep credentials in netrc")
	case u.Scheme == "https":
		return nil
	case u.Scheme == "http" && (loopback(u.Hostname()) || slices.Contains(c.opts.PlainHTTP, u.Host) || slices.Contains(c.opts.PlainHTTP, u.Hostname())):
		return nil
	}
	return fault.Inconclusivef(Redact(u.String()), "refused: only https is spoken").WithHint("use an https address")
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func (c *Client) record(r Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.requests) < maxRequestsKept {
		c.requests = append(c.requests, r)
	}
}

// capped ends a body with an error, not with a clean end, when it is larger than allowed.
type capped struct {
	io.ReadCloser
	left, limit int64
	name        string
}

func (c *capped) Read(p []byte) (int, error) {
	if int64(len(p)) > c.left+1 {
		p = p[:c.left+1]
	}
	n, err := c.ReadCloser.Read(p)
	if int64(n) > c.left {
		return int(c.left), fault.Failf(c.name, "exceeds limit: more than %d bytes", c.limit)
	}
	c.left -= int64(n)
	return n, err
}

// recorded hashes a body while it is read and writes the record when it is closed.
type recorded struct {
	body io.ReadCloser
	src  io.Reader // body, watched by whoever shows progress
	rec  Request
	c    *Client
	h    interface {
		io.Writer
		Sum([]byte) []byte
	}
	cancel context.CancelCauseFunc
	ctx    context.Context
	stall  *time.Timer
	once   sync.Once
}

func (r *recorded) Read(p []byte) (int, error) {
	r.stall.Reset(stallTimeout)
	n, err := r.src.Read(p)
	r.h.Write(p[:n])
	r.rec.Size += int64(n)
	switch {
	case err == io.EOF:
		r.rec.SHA256 = hex.EncodeToString(r.h.Sum(nil))
	case err != nil && errors.Is(context.Cause(r.ctx), errStalled):
		err = fault.Inconclusivef(r.rec.URL, "transfer stalled: %w", &networkError{errStalled})
	case err != nil && !errors.Is(err, context.Canceled):
		err = fault.Inconclusivef(r.rec.URL, "transfer broke off: %w", &networkError{err})
	}
	return n, err
}

func (r *recorded) Close() error {
	err := r.body.Close()
	r.once.Do(func() {
		r.stall.Stop()
		r.cancel(nil)
		r.c.record(r.rec)
	})
	return err
}
