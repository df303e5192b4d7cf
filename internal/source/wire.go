package source

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/transport"
)

// httpWire carries exchanges over https (gitprotocol-http(5)), with the rules of httpClient.
type httpWire struct {
	client *http.Client
	base   string // the repository's URL, after a redirect the one that was redirected to
}

const uploadPack = "git-upload-pack"

func (w *httpWire) greeting(ctx context.Context) (io.ReadCloser, error) {
	const suffix = "/info/refs"
	resp, err := w.do(ctx, http.MethodGet, w.base+suffix+"?service="+uploadPack, nil, "application/x-"+uploadPack+"-advertisement")
	if err != nil {
		return nil, err
	}
	final := *resp.Request.URL
	if path, ok := strings.CutSuffix(final.Path, suffix); ok {
		final.Path, final.RawPath, final.RawQuery = path, "", ""
		w.base = final.String()
	}
	return resp.Body, nil
}

func (w *httpWire) ask(ctx context.Context, request string) (io.ReadCloser, error) {
	resp, err := w.do(ctx, http.MethodPost, w.base+"/"+uploadPack, strings.NewReader(request), "application/x-"+uploadPack+"-result")
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

func (w *httpWire) do(ctx context.Context, method, url string, body io.Reader, want string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", want)
	req.Header.Set("Git-Protocol", "version=2")
	if body != nil {
		req.Header.Set("Content-Type", "application/x-"+uploadPack+"-request")
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return nil, err
	}
	switch resp.StatusCode {
	case http.StatusOK:
		if resp.Header.Get("Content-Type") == want {
			return resp, nil
		}
		err = errors.New("no git server")
	case http.StatusUnauthorized:
		err = transport.ErrAuthenticationRequired
	case http.StatusForbidden:
		err = transport.ErrAuthorizationFailed
	case http.StatusNotFound, http.StatusGone:
		err = transport.ErrRepositoryNotFound
	default:
		err = errors.New("server answered " + resp.Status)
	}
	resp.Body.Close()
	return nil, err
}

// sshWire carries exchanges over ssh (gitprotocol-pack(5)): each is one run of git-upload-pack.
type sshWire struct{ endpoint *transport.Endpoint }

func (w *sshWire) greeting(ctx context.Context) (io.ReadCloser, error) {
	return startSSH(ctx, w.endpoint, uploadPack+" "+shellQuote(w.endpoint.Path), "")
}

// ask reads the greeting again, since it is another run.
func (w *sshWire) ask(ctx context.Context, request string) (io.ReadCloser, error) {
	run, err := startSSH(ctx, w.endpoint, uploadPack+" "+shellQuote(w.endpoint.Path), request)
	if err != nil {
		return nil, err
	}
	p := newPktReader(run, maxAdvertisement)
	for {
		_, kind, err := p.line()
		if err != nil {
			run.Close()
			return nil, err
		}
		if kind == flushPacket {
			return &afterGreeting{p.r, run}, nil
		}
	}
}

// afterGreeting is what follows the greeting, some of which has been read ahead.
type afterGreeting struct {
	io.Reader
	io.Closer
}

// shellQuote makes path one word for the shell that an ssh server hands commands to, as git quotes it: csh reads "!" even within
// quotes.
func shellQuote(path string) string {
	return "'" + strings.NewReplacer("'", `'\''`, "!", `'\!'`).Replace(path) + "'"
}
