// Demo makes the sample vendors in a temporary folder, verifies their releases with glassbuild, prints each verdict and
// holds it against expected.json. It exits with 1 when an answer is not the expected one.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/glassbuild/glassbuild/internal/report"
	"github.com/glassbuild/glassbuild/internal/verdict"
	"github.com/glassbuild/glassbuild/testdata/vendors"
)

func main() {
	bin := flag.String("bin", "bin/glassbuild", "the `PROGRAM` to try")
	all := flag.Bool("all", false, "verify every release, not only the five that show each kind of verdict")
	only := flag.String("only", "", "comma separated `NAMES` of the releases to verify")
	full := flag.Bool("full", false, "print whole reports")
	dir := flag.String("dir", "", "use `DIR`: made when it is empty, else taken as it is; default a temporary folder")
	flag.Parse()
	names := vendors.DemoNames()
	switch {
	case *only != "":
		names = strings.Split(*only, ",")
	case *all:
		names = vendors.Names()
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	d := &demo{out: os.Stdout, full: *full, style: style()}
	wrong, err := d.run(ctx, *bin, *dir, names)
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	case wrong > 0:
		os.Exit(1)
	}
}

// style follows the terminal: colours only on one, and never with NO_COLOR (https://no-color.org).
func style() report.Style {
	s := report.Style{Width: 76}
	if term.IsTerminal(int(os.Stdout.Fd())) {
		s.Color = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	}
	return s
}

type demo struct {
	out   io.Writer
	full  bool
	style report.Style
	bin   string
	dir   string
}

// run verifies the releases of these names and returns how many answers were not as expected.
func (d *demo) run(ctx context.Context, bin, dir string, names []string) (int, error) {
	var err error
	if d.bin, err = filepath.Abs(bin); err != nil {
		return 0, err
	}
	if _, err := os.Stat(d.bin); err != nil {
		return 0, fmt.Errorf("%w; build it first", err)
	}
	kept := dir != ""
	if !kept {
		if dir, err = os.MkdirTemp("", "glassbuild-demo-"); err != nil {
			return 0, err
		}
		defer os.RemoveAll(dir)
	}
	d.dir = dir
	expected, err := d.vendors(ctx, names)
	if err != nil {
		return 0, err
	}
	wrong := 0
	for _, r := range expected.Releases {
		if !slices.Contains(names, r.Name) {
			continue
		}
		ok, err := d.release(ctx, r)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", r.Name, err)
		}
		if !ok {
			wrong++
		}
	}
	fmt.Fprintf(d.out, "%d releases verified, %d answers not as expected\n", len(names), wrong)
	if kept {
		fmt.Fprintf(d.out, "Kept in %s. docs/walkthrough.md goes on from here: a report, a kit, a vote.\n", dir)
	} else {
		fmt.Fprintln(d.out, "make demo DIR=FOLDER keeps them, and docs/walkthrough.md goes on from there.")
	}
	return wrong, nil
}

// vendors makes the sample vendors, or takes those that are there.
func (d *demo) vendors(ctx context.Context, names []string) (*vendors.Expected, error) {
	file := filepath.Join(d.dir, "expected.json")
	if _, err := os.Stat(file); err == nil {
		return vendors.ReadExpected(file)
	}
	fmt.Fprintf(d.out, "Making the sample vendor and %d of its releases with %s.\n\n", len(names), vendors.Toolchain)
	return vendors.Make(ctx, d.dir, vendors.Options{Only: names})
}

