package fetchproxy_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/glassbuild/glassbuild/internal/gomod"
	"github.com/glassbuild/glassbuild/internal/gomod/modtest"
	"github.com/glassbuild/glassbuild/internal/rebuild/fetchproxy"
	"github.com/glassbuild/glassbuild/internal/remote"
	"github.com/glassbuild/glassbuild/internal/store"
)

// fixture is a module proxy, a checksum database, a store and the fetch proxy in front of them.
type fixture struct {
	t      *testing.T
	up     *modtest.Server
	env    gomod.Env
	src    *gomod.Source
	blobs  *store.Store
	proxy  *fetchproxy.Proxy
	addr   string
	replay *fetchproxy.Closure
}

func newUpstream(t *testing.T) *modtest.Server {
	up := modtest.New(t)
	up.Add("example.com/dep", "v1.0.0", map[string]string{"dep.go": "package dep\n\nfunc Name() string { return \"dep\" }\n", "LICENSE": "free\n"})
	up.Add("example.com/Upper", "v0.1.0", map[string]string{"u.go": "package upper\n"})
	return up
}

func (f *fixture) start() {
	f.t.Helper()
	if f.env.GOPROXY == "" {
		f.env.GOPROXY = f.up.URL
	}
	f.env.GOSUMDB = f.up.Key
	client, err := remote.New(remote.Options{})
	if err != nil {
		f.t.Fatal(err)
	}
	if f.src, err = gomod.NewSource(f.env, client); err != nil {
		f.t.Fatal(err)
	}
	if f.blobs == nil {
		if f.blobs, err = store.Open(f.t.TempDir()); err != nil {
			f.t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	f.proxy, err = fetchproxy.New(ctx, fetchproxy.Options{Ecosystem: fetchproxy.Go(f.src), Blobs: f.blobs, Replay: f.replay})
	if err != nil {
		f.t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.t.Fatal(err)
	}
	f.addr = l.Addr().String()
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := f.proxy.Serve(ctx, l); err != nil {
			f.t.Errorf("Serve: %v", err)
		}
	})
	f.t.Cleanup(func() { cancel(); wg.Wait() })
}

func (f *fixture) get(path string) (int, string) {
	f.t.Helper()
	resp, err := http.Get("http://" + f.addr + path)
	if err != nil {
		f.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// raw sends bytes as they are and returns the status line.
func (f *fixture) raw(request string) string {
	f.t.Helper()
	c, err := net.Dial("tcp", f.addr)
	if err != nil {
		f.t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, request)
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil && err != io.EOF {
		f.t.Fatal(err)
	}
	return strings.TrimSpace(line)
}

// goRun runs the go command as a step in the sandbox would: nothing of the host's configuration, its own caches.
func goRun(t *testing.T, dir, home string, env map[string]string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "GOMODCACHE=" + filepath.Join(home, "mod"),
		"GOCACHE=" + os.Getenv("TEST_GOCACHE"), "CGO_ENABLED=0", "GOFLAGS=-modcacherw -buildvcs=false"}
	if cmd.Env[3] == "GOCACHE=" {
		out, err := exec.Command("go", "env", "GOCACHE").Output()
		if err != nil {
			t.Fatal(err)
		}
		cmd.Env[3] = "GOCACHE=" + strings.TrimSpace(string(out))
	}
	for k, v := range env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func writeApp(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range map[string]string{
		"go.mod":  "module example.com/app\n\ngo 1.18\n\nrequire example.com/dep v1.0.0\n",
		"main.go": "package main\n\nimport \"example.com/dep\"\n\nfunc main() { println(dep.Name()) }\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func fetched(f *fixture, c *fetchproxy.Closure) []gomod.Fetched {
	var files []gomod.Fetched
	for _, e := range c.Entries {
		files = append(files, gomod.Fetched{Path: e.Path, Open: func() (*os.File, error) { return f.blobs.OpenBlob(e.SHA256) }})
	}
	return files
}

func verify(t *testing.T, f *fixture, c *fetchproxy.Closure) []gomod.Result {
	t.Helper()
	checker, err := gomod.NewChecker(f.src, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer checker.Close()
	results, err := checker.Verify(t.Context(), fetched(f, c))
	if err != nil {
		t.Fatal(err)
	}
	return results
}

func checkVerified(t *testing.T, f *fixture, c *fetchproxy.Closure) {
	t.Helper()
	results := verify(t, f, c)
	if len(results) != 2 {
		t.Fatalf("%d results: %+v", len(results), results)
	}
	for _, r := range results {
		if r.Status != gomod.Verified {
			t.Errorf("%+v", r)
		}
	}
}

// sums returns the hashes of the one module's zip and go.mod.
func sums(t *testing.T, f *fixture, c *fetchproxy.Closure) [2]string {
	t.Helper()
	results := verify(t, f, c)
	return [2]string{results[1].Sum, results[0].Sum}
}
