package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/glassbuild/glassbuild/internal/component"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/verdict"
	"github.com/glassbuild/glassbuild/verify"
)

func (a *app) findCommand() *cobra.Command {
	var req verify.FindRequest
	var format, prepare string
	c := &cobra.Command{
		Use:   "find [WHERE] --of RELEASE…",
		Short: "Say whether parts of a release lie in a product, and whether they are the audited ones",
		Long: `find looks for what a release holds in a folder, an image, an archive, firmware or a disk image: whole files by
their digests, stripped programs by what is loaded of them, and code that was linked into other programs by its
functions, wherever they were linked to. Each finding is the audited build, another version, altered, or unknown.

RELEASE is a file or folder of the release, an index that --prepare wrote, an image, or a verdict that passed. find
verifies nothing: the release is what you name.

Exit codes: 0 everything that was found is the audited build, 1 something was altered, 3 something is unknown or
another version, or nothing was found, or part of the product could not be looked into.`,
		Example: `  glassbuild find ./product --of ./release
  glassbuild find firmware.bin --of engine.index --format json
  glassbuild find registry.example/acme/box:3 --of tool.tar.gz --of verdict.json
  glassbuild find --prepare engine.index --of ./release`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if format != "text" && format != "json" {
				return fault.Usagef("--format", "%q is not one of text, json", format)
			}
			switch {
			case prepare == "" && len(args) == 0:
				return fault.Usagef(c.CommandPath(), "missing argument: where to look").WithHint("%s --help shows examples", c.CommandPath())
			case prepare != "" && len(args) > 0:
				return fault.Usagef("--prepare", "only writes an index").WithHint("find WHERE --of the index then")
			}
			if err := placeFor(prepare); err != nil {
				return err
			}
			ctx, p := a.progress(c.Context())
			req.Progress = p.Step
			if prepare != "" {
				data, err := verify.PrepareFind(ctx, req)
				p.Close()
				if err != nil {
					return err
				}
				return a.write(prepare, data)
			}
			req.Where = args[0]
			rep, err := verify.Find(ctx, req)
			p.Close()
			if err != nil {
				return err
			}
			return a.found(rep, format)
		},
	}
	c.Flags().StringArrayVar(&req.Of, "of", nil, "what to look for: a file or folder of a release, a prepared index, an image, or a verdict that passed; may be repeated")
	c.Flags().StringVar(&prepare, "prepare", "", "write the index of the releases to this file instead of looking anywhere")
	c.Flags().StringVar(&format, "format", "text", "text or json")
	c.Flags().BoolVar(&req.Offline, "offline", false, "open no connection")
	return c
}

// found prints the findings. The exit code is that of the worst.
func (a *app) found(rep *verify.Found, format string) error {
	a.code = findCode(rep)
	if format == "json" {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetIndent("", "  ")
		if err := enc.Encode(rep); err != nil {
			return err
		}
		return a.write("", b.Bytes())
	}
	var b strings.Builder
	for _, f := range rep.Findings {
		fmt.Fprintf(&b, "%-13s %s\n", f.State, fault.Quote(f.Path))
		fmt.Fprintf(&b, "              %s of %s, by %s: %s\n", fault.Quote(f.Component), fault.Quote(f.Release), f.How, oneLine(f.Text))
		for _, c := range f.Changed {
			fmt.Fprintf(&b, "                changed %s\n", fault.Quote(c))
		}
		for _, c := range f.Added {
			fmt.Fprintf(&b, "                added   %s\n", fault.Quote(c))
		}
		if n := f.Changes - len(f.Changed) - len(f.Added); n > 0 {
			fmt.Fprintf(&b, "                and %d more\n", n)
		}
	}
	for _, p := range rep.Problems {
		fmt.Fprintf(&b, "not looked into: %s\n", oneLine(p))
	}
	if len(rep.Findings) > 0 {
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "%s in %d files, %d programs looked into\n", counted(rep), rep.Files, rep.Programs)
	return a.write("", []byte(b.String()))
}

// counted says how many findings there are of each state.
func counted(rep *verify.Found) string {
	n := map[component.State]int{}
	for _, f := range rep.Findings {
		n[f.State]++
	}
	if len(rep.Findings) == 0 {
		return "nothing of the release found"
	}
	var words []string
	for _, s := range []component.State{component.Audited, component.Other, component.Unknown, component.Altered} {
		if n[s] > 0 {
			words = append(words, fmt.Sprintf("%d %s", n[s], s))
		}
	}
	return strings.Join(words, ", ")
}

func findCode(rep *verify.Found) int {
	code := verdict.ExitInconclusive
	for i, f := range rep.Findings {
		switch {
		case f.State == component.Altered:
			return verdict.ExitFailed
		case f.State != component.Audited:
			code = verdict.ExitInconclusive
		case i == 0 && len(rep.Problems) == 0:
			code = verdict.ExitPassed
		}
	}
	return code
}
