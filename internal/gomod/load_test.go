package gomod

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/fault"
)

func TestPrecedence(t *testing.T) {
	t.Parallel()
	user := map[string]string{"GOPROXY": "https://user.example", "GOPRIVATE": "corp.example/*", "GOSUMDB": "off"}
	installed := map[string]string{"GOPROXY": "https://installed.example", "GOSUMDB": "db https://mirror.example/db"}
	for _, c := range []struct {
		name string
		env  map[string]string
		want Env
	}{
		{"files", nil, Env{GOPROXY: "https://user.example", GONOPROXY: "corp.example/*", GOPRIVATE: "corp.example/*", GOSUMDB: "off", GONOSUMDB: "corp.example/*"}},
		{"environment first", map[string]string{"GOPROXY": "https://env.example", "GONOPROXY": "none", "GONOSUMDB": "b.example", "GOINSECURE": "*", "GOFLAGS": "-insecure"},
			Env{GOPROXY: "https://env.example", GONOPROXY: "none", GOPRIVATE: "corp.example/*", GOSUMDB: "off", GONOSUMDB: "b.example"}},
	} {
		if got := envFrom(func(name string) string { return c.env[name] }, []map[string]string{user, installed}); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
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
	os.WriteFile(path, []byte(strings.Repeat("A=b\n", maxEnvFile)), 0o600)
	if _, err := readEnvFile(path); fault.ClassOf(err) != fault.Usage {
		t.Error(err)
	}
}

func TestParseProxies(t *testing.T) {
	t.Parallel()
	for list, want := range map[string][]string{
		"off":                                 {"off"},
		"direct":                              {"direct"},
		"https://a.example,direct":            {"https://a.example", "direct"},
		"https://a.example|b.example/x,off,c": {"https://a.example |", "https://b.example/x", "off"},
		"http://localhost:3000":               {"http://localhost:3000"},
		"file:///srv/proxy, https://a":        {"file:///srv/proxy", "https://a"},
	} {
		proxies, err := Env{GOPROXY: list}.proxies()
		var got []string
		for _, p := range proxies {
			s := map[bool]string{p.off: "off", p.direct: "direct"}[true]
			if p.url != nil {
				s = p.url.String()
			}
			if p.always {
				s += " |"
			}
			got = append(got, s)
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q %v", list, got, err)
		}
	}
	for _, bad := range []string{"ftp://a.example", "https://user:secret@a.example", "ext::sh", "https://a b", "-x", strings.Repeat("https://a.example,", 40)} {
		_, err := Env{GOPROXY: bad}.proxies()
		if fault.ClassOf(err) != fault.Usage || err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for _, none := range []string{"", " , "} {
		if _, err := (Env{GOPROXY: none}).proxies(); fault.ClassOf(err) != fault.Inconclusive || fault.HintOf(err) == "" {
			t.Errorf("%q: %v", none, err)
		}
	}
}

func TestDatabaseOfTheConfiguration(t *testing.T) {
	t.Parallel()
	name, _, _ := strings.Cut(ChecksumDatabaseKey, "+")
	for sumdb, want := range map[string]struct{ name, url string }{
		"":                                  {name, ""},
		name:                                {name, ""},
		ChecksumDatabaseKey:                 {name, ""},
		name + " https://mirror.example/db": {name, "https://mirror.example/db"},
		name + " file:///srv/db":            {name, "file:///srv/db"},
		" off ":                             {"", ""},
	} {
		db, err := Env{GOSUMDB: sumdb}.Database()
		url := ""
		if db.url != nil {
			url = db.url.String()
		}
		if err != nil || db.Name != want.name || url != want.url || db.Name != "" && db.Key != ChecksumDatabaseKey {
			t.Errorf("%q: %+v %q %v", sumdb, db, url, err)
		}
	}
	if _, err := (Env{GOSUMDB: name + " https://user:secret@mirror.example"}).Database(); fault.ClassOf(err) != fault.Usage || strings.Contains(err.Error(), "secret") {
		t.Error(err)
	}
}

// TestWithKey: whatever the configuration says, the pinned key is the one that counts, for every module.
func TestWithKey(t *testing.T) {
	t.Parallel()
	for sumdb, want := range map[string]string{
		"":                                 ChecksumDatabaseKey,
		"off":                              ChecksumDatabaseKey,
		"a b c":                            ChecksumDatabaseKey,
		"other+00000000+key":               ChecksumDatabaseKey,
		"other https://mirror.example/db":  ChecksumDatabaseKey + " https://mirror.example/db",
		"other ext::sh":                    ChecksumDatabaseKey,
		"other https://u:p@mirror.example": ChecksumDatabaseKey,
	} {
		env := Env{GOPROXY: "https://a.example", GONOPROXY: "b.example", GOPRIVATE: "*", GOSUMDB: sumdb, GONOSUMDB: "*"}.WithKey(ChecksumDatabaseKey)
		db, err := env.Database()
		if err != nil || env.GOSUMDB != want || db.Key != ChecksumDatabaseKey || env.private("example.org/m") || env.GONOPROXY != "b.example" {
			t.Errorf("%q: %+v %+v %v", sumdb, env, db, err)
		}
	}
}

func TestLoadEnvOfTheUser(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "env")
	os.WriteFile(path, []byte("GOPROXY=https://from-file.example\n"), 0o600)
	t.Setenv("GOENV", path)
	t.Setenv("GOPROXY", "")
	t.Setenv("GOROOT", dir)       // has no go.env
	t.Setenv("PATH", t.TempDir()) // no go command is needed
	env, err := LoadEnv()
	if err != nil || env.GOPROXY != "https://from-file.example" {
		t.Errorf("%+v %v", env, err)
	}
	t.Setenv("GOENV", "off")
	if env, err = LoadEnv(); err != nil || env.GOPROXY != "" {
		t.Errorf("%+v %v", env, err)
	}
}
