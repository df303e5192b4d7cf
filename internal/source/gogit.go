package source

import (
	"context"
	"errors"
	"io"

	"github.com/glassbuild/glassbuild/internal/source/gitobj"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
	"github.com/go-git/go-git/v5/plumbing/transport"
	gitssh "github.com/go-git/go-git/v5/plumbing/transport/ssh"
)

// goGit speaks to a server with go-git. Nothing is registered with go-git: its transports are made for one repository.
type goGit struct {
	dial func() (transport.UploadPackSession, error)
	caps *capability.List
}

// sshSession opens a session with the keys of the user's agent, to a host that known_hosts names.
func sshSession(endpoint *transport.Endpoint) (transport.UploadPackSession, error) {
	auth, err := sshAgent(endpoint)
	if err != nil {
		return nil, err
	}
	return gitssh.DefaultClient.NewUploadPackSession(endpoint, auth)
}

func (g *goGit) advertised(ctx context.Context, s *server) error {
	session, err := g.dial()
	if err != nil {
		return err
	}
	defer session.Close()
	adv, err := session.AdvertisedReferencesContext(ctx)
	if err != nil {
		return err
	}
	if len(adv.References) > maxRefs {
		return s.tooManyRefs()
	}
	g.caps = adv.Capabilities
	s.can = abilities{byID: g.caps.Supports(capability.AllowReachableSHA1InWant), shallow: g.caps.Supports(capability.Shallow),
		filter: g.caps.Supports(capability.Filter)}
	for name, hash := range adv.References {
		if name == "HEAD" {
			continue
		}
		if err := s.take(name, idOf(hash)); err != nil {
			return err
		}
		if p, ok := adv.Peeled[name]; ok {
			s.peeled[name] = idOf(p)
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

func (g *goGit) pack(ctx context.Context, _ *server, r request) (io.ReadCloser, error) {
	session, err := g.dial()
	if err != nil {
		return nil, err
	}
	// over ssh the list of refs comes again, and must be read
	if _, err := session.AdvertisedReferencesContext(ctx); err != nil {
		session.Close()
		return nil, err
	}
	req := g.request(r)
	resp, err := session.UploadPack(ctx, req)
	if err != nil {
		session.Close()
		return nil, err
	}
	p := &goGitPack{Reader: resp, resp: resp, session: session}
	switch {
	case req.Capabilities.Supports(capability.Sideband64k):
		p.Reader = sideband.NewDemuxer(sideband.Sideband64k, resp)
	case req.Capabilities.Supports(capability.Sideband):
		p.Reader = sideband.NewDemuxer(sideband.Sideband, resp)
	}
	return p, nil
}

// goGitPack is a pack on its way, and what it comes from.
type goGitPack struct {
	io.Reader
	resp, session io.Closer
}

func (p *goGitPack) Close() error { return errors.Join(p.resp.Close(), p.session.Close()) }

func (g *goGit) request(r request) *packp.UploadPackRequest {
	req := packp.NewUploadPackRequestFromCapabilities(g.caps)
	for _, id := range r.wants {
		req.Wants = append(req.Wants, plumbing.NewHash(id.String()))
	}
	for _, id := range r.haves {
		req.Haves = append(req.Haves, plumbing.NewHash(id.String()))
	}
	if g.caps.Supports(capability.NoProgress) {
		req.Capabilities.Set(capability.NoProgress)
	}
	if r.depth > 0 {
		req.Depth = packp.DepthCommits(r.depth)
		req.Capabilities.Set(capability.Shallow)
	}
	if r.filter != "" {
		req.Filter = packp.Filter(r.filter)
		req.Capabilities.Set(capability.Filter)
	}
	return req
}
