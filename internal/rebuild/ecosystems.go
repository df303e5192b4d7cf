package rebuild

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/gomod"
	"github.com/glassbuild/glassbuild/internal/npm"
	"github.com/glassbuild/glassbuild/internal/rebuild/fetchproxy"
	"github.com/glassbuild/glassbuild/internal/recipe"
	"github.com/glassbuild/glassbuild/internal/sandbox"
)

// served is an ecosystem and where a sandbox finds it.
type served struct {
	fetchproxy.Ecosystem
	at       string            // address inside
	env      map[string]string // of a fetch step
	settings []string          // of the user, that what is fetched may depend on
}

// ecosystems are those that the recipe's steps can ask: Go's always, npm's where the builder or a step names npm.
func (o *Outcome) ecosystems(ctx context.Context, req Request, env gomod.Env, src *gomod.Source) ([]served, error) {
	goEnv := env.FetchEnv
	if req.Remote.Shelved() {
		goEnv = env.KitEnv
	}
	list := []served{{fetchproxy.Go(src), proxyAt, goEnv("http://" + proxyAt + "/go"), []string{env.GOPROXY, env.GONOPROXY, env.GOPRIVATE, env.GOSUMDB, env.GONOSUMDB}}}
	if !usesNPM(req.Recipe) {
		return list, nil
	}
	registry, err := npm.LoadRegistry(ctx, req.Remote)
	if err != nil {
		return nil, err
	}
	eco, err := fetchproxy.NPM(registry, "http://"+npmProxyAt)
	if err != nil {
		return nil, err
	}
	settings := registry.Config.Registries()
	slices.Sort(settings)
	return append(list, served{eco, npmProxyAt, fetchproxy.NPMEnv("http://" + npmProxyAt), settings}), nil
}

func usesNPM(r *recipe.Recipe) bool {
	runs := func(s recipe.Step) bool { return len(s.Run) > 0 && (s.Run[0] == "npm" || s.Run[0] == "npx") }
	return r.Builder.Node != "" || slices.ContainsFunc(r.Fetch, runs)
}

func addresses(list []served) []string {
	var at []string
	for _, s := range list {
		at = append(at, s.at)
	}
	return at
}

// serve answers on the listeners of a sandbox, which come in the order of list: from the registries, or only from closures
// where replay holds them. The function that it returns ends it, and can be called twice.
func serve(ctx context.Context, req Request, s sandbox.Session, list []served, replay map[string]*fetchproxy.Closure) ([]*fetchproxy.Proxy, func() error, error) {
	sctx, cancel := context.WithCancel(ctx)
	var serving errgroup.Group
	stop := func() error {
		cancel()
		return serving.Wait()
	}
	var proxies []*fetchproxy.Proxy
	for i, l := range s.Listeners() {
		if i >= len(list) {
			break
		}
		p, err := fetchproxy.New(sctx, fetchproxy.Options{Ecosystem: list[i].Ecosystem, Blobs: req.Store, Replay: replay[list[i].Name()]})
		if err != nil {
			stop()
			return nil, nil, err
		}
		proxies = append(proxies, p)
		serving.Go(func() error { return p.Serve(sctx, l) })
	}
	return proxies, stop, nil
}

// replayed returns the npm closure: npm reads no folder, so that the same proxy answers the build, from the frozen bytes alone.
func (o *Outcome) replayed() []served {
	if c := o.npmClosure(); c != nil {
		return []served{{Ecosystem: fetchproxy.NPMReplay("http://" + npmProxyAt), at: npmProxyAt}}
	}
	return nil
}

func (o *Outcome) npmClosure() *fetchproxy.Closure {
	if o.Inputs == nil {
		return nil
	}
	for _, c := range o.Inputs.Closures {
		if c.Ecosystem == "npm" && len(c.Entries) > 0 {
			return c
		}
	}
	return nil
}

// npmReplayEnv tells npm where the frozen inputs are answered.
func (o *Outcome) npmReplayEnv() map[string]string {
	if o.npmClosure() == nil && !hasLayer(o, "npm") {
		return nil
	}
	return fetchproxy.NPMEnv("http://" + npmProxyAt)
}

