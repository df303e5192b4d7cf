package source

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/source/gitobj"
	"github.com/go-git/go-git/v5/plumbing/transport"
	"golang.org/x/net/http/httpguts"
)

// endpoint is where the large files of a repository are asked for.
type endpoint struct {
	url       string
	header    http.Header
	anonymous bool // credentials from netrc are not for it
}

// largeEndpoint finds it as git-lfs documents it (docs/api/server-discovery.md): lfs.url in the repository's configuration or in
// the commit's .lfsconfig, else what follows from the repository's own URL.
//
// Whoever wrote the commit chose .lfsconfig. It can name any https server, as .gitmodules can, but not have credentials sent to
// another host than the repository's own. An endpoint without URL means that there is none.
func (p part) largeEndpoint(ctx context.Context) (endpoint, error) {
	base := p.repo.baseURL()
	configured, where, err := p.configuredEndpoint()
	if err != nil {
		return endpoint{}, err
	}
	if configured != "" {
		l, err := parseLocation(configured)
		if err != nil {
			return endpoint{}, fault.Failf(where, "unsafe URL of a git LFS server: %s", redactURL(configured)).WithCheck(CheckTree)
		}
		if l.url == "" || l.ssh {
			return endpoint{}, &absentError{errors.New(where + ": git LFS is spoken over https only, not with " + redactURL(configured))}
		}
		return endpoint{url: l.url, anonymous: !sameHost(base, l.url)}, nil
	}
	l, err := parseLocation(base)
	switch {
	case err != nil || l.url == "":
		return endpoint{}, nil
	case l.ssh:
		return authorised(ctx, l)
	}
	return endpoint{url: largeURL(l.url)}, nil
}

// largeURL is the endpoint that follows from a repository's URL.
func largeURL(repository string) string {
	return strings.TrimSuffix(strings.TrimRight(repository, "/"), ".git") + ".git/info/lfs"
}

func sameHost(a, b string) bool {
	x, err := url.Parse(a)
	if err != nil {
		return false
	}
	y, err := url.Parse(b)
	return err == nil && x.Host != "" && x.Host == y.Host && x.Scheme == y.Scheme
}

// configuredEndpoint returns lfs.url or remote.origin.lfsurl, and which file says so.
func (p part) configuredEndpoint() (value, where string, err error) {
	config, err := p.repo.readFile("config", maxConfigSize)
	if err != nil {
		return "", "", err
	}
	committed, err := p.committedConfig()
	if err != nil {
		return "", "", err
	}
	for _, from := range []struct{ name, text string }{{"config", string(config)}, {".lfsconfig", committed}} {
		settings, ok := parseConfig(from.text)
		if !ok {
			return "", "", fault.Failf(from.name, "malformed").WithCheck(CheckTree)
		}
		for _, key := range []string{"remote.origin.lfsurl", "lfs.url"} { // the last one counts
			for _, s := range settings {
				if s.key == key {
					value = s.value
				}
			}
		}
		if value != "" {
			return value, from.name, nil
		}
	}
	return "", "", nil
}

// committedConfig reads the .lfsconfig of a part's tree.
func (p part) committedConfig() (string, error) {
	e, err := p.repo.find(p.tree, ".lfsconfig")
	if errors.Is(err, fs.ErrNotExist) || (err == nil && e.Mode != gitobj.ModeFile && e.Mode != gitobj.ModeExecutable) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	data, err := p.repo.objects.Read(e.ID, gitobj.Blob)
	if err == nil && len(data) > maxConfigSize {
		err = tooMuch(".lfsconfig", "bytes", maxConfigSize)
	}
	return string(data), err
}

// authorised asks an ssh server for a way in over https: git-lfs-authenticate (docs/api/authentication.md). What it gives is
// sent to the server that it names, which is by default its own host.
func authorised(ctx context.Context, l location) (endpoint, error) {
	e, err := transport.NewEndpoint(l.url)
	if err != nil {
		return endpoint{}, &absentError{errors.New("unsupported URL")}
	}
	run, err := startSSH(ctx, e, "git-lfs-authenticate "+shellQuote(e.Path)+" download", "")
	if err != nil {
		return endpoint{}, &absentError{cleaned{err}}
	}
	defer run.Close()
	text, err := io.ReadAll(io.LimitReader(run, maxAuthorisation+1))
	if err != nil {
		return endpoint{}, &absentError{cleaned{err}}
	}
	var answer struct {
		Href   string            `json:"href"`
		Header map[string]string `json:"header"`
	}
	if len(text) > maxAuthorisation || json.Unmarshal(text, &answer) != nil {
		return endpoint{}, &absentError{errors.New("malformed answer of git-lfs-authenticate")}
	}
	if answer.Href == "" {
		answer.Href = largeURL("https://" + e.Host + "/" + strings.TrimPrefix(e.Path, "/"))
	}
	header, err := largeHeader(answer.Header)
	where, urlErr := parseLocation(answer.Href)
	if err != nil || urlErr != nil || where.url == "" || where.ssh {
		return endpoint{}, &absentError{errors.New("malformed answer of git-lfs-authenticate")}
	}
	return endpoint{url: where.url, header: header, anonymous: true}, nil
}

var errLargeHeader = errors.New("malformed headers")

// largeHeader takes the headers that a server gives along for another request.
func largeHeader(given map[string]string) (http.Header, error) {
	if len(given) > maxLargeHeaders {
		return nil, errLargeHeader
	}
	header := make(http.Header, len(given))
	for name, value := range given {
		if len(name)+len(value) > maxLargeHeader || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			return nil, errLargeHeader
		}
		switch name = http.CanonicalHeaderKey(name); name {
		case "Host", "Content-Length", "Transfer-Encoding", "Connection", "Range", "Accept-Encoding":
			// they would change what is asked or how it is framed, not who asks
		default:
			header.Set(name, value)
		}
	}
	return header, nil
}
