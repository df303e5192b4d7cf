package fetchproxy_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/module"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/gomod"
	"github.com/glassbuild/glassbuild/internal/gomod/modtest"
	"github.com/glassbuild/glassbuild/internal/rebuild/fetchproxy"
	"github.com/glassbuild/glassbuild/internal/remote"
	"github.com/glassbuild/glassbuild/internal/store"
)

func TestRequestsOutsideTheGrammarAreRefused(t *testing.T) {
	t.Parallel()
	f := &fixture{t: t, up: newUpstream(t)}
	f.start()
	for _, request := range []string{
		"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n",
		"GET http://example.com/go/example.com/dep/@v/list HTTP/1.1\r\nHost: example.com\r\n\r\n",
		"POST /go/example.com/dep/@v/list HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx",
		"GET /go/example.com/dep/@v/list HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx",
		"GET /go/example.com/dep/@v/list?x=1 HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /go/example.com/dep/@v/list? HTTP/1.1\r\nHost: x\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /go/../secret HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /go/example.com/dep/@v/../../../secret.zip HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /go/example.com%2f..%2f..%2fdep/@v/v1.0.0.zip HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /go//example.com/dep/@v/list HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /go/example.com/Upper/@v/v0.1.0.zip HTTP/1.1\r\nHost: x\r\n\r\n", // not escaped
		"GET /go/example.com/dep/@v/v1.0.zip HTTP/1.1\r\nHost: x\r\n\r\n",     // not canonical
		"GET /go/example.com/dep/@v/v1.0.0.exe HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /go/example.com/dep HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /go/sumdb/other.example.com/latest HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /go/sumdb/sum.example.com/../../x HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /go/sumdb/sum.example.com/tile/8/0/1 HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /npm/left-pad HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /go/" + strings.Repeat("a", 4000) + "/@v/list HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		if line := f.raw(request); !strings.HasPrefix(line, "HTTP/1.1 4") {
			t.Errorf("%.80q: %q", request, line)
		}
	}
	if asked := f.up.Asked(); len(asked) > 0 {
		t.Errorf("the registry was asked for %q", asked)
	}
	if list, n := f.proxy.Refusals(); n != 21 || len(list) != n {
		t.Errorf("%d refusals recorded, %d counted", len(list), n)
	}
	if c := f.proxy.Freeze(); len(c.Entries) > 0 {
		t.Errorf("frozen: %v", c.Entries)
	}
}

// TestFetchFreezeLayOutBuild is the whole way: the go command fetches through the proxy and checks the sums itself, what it got is
// frozen, checked again outside, laid out, and built from without network.
func TestFetchFreezeLayOutBuild(t *testing.T) {
	t.Parallel()
	f := &fixture{t: t, up: newUpstream(t)}
	f.start()
	app, home := writeApp(t), t.TempDir()
	if out, err := goRun(t, app, home, f.env.FetchEnv("http://"+f.addr+"/go"), "mod", "download", "example.com/dep"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !slices.ContainsFunc(f.up.Asked(), func(p string) bool { return strings.Contains(p, "/lookup/example.com/dep@") }) {
		t.Errorf("the go command did not ask the checksum database: %q", f.up.Asked())
	}
	closure := f.proxy.Freeze()
	var paths []string
	for _, e := range closure.Entries {
		paths = append(paths, e.Path)
	}
	want := []string{"example.com/dep/@v/v1.0.0.info", "example.com/dep/@v/v1.0.0.mod", "example.com/dep/@v/v1.0.0.zip"}
	if !slices.Equal(paths, want) {
		t.Fatalf("frozen %q, want %q", paths, want)
	}
	if status, _ := f.get("/go/example.com/dep/@v/v1.0.0.mod"); status != http.StatusGone {
		t.Errorf("after the step: status %d", status)
	}
	checkVerified(t, f, closure)

	data, err := closure.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	again, err := fetchproxy.ParseClosure(data)
	if err != nil || again.Digest() != closure.Digest() {
		t.Fatalf("%v, digests %s and %s", err, again.Digest(), closure.Digest())
	}
	dir := t.TempDir()
	if err := again.LayOut(t.Context(), f.blobs, dir); err != nil {
		t.Fatal(err)
	}
	env := gomod.BuildEnv(dir)
	sum := fmt.Sprintf("example.com/dep v1.0.0 %s\nexample.com/dep v1.0.0/go.mod %s\n", sums(t, f, closure)[0], sums(t, f, closure)[1])
	if err := os.WriteFile(filepath.Join(app, "go.sum"), []byte(sum), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := goRun(t, app, t.TempDir(), env, "build", "-o", filepath.Join(t.TempDir(), "app"), "."); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// TestLyingZip: the registry serves another zip than the database knows. The go command in the sandbox refuses it, and so does the check
// outside, which a hostile step cannot influence.
func TestLyingZip(t *testing.T) {
	t.Parallel()
	f := &fixture{t: t, up: newUpstream(t)}
	evil := modtest.Zip("example.com/dep", "v1.0.0", map[string]string{"go.mod": "module example.com/dep\n\ngo 1.18\n", "dep.go": "package dep\n\nfunc Name() string { return \"evil\" }\n"})
	f.up.Tamper = func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, ".zip") {
			w.Write(evil)
			return true
		}
		return false
	}
	f.start()
	out, err := goRun(t, writeApp(t), t.TempDir(), f.env.FetchEnv("http://"+f.addr+"/go"), "mod", "download", "example.com/dep")
	if err == nil || !strings.Contains(out, "checksum mismatch") {
		t.Errorf("the go command accepted it: %v\n%s", err, out)
	}
	found := false
	for _, r := range verify(t, f, f.proxy.Freeze()) {
		if !r.GoMod {
			found = true
			if r.Status != gomod.Mismatch || !strings.Contains(r.Detail, "the checksum database has h1:") {
				t.Errorf("%+v", r)
			}
		}
	}
	if !found {
		t.Error("the zip was not judged")
	}
}

func TestPrivateAndUnknown(t *testing.T) {
	t.Parallel()
	f := &fixture{t: t, up: newUpstream(t)}
	f.env.GONOSUMDB = "example.com/Upper"
	f.up.Tamper = func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/lookup/example.com/dep@") {
			http.NotFound(w, r)
			return true
		}
		return false
	}
	f.start()
	for _, p := range []string{"example.com/!upper/@v/v0.1.0.zip", "example.com/dep/@v/v1.0.0.zip"} {
		if status, _ := f.get("/go/" + p); status != http.StatusOK {
			t.Fatalf("%s: status %d", p, status)
		}
	}
	results := verify(t, f, f.proxy.Freeze())
	if len(results) != 2 || results[0].Status != gomod.Private || results[0].Module != "example.com/Upper" ||
		results[1].Status != gomod.Unknown || results[1].Detail != "the checksum database has no record of it" {
		t.Errorf("%+v", results)
	}
}

