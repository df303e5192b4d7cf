package vcs

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestMain lets the test binary be the stand-in: under the name "git" it answers from the files that the environment
// names, or passes the question on to the real program and records it.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) != "git" {
		os.Exit(m.Run())
	}
	if record := os.Getenv("TEST_RECORD"); record != "" {
		recordQuestion(record)
	}
	r := program{facts: os.Getenv("TEST_FACTS"), log: os.Getenv("TEST_LOG")}.run(os.Args[1:])
	os.Stdout.Write(r.Stdout)
	os.Stderr.Write(r.Stderr)
	os.Exit(r.Code)
}

func recordQuestion(record string) {
	f, err := os.OpenFile(record, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		fmt.Fprintf(f, "%q\n", os.Args[1:])
		f.Close()
	}
	cmd := exec.Command(os.Getenv("TEST_GIT"), os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		os.Exit(max(cmd.ProcessState.ExitCode(), 1))
	}
	os.Exit(0)
}

const testTime = 1735689600 // 2025-01-01

// repo is a real repository that real git keeps.
type repo struct {
	t   testing.TB
	dir string
	now int64
}

func newRepo(t testing.TB, dir string) *repo {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("SKIPPED: needs git to compare with")
	}
	r := &repo{t: t, dir: dir, now: testTime}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	r.git("init", "-q", "-b", "main")
	return r
}

func gitEnv(now int64) []string {
	date := fmt.Sprintf("%d +0000", now)
	return append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "HOME=/nonexistent",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com",
		"GIT_AUTHOR_DATE="+date, "GIT_COMMITTER_DATE="+date, "GIT_ALLOW_PROTOCOL=file", "LC_ALL=C")
}

func (r *repo) git(args ...string) string {
	r.t.Helper()
	out, code := r.ask(args...)
	if code != 0 {
		r.t.Fatalf("git %q: code %d", args, code)
	}
	return out
}

func (r *repo) ask(args ...string) (string, int) {
	r.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Env = r.dir, gitEnv(r.now)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil && cmd.ProcessState == nil {
		r.t.Fatalf("git %q: %v", args, err)
	}
	if testing.Verbose() && err != nil {
		r.t.Logf("git %q: %s", args, stderr.Bytes())
	}
	return string(out), cmd.ProcessState.ExitCode()
}

func (r *repo) write(name, data string) {
	r.t.Helper()
	p := filepath.Join(r.dir, name)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(data), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

func (r *repo) commit() {
	r.t.Helper()
	r.now += 3600
	r.git("add", "-A")
	r.git("commit", "-q", "--allow-empty", "-m", "c")
}

// facts reads the facts as the host would, from git itself.
func (r *repo) facts(visible Visibility) *Facts {
	r.t.Helper()
	f := &Facts{Format: 1, Root: r.dir, ObjectFormat: "sha1", Repository: r.repository(visible)}
	if format, code := r.ask("config", "extensions.objectformat"); code == 0 {
		f.ObjectFormat = strings.TrimSpace(format)
	}
	for _, e := range f.Tree {
		if e.Mode != modeSubmodule {
			continue
		}
		sub := &repo{t: r.t, dir: filepath.Join(r.dir, e.Path), now: r.now}
		if _, err := os.Stat(filepath.Join(sub.dir, ".git")); err == nil {
			f.Submodules = append(f.Submodules, Submodule{Path: e.Path, Repository: sub.repository(visible)})
		}
	}
	if err := f.Validate(); err != nil {
		r.t.Fatal(err)
	}
	return f
}

func (r *repo) repository(visible Visibility) Repository {
	r.t.Helper()
	head := strings.Fields(r.git("log", "-1", "--format=%H %ct"))
	when, _ := strconv.ParseInt(head[1], 10, 64)
	out := Repository{Commit: head[0], Time: when, Visible: visible}
	if branch, code := r.ask("symbolic-ref", "-q", "--short", "HEAD"); code == 0 {
		out.Branch = strings.TrimSpace(branch)
	}
	const format = "%(refname) %(objectname) %(*objectname)"
	for line := range strings.Lines(r.git("for-each-ref", "--merged=HEAD", "--format="+format)) {
		f := strings.Fields(line)
		commit := f[len(f)-1]
		if name, ok := strings.CutPrefix(f[0], "refs/tags/"); ok {
			when, _ := strconv.ParseInt(strings.TrimSpace(r.git("log", "-1", "--format=%ct", commit)), 10, 64)
			out.Tags = append(out.Tags, Tag{Name: name, Commit: commit, Time: when})
		} else if name, _ := r.ask("symbolic-ref", "-q", f[0]); name == "" || strings.HasSuffix(f[0], "/HEAD") {
			out.Refs = append(out.Refs, Ref{Name: f[0], Commit: commit})
		}
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(r.git("ls-tree", "-r", "-l", "-z", "HEAD"), "\x00"), "\x00") {
		meta, name, ok := strings.Cut(line, "\t")
		if !ok {
			continue
		}
		m := strings.Fields(meta)
		mode, _ := strconv.ParseUint(m[0], 8, 32)
		size, _ := strconv.ParseInt(m[3], 10, 64)
		out.Tree = append(out.Tree, Entry{Path: name, Mode: uint32(mode), Size: size, Blob: m[2]})
	}
	return out
}
