package tree

import (
	"fmt"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// Text explains for people: the one most important cause in the first line, then everything else in the order of the
// tree. Nothing is longer than limit bytes, 0 for no bound: what is left out is counted in the last line.
func (n *Node) Text(limit int) string {
	w := &writer{limit: limit}
	if top, c, ok := n.Top(); ok {
		w.cause(top, c, "")
		if top.Kind != Function {
			w.view(top.View)
		}
		w.done = top
	}
	w.node(n, 0)
	return w.finish()
}

// writer writes lines up to a limit.
type writer struct {
	b     strings.Builder
	limit int
	lost  int   // lines that did not fit
	done  *Node // its first cause and its view began the report
}

func (w *writer) line(indent, s string) {
	s = indent + s + "\n"
	if w.lost > 0 || w.limit > 0 && w.b.Len()+len(s) > w.limit-tailReserve && w.b.Len() > 0 {
		w.lost++
		return
	}
	w.b.WriteString(s)
}

func (w *writer) finish() string {
	if w.lost > 0 {
		fmt.Fprintf(&w.b, "%d more lines: --max-report allows more, --only shows one member\n", w.lost)
	}
	return w.b.String()
}

// tailReserve is kept free for the line that says how much was left out.
const tailReserve = 100

func label(n *Node) string {
	if n.Path == "" || n.Kind == Function || n.Kind == Section {
		return ""
	}
	return fault.Quote(n.Path) + ": "
}

func (w *writer) cause(n *Node, c Cause, indent string) {
	w.line(indent, label(n)+c.Text+" ["+c.ID+"]")
	for _, d := range c.Details {
		w.line(indent, "    "+d)
	}
	if c.Remedy != "" {
		w.line(indent, "    remedy: "+c.Remedy)
	}
}

func (w *writer) node(n *Node, depth int) {
	if depth > maxTextDepth {
		w.line("", label(n)+"more levels differ")
		return
	}
	if n.Status == Identical && n.Kind != Section {
		w.line("", label(n)+"identical")
		return
	}
	causes := n.Causes
	if n == w.done {
		causes = causes[1:]
	}
	for _, c := range causes {
		w.cause(n, c, "")
	}
	if n.Kind == Function && len(n.View) > 0 {
		w.line("", "  "+fault.Quote(n.Path)+places(n)+":")
	}
	if n != w.done || n.Kind == Function {
		w.view(n.View)
	}
	shown := 0
	for _, c := range n.Nodes {
		if c.Kind == Section && len(c.Causes) == 0 && len(c.Nodes) == 0 {
			continue // the table of sections is for machines and browsers
		}
		if shown++; shown > maxShown && c.Kind != Section {
			continue
		}
		w.node(c, depth+1)
	}
	if rest := max(0, shown-maxShown) + n.More; rest > 0 && below(n) != "functions" {
		w.line("", fmt.Sprintf("%sand %d more %s differ", label(n), rest, below(n)))
	}
	if n.Same > 0 && below(n) == "members" {
		w.line("", label(n)+counted(n.Same))
	}
}

func counted(same int) string {
	if same == 1 {
		return "1 member is identical"
	}
	return fmt.Sprintf("%d members are identical", same)
}

// below names what lies under a node.
func below(n *Node) string {
	switch {
	case n.Kind == Section || len(n.Nodes) > 0 && n.Nodes[0].Kind == Function:
		return "functions"
	case len(n.Nodes) > 0 && n.Nodes[0].Kind == Section:
		return "sections"
	}
	return "members"
}

func places(n *Node) string {
	switch {
	case n.Shipped != nil && n.Rebuilt != nil && n.Shipped.Place != "" && n.Rebuilt.Place != "":
		return " " + fault.Quote(n.Shipped.Place) + " shipped, " + fault.Quote(n.Rebuilt.Place) + " rebuilt"
	case n.Shipped != nil && n.Shipped.Place != "":
		return " " + fault.Quote(n.Shipped.Place)
	case n.Rebuilt != nil && n.Rebuilt.Place != "":
		return " " + fault.Quote(n.Rebuilt.Place)
	}
	return ""
}

// view writes both sides next to each other, "|" between what differs.
func (w *writer) view(lines []Line) {
	width := 0
	for _, l := range lines {
		width = max(width, min(len(l.Shipped), maxColumn))
	}
	for _, l := range lines {
		sign := "|"
		switch {
		case l.Same:
			sign = " "
		case l.Rebuilt == "":
			sign = "<"
		case l.Shipped == "":
			sign = ">"
		}
		w.line("    ", strings.TrimRight(fmt.Sprintf("%-*s %s %s", width, clip(l.Shipped), sign, clip(l.Rebuilt)), " "))
	}
}

const maxColumn = 60 // characters of one side of a view

func clip(s string) string {
	if len(s) > maxColumn {
		return s[:maxColumn-3] + "..."
	}
	return s
}
