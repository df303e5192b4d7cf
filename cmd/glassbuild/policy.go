package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/glassbuild/glassbuild/internal/policy"
	"github.com/glassbuild/glassbuild/verify"
)

func (a *app) policyCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "policy",
		Short: "Print the built-in policy: the one that applies without --policy",
		Args:  exactly(0, ""),
		RunE: func(*cobra.Command, []string) error {
			return a.write("", []byte(policy.BuiltIn))
		},
	}
	c.AddCommand(&cobra.Command{
		Use:   "check FILE",
		Short: "Read a policy and say whether it can be applied today",
		Args:  exactly(1, "the policy file"),
		RunE: func(_ *cobra.Command, args []string) error {
			p, err := policy.Load(args[0], time.Now())
			if err != nil {
				return err
			}
			return a.write("", []byte("sha256:"+p.SHA256+"\n"))
		},
	})
	c.AddCommand(a.policyExplainCommand(), a.policyFromCommand())
	return c
}

func (a *app) policyExplainCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "explain FILE VERDICT",
		Short: "Say which line of a policy decides each check of a verdict",
		Long: `explain holds a policy against what a verdict (as --format json writes it) says it found, and names for every check
the lines that decide it. The verdict is believed for this and checked against nothing; the exit code is no result.

Exit codes: 0 explained, 4 a file that cannot be used.`,
		Args: exactly(2, "the policy and the verdict"),
		RunE: func(_ *cobra.Command, args []string) error {
			text, err := verify.ExplainPolicy(args[0], args[1], time.Now())
			if err != nil {
				return err
			}
			return a.write("", text)
		},
	}
}

func (a *app) policyFromCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "from VERDICT",
		Short: "Write a policy to start from, which a verdict would satisfy",
		Long: `from writes a policy that what a verdict claims would satisfy. It is a place to start from: it says what was
found, not what should be demanded, and whatever it accepts beyond the built-in policy waits for a reason of yours.

Exit codes: 0 written, 1 no policy would be content with that verdict, 4 a file that cannot be used.`,
		Args: exactly(1, "the verdict"),
		RunE: func(_ *cobra.Command, args []string) error {
			text, err := verify.PolicyFrom(args[0], time.Now())
			if err != nil {
				return err
			}
			return a.write("", text)
		},
	}
}
