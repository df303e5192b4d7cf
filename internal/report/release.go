package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// fileLine is one file of a release: its state and, where it is a package, what its members are.
func fileLine(f verdict.ReleaseFile) string {
	var counts []string
	total := 0
	for _, state := range stateOrder {
		if n := f.Counts[state]; n > 0 && state != verdict.NotRebuilt {
			counts = append(counts, fmt.Sprintf("%d %s", n, state))
			total += n
		}
	}
	if total <= 1 && f.Counts[verdict.NotRebuilt] == 0 {
		return ""
	}
	return strings.Join(counts, ", ")
}

// release lists the files of a release, those that matter most first, and what is not there.
func (w *textWriter) release(v verdict.Verdict) {
	if v.Release == nil {
		return
	}
	w.b.WriteString("\nFiles:\n")
	for i, f := range sortedFiles(v.Release) {
		if i == maxListed {
			w.line("  ", fmt.Sprintf("… and %d more; the JSON form lists all", len(v.Release.Files)-maxListed))
			break
		}
		text := fault.Quote(f.Name)
		if line := fileLine(f); line != "" {
			text += " (" + line + ")"
		}
		w.line(fmt.Sprintf("  %-13s ", f.State), text)
	}
	for _, line := range absent(v.Release) {
		w.line("  ", line)
	}
}

func sortedFiles(r *verdict.Release) []verdict.ReleaseFile {
	list := slices.Clone(r.Files)
	slices.SortStableFunc(list, func(a, b verdict.ReleaseFile) int {
		return slices.Index(stateOrder, a.State) - slices.Index(stateOrder, b.State)
	})
	return list
}

// absent names what is missing, stray or unshipped, each as a line.
func absent(r *verdict.Release) []string {
	var list []string
	add := func(state, name, why string) {
		if len(list) < 3*maxListed {
			list = append(list, fmt.Sprintf("%-13s %s%s", state, fault.Quote(name), why))
		}
	}
	for _, l := range r.Lists {
		for _, n := range l.Missing {
			add("missing", n, ", named by "+fault.Quote(l.Name))
		}
	}
	for _, n := range r.Stray {
		add("stray", n, ", named by no list")
	}
	for _, u := range r.Unshipped {
		add("unshipped", u.Name, ", "+u.Why)
	}
	return list
}

// release is the same as a section of the page.
func (p page) release(r *verdict.Release) {
	if r == nil {
		return
	}
	list, more := sortedFiles(r), 0
	if len(list) > maxRows {
		list, more = list[:maxRows], len(list)-maxRows
	}
	p.section("files", "The files of the release", func() {
		p.table([]string{"state", "file", "bytes", "sha256"}, func() {
			for _, f := range list {
				p.row(f.State, func() {
					p.quoted(f.Name)
					if line := fileLine(f); line != "" {
						p.Text(" " + line)
					}
				}, digits(f.Size), asCode(f.SHA256))
			}
		})
		if more > 0 {
			p.El("p", fmt.Sprintf("and %d more; the JSON form lists all", more))
		}
		p.lines(absent(r))
	})
}
