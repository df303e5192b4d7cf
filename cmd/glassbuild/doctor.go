package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/glassbuild/glassbuild/internal/verdict"
	"github.com/glassbuild/glassbuild/verify"
)

func (a *app) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Say what this machine offers for rebuilding, and what to do where it does not",
		Long: `doctor tries out what the sandbox needs: namespaces, mounts, limits, system call filters. It gives 0 where this
machine can rebuild and 3 where it cannot.`,
		Args: exactly(0, ""),
		RunE: func(c *cobra.Command, _ []string) error {
			list, ok := verify.Doctor(c.Context())
			var b strings.Builder
			for _, f := range list {
				sign := "✓"
				switch {
				case !f.OK && f.Needed:
					sign = "✗"
				case !f.OK:
					sign = "·"
				}
				fmt.Fprintf(&b, "%s %-22s %s\n", sign, f.Name, printable(f.Detail))
				if !f.OK && f.Remedy != "" {
					for _, line := range splitLines(f.Remedy) {
						fmt.Fprintf(&b, "  %-22s %s\n", "", printable(line))
					}
				}
			}
			if ok {
				b.WriteString("\nThis machine can rebuild.\n")
			} else {
				b.WriteString("\nThis machine cannot rebuild: what is marked ✗ is missing.\n")
				a.code = verdict.ExitInconclusive
			}
			return a.write("", []byte(b.String()))
		},
	}
}

func readFile(path string) ([]byte, error) { return os.ReadFile(path) }
