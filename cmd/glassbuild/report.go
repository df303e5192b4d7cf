package main

import (
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/redact"
	"github.com/glassbuild/glassbuild/internal/report"
	"github.com/glassbuild/glassbuild/verify"
)

// maxSavedVerdict bounds what is read of a saved verdict, in bytes.
const maxSavedVerdict = 256 << 20

func (a *app) reportCommand() *cobra.Command {
	var r reportRequest
	c := &cobra.Command{
		Use:   "report VERDICT.json",
		Short: "Render a saved verdict again, as a page, for a job summary, for dashboards; leave names out of it",
		Long: `report reads what verify or check wrote with --format json and renders it again. It verifies nothing: the
report says what the file says. The exit code is 0 when the report was written, whatever the verdict is.

A verdict that verify --sign saved can be redacted: --redact leaves out names and texts, and what is left is still the
same signed verdict (check --verdict holds it against the signature). --open hands out single entries later, and
--opened puts them into the redacted verdict again.`,
		Example: `  glassbuild verify ./tool --repo ./source --format json --output verdict.json
  glassbuild report verdict.json --format html --output verdict.html
  glassbuild report verdict.json --by-hand > by-hand.sh
  glassbuild report verdict.json --redact paths --output redacted.json
  glassbuild report verdict.json --open 3f2a9c1d --output opened.json
  glassbuild report redacted.json --opened opened.json --format html --output redacted.html`,
		Args: exactly(1, "the saved verdict"),
		RunE: func(c *cobra.Command, args []string) error {
			r.plain = !c.Flags().Changed("format") // a document that stays signed is written as one
			return a.report(args[0], r)
		},
	}
	f := c.Flags()
	f.StringVar(&r.format, "format", "html", formatsHelp+" (default with --redact and --opened: json)")
	f.StringVarP(&r.output, "output", "o", "", "write the report to this file instead of stdout")
	f.BoolVar(&r.script, "by-hand", false, "write a shell script that repeats the verification with git, the toolchain and sha256sum alone")
	f.StringVar(&r.redact, "redact", "", "leave out paths, code, or all that can be left out")
	f.StringArrayVar(&r.open, "open", nil, "of the whole verdict: hand out this entry (its JSON Pointer, or the digits that stand where it was left out); may be repeated")
	f.StringVar(&r.opened, "opened", "", "of a redacted verdict: put in the entries that --open handed out")
	c.MarkFlagsMutuallyExclusive("format", "by-hand", "open")
	c.MarkFlagsMutuallyExclusive("by-hand", "open", "redact")
	c.MarkFlagsMutuallyExclusive("by-hand", "open", "opened")
	return c
}

// reportRequest is what report was asked for.
type reportRequest struct {
	format, output, redact, opened string
	open                           []string
	script, plain                  bool
}

func (a *app) report(file string, r reportRequest) error {
	if (r.redact != "" || r.opened != "") && r.plain {
		r.format = "json"
	}
	if err := report.CheckFormat(r.format); err != nil {
		return err
	}
	if err := placeFor(r.output); err != nil {
		return err
	}
	data, err := readSaved(file)
	if err != nil {
		return err
	}
	v, err := report.Load(file, data)
	if err != nil {
		return err
	}
	switch {
	case r.script:
		text, ok := report.ByHand(v)
		if !ok {
			return fault.Inconclusivef(fault.Quote(file), "cannot be repeated by hand: nothing was rebuilt, what is needed was left out, or the builder is one that a script cannot name")
		}
		return a.write(r.output, []byte(text))
	case len(r.open) > 0:
		o, err := redact.Open(v, r.open)
		if err != nil {
			return err
		}
		text, err := o.JSON()
		if err != nil {
			return err
		}
		return a.write(r.output, text)
	}
	if v, err = r.change(v); err != nil {
		return err
	}
	a.say.say(sayNote, "rendered from a file; nothing was verified")
	s := style(a.out)
	if r.output != "" {
		s = report.Style{}
	}
	text, err := report.Render(v, r.format, s)
	if err != nil {
		return err
	}
	return a.write(r.output, text)
}

// change opens and leaves out entries.
func (r *reportRequest) change(v verify.Verdict) (verify.Verdict, error) {
	if r.opened != "" {
		data, err := readSaved(r.opened)
		if err != nil {
			return v, err
		}
		o, err := redact.ParseOpenings(r.opened, data)
		if err != nil {
			return v, err
		}
		if v, err = redact.Apply(v, o); err != nil {
			return v, err
		}
	}
	if r.redact != "" {
		return redact.Redact(v, redact.Level(r.redact))
	}
	return v, nil
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
