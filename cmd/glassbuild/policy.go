package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/glassbuild/glassbuild/internal/policy"
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
	return c
}
