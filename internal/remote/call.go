package remote

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// Call is a request that is more than a plain Get.
type Call struct {
	URL       string
	Header    http.Header // for the URL's own host only: a redirect to another one goes without
	Body      []byte      // sent with POST; nil is a GET
	Anonymous bool        // without credentials from netrc
	Limit     int64       // bytes of the answer's body
}

// Do returns the body of the answer to a call, see Get.
func (c *Client) Do(ctx context.Context, call Call) ([]byte, error) {
	return retried(ctx, call.URL, func() ([]byte, error) {
		r, err := c.once(ctx, call)
		if err != nil {
			return nil, err
		}
		defer r.Close()
		data, err := io.ReadAll(r)
		if err != nil {
			return nil, classify(call.URL, err) // torn off: worth another try
		}
		return data, nil
	})
}

func (c *Client) once(ctx context.Context, call Call) (io.ReadCloser, error) {
	req, err := call.request(ctx)
	if err != nil {
		return nil, fault.Usagef(Redact(call.URL), "unsupported URL")
	}
	client := c.HTTP()
	client.CheckRedirect = call.redirect
	resp, err := client.Do(req)
	if err != nil {
		return nil, classify(call.URL, err)
	}
	if resp.StatusCode == http.StatusOK {
		if resp.ContentLength > call.Limit {
			resp.Body.Close()
			return nil, fault.Failf(Redact(call.URL), "exceeds limit: %d bytes announced, at most %d", resp.ContentLength, call.Limit)
		}
		return &capped{ReadCloser: resp.Body, left: call.Limit, name: Redact(call.URL), limit: call.Limit}, nil
	}
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorText))
	resp.Body.Close()
	return nil, &StatusError{URL: Redact(call.URL), Status: resp.StatusCode, Text: strings.TrimSpace(string(text))}
}

func (call *Call) request(ctx context.Context) (*http.Request, error) {
	method, body := http.MethodGet, io.Reader(nil)
	if call.Body != nil {
		method, body = http.MethodPost, bytes.NewReader(call.Body)
	}
	req, err := http.NewRequestWithContext(ctx, method, call.URL, body)
	if err != nil {
		return nil, err
	}
	for name, values := range call.Header {
		req.Header[name] = slices.Clone(values)
	}
	if call.Anonymous {
		req.Header.Set(crossHost, "1")
	}
	return req, nil
}

// redirect is checkRedirect for a call: once it has left its host, its headers stay behind. net/http does so itself with those
// that it knows to be secret only, and copies the others again at every step.
func (call *Call) redirect(req *http.Request, via []*http.Request) error {
	if err := checkRedirect(req, via); err != nil {
		return err
	}
	left := func(r *http.Request) bool { return r.URL.Host != via[0].URL.Host || r.URL.Scheme != via[0].URL.Scheme }
	if left(req) || slices.ContainsFunc(via, left) {
		for name := range call.Header {
			req.Header.Del(name)
		}
	}
	return nil
}
