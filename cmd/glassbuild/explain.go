package main

import (
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"github.com/glassbuild/glassbuild/docs"
	"github.com/glassbuild/glassbuild/internal/compare/tree"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/pattern"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// explained are the pages on which checks, causes and declared differences are explained.
var explained = []string{"checks.md", "causes.md", "passes.md"}

func (a *app) explainCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "explain CHECK|CAUSE",
		Short: "Explain a check, a cause of a difference, or a difference that can be declared",
		Long:  `explain prints what the documentation says of a check, a cause or a declared difference, by the id that reports use.`,
		Example: `  glassbuild explain rebuild.copied
  glassbuild explain vcs-stamp`,
		Args: exactly(1, "the id of a check or of a cause, as a report prints it"),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return explainable(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			text := explain(strings.Trim(args[0], "[]"))
			if text == "" {
				return fault.Usagef(fault.Quote(args[0]), "is no check and no cause").WithHint("reports name them: rebuild.match is a check, vcs-stamp a cause")
			}
			return a.write("", []byte(text))
		},
	}
}

// explainable are the ids of checks and causes.
func explainable() []string {
	ids := verdict.IDs()
	for _, k := range tree.Kinds() {
		ids = append(ids, k.ID)
	}
	return ids
}

// explain returns what the pages say of an id, which may be a cause and a difference that can be declared; "" when none
// says anything.
func explain(id string) string {
	var texts []string
	for _, name := range explained {
		page, err := fs.ReadFile(docs.Pages, name)
		if err != nil {
			continue
		}
		text := section(string(page), id)
		if text == "" {
			text = tableRow(string(page), id)
		}
		if text != "" {
			texts = append(texts, text)
		}
	}
	return strings.Join(texts, "\n")
}

// section returns the part of a page below the heading that is the id, with it.
func section(page, id string) string {
	var b strings.Builder
	level := 0
	for line := range strings.Lines(page) {
		n := len(line) - len(strings.TrimLeft(line, "#"))
		heading := strings.Fields(strings.ReplaceAll(line[n:], "`", ""))
		switch {
		case level == 0 && n > 1 && len(heading) > 0 && strings.TrimSuffix(heading[0], ":") == id:
			level = n
			b.WriteString(strings.Join(heading, " ") + "\n")
		case level > 0 && n > 0 && n <= level:
			return strings.TrimRight(b.String(), "\n") + "\n"
		case level > 0:
			b.WriteString(plainLine(line))
		}
	}
	return b.String()
}

// tableRow returns the row of a table whose first cell is the id, a line for each cell.
func tableRow(page, id string) string {
	var names []string
	before := ""
	for line := range strings.Lines(page) {
		cells := rowCells(line)
		switch {
		case cells == nil:
			names = nil
		case strings.Trim(cells[0], "-: ") == "":
			names = rowCells(before)
		case names != nil && strings.Trim(cells[0], "`") == id:
			var b strings.Builder
			b.WriteString(id + "\n")
			for i, c := range cells[1:] {
				if c != "" && i+1 < len(names) {
					b.WriteString("  " + names[i+1] + ": " + plainLine(c) + "\n")
				}
			}
			return b.String()
		}
		before = line
	}
	return ""
}

// rowCells splits a line of a table; nil for any other line.
func rowCells(line string) []string {
	line = strings.TrimSpace(line)
	if len(line) < 2 || line[0] != '|' {
		return nil
	}
	cells := strings.Split(strings.Trim(line, "|"), " | ")
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	return cells
}

var link = pattern.New(`\[([^\]]*)\]\([^)]*\)`)

// plainLine takes the markup of links away, which leads nowhere on a terminal.
func plainLine(s string) string { return link.Regexp().ReplaceAllString(s, "$1") }
