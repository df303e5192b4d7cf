package main

import (
	"bytes"

	"github.com/spf13/cobra"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/verify"
)

func (a *app) initCommand() *cobra.Command {
	var from, repo, commit, output, node, npm string
	c := &cobra.Command{
		Use:   "init",
		Short: "Write a recipe from a shipped Go binary or npm tarball",
		Long: `init writes glassbuild.toml: it reads what a Go binary or a tarball of the npm registry says of itself, as verify
does, and notes who chose each line. Nothing of the vendor's is run.`,
		Example: `  glassbuild init --from ./tool --repo ./source --output glassbuild.toml`,
		Args:    exactly(0, ""),
		RunE: func(c *cobra.Command, _ []string) error {
			if output != "-" {
				if err := placeFor(output); err != nil {
					return err
				}
			}
			ctx, p := a.progress(c.Context())
			res, err := verify.Init(ctx, verify.InitRequest{From: from, Repository: repo, Commit: commit, Node: node, NPM: npm, Progress: p.Step})
			p.Close()
			if err != nil {
				return err
			}
			for _, n := range res.Notes {
				a.say.say(sayNote, "%s", n)
			}
			if output == "-" {
				return a.write("", res.Text)
			}
			if err := refuseOverwrite(output, res.Text); err != nil {
				return err
			}
			if err := writeFile(output, res.Text); err != nil {
				return err
			}
			a.say.say(sayDone, "wrote %s", fault.Quote(output))
			return nil
		},
	}
	c.Flags().StringVar(&from, "from", "", "shipped Go binary or npm tarball to read")
	c.Flags().StringVar(&repo, "repo", "", "git repository (default: the one in the current folder)")
	c.Flags().StringVar(&commit, "commit", "", "full id of the commit (default: what it says of itself)")
	packedWith(c, &node, &npm)
	c.Flags().StringVarP(&output, "output", "o", "glassbuild.toml", "file to write; - is stdout")
	return c
}

// refuseOverwrite leaves a recipe that somebody wrote alone.
func refuseOverwrite(path string, data []byte) error {
	old, err := readFile(path)
	if err != nil || bytes.Equal(old, data) {
		return nil
	}
	return fault.Usagef(fault.Quote(path), "exists and is another recipe").WithHint("--output - prints the new one")
}
