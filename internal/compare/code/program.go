package code

import (
	"bytes"

	"github.com/glassbuild/glassbuild/internal/compare/tree"
)

// Explain adds to a node why two executables differ. What changes everything, such as another toolchain, comes before
// functions; a stamp or a path, which changes no code, comes after them.
func Explain(n *tree.Node, shipped, rebuilt []byte) {
	a, b := bytes.NewReader(shipped), bytes.NewReader(rebuilt)
	info, _ := BuildInfo(a, b)
	var own string
	var after []tree.Cause
	for _, c := range info {
		switch c.ID {
		case tree.CauseVCS, tree.CausePath:
			after = append(after, c)
		default:
			n.Causes = append(n.Causes, c)
		}
	}
	if own = MainModule(a); own == "" {
		own = MainModule(b)
	}
	r, ok := Programs(a, b)
	if ok {
		found := r.Causes(own)
		if len(n.Causes) > 0 { // which functions another compiler changed says nothing more
			for i := range found {
				found[i].Details = nil
			}
		}
		n.Causes = append(n.Causes, found...)
	}
	n.Causes = append(n.Causes, after...)
	n.Causes = append(n.Causes, Linked(a, b)...)
}
