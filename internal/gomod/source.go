package gomod

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/mod/module"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/remote"
)

// Fetcher opens what a URL names; a server that says "not there" (404, 410) is fs.ErrNotExist. *remote.Client is one.
type Fetcher interface {
	Fetch(ctx context.Context, url string, limit int64) (io.ReadCloser, error)
}

// Shelf has files by their paths in the protocol, see remote.Shelf. *remote.Client is one.
type Shelf interface {
	Shelved() bool
	Sealed() bool
	Named(name string, fetch func() (io.ReadCloser, error)) (io.ReadCloser, error)
}

// shelfName is what files of the protocol are called on a shelf.
const shelfName = "go/"

// Source is the proxies of one configuration.
type Source struct {
	env     Env
	list    []proxy
	db      Database
	fetcher Fetcher
	shelf   Shelf // nil for none

	dbOnce sync.Once
	dbBase *url.URL
	dbErr  error
}

// NewSource checks the configuration; it opens no connection.
func NewSource(env Env, fetcher Fetcher) (*Source, error) {
	shelf, _ := fetcher.(Shelf)
	if shelf != nil && !shelf.Shelved() {
		shelf = nil
	}
	var list []proxy
	if shelf == nil || !shelf.Sealed() { // a sealed shelf is asked as it is; no proxy need be configured
		var err error
		if list, err = env.proxies(); err != nil {
			return nil, err
		}
	}
	db, err := env.Database()
	if err != nil {
		return nil, err
	}
	return &Source{env: env, list: list, db: db, fetcher: fetcher, shelf: shelf}, nil
}

// Sealed tells whether a sealed shelf stands in the place of every proxy and of the checksum database.
func (s *Source) Sealed() bool { return s.shelf != nil && s.shelf.Sealed() }

// named has a file from the shelf, where there is one.
func (s *Source) named(file string, fetch func() (io.ReadCloser, error)) (io.ReadCloser, error) {
	if s.shelf == nil {
		return fetch()
	}
	return s.shelf.Named(shelfName+file, fetch)
}

// Database returns the configuration's checksum database.
func (s *Source) Database() Database { return s.db }

// Open opens a file of the module proxy protocol, such as "example.com/m/@v/v1.0.0.zip", of the module at modulePath.
// A file that no proxy has is fs.ErrNotExist.
func (s *Source) Open(ctx context.Context, modulePath, file string, limit int64) (io.ReadCloser, error) {
	if err := s.Serves(modulePath); err != nil {
		return nil, err
	}
	return s.named(file, func() (r io.ReadCloser, err error) {
		err = s.each(func(p proxy) (err error) {
			switch {
			case p.direct:
				return errNotProxied(modulePath, "no configured proxy has it")
			case p.off:
				return errOff(modulePath)
			}
			r, err = s.openAt(ctx, p.url, file, limit)
			return err
		})
		return r, err
	})
}

// Serves tells why no proxy may be asked for a module: nil when one may.
func (s *Source) Serves(modulePath string) error {
	switch {
	case s.Sealed():
		return nil
	case s.list[0].off:
		return errOff(modulePath)
	case s.list[0].direct:
		return errNotProxied(modulePath, "the Go configuration names no module proxy")
	case module.MatchPrefixPatterns(s.env.GONOPROXY, modulePath):
		return errNotProxied(modulePath, "GONOPROXY or GOPRIVATE names it")
	}
	return nil
}

// OpenZip opens the zip of a module.
func (s *Source) OpenZip(ctx context.Context, mod module.Version, limit int64) (io.ReadCloser, error) {
	p, err := module.EscapePath(mod.Path)
	if err != nil {
		return nil, fault.Failf(fault.Quote(mod.Path), "%w", err)
	}
	v, err := module.EscapeVersion(mod.Version)
	if err != nil {
		return nil, fault.Failf(fault.Quote(mod.Version), "%w", err)
	}
	return s.Open(ctx, mod.Path, p+"/@v/"+v+".zip", limit)
}

func errOff(modulePath string) error {
	return fault.Inconclusivef(modulePath, "module lookup disabled by GOPROXY=off: %w", fs.ErrNotExist)
}

