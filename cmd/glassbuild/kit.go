package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/glassbuild/glassbuild/attest"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/kit"
	"github.com/glassbuild/glassbuild/verify"
)

func (a *app) kitCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "kit",
		Short: "Carry everything that a verification reads across an air gap, in one file",
		Long: `A kit holds what verify reads: the git objects of a commit, what its builder is made of with the proof of
who vouches for it, fetched inputs, evidence, and what was shipped. It is an OCI image layout, in one file or in a
registry.

A kit supplies bytes, never trust: policy, keys and trusted roots are the auditor's own, and what of that kind lies
in a kit is ignored.`,
		Example: `  glassbuild kit pack ./tool --repo ./source --commit ID -o release.kit
  glassbuild kit inspect release.kit
  glassbuild verify --kit release.kit --commit ID --policy policy.toml`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.kitPackCommand(), a.kitInspectCommand(), a.kitUnpackCommand(), a.kitPushCommand(), a.kitPullCommand())
	return c
}

func (a *app) kitPackCommand() *cobra.Command {
	var req verify.PackRequest
	var signer signerFlags
	c := &cobra.Command{
		Use:   "pack [ARTIFACT|RELEASE…]",
		Short: "Gather what verifying a commit takes, and write it as a kit",
		Long: `pack opens the commit, prepares the builder and runs the fetch steps as verify does, and keeps everything that
was read. It builds and judges nothing: verify --kit does.

What is fetched is kept in a folder beside the kit until the kit is whole; the same command goes on from there after
an interruption.

A release is a folder, a list of digests such as SHA256SUMS, or several files, as verify takes it: what every
build of it takes is packed once.`,
		Example: `  glassbuild kit pack ./tool --repo ./source --commit ID -o release.kit
  glassbuild kit pack --repo https://example.org/tool.git --commit ID -o source.kit
  glassbuild kit pack ./dist --repo ./source --commit ID -o release.kit
  glassbuild kit pack ./tool --repo ./source --commit ID --policy auditors.toml --key vendor.key -o release.kit`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if req.Out == "" {
				return fault.Usagef("-o", "missing: where is the kit written to?").WithHint("-o release.kit")
			}
			if req.Artefacts = args; len(args) == 0 && req.Commit == "" {
				return fault.Usagef("--commit", "missing: without an artefact nothing says which commit is packed")
			}
			if err := placeFor(req.Out); err != nil {
				return err
			}
			if signer.given() {
				s, err := signer.open(c.Context(), a)
				if err != nil {
					return err
				}
				if req.Sign, err = messageSigner(s); err != nil {
					return err
				}
			}
			ctx, p := a.progress(c.Context())
			req.ToolVersion, req.Progress = version(), p.Step
			res, err := verify.Pack(ctx, req)
			p.Close()
			if err != nil {
				return err
			}
			return a.write("", fmt.Appendf(nil, "%s  %s  %s\n", res.Digest, kit.Bytes(res.Size), fault.Quote(req.Out)))
		},
	}
	f := c.Flags()
	f.StringVar(&req.Repository, "repo", "", "git repository: a folder, or an https or ssh URL (default: the repository in the current folder)")
	f.StringVar(&req.Commit, "commit", "", "full id of the commit (default: what the artefact says of itself)")
	f.StringVar(&req.RecipeFile, "recipe", "", "recipe file (default: glassbuild.toml at the commit, else what the artefact tells)")
	f.StringVar(&req.Target, "target", "", "target of the recipe's build matrix (default: the one that makes a file of this name; every one for a release)")
	packedWith(c, &req.Node, &req.NPM)
	f.StringVar(&req.PolicyFile, "policy", "", "record as much of the history as this policy asks for; the policy itself is not packed")
	f.StringVar(&req.Member, "member", "", "the recipe is for this file inside the archive")
	f.StringArrayVar(&req.Evidence, "evidence", nil, "file or folder with signed evidence, beside what lies next to the artefact; may be repeated")
	sandboxFlag(c, &req.Sandbox)
	f.BoolVar(&req.WithoutArtefact, "without-artefact", false, "leave the artefact itself out")
	f.StringVarP(&req.Out, "output", "o", "", "the kit")
	signer.register(c)
	return c
}

// messageSigner is a signer of bytes. That a kit is signed says who packed it, and nothing more.
func messageSigner(s attest.Signer) (func(context.Context, []byte) ([]byte, error), error) {
	m, ok := s.(interface {
		Message(context.Context, []byte) ([]byte, error)
	})
	if !ok {
		return nil, fault.Usagef("signer", "cannot sign a file")
	}
	return m.Message, nil
}

