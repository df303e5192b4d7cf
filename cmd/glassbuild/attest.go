package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/glassbuild/glassbuild/attest"
	"github.com/glassbuild/glassbuild/internal/fault"
)

func (a *app) attestCommand() *cobra.Command {
	var req attest.Request
	var signer signerFlags
	var resume string
	c := &cobra.Command{
		Use:   "attest [SHIPPED…]",
		Short: "Build a commit reproducibly and sign what it gave, so that others can rebuild it",
		Long: `attest builds the commit as verify does, anew and at least twice, and signs four statements about each
artefact: SLSA provenance, two bills of materials, and the test result of the runs. It refuses to sign what did
not reproduce, what is not what SHIPPED holds, a builder that nobody vouches for, and a work tree with local
changes.

Exit codes: 0 signed, 1 refused, 3 not reproducible or a service that failed, 4 wrong flags, policy or recipe.`,
		Example: `  glassbuild attest ./tool --repo . --commit ID --key release.key
  glassbuild attest --repo . --commit ID --ref refs/tags/v1 --keyless --signing-config signing_config.json --out dist --bundle dist
  glassbuild attest --repo . --commit ID --kms awskms:///alias/release --image registry.example/team/tool:v1 --attach registry.example/team/tool:v1
  glassbuild attest --resume dist --key release.key`,
		RunE: func(c *cobra.Command, args []string) error {
			s, err := signer.open(c.Context(), a)
			if err != nil {
				return err
			}
			ctx, p := a.progress(c.Context())
			var res *attest.Result
			if resume != "" {
				if len(args) > 0 || req.Commit != "" || req.Image != "" || req.Out != "" {
					return fault.Usagef("--resume", "signs what was left and builds nothing").WithHint("give it the signer, --bundle and --attach, and nothing else")
				}
				res, err = attest.Resume(ctx, attest.ResumeRequest{Folder: resume, Bundles: req.Bundles, Attach: req.Attach, Signer: s, Progress: p.Step})
			} else {
				req.Shipped, req.Signer, req.ToolVersion, req.Progress = args, s, version(), p.Step
				res, err = attest.Run(ctx, req)
			}
			p.Close()
			return a.attested(res, err)
		},
	}
	f := c.Flags()
	f.StringVar(&req.Repository, "repo", "", "git repository: a folder, or an https or ssh URL (default: the repository in the current folder)")
	f.StringVar(&req.Commit, "commit", "", "full id of the commit")
	f.StringVar(&req.Ref, "ref", "", "branch or tag that is released, refs/heads/… or refs/tags/…; it must have the commit")
	f.StringVar(&req.SourceURI, "source-uri", "", "address at which others find the repository (default: --repo where it is a URL, else its remote origin)")
	f.StringVar(&req.RecipeFile, "recipe", "", "recipe file (default: glassbuild.toml at the commit)")
	f.StringVar(&req.Target, "target", "", "target of the recipe's build matrix; each is attested by itself")
	f.StringVar(&req.PolicyFile, "policy", "", "what is demanded of the build (default: the built-in policy)")
	sandboxFlag(c, &req.Sandbox)
	f.StringVar(&req.Image, "image", "", "image that the build gave as an archive of an OCI layout: it is attested by its digest")
	f.StringArrayVar(&req.Attach, "attach", nil, "attach the bundles to this image, or to this layout oci:DIR; may be given more than once")
	f.StringVar(&req.Bundles, "bundle", "", "folder for the bundles, or a file NAME.jsonl for all of them (default: the current folder)")
	f.StringVar(&req.Out, "out", "", "leave what was built in this folder; it must not exist yet")
	f.StringVar(&req.Builder, "builder-id", "", "who builds, as a URI (default: glassbuild itself)")
	f.StringVar(&req.Invocation, "invocation", pipelineRun(os.Getenv), "address of the pipeline's run (default: what the pipeline says)")
	f.BoolVar(&req.Offline, "offline", false, "fetch nothing for the build; use what was fetched before")
	f.StringVar(&resume, "resume", "", "sign the statements that an earlier attest left in this folder; build nothing")
	signer.register(c)
	return c
}

// attested prints one line for each bundle, also where an error ended the work.
func (a *app) attested(res *attest.Result, err error) error {
	if res == nil {
		return err
	}
	for _, line := range res.LogTail {
		a.say.say(sayLog, "%s", line)
	}
	var b strings.Builder
	for _, s := range res.Bundles {
		fmt.Fprintf(&b, "sha256:%s  %s  %s  %s\n", s.SHA256, fault.Quote(s.Artefact), s.Predicate, fault.Quote(s.File))
		for _, where := range s.Attached {
			fmt.Fprintf(&b, "  attached to %s\n", fault.Quote(where))
		}
	}
	for _, name := range res.Unsigned {
		a.say.say(sayDone, "not signed yet: %s", fault.Quote(name))
	}
	if b.Len() > 0 {
		if werr := a.write("", []byte(b.String())); err == nil {
			err = werr
		}
	}
	return err
}

// pipelineRun is the address of the pipeline's run, where the pipeline says it.
func pipelineRun(getenv func(string) string) string {
	if server, repo, id := getenv("GITHUB_SERVER_URL"), getenv("GITHUB_REPOSITORY"), getenv("GITHUB_RUN_ID"); server != "" && repo != "" && id != "" {
		uri := server + "/" + repo + "/actions/runs/" + id
		if n := getenv("GITHUB_RUN_ATTEMPT"); n != "" {
			uri += "/attempts/" + n
		}
		return uri
	}
	for _, name := range []string{"CI_JOB_URL", "BUILDKITE_BUILD_URL", "CIRCLE_BUILD_URL"} { // GitLab, Buildkite, CircleCI
		if uri := getenv(name); uri != "" {
			return uri
		}
	}
	return ""
}
