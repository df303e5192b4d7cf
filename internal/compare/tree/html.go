package tree

import (
	_ "embed"
	"fmt"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/markup"
)

//go:embed report.css
var reportStyle string

// HTML writes one page that needs nothing else: no script, no style sheet, no image from anywhere. Beyond limit bytes,
// 0 for no bound, nodes are left out as in JSON.
func (n *Node) HTML(limit int) ([]byte, error) {
	root := n
	for keep := maxNodes; ; keep /= 2 {
		data := n.page(root)
		if limit <= 0 || len(data) <= limit || keep == 0 {
			return data, nil
		}
		root = pruned(n, keep/2)
	}
}

// page writes root, of which nodes may be left out, under the most important cause of n.
func (n *Node) page(root *Node) []byte {
	p := page{markup.New("Comparison", reportStyle)}
	p.In("h1", func() {
		at, c, ok := n.Top()
		if !ok {
			p.Text(string(n.Status))
			return
		}
		if at.Path != "" {
			p.Text(fault.Quote(at.Path) + ": ")
		}
		p.cause(c)
	})
	p.Line()
	p.node(root)
	return p.Bytes()
}

type page struct{ *markup.Page }

func (p page) cause(c Cause) {
	p.Text(c.Text + " ")
	p.El("span", c.ID, markup.Class("id"))
}

func (p page) node(n *Node) {
	var attrs []markup.Attr
	if len(n.Causes) > 0 || len(n.Nodes) > 0 && n.Kind != Section { // what has causes is shown unfolded
		attrs = append(attrs, markup.Open())
	}
	p.In("details", func() {
		p.summary(n)
		p.In("div", func() {
			p.Text("shipped: " + side(n.Shipped))
			p.Break()
			p.Text("rebuilt: " + side(n.Rebuilt))
			if n.Bytes != 0 {
				p.Break()
				p.Text(fmt.Sprintf("%d bytes differ", n.Bytes))
			}
		}, markup.Class("places"))
		p.Line()
		p.causes(n.Causes)
		p.view(n.View)
		for _, c := range n.Nodes {
			p.node(c)
		}
		if n.Same > 0 || n.Moved > 0 || n.More > 0 {
			p.El("div", fmt.Sprintf("%d identical, %d equivalent, %d more different", n.Same, n.Moved, n.More), markup.Class("places"))
		}
	}, attrs...)
	p.Line()
}

func (p page) summary(n *Node) {
	p.In("summary", func() {
		p.El("span", string(n.Status), markup.Class(string(n.Status)))
		p.Text(" " + string(n.Kind))
		if n.Path != "" {
			p.Text(" " + fault.Quote(n.Path))
		}
		if n.Format != "" {
			p.Text(" (" + n.Format + ")")
		}
	})
	p.Line()
}

// side tells what one side has of a node.
func side(s *Side) string {
	const few = 8
	if s == nil {
		return "absent"
	}
	text := fmt.Sprintf("%d bytes", s.Size)
	if s.Place != "" {
		text += ", " + fault.Quote(s.Place)
	}
	if s.SHA256 != "" {
		text += ", SHA-256 " + s.SHA256
	}
	for _, r := range s.Ranges[:min(few, len(s.Ranges))] {
		text += fmt.Sprintf(", %d+%d", r.Offset, r.Size)
	}
	return text
}

func (p page) causes(list []Cause) {
	if len(list) == 0 {
		return
	}
	p.In("ul", func() {
		for _, c := range list {
			p.In("li", func() {
				p.cause(c)
				if len(c.Details) > 0 {
					p.In("ul", func() {
						for _, d := range c.Details {
							p.El("li", d)
						}
					})
				}
				if c.Remedy != "" {
					p.El("div", c.Remedy, markup.Class("remedy"))
				}
			})
			p.Line()
		}
	})
}

func (p page) view(lines []Line) {
	if len(lines) == 0 {
		return
	}
	p.In("table", func() {
		for _, l := range lines {
			var attrs []markup.Attr
			if !l.Same {
				attrs = append(attrs, markup.Class("x"))
			}
			p.In("tr", func() {
				p.El("td", l.Shipped)
				p.El("td", l.Rebuilt)
			}, attrs...)
			p.Line()
		}
	})
}
