package main

import (
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/report"
	"github.com/glassbuild/glassbuild/verify"
)

// verifyFlags are the flags that verify and build share.
type commonFlags struct {
	repo, commit, recipe, target string
	sandbox                      string
	offline, noCache             bool
	keep                         string
}

func (f *commonFlags) register(c *cobra.Command) {
	c.Flags().StringVar(&f.repo, "repo", "", "git repository: a folder, or an https or ssh URL (default: the repository in the current folder)")
	c.Flags().StringVar(&f.commit, "commit", "", "full id of the commit (default: what the artefact says of itself)")
	c.Flags().StringVar(&f.recipe, "recipe", "", "recipe file of your own (default: glassbuild.toml at the commit, else what the artefact tells)")
	c.Flags().StringVar(&f.target, "target", "", "target of the recipe's build matrix (default: the one that makes a file of this name)")
	c.Flags().BoolVar(&f.offline, "offline", false, "open no connection; use what was fetched before")
	c.Flags().BoolVar(&f.noCache, "no-cache", false, "rebuild even where the same rebuild was done before")
	sandboxFlag(c, &f.sandbox)
	c.Flags().StringVar(&f.keep, "keep", "", "leave outputs, logs, recipe, verdict and run record in this folder")
}

// sandboxFlag registers the flag that says who makes sandboxes.
func sandboxFlag(c *cobra.Command, to *string) {
	c.Flags().StringVar(to, "sandbox", "embedded", "what makes sandboxes: embedded, or an OCI runtime such as runc by its path or name")
}

func (a *app) verifyCommand() *cobra.Command {
	var f commonFlags
	var policyFile, history, member, format, output, trustedRoot, node, npm, kitFile string
	var evidence []string
	var plan bool
	var sign signVerdict
	c := &cobra.Command{
		Use:   "verify ARTIFACT|RELEASE…",
		Short: "Rebuild what was shipped from the commit, compare every byte, give a verdict",
		Long: `verify takes a file, a folder or an archive, copies it once, rebuilds the commit twice in a sealed
sandbox, and says whether what was shipped is what the commit gives.

A release is a folder, a list of digests such as SHA256SUMS, an image, or several files: every file and
everything in it is accounted for by one build of each commit and recipe, and the verdict is one.

Without --commit and --recipe a Go program tells itself which commit and settings it was built from; the
first line of the report then says so.`,
		Example: `  glassbuild verify ./tool --repo ./source
  glassbuild verify tool.tar.gz --repo https://example.org/tool.git --commit ID --member bin/tool
  glassbuild verify ./release --repo https://example.org/tool.git --commit ID
  glassbuild verify ./tool --repo ./source --plan
  glassbuild verify --kit release.kit --commit ID --policy policy.toml
  glassbuild verify ./tool --repo ./source --commit ID --policy policy.toml --sign --key auditor.key`,
		Args: func(c *cobra.Command, args []string) error {
			if kitFile != "" {
				return nil // the kit may hold it
			}
			return atLeastOne("the shipped file, folder or archive")(c, args)
		},
		RunE: func(c *cobra.Command, args []string) error {
			if err := report.CheckFormat(format); err != nil {
				return err
			}
			if err := placeFor(output); err != nil {
				return err
			}
			if plan && sign.on {
				return fault.Usagef("--plan", "runs nothing: there is no verdict to sign")
			}
			signing, err := sign.open(c.Context(), a)
			if err != nil {
				return err
			}
			ctx, p := a.progress(c.Context())
			if len(args) == 0 {
				args = []string{""}
			}
			req := verify.Request{
				Artefact: args[0], Kit: kitFile, Member: member, Repository: f.repo, Commit: f.commit, RecipeFile: f.recipe, Target: f.target, PolicyFile: policyFile,
				Sandbox: f.sandbox, Offline: f.offline, NoCache: f.noCache, Keep: f.keep, ToolVersion: version(), Progress: p.Step,
				Node: node, NPM: npm, Evidence: evidence, TrustedRoot: trustedRoot, Sign: signing,
			}
			if plan && len(args) > 1 {
				return fault.Usagef("--plan", "is about one artefact").WithHint("a plan for one file of the release says what would be done")
			}
			if plan {
				pl, err := verify.MakePlan(ctx, req)
				p.Close()
				if err != nil {
					return err
				}
				return a.write(output, pl.Text())
			}
			req.History = history
			var res *verify.Result
			if member == "" && args[0] != "" && verify.IsRelease(args) {
				res, err = verify.Release(ctx, req, args)
			} else if len(args) > 1 {
				err = fault.Usagef("--member", "is about one artefact")
			} else {
				res, err = verify.Run(ctx, req)
			}
			p.Close()
			if err != nil {
				a.partial(res)
				return err
			}
			if err := a.verdict(res, format, output); err != nil {
				return err
			}
			return a.signedVerdict(res)
		},
	}
	f.register(c)
	c.Flags().StringVar(&kitFile, "kit", "", "take repository, builder, inputs and, where none is named, the artefact from this kit, and open no connection")
	c.Flags().StringVar(&policyFile, "policy", "", "policy file of yours (default: the built-in policy, see glassbuild policy)")
	c.Flags().StringArrayVar(&evidence, "evidence", nil, "file, folder, image or repository with signed evidence, where the policy demands some; may be repeated")
	c.Flags().StringVar(&trustedRoot, "trusted-root", "", "trusted root for it (default: what the policy names, or trust update stored)")
	c.Flags().StringVar(&history, "history", "", "file that says where tags were seen earlier; new ones are added to it")
	packedWith(c, &node, &npm)
	c.Flags().StringVar(&member, "member", "", "judge only this file inside the archive or folder")
	c.Flags().StringVar(&format, "format", "text", formatsHelp)
	c.Flags().StringVarP(&output, "output", "o", "", "write the report to this file instead of stdout")
	c.Flags().BoolVar(&plan, "plan", false, "only say what would be done, fetched and run; runs nothing of the vendor's")
	sign.register(c)
	return c
}

