// Command glassbuild proves that the binary you were given is the source you were shown.
//
// It holds flags, wiring and the terminal; every decision is made in the packages below.
//
// Output rules: stdout carries the result and nothing else; progress, hints and errors go to stderr, lower case, as
// "object: reason" with one "hint:" line where there is something to do. Names from outside are quoted before they are
// printed.
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

func main() {
	// switches of the Go runtime can turn old and weak cryptography on again, and nothing outside what the verdict names may change a check
	os.Unsetenv("GODEBUG")
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run is main without the process: it returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := interruptible()
	defer stop()
	a := newApp(args, stdout, stderr)
	root := a.command()
	root.SetArgs(args)
	out := &lastingError{w: stdout}
	root.SetOut(out)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if out.err != nil {
		err = fault.Inconclusivef("stdout", "not written: %w", bare(out.err))
	}
	code := a.exit(ctx, err)
	a.say.end(code)
	return code
}

// wanted tells whether a flag stands in the arguments, also where they could not be parsed: the complaint about that is an
// event too.
func wanted(args []string, flag string) bool {
	for _, arg := range args {
		if arg == "--" {
			return false
		}
		if arg == flag {
			return true
		}
	}
	return false
}

// lastingError remembers that a write failed, for whoever prints without looking, such as cobra's help.
type lastingError struct {
	w   io.Writer
	err error
}

func (l *lastingError) Write(p []byte) (int, error) {
	n, err := l.w.Write(p)
	if err != nil && l.err == nil {
		l.err = err
	}
	return n, err
}

// app is what the commands share: where they print, and the exit code of a command that ended with a result.
type app struct {
	out, err io.Writer
	say      *speaker
	code     int
}

func newApp(args []string, stdout, stderr io.Writer) *app {
	return &app{out: stdout, err: stderr, say: &speaker{w: stderr, json: wanted(args, "--json"), start: time.Now()}}
}

func (a *app) command() *cobra.Command {
	var printVersion bool
	root := &cobra.Command{
		Use:           "glassbuild",
		Short:         "Prove that the binary you were given is the source you were shown",
		Long:          longHelp,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if printVersion {
				return a.write("", []byte(version()+"\n"))
			}
			return c.Help()
		},
	}
	// not cobra's own flag, whose template would link text/template, and with it every method of every type
	root.Flags().BoolVarP(&printVersion, "version", "v", false, "print the version")
	root.PersistentFlags().BoolVar(&a.say.json, "json", a.say.json, "write progress, hints and errors to stderr as JSON, an object a line (docs/events.md)")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return fault.Usagef(c.CommandPath(), "%w", err).WithHint("%s --help lists the flags", c.CommandPath())
	})
	root.SetHelpCommand(helpCommand(root))
	root.AddCommand(
		a.verifyCommand(), a.attestCommand(), a.withdrawCommand(), a.checkCommand(), a.trustCommand(), a.inspectCommand(), a.reportCommand(),
		a.sourceCommand(), a.buildCommand(), a.initCommand(), a.policyCommand(), a.lockCommand(), a.diffCommand(), a.explainCommand(), a.kitCommand(), a.cacheCommand(), a.doctorCommand(), a.manCommand(),
	)
	root.AddCommand(a.findCommand())
	offerValues(root)
	return root
}

// helpCommand is cobra's own but for its answer to a name that it does not know: that is an error.
func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [command]",
		Short: "Explain a command",
		RunE: func(_ *cobra.Command, args []string) error {
			c, rest, err := root.Find(args)
			if err != nil || c == nil || len(rest) > 0 {
				return fault.Usagef("help", "unknown command %s", fault.Quote(strings.Join(args, " "))).WithHint("glassbuild --help lists the commands")
			}
			return c.Help()
		},
	}
}

const longHelp = `glassbuild takes a shipped artefact and a git commit, rebuilds the commit in a sealed sandbox,
compares every byte, and gives one verdict.

  glassbuild verify ./tool --repo ./source
  glassbuild verify tool-1.2.tar.gz --repo https://example.org/tool.git --commit 3f5c…

Exit codes: 0 passed, 1 failed, 3 inconclusive, 4 wrong flags, policy or recipe, 130 interrupted.
Anything else is a failure.`

// exit prints err, if any, and gives the exit code.
func (a *app) exit(ctx context.Context, err error) int {
	if err == nil {
		return a.code
	}
	if ctx.Err() != nil { // whatever broke first, it broke because of that
		a.say.fail(errInterrupted, "interrupted")
		return verdict.ExitInterrupted
	}
	var f *fault.Error
	if !errors.As(err, &f) { // cobra's own complaints about arguments and unknown commands
		a.say.fail(err, fault.Usage.String())
		return verdict.ExitUsage
	}
	a.say.fail(err, f.Class.String())
	switch f.Class {
	case fault.Usage:
		return verdict.ExitUsage
	case fault.Inconclusive:
		return verdict.ExitInconclusive
	}
	return verdict.ExitFailed
}

var errInterrupted = errors.New("interrupted")

// oneLine and printable are the last guard before a terminal: texts are quoted where they are made, and whatever slipped
// through is quoted here.
func oneLine(s string) string {
	if fault.Plain(s) {
		return s
	}
	return fault.Quote(s)
}

// printable keeps line feeds: hints may have several lines.
func printable(s string) string {
	out := ""
	for i, line := range splitLines(strings.ReplaceAll(s, "\t", "    ")) {
		if i > 0 {
			out += "\n"
		}
		if line == "" || fault.Plain(line) {
			out += line
		} else {
			out += fault.Quote(line)
		}
	}
	return out
}

// interruptible cancels at the first SIGINT, SIGTERM or SIGHUP; a second one ends the process at once.
func interruptible() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	ch := make(chan os.Signal, 2)
	signal.Notify(ch, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	// A reader that went away is an error of the write, not the end of a process that has a sandbox to close.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	go func() {
		<-ch
		cancel()
		<-ch
		os.Exit(verdict.ExitInterrupted)
	}()
	return ctx, func() { signal.Stop(ch); cancel() }
}
