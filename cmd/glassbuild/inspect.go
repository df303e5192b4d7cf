package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/verify"
)

// inspectBanner stands above everything that inspect prints.
const inspectBanner = "NOTHING BELOW WAS CHECKED. It is what the file says of itself; anybody can write it.\n"

func (a *app) inspectCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "inspect FILE",
		Short: "Tell what a bundle, verdict, recipe, lock, program or image says of itself; judge nothing",
		Long: `inspect prints what a file or an image says of itself. It holds nothing of it against anything: check and
verify do that.

Exit codes: 0 it could be read, 1 it is malformed, 3 it is of no known kind or could not be reached, 4 wrong arguments.`,
		Args: exactly(1, "a file or an image"),
		RunE: func(c *cobra.Command, args []string) error {
			list, err := verify.Inspect(c.Context(), args[0])
			if err != nil {
				return err
			}
			var b strings.Builder
			b.WriteString(inspectBanner)
			for _, i := range list {
				fmt.Fprintf(&b, "\n%s (%s)\n", fault.Quote(i.Name), i.Kind)
				for _, claim := range i.Claims {
					fmt.Fprintf(&b, "  it says %s: %s\n", fault.Quote(claim.Name), fault.Quote(claim.Value))
				}
			}
			return a.write("", []byte(b.String()))
		},
	}
}
