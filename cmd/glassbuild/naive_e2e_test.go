package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// naiveDigest is what a stock Go 1.26.5 makes of esbuild 0.28.2.
const naiveDigest = "ed59354772a53bc6aa5b7c4219338e1522fb73a8e5fff3f6fc2d036ad8726494"

// naivePair rebuilds esbuild with a stock toolchain and gets what was shipped; why says what cannot be had.
func naivePair(dir string) (shipped, rebuilt, why string) {
	run := func(in string, env []string, argv ...string) []byte {
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Dir, cmd.Env = in, append(os.Environ(), append(env, "GOFLAGS=", "GOWORK=off")...)
		out, err := cmd.Output()
		if err != nil && why == "" {
			why = fmt.Sprintf("%s: %v", strings.Join(argv, " "), err)
		}
		return out
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(run(dir, nil, "go", "mod", "download", "-json", "github.com/evanw/esbuild@v0.28.2"), &module); err != nil || why != "" {
		return "", "", "the module cannot be downloaded: " + why
	}
	source := filepath.Join(dir, "source")
	if err := os.CopyFS(source, os.DirFS(module.Dir)); err != nil {
		return "", "", err.Error()
	}
	rebuilt, shipped = filepath.Join(dir, "naive"), filepath.Join(dir, "package/bin/esbuild")
	run(source, []string{"GOTOOLCHAIN=go1.26.5", "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64"}, "go", "build", "-buildvcs=false", "-trimpath", "-ldflags=-s -w -buildid=", "-o", rebuilt, "./cmd/esbuild")
	run(dir, nil, "npm", "pack", "--silent", "@esbuild/linux-x64@0.28.2")
	run(dir, nil, "tar", "-xzf", "esbuild-linux-x64-0.28.2.tgz")
	return shipped, rebuilt, why
}

// naive measures the pair in which a section is missing and everything behind it moved.
func (b *diffBench) naive() {
	shipped, rebuilt, why := naivePair(b.dir)
	if why != "" {
		b.t.Log("the naive rebuild of esbuild is left out:", why)
		return
	}
	b.row("stripped Go, a section missing, layout moved (esbuild)", shipped, rebuilt, nil)
	tool, err := exec.LookPath("diffoscope")
	if err != nil {
		b.t.Log("diffoscope is not at hand: its row is left out")
		return
	}
	cost, out, _ := b.cost(tool, "--text", "-", shipped, rebuilt)
	b.t.Logf("diffoscope of the same pair: %v, %d lines", cost, bytes.Count(out, []byte("\n")))
}

// TestE2ENaiveRebuild rebuilds esbuild 0.28.2 with a stock Go toolchain, as somebody would who knows nothing of how it is built: the vendor's own toolchain
// does not write the section of build information, everything behind it moved, and that is all that is said.
func TestE2ENaiveRebuild(t *testing.T) {
	if os.Getenv("GLASSBUILD_E2E") == "" {
		t.Skip("builds a real program: make e2e runs it")
	}
	dir := t.TempDir()
	shipped, rebuilt, why := naivePair(dir)
	if why != "" {
		t.Skip("the real pair cannot be had here:", why)
	}
	data, err := os.ReadFile(rebuilt)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%x", sha256.Sum256(data)); got != naiveDigest {
		t.Errorf("the rebuild has sha256:%s, want %s", got, naiveDigest)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "diff", shipped, rebuilt)
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
