package fetchproxy_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/glassbuild/glassbuild/internal/npm"
	"github.com/glassbuild/glassbuild/internal/rebuild/fetchproxy"
	"github.com/glassbuild/glassbuild/internal/remote"
	"github.com/glassbuild/glassbuild/internal/store"
)

// npmTarballOf makes the tarball of a package.
func npmTarballOf(t *testing.T, name, version, extra string) []byte {
	t.Helper()
	var buf bytes.Buffer
	gz := gzip.NewWriter(&buf)
	w := tar.NewWriter(gz)
	data := fmt.Sprintf(`{"name":%q,"version":%q%s}`, name, version, extra)
	if err := w.WriteHeader(&tar.Header{Name: "package/package.json", Mode: 0o644, Size: int64(len(data))}); err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, data)
	if w.Close() != nil || gz.Close() != nil {
		t.Fatal("cannot make a tarball")
	}
	return buf.Bytes()
}

func integrityOf(data []byte) string {
	sum := sha512.Sum512(data)
	return "sha512-" + base64.StdEncoding.EncodeToString(sum[:])
}

// npmFixture is a registry, and the fetch proxy in front of it.
type npmFixture struct {
	fixture
	registry *httptest.Server
	files    map[string][]byte // path → body
	mu       sync.Mutex
	asked    []string // "path accept authorization"
	base     string
	eco      fetchproxy.Ecosystem
}

func newNPM(t *testing.T) *npmFixture {
	t.Helper()
	n := &npmFixture{files: map[string][]byte{}}
	n.t = t
	n.registry = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.mu.Lock()
		n.asked = append(n.asked, r.URL.Path+" "+r.Header.Get("Accept")+" "+r.Header.Get("Authorization"))
		body, ok := n.files[r.URL.Path]
		n.mu.Unlock()
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Write(body)
	}))
	t.Cleanup(n.registry.Close)
	n.publish("left", "1.0.0", `,"dependencies":{"@scope/right":"^2.0.0"}`, "/left/-/left-1.0.0.tgz")
	n.publish("@scope/right", "2.1.0", "", "/download/elsewhere/abc")
	client, err := remote.New(remote.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if n.blobs, err = store.Open(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n.addr = l.Addr().String()
	n.base = "http://" + n.addr
	cfg := npm.Config{Registry: n.registry.URL, Auth: map[string]string{strings.TrimPrefix(n.registry.URL, "http:"): "Bearer secret"}}
	if n.eco, err = fetchproxy.NPM(npm.Registry{Config: cfg, Client: client.HTTP()}, n.base); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	if n.proxy, err = fetchproxy.New(ctx, fetchproxy.Options{Ecosystem: n.eco, Blobs: n.blobs}); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { n.proxy.Serve(ctx, l) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	return n
}

func (n *npmFixture) set(path string, body []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.files[path] = body
}

func (n *npmFixture) file(path string) []byte {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.files[path]
}

func (n *npmFixture) requests() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.asked)
}

func (n *npmFixture) publish(name, version, extra, at string) {
	tgz := npmTarballOf(n.t, name, version, extra)
	n.set(at, tgz)
	n.set("/"+name, fmt.Appendf(nil, `{"name":%q,"dist-tags":{"latest":%q},"versions":{%q:{"name":%q,"version":%q%s,"dist":{"tarball":%q,"integrity":%q}}}}`,
		name, version, version, name, version, extra, n.registry.URL+at, integrityOf(tgz)))
}

func TestNPMInstall(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skip("SKIPPED: npm is not installed")
	}
	n := newNPM(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "package.json"), []byte(`{"name":"app","version":"1.0.0","dependencies":{"left":"^1.0.0"}}`), 0o644); err != nil {
		t.Fatal(err)
	}
	n.run(dir, "install")
	c := n.proxy.Freeze()
	var paths []string
	for _, e := range c.Entries {
		paths = append(paths, strings.TrimSuffix(e.Path, "?full")) // which of the two depends on npm's version
	}
	slices.Sort(paths)
	if want := []string{"@scope/right", "@scope/right/-/right-2.1.0.tgz", "left", "left/-/left-1.0.0.tgz"}; !slices.Equal(paths, want) {
		t.Errorf("frozen %q, want %q", paths, want)
	}
	if list, count := n.proxy.Refusals(); count > 0 {
		t.Errorf("refused: %+v", list)
	}
	lock, err := os.ReadFile(filepath.Join(dir, "package-lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	n.expect(lock, c, fetchproxy.Locked, fetchproxy.Locked)
	for _, a := range n.requests() {
		if !strings.HasSuffix(a, "Bearer secret") {
			t.Errorf("asked without credentials: %s", a)
		}
	}

	// The same from the lock alone, with the addresses that the registry itself would have written there.
	m := newNPM(t)
	locked := strings.ReplaceAll(string(lock), n.base, m.registry.URL)
	if err := os.WriteFile(filepath.Join(dir, "package-lock.json"), []byte(locked), 0o644); err != nil {
		t.Fatal(err)
	}
	m.set("/@scope/right/-/right-2.1.0.tgz", m.file("/download/elsewhere/abc"))
	m.run(dir, "ci")
	again := m.proxy.Freeze()
	if len(again.Entries) != 2 {
		t.Errorf("npm ci fetched %+v", again.Entries)
	}
	m.expect([]byte(locked), again, fetchproxy.Locked, fetchproxy.Locked)
	if _, err := os.Stat(filepath.Join(dir, "node_modules/@scope/right/package.json")); err != nil {
		t.Error(err)
	}
}

func (n *npmFixture) run(dir, command string) {
	n.t.Helper()
	home := n.t.TempDir()
	cmd := exec.Command("npm", command, "--ignore-scripts")
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home}
	for k, v := range fetchproxy.NPMEnv(n.base) {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		refused, _ := n.proxy.Refusals()
		n.t.Fatalf("npm %s: %v\n%s\n%+v", command, err, out, refused)
	}
}

