package main

import (
	"github.com/spf13/cobra"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/report"
	"github.com/glassbuild/glassbuild/verify"
)

func (a *app) sourceCommand() *cobra.Command {
	var req verify.SourceRequest
	var format, output string
	c := &cobra.Command{
		Use:   "source COMMIT",
		Short: "Say who signed a commit, what reaches it, and what in it cannot be read; build nothing",
		Long: `source reads a commit, its tags, its history as far as it is asked for, and all of its tree. It builds
nothing and looks at nothing that was shipped.

Without --policy it prints facts: 0 says that they could be read, 1 that the repository was altered or is
malformed, 3 that something is not there. With --policy it judges them by what the policy demands of the
source: 0 says that all of that holds, 1 that something does not, 3 that it could not be decided.`,
		Example: `  glassbuild source 3f5c… --repo ./source
  glassbuild source 3f5c… --repo https://example.org/tool.git --policy policy.toml --history seen.jsonl
  glassbuild source 3f5c… --since 9a0b… --format json`,
		Args:              exactly(1, "the full id of the commit"),
		ValidArgsFunction: cobra.CompletionFunc(firstOf(commits)),
		RunE: func(c *cobra.Command, args []string) error {
			if format != "text" && format != "json" {
				return fault.Usagef("--format", "%q is not one of text, json", format)
			}
			if err := placeFor(output); err != nil {
				return err
			}
			ctx, p := a.progress(c.Context())
			req.Commit, req.ToolVersion, req.Progress = args[0], version(), p.Step
			rep, err := verify.Source(ctx, req)
			p.Close()
			if err != nil {
				return err
			}
			return a.sourceReport(rep, format, output)
		},
	}
	c.Flags().StringVar(&req.Repository, "repo", "", "git repository: a folder, or an https or ssh URL (default: the repository in the current folder)")
	c.Flags().StringVar(&req.PolicyFile, "policy", "", "judge the facts by what this policy demands of the source")
	c.Flags().StringVar(&req.Since, "since", "", "full id of an earlier commit: look at every one after it (default: what the policy says)")
	c.Flags().StringVar(&req.History, "history", "", "file that says where tags were seen earlier; new ones are added to it")
	c.Flags().StringVar(&req.TrustedRoot, "trusted-root", "", "trusted root for certified identities (default: what the policy names, or trust update stored)")
	c.Flags().BoolVar(&req.Offline, "offline", false, "open no connection; use what was fetched before")
	c.Flags().StringVar(&format, "format", "text", "text or json")
	c.Flags().StringVarP(&output, "output", "o", "", "write the report to this file instead of stdout")
	offer(c, "format", words("text", "json"))
	return c
}

// sourceReport prints the report to stdout, hints to stderr, and sets the exit code.
func (a *app) sourceReport(rep *verify.SourceReport, format, output string) error {
	var text []byte
	var err error
	if format == "json" {
		text, err = report.SourceJSON(*rep)
	} else {
		s := style(a.out)
		if output != "" {
			s = report.Style{}
		}
		text = report.SourceText(*rep, s)
	}
	if err == nil {
		err = a.write(output, text)
	}
	if err != nil {
		return err
	}
	for _, h := range report.SourceHints(*rep) {
		a.say.say(sayHint, "%s", h)
	}
	a.code = rep.ExitCode()
	return nil
}