func errNotProxied(modulePath, why string) error {
	return fault.Inconclusivef(modulePath, "%s, and modules are not fetched straight from version control: %w", why, fs.ErrNotExist).
		WithHint("vendor the module, or serve it from a module proxy")
}

// each tries the proxies in order and keeps the most telling error: one of a proxy that failed rather than one that
// did not have it.
func (s *Source) each(try func(proxy) error) error {
	var best error
	for _, p := range s.list {
		err := try(p)
		if err == nil {
			return nil
		}
		missing := errors.Is(err, fs.ErrNotExist)
		if best == nil || !missing {
			best = err
		}
		if !missing && !p.always {
			break
		}
	}
	return best
}

func (s *Source) openAt(ctx context.Context, base *url.URL, file string, limit int64) (io.ReadCloser, error) {
	if base.Scheme != "file" {
		u := *base
		u.Path = strings.TrimSuffix(u.Path, "/") + "/" + file
		u.RawPath = ""
		return s.fetcher.Fetch(ctx, u.String(), limit)
	}
	root, err := os.OpenRoot(base.Path)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f, err := root.Open(file)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fault.Failf(fault.Quote(file), "not a regular file")
	}
	if err == nil && info.Size() > limit {
		err = fault.Failf(fault.Quote(file), "exceeds %d bytes", limit)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// OpenSum opens a file of the checksum database, such as "latest" or "lookup/example.com/m@v1.0.0". As the go command
// does, it goes through the first proxy that says it passes the database on, else to the database itself.
func (s *Source) OpenSum(ctx context.Context, file string) (io.ReadCloser, error) {
	if s.db.Name == "" {
		return nil, fault.Inconclusivef("checksum database", "switched off by GOSUMDB: %w", fs.ErrNotExist)
	}
	r, err := s.named("sumdb/"+s.db.Name+"/"+file, func() (io.ReadCloser, error) {
		s.dbOnce.Do(func() { s.dbBase, s.dbErr = s.findDatabase(context.WithoutCancel(ctx)) })
		if s.dbErr != nil {
			return nil, s.dbErr
		}
		return s.openAt(ctx, s.dbBase, file, MaxSum)
	})
	if errors.Is(err, remote.ErrAbsent) && s.Sealed() {
		// the database signs what it has, not what it lacks: whoever filled the shelf can leave out the record of what he altered
		return nil, fault.Inconclusivef(fault.Quote(file), "the kit says that the checksum database does not have it, which only the database can say")
	}
	return r, err
}

// ReadSum reads a file of the checksum database whole.
func (s *Source) ReadSum(ctx context.Context, file string) ([]byte, error) {
	r, err := s.OpenSum(ctx, file)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, MaxSum+1))
	if err == nil && len(data) > MaxSum {
		err = fault.Failf(fault.Quote(file), "exceeds limit: more than %d bytes", MaxSum)
	}
	return data, err
}

func (s *Source) findDatabase(ctx context.Context) (base *url.URL, err error) {
	if s.db.url != nil {
		return s.db.url, nil
	}
	err = s.each(func(p proxy) error {
		if p.url == nil {
			return fs.ErrNotExist
		}
		r, err := s.openAt(ctx, p.url, path.Join("sumdb", s.db.Name, "supported"), MaxSum)
		if err != nil {
			return err
		}
		base = p.url.JoinPath("sumdb", s.db.Name)
		return r.Close()
	})
	if errors.Is(err, fs.ErrNotExist) {
		return url.Parse("https://" + s.db.Name)
	}
	return base, err
}

// parseAddress reads the address of a proxy or a database. Its errors repeat no credentials.
func parseAddress(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("unsupported URL %s", remote.Redact(raw))
	}
	switch {
	case u.User != nil:
		return nil, fmt.Errorf("unsupported URL %s: user information in it", remote.Redact(raw))
	case u.Scheme == "file" && u.Host == "" && filepath.IsAbs(u.Path):
	case (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.RawQuery == "" && u.Fragment == "":
	default:
		return nil, fmt.Errorf("unsupported URL %s", remote.Redact(raw))
	}
	return u, nil
}
