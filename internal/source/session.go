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
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
	gitssh "github.com/go-git/go-git/v5/plumbing/transport/ssh"
)

// server is a remote repository. go-git speaks the protocol; what it brings is stored and read by gitobj. Nothing is
// registered with go-git: its transports are made here, for one repository.
type server struct {
	where  string // for errors
	dial   func() (transport.UploadPackSession, error)
	refs   []ref
	peeled map[string]gitobj.ID // what the server says annotated tags point to; a hint only
	cuts   []gitobj.ID          // where the server's own history ends, if it is a shallow clone
	caps   *capability.List
}

// connect asks a server for its refs.
func connect(ctx context.Context, l location, client *remote.Client) (*server, error) {
	s := &server{where: redactURL(l.url)}
	endpoint, err := transport.NewEndpoint(l.url)
	if err != nil {
		return nil, fault.Usagef(s.where, "unsupported URL").WithCheck(CheckRepository)
	}
	if client == nil || client.Offline() {
		return nil, s.inconclusive("not fetched: working offline").WithHint("name a local clone with --repo")
	}
	if l.ssh {
		s.dial = func() (transport.UploadPackSession, error) { return sshSession(endpoint) }
	} else {
		t := githttp.NewClient(httpClient(client))
		s.dial = func() (transport.UploadPackSession, error) { return t.NewUploadPackSession(endpoint, nil) }
	}
	return s, s.advertised(ctx)
}

func (s *server) inconclusive(format string, args ...any) *fault.Error {
	return fault.Inconclusivef(s.where, format, args...).WithCheck(CheckRepository)
}

// sshSession opens a session with the keys of the user's agent, to a host that known_hosts names.
func sshSession(endpoint *transport.Endpoint) (transport.UploadPackSession, error) {
	user := endpoint.User
	if user == "" {
		user = gitssh.DefaultUsername
	}
	auth, err := gitssh.NewSSHAgentAuth(user)
	if err != nil {
		return nil, fmt.Errorf("no ssh agent: %w", err)
	}
	return gitssh.DefaultClient.NewUploadPackSession(endpoint, auth)
}

// httpClient is the caller's client with two more rules: a redirect stays on its host and scheme (CVE-2026-41506), and
// no answer is longer than a pack may be.
func httpClient(client *remote.Client) *http.Client {
	c := *client.HTTP()
	c.Transport = &guard{c.Transport}
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
type guard struct{ next http.RoundTripper }

var errSHA256 = errors.New("object format unsupported: the server names its objects with sha256")

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
	if bytes.Contains(body[:min(len(body), 4096)], []byte("object-format=sha256")) {
		return nil, errSHA256
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// advertised reads the list of refs.
func (s *server) advertised(ctx context.Context) error {
	session, err := s.dial()
	if err != nil {
		return s.failure(err)
	}
	defer session.Close()
	adv, err := session.AdvertisedReferencesContext(ctx)
	if err != nil {
		return s.failure(err)
	}
	if len(adv.References) > maxRefs {
		return fault.Failf(s.where, "more than %d refs: exceeds limit", maxRefs).WithCheck(CheckRepository)
	}
	s.caps = adv.Capabilities
	s.peeled = make(map[string]gitobj.ID)
	for name, hash := range adv.References {
		if name == "HEAD" {
			continue
		}
		if err := checkRefName(name); err != nil {
			return err
		}
		if strings.HasPrefix(name, "refs/heads/") || strings.HasPrefix(name, "refs/tags/") {
			s.refs = append(s.refs, ref{name, idOf(hash)})
			if p, ok := adv.Peeled[name]; ok {
				s.peeled[name] = idOf(p)
			}
		}
	}
	for _, h := range adv.Shallows {
		s.cuts = append(s.cuts, idOf(h))
	}
	return nil
}

func idOf(h plumbing.Hash) gitobj.ID {
	id, _ := gitobj.ParseID(h.String())
	return id
}

// request is one fetch.
type request struct {
	wants, haves []gitobj.ID
	depth        int
	filter       packp.Filter
}

// fetch asks for a pack and stores it.
func (s *server) fetch(ctx context.Context, into *clone, r request) error {
	session, err := s.dial()
	if err != nil {
		return s.failure(err)
	}
	defer session.Close()
	// over ssh the list of refs comes again, and must be read
	if _, err := session.AdvertisedReferencesContext(ctx); err != nil {
		return s.failure(err)
	}
	req := packp.NewUploadPackRequestFromCapabilities(s.caps)
	for _, id := range r.wants {
		req.Wants = append(req.Wants, plumbing.NewHash(id.String()))
	}
	for _, id := range r.haves {
		req.Haves = append(req.Haves, plumbing.NewHash(id.String()))
	}
	if s.caps.Supports(capability.NoProgress) {
		req.Capabilities.Set(capability.NoProgress)
	}
	if r.depth > 0 {
		req.Depth = packp.DepthCommits(r.depth)
		req.Capabilities.Set(capability.Shallow)
	}
	if r.filter != "" {
		req.Filter = r.filter
		req.Capabilities.Set(capability.Filter)
	}
	resp, err := session.UploadPack(ctx, req)
	if err != nil {
		return s.failure(err)
	}
	defer resp.Close()
	var pack io.Reader = resp
	switch {
	case req.Capabilities.Supports(capability.Sideband64k):
		pack = sideband.NewDemuxer(sideband.Sideband64k, resp)
	case req.Capabilities.Supports(capability.Sideband):
		pack = sideband.NewDemuxer(sideband.Sideband, resp)
	}
	return into.ingest(ctx, pack)
}

// failure turns an error of go-git's into one that names the server and says what to do.
func (s *server) failure(err error) error {
	var classified *fault.Error
	switch {
	case errors.As(err, &classified):
		return classified
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, errSHA256):
		return s.inconclusive("%v", errSHA256).WithHint("clone it and name the clone with --repo")
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
