package tree

import (
	"bytes"
	"encoding/json"
)

// report is the form of a JSON report. A field may be added; none changes its meaning.
type report struct {
	Format int    `json:"format"` // 1
	Status Status `json:"status"`
	Top    *top   `json:"top,omitempty"` // the one most important cause
	Tree   *Node  `json:"tree"`
}

type top struct {
	Path string `json:"path"`
	Cause
}

// JSON writes the tree. Beyond limit bytes, 0 for no bound, nodes are left out from the end and counted in the node
// above them.
func (n *Node) JSON(limit int) ([]byte, error) {
	r := report{Format: 1, Status: n.Status, Tree: n}
	if at, c, ok := n.Top(); ok {
		r.Top = &top{at.Path, c}
	}
	for keep := maxNodes; ; keep /= 2 {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		if err := e.Encode(r); err != nil {
			return nil, err
		}
		if limit <= 0 || b.Len() <= limit || keep == 0 {
			return b.Bytes(), nil
		}
		r.Tree = pruned(n, keep/2)
	}
}

// pruned returns n with at most keep nodes below each node; with none, views, ranges and details go too.
func pruned(n *Node, keep int) *Node {
	c := *n
	if len(c.Nodes) > keep {
		c.More += len(c.Nodes) - keep
		c.Nodes = c.Nodes[:keep]
	}
	nodes := make([]*Node, len(c.Nodes))
	for i, child := range c.Nodes {
		nodes[i] = pruned(child, keep)
	}
	c.Nodes = nodes
	if keep == 0 {
		c.View = nil
		for _, s := range []**Side{&c.Shipped, &c.Rebuilt} {
			if *s != nil {
				short := **s
				short.Ranges = nil
				*s = &short
			}
		}
	}
	return &c
}
