package source

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/remote"
)

// largeServer brings the large files of one repository with git LFS's batch API (docs/api/batch.md), transfer "basic". What it
// brings lies in the cache from then on, under its digest, and is hashed each time it is read.
type largeServer struct {
	where    string // the repository, for errors
	client   *remote.Client
	endpoint endpoint
	absent   error // why nothing can be asked for
	cache    *os.Root
	remove   string // a cache that lives no longer than this
	answers  map[string]largeAnswer
}

// largeAnswer is what a server says about one large file.
type largeAnswer struct {
	OID     string `json:"oid"`
	Size    int64  `json:"size"`
	Actions struct {
		Download *struct {
			Href   string            `json:"href"`
			Header map[string]string `json:"header"`
		} `json:"download"`
	} `json:"actions"`
	Error *struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

const largeMedia = "application/vnd.git-lfs+json"

func newLargeServer(ctx context.Context, p part, opt Options) (*largeServer, error) {
	s := &largeServer{where: p.repo.where, client: opt.Remote}
	dir := filepath.Join(opt.CacheDir, "lfs")
	if opt.CacheDir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "glassbuild-lfs-"); err != nil {
			return nil, cacheError(err)
		}
		s.remove = dir
	}
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		s.cache, err = os.OpenRoot(dir)
	}
	if err != nil {
		s.close()
		return nil, cacheError(err)
	}
	if s.client == nil {
		return s, nil
	}
	if s.client.Offline() {
		s.absent = errors.New("working offline")
		return s, nil
	}
	s.endpoint, err = p.largeEndpoint(ctx)
	if absent, is := errors.AsType[*absentError](err); is {
		s.absent, err = absent.why, nil
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *largeServer) close() {
	if s.cache != nil {
		s.cache.Close()
	}
	if s.remove != "" {
		os.RemoveAll(s.remove)
	}
}

// ask asks where some files are. That a server does not answer is no error here: it may be that none of them is needed.
func (s *largeServer) ask(ctx context.Context, files []largeFile) error {
	s.answers = make(map[string]largeAnswer)
	wanted := make(map[string]pointer)
	type object struct {
		OID  string `json:"oid"`
		Size int64  `json:"size"`
	}
	var objects []object
	for _, l := range files {
		if _, err := s.cache.Lstat(l.pointer.path()); err == nil || wanted[l.pointer.oid].oid != "" || l.pointer.size > maxLargeFile {
			continue
		}
		wanted[l.pointer.oid] = l.pointer
		objects = append(objects, object{l.pointer.oid, l.pointer.size})
	}
	if s.endpoint.url == "" || len(objects) == 0 {
		return nil
	}
	body, err := json.Marshal(map[string]any{"operation": "download", "transfers": []string{"basic"}, "hash_algo": "sha256", "objects": objects})
	if err != nil {
		return err
	}
	header := s.endpoint.header.Clone()
	if header == nil {
		header = make(http.Header)
	}
	header.Set("Accept", largeMedia)
	header.Set("Content-Type", largeMedia)
	text, err := s.client.Do(ctx, remote.Call{URL: s.endpoint.url + "/objects/batch", Header: header, Body: body, Anonymous: s.endpoint.anonymous, Limit: maxLargeAnswer})
	if err == nil {
		s.answers, err = parseBatch(text, wanted)
	}
	if err != nil && (ctx.Err() != nil || fault.ClassOf(err) == fault.Failed && !isStatus(err)) {
		return cmp.Or(ctx.Err(), err)
	}
	s.absent = err
	return nil
}

func isStatus(err error) bool {
	_, ok := errors.AsType[*remote.StatusError](err)
	return ok
}

// parseBatch reads the answer to a request for the wanted files. A server that answers about others, or twice, is not believed in
// anything.
func parseBatch(text []byte, wanted map[string]pointer) (map[string]largeAnswer, error) {
	bad := func(why string) error {
		return fault.Inconclusivef("git LFS server", "malformed answer: %s", why).WithCheck(CheckTree)
	}
	var answer struct {
		Transfer string        `json:"transfer"`
		HashAlgo string        `json:"hash_algo"`
		Objects  []largeAnswer `json:"objects"`
	}
	if json.Unmarshal(text, &answer) != nil {
		return nil, bad("no JSON object of that form")
	}
	if cmp.Or(answer.Transfer, "basic") != "basic" || cmp.Or(answer.HashAlgo, "sha256") != "sha256" {
		return nil, bad("a transfer or digest that was not offered")
	}
	answers := make(map[string]largeAnswer, len(answer.Objects))
	for _, o := range answer.Objects {
		p, ok := wanted[o.OID]
		if _, twice := answers[o.OID]; !ok || twice {
			return nil, bad("a file that was not asked for, or one twice")
		}
		if o.Error == nil && o.Size != p.size {
			return nil, bad("another size")
		}
		answers[o.OID] = o
	}
	return answers, nil
}

// content returns the content of one file: from the cache, else from where the server says that it is.
func (s *largeServer) content(ctx context.Context, l largeFile) ([]byte, error) {
	data, err := readLarge(s.cache, l.pointer.path(), l.pointer, l.file.path)
	if !errors.Is(err, fs.ErrNotExist) {
		return data, err
	}
	answer, ok := s.answers[l.pointer.oid]
	switch {
	case !ok:
		return nil, &absentError{s.absent}
	case answer.Error != nil:
		return nil, &absentError{fmt.Errorf("the server answered %d %s", answer.Error.Code, fault.Quote(answer.Error.Message))}
	case answer.Actions.Download == nil:
		return nil, &absentError{errors.New("the server does not have it")}
	}
	data, err = s.download(ctx, answer, l.pointer.size)
	if err != nil {
		if ctx.Err() != nil || fault.ClassOf(err) == fault.Failed && !isStatus(err) {
			return nil, cmp.Or(ctx.Err(), err)
		}
		return nil, &absentError{err}
	}
	if err := l.pointer.check(data, l.file.path); err != nil {
		return nil, err
	}
	return data, s.keep(l.pointer, data)
}

// download follows one answer. Its headers go to the host that it names, and only over https.
func (s *largeServer) download(ctx context.Context, answer largeAnswer, size int64) ([]byte, error) {
	bad := fault.Inconclusivef("git LFS server", "malformed answer: a download that cannot be followed").WithCheck(CheckTree)
	header, err := largeHeader(answer.Actions.Download.Header)
	if err != nil {
		return nil, bad
	}
	href := answer.Actions.Download.Href
	if hasControl(href) || len(href) > maxLargeHeader {
		return nil, bad
	}
	anonymous := s.endpoint.anonymous || !sameHost(s.endpoint.url, href)
	return s.client.Do(ctx, remote.Call{URL: href, Header: header, Anonymous: anonymous, Limit: size})
}

// keep puts content into the cache. Two processes that do so at once agree.
func (s *largeServer) keep(p pointer, data []byte) error {
	if err := s.cache.MkdirAll(filepath.Dir(p.path()), 0o700); err != nil {
		return cacheError(err)
	}
	temporary := p.path() + "." + rand.Text() + ".tmp"
	err := s.cache.WriteFile(temporary, data, 0o600)
	if err == nil {
		err = s.cache.Rename(temporary, p.path())
	}
	if err != nil {
		s.cache.Remove(temporary)
		return cacheError(err)
	}
	return nil
}
