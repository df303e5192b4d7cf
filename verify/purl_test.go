package verify

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// TestPackagesByURL fetches what was shipped from the registries that npm and Go are configured with.
func TestPackagesByURL(t *testing.T) {
	tarball := []byte("a tarball")
	sum := sha512.Sum512(tarball)
	integrity := "sha512-" + base64.StdEncoding.EncodeToString(sum[:])
	var zipped bytes.Buffer
	w := zip.NewWriter(&zipped)
	f, _ := w.Create("example.com/tool@v1.0.0/go.mod")
	f.Write([]byte("module example.com/tool\n"))
	w.Close()
	var server *httptest.Server
	server = httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
		switch in.URL.Path {
		case "/npm/@acme/tool/1.0.0", "/npm/liar/1.0.0":
			name, says := "@acme/tool", integrity
			if strings.Contains(in.URL.Path, "liar") {
				name, says = "liar", "sha512-"+base64.StdEncoding.EncodeToString(make([]byte, 64))
			}
			fmt.Fprintf(out, `{"name":%q,"version":"1.0.0","dist":{"integrity":%q,"tarball":"%s/npm/%s/-/tool-1.0.0.tgz"}}`, name, says, server.URL, name)
		case "/npm/@acme/tool/-/tool-1.0.0.tgz", "/npm/liar/-/tool-1.0.0.tgz":
			out.Write(tarball)
		case "/go/example.com/tool/@v/v1.0.0.zip":
			out.Write(zipped.Bytes())
		default:
			http.NotFound(out, in)
		}
	}))
	defer server.Close()
	t.Setenv("npm_config_registry", server.URL+"/npm")
	t.Setenv("npm_config_userconfig", filepath.Join(t.TempDir(), "none"))
	t.Setenv("GOPROXY", server.URL+"/go")
	t.Setenv("GONOSUMDB", "*")
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	r, err := begin(context.Background(), Request{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	for text, want := range map[string]string{"pkg:npm/%40acme/tool@1.0.0": "acme-tool-1.0.0.tgz", "pkg:golang/example.com/tool@v1.0.0": "example.com-tool@v1.0.0.zip"} {
		file, err := r.packages().fetch(context.Background(), text)
		if err != nil || filepath.Base(file) != want {
			t.Errorf("%s: %q, %v", text, file, err)
			continue
		}
		data, err := os.ReadFile(file)
		if err != nil || !bytes.Equal(data, tarball) && !bytes.Equal(data, zipped.Bytes()) {
			t.Errorf("%s: %q, %v", text, data, err)
		}
	}
	for text, want := range map[string]string{
		"pkg:npm/liar@1.0.0":                                     "another tarball than it says",
		"pkg:npm/absent@1.0.0":                                   "not exist",
		"pkg:npm/tool":                                           "names no version",
		"pkg:npm/..%2f..%2fetc@1.0.0":                            "malformed package URL",
		"pkg:npm/tool@1.0.0?arch=x":                              "not understood",
		"pkg:golang/example.com/tool@latest":                     "no module and version",
		"pkg:golang/example.com/%2e%2e/tool@v1.0.0":              "malformed package URL",
		"pkg:pypi/tool@1.0.0":                                    "is not one of",
		"pkg:deb/debian/hello@2.10?arch=riscv64&distro=bookworm": "is not one of",
		"pkg:deb/debian/hello@2.10?repository_url=x":             "not understood",
	} {
		if _, err := r.packages().fetch(context.Background(), text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	// what was fetched stands in the record, with its digest
	found := 0
	for _, q := range r.record().Requests {
		if strings.HasSuffix(q.URL, ".tgz") || strings.HasSuffix(q.URL, ".zip") {
			if found++; len(q.SHA256) != 64 {
				t.Errorf("%s: digest %q", q.URL, q.SHA256)
			}
		}
	}
	if found < 2 {
		t.Errorf("%d fetched files in the record", found)
	}
	// a check judges it as any other file
	tally, err := Check(context.Background(), CheckRequest{Subjects: []string{"pkg:npm/%40acme/tool@1.0.0"}, PolicyFile: strictPolicy(t)}, func(v Verdict) error {
		if v.Subject.Name != "acme-tool-1.0.0.tgz" || v.Check(verdict.CheckFound).Status != verdict.StatusFailed {
			t.Errorf("%s: %+v", v.Subject.Name, v.Check(verdict.CheckFound))
		}
		return nil
	})
	if err != nil || tally.Failed != 1 {
		t.Errorf("%+v, %v", tally, err)
	}
	if _, err := Run(context.Background(), Request{Artefact: "pkg:npm/absent@1.0.0"}); fault.ClassOf(err) != fault.Inconclusive {
		t.Errorf("%v", err)
	}
}

// strictPolicy is a policy that nothing here satisfies.
func strictPolicy(t *testing.T) string {
	t.Helper()
	key := filepath.Join(t.TempDir(), "key.pub")
	text := "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt\n6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==\n-----END PUBLIC KEY-----\n"
	if err := os.WriteFile(key, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(filepath.Dir(key), "policy.toml")
	if err := os.WriteFile(file, []byte("format = 1\n[[principal]]\nname = \"vendor\"\nkey = \"key.pub\"\n[provenance]\nsigned-by = \"vendor\"\nrequire = []\nno-log = \"a test\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestImageByURL(t *testing.T) {
	t.Parallel()
	sum := "sha256:" + strings.Repeat("0a", 32)
	for text, want := range map[string]string{
		"pkg:oci/tool@" + strings.Replace(sum, ":", "%3A", 1) + "?repository_url=registry.example/team/tool": "registry.example/team/tool@" + sum,
		"pkg:oci/tool?repository_url=registry.example%2Fteam&tag=v1":                                         "registry.example/team/tool:v1",
		"pkg:oci/tool?repository_url=registry.example/team/tool":                                             "",
		"pkg:oci/tool@" + sum: "",
		"pkg:oci/tool@latest?repository_url=registry.example/team/tool":    "",
		"pkg:oci/tool?repository_url=registry.example/../x/tool&tag=v1":    "",
		"pkg:oci/tool?repository_url=registry.example/tool&tag=v1&other=x": "",
	} {
		got, err := imageOf(text)
		if want == "" && err == nil || want != "" && (err != nil || got != want) {
			t.Errorf("%s: %q, %v", text, got, err)
		}
	}
}
