package report_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/report"
)

// playwright drives the browser; it is fetched by npm from the configured registry, and holds no browser of its own.
const playwright = "playwright-core@1.56.1"

// TestE2EBrowser looks at the pages of every verdict, the hostile one above all, in a real browser.
func TestE2EBrowser(t *testing.T) {
	if os.Getenv("GLASSBUILD_E2E") == "" {
		t.Skip("needs a browser: make e2e runs it")
	}
	var programs []string
	for _, names := range [][]string{{"chromium", "chromium-browser", "google-chrome"}, {"node"}, {"npm"}} {
		found := ""
		for _, name := range names {
			if p, err := exec.LookPath(name); err == nil {
				found = p
				break
			}
		}
		if found == "" {
			t.Skipf("SKIPPED: no %s on this machine: the pages were not looked at", names[0])
		}
		programs = append(programs, found)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "package.json"), []byte(`{"private":true}`), 0o600); err != nil {
		t.Fatal(err)
	}
	npm := exec.Command(programs[2], "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", playwright)
	npm.Dir = dir
	if out, err := npm.CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: npm cannot fetch %s: the pages were not looked at: %v\n%s", playwright, err, out)
	}
	var pages []string
	all := cases()
	all["hostile"] = hostile()
	for name, v := range all {
		page, err := report.HTML(v)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, name+".html")
		if err := os.WriteFile(file, page, 0o600); err != nil {
			t.Fatal(err)
		}
		pages = append(pages, file)
	}
	script, err := filepath.Abs(filepath.Join("testdata", "browser", "look.mjs"))
	if err != nil {
		t.Fatal(err)
	}
	look := exec.Command(programs[1], append([]string{script, programs[0], dir}, pages...)...)
	look.Dir = dir
	out, err := look.CombinedOutput()
	if look.ProcessState != nil && look.ProcessState.ExitCode() == 77 {
		t.Skipf("SKIPPED: the pages were not looked at: %s", out)
	}
	if want := fmt.Sprintf("%d pages looked at\n", len(pages)); err != nil || string(out) != want {
		t.Errorf("%v\n%s", err, strings.TrimSuffix(string(out), want))
	}
}
