package main

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/glassbuild/glassbuild/internal/fault"
)

func (a *app) manCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "man DIR",
		Short: "Write the manual pages, one for each command",
		Long: `man writes glassbuild.1 and a page for each command into DIR, which it makes where it is not there. The pages
say what --help says.`,
		Example: `  glassbuild man /usr/local/share/man/man1`,
		Args:    exactly(1, "the folder for the pages"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return fault.Usagef(fault.Quote(args[0]), "cannot be made: %w", bare(err))
			}
			return writePages(c.Root(), args[0])
		},
	}
}

// writePages writes the page of c and of every command below it.
func writePages(c *cobra.Command, dir string) error {
	if err := writeFile(filepath.Join(dir, pageName(c)+".1"), []byte(manPage(c))); err != nil {
		return err
	}
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() && sub.Name() != "completion" {
			if err := writePages(sub, dir); err != nil {
				return err
			}
		}
	}
	return nil
}

func pageName(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

// manPage is the help of a command as man(7) has it. It carries neither a date nor a version, so that the same program
// always writes the same bytes.
func manPage(c *cobra.Command) string {
	var b strings.Builder
	line := func(macro string, words ...string) {
		b.WriteString(macro)
		for _, w := range words {
			b.WriteString(` "` + roffWord(w) + `"`)
		}
		b.WriteByte('\n')
	}
	line(".TH", strings.ToUpper(pageName(c)), "1", "", "glassbuild", "User Commands")
	b.WriteString(".nh\n.ad l\n")
	line(".SH", "NAME")
	b.WriteString(roff(pageName(c)) + ` \- ` + roff(c.Short) + "\n")
	line(".SH", "SYNOPSIS")
	if c.HasAvailableSubCommands() {
		b.WriteString(`\fB` + roff(c.CommandPath()) + `\fR COMMAND` + "\n.br\n")
	}
	if c.Runnable() {
		use, _ := strings.CutPrefix(c.UseLine(), c.CommandPath())
		b.WriteString(`\fB` + roff(c.CommandPath()) + `\fR` + roff(use) + "\n")
	}
	if c.Long != "" {
		line(".SH", "DESCRIPTION")
		b.WriteString(paragraphs(c.Long))
	}
	if c.HasAvailableSubCommands() {
		line(".SH", "COMMANDS")
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() {
				b.WriteString(".TP\n\\fB" + roff(sub.Name()) + "\\fR\n" + roff(sub.Short) + "\n")
			}
		}
	}
	options(&b, "OPTIONS", c.LocalFlags())
	options(&b, "OPTIONS OF EVERY COMMAND", c.InheritedFlags())
	if c.Example != "" {
		line(".SH", "EXAMPLES")
		b.WriteString(".nf\n" + roff(strings.TrimRight(c.Example, "\n")) + "\n.fi\n")
	}
	if related := neighbours(c); len(related) > 0 {
		line(".SH", "SEE ALSO")
		b.WriteString(strings.Join(related, ", ") + "\n")
	}
	return b.String()
}

func options(b *strings.Builder, title string, flags *pflag.FlagSet) {
	if !flags.HasAvailableFlags() {
		return
	}
	b.WriteString(".SH \"" + title + "\"\n")
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		b.WriteString(".TP\n\\fB" + roff(name) + "\\fR")
		if value != "" {
			if strings.HasPrefix(value, "string") { // stringArray, strings: of several, each stands after a flag of its own
				value = "string"
			}
			b.WriteString(" \\fI" + roff(value) + "\\fR")
		}
		b.WriteString("\n" + roff(usage))
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "[]" && f.DefValue != "0" {
			b.WriteString(roff(" (default " + f.DefValue + ")"))
		}
		b.WriteByte('\n')
	})
}

// paragraphs keeps indented lines as they are and fills all others.
func paragraphs(text string) string {
	var b strings.Builder
	verbatim := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if indented := strings.HasPrefix(line, "  "); indented != verbatim && line != "" {
			if verbatim = indented; verbatim {
				b.WriteString(".nf\n")
			} else {
				b.WriteString(".fi\n")
			}
		}
		if line == "" {
			b.WriteString(".PP\n")
		} else {
			b.WriteString(roff(line) + "\n")
		}
	}
	if verbatim {
		b.WriteString(".fi\n")
	}
	return b.String()
}

// neighbours are the pages of the command above and of those below.
func neighbours(c *cobra.Command) []string {
	var list []string
	if c.HasParent() {
		list = append(list, roff(pageName(c.Parent()))+"(1)")
	}
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() && sub.Name() != "completion" {
			list = append(list, roff(pageName(sub))+"(1)")
		}
	}
	return list
}

var roffText = strings.NewReplacer(`\`, `\e`, "-", `\-`, "…", "...", "’", "'", "‑", `\-`)

// roff escapes a text: no character of it is an instruction, also at the beginning of a line.
func roff(s string) string {
	lines := strings.Split(roffText.Replace(s), "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			lines[i] = `\&` + l
		}
	}
	return strings.Join(lines, "\n")
}

// roffWord is a text between quotes of a macro.
func roffWord(s string) string { return strings.ReplaceAll(roff(s), `"`, `\(dq`) }
