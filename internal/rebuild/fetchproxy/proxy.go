package fetchproxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// Resource is one file of an ecosystem's protocol, checked against its grammar.
type Resource struct {
	Path  string // canonical; the key of records and closures
	Limit int64  // bytes
	Type  string // Content-Type
}

// Ecosystem knows one protocol and the registries behind it.
type Ecosystem interface {
	// Name is the ecosystem's name in records and closures: "go", "npm".
	Name() string
	// Prefix is what every request's path begins with, from slash to slash.
	Prefix() string
	// Resolve checks what follows the prefix against the grammar.
	Resolve(path string, header http.Header) (Resource, error)
	// Locked returns the resource that stands in a closure under a path.
	Locked(path string) (Resource, error)
	// Open returns the bytes that are handed out; a file that no registry has is fs.ErrNotExist.
	Open(ctx context.Context, r Resource) (io.ReadCloser, error)
}

// Options configure a proxy.
type Options struct {
	Ecosystem Ecosystem
	Blobs     Blobs
	// Replay, when set, names everything that is answered. Its bytes must be in Blobs, see Fill.
	Replay *Closure
}

// Proxy serves one ecosystem to one sandbox. It is safe for concurrent use.
type Proxy struct {
	opts    Options
	ctx     context.Context
	fetches chan struct{} // held while fetching

	mu      sync.Mutex
	ledger  ledger
	flights map[string]*flight
	frozen  bool
}

// flight is one path on its way; its fields are read after done.
type flight struct {
	done  chan struct{}
	entry Entry
	err   error
}

// New returns a proxy whose fetches all end with ctx.
func New(ctx context.Context, opts Options) (*Proxy, error) {
	name := opts.Ecosystem.Name()
	if grammars[name] == nil {
		return nil, fault.Usagef("fetch", "unknown ecosystem %q", name)
	}
	if opts.Replay != nil {
		if opts.Replay.Ecosystem != name {
			return nil, fault.Failf("closure", "is of %q, not of %q", opts.Replay.Ecosystem, name)
		}
		if err := opts.Replay.validate(); err != nil {
			return nil, err
		}
	}
	return &Proxy{opts: opts, ctx: ctx, fetches: make(chan struct{}, maxFetches), flights: map[string]*flight{},
		ledger: ledger{ecosystem: name, records: map[string]*Record{}}}, nil
}

// Serve answers on l until ctx ends, then closes l and every connection.
func (p *Proxy) Serve(ctx context.Context, l net.Listener) error {
	srv := &http.Server{
		Handler:                      p,
		DisableGeneralOptionsHandler: true,
		ReadHeaderTimeout:            headerTimeout,
		ReadTimeout:                  headerTimeout,
		IdleTimeout:                  idleTimeout,
		MaxHeaderBytes:               maxHeader,
		ErrorLog:                     log.New(io.Discard, "", 0), // what a hostile client provokes is in the records, not on the terminal
	}
	stop := context.AfterFunc(ctx, func() { srv.Close() })
	defer stop()
	err := srv.Serve(newLimited(l))
	if errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return fault.Inconclusivef("fetch proxy", "%w", err)
}

// ServeHTTP answers one request.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	res, status, reason := p.admit(r)
	if reason != "" {
		p.mu.Lock()
		p.ledger.refuse(r.Method+" "+r.RequestURI, reason)
		p.mu.Unlock()
		w.Header().Set("Connection", "close")
		http.Error(w, "refused: "+reason, status)
		return
	}
	entry, err := p.get(r.Context(), res)
	p.note(res, entry, err)
	if err != nil {
		// Why stands in the record. The sandbox learns nothing about the host's network.
		http.Error(w, strings.ToLower(http.StatusText(statusOf(err))), statusOf(err))
		return
	}
	p.send(w, r, res, entry)
}

// admit checks everything about a request before anything is done for it.
func (p *Proxy) admit(r *http.Request) (res Resource, status int, reason string) {
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		return res, http.StatusMethodNotAllowed, "only GET and HEAD are answered"
	case !strings.HasPrefix(r.RequestURI, "/") || r.URL.Host != "" || r.URL.Scheme != "":
		return res, http.StatusBadRequest, "this is no forward proxy"
	case r.URL.RawQuery != "" || r.URL.ForceQuery || r.URL.Fragment != "":
		return res, http.StatusBadRequest, "queries are not answered"
	case r.ContentLength != 0 || len(r.TransferEncoding) > 0:
		return res, http.StatusBadRequest, "requests carry no body"
	case len(r.RequestURI) > maxPath:
		return res, http.StatusRequestURITooLong, "the path is too long"
	}
	rest, ok := strings.CutPrefix(r.URL.Path, p.opts.Ecosystem.Prefix())
	if !ok {
		return res, http.StatusNotFound, "not below " + p.opts.Ecosystem.Prefix()
	}
	res, err := p.opts.Ecosystem.Resolve(rest, r.Header)
	if err != nil {
		return res, http.StatusNotFound, err.Error()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.frozen:
		return res, http.StatusGone, "the step is over"
	case len(p.ledger.records) >= maxRecords && p.ledger.records[res.Path] == nil:
		return res, http.StatusTooManyRequests, fmt.Sprintf("more than %d paths", maxRecords)
	}
	if p.opts.Replay != nil {
		if _, ok := p.opts.Replay.find(res.Path); !ok {
			return res, http.StatusNotFound, "not in the closure that is replayed"
		}
	}
	return res, 0, ""
}

