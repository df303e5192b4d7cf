package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/verdict"
)

// rebuilds are those of a verdict that say what was read: one, or of a release one for each build.
func rebuilds(v verdict.Verdict) []*verdict.Rebuild {
	var list []*verdict.Rebuild
	add := func(r *verdict.Rebuild) {
		if r != nil && (r.Account != nil || len(r.Origins) > 0) {
			list = append(list, r)
		}
	}
	add(v.Rebuild)
	if v.Release != nil {
		for _, b := range v.Release.Builds {
			add(b.Rebuild)
		}
	}
	return list
}

// readLine counts what a build read, and the kinds of files that a reader has to look at otherwise (F19).
func readLine(a *verdict.Account) string {
	return fmt.Sprintf("%d of %d files of the source, %d of them opaque, %d generated, %d vendored", len(a.Source), a.Of, len(a.Opaque), a.Generated, a.Vendored)
}

// read says what the build read, and which of that each rebuilt file says is in it.
func (w *textWriter) read(v verdict.Verdict) {
	for _, r := range rebuilds(v) {
		if r.Account != nil {
			w.b.WriteByte('\n')
			w.line("", "The build read "+readLine(r.Account)+".")
		}
		if len(r.Origins) == 0 {
			continue
		}
		w.line("", "What is in the rebuilt files, by their own word:")
		for i, o := range r.Origins {
			if i == maxListed {
				w.line("  ", fmt.Sprintf("… and %d more; the JSON form lists all", len(r.Origins)-maxListed))
				break
			}
			w.line("  ", fault.Quote(o.Names[0])+": "+originLine(o, r.Account))
			for _, odd := range oddNames(o) {
				w.line("    ! ", odd)
			}
		}
	}
}

// originLine sums up what one rebuilt file says.
func originLine(o verdict.Origin, a *verdict.Account) string {
	if len(o.By) == 0 {
		text := "does not say"
		if o.Why != "" {
			text += ", " + printable(o.Why)
		}
		return text + "; all that was read may be in it"
	}
	text := fmt.Sprintf("%d files of the source", len(o.Source))
	if a != nil {
		text = fmt.Sprintf("%d of %d files of the source", len(o.Source), a.Of)
	}
	if n := len(o.Package); n > 0 {
		text += fmt.Sprintf(", %d more that its packages compile or embed", n)
	}
	if n := len(o.Made) + o.Gone; n > 0 {
		text += fmt.Sprintf(", %d that a step made", n)
	}
	for _, kind := range []string{"module", "package", "builder"} {
		if s := partsLine(o, kind); s != "" {
			text += ", " + s
		}
	}
	text += " (" + strings.Join(o.By, ", ") + ")"
	if slices.Contains(o.By, "depfiles") && !slices.Contains(o.By, "file-symbols") {
		text += "; it does not say itself: these are of every object that was compiled"
		return text
	}
	if o.Silent > 0 {
		text += fmt.Sprintf("; %d compiled files in it do not say", o.Silent)
	}
	if o.Why != "" {
		text += "; " + printable(o.Why)
	}
	return text
}

// partsLine counts files of dependencies or of the builder, and names the part where it is one.
func partsLine(o verdict.Origin, kind string) string {
	files, n, name := 0, 0, ""
	for _, p := range o.Parts {
		if p.Kind == kind {
			files, n, name = files+p.Files, n+1, p.Name
		}
	}
	switch {
	case n == 0:
		return ""
	case n == 1:
		return fmt.Sprintf("%d of %s", files, fault.Quote(name))
	case kind == "builder":
		return fmt.Sprintf("%d of %d parts of the builder", files, n)
	}
	return fmt.Sprintf("%d of %d %ss", files, n, kind)
}

// oddNames are lines about names that do not fit what was read.
func oddNames(o verdict.Origin) []string {
	var list []string
	if len(o.Unread) > 0 {
		list = append(list, "names what the build never read: "+firstNames(o.Unread, 0))
	}
	if len(o.Unknown) > 0 {
		list = append(list, "names what lies nowhere in source, builder and inputs: "+firstNames(o.Unknown, o.More))
	}
	return list
}

func firstNames(list []string, more int) string {
	const shown = 3
	var names []string
	for _, n := range list[:min(shown, len(list))] {
		names = append(names, fault.Quote(n))
	}
	text := strings.Join(names, ", ")
	if rest := len(list) - len(names) + more; rest > 0 {
		text += fmt.Sprintf(" and %d more", rest)
	}
	return text
}

// origins lists for each rebuilt file the source that it says is in it.
func (p page) origins(r *verdict.Rebuild) {
	if len(r.Origins) == 0 {
		return
	}
	p.El("h3", "What is in the rebuilt files, by their own word")
	p.El("p", "Compilers write down what they compiled, and a directive in the source can make them name another file. What the build could have used at all is the list above.")
	for _, o := range r.Origins {
		p.In("details", func() {
			p.El("summary", fault.Quote(o.Names[0])+": "+originLine(o, r.Account))
			for _, odd := range oddNames(o) {
				p.El("p", odd)
			}
			p.originFiles(o)
		})
	}
}

func (p page) originFiles(o verdict.Origin) {
	p.table([]string{"file", "where", "sha256"}, func() {
		for _, f := range o.Source {
			p.row(asCode(fault.Quote(f.Name)), "source", asCode(f.SHA256))
		}
		for _, f := range o.Package {
			p.row(asCode(fault.Quote(f.Name)), "source, of its packages", asCode(f.SHA256))
		}
		for _, f := range o.Made {
			p.row(asCode(fault.Quote(f.Name)), "made by a step", asCode(f.SHA256))
		}
		for _, part := range o.Parts {
			p.row(asCode(fault.Quote(part.Name)), fmt.Sprintf("%s, %d files", printable(part.Kind), part.Files), "")
		}
	})
}

// markdownOrigins lists one row for each rebuilt file.
func markdownOrigins(b *strings.Builder, r *verdict.Rebuild) {
	if len(r.Origins) == 0 {
		return
	}
	b.WriteString("\n<details><summary>What is in the rebuilt files, by their own word</summary>\n\n| file | source |\n| --- | --- |\n")
	for i, o := range r.Origins {
		if i == maxRows {
			fmt.Fprintf(b, "| … | %d more; the JSON form lists all |\n", len(r.Origins)-maxRows)
			break
		}
		text := originLine(o, r.Account)
		for _, odd := range oddNames(o) {
			text += "; " + odd
		}
		fmt.Fprintf(b, "| %s | %s |\n", cell(o.Names[0]), cell(text))
	}
	b.WriteString("\n</details>\n")
}
