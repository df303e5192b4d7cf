package builder

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/fault"
)

func TestGoEnvPrecedence(t *testing.T) {
	t.Parallel()
	user := map[string]string{"GOPROXY": "https://user.example", "GOPRIVATE": "corp.example/*", "GOSUMDB": "off"}
	installed := map[string]string{"GOPROXY": "https://installed.example", "GOSUMDB": "db https://mirror.example/db"}
	getenv := func(env map[string]string) func(string) string { return func(name string) string { return env[name] } }
	for _, c := range []struct {
		name string
		env  map[string]string
		want GoEnv
	}{
		{"files", nil, GoEnv{Proxy: "https://user.example", NoProxy: "corp.example/*", SumDB: "off"}},
		{"environment first", map[string]string{"GOPROXY": "https://env.example", "GONOPROXY": "none", "GOAUTH": "off", "GONOSUMDB": "*", "GOINSECURE": "*", "GOFLAGS": "-insecure"},
			GoEnv{Proxy: "https://env.example", NoProxy: "none", SumDB: "off", Auth: "off"}},
	} {
		if got := goEnvFrom(getenv(c.env), []map[string]string{user, installed}); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
	if got := goEnvFrom(getenv(nil), []map[string]string{installed}); got.sumDBURL().String() != "https://mirror.example/db" {
		t.Errorf("%+v", got)
	}
}

func TestReadEnvFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "env")
	os.WriteFile(path, []byte("# comment\r\nGOPROXY=a=b\nGOPROXY=second\n lower=x\nbroken\n\n=y\nGOAUTH=\n"), 0o600)
	got, err := readEnvFile(path)
	if want := map[string]string{"GOPROXY": "a=b", "GOAUTH": ""}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v %v", got, err)
	}
	if got, err := readEnvFile(filepath.Join(t.TempDir(), "none")); got != nil || err != nil {
		t.Errorf("%v %v", got, err)
	}
	os.WriteFile(path, []byte(strings.Repeat("A=b\n", maxGoEnvFile)), 0o600)
	if _, err := readEnvFile(path); fault.ClassOf(err) != fault.Usage {
		t.Error(err)
	}
}

func TestProxies(t *testing.T) {
	t.Parallel()
	for list, want := range map[string][]string{
		"":                                    nil,
		"off":                                 nil,
		"direct":                              nil,
		"https://a.example,direct":            {"https://a.example"},
		"https://a.example|b.example/x,off,c": {"https://a.example |", "https://b.example/x"},
		"http://localhost:3000":               {"http://localhost:3000"},
		"file:///srv/proxy, https://a":        {"file:///srv/proxy", "https://a"},
	} {
		proxies, err := GoEnv{Proxy: list}.Proxies()
		var got []string
		for _, p := range proxies {
			s := p.URL.String()
			if p.OnAnyError {
				s += " |"
			}
			got = append(got, s)
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q %v", list, got, err)
		}
	}
	for _, bad := range []string{"ftp://a.example", "https://user:secret@a.example", "ext::sh", "https://a b", "-x", strings.Repeat("https://a.example,", 40)} {
		_, err := GoEnv{Proxy: bad}.Proxies()
		if fault.ClassOf(err) != fault.Usage || err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	env := GoEnv{Proxy: "https://a.example,http://proxy.corp:3000", SumDB: "db http://sums.corp"}
	if got := env.PlainHTTP(); !slices.Equal(got, []string{"proxy.corp:3000", "sums.corp"}) {
		t.Errorf("%q", got)
	}
}

func TestNetrcOfGOAUTH(t *testing.T) {
	path := filepath.Join(t.TempDir(), "netrc")
	os.WriteFile(path, []byte("machine a login b password c\n"), 0o600)
	t.Setenv("NETRC", path)
	for auth, want := range map[string]string{"": path, "netrc": path, "off": "", "git /dir": "", "/bin/evil; netrc": path} {
		if got := (GoEnv{Auth: auth}).Netrc(); got != want {
			t.Errorf("%q: %q", auth, got)
		}
	}
}

func TestReadGoEnvOfTheUser(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "env")
	os.WriteFile(path, []byte("GOPROXY=https://from-file.example\n"), 0o600)
	t.Setenv("GOENV", path)
	t.Setenv("GOPROXY", "")
	t.Setenv("GOROOT", dir) // has no go.env
	env, err := ReadGoEnv()
	if err != nil || env.Proxy != "https://from-file.example" {
		t.Errorf("%+v %v", env, err)
	}
	t.Setenv("GOENV", "off")
	if env, err = ReadGoEnv(); err != nil || env.Proxy != "" {
		t.Errorf("%+v %v", env, err)
	}
}
