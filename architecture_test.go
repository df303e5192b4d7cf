// Package glassbuild_test holds docs/architecture.md against the code: imports only go down.
package glassbuild_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/glassbuild/glassbuild"

// table is the one in docs/architecture.md: each package and the packages of ours that it may import, beside the ground
// (fault, pattern, progress, store, remote), which any may use. A sub-package may import what its parent may, and parent and sub-packages
// may import each other.
var table = map[string][]string{
	"verify":              {"policy", "tomlfile", "archive", "recipe", "source", "signature", "trust", "builder", "sandbox", "rebuild", "gomod", "npm", "artifact", "compare", "verdict", "findings", "provenance", "evidence", "oci", "kit", "report", "redact", "component", "purl"},
	"attest":              {"policy", "recipe", "source", "signature", "trust", "builder", "sandbox", "rebuild", "gomod", "artifact", "compare", "verdict", "findings", "provenance", "evidence", "oci"},
	"internal/verdict":    {"policy", "allow"},
	"internal/policy":     {"trust", "tomlfile", "allow"},
	"internal/allow":      {},
	"internal/trust":      {},
	"internal/report":     {"verdict", "recipe", "markup", "redact"},
	"internal/redact":     {"verdict"},
	"internal/findings":   {"source", "recipe", "builder", "rebuild", "artifact", "compare", "origin", "verdict"},
	"internal/source":     {"signature", "trust"},
	"internal/signature":  {"trust"},
	"internal/recipe":     {"tomlfile", "allow"},
	"internal/builder":    {"archive", "signature", "gomod", "npm", "oci"},
	"internal/sandbox":    {},
	"internal/rebuild":    {"source", "recipe", "builder", "sandbox", "gomod", "npm"},
	"internal/gomod":      {},
	"internal/npm":        {},
	"internal/archive":    {},
	"internal/artifact":   {"archive", "oci"},
	"internal/markup":     {},
	"internal/purl":       {},
	"internal/origin":     {"artifact", "compare"},
	"internal/component":  {"artifact", "archive", "compare"},
	"internal/compare":    {"artifact", "archive", "signature", "trust", "allow", "markup"},
	"internal/evidence":   {"trust"},
	"internal/provenance": {"source", "recipe", "builder", "rebuild", "sandbox", "evidence"},
	"internal/oci":        {"archive", "evidence"},
	"internal/kit":        {"archive", "oci"},
	"internal/dist":       {"oci", "evidence"},
	"internal/tomlfile":   {},
	"internal/store":      {},
	"internal/remote":     {},
	"internal/fault":      {},
	"internal/progress":   {},
	"internal/pattern":    {},
}

var ground = map[string][]string{
	"internal/fault":    {},
	"internal/progress": {},
	"internal/pattern":  {},
	"internal/store":    {"fault"},
	"internal/remote":   {"fault", "progress"},
}

// exceptions are imports that the table does not allow and that have a reason.
var exceptions = map[string]string{
	// the static init of the sandbox is also the stand-in for git: one small program, see internal/sandbox
	"internal/sandbox/initmain → internal/rebuild/vcs": "one static program serves as init and as git",
	"internal/sandbox/takeover → internal/rebuild/vcs": "the same, where the whole program takes its place",
}

type listed struct {
	ImportPath string
	Imports    []string
}

func TestImportsOnlyGoDown(t *testing.T) {
	t.Parallel()
	for _, pkg := range list(t) {
		rel := strings.TrimPrefix(strings.TrimPrefix(pkg.ImportPath, module), "/")
		if rel == "" || strings.HasPrefix(rel, "cmd/") || strings.HasPrefix(rel, "testdata/") || rel == "docs" {
			continue // the top floor may import everything
		}
		home := homeOf(rel)
		allowed, ok := table[home]
		if !ok {
			t.Errorf("%s is not in the table: add it to docs/architecture.md and here, or give its code a room that exists", rel)
			continue
		}
		for _, imp := range pkg.Imports {
			if !strings.HasPrefix(imp, module+"/") {
				continue
			}
			to := strings.TrimPrefix(imp, module+"/")
			if homeOf(to) == home || permitted(home, allowed, homeOf(to)) || exceptions[rel+" → "+to] != "" {
				continue
			}
			t.Errorf("%s imports %s: the table does not allow it", rel, to)
		}
	}
}

func permitted(home string, allowed []string, to string) bool {
	if g, ok := ground[home]; ok {
		return slices.Contains(g, path.Base(to))
	}
	if _, ok := ground[to]; ok {
		return true
	}
	return slices.Contains(allowed, path.Base(to))
}

// homeOf gives the package of the table that rel belongs to: itself or the parent of a sub-package.
func homeOf(rel string) string {
	parts := strings.Split(rel, "/")
	if parts[0] == "internal" && len(parts) > 1 {
		return path.Join(parts[:2]...)
	}
	return parts[0]
}

// TestHeavyLibrariesStayInTheirRooms keeps start-up cheap and trust in one place: the sigstore libraries appear in evidence
// (and the package that needs its PEM parsing), go-git in source, connections in remote.
func TestHeavyLibrariesStayInTheirRooms(t *testing.T) {
	t.Parallel()
	rooms := map[string][]string{
		"github.com/sigstore/":                   {"internal/evidence", "attest", "cmd"},
		"github.com/go-git/go-git/":              {"internal/source"},
		"github.com/google/go-containerregistry": {"internal/oci"},
		"github.com/spf13/cobra":                 {"cmd"},
		"html/template":                          {}, // both reach methods by name: the linker then keeps every method of
		"text/template":                          {}, // every type, see internal/markup
		"github.com/ProtonMail/go-crypto":        {"internal/signature", "internal/trust", "internal/builder"},
		"github.com/elastic/go-seccomp-bpf":      {"internal/sandbox"},
	}
	for _, pkg := range list(t) {
		home := homeOf(strings.TrimPrefix(strings.TrimPrefix(pkg.ImportPath, module), "/"))
		for _, imp := range pkg.Imports {
			for prefix, allowed := range rooms {
				if strings.HasPrefix(imp, prefix) && !slices.Contains(allowed, home) {
					t.Errorf("%s imports %s, which belongs to %s", pkg.ImportPath, imp, strings.Join(allowed, ", "))
				}
			}
		}
	}
}

func list(t *testing.T) []listed {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		var e *exec.ExitError
		if errors.As(err, &e) {
			t.Fatalf("go list: %s", e.Stderr)
		}
		t.Fatal(err)
	}
	var pkgs []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := dec.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
	if len(pkgs) < 10 {
		t.Fatalf("only %d packages listed", len(pkgs))
	}
	return pkgs
}

// TestTrackedFilesNameNoHost keeps hosts of package registries and paths of a machine out of what is published.
func TestTrackedFilesNameNoHost(t *testing.T) {
	t.Parallel()
	goproxy, err := exec.Command("go", "env", "GOPROXY").Output()
	if err != nil {
		t.Fatal(err)
	}
	words := []string{}
	for _, part := range strings.FieldsFunc(string(goproxy), func(r rune) bool { return r == ',' || r == '|' || r == '\n' }) {
		if _, host, ok := strings.Cut(part, "://"); ok {
			words = append(words, strings.SplitN(host, "/", 2)[0])
		}
	}
	files, err := exec.Command("git", "ls-files").Output()
	if err != nil {
		t.Skip("not a git checkout: nothing is tracked:", err)
	}
	for _, f := range strings.Fields(string(files)) {
		data, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		for _, w := range words {
			if strings.Contains(string(data), w) {
				t.Errorf("%s names %s: read the Go configuration instead", f, w)
			}
		}
	}
}
