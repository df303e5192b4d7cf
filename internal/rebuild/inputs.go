package rebuild

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/gomod"
	"github.com/glassbuild/glassbuild/internal/rebuild/fetchproxy"
	"github.com/glassbuild/glassbuild/internal/recipe"
	"github.com/glassbuild/glassbuild/internal/sandbox"
)

// Inputs is what the build was given beside source and builder.
type Inputs struct {
	SHA256   string                // over the closures; "" when nothing was fetched
	Closures []*fetchproxy.Closure // of each ecosystem that something was fetched from
	Modules  []gomod.Result
	Packages []fetchproxy.Integrity // tarballs of the npm registry against the commit's package locks
	Locked   bool                   // a lock named every byte
	Vendor   []Vendored
	Database string // the checksum database that answered, where it is another than Go's own: its name, or "off"

	dir string // the Go closure laid out as a file proxy; "" when nothing was fetched
}

// Bytes is the size of everything that was fetched.
func (in *Inputs) Bytes() int64 {
	n := int64(0)
	for _, c := range in.Closures {
		for _, e := range c.Entries {
			n += e.Size
		}
	}
	return n
}

// fetch runs the fetch steps, or takes what they fetched before, freezes it by digest, and holds it against the checksum
// database. It also compares vendored modules, which the go command takes on trust.
func (o *Outcome) fetch(ctx context.Context, req Request) error {
	o.Inputs = &Inputs{}
	dirs := o.vendored()
	if len(req.Recipe.Fetch) == 0 && len(dirs) == 0 {
		return nil
	}
	env, err := gomod.LoadEnv()
	if err != nil {
		return named(err, checkFetched)
	}
	src, err := gomod.NewSource(env, req.Remote)
	if err != nil {
		return named(err, checkFetched)
	}
	if db, err := env.Database(); err == nil && db.Key != gomod.ChecksumDatabaseKey {
		o.Inputs.Database = cmp.Or(db.Name, "off")
	}
	checker, err := gomod.NewChecker(src, filepath.Join(req.Store.Dir(), "sumdb"))
	if err != nil {
		return err
	}
	defer checker.Close()
	if len(req.Recipe.Fetch) > 0 {
		list, err := o.ecosystems(ctx, req, env, src)
		if err != nil {
			return named(err, checkFetched)
		}
		if err := o.closure(ctx, req, list); err != nil {
			return named(err, checkFetched)
		}
		if err := o.lay(ctx, req, checker); err != nil {
			return named(err, checkFetched)
		}
	}
	return named(o.compareVendored(ctx, req, dirs, src, checker), checkVendored)
}

// Vendored is the comparison of one vendor folder with the published modules.
type Vendored struct {
	Dir string // of the module that vendors, below the tree's root; "." is the root
	*gomod.VendorReport
}

// compareVendored compares every vendor folder (F19).
func (o *Outcome) compareVendored(ctx context.Context, req Request, dirs []string, src *gomod.Source, checker *gomod.Checker) error {
	zips := src.Zips(func(ctx context.Context, r io.Reader, limit int64) (*os.File, error) {
		b, err := req.Store.Put(ctx, r, limit)
		if err != nil {
			return nil, err
		}
		return req.Store.OpenBlob(b.SHA256)
	})
	for _, dir := range dirs {
		req.Step("comparing vendored modules with the published ones")
		root, err := os.OpenRoot(filepath.Join(o.TreeDir, filepath.FromSlash(dir)))
		if err != nil {
			return fault.Inconclusivef(fault.Quote(dir), "%w", err)
		}
		report, err := gomod.CheckVendor(ctx, root.FS(), zips, checker)
		root.Close()
		if err != nil {
			return err
		}
		o.Inputs.Vendor = append(o.Inputs.Vendor, Vendored{dir, report})
	}
	return nil
}

// vendored lists the folders of the tree that vendor Go modules.
func (o *Outcome) vendored() []string {
	var dirs []string
	for _, e := range o.Tree.Files {
		if dir := path.Dir(e.Path); path.Base(e.Path) == "modules.txt" && path.Base(dir) == "vendor" {
			dirs = append(dirs, path.Dir(dir))
		}
	}
	return dirs
}

