package main

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/glassbuild/glassbuild/internal/artifact"
	"github.com/glassbuild/glassbuild/internal/compare"
	"github.com/glassbuild/glassbuild/internal/compare/tree"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/gomod"
	"github.com/glassbuild/glassbuild/internal/oci"
	"github.com/glassbuild/glassbuild/internal/store"
)

// exitDifferent is what diff gives for two things that are not the same; see docs/exit-codes.md.
const exitDifferent = 1

var diffFormats = []string{"text", "json", "html", "markdown"}

func (a *app) diffCommand() *cobra.Command {
	var opt compare.Options
	var format, output string
	var limit int
	c := &cobra.Command{
		Use:   "diff SHIPPED REBUILT",
		Short: "Say what differs between two files or folders, and from which cause",
		Long: `diff compares two files, archives, packages, executables or folders and explains what differs: members, order,
metadata and compression of archives apart; executables by function, imports and strings; Go build information
field by field; text, JSON and XML by lines and values. The first line names the most important cause; the report
is as long as there are causes, however many addresses moved. docs/causes.md explains every cause.

An image can be named where it lies: registry.example/team/tool@sha256:…, oci:FOLDER or docker-archive:FILE. Images are
compared by their layers and the file system that they make.

It looks at nothing but the two files, and judges nothing: 0 says that they are the same, 1 that they differ,
3 that they could not be compared, 4 that the flags are wrong.`,
		Example: `  glassbuild diff shipped/tool rebuilt/tool
  glassbuild diff tool-1.2.tar.gz out/tool-1.2.tar.gz --only bin/tool
  glassbuild diff a.deb b.deb --format html -o difference.html`,
		Args: exactly(2, "two files or folders"),
		RunE: func(c *cobra.Command, args []string) error {
			if !slices.Contains(diffFormats, format) {
				return fault.Usagef("--format", "%q is not one of %s", format, strings.Join(diffFormats, ", "))
			}
			if limit != 0 && (limit < tree.MinReport || limit > tree.MaxReport) {
				return fault.Usagef("--max-report", "%d is not between %d and %d bytes", limit, tree.MinReport, tree.MaxReport)
			}
			if err := placeFor(output); err != nil {
				return err
			}
			opt.Digests = format == "json" || format == "html" // text names no digests
			n, err := a.compare(c, args[0], args[1], opt)
			if err != nil {
				return err
			}
			text, err := rendered(n, format, limit)
			if err == nil {
				err = a.write(output, text)
			}
			if err == nil && n.Status != tree.Identical {
				a.code = exitDifferent
			}
			return err
		},
	}
	c.Flags().StringVar(&format, "format", "text", strings.Join(diffFormats, ", "))
	c.Flags().StringVar(&opt.Only, "only", "", "look at this member alone: its path in the archive or folder")
	c.Flags().IntVar(&limit, "max-report", 0, "bytes that the report may have (default: 16 KiB of text and Markdown, else no bound)")
	c.Flags().StringVarP(&output, "output", "o", "", "write the report to this file instead of stdout")
	offer(c, "format", words(diffFormats...))
	return c
}

// compare opens both sides. Whatever stops it, hostile content included, says that nothing was compared.
func (a *app) compare(c *cobra.Command, shipped, rebuilt string, opt compare.Options) (*tree.Node, error) {
	dir, err := store.DefaultDir()
	if err != nil {
		return nil, err
	}
	s, err := store.Open(dir)
	if err != nil {
		return nil, err
	}
	run, err := s.NewRun()
	if err != nil {
		return nil, err
	}
	defer run.Close()
	if opt.Dir, err = run.Dir("diff"); err != nil {
		return nil, err
	}
	ctx, p := a.progress(c.Context())
	defer p.Close()
	p.brief = true
	p.Step("comparing")
	if shipped, err = local(ctx, shipped, run); err != nil {
		return nil, err
	}
	if rebuilt, err = local(ctx, rebuilt, run); err != nil {
		return nil, err
	}
	n, err := compare.Paths(ctx, shipped, rebuilt, opt)
	var f *fault.Error
	if err != nil && errors.As(err, &f) && f.Class == fault.Failed {
		failed := *f
		failed.Class = fault.Inconclusive
		return nil, &failed
	}
	return n, err
}

// local brings the image that a reference names into a folder of the run; anything else is a path already.
func local(ctx context.Context, text string, run *store.Run) (string, error) {
	if _, err := os.Lstat(text); err == nil || !oci.IsReference(text) {
		return text, nil
	}
	ref, err := oci.Parse(text)
	if err != nil {
		return "", err
	}
	client, err := gomod.NewRemote(false)
	if err != nil {
		return "", err
	}
	place, err := oci.Open(ref, oci.Options{Remote: client})
	if err != nil {
		return "", err
	}
	defer place.Close()
	parent, err := run.Dir("images")
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(parent, "image-")
	if err != nil {
		return "", err
	}
	return dir, artifact.Pull(ctx, place, dir)
}

func rendered(n *tree.Node, format string, limit int) ([]byte, error) {
	if limit == 0 && (format == "text" || format == "markdown") {
		limit = tree.DefaultReport
	}
	switch format {
	case "json":
		return n.JSON(limit)
	case "html":
		return n.HTML(limit)
	case "markdown":
		return []byte(n.Markdown(limit)), nil
	}
	return []byte(n.Text(limit)), nil
}
