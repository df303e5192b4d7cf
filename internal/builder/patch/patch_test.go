package patch

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/glassbuild/glassbuild/internal/fault"
)

const sample = "diff --git a/src/x.go b/src/x.go\nindex 1..2 100644\n--- a/src/x.go\t2026-01-01\n+++ b/src/x.go\n@@ -1,3 +1,3 @@ func\n a\n-b\n+B\n c\n@@ -5 +5,2 @@\n-e\n+E\n+f\n"

func TestApply(t *testing.T) {
	t.Parallel()
	p, err := Parse("p", []byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.Files[0].Apply([]byte("a\nb\nc\nd\ne\ng\n"))
	if err != nil || string(got) != "a\nB\nc\nd\nE\nf\ng\n" || p.Files[0].Path != "src/x.go" {
		t.Errorf("%q, %v", got, err)
	}
	for name, old := range map[string]string{"offset": "0\na\nb\nc\nd\ne\n", "another line": "a\nx\nc\nd\ne\n", "too short": "a\nb\nc\nd\n", "empty": "", "spaces": "a\nb \nc\nd\ne\n", "no line feed": "a\nb\nc\nd\ne"} {
		if _, err := p.Files[0].Apply([]byte(old)); fault.ClassOf(err) != fault.Failed {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAddAndRemove(t *testing.T) {
	t.Parallel()
	p, err := Parse("p", []byte("--- /dev/null\n+++ b/n\n@@ -0,0 +1,2 @@\n+x\n+y\n\\ No newline at end of file\n--- a/o\n+++ /dev/null\n@@ -1 +0,0 @@\n-z\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := p.Files[0].Apply(nil); err != nil || string(got) != "x\ny" || !p.Files[0].Added {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := p.Files[1].Apply([]byte("z\n")); err != nil || len(got) != 0 || !p.Files[1].Removed || p.Files[1].Path != "o" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := p.Files[1].Apply([]byte("z\nmore\n")); err == nil {
		t.Error("something is left of a removed file")
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	hunk := "@@ -1 +1 @@\n-a\n+b\n"
	for want, text := range map[string]string{
		"changes nothing":                  "",
		"path escapes":                     "--- a/../../etc/x\n+++ b/../../etc/x\n" + hunk,
		"path escapes, or is not":          "--- /etc/passwd\n+++ /etc/passwd\n" + hunk,
		"a/PATH: a//etc/passwd":            "--- a//etc/passwd\n+++ b//etc/passwd\n" + hunk,
		"renames":                          "--- a/x\n+++ b/y\n" + hunk,
		"patches a link":                   "diff --git a/x b/x\nnew file mode 120000\n--- /dev/null\n+++ b/x\n" + hunk,
		"is not part of a plain patch":     "diff --git a/x b/x\nold mode 100644\nnew mode 100755\n--- a/x\n+++ b/x\n" + hunk,
		"want the --- line":                "Subject: hello\n--- a/x\n+++ b/x\n" + hunk,
		"want the +++ line":                "--- a/x\n",
		"has no hunk":                      "--- a/x\n+++ b/x\n",
		"malformed hunk":                   "--- a/x\n+++ b/x\n@@ -1,2 @@\n",
		"ends too early":                   "--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n a\n",
		"more lines than it says":          "--- a/x\n+++ b/x\n@@ -1 +1,2 @@\n-a\n-b\n+c\n",
		"malformed line":                   "--- a/x\n+++ b/x\n@@ -1 +1 @@\n*a\n",
		"patched twice":                    "--- a/x\n+++ b/x\n" + hunk + "--- a/x\n+++ b/x\n" + hunk,
		"no line feed":                     "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b",
		"binary":                           "diff --git a/x b/x\nGIT binary patch\n",
		"exceeds limit":                    strings.Repeat("x", MaxBytes+1),
		"names no file":                    "--- /dev/null\n+++ /dev/null\n" + hunk,
		"exceeds limit: more than 200 fil": many(MaxFiles + 1),
	} {
		_, err := Parse("p", []byte(text))
		if err == nil || !strings.Contains(err.Error(), want) || fault.ClassOf(err) != fault.Failed {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func many(n int) string {
	var b strings.Builder
	for i := range n {
		name := strings.Repeat("x", i+1)
		b.WriteString("--- a/" + name + "\n+++ b/" + name + "\n@@ -1 +1 @@\n-a\n+b\n")
	}
	return b.String()
}

// FuzzApply holds what is applied against patch(1): where this package accepts a patch, patch(1) gives the same bytes.
func FuzzApply(f *testing.F) {
	f.Add([]byte(sample), []byte("a\nb\nc\nd\ne\ng\n"))
	f.Add([]byte("--- a/x\n+++ b/x\n@@ -0,0 +1 @@\n+q\n"), []byte(""))
	program, err := exec.LookPath("patch")
	f.Fuzz(func(t *testing.T, text, old []byte) {
		p, perr := Parse("p", text)
		if perr != nil || len(p.Files) != 1 || p.Files[0].Added || p.Files[0].Removed {
			return
		}
		if strings.Contains(p.Files[0].Path, "..") || strings.HasPrefix(p.Files[0].Path, "/") {
			t.Fatalf("path %q", p.Files[0].Path)
		}
		got, aerr := p.Files[0].Apply(old)
		if aerr != nil || err != nil {
			return
		}
		dir := t.TempDir()
		file := filepath.Join(dir, "x")
		if err := os.WriteFile(file, old, 0o600); err != nil {
			t.Fatal(err)
		}
		c := exec.Command(program, "--binary", "-F0", "-s", "-f", "x")
		c.Dir, c.Stdin = dir, bytes.NewReader(text)
		if c.Run() != nil {
			return // patch(1) may refuse more, such as what was applied already
		}
		if theirs, err := os.ReadFile(file); err == nil && !bytes.Equal(theirs, got) {
			t.Errorf("%q, patch(1) gives %q", got, theirs)
		}
	})
}
