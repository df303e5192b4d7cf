package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// program builds a stand-in for glassbuild that has a version and answers man and completion. It is stamped as a release is.
func program(t *testing.T, dir, goos, goarch string) {
	t.Helper()
	src := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module example.org/glassbuild\n\ngo 1.26\n",
		"main.go": `package main

import "os"

func main() {
	if os.Args[1] == "man" {
		os.WriteFile(os.Args[2]+"/glassbuild.1", []byte(".TH GLASSBUILD 1\n"), 0o644)
		return
	}
	os.Stdout.WriteString("# completion for " + os.Args[2] + "\n")
}
`} {
		if err := os.WriteFile(filepath.Join(src, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, argv := range [][]string{{"init", "-q"}, {"add", "."}, {"-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-q", "-m", "x"}, {"tag", "v1.2.3"}} {
		if out, err := exec.Command("git", append([]string{"-C", src}, argv...)...).CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", argv, err, out)
		}
	}
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=true", "-o", filepath.Join(dir, platform{goos, goarch}.binary()), ".")
	cmd.Dir, cmd.Env = src, append(os.Environ(), "GOFLAGS=", "CGO_ENABLED=0", "GOOS="+goos, "GOARCH="+goarch)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// TestReleaseIsTheSame packs one program in two folders at two paths: every file is the same, and stands in the checksums.
func TestReleaseIsTheSame(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	native := t.TempDir()
	out, err := exec.Command("go", "env", "GOHOSTOS", "GOHOSTARCH").Output()
	if err != nil {
		t.Fatal(err)
	}
	host := strings.Fields(string(out))
	program(t, native, host[0], host[1])
	other := filepath.Join(t.TempDir(), "somewhere", "else")
	if err := os.CopyFS(other, os.DirFS(native)); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{native, other} {
		if err := run(dir, "../.."); err != nil {
			t.Fatal(err)
		}
	}
	list, err := os.ReadDir(native)
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile(filepath.Join(native, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
		one, _ := os.ReadFile(filepath.Join(native, e.Name()))
		two, err := os.ReadFile(filepath.Join(other, e.Name()))
		if err != nil || string(one) != string(two) {
			t.Errorf("%s differs from one folder to the other: %v", e.Name(), err)
		}
		if e.Name() != "SHA256SUMS" && !strings.Contains(string(sums), "  "+e.Name()+"\n") {
			t.Errorf("%s is not in the checksums", e.Name())
		}
	}
	stem := "glassbuild-" + host[0] + "-" + host[1]
	want := []string{stem, stem + ".spdx.json", stem + ".cdx.json", stem + ".tar.gz"}
	if host[0] == "linux" && (host[1] == "amd64" || host[1] == "arm64") {
		want = append(want, stem+".deb", stem+".rpm", "glassbuild-image.tar")
	}
	for _, w := range want {
		if !slices.Contains(names, w) {
			t.Errorf("no %s in %q", w, names)
		}
	}
}

func TestNoRelease(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "")
	if err := run(t.TempDir(), "../.."); err == nil || !strings.Contains(err.Error(), "SOURCE_DATE_EPOCH") {
		t.Errorf("without a time: %v", err)
	}
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	if err := run(t.TempDir(), "../.."); err == nil || !strings.Contains(err.Error(), "holds no program") {
		t.Errorf("without a program: %v", err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "glassbuild-linux-amd64"), []byte("no program"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(dir, "../.."); err == nil {
		t.Error("what is no Go program is packed")
	}
}
