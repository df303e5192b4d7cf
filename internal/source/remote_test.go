package source

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/remote"
)

// gitServer serves repositories over https with git's own http-backend.
type gitServer struct {
	*httptest.Server
	mu       sync.Mutex
	requests []string // bodies of upload-pack requests
	sent     int64
}

func serve(t *testing.T, root string) *gitServer {
	t.Helper()
	execPath, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		t.Fatal(err)
	}
	backend := filepath.Join(strings.TrimSpace(string(execPath)), "git-http-backend")
	if _, err := os.Stat(backend); err != nil {
		t.Skip("git-http-backend is not installed: nothing is fetched over https")
	}
	handler := &cgi.Handler{Path: backend, Stderr: io.Discard, Env: append(gitEnv()[len(os.Environ()):], "GIT_PROJECT_ROOT="+root, "GIT_HTTP_EXPORT_ALL=1",
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*")}
	s := &gitServer{}
	s.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		counted := &counter{ResponseWriter: w}
		handler.ServeHTTP(counted, req)
		s.mu.Lock()
		defer s.mu.Unlock()
		if req.Method == http.MethodPost {
			s.requests = append(s.requests, req.URL.Path)
			s.sent += counted.n
		}
	}))
	t.Cleanup(s.Close)
	return s
}

type counter struct {
	http.ResponseWriter
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return c.ResponseWriter.Write(p)
}

// taken returns the number of packs and bytes that were asked for since the last call.
func (s *gitServer) taken() (int, int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, sent := len(s.requests), s.sent
	s.requests, s.sent = nil, 0
	return n, sent
}

func (s *gitServer) client(t *testing.T, opt remote.Options) *remote.Client {
	t.Helper()
	opt.Transport = s.Server.Client().Transport
	c, err := remote.New(opt)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// servedRepo is a repository with some history that a server gives away under /repo.git.
func servedRepo(t *testing.T, settings ...string) (*gitRepo, *gitServer) {
	t.Helper()
	return servedAs(t, nil, settings...)
}

// servedAs is servedRepo with arguments for git-init.
func servedAs(t *testing.T, initial []string, settings ...string) (*gitRepo, *gitServer) {
	t.Helper()
	r, _, _, _ := history(t, initial...)
	for i := range 12 {
		r.write("file", strings.Repeat("incompressible?\n", i)+r.run("rev-parse", "HEAD"))
		r.commit("more")
	}
	r.run("tag", "-a", "-m", "late", "v3.0.0")
	r.write("last", "x")
	r.commit("tip")
	root := t.TempDir()
	bare := existing(t, filepath.Join(root, "repo.git"))
	r.run("clone", "-q", "--mirror", r.dir, bare.dir)
	for _, s := range settings {
		key, value, _ := strings.Cut(s, "=")
		bare.run("config", key, value)
	}
	return bare, serve(t, root)
}

var generous = []string{"uploadpack.allowFilter=true", "uploadpack.allowReachableSHA1InWant=true", "uploadpack.allowAnySHA1InWant=true"}

func TestFetchOverHTTPS(t *testing.T) {
	t.Parallel()
	for name, settings := range map[string][]string{
		"generous": generous, "plain": nil, "filter only": {"uploadpack.allowFilter=true"}, "ids only": generous[1:],
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, s := servedRepo(t, settings...)
			fetchedIsServed(t, r, s.URL+"/repo.git", s.client(t, remote.Options{}))
		})
	}
}

// fetchedIsServed fetches several commits, with as much history as each caller may need, and holds what came against the
// repository itself.
func fetchedIsServed(t *testing.T, r *gitRepo, url string, client *remote.Client) {
	t.Helper()
	for _, need := range []Need{0, NeedTags, NeedTags | NeedHistory} {
		cache := t.TempDir()
		for _, rev := range []string{"main", "main~5", "side"} {
			id := r.run("rev-parse", rev)
			got := open(t, url, id, Options{Need: need, Remote: client, CacheDir: cache})
			want := open(t, r.dir, id, Options{Need: need})
			a, b := got.Facts(), want.Facts()
			if need != 0 {
				if strings.Join(a.Refs, " ") != strings.Join(branchesAndTags(b.Refs), " ") {
					t.Errorf("%s: refs %v, want %v", rev, a.Refs, b.Refs)
				}
			} else if len(a.Refs) == 0 {
				t.Errorf("%s: not reachable", rev)
			}
			if len(a.Tags) != len(b.Tags) || string(a.Raw) != string(b.Raw) {
				t.Errorf("%s: %d tags, want %d", rev, len(a.Tags), len(b.Tags))
			}
			dir, tree := exported(t, got)
			wantDir, wantTree := exported(t, want)
			sameTree(t, dir, wantDir)
			if tree.SHA256 != wantTree.SHA256 {
				t.Errorf("%s: digest differs", rev)
			}
		}
	}
}