func named(err error, check string) error {
	var e *fault.Error
	if errors.As(err, &e) && e.Check == "" {
		e.Check = check
	}
	return err
}

// closure gets the set of fetched files: from the lock, from an earlier run, or by running the fetch steps.
func (o *Outcome) closure(ctx context.Context, req Request, list []served) error {
	if req.Lock != nil {
		if req.Lock.Recipe != req.Recipe.LockDigest() {
			return otherRecipe(req)
		}
		if done, err := o.fromLock(ctx, req, list); done || err != nil {
			return err
		}
	}
	key := o.fetchKey(req, list)
	if data, ok := req.Store.Result("closure", key); ok && !req.Fresh {
		if all, err := parseClosures(data); err == nil && stored(req, all) {
			o.Inputs.Closures = all
			return nil
		}
	}
	if req.Remote.Offline() && !req.Remote.Sealed() {
		return fault.Inconclusivef("fetch", "the recipe's fetch steps were not run before, and the run is offline").
			WithHint("run once without --offline; what is fetched is kept by digest")
	}
	all, err := o.runFetch(ctx, req, list)
	if err != nil {
		return err
	}
	o.Inputs.Closures = all
	data, err := marshalClosures(all)
	if err == nil {
		err = req.Store.PutResult("closure", key, data)
	}
	return err
}

// fromLock takes what the lock names, of every ecosystem. A lock that names nothing leaves it to the steps.
func (o *Outcome) fromLock(ctx context.Context, req Request, list []served) (bool, error) {
	for _, eco := range list {
		c, err := lockedClosure(req.Lock, eco.Name())
		if err != nil {
			return false, err
		}
		if len(c.Entries) == 0 {
			continue
		}
		o.Inputs.Closures, o.Inputs.Locked = append(o.Inputs.Closures, c), true
		req.Step("fetching %d locked files", len(c.Entries))
		if err := fetchproxy.Fill(ctx, c, eco, req.Store); err != nil {
			return false, err
		}
	}
	return o.Inputs.Locked, nil
}

// lockedClosure reads the closure of one ecosystem that the lock names.
func lockedClosure(l *recipe.Lock, ecosystem string) (*fetchproxy.Closure, error) {
	c := &fetchproxy.Closure{Ecosystem: ecosystem, Entries: []fetchproxy.Entry{}}
	for _, f := range l.Fetched {
		if f.From == c.Ecosystem {
			c.Entries = append(c.Entries, fetchproxy.Entry{Path: strings.TrimPrefix(f.Path, "/"), SHA256: f.SHA256, Size: f.Size})
		}
	}
	data, err := c.Marshal()
	if err != nil {
		return nil, err
	}
	return fetchproxy.ParseClosure(data)
}

// fetchKey binds closures to everything that the fetch steps could depend on.
func (o *Outcome) fetchKey(req Request, list []served) string {
	parts := []any{o.Tree.SHA256, o.Builder.Digest, req.Recipe.Fetch, req.Recipe.Env}
	for _, eco := range list {
		parts = append(parts, eco.Name(), eco.settings)
	}
	data, _ := json.Marshal(parts)
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// stored tells whether every byte of a closure is in the store.
func stored(req Request, all []*fetchproxy.Closure) bool {
	for _, c := range all {
		for _, e := range c.Entries {
			if !req.Store.Has(e.SHA256) {
				return false
			}
		}
	}
	return true
}

// runFetch runs the fetch steps in a sandbox of their own. The proxies on its loopback are the only way out.
func (o *Outcome) runFetch(ctx context.Context, req Request, list []served) ([]*fetchproxy.Closure, error) {
	logs, err := req.Run.Dir("log")
	if err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(logs, "fetch.log"))
	if err != nil {
		return nil, fault.Inconclusivef("log", "%w", err)
	}
	defer log.Close()
	v := o.variation(req, 0)
	spec := sandbox.Spec{Identity: v.identity(), Limits: limits(), Mounts: o.mounts(v), Files: o.files(), Dirs: []string{goPath}, Log: log, Listen: addresses(list)}
	s, err := req.Runtime.Start(ctx, spec)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	proxies, stop, err := serve(ctx, req, s, list, nil)
	if err != nil {
		return nil, err
	}
	defer stop()
	rec := &RunRecord{Variation: v, Isolation: s.Isolation(), Started: time.Now().UTC()}
	defer func() { rec.Finished = time.Now().UTC() }()
	o.Record.Fetch = rec
	over := []map[string]string{goDirs(v)}
	for _, eco := range list {
		over = append(over, eco.env)
	}
	for i, st := range req.Recipe.Fetch {
		req.Step("%s", title("fetch", i, st))
		env := append([]map[string]string{o.Builder.Env, req.Recipe.Env, st.Env}, over...)
		step := sandbox.Step{Argv: argv(v, st), Dir: path.Join(recipe.SourceDir, st.Dir), Env: v.env(req.Commit.Facts().Committer.When, env...)}
		r, err := s.Run(ctx, step)
		if err != nil {
			return nil, err
		}
		rec.Steps = append(rec.Steps, stepRecord(step, r))
		if err := stepFault(title("fetch", i, st), r); err != nil {
			o.LogTail = tail(log.Name())
			return nil, fetchFault(err, proxies)
		}
	}
	if err := stop(); err != nil {
		return nil, err
	}
	var all []*fetchproxy.Closure
	for _, p := range proxies {
		all = append(all, p.Freeze())
	}
	return all, nil
}

