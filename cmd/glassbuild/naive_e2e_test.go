package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestE2ENaiveRebuild rebuilds esbuild 0.28.2 with a stock Go toolchain, as somebody would who knows nothing of how it is built: the vendor's own toolchain
// does not write the section of build information, everything behind it moved, and that is all that is said.
func TestE2ENaiveRebuild(t *testing.T) {
	if os.Getenv("GLASSBUILD_E2E") == "" {
		t.Skip("builds a real program: make e2e runs it")
	}
	const naive = "ed59354772a53bc6aa5b7c4219338e1522fb73a8e5fff3f6fc2d036ad8726494"
	dir := t.TempDir()
	run := func(in string, env []string, argv ...string) []byte {
		t.Helper()
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Dir, cmd.Env = in, append(os.Environ(), append(env, "GOFLAGS=", "GOWORK=off")...)
		out, err := cmd.Output()
		if err != nil {
			t.Skipf("%s: %v: the real pair cannot be had here", strings.Join(argv, " "), err)
		}
		return out
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(run(dir, nil, "go", "mod", "download", "-json", "github.com/evanw/esbuild@v0.28.2"), &module); err != nil {
		t.Fatal(err)
	}
	source := filepath.Join(dir, "source")
	err := filepath.WalkDir(module.Dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to := filepath.Join(source, strings.TrimPrefix(path, module.Dir))
		if e.IsDir() {
			return os.MkdirAll(to, 0o755)
		}
		data, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(to, data, 0o644)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	rebuilt := filepath.Join(dir, "naive")
	run(source, []string{"GOTOOLCHAIN=go1.26.5", "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64"}, "go", "build", "-buildvcs=false", "-trimpath", "-ldflags=-s -w -buildid=", "-o", rebuilt, "./cmd/esbuild")
	data, err := os.ReadFile(rebuilt)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%x", sha256.Sum256(data)); got != naive {
		t.Errorf("the rebuild has sha256:%s, want %s", got, naive)
	}
	run(dir, nil, "npm", "pack", "--silent", "@esbuild/linux-x64@0.28.2")
	run(dir, nil, "tar", "-xzf", "esbuild-linux-x64-0.28.2.tgz")
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "diff", filepath.Join(dir, "package/bin/esbuild"), rebuilt)
	cmd.Args[0] = "glassbuild"
	cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+dir)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != 1 {
		t.Fatalf("%v: %s", err, out.String())
	}
	const first = "section .go.buildinfo: absent shipped, 944 bytes rebuilt [layout]\n"
	if !strings.HasPrefix(out.String(), first) || strings.Contains(out.String(), "[code]") || strings.Contains(out.String(), "[data]") || out.Len() > 512 {
		t.Errorf("want %q first, and neither code nor data:\n%s", first, out.String())
	}
}