func branchesAndTags(refs []string) []string {
	var out []string
	for _, r := range refs {
		if !strings.HasPrefix(r, "refs/remotes/") {
			out = append(out, r)
		}
	}
	return out
}

func TestFetchAsLittleAsNeeded(t *testing.T) {
	t.Parallel()
	r, s := servedRepo(t, generous...)
	tip, older := r.run("rev-parse", "main"), r.run("rev-parse", "main~5")
	cache := t.TempDir()
	opt := Options{Remote: s.client(t, remote.Options{}), CacheDir: cache}
	open(t, s.URL+"/repo.git", tip, opt)
	packs, small := s.taken()
	if packs != 1 {
		t.Errorf("%d packs for a tip", packs)
	}
	open(t, s.URL+"/repo.git", tip, opt)
	if packs, _ := s.taken(); packs != 0 {
		t.Errorf("%d packs for what is cached", packs)
	}
	open(t, s.URL+"/repo.git", older, opt)
	if packs, _ := s.taken(); packs != 2 { // the commits, and one tree
		t.Errorf("%d packs for an older commit", packs)
	}
	r.run("update-ref", "refs/heads/new", r.run("commit-tree", "-p", tip, "-m", "new", tip+"^{tree}"))
	open(t, s.URL+"/repo.git", older, opt)
	packs, update := s.taken()
	if packs != 1 || update > 2000 {
		t.Errorf("%d packs, %d bytes for one new commit", packs, update)
	}
	full := r.run("count-objects", "-v")
	t.Logf("a tip takes %d bytes, one more commit %d, the whole is %s", small, update, full)
}

func TestOfflineUsesWhatWasFetched(t *testing.T) {
	t.Parallel()
	r, s := servedRepo(t, generous...)
	id := r.run("rev-parse", "main")
	url, cache := s.URL+"/repo.git", t.TempDir()
	offline := Options{Remote: s.client(t, remote.Options{Offline: true}), CacheDir: cache}
	_, err := Open(context.Background(), url, id, offline)
	wantFault(t, err, fault.Inconclusive, "working offline")
	open(t, url, id, Options{Remote: s.client(t, remote.Options{}), CacheDir: cache})
	c := open(t, url, id, offline)
	if len(c.Facts().Refs) == 0 {
		t.Error("not reachable any more")
	}
	exported(t, c)
	_, err = Open(context.Background(), url, id, Options{CacheDir: t.TempDir()})
	wantFault(t, err, fault.Inconclusive, "working offline")
}

func TestFetchWithoutACacheLeavesNothing(t *testing.T) {
	r, s := servedRepo(t, generous...)
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	c, err := Open(context.Background(), s.URL+"/repo.git", r.run("rev-parse", "main"), Options{Remote: s.client(t, remote.Options{})})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = Open(context.Background(), s.URL+"/repo.git", strings.Repeat("1", 40), Options{Remote: s.client(t, remote.Options{})})
	wantFault(t, err, fault.Inconclusive, "commit not found")
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestPoisonedCache(t *testing.T) {
	t.Parallel()
	r, s := servedRepo(t, generous...)
	id := r.run("rev-parse", "main")
	cache := t.TempDir()
	opt := Options{Remote: s.client(t, remote.Options{}), CacheDir: cache}
	open(t, s.URL+"/repo.git", id, opt)
	packs, _ := filepath.Glob(filepath.Join(cache, "git/*/objects/pack/*.pack"))
	if len(packs) != 1 {
		t.Fatalf("packs %v", packs)
	}
	data, err := os.ReadFile(packs[0])
	if err != nil {
		t.Fatal(err)
	}
	_, good := exported(t, open(t, s.URL+"/repo.git", id, opt))
	refused := 0
	for at := 12; at < len(data)-20; at += 5 {
		bad := slices.Clone(data)
		bad[at] ^= 0x10
		if err := os.WriteFile(packs[0], bad, 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Open(context.Background(), s.URL+"/repo.git", id, opt)
		if err != nil {
			refused++
			continue
		}
		tree, err := c.Export(context.Background(), filepath.Join(t.TempDir(), "x"))
		c.Close()
		switch {
		case err != nil:
			refused++
		case tree.SHA256 != good.SHA256:
			// what is not looked at (the checksum of a stream) may be changed, nothing else
			t.Fatalf("byte %d: another tree was exported", at)
		}
	}
	if refused == 0 {
		t.Error("nothing was refused")
	}
}

func TestServersThatRefuse(t *testing.T) {
	t.Parallel()
	r, s := servedRepo(t, generous...)
	id := r.run("rev-parse", "main")
	client := s.client(t, remote.Options{})
	other := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(other.Close)
	handler := func(f http.HandlerFunc) string {
		x := httptest.NewTLSServer(f)
		x.Config.ErrorLog = nil
		t.Cleanup(x.Close)
		return x.URL
	}
	redirect := func(to string) string {
		return handler(func(w http.ResponseWriter, req *http.Request) { http.Redirect(w, req, to, http.StatusFound) })
	}
	advertise := func(lines ...string) string {
		return handler(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
			w.Write([]byte("001e# service=git-upload-pack\n0000"))
			for _, l := range lines {
				w.Write([]byte(pkt(l)))
			}
			w.Write([]byte("0000"))
		})
	}
	for name, v := range map[string]struct{ url, want string }{
		"redirect to another host": {redirect(other.URL + "/x"), "refused redirect"},
		"redirect to http":         {redirect(strings.Replace(s.URL, "https:", "http:", 1) + "/x"), "refused redirect"},
		"not found":                {s.URL + "/nowhere.git", "repository not found"},
		"unauthorised":             {handler(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) }), "wants other credentials"},
		"forbidden":                {handler(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) }), "wants other credentials"},
		"server error":             {handler(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }), "cannot be reached"},
		"no git server":            {handler(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("\x1b[2Jhello")) }), "cannot be reached"},
		"sha256":                   {advertise(strings.Repeat("1", 64) + " refs/heads/main\x00object-format=sha256\n"), "names its objects with sha256"},
		"climbing ref":             {advertise(strings.Repeat("1", 40) + " refs/heads/../../config\x00ofs-delta shallow\n"), "invalid ref"},
		"closed port":              {"https://127.0.0.1:1", "cannot be reached"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			class := fault.Inconclusive
			if name == "climbing ref" {
				class = fault.Failed
			}
			_, err := Open(context.Background(), v.url, id, Options{Remote: client, CacheDir: t.TempDir()})
			wantFault(t, err, class, v.want)
		})
	}
}

