package main

import (
	"github.com/spf13/cobra"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/verify"
)

func (a *app) trustCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "trust",
		Short: "Keep trusted roots: the authorities and logs by which signatures are judged",
		Args:  exactly(0, ""),
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	var req verify.TrustRequest
	update := &cobra.Command{
		Use:   "update",
		Short: "Fetch the trusted root of a Sigstore instance, once, and store it",
		Long: `update asks a TUF repository for its trusted root and stores what its signatures vouch for. From then on
check and verify use the stored file and ask nobody.

Exit codes: 0 stored, 1 the repository does not verify, 3 it could not be reached, 4 wrong flags.`,
		Args: exactly(0, ""),
		RunE: func(c *cobra.Command, _ []string) error {
			res, err := verify.UpdateTrust(c.Context(), req)
			if err != nil {
				return err
			}
			return a.write("", []byte("sha256:"+res.SHA256+"  "+fault.Quote(res.File)+"\n"))
		},
	}
	update.Flags().StringVar(&req.Mirror, "mirror", "", "address of a TUF repository (default: the public instance)")
	update.Flags().StringVar(&req.Root, "root", "", "root.json by which the repository is judged; needed with --mirror")
	c.AddCommand(update)
	return c
}
