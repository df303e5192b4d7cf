package main

import (
	"github.com/spf13/cobra"

	"github.com/glassbuild/glassbuild/attest"
)

func (a *app) withdrawCommand() *cobra.Command {
	var req attest.WithdrawRequest
	var signer signerFlags
	c := &cobra.Command{
		Use:   "withdraw BUNDLE",
		Short: "Sign that a verdict or attestation of yours no longer stands, or that another takes its place",
		Long: `withdraw signs a statement that takes back an earlier one of yours: a verdict that was wrong, provenance of
a build machine that was compromised. check honours it when a principal signed it who signed what is taken back.
Nobody can be made to see it: put it wherever the statement is.`,
		Example: `  glassbuild withdraw tool.vsa.sigstore.json --reason "the builder was compromised" --key auditor.key
  glassbuild withdraw old.vsa.sigstore.json --superseded-by new.vsa.sigstore.json --reason "judged by a newer policy" --key auditor.key`,
		Args: exactly(1, "the bundle with the statement that is taken back"),
		RunE: func(c *cobra.Command, args []string) error {
			s, err := signer.open(c.Context(), a)
			if err != nil {
				return err
			}
			req.Statement, req.Signer = args[0], s
			return a.attested(attest.Withdraw(c.Context(), req))
		},
	}
	f := c.Flags()
	f.StringVar(&req.Reason, "reason", "", "why, in words that whoever relied on the statement will read")
	f.StringVar(&req.By, "superseded-by", "", "bundle with the statement that takes its place, about the same artefact")
	f.StringVar(&req.Bundles, "bundle", "", "folder for the new bundle, or a file NAME.jsonl to add it to (default: the folder of BUNDLE)")
	signer.register(c)
	return c
}