// get returns the entry of a path and sees to it that its bytes are in the store.
func (p *Proxy) get(ctx context.Context, res Resource) (Entry, error) {
	if p.opts.Replay != nil {
		entry, _ := p.opts.Replay.find(res.Path)
		return entry, nil
	}
	p.mu.Lock()
	f := p.flights[res.Path]
	if f == nil {
		f = &flight{done: make(chan struct{})}
		p.flights[res.Path] = f
		go p.fly(f, res)
	}
	p.mu.Unlock()
	select {
	case <-f.done:
		return f.entry, f.err
	case <-ctx.Done():
		return Entry{}, ctx.Err()
	}
}

// fly fetches a path, whether or not the client that asked first is still there. "Not there" stays the answer; after
// another failure the next request tries again.
func (p *Proxy) fly(f *flight, res Resource) {
	defer close(f.done)
	select {
	case p.fetches <- struct{}{}:
		defer func() { <-p.fetches }()
	case <-p.ctx.Done():
		f.err = p.ctx.Err()
		return
	}
	ctx, cancel := context.WithTimeout(p.ctx, fetchTimeout)
	defer cancel()
	f.entry, f.err = fetch(ctx, p.opts.Ecosystem, p.opts.Blobs, res, p.left(res.Limit))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ledger.total += f.entry.Size
	if f.err != nil && !errors.Is(f.err, fs.ErrNotExist) {
		delete(p.flights, res.Path)
	}
}

// left is how many bytes a fetch may still bring.
func (p *Proxy) left(limit int64) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return min(limit, maxTotal-p.ledger.total)
}

func fetch(ctx context.Context, eco Ecosystem, blobs Blobs, res Resource, limit int64) (Entry, error) {
	body, err := eco.Open(ctx, res)
	if err != nil {
		return Entry{}, err
	}
	defer body.Close()
	blob, err := blobs.Put(ctx, body, limit)
	if err != nil {
		return Entry{}, fmt.Errorf("%s: %w", fault.Quote(res.Path), err)
	}
	return Entry{Path: res.Path, SHA256: blob.SHA256, Size: blob.Size}, nil
}

func (p *Proxy) note(res Resource, e Entry, err error) {
	r := Record{Ecosystem: p.ledger.ecosystem, Path: res.Path, SHA256: e.SHA256, Size: e.Size, Status: http.StatusOK}
	if err != nil {
		r.Status, r.Reason = statusOf(err), err.Error()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.frozen {
		p.ledger.note(r)
	}
}

func statusOf(err error) int {
	if errors.Is(err, fs.ErrNotExist) {
		return http.StatusNotFound
	}
	return http.StatusBadGateway
}

// send answers from the store, as slowly as minRate allows.
func (p *Proxy) send(w http.ResponseWriter, r *http.Request, res Resource, e Entry) {
	f, err := p.opts.Blobs.OpenBlob(e.SHA256)
	if err != nil {
		http.Error(w, "not in the store", http.StatusBadGateway)
		return
	}
	defer f.Close()
	deadline := time.Now().Add(writeTimeout + time.Duration(e.Size/minRate)*time.Second)
	if err := http.NewResponseController(w).SetWriteDeadline(deadline); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return
	}
	w.Header().Set("Content-Type", res.Type)
	w.Header().Set("ETag", `"`+e.SHA256+`"`)
	http.ServeContent(w, r, "", time.Time{}, f)
}

// Freeze ends the step: nothing is answered any more. It returns what was fetched.
func (p *Proxy) Freeze() *Closure {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.frozen = true
	c := &Closure{Ecosystem: p.ledger.ecosystem, Entries: []Entry{}}
	for _, r := range p.ledger.list() {
		if r.SHA256 != "" && grammars[c.Ecosystem](r.Path) == nil {
			c.Entries = append(c.Entries, Entry{Path: r.Path, SHA256: r.SHA256, Size: r.Size})
		}
	}
	return c
}

// Records returns what became of every path that was asked for, by path.
func (p *Proxy) Records() []Record {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ledger.list()
}

// Refusals returns the requests that were refused, in order, and how many there were; of very many only the first are
// kept.
func (p *Proxy) Refusals() ([]Refusal, int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Refusal(nil), p.ledger.refusals...), p.ledger.refusalCount
}