func TestReplayAnswersOnlyTheClosure(t *testing.T) {
	t.Parallel()
	f := &fixture{t: t, up: newUpstream(t)}
	f.start()
	_, want := f.get("/go/example.com/dep/@v/v1.0.0.zip")
	closure := f.proxy.Freeze()

	g := &fixture{t: t, up: f.up, blobs: f.blobs, replay: closure}
	g.start()
	before := len(f.up.Asked())
	if status, got := g.get("/go/example.com/dep/@v/v1.0.0.zip"); status != http.StatusOK || got != want {
		t.Errorf("status %d, %d bytes", status, len(got))
	}
	if status, _ := g.get("/go/example.com/dep/@v/v1.0.0.mod"); status != http.StatusNotFound {
		t.Errorf("outside the closure: status %d", status)
	}
	if status, _ := g.get("/go/sumdb/sum.example.com/latest"); status != http.StatusNotFound {
		t.Errorf("database in replay: status %d", status)
	}
	if _, n := g.proxy.Refusals(); n != 2 {
		t.Errorf("%d refusals", n)
	}
	if len(f.up.Asked()) != before {
		t.Errorf("the registry was asked: %q", f.up.Asked()[before:])
	}
	if g.proxy.Freeze().Digest() != closure.Digest() {
		t.Error("the replayed closure has another digest")
	}
}

func TestFill(t *testing.T) {
	t.Parallel()
	f := &fixture{t: t, up: newUpstream(t)}
	f.start()
	f.get("/go/example.com/dep/@v/v1.0.0.zip")
	f.get("/go/example.com/dep/@v/v1.0.0.info")
	closure := f.proxy.Freeze()
	empty, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	err = closure.LayOut(t.Context(), empty, t.TempDir())
	if err == nil || fault.ClassOf(err) != fault.Inconclusive {
		t.Errorf("laid out from an empty store: %v", err)
	}
	if err := fetchproxy.Fill(t.Context(), closure, fetchproxy.Go(f.src), empty); err != nil {
		t.Fatal(err)
	}
	if err := closure.LayOut(t.Context(), empty, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	other := *closure
	other.Entries = slices.Clone(closure.Entries)
	other.Entries[0].SHA256 = strings.Repeat("0", 64)
	if err := fetchproxy.Fill(t.Context(), &other, fetchproxy.Go(f.src), empty); err == nil || !strings.Contains(err.Error(), "serves other bytes") {
		t.Errorf("another digest: %v", err)
	}
}

func TestUpstreamErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		tamper func(w http.ResponseWriter, r *http.Request)
		status int
	}{
		{"not found", func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }, 404},
		{"gone", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusGone) }, 404},
		{"forbidden", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusForbidden) }, 502},
		{"too large by its own word", func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Content-Length", "99999999999") }, 502},
		{"endless", func(w http.ResponseWriter, r *http.Request) {
			for b := make([]byte, 1<<20); ; {
				if _, err := w.Write(b); err != nil {
					return
				}
			}
		}, 502},
		{"redirect to plain http elsewhere", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://192.0.2.1/x", http.StatusFound)
		}, 502},
		{"breaks off", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "1000")
			w.Write([]byte("x"))
		}, 502},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := &fixture{t: t, up: newUpstream(t)}
			f.up.Tamper = func(w http.ResponseWriter, r *http.Request) bool { c.tamper(w, r); return true }
			f.start()
			if status, _ := f.get("/go/example.com/dep/@v/v1.0.0.mod"); status != c.status {
				t.Errorf("status %d, want %d", status, c.status)
			}
			rec := f.proxy.Records()
			if len(rec) != 1 || rec[0].Status != c.status || rec[0].Reason == "" || rec[0].SHA256 != "" {
				t.Errorf("%+v", rec)
			}
			if c := f.proxy.Freeze(); len(c.Entries) > 0 {
				t.Errorf("frozen: %+v", c.Entries)
			}
		})
	}
}

