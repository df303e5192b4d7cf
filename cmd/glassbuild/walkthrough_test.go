package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// walkthroughs are the pages whose console blocks are one session, from the first to the last.
var walkthroughs = []string{"getting-started.md", "write-a-recipe.md", "walkthrough.md"}

// TestE2EWalkthroughs types what the pages say, in one shell for each page, and looks for what they say is printed.
func TestE2EWalkthroughs(t *testing.T) {
	if os.Getenv("GLASSBUILD_E2E") == "" {
		t.Skip("GLASSBUILD_E2E is not set: builds real programs with a real toolchain")
	}
	if !sandboxed(t) {
		t.Skip("this machine cannot rebuild; glassbuild doctor says why")
	}
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash: nobody types what the pages say")
	}
	for _, page := range walkthroughs {
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			walk(t, bash, page)
		})
	}
}

// typed is one command of a page and what the page shows of its output.
type typed struct{ command, output string }

func walk(t *testing.T, bash, page string) {
	session := sessionOf(t, filepath.Join("../../docs", page))
	if len(session) < 5 {
		t.Fatalf("%d commands", len(session))
	}
	const mark = "\x01"
	var script strings.Builder
	for _, s := range session {
		script.WriteString(s.command + "\n__code=$?; printf '" + mark + "'; (exit $__code)\n")
	}
	home := t.TempDir()
	bin := filepath.Join(home, "bin")
	if err := os.Mkdir(bin, 0o700); err != nil {
		t.Fatal(err)
	}
	program, err := exec.LookPath("glassbuild") // testscript.Main puts this test binary there under that name
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(program, filepath.Join(bin, "glassbuild")); err != nil {
		t.Fatal(err)
	}
	work := filepath.Join(home, "work")
	if err := os.Mkdir(work, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bash, "--noprofile", "--norc", "-u", "-s")
	cmd.Dir, cmd.Stdin = work, strings.NewReader(script.String())
	checkout, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	cmd.Env = append(os.Environ(), "checkout="+checkout, "PATH="+bin+":"+os.Getenv("PATH"), "GOFLAGS=-buildvcs=auto", "XDG_CACHE_HOME="+walkthroughCache(t), "GIT_CONFIG_NOSYSTEM=1", "LC_ALL=C.UTF-8")
	if page != "walkthrough.md" { // there make builds this repository, with the toolchain that it names
		cmd.Env = append(cmd.Env, "GOTOOLCHAIN=go1.26.5")
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Logf("the shell: %v", err)
	}
	got := strings.Split(out.String(), mark)
	for i, s := range session {
		if i >= len(got)-1 {
			t.Fatalf("$ %s\nwas never reached:\n%s", s.command, got[len(got)-1])
		}
		if !shows(s.output, got[i]) {
			t.Errorf("$ %s\nprinted\n%s\nwhere the page shows\n%s", s.command, got[i], s.output)
		}
	}
}

// walkthroughCache is shared with the other slow tests, so that a toolchain is fetched once.
func walkthroughCache(t *testing.T) string {
	t.Helper()
	dir, err := os.UserCacheDir()
	if err != nil {
		t.Skip(err)
	}
	dir = filepath.Join(dir, "glassbuild-e2e", "cache")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// sessionOf reads the console blocks of a page: "$ " begins a command, "> " goes on with it, anything else is output.
func sessionOf(t *testing.T, file string) []typed {
	t.Helper()
	var list []typed
	for _, s := range snippets(t, file) {
		if s.language != "console" {
			continue
		}
		for line := range strings.Lines(s.text) {
			switch rest, isCommand := strings.CutPrefix(line, "$ "); {
			case isCommand:
				list = append(list, typed{command: strings.TrimRight(rest, "\n")})
			case len(list) == 0:
				t.Fatalf("%s: output before the first command: %s", file, line)
			case strings.HasPrefix(line, "> ") || line == ">\n":
				list[len(list)-1].command += "\n" + strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(line, ">"), " "), "\n")
			default:
				list[len(list)-1].output += line
			}
		}
	}
	return list
}

// shows tells whether a page's output is what was printed; "…" stands for anything within a line, and alone on a line for
// any lines. The timed lines of progress are left out on both sides.
func shows(page, printed string) bool {
	var pattern strings.Builder
	pattern.WriteString(`^`)
	for line := range strings.Lines(page) {
		if line == "…\n" {
			pattern.WriteString(`(?:[^\n]*\n)*?`)
			continue
		}
		pattern.WriteString(strings.ReplaceAll(regexp.QuoteMeta(line), "…", `[^\n]*`))
	}
	pattern.WriteString(`$`)
	return regexp.MustCompile(pattern.String()).MatchString(timed.ReplaceAllString(printed, ""))
}

var timed = regexp.MustCompile(`(?m)^ *\d+\.\ds  .*\n`)

func TestShows(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		page, printed string
		want          bool
	}{
		{"", "", true}, {"", "x\n", false}, {"a\n", "a\n", true}, {"a\n", "a\nb\n", false}, {"…\nb\n", "a\na\nb\n", true}, {"…\nb\n", "b\n", true},
		{"…\nb\n…\n", "a\nb\nc\n", true}, {"…\nb\n", "bb\n", false}, {"a … c\n", "a b c\n", true}, {"a … c\n", "a\nc\n", false}, {"a\n", "   0.1s  step\na\n", true}, {"a.c\n", "abc\n", false},
	} {
		t.Run(fmt.Sprintf("%q", row.page+row.printed), func(t *testing.T) {
			t.Parallel()
			if got := shows(row.page, row.printed); got != row.want {
				t.Errorf("%v", got)
			}
		})
	}
}