func (n *npmFixture) expect(lock []byte, c *fetchproxy.Closure, want ...fetchproxy.IntegrityStatus) {
	n.t.Helper()
	list, err := fetchproxy.CheckPackageLock(lock, c, n.blobs)
	if err != nil {
		n.t.Fatal(err)
	}
	var got []fetchproxy.IntegrityStatus
	for _, i := range list {
		got = append(got, i.Status)
	}
	if !slices.Equal(got, want) {
		n.t.Errorf("%+v, want %q", list, want)
	}
}

func TestNPMRewrite(t *testing.T) {
	t.Parallel()
	n := newNPM(t)
	for _, accept := range []string{"application/vnd.npm.install-v1+json; q=1.0, */*", "application/json"} {
		req, _ := http.NewRequest(http.MethodGet, n.base+"/@scope%2fright", nil)
		req.Header.Set("Accept", accept)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var doc struct {
			Versions map[string]struct {
				Dist struct{ Tarball, Integrity string }
			}
		}
		err = json.NewDecoder(resp.Body).Decode(&doc)
		resp.Body.Close()
		v := doc.Versions["2.1.0"].Dist
		if err != nil || v.Tarball != n.base+"/@scope/right/-/right-2.1.0.tgz" || !strings.HasPrefix(v.Integrity, "sha512-") {
			t.Errorf("%s: %+v, %v", accept, v, err)
		}
		if !strings.HasPrefix(accept, strings.Split(resp.Header.Get("Content-Type"), ";")[0]) {
			t.Errorf("asked for %s, got %s", accept, resp.Header.Get("Content-Type"))
		}
	}
	if status, body := n.get("/@scope/right/-/right-2.1.0.tgz"); status != http.StatusOK || body != string(n.file("/download/elsewhere/abc")) {
		t.Errorf("status %d", status)
	}
	req, _ := http.NewRequest(http.MethodGet, n.base+"/left/-/left-1.0.0.tgz", nil)
	req.Header.Set("Range", "bytes=0-9")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	part, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if resp.StatusCode != http.StatusPartialContent || !bytes.Equal(part, n.file("/left/-/left-1.0.0.tgz")[:10]) {
		t.Errorf("range: status %d, %d bytes", resp.StatusCode, len(part))
	}
	c := n.proxy.Freeze()
	if len(c.Entries) != 4 || c.Entries[2].Path != "@scope/right?full" {
		t.Errorf("%+v", c.Entries)
	}
	data, err := c.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fetchproxy.ParseClosure(data); err != nil {
		t.Error(err)
	}
	fresh, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := fetchproxy.Fill(t.Context(), c, n.eco, fresh); err != nil {
		t.Error(err)
	}
	if err := c.LayOut(t.Context(), fresh, t.TempDir()); err == nil {
		t.Error("a directory form of npm was made up")
	}
}

// TestNPMTarballElsewhere: a packument cannot send the host's credentials, or the host, to another server.
func TestNPMTarballElsewhere(t *testing.T) {
	t.Parallel()
	n := newNPM(t)
	var reached atomic.Bool
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { reached.Store(true) }))
	defer other.Close()
	n.set("/evil", fmt.Appendf(nil, `{"versions":{"1.0.0":{"dist":{"tarball":%q}}}}`, other.URL+"/x.tgz"))
	if status, _ := n.get("/evil"); status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	if status, _ := n.get("/evil/-/evil-1.0.0.tgz"); status != http.StatusNotFound || reached.Load() {
		t.Errorf("status %d, the other server was reached: %v", status, reached.Load())
	}
	for _, bad := range []string{`{"versions":{"../../x":{"dist":{"tarball":"https://x"}}}}`, `{"versions":[]}`, `{"versions":{"1":{"dist":{}}}}`, `not JSON`, `null1`} {
		n.set("/bad", []byte(bad))
		if status, _ := n.get("/bad"); status != http.StatusBadGateway {
			t.Errorf("%s: status %d", bad, status)
		}
	}
}

