package builder

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/remote"
)

// source reads from module proxies, over the network or from a folder.
type source struct {
	remote  *remote.Client
	offline bool
}

// open opens path below base, at most limit bytes. What is not there is fs.ErrNotExist.
func (s source) open(ctx context.Context, base *url.URL, path string, limit int64) (io.ReadCloser, error) {
	u := base.JoinPath(path)
	if u.Scheme == "file" {
		f, err := os.Open(filepath.FromSlash(u.Path))
		if err != nil {
			return nil, err
		}
		if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() || st.Size() > limit {
			f.Close()
			return nil, fault.Failf(u.Path, "is no file of at most %d bytes", limit)
		}
		return f, nil
	}
	if s.offline || s.remote == nil {
		return nil, fault.Inconclusivef(remote.Redact(u.String()), "not fetched: working offline").
			WithHint("run once without --offline").WithCheck(CheckAvailable)
	}
	return s.remote.Fetch(ctx, u.String(), limit)
}

func (s source) get(ctx context.Context, base *url.URL, path string, limit int64) ([]byte, error) {
	r, err := s.open(ctx, base, path, limit)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fault.Failf(remote.Redact(base.JoinPath(path).String()), "exceeds limit: more than %d bytes", limit)
	}
	return data, err
}

// tryProxies calls f with each proxy until one answers, and falls back as GOPROXY says. When all of them say "not there",
// the error is fs.ErrNotExist.
func tryProxies(proxies []Proxy, f func(*url.URL) error) error {
	err := error(fs.ErrNotExist)
	for _, p := range proxies {
		e := f(p.URL)
		if e == nil {
			return nil
		}
		missing := errors.Is(e, fs.ErrNotExist)
		if !missing || errors.Is(err, fs.ErrNotExist) {
			err = e
		}
		if !missing && !p.OnAnyError {
			break
		}
	}
	return err
}