func pkt(line string) string {
	const digits = "0123456789abcdef"
	n := len(line) + 4
	return string([]byte{digits[n>>12&15], digits[n>>8&15], digits[n>>4&15], digits[n&15]}) + line
}

func TestRemoteNamesAreRefused(t *testing.T) {
	t.Parallel()
	r, s := servedRepo(t)
	for _, name := range []string{"main", "v3.0.0", "refs/tags/v3.0.0"} {
		_, err := Open(context.Background(), s.URL+"/repo.git", name, Options{Remote: s.client(t, remote.Options{})})
		wantFault(t, err, fault.Usage, "need full commit id")
		if want := "it points to " + r.run("rev-parse", name+"^{commit}") + " now"; fault.HintOf(err) != want {
			t.Errorf("%s: hint %q", name, fault.HintOf(err))
		}
	}
}

// A server may give a commit that none of its branches reaches: a fork's. That is no error here, and no refs.
func TestUnreachableCommitOfAServer(t *testing.T) {
	t.Parallel()
	r, s := servedRepo(t, generous...)
	lost := r.run("rev-parse", "refs/pull/1/head")
	f := open(t, s.URL+"/repo.git", lost, Options{Remote: s.client(t, remote.Options{})}).Facts()
	if len(f.Refs) != 0 {
		t.Errorf("refs %v", f.Refs)
	}
}

func TestSubmodulesOfARemote(t *testing.T) {
	t.Parallel()
	super, _ := nested(t)
	root := t.TempDir()
	s := serve(t, root)
	// the same repositories, with URLs on the server: one relative, one absolute
	modules := filepath.Join(super.dir, ".git/modules/group/mid")
	super.run("clone", "-q", "--bare", filepath.Join(modules, "modules/deep/inner"), filepath.Join(root, "inner.git"))
	middle := existing(t, filepath.Join(super.dir, "lib/middle"))
	middle.run("config", "-f", ".gitmodules", "submodule.deep/inner.url", "../inner.git")
	middle.commit("relative URL")
	super.run("clone", "-q", "--bare", modules, filepath.Join(root, "middle.git"))
	super.run("config", "-f", ".gitmodules", "submodule.group/mid.url", s.URL+"/middle.git")
	id := super.commit("absolute URL")
	super.run("clone", "-q", "--bare", super.dir, filepath.Join(root, "super.git"))
	for _, name := range []string{"super", "middle", "inner"} {
		for _, setting := range generous {
			key, value, _ := strings.Cut(setting, "=")
			existing(t, filepath.Join(root, name+".git")).run("config", key, value)
		}
	}
	c := open(t, s.URL+"/super.git", id, Options{Remote: s.client(t, remote.Options{}), CacheDir: t.TempDir()})
	dir, tree := exported(t, c)
	sameTree(t, dir, super.dir)
	if len(tree.Submodules) != 2 {
		t.Errorf("submodules %v", tree.Submodules)
	}
}

// dialInstead connects to another address than the one that is named.
func dialInstead(dial func(context.Context, string, string) (net.Conn, error), from, to string) func(context.Context, string, string) (net.Conn, error) {
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		if addr == from {
			addr = to
		}
		return dial(ctx, network, addr)
	}
}
