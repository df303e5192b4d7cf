package tree

import (
	"fmt"
	"strings"

	"github.com/glassbuild/glassbuild/internal/fault"
)

// Markdown explains for a review or an issue: the most important cause as its first line, then a section for each file
// or member. Nothing is longer than limit bytes, 0 for no bound.
func (n *Node) Markdown(limit int) string {
	w := &writer{limit: limit}
	top, c, ok := n.Top()
	switch {
	case ok:
		w.line("", "**"+escape(label(top)+c.Text)+"** `"+c.ID+"`")
	case n.Status == Identical:
		w.line("", "**identical**")
	default:
		w.line("", "**"+escape(string(n.Status))+"**")
	}
	w.line("", "")
	w.markdown(n, 2)
	return w.finish()
}

func (w *writer) markdown(n *Node, level int) {
	if n.Path != "" && (len(n.Causes) > 0 || len(n.View) > 0) {
		w.line("", strings.Repeat("#", min(level, 6))+" "+escape(fault.Quote(n.Path))+places(n))
		w.line("", "")
	}
	for _, c := range n.Causes {
		w.line("", "- "+escape(c.Text)+" `"+c.ID+"`")
		for _, d := range c.Details {
			w.line("", "  - "+escape(d))
		}
		if c.Remedy != "" {
			w.line("", "  - *remedy:* "+escape(c.Remedy))
		}
	}
	if len(n.Causes) > 0 {
		w.line("", "")
	}
	if len(n.View) > 0 {
		w.line("", "```text")
		w.view(n.View)
		w.line("", "```")
		w.line("", "")
	}
	for _, child := range n.Nodes {
		w.markdown(child, level+1)
	}
	if n.Same+n.Moved+n.More > 0 && len(n.Nodes)+len(n.Causes) > 0 {
		w.line("", fmt.Sprintf("%s*%d identical, %d equivalent, %d more different*", strings.TrimSuffix(label(n), " "), n.Same, n.Moved, n.More))
		w.line("", "")
	}
}

// escape keeps foreign text from being markup, and from being more than one line.
func escape(s string) string {
	return strings.NewReplacer(`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "<", "&lt;", ">", "&gt;", "#", `\#`, "|", `\|`, "\n", " ").Replace(s)
}
