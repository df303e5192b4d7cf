package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// commands are what a script can do beside the commands of testscript.
var commands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"registry": startRegistry, "pushimage": pushImage,
	"code":  runForCode,
	"check": checkStatus,
	"field": fieldOf,
	"repo":  makeRepo,

	"origin": originOf,

	"mktar": makeTar,
	"mkzip": makeZip,

	"signmodule": signModule,

	"bytes": writeBytes,
	"plain": isPlain,

	"events": areEvents,
	"flip":   flipByte,
	"edit":   editFile,
	"sha":    writeDigest,
}

// runForCode is "code N PROGRAM ARG…": the program ends with exit code N, says nothing on stdout unless there is a result, and
// leaves nothing behind in the cache's working folders, the temporary folder or the home.
func runForCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N program [arg…]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	before := leftovers(ts)
	err = ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	got := 0
	switch {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
	if after := leftovers(ts); after != before {
		ts.Fatalf("left behind:\n%s\nbefore:\n%s", after, before)
	}
	if got == 4 && args[1] == "glassbuild" {
		out, diagnosis := ts.ReadFile("stdout"), ts.ReadFile("stderr")
		if out != "" {
			ts.Fatalf("a wrong command line printed a result:\n%s", out)
		}
		if !usageLine.MatchString(diagnosis) {
			ts.Fatalf("no line \"glassbuild: object: reason\" in\n%s", diagnosis)
		}
	}
}

var usageLine = regexp.MustCompile(`(?m)^glassbuild: ("?\S.*: |unknown command )\S`)

// leftovers lists what a run must not leave.
func leftovers(ts *testscript.TestScript) string {
	var b strings.Builder
	cache := filepath.Join(ts.Getenv("XDG_CACHE_HOME"), "glassbuild")
	dirs := []string{ts.Getenv("TMPDIR"), ts.Getenv("HOME")}
	if ts.Getenv("SHARED_CACHE") == "" { // else another script works in it
		dirs = append(dirs, filepath.Join(cache, "runs"), filepath.Join(cache, "tmp"))
	}
	for _, dir := range dirs {
		filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && path != dir {
				b.WriteString(path + "\n")
			}
			return nil
		})
	}
	return b.String()
}

// checkStatus is "check ID STATUS [PATTERN]": the JSON verdict on stdout, or in the file that $verdict names, has that
// check with that status, and its text fits the pattern. Negated, it does not have that status.
func checkStatus(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: check ID STATUS [PATTERN]")
	}
	var v struct {
		Checks []struct{ ID, Status, Text string }
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &v))
	for _, c := range v.Checks {
		if c.ID != args[0] {
			continue
		}
		if (c.Status == args[1]) == neg {
			ts.Fatalf("%s is %s: %s", c.ID, c.Status, c.Text)
		}
		if len(args) == 3 && !regexp.MustCompile(args[2]).MatchString(c.Text) {
			ts.Fatalf("%s says %q, want %q", c.ID, c.Text, args[2])
		}
		return
	}
	ts.Fatalf("no check %s among %d", args[0], len(v.Checks))
}

// fieldOf is "field PATH VALUE": the JSON on stdout has that value, as text, at the dotted path.
func fieldOf(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: field PATH VALUE")
	}
	var v any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &v))
	for part := range strings.SplitSeq(args[0], ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[part]
		case []any:
			i, err := strconv.Atoi(part)
			ts.Check(err)
			if i >= len(x) {
				ts.Fatalf("%s: %d elements", args[0], len(x))
			}
			v = x[i]
		}
	}
	text, ok := v.(string)
	if !ok {
		data, err := json.Marshal(v)
		ts.Check(err)
		text = string(data)
	}
	if (text == args[1]) == neg {
		ts.Fatalf("%s is %q", args[0], text)
	}
}

// makeRepo is "repo DIR [MESSAGE]": everything in DIR becomes a commit, and $commit its id.
func makeRepo(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: repo DIR [MESSAGE]")
	}
	dir, message := ts.MkAbs(args[0]), "all of it"
	if len(args) == 2 {
		text, err := strconv.Unquote(`"` + args[1] + `"`)
		ts.Check(err)
		message = text
	}
	for _, argv := range [][]string{{"init", "-q", dir}, {"-C", dir, "add", "-Af", "."}, {"-C", dir, "commit", "-q", "--allow-empty", "-m", message}, {"-C", dir, "rev-parse", "HEAD"}} {
		ts.Check(ts.Exec("git", argv...))
	}
	ts.Setenv("commit", strings.TrimSpace(ts.ReadFile("stdout")))
}

// isPlain is "plain FILE": nothing in it that a terminal acts upon, but line feeds. The files are stdout and stderr too.
func isPlain(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: plain FILE…")
	}
	for _, name := range args {
		for line := range strings.SplitSeq(ts.ReadFile(name), "\n") {
			if line != "" && !fault.Plain(line) {
				ts.Fatalf("%s: %+q", name, line)
			}
		}
	}
}

// writeBytes is "bytes FILE TEXT [COUNT]": TEXT, with the escapes of a Go string, COUNT times at the end of FILE.
func writeBytes(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: bytes FILE TEXT [COUNT]")
	}
	text, err := strconv.Unquote(`"` + args[1] + `"`)
	ts.Check(err)
	n := 1
	if len(args) == 3 {
		n, err = strconv.Atoi(args[2])
		ts.Check(err)
	}
	name := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(filepath.Dir(name), 0o777))
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	ts.Check(err)
	defer f.Close()
	_, err = f.WriteString(strings.Repeat(text, n))
	ts.Check(err)
}

// flipByte is "flip FILE OFFSET".
func flipByte(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: flip FILE OFFSET")
	}
	off, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_RDWR, 0)
	ts.Check(err)
	defer f.Close()
	b := make([]byte, 1)
	_, err = f.ReadAt(b, off)
	ts.Check(err)
	b[0] ^= 1
	_, err = f.WriteAt(b, off)
	ts.Check(err)
}

// editFile is "edit FILE PATTERN TEXT": what the regular expression matches first becomes TEXT.
func editFile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: edit FILE PATTERN TEXT")
	}
	data := ts.ReadFile(args[0])
	at := regexp.MustCompile(args[1]).FindStringIndex(data)
	if at == nil {
		ts.Fatalf("%s holds no %s", args[0], args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(data[:at[0]]+args[2]+data[at[1]:]), 0o644))
}

// writeDigest is "sha FILE IN": every @SHA256@ in IN becomes the digest of FILE.
func writeDigest(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: sha FILE IN")
	}
	sum := sha256.Sum256([]byte(ts.ReadFile(args[0])))
	text := strings.ReplaceAll(ts.ReadFile(args[1]), "@SHA256@", hex.EncodeToString(sum[:]))
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(text), 0o644))
}