func (a *app) kitInspectCommand() *cobra.Command {
	var req verify.KitRequest
	c := &cobra.Command{
		Use:   "inspect KIT",
		Short: "List what is in a kit, what it is enough for, and what is missing for which check",
		Long: `inspect reads a kit, hashes everything in it, and says what could be judged from it under your policy and with
your trusted root. It verifies nothing.`,
		Example: `  glassbuild kit inspect release.kit
  glassbuild kit inspect registry.example/team/tool:v1-kit --policy policy.toml --trusted-root trusted_root.json`,
		Args: exactly(1, "the kit: a file, or an image"),
		RunE: func(c *cobra.Command, args []string) error {
			req.Kit = args[0]
			r, err := verify.InspectKit(c.Context(), req)
			if err != nil {
				return err
			}
			return a.write("", kitReport(r))
		},
	}
	c.Flags().StringVar(&req.PolicyFile, "policy", "", "say what is missing for this policy (default: the built-in policy)")
	c.Flags().StringVar(&req.TrustedRoot, "trusted-root", "", "your trusted root (default: what trust update stored)")
	return c
}

// kitReport renders what is known of a kit. Names in it are quoted already.
func kitReport(r *verify.KitReport) []byte {
	var b strings.Builder
	d := r.Document
	fmt.Fprintf(&b, "kit     %s, %s\n", r.Digest, kit.Bytes(r.Size))
	fmt.Fprintf(&b, "commit  %s\npacked  from %s by %s: claims of whoever packed it\n", printable(d.Commit), fault.Quote(d.Repository), fault.Quote(d.Tool))
	if r.Signed > 0 {
		fmt.Fprintf(&b, "signed  %d times; not judged: a signature of a kit gives nothing in it any trust\n", r.Signed)
	}
	section := func(title string, lines []string) {
		if len(lines) == 0 {
			return
		}
		fmt.Fprintf(&b, "\n%s\n", title)
		for _, l := range lines {
			fmt.Fprintf(&b, "  %s\n", l)
		}
	}
	section("Holds", r.Holds)
	section("Enough for", r.Enough)
	var missing []string
	for _, m := range r.Missing {
		line := m.What + ": " + m.Checks
		if m.Hint != "" {
			line += "\n      " + m.Hint
		}
		missing = append(missing, line)
	}
	section("Not in it", missing)
	section("Ignored: a kit supplies bytes, never trust", r.Ignored)
	return []byte(b.String())
}

func (a *app) kitUnpackCommand() *cobra.Command {
	var req verify.KitRequest
	var dir string
	c := &cobra.Command{
		Use:     "unpack KIT",
		Short:   "Write artefacts, evidence and recipes of a kit into a folder, to be read",
		Long:    "unpack writes the files of a kit that have a name: artefacts, signed evidence, and a recipe that is not in the commit with its lock. Nothing of it is verified.",
		Example: "  glassbuild kit unpack release.kit -o release",
		Args:    exactly(1, "the kit: a file, or an image"),
		RunE: func(c *cobra.Command, args []string) error {
			if dir == "" {
				return fault.Usagef("-o", "missing: which folder are the files written to?")
			}
			req.Kit = args[0]
			names, err := verify.UnpackKit(c.Context(), req, dir)
			if err != nil {
				return err
			}
			var b strings.Builder
			for _, n := range names {
				fmt.Fprintln(&b, printable(n))
			}
			return a.write("", []byte(b.String()))
		},
	}
	c.Flags().StringVarP(&dir, "output", "o", "", "folder; it must not exist or be empty")
	return c
}

func (a *app) kitPushCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "push KIT REGISTRY/NAME:TAG",
		Short:   "Store a kit in a registry",
		Long:    "push stores a kit in any registry that takes OCI artefacts, its signatures beside it. What the registry has already is not sent again: a push that broke off goes on when it is repeated.",
		Example: "  glassbuild kit push release.kit registry.example/team/tool:v1-kit",
		Args:    exactly(2, "the kit, and where it goes"),
		RunE: func(c *cobra.Command, args []string) error {
			ctx, p := a.progress(c.Context())
			p.Step("pushing to %s", fault.Quote(args[1]))
			digest, err := verify.PushKit(ctx, verify.KitRequest{Kit: args[0]}, args[1])
			p.Close()
			if err != nil {
				return err
			}
			return a.write("", fmt.Appendf(nil, "%s  %s\n", digest, fault.Quote(args[1])))
		},
	}
}

func (a *app) kitPullCommand() *cobra.Command {
	var out string
	c := &cobra.Command{
		Use:     "pull REFERENCE",
		Short:   "Bring a kit from a registry into one file",
		Long:    "pull brings a kit from a registry, or from an image layout, and hashes everything on the way. What an interrupted pull brought is not fetched again.",
		Example: "  glassbuild kit pull registry.example/team/tool:v1-kit -o release.kit",
		Args:    exactly(1, "where the kit is"),
		RunE: func(c *cobra.Command, args []string) error {
			if out == "" {
				return fault.Usagef("-o", "missing: where is the kit written to?").WithHint("-o release.kit")
			}
			ctx, p := a.progress(c.Context())
			p.Step("pulling %s", fault.Quote(args[0]))
			res, err := verify.PullKit(ctx, verify.KitRequest{Kit: args[0]}, out)
			p.Close()
			if err != nil {
				return err
			}
			return a.write("", fmt.Appendf(nil, "%s  %s  %s\n", res.Digest, kit.Bytes(res.Size), fault.Quote(out)))
		},
	}
	c.Flags().StringVarP(&out, "output", "o", "", "the kit")
	return c
}