// fetchFault says what a proxy could not bring, when that is why the step failed.
func fetchFault(err error, proxies []*fetchproxy.Proxy) error {
	for _, p := range proxies {
		if list, n := p.Refusals(); n > 0 {
			return fault.Inconclusivef("fetch", "%w; the proxy refused %d requests, the first: %s (%s)", err, n, fault.Quote(list[0].Request), list[0].Reason).WithCheck(checkFetched)
		}
		for _, r := range p.Records() {
			if r.Reason != "" {
				return fault.Inconclusivef("fetch", "%w; %s: %s", err, fault.Quote(r.Path), fault.Quote(r.Reason)).WithCheck(checkFetched)
			}
		}
	}
	return err
}

// lay gives every closure the form in which the build takes it, and holds what was fetched against those who vouch for it: modules
// against the checksum database, tarballs of the npm registry against the commit's own package locks.
func (o *Outcome) lay(ctx context.Context, req Request, checker *gomod.Checker) error {
	in := o.Inputs
	in.SHA256 = closuresDigest(in.Closures)
	for _, c := range in.Closures {
		if len(c.Entries) == 0 {
			continue
		}
		if c.Ecosystem == "npm" {
			if err := o.checkTarballs(req, c); err != nil {
				return err
			}
			continue
		}
		if err := o.layGo(ctx, req, c, checker); err != nil {
			return err
		}
	}
	return nil
}

// layGo writes the Go closure as a file proxy and holds every module against the checksum database.
func (o *Outcome) layGo(ctx context.Context, req Request, c *fetchproxy.Closure, checker *gomod.Checker) error {
	dir, err := req.Run.Dir("proxy")
	if err != nil {
		return err
	}
	if err := c.LayOut(ctx, req.Store, dir); err != nil {
		return err
	}
	o.Inputs.dir = dir
	var files []gomod.Fetched
	for _, e := range c.Entries {
		files = append(files, gomod.Fetched{Path: e.Path, Open: func() (*os.File, error) { return req.Store.OpenBlob(e.SHA256) }})
	}
	req.Step("checking %d fetched files against the checksum database", len(files))
	o.Inputs.Modules, err = checker.Verify(ctx, files)
	return err
}

// replayEnv tells the go command where the frozen inputs lie.
func (o *Outcome) replayEnv(v Variation) map[string]string {
	dir := ""
	if o.Inputs != nil && o.Inputs.dir != "" {
		dir = proxyDir
	}
	env := goDirs(v)
	maps.Copy(env, gomod.BuildEnv(dir))
	maps.Copy(env, o.npmReplayEnv())
	return env
}

// goDirs puts the go command's caches into scratch space. The place of the modules is the same in every run: without
// -trimpath it stands in the binary, and the home that is varied would make every such build differ from itself.
func goDirs(v Variation) map[string]string {
	return map[string]string{"GOCACHE": v.Home + "/.cache/go-build", "GOPATH": goPath, "GOMODCACHE": goPath + "/pkg/mod"}
}
