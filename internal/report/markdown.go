package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// Markdown renders the verdict for a job's summary or a comment, in GitHub's dialect. Everything foreign stands in code
// spans, which hold neither markup nor links.
func Markdown(v verdict.Verdict) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "## %s %s (%s)\n\n%s\n\n", sign(resultStatus(v.Result)), strings.ToUpper(string(v.Result)), v.Match, code(v.Summary))
	name := v.Subject.Name
	if v.Subject.Member != "" {
		name = v.Subject.Member + " in " + name
	}
	b.WriteString("| | |\n| --- | --- |\n")
	row := func(what, value string) {
		if value != "" {
			fmt.Fprintf(&b, "| %s | %s |\n", what, cell(value))
		}
	}
	row("artefact", name)
	row("sha256", v.Subject.SHA256)
	if v.Source != nil {
		row("source", v.Source.Repository)
		row("commit", v.Source.Commit)
	}
	row("policy", v.Policy.Name)
	row("policy sha256", v.Policy.SHA256)
	if v.Source != nil && v.Source.Roots != nil {
		row("trusted roots", v.Source.Roots.Name)
		row("trusted roots sha256", v.Source.Roots.SHA256)
	}

	row("left out", leftOut(v))

	b.WriteString("\n| | check | |\n| --- | --- | --- |\n")
	for _, c := range v.Checks {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", sign(c.Status), cell(c.ID), cell(c.Text))
	}
	if hints := Hints(v); len(hints) > 0 {
		b.WriteString("\n")
		for _, h := range hints {
			fmt.Fprintf(&b, "- hint: %s\n", code(h))
		}
	}
	markdownMembers(&b, v)
	markdownAccount(&b, v)
	for i, e := range v.Exceptions {
		if i == 0 {
			b.WriteString("\n### The policy made exceptions\n\n")
		}
		fmt.Fprintf(&b, "- %s\n", code(e))
	}
	return []byte(b.String())
}

func markdownMembers(b *strings.Builder, v verdict.Verdict) {
	if v.Comparison == nil || len(v.Comparison.Members) == 0 {
		return
	}
	b.WriteString("\n<details><summary>Members</summary>\n\n| state | member | why |\n| --- | --- | --- |\n")
	for i, m := range sortedMembers(v) {
		if i == maxRows {
			fmt.Fprintf(b, "| … | %d more | the JSON form lists all |\n", len(v.Comparison.Members)-maxRows)
			break
		}
		why := ""
		if m.Difference != nil && len(m.Difference.Explain) > 0 {
			why = m.Difference.Explain[0]
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", m.State, cell(m.Path), cell(why))
	}
	b.WriteString("\n</details>\n")
}

// maxRows bounds tables of members in reports for people.
const maxRows = 200

// stateOrder is what matters most first.
var stateOrder = []string{verdict.Different, verdict.Uncovered, verdict.Nowhere, verdict.Covered, string(verdict.MatchPartial), verdict.Equivalent, verdict.Identical, verdict.InTree, verdict.NotRebuilt, verdict.Listed}

func sortedMembers(v verdict.Verdict) []verdict.MemberResult {
	list := slices.Clone(v.Comparison.Members)
	slices.SortStableFunc(list, func(a, b verdict.MemberResult) int {
		return slices.Index(stateOrder, a.State) - slices.Index(stateOrder, b.State)
	})
	return list
}

// cell is code in a table, where a bar would end the cell: GitHub takes the backslash away, also inside code.
func cell(s string) string { return strings.ReplaceAll(code(s), "|", "\\|") }

// code makes a code span of one line, with fences longer than any run of backticks in it.
func code(s string) string {
	if s == "" {
		return ""
	}
	if !fault.Plain(s) {
		s = fault.Quote(s)
	}
	fence := "`"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	if len(fence) > 1 || strings.HasPrefix(s, " ") {
		s = " " + s + " "
	}
	return fence + s + fence
}

func sign(s verdict.Status) string {
	if m, ok := marks[s]; ok {
		return m.sign
	}
	return marks[verdict.StatusFailed].sign
}

// resultStatus is the status that a result looks like.
func resultStatus(r verdict.Result) verdict.Status {
	switch r {
	case verdict.Passed:
		return verdict.StatusPassed
	case verdict.Inconclusive:
		return verdict.StatusInconclusive
	}
	return verdict.StatusFailed
}
