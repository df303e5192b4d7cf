package main

import (
	"bytes"

	"github.com/spf13/cobra"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/verdict"
	"github.com/glassbuild/glassbuild/verify"
)

func (a *app) lockCommand() *cobra.Command {
	var repo, commit, recipeFile, policyFile, buildinfo, output, runtime string
	var check, offline bool
	c := &cobra.Command{
		Use:   "lock",
		Short: "Write down by digest what a commit's fetch steps bring and its builder is made of",
		Long: `lock runs the fetch steps of the recipe as verify does and writes glassbuild.lock. A verification that finds
the lock beside the recipe takes exactly these bytes or none. --check compares instead of writing: 0 is the same, 3 is not.`,
		Example: `  glassbuild lock --repo . --commit ID
  glassbuild lock --repo . --commit ID --check`,
		Args: exactly(0, ""),
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, p := a.progress(c.Context())
			text, err := verify.Lock(ctx, verify.Request{Repository: repo, Commit: commit, RecipeFile: recipeFile, PolicyFile: policyFile, Buildinfo: buildinfo, Sandbox: runtime, Offline: offline, Progress: p.Step})
			p.Close()
			if err != nil {
				return err
			}
			if !check {
				return a.write(output, text)
			}
			old, err := readFile(output)
			if err != nil {
				return fault.Usagef(fault.Quote(output), "cannot be read: %w", bare(err))
			}
			if !bytes.Equal(old, text) {
				a.code = verdict.ExitInconclusive
				return fault.Inconclusivef(fault.Quote(output), "is not what the fetch steps bring now").WithHint("glassbuild lock writes it anew; look at the difference before you commit it")
			}
			return nil
		},
	}
	c.Flags().StringVar(&repo, "repo", "", "git repository: a folder, or an https or ssh URL (default: the repository in the current folder)")
	c.Flags().StringVar(&commit, "commit", "", "full id of the commit")
	c.Flags().StringVar(&recipeFile, "recipe", "", "recipe file of your own (default: glassbuild.toml at the commit)")
	c.Flags().StringVar(&buildinfo, "buildinfo", "", "a .buildinfo file: its versions of Debian packages, and no others, go into the lock")
	c.Flags().StringVar(&policyFile, "policy", "", "policy file: its archive-keys count when versions of packages are chosen (default: the built-in one)")
	c.Flags().StringVarP(&output, "output", "o", "glassbuild.lock", "file to write, or to compare with")
	c.Flags().BoolVar(&check, "check", false, "compare the file with what is fetched now, write nothing")
	sandboxFlag(c, &runtime)
	c.Flags().BoolVar(&offline, "offline", false, "open no connection; use what was fetched before")
	return c
}
