package main

import (
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/report"
	"github.com/glassbuild/glassbuild/verify"
)

func (a *app) checkCommand() *cobra.Command {
	var req verify.CheckRequest
	var gate verify.Gate
	var format string
	c := &cobra.Command{
		Use:   "check SUBJECT…",
		Short: "Judge what was shipped by what was signed about it; rebuild nothing",
		Long: `check verifies signed statements about artefacts (Sigstore bundles, in-toto statements, verdicts of others)
and holds them against a policy. Nothing is rebuilt, and no connection is opened unless a subject, evidence or
a place of votes is remote.

A subject is a file, sha256:…, an image, a folder of a release (every file in it is judged), or - for a list of
digests on stdin. Evidence is looked for beside a file: *.sigstore.json, *.intoto.jsonl, NAME.bundle,
*.attestations.json and sha256:….jsonl; beside an image: its referrers; and where --evidence says.

What is demanded stands in [provenance] and [quorum] of the policy. For a quick gate flags say the same.`,
		Example: `  glassbuild check tool.tar.gz --policy policy.toml
  glassbuild check registry.example/team/tool:v1 --policy policy.toml
  glassbuild check tool --key cosign.pub --source-repository https://example.org/tool
  glassbuild check --verdict redacted.json --policy quorum.toml --evidence tool.vsa.sigstore.json
  sha256sum tool | glassbuild check - --policy policy.toml --evidence ./attestations`,
		Args: func(c *cobra.Command, args []string) error {
			if req.Verdict != "" {
				return nil // it names its subject itself
			}
			return atLeastOne("a file, a folder, sha256:…, an image, or -")(c, args)
		},
		RunE: func(c *cobra.Command, args []string) error {
			if err := report.CheckFormat(format); err != nil {
				return err
			}
			if req.Verdict != "" && len(args) > 0 && !single(args) {
				return fault.Usagef("--verdict", "is about one artefact")
			}
			if len(args) > 0 && !single(args) && format != "text" && format != "json" {
				return fault.Usagef("--format", "%q is for one subject; several are reported as text or json, a line each", format)
			}
			if gate.Key+gate.Identity+gate.Issuer+gate.Repository+gate.Commit+gate.Ref != "" || len(gate.Types) > 0 {
				req.Gate = &gate
			}
			req.Subjects, req.List, req.ToolVersion = args, os.Stdin, version()
			return a.check(c, req, format)
		},
	}
	f := c.Flags()
	f.StringVar(&req.PolicyFile, "policy", "", "policy file of yours, with [provenance] or [quorum]")
	f.StringVar(&req.Verdict, "verdict", "", "verdict that you were handed, whole or redacted: it must be what was signed (it names the subject where none is given)")
	f.StringArrayVar(&req.Evidence, "evidence", nil, "file, folder, image or repository with evidence; may be repeated")
	f.StringVar(&req.TrustedRoot, "trusted-root", "", "trusted root, or JSON lines of several (default: what the policy names, or trust update stored)")
	f.StringVar(&gate.Key, "key", "", "PEM file with the public key that must have signed")
	f.StringVar(&gate.Identity, "certificate-identity", "", "identity that must have signed: exact, or a pattern in which * stops at /")
	f.StringVar(&gate.Issuer, "certificate-oidc-issuer", "", "who must vouch for that identity")
	f.StringVar(&gate.Repository, "source-repository", "", "repository that the statement must name")
	f.StringVar(&gate.Commit, "source-commit", "", "full id of the commit that the statement must name")
	f.StringVar(&gate.Ref, "source-ref", "", "ref that the statement must name, such as refs/tags/v1")
	f.StringSliceVar(&gate.Types, "type", nil, "type of statement: provenance (default), message, vsa, spdx, … or the URI of a predicate")
	f.StringVar(&format, "format", "text", formatsHelp+"; of several subjects text or json, a line each")
	return c
}

// check prints one verdict in full, of several a line each. The exit code is that of the worst.
func (a *app) check(c *cobra.Command, req verify.CheckRequest, format string) error {
	single := len(req.Subjects) == 0 || single(req.Subjects)
	var hints []string
	tally, err := verify.Check(c.Context(), req, func(v verify.Verdict) error {
		for _, h := range report.Hints(v) {
			if !slices.Contains(hints, h) && len(hints) < maxHints {
				hints = append(hints, h)
			}
		}
		var text []byte
		var err error
		switch {
		case single:
			text, err = report.Render(v, format, style(a.out))
		case format == "json":
			text, err = report.JSONLine(v)
		default:
			text = report.Line(v, style(a.out))
		}
		if err == nil {
			err = a.write("", text)
		}
		return err
	})
	if err != nil {
		return err
	}
	if !single && format == "text" {
		if err := a.write("", fmt.Appendf(nil, "\n%d passed, %d failed, %d inconclusive\n", tally.Passed, tally.Failed, tally.Inconclusive)); err != nil {
			return err
		}
	}
	for _, h := range hints {
		a.say.say(sayHint, "%s", h)
	}
	a.code = tally.ExitCode()
	return nil
}

// single tells whether the subjects are one whose verdict is printed in full.
func single(subjects []string) bool {
	return len(subjects) == 1 && subjects[0] != "-" && !isFolder(subjects[0])
}

// maxHints bounds the hints for many subjects; most have the same.
const maxHints = 8

func isFolder(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.IsDir()
}

func atLeastOne(what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return fault.Usagef(c.CommandPath(), "missing argument: %s", what).WithHint("%s --help shows examples", c.CommandPath())
		}
		return nil
	}
}