func TestNPMGrammar(t *testing.T) {
	t.Parallel()
	n := newNPM(t)
	for _, p := range []string{"/", "/-/npm/v1/security/advisories/bulk", "/-/ping", "/@scope", "/@scope/a/b", "/.hidden", "/_design", "/left/-/../../x.tgz",
		"/left/-/x.txt", "/left/-/a/b.tgz", "/left/1.0.0", "/%2e%2e/x", "/a%00b", "/@scope%2f..%2fx", "/left%3ffull", "/" + strings.Repeat("a", 215)} {
		if status, _ := n.get(p); status < 400 || status >= 500 {
			t.Errorf("%s: status %d", p, status)
		}
	}
	if asked := n.requests(); len(asked) > 0 {
		t.Errorf("the registry was asked: %q", asked)
	}
}

func TestPackageLock(t *testing.T) {
	t.Parallel()
	n := newNPM(t)
	n.get("/left/-/left-1.0.0.tgz")
	c := n.proxy.Freeze()
	right := integrityOf(n.file("/left/-/left-1.0.0.tgz"))
	wrong := integrityOf(nil)
	for lock, want := range map[string]fetchproxy.IntegrityStatus{
		`{"packages":{"node_modules/left":{"version":"1.0.0","integrity":"` + right + `"}}}`:                                                                                    fetchproxy.Locked,
		`{"packages":{"node_modules/a/node_modules/left":{"version":"1.0.0","integrity":"sha1-x ` + right + `"}}}`:                                                              fetchproxy.Locked,
		`{"packages":{"node_modules/alias":{"name":"left","version":"1.0.0","integrity":"` + right + `"}}}`:                                                                     fetchproxy.Locked,
		`{"dependencies":{"a":{"version":"1.0.0","dependencies":{"left":{"version":"1.0.0","integrity":"` + right + `"}}}}}`:                                                    fetchproxy.Locked,
		`{"packages":{"node_modules/left":{"version":"1.0.0","integrity":"` + wrong + `"}}}`:                                                                                    fetchproxy.Mismatch,
		`{"packages":{"node_modules/left":{"version":"1.0.0","integrity":"` + right + `"},"node_modules/b/node_modules/left":{"version":"1.0.0","integrity":"` + wrong + `"}}}`: fetchproxy.Mismatch,
		`{"packages":{"node_modules/left":{"version":"1.0.0","integrity":"sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk="}}}`:                                                                fetchproxy.Named,
		`{"packages":{"node_modules/left":{"version":"1.0.0","Integrity":"` + right + `"}}}`:                                                                                    fetchproxy.Named,
		`{"packages":{"node_modules/left":{"version":"1.0.1","integrity":"` + right + `"}}}`:                                                                                    fetchproxy.Unlocked,
		`{}`: fetchproxy.Unlocked,
	} {
		list, err := fetchproxy.CheckPackageLock([]byte(lock), c, n.blobs)
		if err != nil || len(list) != 1 || list[0].Status != want {
			t.Errorf("%.90s: %+v, %v, want %s", lock, list, err, want)
		}
	}
	for _, bad := range []string{"", "[]", `{"packages":[]}`, `{"dependencies":1}`} {
		if _, err := fetchproxy.CheckPackageLock([]byte(bad), c, n.blobs); err == nil {
			t.Errorf("%q: accepted", bad)
		}
	}
}

func FuzzParseClosure(f *testing.F) {
	sum := strings.Repeat("ab", 32)
	f.Add([]byte(`{"ecosystem":"go","entries":[{"path":"example.com/m/@v/v1.0.0.mod","sha256":"` + sum + `","size":1}]}`))
	f.Add([]byte(`{"ecosystem":"npm","entries":[{"path":"left?full","sha256":"` + sum + `","size":1}]}`))
	f.Add([]byte(`{"ecosystem":"go","entries":[]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := fetchproxy.ParseClosure(data)
		if err != nil {
			return
		}
		again, err := c.Marshal()
		if err != nil || !bytes.Equal(again, data) {
			t.Errorf("%q came back as %q, %v", data, again, err)
		}
		for _, e := range c.Entries {
			if !filepath.IsLocal(e.Path) || strings.Contains(e.Path, "..") && strings.Contains(e.Path, "/../") {
				t.Errorf("%q was accepted", e.Path)
			}
		}
	})
}
