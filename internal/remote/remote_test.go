package remote_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/remote"
)

func client(t *testing.T, o remote.Options) *remote.Client {
	t.Helper()
	c, err := remote.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestGetRecordsAndCaps(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/ok":
			io.WriteString(w, "hello")
		case "/endless":
			for range 1000 {
				if _, err := w.Write(make([]byte, 1024)); err != nil {
					return
				}
				w.(http.Flusher).Flush()
			}
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(srv.Close)
	c := client(t, remote.Options{})
	b, err := c.Get(context.Background(), srv.URL+"/ok?token=secret", 5)
	if err != nil || string(b) != "hello" {
		t.Fatal(string(b), err)
	}
	rec := c.Requests()
	if len(rec) != 1 || strings.Contains(rec[0].URL, "secret") || rec[0].Size != 5 || rec[0].SHA256 != "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" {
		t.Fatalf("%+v", rec)
	}
	if _, err := c.Get(context.Background(), srv.URL+"/endless", 2000); err == nil || !strings.Contains(err.Error(), "exceeds limit") || fault.ClassOf(err) != fault.Failed {
		t.Fatal(err)
	}
	if _, err := c.Get(context.Background(), srv.URL+"/missing", 10); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	c := client(t, remote.Options{})
	for u, want := range map[string]string{
		"http://example.invalid/":          "only https is spoken",
		"https://u:p@example.invalid/":     "user information",
		"ftp://example.invalid/":           "only https",
		"https://a b/":                     "unsupported URL",
		"https://u:hunter2@exa mple/?q=pw": "unsupported URL",
	} {
		_, err := c.Get(context.Background(), u, 10)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", u, err)
		}
	}
	off := client(t, remote.Options{Offline: true})
	if _, err := off.Get(context.Background(), "https://example.invalid/", 1); fault.ClassOf(err) != fault.Inconclusive || !strings.Contains(err.Error(), "working offline") {
		t.Fatal(err)
	}
}

func TestRetriesThenNamesHostAndCount(t *testing.T) {
	t.Parallel()
	var n atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) < 3 {
			http.Error(w, "busy", http.StatusServiceUnavailable)
			return
		}
		io.WriteString(w, "ok")
	}))
	t.Cleanup(srv.Close)
	c := client(t, remote.Options{})
	if b, err := c.Get(context.Background(), srv.URL, 10); err != nil || string(b) != "ok" {
		t.Fatal(err)
	}
	always := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Error(w, "\x1b[31mdown", 500) }))
	t.Cleanup(always.Close)
	_, err := c.Get(context.Background(), always.URL, 10)
	if fault.ClassOf(err) != fault.Inconclusive || !strings.Contains(err.Error(), "after 4 attempts") || strings.Contains(err.Error(), "\x1b") {
		t.Fatal(err)
	}
}

func TestRedirectDropsCredentialsAndKeepsTLS(t *testing.T) {
	t.Parallel()
	var leaked atomic.Bool
	other := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			leaked.Store(true)
		}
		io.WriteString(w, "other")
	}))
	t.Cleanup(other.Close)
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "plain") }))
	t.Cleanup(plain.Close)
	var sawAuth atomic.Bool
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _, ok := r.BasicAuth()
		sawAuth.Store(ok)
		to := strings.Replace(other.URL, "127.0.0.1", "localhost", 1)
		if r.URL.Path == "/down" {
			to = plain.URL
		}
		http.Redirect(w, r, to, http.StatusFound)
	}))
	t.Cleanup(srv.Close)
	netrc := filepath.Join(t.TempDir(), "netrc")
	os.WriteFile(netrc, []byte("machine 127.0.0.1 login a password b\nmachine localhost\n login c\n password d\n"), 0o600)
	tr := srv.Client().Transport.(*http.Transport).Clone()
	tr.TLSClientConfig.InsecureSkipVerify = true // two test servers with one certificate; names differ on purpose
	c := client(t, remote.Options{Transport: tr, Netrc: netrc})
	if b, err := c.Get(context.Background(), srv.URL+"/x", 10); err != nil || string(b) != "other" {
		t.Fatal(string(b), err)
	}
	if !sawAuth.Load() || leaked.Load() {
		t.Fatalf("credentials to the named host: %v, leaked to the other: %v", sawAuth.Load(), leaked.Load())
	}
	if _, err := c.Get(context.Background(), srv.URL+"/down", 10); err == nil || !strings.Contains(err.Error(), "refused redirect") {
		t.Fatal(err)
	}
	library := &http.Client{Transport: c.HTTP().Transport} // brings its own rules for redirects
	resp, err := library.Get(srv.URL + "/x")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if leaked.Load() {
		t.Fatal("a library's client leaks credentials to another host")
	}
	if _, err := library.Get(srv.URL + "/down"); err == nil || !strings.Contains(err.Error(), "refused redirect") {
		t.Fatal(err)
	}
}

// The headers of a call are for the host that was named. Whether a redirect comes back there or goes on within the other one,
// they are not sent again.
func TestCallsKeepTheirHeadersToTheirHost(t *testing.T) {
	t.Parallel()
	var here, there atomic.Int32
	var back string
	other := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Token") != "" || r.Header.Get("Authorization") != "" {
			there.Add(1)
		}
		switch r.URL.Path {
		case "/first":
			http.Redirect(w, r, "/second", http.StatusTemporaryRedirect)
		case "/second":
			http.Redirect(w, r, back+"/back", http.StatusTemporaryRedirect)
		}
	}))
	t.Cleanup(other.Close)
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Header.Get("X-Token") == "secret" {
			here.Add(1)
		}
		if r.URL.Path == "/back" {
			io.WriteString(w, r.Method+" "+string(body)+" "+r.Header.Get("X-Token")+r.Header.Get("Authorization"))
			return
		}
		http.Redirect(w, r, strings.Replace(other.URL, "127.0.0.1", "localhost", 1)+"/first", http.StatusTemporaryRedirect)
	}))
	t.Cleanup(srv.Close)
	back = srv.URL
	netrc := filepath.Join(t.TempDir(), "netrc")
	os.WriteFile(netrc, []byte("machine 127.0.0.1 login a password b\nmachine localhost login c password d\n"), 0o600)
	tr := srv.Client().Transport.(*http.Transport).Clone()
	tr.TLSClientConfig.InsecureSkipVerify = true
	c := client(t, remote.Options{Transport: tr, Netrc: netrc})
	call := remote.Call{URL: srv.URL + "/start", Header: http.Header{"X-Token": {"secret"}}, Body: []byte("{}"), Limit: 100, Anonymous: true}
	b, err := c.Do(context.Background(), call)
	if err != nil || string(b) != "POST {} " {
		t.Fatalf("%q %v", b, err)
	}
	if here.Load() != 1 || there.Load() != 0 {
		t.Fatalf("sent %d times to the host that was named, %d times to another", here.Load(), there.Load())
	}
	call.URL, call.Anonymous = srv.URL+"/back", false
	if b, err := c.Do(context.Background(), call); err != nil || !strings.HasPrefix(string(b), "POST {} secretBasic ") {
		t.Fatalf("%q %v", b, err)
	}
}