// packedWith registers the flags that say what a package of the npm registry was packed with.
func packedWith(c *cobra.Command, node, npm *string) {
	c.Flags().StringVar(node, "node", "", "for an npm tarball without a recipe: exact version of Node.js that packed it (default: what the registry says)")
	c.Flags().StringVar(npm, "npm", "", "for an npm tarball without a recipe: exact version of npm that packed it")
}

// partial says on stderr what was learned before an interruption. It is no result: stdout stays empty, and no file is written.
func (a *app) partial(res *verify.Result) {
	if res == nil {
		return
	}
	a.say.say(sayPart, "%s", strings.TrimRight(string(report.Text(res.Verdict, report.Style{})), "\n"))
}

// verdict prints the report to stdout, hints to stderr, and sets the exit code.
func (a *app) verdict(res *verify.Result, format, output string) error {
	s := style(a.out)
	if output != "" {
		s = report.Style{}
	}
	text, err := report.Render(res.Verdict, format, s)
	if err == nil {
		err = a.write(output, text)
	}
	if err != nil {
		return err
	}
	for _, line := range res.LogTail {
		a.say.say(sayLog, "%s", line)
	}
	for _, n := range res.Notes {
		a.say.say(sayNote, "%s", n)
	}
	for _, h := range report.Hints(res.Verdict) {
		a.say.say(sayHint, "%s", h)
	}
	a.code = res.Verdict.ExitCode()
	return nil
}

// write puts the result on stdout, or whole into a file: never half of it.
func (a *app) write(path string, data []byte) error {
	if path == "" {
		if _, err := a.out.Write(data); err != nil {
			return fault.Inconclusivef("stdout", "report not written: %w", bare(err))
		}
		return nil
	}
	return writeFile(path, data)
}

func exactly(n int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		switch {
		case len(args) < n:
			return fault.Usagef(c.CommandPath(), "missing argument: %s", what).WithHint("%s --help shows examples", c.CommandPath())
		case len(args) > n:
			return fault.Usagef(c.CommandPath(), "unexpected argument %s", fault.Quote(args[n])).WithHint("%s --help shows examples", c.CommandPath())
		}
		return nil
	}
}

// placeFor refuses a report file that cannot be written, before anything is done for it.
func placeFor(path string) error {
	if path == "" {
		return nil
	}
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		return fault.Usagef(fault.Quote(path), "is a folder, not a file to write a report to")
	}
	if _, err := os.Stat(dirOf(path)); err != nil {
		return fault.Usagef(fault.Quote(path), "cannot be written: %w", bare(err))
	}
	return nil
}

// writeFile replaces path by a rename, so that a reader sees the old report or the new one. What is no plain file, such
// as /dev/stdout, a pipe or /dev/null, is written to and never replaced.
func writeFile(path string, data []byte) error {
	if st, err := os.Stat(path); err == nil && !st.Mode().IsRegular() && !st.IsDir() {
		return writeInto(path, data)
	}
	f, err := os.CreateTemp(dirOf(path), ".glassbuild-*")
	if err != nil {
		return unwritten(path, err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	return unwritten(path, err)
}

// writeInto writes to a device or a pipe.
func writeInto(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err == nil {
		_, err = f.Write(data)
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}
	return unwritten(path, err)
}

func unwritten(path string, err error) error {
	if err == nil {
		return nil
	}
	return fault.Inconclusivef(fault.Quote(path), "cannot be written: %w", bare(err)).WithHint("is there space, and may you write there?")
}