// release verifies one release and tells whether the answer is the expected one.
func (d *demo) release(ctx context.Context, r vendors.Release) (bool, error) {
	fmt.Fprintf(d.out, "── %s %s\n", r.Name, strings.Repeat("─", max(3, 76-len(r.Name))))
	d.wrapped("   ", "   ", r.About)
	d.command(r)
	cmd := exec.CommandContext(ctx, d.bin, append([]string{"verify", "--format", "json"}, r.Args...)...)
	cmd.Dir = d.dir
	cmd.Env = os.Environ()
	for name, value := range r.Env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	start := time.Now()
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return false, err
	}
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	var v verdict.Verdict
	if err := json.Unmarshal(stdout.Bytes(), &v); err != nil {
		fmt.Fprintf(d.out, "   no verdict, exit code %d\n%s\n", cmd.ProcessState.ExitCode(), indent(stderr.String()))
		return false, nil
	}
	d.print(v)
	wrong := differences(r, v, cmd.ProcessState.ExitCode())
	seconds := time.Since(start).Round(100 * time.Millisecond)
	if len(wrong) == 0 {
		fmt.Fprintf(d.out, "   exit code %d after %v, as expected\n\n", r.Exit, seconds)
		return true, nil
	}
	d.wrapped("   ", "   ", fmt.Sprintf("exit code %d after %v. NOT AS EXPECTED: %s", cmd.ProcessState.ExitCode(), seconds, strings.Join(wrong, "; ")))
	fmt.Fprintln(d.out, indent(stderr.String()))
	return false, nil
}

// differences says in which way an answer is not the expected one.
func differences(r vendors.Release, v verdict.Verdict, exit int) []string {
	var wrong []string
	if exit != r.Exit {
		wrong = append(wrong, fmt.Sprintf("want exit code %d", r.Exit))
	}
	if string(v.Result) != r.Result {
		wrong = append(wrong, fmt.Sprintf("%s, want %s", v.Result, r.Result))
	}
	if r.Match != "" && string(v.Match) != r.Match {
		wrong = append(wrong, fmt.Sprintf("%s, want %s", v.Match, r.Match))
	}
	if r.Check != "" && string(v.Check(r.Check).Status) != r.Result {
		wrong = append(wrong, fmt.Sprintf("check %s is %s, want %s", r.Check, v.Check(r.Check).Status, r.Result))
	}
	if r.Says != "" && !strings.Contains(v.Check(r.SaysIn).Text, r.Says) {
		wrong = append(wrong, fmt.Sprintf("check %s does not name %s", r.SaysIn, r.Says))
	}
	return wrong
}

// command shows what is run, so that it can be typed.
func (d *demo) command(r vendors.Release) {
	words := append([]string{"glassbuild", "verify"}, r.Args...)
	for _, name := range []string{"GOPROXY", "GONOSUMDB"} {
		if value, ok := r.Env[name]; ok {
			words = append([]string{name + "=" + value}, words...)
		}
	}
	d.wrapped("   $ ", "       ", strings.Join(words, " "))
}

// print shows what the report comes to: every check that did not pass, and the verdict.
func (d *demo) print(v verdict.Verdict) {
	text := string(report.Text(v, d.style))
	if d.full {
		fmt.Fprint(d.out, indent(text))
		return
	}
	for _, c := range v.Checks {
		sign := map[verdict.Status]string{verdict.StatusFailed: "✗", verdict.StatusInconclusive: "?"}[c.Status]
		if sign != "" && c.Text != v.Summary {
			d.wrapped("   "+sign+" "+c.ID+":", "     ", c.Text)
		}
	}
	body := strings.TrimRight(text, "\n")
	last := strings.TrimLeft(body[strings.LastIndex(body, "\n\n")+1:], "\n")
	fmt.Fprint(d.out, indent(last+"\n"))
}

// wrapped prints words in lines of at most 80 columns.
func (d *demo) wrapped(first, next, text string) {
	line := first
	for i, word := range strings.Fields(text) {
		if i == 0 && !strings.HasSuffix(line, " ") {
			line += " "
		}
		if i > 0 && len([]rune(line))+1+len([]rune(word)) > 79 && line != next {
			fmt.Fprintln(d.out, line)
			line = next
		} else if i > 0 {
			line += " "
		}
		line += word
	}
	fmt.Fprintln(d.out, line)
}

func indent(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) != "" {
			b.WriteString("   ")
		}
		b.WriteString(line)
	}
	return b.String()
}
