package main

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/glassbuild/glassbuild/internal/artifact"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/policy"
	"github.com/glassbuild/glassbuild/internal/recipe"
	"github.com/glassbuild/glassbuild/internal/report"
	"github.com/glassbuild/glassbuild/internal/source"
	"github.com/glassbuild/glassbuild/internal/store"
	"github.com/glassbuild/glassbuild/internal/trust"
)

// What a key press may cost.
const (
	completionTime    = 3 * time.Second
	completionBytes   = 512 << 20 // of an artefact whose members are listed
	completionFile    = 1 << 20   // of a recipe or policy that is looked into
	completionEntries = 2000      // of what is offered, and of files that are looked at
)

// values offers what a flag or argument may be.
type values func(c *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective)

// completions are what flags take, by name, whichever command has them. A command whose values are its own registers them.
func completions() map[string]values {
	folder, toml := ending(cobra.ShellCompDirectiveFilterDirs), ending(cobra.ShellCompDirectiveFilterFileExt, "toml")
	json, key := ending(cobra.ShellCompDirectiveFilterFileExt, "json"), ending(cobra.ShellCompDirectiveFilterFileExt, "pem", "key", "pub")
	return map[string]values{
		"format": words(report.Formats...), "sign-in": words("browser", "device"), "redact": words("paths", "code", "all"), "opened": json, "verdict": json, "type": words(policy.TypeNames()...),
		"kms":    words("awskms://", "azurekms://", "gcpkms://", "hashivault://"),
		"commit": commits, "since": commits, "source-commit": commits,
		"member": members, "only": members,
		"recipe": recipes, "policy": policies, "certificate-identity": identities, "certificate-oidc-issuer": issuers,
		"repo": folder, "keep": folder, "out": folder, "buildinfo": ending(cobra.ShellCompDirectiveFilterFileExt, "buildinfo"),
		"trusted-root": json, "signing-trusted-root": json, "signing-config": json, "root": json, "key": key, "lock": toml,
	}
}

// offerValues registers the completions on every command below c. It runs at every start of the program: flags are looked
// up where each command keeps its own, which makes no list of them.
func offerValues(c *cobra.Command) { offerEach(c, completions()) }

func offerEach(c *cobra.Command, offered map[string]values) {
	for name, v := range offered {
		if c.Flags().Lookup(name) != nil || c.PersistentFlags().Lookup(name) != nil {
			if _, own := c.GetFlagCompletionFunc(name); !own {
				offer(c, name, v)
			}
		}
	}
	for _, sub := range c.Commands() {
		offerEach(sub, offered)
	}
}

// offer registers what a flag may be. It fails for a flag that c does not have, or that is registered already.
func offer(c *cobra.Command, flag string, v values) {
	if err := c.RegisterFlagCompletionFunc(flag, cobra.CompletionFunc(v)); err != nil {
		panic(err) // a mistake in this package, seen by every test that starts the program
	}
}

func words(list ...string) values {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return list, cobra.ShellCompDirectiveNoFileComp
	}
}

// firstOf offers values for the first argument alone.
func firstOf(offer values) values {
	return func(c *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return offer(c, args, typed)
	}
}

func ending(d cobra.ShellCompDirective, extensions ...string) values {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) { return extensions, d }
}

// commits offers full ids, by what branches and tags mean now.
func commits(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	tips, err := source.Tips(repository(c))
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var list []string
	for _, t := range tips {
		list = append(list, t.Commit+"\t"+fault.Quote(t.Ref))
	}
	return atMost(list), cobra.ShellCompDirectiveNoFileComp
}

// repository is the folder of --repo, or the current one.
func repository(c *cobra.Command) string {
	if f := c.Flags().Lookup("repo"); f != nil && f.Value.String() != "" {
		return f.Value.String()
	}
	return "."
}

// members offers the files inside of the artefact that the command line names.
func members(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	const only = cobra.ShellCompDirectiveNoFileComp
	if len(args) == 0 {
		return nil, only
	}
	st, err := os.Stat(args[0])
	if err != nil || st.Size() > completionBytes {
		return nil, only
	}
	dir, err := store.DefaultDir()
	if err != nil {
		return nil, only
	}
	s, err := store.Open(dir)
	if err != nil {
		return nil, only
	}
	run, err := s.NewRun()
	if err != nil {
		return nil, only
	}
	defer run.Close()
	scratch, err := run.Dir("completion")
	if err != nil {
		return nil, only
	}
	ctx, cancel := context.WithTimeout(c.Context(), completionTime)
	defer cancel()
	a, err := artifact.Open(ctx, args[0], artifact.Options{Dir: scratch})
	if err != nil {
		return nil, only
	}
	defer a.Close()
	var list []string
	_ = a.Walk(func(m *artifact.Member) error { // the listing is an offer: what could not be walked is not offered
		if m != a.Root && m.Type != artifact.Directory && fault.Plain(m.Path) {
			list = append(list, m.Path)
		}
		return nil
	})
	return atMost(list), only
}

// recipes and policies offer the files near by that are such a thing.
func recipes(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	return tomlFiles(typed, func(name string, data []byte) bool {
		_, err := recipe.Parse(name, data)
		return err == nil
	})
}

func policies(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	return tomlFiles(typed, func(name string, _ []byte) bool {
		_, err := policy.Load(name, time.Now())
		return err == nil
	})
}

// tomlFiles offers the files below the folder that is being typed that are what is looked for; where there are none, any
// TOML file.
func tomlFiles(typed string, is func(name string, data []byte) bool) ([]string, cobra.ShellCompDirective) {
	base, _ := filepath.Split(typed)
	var list []string
	seen := 0
	_ = filepath.WalkDir(filepath.Clean(base), func(path string, d fs.DirEntry, err error) error {
		if seen++; seen > completionEntries {
			return fs.SkipAll
		}
		switch name := filepath.Base(path); {
		case err != nil:
			return fs.SkipDir
		case d.IsDir():
			if depth := strings.Count(strings.TrimPrefix(path, filepath.Clean(base)), string(filepath.Separator)); depth > 2 || strings.HasPrefix(name, ".") && name != "." && name != ".." {
				return fs.SkipDir
			}
			return nil
		case filepath.Ext(name) != ".toml" || !d.Type().IsRegular():
			return nil
		}
		if st, err := d.Info(); err != nil || st.Size() > completionFile {
			return nil
		}
		if data, err := os.ReadFile(path); err == nil && is(path, data) {
			list = append(list, path)
		}
		return nil
	})
	if len(list) == 0 {
		return []string{"toml"}, cobra.ShellCompDirectiveFilterFileExt
	}
	return list, cobra.ShellCompDirectiveNoFileComp
}

// identities and issuers offer what the policies near by say of their principals: never what an artefact's own evidence
// says, which would make trust one key press away.
func identities(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var list []string
	for _, i := range principals() {
		list = append(list, i.Subject+"\t"+fault.Quote(i.Principal))
	}
	return atMost(list), cobra.ShellCompDirectiveNoFileComp
}

func issuers(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var list []string
	for _, i := range principals() {
		if i.Issuer != "" {
			list = append(list, i.Issuer)
		}
	}
	return atMost(list), cobra.ShellCompDirectiveNoFileComp
}

func principals() (list []trust.Identity) {
	tomlFiles("", func(name string, _ []byte) bool {
		p, err := policy.Load(name, time.Now())
		if err == nil {
			list = append(list, p.Trust.Identities()...)
		}
		return err == nil
	})
	return list
}

func atMost(list []string) []string {
	slices.Sort(list)
	list = slices.Compact(list)
	return list[:min(len(list), completionEntries)]
}
