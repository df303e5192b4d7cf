package report_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/policy"
	"github.com/glassbuild/glassbuild/internal/redact"
	"github.com/glassbuild/glassbuild/internal/report"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// playwright drives the browser; it is fetched by npm from the configured registry, and holds no browser of its own.
const playwright = "playwright-core@1.56.1"

// axe knows what keeps people who use a screen reader or a keyboard from reading a page.
const axe = "axe-core@4.14.1"

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
	npm := exec.Command(programs[2], "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", playwright, axe)
	npm.Dir = dir
	if out, err := npm.CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: npm cannot fetch %s and %s: the pages were not looked at: %v\n%s", playwright, axe, err, out)
	}
	var pages []string
	all := cases()
	all["hostile"] = hostile()
	for _, level := range []redact.Level{redact.Paths, redact.Code, redact.All} {
		v, err := redact.Seal(hostile())
		if err == nil {
			v, err = redact.Redact(v, level)
		}
		if err != nil {
			t.Fatal(err)
		}
		all["redacted-"+string(level)] = v
	}
	all["release"] = released()
	all["many"] = crowded(10_000)
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

// crowded is a verdict on an archive of n members, each tenth of which differs.
func crowded(n int) verdict.Verdict {
	f := facts()
	f.Comparison = &verdict.Comparison{Whole: verdict.Different, Counts: map[string]int{}}
	for i := range n {
		m := verdict.MemberResult{Path: fmt.Sprintf("share/doc/%04d/%s/notes-%d.txt", i/100, strings.Repeat("very-long-name-", i%5), i), State: verdict.Identical, SHA256: sum("a"), Size: 100, Output: "kestrel"}
		if i%10 == 0 {
			m.State = verdict.Different
			m.Difference = &verdict.Difference{Rebuilt: verdict.Digest{Name: m.Path, SHA256: sum("b"), Size: 100}, Bytes: 3, First: 1, Last: 9, Stable: true, Cause: "bytes",
				Regions: []verdict.Region{{Name: ".text", Kind: "section", Status: "different", Cause: "bytes", Ranges: []verdict.ByteRange{{Offset: 1, Size: 8}}}}}
		}
		f.Comparison.Counts[m.State]++
		f.Comparison.Members = append(f.Comparison.Members, m)
	}
	return verdict.Decide(f, policy.Default())
}

// released is a verdict on a release with a list that names other files than there are.
func released() verdict.Verdict {
	f := facts()
	f.Scope = verdict.ScopeRelease
	f.Comparison = &verdict.Comparison{Whole: verdict.NotRebuilt, Counts: map[string]int{verdict.Identical: 1, verdict.Nowhere: 1}, Members: []verdict.MemberResult{
		{Path: "kestrel", State: verdict.Identical, SHA256: sum("a"), Output: "kestrel"}, {Path: evil, State: verdict.Uncovered, SHA256: sum("b"), Size: 7}}}
	f.Release = &verdict.Release{Stray: []string{evil}, Lists: []verdict.DigestList{{Name: "SHA256SUMS", SHA256: sum("c"), Algorithm: "sha256", Entries: 3, Missing: []string{evil}, Differs: []string{"kestrel"}}},
		Files: []verdict.ReleaseFile{{Name: "kestrel", SHA256: sum("a"), Size: 9, Format: "elf", State: verdict.Identical, Counts: map[string]int{verdict.Identical: 1}},
			{Name: evil, SHA256: sum("b"), Size: 7, State: verdict.Uncovered, Counts: map[string]int{verdict.Uncovered: 1}, Evidence: evil}}}
	return verdict.Decide(f, policy.Default())
}
