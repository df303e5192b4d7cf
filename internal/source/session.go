package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/remote"
	"github.com/glassbuild/glassbuild/internal/source/gitobj"
	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
)

// server is a remote repository. What it says is stored and read by gitobj.
type server struct {
	where  string // for errors
	format gitobj.Format
	client protocol
	refs   []ref
	peeled map[string]gitobj.ID // what the server says annotated tags point to; a hint only
	cuts   []gitobj.ID          // where the server's own history ends, if it is a shallow clone
	can    abilities
}

// abilities are what a server offers beyond whole histories of what its refs point to.
type abilities struct{ byID, shallow, filter bool }

// protocol is how a server is spoken to: by go-git where objects are named with SHA-1, by package code of our own
// (protocol.go) where they are named with SHA-256, which go-git does not read.
type protocol interface {
	// advertised fills in the server's refs and abilities.
	advertised(ctx context.Context, s *server) error
	// pack asks for objects; what it returns is read to its end by the caller.
	pack(ctx context.Context, s *server, r request) (io.ReadCloser, error)
}

// request is one fetch.
type request struct {
	wants, haves []gitobj.ID
	depth        int
	filter       string // of git-rev-list(1); "" is none
}

// connect asks a server for its refs.
func connect(ctx context.Context, l location, client *remote.Client, format gitobj.Format) (*server, error) {
	s := &server{where: redactURL(l.url), format: format, peeled: make(map[string]gitobj.ID)}
	endpoint, err := transport.NewEndpoint(l.url)
	if err != nil {
		return nil, fault.Usagef(s.where, "unsupported URL").WithCheck(CheckRepository)
	}
	if client == nil || client.Offline() {
		return nil, s.inconclusive("not fetched: working offline").WithHint("name a local clone with --repo")
	}
	switch {
	case format == gitobj.SHA256 && l.ssh:
		s.client = &ownClient{wire: &sshWire{endpoint}}
	case format == gitobj.SHA256:
		s.client = &ownClient{wire: &httpWire{client: httpClient(client, format), base: l.url}}
	case l.ssh:
		s.client = &goGit{dial: func() (transport.UploadPackSession, error) { return sshSession(endpoint) }}
	default:
		t := githttp.NewClient(httpClient(client, format))
		s.client = &goGit{dial: func() (transport.UploadPackSession, error) { return t.NewUploadPackSession(endpoint, nil) }}
	}
	if err := s.client.advertised(ctx, s); err != nil {
		return nil, s.failure(err)
	}
	return s, nil
}

// take notes one ref of the server's; only branches and tags count.
func (s *server) take(name string, id gitobj.ID) error {
	if err := checkRefName(name); err != nil {
		return err
	}
	if strings.HasPrefix(name, "refs/heads/") || strings.HasPrefix(name, "refs/tags/") {
		s.refs = append(s.refs, ref{name, id})
	}
	return nil
}

func (s *server) tooManyRefs() error {
	return fault.Failf(s.where, "more than %d refs: exceeds limit", maxRefs).WithCheck(CheckRepository)
}

// fetch asks for a pack and stores it.
func (s *server) fetch(ctx context.Context, into *clone, r request) error {
	pack, err := s.client.pack(ctx, s, r)
	if err != nil {
		return s.failure(err)
	}
	defer pack.Close()
	return into.ingest(ctx, s.format, pack)
}

func (s *server) inconclusive(format string, args ...any) *fault.Error {
	return fault.Inconclusivef(s.where, format, args...).WithCheck(CheckRepository)
}

// httpClient is the caller's client with two more rules: a redirect stays on its host and scheme (CVE-2026-41506), and
// no answer is longer than a pack may be.
func httpClient(client *remote.Client, format gitobj.Format) *http.Client {
	c := *client.HTTP()
	c.Transport = &guard{c.Transport, format == gitobj.SHA1}
	next := c.CheckRedirect
	c.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		if from := via[len(via)-1].URL; req.URL.Host != from.Host || req.URL.Scheme != from.Scheme {
			return fault.Inconclusivef(redactURL(from.String()), "refused redirect to %s", redactURL(req.URL.String())).
				WithCheck(CheckRepository).WithHint("name the repository by its own URL")
		}
		if next != nil {
			return next(req, via)
		}
		return nil
	}
	return &c
}

// guard bounds what a server can send.
type guard struct {
	next  http.RoundTripper
	goGit bool // who reads it
}

// errFormat says that a server names its objects with the other hash function.
var errFormat = errors.New("the server names its objects with ")

var (
	errSHA1   = fmt.Errorf("%wsha1", errFormat)
	errSHA256 = fmt.Errorf("%wsha256", errFormat)
)

// RoundTrip reads the list of refs whole, since go-git takes memory for all of it anyway and its errors do not tell
// what was wrong with it.
func (g *guard) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := g.next.RoundTrip(req)
	if err != nil || resp.StatusCode != http.StatusOK {
		return resp, err
	}
	if req.Method != http.MethodGet {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, maxPackBytes+maxAdvertisement), resp.Body}
		return resp, nil
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAdvertisement+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxAdvertisement {
		return nil, fault.Failf(redactURL(req.URL.String()), "list of refs exceeds limit %d", maxAdvertisement).WithCheck(CheckRepository)
	}
	if g.goGit && bytes.Contains(body[:min(len(body), 4096)], []byte("object-format=sha256")) {
		return nil, errSHA256
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// failure turns an error of the protocol's into one that names the server and says what to do.
func (s *server) failure(err error) error {
	var classified *fault.Error
	switch {
	case errors.As(err, &classified):
		return classified
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, errFormat):
		return s.inconclusive("commit not found: %w", err).WithHint("name the commit by its id in that format")
	case errors.Is(err, transport.ErrAuthenticationRequired), errors.Is(err, transport.ErrAuthorizationFailed):
		return s.inconclusive("the server wants other credentials").WithHint("put them into netrc, or use an ssh URL and an ssh agent")
	case errors.Is(err, transport.ErrRepositoryNotFound):
		return s.inconclusive("repository not found").WithHint("check the URL; a private repository needs credentials in netrc or an ssh agent")
	case errors.Is(err, transport.ErrEmptyRemoteRepository):
		return s.inconclusive("repository is empty")
	case strings.Contains(err.Error(), "http redirect:"):
		// go-git's own rule, which comes before ours when the scheme changes
		return s.inconclusive("refused redirect: %w", cleaned{err}).WithHint("name the repository by its own URL")
	case strings.Contains(err.Error(), "not our ref"), strings.Contains(err.Error(), "unadvertised object"):
		return errNotOurs
	case strings.Contains(err.Error(), "knownhosts"), strings.Contains(err.Error(), "no ssh agent"):
		return s.inconclusive("cannot be reached: %w", err).WithHint("ssh-add a key, and connect once with ssh to accept the host's key")
	}
	return s.inconclusive("cannot be reached: %w", cleaned{err}).WithHint("check the network, or the proxy in HTTPS_PROXY")
}

// errNotOurs is the server's answer to an id that it does not have or does not give.
var errNotOurs = errors.New("commit not found")

// cleaned prints an error of a server's quoted: it may hold anything.
type cleaned struct{ err error }

func (c cleaned) Error() string { return fault.Quote(strings.TrimSpace(c.err.Error())) }
func (c cleaned) Unwrap() error { return c.err }
