package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/verify"
)

// exitNotReproducible is the code of a build that a factor changes.
const exitNotReproducible = 3

func (a *app) buildCommand() *cobra.Command {
	var f commonFlags
	var out, policyFile, vary string
	var shell, findCause bool
	c := &cobra.Command{
		Use:   "build",
		Short: "Rebuild a commit as verify does, and leave the outputs in a folder",
		Long: `build does what verify does up to the comparison: it exports the commit, prepares the builder, runs the
recipe twice in the sandbox and holds the runs against each other. The outputs are left in --out.

--find-cause builds again and again, with everything varied that --vary names (default: all), by halves, until it knows which
factor changes the outputs.

Exit codes: 0 the runs agree, 3 they do not or the build failed, 4 wrong flags or recipe. A build verifies nothing.`,
		Example: `  glassbuild build --repo . --commit ID --out ./out
  glassbuild build --repo . --commit ID --shell
  glassbuild build --repo . --commit ID --vary umask,time-zone --out ./out
  glassbuild build --repo . --commit ID --find-cause`,
		Args: exactly(0, ""),
		RunE: func(c *cobra.Command, _ []string) error {
			if findCause && shell {
				return fault.Usagef("build", "--find-cause and --shell cannot be had together")
			}
			if f.commit == "" {
				return fault.Usagef("build", "--commit is missing").WithHint("git rev-parse HEAD prints the full id of the current one")
			}
			ctx, p := a.progress(c.Context())
			res, err := verify.Build(ctx, verify.BuildRequest{
				Repository: f.repo, Commit: f.commit, RecipeFile: f.recipe, Target: f.target, PolicyFile: policyFile, Sandbox: f.sandbox, Offline: f.offline, NoCache: f.noCache, Keep: f.keep,
				Out: out, Shell: shell, ToolVersion: version(), Progress: p.Step, Pause: p.Close,
				Vary: vary, FindCause: findCause,
			})
			p.Close()
			if res != nil {
				for _, line := range res.LogTail {
					a.say.say(sayLog, "%s", line)
				}
			}
			if err != nil {
				return err
			}
			var b strings.Builder
			if c := res.Cause; c != nil {
				c.Text(&b)
				if c.Found {
					a.code = exitNotReproducible
				}
				return a.write("", []byte(b.String()))
			}
			for _, o := range res.Outputs {
				fmt.Fprintf(&b, "%s  %s\n", o.SHA256, fault.Quote(o.Name))
			}
			return a.write("", []byte(b.String()))
		},
	}
	f.register(c)
	c.Flags().StringVar(&out, "out", "glassbuild-out", "folder for the outputs; must not exist yet")
	c.Flags().StringVar(&policyFile, "policy", "", "policy file: how many runs, and the archive-keys of packages (default: the built-in one)")
	c.Flags().StringVar(&vary, "vary", "", "what differs between the runs: all, usual, none, or names of factors with commas between (default: what the policy says)")
	c.Flags().BoolVar(&findCause, "find-cause", false, "find out by experiment which factor changes the outputs, and which of their bytes")
	c.Flags().BoolVar(&shell, "shell", false, "open a shell in the sandbox after a failed step")
	return c
}

func dirOf(path string) string { return filepath.Dir(path) }

// bare leaves the path out of an error that already names it.
func bare(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	var l *os.LinkError
	if errors.As(err, &l) {
		return l.Err
	}
	return err
}
