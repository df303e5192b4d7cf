package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// TestBadFiles hands every one-fault policy and recipe to the program: exit code 4, one line "object: reason" with the
// place of the fault, nothing on stdout, and nothing touched. testdata/vectors says what each is.
func TestBadFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if out, err := exec.Command("sh", "-c", "cd \"$0\" && git init -q r && cd r && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m x && git rev-parse HEAD", dir).Output(); err != nil {
		t.Fatal(err)
	} else if err := os.WriteFile(filepath.Join(dir, "id"), bytes.TrimSpace(out), 0o600); err != nil {
		t.Fatal(err)
	}
	id, err := os.ReadFile(filepath.Join(dir, "id"))
	if err != nil {
		t.Fatal(err)
	}
	for folder, args := range map[string][]string{
		"policy": {"policy", "check", "FILE"},
		"recipe": {"build", "--repo", "r", "--commit", string(id), "--recipe", "FILE"},
	} {
		files, err := filepath.Glob("../../testdata/vectors/" + folder + "/*.txtar")
		if err != nil || len(files) < 10 {
			t.Fatalf("%d vectors: %v", len(files), err)
		}
		for _, file := range files {
			name := strings.TrimSuffix(filepath.Base(file), ".txtar")
			if name == "00-accepted" {
				continue
			}
			t.Run(folder+"/"+name, func(t *testing.T) {
				t.Parallel()
				badFile(t, dir, file, args)
			})
		}
	}
}

func badFile(t *testing.T, dir, vector string, args []string) {
	t.Helper()
	archive, err := txtar.ParseFile(vector)
	if err != nil {
		t.Fatal(err)
	}
	own := t.TempDir()
	document, want := archive.Files[0].Data, ""
	for line := range strings.Lines(string(archive.Comment)) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch name {
		case "text":
			want = value
		case "append":
			text, count, _ := strings.Cut(value, " ")
			n, err := strconv.Atoi(count)
			if err != nil {
				t.Fatal(err)
			}
			document = append(document, strings.Repeat(text, n)...)
		}
	}
	file := filepath.Join(own, "bad.toml")
	if err := os.WriteFile(file, document, 0o600); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Args = []string{"glassbuild"}
	for _, a := range args {
		cmd.Args = append(cmd.Args, strings.ReplaceAll(a, "FILE", file))
	}
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "XDG_CACHE_HOME="+own)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.Run()
	if code := cmd.ProcessState.ExitCode(); code != 4 {
		t.Errorf("exit code %d, want 4\n%s", code, stderr.String())
	}
	if stdout.Len() > 0 {
		t.Errorf("a result on stdout:\n%s", stdout.String())
	}
	if !usageLine.MatchString(stderr.String()) || !strings.Contains(stderr.String(), want) || want == "" {
		t.Errorf("want a line \"glassbuild: object: reason\" with %q in\n%s", want, stderr.String())
	}
	if bytes.ContainsAny(stderr.Bytes(), "\x1b\x07\r") {
		t.Errorf("control characters: %q", stderr.String())
	}
	if _, err := os.Stat(filepath.Join(dir, "glassbuild-out")); err == nil {
		t.Error("a build without a recipe left a folder")
	}
}
