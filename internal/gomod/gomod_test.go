package gomod_test

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/module"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/gomod"
	"github.com/glassbuild/glassbuild/internal/gomod/modtest"
	"github.com/glassbuild/glassbuild/internal/remote"
)

func client(t testing.TB) *remote.Client {
	t.Helper()
	c, err := remote.New(remote.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func source(t testing.TB, env gomod.Env) *gomod.Source {
	t.Helper()
	s, err := gomod.NewSource(env, client(t))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func checker(t testing.TB, s *gomod.Source, dir string) *gomod.Checker {
	t.Helper()
	c, err := gomod.NewChecker(s, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func withDep(t testing.TB) *modtest.Server {
	s := modtest.New(t)
	s.Add("example.com/dep", "v1.0.0", map[string]string{"dep.go": "package dep\n"})
	return s
}

const depZip = "example.com/dep/@v/v1.0.0.zip"

func read(t *testing.T, s *gomod.Source) (string, error) {
	t.Helper()
	r, err := s.Open(t.Context(), "example.com/dep", depZip, gomod.MaxZip)
	if err != nil {
		return "", err
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	return string(data), err
}

// TestProxyList: when the next proxy is tried follows the separators, as the go command reads them.
func TestProxyList(t *testing.T) {
	t.Parallel()
	good := withDep(t)
	answer := func(status int) *modtest.Server {
		s := modtest.New(t)
		s.Tamper = func(w http.ResponseWriter, r *http.Request) bool { w.WriteHeader(status); return true }
		return s
	}
	missing, gone, forbidden := answer(http.StatusNotFound), answer(http.StatusGone), answer(http.StatusForbidden)
	files := t.TempDir()
	if err := os.MkdirAll(filepath.Join(files, "example.com/dep/@v"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(files, depZip), []byte("from a file"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, proxies, noProxy string
		want                   string // beginning of the zip; "" for an error
		missing                bool
	}{
		{name: "one", proxies: good.URL, want: "PK"},
		{name: "comma after 404", proxies: missing.URL + "," + good.URL, want: "PK"},
		{name: "comma after 410", proxies: gone.URL + "," + good.URL, want: "PK"},
		{name: "comma after 403", proxies: forbidden.URL + "," + good.URL},
		{name: "bar after 403", proxies: forbidden.URL + "|" + good.URL, want: "PK"},
		{name: "spaces and empty entries", proxies: " , " + good.URL + " ,", want: "PK"},
		{name: "off ends the list", proxies: "off," + good.URL, missing: true},
		{name: "direct is not followed", proxies: missing.URL + ",direct," + good.URL, missing: true},
		{name: "directory", proxies: "file://" + files, want: "from a file"},
		{name: "directory without it", proxies: "file://" + t.TempDir() + "," + good.URL, want: "PK"},
		{name: "not proxied", proxies: good.URL, noProxy: "example.com", missing: true},
		{name: "another not proxied", proxies: good.URL, noProxy: "example.org,*.corp.example.com", want: "PK"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := read(t, source(t, gomod.Env{GOPROXY: c.proxies, GONOPROXY: c.noProxy, GOSUMDB: "off"}))
			if c.want == "" {
				if err == nil || errors.Is(err, fs.ErrNotExist) != c.missing {
					t.Errorf("error %v, missing %v", err, c.missing)
				}
				return
			}
			if err != nil || !strings.HasPrefix(got, c.want) {
				t.Errorf("%.20q, %v", got, err)
			}
		})
	}
}

func TestBadConfiguration(t *testing.T) {
	t.Parallel()
	for _, env := range []gomod.Env{
		{GOSUMDB: "off"},
		{GOPROXY: ",", GOSUMDB: "off"},
		{GOPROXY: "ftp://example.com", GOSUMDB: "off"},
		{GOPROXY: "file://host/dir", GOSUMDB: "off"},
		{GOPROXY: "https://user:secret@example.com", GOSUMDB: "off"},
		{GOPROXY: "off", GOSUMDB: "sum.unknown.example"},
		{GOPROXY: "off", GOSUMDB: "a b c"},
		{GOPROXY: "off", GOSUMDB: "bad+00000000+key"},
	} {
		if _, err := gomod.NewSource(env, client(t)); err == nil {
			t.Errorf("%+v: accepted", env)
		}
	}
}

func TestPlainHTTP(t *testing.T) {
	t.Parallel()
	env := gomod.Env{GOPROXY: "https://a.example,http://b.example:81|http://b.example:81,direct", GOSUMDB: "db http://sums.corp"}
	if got := env.PlainHTTP(); !slices.Equal(got, []string{"b.example:81", "sums.corp"}) {
		t.Errorf("%q", got)
	}
}

func sumOfDep(t *testing.T) string {
	t.Helper()
	sum, err := gomod.SumZip(module.Version{Path: "example.com/dep", Version: "v1.0.0"}, file(t, depBytes()))
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

func depBytes() []byte {
	return modtest.Zip("example.com/dep", "v1.0.0", map[string]string{"dep.go": "package dep\n", "go.mod": "module example.com/dep\n\ngo 1.18\n"})
}

func file(t testing.TB, data []byte) *os.File {
	t.Helper()
	p := filepath.Join(t.TempDir(), "zip")
	if err := os.WriteFile(p, data, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

var dep = module.Version{Path: "example.com/dep", Version: "v1.0.0"}

func TestCheck(t *testing.T) {
	t.Parallel()
	up := withDep(t)
	sum := sumOfDep(t)
	for _, c := range []struct {
		name   string
		env    gomod.Env
		mod    module.Version
		sum    string
		status gomod.Status
	}{
		{"right", gomod.Env{}, dep, sum, gomod.Verified},
		{"another sum", gomod.Env{}, dep, "h1:" + strings.Repeat("A", 43) + "=", gomod.Mismatch},
		{"go.mod with the zip's sum", gomod.Env{}, module.Version{Path: dep.Path, Version: "v1.0.0/go.mod"}, sum, gomod.Mismatch},
		{"no record", gomod.Env{}, module.Version{Path: "example.com/none", Version: "v1.0.0"}, sum, gomod.Unknown},
		{"private", gomod.Env{GONOSUMDB: "example.com"}, dep, sum, gomod.Private},
		{"switched off", gomod.Env{GOSUMDB: "off"}, dep, sum, gomod.Unknown},
		{"toolchain is never private", gomod.Env{GONOSUMDB: "golang.org"}, module.Version{Path: "golang.org/toolchain", Version: "v0.0.1-go1.26.5.linux-amd64"}, sum, gomod.Unknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.env.GOPROXY = up.URL
			if c.env.GOSUMDB == "" {
				c.env.GOSUMDB = up.Key
			}
			got, detail := checker(t, source(t, c.env), t.TempDir()).Check(t.Context(), c.mod, c.sum)
			if got != c.status || (detail == "") != (got == gomod.Verified) {
				t.Errorf("%s (%s), want %s", got, detail, c.status)
			}
		})
	}
}

// TestEveryBitOfTheDatabaseCounts flips bits in what the database serves: nothing may then be verified.
func TestEveryBitOfTheDatabaseCounts(t *testing.T) {
	t.Parallel()
	sum := sumOfDep(t)
	for _, what := range []string{"/lookup/", "/tile/"} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			flips := 0
			for bit := 0; bit < 4000; bit += 61 {
				up := withDep(t)
				flipped := false
				up.Mangle = func(path string, body []byte) []byte {
					if strings.Contains(path, what) && bit/8 < len(body) {
						body[bit/8] ^= 1 << (bit % 8)
						flipped = true
					}
					return body
				}
				got, detail := checker(t, source(t, gomod.Env{GOPROXY: up.URL, GOSUMDB: up.Key}), t.TempDir()).Check(t.Context(), dep, sum)
				if flipped && got == gomod.Verified {
					t.Errorf("bit %d: %s (%s)", bit, got, detail)
				}
				if flipped {
					flips++
				}
			}
			if flips < 3 {
				t.Errorf("only %d bits were flipped", flips)
			}
		})
	}
}

// TestAnotherHistoryIsCaught: a database that later shows a tree which does not continue the one seen before.
func TestAnotherHistoryIsCaught(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := withDep(t)
	sum := sumOfDep(t)
	if got, detail := checker(t, source(t, gomod.Env{GOPROXY: a.URL, GOSUMDB: a.Key}), dir).Check(t.Context(), dep, sum); got != gomod.Verified {
		t.Fatalf("%s (%s)", got, detail)
	}
	// what was verified is verified again without the network
	offline := gomod.Env{GOPROXY: "off", GOSUMDB: a.Key + " http://127.0.0.1:1"}
	if got, detail := checker(t, source(t, offline), dir).Check(t.Context(), dep, sum); got != gomod.Verified {
		t.Errorf("offline: %s (%s)", got, detail)
	}
	// the same database under another key is not believed
	b := withDep(t)
	b.Key = a.Key
	if got, _ := checker(t, source(t, gomod.Env{GOPROXY: b.URL, GOSUMDB: a.Key}), t.TempDir()).Check(t.Context(), dep, sum); got != gomod.Unknown && got != gomod.Mismatch {
		t.Errorf("signed by another key: %s", got)
	}
}

func TestHostileZips(t *testing.T) {
	t.Parallel()
	for name, data := range map[string][]byte{
		"not a zip":        []byte("PK nothing"),
		"empty":            nil,
		"another module":   modtest.Zip("example.com/other", "v1.0.0", map[string]string{"go.mod": "module x\n"}),
		"climbing name":    modtest.Zip("example.com/dep", "v1.0.0", map[string]string{"../../x": "x"}),
		"absolute name":    modtest.Zip("example.com/dep", "v1.0.0", map[string]string{"/etc/passwd": "x"}),
		"colliding names":  modtest.Zip("example.com/dep", "v1.0.0", map[string]string{"a.go": "x", "A.go": "x"}),
		"go.mod below":     modtest.Zip("example.com/dep", "v1.0.0", map[string]string{"GO.MOD": "x"}),
		"bytes cut off":    depBytes()[:len(depBytes())-30],
		"control in names": modtest.Zip("example.com/dep", "v1.0.0", map[string]string{"a\x1b.go": "x"}),
	} {
		if sum, err := gomod.SumZip(dep, file(t, data)); err == nil || fault.ClassOf(err) != fault.Failed {
			t.Errorf("%s: %q, %v", name, sum, err)
		}
	}
}

func TestParseFile(t *testing.T) {
	t.Parallel()
	for p, want := range map[string]gomod.Kind{
		"example.com/m/@v/list": gomod.List, "example.com/m/@latest": gomod.Latest, "example.com/m/@v/v1.0.0.info": gomod.Info, "example.com/m/@v/main.info": gomod.Info,
		"example.com/!m/@v/v1.0.0-!r!c1.mod": gomod.Mod, "example.com/m/v2/@v/v2.0.0.zip": gomod.Zip, "example.com/m/@v/v2.0.0+incompatible.zip": gomod.Zip,
		"sumdb/sum.example.com/supported": gomod.SumSupport, "sumdb/sum.example.com/latest": gomod.SumFile, "sumdb/sum.example.com/tile/8/0/x001/234": gomod.SumFile,
		"sumdb/sum.example.com/tile/8/0/005.p/17": gomod.SumFile, "sumdb/sum.example.com/tile/8/data/000": gomod.SumFile, "sumdb/sum.example.com/lookup/example.com/m@v1.0.0": gomod.SumFile,
		"": "", "/": "", "example.com/m": "", "example.com/m/@v/": "", "example.com/m/@v/v1.zip": "", "example.com/m/@v/main.zip": "", "example.com/M/@v/list": "",
		"example.com/m/@v/v1.0.0.zip/": "", "example.com/../m/@v/list": "", "./m/@v/list": "", "example.com/m/@v/../@v/v1.0.0.zip": "", "example.com//m/@v/list": "",
		"sumdb/other.example.com/latest": "", "sumdb/sum.example.com/": "", "sumdb/sum.example.com/tile/8/0/1": "", "sumdb/sum.example.com/lookup/m@../x": "",
	} {
		f, err := gomod.ParseFile(p, "sum.example.com")
		if f.Kind != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v, want %q", p, f.Kind, err, want)
		}
	}
	if _, err := gomod.ParseFile("sumdb//latest", ""); err == nil {
		t.Error("a database without a name was accepted")
	}
}

func FuzzParseFile(f *testing.F) {
	for _, s := range []string{"example.com/m/@v/v1.0.0.zip", "sumdb/sum.example.com/tile/8/0/x001/234.p/5", "a/@latest", "x/@v/list", "sumdb/sum.example.com/lookup/a.b/c@v1.0.0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, p string) {
		got, err := gomod.ParseFile(p, "sum.example.com")
		if err != nil {
			return
		}
		if got.Path != p || !filepath.IsLocal(p) || filepath.Clean(p) != p || strings.ContainsAny(p, "\x00\\%?#") || got.Limit() <= 0 {
			t.Errorf("%q was accepted: %+v", p, got)
		}
	})
}

func TestStepEnvironments(t *testing.T) {
	t.Parallel()
	up := withDep(t)
	env := gomod.Env{GOPROXY: up.URL, GOSUMDB: up.Key + " https://elsewhere.example", GONOSUMDB: "corp.example.com"}
	fetch, build := env.FetchEnv("http://127.0.0.1:8080/go"), gomod.BuildEnv("/deps")
	if fetch["GOPROXY"] != "http://127.0.0.1:8080/go" || fetch["GOSUMDB"] != up.Key || fetch["GONOSUMDB"] != "corp.example.com" || fetch["GONOPROXY"] != "none" {
		t.Errorf("%q", fetch)
	}
	if build["GOPROXY"] != "file:///deps" || build["GOSUMDB"] != "off" || gomod.BuildEnv("")["GOPROXY"] != "off" {
		t.Errorf("%q", build)
	}
	for _, e := range []map[string]string{fetch, build} {
		if _, set := e["GOFLAGS"]; set || e["GOTOOLCHAIN"] != "local" || e["GOENV"] != "off" || e["GOVCS"] != "*:off" {
			t.Errorf("%q", e)
		}
	}
	if off := (gomod.Env{GOPROXY: up.URL, GOSUMDB: "off"}).FetchEnv("x"); off["GOSUMDB"] != "off" {
		t.Errorf("%q", off)
	}
}