// TestSlowClient: a client that never finishes its request does not keep others out.
func TestSlowClient(t *testing.T) {
	t.Parallel()
	f := &fixture{t: t, up: newUpstream(t)}
	f.start()
	for range 20 {
		c, err := net.Dial("tcp", f.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		io.WriteString(c, "GET /go/example.com/dep/@v/v1.0.0.mod HTTP/1.1\r\nHost:")
	}
	if status, _ := f.get("/go/example.com/dep/@v/v1.0.0.mod"); status != http.StatusOK {
		t.Errorf("status %d", status)
	}
}

func TestEachPathIsFetchedOnce(t *testing.T) {
	t.Parallel()
	f := &fixture{t: t, up: newUpstream(t)}
	f.up.Tamper = func(w http.ResponseWriter, r *http.Request) bool { time.Sleep(time.Millisecond); return false }
	f.start()
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { f.get("/go/example.com/dep/@v/v1.0.0.zip") })
	}
	wg.Wait()
	f.get("/go/example.com/none/@v/v1.0.0.zip")
	f.get("/go/example.com/none/@v/v1.0.0.zip")
	if asked := f.up.Asked(); len(asked) != 2 {
		t.Errorf("asked for %q", asked)
	}
	if r := f.proxy.Records(); len(r) != 2 || r[0].Requests != 20 || r[1].Requests != 2 || r[1].Status != 404 {
		t.Errorf("%+v", r)
	}
}

// TestInfoIsNormalised: what a proxy adds to the protocol does not reach the closure.
func TestInfoIsNormalised(t *testing.T) {
	t.Parallel()
	f := &fixture{t: t, up: newUpstream(t)}
	f.start()
	if _, got := f.get("/go/example.com/dep/@v/v1.0.0.info"); got != `{"Version":"v1.0.0","Time":"2025-01-01T00:00:00Z"}` {
		t.Errorf("%s", got)
	}
	f.up.Add("example.com/dep", "v1.10.0", nil)
	f.up.Add("example.com/dep", "v1.9.0", nil)
	if _, got := f.get("/go/example.com/dep/@v/list"); got != "v1.0.0\nv1.10.0\nv1.9.0\n" {
		t.Errorf("%q", got)
	}
}

// TestConfiguredProxy asks the proxy and the database that the user of this machine has configured for one small, old module.
func TestConfiguredProxy(t *testing.T) {
	t.Parallel()
	env, err := gomod.LoadEnv()
	if err != nil {
		t.Skipf("SKIPPED: %v", err)
	}
	client, err := remote.New(remote.Options{Netrc: remote.DefaultNetrc(), PlainHTTP: env.PlainHTTP()})
	if err != nil {
		t.Fatal(err)
	}
	src, err := gomod.NewSource(env, client)
	if err != nil {
		t.Skipf("SKIPPED: %v", err)
	}
	f := &fixture{t: t, src: src}
	if f.blobs, err = store.Open(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	p, err := fetchproxy.New(t.Context(), fetchproxy.Options{Ecosystem: fetchproxy.Go(src), Blobs: f.blobs})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f.proxy, f.addr = p, l.Addr().String()
	go p.Serve(t.Context(), l)
	mod := module.Version{Path: "golang.org/x/xerrors", Version: "v0.0.0-20191204190536-9bdfabe68543"}
	if status, _ := f.get("/go/" + mod.Path + "/@v/" + mod.Version + ".zip"); status != http.StatusOK {
		t.Skipf("SKIPPED: the configured module proxy does not answer: %+v", p.Records())
	}
	results := verify(t, f, p.Freeze())
	if len(results) != 1 || results[0].Status != gomod.Verified {
		b, _ := json.Marshal(results)
		t.Errorf("%s", b)
	}
}
