package builder

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/mod/sumdb"
	"golang.org/x/mod/sumdb/dirhash"
	"golang.org/x/mod/sumdb/note"

	"github.com/glassbuild/glassbuild/internal/gomod"
	"github.com/glassbuild/glassbuild/internal/remote"
	"github.com/glassbuild/glassbuild/internal/store"
)

const (
	testDB       = "sums.example.org"
	testPlatform = "linux/amd64"
)

// world is a module proxy with a checksum database behind it, and a store of its own.
type world struct {
	t                *testing.T
	signer, verifier string
	server           *httptest.Server
	store            *store.Store

	mu        sync.Mutex
	zips      map[string][]byte                             // module version → zip that the proxy serves
	sums      map[string]string                             // module version → hash that the database has
	requests  []string                                      // every path that was asked for
	alter     func(path string, body []byte) []byte         // changes answers; may be nil
	intercept func(w http.ResponseWriter, path string) bool // answers itself; may be nil
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, zips: map[string][]byte{}, sums: map[string]string{}}
	var err error
	if w.signer, w.verifier, err = note.GenerateKey(rand.Reader, testDB); err != nil {
		t.Fatal(err)
	}
	w.store = newStore(t)
	w.serve()
	return w
}

// newStore makes a store whose read-only trees are removed with the test.
func newStore(t *testing.T) *store.Store {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "store")
	t.Cleanup(func() { store.RemoveAll(dir) })
	s, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// serve starts a proxy with a database that has only what sums holds when it is asked, plus some other modules.
func (w *world) serve() {
	db := sumdb.NewTestServer(w.signer, func(path, vers string) ([]byte, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if path != toolchainModule {
			return fmt.Appendf(nil, "%s %s h1:%s=\n", path, vers, strings.Repeat("x", 43)), nil
		}
		sum, ok := w.sums[vers]
		if !ok {
			return nil, os.ErrNotExist
		}
		return fmt.Appendf(nil, "%s %s %s\n%s %s/go.mod h1:%s=\n", path, vers, sum, path, vers, strings.Repeat("y", 43)), nil
	})
	handler := http.StripPrefix("/sumdb/"+testDB, sumdb.NewServer(db))
	w.server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		w.requests = append(w.requests, r.URL.Path)
		alter, intercept := w.alter, w.intercept
		w.mu.Unlock()
		if intercept != nil && intercept(rw, r.URL.Path) {
			return
		}
		rec := httptest.NewRecorder()
		switch {
		case r.URL.Path == "/sumdb/"+testDB+"/supported":
		case strings.HasPrefix(r.URL.Path, "/sumdb/"):
			handler.ServeHTTP(rec, r)
		default:
			version := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/"+toolchainModule+"/@v/"), ".zip")
			w.mu.Lock()
			data, ok := w.zips[version]
			w.mu.Unlock()
			if !ok {
				rec.WriteHeader(http.StatusNotFound)
			}
			rec.Write(data)
		}
		body := rec.Body.Bytes()
		if alter != nil {
			body = alter(r.URL.Path, bytes.Clone(body))
		}
		rw.WriteHeader(rec.Code)
		rw.Write(body)
	}))
	w.t.Cleanup(w.server.Close)
}

func moduleVersion(version string) string { return "v0.0.1-go" + version + ".linux-amd64" }

var toolchainFiles = map[string]string{
	"VERSION":                      "go1.26.5\n",
	"bin/go":                       "a program",
	"bin/gofmt":                    "another program",
	"pkg/tool/linux_amd64/asm":     "a tool",
	"pkg/tool/linux_amd64/compile": "the compiler",
	"src/fmt/print.go":             "package fmt\n",
	"src/bin/go":                   "no program\n",
	"lib/time/zoneinfo.zip":        strings.Repeat("zone", 1000),
}

// makeZip makes a module zip of files; a name that begins with ! is taken as it is, without the prefix.
func makeZip(t *testing.T, version string, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		full := toolchainModule + "@" + moduleVersion(version) + "/" + name
		if raw, ok := strings.CutPrefix(name, "!"); ok {
			full = raw
		}
		f, err := z.Create(full)
		if err != nil {
			t.Fatal(err)
		}
		f.Write([]byte(files[name]))
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// publish puts a toolchain into proxy and database.
func (w *world) publish(version string, files map[string]string) {
	w.t.Helper()
	data := makeZip(w.t, version, files)
	path := filepath.Join(w.t.TempDir(), "z.zip")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		w.t.Fatal(err)
	}
	sum, err := dirhash.HashZip(path, dirhash.Hash1) // the reference implementation
	if err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.zips[moduleVersion(version)], w.sums[moduleVersion(version)] = data, sum
}

func (w *world) options() Options {
	w.t.Helper()
	client, err := remote.New(remote.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	return Options{Store: w.store, Remote: client, GoEnv: gomod.Env{GOPROXY: w.server.URL}, verifier: w.verifier}
}

func (w *world) prepare(version string, opts Options) (*Root, error) {
	return Prepare(context.Background(), Request{Go: version, Platform: testPlatform}, opts)
}

// prove looks a toolchain up in the database.
func (w *world) prove(version string, opts Options) (string, *evidence, error) {
	w.t.Helper()
	src, err := opts.source()
	if err != nil {
		w.t.Fatal(err)
	}
	return prove(context.Background(), src, opts.Store, toolchainModule, moduleVersion(version))
}

func (w *world) asked() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.requests
	w.requests = nil
	return out
}

// trees returns how many toolchains the store has published, and whether it holds half-written ones.
func (w *world) trees() (published int, leftovers []string) {
	w.t.Helper()
	entries, _ := os.ReadDir(filepath.Join(w.store.Dir(), "trees", toolchainKind))
	tmp, _ := os.ReadDir(filepath.Join(w.store.Dir(), "tmp"))
	for _, e := range tmp {
		leftovers = append(leftovers, e.Name())
	}
	return len(entries), leftovers
}
