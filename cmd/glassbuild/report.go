package main

import (
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/report"
)

// maxSavedVerdict bounds what is read of a saved verdict, in bytes.
const maxSavedVerdict = 256 << 20

func (a *app) reportCommand() *cobra.Command {
	var format, output string
	var script bool
	c := &cobra.Command{
		Use:   "report VERDICT.json",
		Short: "Render a saved verdict again, as a page, for a job summary, for dashboards",
		Long: `report reads what verify or check wrote with --format json and renders it again. It verifies nothing: the
report says what the file says. The exit code is 0 when the report was written, whatever the verdict is.`,
		Example: `  glassbuild verify ./tool --repo ./source --format json --output verdict.json
  glassbuild report verdict.json --format html --output verdict.html
  glassbuild report verdict.json --by-hand > by-hand.sh`,
		Args: exactly(1, "the saved verdict"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := report.CheckFormat(format); err != nil {
				return err
			}
			if err := placeFor(output); err != nil {
				return err
			}
			data, err := readSaved(args[0])
			if err != nil {
				return err
			}
			v, err := report.Load(args[0], data)
			if err != nil {
				return err
			}
			if script {
				text, ok := report.ByHand(v)
				if !ok {
					return fault.Inconclusivef(fault.Quote(args[0]), "cannot be repeated by hand: nothing was rebuilt, or the builder is one that a script cannot name")
				}
				return a.write(output, []byte(text))
			}
			a.say.say(sayNote, "rendered from a file; nothing was verified")
			s := style(a.out)
			if output != "" {
				s = report.Style{}
			}
			text, err := report.Render(v, format, s)
			if err != nil {
				return err
			}
			return a.write(output, text)
		},
	}
	c.Flags().StringVar(&format, "format", "html", formatsHelp)
	c.Flags().StringVarP(&output, "output", "o", "", "write the report to this file instead of stdout")
	c.Flags().BoolVar(&script, "by-hand", false, "write a shell script that repeats the verification with git, the toolchain and sha256sum alone")
	c.MarkFlagsMutuallyExclusive("format", "by-hand")
	return c
}

const formatsHelp = "text, json, html, markdown, sarif or junit"

func readSaved(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fault.Usagef(fault.Quote(name), "cannot be read: %w", bare(err))
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSavedVerdict+1))
	if err != nil {
		return nil, fault.Usagef(fault.Quote(name), "cannot be read: %w", bare(err))
	}
	if len(data) > maxSavedVerdict {
		return nil, fault.Usagef(fault.Quote(name), "exceeds %d bytes", maxSavedVerdict)
	}
	return data, nil
}