func hasLayer(o *Outcome, name string) bool {
	if o.Builder == nil {
		return false
	}
	for _, l := range o.Builder.Layers {
		if l.Name == name {
			return true
		}
	}
	return false
}

// checkTarballs holds every fetched tarball against the package locks of the commit. npm may have been told not to look.
func (o *Outcome) checkTarballs(req Request, c *fetchproxy.Closure) error {
	locks, err := o.packageLocks(req.Recipe)
	if err != nil {
		return err
	}
	req.Step("checking %d fetched files against the commit's package lock", len(c.Entries))
	if len(locks) == 0 {
		locks = [][]byte{[]byte("{}")}
	}
	best := map[string]fetchproxy.Integrity{}
	for _, lock := range locks {
		list, err := fetchproxy.CheckPackageLock(lock, c, req.Store)
		if err != nil {
			return err
		}
		for _, i := range list {
			if old, ok := best[i.Path]; !ok || weight[i.Status] > weight[old.Status] {
				best[i.Path] = i
			}
		}
	}
	for _, e := range c.Entries {
		if i, ok := best[e.Path]; ok {
			o.Inputs.Packages = append(o.Inputs.Packages, i)
		}
	}
	return nil
}

// weight orders what several locks say of one tarball.
var weight = map[fetchproxy.IntegrityStatus]int{fetchproxy.Unlocked: 1, fetchproxy.Named: 2, fetchproxy.Locked: 3, fetchproxy.Mismatch: 4}

// packageLocks reads the locks that npm reads in the folders of the fetch steps, and above them, where a workspace keeps its own.
func (o *Outcome) packageLocks(r *recipe.Recipe) ([][]byte, error) {
	root, err := os.OpenRoot(o.TreeDir)
	if err != nil {
		return nil, fault.Inconclusivef("source", "%w", err)
	}
	defer root.Close()
	seen := map[string]bool{}
	var list [][]byte
	for _, st := range r.Fetch {
		for dir := st.Dir; !seen[dir]; dir = path.Dir(dir) {
			seen[dir] = true
			for _, name := range []string{"npm-shrinkwrap.json", "package-lock.json"} { // npm prefers the first
				st, err := root.Lstat(path.Join(dir, name))
				if errors.Is(err, fs.ErrNotExist) {
					continue
				}
				if err != nil || !st.Mode().IsRegular() || st.Size() > maxPackageLock {
					return nil, fault.Inconclusivef(fault.Quote(path.Join(dir, name)), "is no package lock that can be read")
				}
				data, err := root.ReadFile(path.Join(dir, name))
				if err != nil {
					return nil, fault.Inconclusivef(fault.Quote(path.Join(dir, name)), "%w", err)
				}
				list = append(list, data)
				break
			}
		}
	}
	return list, nil
}

// closuresDigest is the digest of the one closure that holds something, or one over the digests of several.
func closuresDigest(all []*fetchproxy.Closure) string {
	var sums []string
	for _, c := range all {
		if len(c.Entries) > 0 {
			sums = append(sums, c.Digest())
		}
	}
	switch len(sums) {
	case 0:
		return ""
	case 1:
		return sums[0]
	}
	h := sha256.New()
	for _, s := range sums {
		fmt.Fprintln(h, s)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func marshalClosures(all []*fetchproxy.Closure) ([]byte, error) {
	list := []json.RawMessage{}
	for _, c := range all {
		data, err := c.Marshal()
		if err != nil {
			return nil, err
		}
		list = append(list, data)
	}
	return json.Marshal(list)
}

func parseClosures(data []byte) ([]*fetchproxy.Closure, error) {
	var list []json.RawMessage
	if err := json.NewDecoder(bytes.NewReader(data)).Decode(&list); err != nil {
		return nil, err
	}
	var all []*fetchproxy.Closure
	for _, raw := range list {
		c, err := fetchproxy.ParseClosure(raw)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}
