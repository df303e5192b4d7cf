package glassbuild_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestEveryNamedTestIsThere holds docs/tested.md against the code: every test, script and release that it names exists.
func TestEveryNamedTestIsThere(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("docs/tested.md")
	if err != nil {
		t.Fatal(err)
	}
	var tests, vendors strings.Builder
	err = filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && (d.Name() == ".git" || d.Name() == "dist") {
			return fs.SkipDir
		}
		into := &tests
		switch {
		case strings.HasPrefix(path, "testdata/vendors/") && strings.HasSuffix(path, ".go"):
			into = &vendors
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		data, err := os.ReadFile(path)
		into.Write(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]int{}
	for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(string(page), -1) {
		name := m[1]
		switch {
		case strings.HasPrefix(name, "Test"):
			named["test"]++
			if !strings.Contains(tests.String(), "func "+name+"(") {
				t.Errorf("no test is called %s", name)
			}
		case strings.HasSuffix(name, ".txtar"):
			named["script"]++
			if _, err := os.Stat(filepath.Join("cmd/glassbuild/testdata", name)); err != nil {
				t.Errorf("no script is called %s", name)
			}
		case strings.Contains(name, "-") && regexp.MustCompile(`^[a-z-]+$`).MatchString(name):
			named["other"]++
			if !strings.Contains(vendors.String()+tests.String(), `"`+name+`"`) {
				t.Errorf("neither a release nor an attack is called %s", name)
			}
		}
	}
	for _, kind := range []string{"test", "script", "other"} {
		if named[kind] == 0 {
			t.Errorf("the page names no %s", kind)
		}
	}
}
